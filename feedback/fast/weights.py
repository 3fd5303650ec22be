"""Weights as a loop over steps wants them: whatever does not depend on the step is done before it.

The same few products run thousands of times, each with few rows. Built in chapter 7; generation
uses the products too.

Shapes: B batch, d width, H heads, k = d / H, F feed-forward width, S distances, n keys.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from feedback.attention import rows_for
from feedback.transformer import Layer


class LayerWeights(NamedTuple):
    """What one layer needs at every step.

    Attributes:
        query, query_bias: (d, d) and (d,). They make q = (W_q LN1(x) + u) / sqrt(k) from x
            normalised without gain and bias.
        r, s: (H, k, n) and (H, 1, n), the farthest first: q·key + q·r + s is the score.
        output, output_bias: (d, d) and (d,).
        widen, widen_bias: (F, d) and (F,), again for x normalised without gain and bias.
        narrow, narrow_bias: (d, F) and (d,).
    """

    query: Tensor
    query_bias: Tensor
    r: Tensor
    s: Tensor
    output: Tensor
    output_bias: Tensor
    widen: Tensor
    widen_bias: Tensor
    narrow: Tensor
    narrow_bias: Tensor


def layer_weights(layer: Layer, n: int) -> LayerWeights:
    """Work the norms' gain and bias, u and 1 / sqrt(k) into the weights, for up to n keys.

    (W_q z + u)·key + (W_q z)·r + s  =  q·key + q·r + (s - u·r)   with   q = W_q z + u.
    Differentiable: gradients flow on into the parameters of the layer.
    """
    attention, widen, narrow = layer.attention, layer.feed_forward.widen, layer.feed_forward.narrow
    scale = 1 / math.sqrt(attention.u.shape[1])
    query, r = attention.query.weight, rows_for(attention.r, n)  # (n, H, k)
    s = rows_for(attention.s, n) - (r * attention.u).sum(-1)  # (n, H)
    return LayerWeights(
        query=query * layer.norm1.weight * scale,
        query_bias=(query @ layer.norm1.bias + attention.u.flatten()) * scale,
        r=r.permute(1, 2, 0).contiguous(),
        s=s.T[:, None] * scale,
        output=attention.output.weight,
        output_bias=attention.output.bias,
        widen=widen.weight * layer.norm2.weight,
        widen_bias=widen.weight @ layer.norm2.bias + widen.bias,
        narrow=narrow.weight,
        narrow_bias=narrow.bias,
    )


@cache
def has_onednn() -> bool:
    """Whether torch carries oneDNN's linear map for weights brought into its own layout."""
    try:
        ops = torch.ops.mkldnn
        packed = ops._reorder_linear_weight(torch.ones(2, 3))
        y = ops._linear_pointwise.binary(torch.ones(1, 3), torch.ones(1, 2), packed, None, "add")
        return y.tolist() == [[4, 4]]
    except (AttributeError, RuntimeError):
        return False


def product(weight: Tensor) -> Callable[..., Tensor]:
    """The linear map of a weight (m, d) that is used many times with few rows.

    Returns a function of x (B, d), bias (m,) and plus (B, m), the last two optional, which gives
    x @ weight.T + bias + plus, or its relu where relu=True and plus is None.

    On a CPU in float32 the weight is brought into oneDNN's layout once, which this torch does for
    the graphs that it compiles; for large weights and few rows that is quicker than `torch.addmm`.
    Anywhere else, and under `torch.backends.mkldnn.flags(enabled=False)`, it is `torch.addmm`.
    """
    on_cpu = weight.dtype == torch.float32 and weight.device.type == "cpu"
    if on_cpu and torch.backends.mkldnn.enabled and has_onednn():
        linear = torch.ops.mkldnn._linear_pointwise
        packed = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous())

        def multiply(x, bias=None, plus=None, relu=False):
            if plus is None:
                return linear(x, packed, bias, "relu" if relu else "none", [], "")
            return linear.binary(x, plus, packed, bias, "add")

        return multiply
    return in_place(weight)


def in_place(weight: Tensor) -> Callable[..., Tensor]:
    """`product` of a weight that is read where it lies, at every call as it is then."""
    transposed = weight.t()

    def multiply(x, bias=None, plus=None, relu=False):
        y = torch.mm(x, transposed) if bias is None else torch.addmm(bias, x, transposed)
        if plus is None:
            return y.relu_() if relu else y
        return y.add_(plus)

    return multiply
