"""When the loop looks at its losses: at every step on a CPU, once in a while on an accelerator.

An accelerator only queues what it is asked for. Whoever looks at one of its numbers waits until all
of that is done, and meanwhile asks for nothing more.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from feedback.machine import device
from feedback.training.divergence import Diverged, finite
from feedback.training.settings import Settings

EVERY = 10  # steps between two looks, if nobody asks earlier


def looks_after(step: int, settings: Settings) -> bool:
    """Whether the loop looks after this step: on a CPU always, for there it costs nothing."""
    asking = settings.evaluate_every, settings.checkpoint_every, settings.lengthen_every
    asked = any(every is not None and step % every == 0 for every in (*asking, EVERY))
    return asked or step == settings.steps or device().type == "cpu"


class Updates:
    """The updates at which nobody has looked yet: their losses stay where they were computed.

    Attributes:
        unseen: steps, each with its loss and the sum of all weights after it, (2,).
    """

    def __init__(self) -> None:
        self.unseen: list[tuple[int, Tensor]] = []

    def add(self, step: int, loss: Tensor, model: nn.Module) -> None:
        """Keep the loss () of a step, and what tells whether its update left finite weights."""
        sums = torch.stack([weight.detach().sum() for weight in model.parameters()])
        self.unseen.append((step, torch.stack([loss, sums.sum()])))

    def look(self, model: nn.Module) -> list[float]:
        """The losses of what was unseen, the oldest first.

        Raises:
            Diverged: a loss, or a weight after an update, is not finite.
        """
        steps, numbers = zip(*self.unseen, strict=True)
        self.unseen, losses = [], []
        for step, (loss, weights) in zip(steps, torch.stack(numbers).tolist(), strict=True):
            if not math.isfinite(loss):
                raise Diverged(f"the loss of step {step} is {loss}")
            # A sum takes one pass; only where it is not finite it may have overflowed.
            if not math.isfinite(weights) and not finite(model.parameters()):
                raise Diverged(f"step {step} left weights that are not finite")
            losses.append(loss)
        return losses
