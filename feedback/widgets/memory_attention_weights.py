"""The weights that `MemoryAttention` shows: who reads, what is accepted, and how it is packed.

M models, L layers, H heads, T tokens of a text. The weight [..., t, j] is what step t gives step j.
"""

from __future__ import annotations

import numpy as np

from feedback import pretrained
from feedback.data import Characters
from feedback.language_model import LanguageModel

from .traits import array, of_type

LONGEST = 256  # tokens of a text; more would neither fit a page nor be read
FULL = 65535  # what a weight of 1 is sent as
SUM_TOLERANCE = 1e-2  # weights in half precision miss 1 by less


def readers(
    model: LanguageModel | None, characters: Characters | None, parallel: LanguageModel | None
) -> tuple[list[LanguageModel], Characters]:
    """The models that read a text, and their vocabulary: those of the package if none is given.

    Raises:
        TypeError: one of the three has a wrong type.
        ValueError: they do not belong together.
    """
    if model is None:
        if characters is not None or parallel is not None:
            raise ValueError("model is None; give the model that characters or parallel belong to")
        names = ("feedback-kv", "parallel")
        characters = Characters.load(pretrained.folder(names[0]))
        return [pretrained.load(name) for name in names], characters
    of_type("model", model, LanguageModel)
    characters = of_type("characters", characters, Characters)
    models = [model]
    if parallel is not None:
        of_type("parallel", parallel, LanguageModel)
        _check_pair(model, parallel)
        models.append(parallel)
    for given in models:
        if given.config.n_tokens != len(characters):
            raise ValueError(
                f"the {given.config.model} model reads {given.config.n_tokens} tokens, but there "
                f"are {len(characters)} characters"
            )
    return models, characters


def _check_pair(model: LanguageModel, parallel: LanguageModel) -> None:
    if parallel.config.model != "parallel" or model.config.model == "parallel":
        raise ValueError(
            f"parallel is a {parallel.config.model} model beside a {model.config.model} model; "
            "expected a parallel one beside a feedback model (for others use `attention`)"
        )
    sizes = [(given.config.n_layers, given.config.heads) for given in (model, parallel)]
    if sizes[0] != sizes[1]:
        raise ValueError(
            "model and parallel have (layers, heads) {} and {}; expected the same, as they are "
            "drawn side by side".format(*sizes)
        )


def stacked(maps: dict) -> np.ndarray:
    """(M, L, H, T, T): the weights of M models, rounded as the page will have them.

    Raises:
        ValueError: they are no weights of shape (L, H, T, T), or differ in shape.
    """
    if not maps:
        raise ValueError("attention is empty; give at least one array of weights")
    arrays = {name: _checked(values, name) for name, values in maps.items()}
    shapes = {name: array.shape for name, array in arrays.items()}
    if len(set(shapes.values())) > 1:
        raise ValueError(f"the weights differ in shape: {shapes}; expected one (L, H, T, T)")
    return np.round(np.stack(list(arrays.values())) * FULL) / FULL


def _checked(values: object, name: str) -> np.ndarray:
    found = array(name, values, "(L, H, T, T)")
    steps, others = found.shape[-2:]
    if steps != others:
        raise ValueError(f"{name} has shape {found.shape}; it must have (L, H, T, T)")
    if steps > LONGEST:
        raise ValueError(f"{name} has {steps} steps; it must have {LONGEST} at most")
    if (found < 0).any():
        raise ValueError(f"{name} holds {found.min():g}; its weights must not be negative")
    if np.triu(found, 1).any():
        raise ValueError(f"{name} gives weight to later steps; it must only to steps j <= t")
    sums = found.sum(-1)
    wrong = sums[~np.isclose(sums, 1, atol=SUM_TOLERANCE) & (sums != 0)]
    if wrong.size:
        raise ValueError(f"{name} has rows that sum to neither 1 nor 0, such as {wrong[0]:g}")
    return found.clip(max=1)


def packed(read: np.ndarray) -> bytes:
    """The lower triangles of (M, L, H, T, T), one row after the other, as little-endian uint16."""
    rows, columns = np.tril_indices(read.shape[-1])
    return np.round(read[..., rows, columns] * FULL).astype("<u2").tobytes()
