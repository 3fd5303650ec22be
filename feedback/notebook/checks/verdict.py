"""Calling a check on a reader's answer, and saying in one sentence what came out.

A check is a function of the answer that calls it as it is meant to be called, and raises `Mistake`
where it is wrong; `exercise` registers it under the number of its exercise. What may be wrong with
any answer is seen to here: it is not begun, fails, returns nothing, or changes what it was given.
"""

from __future__ import annotations

import contextlib
import dis
import functools
import inspect
import linecache
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FunctionType

import torch
from torch import Tensor, nn

Answer = Callable  # a function or a class of the reader's
Check = Callable[[Answer], object]


class Mistake(AssertionError):
    """An answer is wrong; the message says what is likely to be the matter.

    A notebook shows the message alone, without the lines of the check that led to it.
    """

    def _render_traceback_(self) -> list[str]:
        return [f"Not yet: {self}"]


@dataclass(frozen=True)
class Exercise:
    """How the answer to an exercise is checked.

    Attributes:
        check: raises `Mistake` where the answer is wrong.
        in_place: the answer changes what it is given.
        returns: the answer returns something.
        is_test: the answer is a test of something else; see `catching.py`.
    """

    check: Check
    in_place: bool = False
    returns: bool = True
    is_test: bool = False


EXERCISES: dict[str, Exercise] = {}


def exercise(number: str, **how: bool) -> Callable[[Check], Check]:
    """Register the function below as the check of an exercise, by its number, such as "1.3".

    Args:
        how: `in_place`, `returns` and `is_test`, as `Exercise` has them.
    """

    def register(check: Check) -> Check:
        if number in EXERCISES:
            raise ValueError(f"exercise {number} has a check already")
        EXERCISES[number] = Exercise(check, **how)
        return check

    return register


def expect(holds: object, sentence: str) -> None:
    """Raise `Mistake` with this sentence unless something holds."""
    if not holds:
        raise Mistake(sentence)


@contextlib.contextmanager
def when(circumstance: str) -> Iterator[None]:
    """What is wrong inside is said to be so under this circumstance, such as "with a batch"."""
    try:
        yield
    except Mistake as mistake:
        raise Mistake(f"{circumstance}: {mistake}") from mistake
    except Exception as error:
        error.circumstance = circumstance  # type: ignore[attr-defined]
        raise


def verdict(number: str, answer: Answer) -> str:
    """What there is to say about an answer to this exercise, if it is not wrong.

    Random numbers go on afterwards as if nothing had been drawn.

    Raises:
        Mistake: the answer is wrong; one sentence names the likely mistake.
        ValueError: no exercise with a check has this number.
    """
    if number not in EXERCISES:
        raise ValueError(f"no exercise {number} is checked; there are {', '.join(EXERCISES)}")
    asked = EXERCISES[number]
    expect(callable(answer), f"hand in the function itself; {answer!r:.40} is what it returns")
    if not begun(answer):
        return f"Exercise {number} is not begun. Fill in `{answer.__name__}`, then run this again."
    guarded = guard(answer, asked) if isinstance(answer, FunctionType) else answer
    try:
        with torch.random.fork_rng(devices=[]), torch.enable_grad():
            asked.check(guarded)
    except Mistake:
        raise
    except (Exception, SystemExit) as error:
        raise Mistake(explain(error, answer)) from error
    return f"Exercise {number}: correct."


def begun(answer: Answer) -> bool:
    """Whether every function of the answer, a function or a class, has anything in its body."""
    if not inspect.isclass(answer):
        return not is_empty(answer)
    return not any(is_empty(getattr(x, "__func__", x)) for x in vars(answer).values())


def nothing() -> None:
    """What a function is before it is written."""


def is_empty(function: object) -> bool:
    """Whether this is a function whose body is a docstring, `pass` or `...`, and no more."""
    if not isinstance(function, FunctionType):
        return False

    def operations(function: Callable) -> list[tuple[str, object]]:
        return [(x.opname, x.argval) for x in dis.get_instructions(function) if x.opname != "NOP"]

    return operations(inspect.unwrap(function)) == operations(nothing)


def guard(answer: FunctionType, asked: Exercise) -> Answer:
    """The answer, that raises `Mistake` where it returns nothing or changes what it is given."""
    name = answer.__name__
    takes = inspect.signature(answer)

    @functools.wraps(answer)
    def guarded(*positional, **named):
        try:
            given = takes.bind(*positional, **named).arguments
        except TypeError as error:
            raise Mistake(f"`{name}` does not take what the exercise hands it: {error}") from error
        before = {argument: copied(value) for argument, value in given.items()}
        outside = {x: value.clone() for x, value in tensors_named_in(answer).items()}
        found = answer(*positional, **named)
        for other, value in tensors_named_in(answer).items():
            if other in outside and not same(copied(value), outside[other]):
                value.data = outside[other]
                raise Mistake(f"`{name}` changes `{other}` itself (it is mended): change a copy")
        for argument, value in given.items():
            kept = asked.in_place or same(copied(value), before[argument])
            expect(kept, f"`{name}` changes its `{argument}`")
        nothing = f"`{name}` returns nothing; printing a result does not return it"
        expect(found is not None or not asked.returns or asked.is_test, nothing)
        return found

    return guarded


def tensors_named_in(answer: FunctionType) -> dict[str, Tensor]:
    """The tensors of the notebook that a function names."""
    function = inspect.unwrap(answer)
    named = {name: function.__globals__.get(name) for name in function.__code__.co_names}
    return {name: value for name, value in named.items() if isinstance(value, Tensor)}


def copied(value: object) -> object:
    """The tensors of a value, of its parts, and of a module, copied; anything else as it is."""
    if isinstance(value, Tensor):
        return value.detach().clone()
    if isinstance(value, nn.Module):
        return copied(dict(value.state_dict()))
    if isinstance(value, dict):
        return {key: copied(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [copied(part) for part in value]
    return value


def same(one: object, other: object) -> bool:
    """Whether two values that `copied` made are the same."""
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        alike = one.shape == other.shape and one.dtype == other.dtype
        return alike and torch.allclose(one, other, 0, 0, equal_nan=True)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return one is other


def explain(error: BaseException, answer: Answer) -> str:
    """An error as a sentence: the line of the answer that it came from, if it came from there."""
    said = f"{type(error).__name__}: {error}".partition("\n")[0].rstrip(": ")
    circumstance = getattr(error, "circumstance", None)
    before = f"{circumstance}, " if circumstance else ""
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == file_of(answer)
    ]
    if not lines or lines[-1] is None:
        return f"{before}the check cannot use what `{answer.__name__}` returns ({said})"
    line = linecache.getline(file_of(answer), lines[-1]).strip()
    shown = f" `{line}`" if line else f" line {lines[-1]}"
    return f"{before}`{answer.__name__}` fails at{shown} ({said})"


def file_of(answer: Answer) -> str:
    """The name of the file, or of the cell, in which a function or a class was written."""
    functions = vars(answer).values() if inspect.isclass(answer) else [answer]
    for function in functions:
        function = inspect.unwrap(getattr(function, "__func__", function))
        if isinstance(function, FunctionType):
            return function.__code__.co_filename
    return ""
