"""The memory vector of one step as a weighted sum of what each layer put out (chapter 4)."""

import math
import operator
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import traitlets

from .base import Checked, Widget, as_list, percent, sources

# Weights computed in half precision, or rounded by hand, may miss 1 by this much.
SUM_TOLERANCE = 1e-3


class LayerMemoryWeights(Widget):
    """Drag the layer weights and watch the memory `m = sum_l weights[l] * outputs[l]` change.

    Arguments:
        outputs: (L+1, d) numbers, the output of each layer at one step; row 0 is the token
            embedding, row l is layer l. A nested list, an array or a tensor, of at least two rows.
        weights: (L+1,) numbers that are not negative and sum to 1; equal if None. A button brings
            the weights given here back, as the learned ones.
        labels: (L+1,) names of the rows; "embedding", "layer 1", ... if None.
        history: how training moved the weights, for a replay: pairs of a step and its weights, such
            as `zip(steps, rows)`, or the log of a run, whose lines have "step" and "layer_weights".

    All four are kept as plain lists, can be set again, and follow the page while a kernel runs.
    A ValueError says what is wrong with a value.

    Attributes:
        learned: the weights that were given at first; None if there were none.
    """

    _esm, _css = sources(__file__)

    # `Any`, because the checks below accept arrays and tensors too; what is kept is a list.
    outputs = Checked().tag(sync=True)
    weights = Checked().tag(sync=True)
    labels = Checked().tag(sync=True)
    history = Checked().tag(sync=True)
    learned = traitlets.Any(read_only=True).tag(sync=True)

    def __init__(
        self,
        outputs: Sequence[Sequence[float]],
        weights: Sequence[float] | None = None,
        labels: Sequence[str] | None = None,
        history: Iterable | None = None,
    ):
        outputs = _checked_outputs(outputs)
        rows = len(outputs)
        learned = None if weights is None else _checked_weights(weights, rows)
        if labels is None:
            labels = ["embedding"] + [f"layer {layer}" for layer in range(1, rows)]
        super().__init__(
            outputs=outputs,
            weights=learned or [1 / rows] * rows,
            labels=_checked_labels(labels, rows),
            history=_checked_history(history, rows),
        )
        self.set_trait("learned", learned)

    @property
    def mixture(self) -> list[float]:
        """(d,) the memory vector: the outputs weighted and summed over the layers."""
        return (np.array(self.weights) @ np.array(self.outputs)).tolist()

    def describe(self) -> str:
        """One sentence that says what the picture shows, and one for the replay."""
        memory = f"Memory: {self._shares(self.weights)}."
        if not self.history:
            return memory
        (first, before), (last, after) = self.history[0], self.history[-1]
        return (
            f"{memory} From step {first:,} to step {last:,} training moved the weights from "
            f"{self._shares(before)} to {self._shares(after)}."
        )

    def _shares(self, weights: list[float]) -> str:
        percents = [f"{percent(weight)}\N{NO-BREAK SPACE}%" for weight in weights]
        return ", ".join(" ".join(pair) for pair in zip(percents, self.labels, strict=True))

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

    @traitlets.validate("history")
    def _validate_history(self, proposal):
        return _checked_history(proposal.value, len(self.outputs))


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


def _checked_weights(weights, rows: int, name: str = "weights") -> list[float]:
    array = _numbers(weights, name)
    if array.shape != (rows,):
        raise ValueError(f"{name} has shape {array.shape}; expected ({rows},), one for each row")
    if (array < 0).any():
        raise ValueError(f"{name} must not be negative, but one is {array.min():g}")
    if not math.isclose(array.sum(), 1, abs_tol=SUM_TOLERANCE):
        raise ValueError(f"{name} must sum to 1, but they sum to {array.sum():g}")
    return array.tolist()


def _checked_labels(labels, rows: int) -> list[str]:
    labels = [str(label) for label in as_list("labels", labels)]
    if len(labels) != rows:
        raise ValueError(f"labels has {len(labels)} names; expected {rows}, one for each row")
    return labels


def _checked_history(history, rows: int) -> list[list] | None:
    """[step, weights] for each line; None if there is nothing to replay."""
    if history is None:
        return None
    if not isinstance(history, Iterable):
        raise ValueError(f"history must be a sequence of lines, not {type(history).__name__}")
    checked = []
    for line in history:
        step, weights = _step_and_weights(line)
        weights = _checked_weights(weights, rows, f"history, step {step}: its row")
        if checked and step <= checked[-1][0]:
            raise ValueError(f"history: steps must rise, but {step} follows {checked[-1][0]}")
        checked.append([step, weights])
    if len(checked) < 2:
        raise ValueError(f"history has {len(checked)} lines; a replay needs two at least")
    return checked


def _step_and_weights(line) -> tuple[int, Sequence[float]]:
    """From a line of a run's log, or from a pair."""
    try:
        step, weights = (line["step"], line["layer_weights"]) if isinstance(line, Mapping) else line
        return operator.index(step), weights
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            "history must hold pairs (step, weights), or lines of a log with a whole number "
            f'"step" and with "layer_weights", but a line is {line!r:.80}'
        ) from error
