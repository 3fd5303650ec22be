"""Answers to the exercises of chapter 7."""

import math

import numpy
import torch

from answers import to

# 7.1


@to("7.1")
def by_shapes(B, T, d, H, L, F):
    k = d // H
    shapes = {
        "kv": [(2, H * B, T, k)],
        "states": [(T, L + 1, B, d)],
        "queries": [(T, L, H, B, k)],
        "attention": [(L, H * B, 1, t) for t in range(T)],
        "reads": [(L, T, B, d)],
        "middles": [(L, T, B, d)],
        "hiddens": [(L, T, B, F)],
    }
    return {name: 4 * sum(map(math.prod, each)) for name, each in shapes.items()}


@to("7.1")
def by_tensors(B, T, d, H, L, F):
    tensors = {name: torch.empty(L, T, B, d) for name in ("queries", "reads", "middles")}
    tensors["hiddens"] = torch.empty(L, T, B, F)
    tensors["states"] = torch.empty(L + 1, T, B, d)
    tensors["kv"] = torch.empty(2, T, B, d)
    tensors["attention"] = torch.empty(sum(L * H * B * t for t in range(T)))
    return {name: tensor.numel() * tensor.element_size() for name, tensor in tensors.items()}


@to("7.1")
def as_floats(B, T, d, H, L, F):
    rows = B * L * H * T * (T - 1) / 2
    kept = dict(kv=2 * d, states=(L + 1) * d, queries=L * d, reads=L * d, middles=L * d)
    return {name: 4.0 * B * T * n for name, n in (kept | {"hiddens": L * F}).items()} | {
        "attention": numpy.float64(4 * rows)
    }


def but_for(field, wrong):
    """By the shapes, but for a field: `number(B, T, d, H, L, F)` bytes."""

    def register(number):
        def kept_bytes(B, T, d, H, L, F):
            return by_shapes(B, T, d, H, L, F) | {field: number(B, T, d, H, L, F)}

        kept_bytes.__name__ = number.__name__
        to("7.1", wrong=wrong)(kept_bytes)
        return number

    return register


@but_for("attention", "not all T")
def every_pair(B, T, d, H, L, F):
    return 4 * B * L * H * T * T


@but_for("attention", "the first step reads nothing")
def itself_too(B, T, d, H, L, F):
    return 4 * B * L * H * T * (T + 1) // 2


@but_for("attention", "is half of T (T - 1)")
def not_half(B, T, d, H, L, F):
    return 4 * B * L * H * T * (T - 1)


@but_for("attention", "every head has its own row")
def one_row(B, T, d, H, L, F):
    return 4 * B * L * T * (T - 1) // 2


@but_for("attention", "that is the last step alone")
def last_step(B, T, d, H, L, F):
    return 4 * B * L * H * (T - 1)


@but_for("states", "the embedding is a state too")
def layers_alone(B, T, d, H, L, F):
    return 4 * B * T * L * d


@but_for("queries", "not the embedding")
def a_query_too_many(B, T, d, H, L, F):
    return 4 * B * T * (L + 1) * d


@but_for("queries", "a head has d / H numbers")
def wide_heads(B, T, d, H, L, F):
    return 4 * B * T * L * H * d


@but_for("kv", "keys and values are two")
def keys_alone(B, T, d, H, L, F):
    return 4 * B * T * d


@but_for("kv", "all layers share one pair")
def a_pair_each(B, T, d, H, L, F):
    return 4 * B * T * d * 2 * L


@but_for("reads", "there are L")
def one_layer(B, T, d, H, L, F):
    return 4 * B * T * d


@but_for("middles", "that is one step")
def one_step(B, T, d, H, L, F):
    return 4 * B * L * d


@but_for("middles", "only the hidden vector has F numbers")
def as_wide_as_the_hidden_vector(B, T, d, H, L, F):
    return 4 * B * T * L * F


@but_for("hiddens", "the hidden vector has F numbers")
def narrow(B, T, d, H, L, F):
    return 4 * B * T * L * d


@but_for("hiddens", "that is one sequence")
def one_sequence(B, T, d, H, L, F):
    return 4 * T * L * F


@but_for("hiddens", "is not B, T, d, H, L or F")
def sizes_of_its_own(B, T, d, H, L, F):
    return 4 * B * T * L * 13


@but_for("kv", "a number, not a Tensor")
def a_tensor(B, T, d, H, L, F):
    return torch.empty(2, B, T, d)


@to("7.1", wrong="each has 4 bytes")
def numbers(B, T, d, H, L, F):
    return {name: n // 4 for name, n in by_shapes(B, T, d, H, L, F).items()}


@to("7.1", wrong="each is kept once")
def doubles(B, T, d, H, L, F):
    return {name: 2 * n for name, n in by_shapes(B, T, d, H, L, F).items()}


@to("7.1", wrong="there is no entry for 'reads'")
def incomplete(B, T, d, H, L, F):
    kept = by_shapes(B, T, d, H, L, F)
    return {name: kept[name] for name in kept if name != "reads"}


@to("7.1", wrong="'keys' is no field")
def one_field_too_many(B, T, d, H, L, F):
    return by_shapes(B, T, d, H, L, F) | {"keys": 4 * B * T * d}


@to("7.1", wrong="return a dictionary")
def total(B, T, d, H, L, F):
    return sum(by_shapes(B, T, d, H, L, F).values())


# 7.3


def row_of(query, keys, r, s):
    return (((keys + r) @ query + s) / math.sqrt(len(query))).softmax(0)


@to("7.3")
def by_the_jacobian(d_read, query, keys, values, r, s):
    a = row_of(query, keys, r, s)
    jacobian = torch.diag(a) - torch.outer(a, a)
    d_s = jacobian @ (values @ d_read) * len(query) ** -0.5
    d_keys = d_s[:, None] * query
    return [(d_s[:, None] * (keys + r)).sum(0), d_keys, a[:, None] * d_read, d_keys, d_s]


@to("7.3")
def by_loops(d_read, query, keys, values, r, s):
    n, k = keys.shape
    d_query, d_keys, d_values = torch.zeros(k), torch.zeros(n, k), torch.zeros(n, k)
    a = row_of(query, keys, r, s)
    d_s = torch.zeros(n)
    for j in range(n):
        d_values[j] = a[j] * d_read
        for i in range(n):
            d_s[j] += a[i] * (float(i == j) - a[j]) * (values[i] @ d_read) / math.sqrt(k)
        d_keys[j] = d_s[j] * query
        d_query += d_s[j] * (keys[j] + r[j])
    return d_query, d_keys, d_values, d_keys.clone(), d_s


@to("7.3")
def by_numpy(d_read, query, keys, values, r, s):
    d_read, q, k, v, r, s = (x.numpy() for x in (d_read, query, keys, values, r, s))
    scores = ((k + r) @ q + s) / numpy.sqrt(q.size)
    a = numpy.exp(scores - scores.max())
    a /= a.sum()
    d_s = a * (v @ d_read - a @ (v @ d_read)) / numpy.sqrt(q.size)
    found = (k + r).T @ d_s, numpy.outer(d_s, q), numpy.outer(a, d_read), numpy.outer(d_s, q), d_s
    return tuple(map(torch.from_numpy, found))


def gradients(a, d_s, d_read, query, keys, values, r):
    d_keys = torch.outer(d_s, query)
    return d_s @ (keys + r), d_keys, torch.outer(a, d_read), d_keys, d_s


def slip(wrong):
    """Right, but for the gradient of s: `change(a, d_a, k)`, of which the others are made."""

    def register(change):
        def undo_reading(d_read, query, keys, values, r, s):
            a = row_of(query, keys, r, s)
            d_s = change(a, values @ d_read, len(query))
            return gradients(a, d_s, d_read, query, keys, values, r)

        undo_reading.__name__ = change.__name__
        to("7.3", wrong=wrong)(undo_reading)
        return change

    return register


@slip("goes through the softmax")
def no_softmax(a, d_a, k):
    return d_a / math.sqrt(k)


@slip("a softmax subtracts the average")
def no_average(a, d_a, k):
    return a * d_a / math.sqrt(k)


@slip("s is divided by the square root of k too")
def no_root(a, d_a, k):
    return a * (d_a - a @ d_a)


@slip("not by k")
def by_k(a, d_a, k):
    return a * (d_a - a @ d_a) / k


@slip("that is the plain mean")
def plain_mean(a, d_a, k):
    return a * (d_a - d_a.mean()) / math.sqrt(k)


@slip("that is the plain sum")
def plain_sum(a, d_a, k):
    return a * (d_a - d_a.sum()) / math.sqrt(k)


@slip("the factor a_j is missing")
def no_factor(a, d_a, k):
    return (d_a - a @ d_a) / math.sqrt(k)


@slip("a_j multiplies the average too")
def average_outside(a, d_a, k):
    return (a * d_a - a @ d_a) / math.sqrt(k)


@slip("the sign")
def wrong_sign(a, d_a, k):
    return a * (a @ d_a - d_a) / math.sqrt(k)


@slip("that is the row a")
def the_row(a, d_a, k):
    return a


def part(wrong):
    """Right, but for what `change(found, ...)` gives."""

    def register(change):
        def undo_reading(d_read, query, keys, values, r, s):
            found = by_the_jacobian(d_read, query, keys, values, r, s)
            a = row_of(query, keys, r, s)
            return change(found, a, d_read, query, keys, values, r, s)

        undo_reading.__name__ = change.__name__
        to("7.3", wrong=wrong)(undo_reading)
        return change

    return register


@part("values: that is the gradient of keys")
def another_order(found, a, d_read, query, keys, values, r, s):
    return found[0], found[2], found[1], found[3], found[4]


@part("values: the values get d_read, not the query")
def query_for_values(found, a, d_read, query, keys, values, r, s):
    return found[0], found[1], torch.outer(a, query), found[3], found[4]


@part("values are weighted by the row a")
def values_by_scores(found, a, d_read, query, keys, values, r, s):
    return found[0], found[1], torch.outer(found[4], d_read), found[3], found[4]


@part("the row is the softmax of scores divided by the square root of k")
def row_without_root(found, a, d_read, query, keys, values, r, s):
    a = ((keys + r) @ query + s).softmax(0)
    return found[0], found[1], torch.outer(a, d_read), found[3], found[4]


@part("s_j is divided by the square root of k too")
def s_beside_the_root(found, a, d_read, query, keys, values, r, s):
    a = ((keys + r) @ query / math.sqrt(len(query)) + s).softmax(0)
    return found[0], found[1], torch.outer(a, d_read), found[3], found[4]


@part("the row's scores have q · r_j too")
def row_without_r(found, a, d_read, query, keys, values, r, s):
    a = row_of(query, keys, 0 * r, s)
    return gradients(a, found[4], d_read, query, keys, values, r)


@part("the row's scores have s_j too")
def row_without_s(found, a, d_read, query, keys, values, r, s):
    a = row_of(query, keys, r, 0 * s)
    return gradients(a, found[4], d_read, query, keys, values, r)


@part("every value gets its share")
def no_share(found, a, d_read, query, keys, values, r, s):
    return found[0], found[1], d_read.expand_as(values), found[3], found[4]


@part("keys: with the query, not with d_read")
def keys_by_d_read(found, a, d_read, query, keys, values, r, s):
    return found[0], torch.outer(found[4], d_read), found[2], found[3], found[4]


@part("keys: the division by the square root of k is missing")
def keys_without_root(found, a, d_read, query, keys, values, r, s):
    return found[0], found[1] * math.sqrt(len(query)), found[2], found[3], found[4]


@part("r: the distances get a gradient too")
def nothing_for_distances(found, a, d_read, query, keys, values, r, s):
    return found[0], found[1], found[2], torch.zeros_like(r), found[4]


@part("query: a score reaches the query through the distance too")
def query_by_keys(found, a, d_read, query, keys, values, r, s):
    return found[4] @ keys, *found[1:]


@part("query: with keys and distances, not with values")
def query_by_values(found, a, d_read, query, keys, values, r, s):
    return found[4] @ values, *found[1:]


@part("keys: (5, 7), not (7, 5): transposed")
def turned(found, a, d_read, query, keys, values, r, s):
    return found[0], found[1].T, found[2], found[3], found[4]


@part("return 5 gradients, in the order query, keys, values, r, s")
def four(found, a, d_read, query, keys, values, r, s):
    return found[:4]


@part("s: its gradient is of type float")
def a_sum(found, a, d_read, query, keys, values, r, s):
    return *found[:4], found[4].sum().item()


@to("7.3", wrong="write the way back yourself")
def by_autograd(d_read, query, keys, values, r, s):
    with torch.enable_grad():
        parts = [x.requires_grad_() for x in (query, keys, values, r, s)]
        read = row_of(query, keys, r, s) @ values
    return torch.autograd.grad(read, parts, d_read)


@to("7.3", wrong="changes its `values`")
def in_place(d_read, query, keys, values, r, s):
    return by_the_jacobian(d_read, query, keys, values.mul_(2), r, s)
