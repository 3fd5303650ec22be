"""Where each head looks in the memory, step by step, beside a parallel model (chapter 5)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import traitlets

from feedback.config import whole_number
from feedback.data import Characters
from feedback.language_model import LanguageModel

from .base import Widget, percent, sources
from .memory_attention_weights import LONGEST, packed, readers, stacked
from .traits import Names, Text, Whole, checked_together, sequence

TEXTS = (
    "The king is dead, my lord: long live the king.",
    "DUKE:\nWho calls?\n\nServant:\nMy lord, the duke.",
)
SPOKEN = {" ": "space", "\n": "new line", "\t": "tab"}


class MemoryAttention(Widget):
    """Choose a step, a layer and a head, and see where it looks in what came before.

    Without arguments the two models that come with the package read two short texts.

    Arguments:
        model: a LanguageModel that reads characters.
        texts: a text, or several for the reader to choose from. Beside a kernel the page has a
            field for more: what is typed there is read by the models here.
        characters: the vocabulary of the model.
        parallel: a parallel LanguageModel of the same vocabulary, layers and heads, drawn below.
        attention: ready weights instead of models: (L, H, T, T), or a dictionary of such arrays or
            tensors by name. [..., t, j] is the weight that step t gives to step j <= t. A row sums
            to 1, or to 0 where nothing is read.
        labels: the T tokens that `attention` is about.
        step, layer, head: what is shown first, as below; the last step if None.

    `text`, `step`, `layer` and `head` can be set again, and follow the page while a kernel runs. A
    wrong value raises a TypeError or a ValueError that says what is expected, and changes nothing.

    Attributes:
        text: the text that is shown. One that is not among `texts` is read by the models first.
        step: the step that looks back, counted from 0; the last of a text that is shorter.
        layer: the layer that is shown, counted from 1.
        head: the head that is shown, counted from 1; None for all heads.
        names: the names of the M models.
        layers, heads: L and H, the same for all models.
        texts: the texts to choose from: those given, then the last one that was typed.
        tokens: the tokens of each text.
        weights: for each text, and in it each model, the lower triangles of (L, H, T, T) one row
            after the other, as little-endian uint16, where 65535 stands for 1.
        reads_more: whether there are models to read what is typed.
        typed: a text that the reader typed, until it is read.
        problem: why the last typed text could not be read; "" if it could.
    """

    _esm, _css = sources(__file__)

    text = Text().tag(sync=True)
    step = Whole(0).tag(sync=True)
    layer = Whole(1, lambda self: self.layers).tag(sync=True)
    head = Whole(1, lambda self: self.heads, allow_none=True).tag(sync=True)

    names = traitlets.List().tag(sync=True)
    layers = traitlets.Int().tag(sync=True)
    heads = traitlets.Int().tag(sync=True)
    texts = traitlets.List().tag(sync=True)
    tokens = traitlets.List().tag(sync=True)
    weights = traitlets.Bytes().tag(sync=True)

    reads_more = traitlets.Bool().tag(sync=True)
    typed = traitlets.Unicode().tag(sync=True)
    problem = traitlets.Unicode().tag(sync=True)

    # (M, L, H, T, T) for each text. A trait, to be restored with the others if one is refused.
    _read = traitlets.List()

    def __init__(
        self,
        model: LanguageModel | None = None,
        texts: str | Sequence[str] | None = None,
        characters: Characters | None = None,
        parallel: LanguageModel | None = None,
        *,
        attention=None,
        labels: Sequence[str] | None = None,
        step: int | None = None,
        layer: int = 1,
        head: int | None = None,
    ):
        if attention is None:
            self._models, self._characters = readers(model, characters, parallel)
            names = [model.config.model for model in self._models]
            texts = [texts] if isinstance(texts, str) else texts
            texts = list(TEXTS) if texts is None else sequence("texts", texts)
            if not texts:
                raise ValueError("texts is empty; give at least one text")
            read = [self._trace(text) for text in texts]
            tokens = [list(text) for text in texts]
        else:
            if (model, texts, characters, parallel) != (None,) * 4:
                raise ValueError("give either models and texts, or attention and labels")
            self._models = []
            maps = attention if isinstance(attention, dict) else {"attention": attention}
            names = [str(name) for name in maps]
            read = [stacked(maps)]
            tokens = [_checked_labels(labels, steps=read[0].shape[-1])]
            texts = [" ".join(tokens[0])]
        self._given = len(texts)
        _, n_layers, n_heads, _, _ = read[0].shape
        super().__init__(
            names=names,
            layers=n_layers,
            heads=n_heads,
            texts=texts,
            tokens=tokens,
            weights=b"".join(map(packed, read)),
            reads_more=bool(self._models),
            text=texts[0],
            step=len(tokens[0]) - 1 if step is None else step,
            layer=layer,
            head=head,
            _read=read,
        )

    @property
    def shown(self) -> np.ndarray:
        """(M, L, H, T, T) the weights of each model for the present text, as the page has them."""
        return self._read[self.texts.index(self.text)]

    @property
    def sentence(self) -> str:
        """Where the chosen step looks most; the page says the same."""
        tokens = self.tokens[self.texts.index(self.text)]
        heads = range(self.heads) if self.head is None else [self.head - 1]
        s = "s" if len(heads) == 1 else ""
        parts, before = [], None
        for name, weights in zip(self.names, self.shown, strict=True):
            rows = weights[self.layer - 1, heads, self.step]  # (heads, T)
            best = rows.argmax(-1)
            verb, rest = f"look{s} most", f"at steps {', '.join(map(str, best))}"
            if not rows.any():
                verb, rest = f"read{s}", "nothing, as there is no earlier step"
            elif len(heads) == 1:
                share = f"{percent(rows[0, best[0]])}\N{NO-BREAK SPACE}%"
                rest = f"at step {best[0]} ({_spoken(tokens[best[0]])}), {share}"
            part = rest if verb == before else f"{verb} {rest}"  # a verb is not said twice
            parts.append(f"{part} ({name})" if len(self.names) > 1 else part)
            before = verb
        who = f"heads 1 to {len(heads)}" if len(heads) > 1 else f"head {heads[0] + 1}"
        return (
            f"At step {self.step} ({_spoken(tokens[self.step])}), layer {self.layer}, {who} "
            f"{', and '.join(parts)}."
        )

    def describe(self) -> str:
        """What the picture shows: the text, and one sentence."""
        text = self.text.replace("\n", "\N{DOWNWARDS ARROW WITH CORNER LEFTWARDS}")
        return f"Attention over {_quoted(text)}. {self.sentence}"

    def _trace(self, text: str) -> np.ndarray:
        Text.check("a text", text, 1)
        if len(text) > LONGEST:
            raise ValueError(f"a text has {len(text)} characters; it must have 1 to {LONGEST}")
        tokens = self._characters.encode(text)[None]  # (1, T)
        maps = {
            model.config.model: model.trace(tokens.to(model.head.weight.device)).attention[:, 0]
            for model in self._models
        }
        return stacked(maps)

    @checked_together("text")
    def _can_be_read(self, text):
        self._add(text)

    @checked_together("step")
    def _inside_the_text(self, step):
        self._add(self.text)  # it may have come with the step, and be checked after it
        whole_number("step", step, 0, self.shown.shape[-1] - 1)

    def _add(self, text: str) -> None:
        """Have the models read a text unless it is among `texts`."""
        if text in self.texts:
            return
        if not self._models:
            raise ValueError(f"text is {text!r}, but without a model no other text can be read")
        # It takes the place of the last one from outside, so that the page stays small.
        self._read = [*self._read[: self._given], self._trace(text)]
        self.texts = [*self.texts[: self._given], text]
        self.tokens = [*self.tokens[: self._given], list(text)]
        # Last, as it makes the page draw again.
        self.weights = b"".join(map(packed, self._read))

    @traitlets.observe("text")
    def _keep_step_inside(self, change):
        self.step = min(self.step, self.shown.shape[-1] - 1)

    @traitlets.observe("typed")
    def _read_typed(self, change):
        if not change.new:
            return
        self.problem = ""
        try:
            self.text = change.new
        except ValueError as error:
            self.problem = f"This text cannot be read: {error}."
        except BaseException:
            self.problem = "Python stopped while it read this text."
            raise
        else:
            self.step = self.shown.shape[-1] - 1
        finally:
            self.typed = ""  # tells the page that it has its answer


def _checked_labels(labels: Sequence[str] | None, steps: int) -> list[str]:
    labels = [] if labels is None else labels
    labels = list(labels) if isinstance(labels, str) else labels  # a token for each character
    labels = Names.check("labels", labels, steps, "each step")
    if "" in labels:
        raise ValueError("labels holds an empty name; expected a token for each step")
    return labels


def _quoted(text: str) -> str:
    return f"\N{LEFT DOUBLE QUOTATION MARK}{text}\N{RIGHT DOUBLE QUOTATION MARK}"


def _spoken(token: str) -> str:
    return SPOKEN.get(token) or _quoted(token)
