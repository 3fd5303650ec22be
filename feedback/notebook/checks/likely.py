"""The mistake that is likely behind a wrong number or tensor: the one that would give just that."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

Slips = Mapping[str, Tensor]  # what an answer with a mistake gives, under a sentence that names it


def near(found: Tensor, wanted: Tensor) -> bool:
    """Whether two tensors have one shape and the same numbers, up to rounding in float32."""
    if found.shape != wanted.shape:
        return False
    found, wanted = found.detach().double(), wanted.detach().double()
    size = max(1.0, wanted.abs().max().item()) if wanted.numel() else 1.0
    return torch.allclose(found, wanted, rtol=0, atol=1e-5 * size)


def likely(found: Tensor, slips: Slips, otherwise: str) -> str:
    """The sentence of the first slip that gives what was found; another one if none does."""
    return next((slip for slip, wrong in slips.items() if near(found, wrong)), otherwise)
