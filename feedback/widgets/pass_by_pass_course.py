"""What passes find one after another, and in which state each token is after so many of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from feedback.fast.passes import begin, distance, one_pass
from feedback.language_model import LanguageModel, evaluating


class Course(NamedTuple):
    """What each of P passes over T tokens finds, and what the exact model answers.

    Attributes:
        moved: (P, T), how far a pass moved each memory vector, relative to its length.
        answers: (P, T) int64, the likeliest token at each place after a pass.
        losses: (P,), the mean loss after a pass, in nats a label.
        exact: (T,) int64, the likeliest tokens of the exact model; `exact_loss`: its loss.
    """

    moved: Tensor
    answers: Tensor
    losses: Tensor
    exact: Tensor
    exact_loss: float


class Count(NamedTuple):
    """How many tokens are exact for certain, have settled and still move, and how many answers are
    those of the exact model."""

    exact: int
    settled: int
    moving: int
    same: int


@torch.no_grad()
def course_of(model: LanguageModel, tokens: Tensor, labels: Tensor, most: int) -> Course:
    """Pass over tokens (T,) up to `most` times, dropout off; after T passes nothing changes.

    Args:
        model: a language model with feedback.
        labels: (T,), what is to be answered; `feedback.tasks.NO_LABEL` where nothing is.

    Raises:
        TypeError, ValueError: as `feedback.fast.passes.begin`.
    """
    with evaluating(model):
        x = model.embedding(tokens[None])
        segment, vectors = begin(model.core, x), x
        moved, logits = [], []
        for _ in range(min(most, len(tokens))):
            before, found = vectors, one_pass(segment, vectors)
            vectors = found.vectors
            moved.append(distance(vectors, before)[0])
            logits.append(model.head(model.core.norm(found.states))[0])
        exact = model(tokens[None])[0]
    losses = [F.cross_entropy(each, labels) for each in (*logits, exact)]
    answers = torch.stack(logits).argmax(-1)
    return Course(
        torch.stack(moved), answers, torch.stack(losses[:-1]), exact.argmax(-1), losses[-1].item()
    )


def count(
    moved: Sequence, answers: Sequence, exact: Sequence, passes: int, tolerance: float
) -> Count:
    """How T tokens stand after so many passes.

    The first `passes` are exact for certain. Of the others those have settled whose memory vector
    the last pass moved by at most the tolerance.

    Args:
        moved, answers: (T,), what the last pass moved and what it answers.
        exact: (T,), what the exact model answers.
    """
    certain = min(passes, len(moved))
    settled = sum(far <= tolerance for far in moved[certain:])
    same = sum(one == other for one, other in zip(answers, exact, strict=True))
    return Count(certain, settled, len(moved) - certain - settled, same)
