"""Answers to the exercises of chapter 12."""

import math

import torch
from torch.nn import functional as F

from answers import to

# 12.1


def earlier(h, by=1):
    return F.pad(h, (0, 0, by, 0))[: len(h)]


def repeated(x, passes, one_pass, start=0.0):
    h = torch.full_like(x, start)
    for _ in range(passes):
        h = one_pass(h)
    return h


@to("12.1")
def with_a_row_of_zeros(x, W, passes):
    h = torch.zeros_like(x)
    for _ in range(passes):
        before = torch.cat([torch.zeros(1, x.shape[1], dtype=x.dtype), h[:-1]])
        h = torch.tanh(before @ W + x)
    return h


@to("12.1")
def by_a_matrix_that_shifts(x, W, passes):
    shift = torch.diag(torch.ones(len(x) - 1, dtype=x.dtype), -1)
    h = 0 * x
    for _ in range(passes):
        h = torch.tanh(shift @ h @ W + x)
    return h


@to("12.1")
def rolled_and_mended(x, W, passes):
    h = torch.zeros_like(x)
    while passes:
        before = h.roll(1, dims=0)
        before[0] = 0
        h, passes = (x + before @ W).tanh(), passes - 1
    return h


@to("12.1")
def into_a_new_tensor(x, W, passes):
    h = x.new_zeros(x.shape)
    for _ in range(passes):
        new = x.clone()
        new[1:] += h[:-1] @ W
        h = new.tanh()
    return h


@to("12.1")
def step_by_step_from_the_old_ones(x, W, passes):
    h = [torch.zeros_like(row) for row in x]
    for _ in range(passes):
        h = [torch.tanh(x[t] + (h[t - 1] @ W if t else 0)) for t in range(len(x))]
    return torch.stack(h)


@to("12.1", wrong="that is the exact result, whatever the number of passes")
def one_after_another(x, W, passes):
    h, state = [], torch.zeros_like(x[0])
    for row in x:
        state = (state @ W + row).tanh()
        h.append(state)
    return torch.stack(h)


@to("12.1", wrong="that is the exact result, whatever the number of passes")
def in_place(x, W, passes):
    h = torch.zeros_like(x)
    for _ in range(passes):
        for t in range(len(x)):
            h[t] = (x[t] + (h[t - 1] @ W if t else 0)).tanh()
    return h


@to("12.1", wrong="that is one pass too many")
def begins_with_a_pass_done(x, W, passes):
    h = x.tanh()
    for _ in range(passes):
        h = (earlier(h) @ W + x).tanh()
    return h


@to("12.1", wrong="that is one pass too few")
def one_pass_less(x, W, passes):
    return repeated(x, passes - 1, lambda h: (earlier(h) @ W + x).tanh())


@to("12.1", wrong="it does not begin with x")
def begins_with_x(x, W, passes):
    h = x
    for _ in range(passes):
        h = (earlier(h) @ W + x).tanh()
    return h


@to("12.1", wrong="and not its own")
def reads_itself(x, W, passes):
    return repeated(x, passes, lambda h: (h @ W + x).tanh())


@to("12.1", wrong="and not the one after it")
def reads_the_next(x, W, passes):
    return repeated(x, passes, lambda h: (F.pad(h, (0, 0, 0, 1))[1:] @ W + x).tanh())


@to("12.1", wrong="it must not read the last one")
def rolled(x, W, passes):
    return repeated(x, passes, lambda h: (h.roll(1, 0) @ W + x).tanh())


@to("12.1", wrong="and not the one before that")
def two_back(x, W, passes):
    return repeated(x, passes, lambda h: (earlier(h, 2) @ W + x).tanh())


@to("12.1", wrong="h W, and not W h")
def transposed(x, W, passes):
    return repeated(x, passes, lambda h: (earlier(h) @ W.T + x).tanh())


@to("12.1", wrong="the tanh is missing")
def linear(x, W, passes):
    return repeated(x, passes, lambda h: earlier(h) @ W + x)


@to("12.1", wrong="the tanh goes around the whole sum")
def half_a_tanh(x, W, passes):
    return repeated(x, passes, lambda h: (earlier(h) @ W).tanh() + x)


@to("12.1", wrong="of the last pass")
def every_pass(x, W, passes):
    found, h = [], torch.zeros_like(x)
    for _ in range(passes):
        h = (earlier(h) @ W + x).tanh()
        found.append(h)
    return torch.stack(found)


@to("12.1", wrong="return the states of all steps")
def the_last_state(x, W, passes):
    return with_a_row_of_zeros(x, W, passes)[-1]


@to("12.1", wrong="returns nothing")
def printed(x, W, passes):
    print(with_a_row_of_zeros(x, W, passes))


# 12.2


def relative(new, old):
    return (new - old).norm(dim=-1) / new.norm(dim=-1)


def stopping(rule, most=None):
    """An answer that stops by a rule of the new and the old vectors and the tolerance."""

    def run(one_pass, guess, tolerance):
        new, old, passes, rests = guess, guess, 0, False
        while not rests and passes < (most or len(guess)):
            old, new = new, one_pass(new)
            passes, rests = passes + 1, rule(new, old, tolerance)
        return new, passes

    return run


@to("12.2")
def with_a_while(one_pass, guess, tolerance):
    vectors, passes, moved = guess, 0, math.inf
    while moved > tolerance and passes < guess.shape[0]:
        before, vectors = vectors, one_pass(vectors)
        moved = relative(vectors, before).max().item()
        passes += 1
    return vectors, passes


@to("12.2")
def with_all(one_pass, guess, tolerance):
    passes, T = 0, len(guess)
    while True:
        new = one_pass(guess)
        passes += 1
        size, step = new.pow(2).sum(-1).sqrt(), (new - guess).pow(2).sum(-1).sqrt()
        if (step <= tolerance * size).all() or passes == T:
            return new, passes
        guess = new


@to("12.2")
def calling_itself(one_pass, guess, tolerance):
    def go(old, passes):
        new = one_pass(old)
        rests = relative(new, old).amax() <= tolerance
        return (new, passes) if rests or passes == len(guess) else go(new, passes + 1)

    return go(guess, 1)


@to("12.2")
def in_numpy(one_pass, guess, tolerance):
    old = guess.numpy()
    for number in range(len(old)):
        new = one_pass(torch.from_numpy(old)).numpy()
        moved = ((new - old) ** 2).sum(-1) ** 0.5 / (new**2).sum(-1) ** 0.5
        old = new
        if moved.max() <= tolerance or number == len(old) - 1:
            return torch.from_numpy(new), torch.tensor(number + 1)


@to("12.2", wrong="it takes the mean over vectors")
def by_the_mean(one_pass, guess, tolerance):
    return stopping(lambda new, old, to: relative(new, old).mean() <= to)(
        one_pass, guess, tolerance
    )


@to("12.2", wrong="it looks at all vectors as one")
def by_the_whole(one_pass, guess, tolerance):
    def rests(new, old, to):
        return (new - old).norm() / new.norm() <= to

    return stopping(rests)(one_pass, guess, tolerance)


@to("12.2", wrong="it stops when the first vector rests")
def any_rests(one_pass, guess, tolerance):
    def rests(new, old, to):
        return (relative(new, old) <= to).any()

    return stopping(rests)(one_pass, guess, tolerance)


@to("12.2", wrong="divide by the length of the vector")
def absolute(one_pass, guess, tolerance):
    def rests(new, old, to):
        return (new - old).norm(dim=-1).max() <= to

    return stopping(rests)(one_pass, guess, tolerance)


@to("12.2", wrong="not of the old one")
def over_the_old(one_pass, guess, tolerance):
    def rests(new, old, to):
        return ((new - old).norm(dim=-1) / old.norm(dim=-1)).max() <= to

    return stopping(rests)(one_pass, guess, tolerance)


@to("12.2", wrong="a vector that turns has moved too")
def by_lengths(one_pass, guess, tolerance):
    def rests(new, old, to):
        length, before = new.norm(dim=-1), old.norm(dim=-1)
        return ((length - before).abs() / length).max() <= to

    return stopping(rests)(one_pass, guess, tolerance)


@to("12.2", wrong="the largest number of the difference")
def by_the_largest_number(one_pass, guess, tolerance):
    def rests(new, old, to):
        return ((new - old).abs().amax(-1) / new.norm(dim=-1)).max() <= to

    return stopping(rests)(one_pass, guess, tolerance)


@to("12.2", wrong="it does not stop")
def without_end(one_pass, guess, tolerance):
    return stopping(lambda new, old, to: relative(new, old).max() <= to, 10**6)(
        one_pass, guess, tolerance
    )


@to("12.2", wrong="where nothing may move: 9 passes are taken, 4 are enough")
def strictly_below(one_pass, guess, tolerance):
    return stopping(lambda new, old, to: relative(new, old).max() < to)(one_pass, guess, tolerance)


@to("12.2", wrong="it stops after 8 passes; all rest after 9")
def one_short(one_pass, guess, tolerance):
    return stopping(lambda new, old, to: relative(new, old).max() <= to, len(guess) - 1)(
        one_pass, guess, tolerance
    )


@to("12.2", wrong="passes are taken and")
def counts_from_zero(one_pass, guess, tolerance):
    vectors, passes = with_a_while(one_pass, guess, tolerance)
    return vectors, passes - 1


@to("12.2", wrong="return the ones that it has given")
def gives_what_was_read(one_pass, guess, tolerance):
    new, passes, moved = guess, 0, math.inf
    while moved > tolerance and passes < len(guess):
        old, new = new, one_pass(new)
        passes, moved = passes + 1, relative(new, old).max()
    return old, passes


@to("12.2", wrong="hand each pass what the pass before has given")
def always_from_the_guess(one_pass, guess, tolerance):
    return one_pass(0 * guess), 1


@to("12.2", wrong="return two things")
def vectors_alone(one_pass, guess, tolerance):
    return with_a_while(one_pass, guess, tolerance)[0]


@to("12.2", wrong="the number of passes is a whole number")
def and_how_far(one_pass, guess, tolerance):
    vectors, _ = with_a_while(one_pass, guess, tolerance)
    return vectors, 0.01


# 12.3

APART = 1e-8


def moved(x, size=APART):
    other = x.clone()
    other[0] += size
    return other


@to("12.3")
def with_a_list(f, x, steps):
    growth, other = [], moved(x)
    for _ in range(steps):
        x, other = f(x), f(other)
        off = other - x
        growth.append((off.norm() / APART).log())
        other = x + off * APART / off.norm()
    return torch.stack(growth).mean()


@to("12.3")
def as_floats(f, x, steps):
    total, direction = 0.0, [1.0] + [0.0] * (len(x) - 1)
    for _ in range(steps):
        other = x + APART * torch.tensor(direction, dtype=x.dtype)
        x, other = f(x), f(other)
        off = (other - x).tolist()
        size = math.sqrt(sum(o * o for o in off))
        total += math.log(size / APART) / steps
        direction = [o / size for o in off]
    return total


@to("12.3")
def by_derivatives(f, x, steps):
    direction, total = torch.zeros_like(x), 0.0
    direction[0] = 1
    for _ in range(steps):
        x, direction = torch.func.jvp(f, (x,), (direction,))
        total += direction.norm().log()
        direction = direction / direction.norm()
    return total / steps


@to("12.3")
def both_ways(f, x, steps):
    total, direction = 0.0, torch.eye(len(x), dtype=x.dtype)[0]
    for _ in range(steps):
        off = (f(x + APART * direction) - f(x - APART * direction)) / (2 * APART)
        total, x, direction = total + off.norm().log().item(), f(x), off / off.norm()
    return total / steps


def measured(f, x, steps, collect, back=lambda x, off: x + off * APART / off.norm(), move=True):
    growth, other = [], moved(x)
    for _ in range(steps):
        new, other = f(x), f(other)
        off = other - new
        growth.append((off.norm() / APART).item())
        x = new if move else x
        other = back(x, off)
    return collect(growth)


def mean_log(growth):
    return sum(map(math.log, growth)) / len(growth)


@to("12.3", wrong="divide by their number")
def the_sum(f, x, steps):
    return measured(f, x, steps, lambda g: sum(map(math.log, g)))


@to("12.3", wrong="not one of base 2")
def in_bits(f, x, steps):
    return measured(f, x, steps, lambda g: sum(map(math.log2, g)) / len(g))


@to("12.3", wrong="the sign")
def shrinking(f, x, steps):
    return -measured(f, x, steps, mean_log)


@to("12.3", wrong="the last step alone")
def only_the_last(f, x, steps):
    return measured(f, x, steps, lambda g: math.log(g[-1]))


@to("12.3", wrong="take its logarithm")
def mean_growth(f, x, steps):
    return measured(f, x, steps, lambda g: sum(g) / len(g))


@to("12.3", wrong="take the logarithm at each step, and then the mean")
def log_of_the_mean(f, x, steps):
    return measured(f, x, steps, lambda g: math.log(sum(g) / len(g)))


@to("12.3", wrong="and not along the first axis")
def always_along_the_first_axis(f, x, steps):
    return measured(f, x, steps, mean_log, back=lambda x, off: moved(x))


@to("12.3", wrong="the first point must move on as well")
def stays_where_it_is(f, x, steps):
    total, direction = 0.0, torch.zeros_like(x)
    direction[0] = 1
    for _ in range(steps):
        off = f(x + APART * direction) - f(x)
        total, direction = total + (off.norm() / APART).log().item(), off / off.norm()
    return total / steps


@to("12.3", wrong="bring the second point back to distance 1e-8")
def never_brought_back(f, x, steps):
    other = moved(x)
    for _ in range(steps):
        x, other = f(x), f(other)
    return ((other - x).norm() / APART).log().item() / steps


@to("12.3", wrong="the logarithm of the distance over 1e-8")
def of_the_distance(f, x, steps):
    return measured(f, x, steps, lambda g: sum(math.log(one * APART) for one in g) / len(g))


@to("12.3", wrong="one step too many")
def one_more(f, x, steps):
    return measured(f, x, steps + 1, mean_log)


@to("12.3", wrong="return one number")
def all_of_them(f, x, steps):
    return measured(f, x, steps, lambda g: [math.log(one) for one in g] + [0.0])
