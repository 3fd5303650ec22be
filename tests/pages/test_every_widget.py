"""What holds for every widget, whatever it shows: tried at one of each form."""

import os

import pytest
from cover import ONE_OF_EACH_FORM, one_of_each_form_on
from looking import (
    LAPTOP,
    PAGES,
    PHONE,
    UNFOLD,
    html_of,
    kinds_on,
    parsed,
    poor_contrasts,
    widgets_of,
)
from screenshots import take

import feedback.widgets
from feedback.widgets import base, modules

OPENS = list(ONE_OF_EACH_FORM)
WIDGET_PAGES = [page for page in PAGES if kinds_on(page)]
KINDS = sorted(
    getattr(feedback.widgets, name).__module__.rpartition(".")[2]
    for name in feedback.widgets.__all__
)


def test_every_widget_stands_in_the_book():
    assert {kind for page in WIDGET_PAGES for kind in kinds_on(page)} == set(KINDS)


@pytest.fixture(scope="module")
def begun(each_page):
    each_page.page.emulate_media(reduced_motion="reduce")
    each_page.begin_again()
    yield each_page
    each_page.page.emulate_media(reduced_motion="null")


@pytest.fixture
def widgets(begun) -> list:
    return one_of_each_form_on(begun)


def name_of(widget) -> str:
    return widget.get_attribute("data-widget")


PUT_FOCUS_BEFORE = """(widget) => {
    const start = document.createElement("span");
    start.tabIndex = -1;
    start.addEventListener("blur", () => start.remove());
    widget.before(start);
    start.focus();
}"""
HAS_FOCUS = "(widget) => widget.contains(document.activeElement)"
CONTROLS = "button, input, select, textarea, a, summary, [tabindex]"


def test_the_tab_key_leads_into_a_widget_and_out_again(begun, widgets):
    for widget in widgets:
        widget.evaluate(PUT_FOCUS_BEFORE)
        begun.page.keyboard.press("Tab")
        assert widget.evaluate(HAS_FOCUS), f"{name_of(widget)}: Tab leads past it"
        for _ in range(widget.locator(CONTROLS).count()):
            if widget.evaluate(HAS_FOCUS):
                begun.page.keyboard.press("Tab")
        assert not widget.evaluate(HAS_FOCUS), f"{name_of(widget)}: Tab does not lead out of it"


def test_no_field_is_so_small_that_ios_zooms_into_it(begun, widgets):
    begun.page.set_viewport_size(PHONE)
    for widget in widgets:
        sizes = widget.locator("input, select, textarea").evaluate_all(
            "fields => fields.map((field) => parseFloat(getComputedStyle(field).fontSize))"
        )
        assert all(size >= 16 for size in sizes), (name_of(widget), sizes)
    begun.page.set_viewport_size(LAPTOP)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_its_text_stands_out_from_what_is_behind_it(begun, widgets, theme):
    begun.change_to(theme)
    for widget in widgets:
        widget.scroll_into_view_if_needed()
        assert poor_contrasts(widget) == [], name_of(widget)


def test_nothing_moves_for_a_reader_who_asked_for_that(widgets):
    moving = """(widget) => [...widget.querySelectorAll("*")]
        .filter((part) => {
            const { transitionDuration, animationName } = getComputedStyle(part);
            return parseFloat(transitionDuration) > 0 || animationName !== "none";
        })
        .map((part) => part.className)"""
    for widget in widgets:
        assert widget.evaluate(moving) == [], name_of(widget)


def test_a_widget_is_printed_in_its_colours(widgets):
    saves_ink = """(widget) => [...widget.querySelectorAll(".feedback-view, .feedback-view *")]
        .filter((part) => getComputedStyle(part).printColorAdjust !== "exact")
        .map((part) => part.className)"""
    for widget in widgets:
        assert widget.evaluate(saves_ink) == [], name_of(widget)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_page_is_printed_in_its_light_colours(begun, theme):
    begun.change_to(theme)
    page = begun.page
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("html").get_attribute("data-theme") == "light"
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("html").get_attribute("data-theme") == theme


@pytest.fixture(scope="module", params=[True, False], ids=["with-script", "without-script"])
def untouched(request, browser):
    """A tab in which nobody scrolls to a widget."""
    with browser.new_page(java_script_enabled=request.param) as page:
        yield page


@pytest.mark.parametrize("name", ONE_OF_EACH_FORM)
def test_in_print_no_widget_is_blank(untouched, addresses, name):
    """Those that nobody scrolled to, and all where there is no JavaScript, show their sentence."""
    untouched.emulate_media(media="screen")
    untouched.goto(f"{addresses['plain']}/{name}.html")
    untouched.evaluate(UNFOLD)
    untouched.emulate_media(media="print")
    for widget in widgets_of(untouched).all():
        shown = widget.locator(".feedback-view, p").first
        assert shown.is_visible() and shown.text_content().strip(), name_of(widget)


def test_the_text_of_every_page_has_a_sentence_for_each_of_its_widgets(book):
    for page in WIDGET_PAGES:
        for place in parsed(book / f"{page}.html").select(".feedback-widget"):
            assert place.p.get_text().strip(), (page, place["data-widget"])


WITH_BUFFERS = [page for page in ONE_OF_EACH_FORM if "data-hash=" in html_of(page)]


@pytest.mark.parametrize("name", WITH_BUFFERS)
def test_a_buffer_that_is_lost_is_said_in_place_of_its_widget(turn_to, name):
    with turn_to(name, instead={"/_static/buffers/": ""}) as visit:
        for widget in widgets_of(visit.page).all():
            if widget.locator("script[data-hash]").count():
                error = widget.locator(".feedback-widget-error").first
                assert "This widget could not start: " in error.text_content(), name_of(widget)


def test_the_screenshots_show_each_widget_of_a_page(browser, book, tmp_path):
    page = WIDGET_PAGES[0]
    kinds = sorted(set(kinds_on(page)))
    paths = take(browser, page, kinds, "dark", 375, tmp_path)
    where = page.rpartition("/")[2]
    assert [path.name for path in paths] == [f"{kind}-{where}-dark-375.png" for kind in kinds]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)


# ---- errors ----

# Draws a widget in a place of its own at the page's end; its model holds nothing.
DRAW = """async (source) => {
    const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    const { default: widget } = await import(url);
    const events = new EventTarget();
    const model = {
        get() { throw new Error("no state"); },
        set: (name) => events.dispatchEvent(new Event(`change:${name}`)),
        on: (event, action) => events.addEventListener(event, action),
        off: (event, action) => events.removeEventListener(event, action),
    };
    const el = document.createElement("div");
    el.id = "drawn";
    document.querySelector("article").append(el);
    widget.render({ model, el });
}"""


@pytest.fixture(scope="module")
def page_without_widgets(open_page):
    with open_page(next(page for page in PAGES if page not in WIDGET_PAGES)) as visit:
        yield visit.page


@pytest.fixture
def draw(page_without_widgets):
    def draw(source: str):
        page_without_widgets.evaluate(DRAW, source)
        return page_without_widgets.locator("#drawn")

    yield draw
    page_without_widgets.evaluate("document.getElementById('drawn').remove()")


# A widget that draws itself and fails when it is used, in each of the ways the base offers.
FAILING = """
import { button, menu, player, slider } from "BASE/base.controls.js";
import { onChange, widget } from "BASE/base.life.js";
import { frame } from "BASE/base.page.js";

export default widget(({ model, el }) => {
  const fail = () => { throw new Error("too late"); };
  onChange(model, ["labels"], fail);
  el.append(
    frame(
      "failing",
      "A widget that fails",
      button("button", fail),
      slider("slider", {}, fail),
      menu("menu", [[1, "one"], [2, "two"]], 1, fail),
      player("player", { count: 3, perSecond: 100 }, fail),
      button("change", () => model.set("labels", [])),
    ),
  );
});
"""
USES = {
    "button": lambda drawn: drawn.get_by_role("button", name="button").click(),
    "slider": lambda drawn: drawn.get_by_label("slider").press("ArrowRight"),
    "menu": lambda drawn: drawn.get_by_label("menu").select_option("two"),
    "player": lambda drawn: drawn.get_by_role("button", name="Play").click(),
    "a trait": lambda drawn: drawn.get_by_role("button", name="change").click(),
}


@pytest.mark.parametrize("use", USES)
def test_an_error_that_comes_later_is_said_in_place_of_the_widget(draw, use, tmp_path):
    entry = tmp_path.resolve() / "failing.js"
    entry.write_text(FAILING.replace("BASE", os.path.relpath(base.HERE, entry.parent)))
    drawn = draw(modules.as_module(entry))
    USES[use](drawn)
    drawn.locator("[role=alert]", has_text="too late").wait_for()
    assert drawn.locator(".feedback-view").count() == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_state_that_cannot_be_drawn_says_so_in_place_of_the_widget(draw, kind):
    """The widget's own guard, which also holds beside a kernel."""
    drawn = draw(base.script(kind))
    assert drawn.text_content() == "This widget could not be drawn: no state"
