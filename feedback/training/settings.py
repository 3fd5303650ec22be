"""How to train: settings, and what follows from them at each step, learning rate and length.

Built in chapter 8.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from feedback.config import is_number, whole_number

MOST_SEED = 2**64 - 1  # that a torch.Generator takes
COLLAPSED = 0.9  # of the untrained loss: a loss above it has nothing left of what was learned


@dataclass(frozen=True)
class Settings:
    """How to train. Every field is checked here, before anything is built.

    Attributes:
        steps: updates of the weights.
        batch_size: windows a step, B, over all processes.
        sequence_length: tokens of a window, T, at the end of training and in every evaluation.
        learning_rate: the highest; it rises over `warm_up` steps and falls as a cosine to a tenth.
        warm_up: steps.
        weight_decay: of AdamW, for matrices and tables only.
        clip: the largest L2 norm of the gradient of all parameters; a longer one is shortened.
        evaluate_every: steps between evaluations, each a line in the log.
        checkpoint_every: steps between checkpoints.
        start_length: tokens of the first windows; they double until they are `sequence_length`.
            None: windows are that long from the beginning.
        lengthen_below: lengthen when the mean training loss between two looks at it is below this.
            None: lengthen by step, so that the last half of the steps is at full length.
        lengthen_every: steps between two looks; a length at which the loss collapses is left again
            for half of it, see `length_after`. None: look at evaluations, and never go back.
        seed: of weights, batches and dropout, 0 <= seed < 2^64.

    Raises:
        TypeError, ValueError: a field has the wrong type or is out of range.
    """

    steps: int = 1500
    batch_size: int = 32
    sequence_length: int = 128
    learning_rate: float = 2e-3
    warm_up: int = 100
    weight_decay: float = 0.1
    clip: float = 1.0
    evaluate_every: int = 100
    checkpoint_every: int = 100
    start_length: int | None = None
    lengthen_below: float | None = None
    lengthen_every: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        least = dict.fromkeys(("steps", "batch_size", "evaluate_every", "checkpoint_every"), 1)
        least |= {"sequence_length": 2, "start_length": 2, "warm_up": 0, "seed": 0}
        least |= {"lengthen_every": 1}
        for name, low in least.items():
            value = getattr(self, name)
            if value is None and name in ("start_length", "lengthen_every"):
                continue
            value = whole_number(name, value, low, MOST_SEED if name == "seed" else None)
            object.__setattr__(self, name, value)  # a plain int, as the run's folder holds it
        for name in ("learning_rate", "clip", "weight_decay", "lengthen_below"):
            value = getattr(self, name)
            if value is None and name == "lengthen_below":
                continue
            if not is_number(value):
                raise TypeError(f"{name} is {value!r}; it must be a number")
            try:
                number = float(value)
            except OverflowError:  # a whole number that no float holds
                number = math.inf
            if not (0 < number < math.inf or (number == 0 and name == "weight_decay")):
                bound = "at least 0" if name == "weight_decay" else "above 0"
                raise ValueError(f"{name} is {value}; it must be {bound} and finite")
            if not isinstance(value, (int, float)):
                object.__setattr__(self, name, number)
        if self.start_length is None and self.lengthen_below is not None:
            raise ValueError("lengthen_below needs a start_length from which to lengthen")
        if self.lengthen_below is None and self.lengthen_every is not None:
            raise ValueError("lengthen_every needs a lengthen_below, the loss at which to lengthen")
        if self.start_length is not None and self.start_length > self.sequence_length:
            raise ValueError(
                f"start_length {self.start_length} is above sequence_length {self.sequence_length}"
            )


def learning_rate(step: int, settings: Settings) -> float:
    """The learning rate of a step, counted from 1: a straight rise, then a cosine.

    The rise takes `settings.warm_up` steps, and the fall ends at a tenth of
    `settings.learning_rate`.
    """
    rise = min(1.0, step / (settings.warm_up + 1))
    done = max(0, step - settings.warm_up) / max(1, settings.steps - settings.warm_up)
    return settings.learning_rate * rise * (0.1 + 0.9 * (1 + math.cos(math.pi * done)) / 2)


def length_at(step: int, settings: Settings) -> int:
    """Tokens in each window of a step, counted from 1, where lengths follow the steps.

    Lengths double from `start_length` to `sequence_length`. All but the last share the first half
    of the steps evenly.
    """
    lengths = [settings.start_length or settings.sequence_length]
    while lengths[-1] < settings.sequence_length:
        lengths.append(min(2 * lengths[-1], settings.sequence_length))
    stage = 2 * (step - 1) * (len(lengths) - 1) // settings.steps
    return lengths[min(stage, len(lengths) - 1)]


def length_after(length: int, loss: float, untrained: float, settings: Settings) -> int:
    """Tokens in each window after a check of the training loss, where lengths follow the loss.

    Rows that have become easy are followed by longer ones. Longer rows can destroy what was
    learned; rows half as long bring it back.

    Args:
        length: tokens in each window so far.
        loss: the mean training loss since the last check, in nats a label.
        untrained: the mean up to the first check, when the model has learned next to nothing.
    """
    if settings.lengthen_below is None or settings.start_length is None:
        return length  # lengths do not follow the loss
    if loss < settings.lengthen_below:
        return min(2 * length, settings.sequence_length)
    if loss > COLLAPSED * untrained:
        return max(length // 2, settings.start_length)
    return length


def tokens_to_come(settings: Settings) -> int:
    """The number of tokens that a run is trained on, where lengths follow the steps."""
    steps = range(1, settings.steps + 1)
    return settings.batch_size * sum(length_at(step, settings) for step in steps)
