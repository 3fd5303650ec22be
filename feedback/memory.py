"""Feedback memory: every layer reads, at each earlier step, a weighted sum of all layers' outputs.

m_t = sum_l softmax(w)_l x_t^l, with the token embedding as layer 0. Built in chapter 4.

Shapes: B batch, T tokens, t step, d width, L layers, H heads, n steps kept, k = d / H.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import cycle
from typing import Any

import torch
from torch import Tensor, nn

from feedback.attention import KeysValues
from feedback.cache import GrowingList, GrowingStack, Memory
from feedback.config import Config
from feedback.fast.eligibility import is_transformed
from feedback.transformer import Layer, SequenceModel, Trace


class MemoryMixture(nn.Module):
    """Mix the outputs of all layers at one step into one memory vector.

    Attributes:
        w: (L+1,), before the softmax; all equal at the start. Only with mixture="learned".
        fixed: the L+1 given weights, or None.
    """

    def __init__(self, n_layers: int, mixture: str | Iterable[float] = "learned"):
        super().__init__()
        learned = mixture == "learned"
        self.fixed: Any = None if learned else mixture
        self.w = nn.Parameter(torch.zeros(n_layers + 1)) if learned else None

    def weights(self, like: Tensor) -> Tensor:
        """The L+1 weights, which sum to 1, in the dtype and on the device of `like`."""
        if self.w is not None:
            return self.w.softmax(0)
        return torch.stack([like.new_full((), w) for w in self.fixed])  # nothing to copy there

    def forward(self, outputs: list[Tensor]) -> Tensor:
        """L+1 outputs of (B, T, d), embedding first -> memory vectors (B, T, d)."""
        stacked = torch.stack(outputs)  # (L+1, B, T, d)
        return torch.einsum("l,lbtd->btd", self.weights(stacked), stacked)


class FeedbackTransformer(SequenceModel):
    """The feedback model: one step after another, each layer with its own keys and values of m_j.

    Maps embeddings (B, T, d) to normalised outputs (B, T, d). Step t reads the memory vectors of
    steps j < t and never its own; at the first step there is nothing to read.

    Args:
        config: with model="feedback".
        path: how the keys and values of past steps are gathered, "loop" (a list joined at every
            step) or "stack" (one buffer, no copies). Outputs and gradients are the same.

    Attributes:
        paths: the container in which each path gathers when it goes step by step.
        keys_values: the projections of memory vectors, one pair a layer.

    Raises:
        TypeError, ValueError: input of wrong type or shape, or a memory that does not fit it.
    """

    name = "feedback"
    paths = {"loop": GrowingList, "stack": GrowingStack}

    def __init__(self, config: Config, path: str = "stack"):
        super().__init__(config)
        if path not in self.paths:
            raise ValueError(f"path is {path!r}; choose one of {', '.join(self.paths)}")
        self.path = path
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.n_layers))
        self.mixture = MemoryMixture(config.n_layers, config.memory_mixture)
        self.keys_values = nn.ModuleList(self.projections())

    def projections(self) -> list[KeysValues]:
        """One pair of projections a layer."""
        return [KeysValues(self.config.d_model, self.config.heads) for _ in self.layers]

    def forward(
        self, x: Tensor, memory: Memory | None = None, return_memory: bool = False
    ) -> Tensor | tuple[Tensor, Memory]:
        """Map embeddings (B, T, d) to outputs (B, T, d), and with `return_memory` to both."""
        past = self.gather(x, memory)
        y = [self.advance(x_t, past)[0][-1] for x_t in x.split(1, dim=1)]
        y = self.norm(torch.cat(y, dim=1))
        keys = [keys.read() for keys, _ in past]
        values = [values.read() for _, values in past]
        return (y, self.remember(keys, values)) if return_memory else y

    def advance(self, x: Tensor, past: list) -> tuple[list[Tensor], Tensor, list[Tensor]]:
        """Take one step: run all layers on x (B, 1, d), then add its memory vector to the past.

        Returns:
            The L+1 outputs (B, 1, d), the memory vector (B, 1, d), and every layer's attention
            weights (B, H, 1, n).
        """
        pairs = [[self.latest(each.read()) for each in pair] for pair in past]
        outputs, attention = [x], []
        for layer, (keys, values) in zip(self.layers, cycle(pairs), strict=False):
            x, weights = layer(x, keys, values)
            outputs.append(x)
            attention.append(weights)
        m = self.mixture(outputs)
        for project, (keys, values) in zip(self.keys_values, past, strict=True):
            key, value = project(m)
            keys.append(key)
            values.append(value)
        return outputs, m, attention

    def gather(self, x: Tensor, memory: Memory | None) -> list:
        """Containers for the keys and values of this pass, which start with those of `memory`."""
        memory = self.start(x, memory, sets=len(self.keys_values))
        # A buffer that is written in place is nothing for vmap and compilers.
        container, steps = self.paths["loop" if is_transformed() else self.path], x.shape[1]
        return [
            (container(keys, steps), container(values, steps))
            for keys, values in zip(memory.keys, memory.values, strict=True)
        ]

    def trace(self, x: Tensor) -> Trace:
        """Run embeddings (B, T, d) and keep everything; see `Trace`."""
        past, T = self.gather(x, None), x.shape[1]
        outputs, memory, attention = zip(
            *(self.advance(x_t, past) for x_t in x.split(1, dim=1)), strict=True
        )
        grid = x.new_zeros(len(self.layers), len(x), self.config.heads, T, T)
        for t, layers in enumerate(attention):
            n = layers[0].shape[-1]
            grid[:, :, :, t, t - n : t] = torch.stack(layers)[:, :, :, 0]
        return Trace(
            outputs=torch.cat([torch.stack(step) for step in outputs], dim=2),
            attention=grid,
            memory=torch.cat(memory, dim=1),
        )
