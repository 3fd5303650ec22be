"""Questions in the built book: guessed with mouse and keyboard, and compared with the truth."""

import math

import pytest
from looking import assert_readable, drag, state_of
from questions import (
    ATTENTION,
    MEMORY,
    QUESTION,
    is_answered,
    question,
    reveal,
    type_number,
    wait_for_sentence,
)

from feedback.widgets import PredictThenReveal


@pytest.fixture
def memory(once):
    visit = once(MEMORY, "http")
    visit.begin_again()
    return visit.page


def python_of(place) -> PredictThenReveal:
    state = state_of(place)
    return PredictThenReveal(**{k: v for k, v in state.items() if k not in ("guess", "revealed")})


def test_the_truth_is_nowhere_to_be_seen_before_a_guess(attention, memory):
    for page in (attention, memory):
        for place in page.locator(QUESTION).all():
            state = state_of(place)
            reveal(place)  # without a guess
            wait_for_sentence(place, " first.")
            assert state["question"] in place.inner_text()
            assert state["explanation"] not in place.inner_text()
            assert place.locator(".truth, .right").count() == 0
            assert not is_answered(place)


def test_a_typed_guess_is_compared_with_what_python_computed(attention):
    place = question(attention, 1)
    assert state_of(place)["truth"] == 3
    place.get_by_label("Your guess").fill("5")
    place.get_by_label("Your guess").press("Enter")
    wait_for_sentence(place, "Computed: 3. Your guess is 2 too high.")
    assert place.locator(".guess .number").text_content() == "5"
    shown = place.locator(".truth .number").text_content()
    assert f"(Answer: {shown}. " in python_of(place).describe()
    assert state_of(place)["explanation"] in place.inner_text()
    assert place.get_by_label("Your guess").count() == 0, "a guess cannot change behind the answer"


def test_a_right_guess_is_called_right(attention):
    place = question(attention, 1)
    type_number(place, 3)
    wait_for_sentence(place, "Right: 3.")


def test_a_slider_counts_as_a_guess_once_it_was_moved(attention):
    place = question(attention, 0)
    slider, truth = place.get_by_role("slider"), state_of(place)["truth"]
    reveal(place)
    wait_for_sentence(place, "Move the slider first.")
    for _ in range(5):
        slider.press("ArrowRight")
    assert slider.get_attribute("aria-valuetext") == "0.55"
    reveal(place)
    assert place.locator(".guess .number").text_content() == "0.55"
    wait_for_sentence(place, f"Your guess is {0.55 - truth:.3g} too high.")
    place.get_by_role("button", name="Guess again").click()
    drag(place, 0, to=truth)
    reveal(place)
    assert float(place.locator(".guess .number").text_content()) == pytest.approx(truth, abs=0.03)
    wait_for_sentence(place, "guess is" if not is_exact(place) else "Right")


def is_exact(place) -> bool:
    numbers = place.locator(".guess .number"), place.locator(".truth .number")
    return len({number.text_content() for number in numbers}) == 1


def test_a_logarithmic_slider_says_by_which_factor_a_guess_is_off(memory):
    place = question(memory, 1)
    state = state_of(place)
    place.get_by_role("slider").press("End")
    reveal(place)
    assert (
        place.locator(".guess .number").text_content() == f"{state['high']}\N{NO-BREAK SPACE}times"
    )
    ratio = state["high"] / state["truth"]
    within = "Within" if ratio <= state["factor"] else "Not within"
    times = f"{ratio:.0f}" if ratio >= 100 else f"{ratio:.3g}"
    wait_for_sentence(
        place, f"{within} a factor of 2: your guess is too large by a factor of {times}."
    )
    guess, truth = (
        place.locator(f".{kind} .bar span").bounding_box()["width"] for kind in ("guess", "truth")
    )
    share = math.log(state["truth"] / state["low"]) / math.log(state["high"] / state["low"])
    assert truth / guess == pytest.approx(share, abs=0.02)


def test_a_choice_is_marked_and_so_is_the_answer(memory):
    place = question(memory, 0)
    state = state_of(place)
    wrong = next(choice for choice in state["choices"] if choice != state["truth"])
    place.get_by_role("radio", name=wrong).press("Space")
    reveal(place)
    wait_for_sentence(place, f"No: the answer is \N{LEFT DOUBLE QUOTATION MARK}{state['truth']}")
    assert place.locator("li", has_text="your guess").inner_text().startswith(wrong)
    assert place.locator("li", has_text="the answer").inner_text().startswith(state["truth"])
    place.get_by_role("button", name="Guess again").click()
    place.get_by_role("radio", name=state["truth"]).check()
    reveal(place)
    wait_for_sentence(place, "Right.")


def test_the_focus_follows_the_reader(attention):
    place = question(attention, 1)
    type_number(place, 4)
    focused = "document.activeElement.textContent"
    assert attention.evaluate(focused) == "Guess again"
    attention.keyboard.press("Enter")
    assert attention.evaluate("document.activeElement.type") == "number"


@pytest.mark.parametrize("guess", ["1e308", "-1e16", "1e-300"])
def test_a_number_too_long_for_the_page_is_refused(attention, guess):
    place = question(attention, 1)
    type_number(place, guess)
    wait_for_sentence(place, "Type ")
    assert not is_answered(place)


@pytest.fixture(scope="module", params=[ATTENTION, MEMORY])
def name_of_page(request) -> str:
    return request.param


def guess_too_high(place, python: PredictThenReveal):
    """With the mouse; where there are choices, a wrong one."""
    if python.choices:
        wrong = next(choice for choice in python.choices if choice != python.truth)
        place.get_by_role("radio", name=wrong).click()
    elif python.high is None:
        place.get_by_label("Your guess").fill(str(python.truth + 2))
    else:
        drag(place, 0, to=0.9)
    reveal(place)


def guess_with_keys(place, python: PredictThenReveal):
    """The right answer, or with a slider the highest number, from where the focus is."""
    press = place.page.keyboard.press
    if python.choices:
        press("Space")
        for _ in range(python.choices.index(python.truth)):
            press("ArrowDown")
    elif python.high is None:
        place.page.keyboard.type(str(python.truth))
    else:
        press("End")
    press("Tab")
    press("Enter")


def assert_answered(place, python: PredictThenReveal, right: bool):
    answer = python.describe().partition("(Answer: ")[2].partition(". ")[0]
    if python.choices:
        verdict = "Right." if right else f"No: the answer is \N{LEFT DOUBLE QUOTATION MARK}{answer}"
    else:
        assert place.locator(".truth .number").text_content() == answer
        verdict = f"Right: {answer}." if right else f"Computed: {answer}."
    wait_for_sentence(place, verdict)
    if not (right or python.choices):
        wait_for_sentence(place, "too large by a factor of" if python.factor else "too high.")
    assert python.explanation in place.inner_text()


def test_a_guess_is_made_with_the_mouse_and_with_keys(look):
    for place in look.locator(QUESTION).all():
        python, again = python_of(place), place.get_by_role("button", name="Guess again")
        guess_too_high(place, python)
        assert_answered(place, python, right=False)
        again.press("Enter")
        guess_with_keys(place, python)
        assert_answered(place, python, right=python.high is None)
        assert_readable(place)
        tally_box, box = (
            place.locator(part).bounding_box() for part in (".tally", ".predict-then-reveal")
        )
        assert tally_box["y"] + tally_box["height"] <= box["y"] + box["height"]
        assert place.locator(".tally span").bounding_box()["height"] >= 12
        again.click()


def test_on_paper_an_open_question_has_its_answer(attention):
    attention.emulate_media(media="print")
    place = question(attention, 1)
    text = place.locator(".printed")
    assert text.is_visible() and python_of(place).describe().endswith(text.text_content())
    assert not place.get_by_role("button", name="Reveal").is_visible()


def test_without_javascript_question_and_answer_can_be_read(open_page):
    with open_page(ATTENTION, java_script_enabled=False) as visit:
        place = question(visit.page, 1)
        assert place.locator("p").text_content().startswith("Question: ")
        place.locator("summary").click()
        assert "\n3. " in place.inner_text()


def test_on_paper_the_answer_is_there_without_javascript_too(open_page):
    with open_page(ATTENTION, java_script_enabled=False) as visit:
        visit.page.emulate_media(media="print")
        assert "\n3. " in question(visit.page, 1).inner_text()


def test_a_question_that_cannot_start_is_told_with_its_answer(open_page):
    script = "_static/widgets/predict_then_reveal.js"
    with open_page(ATTENTION, instead={script: ""}) as visit:
        place = question(visit.page, 1)
        assert "did not load" in place.locator(".feedback-widget-error").text_content()
        place.locator("summary").click()
        assert "\n3. " in place.inner_text()
