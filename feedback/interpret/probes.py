"""Linear probes: what can be read from a vector by one linear map, and the controls of that.

A probe that reads a state well says that the state is there to be read. It does not say that the
model reads it: only a change of the vector shows that (`changes.py`). Chapter 10.

Shapes: N vectors, d width, C classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from feedback.interpret.counts import Count
from feedback.language_model import LanguageModel


@dataclass(frozen=True, eq=False)
class Probe:
    """A linear classifier of vectors, each feature first brought to mean 0 and deviation 1.

    Attributes:
        mean, deviation: (d,), of the vectors that it was fitted to.
        weight, bias: (d, C) and (C,).
    """

    mean: Tensor
    deviation: Tensor
    weight: Tensor
    bias: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """Logits of vectors: (..., d) -> (..., C)."""
        return (x.double() - self.mean) / self.deviation @ self.weight + self.bias

    def accuracy(self, x: Tensor, labels: Tensor) -> Count:
        """How often the likeliest class is the label: (..., d), (...) int64."""
        return Count.of(self(x).argmax(-1) == labels)


def fit_probe(x: Tensor, labels: Tensor, penalty: float = 1e-3) -> Probe:
    """Fit a probe by logistic regression, in double precision.

    The loss is the mean cross-entropy plus `penalty` times the sum of squared weights. It has one
    minimum, which LBFGS finds from any start.

    Args:
        x, labels: (..., d) and (...) int64, from 0.

    Raises:
        ValueError: shapes do not fit, or there is only one class.
    """
    if labels.shape != x.shape[:-1]:
        shapes = f"{tuple(x.shape)} and {tuple(labels.shape)}"
        raise ValueError(f"vectors and labels have shapes {shapes}; they must be (..., d), (...)")
    labels = labels.flatten()
    if labels.min() == labels.max():
        raise ValueError(f"all labels are {int(labels[0])}; a probe needs two classes")
    x = x.flatten(0, -2).double()  # (N, d)
    mean, deviation = x.mean(0), x.std(0).clamp(min=1e-9)
    x = (x - mean) / deviation
    weight = x.new_zeros(x.shape[1], int(labels.max()) + 1, requires_grad=True)
    bias = x.new_zeros(weight.shape[1], requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [weight, bias], max_iter=200, tolerance_grad=1e-6, line_search_fn="strong_wolfe"
    )

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = F.cross_entropy(x @ weight + bias, labels) + penalty * weight.square().sum()
        value.backward()
        return value

    with torch.enable_grad():
        optimizer.step(loss)
    return Probe(mean, deviation, weight.detach(), bias.detach())


def shuffled(labels: Tensor, generator: torch.Generator) -> Tensor:
    """The same labels in another order, as a control: what they say of a vector is chance."""
    order = torch.randperm(labels.numel(), generator=generator)
    return labels.flatten()[order].view_as(labels)


def untrained(model: LanguageModel, seed: int = 0) -> LanguageModel:
    """A model of the same config with fresh weights, as a control: what no training has put there.

    Random numbers go on afterwards as if nothing had been drawn.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LanguageModel(model.config).eval()
