"""A question to answer before reading on: first a guess, then what was computed."""

import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import traitlets

from .base import Widget, sources
from .traits import Checked, Number, OneOf, Text, checked_together, sequence


class Prose(Checked):
    """A text for a reader: it holds more than blanks."""

    @staticmethod
    def check(name: str, value: Any) -> str:
        if not Text.check(name, value).strip():
            raise ValueError(f"{name} is {value!r}; it must be a text that says something")
        return value


class Choices(Checked):
    """Answers to choose from, as a list: two texts or more, all different."""

    @staticmethod
    def check(name: str, values: Any) -> list[str]:
        choices = [Text.check(f"one of {name}", choice) for choice in sequence(name, values)]
        if len(choices) < 2 or len(set(choices)) < len(choices):
            raise ValueError(f"{name} must be two or more, all different, not {choices}")
        return choices


class Answer(Checked):
    """One of the choices, or a finite number where there are none."""

    @staticmethod
    def check(name: str, value: Any, choices: list[str] | None) -> str | float:
        return Number.check(name, value) if choices is None else OneOf.check(name, value, choices)


class PredictThenReveal(Widget):
    """Ask for a guess, then show the truth that a cell has computed, and why it is so.

    With `choices` the reader picks one; with `low` and `high` the answer is set with a slider;
    otherwise it is a number to type. The page keeps guesses in the reader's browser.

    All attributes but `guess` and `revealed` are arguments, and stay as they were given. A wrong
    value raises a TypeError or a ValueError that says what is expected.

    Attributes:
        question: plain text, as is the explanation.
        truth: one of the choices, or a number; a tensor or array of one number will do.
        explanation: what the reader sees when the truth is revealed.
        choices: two answers at least, all different; None if the answer is a number.
        unit: of the number, such as "bytes" or "times"; "" if it has none.
        low, high: the ends of the slider; None without one.
        step: how finely the slider moves; a hundredth of its range if None.
        tolerance: how far a guess may be off and still be called close.
        factor: the same for a number of which it matters how many times too large or small a guess
            is; such numbers are positive, and their slider moves along a logarithmic scale.
        guess: what the reader said, one of the choices or a number; None before.
        revealed: whether the truth can be seen, which needs a guess.
    """

    _esm, _css = sources(__file__)

    question = Prose(read_only=True).tag(sync=True)
    explanation = Prose(read_only=True).tag(sync=True)
    choices = Choices(read_only=True, allow_none=True).tag(sync=True)
    truth = Answer(lambda self: self.choices, read_only=True).tag(sync=True)
    unit = Text(read_only=True).tag(sync=True)
    low = Number(read_only=True, allow_none=True).tag(sync=True)
    high = Number(read_only=True, allow_none=True).tag(sync=True)
    step = Number(read_only=True, allow_none=True).tag(sync=True)
    tolerance = Number(0, read_only=True).tag(sync=True)
    factor = Number(read_only=True, allow_none=True).tag(sync=True)
    guess = Answer(lambda self: self.choices, default_value=None, allow_none=True).tag(sync=True)
    revealed = traitlets.Bool(False).tag(sync=True)

    def __init__(
        self,
        question: str,
        truth: float | str,
        explanation: str,
        choices: Sequence[str] | None = None,
        *,
        unit: str = "",
        low: float | None = None,
        high: float | None = None,
        step: float | None = None,
        tolerance: float = 0,
        factor: float | None = None,
    ):
        fixed = dict(question=question, explanation=explanation, choices=choices, truth=truth)
        fixed |= dict(unit=unit, low=low, high=high, step=step, tolerance=tolerance, factor=factor)
        for name, value in fixed.items():
            self.set_trait(name, value)
        if choices is None:
            self._check_number()
        elif (low, high, step, factor, tolerance, unit) != (None, None, None, None, 0, ""):
            raise ValueError("choices need no unit, low, high, step, tolerance or factor")
        super().__init__()

    def describe(self) -> str:
        """The question with its answer, for a reader who cannot guess first."""
        question, answer = self.page_text()
        return f"{question} (Answer: {answer})"

    def page_text(self) -> tuple[str, str]:
        """The question, and the answer, which a page shows to whoever asks for it."""
        return f"Question: {self.question}", f"{self._shown(self.truth)}. {self.explanation}"

    def _shown(self, value: float | str) -> str:
        if isinstance(value, str):
            return value
        unit = f"\N{NO-BREAK SPACE}{self.unit}" if self.unit else ""
        return f"{_readable(value)}{unit}"

    @traitlets.observe("guess")
    def _hide_without_guess(self, change):
        if change.new is None:
            self.revealed = False

    @checked_together("revealed")
    def _guess_first(self, revealed):
        if revealed and self.guess is None:
            raise ValueError("set a guess before you reveal the truth")

    def _check_number(self) -> None:
        """Raise a ValueError unless what was given for a numerical question goes together."""
        truth, low, high, step, factor = self.truth, self.low, self.high, self.step, self.factor
        slider = low is not None
        if slider != (high is not None):
            raise ValueError("a slider needs both low and high")
        if slider and not low < high:
            raise ValueError(f"low must be less than high, but they are {low:g} and {high:g}")
        if slider and not low <= truth <= high:
            raise ValueError(
                f"truth is {truth:g}; it must lie in {low:g} to {high:g} to be guessed"
            )
        if step is not None and not slider:
            raise ValueError("step belongs to a slider: give low and high too")
        if step is not None and not 0 < step <= high - low:
            raise ValueError(f"step must be positive and fit the range, but it is {step:g}")
        if factor is None:
            return
        if factor <= 1:
            raise ValueError(f"factor must be above 1, but it is {factor:g}")
        if self.tolerance:
            raise ValueError("give a tolerance or a factor, not both")
        if step is not None:
            raise ValueError("with a factor the slider has no even steps: leave step out")
        if truth <= 0 or (slider and low <= 0):
            raise ValueError("with a factor, truth and low must be above 0")


def _readable(value: float) -> str:
    """Three digits that count, and whole numbers in full, written as the JavaScript does."""
    if isinstance(value, int) or value.is_integer() or abs(value) >= 100:
        text = f"{value if isinstance(value, int) else math.floor(value + 0.5):,}"
    else:
        text = f"{value:.3g}"
        text = f"{Decimal(text):f}"  # never with an exponent
    return text.replace("-", "\N{MINUS SIGN}")
