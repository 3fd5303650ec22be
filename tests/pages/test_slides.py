"""Slides in a browser, opened from disk: nothing is cut, widgets live, keys lead through all; and
the minutes of every chapter's."""

import json
import re
import shutil
from pathlib import Path

import deck
import minutes
import pytest
import slides
from looking import BOOK, ROOT

SCREEN = {"width": 1280, "height": 720}
# The chapters with the most kinds of widgets, with the longest code, and with the most formulas.
NAMES = ("05-shared-keys-values", "09-timing", "07-whole-sequence")

# Of each slide, in turn: what juts out of its room, and how small it had to be made.
WALK = """async () => {
    const nextPicture = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    const found = [];
    for (;;) {
        const slide = deck.getCurrentSlide();
        const content = slide.querySelector(".content");
        for (let k = 0; k < 100 && content.querySelector(".feedback-widget:not([data-state])"); k++)
            await nextPicture();
        for (let still = 0, zoom; still < 4; still++) { // until its size rests
            await nextPicture();
            if (zoom !== content.style.zoom) still = 0;
            zoom = content.style.zoom;
        }
        const room = slide.querySelector(".body").getBoundingClientRect();
        const juts = [...content.querySelectorAll(":not(mjx-assistive-mml *)")].filter((part) => {
            const box = part.getBoundingClientRect();
            const seen = box.width && box.height && part.checkVisibility();
            return seen && (box.bottom > room.bottom + 2 || box.right > room.right + 2);
        });
        const code = content.querySelector(".highlight pre");
        const title = slide.querySelector("h2").getBoundingClientRect();
        found.push({
            title: slide.querySelector("h2").textContent,
            juts: juts.slice(0, 3).map((part) => part.outerHTML.slice(0, 80)),
            overlaps: title.bottom > room.top + 1,
            zoom: Number(content.style.zoom || 1),
            letters: parseFloat(getComputedStyle(code ?? content).fontSize),
            widgets: [...content.querySelectorAll(".feedback-widget")].map((w) => w.dataset.state),
        });
        if (deck.isLastSlide()) return found;
        deck.next();
    }
}"""


@pytest.fixture(scope="module")
def files(book) -> dict[str, object]:
    if shutil.which("npm") is None:
        pytest.skip("slides need npm, to get reveal.js")
    return {file.stem: file for file in slides.write_slides(ROOT, NAMES)}


@pytest.fixture
def show(browser, files):
    """`show(name)` opens the slides of a chapter; nothing may go wrong until the test ends."""
    wrong = []
    with browser.new_context(viewport=SCREEN) as context:

        def show(name: str):
            page = context.new_page()
            page.on("console", lambda said: said.type == "error" and wrong.append(said.text))
            page.on("pageerror", lambda error: wrong.append(str(error)))
            page.on("requestfailed", lambda request: wrong.append(request.url))
            page.goto(files[name].as_uri())
            page.locator("html[data-slides=ready]").wait_for()
            return page

        yield show
    assert wrong == []


@pytest.mark.parametrize("name", NAMES)
def test_every_slide_shows_all_that_is_on_it_and_its_widgets_live(show, name):
    found = show(name).evaluate(WALK)
    assert len(found) > 20
    assert [one for one in found if one["juts"] or one["overlaps"]] == []
    assert [one for one in found if one["letters"] * one["zoom"] < 13] == []
    states = [state for one in found for state in one["widgets"]]
    assert states == ["started"] * len(states)
    asked = (BOOK / f"notebooks/{name}.html").read_text("utf-8").count('class="feedback-widget"')
    assert len(states) == asked


def test_arrow_keys_lead_through_all_slides_and_leave_a_slider_that_is_in_use_alone(show):
    page = show(NAMES[0])
    number = "deck.getIndices().h"
    last = page.evaluate("deck.getTotalSlides()") - 1
    for _ in range(last):
        page.keyboard.press("ArrowRight")
    assert page.evaluate(number) == last
    place = page.evaluate(
        "[...document.querySelectorAll('.slides section')].findIndex((one) => "
        "one.querySelector('.feedback-widget[data-widget=cache_growth]'))"
    )
    page.evaluate(f"deck.slide({place})")
    slider = page.locator("section.present input[type=range]").first
    slider.wait_for()
    before = slider.input_value()
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate(number) == place and slider.input_value() != before
    page.mouse.click(640, 20)  # the heading
    page.keyboard.press("ArrowRight")
    assert page.evaluate(number) == place + 1


def test_a_print_has_a_sheet_for_each_slide_and_one_behind_it_for_its_notes(browser, files):
    alone, with_notes = slides.print_slides([files[NAMES[0]]], browser)
    sheets = [len(re.findall(rb"/Type /Page\b", file.read_bytes())) for file in (alone, with_notes)]
    asked = files[NAMES[0]].read_text("utf-8").count("<section")
    assert sheets[0] == asked and sheets[1] >= 2 * asked


def test_the_list_of_slides_leads_to_each_chapter(browser, files):
    with browser.new_page() as page:
        for file in files.values():
            page.goto(file.with_name("index.html").as_uri())
            page.locator(f'a[href="{file.name}"]').first.click()
            page.locator("html[data-slides=ready]").wait_for()
            assert page.url == file.as_uri()


# Every chapter. One whose page is older than its notebook is another.


@pytest.mark.parametrize(
    "file", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda file: file.stem
)
def test_the_minutes_of_a_chapters_slides_add_up_to_those_of_the_chapter(book, file: Path):
    """All that is looked at and asked is on slides, and what is said is what is read."""
    page = book / "notebooks" / f"{file.stem}.html"
    seconds = minutes.read_waiting()[file.stem]
    chapter = minutes.parts(json.loads(file.read_text("utf-8")), seconds)
    cut = deck.slides_of(page.read_text("utf-8"), seconds)
    found = {name: sum(slide.minutes[name] for slide in cut) for name in deck.PARTS}
    assert found["exercises"] == chapter["exercises"]
    assert found["waiting"] == pytest.approx(chapter["waiting"])
    # A cell may draw without a line by which minutes.py knows it.
    assert abs(found["looking"] - chapter["looking"]) <= 2
    assert found["reading"] == pytest.approx(chapter["reading"], rel=0.1)
    assert 0.3 * chapter["code"] <= found["code"] <= chapter["code"]
    # What each slide says of itself, to a tenth of a minute, adds up as well.
    stated = [float(re.search(r"About ([\d.]+) minutes", slide.html())[1]) for slide in cut]
    others = sum(found.values()) - found["exercises"]
    assert sum(stated) == pytest.approx(others, abs=0.05 * len(cut))
