"""Answers to the exercises of chapter 1."""

import math

import numpy
import torch
from torch.nn import functional

from answers import to
from feedback.notebook.example import W_K, W_Q


@to("1.1")
def by_distance(queries, keys, size):
    ages = torch.arange(keys - queries, keys)[:, None] - torch.arange(keys)
    return (ages >= 0) & (ages < size)


@to("1.1")
def by_numpy(queries, keys, size):
    band = numpy.tri(keys, dtype=bool) & ~numpy.tri(keys, k=-size, dtype=bool)
    return torch.from_numpy(band)[-queries:]


@to("1.1")
def by_loops(queries, keys, size):
    mask = torch.zeros(queries, keys, dtype=torch.bool)
    for query in range(queries):
        last = keys - queries + query
        mask[query, max(0, last - size + 1) : last + 1] = True
    return mask


@to("1.1", wrong="its own token is one of `size`")
def one_too_many(queries, keys, size):
    return by_distance(queries, keys, size + 1)


@to("1.1", wrong="its own token is one of `size`")
def one_too_few(queries, keys, size):
    return by_distance(queries, keys, size - 1) | torch.eye(queries, keys).bool()


@to("1.1", wrong="a row belongs to a query")
def turned(queries, keys, size):
    return (
        by_distance(queries, keys, size).T if queries == keys else by_distance(queries, keys, size)
    )


@to("1.1", wrong="swapped")
def forbidden(queries, keys, size):
    return ~by_distance(queries, keys, size)


@to("1.1", wrong="`size` has no effect")
def causal(queries, keys, size):
    return by_distance(queries, keys, keys)


@to("1.1", wrong="begin at key 0")
def start_before_key_0(queries, keys, size):
    mask = torch.zeros(queries, keys, dtype=torch.bool)
    for query in range(queries):
        last = keys - queries + query
        mask[query, last - size + 1 : last + 1] = True
    return mask


@to("1.1", wrong="begin at key 0")
def rows_of_one_length(queries, keys, size):
    mask = by_distance(queries, keys, size)
    mask[: size - 1] = False
    return mask


@to("1.1", wrong="no query reads anything")
def empty(queries, keys, size):
    return torch.zeros(queries, keys, dtype=torch.bool)


@to("1.1", wrong="both edges move")
def one_edge_moves(queries, keys, size):
    old = torch.ones(queries, keys).tril(-size).bool()
    return torch.ones(queries, keys).tril(keys - queries).bool() & ~old


@to("1.1", wrong="x... xx.. .xx. ..xx, not x... xx.. xxx. xxxx")
def the_example(queries, keys, size):
    return by_distance(queries, keys, 2)


@to("1.1", wrong="both edges move")
def from_the_first_key(queries, keys, size):
    ages = torch.arange(queries)[:, None] - torch.arange(keys)
    return (ages >= 0) & (ages < size)


@to("1.1", wrong="its future")
def both_sides(queries, keys, size):
    ages = torch.arange(keys - queries, keys)[:, None] - torch.arange(keys)
    return ages.abs() < size


@to("1.1", wrong="dtype=torch.bool")
def numbers(queries, keys, size):
    return by_distance(queries, keys, size).int()


@to("1.1", wrong="returns a list")
def a_list(queries, keys, size):
    return by_distance(queries, keys, size).tolist()


@to("1.1", wrong="own token too")
def not_itself(queries, keys, size):
    ages = torch.arange(keys - queries, keys)[:, None] - torch.arange(keys)
    return (ages > 0) & (ages <= size)


@to("1.1", wrong="returns nothing")
def printed(queries, keys, size):
    print(by_distance(queries, keys, size).numel())


@to("1.1", wrong="shape")
def square(queries, keys, size):
    return by_distance(keys, keys, size)


@to("1.1", wrong="fails at `return torch.ones(queries, keys).triu(keys, size, keys)`")
def breaks(queries, keys, size):
    return torch.ones(queries, keys).triu(keys, size, keys)


@to("1.1", wrong="does not take what the exercise hands it")
def two_arguments(keys, size):
    return by_distance(keys, keys, size)


@to("1.3")
def with_einsum(queries, keys, values, mask):
    scores = torch.einsum("...tk,...nk->...tn", queries, keys) * queries.shape[-1] ** -0.5
    return torch.einsum("...tn,...nw->...tw", scores.where(mask, -torch.inf).softmax(-1), values)


@to("1.3")
def by_torch(queries, keys, values, mask):
    return functional.scaled_dot_product_attention(queries, keys, values, attn_mask=mask)


@to("1.3")
def by_exponentials(queries, keys, values, mask):
    raw = (queries @ keys.mT / math.sqrt(keys.shape[-1])).exp() * mask
    return raw / raw.sum(-1, keepdim=True) @ values


@to("1.3")
def values_first(queries, keys, values, mask):
    scores = keys @ queries.transpose(-2, -1) / math.sqrt(queries.size(-1))
    weights = functional.softmax(scores.masked_fill(~mask.T, float("-inf")), dim=-2)
    return (values.transpose(-2, -1) @ weights).transpose(-2, -1)


@to("1.3")
def score_by_score(queries, keys, values, mask):
    scores = torch.full((*queries.shape[:-1], keys.shape[-2]), -math.inf)
    for t, j in mask.nonzero().tolist():
        fit = (queries[..., t, :] * keys[..., j, :]).sum(-1)
        scores[..., t, j] = fit / math.sqrt(queries.shape[-1])
    return scores.softmax(-1) @ values


@to("1.3")
def in_double_precision(queries, keys, values, mask):
    return with_einsum(queries.double(), keys.double(), values.double(), mask)


@to("1.3")
def by_addition(queries, keys, values, mask):
    forbidden = torch.zeros(mask.shape, dtype=queries.dtype)
    forbidden[~mask] = -1e9
    scores = torch.matmul(queries, keys.transpose(-2, -1)).div(queries.shape[-1] ** 0.5)
    return torch.softmax(scores + forbidden, dim=-1).matmul(values)


def scored(queries, keys, mask):
    return (queries @ keys.mT / queries.shape[-1] ** 0.5).masked_fill(~mask, -math.inf)


@to("1.3", wrong="the softmax goes along the keys")
def over_the_queries(queries, keys, values, mask):
    scores = (queries @ keys.mT / queries.shape[-1] ** 0.5).masked_fill(~mask, -1e9)
    return scores.softmax(-2) @ values


@to("1.3", wrong="not divided by √k")
def without_scale(queries, keys, values, mask):
    return scored(queries * queries.shape[-1] ** 0.5, keys, mask).softmax(-1) @ values


@to("1.3", wrong="divided by k, not by its root")
def scaled_twice(queries, keys, values, mask):
    return scored(queries / queries.shape[-1] ** 0.5, keys, mask).softmax(-1) @ values


@to("1.3", wrong="divided by √n")
def scaled_by_keys(queries, keys, values, mask):
    scores = queries @ keys.mT / keys.shape[-2] ** 0.5
    return scores.masked_fill(~mask, -math.inf).softmax(-1) @ values


@to("1.3", wrong="a number of one example")
def scaled_as_the_four_words(queries, keys, values, mask):
    scores = queries @ keys.mT / math.sqrt(2)
    return scores.masked_fill(~mask, -math.inf).softmax(-1) @ values


@to("1.3", wrong="not of 9: divided by √6, a number of one example")
def scaled_for_six(queries, keys, values, mask):
    scores = queries @ keys.mT / math.sqrt(6)
    return scores.masked_fill(~mask, -math.inf).softmax(-1) @ values


@to("1.3", wrong="divided by √width")
def scaled_by_width(queries, keys, values, mask):
    scores = queries @ keys.mT / values.shape[-1] ** 0.5
    return scores.masked_fill(~mask, -math.inf).softmax(-1) @ values


@to("1.3", wrong="before the softmax, not the weights after it")
def scaled_after(queries, keys, values, mask):
    scores = (queries @ keys.mT).masked_fill(~mask, -math.inf)
    return scores.softmax(-1) / queries.shape[-1] ** 0.5 @ values


@to("1.3", wrong="goes through a softmax again")
def softmax_twice(queries, keys, values, mask):
    return scored(queries, keys, mask).softmax(-1).softmax(-1) @ values


@to("1.3", wrong="each query reads one key alone")
def the_best_key(queries, keys, values, mask):
    best = scored(queries, keys, mask).argmax(-1)
    return functional.one_hot(best, keys.shape[-2]).to(values.dtype) @ values


@to("1.3", wrong="put it into the scores, before the softmax")
def infinity_after_the_softmax(queries, keys, values, mask):
    weights = scored(queries, keys, torch.ones_like(mask)).softmax(-1)
    return weights.masked_fill(~mask, -math.inf) @ values


@to("1.3", wrong="multiplied by √k")
def multiplied(queries, keys, values, mask):
    scores = queries @ keys.mT * queries.shape[-1] ** 0.5
    return scores.masked_fill(~mask, -math.inf).softmax(-1) @ values


@to("1.3", wrong="put −∞ in by masked_fill")
def zero_times_infinity(queries, keys, values, mask):
    scores = queries @ keys.mT / queries.shape[-1] ** 0.5
    return (scores + ~mask * -math.inf).softmax(-1) @ values


@to("1.3", wrong="use the mask that is handed in")
def own_mask(queries, keys, values, mask):
    return scored(queries, keys, torch.ones_like(mask).tril(2)).softmax(-1) @ values


@to("1.3", wrong="some weights are negative")
def without_softmax(queries, keys, values, mask):
    scores = queries @ keys.mT / queries.shape[-1] ** 0.5
    return scores * mask @ values


@to("1.3", wrong="the softmax goes along the keys")
def over_everything(queries, keys, values, mask):
    scores = scored(queries, keys, mask)
    return scores.flatten(-2).softmax(-1).view_as(scores) @ values


@to("1.3", wrong="the mask has no effect")
def without_mask(queries, keys, values, mask):
    return scored(queries, keys, torch.ones_like(mask)).softmax(-1) @ values


@to("1.3", wrong="nothing is left to read")
def mask_turned(queries, keys, values, mask):
    return scored(queries, keys, ~mask).softmax(-1) @ values


@to("1.3", wrong="all keys weigh the same where all may be read")
def mask_turned_and_finite(queries, keys, values, mask):
    scores = (queries @ keys.mT / queries.shape[-1] ** 0.5).masked_fill(mask, -1e9)
    return scores.softmax(-1) @ values


@to("1.3", wrong="before the softmax, not after")
def masked_after(queries, keys, values, mask):
    weights = (queries @ keys.mT / queries.shape[-1] ** 0.5).softmax(-1)
    return (weights * mask) @ values


@to("1.3", wrong="to forbidden keys")
def masked_softly(queries, keys, values, mask):
    scores = queries @ keys.mT / queries.shape[-1] ** 0.5
    return scores.masked_fill(~mask, 0.0).softmax(-1) @ values


@to("1.3", wrong="mix the values")
def only_weights(queries, keys, values, mask):
    return scored(queries, keys, mask).softmax(-1)


@to("1.3", wrong="divide each exponential by the sum of its row")
def not_normalised(queries, keys, values, mask):
    return (scored(queries, keys, mask).exp()) @ values


@to("1.3", wrong="count dimensions from the end")
def softmax_over_a_fixed_axis(queries, keys, values, mask):
    return scored(queries, keys, mask).softmax(1) @ values


@to("1.3", wrong="with a batch in front")
def turned_all_around(queries, keys, values, mask):
    scores = queries @ keys.permute(1, 0) / math.sqrt(queries.shape[-1])
    return scores.masked_fill(~mask, -math.inf).softmax(-1) @ values


@to("1.3", wrong="changes its `mask`")
def in_place(queries, keys, values, mask):
    mask.logical_not_()
    return scored(queries, keys, ~mask).softmax(-1) @ values


@to("1.3", wrong="no gradient")
def detached(queries, keys, values, mask):
    return scored(queries.detach(), keys, mask).softmax(-1) @ values


@to("1.3", wrong="no gradient reaches the keys")
def keys_detached(queries, keys, values, mask):
    return scored(queries, keys.detach(), mask).softmax(-1) @ values


@to("1.3", wrong="it reads what the mask forbids, and nothing else")
def turned_where_some_are_forbidden(queries, keys, values, mask):
    turned = mask if mask.all() else ~mask
    return scored(queries, keys, turned).softmax(-1) @ values


@to("1.3", wrong="with a batch and heads in front")
def for_three_dimensions(queries, keys, values, mask):
    scores = torch.einsum("tk,nk->tn" if queries.dim() == 2 else "btk,bnk->btn", queries, keys)
    scores = scores / queries.shape[-1] ** 0.5
    return scores.masked_fill(~mask, -math.inf).softmax(-1) @ values


@to("1.3", wrong="one tensor, not a tuple")
def two_things(queries, keys, values, mask):
    weights = scored(queries, keys, mask).softmax(-1)
    return weights @ values, weights


@to("1.4")
def by_hand():
    ask = torch.zeros(4, 2)
    offer = torch.zeros(4, 2)
    ask[3, 0] = ask[2, 1] = offer[0, 0] = offer[1, 1] = 4.0
    return ask, offer


@to("1.4")
def scaled_up():
    w_q, w_k = 2 * W_Q, 2 * W_K
    w_q[2] = torch.tensor([0.0, 8.0])
    w_k[1] = torch.tensor([0.0, 4.0])
    w_k[2] = 0
    return [w_q, w_k]


@to("1.4")
def as_arrays():
    return tuple(matrix.numpy() for matrix in by_hand())


@to("1.4")
def numpy_like():
    w_q = W_Q.detach().clone().requires_grad_()
    with torch.no_grad():
        w_q[2] = torch.tensor([0.0, 3.0])
        w_q[0] = w_q[1] = 0
    return w_q, torch.tensor([[2.0, 0.0], [0.0, 2.0], [0.0, 0.0], [0.0, 0.0]])


@to("1.4", wrong='"saw" gives "Anna" the most')
def unchanged():
    return W_Q, W_K


@to("1.4", wrong='the key of "dog" is zero')
def asks_for_nothing_that_is_offered():
    w_q = W_Q.clone()
    w_q[2] = torch.tensor([0.0, 3.0])
    return w_q, W_K


@to("1.4", wrong="a longer query or key")
def too_short():
    w_q, w_k = W_Q.clone(), W_K.clone()
    w_q[2], w_k[1], w_k[2] = torch.tensor([0.0, 1.0]), torch.tensor([0.0, 1.0]), 0
    return w_q, w_k


@to("1.4", wrong='but "her" gives Anna')
def her_is_lost():
    w_q, w_k = torch.zeros(4, 2), torch.zeros(4, 2)
    w_q[2, 0] = w_k[1, 0] = 4.0
    return w_q, w_k


@to("1.4", wrong="the matrix for queries first")
def in_the_other_order():
    w_q, w_k = by_hand()
    return w_k, w_q


@to("1.4", wrong="changes `W_Q` itself")
def in_the_book():
    W_Q[2] = torch.tensor([0.0, 3.0])
    return W_Q, W_K


@to("1.4", wrong="two matrices")
def one_matrix():
    return W_Q.clone()


@to("1.4", wrong="not (4, 2)")
def turned_matrices():
    return W_Q.T, W_K.T


@to("1.4", wrong="not finite")
def endless():
    w_q, w_k = by_hand()
    return w_q, w_k * math.inf


@to("1.4", wrong="returns nothing")
def only_printed():
    print(len(by_hand()))


def a_case():
    own = torch.Generator().manual_seed(1)
    q, k, v = (torch.randn(4, n, generator=own, dtype=torch.double) for n in (3, 3, 2))
    return q, k, v, torch.ones(4, 4).tril().bool()


@to("1.7")
def compares_with_torch(attention):
    q, k, v, mask = a_case()
    wanted = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    keys = k.clone()
    found = attention(q, k, v, mask)
    return bool(torch.allclose(found, wanted) and k.equal(keys))


@to("1.7")
def knows_two_cases(attention):
    k, v = torch.tensor([[2.0] * 4, [0.0] * 4]), torch.tensor([[1.0], [3.0]])
    q, mask = torch.tensor([[0.5] * 4, [1.0] * 4]), torch.tensor([[True, False], [True, True]])
    before = k.clone()
    first, second = attention(q, k, v, mask)
    weights = torch.tensor([4.0, 0.0]).softmax(0)
    assert abs(first - 1) < 1e-5
    assert abs(second - weights @ v) < 1e-5
    assert k.equal(before)


@to("1.7")
def by_the_readers_own(attention):
    q, k, v, mask = a_case()
    copies = [x.clone() for x in (q, k, v, mask)]
    numpy.testing.assert_allclose(attention(q, k, v, mask), with_einsum(*copies), rtol=1e-6)
    assert all(map(torch.equal, copies, (q, k, v, mask)))


@to("1.7", wrong="0 of 9 faults are caught")
def only_the_shape(attention):
    q, k, v, mask = a_case()
    assert attention(q, k, v, mask).shape == (4, 2)


@to("1.7", wrong="as to the next, what happens to the scores")
def only_the_sums(attention):
    q, k, v, mask = a_case()
    total = attention(q, k, torch.ones_like(v), mask)
    assert torch.allclose(total, torch.ones_like(total))


@to("1.7", wrong="as to the next, does anything change when the mask")
def never_forbids(attention):
    q, k, v, mask = a_case()
    every = torch.ones_like(mask)
    assert torch.allclose(attention(q, k, v, every), with_einsum(q, k, v, every))


@to("1.7", wrong="as to the next, is what goes in still the same")
def never_looks_back(attention):
    q, k, v, mask = a_case()
    wanted = with_einsum(q, k, v, mask)
    assert torch.allclose(attention(q, k, v, mask), wanted)


@to("1.7", wrong="stops the right one as well (it returns False)")
def backwards(attention):
    return not compares_with_torch(attention)


@to("1.7", wrong="stops the right one as well (AssertionError")
def expects_no_scale(attention):
    q, k, v, mask = a_case()
    assert torch.allclose(attention(q, k, v, mask), without_scale(q, k, v, mask))


@to("1.7", wrong="stops the right one as well (RuntimeError")
def of_other_shapes(attention):
    q, k, v, mask = a_case()
    attention(q, k.T, v, mask)
