"""Places in a model where something is computed that can be looked at, and made something else.

Each function takes a language model and names one place. What is computed there has the shape
(B, T, ...), whichever model it is: rows first, then steps. Layers count from 1, as in
`Trace.outputs`, whose entry 0 is the embedding. Chapter 10.

Shapes: B batch, T steps, d width, L layers, H heads, k = d / H, D distances.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from feedback.attention import Attention
from feedback.config import whole_number
from feedback.language_model import LanguageModel


@dataclass(frozen=True, eq=False)
class Site:
    """One place in one model.

    Attributes:
        module: the part of the model that is given it, or returns it.
        is_given: whether it is among what the module is given.
        take: the tensor (B, T, ...), from what the module is given and what it returns.
        put: what the module shall be given or return instead, from both and a tensor like that.
    """

    module: nn.Module
    is_given: bool
    take: Callable[[Any, Any], Tensor]
    put: Callable[[Any, Any, Tensor], Any]


def memory(model: LanguageModel) -> Site:
    """The memory vectors m_t, (B, T, d).

    Raises:
        ValueError: the parallel model has none.
    """
    mixture = _core(model, needs_memory=True).mixture
    return Site(mixture, False, lambda given, found: found, lambda given, found, x: x)


def shares(model: LanguageModel) -> Site:
    """The outputs as the mixture gets them, (B, T, L+1, d): part l is the output of layer l.

    Another output here changes its share of the memory vector, and nothing above that layer.

    Raises:
        ValueError: the parallel model has no memory vectors.
    """
    return Site(
        _core(model, needs_memory=True).mixture,
        True,
        lambda given, found: torch.stack(given[0], dim=2),
        lambda given, found, x: (list(x.unbind(2)),),
    )


def keys(model: LanguageModel, layer: int = 1) -> Site:
    """The keys that a layer reads, (B, T, H, k). Where all layers share them, those of layer 1."""
    return _projected(model, layer, 0)


def values(model: LanguageModel, layer: int = 1) -> Site:
    """The values that a layer reads, (B, T, H, k). Where all layers share them, of layer 1."""
    return _projected(model, layer, 1)


def heads(model: LanguageModel, layer: int) -> Site:
    """What each head reads, before the output projection: (B, T, H, k), part h is head h."""
    H = model.config.heads
    return Site(
        _layer(model, layer).attention.output,
        True,
        lambda given, found: given[0].unflatten(-1, (H, -1)),
        lambda given, found, x: (x.flatten(-2),),
    )


def added_by_attention(model: LanguageModel, layer: int) -> Site:
    """What attention adds to the residual stream, (B, T, d)."""
    return _first_of_two(_layer(model, layer).attention)


def added_by_feed_forward(model: LanguageModel, layer: int) -> Site:
    """What the feed-forward sub-layer adds to the residual stream, (B, T, d)."""
    module = _layer(model, layer).feed_forward
    return Site(module, False, lambda given, found: found, lambda given, found, x: x)


def output(model: LanguageModel, layer: int) -> Site:
    """A layer's output x^layer, (B, T, d): what the next layer, mixture and head are given."""
    return _first_of_two(_layer(model, layer))


def by_distance(model: LanguageModel, layer: int, distances: int) -> Site:
    """What each head reads from each of the nearest steps, (B, T, D, H, k): weight times value.

    Part 0 is the nearest step that is read: the one before (distance 1) with feedback, the step
    itself (distance 0) in the parallel model. Where no such step is, there are zeros. What is read
    from farther away is no part of it and stays as it is.

    Args:
        distances: how many, D, at least 1.
    """
    distances = whole_number("distances", distances, 1)
    module = _layer(model, layer).attention

    def take(given: Any, found: Any) -> Tensor:
        return _reads(given[2], found[1], distances)

    def put(given: Any, found: Any, x: Tensor) -> Any:
        more = (x - take(given, found)).sum(2).flatten(-2)  # (B, T, d)
        return found[0] + F.linear(more, module.output.weight), found[1]

    return Site(module, False, take, put)


def _reads(values: Tensor, weights: Tensor, distances: int) -> Tensor:
    """Weight times value, the nearest first: (B, H, n, k), (B, H, T, n) -> (B, T, D, H, k)."""
    T, n = weights.shape[-2:]
    nearest = torch.arange(n - T, n, device=values.device)  # for each query, a place among the keys
    places = nearest[:, None] - torch.arange(distances, device=values.device)  # (T, D)
    there = places.clamp(min=0)
    weight = weights.gather(-1, there.expand(*weights.shape[:2], T, distances)) * (places >= 0)
    read = weight[..., None] * values[:, :, there]  # (B, H, T, D, k)
    return read.permute(0, 2, 3, 1, 4)


def _core(model: LanguageModel, needs_memory: bool = False) -> Any:
    if not isinstance(model, LanguageModel):
        raise TypeError(f"the model is a {type(model).__name__}; it must be a LanguageModel")
    if needs_memory and model.config.model == "parallel":
        raise ValueError("the parallel model has no memory vectors; ask for outputs or keys")
    return model.core


def _layer(model: LanguageModel, layer: int) -> Any:
    core = _core(model)
    return core.layers[whole_number("layer", layer, 1, len(core.layers)) - 1]


def _projected(model: LanguageModel, layer: int, which: int) -> Site:
    """Keys (0) or values (1) of a layer."""
    own = _layer(model, layer)
    if model.config.model == "feedback-kv" and layer > 1:
        raise ValueError("all layers share keys and values in this model: ask for those of layer 1")
    is_parallel = model.config.model == "parallel"
    module = own.keys_values if is_parallel else model.core.keys_values[layer - 1]

    def put(given: Any, found: Any, x: Tensor) -> Any:
        pair = list(found)
        pair[which] = x.transpose(1, 2)  # (B, H, T, k)
        return tuple(pair)

    return Site(module, False, lambda given, found: found[which].transpose(1, 2), put)


def _first_of_two(module: nn.Module | Attention) -> Site:
    """The first of several results of a module, which has the shape (B, T, d)."""
    return Site(
        module, False, lambda given, found: found[0], lambda given, found, x: (x, *found[1:])
    )
