"""Linear maps for a loop over steps: the same weights thousands of times, a few rows each time.

`prepacked` brings a weight into the layout that the processor's library likes best, once; `plain`
reads it where it lies; `ready` takes the one that is quicker here. `LayerMaps` names the four
linear maps of a layer: the list of products that the steps forward, the steps backward and
generation have in common. `add_product` is for the gradient of a weight. Built in chapter 7.

Shapes: B batch, i numbers in, o numbers out, R rows.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from feedback.fast.choice import decide, is_quicker, may_race
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


def takes_onednn(x: Tensor) -> bool:
    """Whether oneDNN can multiply with x: on a CPU in float32, and not switched off."""
    on_cpu = x.dtype == torch.float32 and x.device.type == "cpu"
    return on_cpu and torch.backends.mkldnn.enabled and has_onednn()


def ready(weight: Tensor, bias: Tensor | None, rows: int) -> LinearMap:
    """`prepacked` or `plain`, whichever is quicker here for calls with so many rows."""
    o, i = weight.shape
    packed = rows > 1
    if takes_onednn(weight) and may_race(o * i):
        race = partial(packing_wins, rows, o, i)
        packed = decide(f"{rows} rows, weight {o} x {i}, {torch.get_num_threads()} threads", race)
    return (prepacked if packed else plain)(weight.contiguous(), bias)


def packing_wins(rows: int, o: int, i: int) -> bool:
    """Whether oneDNN's layout is the quicker one for x (rows, i) and a weight (o, i)."""
    x, weight, bias = torch.ones(rows, i), torch.ones(o, i), torch.ones(o)
    without, packed = (partial(make(weight, bias), x) for make in (plain, prepacked))
    return is_quicker(packed, without) if rows == 1 else not is_quicker(without, packed)


def prepacked(weight: Tensor, bias: Tensor | None = None) -> LinearMap:
    """The linear map of a weight (o, i) and a bias (o,), for many calls with few rows.

    Returns a function of x (B, i) and plus (B, o), the latter optional, which gives
    x @ weight.T + bias + plus, or its relu where relu=True and plus is None. It has no gradient.

    On a CPU in float32 the weight is copied into oneDNN's layout, which torch itself does for the
    graphs that it compiles; for large weights and few rows that is quicker than `torch.addmm`.
    Anywhere else, and under `torch.backends.mkldnn.flags(enabled=False)`, it is `plain`.
    """
    if takes_onednn(weight):
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


def add_product(total: Tensor, a: Tensor, b: Tensor) -> None:
    """total (o, i) += aᵀ b, for a (R, o) and b (R, i): what R rows give to a weight's gradient."""
    by_onednn = takes_onednn(total) and may_race(total.numel())
    if by_onednn and decide(f"many rows, {torch.get_num_threads()} threads", onednn_wins):
        total.add_(onednn_product(a, b))
    else:
        total.addmm_(a.t(), b)


def onednn_product(a: Tensor, b: Tensor) -> Tensor:
    """aᵀ b by oneDNN, which is quicker if the larger result counts as its weight's."""
    if a.shape[1] > b.shape[1]:
        return onednn_product(b, a).t()
    return torch.ops.mkldnn._linear_pointwise(a.t(), b.t(), None, "none", [], "")


def onednn_wins() -> bool:
    """Whether oneDNN is the quicker one for products of many rows."""
    a = b = torch.ones(256, 256)
    return is_quicker(lambda: onednn_product(a, b), lambda: torch.mm(a.t(), b))
