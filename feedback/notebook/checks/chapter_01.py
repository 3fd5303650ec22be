"""Checks of chapter 1, attention from nothing."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from feedback.attention import causal_mask
from feedback.notebook.checks.catching import expect_catches
from feedback.notebook.checks.comparing import near
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
    """Square masks first, then fewer queries than keys."""
    for (queries, keys, size), picture in WINDOWS.items():
        with when(f"window_mask({queries}, {keys}, {size})"):
            mask = window_mask(queries, keys, size)
            wanted = torch.tensor([[x == "x" for x in row] for row in picture.split()])
            kind = type(mask).__name__
            expect(isinstance(mask, Tensor), f"returns a {kind}, not a tensor of True and False")
            said = f"holds {mask.dtype}, not True and False: give it dtype=torch.bool"
            expect(mask.dtype == torch.bool, said)
            shapes = f"shape {tuple(mask.shape)}, not {tuple(wanted.shape)}"
            expect(mask.shape == wanted.shape, f"{shapes}: a row is a query, a column a key")
            if not mask.equal(wanted):
                expect(False, f"{drawn(mask)}, not {picture}: {slip_of_window(mask, wanted, size)}")


def drawn(mask: Tensor) -> str:
    """A mask as a row of x and . for each query."""
    return " ".join("".join(".x"[x] for x in row) for row in mask.int().tolist())


def slip_of_window(mask: Tensor, wanted: Tensor, size: int) -> str:
    """What is likely to be the matter with a mask that is not the wanted one."""
    queries, keys = wanted.shape
    read, most = mask.sum(-1), wanted.sum(-1).max()
    whole = torch.arange(queries) + keys - queries + 1 >= size  # rows that the start does not cut
    if mask.equal(~wanted):
        return "True and False are swapped"
    if queries != keys:
        return (
            "right for as many queries as keys; with fewer queries both edges move, "
            "for the last query stands at the last key"
        )
    if mask.equal(causal_mask(queries, keys)):
        return "that is the causal mask; `size` has no effect"
    if mask.T.equal(wanted):
        return "a row belongs to a query"
    if (mask & ~causal_mask(queries, keys)).any():
        return "a query reads a key of its future"
    if not mask.any():
        return "no query reads anything"
    if not mask.diagonal().any():
        return "each query reads its own token too"
    if mask[whole].equal(wanted[whole]):
        return "the first queries have fewer tokens before them: begin at key 0, not before it"
    if read.max() != most:
        return f"the widest row allows {read.max()}, not {most}; its own token is one of `size`"
    return "some rows are right, and others are not"


@exercise("1.3")
def check_attention(attention: Callable) -> None:
    """Where all may be read, then masked, then with dimensions in front, then backward."""
    q, k, v = random_case()
    every = torch.ones(3, 5, dtype=torch.bool)
    found = attention(q, k, v, every)
    expect(isinstance(found, Tensor), f"return one tensor, not a {type(found).__name__}")
    shape = tuple(found.shape)
    expect(shape != (3, 5), "these look like weights: mix the values with them")
    expect(shape == (3, 7), f"the shape is {shape}, not (T, width) = (3, 7)")
    check_weights(attention, q, k, every)
    check_scale(found, q, k, v, every)

    some = torch.tensor([[1, 0, 0, 0, 0], [1, 1, 1, 0, 0], [0, 1, 1, 1, 0]]).bool()
    check_masked(attention, q, k, v, some)
    with when("right for keys of 6 features, but not of 9"):
        q9, k9, v9 = random_case(features=9)
        check_scale(attention(q9, k9, v9, every), q9, k9, v9, every)
    for front, name in {(2,): "a batch", (2, 4): "a batch and heads"}.items():
        with when(f"right for two dimensions, but with {name} in front"):
            check_in_front(attention, front, some)
    check_gradients(attention, [q, k, v], some)


def random_case(*front: int, features: int = 6) -> list[Tensor]:
    """Queries, keys and values for T = 3 and n = 5: (..., 3, k), (..., 5, k) and (..., 5, 7)."""
    own = torch.Generator().manual_seed(4)
    sizes = [(3, features), (5, features), (5, 7)]
    return [torch.randn(*front, *size, generator=own) for size in sizes]


def read_in_loops(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    """Attention one query at a time: what each reads from the keys that it may read, (T, width)."""
    read = []
    for query, may in zip(q, mask, strict=True):
        weights = torch.stack([query @ key for key in k[may]]) / math.sqrt(len(query))
        read.append(weights.softmax(0) @ v[may])
    return torch.stack(read)


def weights_of(attention: Callable, q: Tensor, k: Tensor, mask: Tensor) -> Tensor:
    """The weights, (T, n): what is read where value j is 1 at place j and 0 elsewhere."""
    return attention(q, k, torch.eye(len(k)), mask).detach().double()


ALLOWS = "True in the mask means that a query may read the key"


def check_weights(attention: Callable, q: Tensor, k: Tensor, every: Tensor) -> None:
    """Are they weights, where all may be read?"""
    weights = weights_of(attention, q, k, every)
    if weights.isnan().any():
        half = torch.arange(5) < torch.tensor([[2], [3], [4]])
        turned = not weights_of(attention, q, k, half).isnan().any()
        expect(not turned, f"nothing is left to read where all may be read: {ALLOWS}")
        expect(False, "0 · ∞ is not a number: put −∞ in by masked_fill, not by a product")
    expect((weights > -1e-9).all(), "some weights are negative: softmax makes weights of scores")
    total = weights.sum(-1)
    along_keys = near(total, torch.ones(3))
    across = near(weights.sum(0), torch.ones(5)) or near(total.sum(), torch.tensor(1.0))
    said = f"the weights of a query sum to {total[0]:.2f}, not 1"
    expect(
        along_keys or not across,
        f"{said}: the softmax goes along the keys, the last dimension of the scores",
    )
    late = near(total * math.sqrt(q.shape[-1]), torch.ones(3))
    expect(
        not late, f"{said}: divide the scores by √k before the softmax, not the weights after it"
    )
    expect(along_keys, f"{said}: divide each exponential by the sum of its row, as softmax does")
    blind = near(weights, torch.full((3, 5), 0.2))
    expect(not blind, f"all keys weigh the same where all may be read: {ALLOWS}")
    hard = ((weights == 0) | (weights == 1)).all()
    expect(not hard, "each query reads one key alone: softmax gives every key a share")
    future = weights[~causal_mask(3, 5)]
    expect(future.any(), "a causal mask of your own is at work: use the mask that is handed in")


def check_scale(found: Tensor, q: Tensor, k: Tensor, v: Tensor, every: Tensor) -> None:
    """By what are the scores divided?"""
    features = q.shape[-1]

    def divided_by(divisor: float) -> bool:
        return near(found, read_in_loops(q * (math.sqrt(features) / divisor), k, v, every))

    for name, size in {"T": 3, "n": 5, "width": 7}.items():
        expect(not divided_by(math.sqrt(size)), f"divided by √{name}, not by √k")
    for one_size in (2, 4, 6):
        if one_size != features:
            said = f"divided by √{one_size}, a number of one example: k is queries.shape[-1]"
            expect(not divided_by(math.sqrt(one_size)), said)
    expect(not divided_by(1), "the scores are not divided by √k")
    expect(not divided_by(features), "the scores are divided by k, not by its root")
    expect(not divided_by(1 / math.sqrt(features)), "multiplied by √k, not divided")
    weights = read_in_loops(q, k, torch.eye(5), every)
    twice = near(found, weights.softmax(-1) @ v)
    expect(not twice, "what the softmax gives goes through a softmax again: once is enough")
    expect(
        divided_by(math.sqrt(features)),
        "the loops read something else, even where all may be read: "
        "are the scores q·k / √k, and is what is read the weights times the values?",
    )


def check_masked(attention: Callable, q: Tensor, k: Tensor, v: Tensor, some: Tensor) -> None:
    """Where not everything may be read."""
    weights = weights_of(attention, q, k, some)
    late = "−∞ stands among the weights: put it into the scores, before the softmax"
    total = attention(q, k, torch.ones_like(v), some)
    expect(not total.isneginf().any(), late)
    expect(weights.isfinite().all(), "with a mask some results are not finite numbers")
    no_effect = near(weights, weights_of(attention, q, k, torch.ones_like(some)))
    expect(not no_effect, "the mask has no effect")
    leaks = (weights * ~some).sum(-1)
    wrong_way = leaks.min() > 0.999
    expect(not wrong_way, f"it reads what the mask forbids, and nothing else: {ALLOWS}")
    expect(
        leaks.max() < 1e-6,
        f"query {leaks.argmax()} gives {leaks.max():.1g} to forbidden keys: "
        "only a score of −∞ gets no weight, a score of 0 gets some",
    )
    expect(
        near(weights.sum(-1), torch.ones(3)),
        f"with a mask the weights of query 0 sum to {weights[0].sum():.2f}: "
        "forbid keys before the softmax, not after it",
    )
    same = near(attention(q, k, v, some), read_in_loops(q, k, v, some))
    expect(same, "the loops read something else from the keys that may be read")


def check_in_front(attention: Callable, front: tuple[int, ...], some: Tensor) -> None:
    """With a batch, or a batch and heads: each as if it were alone."""
    q, k, v = random_case(*front)
    found = attention(q, k, v, some)
    flat = zip(q.flatten(0, -3), k.flatten(0, -3), v.flatten(0, -3), strict=True)
    each = torch.stack([read_in_loops(*one, some) for one in flat]).unflatten(0, front)
    right = near(found, each)
    expect(right, "wrong; count dimensions from the end, as `.transpose(-1, -2)` does")


def check_gradients(attention: Callable, given: list[Tensor], some: Tensor) -> None:
    """Do queries, keys and values all learn?"""
    leaves = [x.clone().requires_grad_() for x in given]
    read = attention(*leaves, some)
    lost = "no gradient reaches the {}: no .tolist(), .item() or .detach() on the way"
    expect(read.requires_grad, lost.format("queries"))
    slopes = torch.autograd.grad(read.square().sum(), leaves, allow_unused=True)
    for name, slope in zip(("queries", "keys", "values"), slopes, strict=True):
        expect(slope is not None, lost.format(name))


@exercise("1.4")
def check_animals(animal_head: Callable) -> None:
    """Whom do "saw" and "her" read with these matrices?"""
    found = animal_head()
    expect(isinstance(found, (tuple, list)) and len(found) == 2, "return two matrices")
    w_q, w_k = (torch.as_tensor(w).detach().float() for w in found)
    for name, w in (("queries", w_q), ("keys", w_k)):
        size = tuple(w.shape)
        expect(size == (4, 2), f"the matrix for {name} is {size}, not (4, 2)")
        expect(w.isfinite().all(), f"the matrix for {name} is not finite")
    weights = who_reads_whom(w_q, w_k)
    swapped = who_reads_whom(w_k, w_q)
    wrong_way = weights[1, 3] < 0.9 <= swapped[1, 3] and swapped[2, 0] >= 0.6
    expect(not wrong_way, "right if they are swapped: return the matrix for queries first")
    most = WORDS[weights[1].argmax()]
    said = f'"saw" gives "{most}" the most, {weights[1].max():.2f}'
    hint = "" if (EMBEDDINGS @ w_k)[3].any() else ', and the key of "dog" is zero: what finds it?'
    expect(most == "dog", said + hint)
    expect(weights[1, 3] >= 0.9, f"{said}: a longer query or key makes it more")
    anna, most = weights[2, 0], WORDS[weights[2].argmax()]
    said = f'"saw" is right, but "her" gives Anna {anna:.2f}, and "{most}" {weights[2].max():.2f}'
    expect(anna >= 0.6, said)


def who_reads_whom(w_q: Tensor, w_k: Tensor) -> Tensor:
    """The weights of the four words without a mask, (T, T)."""
    q, k = EMBEDDINGS @ w_q, EMBEDDINGS @ w_k  # (T, k)
    return (q @ k.T / math.sqrt(2)).softmax(-1)


@exercise("1.7", is_test=True)
def check_test_of_attention(test_attention: Callable) -> None:
    expect_catches(test_attention, attention_with(), FAULTY)


def attention_with(
    divisor: Callable[[int], float] = math.sqrt,
    axis: int = -1,
    forbid: Callable[[Tensor, Tensor], Tensor] = lambda scores, mask: scores.where(mask, -math.inf),
    after: Callable[[Tensor, Tensor], Tensor] = lambda weights, mask: weights,
    read: Callable[[Tensor, Tensor], Tensor] = torch.matmul,
) -> Callable:
    """Attention, with what is given in place of one of its parts."""

    def attention(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
        scores = queries @ keys.transpose(-1, -2) / divisor(keys.shape[-1])  # (..., T, n)
        return read(after(forbid(scores, mask).softmax(axis), mask), values)

    return attention


def changing(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
    """Attention that leaves other keys behind than it was given."""
    found = attention_with()(queries, keys, values, mask)
    keys.div_(2)
    return found


FAULTY = {
    "what happens to the scores when queries and keys become longer?": attention_with(lambda k: 1),
    "is it the width that the scores are divided by, or its root?": attention_with(lambda k: k),
    "what do the weights of one query sum to?": attention_with(
        axis=-2, forbid=lambda scores, mask: scores.masked_fill(~mask, -1e9)
    ),
    "does anything change when the mask forbids a key?": attention_with(
        forbid=lambda scores, mask: scores
    ),
    "which keys does a query read, those with True or the others?": attention_with(
        forbid=lambda scores, mask: scores.where(~mask, -1e9)
    ),
    "do the weights still sum to 1 when the mask forbids some keys?": attention_with(
        forbid=lambda scores, mask: scores, after=lambda weights, mask: weights * mask
    ),
    "a key that is forbidden must count for nothing, however small its score is": attention_with(
        forbid=lambda scores, mask: scores * mask
    ),
    "are the values that belong to the keys read, each with its own weight?": attention_with(
        read=lambda weights, values: weights @ values.flip(-2)
    ),
    "is what goes in still the same when it comes out?": changing,
}
