"""Training by passes: a few over all steps of a window at once, instead of one step after another.

Some passes come without a gradient, from the embeddings on, and some with one, through which the
gradient flows. That is neither the model's own output nor its gradient, but both come near where
the memory settles in a few passes, and every pass is as parallel as the parallel model. How far the
last pass has moved the memory vectors, the residual, says whether it has settled; evaluations are
exact. `feedback.fast.passes` has the passes themselves. Chapter 12.

Shapes: B batch, T tokens, V tokens of the vocabulary.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, distributed, nn

from feedback.fast.passes import run_passes
from feedback.language_model import LanguageModel
from feedback.training.processes import rank_and_world_size

if TYPE_CHECKING:
    from feedback.config import Config
    from feedback.training.settings import Settings
    from feedback.training.state import TrainingState

FORM = re.compile(r"(\d+)(?:([-~])(\d+))?\+(\d+)")
WATCHED = 50  # steps by passes over whose mean residual the guard decides


@dataclass(frozen=True)
class Plan:
    """How many passes a step takes, free ones without gradient and then graded ones.

    Attributes:
        least, most: of the free passes.
        random: drawn evenly between the two at each step; otherwise they grow over training.
        graded: how many with gradient, at least 1.
    """

    least: int
    most: int
    random: bool
    graded: int

    @classmethod
    def parse(cls, words: str) -> Plan:
        """Read "2+2", "0-6+2" (free passes grow from 0 to 6) or "0~6+2" (drawn at each step).

        Raises:
            TypeError, ValueError: it is no text, or has another form.
        """
        if not isinstance(words, str):
            raise TypeError(f"passes is {words!r}; it must be text such as '2+2'")
        found = FORM.fullmatch(words)
        if found is None or int(found[4]) < 1 or int(found[3] or found[1]) < int(found[1]):
            raise ValueError(
                f"passes is {words!r}; it must be F+G, F passes without gradient and then G >= 1 "
                "with one, such as '2+2'. F may be a range: '0-6+2' grows over training, '0~6+2' "
                "is drawn anew at each step"
            )
        least, most = int(found[1]), int(found[3] or found[1])
        return cls(least, most, found[2] == "~", int(found[4]))

    def free(self, done: float, generator: torch.Generator) -> int:
        """The number of free passes, of which only a random one takes from the generator.

        Args:
            done: the share of the steps by passes that were taken before this one, 0 to 1.
        """
        if self.random:
            drawn = torch.randint(self.least, self.most + 1, (), generator=generator)
            return int(drawn.item())
        return min(self.least + int(done * (self.most - self.least + 1)), self.most)


def check_passes(config: Config, settings: Settings) -> None:
    """Refuse passes for a model that has no memory to settle.

    Raises:
        ValueError: the model is the parallel one.
    """
    if settings.passes is not None and config.model == "parallel":
        raise ValueError(
            f"passes {settings.passes!r} are for models that feed back; the parallel model takes "
            "one pass as it is"
        )


def last_by_passes(settings: Settings) -> int:
    """The last step that may be taken by passes; 0 where none is."""
    if settings.passes is None:
        return 0
    return settings.steps - round(settings.steps * (settings.exact_last or 0))


class Trainee(nn.Module):
    """A language model as it is trained at a step: exactly, or by passes.

    Attributes:
        model: the language model, which evaluations and checkpoints take.
        passes: free and graded passes of the next call; None: it is exact.
        residuals: for each call by passes at which nobody has looked yet, how far its last pass has
            moved the memory vectors, relative to their length, as a mean over the batch.
    """

    def __init__(self, model: LanguageModel):
        super().__init__()
        self.model = model
        self.passes: tuple[int, int] | None = None
        self.residuals: list[Tensor] = []

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits (B, T, V) of tokens (B, T)."""
        if self.passes is None:
            return self.model(tokens)
        self.model.check_tokens(tokens, rank=2)
        found = run_passes(self.model.core, self.model.embedding(tokens), *self.passes)
        self.residuals.append(found.moved.mean())
        return self.model.head(found.outputs)


def choose_passes(
    trainee: Trainee, state: TrainingState, settings: Settings, generator: torch.Generator
) -> None:
    """Set how the trainee takes the step that `state` names."""
    last = last_by_passes(settings)
    trainee.passes = None
    if settings.passes is not None and state.step <= last and not state.back_to_exact:
        plan = Plan.parse(settings.passes)
        trainee.passes = plan.free((state.step - 1) / last, generator), plan.graded


def watch(trainee: Trainee, state: TrainingState, settings: Settings) -> None:
    """Count the residuals that are new, and go back to exact steps where they stay large.

    An accelerator is waited for, so the loop asks when it looks at losses.
    """
    if not trainee.residuals:
        return
    residuals, (_, processes) = torch.stack(trainee.residuals), rank_and_world_size()
    trainee.residuals = []
    if processes > 1:  # all decide alike
        distributed.all_reduce(residuals, distributed.ReduceOp.SUM)
    largest = settings.largest_residual
    for residual in residuals.tolist():
        state.count_residual(residual / processes)
        if state.watched == WATCHED:
            if largest is not None and state.watched_residuals / WATCHED > largest:
                state.back_to_exact = True
            state.watched, state.watched_residuals = 0, 0.0
