"""What the two models of a text hold inside: the lens by layer, the window, the mixture.

Asked on held-out windows of Tiny Shakespeare, which both models were validated on. Losses are in
nats a character.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from feedback import data, pretrained
from feedback.interpret import sites
from feedback.interpret.lens import lens_loss
from feedback.interpret.running import run_with
from feedback.language_model import LanguageModel

LENGTH = 128  # tokens of a window
ROWS = 16  # windows
SIZES = (1, 2, 4, 8, 16, 32, 64, None)  # of the memory; None: all


def held_out() -> tuple[Tensor, Tensor]:
    """Tokens and the tokens that follow, both (ROWS, LENGTH)."""
    text = data.Text(data.tiny_shakespeare(), LENGTH)
    tokens, following = next(iter(text.held_out(LENGTH)))
    return tokens[:ROWS], following[:ROWS]


def looking_back(model: LanguageModel, size: int | None) -> LanguageModel:
    """The same weights, reading the last `size` memory vectors only."""
    cut = LanguageModel(replace(model.config, memory_size=size)).eval()
    cut.load_state_dict(model.state_dict())
    return cut


def mixed_by(weights: Tensor, length: Tensor | None) -> Callable[[Tensor], Tensor]:
    """Memory vectors (B, T, d) of outputs (B, T, L+1, d), by weights (L+1,), at a given length."""

    def mix(outputs: Tensor) -> Tensor:
        m = torch.einsum("l,btld->btd", weights, outputs)
        return m if length is None else m * length / m.norm(dim=-1, keepdim=True)

    return mix


def with_mixture(
    model: LanguageModel, tokens: Tensor, labels: Tensor, weights: Tensor, length: Tensor | None
) -> float:
    """The loss if memory vectors are mixed by other weights."""
    kept: list[Tensor] = []

    def keep(outputs: Tensor, steps: range) -> Tensor:
        kept[:] = [outputs]
        return outputs

    mix = mixed_by(weights, length)
    changes = {sites.shares(model): keep, sites.memory(model): lambda m, steps: mix(kept[0])}
    trace = run_with(model, tokens, changes)
    return loss(trace.logits, labels)


def loss(logits: Tensor, labels: Tensor) -> float:
    return round(F.cross_entropy(logits.flatten(0, 1), labels.flatten()).item(), 4)


@torch.no_grad()
def ask_text() -> dict:
    """Lens, windows and mixtures."""
    tokens, labels = held_out()
    model, parallel = pretrained.load("feedback-kv"), pretrained.load("parallel")
    trace, other = model.trace(tokens), parallel.trace(tokens)
    L = model.config.n_layers
    length = trace.memory.norm(dim=-1).mean()
    mixtures = {"learned": loss(trace.logits, labels)}
    own = model.layer_weights()
    for layer in range(L + 1):
        alone = F.one_hot(torch.tensor(layer), L + 1).to(own)
        without = own * (1 - alone) / (1 - own[layer])
        for name, weights in ((f"only {layer}", alone), (f"without {layer}", without)):
            mixtures[name] = with_mixture(model, tokens, labels, weights, None)
            mixtures[f"{name}, same length"] = with_mixture(model, tokens, labels, weights, length)
    return {
        "windows": ROWS,
        "length": LENGTH,
        "weights": [round(x, 4) for x in own.tolist()],
        "lengths": [round(x, 2) for x in trace.outputs.norm(dim=-1).mean((1, 2)).tolist()],
        "memory length": round(length.item(), 2),
        "lens": [round(lens_loss(model, x, labels), 4) for x in trace.outputs],
        "lens of the memory": round(lens_loss(model, trace.memory, labels), 4),
        "lens, parallel": [round(lens_loss(parallel, x, labels), 4) for x in other.outputs],
        "by memory_size": {
            str(size or "all"): loss(looking_back(model, size)(tokens), labels) for size in SIZES
        },
        "mixtures": mixtures,
    }
