"""Checks of chapter 6, a custom function.

`function` is the answer to exercise 6.1, 6.2 or 6.3, a class made from `torch.autograd.Function`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from feedback.notebook.checks.comparing import Slips, likely, near
from feedback.notebook.checks.verdict import Mistake, exercise, expect, when

COUNTED = "autograd counted a write into the buffer: write through its .data"
REFUSED = {  # what autograd says, and what it means
    "modified by an inplace operation": COUNTED,
    "has been modified inplace": COUNTED,
    "marked as dirty": "autograd is told of a write into the buffer: write through its .data",
    "invalid gradient at index": "a gradient has the shape of the argument that it belongs to",
    "number of gradients": "give back one gradient for each argument of forward",
    "expected Variable or None": "give back tensors, or None",
    "Backward' object has no attribute": "this asks for what forward never put on ctx",
}


@contextmanager
def explained() -> Iterator[None]:
    """What autograd refuses inside is said in the words of the chapter."""
    try:
        yield
    except (AttributeError, RuntimeError, TypeError) as error:
        for words, meaning in REFUSED.items():
            if words in str(error):
                said = str(error).strip().partition("\n")[0].partition(". ")[0].rstrip(".")
                raise Mistake(f"{meaning} ({said})") from error
        raise


@exercise("6.1")
def check_running_sum(function: Any) -> None:
    legible = torch.tensor([[1.0, 10, 100, 1000], [2, 3, 5, 8]], dtype=torch.double)
    check_sum_gradient(function, torch.arange(8.0).double().view(2, 4), legible)
    own = torch.Generator().manual_seed(0)
    for shape in ((3, 2, 5), (6,), (1, 1)):
        with when(f"with x of shape {shape}"):
            x, grad = torch.randn(2, *shape, dtype=torch.double, generator=own)
            check_sum_gradient(function, x, grad)
    x, grad = torch.randn(2, 4, 3, 2, dtype=torch.double, generator=own)
    with when("for a gradient that is a view of another tensor"):
        check_sum_gradient(function, x.mT.contiguous(), grad.mT)
    with when("for the gradient of y.sum()"):
        check_sum_gradient(function, x, torch.ones(()).double().expand(x.shape))


def check_sum_gradient(function: Any, x: Tensor, grad: Tensor) -> None:
    """Both ways through a running sum of x (..., T), with a gradient (..., T) that arrives."""
    leaf, kept = x.clone().requires_grad_(), grad.clone()
    with explained():
        y = function.apply(leaf)
    as_it_was = isinstance(y, Tensor) and near(y, x.cumsum(-1)) and near(leaf, x)
    expect(as_it_was, "forward is right as it was: leave it")
    expect(y.requires_grad, "forward is right as it was: leave it")
    with explained():
        (found,) = torch.autograd.grad(y, leaf, grad, allow_unused=True)
    expect(torch.equal(grad, kept), "backward changed grad: work on a copy of it")
    expect(found is not None, "backward returns None, not a gradient")
    true = grad.flip(-1).cumsum(-1).flip(-1)
    if not near(found, true):
        row, mine = grad.reshape(-1, grad.shape[-1])[0], found.reshape(-1, grad.shape[-1])[0]
        shown = f"for grad = {rounded(row)} it returns {rounded(mine)}"
        hint = "x_t enters y_t and every later sum"
        expect(False, f"{shown}: {likely(found, slips_of_sum(x, grad), hint)}")


def rounded(row: Tensor) -> list[float]:
    return [round(x, 2) for x in row.tolist()]


def slips_of_sum(x: Tensor, grad: Tensor) -> Slips:
    """Likely mistakes, and the gradient (..., T) that each would give."""
    T, true = grad.shape[-1], grad.flip(-1).cumsum(-1).flip(-1)
    along = "sum along the last dimension, not along dimension"
    others = {f"{along} {i}": grad.flip(i).cumsum(i).flip(i) for i in range(grad.dim() - 1)}
    return others | {
        "this is the gradient of a function that changes nothing": grad,
        "right idea, wrong direction: x_t enters the sums from y_t on": grad.cumsum(-1),
        "x_t enters y_t as well, not only the sums behind it": true - grad,
        "x_t enters all later sums, not only y_t and the next": grad
        + torch.cat([grad[..., 1:], torch.zeros_like(grad[..., :1])], -1),
        "the sums are in the wrong order: turn them round again": true.flip(-1),
        "turn round before the sum, and again behind it": grad.cumsum(-1).flip(-1),
        "x_t enters y_t and later sums, not all of them": grad.sum(-1, keepdim=True).expand_as(
            grad
        ),
        "each row is a sum of its own": grad.sum().expand_as(grad),
        "each row is a sum of its own; yours run on": (
            grad.flatten().flip(0).cumsum(0).flip(0).reshape(grad.shape)
        ),
        "the sum of the gradients, not their mean": true / torch.arange(T, 0, -1).double(),
        "the sum of the gradients, not a mean over all steps": true / T,
        "the slopes here are 1, not -1": -true,
        "that multiplies with x; the slopes here are 0 and 1": true * x,
        "that is x; the arriving gradient is what is summed": x,
        "that sums x; the arriving gradient is what is summed": x.flip(-1).cumsum(-1).flip(-1),
    }


def share_memory(one: Tensor, two: Tensor) -> bool:
    return one.untyped_storage().data_ptr() == two.untyped_storage().data_ptr()


def some_steps(*counts: int) -> list[Tensor]:
    """Steps in double precision: (2, 2, n, 3) for each n."""
    own = torch.Generator().manual_seed(0)
    shapes = [(2, 2, n, 3) for n in counts]
    return [torch.randn(s, dtype=torch.double, generator=own).requires_grad_() for s in shapes]


def filled(slots: int) -> Tensor:
    """A buffer (2, 2, slots, 3) full of sevens."""
    return torch.full((2, 2, slots, 3), 7.0, dtype=torch.double)


@exercise("6.3")
def check_stack(function: Any) -> None:
    past, x = some_steps(2, 2)
    buffer = filled(6)
    one = stack_on(function, past[:, :, :0], past, buffer)
    expect(near(one, past), "with n = 0 the first m slots are those of x")
    expect(share_memory(one, buffer), "that is a copy: return a view of the buffer")
    two = stack_on(function, one, x, buffer)
    expect(near(two, torch.cat([past, x], 2)), "x must lie right behind stacked")
    expect(share_memory(two, buffer), "with n > 0 that is a copy: return a view")
    behind = "a slot behind x was written: x has only m steps"
    expect((buffer[:, :, 4:] == 7).all(), behind)
    check_cut(two, one, x)
    kept = buffer.clone()
    stack_on(function, torch.full_like(past, 9.0), x, buffer)
    copies = "stacked lies in the buffer already: writing it again is the copy to be saved"
    expect(torch.equal(buffer[:, :, :2], kept[:, :, :2]), copies)
    check_chain(function)


def stack_on(function: Any, stacked: Tensor, x: Tensor, buffer: Tensor) -> Tensor:
    """What a stack's forward gives, (2, 2, n + m, 3)."""
    n, m = stacked.shape[2], x.shape[2]
    before = [stacked.detach().clone(), x.detach().clone()]
    with when(f"with n = {n} and m = {m}"):
        with explained():
            found = function.apply(stacked, x, buffer)
        expect(isinstance(found, Tensor), f"forward returns {found!r:.40}, no tensor")
        new_alone = n > 0 and found.shape == x.shape and torch.equal(found, x)
        expect(not new_alone, "return all steps so far, not the new ones alone")
        shape = (*stacked.shape[:2], n + m, stacked.shape[3])
        wrong = f"forward returns {tuple(found.shape)}, not (B, H, n + m, k) = {shape}"
        expect(found.shape == shape, wrong)
        expect(torch.equal(x, before[1]), "x must stay as it is")
        over = "x was written over slots that are taken: the next one is slot n"
        expect(torch.equal(stacked, before[0]), over)
    return found


def check_cut(two: Tensor, one: Tensor, x: Tensor) -> None:
    """Is the gradient of `two` (2, 2, 4, 3) cut into those of its parts, (2, 2, 2, 3) each?"""
    grad = torch.arange(48.0, dtype=torch.double).view(2, 2, 4, 3) + 1
    arriving = grad.clone()
    with when("backward"):
        with explained():
            found = torch.autograd.grad(two, (one, x), arriving, allow_unused=True)
        expect(torch.equal(arriving, grad), "it changed grad: make new tensors or views")
        front, rest = grad[:, :, :2], grad[:, :, 2:]
        slips = {
            "the two parts are swapped": (rest, front),
            "nothing is handed to the past": (0 * front, rest),
            "nothing is handed to x": (front, 0 * rest),
            "both get the first part": (front, front),
            "both get the last part": (rest, rest),
            "it gives None for both": (0 * front, 0 * rest),
        }
        mine = torch.cat([0 * front if one is None else one for one in found], 2)
        joined = {slip: torch.cat(parts, 2) for slip, parts in slips.items()}
        if not near(mine, grad):
            hint = "cut grad at the seam, behind n steps, and change no number"
            expect(False, likely(mine, joined, hint))


def check_chain(function: Any) -> None:
    """Three calls, one behind the other, and a loss that reads after each."""

    def total(append: Callable[..., Tensor]) -> Tensor:
        stacked, sums = steps[0][:, :, :0], []
        for weight, step in enumerate(steps, 1):
            stacked = append(stacked, step)
            sums.append(weight * stacked.square().sum())
        return torch.stack(sums).sum()

    for counts in ((3, 1, 2), (1, 4, 1)):
        steps, room = some_steps(*counts), torch.zeros(2, 2, 6, 3, dtype=torch.double)
        true = torch.autograd.grad(total(lambda *pair: torch.cat(pair, 2)), steps)
        with when(f"a chain of {counts[0]}, {counts[1]} and {counts[2]} steps"), explained():
            with_stack = total(lambda stacked, x, room=room: stack_on(function, stacked, x, room))
            found = torch.autograd.grad(with_stack, steps, allow_unused=True)
            for mine, right in zip(found, true, strict=True):
                hint = "a gradient is wrong: each call has its own seam"
                expect(mine is not None and near(mine, right), hint)


class GivenShelf:
    """A buffer that knows how many of its slots are taken, as the exercise has it."""

    def __init__(self, slots: int):
        self.buffer, self.written = filled(slots), 0  # (2, 2, slots, 3)


@exercise("6.2")
def check_branching(function: Any) -> None:
    past, a, b, c = some_steps(2, 1, 1, 2)
    shelf, nothing = GivenShelf(5), past[:, :, :0]
    stacked = in_place("2 steps on an empty shelf", function, nothing, past, shelf)
    first = in_place("a third step behind them", function, stacked, a, shelf)
    taken = "slot 2 is taken: compare n with shelf.written"
    again = "another third step behind the same two"
    second = copied(again, taken, function, stacked, b, shelf)
    other = "it is as long as what the shelf holds, but does not lie in its buffer"
    copied("a fourth step behind that copy", other, function, second, a, shelf)
    used = "an empty stacked ends at slot 0, and 3 slots are taken"
    copied("an empty stacked on a used shelf", used, function, nothing, past, shelf)
    copied("an empty stacked on a used shelf, one step", used, function, nothing, a, shelf)
    full = in_place("two more steps behind the first branch", function, first, c, shelf)
    copied("a sixth step", "all 5 slots are taken", function, full, a, shelf)
    shelf = GivenShelf(3)
    stacked = in_place("2 steps on an empty shelf", function, nothing, past, shelf)
    room = "there is room for 1 step and not for 2"
    copied("two more steps where one slot is free", room, function, stacked, c, shelf)
    room = "5 steps do not fit on 3 slots"
    copied("5 steps on an empty shelf", room, function, nothing, some_steps(5)[0], GivenShelf(3))
    check_branches(function)


def branch(function: Any, stacked: Tensor, x: Tensor, shelf: GivenShelf) -> Tensor:
    """What comes out where x stands behind stacked, in place or copied."""
    n, m = stacked.shape[2], x.shape[2]
    before = [each.detach().clone() for each in (stacked, x)]
    wanted = torch.cat(before, 2)
    with explained():
        found = function.apply(stacked, x, shelf)
        expect(isinstance(found, Tensor), f"forward returns {found!r:.40}, no tensor")
        over = "what was stacked changed: a slot that was taken was written"
        expect(torch.equal(stacked, before[0]), over)
        expect(torch.equal(x, before[1]), "x must stay as it is")
        shapes = f"forward returns {n + m} steps, here {tuple(found.shape)}"
        expect(found.shape == wanted.shape, shapes)
        expect(near(found, wanted), "return stacked, then x")
        return found


def in_place(what: str, function: Any, stacked: Tensor, x: Tensor, shelf: GivenShelf) -> Tensor:
    """Append where the shelf has room."""
    with when(what):
        end, buffer = stacked.shape[2] + x.shape[2], shelf.buffer
        rest = buffer[:, :, end:].clone()
        found = branch(function, stacked, x, shelf)
        hint = "nothing stands in the way: write into shelf.buffer, return a view of it"
        expect(shelf.buffer is buffer and share_memory(found, buffer), hint)
        behind = "a slot behind x was written: x has only m steps"
        expect(torch.equal(rest, buffer[:, :, end:]), behind)
        counted = f"{end} slots are taken then, shelf.written says {shelf.written}"
        expect(shelf.written == end, counted)
        return found


def copied(
    what: str, why: str, function: Any, stacked: Tensor, x: Tensor, shelf: GivenShelf
) -> Tensor:
    """Append where the shelf must not be written."""
    with when(what):
        buffer, kept, written = shelf.buffer, shelf.buffer.clone(), shelf.written
        try:
            found = branch(function, stacked, x, shelf)
        except Mistake as mistake:
            if COUNTED in str(mistake):
                raise
            if torch.equal(buffer, kept):
                raise Mistake(f"{mistake} ({why}: return a copy)") from mistake
            found = buffer  # it was written, and that is said below
        except RuntimeError as error:
            said = str(error).partition("\n")[0]
            raise Mistake(f"{why}; return a copy ({said})") from error
        alone = torch.equal(buffer, kept) and not share_memory(found, buffer)
        expect(alone, f"{why}; return a copy")
        same = shelf.buffer is buffer and shelf.written == written
        expect(same, "a copy takes no slots, so leave the shelf as it is")
        return found


def check_branches(function: Any) -> None:
    """The gradient of three branches behind the same two steps: one in place, then two copies."""

    def readings(append: Callable[..., Tensor]) -> list[Tensor]:
        stacked = append(past[:, :, :0], past)
        return [stacked.square(), *(append(stacked, x).square() for x in rest)]

    for counts in ((2, 1, 1, 2), (1, 3, 1, 2)):
        past, *rest = parts = some_steps(*counts)
        shelf, own = GivenShelf(4), torch.Generator().manual_seed(1)
        right = readings(lambda *pair: torch.cat(pair, 2))
        weights = [torch.rand(y.shape, dtype=torch.double, generator=own) for y in right]
        true = torch.autograd.grad(right, parts, weights)
        with when("three branches behind the same steps"), explained():
            mine = readings(lambda stacked, x, shelf=shelf: branch(function, stacked, x, shelf))
            connected = all(y.requires_grad for y in mine)
            expect(connected, "no gradient leads back: is it returned from forward itself?")
            found = torch.autograd.grad(mine, parts, weights, allow_unused=True)
            hint = "the gradient is cut at ctx.seam, which is the n of each call"
            for one, wanted in zip(found, true, strict=True):
                expect(one is not None and near(one, wanted), hint)


@exercise("6.4")
def check_gradient_of_steps(gradient_of_steps: Callable) -> None:
    own = torch.Generator().manual_seed(0)
    for T in (4, 1, 3):
        shapes = [(2, 3, t + 1, 5) for t in range(T)]
        grads = [torch.randn(*s, dtype=torch.double, generator=own) for s in shapes]
        with when(f"for T = {T}"):
            found = gradient_of_steps([grad.clone() for grad in grads])
            one = "return one tensor, the gradient of all steps"
            expect(isinstance(found, Tensor), f"that is a {type(found).__name__}: {one}")
            shape = tuple(found.shape)
            expect(shape == shapes[-1], f"it is {shape}, not (B, H, T, k) = {shapes[-1]}")
            true = added(grads, [slice(0, t + 1) for t in range(T)])
            if not near(found, true):
                hint = "step t stands in place t of reading t and of all later ones"
                expect(False, likely(found, slips_of_readings(grads, true), hint))


def added(grads: list[Tensor], places: list[slice]) -> Tensor:
    """The sum of these gradients, each of them added at its place: (2, 3, T, 5)."""
    total = torch.zeros_like(grads[-1])
    for grad, place in zip(grads, places, strict=True):
        total[:, :, place] += grad
    return total


def slips_of_readings(grads: list[Tensor], true: Tensor) -> Slips:
    """Likely mistakes, and the gradient (2, 3, T, 5) that each would give."""
    T = len(grads)
    newest = torch.cat([grad[:, :, -1:] for grad in grads], 2)
    first = torch.cat([grad[:, :, :1] for grad in grads], 2)
    zero, in_each = torch.zeros_like(true), torch.arange(T, 0, -1).double()[:, None]
    only_first = added(grads[:1] + [zero] * (T - 1), [slice(0, 1)] + [slice(0, T)] * (T - 1))
    return {
        "a step gets something from every later reading too": newest,
        "a step gets something from its own reading too": true - newest,
        "that is the last reading's gradient alone: add the others": grads[-1],
        "the last reading is missing": true - grads[-1],
        "the first reading is missing": true - only_first,
        "readings begin at step 1; yours are lined up at their ends": added(
            grads, [slice(T - t - 1, T) for t in range(T)]
        ),
        "that sums over the steps of a reading; add reading to reading": torch.cat(
            [grad.sum(2, keepdim=True) for grad in grads], 2
        ),
        "that is the first number of each reading, the gradient of one step": first,
        "a sum, not a mean over the readings": true / T,
        "a sum, not a mean over the readings that it stands in": true / in_each,
        "the steps stand in reverse order": true.flip(2),
        "each reading counts once": 2 * true,
        "the tensor that is added into begins with zeros": true + 1,
        "the sign": -true,
        "nothing was added": zero,
    }
