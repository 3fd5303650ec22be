"""Which models may take a fast path: those that are what their config builds, run as they stand.

The fast paths (`sequence.py`, `generation.py`) read weights and call no submodule. Whoever hooks,
prunes or replaces a submodule, or lets torch rewrite the operations, means the submodules as they
are called: such a model takes the plain path, which calls every one of them, and says so. Chapter 7
builds the first of these paths; this file is not part of the book.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad

from feedback.attention import Attention, KeysValues, WindowAttention
from feedback.config import Config
from feedback.transformer import FeedForward, Layer, ParallelLayer

PLAIN = nn.Parameter, Tensor, type(None)
PARTS = (
    Attention,
    FeedForward,
    KeysValues,
    Layer,
    ParallelLayer,
    WindowAttention,
    nn.Dropout,
    nn.Embedding,
    nn.LayerNorm,
    nn.Linear,
)
FORWARD = {kind: kind.forward for kind in PARTS}  # before anybody puts another there


def is_transformed() -> bool:
    """Whether torch compiles, exports, traces or batches what is computed, or derives forward."""
    return (
        torch.compiler.is_compiling()
        or torch.jit.is_tracing()
        or torch._C._functorch.peek_interpreter_stack() is not None  # torch.func, vmap
        or forward_ad._current_level >= 0
    )


def is_intercepted() -> bool:
    """The same, or whether something looks at every operation: counters, fake tensors."""
    return is_transformed() or torch._C._len_torch_dispatch_stack() > 0


def can_take_fast_path(
    core: nn.Module, kind: type[nn.Module], beside: Sequence[tuple] = ()
) -> bool:
    """Whether reading the weights of a model is as good as calling its submodules.

    Where it is not, a warning names what stands in the way. Python shows it once.

    Args:
        core: a model of this kind.
        beside: modules around it that are read as well, each with its own kind.
    """
    if is_intercepted() or core.norm.weight.is_meta:
        return False
    reason = why_not_fast_path(core, kind, beside)
    if reason is not None:
        warnings.warn(
            f"{reason}: every submodule is called at every step, which is right and slower",
            stacklevel=3,
        )
    return reason is None


def why_not_fast_path(core: nn.Module, kind: Any, beside: Sequence[tuple]) -> str | None:
    """What makes the model more than the weights that its config names; None if nothing does."""
    if nn.modules.module._has_any_global_hook():
        return "there are hooks for all modules"
    for module, its_kind in beside:
        own, name = module.__dict__, type(module).__name__
        forward = FORWARD.get(its_kind, its_kind.forward)
        if type(module).forward is not forward or "forward" in own:
            return f"the {name} has another way forward"
        if has_hooks(own) or own.get("max_norm") is not None:
            return f"the {name} does more than its weights say"
        if any(type(w) not in PLAIN for w in own["_parameters"].values()):
            return f"the {name} has weights of a type of their own"
    for method in ("advance", "gather", "latest"):
        if getattr(type(core), method, None) is not getattr(kind, method, None):
            return f"{type(core).__name__} has a method {method!r} of its own"
    found, expected, eps = list(tree(core)), built(kind, core.config), core.norm.eps
    for module, (its_kind, shapes) in zip(found, expected, strict=False):
        own = module.__dict__
        if FORWARD.get(its_kind) not in (None, its_kind.forward):
            return f"the class {its_kind.__name__} has another way forward"
        if (type(module) is not its_kind and module is not core) or "forward" in own:
            return f"{name_of(core, module)} is replaced by a {type(module).__name__}"
        if has_hooks(own):
            return f"{name_of(core, module)} has hooks"
        weights = own["_parameters"]
        if weights.keys() != shapes.keys():
            return f"{name_of(core, module)} has other weights than its config asks for"
        for name, w in weights.items():
            if (None if w is None else w.shape) != shapes[name]:
                return f"{name_of(core, module)}.{name} has another shape than its config asks for"
            if type(w) not in PLAIN:
                return f"{name_of(core, module)}.{name} is a {type(w).__name__}"
        if own.get("eps", eps) != eps:
            return f"{name_of(core, module)} has an eps of its own"
    return None if len(found) == len(expected) else "there are other submodules than at the start"


def has_hooks(own: dict) -> bool:
    """Whether a module with these attributes calls something before or after it is called."""
    return bool(
        own["_forward_hooks"]
        or own["_forward_pre_hooks"]
        or own["_backward_hooks"]
        or own["_backward_pre_hooks"]
    )


def tree(module: nn.Module) -> Iterator[nn.Module]:
    """A module and all below it."""
    yield module
    for child in module._modules.values():
        if child is not None:
            yield from tree(child)


@cache
def built(kind: Any, config: Config) -> list[tuple]:
    """What the config builds: type and shapes of the weights of every module."""
    with torch.device("meta"):
        model = kind(config)
    return [
        (
            type(module),
            {name: w if w is None else w.shape for name, w in module._parameters.items()},
        )
        for module in tree(model)
    ]


def name_of(core: nn.Module, module: nn.Module) -> str:
    """The name of a submodule as `named_modules` has it."""
    return next(name for name, one in core.named_modules() if one is module) or "the model"
