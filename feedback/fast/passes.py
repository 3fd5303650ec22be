"""The recurrence in parallel: passes over the whole segment instead of one step after another.

In a pass every layer runs over all steps at once and reads, at each earlier step, the memory vector
of the pass before. What comes out is a new memory vector for each step. The first pass reads the
embeddings in their place.

The memory vectors of the model itself are those that a pass leaves as they are: M = G(M). A step
reads steps before it and no others, so that after i passes the first i steps are exact, and after T
passes all are, whatever the weights. Fewer passes are an approximation; how good it is depends on
what the model has learned. Chapter 12.

Shapes: B batch, T steps, t step, d width, H heads, k = d / H, F feed-forward width, n steps carried
over, N = n + T - 1 keys that can be read, R steps that read any: T, or T - 1 where n = 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import cycle
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from feedback.attention import Attention, causal_mask, merge_heads, split_heads
from feedback.cache import Memory
from feedback.config import is_number, whole_number
from feedback.fast.dropout import NO_MASKS, LayerMasks, draw_masks_at_once
from feedback.fast.eligibility import why_not_fast_path
from feedback.memory import FeedbackTransformer
from feedback.shared_kv import FeedbackTransformerKV


class Segment(NamedTuple):
    """What all passes over the same steps have in common.

    Attributes:
        model: a `FeedbackTransformer` or `FeedbackTransformerKV`.
        x: (B, T, d), the embeddings.
        memory: what was carried over.
        hidden: (R, N), minus infinity where a step does not read a key, and 0 where it does.
        masks: the dropout masks of each layer, the same in all passes.
    """

    model: FeedbackTransformer
    x: Tensor
    memory: Memory
    hidden: Tensor
    masks: Sequence[LayerMasks]


class Pass(NamedTuple):
    """What one pass computes.

    Attributes:
        states: (B, T, d), the last layer's outputs, before the last norm.
        vectors: (B, T, d), the memory vectors that the next pass reads.
    """

    states: Tensor
    vectors: Tensor


class Outcome(NamedTuple):
    """What the last of several passes has computed, and how far it can be trusted.

    Attributes:
        segment: what was passed over.
        outputs: (B, T, d), as the model itself gives them.
        vectors: (B, T, d), the memory vectors.
        moved: (B, T), how far the last pass has moved each memory vector: the length of the
            difference over the length of the vector. It gives an idea of the error, and no bound.
        passes: how many there were.
    """

    segment: Segment
    outputs: Tensor
    vectors: Tensor
    moved: Tensor
    passes: int

    @property
    def exact(self) -> int:
        """How many steps are exact for certain, counted from the first; the others approximate.

        As many as there were passes; all of them if the last pass has moved nothing.
        """
        T = self.moved.shape[1]
        return min(self.passes, T) if self.moved.any() else T

    @property
    def memory(self) -> Memory:
        """What the next segment starts from, of which as many steps are exact."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.vectors.requires_grad):
            return remember(self.segment, self.vectors)


def begin(
    model: nn.Module,
    x: Tensor,
    memory: Memory | None = None,
    masks: Sequence[LayerMasks] | None = None,
) -> Segment:
    """Check a segment before any work, and prepare what every pass over it needs.

    Args:
        model: a `FeedbackTransformer` or `FeedbackTransformerKV`.
        x: (B, T, d), embeddings; `memory`: what they follow.
        masks: for each layer the dropout masks, as `draw_masks_at_once` draws them; None draws
            them, if the model is in training mode and has dropout.

    Raises:
        TypeError: the model is not one that feeds back.
        TypeError, ValueError: x or the memory do not fit the model.
        ValueError: the model has hooks or replaced parts, which passes would leave out.
    """
    if not isinstance(model, FeedbackTransformer):
        raise TypeError(
            f"the model is a {type(model).__name__}; passes are for feedback models, and the "
            "parallel model needs but one"
        )
    shared = isinstance(model, FeedbackTransformerKV)
    kind = FeedbackTransformerKV if shared else FeedbackTransformer
    if (reason := why_not_fast_path(model, kind, ())) is not None:
        raise ValueError(f"{reason}, which passes would leave out: run the model without them")
    memory = model.start(x, memory, sets=len(model.keys_values))
    segment = segment_of(model, x, memory)
    if masks is None:
        masks = draw_masks_at_once(model.layers, x, *segment.hidden.shape)
    return segment if masks is None else segment._replace(masks=masks)


def segment_of(model: FeedbackTransformer, x: Tensor, memory: Memory) -> Segment:
    """Do what `begin` does without its checks, and without dropout."""
    T, n = x.shape[1], len(memory)
    reading, keys = T - (n == 0), n + T - 1
    unread = ~causal_mask(reading, keys, x.device)
    size = model.config.memory_size
    if size is not None:
        unread |= causal_mask(reading, keys, x.device).tril(keys - reading - size)
    hidden = x.new_zeros(reading, keys).masked_fill_(unread, -math.inf)
    return Segment(model, x, memory, hidden, [NO_MASKS] * len(model.layers))


def one_pass(segment: Segment, vectors: Tensor) -> Pass:
    """Run all layers over all steps at once, reading the memory vectors given, (B, T, d)."""
    model, x = segment.model, segment.x
    pairs = keys_values(segment, vectors[:, :-1])  # nobody reads the last step
    outputs = [x]
    for layer, masks, (keys, values) in zip(
        model.layers, segment.masks, cycle(pairs), strict=False
    ):
        x = through_layer(layer, x, keys, values, segment.hidden, masks)
        outputs.append(x)
    return Pass(x, model.mixture(outputs))


def keys_values(segment: Segment, vectors: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Keys and values (B, H, n + t, k) of what was carried over and of memory vectors (B, t, d)."""
    past = zip(segment.memory.keys, segment.memory.values, strict=True)
    pairs = []
    for project, (keys, values) in zip(segment.model.keys_values, past, strict=True):
        key, value = project(vectors)
        pairs.append((torch.cat([keys, key], dim=2), torch.cat([values, value], dim=2)))
    return pairs


def through_layer(
    layer: nn.Module, x: Tensor, keys: Tensor, values: Tensor, hidden: Tensor, masks: LayerMasks
) -> Tensor:
    """Do what `Layer.forward` does, (B, T, d) -> (B, T, d), reading keys and values (B, H, N, k).

    Steps that read nothing stand first, and skip attention.
    """
    first, feed_forward = x.shape[1] - len(hidden), layer.feed_forward
    if hidden.numel():
        z = layer.norm1(x[:, first:])
        read = attend(layer.attention, z, keys, values, hidden, masks.attention)
        x = x + F.pad(masked(read, masks.attention_output), (0, 0, first, 0))
    wide = feed_forward.widen(layer.norm2(x)).relu()
    wide = feed_forward.narrow(masked(wide, masks.hidden))
    return x + masked(wide, masks.feed_forward_output)


def attend(
    attention: Attention,
    z: Tensor,
    keys: Tensor,
    values: Tensor,
    hidden: Tensor,
    mask: Tensor | None,
) -> Tensor:
    """Do what `Attention.forward` does, (B, R, d) -> (B, R, d), with keys hidden as told."""
    query = split_heads(attention.query(z), attention.heads)  # (B, H, R, k)
    weights = (attention.scores(query, keys) + hidden).softmax(-1)  # (B, H, R, N)
    return attention.output(merge_heads(masked(weights, mask) @ values))


def masked(x: Tensor, mask: Tensor | None) -> Tensor:
    """Dropout with a mask that is given."""
    return x if mask is None else x * mask


def distance(new: Tensor, old: Tensor) -> Tensor:
    """How far memory vectors (B, T, d) have moved, relative to their length: (B, T)."""
    new, old = new.detach(), old.detach()
    return (new - old).norm(dim=-1) / new.norm(dim=-1).clamp(min=torch.finfo(new.dtype).tiny)


def remember(segment: Segment, vectors: Tensor) -> Memory:
    """The memory carried over, with memory vectors (B, t, d) behind it."""
    pairs = keys_values(segment, vectors)
    return segment.model.remember([keys for keys, _ in pairs], [values for _, values in pairs])


def checked_tolerance(tolerance: float) -> float:
    """The tolerance, or TypeError or ValueError where it is no number of at least 0."""
    if not is_number(tolerance):
        raise TypeError(f"tolerance is {tolerance!r}; it must be a number")
    if not tolerance >= 0:
        raise ValueError(f"tolerance is {tolerance}; it must be at least 0")
    return tolerance


def run_passes(
    model: nn.Module,
    x: Tensor,
    free: int,
    graded: int,
    memory: Memory | None = None,
    masks: Sequence[LayerMasks] | None = None,
) -> Outcome:
    """Take passes from the embeddings on, first some without gradient and then some with.

    The gradient is that of the graded passes alone: what they read of the last free one counts as
    given. With free=0 it is that of all passes, which is the exact one where they are T.

    Args:
        model, x, memory, masks: as `begin` takes them.
        free, graded: how many passes of each kind, together at least 1.

    Raises:
        TypeError, ValueError: as `begin`; or a number of passes is out of range.
    """
    free, graded = whole_number("free", free, 0), whole_number("graded", graded, 0)
    if free + graded == 0:
        raise ValueError("free and graded are 0; there must be at least one pass")
    segment = begin(model, x, memory, masks)
    last, wanted = Pass(x, x), torch.is_grad_enabled()
    for number in range(free + graded):
        with torch.set_grad_enabled(wanted and number >= free):
            before, last = last.vectors, one_pass(segment, last.vectors)
    with torch.set_grad_enabled(wanted and graded > 0):
        outputs = model.norm(last.states)
    moved = distance(last.vectors, before)
    return Outcome(segment, outputs, last.vectors, moved, free + graded)


@torch.no_grad()
def converge(
    model: nn.Module,
    x: Tensor,
    tolerance: float = 1e-4,
    most: int | None = None,
    memory: Memory | None = None,
    masks: Sequence[LayerMasks] | None = None,
) -> Outcome:
    """Take passes until the last one has moved no memory vector by more than a tolerance.

    There is no gradient; `implicit.py` has the exact one.

    Args:
        model, x, memory, masks: as `begin` takes them.
        tolerance: on the largest of `Outcome.moved`, at least 0. 0 ends with the exact outputs.
        most: passes to stop after all the same; None: T, after which all is exact.

    Raises:
        TypeError, ValueError: as `begin`; or tolerance or most is out of range.
    """
    tolerance = checked_tolerance(tolerance)
    most = x.shape[1] if most is None else whole_number("most", most, 1)
    segment = begin(model, x, memory, masks)
    last, before, passes = settle(segment, tolerance, most)
    moved = distance(last.vectors, before)
    return Outcome(segment, model.norm(last.states), last.vectors, moved, passes)


@torch.no_grad()
def settle(segment: Segment, tolerance: float, most: int) -> tuple[Pass, Tensor, int]:
    """The last of up to `most` passes, the memory vectors that it has read, and which one it is."""
    last, moved, passes = Pass(segment.x, segment.x), math.inf, 0
    while moved > tolerance and passes < min(most, segment.x.shape[1]):
        before, last = last.vectors, one_pass(segment, last.vectors)
        moved, passes = distance(last.vectors, before).max().item(), passes + 1
    return last, before, passes
