"""The layer, and the parallel transformer: every layer reads the layer below, all tokens at once.

Built in chapter 2. The feedback models reuse `FeedForward` and `Layer` unchanged.

Shapes: B batch, T tokens, n keys, d width, F feed-forward width, H heads, k = d / H, L layers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from feedback.attention import Attention, KeysValues, WindowAttention
from feedback.cache import Memory, check_fits, empty_memory
from feedback.config import Config


class FeedForward(nn.Module):
    """W_2 dropout(relu(W_1 z + b_1)) + b_2, at every token alone: (B, T, d) -> (B, T, d)."""

    def __init__(self, d_model: int, d_ff: int, dropout: float):
        super().__init__()
        self.widen = nn.Linear(d_model, d_ff)  # W_1, b_1
        self.narrow = nn.Linear(d_ff, d_model)  # W_2, b_2
        self.dropout = nn.Dropout(dropout)

    def forward(self, z: Tensor) -> Tensor:
        return self.narrow(self.dropout(self.widen(z).relu()))


class Layer(nn.Module):
    """Attention, then feed-forward; each reads normalised inputs and adds to the residual stream.

    Args:
        config: of the model.
        attention: what makes the attention from its sizes.

    Attributes:
        norm1, norm2: LN1 and LN2, before attention and before the feed-forward sub-layer.
        dropout: drops what either sub-layer adds.
    """

    def __init__(self, config: Config, attention: Callable[..., Attention] = Attention):
        super().__init__()
        d, p = config.d_model, config.dropout
        self.norm1 = nn.LayerNorm(d)
        self.attention = attention(
            d, config.heads, config.max_distance, config.model == "parallel", p
        )
        self.norm2 = nn.LayerNorm(d)
        self.feed_forward = FeedForward(d, config.d_ff, p)
        self.dropout = nn.Dropout(p)

    def forward(self, x: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Update x (B, T, d) by reading given keys and values (B, H, n, k).

        Returns:
            The layer's output (B, T, d) and its attention weights (B, H, T, n).
        """
        return self.update(x, self.norm1(x), keys, values)

    def update(self, x: Tensor, z: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Do what `forward` does, given z = norm1(x). Nothing to read (n = 0): no attention."""
        weights = z.new_zeros(len(z), keys.shape[1], z.shape[1], 0)
        if keys.shape[2] > 0:
            read, weights = self.attention(z, keys, values)
            x = x + self.dropout(read)
        return x + self.dropout(self.feed_forward(self.norm2(x))), weights


@dataclass(frozen=True, eq=False)
class Trace:
    """Everything a model computed on its way, as `trace` returns it.

    Attributes:
        outputs: (L+1, B, T, d), the embedding and every layer's output.
        attention: (L, B, H, T, T), [..., t, j] is the weight that step t gives to step j. A
            feedback model reads nothing at the first step, so its row 0 is zero.
        memory: (B, T, d), the memory vectors; None for the parallel model, which has none.
        logits: (B, T, V); None where there is no head.
    """

    outputs: Tensor
    attention: Tensor
    memory: Tensor | None = None
    logits: Tensor | None = None


class SequenceModel(nn.Module):
    """What the three models share: a checked start, a bounded memory and the norm at the end.

    Attributes:
        name: the value of `Config.model` that this class stands for.
        norm: the last LayerNorm.
    """

    name: str

    def __init__(self, config: Config):
        super().__init__()
        if config.model != self.name:
            raise ValueError(
                f"{type(self).__name__} needs Config(model={self.name!r}), got {config.model!r}"
            )
        self.config = config
        self.norm = nn.LayerNorm(config.d_model)

    def start(self, x: Tensor, memory: Memory | None, sets: int) -> Memory:
        """Check input and memory before any work, and give the memory to start from."""
        if not isinstance(x, Tensor):
            raise TypeError(f"embeddings are a {type(x).__name__}; they must be a tensor")
        if not x.is_floating_point() or x.dtype != self.norm.weight.dtype:
            raise TypeError(f"embeddings are {x.dtype}; the model is {self.norm.weight.dtype}")
        if x.dim() != 3 or x.shape[-1] != self.config.d_model or 0 in x.shape:
            raise ValueError(
                f"embeddings have shape {tuple(x.shape)}; they must be (B, T, d) with B and T at "
                f"least 1 and d = {self.config.d_model}"
            )
        if memory is None:
            return empty_memory(self.config, sets, x)
        check_fits(memory, self.config, sets, x)
        return memory

    def latest(self, x: Tensor) -> Tensor:
        """The last `memory_size` of n keys or values, (B, H, n, k)."""
        size = self.config.memory_size or x.shape[2]
        return x[:, :, max(0, x.shape[2] - size) :]

    def remember(self, keys: list[Tensor], values: list[Tensor]) -> Memory:
        """What the next segment starts from; a copy where that is less than what was gathered."""
        if self.config.memory_size is not None:
            keys = [self.latest(x).clone() for x in keys]
            values = [self.latest(x).clone() for x in values]
        return Memory(tuple(keys), tuple(values), self.config)


class ParallelLayer(Layer):
    """A layer that makes its own keys and values from the same tokens that ask."""

    def __init__(self, config: Config):
        window = config.memory_size
        super().__init__(config, partial(WindowAttention, window) if window else Attention)
        self.keys_values = KeysValues(config.d_model, config.heads)

    def forward(self, x: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, ...]:
        """Update x (B, T, d) after a past of keys and values (B, H, n, k).

        Returns:
            The output (B, T, d), the attention weights (B, H, T, n+T), and keys and values with the
            T tokens added, (B, H, n+T, k).
        """
        z = self.norm1(x)
        own_keys, own_values = self.keys_values(z)
        keys = torch.cat([keys, own_keys], dim=2)
        values = torch.cat([values, own_values], dim=2)
        x, weights = self.update(x, z, keys, values)
        return x, weights, keys, values


class Transformer(SequenceModel):
    """The parallel model: L layers, each over all tokens at once.

    Maps embeddings (B, T, d) to normalised outputs (B, T, d). Step t reads steps j <= t.

    With memory_size=n every layer reads the step itself and the n before it, whether they lie in
    this segment or in the memory. An output then depends on its own token and at most L n earlier
    ones: each layer carries what it reads n steps on, and nothing comes from farther away.

    Raises:
        TypeError, ValueError: input of wrong type or shape, or a memory that does not fit it.
    """

    name = "parallel"

    def __init__(self, config: Config):
        super().__init__(config)
        self.layers = nn.ModuleList(ParallelLayer(config) for _ in range(config.n_layers))

    def forward(
        self, x: Tensor, memory: Memory | None = None, return_memory: bool = False
    ) -> Tensor | tuple[Tensor, Memory]:
        """Map embeddings (B, T, d) to outputs (B, T, d), and with `return_memory` to both."""
        memory = self.start(x, memory, sets=len(self.layers))
        kept_keys, kept_values = [], []
        for layer, keys, values in zip(self.layers, memory.keys, memory.values, strict=True):
            x, _, keys, values = layer(x, keys, values)
            kept_keys.append(keys)
            kept_values.append(values)
        y = self.norm(x)
        return (y, self.remember(kept_keys, kept_values)) if return_memory else y

    def trace(self, x: Tensor) -> Trace:
        """Run embeddings (B, T, d) and keep everything; see `Trace`."""
        nothing = self.start(x, None, sets=1)
        outputs, attention = [x], []
        for layer in self.layers:
            x, weights, _, _ = layer(x, *nothing.keys, *nothing.values)
            outputs.append(x)
            attention.append(weights)
        return Trace(outputs=torch.stack(outputs), attention=torch.stack(attention))
