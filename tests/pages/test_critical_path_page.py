"""CriticalPath in the built book: the grids fill as Python says, and the path is Python's."""

import pytest
from looking import PROJECTOR, assert_readable, beside_kernel, drag, state_of

from feedback.widgets import CriticalPath
from feedback.widgets.base import script
from feedback.widgets.critical_path import MODELS, depth, done_at, longest_path, sequential_steps

PAGE = "notebooks/03-what-parallel-struggles-with"
WIDGET = ".feedback-widget[data-widget=critical_path]"


@pytest.fixture
def widget(begun):
    return begun.page.locator(WIDGET).first


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
    widget.locator("[aria-live=polite]", has_text=expected.describe()).wait_for()


def widget_now(widget, **changes) -> CriticalPath:
    return CriticalPath(**{**state_of(widget), **changes})


def time_of(widget) -> int:
    return int(widget.locator("input[type=range]").input_value())


def test_it_begins_where_python_says(widget):
    assert_shows(widget, widget_now(widget))


def test_time_and_path_follow_mouse_and_keys(look):
    widget = look.locator(WIDGET).first
    drag(widget, index=0, to=0.3)
    earlier = time_of(widget)
    drag(widget, index=0, to=0.7)
    time = time_of(widget)
    assert time > earlier
    widget.locator("input[type=range]").press("ArrowRight")
    panel = widget.locator(".panel[data-model=feedback]")
    for start, end in ((1, 6), (2, 7)):
        panel.locator(f"[data-token='{start}'][data-layer='0']").click()
        panel.locator(f"[data-token='{end}'][data-layer='2']").click()
        assert_shows(widget, widget_now(widget, time=time + 1, start=start, end=end))
    assert_readable(widget)
    grids = [grid.bounding_box() for grid in widget.locator("svg").all()]
    side_by_side = grids[0]["y"] == grids[1]["y"]
    assert side_by_side is (look.viewport_size == PROJECTOR)
    assert all(grid["x"] + grid["width"] <= look.viewport_size["width"] for grid in grids)


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


def test_while_time_plays_the_sentence_is_seen_at_once_and_spoken_later(widget):
    widget.page.evaluate("window.unhurried = true")
    widget.locator("input[type=range]").press("Home")
    widget.get_by_role("button", name="Play").click()
    widget.get_by_label("to output").select_option("2")
    seen, spoken = widget.locator(".sentence span").all_text_contents()
    assert "output 2" in seen and "output 2" not in spoken
    widget.get_by_role("button", name="Pause").click()
    assert_shows(widget, widget_now(widget, end=2, time=time_of(widget)))


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
