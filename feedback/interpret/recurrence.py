"""How recurrent a model is: passes until its memory is right, and what becomes of a disturbance.

`passes_by_step` asks after how many passes over the whole text (`feedback.fast.passes`) the memory
vector of a step is what the model itself makes of it. Where little is handed on, that is a number
which does not grow with the text. Where each step needs the one before, it is a pass a step.

`growth` follows an infinitely small disturbance, put into one memory vector, through the steps
behind it. The mean of its growth a step estimates the largest Lyapunov exponent of the recursion:
below 0, small errors are forgotten. That says nothing about large ones. Chapter 12.

Shapes: B rows, T steps, t step, d width, P passes.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor
from torch.autograd import forward_ad

from feedback.config import whole_number
from feedback.fast.passes import begin, checked_tolerance, distance, one_pass
from feedback.interpret import sites
from feedback.interpret.running import run_with
from feedback.language_model import LanguageModel, evaluating


@torch.no_grad()
def vectors_by_pass(model: LanguageModel, tokens: Tensor, passes: int | None = None) -> Tensor:
    """The memory vectors after each pass over tokens (B, T), dropout off: (P, B, T, d).

    Args:
        passes: how many, P; None: T, so that the last entry is exact.

    Raises:
        TypeError, ValueError: arguments of the wrong type or out of range, a parallel model.
    """
    model.check_tokens(tokens, rank=2)
    passes = tokens.shape[1] if passes is None else whole_number("passes", passes, 1)
    found = []
    with evaluating(model):
        x = model.embedding(tokens)
        segment = begin(model.core, x)
        for _ in range(passes):
            x = one_pass(segment, x).vectors
            found.append(x)
    return torch.stack(found)


def passes_by_step(model: LanguageModel, tokens: Tensor, tolerance: float = 1e-3) -> Tensor:
    """After how many passes each memory vector is right, and stays so: (B, T) int64.

    The first step needs one pass, and step t, counted from 1, never more than t. This is measured
    against the exact vectors, and not by how far a pass still moves them.

    Args:
        tokens: (B, T).
        tolerance: how far off a vector may be, relative to its length; above the rounding of the
            model's dtype.

    Raises:
        TypeError, ValueError: as `vectors_by_pass`, or the tolerance is out of range.
    """
    tolerance = checked_tolerance(tolerance)
    vectors = vectors_by_pass(model, tokens)  # (T, B, T, d)
    off = distance(vectors[-1], vectors) > tolerance  # (T, B, T)
    number = torch.arange(1, len(off) + 1, device=off.device)[:, None, None]  # of each pass
    return 1 + (off * number).amax(0)


def growth(model: LanguageModel, tokens: Tensor, at: int, generator: torch.Generator) -> Tensor:
    """By how much a small disturbance has grown at each step, (B, T - at): natural logarithms.

    The memory vector of step `at`, counted from 0, is moved in a random direction, and every later
    one moves with it. An entry is the logarithm of how far, over how far that first one was moved;
    entry 0 is 0. "Small" is meant in the limit: the run carries derivatives along, forward, so that
    no size has to be chosen. It is done in float64, whose range is wide enough that nothing has to
    be brought back to length on the way.

    Args:
        tokens: (B, T).
        at: 0 to T - 2.
        generator: of the directions, one a row.

    Raises:
        TypeError, ValueError: an argument of the wrong type or out of range, a parallel model; or a
            disturbance that is gone, or too large for float64.
    """
    model = copy.deepcopy(model).double().eval()
    model.check_tokens(tokens, rank=2)
    at = whole_number("at", at, 0, tokens.shape[1] - 2)
    site = sites.memory(model)
    shape = len(tokens), 1, model.config.d_model
    direction = torch.randn(shape, generator=generator, dtype=torch.double).to(tokens.device)
    sizes = [direction.norm(dim=-1)[:, 0]]  # (B,) each

    def disturb(vectors: Tensor, steps: range) -> Tensor:  # (B, 1, d), one step
        if steps.start == at:
            return forward_ad.make_dual(vectors, direction)
        if steps.start > at:
            moved = forward_ad.unpack_dual(vectors).tangent
            nothing = direction.new_zeros(len(tokens))
            sizes.append(nothing if moved is None else moved.norm(dim=-1)[:, 0])
        return vectors

    with forward_ad.dual_level():
        run_with(model, tokens, {site: disturb})
    size = torch.stack(sizes, dim=1)  # (B, T - at)
    if not (size.isfinite() & (size > 0)).all():
        raise ValueError(
            f"a disturbance at step {at} is 0 or too large for float64 before the end of "
            f"{tokens.shape[1]} steps: give fewer tokens, or a later step"
        )
    return (size / size[:, :1]).log()


def lyapunov_exponent(grown: Tensor, skip: int = 1) -> Tensor:
    """Growth a step, in nats, as a mean over the steps: (B,).

    Over a long row with a bounded memory that is the largest Lyapunov exponent. A memory that keeps
    everything is read from any distance, and there a disturbance fades like a power of the distance
    in the end, not exponentially: the number belongs to the length of the row.

    Args:
        grown: (B, n), as `growth` gives it.
        skip: steps at the beginning that do not count: in them the disturbance turns into the
            direction that grows most. At least 0, and at most n - 2.

    Raises:
        TypeError, ValueError: skip is out of range.
    """
    n = grown.shape[1]
    skip = whole_number("skip", skip, 0, n - 2)
    return (grown[:, -1] - grown[:, skip]) / (n - 1 - skip)
