"""The built book as its readers meet it: in a browser, served or opened as files, offline."""

import gzip
import re
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest
from looking import PAGES, widgets_of

FORMULAS = "book/notation"


@pytest.fixture
def visit(each_page, each_page_from_disk, scheme):
    return {"http": each_page, "file": each_page_from_disk}[scheme]


def test_page_loads_nothing_from_elsewhere(visit):
    assert visit.foreign == []


def test_page_misses_no_file_and_reports_no_error(visit):
    assert visit.missing == []
    assert visit.errors == []


def test_every_widget_starts(visit):
    states = [place.get_attribute("data-state") for place in widgets_of(visit.page).all()]
    assert set(states) <= {"started"}


def test_a_sentence_says_what_the_picture_of_a_widget_shows(each_page):
    for widget in widgets_of(each_page.page).all():
        sentences = widget.locator("[aria-live=polite]").all_text_contents()
        assert any(sentence.strip() for sentence in sentences), widget.get_attribute("data-widget")


def test_every_formula_is_typeset(each_page):
    assert_typeset(each_page.page)


def test_formulas_are_typeset_from_disk_too(open_page):
    with open_page(FORMULAS, "file", formulas=True) as visit:
        assert visit.page.locator("mjx-container").count() > 0
        assert_typeset(visit.page)
        visit.assert_nothing_went_wrong()


def assert_typeset(page):
    formulas = page.locator(".math:not(mjx-container *)")
    assert formulas.locator("mjx-container").count() >= formulas.count()
    assert page.locator("mjx-merror").all_text_contents() == []
    # MathJax passes an unknown command on as text.
    unknown = page.locator("mjx-assistive-mml mtext", has_text="\\")
    assert unknown.all_text_contents() == []


def test_no_tex_is_left_in_the_text(each_page):
    text = each_page.page.evaluate(
        """() => {
            const article = document.querySelector("article").cloneNode(true);
            article.querySelectorAll("pre, code, script, mjx-container").forEach((e) => e.remove());
            return article.textContent;
        }"""
    )
    assert re.findall(r"\$\$|\\\(|\\\[|\\begin", text) == []


def test_page_is_light(each_page, book):
    """What a reader waits for, sent as servers send it; a widget's buffers come when it is near."""
    names = [url.removeprefix(each_page.start) for url in each_page.loaded]
    files = [name for name in names if not name.startswith(("blob:", "data:", "/_static/buffers/"))]
    sizes = {name: sent_bytes(Path(f"{book}{unquote(name)}")) for name in files}
    heaviest = sorted(sizes.items(), key=lambda item: -item[1])[:10]
    assert sum(sizes.values()) < 1.0e6, heaviest


@cache
def sent_bytes(path: Path) -> int:
    content = path.read_bytes()
    compressed = path.suffix in {".png", ".jpg", ".woff", ".woff2"}
    return len(content if compressed else gzip.compress(content, 6))


def test_the_front_door_leads_to_the_first_page(browser, addresses, scheme):
    with browser.new_page() as page:
        page.goto(f"{addresses[scheme]}/index.html")
        page.wait_for_url(f"**/{PAGES[0]}.html")
