"""The memory vector of one step as a weighted sum of what each layer put out (chapter 4)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from feedback.config import whole_number

from .base import Widget, percent, sources
from .traits import Checked, Names, Weights, array, sequence

# Weights computed in half precision, or rounded by hand, may miss 1 by this much.
SUM_TOLERANCE = 1e-3


class Outputs(Checked):
    """A table of numbers with a row for the embedding and for each layer, as a list of lists."""

    @staticmethod
    def check(name: str, values: object, rows: int | None = None) -> list[list[float]]:
        table = array(name, values, "(L+1, d) for one step of one sequence").tolist()
        if len(table) < 2:
            raise ValueError(f"{name} has one row; it must have the embedding and a layer at least")
        if rows not in (None, len(table)):
            raise ValueError(
                f"{name} has {len(table)} rows, but this widget was made for {rows}: make another "
                "LayerMemoryWeights"
            )
        return table


class History(Checked):
    """Weights at steps of training that rise, as a list of [step, weights]."""

    @staticmethod
    def check(name: str, lines: Any, rows: int) -> list[list]:
        history: list[list] = []
        for line in sequence(name, lines):
            step, weights = _step_and_weights(line)
            place = f"the row of {name} at step {step}"
            history.append([step, Weights.check(place, weights, rows, SUM_TOLERANCE)])
        if len(history) < 2:
            raise ValueError(f"{name} has {len(history)} lines; a replay needs two at least")
        for (before, _), (step, _) in zip(history, history[1:], strict=False):
            if step <= before:
                raise ValueError(f"{name}: steps must rise, but {step} follows {before}")
        return history


class LayerMemoryWeights(Widget):
    """Drag the layer weights and watch the memory `m = sum_l weights[l] * outputs[l]` change.

    All attributes but `learned` are also arguments, can be set again, and follow the page while a
    kernel runs. Lists, arrays and tensors will do, and are kept as lists. A wrong value raises a
    TypeError or a ValueError that says what is expected, and changes nothing.

    Attributes:
        outputs: (L+1, d) numbers, the output of each layer at one step; row 0 is the token
            embedding, row l is layer l. There are at least two rows, and their number stays.
        weights: (L+1,) numbers that are not negative and sum to 1; equal if the argument is None.
        labels: (L+1,) names of the rows; "embedding", "layer 1", ... if the argument is None.
        history: how training moved the weights, for a replay: pairs of a step and its weights, such
            as `zip(steps, rows)`, or the log of a run, whose lines have "step" and "layer_weights".
            It is kept as a list of [step, weights]; None if there is nothing to replay.
        learned: the weights that the widget was made with, to which a button of the page returns;
            None if it was made without.
    """

    _esm, _css = sources(__file__)

    outputs = Outputs(lambda self: self._rows).tag(sync=True)
    weights = Weights(lambda self: self._rows, SUM_TOLERANCE).tag(sync=True)
    labels = Names(lambda self: self._rows, "each row").tag(sync=True)
    history = History(lambda self: self._rows, allow_none=True).tag(sync=True)
    learned = Weights(lambda self: self._rows, SUM_TOLERANCE, allow_none=True, read_only=True).tag(
        sync=True
    )

    def __init__(
        self,
        outputs: Sequence[Sequence[float]],
        weights: Sequence[float] | None = None,
        labels: Sequence[str] | None = None,
        history: Iterable | None = None,
    ):
        outputs = Outputs.check("outputs", outputs)
        self._rows = len(outputs)
        if labels is None:
            labels = ["embedding"] + [f"layer {layer}" for layer in range(1, self._rows)]
        if weights is not None:
            weights = Weights.check("weights", weights, self._rows, SUM_TOLERANCE)
        self.set_trait("learned", weights)
        super().__init__(
            outputs=outputs,
            weights=weights or [1 / self._rows] * self._rows,
            labels=labels,
            history=history,
        )

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


def _step_and_weights(line) -> tuple[int, Sequence[float]]:
    """From a line of a run's log, or from a pair."""
    try:
        step, weights = (line["step"], line["layer_weights"]) if isinstance(line, Mapping) else line
        return whole_number("step", step, 0), weights
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            "history must hold pairs (step, weights), or lines of a log with a whole number "
            f'"step" and with "layer_weights", but a line is {line!r:.80}'
        ) from error
