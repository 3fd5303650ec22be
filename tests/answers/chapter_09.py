"""Answers to the exercises of chapter 9."""

import collections
import itertools
import random
import statistics
import time

import numpy as np

from answers import to
from feedback import timing


def quartiles(samples):
    middle, low, high = timing.spread(samples)
    return low, middle, high


def winner(a_is_quicker, b_is_quicker):
    return "first" if a_is_quicker else "second" if b_is_quicker else "open"


@to("9.1")
def by_percentiles(a, b):
    low_a, high_a = np.percentile(a, [25, 75])
    low_b, high_b = np.percentile(b, [25, 75])
    if high_b < low_a:
        return "second"
    return "first" if high_a < low_b else "open"


@to("9.1")
def by_the_other_quartiles(a, b):
    first, _, third = statistics.quantiles(a, n=4)
    one, _, three = statistics.quantiles(b, n=4)
    return winner(third < one, three < first)


@to("9.1")
def by_hinges(a, b):
    def hinges(samples):
        samples = sorted(samples)
        half = len(samples) // 2
        return statistics.median(samples[:half]), statistics.median(samples[-half:])

    (low_a, high_a), (low_b, high_b) = hinges(a), hinges(b)
    return winner(high_a < low_b, high_b < low_a)


@to("9.1")
def a_quarter_dropped(a, b):
    def middle_half(samples):
        ordered = sorted(samples)
        quarter = len(ordered) // 4
        return ordered[quarter : len(ordered) - quarter]

    a, b = middle_half(a), middle_half(b)
    if a[-1] < b[0]:
        return "first"
    if b[-1] < a[0]:
        return "second"
    return "open"


@to("9.1")
def by_nearest_samples(a, b):
    low_a, high_a = np.quantile(np.array(a), [0.25, 0.75], method="nearest")
    low_b, high_b = np.quantile(np.array(b), [0.25, 0.75], method="nearest")
    return np.str_(winner(high_a < low_b, high_b < low_a))


def compare(rule):
    """Answers of `rule`, a function of both programs' least, quartiles and most."""

    def answer(a, b):
        return rule((min(a), *quartiles(a), max(a)), (min(b), *quartiles(b), max(b)))

    return answer


@to("9.1", wrong="first and second are exchanged")
def more_is_faster(a, b):
    return compare(lambda a, b: winner(b[3] < a[1], a[3] < b[1]))(a, b)


@to("9.1", wrong="medians differ, but")
def by_medians(a, b):
    return winner(statistics.median(a) < statistics.median(b), np.median(b) < np.median(a))


@to("9.1", wrong="one bad sample decides")
def by_extremes(a, b):
    return winner(max(a) < min(b), max(b) < min(a))


@to("9.1", wrong="one bad sample decides")
def one_dropped_at_each_end(a, b):
    a, b = sorted(a)[1:-1], sorted(b)[1:-1]
    return winner(a[-1] < b[0], b[-1] < a[0])


@to("9.1", wrong="compares the smallest samples")
def by_the_quickest(a, b):
    return winner(min(a) < min(b), min(b) < min(a))


@to("9.1", wrong="compares means")
def by_means(a, b):
    return winner(np.mean(a) < np.mean(b), np.mean(b) < np.mean(a))


@to("9.1", wrong="mean and standard deviation")
def by_deviations(a, b):
    (ma, sa), (mb, sb) = ((statistics.mean(x), statistics.stdev(x)) for x in (a, b))
    return winner(ma + sa < mb - sb, mb + sb < ma - sa)


@to("9.1", wrong="the lower one's upper quartile counts, not its median")
def median_below_quartile(a, b):
    return compare(lambda a, b: winner(a[2] < b[1], b[2] < a[1]))(a, b)


@to("9.1", wrong="the upper one's lower quartile counts, not its median")
def quartile_below_median(a, b):
    return compare(lambda a, b: winner(a[3] < b[2], b[3] < a[2]))(a, b)


@to("9.1", wrong="a's median is compared with b's quartile")
def median_of_a(a, b):
    return compare(lambda a, b: winner(a[2] < b[1], b[3] < a[2]))(a, b)


@to("9.1", wrong="for second, a's median is not enough")
def mixed(a, b):
    return compare(lambda a, b: winner(a[3] < b[1], b[3] < a[2]))(a, b)


@to("9.1", wrong="lower quartiles are compared")
def both_lower(a, b):
    return compare(lambda a, b: winner(a[1] < b[1], b[1] < a[1]))(a, b)


@to("9.1", wrong="both quartiles lower is not apart")
def both_quartiles_lower(a, b):
    return compare(lambda a, b: winner(a[1] < b[1] and a[3] < b[3], b[1] < a[1] and b[3] < a[3]))(
        a, b
    )


@to("9.1", wrong="the lower of one lies below the upper of the other")
def the_wrong_quartiles(a, b):
    return compare(lambda a, b: winner(a[1] < b[3], b[1] < a[3]))(a, b)


@to("9.1", wrong="halves that touch are not apart: below")
def touching(a, b):
    return compare(lambda a, b: winner(a[3] <= b[1], b[3] <= a[1]))(a, b)


@to("9.1", wrong="halves that touch are not apart for second")
def touching_once(a, b):
    return compare(lambda a, b: winner(a[3] < b[1], b[3] <= a[1]))(a, b)


@to("9.1", wrong="it never names the second")
def first_or_open(a, b):
    return compare(lambda a, b: winner(a[3] < b[1], False))(a, b)


@to("9.1", wrong="whatever is not first is second")
def never_open(a, b):
    return compare(lambda a, b: winner(a[3] < b[1], True))(a, b)


@to("9.1", wrong="it never names a winner")
def always_open(a, b):
    return "open"


@to("9.1", wrong="for middle halves")
def places_without_sorting(a, b):
    n, m = len(a), len(b)
    return winner(a[3 * n // 4] < b[m // 4], b[3 * m // 4] < a[n // 4])


@to("9.1", wrong="the upper one's lower quartile counts")
def spread_in_another_order(a, b):
    (low_a, _, high_a), (low_b, _, high_b) = timing.spread(a), timing.spread(b)
    return winner(high_a < low_b, high_b < low_a)


@to("9.1", wrong="right for lists of 40 samples, but not for 12 and 20")
def for_forty_samples(a, b):
    a, b = sorted(a), sorted(b)
    return winner(a[-10] < b[10], b[-10] < a[10]) if len(a) == 40 else "open"


@to("9.1", wrong="changes its `a`")
def sorts_in_place(a, b):
    a.sort()
    b.sort()
    return by_percentiles(a, b)


@to("9.1", wrong='answer "first", "second" or "open"')
def with_a_capital(a, b):
    return by_percentiles(a, b).capitalize()


@to("9.1", wrong='answer "first", "second" or "open"')
def true_or_false(a, b):
    return by_percentiles(a, b) == "first"


@to("9.1", wrong="returns nothing")
def printed(a, b):
    print(by_percentiles(a, b))


@to("9.1", wrong="`only_a_winner` returns nothing")
def only_a_winner(a, b):
    found = by_percentiles(a, b)
    if found != "open":
        return found


def fit(T, s, row, goal):
    """a and b by least squares, with a factor for rows and one for what they should give."""
    a, b = np.linalg.lstsq(np.stack([T, T**2], 1) * row[:, None], s * goal, rcond=None)[0]
    return a, b, a / b


def right_fit(T, s):
    return fit(T, s, 1 / s, 1 / s)


@to("9.2")
def as_a_weighted_line(lengths, seconds):
    """s / T is a + b T, a straight line, with weights T / s."""
    b, a = np.polyfit(lengths, seconds / lengths, 1, w=lengths / seconds)
    return [a, b, a / b]


@to("9.2")
def by_normal_equations(lengths, seconds):
    X = np.array([lengths / seconds, lengths * lengths / seconds])
    a, b = np.linalg.solve(X @ X.T, X.sum(1))
    return np.array([a, b, a / b])


@to("9.2")
def by_small_steps(lengths, seconds):
    x, y = lengths / seconds, lengths**2 / seconds
    a = b = 0.0
    for _ in range(3000):
        a = ((1 - b * y) @ x) / (x @ x)
        b = ((1 - a * x) @ y) / (y @ y)
    return float(a), float(b), float(a / b)


@to("9.2")
def by_plain_sums(lengths, seconds):
    xx = xy = yy = x1 = y1 = 0.0
    for T, s in zip(lengths.tolist(), seconds.tolist(), strict=True):
        x, y = T / s, T * T / s
        xx, xy, yy, x1, y1 = xx + x * x, xy + x * y, yy + y * y, x1 + x, y1 + y
    determinant = xx * yy - xy * xy
    a, b = (x1 * yy - y1 * xy) / determinant, (y1 * xx - x1 * xy) / determinant
    return a, b, a / b


@to("9.2", wrong="those are absolute errors")
def absolute(lengths, seconds):
    return fit(lengths, seconds, np.ones(len(seconds)), np.ones(len(seconds)))


@to("9.2", wrong="multiplied by its seconds; divide")
def multiplied(lengths, seconds):
    return fit(lengths, seconds, seconds, seconds)


@to("9.2", wrong="divide what a row should give as well")
def only_the_rows(lengths, seconds):
    return fit(lengths, seconds, 1 / seconds, np.ones(len(seconds)))


@to("9.2", wrong="the rows are not divided")
def only_the_goal(lengths, seconds):
    return fit(lengths, seconds, np.ones(len(seconds)), 1 / seconds)


@to("9.2", wrong="not by their root")
def by_the_root(lengths, seconds):
    return fit(lengths, seconds, seconds**-0.5, seconds**-0.5)


@to("9.2", wrong="once is enough")
def by_the_square(lengths, seconds):
    return fit(lengths, seconds, seconds**-2, seconds**-2)


@to("9.2", wrong="divided by T; the error is relative to the time")
def relative_to_length(lengths, seconds):
    b, a = np.polyfit(lengths, seconds / lengths, 1)
    return a, b, a / b


@to("9.2", wrong="divided by T²")
def relative_to_squares(lengths, seconds):
    return fit(lengths, seconds, 1.0 / lengths**2, 1.0 / lengths**2)


@to("9.2", wrong="there is no constant in")
def with_a_constant(lengths, seconds):
    b, a, _ = np.polyfit(lengths, seconds, 2, w=1 / seconds)
    return a, b, a / b


@to("9.2", wrong="errors are relative")
def with_a_constant_absolute(lengths, seconds):
    b, a, _ = np.polyfit(lengths, seconds, 2)
    return a, b, a / b


@to("9.2", wrong="one power of T with its factor")
def one_power(lengths, seconds):
    p, c = np.polyfit(np.log(lengths), np.log(seconds), 1)
    return np.exp(c), p, np.exp(c) / p


@to("9.2", wrong="the shortest and the longest time only")
def two_of_the_times(lengths, seconds):
    T = lengths[[lengths.argmin(), lengths.argmax()]].astype(float)
    a, b = np.linalg.solve(np.array([T, T**2]).T, seconds[[lengths.argmin(), lengths.argmax()]])
    return a, b, a / b


@to("9.2", wrong="a and b are exchanged")
def exchanged_terms(lengths, seconds):
    a, b, _ = right_fit(lengths, seconds)
    return b, a, a / b


@to("9.2", wrong="the third is a / b, not b / a")
def the_other_quotient(lengths, seconds):
    a, b, _ = right_fit(lengths, seconds)
    return a, b, b / a


@to("9.2", wrong="the third is")
def half_of_it(lengths, seconds):
    a, b, half = right_fit(lengths, seconds)
    return a, b, half / 2


@to("9.2", wrong="those are 2")
def two_numbers(lengths, seconds):
    return right_fit(lengths, seconds)[:2]


@to("9.2", wrong="a thousand times")
def in_milliseconds(lengths, seconds):
    a, b, half = right_fit(lengths, seconds)
    return 1000 * a, 1000 * b, half


@to("9.2", wrong="fit better")
def fixed_for_the_example(lengths, seconds):
    return 2e-3, 1e-5, 200.0


@to("9.2", wrong="changes the arrays that it is given")
def divides_in_place(lengths, seconds):
    columns = np.stack([lengths, lengths**2], 1) / seconds[:, None]
    seconds /= seconds
    a, b = np.linalg.lstsq(columns, seconds, rcond=None)[0]
    return a, b, a / b


@to("9.2", wrong="one of them is no number")
def a_text(lengths, seconds):
    a, b, half = right_fit(lengths, seconds)
    return a, b, f"T = {half}"


@to("9.2", wrong="three numbers")
def by_name(lengths, seconds):
    return dict(zip(("a", "b", "half"), right_fit(lengths, seconds), strict=True))


@to("9.3")
def readings_and_their_differences(runs, clock, wait, rounds, samples):
    found = collections.defaultdict(list)
    for _ in range(rounds):
        for name in runs:
            readings = []
            for _ in range(samples + 1):
                runs[name]()
                wait()
                readings.append(clock())
            found[name].append(tuple(y - x for x, y in itertools.pairwise(readings)))
    return found


@to("9.3")
def there_and_back(runs, clock, wait, rounds, samples):
    """Every second round in the opposite order."""
    found, order = {name: [] for name in runs}, list(runs)
    for _ in range(rounds):
        for name in order:
            turn = []
            for _ in range(samples + 1):
                wait()
                start = clock()
                runs[name]()
                wait()
                turn.append(clock() - start)
            found[name].append(turn[1:])
        order.reverse()
    return found


@to("9.3")
def in_random_order(runs, clock, wait, rounds, samples):
    def timed(run):
        start = clock()
        run()
        wait()
        return np.float64(clock() - start)

    found, own = {}, random.Random(1)
    for _ in range(rounds):
        for name, run in own.sample(sorted(runs.items()), k=len(runs)):
            timed(run)
            found.setdefault(name, []).append([timed(run) for _ in range(samples)])
    return found


@to("9.3")
def a_list_for_each_round(runs, clock, wait, rounds, samples):
    kept = []
    for _ in range(rounds):
        one_round = {}
        for name, run in runs.items():
            run()
            wait()
            one_round[name] = []
            while len(one_round[name]) < samples:
                before = clock()
                run()
                wait()
                one_round[name] += [clock() - before]
        kept.append(one_round)
    return {name: [one[name] for one in kept] for name in runs}


def turns_of(
    one_turn, runs, clock, wait, rounds, samples, make=lambda turn: turn, order=lambda turns: turns
):
    """Turns by `one_turn(run, clock, wait, samples)`, each changed by `make`."""
    found = {name: [] for name in runs}
    for _, name in order(list(itertools.product(range(rounds), runs))):
        found[name].append(make(one_turn(runs[name], clock, wait, samples)))
    return found


def good_turn(run, clock, wait, samples):
    run()
    wait()
    turn = []
    for _ in range(samples):
        start = clock()
        run()
        wait()
        turn.append(clock() - start)
    return turn


@to("9.3", wrong="nothing is warmed up")
def no_warm_up(runs, clock, wait, rounds, samples):
    def turn(run, clock, wait, samples):
        seconds = []
        for _ in range(samples):
            start = clock()
            run()
            wait()
            seconds.append(clock() - start)
        return seconds

    return turns_of(turn, runs, clock, wait, rounds, samples)


@to("9.3", wrong="3 turns of 1 + 2 runs are 9")
def two_to_warm_up(runs, clock, wait, rounds, samples):
    def turn(run, clock, wait, samples):
        run()
        return good_turn(run, clock, wait, samples)

    return turns_of(turn, runs, clock, wait, rounds, samples)


@to("9.3", wrong="warm up in every turn")
def warmed_up_once(runs, clock, wait, rounds, samples):
    found = {name: [] for name in runs}
    for run in runs.values():
        run()
        wait()
    for _ in range(rounds):
        for name, run in runs.items():
            turn = []
            for _ in range(samples):
                start = clock()
                run()
                wait()
                turn.append(clock() - start)
            found[name].append(turn)
    return found


@to("9.3", wrong="wait before you read the clock at the end")
def never_waits(runs, clock, wait, rounds, samples):
    return turns_of(good_turn, runs, clock, lambda: None, rounds, samples)


@to("9.3", wrong="wait before you read the clock at the end")
def waits_too_late(runs, clock, wait, rounds, samples):
    def turn(run, clock, wait, samples):
        run()
        wait()
        seconds = []
        for _ in range(samples):
            start = clock()
            run()
            seconds.append(clock() - start)
            wait()
        return seconds

    return turns_of(turn, runs, clock, wait, rounds, samples)


@to("9.3", wrong="work of the warm-up is still queued")
def warm_up_without_waiting(runs, clock, wait, rounds, samples):
    def turn(run, clock, wait, samples):
        run()
        seconds = []
        for _ in range(samples):
            start = clock()
            run()
            wait()
            seconds.append(clock() - start)
        return seconds

    return turns_of(turn, runs, clock, wait, rounds, samples)


@to("9.3", wrong="start it before")
def clock_after_the_run(runs, clock, wait, rounds, samples):
    def turn(run, clock, wait, samples):
        run()
        wait()
        seconds = []
        for _ in range(samples):
            run()
            start = clock()
            wait()
            seconds.append(clock() - start)
        return seconds

    return turns_of(turn, runs, clock, wait, rounds, samples)


@to("9.3", wrong="start it again for each sample")
def one_start_a_turn(runs, clock, wait, rounds, samples):
    def turn(run, clock, wait, samples):
        run()
        wait()
        start, seconds = clock(), []
        for _ in range(samples):
            run()
            wait()
            seconds.append(clock() - start)
        return seconds

    return turns_of(turn, runs, clock, wait, rounds, samples)


@to("9.3", wrong="the warm-up is in the first sample")
def start_before_the_warm_up(runs, clock, wait, rounds, samples):
    def turn(run, clock, wait, samples):
        start, seconds = clock(), []
        run()
        for _ in range(samples):
            run()
            wait()
            seconds.append(clock() - start)
            start = clock()
        return seconds

    return turns_of(turn, runs, clock, wait, rounds, samples)


def all_counted(run, clock, wait, samples):
    turn = []
    for _ in range(samples + 1):
        start = clock()
        run()
        wait()
        turn.append(clock() - start)
    return turn


@to("9.3", wrong="leave the warm-up out")
def warm_up_kept(runs, clock, wait, rounds, samples):
    return turns_of(all_counted, runs, clock, wait, rounds, samples)


@to("9.3", wrong="the warm-up is counted, and the last run is not")
def last_run_dropped(runs, clock, wait, rounds, samples):
    return turns_of(all_counted, runs, clock, wait, rounds, samples, lambda turn: turn[:-1])


@to("9.3", wrong="one time for a whole turn")
def total_of_a_turn(runs, clock, wait, rounds, samples):
    return turns_of(good_turn, runs, clock, wait, rounds, samples, lambda turn: [sum(turn)])


@to("9.3", wrong="a list of turns, each a list of seconds")
def one_number_a_turn(runs, clock, wait, rounds, samples):
    return turns_of(good_turn, runs, clock, wait, rounds, samples, statistics.median)


@to("9.3", wrong="every sample is the turn's mean")
def mean_of_a_turn(runs, clock, wait, rounds, samples):
    def mean(turn):
        return [statistics.mean(turn)] * len(turn)

    return turns_of(good_turn, runs, clock, wait, rounds, samples, mean)


@to("9.3", wrong="in seconds, please")
def milliseconds(runs, clock, wait, rounds, samples):
    return turns_of(
        good_turn, runs, clock, wait, rounds, samples, lambda turn: [1000 * x for x in turn]
    )


@to("9.3", wrong="the end minus the start")
def negative(runs, clock, wait, rounds, samples):
    return turns_of(good_turn, runs, clock, wait, rounds, samples, lambda turn: [-x for x in turn])


@to("9.3", wrong="readings of the clock")
def readings(runs, clock, wait, rounds, samples):
    def turn(run, clock, wait, samples):
        seconds = []
        for _ in range(samples + 1):
            run()
            wait()
            seconds.append(clock())
        return seconds[1:]

    return turns_of(turn, runs, clock, wait, rounds, samples)


@to("9.3", wrong="not sorted")
def sorted_samples(runs, clock, wait, rounds, samples):
    return turns_of(good_turn, runs, clock, wait, rounds, samples, sorted)


@to("9.3", wrong="come in a row; go round and round")
def one_after_the_other(runs, clock, wait, rounds, samples):
    return turns_of(
        good_turn,
        runs,
        clock,
        wait,
        rounds,
        samples,
        order=lambda turns: sorted(turns, key=lambda turn: turn[1]),
    )


@to("9.3", wrong="here they alternate")
def alternating(runs, clock, wait, rounds, samples):
    found = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            found[name].append([])
            run()
            wait()
        for _ in range(samples):
            for name, run in runs.items():
                start = clock()
                run()
                wait()
                found[name][-1].append(clock() - start)
    return found


@to("9.3", wrong="a list of turns, each a list of seconds")
def turns_run_together(runs, clock, wait, rounds, samples):
    found = turns_of(good_turn, runs, clock, wait, rounds, samples)
    return {name: sum(turns, []) for name, turns in found.items()}


@to("9.3", wrong="all names share one list")
def one_list_for_all(runs, clock, wait, rounds, samples):
    found = dict.fromkeys(runs, [])
    for _ in range(rounds):
        for name, run in runs.items():
            found[name].append(good_turn(run, clock, wait, samples))
    return found


@to("9.3", wrong="the clock that is handed in is never read")
def another_clock(runs, clock, wait, rounds, samples):
    return turns_of(good_turn, runs, time.perf_counter, wait, rounds, samples)


@to("9.3", wrong="has 1 turns, not 3")
def the_last_turn(runs, clock, wait, rounds, samples):
    found = turns_of(good_turn, runs, clock, wait, rounds, samples)
    return {name: turns[-1:] for name, turns in found.items()}


@to("9.3", wrong="has the seconds of another turn")
def names_exchanged(runs, clock, wait, rounds, samples):
    found = turns_of(good_turn, runs, clock, wait, rounds, samples)
    return dict(zip(found, reversed(found.values()), strict=True))


@to("9.3", wrong="return a dictionary")
def a_list(runs, clock, wait, rounds, samples):
    return [*turns_of(good_turn, runs, clock, wait, rounds, samples).values()]


@to("9.3", wrong="ran 6 times")
def one_sample_too_few(runs, clock, wait, rounds, samples):
    return turns_of(good_turn, runs, clock, wait, rounds, samples - 1)


@to("9.3", wrong="changes its `runs`")
def empties_the_runs(runs, clock, wait, rounds, samples):
    found = turns_of(good_turn, runs, clock, wait, rounds, samples)
    runs.clear()
    return found


def medians_over_medians(a, b):
    return [statistics.median(x) / statistics.median(y) for x, y in zip(a, b, strict=True)]


@to("9.4")
def by_numpy(a, b):
    ratios = [np.median(x) / np.median(y) for x, y in zip(a, b, strict=True)]
    return np.quantile(ratios, [0.5, 0.25, 0.75])


@to("9.4")
def turn_by_turn(a, b):
    ratios = []
    for i in range(len(a)):
        of_a, of_b = statistics.median(a[i]), statistics.median(b[i])
        ratios.append(of_a / of_b)
    low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return [middle, low, high]


@to("9.4")
def medians_by_hand(a, b):
    def middle(turn):
        turn, half = sorted(turn), len(turn) // 2
        return (turn[half] + turn[~half]) / 2

    return timing.spread([middle(a[i]) / middle(turn) for i, turn in enumerate(b)])


@to("9.4", wrong="that is b over a")
def turned_over(a, b):
    return timing.spread(medians_over_medians(b, a))


@to("9.4", wrong="first the median, then the quartiles")
def in_rising_order(a, b):
    return quartiles(medians_over_medians(a, b))


@to("9.4", wrong="the lower one first")
def upper_quartile_first(a, b):
    middle, low, high = timing.spread(medians_over_medians(a, b))
    return middle, high, low


@to("9.4", wrong="by timing.spread, please")
def another_rule(a, b):
    low, middle, high = statistics.quantiles(medians_over_medians(a, b), n=4)
    return middle, low, high


@to("9.4", wrong="b scatters too")
def over_one_median(a, b):
    base = statistics.median(sum(b, []))
    return tuple(x / base for x in timing.spread(sum(a, [])))


@to("9.4", wrong="no quartile of ratios")
def quartile_over_quartile(a, b):
    pairs = zip(timing.spread(sum(a, [])), timing.spread(sum(b, [])), strict=True)
    return tuple(x / y for x, y in pairs)


@to("9.4", wrong="allow that range at worst")
def at_worst(a, b):
    (p, q, r), (s, t, u) = timing.spread(sum(a, [])), timing.spread(sum(b, []))
    return p / s, q / u, r / t


@to("9.4", wrong="not its mean")
def of_means(a, b):
    return timing.spread(
        [statistics.mean(x) / statistics.mean(y) for x, y in zip(a, b, strict=True)]
    )


@to("9.4", wrong="not its quickest sample")
def of_the_quickest(a, b):
    return timing.spread([min(x) / min(y) for x, y in zip(a, b, strict=True)])


@to("9.4", wrong="not its first sample")
def of_the_first(a, b):
    return timing.spread([x[0] / y[0] for x, y in zip(a, b, strict=True)])


@to("9.4", wrong="sort a turn before you take its middle")
def middle_place(a, b):
    return timing.spread([x[len(x) // 2] / y[len(y) // 2] for x, y in zip(a, b, strict=True)])


@to("9.4", wrong="the mean of the two in the middle")
def upper_of_the_two(a, b):
    middle = statistics.median_high
    return timing.spread([middle(x) / middle(y) for x, y in zip(a, b, strict=True)])


@to("9.4", wrong="do not belong together in pairs; divide medians of turns")
def pairs_of_samples(a, b):
    return timing.spread(
        [x / y for s, t in zip(a, b, strict=True) for x, y in zip(s, t, strict=False)]
    )


@to("9.4", wrong="one ratio a turn")
def pairs_over_all_turns(a, b):
    return timing.spread([x / y for x, y in zip(sum(a, []), sum(b, []), strict=False)])


@to("9.4", wrong="not with all of them")
def every_turn_with_every_turn(a, b):
    median = statistics.median
    return timing.spread([median(x) / median(y) for x in a for y in b])


@to("9.4", wrong="no longer beside each other")
def sorted_turns(a, b):
    of_a, of_b = sorted(map(statistics.median, a)), sorted(map(statistics.median, b))
    return timing.spread([x / y for x, y in zip(of_a, of_b, strict=True)])


@to("9.4", wrong="not their mean")
def mean_of_ratios(a, b):
    ratios = medians_over_medians(a, b)
    return statistics.mean(ratios), *timing.spread(ratios)[1:]


@to("9.4", wrong="are no quartiles")
def smallest_and_largest(a, b):
    ratios = medians_over_medians(a, b)
    return statistics.median(ratios), min(ratios), max(ratios)


@to("9.4", wrong="mixes the turns")
def middle_of_all_samples(a, b):
    middle = statistics.median(sum(a, [])) / statistics.median(sum(b, []))
    return middle, *timing.spread(medians_over_medians(a, b))[1:]


@to("9.4", wrong="divided by the median of all of b")
def over_all_of_b(a, b):
    return timing.spread([statistics.median(x) / statistics.median(sum(b, [])) for x in a])


@to("9.4", wrong="that is a difference; divide")
def differences(a, b):
    median = statistics.median
    return timing.spread([median(x) - median(y) for x, y in zip(a, b, strict=True)])


@to("9.4", wrong="that is a float")
def the_median_alone(a, b):
    return statistics.median(medians_over_medians(a, b))


@to("9.4", wrong="those are 5")
def all_ratios(a, b):
    return medians_over_medians(a, b)


@to("9.4", wrong="the last turn is left out")
def without_the_last(a, b):
    return timing.spread(medians_over_medians(a, b)[:-1])


@to("9.4", wrong="you returned")
def the_first_two_turns(a, b):
    return timing.spread(medians_over_medians(a[:2], b[:2]))


@to("9.4", wrong="changes its `a`")
def sorts_the_turns(a, b):
    for turn in a + b:
        turn.sort()
    return timing.spread(medians_over_medians(a, b))


@to("9.4", wrong="returns nothing")
def only_printed(a, b):
    print(timing.spread(medians_over_medians(a, b)))
