"""The weights of a shared model, with all that does not depend on the step worked into them.

Norms have a gain and a bias, scores are divided by sqrt(k), a query meets keys and distances in two
forms. `fold` moves all of that out of the loop over steps and into the weights, once a pass. It is
differentiable: gradients flow on into the parameters. Built in chapter 7.

Shapes: B batch, d width, L layers, H heads, k = d / H, F feed-forward width, n keys.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from feedback.attention import rows_for
from feedback.fast.linear import LayerMaps, linear_modules
from feedback.transformer import Layer


class Affine(NamedTuple):
    """A weight with its bias, from i numbers to o."""

    weight: Tensor | None  # (o, i)
    bias: Tensor | None  # (o,)


class FoldedLayer(NamedTuple):
    """What one layer needs at every step; or the gradients of it, None where nobody wants one.

    Attributes:
        maps: query makes q = (W_q LN1(x) + u) / sqrt(k) and widen makes W_1 LN2(x) + b_1, both from
            an x normalised without gain and bias; output and narrow are the layer's own.
        r, s: for every distance, the farthest first: q·key + q·r + s is the score.
    """

    maps: LayerMaps  # of Affine: query, output (d, d), widen (F, d), narrow (d, F)
    r: Tensor  # (H, k, n)
    s: Tensor  # (H, 1, n)


class FoldedWeights(NamedTuple):
    """What the steps of a pass multiply with; or the gradients of it.

    Attributes:
        mixture: the weights with which outputs enter the memory.
        project_kv: W_k above W_v.
    """

    mixture: Tensor  # (L+1,)
    project_kv: Tensor  # (2 d, d)
    layers: list[FoldedLayer]  # L of them

    def flat(self) -> list[Tensor | None]:
        """All tensors in a row, as an autograd function takes and gives them."""
        flat = [self.mixture, self.project_kv]
        for maps, r, s in self.layers:
            flat += [tensor for affine in maps for tensor in affine] + [r, s]
        return flat

    @classmethod
    def from_flat(cls, flat: Sequence[Tensor]) -> FoldedWeights:
        """Undo `flat`."""
        mixture, project_kv, *rest = flat
        layers, size = [], len(rest) // (len(mixture) - 1)
        for start in range(0, len(rest), size):
            *pairs, r, s = rest[start : start + size]
            layers.append(FoldedLayer(LayerMaps(*map(Affine, pairs[::2], pairs[1::2])), r, s))
        return cls(mixture, project_kv, layers)


def fold(model: nn.Module, n: int) -> FoldedWeights:
    """The weights of a `FeedbackTransformerKV`, folded for up to n keys, n >= 1."""
    (shared,) = model.keys_values
    return FoldedWeights(
        mixture=model.mixture.weights(shared.key.weight),
        project_kv=torch.cat([shared.key.weight, shared.value.weight]),
        layers=[fold_layer(layer, n) for layer in model.layers],
    )


def fold_layer(layer: Layer, n: int) -> FoldedLayer:
    """Work the norms' gain and bias, u and 1 / sqrt(k) into the weights of a layer.

    (W_q z + u)·key + (W_q z)·r + s  =  q·key + q·r + (s - u·r)   with   q = W_q z + u.
    """
    r, s, u = layer.attention.r, layer.attention.s, layer.attention.u
    query, output, widen, narrow = linear_modules(layer)
    scale = 1 / math.sqrt(u.shape[1])
    r = rows_for(r, n)  # (n, H, k)
    s = rows_for(s, n) - (r * u).sum(-1)  # (n, H)
    query_bias = (query.weight @ layer.norm1.bias + u.flatten()) * scale  # (d,)
    widen_bias = widen.weight @ layer.norm2.bias + widen.bias  # (F,)
    maps = LayerMaps(
        query=Affine(query.weight * layer.norm1.weight * scale, query_bias),
        output=Affine(output.weight, output.bias),
        widen=Affine(widen.weight * layer.norm2.weight, widen_bias),
        narrow=Affine(narrow.weight, narrow.bias),
    )
    return FoldedLayer(maps, r=r.permute(1, 2, 0).contiguous(), s=s.T[:, None] * scale)
