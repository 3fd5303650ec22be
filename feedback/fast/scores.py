"""Attention scores with relative positions for single queries, one a sequence.

The way in which `Attention.scores` (chapter 1) computes them for any number of queries is the plain
account. Here a step's query meets all keys before it in two products, one with the distances and
one with the keys, and the second adds to the first. Used by the steps of chapter 7 and by
generation.

Shapes: B batch, H heads, k features a head, n keys, S distances.
"""

from __future__ import annotations

import torch
from torch import Tensor


def relative_scores(
    to_keys: Tensor, to_distances: Tensor, keys: Tensor, r: Tensor, s: Tensor, scale: float = 1
) -> Tensor:
    """scale · (to_keys · key_j + to_distances · r_j + s_j) for every key: (HB, 1, n).

    Args:
        to_keys, to_distances: (H, B, k), what of the query meets keys, and what meets distances.
        keys: (HB, k, n).
        r, s: (H, k, S) and (H, 1, S), the farthest first; keys beyond S share the farthest row.
    """
    k, n = keys.shape[1:]
    near = min(n, r.shape[2])
    scores = torch.baddbmm(
        s[:, :, -near:], to_distances, r[:, :, -near:], beta=scale, alpha=scale
    )  # (H, B, near)
    if n > near:
        farthest = scores[:, :, :1].expand(-1, -1, n - near)
        scores = torch.cat([farthest, scores], dim=2)  # (H, B, n)
    scores = scores.view(-1, 1, n)  # (HB, 1, n)
    return scores.baddbmm_(to_keys.reshape(-1, 1, k), keys, alpha=scale)
