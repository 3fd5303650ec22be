"""The guesses of a class at the book's questions, side by side."""

from collections.abc import Sequence

import traitlets

from .base import Widget, sources
from .predict_then_reveal import PredictThenReveal
from .traits import Text, of_type, sequence

FIELDS = "question explanation choices truth unit low high step tolerance factor".split()


class ClassGuesses(Widget):
    """A field into which the codes of a class are pasted, and what they hold.

    A reader's code comes from the button "Copy my guesses" below each question. It holds questions
    and answers and no name. Each question that anybody answered is shown with all guesses at it,
    beside what was computed. A line that holds no code is named, and stays in the field.

    Attributes:
        questions: what the questions that count hold, as plain values; in the built book none,
            which stands for those of all its pages.
        codes: the text of the field, one code a line.

    Arguments:
        questions: the questions themselves.
        codes: a text to begin with.

    Raises:
        TypeError: one of the questions is no PredictThenReveal, or `codes` is no text.
    """

    _esm, _css = sources(__file__)

    questions = traitlets.List(read_only=True).tag(sync=True)
    codes = Text(default_value="").tag(sync=True)

    def __init__(self, questions: Sequence[PredictThenReveal] = (), codes: str = ""):
        asked = [
            of_type("one of questions", one, PredictThenReveal)
            for one in sequence("questions", questions)
        ]
        self.set_trait("questions", [{f: getattr(one, f) for f in FIELDS} for one in asked])
        self.codes = codes
        super().__init__()

    def describe(self) -> str:
        """What it is for, and how many lines it holds."""
        lines = sum(bool(line.strip()) for line in self.codes.splitlines())
        held = {0: "no code yet", 1: "1 line"}.get(lines, f"{lines} lines")
        return (
            "The guesses of a class at each question, beside what was computed. Paste the codes "
            f"that \N{LEFT DOUBLE QUOTATION MARK}Copy my guesses\N{RIGHT DOUBLE QUOTATION MARK} "
            f"gives below each question, one a line. It holds {held}."
        )
