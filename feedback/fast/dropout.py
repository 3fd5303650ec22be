"""Dropout masks for all steps of a pass, drawn before its loop begins.

A loop over steps and layers draws a mask where it comes to one. Here all of them are drawn in that
very order, so that from the same seed every path drops the same numbers. On an accelerator, where
a call costs more than the numbers do, each dropout draws once for all steps: other numbers, of the
same distribution. Built in chapter 7b.

Shapes: B batch, d width, H heads, F feed-forward width, n keys read at a step.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn


class LayerMasks(NamedTuple):
    """The masks of one layer at one step: 0, or 1 / (1 - p); None where nothing is dropped.

    They are for the attention weights, what attention adds to the residual stream, the hidden
    vector, and what the feed-forward adds to the residual stream.
    """

    attention: Tensor | None  # M_a, (HB, 1, n)
    attention_output: Tensor | None  # M_o, (B, d)
    hidden: Tensor | None  # M_h, (B, F)
    feed_forward_output: Tensor | None  # M_2, (B, d)


NO_MASKS = LayerMasks(None, None, None, None)


def draw_masks(
    layers: nn.ModuleList, x: Tensor, key_counts: list[int]
) -> list[list[LayerMasks]] | None:
    """Draw the masks of all layers at all steps of x (B, T, d); None if nothing is dropped.

    Args:
        key_counts: for each step how many keys it reads; none means no attention at that step.

    Returns:
        For each step a list of L `LayerMasks`.
    """
    if dropout_is_off(layers):
        return None
    if x.device.type == "cpu":
        return [[draw_layer_masks(layer, x, n) for layer in layers] for n in key_counts]
    by_layer = [draw_in_three_calls(layer, x, key_counts) for layer in layers]  # L lists of T
    return [list(masks) for masks in zip(*by_layer, strict=True)]


def draw_layer_masks(layer: nn.Module, x: Tensor, n: int) -> LayerMasks:
    """Draw the masks of one layer at one step that reads n keys."""
    attention, hidden, residual = dropouts(layer)
    H, F, (B, _, d) = layer.attention.heads, layer.feed_forward.widen.out_features, x.shape

    def draw(dropout: nn.Module, *shape: int) -> Tensor:
        return dropout(x.new_ones(shape))

    attention_mask = attention_output = None
    if n:
        attention_mask = draw(attention, B, H, 1, n)
        attention_mask = attention_mask.transpose(0, 1).reshape(H * B, 1, n)  # (HB, 1, n)
        attention_output = draw(residual, B, 1, d)[:, 0]  # (B, d)
    return LayerMasks(
        attention=attention_mask,
        attention_output=attention_output,
        hidden=draw(hidden, B, 1, F)[:, 0],  # (B, F)
        feed_forward_output=draw(residual, B, 1, d)[:, 0],  # (B, d)
    )


def draw_masks_at_once(
    layers: nn.ModuleList, x: Tensor, reading: int, keys: int
) -> list[LayerMasks] | None:
    """Draw for each layer the masks of all steps of x (B, T, d); None if nothing is dropped.

    They are for passes (`passes.py`), and from one seed others than those of single steps.

    Args:
        reading, keys: how many steps read at all, R, and of how many keys, N.

    Returns:
        L `LayerMasks` of (B, H, R, N), (B, R, d), (B, T, F) and (B, T, d).
    """
    if dropout_is_off(layers):
        return None
    (B, T, d), found = x.shape, []
    for layer in layers:
        attention, hidden, residual = dropouts(layer)
        F, H = layer.feed_forward.widen.out_features, layer.attention.heads
        masks = LayerMasks(
            attention=attention(x.new_ones(B, H, reading, keys)),
            attention_output=residual(x.new_ones(B, reading, d)),
            hidden=hidden(x.new_ones(B, T, F)),
            feed_forward_output=residual(x.new_ones(B, T, d)),
        )
        found.append(masks)
    return found


def draw_in_three_calls(layer: nn.Module, x: Tensor, key_counts: list[int]) -> list[LayerMasks]:
    """Draw the masks of one layer at all steps, for each a `LayerMasks`, in three calls."""
    attention, hidden, residual = dropouts(layer)
    H, F, (B, T, d) = layer.attention.heads, layer.feed_forward.widen.out_features, x.shape
    sizes = [H * B * n for n in key_counts]
    of_attention = attention(x.new_ones(sum(sizes))).split(sizes)
    of_hidden = hidden(x.new_ones(T, B, F)).unbind()
    of_residual = residual(x.new_ones(T, 2, B, d)).unbind()
    return [
        LayerMasks(
            attention=of_attention[t].view(H * B, 1, n) if n else None,
            attention_output=of_residual[t][0] if n else None,
            hidden=of_hidden[t],
            feed_forward_output=of_residual[t][1],
        )
        for t, n in enumerate(key_counts)
    ]


def apply_mask(x: Tensor, mask: Tensor | None, out: Tensor) -> Tensor:
    """Write x with its mask to `out`: dropout forward, and its gradient backward."""
    return out.copy_(x) if mask is None else torch.mul(x, mask, out=out)


def dropouts(layer: nn.Module) -> tuple[nn.Module, nn.Module, nn.Module]:
    """The dropouts of attention weights, of the hidden vector and of both residuals."""
    return layer.attention.dropout, layer.feed_forward.dropout, layer.dropout


def dropout_is_off(layers: nn.ModuleList) -> bool:
    """Whether no dropout of these layers drops anything."""
    return all(is_off(dropout) for layer in layers for dropout in dropouts(layer))


def is_off(dropout: nn.Module) -> bool:
    return isinstance(dropout, nn.Dropout) and (dropout.p == 0 or not dropout.training)
