"""CriticalPath in the built book: the grids fill as Python says, and the path is Python's."""

import pytest
from looking import (
    LAPTOP,
    PHONE,
    PROJECTOR,
    beside_kernel,
    contrast,
    drag,
    scrolls_sideways,
    state_of,
)

from feedback.widgets import CriticalPath
from feedback.widgets.base import script
from feedback.widgets.critical_path import MODELS, depth, done_at, longest_path, sequential_steps

PAGE = "notebooks/03-what-parallel-struggles-with"
WIDGET = ".feedback-widget[data-widget=critical_path]"


@pytest.fixture
def widget(open_page):
    with open_page(PAGE, viewport=LAPTOP) as visit:
        yield visit.page.locator(WIDGET).first


def cells(widget, model: str, kind: str) -> dict[tuple[int, int], str]:
    """(token, layer) -> number shown, of all cells of a kind; layer 0 holds the tokens."""
    found = widget.locator(f".panel[data-model={model}] .cell.{kind}").evaluate_all(
        "cells => cells.map((g) => [g.dataset.token, g.dataset.layer, g.lastChild.textContent])"
    )
    return {(int(token), int(layer)): number for token, layer, number in found}


def assert_shows(widget, expected: CriticalPath):
    """The grids, the table and the sentence are those of a state of the Python widget."""
    T, L, time = expected.tokens, expected.layers, expected.time
    table = [row.split("\t") for row in widget.locator("table").inner_text().split("\n")]
    for column, model in enumerate(MODELS, start=1):
        steps = {(t, k): done_at(model, t, k, L) for t in range(T) for k in range(1, L + 1)}
        done = {cell: str(step) for cell, step in steps.items() if step <= time}
        assert cells(widget, model, "done") == done
        assert set(cells(widget, model, "now")) == {c for c, step in steps.items() if step == time}
        path = longest_path(model, expected.start, expected.end, L)
        assert set(cells(widget, model, "path")) == {(expected.start, 0), *path}
        total = sequential_steps(model, T, L)
        assert [row[column] for row in table] == [
            model,
            f"{min(time, total)} of {total}",
            str(depth(model, expected.end, L)),
            str(len(path)),
            str(len({expected.start} | {token for token, _ in path})),
        ]
        if model == "feedback":
            kept = widget.locator(f".panel[data-model={model}] circle.memory.done").count()
            assert kept == time // L
    widget.locator("[aria-live=polite]", has_text=expected.describe()).wait_for(timeout=3000)


def widget_now(widget, **changes) -> CriticalPath:
    return CriticalPath(**{**state_of(widget), **changes})


def time_of(widget) -> int:
    return int(widget.locator("input[type=range]").input_value())


@pytest.mark.parametrize("scheme", ["http", "file"])
def test_it_begins_where_python_says_and_time_can_be_dragged_and_stepped(open_page, scheme):
    with open_page(PAGE, scheme, viewport=LAPTOP) as visit:
        widget = visit.page.locator(WIDGET).first
        assert_shows(widget, widget_now(widget))
        drag(widget, index=0, to=0.7)
        time = time_of(widget)
        assert time > state_of(widget)["time"]
        assert_shows(widget, widget_now(widget, time=time))
        widget.locator("input[type=range]").press("ArrowRight")
        assert_shows(widget, widget_now(widget, time=time + 1))


def test_keys_move_time_to_both_ends(widget):
    slider, state = widget.locator("input[type=range]"), state_of(widget)
    slider.press("End")
    assert_shows(widget, widget_now(widget, time=state["tokens"] * state["layers"]))
    slider.press("Home")
    assert_shows(widget, widget_now(widget, time=0))


def test_time_plays_and_stops(widget):
    before = time_of(widget)
    button = widget.get_by_role("button", name="Play")
    button.click()
    widget.page.wait_for_function(
        "([slider, step]) => slider.value >= step",
        arg=[widget.locator("input[type=range]").element_handle(), before + 2],
    )
    widget.get_by_role("button", name="Pause").click()
    assert button.is_visible()
    assert_shows(widget, widget_now(widget, time=time_of(widget)))


def test_the_menus_choose_the_path_and_the_other_end_gives_way(widget):
    widget.get_by_label("Path from token").select_option("2")
    widget.get_by_label("to output").select_option("5")
    assert_shows(widget, widget_now(widget, start=2, end=5))
    widget.get_by_label("Path from token").select_option("6")
    assert_shows(widget, widget_now(widget, start=6, end=6))
    widget.get_by_label("to output").select_option("1")
    assert_shows(widget, widget_now(widget, start=1, end=1))


def test_a_click_on_a_token_begins_the_path_and_one_on_a_cell_ends_it(widget):
    panel = widget.locator(".panel[data-model=feedback]")
    panel.locator("[data-token='1'][data-layer='0']").click()
    panel.locator("[data-token='6'][data-layer='2']").click()
    assert_shows(widget, widget_now(widget, start=1, end=6))
    assert widget.get_by_label("Path from token").input_value() == "1"


@pytest.mark.parametrize("viewport", [PHONE, PROJECTOR], ids=["phone", "projector"])
@pytest.mark.parametrize("mode", ["light", "dark"])
def test_it_can_be_read(open_page, mode, viewport):
    with open_page(PAGE, color_scheme=mode, viewport=viewport) as visit:
        widget = visit.page.locator(WIDGET).first
        widget.get_by_label("Path from token").select_option("1")
        widget.locator("input[type=range]").press("End")
        assert not scrolls_sideways(visit.page)
        background = painted(visit.page.locator("body"), "background-color")
        for part in (".heading", ".clock", ".key", "thead th", "td", ".sentence"):
            text = painted(widget.locator(part).last, "color")
            assert contrast(text, background) >= 4.5, f"{part}: {text} on {background}"
        for part in (".row", ".output"):
            text = painted(widget.locator(part).first, "fill")
            assert contrast(text, background) >= 4.5, f"{part}: {text} on {background}"
        for kind in (".token:not(.path)", ".token.path", ".done.path", ".done:not(.path)"):
            for panel in widget.locator(".panel").all():
                cell = panel.locator(f".cell{kind}").first
                text, ground = (painted(cell.locator(part), "fill") for part in ("text", "rect"))
                assert contrast(text, ground) >= 4.5, f"{kind}: {text} on {ground}"
        grids = [grid.bounding_box() for grid in widget.locator("svg").all()]
        side_by_side = grids[0]["y"] == grids[1]["y"]
        assert side_by_side is (viewport is PROJECTOR)
        assert all(grid["x"] + grid["width"] <= viewport["width"] for grid in grids)


def painted(element, css_property: str) -> list[int]:
    """A colour as it comes out on a canvas, however the style sheet mixes it."""
    return element.evaluate(
        """(element, property) => {
            const canvas = new OffscreenCanvas(1, 1).getContext("2d");
            canvas.fillStyle = getComputedStyle(element).getPropertyValue(property);
            canvas.fillRect(0, 0, 1, 1);
            return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
        }""",
        css_property,
    )


def test_cells_on_the_path_differ_by_more_than_colour(widget):
    panel = widget.locator(".panel[data-model=parallel]")
    weight = "(element) => getComputedStyle(element).fontWeight"
    on, off = (panel.locator(f".cell.done{kind} text").first for kind in (".path", ":not(.path)"))
    assert int(on.evaluate(weight)) > int(off.evaluate(weight))
    assert panel.locator("polyline").count() == len(cells(widget, "parallel", "path"))


def test_without_javascript_words_stand_in_its_place(open_page):
    with open_page(PAGE, java_script_enabled=False) as visit:
        text = visit.page.locator(f"{WIDGET} p").first
        assert text.is_visible()
        assert text.text_content() == CriticalPath(tokens=8, layers=4).describe()


def test_beside_a_kernel_values_go_both_ways(browser):
    state = {"tokens": 4, "layers": 2, "start": 0, "end": 3, "time": 2}
    with browser.new_page() as page:
        beside_kernel(page, script("critical_path"), state)
        page.get_by_label("Path from token").select_option("1")
        assert page.evaluate("saved") == {**state, "start": 1}
        page.evaluate("fromPython('time', 5)")
        assert page.locator("tbody tr").first.inner_text() == "steps done\t2 of 2\t5 of 8"
        page.evaluate("fromPython('layers', 3)")
        assert page.locator("tbody tr").first.inner_text() == "steps done\t3 of 3\t5 of 12"
