"""Whether two tensors hold the same numbers, whatever their dtype: an answer may choose its own."""

from __future__ import annotations

import torch
from torch import Tensor


def near(found: Tensor, wanted: Tensor, tolerance: float = 1e-4) -> bool:
    """Whether shapes are equal and no number is further off.

    The tolerance is wide enough for single precision, whatever the processor.
    """
    if found.shape != wanted.shape:
        return False
    return torch.allclose(found.detach().double(), wanted.detach().double(), 0, tolerance)
