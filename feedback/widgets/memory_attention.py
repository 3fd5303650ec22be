"""Where each head looks in the memory, step by step, beside a parallel model (chapter 5)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import traitlets

from feedback import pretrained
from feedback.data import Characters
from feedback.language_model import LanguageModel

from .base import Checked, Widget, as_list, percent, sources, whole_number

TEXTS = (
    "The king is dead, my lord: long live the king.",
    "DUKE:\nWho calls?\n\nServant:\nMy lord, the duke.",
)
LONGEST = 256  # tokens of a text; more would neither fit a page nor be read
FULL = 65535  # what a weight of 1 is sent as
SUM_TOLERANCE = 1e-2  # weights in half precision miss 1 by less
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
        step, layer, head: what is shown first. Steps count from 0, layers and heads from 1. If
            None, the last step, and all heads.

    `text`, `step`, `layer` and `head` can be set again, and follow the page while a kernel runs. A
    ValueError says what is wrong with a value.
    """

    _esm, _css = sources(__file__)

    text = traitlets.Unicode().tag(sync=True)
    step = Checked().tag(sync=True)
    layer = Checked().tag(sync=True)
    head = Checked().tag(sync=True)

    # What can be chosen. `weights` holds, for each text and each name, the lower triangles of
    # (L, H, T, T) one row after the other, as little-endian uint16: FULL stands for 1.
    names = traitlets.List().tag(sync=True)
    layers = traitlets.Int().tag(sync=True)
    heads = traitlets.Int().tag(sync=True)
    texts = traitlets.List().tag(sync=True)
    tokens = traitlets.List().tag(sync=True)
    weights = traitlets.Bytes().tag(sync=True)

    # The reader's own text while it waits for an answer, and the answer if it cannot be read.
    reads_more = traitlets.Bool().tag(sync=True)
    typed = traitlets.Unicode().tag(sync=True)
    problem = traitlets.Unicode().tag(sync=True)

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
            self._models, self._characters = _checked_models(model, characters, parallel)
            names = [model.config.model for model in self._models]
            texts = [texts] if isinstance(texts, str) else texts
            texts = list(TEXTS) if texts is None else as_list("texts", texts)
            if not texts:
                raise ValueError("texts is empty; give at least one text")
            self._read = [self._trace(text) for text in texts]
            tokens = [list(text) for text in texts]
        else:
            if (model, texts, characters, parallel) != (None,) * 4:
                raise ValueError("give either models and texts, or attention and labels")
            self._models = []
            maps = attention if isinstance(attention, dict) else {"attention": attention}
            names = [str(name) for name in maps]
            self._read = [_checked_maps(maps)]
            tokens = [_checked_labels(labels, steps=self._read[0].shape[-1])]
            texts = [" ".join(tokens[0])]
        self._given = len(texts)
        _, n_layers, n_heads, _, _ = self._read[0].shape
        super().__init__(
            names=names,
            layers=n_layers,
            heads=n_heads,
            texts=texts,
            tokens=tokens,
            weights=b"".join(map(_packed, self._read)),
            reads_more=bool(self._models),
            text=texts[0],
            step=len(tokens[0]) - 1 if step is None else step,
            layer=layer,
            head=head,
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
        if not isinstance(text, str):
            raise ValueError(f"a text is of type {type(text).__name__}; expected a string")
        if not 1 <= len(text) <= LONGEST:
            raise ValueError(f"a text has {len(text)} characters; expected 1 to {LONGEST}")
        tokens = self._characters.encode(text)[None]  # (1, T)
        maps = {
            model.config.model: model.trace(tokens.to(model.head.weight.device)).attention[:, 0]
            for model in self._models
        }
        return _checked_maps(maps)

    @traitlets.validate("text")
    def _validate_text(self, proposal):
        text = proposal.value
        if text not in self.texts:
            if not self._models:
                raise ValueError(f"text is {text!r}, but without a model no other text can be read")
            # It takes the place of the last one from outside, so that the page stays small.
            self._read[self._given :] = [self._trace(text)]
            self.texts = [*self.texts[: self._given], text]
            self.tokens = [*self.tokens[: self._given], list(text)]
            # Last, as it makes the page draw again.
            self.weights = b"".join(map(_packed, self._read))
        return text

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

    @traitlets.validate("step")
    def _validate_step(self, proposal):
        return whole_number("step", proposal.value, 0, self.shown.shape[-1] - 1)

    @traitlets.validate("layer")
    def _validate_layer(self, proposal):
        return whole_number("layer", proposal.value, 1, self.layers)

    @traitlets.validate("head")
    def _validate_head(self, proposal):
        head = proposal.value
        return None if head is None else whole_number("head", head, 1, self.heads)


def _checked_models(model, characters, parallel) -> tuple[list[LanguageModel], Characters]:
    if model is None:
        if characters is not None or parallel is not None:
            raise ValueError("model is None; give the model that characters or parallel belong to")
        names = ("feedback-kv", "parallel")
        characters = Characters.load(pretrained.folder(names[0]))
        return [pretrained.load(name) for name in names], characters
    models = [model] if parallel is None else [model, parallel]
    for name, given in zip(("model", "parallel"), models, strict=False):
        if not isinstance(given, LanguageModel):
            raise ValueError(f"{name} is of type {type(given).__name__}; expected a LanguageModel")
    if not isinstance(characters, Characters):
        given = type(characters).__name__
        raise ValueError(f"characters is of type {given}; expected the model's data.Characters")
    for given in models:
        if given.config.n_tokens != len(characters):
            raise ValueError(
                f"the {given.config.model} model reads {given.config.n_tokens} tokens, but there "
                f"are {len(characters)} characters"
            )
    if parallel is not None:
        if parallel.config.model != "parallel" or model.config.model == "parallel":
            raise ValueError(
                f"parallel is a {parallel.config.model} model beside a {model.config.model} model; "
                "expected a parallel one beside a feedback model (for others use `attention`)"
            )
        sizes = [(given.config.n_layers, given.config.heads) for given in models]
        if sizes[0] != sizes[1]:
            raise ValueError(
                "model and parallel have (layers, heads) {} and {}; expected the same, as they are "
                "drawn side by side".format(*sizes)
            )
    return models, characters


def _checked_maps(maps: dict) -> np.ndarray:
    """(M, L, H, T, T): the weights of M models as the page will have them."""
    if not maps:
        raise ValueError("attention is empty; give at least one array of weights")
    arrays = {name: _checked_map(values, name) for name, values in maps.items()}
    shapes = {name: array.shape for name, array in arrays.items()}
    if len(set(shapes.values())) > 1:
        raise ValueError(f"the weights differ in shape: {shapes}; expected one (L, H, T, T)")
    return np.round(np.stack(list(arrays.values())) * FULL) / FULL


def _checked_map(values, name: str) -> np.ndarray:
    if hasattr(values, "detach"):  # a tensor: on any device, with or without grad
        values = values.detach().cpu().double()
    try:
        array = np.asarray(values, dtype=float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be numbers of shape (L, H, T, T) ({error})") from error
    if array.ndim != 4 or 0 in array.shape or array.shape[-1] != array.shape[-2]:
        raise ValueError(f"{name} has shape {array.shape}; expected (L, H, T, T)")
    if array.shape[-1] > LONGEST:
        raise ValueError(f"{name} has {array.shape[-1]} steps; expected at most {LONGEST}")
    if not (array >= 0).all():  # false for nan too
        raise ValueError(f"{name} must hold weights that are not negative, and no nan")
    if np.triu(array, 1).any():
        raise ValueError(f"{name} gives weight to later steps; expected j <= t only")
    sums = array.sum(-1)
    wrong = sums[~np.isclose(sums, 1, atol=SUM_TOLERANCE) & (sums != 0)]
    if wrong.size:
        raise ValueError(f"{name} has rows that sum to neither 1 nor 0, such as {wrong[0]:g}")
    return array.clip(max=1)


def _checked_labels(labels, steps: int) -> list[str]:
    labels = [] if labels is None else labels
    labels = list(labels) if isinstance(labels, str) else as_list("labels", labels)
    labels = [str(label) for label in labels]
    if len(labels) != steps or "" in labels:
        raise ValueError(f"labels has {len(labels)} names; expected {steps}, one for each step")
    return labels


def _packed(read: np.ndarray) -> bytes:
    rows, columns = np.tril_indices(read.shape[-1])
    lower = read[..., rows, columns]
    return np.round(lower * FULL).astype("<u2").tobytes()


def _quoted(text: str) -> str:
    return f"\N{LEFT DOUBLE QUOTATION MARK}{text}\N{RIGHT DOUBLE QUOTATION MARK}"


def _spoken(token: str) -> str:
    return SPOKEN.get(token) or _quoted(token)
