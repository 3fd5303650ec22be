"""The keys and values of past steps: carried from segment to segment, gathered step by step.

`Memory` is what a model hands back and takes in: it never changes. Within one forward pass keys and
values grow by one a step, in one of two containers: `GrowingList` is plain, `GrowingStack` copies
nothing. Both belong to that pass, so that passes cannot disturb one another. Generation needs no
gradients and goes on from step to step in a `KVBuffer` with capacity to spare.

Shapes: B batch, H heads, n steps, k features a head.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from feedback.config import Config, whole_number


@dataclass(frozen=True, eq=False, repr=False)
class Memory:
    """What a model keeps of the steps so far. `len(memory)` is how many steps it holds.

    Its tensors are for reading: a backward pass may still need them as they are.

    Attributes:
        keys, values: tuples of (B, H, n, k): one tensor a layer, or a single one where all layers
            share it.
        config: of the model that made it; only a model with an equal config takes it back.
        buffer: where the next step can be written behind these tensors, if they are views of it.
    """

    keys: tuple[Tensor, ...]
    values: tuple[Tensor, ...]
    config: Config
    buffer: KVBuffer | None = None

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
        if not any(x.requires_grad for x in self.keys + self.values):
            return self
        return self.changed(Tensor.detach)

    def crop(self, steps: int) -> Memory:
        """The memory as it was after its first `steps` steps: what came later is taken back.

        Raises:
            TypeError, ValueError: `steps` is no whole number from 0 to `len(memory)`; or the memory
                is full, so that the steps before may be gone: keep the memory of that time instead.
        """
        steps = whole_number("steps", steps, 0, len(self))
        size = self.config.memory_size
        if steps < len(self) == size:
            raise ValueError(
                f"this memory keeps the last {size} steps, and is full: what it held "
                f"{size - steps} steps ago may be gone. Memories never change: keep the one of "
                "that time"
            )
        return self.changed(lambda x: x[:, :, :steps])

    def select(self, rows: Tensor | Sequence[int]) -> Memory:
        """The memory of a batch made of these rows of this one, in this order, also repeatedly.

        Args:
            rows: (B',) int64, each from 0 to B - 1, as a beam search keeps them.

        Raises:
            TypeError, ValueError: rows of another type, shape or range.
        """
        batch, device = len(self.keys[0]), self.keys[0].device
        rows = torch.as_tensor(rows, device=device)
        if rows.dtype != torch.int64:
            raise TypeError(f"rows are {rows.dtype}; they must be int64")
        if rows.dim() != 1 or len(rows) == 0:
            raise ValueError(f"rows have shape {tuple(rows.shape)}; they must be (B',), B' >= 1")
        if rows.min() < 0 or rows.max() >= batch:
            raise ValueError(
                f"rows lie in {rows.min()}..{rows.max()}; this memory has 0..{batch - 1}"
            )
        return self.changed(lambda x: x.index_select(0, rows))

    def changed(self, change: Callable[[Tensor], Tensor]) -> Memory:
        """A memory of the changed tensors, which are views of no buffer."""
        return Memory(tuple(map(change, self.keys)), tuple(map(change, self.values)), self.config)


def empty_memory(config: Config, sets: int, x: Tensor) -> Memory:
    """A memory of no steps, with `sets` pairs of keys and values, for inputs like x (B, T, d)."""
    nothing = x.new_empty(len(x), config.heads, 0, config.d_model // config.heads)
    return Memory((nothing,) * sets, (nothing,) * sets, config)


def check_fits(memory: Memory, config: Config, sets: int, x: Tensor) -> None:
    """Refuse a memory that a model of this config cannot read beside x (B, T, d).

    Args:
        sets: how many pairs of keys and values the model reads.

    Raises:
        TypeError, ValueError: what does not fit.
    """
    if not isinstance(memory, Memory):
        raise TypeError(f"memory is a {type(memory).__name__}; it must be a feedback Memory")
    if memory.config != config:
        names = [f.name for f in fields(Config)]
        differing = ", ".join(
            f"{name} {getattr(memory.config, name)!r} against {getattr(config, name)!r}"
            for name in names
            if getattr(memory.config, name) != getattr(config, name)
        )
        raise ValueError(f"this memory belongs to another config: {differing}")
    for name in ("keys", "values"):
        given = getattr(memory, name)
        if not isinstance(given, tuple) or not all(isinstance(z, Tensor) for z in given):
            raise TypeError(f"the {name} of this memory are no tuple of tensors")
        if len(given) != sets:
            raise ValueError(f"this memory has {len(given)} {name}, the model {sets}")
    first = memory.keys[0]
    if first.dim() == 4 and len(first) != len(x):
        raise ValueError(f"this memory belongs to a batch of {len(first)}, the input has {len(x)}")
    n = first.shape[2] if first.dim() == 4 else 0
    expected = (len(x), config.heads, n, config.d_model // config.heads)
    for z in memory.keys + memory.values:
        if z.shape != expected:
            raise ValueError(
                f"this memory holds a tensor of shape {tuple(z.shape)}; all keys and values "
                f"must be (B, H, n, k), here {expected}"
            )
        if (z.dtype, z.device) != (x.dtype, x.device):
            raise ValueError(
                f"this memory is {z.dtype} on {z.device}, the model {x.dtype} on {x.device}; "
                "start again without it"
            )


class KVBuffer:
    """A buffer for the keys and values of steps that come one at a time, without gradients.

    Memories made one after another share it, and each sees the steps up to its own end. Only the
    memory that was made last goes on in it, and only while it holds the very tensors that it was
    given: any other one is copied into a buffer of its own. So no slot is written twice. A full
    buffer is left for one twice as large.

    Attributes:
        slots: (sets, 2, H, B, capacity, k), keys and values of every set.
        length: how many steps it holds.
        latest: the keys and values of the memory made last.
    """

    def __init__(self, memory: Memory):
        pairs = zip(memory.keys, memory.values, strict=True)
        past = torch.stack([torch.stack(pair) for pair in pairs])  # (sets, 2, B, H, n, k)
        past = past.transpose(2, 3)  # (sets, 2, H, B, n, k)
        *sizes, self.length, k = past.shape
        self.slots = past.new_empty(*sizes, max(16, 2 * self.length), k)
        self.slots[..., : self.length, :] = past
        self.latest = memory.keys, memory.values

    @classmethod
    def extending(cls, memory: Memory) -> KVBuffer:
        """A buffer in which one more step can be written behind `memory`: its own, or a copy."""
        buffer = memory.buffer
        if buffer is not None and buffer.length < buffer.slots.shape[4]:
            keys, values = buffer.latest
            is_latest = memory.keys is keys and memory.values is values
            if is_latest and buffer.slots.is_inference() == torch.is_inference_mode_enabled():
                return buffer
        return cls(memory)

    def write(self, new: Tensor, first: int = 0) -> None:
        """Put the keys and values of one step, (some sets, 2, H, B, k), behind those there.

        Behind autograd's back, as in `Stack`: who reads the steps before is not disturbed.
        """
        self.slots.data[first : first + len(new), :, :, :, self.length] = new

    def read(self, i: int, start: int, stop: int) -> tuple[Tensor, Tensor]:
        """Keys and values of set i from step `start` to `stop`, each (HB, n, k)."""
        keys, values = self.slots[i].flatten(1, 2)[:, :, start:stop]
        return keys, values

    def commit(self, config: Config) -> Memory:
        """Count the step that was written, and give the memory that ends with it.

        It holds all steps, or as many as the config lets a model keep.
        """
        self.length += 1
        start = max(0, self.length - (config.memory_size or self.length))
        steps = self.slots[..., start : self.length, :].transpose(2, 3)  # (sets, 2, B, H, n, k)
        self.latest = steps[:, 0].unbind(), steps[:, 1].unbind()
        return Memory(*self.latest, config, self)


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
    """One buffer with a slot for every step of the pass: a reading is a view of it."""

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
