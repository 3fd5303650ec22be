"""The logit lens: what the head would say of a vector that is not the last output. Chapter 10.

Source: nostalgebraist, "interpreting GPT: the logit lens", 2020.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from feedback.language_model import LanguageModel


@torch.no_grad()
def lens(model: LanguageModel, x: Tensor) -> Tensor:
    """Logits of outputs or memory vectors, by the model's own last norm and head.

    Of the last layer's outputs they are the model's logits. Of another vector they are what the
    model would answer if that were its last output; the model itself never asks this.

    Args:
        x: (..., d).

    Returns:
        (..., V).
    """
    return model.head(model.core.norm(x))


def lens_loss(model: LanguageModel, x: Tensor, labels: Tensor) -> float:
    """The mean cross-entropy of `lens`, in nats a token: (..., d), (...) int64."""
    return F.cross_entropy(lens(model, x).flatten(0, -2), labels.flatten()).item()
