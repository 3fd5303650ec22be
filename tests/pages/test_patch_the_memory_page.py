"""Memory vectors moved from one run to another by mouse, by finger and by keys, and long runs."""

import re

import pytest
import torch
from live_model_page import numbers
from looking import PATIENCE, PHONE, assert_readable
from test_touch import Hand, scrolled
from test_touch import line as path
from test_touch import place as middle

from feedback.pretrained import trackers
from feedback.tasks import TASKS
from feedback.widgets import PatchTheMemory

PAGE = "notebooks/10-inside-the-memory"
WIDGET = ".feedback-widget[data-widget=patch_the_memory]"
NOTHING = "Nothing is put in."


@pytest.fixture(scope="module")
def twin() -> PatchTheMemory:
    return PatchTheMemory()


@pytest.fixture
def widget(begun):
    widget = begun.page.locator(WIDGET)
    widget.scroll_into_view_if_needed()
    return widget


def vector(widget, step: int):
    return widget.get_by_role("button", name=f"m{step} of the donor", exact=True)


def place(widget, step: int):
    return widget.locator(".line").nth(2).locator("button").nth(step - 1)


def choose(widget, label: str, value: str):
    menu = widget.locator("label.control", has_text=re.compile(f"^{label}"))
    menu.locator("select").select_option(value)


def sentence(widget) -> str:
    return widget.locator(".sentence > :first-child").first.text_content()


def assert_shows(widget, twin: PatchTheMemory, put: list, part: str = "all", model=None):
    """The sentence and each answer with its probability are Python's."""
    names = [each["name"] for each in twin.models]
    twin.set_state({"model": model or names[0], "put": put, "part": part})
    assert sentence(widget) == twin.describe()
    for line, shares in zip((3, 4), twin.answers(), strict=True):
        steps = widget.locator(".line").nth(line).locator(".step")
        shown = [float(text) for text in steps.locator(".number").all_text_contents()]
        assert shown == pytest.approx((100 * shares.amax(-1)).tolist(), abs=0.51)


def drag(page, start, end):
    boxes = [each.bounding_box() for each in (start, end)]
    (x, y), (to_x, to_y) = [
        (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2) for box in boxes
    ]
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 4, y + 9)
    page.mouse.move(to_x, to_y, steps=4)
    page.mouse.up()


def test_a_vector_is_dragged_down_wherever_the_page_is_opened_from(look, twin):
    widget = look.locator(WIDGET)
    widget.locator(".rows").scroll_into_view_if_needed()
    assert sentence(widget).startswith(NOTHING)
    drag(look, vector(widget, 6), place(widget, 6))
    assert_shows(widget, twin, [[6, 6]])
    assert widget.locator(".ghost").count() == 0
    assert place(widget, 6).get_attribute("data-from") == "donor"
    assert widget.locator(".step[data-goes=donor]").count() == 6
    assert_readable(widget)


def test_a_vector_dropped_elsewhere_changes_nothing(widget, twin):
    drag(widget.page, vector(widget, 6), widget.locator(".heading").first)
    assert_shows(widget, twin, [])
    assert widget.locator("button[aria-pressed=true]").count() == 0


def test_by_keyboard_alone_vectors_are_moved_and_taken_out(widget, twin):
    choose(widget, "move", "2")
    press = widget.page.keyboard.press
    vector(widget, 6).focus()
    for key in ("ArrowLeft", "Enter", "ArrowDown", "ArrowRight"):
        press(key)
    assert place(widget, 6).evaluate("(button) => button === document.activeElement")
    assert place(widget, 5).get_attribute("data-target") is not None
    press("Enter")
    assert_shows(widget, twin, [[4, 5], [5, 6]])
    press("Enter")  # nothing is picked up: this one is taken out
    assert_shows(widget, twin, [[4, 5]])
    for key in ("ArrowUp", "Enter", "ArrowDown", "Escape"):
        press(key)
    assert vector(widget, 6).evaluate("(button) => button === document.activeElement")
    assert_shows(widget, twin, [[4, 5]])
    widget.get_by_role("button", name="Take all out").press("Enter")
    assert_shows(widget, twin, [])


@pytest.mark.parametrize("part", ["keys", "values", "share 0", "share 1", "share 2"])
def test_parts_of_a_vector_and_the_other_model_give_pythons_numbers(widget, twin, part):
    choose(widget, "of each", part)
    vector(widget, 6).click()
    place(widget, 6).click()
    assert_shows(widget, twin, [[6, 6]], part)
    choose(widget, "model", "whole memory")
    assert_shows(widget, twin, [[6, 6]], part, "whole memory")


def test_a_finger_drags_a_vector_or_taps_it_and_other_rows_begin_anew(turn_to, twin):
    settings = dict(viewport=PHONE, has_touch=True, is_mobile=True)
    with turn_to(PAGE, **settings) as visit:
        widget = visit.page.locator(WIDGET)
        start = middle(vector(widget, 6), at=0.5)
        box = place(widget, 5).bounding_box()
        down = box["y"] + box["height"] / 2 - start[1]
        top = scrolled(visit.page)
        Hand(visit.page).move(path(start, box["x"] + box["width"] / 2 - start[0], down))
        assert scrolled(visit.page) == top
        assert_shows(widget, twin, [[6, 5]])
        tap(vector(widget, 6), lambda: vector(widget, 6).get_attribute("aria-pressed") == "true")
        tap(place(widget, 6), lambda: "m5, m6" in sentence(widget))
        assert_shows(widget, twin, [[6, 5], [6, 6]])
        other = widget.get_by_role("button", name="Other rows")
        tap(other, lambda: sentence(widget).startswith(NOTHING))


def tap(button, is_done):
    """Once, and again where the browser, on a busy page, took the tap for a long press."""
    for _ in range(10):
        button.tap()
        if is_done():
            return
    raise AssertionError(f"{button} does nothing when it is tapped")


WRONG = re.compile(r"^([\d,]+) wrong$")


def counted(widget) -> list[int]:
    texts = widget.locator(".count").all_text_contents()
    return [int(WRONG.match(text)[1].replace(",", "")) for text in texts]


def test_models_run_on_until_they_are_paused_and_wrong_answers_are_pythons(widget):
    page, run = widget.page, widget.locator(".run")
    run.get_by_role("button", name="Run on").click()
    said = run.locator(".sentence > :first-child")
    some = run.locator(".sentence > :first-child", has_text=re.compile(r"After (\d{3}|\d,)"))
    some.wait_for(timeout=1000 * PATIENCE)
    run.get_by_role("button", name="Pause").click()
    read = int(re.search(r"After ([\d,]+)", said.text_content())[1].replace(",", ""))
    random = numbers(0)
    tokens = torch.tensor([[int(6 * next(random)) for _ in range(read)]])
    state, labels = 0, []
    for token in tokens[0].tolist():
        labels.append(state := int(TASKS["s3"].product[state, token]))
    with torch.no_grad():
        answers = trackers.load("s3", 4, 0)(tokens)[0].argmax(-1)
    assert counted(widget)[0] == int((answers != torch.tensor(labels)).sum())
    resting = said.text_content()
    page.wait_for_timeout(200)
    assert said.text_content() == resting
