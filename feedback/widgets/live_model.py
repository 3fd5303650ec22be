"""A trained model that runs in the page, in plain JavaScript, without a kernel (chapter 8)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from numbers import Real

import torch
import traitlets
from torch.nn import functional as F

from feedback import pretrained
from feedback.config import Config
from feedback.data import Characters
from feedback.language_model import LanguageModel

from . import quantised
from .base import Checked, Widget, percent, sources, whole_number

SHIPPED = "feedback-kv"
PROMPT = "ROMEO:\n"
# From the part of Tiny Shakespeare that the shipped model was not trained on.
HELD_TEXT = """\
TRANIO:
'Twas a commodity lay fretting by you:
'Twill bring you gain, or perish on the seas.

BAPTISTA:
The gain I seek is, quiet in the match.
"""


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
        prompt: what the text begins with.
        held_text: a text whose loss is shown; if None, one that the shipped model was not trained
            on, and none for another model.
        temperature: divides the logits; at 0 the likeliest character is taken.
        top_k: draw among the k likeliest characters only; None: among all.
        seed: of the characters drawn, 0 <= seed < 2**32.
        layer_weights: (L+1,) numbers that are not negative and sum to 1; the model's own if None.

    All from `prompt` on can be set again, and follow the page while a kernel runs. A ValueError
    says what is wrong with a value.

    Attributes:
        text: prompt and continuation, as they stood in the page when it last came to rest.
    """

    _esm, _css = sources(__file__)

    buffer = traitlets.Bytes().tag(sync=True)
    tensors = traitlets.List().tag(sync=True)
    config = traitlets.Dict().tag(sync=True)
    characters = traitlets.Unicode().tag(sync=True)
    learned = traitlets.List().tag(sync=True)
    # `Any`, because the checks below say more than a type does.
    prompt = Checked().tag(sync=True)
    held_text = Checked().tag(sync=True)
    temperature = Checked().tag(sync=True)
    top_k = Checked().tag(sync=True)
    seed = Checked().tag(sync=True)
    layer_weights = Checked().tag(sync=True)
    text = Checked().tag(sync=True)

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
    ):
        if model is None:
            if characters is not None:
                raise ValueError("characters belong to a model of your own: give that too")
            model, characters = (
                pretrained.load(SHIPPED),
                Characters.load(pretrained.folder(SHIPPED)),
            )
            held_text = HELD_TEXT if held_text is None else held_text
        characters = _checked_characters(model, characters)
        learned = model.layer_weights().double()
        learned = (learned / learned.sum()).tolist()
        size = model.config.memory_size or model.config.max_distance
        self._config = replace(model.config, memory_size=size, memory_mixture=learned)
        buffer, tensors = quantised.pack(model)
        constants = {
            "buffer": buffer,
            "tensors": tensors,
            "characters": characters,
            "learned": learned,
            "config": {
                "d": model.config.d_model,
                "heads": model.config.heads,
                "layers": model.config.n_layers,
                "memory": size,
                "eps": model.core.norm.eps,
            },
        }
        settings = {
            "prompt": _checked_text(prompt, "prompt", 1, characters),
            "held_text": _checked_held_text(held_text or "", characters),
            "temperature": _checked_temperature(temperature),
            "top_k": _checked_top_k(top_k, characters),
            "seed": _checked_seed(seed),
            "layer_weights": _checked_weights(layer_weights, self._config),
        }
        super().__init__(**constants, **settings, text=prompt)

    def language_model(self) -> LanguageModel:
        """The model that runs in the page, in PyTorch: with its int8 weights as float32, with the
        layer weights that are set, and with its bounded memory."""
        config = replace(self._config, memory_mixture=self.layer_weights)
        return quantised.unpack(self.buffer, self.tensors, config)

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
        """One sentence that says what the picture shows, and one on the loss of the held text."""
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
        return sentence

    def encode(self, text: str) -> torch.Tensor:
        """Characters to tokens, (T,) int64."""
        return torch.tensor([self.characters.index(character) for character in text])

    @traitlets.observe("prompt")
    def _begin_again(self, change):
        self.text = self.prompt

    @traitlets.validate("prompt", "text")
    def _validate_text(self, proposal):
        return _checked_text(proposal.value, proposal.trait.name, 1, self.characters)

    @traitlets.validate("held_text")
    def _validate_held_text(self, proposal):
        return _checked_held_text(proposal.value or "", self.characters)

    @traitlets.validate("temperature")
    def _validate_temperature(self, proposal):
        return _checked_temperature(proposal.value)

    @traitlets.validate("top_k")
    def _validate_top_k(self, proposal):
        return _checked_top_k(proposal.value, self.characters)

    @traitlets.validate("seed")
    def _validate_seed(self, proposal):
        return _checked_seed(proposal.value)

    @traitlets.validate("layer_weights")
    def _validate_layer_weights(self, proposal):
        return _checked_weights(proposal.value, self._config)


def _quoted(text: str) -> str:
    return "“" + text.replace("\n", "↵") + "”"


def _checked_characters(model, characters) -> str:
    if not isinstance(model, LanguageModel) or model.config.model != "feedback-kv":
        given = model.config.model if isinstance(model, LanguageModel) else type(model).__name__
        raise ValueError(f"model is {given!r}; expected a LanguageModel with model='feedback-kv'")
    if characters is None:
        raise ValueError("characters is None; expected what the tokens of your model stand for")
    characters = list(getattr(characters, "characters", characters))
    if any(not isinstance(character, str) or len(character) != 1 for character in characters):
        raise ValueError("characters must be single characters, in the order of their tokens")
    if len(set(characters)) != len(characters):
        raise ValueError("characters holds one of them twice")
    if len(characters) != model.config.n_tokens:
        raise ValueError(
            f"characters has {len(characters)}, but the model has {model.config.n_tokens} tokens"
        )
    return "".join(characters)


def _checked_text(text, name: str, least: int, characters: str) -> str:
    if not isinstance(text, str):
        raise ValueError(f"{name} is {text!r}; expected a text")
    if len(text) < least:
        raise ValueError(f"{name} has {len(text)} characters; expected at least {least}")
    for place, character in enumerate(text):
        if character not in characters:
            raise ValueError(
                f"{name} holds {character!r} (character {place}), which is not among the "
                f"{len(characters)} characters of this model"
            )
    return text


def _checked_held_text(text, characters: str) -> str:
    return text if text == "" else _checked_text(text, "held_text", 2, characters)


def _checked_temperature(temperature) -> float:
    number = isinstance(temperature, Real) and not isinstance(temperature, bool)
    if not number or not 0 <= temperature < math.inf:
        raise ValueError(f"temperature is {temperature!r}; expected a number >= 0")
    return float(temperature)


def _checked_top_k(top_k, characters: str) -> int | None:
    if top_k is None:
        return None
    return whole_number("top_k", top_k, 1, len(characters))


def _checked_seed(seed) -> int:
    return whole_number("seed", seed, 0, 2**32 - 1)


def _checked_weights(weights, config: Config) -> list[float]:
    if weights is None:
        return list(config.memory_mixture)
    try:
        weights = [float(weight) for weight in weights]
        return list(replace(config, memory_mixture=weights).memory_mixture)
    except (TypeError, ValueError) as error:
        raise ValueError(f"layer_weights: {error}") from error
