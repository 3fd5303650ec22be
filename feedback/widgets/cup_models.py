"""Feedback models that follow three cups, as widgets of a page get them: checked and packed."""

from __future__ import annotations

from typing import Any

from feedback.language_model import LanguageModel
from feedback.pretrained import trackers
from feedback.tasks import TASKS

from . import whole_weights
from .traits import of_type


def checked(models: dict[str, LanguageModel] | None) -> dict[str, LanguageModel]:
    """The models by the names that a page shows; two that come with the package if None.

    Raises:
        TypeError, ValueError: it holds no model, or one of another kind or task.
    """
    if models is None:
        return {
            "memory of four": trackers.load("s3", 4, 0),
            "whole memory": trackers.load("s3", None, 0),
        }
    models = of_type("models", models, dict)
    if not models:
        raise ValueError("models is empty; give at least one model")
    for name, model in models.items():
        config = of_type(f"the model {name!r}", model, LanguageModel).config
        if config.model != "feedback-kv":
            raise ValueError(f"the model {name!r} is {config.model!r}; it must be 'feedback-kv'")
        if config.n_tokens != TASKS["s3"].n_tokens:
            raise ValueError(
                f"the model {name!r} has {config.n_tokens} tokens; three cups have "
                f"{TASKS['s3'].n_tokens}"
            )
    return {str(name): model for name, model in models.items()}


def packed(models: dict[str, LanguageModel]) -> tuple[list[dict[str, Any]], bytes]:
    """Name, sizes and form of each model, and the weights of all, for `live_model.whole.js`."""
    given, weights = [], []
    for name, model in models.items():
        short, sizes = whole_weights.is_short(model), whole_weights.as_sizes(model.config)
        given.append({"name": name, "sizes": sizes, "isShort": short})
        weights.append(whole_weights.as_bytes(model, short))
    return given, b"".join(weights)
