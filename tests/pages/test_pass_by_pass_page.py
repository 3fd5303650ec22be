"""PassByPass in the built book: the page's own passes find what Python's find."""

import re
from functools import cache

import pytest
from looking import PHONE, beside_kernel, scrolls_sideways, state_of

from feedback.tasks import TASKS
from feedback.widgets import PassByPass
from feedback.widgets.base import script

PAGE = "notebooks/12-in-parallel-after-all"
WIDGET = ".feedback-widget[data-widget=pass_by_pass]"
SETTINGS = ("text", "shuffles", "passes", "tolerance", "memory_size")
STATES = ("exact", "settled", "moving")


@pytest.fixture
def widget(begun):
    return begun.page.locator(WIDGET).first


@cache
def shipped() -> PassByPass:
    return PassByPass()


def expected(widget, **changes) -> PassByPass:
    """The widget in Python with the settings of the page, and others."""
    settings = {name: value for name, value in state_of(widget).items() if name in SETTINGS}
    for name, value in {**settings, **changes}.items():
        setattr(shipped(), name, value)
    return shipped()


def row(widget, name: str):
    return widget.get_by_role("group", name=name, exact=True)


def states_of(widget, name: str) -> list[str]:
    chips = row(widget, name).locator(".chip")
    return chips.evaluate_all("chips => chips.map((chip) => chip.dataset.state)")


def answers_of(widget, name: str) -> list[str]:
    return row(widget, name).locator(".chip .answer").all_text_contents()


def assert_shows(widget, python: PassByPass):
    """The tokens, the counts and the sentence are those of the Python widget."""
    widget.locator("[aria-live=polite]", has_text=python.describe()).wait_for()
    parts = re.findall(r"(\d+) exact for certain, (\d+) settled, (\d+) still", python.describe())
    for name, counts in zip(("Text", "Cups"), parts, strict=True):
        states = states_of(widget, name)
        assert [states.count(state) for state in STATES] == list(map(int, counts))
        assert states[: python.passes] == ["exact"] * min(python.passes, len(states))
        assert row(widget, name).locator(".counts data").all_text_contents() == list(counts)
    words = TASKS["s3"].words
    course = python.cups_course()
    assert answers_of(widget, "Cups") == [words[token] for token in course.answers[-1]]
    wrong = (course.answers[-1] != course.exact).sum()
    assert row(widget, "Cups").locator(".chip[data-wrong]").count() == wrong
    # One shade a power of ten; a row of the map is a pass.
    assert row(widget, "Cups").locator(".shade").count() == 4


def passes(widget):
    return widget.get_by_label("passes", exact=True)


def menu(widget, name: str):
    return widget.get_by_role("combobox", name=name)


def test_the_number_of_passes_follows_keys_whatever_the_screen(look):
    widget = look.locator(WIDGET).first
    assert_shows(widget, expected(widget))
    for key, count in (("End", 32), ("ArrowLeft", 31)):
        passes(widget).press(key)
        assert_shows(widget, expected(widget, passes=count))
    assert not scrolls_sideways(look)
    maps = [one.bounding_box() for one in widget.locator(".map svg").all()]
    side_by_side = abs(maps[0]["y"] - maps[1]["y"]) < 2
    assert side_by_side is (look.viewport_size != PHONE)
    assert all(one["x"] + one["width"] <= look.viewport_size["width"] for one in maps)


def test_passes_play_and_stop(widget):
    passes(widget).press("Home")
    play = widget.get_by_role("button", name="Play")
    play.click()
    widget.page.wait_for_function(
        "(slider) => slider.value >= 3", arg=passes(widget).element_handle()
    )
    widget.get_by_role("button", name="Pause").click()
    assert play.is_visible()
    assert_shows(widget, expected(widget, passes=int(passes(widget).input_value())))


def test_menus_choose_the_text_the_memory_and_what_counts_as_settled(widget):
    passes(widget).press("Home")
    now = {"passes": 1}
    for name, value, setting in [
        ("text", "1", {"text": 1}),
        ("memory", "4", {"memory_size": 4}),
        ("settled: moved by at most", "0.1", {"tolerance": 0.1}),
        ("memory", "", {"memory_size": None}),
    ]:
        menu(widget, name).select_option(value)
        now |= setting
        assert_shows(widget, expected(widget, **now))


def test_shuffles_are_drawn_and_typed_and_refused_if_there_are_none_such(widget):
    field = widget.get_by_label("shuffles", exact=True)
    before = field.input_value()
    widget.get_by_role("button", name="Other shuffles").click()
    drawn = field.input_value()
    assert drawn != before and len(drawn.split()) == 32
    assert_shows(widget, expected(widget, shuffles=drawn))
    field.fill("120  021 102 ")
    assert_shows(widget, expected(widget, shuffles="120 021 102"))
    for typed, why in [("120 013", "No shuffle is called “013”"), ("120", "and here are 1")]:
        field.fill(typed)
        assert why in widget.get_by_role("alert").inner_text()
        assert field.get_attribute("aria-invalid") == "true"
        assert len(answers_of(widget, "Cups")) == 3
    field.fill("012 210")
    assert widget.locator(".refusal").text_content() == ""
    assert_shows(widget, expected(widget, shuffles="012 210"))


def test_how_a_token_stands_is_told_by_more_than_colour(widget):
    for key in ["Home"] + 7 * ["ArrowRight"]:
        passes(widget).press(key)
    assert set(states_of(widget, "Text")) == set(STATES)
    look = """(token) => {
        const { borderStyle, fontWeight } = getComputedStyle(token);
        return [borderStyle, Number(fontWeight) > 500];
    }"""
    looks = [
        widget.locator(f".chip[data-state={state}] .token").first.evaluate(look) for state in STATES
    ]
    assert looks == [["solid", True], ["solid", False], ["dashed", False]]
    struck = widget.locator(".chip[data-wrong] .answer").first
    assert "line-through" in struck.evaluate("(one) => getComputedStyle(one).textDecorationLine")


def test_without_javascript_words_stand_in_its_place(open_page):
    with open_page(PAGE, java_script_enabled=False) as visit:
        widget = visit.page.locator(WIDGET).first
        assert widget.locator("p").first.is_visible()
        assert widget.locator("p").first.text_content() == expected(widget).describe()


def test_beside_a_kernel_values_go_both_ways(browser):
    python = PassByPass("To be, or not", passes=2)
    names = (*SETTINGS, "courses", "cups", "weights")
    with browser.new_page() as page:
        state = {name: getattr(python, name) for name in names}
        beside_kernel(page, script("pass_by_pass"), state)
        page.get_by_role("combobox", name="memory").select_option("4")
        assert page.evaluate("saved.memory_size") == 4
        page.evaluate("fromPython('passes', 5)")
        python.memory_size, python.passes = 4, 5
        page.locator("[aria-live=polite]", has_text=python.describe()).wait_for()
