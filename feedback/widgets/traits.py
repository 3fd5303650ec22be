"""Trait types that check themselves: a widget says what a setting may be where it declares it.

A type is a check, `check(name, value, *limits)`. It returns the value as the widget keeps it and as
the page can read it (plain numbers, texts and lists), or raises an error that says what was given
and what is expected: a TypeError where the value is of a wrong kind, a ValueError where the kind is
right and the value is not. The same check serves for arguments that no attribute keeps.

What depends on other settings is checked by a method under `checked_together`. A page sends all
that a reader changed in one message, in any order, and traitlets calls that method when the whole
message is in. If anything in it is refused, then everything is, and the widget stays as it was.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
import traitlets

from feedback.config import is_number, plain, whole_number

T = TypeVar("T")


class WrongType(traitlets.TraitError, TypeError):
    """A TypeError in the form that makes traitlets restore what was set together with it."""


class WrongValue(traitlets.TraitError, ValueError):
    """A ValueError in the form that makes traitlets restore what was set together with it."""


@contextmanager
def refusal() -> Iterator[None]:
    """Raise a TypeError or a ValueError of the block as one that traitlets knows, too."""
    try:
        yield
    except TypeError as error:
        raise WrongType(str(error)).with_traceback(error.__traceback__) from None
    except ValueError as error:
        raise WrongValue(str(error)).with_traceback(error.__traceback__) from None


def checked_together(*names: str) -> Callable:
    """Make a method the check of settings by one another: it gets them by name, and may raise.

    It is called when one of them is set, after the check of its type, with the values that the
    widget is about to have. Where several are set at once, it is called when all of them are in.
    """

    def decorate(method: Callable) -> Callable:
        @traitlets.validate(*names)
        def check(widget, proposal):
            values = {name: getattr(widget, name) for name in names}
            with refusal():
                method(widget, **{**values, proposal.trait.name: proposal.value})
            return proposal.value

        return check

    return decorate


class Checked(traitlets.TraitType):
    """A setting that holds what `check(name, value, *limits)` returns. A subclass has the check.

    Arguments:
        limits: what the check is given after name and value. Where a limit depends on the widget,
            it is a function of it; what the function looks at must not come in the same message.
        none: a function of the widget that gives the value for which None stands. Without it, None
            is checked like any other value; where None is a value to keep, say `allow_none=True`.
        metadata: what every trait type takes, such as `allow_none` and `read_only`.
    """

    check: Callable[..., Any]

    def __init__(self, *limits, none: Callable | None = None, **metadata):
        super().__init__(**metadata)
        self.limits, self.none = limits, none

    def validate(self, obj, value):
        if value is None and self.none is not None:
            value = self.none(obj)
        limits = [limit(obj) if callable(limit) else limit for limit in self.limits]
        with refusal():
            return self.check(self.name, value, *limits)


class Whole(Checked):
    """A whole number from `least` to `most`, or of at least `least`."""

    check = staticmethod(whole_number)


class Number(Checked):
    """A finite number, of at least `least` if that is given."""

    @staticmethod
    def check(name: str, value: Any, least: float | None = None) -> int | float:
        expected = "a finite number" if least is None else f"a finite number of at least {least}"
        number = plain(value)
        if not is_number(number):
            raise TypeError(f"{name} is {value!r:.80}; it must be {expected}")
        # Python's whole numbers can be larger than what a page calls a number.
        if not abs(number) <= sys.float_info.max or (least is not None and number < least):
            raise ValueError(f"{name} is {number!r:.80}; it must be {expected}")
        return number if isinstance(number, int) else float(number)


class Text(Checked):
    """A text of at least `least` characters, all of them among `characters` if those are given."""

    @staticmethod
    def check(name: str, value: Any, least: int = 0, characters: str | None = None) -> str:
        if not isinstance(value, str):
            raise TypeError(f"{name} is {value!r:.80}; it must be a text")
        if len(value) < least:
            raise ValueError(f"{name} has {len(value)} characters; it must have at least {least}")
        if characters is None:
            return value
        for place, character in enumerate(value):
            if character not in characters:
                raise ValueError(
                    f"{name} holds {character!r} (character {place}), which is not among the "
                    f"{len(characters)} characters of this model"
                )
        return value


class OneOf(Checked):
    """One of a few values: a number or a text."""

    @staticmethod
    def check(name: str, value: Any, choices: Iterable) -> Any:
        value, choices = plain(value), list(choices)
        alike = [choice for choice in choices if type(choice) is type(value)]  # True is not 1
        if value in alike:
            return value
        wrong = ValueError if alike else TypeError
        raise wrong(f"{name} is {value!r:.80}; choose one of {', '.join(map(repr, choices))}")


class SomeOf(Checked):
    """Any of a few values, as a list: all, some or none of them."""

    @staticmethod
    def check(name: str, values: Any, choices: Iterable) -> list:
        return [OneOf.check(f"one of {name}", value, choices) for value in sequence(name, values)]


class Names(Checked):
    """A list of `count` texts, one for `each` of some things."""

    @staticmethod
    def check(name: str, values: Any, count: int, each: str) -> list[str]:
        return [str(value) for value in sequence(name, values, count, each)]


class Weights(Checked):
    """Layer weights: `count` numbers that are not negative and sum to 1, but for `tolerance`."""

    @staticmethod
    def check(name: str, values: Any, count: int, tolerance: float) -> list[float]:
        held = sequence(name, values, count, "the embedding and each layer")
        weights = [float(Number.check(f"one of {name}", value, 0)) for value in held]
        if not math.isclose(sum(weights), 1, abs_tol=tolerance):
            raise ValueError(f"{name} sums to {sum(weights):g}; it must sum to 1")
        return weights


def sequence(name: str, values: Any, count: int | None = None, each: str = "") -> list:
    """What a list, an array, a tensor or another sequence holds: `count` values if that is given.

    Raises:
        TypeError: it is no sequence, or a single text.
        ValueError: it holds another number of values than one for `each`.
    """
    held = values.tolist() if hasattr(values, "tolist") else values
    if isinstance(held, str) or not isinstance(held, Iterable):
        raise TypeError(f"{name} is {values!r:.80}; it must be a sequence")
    held = list(held)
    if count not in (None, len(held)):
        raise ValueError(f"{name} has length {len(held)}; it must have {count}, one for {each}")
    return held


def array(name: str, values: Any, shape: str) -> np.ndarray:
    """Finite numbers as an array of floats, from lists, arrays and tensors within one another.

    `shape` names the axes, as in "(L+1, d)".

    Raises:
        TypeError: something in it is no number.
        ValueError: it has other axes, is empty, or holds rows of unequal length, nan or infinity.
    """
    try:
        found = np.array(_without_tensors(values))
    except ValueError as error:
        raise ValueError(f"{name} must be numbers in rows of equal length ({error})") from None
    if found.dtype.kind not in "iuf":
        raise TypeError(f"{name} is {values!r:.80}; it must be numbers of shape {shape}")
    if found.ndim != shape.count(",") + 1 or 0 in found.shape:
        raise ValueError(f"{name} has shape {found.shape}; it must have {shape}")
    if not np.isfinite(found).all():
        raise ValueError(f"{name} holds nan or infinity; it must be finite numbers")
    return found.astype(float)


def _without_tensors(values: Any) -> object:
    if hasattr(values, "detach"):  # on any device, with or without a gradient, in any precision
        values = values.detach().cpu()
        return (values.double() if values.is_floating_point() else values).numpy()
    if isinstance(values, (list, tuple)):
        return [_without_tensors(value) for value in values]
    return values


def of_type(name: str, value: Any, kind: type[T]) -> T:
    """The value, which has to be of this type, or a TypeError is raised."""
    if not isinstance(value, kind):
        given, expected = type(value).__name__, f"{kind.__module__}.{kind.__name__}"
        raise TypeError(f"{name} is of type {given}; it must be a {expected}")
    return value
