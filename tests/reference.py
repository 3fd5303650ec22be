"""The equations of chapters 1, 2, 4 and 5 as plainly as possible: step by step, head by head."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class Masks:
    """Explicit dropout masks: the n-th use of a place in a layer always gets the same mask."""

    def __init__(self):
        self.generator = torch.Generator().manual_seed(3)
        self.drawn = {}

    def __call__(self, place: tuple, use: int, shape: tuple) -> Tensor:
        key = (*place, use)
        if key not in self.drawn:
            keep = torch.rand(shape, generator=self.generator, dtype=torch.float64) < 0.7
            self.drawn[key] = keep / 0.7
        assert self.drawn[key].shape == shape, key
        return self.drawn[key]

    def install(self, model: nn.Module) -> nn.Module:
        """Let every dropout of a model of ours draw its masks from here."""
        for number, layer in enumerate(model.layers):
            layer.dropout = Replay(self, (number, "residual"))
            layer.attention.dropout = Replay(self, (number, "attention"))
            layer.feed_forward.dropout = Replay(self, (number, "hidden"))
        return model


class Replay(nn.Module):
    def __init__(self, masks: Masks, place: tuple):
        super().__init__()
        self.masks, self.place, self.uses = masks, place, 0

    def forward(self, x: Tensor) -> Tensor:
        self.uses += 1
        return x * self.masks(self.place, self.uses - 1, tuple(x.shape))


def no_masks(place: tuple, use: int, shape: tuple) -> float:
    return torch.ones(shape, dtype=torch.float64)


def read_one_head(attention, z: Tensor, h: int, keys: list, values: list, distances: list, mask):
    """One head's reading at one step: z (B, d), keys and values lists of (B, k)."""
    k = z.shape[-1] // attention.heads
    query = z @ attention.query.weight[h * k : (h + 1) * k].T
    scores = []
    for key, distance in zip(keys, distances, strict=True):
        row = max(0, len(attention.s) - 1 - distance)  # `distance` counts from the nearest row
        content = ((query + attention.u[h]) * key).sum(-1)
        position = (query * attention.r[row, h]).sum(-1) + attention.s[row, h]
        scores.append((content + position) / math.sqrt(k))
    weights = torch.stack(scores, -1).softmax(-1) * mask  # (B, n)
    return sum(weights[:, [i]] * value for i, value in enumerate(values))


def feed_forward(layer, x: Tensor, hidden_mask, residual_mask) -> Tensor:
    hidden = torch.relu(layer.feed_forward.widen(layer.norm2(x))) * hidden_mask
    return x + layer.feed_forward.narrow(hidden) * residual_mask


def head_of(linear: nn.Linear, x: Tensor, h: int, heads: int) -> Tensor:
    return linear(x).chunk(heads, -1)[h]


def feedback(model, x: Tensor, masks=no_masks, memory_size: int | None = None) -> Tensor:
    """Both feedback models: (B, T, d) -> (B, T, d)."""
    B, T, d = x.shape
    H, mixture = model.config.heads, model.mixture.weights(x)
    memory, y = [], []
    for t in range(T):
        state = x[:, t]
        outputs = [state]
        first = 0 if memory_size is None else max(0, t - memory_size)
        for number, layer in enumerate(model.layers):
            project = model.keys_values[number % len(model.keys_values)]
            if t > 0:
                z = layer.norm1(state)
                attention_mask = masks((number, "attention"), t - 1, (B, H, 1, t - first))
                heads = [
                    read_one_head(
                        layer.attention,
                        z,
                        h,
                        [head_of(project.key, m, h, H) for m in memory[first:]],
                        [head_of(project.value, m, h, H) for m in memory[first:]],
                        [t - j - 1 for j in range(first, t)],
                        attention_mask[:, h, 0],
                    )
                    for h in range(H)
                ]
                residual_mask = masks((number, "residual"), 2 * t - 1, (B, 1, d))[:, 0]
                state = state + layer.attention.output(torch.cat(heads, -1)) * residual_mask
            state = feed_forward(
                layer,
                state,
                masks((number, "hidden"), t, (B, 1, model.config.d_ff))[:, 0],
                masks((number, "residual"), 2 * t, (B, 1, d))[:, 0],
            )
            outputs.append(state)
        memory.append(sum(weight * output for weight, output in zip(mixture, outputs, strict=True)))
        y.append(model.norm(state))
    return torch.stack(y, 1)


def parallel(model, x: Tensor, masks=no_masks, memory_size: int | None = None) -> Tensor:
    """The parallel model: (B, T, d) -> (B, T, d)."""
    B, T, d = x.shape
    H = model.config.heads
    for number, layer in enumerate(model.layers):
        z = layer.norm1(x)
        attention_mask = masks((number, "attention"), 0, (B, H, T, T))
        residual_masks = [masks((number, "residual"), use, (B, T, d)) for use in (0, 1)]
        hidden_mask = masks((number, "hidden"), 0, (B, T, model.config.d_ff))
        read = []
        for t in range(T):
            first = 0 if memory_size is None else max(0, t - memory_size)
            heads = [
                read_one_head(
                    layer.attention,
                    z[:, t],
                    h,
                    [head_of(layer.keys_values.key, z[:, j], h, H) for j in range(first, t + 1)],
                    [head_of(layer.keys_values.value, z[:, j], h, H) for j in range(first, t + 1)],
                    [t - j for j in range(first, t + 1)],
                    attention_mask[:, h, t, first : t + 1],
                )
                for h in range(H)
            ]
            read.append(layer.attention.output(torch.cat(heads, -1)))
        x = x + torch.stack(read, 1) * residual_masks[0]
        x = feed_forward(layer, x, hidden_mask, residual_masks[1])
    return model.norm(x)
