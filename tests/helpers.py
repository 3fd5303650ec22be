"""Small random models, and a way to compare what two of them compute."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from feedback import Config, LanguageModel
from feedback.language_model import build

# d, H, L, F, S with B and T: odd sizes, one head, one layer, one and two tokens, one sequence, and
# a length beyond three times the learned distances.
SHAPES = [
    dict(B=2, T=7, d_model=6, heads=3, n_layers=2, d_ff=5, max_distance=9),
    dict(B=1, T=1, d_model=4, heads=2, n_layers=2, d_ff=3, max_distance=2),
    dict(B=3, T=2, d_model=8, heads=2, n_layers=3, d_ff=4, max_distance=5),
    dict(B=1, T=13, d_model=5, heads=1, n_layers=1, d_ff=7, max_distance=4),
]


MODELS = ["parallel", "feedback", "feedback-kv"]
SIZES = dict(n_tokens=11, d_model=12, heads=3, n_layers=3, d_ff=8, max_distance=4)


def shape_name(shape: dict) -> str:
    return "-".join(f"{name}{size}" for name, size in shape.items())


def randomize(module: nn.Module, seed: int = 0) -> nn.Module:
    """Give every parameter, biases and distances included, numbers that matter; in float64."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.double().parameters():
        parameter.data.copy_(torch.randn(parameter.shape, generator=generator) * 0.4)
    return module


def random_model(model: str, shape: dict, path: str | None = None, **more) -> nn.Module:
    sizes = {name: size for name, size in shape.items() if name not in ("B", "T")}
    return randomize(build(Config(model=model, n_tokens=None, **sizes, **more), path))


def small(model: str = "feedback-kv", path: str | None = None, **more) -> LanguageModel:
    """A language model of `SIZES`."""
    return randomize(LanguageModel(Config(model=model, **{**SIZES, **more}), path))


def some_tokens(B: int = 2, T: int = 9) -> Tensor:
    return torch.randint(0, 11, (B, T), generator=torch.Generator().manual_seed(0))


def random_input(shape: dict, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    size = (shape["B"], shape["T"], shape["d_model"])
    return torch.randn(size, generator=generator, dtype=torch.float64).requires_grad_()


def weigh(y: Tensor) -> Tensor:
    """A sum of all of y with fixed random weights, for gradients in which nothing cancels."""
    generator = torch.Generator().manual_seed(2)
    return (y * torch.randn(y.shape, generator=generator, dtype=y.dtype)).sum()


def gradients(module: nn.Module, x: Tensor, y: Tensor) -> dict[str, Tensor]:
    """The gradient of `weigh(y)` with respect to x and every parameter."""
    named = {"x": x, **dict(module.named_parameters())}
    found = torch.autograd.grad(weigh(y), named.values(), allow_unused=True)
    return {
        name: torch.zeros_like(named[name]) if gradient is None else gradient
        for name, gradient in zip(named, found, strict=True)
    }


def assert_same(left: dict[str, Tensor], right: dict[str, Tensor]) -> None:
    """Equal names, and equal numbers up to float64 rounding."""
    assert left.keys() == right.keys()
    for name in left:
        torch.testing.assert_close(left[name], right[name], rtol=1e-9, atol=1e-10, msg=name)


def assert_same_model(left: nn.Module, right: nn.Module, x: Tensor) -> None:
    """Two modules with the same parameter names agree in output and in every gradient."""
    y, z = left(x), right(x)
    assert_same(
        {"y": y, **gradients(left, x, y)},
        {"y": z, **gradients(right, x, z)},
    )
