"""What an experiment is: variants that go through the same search, each trained with some seeds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from feedback import data
from feedback.config import Config
from feedback.tasks import HELD_OUT, TASKS, Composition, Task
from feedback.training import Settings

SEARCH_SEED = 1000
# Behind the name of a task:
ANY_LENGTH = ", any length"
BEGIN = ", begin"


class AnyLength(Task):
    """A task whose batches have rows of any length up to the one asked for, drawn evenly.

    What is held out has the length asked for.
    """

    def __init__(self, task: Task):
        self.task, self.name, self.words = task, task.name + ANY_LENGTH, task.words

    def batch(
        self, batch_size: int, length: int, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Inputs and labels, both (B, T), 1 <= T <= `length`."""
        drawn = torch.randint(1, length + 1, (), generator=generator).item()
        return self.task.batch(batch_size, int(drawn), generator)

    def held_out(self, length: int, seed: int = HELD_OUT) -> Iterator[tuple[Tensor, Tensor]]:
        """Those of the task."""
        return self.task.held_out(length, seed)

    def baseline(self, inputs: Tensor, labels: Tensor) -> Tensor:
        """That of the task, (B, T)."""
        return self.task.baseline(inputs, labels)


class Begun(Task):
    """A composition whose rows begin with a token of its own, to be answered with the first state.

    Attention without feedback averages values, and equal values have the same average however many
    they are: without such a token a row of one swap and a row of two look the same.
    """

    def __init__(self, task: Composition):
        self.task, self.name, self.words = task, task.name + BEGIN, (*task.words, "begin")

    def batch(
        self, batch_size: int, length: int, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Inputs and labels, both (B, T), T >= 2."""
        begin = torch.full((batch_size, 1), len(self.task.words))
        inputs, labels = self.task.batch(batch_size, length - 1, generator)
        start = torch.zeros_like(begin)  # token 0 changes nothing
        return torch.cat((begin, inputs), dim=1), torch.cat((start, labels), dim=1)

    def baseline(self, inputs: Tensor, labels: Tensor) -> Tensor:
        """That of the task, (B, T); the first token is answered right."""
        return torch.cat((labels[:, :1], self.task.baseline(inputs, labels)[:, 1:]), dim=1)


@dataclass(frozen=True)
class Variant:
    """One side of a comparison.

    Attributes:
        name: unique within its experiment.
        source: the name of a task, also with `ANY_LENGTH` or `BEGIN` behind it, or "text".
        config, settings: of `feedback.training.train`; search and seeds change the settings.
        after: the variant of the same experiment whose trained model this one starts from.
        kept: keep the trained weights of the results; see `runs.keep_weights`.
    """

    name: str
    source: str
    config: Config
    settings: Settings
    after: str | None = None
    kept: bool = False


@dataclass(frozen=True)
class Experiment:
    """Variants that are compared.

    Attributes:
        question: what the comparison is to answer.
        search: changes of the settings that every variant tries, with seed `SEARCH_SEED`; the one
            with the lowest loss at the end is taken. Empty: every variant keeps its settings.
        seeds: of the runs that are results.
        ends: answers are counted in spans of tokens, and these are the last tokens of the spans,
            counted from 1; empty for no count.
        apart: the search is judged on examples that are used for nothing else; otherwise on those
            on which the runs are validated.
    """

    question: str
    variants: tuple[Variant, ...]
    search: tuple[dict, ...]
    seeds: tuple[int, ...]
    ends: tuple[int, ...] = ()
    apart: bool = False


def source(name: str, length: int) -> data.Text | Task:
    """The task of this name, or Tiny Shakespeare in windows of up to `length` tokens.

    Raises:
        ValueError: Tiny Shakespeare is not to be had.
    """
    if name != "text":
        for ending, kind in (ANY_LENGTH, AnyLength), (BEGIN, Begun):
            if name.endswith(ending):
                return kind(TASKS[name.removesuffix(ending)])
        return TASKS[name]
    corpus = data.tiny_shakespeare()
    if corpus.source.startswith("NOT"):
        raise ValueError(corpus.source)
    return data.Text(corpus, length)


def to_choose(name: str, length: int, asked: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Inputs and labels, both (B, T), on which a search is judged and nothing else is.

    Of a task 512 examples, of the text 63 windows: each of those ends where a held-out window
    begins, so that they share no token as long as windows are shorter than the gaps.

    Args:
        name: as `source` takes it.
        length: T of the windows that are trained on, and of these.
        asked: tokens of the held-out windows on which results are counted.
    """
    where = source(name, length)
    if isinstance(where, Task):
        yield from where.held_out(length, HELD_OUT + 1)
        return
    starts = where.starts(asked)[1:] - length - 1
    windows = where.validation[starts[:, None] + torch.arange(length + 1)]
    yield windows[:, :-1], windows[:, 1:]
