"""Whether numbers are the wanted ones, in any dtype, and which mistake gives those that are not."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

Slips = Mapping[str, Tensor]  # what an answer with a mistake gives, under a sentence that names it


def near(found: Tensor, wanted: Tensor, tolerance: float = 1e-4) -> bool:
    """Whether shapes are equal and no number is further off, in parts of the largest above 1.

    The tolerance is wide enough for single precision, whatever the processor.
    """
    if found.shape != wanted.shape:
        return False
    found, wanted = found.detach().double(), wanted.detach().double()
    size = max(1.0, wanted.abs().max().item()) if wanted.numel() else 1.0
    return torch.allclose(found, wanted, rtol=0, atol=tolerance * size)


def likely(found: Tensor, slips: Slips, otherwise: str) -> str:
    """The sentence of the first slip that gives what was found; another one if none does."""
    return next((slip for slip, wrong in slips.items() if near(found, wrong)), otherwise)
