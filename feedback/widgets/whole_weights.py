"""A model as sizes and bytes for a page, with every digit of its weights, and back again.

Sizes are a config by the names that the page has for them. The bytes are all weights in the order
of the model's `state_dict`, little-endian: float32, or float16 where that holds each of them
exactly, as it does for the models that come with the package.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from feedback.config import Config
from feedback.language_model import LanguageModel

# The page's name of a size, and that of the field of a `Config`.
SIZE_NAMES = {
    "model": "model",
    "tokens": "n_tokens",
    "d": "d_model",
    "heads": "heads",
    "layers": "n_layers",
    "hidden": "d_ff",
    "distances": "max_distance",
    "memory": "memory_size",
}


def as_sizes(config: Config) -> dict[str, Any]:
    """The sizes of a model; those of a feedback model hold its mixture, too."""
    sizes = {name: getattr(config, field) for name, field in SIZE_NAMES.items()}
    mixture = config.memory_mixture
    mixtures = {"mixture": mixture if mixture == "learned" else list(mixture)}
    return sizes | (mixtures if config.model == "feedback-kv" else {})


def as_config(sizes: Mapping[str, Any]) -> Config:
    """The config of a model without dropout that has these sizes."""
    fields = {field: sizes[name] for name, field in SIZE_NAMES.items()}
    return Config(**fields, memory_mixture=sizes.get("mixture", "learned"))


def as_bytes(model: LanguageModel, is_short: bool = False) -> bytes:
    """All weights of a model, as float32, or as float16 if `is_short`.

    Raises:
        ValueError: a weight is not finite.
    """
    numbers = all_weights(model)
    return numbers.numpy().astype("<f2" if is_short else "<f4").tobytes()


def is_short(model: LanguageModel) -> bool:
    """Whether float16 holds every weight exactly."""
    numbers = all_weights(model)
    return torch.equal(numbers.half().float(), numbers)


def all_weights(model: LanguageModel) -> torch.Tensor:
    """All weights one after another, float32.

    Raises:
        ValueError: a weight is not finite.
    """
    state = [tensor.detach().float().cpu().flatten() for tensor in model.state_dict().values()]
    numbers = torch.cat(state)
    if not numbers.isfinite().all():
        raise ValueError("model has a weight that is nan or infinite: the page cannot have it")
    return numbers


def as_model(sizes: Mapping[str, Any], weights: bytes) -> LanguageModel:
    """The model of these sizes with these weights as float32, ready for evaluation."""
    model = LanguageModel(as_config(sizes))
    state = model.state_dict()
    numbers = torch.from_numpy(np.frombuffer(weights, "<f4").astype(np.float32))
    parts = numbers.split([tensor.numel() for tensor in state.values()])
    for (name, tensor), part in zip(state.items(), parts, strict=True):
        state[name] = part.view(tensor.shape)
    model.load_state_dict(state)
    return model.eval()
