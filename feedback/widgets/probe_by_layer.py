"""Linear probes that are fitted in the page: where in a model a state can be read (chapter 10)."""

from __future__ import annotations

from collections.abc import Sequence

import traitlets

from feedback.language_model import LanguageModel
from feedback.tasks import TASKS

from . import cup_models
from .base import Widget, sources
from .patch_the_memory import ROW, TOTAL, Shuffles
from .traits import OneOf

UNTRAINED = "untrained"
SAID = {"now": "the state", "before": "the state before", "shuffled": "labels at random"}


class ProbeByLayer(Widget):
    """Fit a linear probe at each place of a model, and see what it reads at each step of a row.

    The page runs a model on rows of shuffled cups and fits the probes as
    `feedback.interpret.probes` does: at the embedding, after attention and at the output of each
    layer, and at the memory vector.

    Arguments:
        models: as in `PatchTheMemory`; all have one number of layers.

    Each attribute from `model` to `row` is also an argument, can be set again, and follows the page
    while a kernel runs. A wrong value raises a TypeError or a ValueError that says what is
    expected, and changes nothing.

    Attributes:
        model: the name of the model that is looked into, or "untrained", the first one with fresh
            weights; the first one if None.
        target: what the probes shall read: the state after a shuffle, "now", or "before" it; or
            "shuffled", the same labels dealt out at random.
        row: 12 tokens, 0 to 5, of the row that is shown.
        results: by place, how many answers were right, of how many, on rows that no probe was
            fitted to; empty before.
        models, weights: names and sizes of all models, and their weights as bytes.
    """

    _esm, _css = sources(__file__)

    models = traitlets.List().tag(sync=True)
    weights = traitlets.Bytes().tag(sync=True)
    model = OneOf(lambda self: [*self._names, UNTRAINED], none=lambda self: self._names[0]).tag(
        sync=True
    )
    target = OneOf(tuple(SAID)).tag(sync=True)
    row = Shuffles(TOTAL).tag(sync=True)
    results = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        models: dict[str, LanguageModel] | None = None,
        model: str | None = None,
        target: str = "now",
        row: Sequence[int] = ROW,
    ):
        found = cup_models.checked(models)
        if len({each.config.n_layers for each in found.values()}) > 1:
            raise ValueError("models have different numbers of layers; they must have the same")
        self._names = list(found)
        given, weights = cup_models.packed(found)
        super().__init__(models=given, weights=weights, model=model, target=target, row=row)

    def describe(self) -> str:
        """What the picture shows, in words."""
        if not self.results:
            return "No probe is fitted yet. Press Fit the probes."
        shares = ", ".join(
            f"{place} {held / done:.2f}" for place, (held, done) in self.results.items()
        )
        return (
            f"Read by a probe, {SAID[self.target]}, model {self.model}: {shares}. "
            f"A guess gets {1 / TASKS['s3'].n_tokens:.2f}."
        )

    @traitlets.observe("model", "target")
    def _begin_again(self, change):
        self.results = {}
