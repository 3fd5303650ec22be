"""Checks of chapter 11, what runs with several seeds show."""

from __future__ import annotations

import math
import operator
import statistics
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from feedback.intervals import T_95, interval
from feedback.notebook.checks.comparing import near
from feedback.notebook.checks.several import agree, expect_close, three_numbers
from feedback.notebook.checks.verdict import Mistake, exercise, expect, when
from feedback.tasks import NO_LABEL

Runs = Sequence[Sequence[float]]  # for each seed its shares, position by position

REACHES: list[tuple[Runs, float]] = [
    ([[1.0, 0.9, 0.8]], 0.85),
    (
        [
            [1.0, 0.9, 0.8, 0.7, 0.0, 0.5],
            [1.0, 0.3, 0.9, 0.9, 0.9, 0.6],
            [1.0, 1.0, 1.0, 1.0, 1.0, 1.0],
            [0.9, 0.9, 0.5, 0.9, 0.8, 0.7],
        ],
        0.75,
    ),
    ([[0.9, 0.4, 0.9, 0.9], [1.0, 1.0, 1.0, 1.0]], 0.5),
    ([[1.0, 1.0, 1.0, 1.0], [0.9, 0.4, 0.9, 0.9]], 0.5),
    ([[1.0, 1.0, 1.0, 1.0], [0.9, 0.9, 0.4, 0.9], [1.0, 1.0, 1.0, 0.3]], 0.5),
    ([[0.9, 0.4, 0.9, 0.4], [0.9, 0.9, 0.3, 0.9]], 0.5),
    ([(1.0, 1.0, 1.0), (1.0, 0.75, 0.4)], 0.75),
    ([[0.1, 1.0], [1.0, 1.0]], 0.5),
    ([[1.0, 1.0], [1.0, 1.0]], 1.0),
    ([[0.9, 0.7, 0.8]], 0.5),
]


def first_failure(good: Sequence[bool]) -> int:
    return next((n for n, holds in enumerate(good) if not holds), len(good))


def reaches_alone(runs: Runs, share: float) -> list[int]:
    """How far each seed reaches."""
    return [first_failure([x >= share for x in run]) for run in runs]


def reach_of(typical: Callable, runs: Runs, share: float, holds: Callable = operator.ge) -> int:
    """How far a number of all seeds reaches, such as their mean."""
    return first_failure([holds(typical(at), share) for at in zip(*runs, strict=True)])


def good_positions(runs: Runs, share: float) -> list[int]:
    """Positions, from 1 on, at which every seed is right often enough."""
    worst = [min(at) for at in zip(*runs, strict=True)]
    return [n for n, value in enumerate(worst, 1) if value >= share]


WRONG_REACHES: dict[str, Callable[[Runs, float], float]] = {
    "that is the last seed alone; every seed has to hold": lambda r, s: reaches_alone(r, s)[-1],
    "that is the first seed alone; every seed has to hold": lambda r, s: reaches_alone(r, s)[0],
    "that is the best seed; the weakest one decides": lambda r, s: max(reaches_alone(r, s)),
    "one seed that holds at a position is not enough; every seed has to": partial(reach_of, max),
    "every seed has to hold, not their mean": partial(reach_of, statistics.mean),
    "every seed has to hold, not their median": partial(reach_of, statistics.median),
    "every seed has to hold; that is the mean of how far each reaches": (
        lambda r, s: statistics.mean(reaches_alone(r, s))
    ),
    "every seed has to hold; those are tokens of all seeds together": (
        lambda r, s: sum(reaches_alone(r, s))
    ),
    "a later recovery does not count: stop where the first one fails": (
        lambda r, s: len(good_positions(r, s))
    ),
    "a later recovery does not count; that is the last good position": (
        lambda r, s: max(good_positions(r, s), default=0)
    ),
    "a share may be equal: at least, not more": partial(reach_of, min, holds=operator.gt),
    "that stops where a share is reached, not where it is missed": (
        partial(reach_of, min, holds=operator.lt)
    ),
    "a number of tokens, and not the place of the last good one": (
        lambda r, s: reach_of(min, r, s) - 1
    ),
    "the first position that fails does not count": lambda r, s: reach_of(min, r, s) + 1,
    "the first position that fails does not count, nor is there one if none fails": (
        lambda r, s: min(reach_of(min, r, s) + 1, len(r[0]))
    ),
    "that is the number of positions, whatever the shares": lambda r, s: len(r[0]),
    "if no position fails, all of them are reached": (
        lambda r, s: 0 if reach_of(min, r, s) == len(r[0]) else reach_of(min, r, s)
    ),
}


@exercise("11.1")
def check_reach(reach: Callable) -> None:
    """One seed to four, seeds that recover, shares that are equal."""
    answers = []
    for runs, share in REACHES:
        with when(f"reach({runs}, {share})"):
            found = reach(runs, share)
            expect(not isinstance(found, bool), "return how far, and not whether")
            answers.append(whole(found))
    true = [reach_of(min, runs, share) for runs, share in REACHES]
    if answers == true:
        return
    for slip, rule in WRONG_REACHES.items():
        expect(answers != [rule(runs, share) for runs, share in REACHES], slip)
    at = next(i for i, answer in enumerate(answers) if answer != true[i])
    runs, share = REACHES[at]
    expect(False, f"reach({runs}, {share}): {answers[at]:g}, but {true[at]} tokens are reached")


def whole(found: object) -> float:
    """A number that an answer returned; a fraction is kept, for it tells which mistake was made."""
    try:
        number = float(found)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise Mistake(f"return a number of tokens, not a {type(found).__name__}") from error
    if number.is_integer():
        try:
            operator.index(found)  # type: ignore[arg-type]
        except TypeError as error:
            raise Mistake(f"a number of tokens is whole, not {found!r}") from error
    return number


PAIRS = [  # losses of two models, in the order of their seeds
    ((1.7, 1.9, 1.6, 2.0), (1.95, 1.8, 1.9, 2.2)),
    ((2.0, 1.0, 3.0), (1.0, 3.0, 5.0)),
    ((1.4, 1.2, 1.5, 1.3, 1.1), (1.5, 1.3, 1.7, 1.4, 1.1)),
    ((1.0, 2.0, 3.0), (1.5, 2.5, 3.5)),  # each pair differs by the same
    ((2.0, 1.5), (1.75, 1.0)),
]


@exercise("11.2")
def check_gain(gain: Callable) -> None:
    """Two to five seeds; then lists that cannot be paired."""
    for a, b in PAIRS:
        with when(f"gain({[*a]}, {[*b]})"):
            names = "the mean of b - a and the two ends of its interval"
            found = three_numbers(gain([*a], [*b]), names)
            true = interval([y - x for x, y in zip(a, b, strict=True)])
            right = "the mean is right, the ends are not"
            wrong = "the mean of b - a is another"
            otherwise = right if agree(found[:1], true[:1]) else wrong
            expect_close(found, true, slips_of_gain(a, b), otherwise)
    expect_refuses(gain, [1.0, 2.0], [1.0, 2.0, 3.0])
    expect_refuses(gain, [1.0, 2.0, 3.0], [1.0, 2.0])


def slips_of_gain(a: tuple[float, ...], b: tuple[float, ...]) -> dict[str, tuple]:
    """Likely mistakes, each with what it would return."""
    pairs = list(zip(a, b, strict=True))
    differences = [y - x for x, y in pairs]
    n, middle, s = len(a), statistics.mean(differences), statistics.stdev(differences)
    error, t, flat = s / math.sqrt(n), T_95[n], statistics.pstdev(differences)
    one, other = interval(a), interval(b)
    halves = one[0] - one[1], other[0] - other[1]
    together = statistics.stdev([*a, *b])

    def around(half: float) -> tuple[float, float, float]:
        return middle, middle - half, middle + half

    return {
        "a has the lower loss, so b - a is positive: that is a - b": interval(
            [-x for x in differences]
        ),
        "sorted losses have lost their seeds: pair them by position": interval(
            [y - x for x, y in zip(sorted(a), sorted(b), strict=True)]
        ),
        "take the differences first: that is the interval of two means taken apart": around(
            math.hypot(*halves)
        ),
        "take the differences first: that adds the widths of both intervals": around(sum(halves)),
        "take the differences first: that subtracts end from end": tuple(
            y - x for x, y in zip(one, other, strict=True)
        ),
        "take the differences first: that subtracts one's upper end from the other's lower one": (
            middle,
            other[1] - one[2],
            other[2] - one[1],
        ),
        "that is the interval of a alone": one,
        "that is the interval of b alone": other,
        "s is that of the differences, not of all losses": around(t * together / math.sqrt(n)),
        "that is 2 in place of t, which is larger for so few values": around(2 * error),
        "that is 1.96 in place of t, which is larger for so few values": around(1.96 * error),
        "T_95 has the number of values, not one more": around(T_95[n + 1] * error),
        "T_95 has the number of values, not one less": around(T_95[max(2, n - 1)] * error),
        "t is that of four values, whatever their number": around(T_95[4] * error),
        "t is that of five values, whatever their number": around(T_95[5] * error),
        "the mean varies less than a value: s is divided by the root of n": around(t * s),
        "s is divided by the root of n, not by n": around(t * s / n),
        "s is divided by the root of n, not of n - 1": around(t * s / math.sqrt(n - 1)),
        "s divides by n - 1, as statistics.stdev does": around(t * flat / math.sqrt(n)),
        "that is the variance: s is its root": around(t * s * s / math.sqrt(n)),
        "that is the standard error; the interval reaches t times as far": around(error),
        "t · s / √n reaches to either side, not half of it": around(t * error / 2),
        "t · s / √n reaches to either side, not twice as far": around(2 * t * error),
        "three numbers: the two ends, and not how far they lie from the mean": (
            middle,
            -t * error,
            t * error,
        ),
        "the order is mean, lower end, upper end": (middle - t * error, middle, middle + t * error),
        "the lower end comes before the upper one": around(-t * error),
        "subtract, and keep the sign": interval([abs(x) for x in differences]),
        "the mean of the differences, not their median": (
            statistics.median(differences),
            *around(t * error)[1:],
        ),
        "the difference of losses, not their sum": interval([y + x for x, y in pairs]),
        "the difference of losses, not their ratio": interval([y / x for x, y in pairs]),
        "the difference in nats, not as a part of the loss": interval(
            [(y - x) / x for x, y in pairs]
        ),
        "the difference in nats, not as a part of b": interval([(y - x) / y for x, y in pairs]),
    }


def expect_refuses(gain: Callable, a: list[float], b: list[float]) -> None:
    """Are losses without a partner a ValueError?"""
    said = f"{len(a)} losses cannot be paired with {len(b)}: raise a ValueError"
    try:
        gain(a, b)
    except ValueError:
        return
    except Mistake:
        raise
    except Exception as error:
        raise Mistake(f"{said}, not a {type(error).__name__}") from error
    expect(False, said)


Batch = tuple[Tensor, Tensor]  # inputs and labels, (B, T) each
ASKS = {  # 1: the model is right, 0: it is wrong, -: nobody asks. A row of marks a row of tokens.
    "with two batches": ["1 1 0 - 1, 1 0 0 - -, 1 1 1 - 0, 0 1 0 - -", "1 0 1 - 1, 0 0 - - 1"],
    "with three batches": [
        "0 1 1 - -",
        "1 0 1 - 1, 0 0 - - 1",
        "1 1 0 - 1, 1 0 0 - -, 1 1 1 - 0, 0 1 0 - -",
    ],
    "with one batch of one row": ["1 1 0 1 1 1 0"],
}


class Replies(nn.Module):
    """Answers each token (B, T) with the next one in a vocabulary of 5: (B, T, 5)."""

    def forward(self, tokens: Tensor) -> Tensor:
        surely = 0.1 + 4 * (torch.arange(tokens.shape[1]) % 2)[:, None]  # (T, 1)
        answers = F.one_hot((tokens + 1) % 5, 5)  # (B, T, V)
        return surely * (answers - 0.3 * F.one_hot(tokens, 5)) - 2.0


def batch_with(marks: str) -> Batch:
    """Tokens, and labels that make `Replies` right, wrong, or that ask for no answer."""
    rows = [row.split() for row in marks.split(", ")]
    own = torch.Generator().manual_seed(len(marks))
    tokens = torch.randint(5, (len(rows), len(rows[0])), generator=own)  # (B, T)
    labels = (tokens + 1) % 5
    for b, row in enumerate(rows):
        for t, mark in enumerate(row):
            if mark != "1":
                labels[b, t] = NO_LABEL if mark == "-" else (labels[b, t] + 2) % 5
    return tokens, labels


@exercise("11.5")
def check_right_at(right_at: Callable) -> None:
    """Batches of other sizes, each seen once, and positions at which nobody is asked."""
    model = Replies()
    for circumstance, marks in ASKS.items():
        with when(circumstance), torch.no_grad():
            batches = [batch_with(rows) for rows in marks]
            given = [(x.clone(), y.clone()) for x, y in batches]
            found = torch.as_tensor(right_at(model, iter(given)))
            for old, new in zip(batches, given, strict=True):
                kept = all(map(torch.equal, old, new))
                expect(kept, "your function changes inputs or labels: work on a copy")
            check_shares(found, model, batches)


def check_shares(found: Tensor, model: nn.Module, batches: list[Batch]) -> None:
    """Are these the shares, and if not, which slip gives them?"""
    expect(found.dim(), "one share for each position: that is a single number")
    hits = torch.cat([model(x).argmax(-1) == y for x, y in batches]).sum(0)
    true = hits / torch.cat([y != NO_LABEL for _, y in batches]).sum(0)  # (T,)
    if same_shares(found, true):
        return
    for slip, wrong in slips_of_shares(model, batches).items():
        expect(not same_shares(found, wrong), slip)
    once = "some share is infinite: is there still a batch when you go through them again?"
    expect(not found.isinf().any(), once)
    shape = f"the result has shape {tuple(found.shape)}, not {tuple(true.shape)}"
    expect(found.shape == true.shape, shape)
    expect(False, f"{in_a_row(found)}, but the shares are {in_a_row(true)}")


def in_a_row(shares: Tensor) -> str:
    return ", ".join(f"{share:.2f}" for share in shares.tolist())


def same_shares(found: Tensor, wanted: Tensor) -> bool:
    """Whether shares are equal, with nan at the same positions."""
    if found.shape != wanted.shape or not found.isnan().equal(wanted.isnan()):
        return False
    return near(found.nan_to_num(-1, 1e9, -1e9), wanted.nan_to_num(-1, 1e9, -1e9))


def slips_of_shares(model: nn.Module, batches: list[Batch]) -> dict[str, Tensor]:
    """Likely mistakes, each with what it would return."""
    hits = [(model(x).argmax(-1) == y).double() for x, y in batches]  # (B, T) each
    asked = [(y != NO_LABEL).double() for _, y in batches]
    shares = [h.sum(0) / a.sum(0) for h, a in zip(hits, asked, strict=True)]  # (T,) each
    hit, ask = torch.cat(hits), torch.cat(asked)  # (rows, T)
    true, count = hit.sum(0) / ask.sum(0), ask.sum(0)
    after = [(model(x)[:, :-1].argmax(-1) == y[:, 1:]).double() for x, y in batches]
    across = [(model(x).argmax(1) == y).double() for x, y in batches if len(x.T) == 5]
    beside = [(model(x).softmax(1).argmax(-1) == y).double() for x, y in batches]
    least = [(model(x).argmin(-1) == y).double() for x, y in batches]
    none = "a position where nobody is asked has the share nan"
    slips = {
        "a label NO_LABEL asks nothing: it counts among neither right nor wrong": hit.mean(0),
        "a label NO_LABEL asks nothing, and you counted it as right": (hit + 1 - ask).mean(0),
        "batches differ in size: count over all of them, and divide once": (
            torch.stack(shares).mean(0)
        ),
        "batches differ in size: count over all of them, and divide once (nan left out)": (
            torch.stack(shares).nanmean(0)
        ),
        "batches differ in how many are asked, too: count them, and divide once": (
            torch.stack([x * len(h) for x, h in zip(shares, hits, strict=True)]).sum(0) / len(hit)
        ),
        "that is the last batch alone": shares[-1],
        "that is the first batch alone": shares[0],
        "one share for each position: that is all positions together": (
            (hit.sum() / ask.sum()).expand(len(true))
        ),
        "one share for each row: count over the rows, dimension 0": hit.sum(1) / ask.sum(1),
        "that is the share of all positions up to each one": (
            hit.sum(0).cumsum(0) / count.cumsum(0)
        ),
        "that is the share of wrong answers": 1 - true,
        "that is the share of wrong answers, with NO_LABEL among them": (1 - hit).sum(0) / count,
        "that is how many are right: divide by how many are asked": hit.sum(0),
        "that is how many are asked": count,
        "that is how many are asked over how many are right: the other way": count / hit.sum(0),
        "divide by how many are asked there, not by all that are asked": hit.sum(0) / ask.sum(),
        "the label of a position is the answer after its token: do not shift": (
            torch.cat(after).sum(0) / count[1:]
        ),
        "the label of a position is the answer after its own token, not the one before": (
            F.pad(torch.cat(after).sum(0), (1, 0)) / count
        ),
        "a softmax goes over the V tokens, the last dimension": torch.cat(beside).sum(0) / count,
        "the likeliest token has the largest logit": torch.cat(least).sum(0) / count,
        none: true.nan_to_num(0.0),
        f"{none}, not 1": true.nan_to_num(1.0),
        f"{none}; do not leave it out": true[~true.isnan()],
    }
    if across:
        said = "take the likeliest of the V tokens: argmax over the last dimension"
        slips[said] = torch.cat(across).sum(0) / count
    return slips


SEARCH_SEED, FRESH_SEEDS = 1000, [3, 4, 5]
LOSSES = [  # for each setting: its loss with the search's seed, and with the fresh seeds
    [
        (math.nan, [1.7, 1.8, 1.6]),
        (1.2, [1.5, math.nan, 1.3]),
        (1.4, [1.0, 1.1, 1.0]),
        (1.9, [2.0, 2.0, 3.0]),
    ],
    [(1.1, [1.6, 1.3, 1.8]), (1.7, [1.0, 1.4, 1.2]), (math.nan, [0.4, math.nan, 0.4])],
    [(1.8, [1.9, 1.7, 1.8]), (1.3, [1.1, 0.9, 1.0]), (0.9, [1.5, 1.2, 1.4])],
    [(0.8, [math.nan, 0.7, 0.9])],
    [(1.9, [1.3, 1.4, 1.2]), (0.7, [0.8, 0.6, 0.9]), (0.7, [1.1, 1.0, 0.7])],  # either of two
]


@exercise("11.6")
def check_fair_runs(fair_runs: Callable) -> None:
    """Searches in which a training breaks off first, last, or not at all."""
    for losses in LOSSES:
        settings = [{"learning_rate": 0.001 * (n + 1)} for n in range(len(losses))]
        tried = ", ".join(f"{searched:g}" for searched, _ in losses)
        with when(f"where the search gives {tried}"):
            calls: list[tuple[int, int]] = []  # setting and seed of each training
            train = partial(pretend_training, [*settings], losses, calls)
            found = fair_runs(train, settings, SEARCH_SEED, [*FRESH_SEEDS])
            two = "return two things: the chosen setting, and the list of losses"
            expect(isinstance(found, (tuple, list)) and len(found) == 2, two)
            best = check_chosen(found[0], settings, losses)
            check_losses(found[1], best, losses)
            check_trainings(calls, best, len(losses))


def pretend_training(
    settings: list[dict],
    losses: list[tuple[float, list[float]]],
    calls: list[tuple[int, int]],
    setting: dict,
    seed: int,
) -> float:
    """Look up the loss of a setting with a seed, and note that it was asked for."""
    expect(setting in settings, f"train is given {setting!r:.60}, which is no setting")
    known = seed in [SEARCH_SEED, *FRESH_SEEDS]
    expect(known, f"train is given the seed {seed!r:.60}, which is neither of search nor of result")
    place = settings.index(setting)
    calls.append((place, seed))
    searched, fresh = losses[place]
    return searched if seed == SEARCH_SEED else fresh[FRESH_SEEDS.index(seed)]


def check_chosen(setting: object, settings: list[dict], losses: list) -> int:
    """The place of the chosen setting, if none has a lower loss."""
    tried = [searched for searched, _ in losses]
    finite = [n for n in range(len(losses)) if not math.isnan(tried[n])]
    best = min(finite, key=lambda n: tried[n])
    turned = isinstance(setting, (list, tuple)) and len(setting) == len(FRESH_SEEDS)
    expect(not turned, "the chosen setting comes first, then the losses")
    expect(setting in settings, f"return the setting itself; that is {setting!r:.60}")
    chosen = settings.index(setting)  # type: ignore[arg-type]
    if tried[chosen] != tried[best]:
        broken = "a setting whose training broke off was chosen: nan compares with nothing"
        expect(chosen in finite, broken)
        largest = max(finite, key=lambda n: tried[n])
        expect(chosen != largest, "the lowest loss is best, not the highest")
        by_result = [statistics.mean(x for x in fresh if x == x) for _, fresh in losses]
        by_seeds = "the fresh seeds have chosen; let the search's seed do that"
        expect(chosen != min(range(len(losses)), key=lambda n: by_result[n]), by_seeds)
        by_first = min(range(len(losses)), key=lambda n: losses[n][1][0])
        expect(chosen != by_first, "the first fresh seed has chosen; let the search's seed do that")
        wanted = f"{setting} is chosen, but {settings[best]} has the lowest loss"
        expect(False, wanted)
    return chosen


def same_losses(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether losses are equal, with nan at the same places."""
    pairs = zip(one, other, strict=False)
    return len(one) == len(other) and all(
        math.isclose(x, y, rel_tol=1e-6) or (math.isnan(x) and math.isnan(y)) for x, y in pairs
    )


def check_losses(found: object, best: int, losses: list) -> None:
    """Are these the losses of the chosen setting with the fresh seeds?"""
    kind = f"the losses are a list, not a {type(found).__name__}"
    expect(isinstance(found, (list, tuple)), kind)
    mine = [float(loss) for loss in found]  # type: ignore[attr-defined]
    tried, true = [searched for searched, _ in losses], losses[best][1]
    if same_losses(mine, true):
        return
    finite = [loss for loss in true if loss == loss]
    rising = sorted(true, key=lambda x: math.inf if x != x else x)
    lucky = "the run of the search was picked for its luck: it is no result"
    slips = [
        (lucky, [tried[best], *true]),
        (lucky, [*true, tried[best]]),
        (lucky, [tried[best]]),
        ("the chosen setting is trained anew, with each fresh seed", [tried[best]] * len(true)),
        ("a run that broke off belongs to the results", finite),
        ("all fresh seeds are results, and not the best of them alone", [min(finite)]),
        ("give the losses themselves, and not their mean", [statistics.mean(finite)]),
        ("keep the losses in the order of their seeds", rising),
        ("keep the losses in the order of their seeds", true[::-1]),
        ("a loss that is nan stays nan in the list", [0.0 if x != x else x for x in true]),
        ("a loss that is nan stays nan in the list", [math.inf if x != x else x for x in true]),
        ("those are the losses of the search", tried),
        ("one fresh seed is not all of them", true[:1]),
        ("the last fresh seed is left out", true[:-1]),
        ("the first fresh seed is left out", true[1:]),
    ]
    for slip, wrong in slips:
        expect(not same_losses(mine, wrong), slip)
    others = [fresh for n, (_, fresh) in enumerate(losses) if n != best]
    another = "those are losses of another setting than the chosen one"
    expect(not any(same_losses(mine, other) for other in others), another)
    expect(False, f"the losses are {mine}, but with the fresh seeds {true}")


def check_trainings(calls: list[tuple[int, int]], best: int, settings: int) -> None:
    """Was every setting tried, and only the chosen one trained anew?"""
    searched = {place for place, seed in calls if seed == SEARCH_SEED}
    expect(searched == {*range(settings)}, "every setting is tried in the search")
    spoiled = any(place != best and seed in FRESH_SEEDS for place, seed in calls)
    expect(not spoiled, "train only the chosen setting with the fresh seeds; all cost time")
