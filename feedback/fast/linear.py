"""Linear maps for a loop over steps: the same weights thousands of times, a few rows each time.

`prepacked` brings a weight into the layout that the processor's library likes best, once; `plain`
reads it where it lies. `LayerMaps` names the four linear maps of a layer: the list of products that
the steps forward, the steps backward and generation have in common. Built in chapter 7.

Shapes: B batch, i numbers in, o numbers out.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from feedback.transformer import Layer

LinearMap = Callable[..., Tensor]  # (x, plus=None, relu=False) -> Tensor, as `prepacked` says


class LayerMaps(NamedTuple):
    """One entry for each linear map of a layer, in the order in which a step comes to them.

    Attributes:
        query: W_q. output: W_o. widen: W_1. narrow: W_2; or what belongs to each of them, such as a
            weight with its bias, a `LinearMap`, or gradients.
    """

    query: Any
    output: Any
    widen: Any
    narrow: Any


def linear_modules(layer: Layer) -> LayerMaps:
    """The four `nn.Linear` of a layer."""
    return LayerMaps(
        query=layer.attention.query,
        output=layer.attention.output,
        widen=layer.feed_forward.widen,
        narrow=layer.feed_forward.narrow,
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


def prepacked(weight: Tensor, bias: Tensor | None = None) -> LinearMap:
    """The linear map of a weight (o, i) and a bias (o,), for many calls with few rows.

    Returns a function of x (B, i) and plus (B, o), the latter optional, which gives
    x @ weight.T + bias + plus, or its relu where relu=True and plus is None. It has no gradient.

    On a CPU in float32 the weight is copied into oneDNN's layout, which torch itself does for the
    graphs that it compiles; for large weights and few rows that is quicker than `torch.addmm`.
    Anywhere else, and under `torch.backends.mkldnn.flags(enabled=False)`, it is `plain`.
    """
    on_cpu = weight.dtype == torch.float32 and weight.device.type == "cpu"
    if on_cpu and torch.backends.mkldnn.enabled and has_onednn():
        linear = torch.ops.mkldnn._linear_pointwise
        packed = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous())

        def multiply(x, plus=None, relu=False):
            if plus is None:
                return linear(x, packed, bias, "relu" if relu else "none", [], "")
            return linear.binary(x, plus, packed, bias, "add")

        return multiply
    return plain(weight, bias)


def plain(weight: Tensor, bias: Tensor | None = None) -> LinearMap:
    """The same map, which reads weight and bias where they lie, at every call as they are then."""
    transposed = weight.t()  # (i, o)

    def multiply(x, plus=None, relu=False):
        y = torch.mm(x, transposed) if bias is None else torch.addmm(bias, x, transposed)
        if plus is None:
            return y.relu_() if relu else y
        return y.add_(plus)

    return multiply
