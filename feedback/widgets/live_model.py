"""A trained model that runs in the page, in plain JavaScript, without a kernel (chapter 8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
import traitlets
from torch.nn import functional as F

from feedback import pretrained
from feedback.data import Characters
from feedback.language_model import LanguageModel

from . import quantised
from .base import Widget, percent, sources
from .live_model_length import MixtureOfLength
from .traits import Checked, Number, OneOf, Text, Weights, Whole, of_type, sequence

SHIPPED = "feedback-kv"
SUM_TOLERANCE = 1e-6  # as `Config` has it for the same weights
PROMPT = "ROMEO:\n"
# From the part of Tiny Shakespeare that the shipped model was not trained on.
HELD_TEXT = """\
TRANIO:
'Twas a commodity lay fretting by you:
'Twill bring you gain, or perish on the seas.

BAPTISTA:
The gain I seek is, quiet in the match.
"""


class HeldText(Checked):
    """A text of two characters at least, so that there is one to predict; or none at all."""

    @staticmethod
    def check(name: str, value: Any, characters: str) -> str:
        return (
            "" if isinstance(value, str) and not value else Text.check(name, value, 2, characters)
        )


class LiveModel(Widget):
    """Let a character model write in the page, look into it, and drag its layer weights.

    The page runs the model with int8 weights (`feedback.widgets.quantised`), and `language_model()`
    is the same model in PyTorch. It keeps the last `memory_size` memory vectors, or where its
    config keeps all, as many as it has learned distances: so it can write on without end.

    Everything in the page follows from the settings below and from how many characters it has been
    asked for. When a setting changes, the text is written again from the prompt on.

    Arguments:
        model: a LanguageModel with model="feedback-kv"; the shipped one if None.
        characters: what its tokens stand for, a `Characters` or the characters in order of tokens.

    Each attribute from `prompt` to `keep_length` is also an argument, can be set again, and
    follows the page while a kernel runs. A wrong value raises a TypeError or a ValueError that says
    what is expected, and changes nothing.

    Attributes:
        prompt: what the text begins with; one character at least.
        held_text: a text whose loss is shown, two characters at least, or "" for none. If the
            argument is None, one that the shipped model was not trained on, and none for another
            model.
        temperature: divides the logits; at 0 the likeliest character is taken.
        top_k: how many of the likeliest characters to draw among; None for all.
        seed: of the characters drawn, 0 <= seed < 2**32.
        layer_weights: (L+1,) numbers that are not negative and sum to 1. None brings back those
            that the model was trained to.
        keep_length: whether each memory vector is made as long as the learned weights would have
            made it, so that other weights change its direction alone.
        text: prompt and continuation, as they stood in the page when it last came to rest.
        characters: all characters of the vocabulary, in the order of their tokens.
        learned: (L+1,) the layer weights that the model was trained to.
        config: the sizes of the model: width "d", "heads", "layers", the number of memory vectors
            that it keeps ("memory"), and the "eps" of its layer norms.
        buffer: the weights of the model as bytes, without the layer weights.
        tensors: [name, shape] of each tensor in `buffer`, in the order of their bytes.
    """

    _esm, _css = sources(__file__)

    buffer = traitlets.Bytes().tag(sync=True)
    tensors = traitlets.List().tag(sync=True)
    config = traitlets.Dict().tag(sync=True)
    characters = traitlets.Unicode().tag(sync=True)
    learned = traitlets.List().tag(sync=True)

    prompt = Text(1, lambda self: self.characters).tag(sync=True)
    held_text = HeldText(lambda self: self.characters, none=lambda self: "").tag(sync=True)
    temperature = Number(0).tag(sync=True)
    top_k = Whole(1, lambda self: len(self.characters), allow_none=True).tag(sync=True)
    seed = Whole(0, 2**32 - 1).tag(sync=True)
    layer_weights = Weights(
        lambda self: len(self.learned), SUM_TOLERANCE, none=lambda self: self.learned
    ).tag(sync=True)
    keep_length = OneOf((True, False)).tag(sync=True)
    text = Text(1, lambda self: self.characters).tag(sync=True)

    def __init__(
        self,
        model: LanguageModel | None = None,
        characters: Characters | Sequence[str] | None = None,
        prompt: str = PROMPT,
        held_text: str | None = None,
        temperature: float = 0.8,
        top_k: int | None = None,
        seed: int = 0,
        layer_weights: Sequence[float] | None = None,
        keep_length: bool = False,
    ):
        if model is None:
            if characters is not None:
                raise ValueError("characters belong to a model of your own: give that too")
            model, characters = (
                pretrained.load(SHIPPED),
                Characters.load(pretrained.folder(SHIPPED)),
            )
            held_text = HELD_TEXT if held_text is None else held_text
        characters = checked_characters(model, characters)
        learned = model.layer_weights().double()
        learned = (learned / learned.sum()).tolist()
        size = model.config.memory_size or model.config.max_distance
        self._config = replace(model.config, memory_size=size, memory_mixture=learned)
        buffer, tensors = quantised.pack(model)
        config = {
            "d": model.config.d_model,
            "heads": model.config.heads,
            "layers": model.config.n_layers,
            "memory": size,
            "eps": model.core.norm.eps,
        }
        super().__init__(
            buffer=buffer,
            tensors=tensors,
            config=config,
            characters=characters,
            learned=learned,
            prompt=prompt,
            held_text=held_text,
            temperature=temperature,
            top_k=top_k,
            seed=seed,
            layer_weights=layer_weights,
            keep_length=keep_length,
            text=prompt,
        )

    def language_model(self) -> LanguageModel:
        """The model that runs in the page, in PyTorch: with its int8 weights as float32, with the
        layer weights that are set, and with its bounded memory.

        With `keep_length` its mixture is a `MixtureOfLength`. That is no part of a config, so what
        `save` writes is the model without it.
        """
        config = replace(self._config, memory_mixture=self.layer_weights)
        model = quantised.unpack(self.buffer, self.tensors, config)
        if self.keep_length:
            model.core.mixture = MixtureOfLength(self.layer_weights, self.learned)
            model.core.path = "loop"  # the fast path reads weights, and would not ask the mixture
        return model

    @torch.no_grad()
    def loss(self) -> float | None:
        """Mean loss in nats a character of the held text, the first left out; None without one."""
        if not self.held_text:
            return None
        tokens = self.encode(self.held_text)
        logits = self.language_model()(tokens[None, :-1])
        return F.cross_entropy(logits[0], tokens[1:]).item()

    @torch.no_grad()
    def describe(self) -> str:
        """One sentence that says what the picture shows, and one on the loss of the held text; with
        `keep_length` one more says so."""
        shares = self.language_model()(self.encode(self.text)[None])[0, -1].softmax(-1)
        best = shares.topk(min(3, len(shares)))
        likeliest = ", ".join(
            f"{_quoted(self.characters[token])} {percent(share)}\N{NO-BREAK SPACE}%"
            for share, token in zip(best.values.tolist(), best.indices.tolist(), strict=True)
        )
        sentence = (
            f"After {_quoted(self.text[-20:])}, the likeliest next characters before temperature "
            f"and top-k: {likeliest}."
        )
        if self.held_text:
            sentence += f" Loss on the held text: {self.loss():.2f} nats a character."
        if self.keep_length:
            sentence += " The memory keeps its learned length."
        return sentence

    def encode(self, text: str) -> torch.Tensor:
        """Characters to tokens, (T,) int64."""
        return torch.tensor([self.characters.index(character) for character in text])

    @traitlets.observe("prompt")
    def _begin_again(self, change):
        self.text = self.prompt


def _quoted(text: str) -> str:
    return "“" + text.replace("\n", "↵") + "”"


def checked_characters(model: Any, characters: Any, kinds: Sequence[str] = (SHIPPED,)) -> str:
    """The characters of a LanguageModel of one of these kinds, in the order of its tokens."""
    of_type("model", model, LanguageModel)
    if model.config.model not in kinds:
        expected = " or ".join(f"model={kind!r}" for kind in kinds)
        raise ValueError(f"model is a {model.config.model!r} model; it must be one with {expected}")
    if characters is None:
        raise TypeError("characters is None; give what the tokens of your model stand for")
    characters = list(getattr(characters, "characters", characters))
    sequence("characters", characters, model.config.n_tokens, "each token of the model")
    if any(not isinstance(character, str) or len(character) != 1 for character in characters):
        raise ValueError("characters must be single characters, in the order of their tokens")
    if len(set(characters)) != len(characters):
        raise ValueError("characters holds one of them twice")
    return "".join(characters)
