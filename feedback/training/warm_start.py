"""Start a model from a trained parallel one.

A parallel model of the same sizes takes over all weights and goes on learning: it is the control
that says how much of a warm start's gain is owed to further updates alone.

A feedback model takes over most of them. Its layers all read the same memory vectors, where a
parallel layer reads its own. So the keys and values of the parallel model are fitted: what its
layers computed at a sample of tokens is predicted, by least squares, from the memory vectors of the
same tokens. Where one pair serves all layers, a head has room for k numbers instead of L k: it
keeps the k directions in which the predictions of all layers vary most, and each layer's queries,
positions and output are turned into these directions. Chapter 8 measures this rule against plainer
ones.

Shapes: N tokens of the sample, d width, L layers, H heads, k = d / H, S distances.
"""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import torch
from torch import Tensor

from feedback.attention import rows_for
from feedback.data import Characters, Text
from feedback.language_model import LanguageModel
from feedback.tasks import Task
from feedback.training.settings import Settings

MUST_AGREE = ("n_tokens", "d_model", "heads", "n_layers", "d_ff")


def warm_start(
    model: LanguageModel, folder: str | Path, source: Text | Task, settings: Settings
) -> str:
    """Let a run begin with the weights of a saved parallel model; see `from_parallel`.

    The sample is drawn from the run's own source, with a generator of its own.

    Returns:
        Which weights were carried over, fitted, new and dropped: a paragraph each.

    Raises:
        OSError, ValueError: as `from_parallel`; or the parallel model reads other characters than
            the source has.
    """
    characters = getattr(source, "characters", None)
    if characters is not None:
        theirs = Characters.load(folder).characters
        if theirs != characters.characters:
            raise ValueError(
                f"{folder} reads other characters than this text holds: they differ in "
                f"{''.join(sorted({*theirs} ^ {*characters.characters}))!r}"
            )
    sample = torch.Generator().manual_seed(settings.seed)
    tokens, _ = source.batch(16, settings.sequence_length, sample)  # (16, T)
    return from_parallel(model, folder, tokens.to(model.head.weight.device))


@torch.no_grad()
def from_parallel(model: LanguageModel, folder: str | Path, tokens: Tensor) -> str:
    """Give a model the weights of a saved parallel one.

    A parallel model with the same max_distance and memory_size then computes what the saved one
    does. Both may differ, for every kind of model: each reads as far as its own config says, and
    farther distances share the last row. Distances beyond the max_distance or memory_size of the
    saved model, for which it learned nothing of its own, begin with the farthest row that it read.

    Args:
        model: of any kind; the layer weights of a feedback model stay as they are.
        folder: where `LanguageModel.save` left a parallel model of the same sizes.
        tokens: (B, T) int64, the sample to which keys and values of a feedback model are fitted.

    Returns:
        Which weights were carried over, fitted, new and dropped: a paragraph each.

    Raises:
        OSError, ValueError: no model there, not a parallel one, one of other sizes, or with weights
            that are not finite.
    """
    parallel = LanguageModel.load(folder)
    check(model, parallel, folder)
    parallel.to(model.head.weight.device, model.head.weight.dtype)
    own = parallel.state_dict()
    weights = {name: own[name] for name in model.state_dict() if name in own}
    read = parallel.config.memory_size or parallel.config.max_distance  # the distances it learned
    for name, table in weights.items():
        if name.endswith(("attention.r", "attention.s")):
            past, itself = table[:-1], table[-1:]  # a token that reads itself has the last row
            rows = rows_for(past[-read:], model.config.max_distance)
            weights[name] = torch.cat([rows, itself]) if model.config.model == "parallel" else rows
    if model.config.model != "parallel":
        weights |= fit_keys_values(model, parallel, tokens, weights)
    missing = model.load_state_dict(weights, strict=False).missing_keys
    return report(model, own, weights, missing)


def fit_keys_values(
    model: LanguageModel, parallel: LanguageModel, tokens: Tensor, carried: dict[str, Tensor]
) -> dict[str, Tensor]:
    """Weights of a feedback model's keys and values, and whatever is turned to read them."""
    outputs = parallel.trace(tokens).outputs.flatten(1, 2)  # (L+1, N, d)
    mixture = model.core.mixture.weights(outputs)
    memory = torch.einsum("l,lnd->nd", mixture, outputs)
    pairs = [
        layer.keys_values(layer.norm1(x)[None])  # two of (1, H, N, k)
        for layer, x in zip(parallel.core.layers, outputs, strict=False)
    ]
    keys, values = (torch.cat(each).transpose(0, 1) for each in zip(*pairs, strict=True))
    if model.config.model == "feedback":
        return fit_each(memory, keys, values)
    return fit_shared(memory, keys, values, carried)


def check(model: LanguageModel, parallel: LanguageModel, folder: str | Path) -> None:
    """Raise ValueError unless `model` can begin with the weights of `parallel`."""
    if parallel.config.model != "parallel":
        raise ValueError(
            f"a run begins with the weights of a parallel model, but {folder} holds one of "
            f"model={parallel.config.model!r}; name the folder of a parallel one"
        )
    for name in MUST_AGREE:
        there, here = getattr(parallel.config, name), getattr(model.config, name)
        if there != here:
            raise ValueError(f"{name} is {there} in {folder} and {here} here; they must agree")
    if not all(weight.isfinite().all() for weight in parallel.parameters()):
        raise ValueError(f"{folder}: its weights are not finite, so nothing can start from them")


def fit(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Weight and bias of the linear map from x (N, d) to y (N, n) with the least square error.

    A small ridge keeps directions that hardly occur in x from large weights.
    """
    x_mean, y_mean = x.mean(0), y.mean(0)
    x = x - x_mean
    ridge = 1e-4 * x.square().sum() * torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
    weight = torch.linalg.solve(x.T @ x + ridge, x.T @ (y - y_mean)).T  # (n, d)
    return weight, y_mean - weight @ x_mean


def fit_each(memory: Tensor, keys: Tensor, values: Tensor) -> dict[str, Tensor]:
    """Projections for every layer, from memory (N, d) to keys and values (H, L, N, k)."""
    weights = {}
    for layer, (key, value) in enumerate(zip(keys.unbind(1), values.unbind(1), strict=True)):
        name = f"core.keys_values.{layer}."
        # The same number added to every score of a query changes nothing: keys need no bias.
        weights[f"{name}key.weight"], _ = fit(memory, key.transpose(0, 1).flatten(1))
        weight, bias = fit(memory, value.transpose(0, 1).flatten(1))
        weights[f"{name}value.weight"], weights[f"{name}value.bias"] = weight, bias
    return weights


def fit_shared(
    memory: Tensor, keys: Tensor, values: Tensor, carried: dict[str, Tensor]
) -> dict[str, Tensor]:
    """One pair of projections, and each layer's attention turned to read what they make."""
    heads, layers = keys.shape[:2]
    attention = [f"core.layers.{layer}.attention." for layer in range(layers)]
    names = [name for name in carried if name.startswith(tuple(attention))]
    weights = {name: carried[name].clone() for name in names}
    shared_keys, shared_values = [], []
    for head in range(heads):
        k = keys.shape[-1]
        rows = slice(head * k, (head + 1) * k)
        weight, turns, _ = shared_directions(memory, keys[head])
        shared_keys.append(weight)
        for name, turn in zip(attention, turns, strict=True):  # key of the layer = turn @ shared
            weights[f"{name}query.weight"][rows] = turn.T @ carried[f"{name}query.weight"][rows]
            weights[f"{name}u"][head] = turn.T @ carried[f"{name}u"][head]
            back = torch.linalg.pinv(turn, rtol=1e-3)  # r meets the turned query too
            weights[f"{name}r"][:, head] = carried[f"{name}r"][:, head] @ back.T
        weight, turns, biases = shared_directions(memory, values[head])
        shared_values.append(weight)
        for name, turn, bias in zip(attention, turns, biases, strict=True):
            columns = carried[f"{name}output.weight"][:, rows]  # (d, k)
            weights[f"{name}output.weight"][:, rows] = columns @ turn
            weights[f"{name}output.bias"] += columns @ bias
    weights["core.keys_values.0.key.weight"] = torch.cat(shared_keys)
    weights["core.keys_values.0.value.weight"] = torch.cat(shared_values)
    return weights


def shared_directions(memory: Tensor, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The k linear functions of memory (N, d) that best predict x (L, N, k) of all layers.

    Returns:
        Their weight (k, d); the turn (L, k, k) and bias (L, k) that lead from them to each layer.
    """
    layers, _, k = x.shape
    weight, bias = fit(memory, x.transpose(0, 1).flatten(1))  # (L k, d)
    predicted = (memory - memory.mean(0)) @ weight.T  # (N, L k)
    directions = torch.linalg.svd(predicted, full_matrices=False).Vh[:k]  # (k, L k)
    lost = weight - directions.T @ directions @ weight
    bias = bias + lost @ memory.mean(0)  # what is lost is there on average
    turns = directions.T.unflatten(0, (layers, k))
    return directions @ weight, turns, bias.unflatten(0, (layers, k))


def report(
    model: LanguageModel, own: dict[str, Tensor], weights: dict[str, Tensor], missing: list[str]
) -> str:
    """Say what became of the parallel model's weights, a paragraph a kind; layers are merged."""
    turned = ("query.weight", ".u", ".r", "output.weight", "output.bias")
    feedback, shared = model.config.model != "parallel", model.config.model == "feedback-kv"

    def kind(name: str) -> str:
        if feedback and "keys_values" in name:
            return "fitted"
        if shared and ".attention." in name and name.endswith(turned):
            return "turned to the shared keys and values"
        return "carried over"

    groups: dict[str, list[str]] = {}
    for name in weights:
        groups.setdefault(kind(name), []).append(name)
    groups["new"] = missing
    groups["dropped"] = [name for name in own if name not in weights]
    if feedback:
        row = "the rows of layers.*.attention.r and s with which a token reads itself"
        groups["dropped"].append(row)
    lines = []
    for title, names in groups.items():
        short = dict.fromkeys(
            re.sub(r"^core\.|\.(weight|bias)$", "", re.sub(r"\b\d+\b", "*", name)) for name in names
        )
        line = f"{title}: {', '.join(short) or '-'}"
        lines.append(textwrap.fill(line, 80, subsequent_indent="    ", break_on_hyphens=False))
    return "\n".join(lines)
