"""Checks of chapter 12, running by passes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from feedback.notebook.checks.comparing import likely, near
from feedback.notebook.checks.verdict import Mistake, exercise, expect, when

# 12.1


@exercise("12.1")
def check_rnn_by_passes(rnn_by_passes: Callable) -> None:
    """Fewer passes than steps, as many, and more; a row of one step."""
    own = torch.Generator().manual_seed(0)
    for T, d, passes in ((6, 3, 2), (6, 3, 1), (7, 2, 4), (5, 4, 5), (4, 3, 6), (1, 2, 1)):
        x, W = (torch.randn(n, d, generator=own, dtype=torch.double) for n in (T, d))
        with when(f"{T} steps, {passes} passes"):
            found = rnn_by_passes(x.clone(), W.clone(), passes)
            expect(isinstance(found, Tensor), f"return a tensor, not a {type(found).__name__}")
            check_shape(found, x, passes)
            wanted = rnn(x, W, passes)
            if not near(found, wanted):
                slips = slips_of_rnn(x, W, passes)
                last = "that is another recurrence: check the equation, term by term"
                raise Mistake(likely(found, slips, last))


def check_shape(found: Tensor, x: Tensor, passes: int) -> None:
    """The states of all steps, after the last pass."""
    T, d = x.shape
    said = f"return the states of all steps, {(T, d)}, not {tuple(found.shape)}"
    expect(found.shape != (passes, T, d) or found.shape == x.shape, f"{said}: of the last pass")
    expect(found.shape == x.shape, said)


def rnn(x: Tensor, W: Tensor, passes: int, guess: Tensor | None = None) -> Tensor:
    """The states after some passes, step by step, (T, d)."""
    h = torch.zeros_like(x) if guess is None else guess
    for _ in range(passes):
        h = torch.stack([(h[t - 1] @ W if t else 0) + x[t] for t in range(len(x))]).tanh()
    return h


def slips_of_rnn(x: Tensor, W: Tensor, passes: int) -> dict[str, Tensor]:
    """Likely mistakes, each with what it would return."""

    def repeated(one_pass: Callable[[Tensor], Tensor]) -> Tensor:
        h = torch.zeros_like(x)
        for _ in range(passes):
            h = one_pass(h)
        return h

    def earlier(h: Tensor, by: int = 1) -> Tensor:
        return F.pad(h, (0, 0, by, 0))[: len(h)]

    return {
        "that is the exact result, whatever the number of passes: a pass may read only what the "
        "pass before has left": rnn(x, W, len(x)),
        "that is one pass too many; the states before the first pass are 0": rnn(x, W, passes + 1),
        "that is one pass too few": rnn(x, W, passes - 1),
        "all states are 0 before the first pass; it does not begin with x": rnn(x, W, passes, x),
        "all states are 0 before the first pass, and not 1": rnn(x, W, passes, torch.ones_like(x)),
        "a step reads the state before it, and not its own": repeated(lambda h: (h @ W + x).tanh()),
        "a step reads the state before it, and not the one after it": repeated(
            lambda h: (F.pad(h, (0, 0, 0, 1))[1:] @ W + x).tanh()
        ),
        "the first step has no state before it; it must not read the last one": repeated(
            lambda h: (h.roll(1, 0) @ W + x).tanh()
        ),
        "a step reads the state right before it, and not the one before that": repeated(
            lambda h: (earlier(h, 2) @ W + x).tanh()
        ),
        "a state is a row: h W, and not W h": repeated(lambda h: (earlier(h) @ W.T + x).tanh()),
        "the tanh is missing": repeated(lambda h: earlier(h) @ W + x),
        "the tanh goes around the whole sum": repeated(lambda h: (earlier(h) @ W).tanh() + x),
        "x is missing": repeated(lambda h: (earlier(h) @ W).tanh()),
        "x is added at the same step, and not at the step before": repeated(
            lambda h: (earlier(h) @ W + earlier(x)).tanh()
        ),
        "what was read is added, and not subtracted": repeated(
            lambda h: (x - earlier(h) @ W).tanh()
        ),
    }


# 12.2


@dataclass
class Pass:
    """A pass that is given by the vectors (T, d) that come out, one pass after another.

    It counts how often it is called, and goes by what it is handed: that has to be what it gave
    last, or the guess.
    """

    course: list[Tensor]
    calls: int = 0

    def __call__(self, vectors: Tensor) -> Tensor:
        self.calls += 1
        expect(self.calls < 3 * len(self.course), "it does not stop: T passes are enough, always")
        for before, after in zip(self.course, self.course[1:], strict=False):
            if isinstance(vectors, Tensor) and near(vectors, before, 1e-12):
                return after.clone()
        if isinstance(vectors, Tensor) and near(vectors, self.course[-1], 1e-12):
            return self.course[-1].clone()
        raise Mistake("hand each pass what the pass before has given, and the first one the guess")


def courses() -> Iterator[tuple[str, list[Tensor], float]]:
    """Guess and vectors after each pass, each course with what is hard about it and a tolerance."""
    own = torch.Generator().manual_seed(0)
    base = torch.randn(9, 4, generator=own, dtype=torch.double)
    base = base / base.norm(dim=-1, keepdim=True)  # of length 1

    def falling(offs: list[float], vectors: Tensor = base) -> list[Tensor]:
        """All vectors move by so much, relative to their length, pass by pass."""
        return [vectors * (1 + sum(offs[i:])) for i in range(len(offs) + 1)]

    yield "where all vectors rest alike", falling([0.5, 0.2, 0.05, 0.004, 1e-4, 1e-5, 0]), 0.01
    yield "where all vectors are long", falling([0.2, 0.03, 0.002, 2e-4, 0], 100 * base), 0.01
    yield "where all vectors are short", falling([0.2, 0.03, 0.002, 1e-4, 0], base / 1000), 0.01
    even = torch.full_like(base, 0.5)
    yield "where all numbers of a vector are alike", falling([0.3, 0.015, 0.001, 0], even), 0.01
    state = [base.clone()]
    for t in range(9):  # one vector a pass
        state.append(state[-1].clone())
        state[-1][t] *= 1.04
    yield "where a pass moves one vector of nine", state, 0.01
    turned = [base.clone()]
    for angle in (1.0, 0.5, 0.2, 0.03, 0.001, 0.0):
        c, s = math.cos(angle), math.sin(angle)
        turn = torch.tensor([[c, -s], [s, c]], dtype=torch.double)
        turned.append(turned[-1] @ torch.block_diag(turn, turn))
    yield "where vectors turn and keep their length", turned, 0.1
    short = [base.clone() for _ in range(6)]
    for i, off in enumerate((0.4, 0.3, 0.1, 0.02, 0.0, 0.0)):
        short[i][3] *= 1e-3 * (1 + off)  # a vector that hardly counts in a sum
    yield "where only a short vector still moves", short, 0.05
    some = [base.clone() for _ in range(5)]
    for i, off in enumerate((0.6, 0.1, 0.001, 0.0, 0.0)):
        some[i][:4] *= 1 + off
    yield "where some vectors never move", some, 0.05
    yield "where vectors grow", [base * size for size in (1.0, 1.9, 2.5, 2.7, 2.72, 2.72)], 0.3
    yield "where vectors become shorter", [base * size for size in (2.0, 1.0, 0.8, 0.79)], 0.3
    yield "where the guess is right", [base.clone(), base.clone()], 0.01
    yield "where nothing may move", falling([0.5, 1e-3, 1e-7, 0, 0]), 0.0
    yield "where vectors never rest", [base * (1 + 0.5 * (-1) ** i) for i in range(12)], 0.01


@exercise("12.2")
def check_until_rest(until_rest: Callable) -> None:
    """Courses of vectors of which it is known when they rest."""
    runs = []
    for name, course, tolerance in courses():
        with when(name):
            one_pass = Pass(course)
            found = until_rest(one_pass, course[0].clone(), tolerance)
            pair = isinstance(found, (tuple, list)) and len(found) == 2
            expect(pair, "return two things, the vectors and the number of passes")
            whole = not isinstance(found[1], bool) and isinstance(found[1], (int, Tensor))
            expect(whole, f"the number of passes is a whole number, not {found[1]!r:.30}")
        runs.append((one_pass.calls, *found))
    check_calls([calls for calls, *_ in runs])
    for (name, course, _), (calls, vectors, passes) in zip(courses(), runs, strict=True):
        with when(name):
            check_returned(course, calls, vectors, int(passes))


def check_calls(calls: list[int]) -> None:
    """Has it taken as many passes as it should, in all courses? If not, which rule does that?"""
    wanted = [rest(course, tolerance, largest) for _, course, tolerance in courses()]
    if calls == wanted:
        return
    for slip, measure in MEASURES.items():
        expect(calls != [rest(c, tolerance, measure) for _, c, tolerance in courses()], slip)
    for (name, course, _), taken, needed in zip(courses(), calls, wanted, strict=True):
        if taken > needed:
            capped = needed == len(course[0])
            by_then = "all is exact then" if capped else "the last one moves nothing"
            raise Mistake(f"{name}: {taken} passes are taken, {needed} are enough: {by_then}")
        expect(taken == needed, f"{name}: it stops after {taken} passes; all rest after {needed}")


def check_returned(course: list[Tensor], calls: int, vectors: object, passes: int) -> None:
    """The number of passes that were taken, and the vectors of the last one."""
    said = f"{calls} passes are taken and {passes} are returned"
    expect(passes == calls, f"{said}: count each call of one_pass")
    expect(isinstance(vectors, Tensor), f"the vectors are a {type(vectors).__name__}, no tensor")
    assert isinstance(vectors, Tensor)
    shape = f"the vectors have shape {tuple(vectors.shape)}, not {tuple(course[0].shape)}"
    expect(vectors.shape == course[0].shape, shape)
    last = course[min(calls, len(course) - 1)]
    expect(
        near(vectors, last, 1e-12),
        "those are the vectors that the last pass has read; return the ones that it has given",
    )


def rest(course: list[Tensor], tolerance: float, measure: Callable) -> int:
    """The pass after which a rule stops, at most T."""
    T, last = len(course[0]), len(course) - 1
    for passes in range(1, T):
        old, new = course[min(passes - 1, last)], course[min(passes, last)]
        if measure(new, old) <= tolerance:
            return passes
    return T


def largest(new: Tensor, old: Tensor) -> Tensor:
    """How far the vector that has moved most has moved, relative to its length."""
    return ((new - old).norm(dim=-1) / new.norm(dim=-1)).max()


MEASURES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "it takes the mean over vectors: one that still moves is not seen": lambda new, old: (
        (new - old).norm(dim=-1) / new.norm(dim=-1)
    ).mean(),
    "it looks at all vectors as one: a short one that still moves is not seen": lambda new, old: (
        (new - old).norm() / new.norm()
    ),
    "it stops when the first vector rests; all have to": lambda new, old: (
        (new - old).norm(dim=-1) / new.norm(dim=-1)
    ).min(),
    "divide by the length of the vector": lambda new, old: (new - old).norm(dim=-1).max(),
    "divide by the length of the new vector, not of the old one": lambda new, old: (
        (new - old).norm(dim=-1) / old.norm(dim=-1)
    ).max(),
    "it compares lengths: a vector that turns has moved too": lambda new, old: (
        (new.norm(dim=-1) - old.norm(dim=-1)).abs() / new.norm(dim=-1)
    ).max(),
    "a vector that moves back has moved too: take the length of the difference": lambda new, old: (
        (new - old).sum(-1) / new.norm(dim=-1)
    ).max(),
    "it takes the largest number of the difference, and not its length": lambda new, old: (
        (new - old).abs().amax(-1) / new.norm(dim=-1)
    ).max(),
    "it takes the squared length": lambda new, old: (
        (new - old).square().sum(-1) / new.square().sum(-1)
    ).max(),
}


# 12.3

APART = 1e-8


@dataclass(frozen=True)
class Map:
    """A recursion whose derivative is known.

    Attributes:
        f: from a point (d,) to the next.
        slope: from a point to the Jacobian of f there, (d, d).
    """

    f: Callable[[Tensor], Tensor]
    slope: Callable[[Tensor], Tensor]


def linear(A: Tensor) -> Map:
    return Map(lambda x: A @ x + 0.1, lambda x: A)


def bent(A: Tensor) -> Map:
    """tanh(A x + 0.3), whose slope changes from point to point."""
    return Map(
        lambda x: (A @ x + 0.3).tanh(), lambda x: (1 - (A @ x + 0.3).tanh().square())[:, None] * A
    )


def logistic() -> Map:
    return Map(lambda x: 4 * x * (1 - x), lambda x: torch.diag(4 - 8 * x))


def maps() -> Iterator[tuple[str, Map, Tensor, int]]:
    """Recursions, each with where it starts and for how many steps."""
    double = partial(torch.tensor, dtype=torch.double)
    turning = 0.7 * double([[0.6, -0.8], [0.8, 0.6]])
    stretching = double([[1.6, 0.2, 0.0], [0.3, -0.5, 0.4], [0.0, 0.2, 0.9]])
    yield "a turn by which all shrinks", linear(turning), double([0.4, -0.2]), 30
    yield "a linear map that stretches", linear(stretching), double([0.1, 0.2, -0.3]), 12
    yield "a single step", linear(stretching), double([0.1, 0.2, -0.3]), 1
    far = linear(0.01 * turning), double([0.4, -0.2]), 400
    yield "a map that shrinks for 400 steps", *far
    yield "4 x (1 - x)", logistic(), double([0.3123]), 300
    yield "a tanh of a linear map", bent(1.5 * stretching), double([0.3, -0.1, 0.2]), 25


@exercise("12.3")
def check_largest_exponent(largest_exponent: Callable) -> None:
    """Against the derivative along the same course."""
    for name, one, x, steps in maps():
        with when(f"{name}, {steps} {'step' if steps == 1 else 'steps'}"):
            found = number(largest_exponent(one.f, x.clone(), steps))
            wanted = sum(logs(one, x, steps)) / steps
            if abs(found - wanted) > 1e-3:
                said = f"{found:.3f}, but it is {wanted:.3f}"
                for slip, wrong in slips_of_exponent(one, x, steps).items():
                    same = found == wrong or abs(found - wrong) <= 1e-3
                    expect(not same, f"{said}: {slip}")
                raise Mistake(said)


def number(found: object) -> float:
    try:
        return float(found)  # type: ignore[arg-type]
    except (TypeError, ValueError, RuntimeError) as error:
        raise Mistake(f"return one number, not {found!r:.40}") from error


def logs(one: Map, x: Tensor, steps: int, turns: bool = True, moves: bool = True) -> list[float]:
    """The logarithm of the growth at each step, by derivatives.

    Args:
        turns: the direction is that of the difference, and not always the first one.
        moves: the point moves on.
    """
    first = F.one_hot(torch.tensor(0), len(x)).to(x)
    direction, found = first, []
    for _ in range(steps):
        direction = one.slope(x) @ (direction if turns else first)
        found.append(direction.norm().log().item())
        direction = direction / direction.norm()
        x = one.f(x) if moves else x
    return found


def slips_of_exponent(one: Map, x: Tensor, steps: int) -> dict[str, float]:
    """Likely mistakes, each with what it would return."""
    each = logs(one, x, steps)
    mean, count = sum(each) / steps, len(each)
    longer = logs(one, x, steps + 1)
    slips = {
        "that is the sum over all steps; divide by their number": sum(each),
        "a natural logarithm is asked for, not one of base 2": mean / math.log(2),
        "a natural logarithm is asked for, not one of base 10": mean / math.log(10),
        "the sign: growth is positive": -mean,
        "the first point must move on as well": sum(logs(one, x, steps, moves=False)) / steps,
        "that is the growth of the last step alone": each[-1],
        "that is the growth of the first step alone": each[0],
        "that is the growth itself; take its logarithm": sum(map(math.exp, each)) / count,
        "take the logarithm at each step, and then the mean": math.log(
            sum(map(math.exp, each)) / count
        ),
        "that is the largest growth; take the mean": max(each),
        "bring the second point back along the difference, and not along the first axis": (
            sum(logs(one, x, steps, turns=False)) / steps
        ),
        "that is one step too many": sum(longer) / (steps + 1),
        "there are as many logarithms as steps; divide by that": sum(each) / (steps + 1),
        "the logarithm of the distance over 1e-8, and not of the distance": mean + math.log(APART),
    }
    if steps > 1:
        slips["that is one step too few"] = sum(each[:-1]) / (steps - 1)
        slips["divide by the number of steps, all of them"] = sum(each) / (steps - 1)
        slips["one step is left out of the sum"] = sum(each[:-1]) / steps
        slips["one step is left out of the sum, the first"] = sum(each[1:]) / steps
        slips["bring the second point back to distance 1e-8 after every step"] = runaway(
            one, x, steps
        )
    return slips


def runaway(one: Map, x: Tensor, steps: int) -> float:
    """The growth over all steps when the second point is never brought back."""
    other = x.clone()
    other[0] += APART
    for _ in range(steps):
        x, other = one.f(x), one.f(other)
    size = (other - x).norm() / APART
    return size.log().item() / steps if size > 0 else -math.inf
