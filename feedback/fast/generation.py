"""One token after another without gradients: few operations a step, and a cache that grows.

What `LanguageModel.step` and `generate` run on, for all three models. It computes what they compute
in fewer operations; chapter 5 generates with it, chapter 9 measures it. The models themselves are
the plain account. A single `step` reads the weights where they lie; a text that is written in one
go copies them once, folded as training folds them (`weights.py`).

Shapes: B batch, d width, i layer, H heads, k = d / H, F feed-forward width, n keys read,
S distances, V tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from feedback.cache import KVBuffer, Memory
from feedback.fast.linear import LayerMaps, LinearMap, linear_modules, plain, ready
from feedback.fast.scores import relative_scores
from feedback.fast.weights import fold_layer


class Norm(NamedTuple):
    """A LayerNorm over vectors of this shape; gain and bias are None where they are folded."""

    shape: tuple[int, ...]
    weight: Tensor | None
    bias: Tensor | None
    eps: float

    def __call__(self, x: Tensor) -> Tensor:
        return torch.layer_norm(x, *self)


class DecoderLayer(NamedTuple):
    """One layer as single steps read it.

    Attributes:
        u: (d,), what is added to a query where it meets keys; None where W_q's bias has it.
        r, s: (H, k, S) and (H, 1, S), what belongs to distances, the farthest first.
        scale: what scores are multiplied with.
        maps: four `LinearMap`.
        keys_values: of the parallel model, from its normalised (B, d) to key and value, (B, 2 d).
    """

    norm1: Norm
    norm2: Norm
    u: Tensor | None
    r: Tensor
    s: Tensor
    scale: float
    maps: LayerMaps
    keys_values: Callable[[Tensor], Tensor] | None


def layer_where_it_lies(layer: nn.Module) -> DecoderLayer:
    """The weights of a layer, so that every step sees them as they are then."""
    u, r, s = layer.attention.u, layer.attention.r, layer.attention.s
    return DecoderLayer(
        norm1=norm_of(layer.norm1),
        norm2=norm_of(layer.norm2),
        u=u.flatten(),  # (d,)
        r=r.permute(1, 2, 0),  # (H, k, S)
        s=s.T[:, None],  # (H, 1, S)
        scale=u.shape[1] ** -0.5,
        maps=LayerMaps(*(plain(z.weight, z.bias) for z in linear_modules(layer))),
        keys_values=key_value_map(layer.keys_values) if hasattr(layer, "keys_values") else None,
    )


def copied_layer(layer: nn.Module, rows: int) -> DecoderLayer:
    """The weights of a layer as they are right now, folded, in the layout that suits a batch."""
    folded, keys_values = fold_layer(layer, len(layer.attention.r)), None
    if hasattr(layer, "keys_values"):
        weight, bias = joined(layer.keys_values)
        bias = weight @ layer.norm1.bias + bias
        keys_values = ready(weight * layer.norm1.weight, bias, rows)
    return DecoderLayer(
        norm1=norm_of(layer.norm1)._replace(weight=None, bias=None),
        norm2=norm_of(layer.norm2)._replace(weight=None, bias=None),
        u=None,
        r=folded.r,
        s=folded.s,
        scale=1,
        maps=LayerMaps(*(ready(z.weight.clone(), z.bias.clone(), rows) for z in folded.maps)),
        keys_values=keys_values,
    )


def norm_of(module: nn.LayerNorm) -> Norm:
    """A LayerNorm whose weights are read where they lie."""
    return Norm(tuple(module.normalized_shape), module.weight, module.bias, module.eps)


def key_value_map(module: nn.Module) -> Callable[[Tensor], Tensor]:
    """From x (B, d) to its key and its value, (B, 2 d), by the weights of a `KeysValues`."""
    maps = [plain(z.weight, z.bias) for z in (module.key, module.value)]
    return lambda x: torch.cat([multiply(x) for multiply in maps], dim=-1)


def joined(module: nn.Module) -> tuple[Tensor, Tensor]:
    """W_k above W_v, (2 d, d), with their biases, (2 d,): a key has none."""
    weight = torch.cat([module.key.weight, module.value.weight])
    bias = weight.new_zeros(len(weight))
    if module.value.bias is not None:
        bias[len(module.key.weight) :] = module.value.bias
    return weight, bias


def joined_map(module: nn.Module, rows: int) -> LinearMap:
    """What `key_value_map` gives, of copied weights and in one product."""
    return ready(*joined(module), rows)


class Decoder:
    """The weights of a language model at hand for single steps.

    Args:
        model: whose weights are read.
        batch_size: None reads them where they lie, so that every step sees them as they are. A
            number B copies them as they are right now, in the form that suits a batch of B.
    """

    def __init__(self, model: nn.Module, batch_size: int | None = None):
        self.config, core, head = model.core.config, model.core, model.head
        self.start = core.start
        self.made: Memory | None = None
        self.parallel = self.config.model == "parallel"
        if batch_size is None:
            self.embedding, self.norm = model.embedding.weight, norm_of(core.norm)
            self.layers = [layer_where_it_lies(layer) for layer in core.layers]
            self.head = plain(head.weight, head.bias)
        else:
            self.embedding = model.embedding.weight.clone()
            weight, bias = core.norm.weight.clone(), core.norm.bias.clone()
            self.norm = norm_of(core.norm)._replace(weight=weight, bias=bias)
            self.layers = [copied_layer(layer, batch_size) for layer in core.layers]
            self.head = ready(head.weight.clone(), head.bias.clone(), batch_size)
        self.sets = len(core.layers) if self.parallel else len(core.keys_values)
        if not self.parallel:
            self.mixture = core.mixture.weights(self.embedding)
            make = key_value_map if batch_size is None else partial(joined_map, rows=batch_size)
            self.keys_values = [make(pair) for pair in core.keys_values]

    def step(self, token: Tensor, memory: Memory | None) -> tuple[Tensor, Memory]:
        """Logits (B, V) after tokens (B,) that follow `memory`, and the memory with them in it."""
        state = self.embedding.index_select(0, token)  # (B, d)
        if memory is None or memory is not self.made:  # what was made here fits
            memory = self.start(state[:, None], memory, self.sets)
        buffer, earlier = KVBuffer.extending(memory), len(memory)
        n, end = min(earlier, self.config.memory_size or earlier), buffer.length
        with torch.autocast(state.device.type, enabled=False):
            # What a feedback model reads is there; a layer of the parallel model writes first.
            sets = range(0 if self.parallel else self.sets)
            past, outputs = [buffer.read(i, end - n, end) for i in sets], [state]
            for i, layer in enumerate(self.layers):
                if layer.keys_values is not None:
                    normal = layer.norm1(state)
                    buffer.write(self.as_stored([layer.keys_values(normal)]), first=i)
                    state = self.attend(i, state, normal, *buffer.read(i, end - n, end + 1))
                elif n:
                    state = self.attend(i, state, layer.norm1(state), *past[i % self.sets])
                hidden = layer.maps.widen(layer.norm2(state), relu=True)  # (B, F)
                state = layer.maps.narrow(hidden, plus=state)
                outputs.append(state)
            if not self.parallel:
                mixed = self.mixture @ torch.stack(outputs).flatten(1)  # (B d,)
                mixed = mixed.view_as(state)
                buffer.write(self.as_stored([to_set(mixed) for to_set in self.keys_values]))
            logits = self.head(self.norm(state))
        memory = self.made = buffer.commit(self.config)
        return logits, memory

    def attend(self, i: int, state: Tensor, normal: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Add to the state (B, d) what layer i reads from keys and values, (HB, n, k) each."""
        layer, (B, d), H = self.layers[i], state.shape, self.config.heads
        query = layer.maps.query(normal)
        to_keys = to_distances = query.view(B, H, -1).transpose(0, 1)  # (H, B, k)
        if layer.u is not None:
            to_keys = (query + layer.u).view(B, H, -1).transpose(0, 1)  # (H, B, k)
        keys = keys.transpose(1, 2)  # (HB, k, n)
        scores = relative_scores(to_keys, to_distances, keys, layer.r, layer.s, layer.scale)
        read = torch.bmm(scores.softmax(-1), values).view(H, B, -1)  # (HB, 1, k) -> (H, B, k)
        return layer.maps.output(read.transpose(0, 1).reshape(B, d), plus=state)

    def as_stored(self, made: list[Tensor]) -> Tensor:
        """Keys and values, for each set (B, 2 d), as a buffer stores them: (sets, 2, H, B, k)."""
        B, H = len(made[0]), self.config.heads
        together = made[0][None] if len(made) == 1 else torch.stack(made)  # (sets, B, 2 d)
        return together.view(len(made), B, 2, H, -1).permute(0, 2, 3, 1, 4)
