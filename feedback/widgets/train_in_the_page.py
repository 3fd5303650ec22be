"""Two models that learn the same side by side in the page, in plain JavaScript (chapter 3)."""

from __future__ import annotations

from typing import Any

import traitlets

from feedback.data import Characters
from feedback.language_model import LanguageModel
from feedback.tasks import TASKS

from . import whole_weights
from .base import Widget, percent, sources
from .traits import Checked, OneOf, Text, Whole, checked_together, of_type

MODELS = ("parallel", "feedback-kv")
MIXTURES = ("learned", "embedding", "last")
RATES = (0.001, 0.002, 0.005, 0.01, 0.02)
WEIGHTS = {"parallel": "parallel_weights", "feedback-kv": "feedback_weights"}
# What each task needs; chosen with `make bench-training`, which trains 20 seeds of the first two.
SIZES: dict[str, Any] = {
    "d": 32,
    "heads": 4,
    "batch": 32,
    "decay": 0.01,
    "clip": 1.0,
    "parity": {"hidden": 64, "shortest": 2, "longest": 16},
    "s3": {"hidden": 128, "shortest": 2, "longest": 16},
    "text": {"hidden": 128, "shortest": 32, "longest": 32},
}
TEXT = """\
Whether I shall turn out to be the hero of my own life, or whether that station will be held by \
anybody else, these pages must show. To begin my life with the beginning of my life, I record that \
I was born (as I have been informed and believe) on a Friday, at twelve o'clock at night. It was \
remarked that the clock began to strike, and I began to cry, simultaneously.
"""  # the beginning of David Copperfield, by Charles Dickens
WHAT = {
    "parity": "the parity of the bits so far",
    "s3": "where three cups are after all shuffles so far",
    "text": "the next character of the text",
}
NAMES = {"parallel": "parallel", "feedback-kv": "feedback"}


class Content(Checked):
    """Bytes, in whatever form a page's message brings them, or None."""

    @staticmethod
    def check(name: str, value: Any) -> bytes | None:
        if value is not None and not isinstance(value, (bytes, bytearray, memoryview)):
            raise TypeError(f"{name} is of type {type(value).__name__}; it must be bytes or None")
        return None if value is None else bytes(value)


class TrainInThePage(Widget):
    """Train a parallel model and a feedback model side by side in the page, on the same batches.

    Both have width 32 and 4 heads; the feedback model shares keys and values, the parallel model
    reads all earlier tokens. Rows are short at first and become longer when one of the two has
    learned them. When a setting changes, all begins again.

    Arguments:
        model: a LanguageModel of one of the two kinds to start from, without dropout, for `task`:
            its vocabulary is that of `feedback.tasks`, or of the text's `Characters`. Sizes,
            `layers`, `memory_size` and `mixture` are then its own; the other model starts with
            fresh weights.

    Each attribute from `task` to `brief` is also an argument, can be set again, and follows the
    page while a kernel runs. A wrong value raises a TypeError or a ValueError that says what is
    expected, and changes nothing.

    Attributes:
        task: "parity" or "s3", as in `feedback.tasks`, or "text".
        text: what is learned with task="text", 64 to 5,000 characters, two of them different.
        models: "both", "parallel" or "feedback-kv".
        layers: L, 1 to 4.
        memory_size: how many memory vectors the feedback model keeps; None for all.
        mixture: what they are made of: "learned", or the "embedding" or the "last" layer alone.
        learning_rate: one of 0.001, 0.002, 0.005, 0.01, 0.02.
        seed: of weights and batches, 0 <= seed < 2**32.
        brief: whether the page has no settings and a single button.
        results: what came out when training last came to rest, in the page: "updates", "length" (of
            rows), "loss" and "right" (answers at each place) by model, "layer_weights", and
            "solved" (after how many updates) by model. Empty before.
        start, start_config: weights to start from, as float32 in the order of the model's
            state_dict, and the sizes of the model that has them; None and empty without `model`.
        sizes: what both models and their training share.
        trained, parallel_weights, feedback_weights: sizes and weights that came back from the page.
    """

    _esm, _css = sources(__file__)

    sizes = traitlets.Dict().tag(sync=True)
    start = Content().tag(sync=True)
    start_config = traitlets.Dict().tag(sync=True)
    task = OneOf(("parity", "s3", "text")).tag(sync=True)
    text = Text(1).tag(sync=True)
    models = OneOf(("both", *MODELS)).tag(sync=True)
    layers = Whole(1, 4).tag(sync=True)
    memory_size = Whole(1, allow_none=True).tag(sync=True)
    mixture = OneOf(MIXTURES).tag(sync=True)
    learning_rate = OneOf(RATES).tag(sync=True)
    seed = Whole(0, 2**32 - 1).tag(sync=True)
    brief = OneOf((True, False)).tag(sync=True)
    results = traitlets.Dict().tag(sync=True)
    trained = traitlets.Dict().tag(sync=True)
    parallel_weights = Content().tag(sync=True)
    feedback_weights = Content().tag(sync=True)

    def __init__(
        self,
        model: LanguageModel | None = None,
        task: str = "parity",
        text: str = TEXT,
        models: str = "both",
        layers: int = 2,
        memory_size: int | None = 2,
        mixture: str = "learned",
        learning_rate: float = 0.005,
        seed: int = 0,
        brief: bool = False,
    ):
        given: dict[str, Any] = {"sizes": SIZES, "start": None, "start_config": {}}
        settings = {"layers": layers, "memory_size": memory_size, "mixture": mixture}
        if model is not None:
            OneOf.check("task", task, ("parity", "s3", "text"))
            started, settings = _start_from(model, settings)
            n_tokens = TASKS[task].n_tokens if task in TASKS else len(Characters(text))
            if model.config.n_tokens != n_tokens:
                raise ValueError(
                    f"model has {model.config.n_tokens} tokens; task={task!r} has {n_tokens}"
                )
            given |= started
        super().__init__(
            task=task,
            text=text,
            models=models,
            learning_rate=learning_rate,
            seed=seed,
            brief=brief,
            parallel_weights=None,
            feedback_weights=None,
            **settings,
            **given,
        )

    @checked_together("task", "text")
    def _check_text(self, task: str, text: str) -> None:
        least = 2 * SIZES["text"]["longest"]
        if not least <= len(text) <= 5000:
            raise ValueError(f"text has {len(text)} characters; it must have {least} to 5000")
        if len(set(text)) < 2:
            raise ValueError("text holds one character alone; it needs at least two different ones")

    def to_model(self, kind: str = "feedback-kv") -> LanguageModel:
        """The model that was trained in the page, in PyTorch, with the same logits.

        Arguments:
            kind: "feedback-kv" or "parallel".

        Raises:
            ValueError: no weights have come from the page: none was trained, or no kernel ran.
        """
        kind = OneOf.check("kind", kind, MODELS)
        weights = getattr(self, WEIGHTS[kind])
        if weights is None:
            raise ValueError(
                f"no {kind!r} model has come from the page: press Train there, and then Pause"
            )
        return whole_weights.as_model(self.trained[kind], weights)

    def describe(self) -> str:
        """One sentence that says what the picture shows."""
        if not self.results:
            return f"Nothing has been learned yet. Asked for is {WHAT[self.task]}."
        count = self.results["updates"]
        updates = "1 update" if count == 1 else f"{count} updates"
        if self.task == "text":
            found = ", ".join(
                f"the {NAMES[name]} model needs {loss:.2f}"
                for name, loss in self.results["loss"].items()
            )
            return f"After {updates}, in nats a character: {found}."
        longest = SIZES[self.task]["longest"]
        found = ", ".join(
            f"the {NAMES[name]} model is right in {percent(right[0])}\N{NO-BREAK SPACE}% at the "
            f"first place, {percent(right[-1])}\N{NO-BREAK SPACE}% at the last"
            for name, right in self.results["right"].items()
        )
        return f"After {updates}: of held-out rows of {longest}, {found}."

    @traitlets.observe("task", "text", "models", "layers", "memory_size", "mixture", "seed")
    def _begin_again(self, change):
        self.results = {}


def _start_from(model: LanguageModel, settings: dict) -> tuple[dict, dict]:
    """The start and the sizes that a model gives, and the settings that are its own."""
    config = of_type("model", model, LanguageModel).config
    if config.model not in MODELS:
        raise ValueError(
            f"model is a {config.model!r} model; it must be one of {' and '.join(MODELS)}"
        )
    if config.dropout:
        raise ValueError(f"model has dropout {config.dropout}; the page trains without dropout")
    if config.model == "parallel" and config.memory_size is not None:
        raise ValueError("model reads a window; in the page a parallel model reads all tokens")
    settings = {**settings, "layers": config.n_layers}
    if config.model == "feedback-kv":
        fixed = {_fixed(name, config.n_layers): name for name in MIXTURES}
        if config.memory_mixture not in fixed:
            raise ValueError(
                f"memory_mixture is {config.memory_mixture}; the page knows learned weights, the "
                "embedding alone and the last layer alone"
            )
        mixture = fixed[config.memory_mixture]
        settings |= {"memory_size": config.memory_size, "mixture": mixture}
    sizes = {"d": config.d_model, "heads": config.heads, "hidden": config.d_ff}
    start = {
        "sizes": SIZES | sizes | {"distances": config.max_distance},
        "start": whole_weights.as_bytes(model),
        "start_config": whole_weights.as_sizes(config),
    }
    return start, settings


def _fixed(mixture: str, layers: int) -> str | tuple[float, ...]:
    """The `memory_mixture` of a config."""
    if mixture == "learned":
        return mixture
    chosen = 0 if mixture == "embedding" else layers
    return tuple(float(layer == chosen) for layer in range(layers + 1))
