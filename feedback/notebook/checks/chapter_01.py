"""Checks of chapter 1, attention from nothing."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from feedback.attention import causal_mask
from feedback.notebook.checks.verdict import exercise, expect, when
from feedback.notebook.example import EMBEDDINGS, WORDS

WINDOWS = {  # (queries, keys, size): what each query may read
    (4, 4, 2): "x... xx.. .xx. ..xx",
    (4, 4, 9): "x... xx.. xxx. xxxx",
    (4, 4, 1): "x... .x.. ..x. ...x",
    (1, 6, 2): "....xx",
    (3, 7, 4): ".xxxx.. ..xxxx. ...xxxx",
}


@exercise("1.1")
def check_window(window_mask: Callable) -> None:
    for (queries, keys, size), picture in WINDOWS.items():
        with when(f"window_mask({queries}, {keys}, {size})"):
            mask = window_mask(queries, keys, size)
            wanted = torch.tensor([[x == "x" for x in row] for row in picture.split()])
            is_mask = isinstance(mask, Tensor) and mask.dtype == torch.bool
            expect(is_mask, "no tensor of True and False: give it dtype=torch.bool")
            shapes = f"shape {tuple(mask.shape)}, not {tuple(wanted.shape)}"
            expect(mask.shape == wanted.shape, shapes)
            if not mask.equal(wanted):
                expect(False, f"{drawn(mask)}, not {picture}: {slip_of_window(mask, wanted, size)}")


def drawn(mask: Tensor) -> str:
    """A mask as a row of x and . for each query."""
    return " ".join("".join(".x"[x] for x in row) for row in mask.int().tolist())


def slip_of_window(mask: Tensor, wanted: Tensor, size: int) -> str:
    """What is likely to be the matter with a mask that is not the wanted one."""
    queries, keys = wanted.shape
    if mask.equal(~wanted):
        return "True and False are swapped"
    if queries != keys:
        return (
            "right for as many queries as keys; with fewer queries both edges move, "
            "for the last query stands at the last key"
        )
    if mask.T.equal(wanted):
        return "a row belongs to a query"
    if (mask & ~causal_mask(queries, keys)).any():
        return "a query reads a key of its future"
    if not mask[-1, -1]:
        return "each query reads its own token too"
    if (most := mask.sum(-1).max()) != wanted.sum(-1).max():
        return f"the widest row allows {most}; its own token is one of `size`"
    return "some rows are right, and others are not"


@exercise("1.3")
def check_attention(attention: Callable) -> None:
    (q, k, v), every = random_case(), torch.ones(3, 5, dtype=torch.bool)
    found = attention(q, k, v, every)
    expect(isinstance(found, Tensor), f"return one tensor, not a {type(found).__name__}")
    shape = tuple(found.shape)
    expect(shape != (3, 5), "these look like weights: mix the values with them")
    expect(shape == (3, 2), f"the shape is {shape}, not (T, width) = (3, 2)")
    check_scores(attention, q, k, v, every)

    some = torch.tensor([[1, 0, 0, 0, 0], [1, 1, 1, 0, 0], [0, 1, 1, 1, 0]]).bool()
    check_masked(attention, q, k, v, some)

    many_q, many_k, many_v = random_case(2, 3)
    with when("right for two dimensions, but with a batch and heads in front"):
        found = attention(many_q, many_k, many_v, some)
        for b in range(2):
            for h in range(3):
                one = read_in_loops(many_q[b, h], many_k[b, h], many_v[b, h], some)
                right = found.shape == (2, 3, 3, 2) and torch.allclose(found[b, h], one)
                expect(right, "wrong; count dimensions from the end, as `.transpose(-1, -2)` does")
    graded = attention(q.clone().requires_grad_(), k, v, some).requires_grad
    gone = "no gradient reaches the queries: no .tolist(), .item() or .detach() on the way"
    expect(graded, gone)


def random_case(*front: int) -> list[Tensor]:
    """Queries, keys and values for T = 3 and n = 5, (..., 3, 4), (..., 5, 4) and (..., 5, 2)."""
    own = torch.Generator().manual_seed(4)
    sizes = [(3, 4), (5, 4), (5, 2)]
    return [torch.randn(*front, *size, generator=own, dtype=torch.double) for size in sizes]


def read_in_loops(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    """Attention one query at a time: what each reads from the keys that it may read, (T, width)."""
    read = []
    for query, may in zip(q, mask, strict=True):
        weights = torch.stack([query @ key for key in k[may]]) / math.sqrt(len(query))
        read.append(weights.softmax(0) @ v[may])
    return torch.stack(read)


def check_scores(attention: Callable, q: Tensor, k: Tensor, v: Tensor, every: Tensor) -> None:
    """Where all may be read."""
    total = attention(q, k, torch.ones_like(v), every)
    swapped = "True in the mask means that a query may read the key"
    expect(not total.isnan().any(), f"nothing is left to read where all may be read: {swapped}")
    expect(
        torch.allclose(total, torch.ones_like(total)),
        f"the weights of a query sum to {total[0, 0]:.2f}, not 1: "
        "the softmax goes along the keys, the last dimension of the scores",
    )
    found = attention(q, k, v, every)
    blind = torch.allclose(found, v.mean(0).expand_as(found))
    expect(not blind, f"all keys weigh the same where all may be read: {swapped}")

    def divided_by(divisor: float) -> bool:
        return torch.allclose(found, read_in_loops(q * (2 / divisor), k, v, every))

    for name, size in {"T": 3, "n": 5, "width": 2}.items():
        expect(not divided_by(math.sqrt(size)), f"divided by √{name}, not by √k")
    expect(not divided_by(1), "the scores are not divided by √k")
    expect(not divided_by(4), "the scores are divided by k, not by its root")
    expect(divided_by(2), "the loops read something else, even where all may be read")


def check_masked(attention: Callable, q: Tensor, k: Tensor, v: Tensor, some: Tensor) -> None:
    """Where not everything may be read."""
    found = attention(q, k, v, some)
    expect(found.isfinite().all(), "with a mask some results are not finite numbers")
    no_effect = found.equal(attention(q, k, v, torch.ones_like(some)))
    expect(not no_effect, "the mask has no effect")
    for t in range(3):
        hidden = (~some[t]).double()[:, None].expand(5, 2)
        leak = attention(q, k, hidden.clone(), some)[t, 0]
        expect(
            leak < 0.999,
            "it reads what the mask forbids, and nothing else: "
            "True in the mask means that a query may read the key",
        )
        expect(leak < 1e-6, f"query {t} gives {leak:.1g} to forbidden keys")
    total = attention(q, k, torch.ones_like(v), some)
    expect(
        torch.allclose(total, torch.ones_like(total)),
        f"with a mask the weights of query 0 sum to {total[0, 0]:.2f}: "
        "forbid keys before the softmax, not after it",
    )
    same = torch.allclose(found, read_in_loops(q, k, v, some))
    expect(same, "the loops read something else from the keys that may be read")


@exercise("1.4")
def check_animals(animal_head: Callable) -> None:
    found = animal_head()
    expect(isinstance(found, (tuple, list)) and len(found) == 2, "return two matrices")
    w_q, w_k = (torch.as_tensor(w).detach().float() for w in found)
    for name, w in (("queries", w_q), ("keys", w_k)):
        size = tuple(w.shape)
        expect(size == (4, 2), f"the matrix for {name} is {size}, not (4, 2)")
        expect(w.isfinite().all(), f"the matrix for {name} is not finite")
    q, k = EMBEDDINGS @ w_q, EMBEDDINGS @ w_k
    weights = (q @ k.T / math.sqrt(2)).softmax(-1)
    most = WORDS[weights[1].argmax()]
    said = f'"saw" gives "{most}" the most, {weights[1].max():.2f}'
    hint = "" if k[3].any() else ', and the key of "dog" is zero: what finds it?'
    expect(most == "dog", said + hint)
    expect(weights[1, 3] >= 0.9, f"{said}: a longer query or key makes it more")
    anna, most = weights[2, 0], WORDS[weights[2].argmax()]
    said = f'"saw" is right, but "her" gives Anna {anna:.2f}, and "{most}" {weights[2].max():.2f}'
    expect(anna >= 0.6, said)
