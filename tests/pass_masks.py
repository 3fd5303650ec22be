"""The dropout masks of the loop, as passes take them, so that the two can be compared."""

from __future__ import annotations

import torch
from torch import nn

from feedback.fast.dropout import LayerMasks, draw_masks


def joined(model: nn.Module, x: torch.Tensor, past: int, seed: int) -> list[LayerMasks]:
    """The dropout masks that the loop draws from this seed, as passes take them."""
    torch.manual_seed(seed)
    (B, T, _), H = x.shape, model.config.heads
    size = model.config.memory_size or past + T
    counts = [min(n, size) for n in range(past, past + T)]
    steps = draw_masks(model.layers, x, counts)
    first = int(past == 0)

    def of_layer(i: int) -> LayerMasks:
        masks = [step[i] for step in steps]
        attention = x.new_zeros(B, H, T - first, past + T - 1)
        for t in range(first, T):
            n, end = counts[t], past + t
            read = masks[t].attention.view(H, B, n).transpose(0, 1)
            attention[:, :, t - first, end - n : end] = read
        rows = [torch.stack([m[j] for m in masks[j == 1 and first :]], dim=1) for j in (1, 2, 3)]
        return LayerMasks(attention, *rows)

    return [of_layer(i) for i in range(len(model.layers))]
