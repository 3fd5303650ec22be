"""What a model is made of: one frozen, checked description, saved beside the weights."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from feedback.fields import described, documented

MODELS = ("parallel", "feedback", "feedback-kv")


@documented
@dataclass(frozen=True)
class Config:
    """The shape of a model. Every field is checked here, before anything is built.

    Raises:
        TypeError, ValueError: a field has the wrong type or is out of range.
    """

    model: str = described(
        '"parallel", "feedback" or "feedback-kv" (keys and values shared by all layers)',
        default="feedback-kv",
    )
    n_tokens: int | None = described(
        "vocabulary size V; None for a bare stack of layers without embedding and head", default=65
    )
    d_model: int = described(
        "width d of every vector between layers, a multiple of `heads`", default=256
    )
    heads: int = described("attention heads H, each of k = d / H features", default=4)
    n_layers: int = described("number of layers L", default=4)
    d_ff: int = described("hidden width F of the feed-forward sub-layer", default=1024)
    dropout: float = described(
        "probability of dropout in all its four places, 0 <= dropout < 1", default=0.0
    )
    max_distance: int = described(
        "number of learned distances S; tokens farther apart share the last, and nothing caps the "
        "length",
        default=512,
    )
    memory_size: int | None = described(
        "how many earlier steps a layer may read, and a memory keeps; None is all. The parallel "
        "model reads its own token as well",
        default=None,
    )
    memory_mixture: str | Iterable[float] = described(
        '"learned", or L + 1 fixed weights >= 0 that sum to 1, that of the embedding first '
        "(feedback models only)",
        default="learned",
    )

    def __post_init__(self) -> None:
        if self.model not in MODELS:
            raise ValueError(f"model is {self.model!r}; choose one of {', '.join(MODELS)}")
        for name in ("d_model", "heads", "n_layers", "d_ff", "max_distance"):
            self._put(name, whole_number(name, getattr(self, name), 1))
        for name in ("n_tokens", "memory_size"):
            if getattr(self, name) is not None:
                self._put(name, whole_number(name, getattr(self, name), 1))
        if self.d_model % self.heads:
            raise ValueError(
                f"d_model {self.d_model} is not divisible by heads {self.heads}: "
                "every head works on d_model / heads features"
            )
        if not is_number(self.dropout):
            raise TypeError(f"dropout is {self.dropout!r}; it must be a number")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}; it must lie in 0 <= dropout < 1")
        self._put("dropout", float(self.dropout))
        self._put("memory_mixture", _mixture(self.memory_mixture, self.n_layers))
        if self.model == "parallel" and self.memory_mixture != "learned":
            raise ValueError(
                "memory_mixture describes the memory vectors of a feedback model; "
                "leave it out for model='parallel'"
            )

    def _put(self, name: str, value: object) -> None:
        # Plain numbers and tuples: equal configs compare equal, however they were written.
        object.__setattr__(self, name, value)


def is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def plain(value: Any) -> Any:
    """A single number of an array or a tensor as Python's own, and every other value as it is."""
    try:
        return value.item() if hasattr(value, "item") else value
    except (RuntimeError, ValueError):  # more than one number, or none
        return value


def whole_number(name: str, value: object, least: int, most: int | None = None) -> int:
    """The value as a plain int, whichever kind of integer it is: Python's, numpy's or torch's.

    Raises:
        TypeError: it is no whole number; neither are 2.0 and True.
        ValueError: it is one, but not in least..most.
    """
    number = plain(value)
    if not isinstance(number, Integral) or isinstance(number, bool):
        bounds = f"of at least {least}" if most is None else f"in {least}..{most}"
        raise TypeError(f"{name} is {value!r}; it must be a whole number {bounds}")
    number = int(number)
    if most is not None and not least <= number <= most:
        raise ValueError(f"{name} is {number}; it must be in {least}..{most}")
    if number < least:
        raise ValueError(f"{name} is {number}; it must be at least {least}")
    return number


def _mixture(mixture: Any, n_layers: int) -> str | tuple[float, ...]:
    if isinstance(mixture, str) and mixture == "learned":
        return mixture
    if hasattr(mixture, "tolist"):  # a tensor or an array
        mixture = mixture.tolist()
    if isinstance(mixture, str) or not isinstance(mixture, Iterable):
        raise ValueError(
            f"memory_mixture is {mixture!r}; it must be 'learned' or {n_layers + 1} weights"
        )
    weights = tuple(mixture)
    if not all(is_number(weight) for weight in weights):
        raise TypeError(f"memory_mixture is {mixture!r}; every weight must be a number")
    if len(weights) != n_layers + 1:
        raise ValueError(
            f"memory_mixture has {len(weights)} weights; {n_layers} layers and the embedding "
            f"need {n_layers + 1}"
        )
    if not all(weight >= 0 for weight in weights) or not math.isclose(
        sum(weights), 1, abs_tol=1e-6
    ):
        raise ValueError(
            f"memory_mixture sums to {sum(weights)}; the weights must be >= 0 and sum to 1"
        )
    return tuple(float(weight) for weight in weights)
