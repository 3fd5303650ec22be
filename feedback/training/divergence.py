"""What ends a run whose numbers have become too large to go on with, before they are saved.

Each error says what was found at which step, and to try a lower learning rate.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from feedback.language_model import LanguageModel, evaluating


def finite(tensors: Iterable[Tensor]) -> bool:
    """Whether no tensor holds a NaN or an infinity."""
    return all(tensor.isfinite().all() for tensor in tensors)


class Diverged(ValueError):
    """Says what is not finite, and what to do."""

    def __str__(self) -> str:
        return f"{self.args[0]}; try a lower learning rate. What was saved is as it was"


@contextmanager
def explaining_overflow(step: int) -> Iterator[None]:
    """Raise Diverged where torch says that a number of the update of this step is too large."""
    try:
        yield
    except RuntimeError as error:
        if "without overflow" not in str(error):
            raise
        raise Diverged(f"the update of step {step} is too large ({error})") from error


@torch.no_grad()
def check_finite(
    step: int, model: LanguageModel, optimizer: torch.optim.Optimizer, tokens: Tensor
) -> None:
    """Raise Diverged if weights, optimizer, or logits of some tokens (B, T) are not finite.

    Weights can be finite and yet so large that nothing can be computed with them.
    """
    tensors = [*model.parameters()]
    tensors += (value for kept in optimizer.state.values() for value in kept.values())
    with evaluating(model):
        tensors.append(model(tokens.to(model.head.weight.device)))
    if not finite(tensors):
        raise Diverged(f"weights, optimizer or logits after step {step} are not finite")
