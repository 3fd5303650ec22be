"""The keys and values of past steps: carried from segment to segment, gathered step by step.

`Memory` is what a model hands back and takes in: it never changes. Within one forward pass keys and
values grow by one a step, in one of two containers: `GrowingList` is plain, `GrowingStack` copies
nothing. Both belong to that pass, so that passes cannot disturb one another.

Shapes: B batch, H heads, n steps, k features a head.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from feedback.config import Config


@dataclass(frozen=True, eq=False, repr=False)
class Memory:
    """What a model keeps of the steps so far. `len(memory)` is how many steps it holds.

    Its tensors are for reading: a backward pass may still need them as they are.

    Attributes:
        keys, values: tuples of (B, H, n, k): one tensor a layer, or a single one where all layers
            share it.
        config: of the model that made it; only a model with an equal config takes it back.
    """

    keys: tuple[Tensor, ...]
    values: tuple[Tensor, ...]
    config: Config

    def __len__(self) -> int:
        return self.keys[0].shape[2]

    def __repr__(self) -> str:
        return f"Memory({len(self)} steps, {self.nbytes:,} bytes, {self.config.model!r})"

    @property
    def nbytes(self) -> int:
        """Bytes of all keys and values."""
        return sum(x.numel() * x.element_size() for x in self.keys + self.values)

    def detach(self) -> Memory:
        """The same numbers, through which no gradient flows into earlier segments."""
        return Memory(
            tuple(x.detach() for x in self.keys),
            tuple(x.detach() for x in self.values),
            self.config,
        )

    def check_fits(self, config: Config, x: Tensor) -> None:
        """Raise ValueError unless a model of this config may read it beside x (B, T, d)."""
        if self.config != config:
            names = [f.name for f in fields(Config)]
            differing = ", ".join(
                f"{name} {getattr(self.config, name)!r} against {getattr(config, name)!r}"
                for name in names
                if getattr(self.config, name) != getattr(config, name)
            )
            raise ValueError(f"this memory belongs to another config: {differing}")
        keys = self.keys[0]
        if len(keys) != len(x):
            raise ValueError(
                f"this memory belongs to a batch of {len(keys)}, the input has {len(x)}"
            )
        if (keys.dtype, keys.device) != (x.dtype, x.device):
            raise ValueError(
                f"this memory is {keys.dtype} on {keys.device}, the model {x.dtype} on {x.device}; "
                "start again without it"
            )


def empty_memory(config: Config, sets: int, x: Tensor) -> Memory:
    """A memory of no steps, with `sets` pairs of keys and values, for inputs like x (B, T, d)."""
    nothing = x.new_empty(len(x), config.heads, 0, config.d_model // config.heads)
    return Memory((nothing,) * sets, (nothing,) * sets, config)


class GrowingList:
    """A list of steps, joined anew at every reading: each reading copies all steps so far."""

    def __init__(self, start: Tensor, steps: int):
        self.parts = [start]  # (B, H, n, k)

    def append(self, x: Tensor) -> None:
        """Add one step, (B, H, 1, k)."""
        self.parts.append(x)

    def read(self) -> Tensor:
        """All steps so far, (B, H, n, k)."""
        return torch.cat(self.parts, dim=2)


class Stack(torch.autograd.Function):
    """Write x behind what is stacked, in a buffer that both share: `torch.cat` without the copy.

    The gradient of a concatenation is cut in two at the seam; so is this one. The buffer is written
    behind autograd's back (`.data`), which is safe because no slot is ever written twice.
    """

    @staticmethod
    def forward(ctx, stacked: Tensor, x: Tensor, buffer: Tensor) -> Tensor:
        ctx.seam = stacked.shape[2]
        end = ctx.seam + x.shape[2]
        buffer.data[:, :, ctx.seam : end] = x
        return buffer.data[:, :, :end]

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        return grad[:, :, : ctx.seam], grad[:, :, ctx.seam :], None


class GrowingStack:
    """One buffer with room for every step of the pass: a reading is a view of it."""

    def __init__(self, start: Tensor, steps: int):
        B, H, n, k = start.shape
        self.buffer = start.new_empty(B, H, n + steps, k)
        self.stacked = Stack.apply(start[:, :, :0], start, self.buffer)

    def append(self, x: Tensor) -> None:
        """Add one step, (B, H, 1, k)."""
        self.stacked = Stack.apply(self.stacked, x, self.buffer)

    def read(self) -> Tensor:
        """All steps so far, (B, H, n, k)."""
        return self.stacked
