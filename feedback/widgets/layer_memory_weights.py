"""The memory vector of one step as a weighted sum of what each layer put out (chapter 4)."""

import math
from collections.abc import Sequence

import numpy as np
import traitlets

from .base import Widget, sources

# Weights computed in half precision, or rounded by hand, may miss 1 by this much.
SUM_TOLERANCE = 1e-3


class LayerMemoryWeights(Widget):
    """Drag the layer weights and watch the memory `m = sum_l weights[l] * outputs[l]` change.

    Arguments:
        outputs: (L+1, d) numbers, the output of each layer at one step; row 0 is the token
            embedding, row l is layer l. A nested list, an array or a tensor, of at least two rows.
        weights: (L+1,) numbers that are not negative and sum to 1; equal if None.
        labels: (L+1,) names of the rows; "embedding", "layer 1", ... if None.

    All three are kept as plain lists, can be set again, and follow the page while a kernel runs.
    A ValueError says what is wrong with a value.
    """

    _esm, _css = sources(__file__)

    # `Any`, because the checks below accept arrays and tensors too; what is kept is a list.
    outputs = traitlets.Any().tag(sync=True)
    weights = traitlets.Any().tag(sync=True)
    labels = traitlets.Any().tag(sync=True)

    def __init__(
        self,
        outputs: Sequence[Sequence[float]],
        weights: Sequence[float] | None = None,
        labels: Sequence[str] | None = None,
    ):
        outputs = _checked_outputs(outputs)
        rows = len(outputs)
        if weights is None:
            weights = [1 / rows] * rows
        if labels is None:
            labels = ["embedding"] + [f"layer {layer}" for layer in range(1, rows)]
        super().__init__(
            outputs=outputs,
            weights=_checked_weights(weights, rows),
            labels=_checked_labels(labels, rows),
        )

    @property
    def mixture(self) -> list[float]:
        """(d,) the memory vector: the outputs weighted and summed over the layers."""
        return (np.array(self.weights) @ np.array(self.outputs)).tolist()

    def describe(self) -> str:
        """One sentence that says what the picture shows."""
        pairs = zip(self.weights, self.labels, strict=True)
        parts = [f"{_percent(weight)}\N{NO-BREAK SPACE}% {label}" for weight, label in pairs]
        return f"Memory: {', '.join(parts)}."

    @traitlets.validate("outputs")
    def _validate_outputs(self, proposal):
        outputs = _checked_outputs(proposal.value)
        if len(outputs) != len(self.weights):
            raise ValueError(
                f"outputs has {len(outputs)} rows, but this widget was made for "
                f"{len(self.weights)}: make another LayerMemoryWeights"
            )
        return outputs

    @traitlets.validate("weights")
    def _validate_weights(self, proposal):
        return _checked_weights(proposal.value, len(self.outputs))

    @traitlets.validate("labels")
    def _validate_labels(self, proposal):
        return _checked_labels(proposal.value, len(self.outputs))


def _percent(weight: float) -> int:
    return math.floor(100 * weight + 0.5)  # rounds halves up, as JavaScript does


def _numbers(values, name: str) -> np.ndarray:
    """Values as an array of finite floats; tensors are recognised without importing torch."""
    try:
        array = np.array(_as_lists(values), dtype=float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be numbers in rows of equal length ({error})") from error
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, but holds nan or infinity")
    return array


def _as_lists(values):
    if hasattr(values, "tolist"):  # numpy arrays, and tensors: on any device, with or without grad
        return values.tolist()
    if isinstance(values, (list, tuple)):
        return [_as_lists(value) for value in values]
    return values


def _checked_outputs(outputs) -> list[list[float]]:
    array = _numbers(outputs, "outputs")
    if array.ndim != 2 or array.shape[0] < 2 or array.shape[1] < 1:
        raise ValueError(
            f"outputs has shape {array.shape}; expected (L+1, d): the embedding and at least one "
            "layer, at one step of one sequence"
        )
    return array.tolist()


def _checked_weights(weights, rows: int) -> list[float]:
    array = _numbers(weights, "weights")
    if array.shape != (rows,):
        raise ValueError(f"weights has shape {array.shape}; expected ({rows},), one for each row")
    if (array < 0).any():
        raise ValueError(f"weights must not be negative, but one is {array.min():g}")
    if not math.isclose(array.sum(), 1, abs_tol=SUM_TOLERANCE):
        raise ValueError(f"weights must sum to 1, but they sum to {array.sum():g}")
    return array.tolist()


def _checked_labels(labels, rows: int) -> list[str]:
    labels = [str(label) for label in labels]
    if len(labels) != rows:
        raise ValueError(f"labels has {len(labels)} names; expected {rows}, one for each row")
    return labels
