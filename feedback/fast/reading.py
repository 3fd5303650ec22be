"""Reading a prompt by passes: a window that slides over the tokens behind an exact past.

The tokens of a window are passed over again and again, reading the memory of all tokens before the
window. Those at its front that a pass has no longer moved join that memory, and as many fresh ones
enter behind. The first token of a window reads nothing but the past, so that each pass finishes at
least one, and there are never more passes than tokens. A tolerance of 0 reads exactly.

Whether this is quicker than reading step by step depends on the machine: a pass over C tokens reads
every weight once where C steps read it C times, but each token is passed over several times. The
models do not read by passes unless asked to. Chapter 12.

Shapes: B batch, T tokens, d width, C tokens of a window.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from feedback.cache import Memory
from feedback.config import whole_number
from feedback.fast.passes import (
    Segment,
    begin,
    checked_tolerance,
    distance,
    one_pass,
    remember,
    segment_of,
)
from feedback.language_model import LanguageModel, evaluating


class Reading(NamedTuple):
    """A prompt that was read.

    Attributes:
        logits: (B, T, V), approximate within a tolerance; [:, -1] is what generation begins with.
        memory: as the model itself would leave it, within the same tolerance.
        passes: how many passes over a window there were; at most T.
        passed: how many tokens they have passed over in all, of each row: T or more.
    """

    logits: Tensor
    memory: Memory
    passes: int
    passed: int


@torch.no_grad()
def read(
    model: LanguageModel,
    tokens: Tensor,
    memory: Memory | None = None,
    window: int = 32,
    tolerance: float = 1e-3,
) -> Reading:
    """Read tokens (B, T) that follow `memory`, by passes, with dropout off and no gradient.

    Args:
        model: a language model that feeds back.
        window: tokens that are passed over at once, C >= 1. 1 reads step by step.
        tolerance: how far a pass may move the memory vector of a token, relative to its length,
            for the token to count as read; at least 0. In a batch it holds for all rows.

    Raises:
        TypeError, ValueError: an argument of the wrong type or out of range, before any work; a
            parallel model, which reads in one pass by itself.
    """
    model.check_tokens(tokens, rank=2)
    window, tolerance = whole_number("window", window, 1), checked_tolerance(tolerance)
    states, passes, passed = [], 0, 0
    with evaluating(model):
        x = model.embedding(tokens)  # (B, T, d)
        segment = begin(model.core, x, memory)
        for after, state, count in windows(segment, window, tolerance):
            states.append(state)
            memory, passes, passed = after, passes + 1, passed + count
        logits = model.head(model.core.norm(torch.cat(states, dim=1)))
    assert memory is not None  # there is at least one token
    return Reading(logits, memory, passes, passed)


def windows(whole: Segment, size: int, tolerance: float) -> Iterator[tuple[Memory, Tensor, int]]:
    """Slide a window over a segment, a pass at a time.

    Yields:
        The memory with what the pass has finished, at least one token; the states of these (B, t,
        d); and how many tokens it has passed over.
    """
    model, x, memory = whole.model, whole.x, whole.memory
    vectors = x[:, :size]
    while x.shape[1]:
        segment = segment_of(model, x[:, :size], memory)
        found = one_pass(segment, vectors)
        done = finished(distance(found.vectors, vectors), tolerance)
        memory = remember(segment, found.vectors[:, :done])
        yield memory, found.states[:, :done], segment.x.shape[1]
        vectors = torch.cat([found.vectors[:, done:], x[:, size : size + done]], dim=1)
        x = x[:, done:]


def finished(moved: Tensor, tolerance: float) -> int:
    """How many tokens at the front of a window are read, given how far the pass moved each (B, C).

    The first one is, however far it moved: it reads the past alone.
    """
    still = (moved <= tolerance).all(dim=0)  # (C,)
    still[0] = True
    return int(still.cumprod(0).sum())
