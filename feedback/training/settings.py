"""How to train: settings, and what follows from them at each step, learning rate and length.

Built in chapter 8.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

from feedback.config import is_number, whole_number
from feedback.fields import described, documented
from feedback.training.by_passes import Plan

MAY_BE_NONE = ("lengthen_below", "exact_last", "largest_residual")  # numbers above 0
MOST_SEED = 2**64 - 1  # that a torch.Generator takes
COLLAPSED = 0.9  # of the untrained loss: a loss above it has nothing left of what was learned


@documented
@dataclass(frozen=True)
class Settings:
    """How to train. Every field is checked here, before anything is built.

    Raises:
        TypeError, ValueError: a field has the wrong type or is out of range.
    """

    steps: int = described("updates of the weights", default=1500)
    batch_size: int = described("windows in a step, B, over all processes", default=32)
    sequence_length: int = described(
        "tokens of a window, T, at the end of training and in every evaluation", default=128
    )
    learning_rate: float = described(
        "the highest learning rate, which is reached after `warm_up` steps and falls from there "
        "along a cosine to a tenth",
        default=2e-3,
    )
    warm_up: int = described("steps over which the learning rate rises", default=100)
    weight_decay: float = described(
        "weight decay of AdamW, for matrices and tables only", default=0.1
    )
    clip: float = described(
        "the largest L2 norm of the gradient of all parameters; a longer one is shortened to it",
        default=1.0,
    )
    evaluate_every: int = described(
        "steps between two evaluations, each of which is a line in the log", default=100
    )
    checkpoint_every: int = described("steps between two checkpoints", default=100)
    start_length: int | None = described(
        "tokens of the first windows, which double until they are `sequence_length`; None: windows "
        "are that long from the beginning",
        default=None,
    )
    lengthen_below: float | None = described(
        "double the length when the mean training loss since the last check is below this, in nats "
        "a label; None: lengthen by step, so that the last half of the steps is at full length",
        default=None,
    )
    lengthen_every: int | None = described(
        "steps between two checks; a length at which the model loses what it had learned is halved "
        "again; None: check at each evaluation, and never shorten",
        default=None,
    )
    passes: str | None = described(
        "train a feedback model by passes over all tokens at once: F+G, F without gradient and "
        "then G with one, such as 2+2; 0-6+2 lets F grow over training, 0~6+2 draws it at each "
        "step; None: train exactly, one token after another",
        default=None,
    )
    exact_last: float | None = described(
        "the share of the steps, at the end, that are exact where others go by passes; None: none",
        default=None,
    )
    largest_residual: float | None = described(
        "how far the last of the passes may move the memory vectors, relative to their length, as "
        "a mean over 50 steps; beyond it all further steps are exact; None: any distance",
        default=None,
    )
    seed: int = described("seed of weights, batches and dropout, 0 <= seed < 2^64", default=0)

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
        for name in ("learning_rate", "clip", "weight_decay", *MAY_BE_NONE):
            value = getattr(self, name)
            if value is None and name in MAY_BE_NONE:
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
        if self.passes is not None:
            Plan.parse(self.passes)
        elif self.exact_last is not None or self.largest_residual is not None:
            raise ValueError(
                "exact_last and largest_residual say when passes end; they need passes, such as "
                "'2+2'"
            )
        if self.exact_last is not None and self.exact_last > 1:
            raise ValueError(f"exact_last is {self.exact_last}; it is a share, at most 1")
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
    falling = max(1, settings.steps - settings.warm_up)
    done = max(0, step - settings.warm_up) / falling
    cosine = (1 + math.cos(math.pi * done)) / 2  # from 1 to 0
    return settings.learning_rate * rise * (0.1 + 0.9 * cosine)


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


@functools.cache  # a long schedule takes a moment
def tokens_to_come(settings: Settings) -> int:
    """The number of tokens that a run is trained on, where lengths follow the steps."""
    steps = range(1, settings.steps + 1)
    return settings.batch_size * sum(length_at(step, settings) for step in steps)
