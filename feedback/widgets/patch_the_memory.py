"""Memory vectors of one run put into another, in the page (chapter 10)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import traitlets
from torch import Tensor

from feedback.config import whole_number
from feedback.interpret import sites
from feedback.interpret.changes import only, put
from feedback.interpret.running import look_at, run_with
from feedback.language_model import LanguageModel
from feedback.tasks import Composition

from . import cup_models
from .base import Widget, percent, sources
from .traits import Checked, OneOf, Whole, checked_together, sequence

CUPS = Composition("s3", 3)
READ, TOTAL = 6, 12  # shuffles that the donor reads, and those that the row reads
ROW = (1, 4, 2, 3, 5, 3, 2, 4, 1, 3, 5, 4)
DONOR = (4, 2, 5, 1, 4, 2)
PARTS = {"all": "all of it", "keys": "its keys alone", "values": "its values alone"}


class Shuffles(Checked):
    """`count` tokens of the task with three cups, as a list."""

    @staticmethod
    def check(name: str, values: Any, count: int) -> list[int]:
        tokens = sequence(name, values, count, "each shuffle")
        return [whole_number(f"one of {name}", token, 0, CUPS.n_tokens - 1) for token in tokens]


class Pairs(Checked):
    """Pairs of steps, as a list in the order of the second ones, of which each comes once."""

    @staticmethod
    def check(name: str, values: Any, most: int) -> list[list[int]]:
        pairs = [
            [whole_number(f"a step in {name}", step, 1, most) for step in pair]
            for pair in (sequence(f"a pair in {name}", pair, 2, "two steps") for pair in values)
        ]
        places = [to for _, to in pairs]
        if len(set(places)) < len(places):
            raise ValueError(f"{name} puts two vectors in one place: {pairs}")
        return sorted(pairs, key=lambda pair: pair[1])


class PatchTheMemory(Widget):
    """Put memory vectors of one run into another, and see whose state the answers go on from.

    Two rows of shuffled cups are read by one model: a donor of 6 shuffles, and a row of 12. In the
    places of the first 6 memory vectors of the row stand those of the donor, or a part of them,
    where the reader has put them. Below, all models read the same shuffles on and on.

    Arguments:
        models: feedback models with shared keys and values that follow three cups, each under the
            name that the page shows; two that come with the package if None.
        trained: how many shuffles the rows had on which they were trained.

    Each attribute from `model` to `part` is also an argument, can be set again, and follows the
    page while a kernel runs. A wrong value raises a TypeError or a ValueError that says what is
    expected, and changes nothing.

    Attributes:
        model: the name of the model that reads the two rows; the first one if None.
        row: its 12 tokens, 0 to 5.
        donor: its 6 tokens.
        put: pairs (from, to) of steps, 1 to 6: the donor's vector `from` stands in the place of the
            row's vector `to`.
        count: how many last vectors are moved at once, 1 to 6.
        part: which part of them, "all", "keys", "values", or "share 0" to "share L": what a layer
            (0 is the embedding) contributes.
        models, weights: names and sizes of all models, and their weights as bytes.
    """

    _esm, _css = sources(__file__)

    models = traitlets.List().tag(sync=True)
    weights = traitlets.Bytes().tag(sync=True)
    model = OneOf(lambda self: [*self._models], none=lambda self: next(iter(self._models))).tag(
        sync=True
    )
    row = Shuffles(TOTAL).tag(sync=True)
    donor = Shuffles(READ).tag(sync=True)
    put = Pairs(READ).tag(sync=True)
    count = Whole(1, READ).tag(sync=True)
    part = OneOf(lambda self: parts_of(self._most_layers)).tag(sync=True)

    def __init__(
        self,
        models: dict[str, LanguageModel] | None = None,
        model: str | None = None,
        row: Sequence[int] = ROW,
        donor: Sequence[int] = DONOR,
        put: Sequence[Sequence[int]] = (),
        count: int = 1,
        part: str = "all",
        trained: int = 32,
    ):
        trained = whole_number("trained", trained, 1)
        self._models = cup_models.checked(models)
        self._most_layers = max(each.config.n_layers for each in self._models.values())
        given, weights = cup_models.packed(self._models)
        super().__init__(
            models=[one | {"trained": trained} for one in given],
            weights=weights,
            model=model,
            row=row,
            donor=donor,
            put=put,
            count=count,
            part=part,
        )

    @checked_together("model", "part")
    def _has_that_layer(self, model: str, part: str) -> None:
        layers = self._models[model].config.n_layers
        if part not in parts_of(layers):
            raise ValueError(f"part is {part!r}, but the model {model!r} has {layers} layers")

    @torch.no_grad()
    def answers(self) -> tuple[Tensor, Tensor]:
        """The probabilities of the six states after each shuffle, (12, 6): with what is put in, and
        as they would have been."""
        model = self._models[self.model]
        donor, row = torch.tensor([self.donor]), torch.tensor([self.row])
        layer = int(self.part.removeprefix("share ")) if self.part.startswith("share") else None
        named = {"all": sites.memory, "keys": sites.keys, "values": sites.values}
        site = named.get(self.part, sites.shares)(model)
        theirs = look_at(model, donor, site)  # (1, 6, ...)
        moved = theirs.new_zeros(1, TOTAL, *theirs.shape[2:])
        for start, end in self.put:
            moved[:, end - 1] = theirs[:, start - 1]
        change = only(put(moved), {end - 1 for _, end in self.put}, layer)
        logits = run_with(model, row, {site: change}).logits
        assert logits is not None  # a language model's trace has them
        return logits[0].softmax(-1), model(row)[0].softmax(-1)

    def describe(self) -> str:
        """What the picture shows, in words."""
        found, without = self.answers()
        if not self.put:
            return (
                f"Nothing is put in. After shuffle {READ + 1} the model answers "
                f"{_said(found[READ])}."
            )
        pairs: list[list[int]] = [*self.put]
        start, end = pairs[-1]
        froms, tos = (", ".join(f"m{pair[which]}" for pair in pairs) for which in (0, 1))
        places, vectors, stand = (
            ("places", "vectors", "stand") if len(pairs) > 1 else ("place", "vector", "stands")
        )
        if self.part == "all":
            which = f"In the {places} of {tos} {stand} the donor's {froms}."
        else:
            whole = parts_of(self._most_layers)[self.part]
            which = f"Of the donor's {vectors} {froms}, {whole} {stand} in the {places} of {tos}."
        first = (
            f"After shuffle {end + 1} the model answers {_said(found[end])}, and without this "
            f"{_said(without[end])}."
        )
        own, state = _states(self.row), _states(self.donor)[start - 1]
        if state == own[end - 1]:
            same = "Both rows stand in the same state there, so no answer can tell them apart."
            return f"{which} {first} {same}"
        gone = _states(self.row[end:], state)
        answers = found[end:].argmax(-1).tolist()
        donor, row = (
            sum(a == b for a, b in zip(answers, path, strict=True)) for path in (gone, own[end:])
        )
        return (
            f"{which} {first} Of {len(answers)} answers from there on, {donor} go on from the "
            f"donor's state and {row} from the row's own."
        )


def parts_of(layers: int) -> dict[str, str]:
    """The parts of a memory vector, and what each is called."""
    shares = {f"share {layer}": f"its share of layer {layer}" for layer in range(1, layers + 1)}
    return PARTS | {"share 0": "its share of the embedding"} | shares


def _states(tokens: Sequence[int], state: int = 0) -> list[int]:
    found = []
    for token in tokens:
        state = int(CUPS.product[state, token])
        found.append(state)
    return found


def _said(shares: Tensor) -> str:
    best = int(shares.argmax())
    cups = "".join("ABC"[CUPS.words[best].index(str(place))] for place in range(3))
    return f"{cups} with {percent(shares[best].item())}\N{NO-BREAK SPACE}%"
