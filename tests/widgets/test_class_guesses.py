"""What the widget for a class takes and says. tests/pages/test_class_guesses_page.py opens one."""

import json

import pytest

from feedback.widgets import ClassGuesses, PredictThenReveal, base

QUESTION = PredictThenReveal("How many?", 12, "Count them.", unit="bytes", factor=2)


def test_it_holds_what_its_questions_ask_and_what_was_computed():
    (asked,) = ClassGuesses([QUESTION]).questions
    assert asked["question"] == "How many?" and asked["truth"] == 12 and asked["unit"] == "bytes"
    own = {name for name in QUESTION.trait_names(sync=True) if not name.startswith("_")}
    widget_traits = base.Widget.class_trait_names()
    assert {*asked} == own - {*widget_traits} - {"guess", "revealed"}
    json.dumps(asked, allow_nan=False)


def test_a_text_to_begin_with_is_kept_and_its_lines_are_counted():
    assert "It holds no code yet." in ClassGuesses().describe()
    widget = ClassGuesses([QUESTION], codes="a\n\n b \n")
    assert widget.codes == "a\n\n b \n" and "It holds 2 lines." in widget.describe()
    assert "1 line." in ClassGuesses(codes="a").describe()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (dict(questions=["How many?"]), "one of questions is of type str; it must be a feedback"),
        (dict(questions=3), "questions is 3; it must be a sequence"),
        (dict(codes=None), "codes is None; it must be a text"),
    ],
)
def test_what_is_no_question_and_no_text_is_refused(given, message):
    with pytest.raises(TypeError, match=message):
        ClassGuesses(**given)
