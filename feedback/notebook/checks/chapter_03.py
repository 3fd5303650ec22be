"""Checks of chapter 3, what parallel struggles with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import permutations

import torch
from torch import Tensor

from feedback.notebook.checks.verdict import exercise, expect, when

Place = tuple[int, int]  # a token by its row and its position


class Lists:
    """Numbers that stand for lists of tokens: to compose two is to join them; 0 is the empty list.

    Attributes:
        lists: the list behind each number.
        rounds: how often `compose` has been called.
    """

    def __init__(self):
        self.lists: dict[int, tuple[Place, ...]] = {0: ()}
        self.numbers: dict[tuple[Place, ...], int] = {(): 0}
        self.rounds = 0

    def number(self, places: tuple[Place, ...]) -> int:
        """The number of a list, a new one where it has none; sums of numbers stand for nothing."""
        if places not in self.numbers:
            self.numbers[places] = number = 1000 + len(self.lists) ** 2
            self.lists[number] = places
        return self.numbers[places]

    def tokens(self, B: int, T: int) -> Tensor:
        """Rows of tokens that are all different, (B, T)."""
        return torch.tensor([[self.number(((b, t),)) for t in range(T)] for b in range(B)])

    def compose(self, a: Tensor, b: Tensor) -> Tensor:
        """First a, then b, element by element, in one round."""
        tensors = isinstance(a, Tensor) and isinstance(b, Tensor)
        expect(tensors, "compose takes two tensors")
        shapes = f"{tuple(a.shape)} and {tuple(b.shape)}"
        expect(a.shape == b.shape, f"compose takes two equal shapes, not {shapes}")
        pairs = list(zip(a.flatten().tolist(), b.flatten().tolist(), strict=True))
        known = all(x in self.lists and y in self.lists for x, y in pairs)
        expect(known, "compose is handed a number that is neither a token nor a product of tokens")
        self.rounds += 1
        endless = f"compose has been called {self.rounds} times: does the loop end?"
        longest = max((len(self.lists[x]) + len(self.lists[y]) for x, y in pairs), default=0)
        enough = self.rounds <= 500 and longest <= 1000  # no right answer comes near
        expect(enough, endless + " The reach has to double")
        joined = [self.number(self.lists[x] + self.lists[y]) for x, y in pairs]
        return torch.tensor(joined, dtype=torch.long).reshape(a.shape)


@exercise("3.1")
def check_products(all_products: Callable) -> None:
    for T in (5, 1, 2, 8, 33):
        with when(f"T = {T}"):
            lists = Lists()
            found = all_products(lists.tokens(3, T), lists.compose)
            expect(isinstance(found, Tensor), f"return one tensor, not a {type(found).__name__}")
            shape = f"the shape is {tuple(found.shape)}, not (B, T) = (3, {T})"
            expect(found.shape == (3, T), shape)
            enough = (T - 1).bit_length()
            for b, row in enumerate(found.tolist()):
                for t, number in enumerate(row):
                    expect(number in lists.lists, f"compose never made what position {t} has")
                    slip = slip_of_product(lists.lists[number], b, t, lists.rounds)
                    places = [place for _, place in lists.lists[number]]
                    expect(not slip, f"position {t} has the product of tokens {places}; {slip}")
            each = ": one a token, where each round can double the reach" if T > 2 else ""
            said = f"right, but the number of rounds is {lists.rounds}, and {enough} would do"
            expect(lists.rounds <= enough, said + each * (lists.rounds == T - 1))


def slip_of_product(has: tuple[Place, ...], b: int, t: int, rounds: int) -> str:
    """What is likely to be the matter, where row b should have tokens 0, 1, ..., t; or nothing."""
    places = [place for _, place in has]
    if any(row != b for row, _ in has):
        return "some are of another row: the rows of a batch stay apart"
    if places == list(range(t + 1)):
        return ""
    if sorted(places) == list(range(t + 1)):
        return "the order is wrong: earlier tokens are the first argument of compose"
    if any(place > t for place in places):
        return "there is a token of its future in it: combine with positions before"
    if len(set(places)) < len(places):
        return "a token is there twice: join two stretches that lie side by side"
    if t not in places:
        return "its own token is missing"
    if t >= 2**rounds:
        return "tokens are missing, for there are too few rounds: log2 of T is rounded up"
    return (
        "tokens are missing: a round doubles how far back a position reaches, no less and no more"
    )


@exercise("3.2")
def check_zigzag(zigzag: Callable) -> None:
    units: dict[int, int] = {}
    for T in (7, 20, 2, 1, 50):
        with when(f"T = {T}"):
            weights = vectors(zigzag(T))
            F, c = len(weights[0]), torch.arange(T + 1, dtype=torch.double)
            if not agree(network(c, *weights), c % 2):
                expect(F != units.get(7), f"there are {F} units, as for T = 7: F grows with T")
                expect(False, slip_of_zigzag(c, *weights))
            expect(F <= T, f"right, but with F = {F} units, and {T} would do")
            units[T] = F


def vectors(found: Sequence) -> tuple[Tensor, Tensor, Tensor]:
    """W_1, b_1 and W_2, of shape (F,) each, in double precision."""
    expect(hasattr(found, "__len__") and len(found) == 3, "return three vectors, W_1, b_1 and W_2")
    W_1, b_1, W_2 = (torch.as_tensor(w).detach().double() for w in found)
    shapes = [tuple(w.shape) for w in (W_1, b_1, W_2)]
    same = len(shapes[0]) == 1 and len(set(shapes)) == 1
    expect(same, f"the shapes are {', '.join(map(str, shapes))}, not (F,) three times")
    return W_1, b_1, W_2


def network(c: Tensor, W_1: Tensor, b_1: Tensor, W_2: Tensor) -> Tensor:
    """What a feed-forward network of one input and one output makes of counts: (n,) -> (n,)."""
    return (c[:, None] * W_1 + b_1).relu() @ W_2


def agree(given: Tensor, wanted: Tensor) -> bool:
    return bool(((given - wanted).abs() < 1e-3).all())


def slip_of_zigzag(c: Tensor, W_1: Tensor, b_1: Tensor, W_2: Tensor) -> str:
    """What would make the network right, or else the first count at which it is wrong."""
    given, parity = network(c, W_1, b_1, W_2), c % 2
    if agree(network(c, W_1, -b_1, W_2), parity):
        return "b_1 has the wrong sign: with W_1 = 1 a unit begins to act at c = -b_1"
    if any(agree(network(c, *others), parity) for others in permutations((W_1, b_1, W_2))):
        return "the vectors changed places: the order is W_1, b_1, W_2"
    if agree(given, 1 - parity):
        return "it is 1 for even counts and 0 for odd ones"
    if agree(-given, parity):
        return "W_2 has the wrong sign: it goes down where it should rise"
    if len(c) > 3 and agree(given[1:], parity[:-1]):
        return "every bend comes one count too late"
    for unit in range(len(W_2)):
        halved = torch.where(torch.arange(len(W_2)) == unit, W_2 / 2, W_2)
        if agree(network(c, W_1, b_1, halved), parity):
            return f"unit {unit} turns from level to a slope of 1, so it changes the slope by 1"
    at = int((~((given - parity).abs() < 1e-3)).nonzero()[0])
    said = f"c = {at} gives {given[at]:g} and not {at % 2}"
    if at == 0:
        return said
    slope, wanted = given[at] - given[at - 1], 2 * (at % 2) - 1
    return f"{said}: from c = {at - 1} on the slope should be {wanted}, not {slope:g}"


@exercise("3.3")
def check_next_state(next_state: Callable) -> None:
    M, R, m, r = torch.cartesian_prod(*(torch.arange(n) for n in (2, 3, 2, 3))).T  # (36,) each
    found = next_state((M.clone(), R.clone()), (m.clone(), r.clone()))
    two = isinstance(found, (tuple, list, Tensor)) and len(found) == 2
    expect(two, "return two tensors: mirrored, turned")
    mirrored, turned = (torch.as_tensor(x) for x in found)
    shapes = f"the shapes are {tuple(mirrored.shape)} and {tuple(turned.shape)}"
    expect(mirrored.shape == turned.shape == M.shape, f"{shapes}, not (B,) = (36,) twice")

    first, second, _ = (follow(follow(cup, M, R), m, r) for cup in range(3))
    turns, mirrors = first, ((second - first) % 3 == 2).long()  # what is right
    swapped = mirrored.equal(turns) and turned.equal(mirrors)
    expect(not swapped, "they changed places: mirrored first, then turned")
    expect(not mirrored.equal(m), "mirrored: that is the token's alone; the state's counts too")
    expect(not mirrored.equal(M), "mirrored: that is the state's alone; the token's counts too")
    right = (mirrored % 2 == mirrors).all()
    expect(right, "mirrored: two mirrors are none, one is one, and none is none")
    expect((mirrored == mirrors).all(), "mirrored: all but the remainder, % 2")
    if not (turned % 3 == turns).all():
        expect(False, "turned: " + slip_of_turn(turned, M, R, m, r))
    least, most = turned.min(), turned.max()
    rest = f"turned: all but the remainder, % 3: it goes from {least} to {most}"
    expect((turned == turns).all(), rest)


def follow(cup: int | Tensor, mirror: Tensor, turn: Tensor) -> Tensor:
    """Where a cup goes, when the ring of three is mirrored or not, and then turned: (B,)."""
    return (turn + torch.where(mirror == 1, -cup, cup)) % 3


def slip_of_turn(turned: Tensor, M: Tensor, R: Tensor, m: Tensor, r: Tensor) -> str:
    """The likely mistake in the second count: state (M, R), token (m, r), all (B,)."""
    token, state = 1 - 2 * m, 1 - 2 * M  # -1 where there is a mirror
    mistakes = {
        "a mirror turns round what was turned before it": R + r,
        "this is first the token, then the state": R + state * r,
        "the turns so far change sign where the token does not mirror": r - token * R,
        "the turns so far change sign only where the token mirrors": r - R,
        "a token mirrors first and turns then, so its own turn keeps its sign": token * (R + r),
        "its own turn keeps its sign, and the turns so far change theirs": R + token * r,
        "R changes sign with the token's mirror, not with the state's": r + state * R,
        "mirrors of the past are done: only the token's own one reverses R": r + token * state * R,
        "the token's own turn is missing": token * R,
        "the turns so far are missing": r,
    }
    for mistake, turns in mistakes.items():
        if (turned % 3 == turns % 3).all():
            return mistake
    at = int((turned % 3 != (r + token * R) % 3).nonzero()[0])
    return f"state ({M[at]}, {R[at]}), then token ({m[at]}, {r[at]}), gives {turned[at]}"
