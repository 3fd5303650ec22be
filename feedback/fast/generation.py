"""One token after another without gradients: the weights where they lie, and a cache that grows.

What `LanguageModel.step` and `generate` run on, for all three models. It computes what they compute
in fewer operations; chapter 5 generates with it, chapter 9 measures it. The models themselves are
the plain account.

Shapes: B batch, d width, i layer, H heads, k = d / H, F feed-forward width, n keys read,
S distances, V tokens.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from feedback.cache import KVBuffer, Memory
from feedback.fast.linear import LayerMaps, LinearMap, linear_modules, plain, prepacked
from feedback.fast.scores import relative_scores


class Norm(NamedTuple):
    """A LayerNorm over vectors of this shape."""

    shape: tuple[int, ...]
    weight: Tensor
    bias: Tensor
    eps: float

    def __call__(self, x: Tensor) -> Tensor:
        return torch.layer_norm(x, *self)


class DecoderLayer(NamedTuple):
    """One layer as single steps read it.

    Attributes:
        u: (d,), what is added to a query where it meets keys.
        r, s: (H, k, S) and (H, 1, S), what belongs to distances, the farthest first.
        maps: four `LinearMap`.
    """

    norm1: Norm
    norm2: Norm
    u: Tensor
    r: Tensor
    s: Tensor
    maps: LayerMaps


class Decoder:
    """The weights of a language model at hand for single steps.

    Args:
        model: whose weights are read.
        batch_size: None reads them where they lie, so that every step sees them as they are. A
            number B copies them as they are right now, in the layout that suits a batch of B.
    """

    def __init__(self, model: nn.Module, batch_size: int | None = None):
        self.config, core = model.core.config, model.core
        self.start = core.start
        self.parallel = self.config.model == "parallel"
        self.scale = 1 / math.sqrt(self.config.d_model // self.config.heads)
        linear_map = prepacked if batch_size and batch_size > 1 else plain

        def own(x: Tensor) -> Tensor:
            return x if batch_size is None else x.clone()

        def linear(z: nn.Linear) -> LinearMap:
            return linear_map(own(z.weight), None if z.bias is None else own(z.bias))

        def norm(z: nn.LayerNorm) -> Norm:
            return Norm(z.normalized_shape, own(z.weight), own(z.bias), z.eps)

        def decoder_layer(layer: nn.Module) -> DecoderLayer:
            u, r, s = (own(w) for w in (layer.attention.u, layer.attention.r, layer.attention.s))
            return DecoderLayer(
                norm(layer.norm1),
                norm(layer.norm2),
                u=u.flatten(),  # (d,)
                r=r.permute(1, 2, 0),  # (H, k, S)
                s=s.T[:, None],  # (H, 1, S)
                maps=LayerMaps(*map(linear, linear_modules(layer))),
            )

        def key_value_maps(pairs: Iterable[nn.Module]) -> list[LinearMap]:
            return [linear(z) for pair in pairs for z in (pair.key, pair.value)]

        self.embedding = own(model.embedding.weight)
        self.layers = [decoder_layer(layer) for layer in core.layers]
        if self.parallel:
            self.sets = len(core.layers)
            self.key_value_maps = [key_value_maps([layer.keys_values]) for layer in core.layers]
        else:
            self.sets = len(core.keys_values)
            self.key_value_maps = [key_value_maps(core.keys_values)]
            self.mixture = core.mixture.weights(self.embedding)
        self.norm, self.head = norm(core.norm), linear(model.head)

    def step(self, token: Tensor, memory: Memory | None) -> tuple[Tensor, Memory]:
        """Logits (B, V) after tokens (B,) that follow `memory`, and the memory with them in it."""
        state = self.embedding[token]  # (B, d)
        memory = self.start(state[:, None], memory, self.sets)
        buffer, earlier = KVBuffer.extending(memory), len(memory)
        n = min(earlier, self.config.memory_size or earlier) + self.parallel
        with torch.autocast(state.device.type, enabled=False):
            outputs = [state]
            for i in range(self.config.n_layers):
                state = self.layer(i, state, buffer, n)
                outputs.append(state)
            if not self.parallel:
                mixed = self.mixture @ torch.stack(outputs).flatten(1)  # (B d,)
                buffer.write(self.keys_values(0, mixed.view_as(state)))
            logits = self.head(self.norm(state))
        return logits, buffer.commit(self.config)

    def layer(self, i: int, state: Tensor, buffer: KVBuffer, n: int) -> Tensor:
        """Layer i: (B, d) -> (B, d), reading n keys."""
        layer = self.layers[i]
        if n:
            state = self.attend(i, state, buffer, n)
        hidden = layer.maps.widen(layer.norm2(state), relu=True)  # (B, F)
        return layer.maps.narrow(hidden, plus=state)

    def attend(self, i: int, state: Tensor, buffer: KVBuffer, n: int) -> Tensor:
        """Add to the state (B, d) what layer i reads at n keys; the parallel model's own is one."""
        layer, (B, d), H = self.layers[i], state.shape, self.config.heads
        normal = layer.norm1(state)
        if self.parallel:
            buffer.write(self.keys_values(i, normal), first=i)
        end = buffer.length + self.parallel
        keys, values = buffer.read(i % self.sets, end - n, end)  # (HB, n, k) each
        query = layer.maps.query(normal)  # (B, d)
        to_keys = (query + layer.u).view(B, H, -1).transpose(0, 1)  # (H, B, k)
        to_distances = query.view(B, H, -1).transpose(0, 1)  # (H, B, k)
        keys = keys.transpose(1, 2)  # (HB, k, n)
        scores = relative_scores(to_keys, to_distances, keys, layer.r, layer.s, self.scale)
        read = torch.bmm(scores.softmax(-1), values).view(H, B, -1)  # (HB, 1, k) -> (H, B, k)
        return layer.maps.output(read.transpose(0, 1).reshape(B, d), plus=state)

    def keys_values(self, i: int, x: Tensor) -> Tensor:
        """Keys and values of x (B, d), as a buffer stores them: (sets, 2, H, B, k)."""
        (B, d), H = x.shape, self.config.heads
        made = torch.stack([multiply(x) for multiply in self.key_value_maps[i]])  # (2 sets, B, d)
        return made.view(-1, 2, B, H, d // H).transpose(2, 3)
