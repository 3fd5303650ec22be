"""Checks of chapter 1b, heads and distances."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from feedback.attention import Attention, KeysValues
from feedback.notebook.checks.comparing import near
from feedback.notebook.checks.verdict import exercise, expect, when


@exercise("1.2", in_place=True, returns=False)
def check_copy(make_it_copy: Callable) -> None:
    """Texts longer and shorter than the table, and heads of 4 and of 16 features."""
    for heads, features, distances, T in ((2, 4, 5, 9), (3, 4, 16, 7), (2, 16, 16, 7)):
        attention, make, x = small_attention(heads, features, distances, T)
        before = {name: p.detach().clone() for name, p in attention.named_parameters()}
        make_it_copy(attention)
        now = {name: p.detach() for name, p in attention.named_parameters()}
        for name, tensor in before.items():
            expect(name in now, f"{name} is no parameter any more: write into attention.s.data")
            shape, own = tuple(tensor.shape), tuple(now[name].shape)
            expect(own == shape, f"{name} is {own}, and was {shape}: fill the table that is there")
            expect(name == "s" or tensor.equal(now[name]), f"you changed {name}; s is enough")
        check_table(now["s"])
        weights = attention(x, *make(x))[1].detach()  # (B, H, T, T)
        possible = weights.isfinite().all()
        expect(possible, "token 0 can read only itself: do not forbid distance 0")
        for h in range(heads):
            check_head(h, weights[:, h], features)


def small_attention(
    heads: int, features: int, distances: int, T: int
) -> tuple[Attention, KeysValues, Tensor]:
    """Attention whose u, r and s are zero, as they are made, keys and values, and x (2, T, d)."""
    d, own = heads * features, torch.Generator().manual_seed(3)
    attention = Attention(d, heads, distances, reads_itself=True, dropout=0.0)
    make = KeysValues(d, heads)
    for linear in (attention.query, attention.output, make.key, make.value):
        nn.init.normal_(linear.weight, std=(3 * d) ** -0.5, generator=own)
    return attention, make, torch.randn(2, T, d, generator=own)


def check_table(s: Tensor) -> None:
    """Is the table one that a head can use, (S + 1, H)?"""
    expect(s.any(), "s is still zero: change attention.s.data itself, not a copy of it")
    possible = not s.isnan().any() and not s.isposinf().any()
    expect(possible, "s must hold finite numbers")
    for h, column in enumerate(s.T):
        expect(column.any(), f"head {h} is as it was: s has a column for each head")
        alike = column.eq(column[0]).all()
        expect(not alike, f"head {h} has one number for all distances: s has a row for each")
        others = torch.cat([column[:-2], column[-1:]])
        least = f"head {h} gives distance 1 the least: what is larger in s is read more"
        expect(column[-2] >= others.min(), least)


def check_head(h: int, weights: Tensor, features: int) -> None:
    """Whom does head h read? Weights (B, T, T)."""
    given = weights.mean(0)[-1].flip(0)  # by the last token, to distance 0, 1 and so on
    most = given.argmax()
    expect(most != 0, f"in head {h} a token reads itself: the last row is distance 0")
    expect(
        most == 1,
        f"head {h} gives distance {most} the most; with the farthest row first, "
        "where is distance 1?",
    )
    share = weights.diagonal(-1, dim1=1, dim2=2).min()  # of the predecessor, by tokens 1 and later
    expect(
        share >= 0.99,
        f"right distance, but head {h} gives it as little as {share:.2f} "
        f"where s is divided by √{features}: too close to the others",
    )


@exercise("1.5")
def check_rotate(rotate: Callable) -> None:
    """Position 0 and lengths, then which positions count, then angles, then dimensions in front."""
    x = random_rows(5, 8)
    turned = rotate(x, torch.arange(5))
    expect(isinstance(turned, Tensor), f"return a tensor, not a {type(turned).__name__}")
    expect(turned.shape == (5, 8), f"the shape is {tuple(turned.shape)}, not that of x, (5, 8)")
    check_still(turned[0], x[0])
    check_lengths(turned, x)
    check_positions(rotate, x, turned)
    check_speeds(rotate, 8)
    check_further_on(rotate, x)
    for k in (2, 6):
        with when(f"right for k = 8, but for k = {k}"):
            check_speeds(rotate, k)
            check_further_on(rotate, random_rows(5, k))
    for front in ((2,), (2, 3)):
        with when("right for two dimensions, but with more in front"):
            many = random_rows(*front, 5, 4)
            alone = [rotate(one, torch.arange(5)) for one in many.flatten(0, -3)]
            right = near(rotate(many, torch.arange(5)), torch.stack(alone).unflatten(0, front))
            expect(right, "wrong; count dimensions from the end, as x[..., 0] does")
    graded = rotate(x.clone().requires_grad_(), torch.arange(5)).requires_grad
    expect(graded, "no gradient reaches x: no .tolist(), .item() or .detach() on the way")


def random_rows(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(5))


def check_still(turned: Tensor, row: Tensor) -> None:
    """Position 0."""
    expect(
        near(turned, row) or swapped_in_pairs(turned, row) or not is_shuffled(turned, row),
        "position 0 has its numbers at other places: put both of a pair back where they were",
    )
    expect(
        near(turned, row), "position 0 should stay as it is: its angle is 0, of cosine 1 and sine 0"
    )


def is_shuffled(turned: Tensor, row: Tensor) -> bool:
    return near(turned.sort().values, row.sort().values)


def swapped_in_pairs(turned: Tensor, row: Tensor) -> bool:
    """Whether each number stands where the other of its pair was: sine and cosine are swapped."""
    pairs = (row.unflatten(0, (2, -1)).flip(0), row.unflatten(0, (-1, 2)).flip(1))
    return any(near(turned.abs(), swapped.flatten().abs()) for swapped in pairs)


def check_lengths(turned: Tensor, x: Tensor) -> None:
    expect(
        near(turned.double().norm(dim=-1), x.norm(dim=-1)),
        "the length of a vector changes: within a pair both numbers need "
        "the cosine and the sine of the same angle, and one sine is subtracted",
    )


def check_positions(rotate: Callable, x: Tensor, turned: Tensor) -> None:
    """Do the numbers in `positions` count, each for its own row?"""
    still = near(turned, x)
    expect(not still, "nothing turns")
    expect(
        not near(rotate(x, torch.arange(7, 12)), turned),
        "positions 7 to 11 give what 0 to 4 give: "
        "the numbers in `positions` count, not the rows in which they stand",
    )
    places = torch.tensor([4, 0, -3, -3, 20])
    mixed = rotate(x, places)
    for i, place in enumerate(places):
        expect(
            near(mixed[i], rotate(x[i : i + 1], place[None])[0]),
            "a row turned with others differs from the same row turned alone: "
            "each turns by its own number in `positions`",
        )


def angles_of(rotate: Callable, k: int) -> Tensor:
    """By how much each feature turns from position 0 to position 1, the slowest first, (k,)."""
    once = rotate(torch.eye(k), torch.ones(k, dtype=torch.long)).detach().double()
    cosines = once.diagonal()
    sines = (once - cosines.diag()).norm(dim=-1)
    return torch.atan2(sines, cosines).sort().values


def folded(angles: Tensor) -> Tensor:
    """Angles as `angles_of` sees them: between 0 and π, the slowest first."""
    return angles.cos().acos().sort().values


def check_speeds(rotate: Callable, k: int) -> None:
    """Does pair p turn by 100^(-2p/k) in one step?"""
    found, p = angles_of(rotate, k), torch.arange(k // 2).double().repeat(2)  # p: (k,)
    wanted = 100 ** (-2 * p / k)
    mistakes = {
        "a step is one radian for pair 0, not one degree": wanted.deg2rad(),
        "the exponent is negative: later pairs turn more slowly": folded(1 / wanted),
        "the exponent is -2p/k, and the 2 is missing": 100 ** (-p / k),
        "as with 10,000 where 100 is meant, or -4p/k for -2p/k": 100 ** (-4 * p / k),
        "pairs are counted from 0": 100 ** (-2 * (p + 1) / k),
        "every pair has its own speed": torch.ones(k),
    }
    said = (
        f"in one step the pairs turn by {speeds_in(found)}, and they should by {speeds_in(wanted)}"
    )
    right = near(found, wanted.sort().values)
    for mistake, angles in mistakes.items():
        expect(right or not near(found, angles.sort().values), f"{said}: {mistake}")
    still = (found < 1e-6).sum()
    expect(not still, f"{said}: {still} of the {k} features never turn")
    expect(right, said)


def speeds_in(angles: Tensor) -> str:
    """One angle of each pair, the fastest first."""
    return ", ".join(f"{angle:.3f}" for angle in angles.sort(descending=True).values[::2])


def check_further_on(rotate: Callable, x: Tensor) -> None:
    """Are scores the same 7 positions further on?"""
    keys = x.flip(0)

    def scores(first: int) -> Tensor:
        positions = torch.arange(first, first + 5)
        return rotate(x, positions).double() @ rotate(keys, positions).double().T

    now = scores(0)
    for first in (7, -2):
        expect(
            near(scores(first), now, 1e-3),
            f"the scores change when all positions grow by {first}: "
            "queries and keys turn by an angle proportional to the position",
        )
