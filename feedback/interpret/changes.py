"""What is put in the place of what a model computes: another run's numbers, zero, a mean, noise.

A change takes what is computed at some steps, (B, len(steps), ...), and returns what shall be there
instead; `run_with` calls it. To put in what another run computed is *activation patching*, to put
in zero or a mean *ablation*. Chapter 10.

Shapes: B batch, T steps, d width, r directions.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch
from torch import Tensor

from feedback.interpret.running import Change


def put(values: Tensor) -> Change:
    """Put in these numbers, (B, T, ...) for all steps of a run. B may be 1: for every row."""

    def change(x: Tensor, steps: range) -> Tensor:
        if len(values[0]) < steps.stop:
            raise ValueError(f"there are {len(values[0])} steps to put in, but the run has more")
        return values[:, steps.start : steps.stop].expand_as(x)

    return change


def put_mean(values: Tensor) -> Change:
    """Put in the mean over rows of what was computed, (B, T, ...), at the same step."""
    return put(values.mean(0, keepdim=True))


def put_within(basis: Tensor, values: Tensor) -> Change:
    """Put in these numbers (B, T, d), but in some directions only; all others stay as they are.

    Args:
        basis: (d, r), columns of length 1 that are orthogonal to one another.
    """
    whole = put(values)
    return lambda x, steps: x + (whole(x, steps) - x) @ basis @ basis.T


def zero(x: Tensor, steps: range) -> Tensor:
    """Put in zeros. This is a change itself."""
    return torch.zeros_like(x)


def noise(size: float, generator: torch.Generator) -> Change:
    """Add a random direction to each vector, the last dimension, `size` times as long as it is."""

    def change(x: Tensor, steps: range) -> Tensor:
        random = torch.randn(x.shape, generator=generator, dtype=x.dtype)
        return x + size * x.norm(dim=-1, keepdim=True) * random / random.norm(dim=-1, keepdim=True)

    return change


def only(
    change: Change,
    steps: Collection[int] | None = None,
    part: int | Sequence[int] | None = None,
) -> Change:
    """Make a change at some steps only, or in some parts.

    Args:
        steps: those at which it is made, from 0; None for all.
        part: one or more places in dimension 2, such as heads, or layers where a site has shares.
    """

    def limited(x: Tensor, now: range) -> Tensor:
        at = [t - now.start for t in now if steps is None or t in steps]
        if not at:
            return x
        new, found = x.clone(), change(x, now)
        if part is None:
            new[:, at] = found[:, at]
        else:
            parts = [part] if isinstance(part, int) else list(part)
            for one in parts:
                new[:, at, one] = found[:, at, one]
        return new

    return limited
