"""Checks of chapter 7, the whole sequence in one function."""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Real

import torch
from torch import Tensor

from feedback.config import Config
from feedback.fast.forward import Activations, PassSettings, allocate
from feedback.fast.weights import fold
from feedback.notebook.checks.by_hand import expect_gradients, without_autograd
from feedback.notebook.checks.comparing import Slips
from feedback.notebook.checks.verdict import exercise, expect, when
from feedback.shared_kv import FeedbackTransformerKV

SIZES = ("B", "T", "d", "H", "L", "F")
# In the first case no two slips give the same number.
CASES = ((3, 7, 22, 11, 5, 13), (2, 6, 9, 3, 4, 5), (1, 1, 4, 1, 1, 3), (5, 3, 8, 2, 1, 7))


@exercise("7.1")
def check_kept_bytes(kept_bytes: Callable) -> None:
    """How many bytes for each field of `Activations`?"""
    for case in CASES:
        sizes = dict(zip(SIZES, case, strict=True))
        with when(" ".join(f"{name}={size}" for name, size in sizes.items())):
            found, true = kept_bytes(*case), allocated(**sizes)
            fields = "return a dictionary with an entry for each field of Activations"
            expect(isinstance(found, dict), f"that is of type {type(found).__name__}: {fields}")
            for name in Activations._fields:
                expect(name in found, f"there is no entry for {name!r}")
            for name in found:
                expect(name in true, f"{name!r} is no field of Activations")
            for name, wanted in true.items():
                check_bytes(name, found[name], wanted, sizes)


def allocated(B: int, T: int, d: int, H: int, L: int, F: int) -> dict[str, int]:
    """The bytes of each field, for which the package really makes room."""
    config = Config(d_model=d, heads=H, n_layers=L, d_ff=F, max_distance=4)
    model = FeedbackTransformerKV(config)
    settings = PassSettings([*range(T)], model.norm.eps, None)
    x, nothing = torch.randn(B, T, d), torch.empty(2, H * B, 0, d // H)
    room = allocate(settings, x, nothing, fold(model, max(1, T - 1)), keep=True)
    return {name: tensor.nbytes for name, tensor in room._asdict().items()}


def check_bytes(name: str, found: object, wanted: int, sizes: dict[str, int]) -> None:
    """Is this the number of bytes of a field?"""
    if isinstance(found, Tensor) and found.numel() == 1:
        found = found.item()
    expect(isinstance(found, Real), f"{name}: a number, not a {type(found).__name__}")
    if found != wanted:
        hint = "right for other sizes: which number of yours is not B, T, d, H, L or F?"
        if tuple(sizes.values()) == CASES[0]:
            slips = slips_of_kept(name, wanted, **sizes)
            shape = "compare with its shape in Activations"
            hint = next((slip for number, slip in slips.items() if number == found), shape)
        expect(False, f"{name}: {found} bytes, but it is {wanted}: {hint}")


def slips_of_kept(
    name: str, true: int, B: int, T: int, d: int, H: int, L: int, F: int
) -> dict[float, str]:
    """What likely mistakes would give for a field, and the mistake."""
    slips = {
        0: "it is kept too",
        true / 4: "that is how many numbers; each has 4 bytes",
        true * 2: "a number of float32 has 4 bytes, and each is kept once",
        true / B: "that is one sequence; there are B",
    }
    if name != "kv":
        slips[true / L] = "that is one layer; there are L"
    if name == "attention":
        rows = 4 * B * L * H
        slips[rows * T * T] = "step t reads the t steps before it, not all T"
        slips[rows * T * (T + 1) // 2] = "the first step reads nothing, the last T - 1 keys"
        slips[rows * (T - 1) * (T - 2) // 2] = "the last step reads T - 1 keys"
        slips[rows * T] = "that is one number a step; step t has t weights"
        slips[rows * (T - 1)] = "that is the last step alone; add up those of all steps"
        slips[rows * T * (T - 1)] = "0 + 1 + ... + (T - 1) is half of T (T - 1)"
        slips[true / H] = "every head has its own row"
        return slips
    slips[true / T] = "that is one step; there are T"
    slips[true * H] = "a head has d / H numbers, so all heads together have d"
    slips[true / H] = "that is one head; there are H"
    if name == "kv":
        slips[true / 2] = "keys and values are two"
        slips[true * L] = "all layers share one pair of keys and values"
        slips[true / T * (T - 1)] = "the last step's key and value are kept too"
    if name == "states":
        slips[true / (L + 1) * L] = "the embedding is a state too: there are L + 1"
        slips[true / (L + 1)] = "that is one layer; all of them are kept"
    elif name != "kv":
        slips[true / L * (L + 1)] = "only the L layers have it, not the embedding"
    if name == "hiddens":
        slips[true / F * d] = "the hidden vector has F numbers"
    elif name != "kv":
        slips[true / d * F] = "only the hidden vector has F numbers; this one has d"
    return slips


@exercise("7.3")
def check_reading(undo_reading: Callable) -> None:
    own = torch.Generator().manual_seed(0)
    for k, n in ((5, 7), (3, 4), (5, 1)):
        shapes = dict(query=(k,), keys=(n, k), values=(n, k), r=(n, k), s=(n,))
        given = {
            name: torch.randn(shape, dtype=torch.double, generator=own)
            for name, shape in shapes.items()
        }
        d_read = torch.randn(k, dtype=torch.double, generator=own)
        with when(f"k = {k}, {n} keys" if n > 1 else f"k = {k}, a single key"):
            with without_autograd():
                found = undo_reading(d_read, *(x.clone() for x in given.values()))
            slips = slips_of_reading(d_read, **given)
            order = ("values", "s", "keys", "r", "query")
            expect_gradients(found, given, reading, d_read, slips, order)


def reading(query: Tensor, keys: Tensor, values: Tensor, r: Tensor, s: Tensor) -> Tensor:
    """What a query (k,) reads, (k,)."""
    scores = ((keys + r) @ query + s) / math.sqrt(len(query))  # (n,)
    return scores.softmax(0) @ values


def slips_of_reading(
    d_read: Tensor, query: Tensor, keys: Tensor, values: Tensor, r: Tensor, s: Tensor
) -> dict[str, Slips]:
    """For each gradient: likely mistakes, each with what it would give."""
    root, k, outer = math.sqrt(len(query)), len(query), torch.outer
    bracket = (keys + r) @ query + s  # (n,)
    a = (bracket / root).softmax(0)  # (n,)
    d_a = values @ d_read  # (n,)
    average = a @ d_a
    d_score = a * (d_a - average)  # of what the softmax gets
    inner = d_score / root  # of the numerator

    def row(scores: Tensor) -> Tensor:
        return outer(scores.softmax(0), d_read)

    through_scores = {
        "the division by the square root of k is missing": outer(d_score, query),
        "that is divided by the square root of k twice": outer(inner / root, query),
        "the gradient of the score is wanted here, not the row a": outer(a, query),
        "the row a is not the gradient of a score": outer(a / root, query),
        "with the query, not with d_read": outer(inner, d_read),
        "with the query; this is what the keys say to the query": inner[:, None] * (keys + r),
        "the softmax is missing between row and scores": outer(d_a, query),
        "the softmax is missing between row and scores: only the root is there": (
            outer(d_a / root, query)
        ),
        "the sign": -outer(inner, query),
    }
    return {
        "values": {
            "the row is the softmax of scores divided by the square root of k": row(bracket),
            "the scores are divided by the square root of k, not by k": row(bracket / k),
            "the scores are divided by the square root of k; that multiplies": row(bracket * root),
            "the scores are divided by the square root of k, not of n": row(
                bracket / math.sqrt(len(s))
            ),
            "the row's scores have q · r_j too": row((keys @ query + s) / root),
            "the row's scores have q · k_j too": row((r @ query + s) / root),
            "the row's scores have s_j too": row((keys + r) @ query / root),
            "s_j is divided by the square root of k too": row((keys + r) @ query / root + s),
            "s_j is added, not subtracted": row(((keys + r) @ query - s) / root),
            "the row's scores are made with q · (k_j + r_j)": row(((keys - r) @ query + s) / root),
            "the scores have no minus": row(-bracket / root),
            "the row is a softmax; those are the scores": outer(bracket / root, d_read),
            "the row is a softmax, not its logarithm": outer(
                (bracket / root).log_softmax(0), d_read
            ),
            "the row is a softmax: the exponentials have to sum to 1": outer(
                (bracket / root).exp(), d_read
            ),
            "every value gets its share a_j of d_read": d_read.expand_as(values),
            "every value gets its own share a_j of d_read, not the mean one": (
                d_read.expand_as(values) / len(s)
            ),
            "values are weighted by the row a, not by the gradient of a score": outer(
                d_score, d_read
            ),
            "values are weighted by the row a, not by the scores' gradient": outer(inner, d_read),
            "values are weighted by the row a, not by its gradient": outer(d_a, d_read),
            "the values get d_read, not the query": outer(a, query),
            "the values get d_read, not themselves": a[:, None] * values,
            "the sign": -outer(a, d_read),
        },
        "s": {
            "from the row to the scores it goes through the softmax": d_a / root,
            "through the softmax, and then divided by the square root of k": d_a,
            "the division is by the square root of k, not by k": d_score / root**2,
            "that multiplies with the square root of k; divide": d_score * root,
            "a softmax subtracts the average, the sum of a_i times its gradient": a * d_a / root,
            "the softmax subtracts its average": a * (d_a + average) / root,
            "the factor a_j is missing": (d_a - average) / root,
            "the average is weighted by a; that is the plain mean": a * (d_a - d_a.mean()) / root,
            "the average is a mean with weights a; that is the plain sum": (
                a * (d_a - d_a.sum()) / root
            ),
            "the average is the sum of a_i times its gradient, not divided by n": (
                a * (d_a - average / len(s)) / root
            ),
            "a_j multiplies the average too, which is subtracted first": (
                (a * d_a - average) / root
            ),
            "s is divided by the square root of k too": d_score,
            "the softmax's average is missing, and the square root of k": a * d_a,
            "the row's gradient is values times d_read, not keys": (
                a * (keys @ d_read - a @ keys @ d_read) / root
            ),
            "the row's gradient is made with d_read, not with the query": (
                a * (values @ query - a @ values @ query) / root
            ),
            "the sign": -inner,
            "that is the row a": a,
            "s gets a gradient too": torch.zeros_like(s),
        },
        "keys": through_scores | {"keys get a gradient too": torch.zeros_like(keys)},
        "r": through_scores | {"the distances get a gradient too": torch.zeros_like(r)},
        "query": {
            "a score reaches the query through the distance too": inner @ keys,
            "a score reaches the query through the key too": inner @ r,
            "the key and the distance are added": inner @ (keys - r),
            "the division by the square root of k is missing": d_score @ (keys + r),
            "that is divided by the square root of k twice": inner @ (keys + r) / root,
            "with the gradient of the scores, not with the row a": a @ (keys + r),
            "with keys and distances, not with values": inner @ values,
            "with keys and distances; values have no part in a score": inner @ (keys + r + values),
            "the softmax is missing between row and scores": d_a @ (keys + r),
            "a sum over the keys, not a mean": inner @ (keys + r) / len(s),
            "the sign": -inner @ (keys + r),
            "the query gets a gradient too": torch.zeros_like(query),
        },
    }
