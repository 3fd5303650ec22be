"""Attention with relative positions: what one head does, and how heads work side by side.

The same `Attention` serves all three models. They differ in where keys and values come from, and in
whether a token may read itself; both are the caller's business. Built in chapter 1.

Shapes: B batch, T queries, n keys, H heads, k = d / H features a head, d width, S distances.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn


def split_heads(x: Tensor, heads: int) -> Tensor:
    """Give each head its own k = d / H features: (B, T, d) -> (B, H, T, k)."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def merge_heads(x: Tensor) -> Tensor:
    """Undo `split_heads`: (B, H, T, k) -> (B, T, d)."""
    return x.transpose(1, 2).flatten(-2)


def causal_mask(queries: int, keys: int, device: torch.device | None = None) -> Tensor:
    """Say which keys each query may read, (queries, keys) bool: the last query reads them all."""
    return torch.ones(queries, keys, dtype=torch.bool, device=device).tril(keys - queries)


def rows_for(table: Tensor, n: int) -> Tensor:
    """Take the rows of n successive keys from a table that ends with the nearest distance.

    A table of S rows serves any n: keys farther than S share the farthest row. (S, ...) -> (n, ...)
    """
    if n > len(table):
        farthest = table[:1].expand(n - len(table), *table.shape[1:])
        table = torch.cat([farthest, table])
    return table[len(table) - n :]


def shift(scores: Tensor) -> Tensor:
    """Align scores that every query computed as if it were the last one: (..., T, n) -> same.

    Row i moves T - 1 - i places to the left. What moves in from the right belongs to keys that lie
    in that query's future, so the causal mask hides it.
    """
    T, n = scores.shape[-2:]
    if T == 1:  # the last query is the only one
        return scores
    padded = torch.cat([scores.new_zeros(*scores.shape[:-1], 1), scores], dim=-1)  # (..., T, n + 1)
    return padded.flatten(-2)[..., T:].unflatten(-1, (T, n))


class Attention(nn.Module):
    """Queries, relative positions and output projection of one layer.

    Attributes:
        query: W_q, without bias.
        output: W_o and b_o.
        u: (H, k), added to the query where it meets a key: some contents matter to every query.
        r: (S, H, k), a key for every distance, the farthest first.
        s: (S, H), a score for every distance, whatever the query, the farthest first.
        dropout: drops attention weights.

    Source: Transformer-XL's relative attention with learned distances, as in labml's model.
    """

    def __init__(
        self, d_model: int, heads: int, max_distance: int, reads_itself: bool, dropout: float
    ):
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(d_model, d_model, bias=False)
        self.output = nn.Linear(d_model, d_model)
        distances = max_distance + reads_itself  # distance 0 has a row of its own
        self.u = nn.Parameter(torch.zeros(heads, d_model // heads))
        self.r = nn.Parameter(torch.zeros(distances, heads, d_model // heads))
        self.s = nn.Parameter(torch.zeros(distances, heads))
        self.dropout = nn.Dropout(dropout)

    def scores(self, query: Tensor, keys: Tensor) -> Tensor:
        """Score every key for every query: (B, H, T, k), (B, H, n, k) -> (B, H, T, n)."""
        n, root = keys.shape[2], math.sqrt(query.shape[-1])
        query, u, s = query / root, self.u / root, rows_for(self.s, n) / root
        r = rows_for(self.r, n).permute(1, 2, 0)  # (H, k, n)
        content = (query + u[:, None]) @ keys.transpose(-1, -2)
        if query.shape[2] == 1:  # one query a sequence: the batch serves as rows of the product
            position = (query.transpose(0, 2) @ r).transpose(0, 2)
        else:
            position = query @ r
        position += s.T[:, None]
        content += shift(position)
        return content

    def forward(self, z: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Read the values with queries made from z.

        Args:
            z: (B, T, d), normalised inputs; the last one stands right after (or at) the last key.
            keys, values: (B, H, n, k).

        Returns:
            What was read, (B, T, d), and the attention weights before dropout, (B, H, T, n).
        """
        query = split_heads(self.query(z), self.heads)  # (B, H, T, k)
        scores = self.scores(query, keys)  # (B, H, T, n)
        T, n = scores.shape[-2:]
        if T > 1:  # a single query may read every key
            future = ~causal_mask(T, n, z.device)
            scores += torch.zeros_like(future, dtype=z.dtype).masked_fill_(future, -math.inf)
        weights = scores.softmax(-1)
        read = self.dropout(weights) @ values  # (B, H, T, k)
        return self.output(merge_heads(read)), weights


class WindowAttention(Attention):
    """Attention that reads at most `window` keys before a query's own, and that one.

    It has the weights of `Attention`. Exercise 1.1 builds its mask.

    Args:
        window: how many keys before its own a query may read, at least 1.
        sizes: what `Attention` takes; its `reads_itself` is True here.
    """

    def __init__(self, window: int, *sizes: Any):
        super().__init__(*sizes)
        self.window = window

    def scores(self, query: Tensor, keys: Tensor) -> Tensor:
        """Do what `Attention.scores` does; keys before the window score minus infinity."""
        scores = super().scores(query, keys)  # (B, H, T, n)
        T, n = scores.shape[-2:]
        if n <= self.window + 1:  # the window of the last query holds them all
            return scores
        too_old = causal_mask(T, n, scores.device).tril(n - T - self.window - 1)
        return scores.masked_fill(too_old, -math.inf)


class KeysValues(nn.Module):
    """Turn vectors into keys W_k x and values W_v x + b_v: (B, T, d) -> two of (B, H, T, k)."""

    def __init__(self, d_model: int, heads: int, value_bias: bool = True):
        super().__init__()
        self.heads = heads
        self.key = nn.Linear(d_model, d_model, bias=False)
        self.value = nn.Linear(d_model, d_model, bias=value_bias)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return split_heads(self.key(x), self.heads), split_heads(self.value(x), self.heads)
