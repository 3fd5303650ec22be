"""Answers to the exercises of chapter 11."""

import itertools
import math
import statistics

import numpy as np
import torch

from answers import to
from feedback.intervals import T_95, interval
from feedback.tasks import NO_LABEL


@to("11.1")
def seed_by_seed(runs, share):
    reached = []
    for run in runs:
        reached.append(0)
        for value in run:
            if value < share:
                break
            reached[-1] += 1
    return min(reached)


@to("11.1")
def position_by_position(runs, share):
    for n in range(len(runs[0])):
        if not all(run[n] >= share for run in runs):
            return n
    return len(runs[0])


@to("11.1")
def with_a_tensor(runs, share):
    shares = torch.tensor([list(run) for run in runs], dtype=torch.double)  # (seeds, T)
    return (shares >= share).all(0).long().cumprod(0).sum()


@to("11.1")
def with_numpy(runs, share):
    missed = np.min(np.array(runs), axis=0) < share
    return missed.argmax() if missed.any() else len(missed)


@to("11.1")
def while_it_holds(runs, share):
    return len([*itertools.takewhile(lambda at: min(at) >= share, zip(*runs, strict=True))])


def reaches(runs, share):
    return [seed_by_seed([run], share) for run in runs]


@to("11.1", wrong="that is the last seed alone")
def the_last_seed(runs, share):
    for run in runs:
        reached = seed_by_seed([run], share)
    return reached


@to("11.1", wrong="that is the first seed alone")
def the_first_seed(runs, share):
    return reaches(runs, share)[0]


@to("11.1", wrong="that is the best seed")
def the_best_seed(runs, share):
    return max(reaches(runs, share))


@to("11.1", wrong="one seed that holds at a position is not enough")
def any_seed(runs, share):
    return seed_by_seed([[max(at) for at in zip(*runs, strict=True)]], share)


@to("11.1", wrong="not their mean")
def the_mean_of_seeds(runs, share):
    return seed_by_seed([[statistics.mean(at) for at in zip(*runs, strict=True)]], share)


@to("11.1", wrong="not their median")
def the_median_of_seeds(runs, share):
    return seed_by_seed([[statistics.median(at) for at in zip(*runs, strict=True)]], share)


@to("11.1", wrong="the mean of how far each reaches")
def the_mean_reach(runs, share):
    return statistics.mean(reaches(runs, share))


@to("11.1", wrong="a later recovery does not count: stop")
def all_good_positions(runs, share):
    return sum(min(at) >= share for at in zip(*runs, strict=True))


@to("11.1", wrong="that is the last good position")
def the_last_good_position(runs, share):
    good = [min(at) >= share for at in zip(*runs, strict=True)]
    return max((n for n, holds in enumerate(good, 1) if holds), default=0)


@to("11.1", wrong="at least, not more")
def more_than_the_share(runs, share):
    return while_it_holds(runs, share + 1e-12)


@to("11.1", wrong="not the place of the last good one")
def the_place(runs, share):
    return position_by_position(runs, share) - 1


@to("11.1", wrong="the first position that fails does not count")
def with_the_failing_one(runs, share):
    return position_by_position(runs, share) + 1


@to("11.1", wrong="if no position fails")
def zero_if_none_fails(runs, share):
    reached = position_by_position(runs, share)
    return reached if reached < len(runs[0]) else 0


@to("11.1", wrong="returns nothing")
def nothing_if_none_fails(runs, share):
    for n in range(len(runs[0])):
        if min(run[n] for run in runs) < share:
            return n


@to("11.1", wrong="not whether")
def whether(runs, share):
    return min(min(run) for run in runs) >= share


@to("11.1", wrong="a number of tokens is whole")
def a_float(runs, share):
    return float(position_by_position(runs, share))


@to("11.1", wrong="whatever the shares")
def the_length(runs, share):
    return len(runs[0])


@to("11.1", wrong="tokens are reached")
def a_fixed_share(runs, share):
    return position_by_position(runs, 0.9)


@to("11.1", wrong="changes its `runs`")
def sorts_the_runs(runs, share):
    for run in runs:
        if isinstance(run, list):
            run.sort(reverse=True)
    return position_by_position(runs, share)


@to("11.1", wrong="fails at `for a, b in zip(*runs, strict=True):`")
def for_two_seeds(runs, share):
    for a, b in zip(*runs, strict=True):
        if min(a, b) < share:
            return 0
    return len(runs[0])


def paired(a, b):
    return [y - x for x, y in zip(a, b, strict=True)]


def around(a, b, half):
    middle = statistics.mean(paired(a, b))
    return middle, middle - half, middle + half


def error_of(a, b):
    return statistics.stdev(paired(a, b)) / math.sqrt(len(a))


@to("11.2")
def after_a_test(a, b):
    if len(a) != len(b):
        raise ValueError(f"{len(a)} and {len(b)} losses")
    return list(interval([b[i] - a[i] for i in range(len(a))]))


@to("11.2")
def in_single_precision(a, b):
    if len(a) != len(b):
        raise ValueError
    differences = torch.tensor(b) - torch.tensor(a)
    half = T_95[len(a)] * differences.std() / len(a) ** 0.5
    return torch.stack([differences.mean(), differences.mean() - half, differences.mean() + half])


@to("11.2")
def by_numpy(a, b):
    differences = np.array(b) - np.array(a)  # other shapes are a ValueError of NumPy
    half = T_95[len(a)] * differences.std(ddof=1) / np.sqrt(len(a))
    return differences.mean() + half * np.array([0, -1, 1])


@to("11.2")
def by_hand(a, b):
    differences = paired(a, b)
    n = len(differences)
    mean = sum(differences) / n
    s = math.sqrt(sum((x - mean) ** 2 for x in differences) / (n - 1))
    return mean, mean - T_95[n] * s / n**0.5, mean + T_95[n] * s / n**0.5


@to("11.2", wrong="pair them by position")
def sorted_first(a, b):
    return interval(paired(sorted(a), sorted(b)))


@to("11.2", wrong="changes its `a`")
def sorted_in_place(a, b):
    a.sort()
    b.sort()
    return interval(paired(a, b))


@to("11.2", wrong="that is a - b")
def turned_round(a, b):
    return interval(paired(b, a))


@to("11.2", wrong="the interval of two means taken apart")
def taken_apart(a, b):
    halves = [interval(x)[2] - interval(x)[0] for x in (a, b)]
    return around(a, b, math.hypot(*halves))


@to("11.2", wrong="adds the widths of both")
def widths_added(a, b):
    return around(a, b, sum(interval(x)[2] - interval(x)[0] for x in (a, b)))


@to("11.2", wrong="subtracts end from end")
def end_from_end(a, b):
    return tuple(paired(interval(a), interval(b)))


@to("11.2", wrong="2 in place of t")
def two_errors(a, b):
    return around(a, b, 2 * error_of(a, b))


@to("11.2", wrong="1.96 in place of t")
def for_many_values(a, b):
    return around(a, b, 1.96 * error_of(a, b))


@to("11.2", wrong="not one more")
def one_more(a, b):
    return around(a, b, T_95[len(a) + 1] * error_of(a, b))


@to("11.2", wrong="not one less")
def degrees_of_freedom(a, b):
    return around(a, b, T_95[len(a) - 1] * error_of(a, b))


@to("11.2", wrong="the mean varies less than a value")
def without_the_root(a, b):
    return around(a, b, T_95[len(a)] * statistics.stdev(paired(a, b)))


@to("11.2", wrong="not by n")
def divided_by_n(a, b):
    return around(a, b, T_95[len(a)] * statistics.stdev(paired(a, b)) / len(a))


@to("11.2", wrong="s divides by n - 1")
def of_a_population(a, b):
    return around(a, b, T_95[len(a)] * statistics.pstdev(paired(a, b)) / len(a) ** 0.5)


@to("11.2", wrong="that is the standard error")
def one_error(a, b):
    return around(a, b, error_of(a, b))


@to("11.2", wrong="the order is mean")
def in_rising_order(a, b):
    return sorted(interval(paired(a, b)))


@to("11.2", wrong="the lower end comes before")
def upper_end_first(a, b):
    middle, low, high = interval(paired(a, b))
    return middle, high, low


@to("11.2", wrong="not how far they lie from the mean")
def distances_from_the_mean(a, b):
    middle, low, high = interval(paired(a, b))
    return middle, low - middle, high - middle


@to("11.2", wrong="keep the sign")
def without_signs(a, b):
    return interval([abs(x) for x in paired(a, b)])


@to("11.2", wrong="not their ratio")
def ratios(a, b):
    return interval([y / x for x, y in zip(a, b, strict=True)])


@to("11.2", wrong="not as a part of the loss")
def in_percent(a, b):
    return interval([(y - x) / x for x, y in zip(a, b, strict=True)])


@to("11.2", wrong="not their median")
def around_the_median(a, b):
    return statistics.median(paired(a, b)), *interval(paired(a, b))[1:]


@to("11.2", wrong="the mean is right, the ends are not")
def always_three(a, b):
    return around(a, b, 3 * error_of(a, b))


@to("11.2", wrong="cannot be paired with 3: raise a ValueError")
def the_rest_dropped(a, b):
    return interval([y - x for x, y in zip(a, b, strict=False)])


@to("11.2", wrong="raise a ValueError, not a AssertionError")
def asserted(a, b):
    assert len(a) == len(b)
    return interval(paired(a, b))


@to("11.2", wrong="that is a float")
def the_mean_alone(a, b):
    return statistics.mean(paired(a, b))


@to("11.2", wrong="returns nothing")
def printed(a, b):
    print(interval(paired(a, b)))


@to("11.5")
def in_plain_loops(model, batches):
    right, asked = {}, {}
    for inputs, labels in batches:
        answers = model(inputs).argmax(-1)
        for b in range(len(labels)):
            for t, label in enumerate(labels[b].tolist()):
                if label != NO_LABEL:
                    right[t] = right.get(t, 0) + (answers[b, t].item() == label)
                asked[t] = asked.get(t, 0) + (label != NO_LABEL)
    return [right.get(t, 0) / n if n else math.nan for t, n in sorted(asked.items())]


@to("11.5")
def all_in_one_batch(model, batches):
    kept = list(batches)
    inputs = torch.cat([inputs for inputs, _ in kept])
    labels = torch.cat([labels for _, labels in kept])
    hit = (model(inputs).softmax(-1).argmax(-1) == labels).float()
    return torch.where(labels == NO_LABEL, math.nan, hit).nanmean(0)


@to("11.5")
def as_an_array(model, batches):
    right, asked = [], []
    for inputs, labels in batches:
        _, answers = model(inputs).max(dim=2)
        right.append((answers == labels).sum(0))
        asked.append((labels != NO_LABEL).sum(0))
    with np.errstate(invalid="ignore"):
        return np.sum([x.numpy() for x in right], 0) / np.sum([x.numpy() for x in asked], 0)


@to("11.5")
def sums_of_products(model, batches):
    total = torch.zeros(2, 1, dtype=torch.double)
    for inputs, labels in batches:
        asked = (labels != NO_LABEL).double()
        hit = asked * (labels == model(inputs).topk(1).indices[..., 0])
        total = total + torch.stack([hit.sum(dim=0), asked.sum(dim=0)])
    return total[0] / total[1]


def counted(model, batches, hits=None, asks=None, share=None):
    """Hits and asked labels of all rows, (rows, T) each, and what `share` makes of them."""
    hit, ask = [], []
    for inputs, labels in batches:
        hit.append((hits or hits_of)(model(inputs), labels).double())
        ask.append((asks or asks_of)(labels).double())
    return (share or share_of)(hit, ask)


def hits_of(logits, labels):
    return logits.argmax(-1) == labels


def asks_of(labels):
    return labels != NO_LABEL


def share_of(hit, ask):
    return torch.cat(hit).sum(0) / torch.cat(ask).sum(0)


@to("11.5", wrong="it counts among neither right nor wrong")
def all_labels_count(model, batches):
    return counted(model, batches, asks=torch.ones_like)


@to("11.5", wrong="you counted it as right")
def no_label_is_right(model, batches):
    return counted(
        model, batches, lambda x, y: hits_of(x, y) | (y == NO_LABEL), asks=torch.ones_like
    )


def shares_of_batches(hit, ask):
    return torch.stack([h.sum(0) / a.sum(0) for h, a in zip(hit, ask, strict=True)])


@to("11.5", wrong="batches differ in size: count over all of them")
def mean_over_batches(model, batches):
    return counted(model, batches, share=lambda hit, ask: shares_of_batches(hit, ask).mean(0))


@to("11.5", wrong="batches differ in size: count over all of them")
def mean_over_batches_that_ask(model, batches):
    return counted(model, batches, share=lambda hit, ask: shares_of_batches(hit, ask).nanmean(0))


@to("11.5", wrong="that is the last batch alone")
def the_last_batch(model, batches):
    for inputs, labels in batches:
        share = counted(model, [(inputs, labels)])
    return share


@to("11.5", wrong="that is the first batch alone")
def the_first_batch(model, batches):
    for inputs, labels in batches:
        return counted(model, [(inputs, labels)])


@to("11.5", wrong="that is a single number")
def one_number(model, batches):
    return counted(
        model, batches, share=lambda hit, ask: torch.cat(hit).sum() / torch.cat(ask).sum()
    )


@to("11.5", wrong="one share for each row")
def row_by_row(model, batches):
    return counted(
        model, batches, share=lambda hit, ask: torch.cat(hit).sum(1) / torch.cat(ask).sum(1)
    )


@to("11.5", wrong="divide by how many are asked")
def counts(model, batches):
    return counted(model, batches, share=lambda hit, ask: torch.cat(hit).sum(0))


@to("11.5", wrong="divide by how many are asked there")
def of_all_that_are_asked(model, batches):
    return counted(
        model, batches, share=lambda hit, ask: torch.cat(hit).sum(0) / torch.cat(ask).sum()
    )


@to("11.5", wrong="do not shift")
def next_labels(model, batches):
    return counted(
        model,
        batches,
        lambda x, y: torch.cat([x[:, :-1].argmax(-1) == y[:, 1:], y[:, :1] < -200], 1).roll(1, 1),
    )[1:]


@to("11.5", wrong="not the one before")
def shifted(model, batches):
    return counted(
        model,
        batches,
        lambda x, y: torch.cat([y[:, :1] < -200, x[:, :-1].argmax(-1) == y[:, 1:]], 1),
    )


@to("11.5", wrong="argmax over the last dimension")
def over_positions(model, batches):
    return counted(model, batches, lambda x, y: x.argmax(1) == y)


@to("11.5", wrong="a softmax goes over the V tokens")
def softmax_over_positions(model, batches):
    return counted(model, batches, lambda x, y: x.softmax(1).argmax(-1) == y)


@to("11.5", wrong="has the largest logit")
def the_least_likely(model, batches):
    return counted(model, batches, lambda x, y: x.argmin(-1) == y)


@to("11.5", wrong="with NO_LABEL among them")
def wrong_answers(model, batches):
    return counted(model, batches, lambda x, y: x.argmax(-1) != y)


@to("11.5", wrong="the share of all positions up to each one")
def up_to_each(model, batches):
    return counted(
        model,
        batches,
        share=lambda hit, ask: torch.cat(hit).sum(0).cumsum(0) / torch.cat(ask).sum(0).cumsum(0),
    )


@to("11.5", wrong="a position where nobody is asked has the share nan")
def zero_for_nan(model, batches):
    return counted(model, batches).nan_to_num(0)


@to("11.5", wrong="a position where nobody is asked has the share nan")
def at_least_one_asked(model, batches):
    return counted(
        model,
        batches,
        share=lambda hit, ask: torch.cat(hit).sum(0) / torch.cat(ask).sum(0).clamp(min=1),
    )


@to("11.5", wrong="do not leave it out")
def without_nan(model, batches):
    share = counted(model, batches)
    return share[~share.isnan()]


@to("11.5", wrong="is there still a batch")
def twice_through_the_batches(model, batches):
    right = sum(hits_of(model(inputs), labels).sum(0) for inputs, labels in batches)
    asked = sum(asks_of(labels).sum(0) for _, labels in batches)
    return right / asked


@to("11.5", wrong="is there still a batch")
def twice_from_zeros(model, batches):
    right, asked = torch.zeros(5), torch.zeros(5)
    for inputs, labels in batches:
        right += hits_of(model(inputs), labels).sum(0)
    for _, labels in batches:
        asked += asks_of(labels).sum(0)
    return right / asked


@to("11.5", wrong="changes inputs or labels")
def labels_overwritten(model, batches):
    right = asked = 0
    for inputs, labels in batches:
        asked = asked + asks_of(labels).sum(0)
        labels[labels == NO_LABEL] = 9
        right = right + hits_of(model(inputs), labels).sum(0)
    return right / asked


@to("11.5", wrong="with one batch of one row")
def for_five_positions(model, batches):
    right, asked = torch.zeros(5), torch.zeros(5)
    for inputs, labels in batches:
        right += hits_of(model(inputs), labels).sum(0)
        asked += asks_of(labels).sum(0)
    return right / asked


@to("11.5", wrong="returns nothing")
def shown(model, batches):
    print(counted(model, batches))


def finite_first(loss):
    return math.inf if math.isnan(loss) else loss


@to("11.6")
def by_sorting(train, settings, search_seed, seeds):
    chosen = sorted(settings, key=lambda setting: finite_first(train(setting, search_seed)))[0]
    return [chosen, tuple(train(chosen, seed) for seed in seeds)]


@to("11.6")
def by_numpy_places(train, settings, search_seed, seeds):
    tried = np.array([train(setting, search_seed) for setting in settings])
    chosen = settings[int(np.nanargmin(tried))]
    return dict(chosen), [np.float64(train(chosen, seed)) for seed in seeds]


@to("11.6")
def keeping_the_best(train, settings, search_seed, seeds):
    best, lowest = None, math.inf
    for setting in settings:
        loss = train(setting, search_seed)
        if loss < lowest:  # nan is not below anything
            best, lowest = setting, loss
    losses = []
    for seed in seeds:
        losses.append(train(best, seed))
    return best, losses


def searched(train, settings, search_seed, key=finite_first):
    """The place of the chosen setting, and the losses of the search."""
    tried = [train(setting, search_seed) for setting in settings]
    return min(range(len(tried)), key=lambda n: key(tried[n])), tried


@to("11.6", wrong="nan compares with nothing")
def min_of_a_list_with_nan(train, settings, search_seed, seeds):
    tried = [train(setting, search_seed) for setting in settings]
    chosen = settings[tried.index(min(tried))]
    return chosen, [train(chosen, seed) for seed in seeds]


@to("11.6", wrong="the lowest loss is best")
def the_highest(train, settings, search_seed, seeds):
    chosen, _ = searched(train, settings, search_seed, lambda x: math.inf if x != x else -x)
    return settings[chosen], [train(settings[chosen], seed) for seed in seeds]


@to("11.6", wrong="the fresh seeds have chosen")
def chosen_by_results(train, settings, search_seed, seeds):
    def result(setting):
        losses = [train(setting, seed) for seed in seeds]
        return statistics.mean(loss for loss in losses if not math.isnan(loss))

    searched(train, settings, search_seed)
    chosen = min(settings, key=result)
    return chosen, [train(chosen, seed) for seed in seeds]


@to("11.6", wrong="fresh seed")
def search_with_a_fresh_seed(train, settings, search_seed, seeds):
    chosen, _ = searched(train, settings, seeds[0])
    return settings[chosen], [train(settings[chosen], seed) for seed in seeds]


@to("11.6", wrong="a setting whose training broke off was chosen")
def the_first_setting(train, settings, search_seed, seeds):
    searched(train, settings, search_seed)
    return settings[0], [train(settings[0], seed) for seed in seeds]


@to("11.6", wrong="the run of the search was picked for its luck")
def with_the_search(train, settings, search_seed, seeds):
    chosen, tried = searched(train, settings, search_seed)
    return settings[chosen], [tried[chosen], *(train(settings[chosen], seed) for seed in seeds)]


@to("11.6", wrong="the run of the search was picked for its luck")
def only_the_search(train, settings, search_seed, seeds):
    chosen, tried = searched(train, settings, search_seed)
    return settings[chosen], [tried[chosen]]


@to("11.6", wrong="trained anew, with each fresh seed")
def the_search_again_and_again(train, settings, search_seed, seeds):
    chosen, _ = searched(train, settings, search_seed)
    return settings[chosen], [train(settings[chosen], search_seed) for _ in seeds]


@to("11.6", wrong="those are the losses of the search")
def losses_of_the_search(train, settings, search_seed, seeds):
    chosen, tried = searched(train, settings, search_seed)
    return settings[chosen], tried


def run_fairly(train, settings, search_seed, seeds, make):
    """The right answer, but for what `make` makes of the losses."""
    chosen, _ = searched(train, settings, search_seed)
    return settings[chosen], make([train(settings[chosen], seed) for seed in seeds])


@to("11.6", wrong="belongs to the results")
def finished_ones(train, settings, search_seed, seeds):
    return run_fairly(train, settings, search_seed, seeds, lambda x: [y for y in x if y == y])


@to("11.6", wrong="not the best of them alone")
def the_best_result(train, settings, search_seed, seeds):
    return run_fairly(train, settings, search_seed, seeds, lambda x: [min(x, key=finite_first)])


@to("11.6", wrong="not a float")
def the_mean_result(train, settings, search_seed, seeds):
    return run_fairly(train, settings, search_seed, seeds, statistics.mean)


@to("11.6", wrong="stays nan in the list")
def nan_to_infinity(train, settings, search_seed, seeds):
    return run_fairly(train, settings, search_seed, seeds, lambda x: [*map(finite_first, x)])


@to("11.6", wrong="in the order of their seeds")
def sorted_results(train, settings, search_seed, seeds):
    return run_fairly(train, settings, search_seed, seeds, lambda x: sorted(x, key=finite_first))


@to("11.6", wrong="one fresh seed is not all of them")
def one_fresh_seed(train, settings, search_seed, seeds):
    return run_fairly(train, settings, search_seed, seeds[:1], list)


@to("11.6", wrong="return the setting itself; that is 1")
def its_place(train, settings, search_seed, seeds):
    chosen, _ = searched(train, settings, search_seed)
    return chosen, [train(settings[chosen], seed) for seed in seeds]


@to("11.6", wrong="the chosen setting comes first")
def losses_first(train, settings, search_seed, seeds):
    chosen, losses = keeping_the_best(train, settings, search_seed, seeds)
    return losses, chosen


@to("11.6", wrong="return two things")
def losses_alone(train, settings, search_seed, seeds):
    return keeping_the_best(train, settings, search_seed, seeds)[1]


@to("11.6", wrong="train only the chosen setting")
def everything_trained(train, settings, search_seed, seeds):
    chosen, _ = searched(train, settings, search_seed)
    results = [[train(setting, seed) for seed in seeds] for setting in settings]
    return settings[chosen], results[chosen]


@to("11.6", wrong="losses of another setting")
def the_next_setting(train, settings, search_seed, seeds):
    chosen, _ = searched(train, settings, search_seed)
    after = settings[(chosen + 1) % len(settings)]
    return settings[chosen], [train(after, seed) for seed in seeds]


@to("11.6", wrong="neither of search nor of result")
def a_seed_of_its_own(train, settings, search_seed, seeds):
    chosen, _ = searched(train, settings, search_seed)
    return settings[chosen], [train(settings[chosen], n) for n in range(len(seeds))]


@to("11.6", wrong="which is no setting")
def rates_alone(train, settings, search_seed, seeds):
    chosen, _ = searched(train, [x["learning_rate"] for x in settings], search_seed)
    return settings[chosen], [train(settings[chosen], seed) for seed in seeds]


@to("11.6", wrong="changes its `settings`")
def sorts_the_settings(train, settings, search_seed, seeds):
    settings.sort(key=lambda setting: finite_first(train(setting, search_seed)))
    return settings[0], [train(settings[0], seed) for seed in seeds]
