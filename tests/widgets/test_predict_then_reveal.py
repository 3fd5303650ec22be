"""What a question accepts and says. tests/pages/test_questions.py opens one in a browser."""

import json

import anywidget
import numpy as np
import pytest
import torch
import traitlets

from feedback.widgets import PredictThenReveal

NUMBER = dict(question="How many?", truth=12, explanation="Count them.")
CHOICE = dict(NUMBER, truth="left", choices=["left", "right"])


@pytest.mark.parametrize("truth", [np.float32(2.5), torch.tensor([2.5]), np.array([[2.5]]), 2.5])
def test_a_truth_may_come_from_any_computation(truth):
    widget = PredictThenReveal("How many?", truth, "Count them.")
    assert widget.truth == 2.5 and type(widget.truth) is float


@pytest.mark.parametrize(
    ("truth", "more", "text"),
    [
        (2048, {"unit": "bytes"}, "Answer: 2,048\N{NO-BREAK SPACE}bytes."),
        (9.2712, {"unit": "times", "factor": 2}, "Answer: 9.27\N{NO-BREAK SPACE}times."),
        (1234.5, {}, "Answer: 1,235."),
        (10**28, {}, f"Answer: {10**28:,}."),
        (1e30, {}, f"Answer: {int(1e30):,}."),
        (-0.00012345, {}, "Answer: \N{MINUS SIGN}0.000123."),
        ("a", {"choices": ["a", "b"]}, "Answer: a."),
    ],
)
def test_its_text_gives_question_answer_and_explanation(truth, more, text):
    words = PredictThenReveal("How many?", truth, "Count them.", **more).describe()
    assert words == f"Question: How many? ({text} Count them.)"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (NUMBER | {"question": " "}, "question is ' '; it must be a text that says something"),
        (NUMBER | {"explanation": None}, "explanation is None; it must be a text"),
        (NUMBER | {"truth": "12"}, "truth is '12'; it must be a finite number"),
        (NUMBER | {"truth": float("nan")}, "truth is nan; it must be a finite number"),
        (
            NUMBER | {"truth": torch.ones(2)},
            r"truth is tensor\(\[1., 1.\]\); it must be a finite number",
        ),
        (NUMBER | {"low": 0}, "a slider needs both low and high"),
        (NUMBER | {"step": 1}, "step belongs to a slider"),
        (NUMBER | {"low": 5, "high": 5}, "low must be less than high"),
        (NUMBER | {"low": 0, "high": 10}, "truth is 12; it must lie in 0 to 10"),
        (NUMBER | {"low": 0, "high": 20, "step": 0}, "step must be positive"),
        (NUMBER | {"tolerance": -1}, "tolerance is -1; it must be a finite number of at least 0"),
        (NUMBER | {"tolerance": 1, "factor": 2}, "a tolerance or a factor, not both"),
        (NUMBER | {"factor": 1}, "factor must be above 1"),
        (NUMBER | {"factor": 2, "truth": 0}, "truth and low must be above 0"),
        (NUMBER | {"factor": 2, "low": 0, "high": 20}, "truth and low must be above 0"),
        (NUMBER | {"factor": 2, "low": 1, "high": 20, "step": 1}, "leave step out"),
        (CHOICE | {"truth": "up"}, "truth is 'up'; choose one of 'left', 'right'"),
        (CHOICE | {"choices": ["left"]}, "two or more, all different"),
        (CHOICE | {"choices": ["left", "left"]}, "two or more, all different"),
        (CHOICE | {"choices": "left"}, "choices is 'left'; it must be a sequence"),
        (CHOICE | {"choices": 5}, "choices is 5; it must be a sequence"),
        (CHOICE | {"choices": [1, 2]}, "one of choices is 1; it must be a text"),
        (CHOICE | {"unit": "m"}, "choices need no unit"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        PredictThenReveal(**arguments)


def test_the_truth_is_revealed_only_to_those_who_guessed():
    widget = PredictThenReveal(**NUMBER)
    with pytest.raises(ValueError, match="set a guess before"):
        widget.revealed = True
    widget.guess = 7
    widget.revealed = True
    widget.guess = None
    assert not widget.revealed


def test_a_guess_is_a_number_or_one_of_the_choices():
    for arguments, wrong in ((NUMBER, "left"), (CHOICE, "up"), (CHOICE, 1)):
        with pytest.raises((TypeError, ValueError), match="guess"):
            PredictThenReveal(**arguments).guess = wrong


def test_a_guess_and_the_wish_to_see_may_come_in_one_message_in_either_order():
    for message in ({"guess": 7, "revealed": True}, {"revealed": True, "guess": 7}):
        widget = PredictThenReveal(**NUMBER)
        widget.set_state(message)
        assert (widget.guess, widget.revealed) == (7, True)
    widget = PredictThenReveal(**NUMBER)
    with pytest.raises(ValueError, match="set a guess before"):
        widget.set_state({"revealed": True})
    assert not widget.revealed


def test_what_a_question_was_made_of_stays():
    widget = PredictThenReveal(**CHOICE)
    for name in ("question", "truth", "explanation", "choices", "tolerance"):
        with pytest.raises(traitlets.TraitError, match="read-only"):
            setattr(widget, name, "right")
    assert widget.truth == "left"


def test_beside_a_kernel_guess_and_answer_are_synced():
    widget = PredictThenReveal(**NUMBER, unit="eggs", tolerance=2)
    assert isinstance(widget, anywidget.AnyWidget)
    widget.set_state({"guess": 11, "revealed": True})  # as the page sends it
    assert (widget.guess, widget.revealed) == (11, True)
    widget.set_state({"revealed": False, "guess": None})
    assert (widget.guess, widget.revealed) == (None, False)
    assert json.loads(json.dumps(widget.get_state(["truth", "unit", "tolerance"]))) == {
        "truth": 12,
        "unit": "eggs",
        "tolerance": 2,
    }
