"""The steps of the shared model forward, and what they leave behind for the way back.

Steps wait for one another, so the loop over them stays. What need not wait has left it: room for
results is made for all steps at once, and so are the first layer's norm and query. Autograd sees
none of this; `sequence.py` makes it one function. Built in chapter 7.

Shapes: B batch, T tokens, t step, d width, L layers, i layer, H heads, k = d / H, F feed-forward
width, n keys read at a step, N keys in all. Heads stand before the batch in what belongs to
attention, so that one product serves a head's whole batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from feedback.fast.dropout import NO_MASKS, LayerMasks, apply_mask
from feedback.fast.linear import LayerMaps, LinearMap, ready
from feedback.fast.scores import relative_scores
from feedback.fast.weights import FoldedWeights


class PassSettings(NamedTuple):
    """What both directions of a pass need besides tensors of numbers to compute with.

    Attributes:
        key_counts: for each step how many keys it reads.
        eps: what the norms add to a variance.
        masks: the dropout masks; None without dropout.
    """

    key_counts: list[int]  # T numbers
    eps: float
    masks: list[list[LayerMasks]] | None  # T lists of L

    def layer_masks(self, t: int, i: int) -> LayerMasks:
        """The dropout masks of layer i at step t."""
        return self.masks[t][i] if self.masks else NO_MASKS


class Activations(NamedTuple):
    """What the steps forward leave behind for the steps backward.

    Where the layer stands first, the steps of a block are rows of one matrix, as the gradients of
    weights need them.

    Attributes:
        kv: keys and values.
        states: the embedding and every layer's output.
        attention: the attention weights before dropout, those of one step behind those of another;
            see `split_attention`.
        reads: what attention has read, before W_o.
        middles: between the two sub-layers.
        hiddens: after relu and dropout.
    """

    kv: Tensor  # (2, HB, N, k)
    states: Tensor  # (T, L+1, B, d)
    queries: Tensor  # (T, L, H, B, k)
    attention: Tensor  # one long row: for each step L HB n numbers
    reads: Tensor  # (L, T, B, d)
    middles: Tensor  # (L, T, B, d)
    hiddens: Tensor  # (L, T, B, F)


class StepActivations(NamedTuple):
    """The part of `Activations` that belongs to one step, cut into layers."""

    states: Sequence[Tensor]  # L+1 times (B, d)
    queries: Sequence[Tensor]  # L times (H, B, k)
    attention: Sequence[Tensor]  # L times (HB, 1, n)
    reads: Sequence[Tensor]  # L times (B, d)
    middles: Sequence[Tensor]  # L times (B, d)
    hiddens: Sequence[Tensor]  # L times (B, F)


def allocate(
    settings: PassSettings, x: Tensor, past: Tensor, weights: FoldedWeights, keep: bool
) -> Activations:
    """Room for the activations of all steps, or of one step if none is kept."""
    (B, T, d), (_, HB, _, k) = x.shape, past.shape
    L, F = len(weights.layers), len(weights.layers[0].maps.widen.weight)
    steps, longest = T if keep else 1, max(settings.key_counts)
    return Activations(
        kv=torch.cat([past, x.new_empty(2, HB, T, k)], dim=2),
        states=x.new_empty(steps, L + 1, B, d),
        queries=x.new_empty(steps, L, HB // B, B, k),
        attention=x.new_empty(L * HB * (sum(settings.key_counts) if keep else longest)),
        reads=x.new_empty(L, steps, B, d),
        middles=x.new_empty(L, steps, B, d),
        hiddens=x.new_empty(L, steps, B, F),
    )


def split_attention(activations: Activations, key_counts: list[int]) -> list[Tensor]:
    """The attention weights of each step, (L, HB, 1, n); all the same memory if none is kept."""
    steps, L, H, B, _ = activations.queries.shape
    sizes = [L * H * B * n for n in key_counts]
    if steps == len(sizes):
        parts = activations.attention.split(sizes)
    else:
        parts = [activations.attention[:size] for size in sizes]
    return [part.view(L, H * B, 1, n) for part, n in zip(parts, key_counts, strict=True)]


def of_step(t: int, *parts: Tensor) -> list[tuple[Tensor, ...]]:
    """From each part (L, T, ...) what belongs to step t, as a tuple of L tensors."""
    return [part[:, t].unbind() for part in parts]


def at_step(activations: Activations, attention: Tensor, t: int) -> StepActivations:
    """The activations of step t, layer by layer, with its attention weights (L, HB, 1, n)."""
    reads, middles, hiddens = of_step(
        t, activations.reads, activations.middles, activations.hiddens
    )
    states, queries = activations.states[t].unbind(), activations.queries[t].unbind()
    return StepActivations(states, queries, attention.unbind(), reads, middles, hiddens)


class Normalized(NamedTuple):
    """x normalised without gain and bias, its mean and 1 / its standard deviation."""

    x: Tensor
    mean: Tensor
    scale: Tensor


def normalize(x: Tensor, eps: float) -> Normalized:
    """LayerNorm without gain and bias, which `fold_layer` has worked into the weights."""
    return Normalized(*torch.native_layer_norm(x, x.shape[-1:], None, None, eps))


def add_to_residual(linear: LinearMap, x: Tensor, state: Tensor, mask: Tensor | None) -> Tensor:
    """state + dropout(linear(x))."""
    if mask is None:
        return linear(x, plus=state)
    return torch.addcmul(state, linear(x), mask)


class Forward:
    """The steps forward, one after another.

    Args:
        x: (B, T, d), the embeddings.
        past: (2, HB, n, k), keys and values carried over.
        keep: whether a way back follows; otherwise each step overwrites the one before.
    """

    def __init__(
        self, settings: PassSettings, x: Tensor, past: Tensor, weights: FoldedWeights, keep: bool
    ):
        (B, T, _), (_, HB, self.past, k) = x.shape, past.shape
        self.settings, self.x, self.weights, self.keep = settings, x, weights, keep
        self.activations = allocate(settings, x, past, weights, keep)
        self.attention = split_attention(self.activations, settings.key_counts)
        self.maps = [
            LayerMaps(*(ready(affine.weight, affine.bias, B) for affine in layer.maps))
            for layer in weights.layers
        ]
        self.to_keys_values = ready(weights.project_kv, None, B)
        # The first layer's queries need nothing but the embeddings: all steps at once.
        normal = normalize(x.transpose(0, 1), settings.eps).x.flatten(0, 1)  # (TB, d)
        queries = self.maps[0].query(normal).view(T, B, HB // B, k)  # (T, B, H, k)
        self.first_queries = queries.transpose(1, 2)  # (T, H, B, k)

    def run(self) -> Tensor:
        """Take all steps. Returns the last layer's outputs, (B, T, d)."""
        return torch.stack([self.step(t) for t in range(self.x.shape[1])], dim=1)

    def step(self, t: int) -> Tensor:
        """Take step t and put its key and value behind the others. Returns its output, (B, d)."""
        n, end = self.settings.key_counts[t], self.past + t
        slot = t if self.keep else 0
        now = at_step(self.activations, self.attention[t], slot)
        read = slice(end - n, end)
        keys, values = self.activations.kv[:, :, read].unbind()  # (HB, n, k) each
        keys = keys.transpose(1, 2)  # (HB, k, n)
        state = now.states[0].copy_(self.x[:, t])  # (B, d)
        for i in range(len(self.maps)):
            masks = self.settings.layer_masks(t, i)
            if n:
                now.queries[i].copy_(self.query(t, i, state))
                self.attend(i, now, keys, values, masks)
            else:
                now.queries[i].zero_()  # the way back multiplies with both
                now.reads[i].zero_()
                now.middles[i].copy_(state)
            state = self.feed_forward(i, now, masks)
        self.remember(end, self.activations.states[slot])
        return state

    def query(self, t: int, i: int, state: Tensor) -> Tensor:
        """The query of layer i, (H, B, k), from its input (B, d)."""
        if i == 0:
            return self.first_queries[t]
        _, H, B, k = self.first_queries.shape
        query = self.maps[i].query(normalize(state, self.settings.eps).x)  # (B, d)
        return query.view(B, H, k).transpose(0, 1)  # (H, B, k)

    def attend(
        self, i: int, now: StepActivations, keys: Tensor, values: Tensor, masks: LayerMasks
    ) -> None:
        """Read keys (HB, k, n) and values (HB, n, k), and add what was read to the state."""
        query, read = now.queries[i], now.reads[i]  # (H, B, k), (B, d)
        _, r, s = self.weights.layers[i]
        H, B, k = query.shape
        scores = relative_scores(query, query, keys, r, s)  # (HB, 1, n)
        attention = torch.softmax(scores, -1, out=now.attention[i])
        if masks.attention is not None:
            attention = attention * masks.attention
        by_head = torch.bmm(attention, values).view(H, B, k)
        read.view(B, H, k).copy_(by_head.transpose(0, 1))
        output, mask = self.maps[i].output, masks.attention_output
        z = add_to_residual(output, read, now.states[i], mask)  # (B, d)
        now.middles[i].copy_(z)

    def feed_forward(self, i: int, now: StepActivations, masks: LayerMasks) -> Tensor:
        """From the middle of layer i to its output, (B, d)."""
        maps, middle = self.maps[i], now.middles[i]
        normal = normalize(middle, self.settings.eps).x  # (B, d)
        hidden = maps.widen(normal, relu=True)  # (B, F)
        hidden = apply_mask(hidden, masks.hidden, out=now.hiddens[i])
        mask = masks.feed_forward_output
        output = add_to_residual(maps.narrow, hidden, middle, mask)  # (B, d)
        now.states[i + 1].copy_(output)
        return output

    def remember(self, end: int, states: Tensor) -> None:
        """Mix the states (L+1, B, d) into a memory vector; its key and value are number `end`."""
        _, H, B, k = self.first_queries.shape
        memory = (self.weights.mixture @ states.flatten(1)).view(B, -1)  # (B, d)
        new = self.to_keys_values(memory).view(B, 2, H, k)
        kv = self.activations.kv.view(2, H, B, -1, k)
        kv[:, :, :, end] = new.permute(1, 2, 0, 3)  # (2, H, B, k)
