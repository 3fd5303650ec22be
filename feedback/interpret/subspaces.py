"""The directions in which vectors of different states differ. Chapter 10.

Shapes: N vectors, d width, C classes (states), r directions.
"""

from __future__ import annotations

import torch
from torch import Tensor


def class_means(x: Tensor, labels: Tensor) -> Tensor:
    """The mean vector of each class, (N, d) and (N,) int64 -> (C, d).

    Raises:
        ValueError: shapes do not fit, or a class has no vector.
    """
    if x.dim() != 2 or labels.shape != x.shape[:1]:
        shapes = f"{tuple(x.shape)} and {tuple(labels.shape)}"
        raise ValueError(f"vectors and labels have shapes {shapes}; they must be (N, d) and (N,)")
    C = int(labels.max()) + 1
    counts = torch.bincount(labels, minlength=C)
    if (counts == 0).any():
        raise ValueError(f"class {int(counts.argmin())} has no vector")
    return x.new_zeros(C, x.shape[1]).index_add(0, labels, x) / counts[:, None]


def between_classes(x: Tensor, labels: Tensor) -> Tensor:
    """An orthonormal basis of the differences between class means, (d, C - 1).

    The first r columns are the r directions in which the means differ most.

    Raises:
        ValueError: as `class_means`.
    """
    means = class_means(x, labels)
    _, _, directions = torch.linalg.svd(means - means.mean(0), full_matrices=False)  # (C, d)
    return directions[: len(means) - 1].T


def complement(basis: Tensor) -> Tensor:
    """An orthonormal basis of all that is orthogonal to a basis (d, r): (d, d - r)."""
    whole, _ = torch.linalg.qr(basis, mode="complete")
    return whole[:, basis.shape[1] :]


def variance_between(x: Tensor, labels: Tensor) -> float:
    """The share of the vectors' variance (N, d) that lies between their classes, 0 to 1.

    Raises:
        ValueError: as `class_means`.
    """
    between = class_means(x, labels)[labels] - x.mean(0)
    return (between.square().sum() / (x - x.mean(0)).square().sum()).item()
