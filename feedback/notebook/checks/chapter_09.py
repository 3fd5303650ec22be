"""Checks of chapter 9, how long programs take."""

from __future__ import annotations

import itertools
import math
import random
import statistics
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from feedback import timing
from feedback.notebook.checks.several import agree, expect_close, three_numbers
from feedback.notebook.checks.verdict import exercise, expect, when

WINNERS = ("first", "second", "open")


class Spread(NamedTuple):
    """What rules for a winner look at, for the samples of one program."""

    least: float
    low: float
    middle: float
    high: float
    most: float
    mean: float
    deviation: float


def samples_of(levels: tuple[int, ...], m: int, own: random.Random) -> list[float]:
    """4 m samples that take five levels, as least, quartiles, median and most, in random order.

    So they do by every usual rule for quartiles.
    """
    counts = (m - 1, 2, 2 * m - 2, 2, m - 1)
    samples = [float(level) for level, n in zip(levels, counts, strict=True) for _ in range(n)]
    return own.sample(samples, k=len(samples))


def spread_of(samples: list[float]) -> Spread:
    middle, low, high = timing.spread(samples)
    mean = statistics.fmean(samples)
    deviation = math.sqrt(sum((x - mean) ** 2 for x in samples) / (len(samples) - 1))
    return Spread(min(samples), low, middle, high, max(samples), mean, deviation)


def named(a_below_b: object, b_below_a: object) -> str:
    return "first" if a_below_b else "second" if b_below_a else "open"


def compared(one: str, other: str) -> Callable[[Spread, Spread], str]:
    """The rule that compares two properties, the same two in both directions."""
    return lambda a, b: named(
        getattr(a, one) < getattr(b, other), getattr(b, one) < getattr(a, other)
    )


WRONG_RULES: dict[str, Callable[[Spread, Spread], str]] = {
    "less time is faster: first and second are exchanged": lambda a, b: named(
        b.high < a.low, a.high < b.low
    ),
    "medians differ, but the middle halves may overlap all the same": compared("middle", "middle"),
    "one bad sample decides: compare quartiles, not the extremes": compared("most", "least"),
    "that compares the smallest samples": compared("least", "least"),
    "that compares the largest samples": compared("most", "most"),
    "that compares means": compared("mean", "mean"),
    "that compares mean and standard deviation; quartiles are asked": lambda a, b: named(
        a.mean + a.deviation < b.mean - b.deviation, b.mean + b.deviation < a.mean - a.deviation
    ),
    "the lower one's upper quartile counts, not its median": compared("middle", "low"),
    "the upper one's lower quartile counts, not its median": compared("high", "middle"),
    "a's median is compared with b's quartile; take a's upper quartile": lambda a, b: named(
        a.middle < b.low, b.high < a.middle
    ),
    "b's median is compared with a's quartile; take b's lower quartile": lambda a, b: named(
        a.high < b.middle, b.middle < a.low
    ),
    "for first, a's median is not enough: take its upper quartile": lambda a, b: named(
        a.middle < b.low, b.high < a.low
    ),
    "for first, b's median is not enough: take its lower quartile": lambda a, b: named(
        a.high < b.middle, b.high < a.low
    ),
    "for second, b's median is not enough: take its upper quartile": lambda a, b: named(
        a.high < b.low, b.middle < a.low
    ),
    "for second, a's median is not enough: take its lower quartile": lambda a, b: named(
        a.high < b.low, b.high < a.middle
    ),
    "both lower quartiles are compared": compared("low", "low"),
    "both upper quartiles are compared": compared("high", "high"),
    "both quartiles lower is not apart: the halves may overlap": lambda a, b: named(
        a.low < b.low and a.high < b.high, b.low < a.low and b.high < a.high
    ),
    "the wrong quartiles: the lower of one lies below the upper of the other": compared(
        "low", "high"
    ),
    "halves that touch are not apart: below, not at most": lambda a, b: named(
        a.high <= b.low, b.high <= a.low
    ),
    "halves that touch are not apart for first: below, not at most": lambda a, b: named(
        a.high <= b.low, b.high < a.low
    ),
    "halves that touch are not apart for second: below, not at most": lambda a, b: named(
        a.high < b.low, b.high <= a.low
    ),
    "it never names a winner": lambda a, b: "open",
    "it never names the first": lambda a, b: named(False, b.high < a.low),
    "it never names the second": lambda a, b: named(a.high < b.low, False),
    "whatever is not first is second: what if they overlap?": lambda a, b: named(
        a.high < b.low, True
    ),
    "whatever is not second is first: what if they overlap?": lambda a, b: named(
        b.high >= a.low, True
    ),
}


@exercise("9.1")
def check_faster(faster: Callable) -> None:
    """400 pairs of 40 samples each, then pairs of other numbers of samples."""
    own = random.Random(0)
    levels = [
        (tuple(sorted(own.choices(range(20), k=5))), tuple(sorted(own.choices(range(20), k=5))))
        for _ in range(400)
    ]
    check_verdicts(faster, [(samples_of(a, 10, own), samples_of(b, 10, own)) for a, b in levels])
    with when("right for lists of 40 samples, but not for 12 and 20"):
        check_verdicts(
            faster, [(samples_of(a, 3, own), samples_of(b, 5, own)) for a, b in levels[:100]]
        )


def check_verdicts(faster: Callable, pairs: list[tuple[list[float], list[float]]]) -> None:
    """Is every verdict right, and if not, which rule gives all of these?"""
    answers = []
    for a, b in pairs:
        answer = faster(a.copy(), b.copy())
        words = f'answer "first", "second" or "open", not {answer!r:.40}'
        expect(isinstance(answer, str) and answer in WINNERS, words)
        answers.append(answer)
    spreads = [(spread_of(a), spread_of(b)) for a, b in pairs]
    verdicts = [compared("high", "low")(a, b) for a, b in spreads]
    if answers == verdicts:
        return
    for slip, rule in WRONG_RULES.items():
        expect(answers != [rule(a, b) for a, b in spreads], slip)
    at = next(i for i, answer in enumerate(answers) if answer != verdicts[i])
    one, other = spreads[at]
    halves = f"{one.low:g} to {one.high:g} and {other.low:g} to {other.high:g}"
    expect(False, f"{answers[at]!r} for middle halves {halves}; that is {verdicts[at]!r}")


T_TIMED = np.array([32.0, 64.0, 128.0, 256.0])
EXACT = 2e-3 * T_TIMED + 1e-5 * T_TIMED**2
TIMES = {  # lengths and seconds
    "for times that a and b fit exactly": (T_TIMED, EXACT),
    "for times that no a and b fit exactly": (T_TIMED, EXACT * [1.0, 1.1, 0.9, 1.5]),
    "for six lengths in mixed order, in milliseconds": (
        np.array([300, 20, 50, 1000, 100, 600]),
        np.array([70.0, 2.5, 9.0, 800.0, 12.0, 260.0]),
    ),
}


@exercise("9.2")
def check_parts(parts: Callable) -> None:
    """Times that can be fitted, that cannot, and whole numbers for lengths."""
    for circumstance, (lengths, seconds) in TIMES.items():
        with when(circumstance):
            given = lengths.copy(), seconds.copy()
            found = parts(*given)
            kept = all(map(np.array_equal, given, (lengths, seconds)))
            expect(kept, "your function changes the arrays that it is given")
            a, b, half = three_numbers(found, "a, b and a / b")
            check_coefficients(a, b, lengths.astype(float), seconds)
            check_half(half, a, b)


def weighted(T: np.ndarray, seconds: np.ndarray, row: np.ndarray, goal: np.ndarray) -> list[float]:
    """a and b by least squares, with a factor for each row and for what it should give."""
    columns = np.stack([T, T**2], 1) * row[:, None]
    return np.linalg.lstsq(columns, seconds * goal, rcond=None)[0].tolist()


def check_coefficients(a: float, b: float, T: np.ndarray, seconds: np.ndarray) -> None:
    """Are a and b the best ones, and if not, the best by which other rule?"""
    one = np.ones(len(T))
    true = weighted(T, seconds, 1 / seconds, 1 / seconds)
    by_T = np.polyfit(T, seconds / T, 1)[::-1]
    exponent, factor = np.polyfit(np.log(T), np.log(seconds), 1)
    ends = np.argsort(T)[[0, -1]]
    with_constant = np.stack([T**0, T, T**2], 1) / seconds[:, None]
    absolute_constant = np.polyfit(T, seconds, 2)
    absolute = weighted(T, seconds, one, one)
    slips = {
        "a and b are exchanged: a belongs to T, b to T squared": true[::-1],
        "those are absolute errors, in which long texts count most: divide each row, and what it "
        "should give, by its seconds": absolute,
        "each row is multiplied by its seconds; divide": weighted(T, seconds, seconds, seconds),
        "divide what a row should give as well: seconds over seconds is 1": weighted(
            T, seconds, 1 / seconds, one
        ),
        "the rows are not divided, only what they should give": weighted(
            T, seconds, one, 1 / seconds
        ),
        "divide by the seconds themselves, not by their root": weighted(
            T, seconds, seconds**-0.5, seconds**-0.5
        ),
        "dividing by the seconds once is enough": weighted(T, seconds, seconds**-2, seconds**-2),
        "the rows are divided by T; the error is relative to the time": by_T,
        "the rows are divided by T²; the error is relative to the time": weighted(
            T, seconds, T**-2, T**-2
        ),
        "there is no constant in a T + b T²": np.linalg.lstsq(with_constant, one, rcond=None)[0][
            1:
        ],
        "there is no constant in a T + b T², and errors are relative": absolute_constant[1::-1],
        "that is one power of T with its factor; two terms are asked, T and T²": (
            math.exp(factor),
            exponent,
        ),
        "that fits the shortest and the longest time only; all of them count": np.linalg.solve(
            np.stack([T[ends], T[ends] ** 2], 1), seconds[ends]
        ),
        "in the unit of the seconds that are given, not a thousand times that": [
            1000 * x for x in true
        ],
    }
    otherwise = f"a = {a:g} and b = {b:g}, but a = {true[0]:g} and b = {true[1]:g} fit better"
    expect_close((a, b), true, slips, otherwise, 1e-3)


def check_half(half: float, a: float, b: float) -> None:
    """Is the third number the length at which both terms are equal?"""
    slips = {
        "the third is a / b, not b / a": [b / a],
        "the third is a / b: there a T and b T² are equal": [],
    }
    expect_close([half], [a / b], slips, f"the third is {half:g}, but a / b = {a / b:g}", 1e-3)


HAND_OVER = 1 / 64  # seconds it takes to queue a run
START = 1000.0  # what the pretend clock shows at first


class QueueingMachine:
    """Runs are queued; its clock moves by their work when somebody waits.

    Attributes:
        now: what the clock shows.
        queued: seconds of work that nobody waited for yet.
        looks: how often the clock was read.
        calls: name and seconds of work of each run.
    """

    def __init__(self) -> None:
        self.now, self.queued, self.looks = START, 0.0, 0
        self.calls: list[tuple[str, float]] = []

    def clock(self) -> float:
        self.looks += 1
        return self.now

    def wait(self) -> None:
        self.now, self.queued = self.now + self.queued, 0.0

    def program(self, name: str, seconds: float) -> Callable[[], None]:
        """A program that is slow when another one ran before, and has moods."""

        def run() -> None:
            cold = not self.calls or self.calls[-1][0] != name
            mood = 1 + len(self.calls) * 7 % 16 / 16
            work = seconds * mood + (8 if cold else 0)
            self.now, self.queued = self.now + HAND_OVER, self.queued + work
            self.calls.append((name, work))

        return run


RACES = [("ab", 3, 2), ("cab", 2, 4), ("a", 1, 1), ("ba", 1, 3), ("abcd", 5, 1), ("ab", 2, 3)]


@exercise("9.3")
def check_in_turns(in_turns: Callable) -> None:
    """Races of one to four programs on a machine whose every sample has one right value."""
    for names, rounds, samples in RACES:
        machine = QueueingMachine()
        runs = {name: machine.program(name, 1 + i) for i, name in enumerate(names)}
        turns = f"{rounds} round{'s' * (rounds > 1)} of {samples} sample{'s' * (samples > 1)}"
        with when(f"with the runs {', '.join(names)} and {turns}"):
            found = in_turns(runs, machine.clock, machine.wait, rounds, samples)
            expect(isinstance(found, dict), f"return a dictionary, not a {type(found).__name__}")
            expect(machine.calls, "nothing ran: call the functions in `runs`")
            check_form(found, [*names])
            check_calls(found, [name for name, _ in machine.calls], rounds, samples)
            expect(machine.looks, "the clock that is handed in is never read")
            check_seconds(found, machine.calls, rounds, samples)


def check_form(found: dict, names: list[str]) -> None:
    """A list of turns for each name, and each turn a list."""
    expect(set(found) == set(names), f"names {[*found]}; the runs are {names}")
    for name in names:
        said = f"{name!r} should have a list of turns, each a list of seconds"
        expect(isinstance(found[name], (list, tuple)), said)
        expect(all(isinstance(turn, (list, tuple)) for turn in found[name]), said)
    lists = {id(found[name]) for name in names}
    expect(len(lists) == len(names), "all names share one list: make one for each")


def check_calls(found: dict, called: list[str], rounds: int, samples: int) -> None:
    """Who ran, how often and in which order."""
    turn = samples + 1
    for name in found:
        n, wanted = called.count(name), rounds * turn
        kept = sum(map(len, found[name]))
        cold = n == kept == rounds * samples
        expect(not cold, "nothing is warmed up: each turn begins with an uncounted run")
        once = n == rounds * samples + 1 and rounds > 1
        expect(not once, "warm up in every turn: in between, others have run")
        count = f"{name!r} ran {n} times; {rounds} turns of 1 + {samples} runs are {wanted}"
        expect(n == wanted, count)
    # Any order within a round is right, as long as each has one turn.
    turns = [called[i : i + turn] for i in range(0, len(called), turn)]
    first = called[0]
    at_once = len(found) > 1 and rounds > 1 and called[: rounds * turn] == [first] * rounds * turn
    expect(not at_once, f"all turns of {first!r} come in a row; go round and round")
    row = "in its turn a function runs several times in a row; here they alternate"
    expect(all(len({*each}) == 1 for each in turns), row)
    for i in range(0, len(turns), len(found)):
        in_round = {each[0] for each in turns[i : i + len(found)]}
        expect(in_round == {*found}, "in each round every function has one turn")


def check_seconds(found: dict, calls: list[tuple[str, float]], rounds: int, samples: int) -> None:
    """The seconds of every sample, turn by turn, in the order in which they ran."""
    turns = [calls[i : i + samples + 1] for i in range(0, len(calls), samples + 1)]
    all_true = [[HAND_OVER + work for _, work in turn[1:]] for turn in turns]
    taken, now = dict.fromkeys(found, 0), START
    for turn, true in zip(turns, all_true, strict=True):
        name, works = turn[0][0], [work for _, work in turn]
        number = f"{name!r} has {len(found[name])} turns, not {rounds}"
        expect(len(found[name]) == rounds, number)
        seconds = [float(x) for x in found[name][taken[name]]]
        if not agree(seconds, true, 1e-9):
            total = len(seconds) == 1 and agree(seconds, [sum(true)], 1e-9)
            expect(not total or samples == 1, "one time for a whole turn; time each run by itself")
            long = len(seconds) == samples + 1
            expect(not long, "a turn has one sample too many: leave the warm-up out")
            size = f"a turn of {name!r} has {len(seconds)} samples, not {samples}"
            expect(len(seconds) == samples, size)
            others = any(agree(seconds, other, 1e-9) for other in all_true)
            expect(not others, f"{name!r} has the seconds of another turn")
            otherwise = f"a turn of {name!r} took {true} seconds, not {seconds}"
            expect_close(seconds, true, slips_of_turn(works, now), otherwise, 1e-9)
        taken[name] += 1
        now += sum(HAND_OVER + work for work in works)


def slips_of_turn(works: list[float], start: float) -> dict[str, list[float]]:
    """Likely mistakes in one turn: works of its runs, the warm-up first, and its start."""
    cold, *true = [HAND_OVER + work for work in works]
    ends = list(itertools.accumulate(true))
    return {
        "that is the time to queue the work: wait before you read the clock at the end": (
            [HAND_OVER] * len(true)
        ),
        "work of the warm-up is still queued when the first sample starts: wait there too": (
            [works[0] + true[0], *true[1:]]
        ),
        "the clock is started when the run is queued already: start it before": works[1:],
        "the warm-up is in the first sample: start the clock after it": (
            [cold + true[0], *true[1:]]
        ),
        "the warm-up is counted, and the last run is not": [cold, *true[:-1]],
        "the clock is started once a turn; start it again for each sample": ends,
        "the clock is started once a turn, and before the warm-up": [cold + end for end in ends],
        "the sign: the end minus the start": [-x for x in true],
        "in seconds, please, not in milliseconds": [1000 * x for x in true],
        "those are readings of the clock, not differences": [start + cold + end for end in ends],
        "every sample is the turn's mean; time each run by itself": (
            [ends[-1] / len(true)] * len(true)
        ),
        "every sample is the time of the whole turn; time each run by itself": (
            [ends[-1]] * len(true)
        ),
        "samples are kept as they come, not sorted": sorted(true),
        "samples are kept as they come, not backwards": true[::-1],
    }


@exercise("9.4")
def check_ratio(ratio_of_turns: Callable) -> None:
    """Turns of several samples each, in which a mood hits both programs."""
    own = random.Random(0)
    for turns in (5, 6, 7, 2, 10):
        a: list[list[float]] = []
        b: list[list[float]] = []
        for _ in range(turns):
            mood = own.choice((1, 2, 4))  # the same for both in a turn
            for one, seconds in ((a, 3), (b, 2)):
                n = own.choice((3, 4, 5, 6))
                one.append([mood * seconds * own.uniform(1, 1.6) for _ in range(n)])
        given = [[turn.copy() for turn in each] for each in (a, b)]
        with when(f"with {turns} turns"):
            names = "the median of the ratios and their quartiles"
            found = three_numbers(ratio_of_turns(*given), names)
            ratios = [
                statistics.median(x) / statistics.median(y) for x, y in zip(a, b, strict=True)
            ]
            shown = ", ".join(f"{ratio:.3f}" for ratio in ratios)
            otherwise = f"the ratios of the turns are {shown}; you returned " + ", ".join(
                f"{x:.3f}" for x in found
            )
            expect_close(found, timing.spread(ratios), slips_of_ratio(a, b), otherwise)


def slips_of_ratio(a: list[list[float]], b: list[list[float]]) -> dict[str, tuple]:
    """Likely mistakes, each with what it would give."""
    median, mean, spread = statistics.median, statistics.mean, timing.spread
    turns = list(zip(a, b, strict=True))
    all_a, all_b = (list(itertools.chain(*turns)) for turns in (a, b))
    pooled, base = spread(all_a), spread(all_b)

    def ratios_of(typical: Callable) -> tuple[float, float, float]:
        """The spread of ratios whose parts are another number of each turn."""
        return spread([typical(x) / typical(y) for x, y in turns])

    medians_a, medians_b = [median(x) for x in a], [median(y) for y in b]
    ratios = [x / y for x, y in zip(medians_a, medians_b, strict=True)]
    middle, low, high = spread(ratios)
    outer = statistics.quantiles(ratios, n=4)
    pairs = [x / y for s, t in turns for x, y in zip(s, t, strict=False)]
    alone = "samples do not belong together in pairs; divide medians of turns"
    slips: dict[str, tuple] = {
        "that is b over a": spread([1 / r for r in ratios]),
        "the order of timing.spread: first the median, then the quartiles": (low, middle, high),
        "the quartiles are exchanged: the lower one first": (middle, high, low),
        "the median comes first": (high, low, middle),
        "the quartiles by timing.spread, please: another rule made these": (
            outer[1],
            outer[0],
            outer[2],
        ),
        "the first is the median of the ratios, not their mean": (mean(ratios), low, high),
        "smallest and largest ratio are no quartiles": (middle, min(ratios), max(ratios)),
        "those are the median and quartiles of a alone": pooled,
        "those are the median and quartiles of b alone": base,
        "those are quartiles of a's medians; divide by b's": spread(medians_a),
        "those are quartiles of a's seconds over b's median; b scatters too": tuple(
            x / base[0] for x in pooled
        ),
        "those are quartiles of a's medians over b's median; divide turn by turn": tuple(
            x / median(medians_b) for x in spread(medians_a)
        ),
        "a quartile of a over the same quartile of b is no quartile of ratios": tuple(
            x / y for x, y in zip(pooled, base, strict=True)
        ),
        "a quartile over a quartile is no quartile of ratios; divide turn by turn": tuple(
            x / y for x, y in zip(spread(medians_a), spread(medians_b), strict=True)
        ),
        "the quartiles allow that range at worst, but it is not that of the ratios": (
            pooled[0] / base[0],
            pooled[1] / base[2],
            pooled[2] / base[1],
        ),
        "the median over all samples mixes the turns; take that of the ratios": (
            pooled[0] / base[0],
            low,
            high,
        ),
        alone: spread(pairs),
        alone + ", one ratio a turn": spread([x / y for x, y in zip(all_a, all_b, strict=False)]),
        "each turn of a goes with the same turn of b, not with all of them": spread(
            [x / y for x in medians_a for y in medians_b]
        ),
        "that is a difference; divide": spread([median(x) - median(y) for x, y in turns]),
        "that is a product; divide": spread([median(x) * median(y) for x, y in turns]),
        "take the median of a turn, not its mean": ratios_of(mean),
        "take the median of a turn, not its sum": ratios_of(sum),
        "take the median of a turn, not its quickest sample": ratios_of(min),
        "take the median of a turn, not its slowest sample": ratios_of(max),
        "take the median of a turn, not its first sample": ratios_of(lambda x: x[0]),
        "take the median of a turn, not its last sample": ratios_of(lambda x: x[-1]),
        "sort a turn before you take its middle, or take statistics.median": ratios_of(
            lambda x: x[len(x) // 2]
        ),
        "the median of an even number of samples is the mean of the two in the middle": ratios_of(
            statistics.median_high
        ),
        "the median of an even number of samples lies between the two in the middle": ratios_of(
            statistics.median_low
        ),
        "b has a median too: take it, and not the mean": spread(
            [median(x) / mean(y) for x, y in turns]
        ),
        "a has a median too: take it, and not the mean": spread(
            [mean(x) / median(y) for x, y in turns]
        ),
        "sorted turns are no longer beside each other": spread(
            [x / y for x, y in zip(sorted(medians_a), sorted(medians_b), strict=True)]
        ),
        "every turn of a is divided by the median of all of b": spread(
            [median(x) / base[0] for x in a]
        ),
    }
    if len(turns) > 2:
        slips["the last turn is left out"] = spread(ratios[:-1])
        slips["the first turn is left out"] = spread(ratios[1:])
    return slips
