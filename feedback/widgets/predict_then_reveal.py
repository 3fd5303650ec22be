"""A question to answer before reading on: first a guess, then what was computed."""

import math
from collections.abc import Sequence
from decimal import Decimal
from numbers import Real

import traitlets

from .base import Widget, as_list, sources


class PredictThenReveal(Widget):
    """Ask for a guess, then show the truth that a cell has computed, and why it is so.

    With `choices` the reader picks one; with `low` and `high` the answer is set with a slider;
    otherwise it is a number to type. The page keeps guesses in the reader's browser.

    Arguments:
        question: plain text, as is the explanation.
        truth: one of the choices, or a number; a tensor or array of one number will do.
        explanation: what the reader sees when the truth is revealed.
        choices: two answers at least, all different.
        unit: of the number, such as "bytes" or "times".
        low, high, step: the range of a slider, and how finely it moves; a hundredth if None.
        tolerance: how far a guess may be off and still be called close.
        factor: the same for a number of which it matters how many times too large or small a guess
            is; such numbers are positive, and their slider moves along a logarithmic scale.

    A ValueError says what is wrong with a value.

    Attributes:
        guess: what the reader said, one of the choices or a number; None before.
        revealed: whether the truth can be seen, which needs a guess.
    """

    _esm, _css = sources(__file__)

    question = traitlets.Unicode(read_only=True).tag(sync=True)
    truth = traitlets.Any(read_only=True).tag(sync=True)
    explanation = traitlets.Unicode(read_only=True).tag(sync=True)
    choices = traitlets.Any(read_only=True).tag(sync=True)
    unit = traitlets.Unicode(read_only=True).tag(sync=True)
    low = traitlets.Any(read_only=True).tag(sync=True)
    high = traitlets.Any(read_only=True).tag(sync=True)
    step = traitlets.Any(read_only=True).tag(sync=True)
    tolerance = traitlets.Float(read_only=True).tag(sync=True)
    factor = traitlets.Any(read_only=True).tag(sync=True)
    guess = traitlets.Any(None, allow_none=True).tag(sync=True)
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
        for name, text in {"question": question, "explanation": explanation}.items():
            if not isinstance(text, str) or not text.strip():
                raise ValueError(f"{name} must be a text, not {text!r}")
        if choices is None:
            truth = _number(truth, "truth")
            numbers = {"low": low, "high": high, "step": step, "factor": factor}
            low, high, step, factor = (
                None if value is None else _number(value, name) for name, value in numbers.items()
            )
            tolerance = _number(tolerance, "tolerance")
            _check_range(truth, low, high, step)
            _check_closeness(truth, low, step, tolerance, factor)
        else:
            choices = _checked_choices(choices)
            if (low, high, step, factor, tolerance, unit) != (None, None, None, None, 0, ""):
                raise ValueError("choices need no unit, low, high, step, tolerance or factor")
            if truth not in choices:
                raise ValueError(f"truth is {truth!r}; expected one of the choices {choices}")
        super().__init__()
        fixed = dict(question=question, truth=truth, explanation=explanation, choices=choices)
        fixed |= dict(unit=unit, low=low, high=high, step=step, tolerance=tolerance, factor=factor)
        for name, value in fixed.items():
            self.set_trait(name, value)

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

    @traitlets.validate("guess")
    def _validate_guess(self, proposal):
        guess = proposal.value
        if guess is None:
            return None
        if self.choices is None:
            return _number(guess, "guess")
        if guess not in self.choices:
            raise ValueError(f"guess is {guess!r}; expected one of the choices {self.choices}")
        return guess

    @traitlets.observe("guess")
    def _hide_without_guess(self, change):
        if change.new is None:
            self.revealed = False

    @traitlets.validate("revealed")
    def _validate_revealed(self, proposal):
        if proposal.value and self.guess is None:
            raise ValueError("set a guess before you reveal the truth")
        return proposal.value


def _readable(value: float) -> str:
    """Three digits that count, and whole numbers in full, written as the JavaScript does."""
    if isinstance(value, int) or value.is_integer() or abs(value) >= 100:
        text = f"{value if isinstance(value, int) else math.floor(value + 0.5):,}"
    else:
        text = f"{value:.3g}"
        text = f"{Decimal(text):f}"  # never with an exponent
    return text.replace("-", "\N{MINUS SIGN}")


def _number(value, name: str) -> float | int:
    if hasattr(value, "item"):  # numpy and torch, of one number
        try:
            value = value.item()
        except (RuntimeError, ValueError) as error:
            raise ValueError(f"{name} must be one number ({error})") from error
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        raise ValueError(f"{name} must be a finite number, not {value!r}")
    return value if isinstance(value, int) else float(value)


def _check_range(truth, low, high, step) -> None:
    if (low is None) != (high is None):
        raise ValueError("a slider needs both low and high")
    if low is None:
        if step is not None:
            raise ValueError("step belongs to a slider: give low and high too")
        return
    if not low < high:
        raise ValueError(f"low must be less than high, but they are {low:g} and {high:g}")
    if not low <= truth <= high:
        raise ValueError(f"truth is {truth:g}, outside {low:g} to {high:g}: nobody could guess it")
    if step is not None and not 0 < step <= high - low:
        raise ValueError(f"step must be positive and fit the range, but it is {step:g}")


def _check_closeness(truth, low, step, tolerance, factor) -> None:
    if tolerance < 0:
        raise ValueError(f"tolerance must not be negative, but it is {tolerance:g}")
    if factor is None:
        return
    if tolerance:
        raise ValueError("give a tolerance or a factor, not both")
    if factor <= 1:
        raise ValueError(f"factor must be above 1, but it is {factor:g}")
    if step is not None:
        raise ValueError("with a factor the slider has no even steps: leave step out")
    if truth <= 0 or (low is not None and low <= 0):
        raise ValueError("with a factor, truth and low must be above 0")


def _checked_choices(choices) -> list[str]:
    choices = as_list("choices", choices)
    if not all(isinstance(choice, str) for choice in choices):
        raise ValueError("choices must be a sequence of texts")
    if len(choices) < 2 or len(set(choices)) < len(choices):
        raise ValueError(f"choices must be two or more, all different, not {choices}")
    return choices
