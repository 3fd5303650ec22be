"""A model as bytes for a page: int8 numbers with a scale a row, and back again.

A row is what the last axis of a matrix or a table runs over: the weights behind one output, one
token's embedding, one head's key for one distance. Its largest number, whatever its sign, becomes
127 steps of its scale. Vectors are few and stay as they are.

The bytes are all float32 numbers (scales and vectors) in the order of the tensors, then all int8
numbers in the same order; every number little-endian. `live_model.engine.js` reads them.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from feedback.config import Config
from feedback.language_model import LanguageModel

MIXTURE = "core.mixture.w"  # left out: layer weights travel beside the bytes, and can be changed
STEPS = 127


def pack(model: LanguageModel) -> tuple[bytes, list]:
    """The weights of a model as bytes, and [name, shape] of each tensor in them.

    Raises:
        ValueError: a weight is not finite.
    """
    floats, integers, tensors = [], [], []
    for name, tensor in model.state_dict().items():
        if name == MIXTURE:
            continue
        tensor = tensor.detach().float().cpu()
        if not tensor.isfinite().all():
            raise ValueError(f"{name} holds nan or infinity: the model cannot be shown")
        tensors.append([name, list(tensor.shape)])
        if tensor.dim() == 1:
            floats.append(tensor)
        else:
            scale, steps = quantised(tensor)
            floats.append(scale)
            integers.append(steps)
    floats = [part.numpy().astype("<f4").tobytes() for part in floats]
    return b"".join(floats + [part.numpy().tobytes() for part in integers]), tensors


def unpack(buffer: bytes, tensors: list, config: Config) -> LanguageModel:
    """A model with the weights in the bytes; `config` gives it layer weights of its own choice."""
    sizes = [math.prod(shape if len(shape) == 1 else shape[:-1]) for _, shape in tensors]
    floats = torch.tensor(np.frombuffer(buffer, "<f4", sum(sizes)).astype(np.float32))
    integers = torch.tensor(np.frombuffer(buffer, np.int8, offset=4 * sum(sizes)))
    weights, taken = {}, 0
    for (name, shape), part in zip(tensors, floats.split(sizes), strict=True):
        if len(shape) > 1:
            size = math.prod(shape)
            part = part[:, None] * integers[taken : taken + size].view(len(part), -1)
            taken += size
        weights[name] = part.view(shape)
    model = LanguageModel(config)
    model.load_state_dict(weights)
    return model.eval()


def quantised(tensor: Tensor) -> tuple[Tensor, Tensor]:
    """Scales (rows,) and whole numbers from -127 to 127, (rows, columns) int8."""
    rows = tensor.flatten(0, -2)
    scale = rows.abs().amax(1) / STEPS
    steps = rows / torch.where(scale > 0, scale, 1)[:, None]  # a row of zeros stays one
    return scale, steps.round().to(torch.int8)
