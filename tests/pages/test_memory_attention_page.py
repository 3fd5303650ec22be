"""MemoryAttention in a browser: the numbers it shows are those of PyTorch's traces."""

import re

import pytest
from looking import PHONE, assert_readable, state_of
from memory_attention_page import (
    NAMES,
    asks,
    choose,
    expected,
    menu,
    numbers,
    says,
    token,
    traced,
)

from feedback.widgets import MemoryAttention

PAGE = "notebooks/05-shared-keys-values"
WIDGET = ".feedback-widget[data-widget=memory_attention]"
WHOLE = "100.0\N{NO-BREAK SPACE}%"


@pytest.fixture
def widget(begun):
    """The widget of the page: it begins with its first text, layer 2 and all heads."""
    return begun.page.locator(WIDGET)


@pytest.fixture(scope="module")
def python(once):
    """The widget of the page as Python has it."""
    widget = once(PAGE, "http").page.locator(WIDGET)
    return MemoryAttention(texts=state_of(widget)["texts"])


def text_of(widget) -> str:
    return menu(widget, "Text").input_value()


def sentence(python: MemoryAttention, text: str, layer: int, step: int, head=None) -> str:
    python.text, python.layer, python.step, python.head = text, layer, step, head
    return python.sentence


def test_it_starts_with_the_last_step(widget, python):
    text, layer = state_of(widget)["texts"][0], 2
    point = int(traced(text)[0][layer - 1, 0, -1].argmax())  # where the first head looks most
    assert numbers(widget) == expected(traced(text), text, layer, len(text) - 1, point)
    says(widget, sentence(python, text, layer, len(text) - 1))


def test_step_and_layer_follow_mouse_and_keys(look, python):
    widget = look.locator(WIDGET)
    text = text_of(widget)
    choose(widget, "Layer", 1)
    menu(widget, "Layer").press("ArrowDown")
    token(widget, 12).click()
    says(widget, sentence(python, text, 2, 12))
    look.keyboard.press("ArrowRight")
    says(widget, sentence(python, text, 2, 13))
    widget.locator(".column").nth(5).locator(".cell").first.hover()
    assert numbers(widget) == expected(traced(text), text, layer=2, step=13, point=5)
    assert_readable(widget)
    box = widget.locator(".memory-attention").bounding_box()
    for column in widget.locator(".column").all()[::5]:  # in a line that fits
        place = column.bounding_box()
        assert place["x"] >= box["x"]
        assert place["x"] + place["width"] <= box["x"] + box["width"] + 1


def test_the_numbers_are_those_of_the_traces(widget, python):
    for text in reversed(state_of(widget)["texts"]):
        choose(widget, "Text", text)
        for layer, step, point in [(1, 20, 3), (4, len(text) - 2, 17)]:
            choose(widget, "Layer", layer)
            token(widget, step).click()
            widget.locator(".column").nth(point).locator(".cell").first.hover()
            assert numbers(widget) == expected(traced(text), text, layer, step, point)
            says(widget, sentence(python, text, layer, step))


def test_every_cell_shows_its_part_of_the_largest_weight_of_its_row(widget):
    layer, step = 3, 25
    choose(widget, "Layer", layer)
    token(widget, step).click()
    weights = [attention[layer - 1, :, step] for attention in traced(text_of(widget))]
    columns = widget.locator(".column").evaluate_all(
        """columns => columns.map((column) => [...column.querySelectorAll(".cell")].map(
            (cell) => [cell.dataset.read, parseFloat(cell.style.getPropertyValue("--share"))]))"""
    )
    for j, column in enumerate(columns):
        for row, (read, share) in enumerate(column):
            model, head = divmod(row, len(column) // 2)
            part = weights[model][head, j] / weights[model][head].max()
            assert share == pytest.approx(100 * part.item(), abs=0.1)  # weights come in 65,535ths
            # The feedback model is closed to the step that asks.
            is_read = j < step or (j == step and NAMES[model] == "parallel")
            most = j == int(weights[model][head].argmax())
            assert read == ("most" if most else "yes" if is_read else "no")


def test_one_head_alone_has_one_row_and_a_number_in_the_sentence(widget, python):
    choose(widget, "Head", 2)
    token(widget, 12).click()
    cells = widget.locator(".column").first.locator(".cell")
    assert cells.count() == 2
    cells.first.hover()
    text = text_of(widget)
    (row,) = numbers(widget)
    assert row == expected(traced(text), text, layer=2, step=12, point=0)[1]
    says(widget, sentence(python, text, layer=2, step=12, head=2))


def test_at_the_first_step_the_feedback_model_reads_nothing(widget, python):
    choose(widget, "Head", 1)
    token(widget, 0).click()
    widget.locator(".cell").first.hover()
    cells = widget.locator("tbody td").all_text_contents()
    assert cells == ["nothing", "not read", f"0 “T” {WHOLE}", WHOLE]
    says(widget, sentence(python, text_of(widget), layer=2, step=0, head=1))


def test_keys_alone_are_enough(widget):
    """Tab from control to control, arrow keys for the step that asks and the one that is read."""
    page, text = widget.page, text_of(widget)
    menu(widget, "Layer").focus()
    page.keyboard.press("ArrowDown")  # layer 3
    for _ in range(3):  # the heads, Play, the slider
        page.keyboard.press("Tab")
    page.keyboard.press("Home")
    for _ in range(6):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Tab")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    assert numbers(widget) == expected(traced(text), text, layer=3, step=6, point=1)


def test_after_a_click_arrow_keys_go_on_from_there(widget):
    token(widget, 9).click()
    widget.page.keyboard.press("ArrowRight")
    assert asks(widget).input_value() == "10"
    assert asks(widget).evaluate("(input) => input.ariaValueText") == "step 10, “s”"


def test_play_goes_step_by_step(widget):
    asks(widget).press("Home")
    widget.get_by_role("button", name="Play").click()
    widget.page.wait_for_function(
        "(input) => Number(input.value) >= 2", arg=asks(widget).element_handle()
    )
    widget.get_by_role("button", name="Pause").click()
    assert widget.get_by_role("button", name="Play").is_visible()


def test_another_head_is_chosen_while_it_plays(widget):
    asks(widget).press("Home")
    widget.get_by_role("button", name="Play").click()
    choose(widget, "Head", 1)
    step = int(asks(widget).input_value())
    widget.page.wait_for_function(
        "([input, step]) => Number(input.value) > step",
        arg=[asks(widget).element_handle(), step],
    )
    widget.get_by_role("button", name="Pause").click()


def test_a_shorter_text_is_asked_from_its_own_last_step(widget, python):
    long, short = sorted(python.texts, key=len, reverse=True)[:2]
    choose(widget, "Text", long)
    token(widget, len(long) - 1).click()
    choose(widget, "Text", short)
    says(widget, sentence(python, short, layer=2, step=len(short) - 1))


def test_the_lines_follow_the_width(widget):
    def lines():
        return widget.locator(".line").count()

    before, columns = lines(), widget.locator(".column").count()
    widget.page.set_viewport_size(PHONE)
    widget.page.wait_for_function(
        "([lines, selector]) => document.querySelectorAll(`${selector} .line`).length > lines",
        arg=[before, WIDGET],
    )
    assert widget.locator(".column").count() == columns
    text = "".join(widget.locator(".token").all_text_contents())
    assert text.replace("␣", " ") == state_of(widget)["texts"][0]


def test_without_javascript_the_text_says_what_it_shows(open_page):
    with open_page(PAGE, java_script_enabled=False) as visit:
        text = visit.page.locator(f"{WIDGET} p")
        assert text.is_visible()
        assert re.fullmatch(
            r"Attention over “.+”\. At step \d+ .+, layer 2, heads 1 to 4 look most at steps .+\.",
            text.text_content(),
        )
