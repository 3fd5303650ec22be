"""Three ways to begin with the weights of a parallel model, compared before any training.

Built in chapter 8. Shapes: B batch, T tokens.
"""

from __future__ import annotations

from pathlib import Path

import torch

from feedback import data
from feedback.config import Config
from feedback.language_model import LanguageModel
from feedback.training import evaluate
from feedback.training.warm_start import from_parallel


def averaged(config: Config, folder: str | Path) -> LanguageModel:
    """A shared feedback model with the weights of a saved parallel one, by the obvious rule.

    All weights of equal name are carried over, and keys and values are the mean of all layers'.

    Args:
        config: of the feedback model, of the same sizes as the parallel one.
        folder: where `LanguageModel.save` left the parallel model.
    """
    own, model = LanguageModel.load(folder).state_dict(), LanguageModel(config)
    layers = range(config.n_layers)
    weights = {name: own[name] for name in model.state_dict() if name in own}
    for name, table in weights.items():
        if name.endswith(("attention.r", "attention.s")):
            # The last row is for a token that reads itself.
            weights[name] = table[:-1]
    for kind in ("key", "value"):
        part = f"keys_values.{kind}.weight"
        pairs = [own[f"core.layers.{n}.{part}"] for n in layers]
        weights[f"core.keys_values.0.{kind}.weight"] = sum(pairs) / len(pairs)
    model.load_state_dict(weights, strict=False)
    return model


def start_losses(
    config: Config,
    folder: str | Path,
    text: data.Text,
) -> dict[str, float]:
    """Validation losses, in nats a character, before a feedback model is trained.

    Args:
        config: of the feedback model.
        folder: of a saved parallel model of the same sizes.
        text: for the sample that the fit needs, and for its held-out windows.

    Returns:
        The loss with fresh weights, with averaged keys and values, with fitted ones, and that of
        the parallel model itself.
    """
    sample, _ = text.batch(16, text.length, torch.Generator().manual_seed(0))
    fitted = LanguageModel(config)
    print(from_parallel(fitted, folder, sample), end="\n\n")
    starts = {
        "fresh weights": LanguageModel(config),
        "averaged": averaged(config, folder),
        "fitted": fitted,
        "parallel model itself": LanguageModel.load(folder),
    }
    held_out = list(text.held_out(text.length))
    return {name: evaluate(one, held_out)[0] for name, one in starts.items()}


def smaller_margin(losses: dict[str, float]) -> float:
    """How clearly the starts rank, in nats: the smaller of two gains in loss.

    The gains are that of a fitted start over an averaged one, and of an averaged start over fresh
    weights.
    """
    fresh, average, fit = (losses[name] for name in ("fresh weights", "averaged", "fitted"))
    return min(average - fit, fresh - average)
