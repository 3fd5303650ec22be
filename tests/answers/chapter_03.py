"""Answers to the exercises of chapter 3."""

import math

import numpy
import torch

from answers import to


@to("3.1")
def after_a_padding(tokens, compose):
    """What stands before the row changes nothing."""
    reach = 1
    while reach < tokens.shape[1]:
        before = torch.zeros_like(tokens)
        before[:, reach:] = tokens[:, :-reach]
        tokens, reach = compose(before, tokens), 2 * reach
    return tokens


@to("3.1")
def by_places(tokens, compose):
    places = torch.arange(tokens.size(1))
    for level in range(math.ceil(math.log2(tokens.size(1)))):
        joined = places[places >= 2**level]
        longer = compose(tokens[:, joined - 2**level], tokens[:, joined])
        tokens = tokens.clone()
        tokens[:, joined] = longer
    return tokens


@to("3.1")
def by_blocks(tokens, compose):
    """In round r the first half of each block of 2^r tokens is joined to all of its second half."""
    tokens, T = tokens.clone().contiguous(), tokens.shape[1]
    for level in range((T - 1).bit_length()):
        second = [t for t in range(T) if t >> level & 1]
        last_of_first = [(t >> level << level) - 1 for t in second]
        tokens[:, second] = compose(tokens[:, last_of_first], tokens[:, second])
    return tokens


@to("3.1")
def turned_and_in_floats(tokens, compose):
    columns, reach = tokens.T.double(), 1
    while reach < len(columns):
        columns = torch.cat([columns[:reach], compose(columns[:-reach], columns[reach:])])
        reach += reach
    return columns.T


def in_rounds(tokens, compose, rounds, turned=False, reaches=None):
    """The book's answer, with so many rounds."""
    tokens = tokens.clone()
    for reach in reaches or [2**level for level in range(rounds)]:
        pair = tokens[:, :-reach], tokens[:, reach:]
        tokens[:, reach:] = compose(*(pair[::-1] if turned else pair))
    return tokens


@to("3.1", wrong="the order is wrong: earlier tokens are the first argument")
def turned(tokens, compose):
    return in_rounds(tokens, compose, (tokens.shape[1] - 1).bit_length(), turned=True)


@to("3.1", wrong="too few rounds: log2 of T is rounded up")
def rounded_down(tokens, compose):
    return in_rounds(tokens, compose, int(math.log2(tokens.shape[1])))


@to("3.1", wrong="a token is there twice")
def steps_of_one_more(tokens, compose):
    rounds = (tokens.shape[1] - 1).bit_length()
    return in_rounds(tokens, compose, rounds, reaches=list(range(1, rounds + 1)))


@to("3.1", wrong="T = 2: right, but the number of rounds is 2, and 1 would do")
def one_round_too_many(tokens, compose):
    rounds = int(math.log2(tokens.shape[1])) + (tokens.shape[1] > 1)
    return in_rounds(tokens, compose, rounds)


@to("3.1", wrong="right, but the number of rounds is 4, and 3 would do: one a token")
def one_after_the_other(tokens, compose):
    found = [tokens[:, 0]]
    for token in tokens.T[1:]:
        found.append(compose(found[-1], token))
    return torch.stack(found, dim=1)


@to("3.1", wrong="a token is there twice")
def overlapping(tokens, compose):
    for _ in range((tokens.shape[1] - 1).bit_length()):
        tokens = torch.cat([tokens[:, :1], compose(tokens[:, :-1], tokens[:, 1:])], 1)
    return tokens


@to("3.1", wrong="does the loop end?")
def never_longer(tokens, compose):
    reach = 1
    while reach < tokens.shape[1]:
        tokens = torch.cat([tokens[:, :reach], compose(tokens[:, :-reach], tokens[:, reach:])], 1)
    return tokens


@to("3.1", wrong="a token of its future")
def around_the_corner(tokens, compose):
    for level in range((tokens.shape[1] - 1).bit_length()):
        tokens = compose(tokens.roll(2**level, dims=1), tokens)
    return tokens


@to("3.1", wrong="compose never made what position 0 has")
def counted(tokens, compose):
    return tokens.cumsum(1) % 6


@to("3.1", wrong="compose is handed a number that is neither a token nor a product")
def from_one(tokens, compose):
    before = torch.ones_like(tokens[:, :1])
    return compose(torch.cat([before, tokens[:, :-1]], 1), tokens)


@to("3.1", wrong="its own token is missing")
def exclusive(tokens, compose):
    found = after_a_padding(tokens, compose)
    return torch.cat([torch.zeros_like(found[:, :1]), found[:, :-1]], 1)


@to("3.1", wrong="compose takes two equal shapes")
def unequal(tokens, compose):
    return torch.cat([tokens[:, :1], compose(tokens[:, :-1], tokens)], 1)


@to("3.1", wrong="changes its `tokens`")
def in_place(tokens, compose):
    reach = 1
    while reach < tokens.shape[1]:
        tokens[:, reach:] = compose(tokens[:, :-reach], tokens[:, reach:])
        reach *= 2
    return tokens


@to("3.1", wrong="the shape is (3,), not (B, T)")
def only_the_last(tokens, compose):
    return after_a_padding(tokens, compose)[:, -1]


@to("3.1", wrong="of another row")
def one_long_row(tokens, compose):
    return after_a_padding(tokens.reshape(1, -1), compose).reshape(tokens.shape)


@to("3.1", wrong="return one tensor, not a list")
def a_list(tokens, compose):
    return after_a_padding(tokens, compose).tolist()


@to("3.1", wrong="T = 33: position 8")
def for_eight_at_most(tokens, compose):
    rounds = min(3, (tokens.shape[1] - 1).bit_length())
    return in_rounds(tokens, compose, rounds)


@to("3.1", wrong="tokens are missing, for there are too few rounds")
def nothing_done(tokens, compose):
    return tokens.clone()


@to("3.1", wrong="a round doubles how far back a position reaches")
def leaps(tokens, compose):
    rounds = (tokens.shape[1] - 1).bit_length()
    return in_rounds(tokens, compose, rounds, reaches=[3**level for level in range(rounds)])


@to("3.1", wrong="a round doubles how far back")
def rounds_that_do_not_add_up(tokens, compose):
    found = tokens
    for _ in range((tokens.shape[1] - 1).bit_length()):
        found = in_rounds(tokens, compose, 1)
    return found


@to("3.1", wrong="returns nothing")
def printed(tokens, compose):
    print(after_a_padding(tokens, compose).shape)


@to("3.2")
def in_lists(T):
    return [1.0] * T, [-float(i) for i in range(T)], [1.0] + [2.0 * (-1) ** i for i in range(1, T)]


@to("3.2")
def by_numpy(T):
    bends = numpy.arange(T)
    signs = numpy.where(bends % 2 == 0, 2.0, -2.0)
    signs[0] = 1
    return numpy.ones(T), -bends.astype(numpy.float32), signs


@to("3.2")
def with_other_slopes(T):
    """Unit i has the slope i + 1, and its weight is as much smaller."""
    scale = torch.arange(1, T + 1).float()
    W_2 = torch.tensor([2.0 - 4 * (i % 2) for i in range(T)]) / scale
    W_2[0] = 1
    return scale, -scale * torch.arange(T), W_2.requires_grad_()


@to("3.2")
def in_whole_numbers(T):
    """Tensors of int64; the units stand in another order."""
    bend = torch.arange(T).flip(0)
    return torch.ones_like(bend), -bend, torch.where(bend > 0, 2 - 4 * (bend % 2), 1)


@to("3.2")
def one_tensor(T):
    return torch.stack(with_other_slopes(T)).detach()


def book(T):
    bend = torch.arange(T, dtype=torch.double)
    W_2 = 2 * (-1) ** bend
    W_2[0] = 1
    return torch.ones(T, dtype=torch.double), -bend, W_2


@to("3.2", wrong="b_1 has the wrong sign")
def sign_of_bias(T):
    W_1, b_1, W_2 = book(T)
    return W_1, -b_1, W_2


@to("3.2", wrong="unit 0 turns from level to a slope of 1")
def first_weight_two(T):
    W_1, b_1, W_2 = book(T)
    return W_1, b_1, 2 * (-1) ** -b_1


@to("3.2", wrong="every bend comes one count too late")
def bends_late(T):
    W_1, b_1, W_2 = book(T)
    return W_1, b_1 - 1, W_2


@to("3.2", wrong="it is 1 for even counts")
def bends_early(T):
    W_1, b_1, W_2 = book(T + 1)
    return W_1, b_1 + 1, W_2


@to("3.2", wrong="from c = 1 on the slope should be -1, not 0")
def changes_by_one(T):
    W_1, b_1, W_2 = book(T)
    return W_1, b_1, W_2.sign()


@to("3.2", wrong="from c = 1 on the slope should be -1, not 3")
def without_signs(T):
    W_1, b_1, W_2 = book(T)
    return W_1, b_1, W_2.abs()


@to("3.2", wrong="W_2 has the wrong sign")
def upside_down(T):
    W_1, b_1, W_2 = book(T)
    return W_1, b_1, -W_2


@to("3.2", wrong="c = 7 gives -1 and not 1: from c = 6 on the slope should be 1, not -1")
def one_unit_short(T):
    return tuple(w[:-1] for w in book(T))


@to("3.2", wrong="right, but with F = 8 units, and 7 would do")
def one_unit_more(T):
    return book(T + 1)


@to("3.2", wrong="right, but with F = 14 units")
def two_units_a_bend(T):
    W_1, b_1, W_2 = (torch.cat([w, w]) for w in book(T))
    return W_1, b_1, W_2 / 2


@to("3.2", wrong="the order is W_1, b_1, W_2")
def in_another_order(T):
    W_1, b_1, W_2 = book(T)
    return W_1, W_2, b_1


@to("3.2", wrong="not (F,) three times")
def as_matrices(T):
    W_1, b_1, W_2 = book(T)
    return W_1[:, None], b_1, W_2[None]


@to("3.2", wrong="not (F,) three times")
def one_number_each(T):
    return 1.0, 0.0, 1.0


@to("3.2", wrong="return three vectors")
def without_bias(T):
    W_1, _, W_2 = book(T)
    return W_1, W_2


@to("3.2", wrong="T = 20: there are 7 units, as for T = 7")
def for_seven(T):
    return book(7)


@to("3.2", wrong="returns nothing")
def shown(T):
    print(len(book(T)))


@to("3.2", wrong="c = 1 gives 2 and not 1")
def twice_as_high(T):
    W_1, b_1, W_2 = book(T)
    return W_1, b_1, 2 * W_2


@to("3.3")
def by_cases(state, token):
    (M, R), (m, r) = state, token
    return torch.where(M == m, 0, 1), torch.where(m == 0, R + r, r - R).remainder(3)


@to("3.3")
def with_exclusive_or(state, token):
    sign = 1 - 2 * token[0]
    return [state[0] ^ token[0], (token[1] + sign * state[1] + 3) % 3]


@to("3.3")
def doubled(state, token):
    """To turn back by one place is to turn by two."""
    turned = token[1].float() + state[1] * (1 + token[0])
    return (state[0] != token[0]), turned % 3


@to("3.3")
def in_loops(state, token):
    found = []
    for M, R, m, r in zip(*(x.tolist() for x in (*state, *token)), strict=True):
        cups = [((-cup if M else cup) + R) % 3 for cup in range(3)]
        cups = [((-cup if m else cup) + r) % 3 for cup in cups]
        found.append((int(cups[1] == (cups[0] + 2) % 3), cups[0]))
    return torch.tensor(found).T


def turned_by(turned):
    """An answer that mirrors rightly."""

    def answer(state, token):
        (M, R), (m, r) = state, token
        return (M + m) % 2, turned(M, R, m, r) % 3

    return answer


@to("3.3", wrong="a mirror turns round what was turned before it")
def only_added(state, token):
    return turned_by(lambda M, R, m, r: R + r)(state, token)


@to("3.3", wrong="this is first the token, then the state")
def token_first(state, token):
    return turned_by(lambda M, R, m, r: R + (-1) ** M * r)(state, token)


@to("3.3", wrong="the turns so far change sign where the token does not mirror")
def other_sign(state, token):
    return turned_by(lambda M, R, m, r: r - (-1) ** m * R)(state, token)


@to("3.3", wrong="its own turn keeps its sign")
def all_reversed(state, token):
    return turned_by(lambda M, R, m, r: (-1) ** m * (R + r))(state, token)


@to("3.3", wrong="its own turn keeps its sign, and the turns so far change theirs")
def token_reversed(state, token):
    return turned_by(lambda M, R, m, r: R + (-1) ** m * r)(state, token)


@to("3.3", wrong="not with the state's")
def by_the_state(state, token):
    return turned_by(lambda M, R, m, r: r + (-1) ** M * R)(state, token)


@to("3.3", wrong="mirrors of the past are done")
def by_both(state, token):
    return turned_by(lambda M, R, m, r: r + (-1) ** (M + m) * R)(state, token)


@to("3.3", wrong="only where the token mirrors")
def always_reversed(state, token):
    return turned_by(lambda M, R, m, r: r - R)(state, token)


@to("3.3", wrong="the turns so far are missing")
def forgets(state, token):
    return turned_by(lambda M, R, m, r: r)(state, token)


@to("3.3", wrong="the token's own turn is missing")
def reverses_only(state, token):
    return turned_by(lambda M, R, m, r: (-1) ** m * R)(state, token)


@to("3.3", wrong="turned: state (0, 0), then token (0, 0), gives 1")
def one_too_far(state, token):
    return turned_by(lambda M, R, m, r: r + (-1) ** m * R + 1)(state, token)


@to("3.3", wrong="mirrored: all but the remainder")
def three_mirrors(state, token):
    return state[0] + token[0], by_cases(state, token)[1]


@to("3.3", wrong="turned: all but the remainder, % 3: it goes from -2 to 4")
def turns_on(state, token):
    return by_cases(state, token)[0], token[1] + (-1) ** token[0] * state[1]


@to("3.3", wrong="two mirrors are none")
def either(state, token):
    return state[0] | token[0], by_cases(state, token)[1]


@to("3.3", wrong="mirrored: that is the token's alone")
def last_mirror(state, token):
    return token[0].clone(), by_cases(state, token)[1]


@to("3.3", wrong="mirrored: that is the state's alone")
def first_mirror(state, token):
    return state[0].clone(), by_cases(state, token)[1]


@to("3.3", wrong="they changed places")
def the_other_way_round(state, token):
    return by_cases(state, token)[::-1]


@to("3.3", wrong="return two tensors")
def one_number(state, token):
    mirrored, turned = by_cases(state, token)
    return 3 * mirrored + turned


@to("3.3", wrong="not (B,) = (36,) twice")
def of_the_first_row(state, token):
    mirrored, turned = by_cases(state, token)
    return mirrored[0].item(), turned[0].item()


@to("3.3", wrong="changes its `state`")
def in_the_state(state, token):
    state[0].add_(token[0]).remainder_(2)
    state[1].mul_(1 - 2 * token[0]).add_(token[1]).remainder_(3)
    return state


@to("3.3", wrong="fails at `if token[0]:`")
def asks_a_tensor(state, token):
    if token[0]:
        return state[0], token[1] - state[1]
    return state[0], token[1] + state[1]


@to("3.3", wrong="returns nothing")
def only_printed(state, token):
    print(len(by_cases(state, token)))
