"""An accelerator that is none: its tensors say that they lie there, and the CPU computes.

Made for what a machine without an accelerator can still find out: a tensor that was made on the
wrong device, and a place where the host would have to wait. As on an accelerator, tensors of two
devices do not mix, and whoever looks at a number waits; here each such wait is written down.
"""

from __future__ import annotations

import contextlib
import os
import traceback
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor
from torch.utils import backend_registration
from torch.utils._python_dispatch import return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map

import feedback
from feedback.fast import eligibility


class Backend(backend_registration._DummyBackendModule):
    """What torch asks of a device under a name of its own."""

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16]

    def get_rng_state(self, device: int) -> Tensor:
        return torch.get_rng_state()

    def set_rng_state(self, state: Tensor, device: int) -> None:
        torch.set_rng_state(state)


# The place that torch leaves for devices of others.
backend_registration._setup_privateuseone_for_python_backend("pretended", Backend())
DEVICE = torch.device("pretended", 0)
PACKAGE = os.path.join(os.path.dirname(feedback.__file__), "")
aten = torch.ops.aten
# What gives the host a number, or a tensor whose shape depends on numbers.
LOOKS = {
    aten._local_scalar_dense,
    aten.equal,
    aten.masked_select,
    aten.multinomial,
    aten.nonzero,
    aten._unique2,
}
CROSSES = {aten._to_copy, aten.copy_}  # the operations that two devices may share

waits: list[str] = []  # where the host has waited, the innermost line of the package first


def wait(what: object) -> None:
    """Write down that the host waits here."""
    frames = traceback.extract_stack()[:-2]
    own = [frame for frame in frames if frame.filename.startswith(PACKAGE)]
    frame = (own or frames)[-1]
    waits.append(f"{Path(frame.filename).name}:{frame.lineno} {frame.line} [{what}]")


class Pretended(Tensor):
    """A tensor on the pretended accelerator.

    Attributes:
        held: its numbers, on the CPU.
    """

    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, held: Tensor) -> Tensor:
        return torch.Tensor._make_wrapper_subclass(
            cls,
            held.shape,
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=DEVICE,
        )

    def __init__(self, held: Tensor):
        self.held = held

    def __repr__(self) -> str:
        return f"Pretended({self.held})"

    def tolist(self) -> list:
        wait("tolist")
        return self.held.tolist()

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        name, leaves = function.overloadpacket, tree_leaves((args, kwargs))
        tensors = [x for x in leaves if isinstance(x, Tensor)]
        strangers = [x for x in tensors if not isinstance(x, Pretended)]
        target = torch.device(kwargs.get("device") or DEVICE)
        if name in CROSSES:
            crosses = bool(strangers) or target.type != DEVICE.type
            blocking = not (kwargs.get("non_blocking") or (name is aten.copy_ and args[2:] == (1,)))
            if crosses and blocking:
                wait(name)
        elif name in (aten.index, aten.index_put_, aten.index_put, aten._index_put_impl_):
            if not isinstance(args[0], Pretended):
                raise RuntimeError("indices should be on the CPU, as is what they index")
            indices = [x for x in args[1] if x is not None]
            if any(x.dtype == torch.bool or not isinstance(x, Pretended) for x in indices):
                wait(name)
        elif any(x.dim() > 0 for x in strangers):
            raise RuntimeError(f"{name}: expected all tensors to be on the same device")
        if name in LOOKS:
            wait(name)
        if "device" in kwargs:
            kwargs["device"] = torch.device("cpu")
        numbers = tree_map(lambda x: x.held if isinstance(x, Pretended) else x, (args, kwargs))
        out = function(*numbers[0], **numbers[1])
        if target.type != DEVICE.type:
            return out
        wrapped = tree_map(lambda x: cls(x) if isinstance(x, Tensor) else x, out)
        return return_and_correct_aliasing(function, args, kwargs, wrapped)


# Whatever is made on this device or copied to it begins with one of these two.
library = torch.library.Library("aten", "IMPL")


def empty(size, dtype=None, layout=None, device=None, pin_memory=None, memory_format=None):
    """A pretended tensor without numbers of its own yet."""
    return Pretended(torch.empty(size, dtype=dtype, memory_format=memory_format))


def empty_strided(size, stride, dtype=None, layout=None, device=None, pin_memory=None):
    """The same, with these strides."""
    return Pretended(torch.empty_strided(size, stride, dtype=dtype))


def copy_from(source, target, non_blocking=False):
    """What `torch.tensor` and `torch.as_tensor` do last."""
    if not non_blocking:
        wait("copy")
    target.held.copy_(getattr(source, "held", source))
    return target


library.impl("empty.memory_format", empty, "PrivateUse1")
library.impl("empty_strided", empty_strided, "PrivateUse1")
library.impl("_copy_from", copy_from, "PrivateUse1")


@contextlib.contextmanager
def accelerator() -> Iterator[list[str]]:
    """Inside, models on the device take their fast paths. Gives the list of waits, empty first."""
    plain = eligibility.PLAIN
    eligibility.PLAIN = (*plain, Pretended)
    waits.clear()
    try:
        yield waits
    finally:
        eligibility.PLAIN = plain
