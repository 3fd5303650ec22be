"""CacheGrowth in the built book: every number, bar and line is as large as Python says."""

import re

import pytest
from looking import assert_readable, beside_kernel, drag, state_of

from feedback.widgets import CacheGrowth
from feedback.widgets.base import script
from feedback.widgets.cache_growth import MOST, readable

PAGE = "notebooks/05-shared-keys-values"
WIDGET = ".feedback-widget[data-widget=cache_growth]"


@pytest.fixture
def widget(begun):
    return begun.page.locator(WIDGET).first


def exact(widget, name: str):
    return widget.get_by_label(f"{name}, exact", exact=True)


def slider(widget, name: str):
    return widget.get_by_label(name, exact=True)


def assert_shows(widget, **changes):
    """Numbers, bars, lines and the sentence are those of a state of the Python widget."""
    expected = CacheGrowth(**{**state_of(widget), **changes})
    for name in MOST:
        assert exact(widget, name).input_value() == str(getattr(expected, name))
    bars = widget.locator(".bar")
    names = [words.split("\n")[0] for words in bars.locator(".name").all_inner_texts()]
    values = bars.locator("data").evaluate_all("all => all.map((d) => [d.value, d.textContent])")
    kept = expected.nbytes
    assert dict(zip(names, values, strict=True)) == {
        kind: [str(size), readable(size)] for kind, size in kept.items()
    }
    largest = max(kept.values())
    widths = bars.locator(".fill").evaluate_all(
        "all => all.map((bar) => parseFloat(bar.style.width))"
    )
    assert 25 <= max(widths) <= 100
    shares = [size / largest for size in kept.values()]
    # A browser keeps six digits of a length.
    assert [width / max(widths) for width in widths] == pytest.approx(shares, abs=1e-5)
    heights = marks_above_axis(widget)
    assert [height / max(heights) for height in heights] == pytest.approx(shares)
    widget.locator("[aria-live=polite]", has_text=expected.describe()).wait_for()


def marks_above_axis(widget) -> list[float]:
    places = widget.locator(".chart .mark").evaluate_all(
        "marks => marks.map((mark) => mark.getAttribute('transform'))"
    )
    points = [re.findall(r"-?[\d.]+", place) for place in places]
    assert len({x for x, _ in points}) == 1, "all stand at the length that was chosen"
    axis = float(widget.locator(".rule").first.get_attribute("d").split()[1].split("H")[0])
    return [axis - float(y) for _, y in points]


def test_it_begins_where_python_says(widget):
    assert_shows(widget)


def test_sizes_follow_mouse_and_keys(look):
    widget = look.locator(WIDGET).first
    for name in MOST:
        exact(widget, name).fill(str(state_of(widget)[name]))
    slider(widget, "layers").press("Home")
    slider(widget, "layers").press("ArrowRight")
    assert_shows(widget, layers=2)
    drag(widget, index=0, to=0.9)
    tokens = int(exact(widget, "tokens").input_value())
    assert tokens > state_of(widget)["tokens"]
    assert_shows(widget, layers=2, tokens=tokens)
    for name in MOST:
        slider(widget, name).press("End")  # the widest numbers
    assert_readable(widget)
    edge = widget.locator(".cache-growth").bounding_box()
    for text in widget.locator("text").all():
        box = text.bounding_box()
        assert box["x"] >= edge["x"]
        assert box["x"] + box["width"] <= edge["x"] + edge["width"], text.text_content()


def test_the_sliders_end_where_python_does_and_stay_exact(widget):
    for name in MOST:
        assert exact(widget, name).get_attribute("max") == str(MOST[name])
        slider(widget, name).press("End")
    widget.get_by_label("bytes per number").select_option("8")
    assert_shows(widget, **MOST, bytes_per_number=8)
    for name in MOST:
        slider(widget, name).press("Home")
    widget.get_by_label("bytes per number").select_option("1")
    assert_shows(widget, **dict.fromkeys(MOST, 1), bytes_per_number=1)


def test_any_whole_number_can_be_typed_and_a_wrong_one_gives_way_to_the_nearest(widget):
    tokens = exact(widget, "tokens")
    tokens.fill("1000")
    assert_shows(widget, tokens=1000)
    largest = MOST["tokens"]
    for wrong, nearest in (("", 1000), ("2.6", 3), (str(largest + 1), largest), ("-4", 1)):
        tokens.fill("")
        tokens.press_sequentially(wrong)
        tokens.press("Tab")
        assert_shows(widget, tokens=nearest)
        tokens.fill("1000")
    exact(widget, "layers").fill("7")
    exact(widget, "layers").press("ArrowUp")
    assert_shows(widget, tokens=1000, layers=8)


def test_kinds_differ_by_more_than_colour(widget):
    lines = widget.locator(".chart .line")
    dashes = lines.evaluate_all("all => all.map((e) => getComputedStyle(e).strokeDasharray)")
    shapes = widget.locator(".chart .mark").evaluate_all(
        "all => all.map((e) => e.getAttribute('d'))"
    )
    assert len(set(dashes)) == len(set(shapes)) == 4


def test_without_javascript_words_stand_in_its_place(open_page):
    with open_page(PAGE, java_script_enabled=False) as visit:
        text = visit.page.locator(f"{WIDGET} p").first
        assert text.is_visible()
        assert text.text_content() == CacheGrowth().describe()


def test_beside_a_kernel_values_go_both_ways(browser):
    state = {"tokens": 4, "layers": 2, "width": 8, "batch": 1, "bytes_per_number": 4}
    with browser.new_page() as page:
        beside_kernel(page, script("cache_growth"), state)
        slider(page, "batch").press("ArrowRight")
        assert page.evaluate("saved") == {**state, "batch": 2}
        page.evaluate("fromPython('width', 1000)")
        assert exact(page, "width").input_value() == "1000"
        shown = page.locator("data").evaluate_all("all => all.map((data) => Number(data.value))")
        assert shown == list(CacheGrowth(**{**state, "batch": 2, "width": 1000}).nbytes.values())


def test_a_state_that_cannot_be_drawn_is_said_in_its_place(browser):
    with browser.new_page() as page:
        beside_kernel(page, script("cache_growth"), {})
        message = page.locator("[role=alert]").inner_text()
        assert message.startswith("This widget could not be drawn: ")
