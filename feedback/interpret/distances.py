"""How far back each head looks. Chapter 10."""

from __future__ import annotations

import torch
from torch import Tensor

from feedback.config import whole_number


def attention_by_distance(attention: Tensor, farthest: int) -> Tensor:
    """The mean weight of each head on each distance, over rows and steps.

    Steps before `farthest` are left out, so that all distances are there at each step.

    Args:
        attention: (L, B, H, T, T), as `Trace` has it.
        farthest: 0 to T - 1.

    Returns:
        (L, H, farthest + 1): entry 0 is a step's weight on itself, which feedback models lack.

    Raises:
        TypeError, ValueError: a distance that no step of the rows has.
    """
    T = attention.shape[-1]
    farthest = whole_number("farthest", farthest, 0, T - 1)
    steps = torch.arange(farthest, T)
    found = [
        attention[..., steps, steps - distance].mean((1, -1)) for distance in range(farthest + 1)
    ]
    return torch.stack(found, -1)
