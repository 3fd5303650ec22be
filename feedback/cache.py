"""The keys and values of past steps: carried from segment to segment, gathered step by step.

`Memory` is what a model hands back and takes in: it never changes. Within one forward pass keys and
values grow by one a step, in one of two containers: `GrowingList` is plain, `GrowingStack` copies
nothing. Both belong to that pass, so that passes cannot disturb one another. Generation needs no
gradients and goes on from pass to pass in a `Room` with places to spare.

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
        place: the room in which these tensors lie and where they end in it, if there is one.
    """

    keys: tuple[Tensor, ...]
    values: tuple[Tensor, ...]
    config: Config
    place: tuple[Room, int] | None = None

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
            self.place,
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


class Room:
    """A buffer for the keys and values of steps that come one at a time, without gradients.

    All memories made in a room share it. Each sees the steps up to its own end, so that a step
    written behind it changes nothing for its holder; and a place is written only once: the second
    of two continuations moves to a room of its own. A full room is left for one twice as large.

    Attributes:
        buffer: (sets, 2, H, B, places, k), keys and values of every set.
        written: how many places are taken.
    """

    def __init__(self, buffer: Tensor, written: int):
        self.buffer, self.written = buffer, written

    @classmethod
    def after(cls, memory: Memory) -> tuple[Room, int]:
        """A room in which one more step can be written behind `memory`, and where it ends there."""
        if memory.place is not None:
            room, end = memory.place
            if room.written == end < room.buffer.shape[4] and room.holds(memory):
                if room.buffer.is_inference() == torch.is_inference_mode_enabled():
                    return room, end
        pairs = zip(memory.keys, memory.values, strict=True)
        past = torch.stack([torch.stack(pair) for pair in pairs]).transpose(2, 3)
        *sizes, n, k = past.shape
        buffer = past.new_empty(*sizes, max(16, 2 * n), k)
        buffer[..., :n, :] = past
        return cls(buffer, n), n

    def holds(self, memory: Memory) -> bool:
        """Whether the memory's tensors lie here, and are not others put in their place."""
        here = self.buffer.untyped_storage().data_ptr()
        return all(x.untyped_storage().data_ptr() == here for x in memory.keys + memory.values)

    def write(self, end: int, new: Tensor, first: int = 0) -> None:
        """Put the keys and values of one step, (some sets, 2, H, B, k), behind the first `end`.

        Behind autograd's back, as in `Stack`: who reads the steps before is not disturbed.
        """
        self.buffer.data[first : first + len(new), :, :, :, end] = new
        self.written = end + 1

    def read(self, i: int, start: int, end: int) -> tuple[Tensor, Tensor]:
        """Keys and values of set i from step `start` to `end`, each (HB, n, k)."""
        keys, values = self.buffer[i].flatten(1, 2)[:, :, start:end]
        return keys, values

    def memory(self, end: int, config: Config) -> Memory:
        """The last steps up to `end`, all or as many as the config lets a model keep."""
        start = max(0, end - (config.memory_size or end))
        steps = self.buffer[..., start:end, :].transpose(2, 3)  # (sets, 2, B, H, n, k)
        return Memory(steps[:, 0].unbind(), steps[:, 1].unbind(), config, (self, end))


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
