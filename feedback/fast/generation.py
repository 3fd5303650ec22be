"""One token after another without gradients: the weights where they lie, and a cache that grows.

What `LanguageModel.step` and `generate` run on. It computes what the models compute, in fewer
operations; the models themselves stay the plain account.

Shapes: B batch, d width, L layers, H heads, k = d / H, n keys read, S distances, V tokens.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from feedback.cache import Memory, Room
from feedback.fast.weights import in_place, product


class Stepper:
    """The weights of a language model at hand for single steps.

    Args:
        model: whose weights are read.
        rows: None reads them where they lie, so that every step sees them as they are. A number B
            copies them as they are right now, in the layout that suits a batch of B.
    """

    def __init__(self, model: nn.Module, rows: int | None = None):
        self.config, core = model.core.config, model.core
        self.start = core.start
        self.parallel = self.config.model == "parallel"
        self.scale = 1 / math.sqrt(self.config.d_model // self.config.heads)

        def own(x: Tensor | None) -> Tensor | None:
            return x if rows is None or x is None else x.clone()

        def linear(z: nn.Linear) -> tuple:
            multiply = in_place if rows is None or rows == 1 else product
            return multiply(own(z.weight)), own(z.bias)

        def norm(z: nn.LayerNorm) -> tuple:
            return z.normalized_shape, own(z.weight), own(z.bias), z.eps

        def taken_apart(layer: nn.Module) -> tuple:
            attention, feed_forward = layer.attention, layer.feed_forward
            u, r, s = own(attention.u), own(attention.r), own(attention.s)
            return (
                norm(layer.norm1),
                linear(attention.query)[0],
                (u.flatten(), r.permute(1, 2, 0), s.T[:, None]),  # (d,), (H, k, S), (H, 1, S)
                linear(attention.output),
                norm(layer.norm2),
                linear(feed_forward.widen),
                linear(feed_forward.narrow),
            )

        def projections(pairs: Iterable[nn.Module]) -> list[tuple]:
            return [linear(z) for pair in pairs for z in (pair.key, pair.value)]

        self.embedding = own(model.embedding.weight)
        self.layers = [taken_apart(layer) for layer in core.layers]
        if self.parallel:
            self.sets = len(core.layers)
            self.pairs = [projections([layer.keys_values]) for layer in core.layers]
        else:
            self.sets = len(core.keys_values)
            self.pairs = [projections(core.keys_values)]
            self.mixture = core.mixture.weights(self.embedding)
        self.norm, self.head = norm(core.norm), linear(model.head)

    def step(self, token: Tensor, memory: Memory | None) -> tuple[Tensor, Memory]:
        """Logits (B, V) after tokens (B,) that follow `memory`, and the memory with them in it."""
        state = self.embedding[token]
        memory = self.start(state[:, None], memory, self.sets)
        room, n = Room.after(memory), len(memory) + self.parallel
        n = min(n, self.config.memory_size or n)
        with torch.autocast(state.device.type, enabled=False):
            outputs = [state]
            for i in range(self.config.n_layers):
                state = self.layer(i, state, room, n)
                outputs.append(state)
            if not self.parallel:
                m = (self.mixture @ torch.stack(outputs).flatten(1)).view_as(state)
                room.write(self.project(0, m))
            multiply, bias = self.head
            logits = multiply(torch.layer_norm(state, *self.norm), bias)
        return logits, room.memory(self.config)

    def layer(self, i: int, state: Tensor, room: Room, n: int) -> Tensor:
        """Layer i: (B, d) -> (B, d), reading n keys."""
        (B, d), H = state.shape, self.config.heads
        norm1, to_query, (u, r, s), output, norm2, widen, narrow = self.layers[i]
        if n:
            z = torch.layer_norm(state, *norm1)
            if self.parallel:
                room.write(self.project(i, z), first=i)
            end = room.end + self.parallel
            keys, values = room.read(i % self.sets, end - n, end)
            query = to_query(z)
            heads = query.view(B, H, -1).transpose(0, 1)  # (H, B, k)
            near = min(n, r.shape[2])
            scores = torch.baddbmm(  # W_q z times r, and s
                s[:, :, -near:], heads, r[:, :, -near:], beta=self.scale, alpha=self.scale
            )
            if n > near:  # farther keys share the farthest row
                far = scores[:, :, :1].expand(-1, -1, n - near)
                scores = torch.cat([far, scores], dim=2)
            scores = scores.view(H * B, 1, n)
            query = (query + u).view(B, H, -1).transpose(0, 1).reshape(H * B, 1, -1)
            scores.baddbmm_(query, keys.transpose(1, 2), alpha=self.scale)
            read = torch.bmm(scores.softmax(-1), values).view(H, B, -1)
            multiply, bias = output
            state = multiply(read.transpose(0, 1).reshape(B, d), bias, plus=state)
        multiply, bias = widen
        hidden = multiply(torch.layer_norm(state, *norm2), bias, relu=True)
        multiply, bias = narrow
        return multiply(hidden, bias, plus=state)

    def project(self, i: int, x: Tensor) -> Tensor:
        """Keys and values of x (B, d), as a room stores them: (sets, 2, H, B, k)."""
        (B, d), H = x.shape, self.config.heads
        made = torch.stack([multiply(x, bias) for multiply, bias in self.pairs[i]])
        return made.view(-1, 2, B, H, d // H).transpose(2, 3)
