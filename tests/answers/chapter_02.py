"""Answers to the exercises of chapter 2."""

import numpy
import torch

from answers import to


@to("2.3")
def in_one_line(parts, x, keys, values):
    x = x + parts.dropout(parts.attention(parts.norm1(x), keys, values)[0])
    return x + parts.dropout(parts.feed_forward(parts.norm2(x)))


@to("2.3")
def sum_of_three(parts, x, keys, values):
    read, weights = parts.attention(keys=keys, values=values, z=parts.norm1(x))
    from_attention = parts.dropout(read)
    network = parts.feed_forward(parts.norm2(from_attention + x))
    return torch.stack([x, from_attention, parts.dropout(network)]).sum(0)


@to("2.3")
def on_a_copy(parts, x, keys, values):
    stream = x.clone()
    stream += parts.dropout(parts.attention(parts.norm1(stream.clone()), keys, values)[0])
    stream = torch.add(stream, parts.dropout(parts.feed_forward(parts.norm2(stream))))
    return stream


def after_attention(parts, x, keys, values):
    return x + parts.dropout(parts.attention(parts.norm1(x), keys, values)[0])


def network_of(parts, x):
    return parts.feed_forward(parts.norm2(x))


@to("2.3", wrong="attention is handed the stream itself")
def norm_after_the_sum(parts, x, keys, values):
    x = parts.norm1(x + parts.dropout(parts.attention(x, keys, values)[0]))
    return parts.norm2(x + parts.dropout(parts.feed_forward(x)))


@to("2.3", wrong="norm2 serves the feed-forward part")
def norms_swapped(parts, x, keys, values):
    x = x + parts.dropout(parts.attention(parts.norm2(x), keys, values)[0])
    return x + parts.dropout(parts.feed_forward(parts.norm1(x)))


@to("2.3", wrong="norm1 is used twice")
def one_norm(parts, x, keys, values):
    x = after_attention(parts, x, keys, values)
    return x + parts.dropout(parts.feed_forward(parts.norm1(x)))


@to("2.3", wrong="feed_forward is handed the stream itself")
def no_second_norm(parts, x, keys, values):
    x = after_attention(parts, x, keys, values)
    return x + parts.dropout(parts.feed_forward(x))


@to("2.3", wrong="look at the order of keys and values")
def values_first(parts, x, keys, values):
    return in_one_line(parts, x, values, keys)


@to("2.3", wrong="replaces the stream: add it to x")
def attention_replaces(parts, x, keys, values):
    x = parts.dropout(parts.attention(parts.norm1(x), keys, values)[0])
    return x + parts.dropout(network_of(parts, x))


@to("2.3", wrong="feed_forward's answer replaces the stream")
def network_replaces(parts, x, keys, values):
    x = after_attention(parts, x, keys, values)
    return parts.dropout(network_of(parts, x))


@to("2.3", wrong="does not see what attention has added")
def side_by_side(parts, x, keys, values):
    added = parts.dropout(network_of(parts, x))
    return after_attention(parts, x, keys, values) + added


@to("2.3", wrong="attention's part is added to norm1(x)")
def onto_the_norm(parts, x, keys, values):
    z = parts.norm1(x)
    x = z + parts.dropout(parts.attention(z, keys, values)[0])
    return x + parts.dropout(network_of(parts, x))


@to("2.3", wrong="the last sum starts from norm2(x')")
def onto_the_second_norm(parts, x, keys, values):
    z = parts.norm2(after_attention(parts, x, keys, values))
    return z + parts.dropout(parts.feed_forward(z))


@to("2.3", wrong="what attention added is lost")
def from_the_start(parts, x, keys, values):
    mid = after_attention(parts, x, keys, values)
    return x + parts.dropout(network_of(parts, mid))


@to("2.3", wrong="dropout is missing on what attention adds")
def no_dropout(parts, x, keys, values):
    x = x + parts.attention(parts.norm1(x), keys, values)[0]
    return x + network_of(parts, x)


@to("2.3", wrong="dropout is missing on what feed_forward adds")
def one_dropout(parts, x, keys, values):
    x = after_attention(parts, x, keys, values)
    return x + network_of(parts, x)


@to("2.3", wrong="dropout falls on the stream")
def dropped_stream(parts, x, keys, values):
    x = parts.dropout(x + parts.attention(parts.norm1(x), keys, values)[0])
    return parts.dropout(x + network_of(parts, x))


@to("2.3", wrong="dropout falls on the stream")
def dropped_at_the_end(parts, x, keys, values):
    x = after_attention(parts, x, keys, values)
    return parts.dropout(x + network_of(parts, x))


@to("2.3", wrong="one dropout for both")
def dropped_together(parts, x, keys, values):
    read, _ = parts.attention(parts.norm1(x), keys, values)
    network = network_of(parts, x + parts.dropout(read))
    return x + parts.dropout(read + network)


@to("2.3", wrong="x is added twice")
def x_twice(parts, x, keys, values):
    return x + in_one_line(parts, x, keys, values)


@to("2.3", wrong="the sum is normalised")
def normalised_at_the_end(parts, x, keys, values):
    return parts.norm2(in_one_line(parts, x, keys, values))


@to("2.3", wrong="attention is never called")
def only_the_network(parts, x, keys, values):
    return x + parts.dropout(network_of(parts, x))


@to("2.3", wrong="feed_forward is never called")
def only_attention(parts, x, keys, values):
    return after_attention(parts, x, keys, values)


@to("2.3", wrong="dropout is handed two things at once")
def both_at_once(parts, x, keys, values):
    x = x + parts.dropout(parts.attention(parts.norm1(x), keys, values))
    return x + parts.dropout(network_of(parts, x))


@to("2.3", wrong="the first was read")
def weights_for_what_was_read(parts, x, keys, values):
    _, read = parts.attention(parts.norm1(x), keys, values)
    return x + parts.dropout(network_of(parts, x + parts.dropout(read)))


@to("2.3", wrong="return x_next alone")
def with_weights(parts, x, keys, values):
    _, weights = parts.attention(parts.norm1(x), keys, values)
    return in_one_line(parts, x, keys, values), weights


@to("2.3", wrong="changes its `x`")
def in_place(parts, x, keys, values):
    x += parts.dropout(parts.attention(parts.norm1(x.clone()), keys, values)[0])
    return x + parts.dropout(network_of(parts, x))


@to("2.3", wrong="no gradient goes back")
def without_gradient(parts, x, keys, values):
    with torch.no_grad():
        return in_one_line(parts, x, keys, values)


@to("2.3", wrong="some gradient is lost")
def detached_between(parts, x, keys, values):
    x = after_attention(parts, x, keys, values)
    return x + parts.dropout(network_of(parts, x.detach()))


@to("2.3", wrong="and so has x_next; yours is (2, 1, 6)")
def mean_over_tokens(parts, x, keys, values):
    return in_one_line(parts, x, keys, values).mean(1, keepdim=True)


@to("2.3", wrong="returns nothing")
def printed(parts, x, keys, values):
    print(in_one_line(parts, x, keys, values).shape)


def counted(c, **other):
    """The right counts, but for the entries that an answer has otherwise."""
    d, F, V, L, R = c.d_model, c.d_ff, c.n_tokens, c.n_layers, c.max_distance + 1
    right = {
        "embedding": V * d,
        "head": V * d + V,
        "attention": L * (4 * d * d + 2 * d),
        "positions": L * (d + R * d + R * c.heads),
        "feed-forward": L * (2 * d * F + F + d),
        "norms": 4 * L * d + 2 * d,
    }
    return right | {name.replace("_", "-"): value for name, value in other.items()}


@to("2.1")
def factored(config):
    d, L = config.d_model, config.n_layers
    return {
        "norms": 2 * d * (2 * L + 1),
        "feed-forward": L * (config.d_ff * (d + 1) + d * (config.d_ff + 1)),
        "positions": L * (d * (config.max_distance + 2) + (config.max_distance + 1) * config.heads),
        "attention": 2 * L * d * (2 * d + 1),
        "head": (d + 1) * config.n_tokens,
        "embedding": d * config.n_tokens,
    }


@to("2.1")
def layer_by_layer(config):
    sizes = vars(config)
    d, k = sizes["d_model"], sizes["d_model"] // sizes["heads"]
    found = dict.fromkeys(["attention", "positions", "feed-forward"], 0)
    found |= {"embedding": d * sizes["n_tokens"], "norms": 2 * d}
    found["head"] = found["embedding"] + sizes["n_tokens"]
    for _ in range(sizes["n_layers"]):
        found["attention"] += sum([d * d, d * d, d * d + d, d * d + d])
        for _ in range(sizes["heads"]):
            found["positions"] += k + (sizes["max_distance"] + 1) * (k + 1)
        found["feed-forward"] += d * sizes["d_ff"] + sizes["d_ff"] + sizes["d_ff"] * d + d
        found["norms"] += 2 * (d + d)
    return found


@to("2.1")
def with_shapes(config):
    d, F, V, H = config.d_model, config.d_ff, config.n_tokens, config.heads
    rows = config.max_distance + 1
    each = {
        "attention": [(d, d)] * 4 + [(d,)] * 2,
        "positions": [(H, d // H), (rows, H, d // H), (rows, H)],
        "feed-forward": [(F, d), (F,), (d, F), (d,)],
        "norms": [(d,)] * 4,
    }
    found = {
        name: config.n_layers * sum(numpy.prod(shape) for shape in shapes)
        for name, shapes in each.items()
    }
    found["norms"] += 2 * d
    return found | {"embedding": numpy.int64(V * d), "head": torch.tensor(V * d + V)}


@to("2.1")
def as_floats(config):
    return {name: float(number) for name, number in counted(config).items()}


@to("2.1", wrong="head: 70 is 5 too few")
def head_without_bias(c):
    return counted(c, head=c.n_tokens * c.d_model)


@to("2.1", wrong="a number for each token that can come next")
def head_with_bias_of_d(c):
    return counted(c, head=c.n_tokens * c.d_model + c.d_model)


@to("2.1", wrong="places have no embedding here")
def places_embedded(c):
    return counted(c, embedding=(c.n_tokens + c.max_distance) * c.d_model)


@to("2.1", wrong="all layers share one embedding")
def embedding_in_every_layer(c):
    return counted(c, embedding=c.n_layers * c.n_tokens * c.d_model)


@to("2.1", wrong="count every layer, not one")
def one_layer(c):
    return counted(c, attention=4 * c.d_model**2 + 2 * c.d_model)


@to("2.1", wrong="values and output have a bias each")
def attention_without_biases(c):
    return counted(c, attention=c.n_layers * 4 * c.d_model**2)


@to("2.1", wrong="only values and output have a bias")
def attention_with_four_biases(c):
    return counted(c, attention=c.n_layers * 4 * (c.d_model**2 + c.d_model))


@to("2.1", wrong="there are four maps")
def no_output_map(c):
    return counted(c, attention=c.n_layers * (3 * c.d_model**2 + c.d_model))


@to("2.1", wrong="all heads together have d · d numbers")
def maps_of_each_head(c):
    each = 4 * c.d_model**2 + 2 * c.d_model
    return counted(c, attention=c.n_layers * c.heads * each)


def positions(c, u=1, r=1, s=1, rows=1):
    d, rows = c.d_model, c.max_distance + rows
    return counted(c, positions=c.n_layers * (u * d + r * rows * d + s * rows * c.heads))


@to("2.1", wrong="distance 0 has a row too, so r and s have S + 1 rows")
def no_row_for_distance_0(c):
    return positions(c, rows=0)


@to("2.1", wrong="u is not counted, or the row of distance 0 in r")
def no_u(c):
    return positions(c, u=0)


@to("2.1", wrong="u is not counted, or the row of distance 0 in r")
def no_row_for_distance_0_in_r(c):
    d, S = c.d_model, c.max_distance
    return counted(c, positions=c.n_layers * (d + S * d + (S + 1) * c.heads))


@to("2.1", wrong="every head has its own u, r and s")
def positions_of_one_head(c):
    k, rows = c.d_model // c.heads, c.max_distance + 1
    return counted(c, positions=c.n_layers * (k + rows * k + rows))


@to("2.1", wrong="r is not counted")
def no_r(c):
    return positions(c, r=0)


@to("2.1", wrong="s is not counted")
def no_s(c):
    return positions(c, s=0)


@to("2.1", wrong="s has a number for each head")
def s_for_all_heads(c):
    rows = c.max_distance + 1
    return counted(c, positions=c.n_layers * (c.d_model + rows * c.d_model + rows))


@to("2.1", wrong="the biases are parameters too")
def network_without_biases(c):
    return counted(c, feed_forward=c.n_layers * 2 * c.d_model * c.d_ff)


@to("2.1", wrong="the second map has a bias too")
def network_with_one_bias(c):
    return counted(c, feed_forward=c.n_layers * (2 * c.d_model * c.d_ff + c.d_ff))


@to("2.1", wrong="there are two maps, d to F and F to d")
def one_map(c):
    return counted(c, feed_forward=c.n_layers * (c.d_model * c.d_ff + c.d_ff))


@to("2.1", wrong="one more LayerNorm stands after the last layer")
def no_last_norm(c):
    return counted(c, norms=4 * c.n_layers * c.d_model)


@to("2.1", wrong="two vectors, not one")
def norms_only_scale(c):
    return counted(c, norms=(2 * c.n_layers + 1) * c.d_model)


@to("2.1", wrong="every layer has two LayerNorms")
def one_norm_a_layer(c):
    return counted(c, norms=(2 * c.n_layers + 2) * c.d_model)


@to("2.1", wrong="read the sizes of `config`")
def the_chapters_model(config):
    sizes = dict(n_tokens=65, d_model=64, heads=4, n_layers=2, d_ff=256, max_distance=64)
    return counted(type(config)(**sizes))


@to("2.1", wrong="there is no entry for 'head'")
def entry_missing(c):
    return {name: number for name, number in counted(c).items() if name != "head"}


@to("2.1", wrong="'total' is not asked for")
def with_total(c):
    found = counted(c)
    return found | {"total": sum(found.values())}


@to("2.1", wrong="return a dictionary, not a int")
def only_the_sum(c):
    return sum(counted(c).values())


@to("2.1", wrong="is a list, not a number")
def lists(c):
    return counted(c, norms=[c.d_model] * 4)


@to("2.1", wrong="dropout is asked for")
def asks_for_more(c):
    return counted(c, head=0 if c.dropout else 1)


@to("2.1", wrong="its tensors are embedding.weight")
def for_one_size(c):
    return counted(c, embedding=c.n_tokens + 64)


@to("2.1", wrong="returns nothing")
def count_printed(c):
    print(sum(counted(c).values()))


@to("2.2")
def by_loops(probabilities, p):
    kept, result = 0.0, [0.0] * len(probabilities)
    for token in sorted(range(len(probabilities)), key=lambda i: -probabilities[i]):
        if kept >= p:
            break
        result[token] = probabilities[token].item()
        kept += result[token]
    return torch.tensor(result) / kept


@to("2.2")
def by_count(probabilities, p):
    ordered, places = torch.sort(probabilities, descending=True)
    count = int((ordered.cumsum(-1) < p).sum()) + 1
    result = probabilities.new_zeros(probabilities.shape)
    result[places[:count]] = ordered[:count]
    return result / result.sum()


@to("2.2")
def numpy_like(probabilities, p):
    row = probabilities.double().numpy()
    order = numpy.argsort(-row, kind="stable")
    sums = row[order].cumsum()
    last = min(numpy.searchsorted(sums, p - 1e-9), len(row) - 1)
    kept = numpy.where(numpy.isin(numpy.arange(len(row)), order[: last + 1]), row, 0)
    return torch.from_numpy(kept / kept.sum())


@to("2.2")
def by_logarithms(probabilities, p):
    likelier = probabilities[None] > probabilities[:, None]
    before = (likelier * probabilities).sum(-1)
    return probabilities.log().masked_fill(before >= p, -torch.inf).softmax(-1)


def in_order(probabilities, kept):
    """Kept probabilities in falling order, back at their places and scaled."""
    result = torch.zeros_like(probabilities)
    result[probabilities.argsort(descending=True)] = kept
    return result / result.sum()


@to("2.2", wrong="keep also the token that brings it to 0.5")
def one_too_few(probabilities, p):
    ordered = probabilities.sort(descending=True).values
    sums = ordered.cumsum(0)
    kept = sums <= p
    kept[0] = True
    return in_order(probabilities, ordered * kept)


@to("2.2", wrong="the likeliest token always is")
def none_at_all(probabilities, p):
    ordered = probabilities.sort(descending=True).values
    return in_order(probabilities, ordered * (ordered.cumsum(0) <= p))


@to("2.2", wrong="stop where the sum reaches 0.5")
def one_too_many_if_exact(probabilities, p):
    ordered = probabilities.sort(descending=True).values
    return in_order(probabilities, ordered * (ordered.cumsum(0) - ordered <= p))


@to("2.2", wrong="stop where the sum reaches 0.5")
def always_two_more(probabilities, p):
    ordered = probabilities.sort(descending=True).values
    count = int((ordered.cumsum(0) < p).sum()) + 1
    count += count > 1
    ordered[count:] = 0
    return in_order(probabilities, ordered)


@to("2.2", wrong="their sum has to")
def one_by_one(probabilities, p):
    kept = probabilities * (probabilities >= p)
    return kept / kept.sum()


@to("2.2", wrong="drops a likelier token")
def unsorted(probabilities, p):
    before = probabilities.cumsum(0) - probabilities
    kept = probabilities * (before < p)
    return kept / kept.sum()


@to("2.2", wrong="drops a likelier token")
def unlikely_first(probabilities, p):
    ordered, places = probabilities.sort()
    result = torch.zeros_like(probabilities)
    result[places] = ordered * (ordered.cumsum(0) - ordered < p)
    return result / result.sum()


@to("2.2", wrong="divide them by their sum 0.40")
def not_scaled(probabilities, p):
    return probabilities * (numpy_like(probabilities, p) > 0)


@to("2.2", wrong="softmax gives dropped tokens a share")
def softened(probabilities, p):
    return not_scaled(probabilities, p).softmax(0)


@to("2.2", wrong="divide them by their sum 0.70")
def softmax_of_the_kept(probabilities, p):
    dropped = numpy_like(probabilities, p) == 0
    return probabilities.masked_fill(dropped, -torch.inf).softmax(0)


@to("2.2", wrong="undo the sorting")
def left_in_order(probabilities, p):
    return numpy_like(probabilities, p).sort(descending=True).values


@to("2.2", wrong="undo the sorting")
def sorted_once_more(probabilities, p):
    places = probabilities.argsort(descending=True)
    return numpy_like(probabilities, p).sort(descending=True).values[places]


@to("2.2", wrong="a dropped token keeps its place")
def shortened(probabilities, p):
    found = numpy_like(probabilities, p)
    return found[found > 0]


@to("2.2", wrong="gave a list")
def as_a_list(probabilities, p):
    return numpy_like(probabilities, p).tolist()


@to("2.2", wrong="gave torch.bool")
def which_are_kept(probabilities, p):
    return numpy_like(probabilities, p) > 0


@to("2.2", wrong="changes its `probabilities`")
def in_place_nucleus(probabilities, p):
    probabilities[numpy_like(probabilities, p) == 0] = 0
    return probabilities / probabilities.sum()


@to("2.2", wrong="and [1] would do: stop where the sum reaches 0.15")
def another_p(probabilities, p):
    return numpy_like(probabilities, 0.95)


@to("2.2", wrong="fails at `probabilities[4] = 0`")
def for_five_tokens(probabilities, p):
    probabilities = probabilities.clone()
    probabilities[4] = 0
    return probabilities


@to("2.2", wrong="returns nothing")
def nucleus_printed(probabilities, p):
    print(numpy_like(probabilities, p))


def moved(model, tokens, other):
    return (model(other) - model(tokens)).abs().amax(-1) > 1e-9


def differing(tokens, *place):
    other = tokens.clone()
    other[place] = (other[place] + 1) % 11
    return other


@to("2.5")
def one_thing_after_another(model):
    tokens = torch.randint(11, (3, 6), generator=torch.Generator().manual_seed(0))
    tokens[:, 0], tokens[:, 1] = 3, 4
    assert not moved(model, tokens, tokens).any()
    first = moved(model, tokens, differing(tokens, 1, 0))
    assert first.tolist() == [[False] * 6, [True] * 6, [False] * 6]
    last = moved(model, tokens, differing(tokens, 1, 5))
    assert last.sum() == 1 and last[1, 5]
    swapped = tokens[:, [1, 0, 2, 3, 4, 5]]
    assert moved(model, tokens, swapped)[:, 2:].all()


@to("2.5")
def with_prefixes(model):
    tokens = torch.tensor([[1, 2, 3, 4, 5, 6, 7, 8], [8, 7, 6, 5, 4, 3, 2, 1]])
    whole = model(tokens)
    for t in range(8):
        for b in range(2):
            assert torch.allclose(model(tokens[b : b + 1, : t + 1])[0, -1], whole[b, t])
    assert not torch.allclose(model(tokens[:1, [0, 2, 1, 3]])[0, -1], whole[0, 3])
    assert not torch.allclose(model(differing(tokens, 0, 0))[0, -1], whole[0, -1])
    assert not torch.allclose(model(differing(tokens, 0, 7))[0, -1], whole[0, -1])


@to("2.5")
def by_what_it_returns(model):
    tokens = torch.tensor([[0, 1, 2, 3, 4]] * 2)
    answers = [moved(model, tokens, differing(tokens, 0, j))[0].tolist() for j in range(5)]
    wanted = [[t >= j for t in range(5)] for j in range(5)]
    alone = torch.allclose(model(tokens[:1]), model(tokens)[:1])
    rows = not moved(model, tokens, differing(tokens, 0, 2))[1].any()
    order = moved(model, tokens, tokens[:, [1, 0, 2, 3, 4]])[0, -1]
    return bool(answers == wanted and alone and rows and order)


@to("2.5", wrong="0 of 7 faults are caught")
def only_shapes(model):
    assert model(torch.zeros(2, 5, dtype=torch.long)).shape == (2, 5, 11)


@to("2.5", wrong="as to the next, does the answer for one row")
def a_single_row(model):
    tokens = torch.arange(6)[None]
    for j in range(6):
        change = moved(model, tokens, differing(tokens, 0, j))[0]
        assert change.tolist() == [t >= j for t in range(6)]
    assert moved(model, tokens, tokens[:, [1, 0, 2, 3, 4, 5]])[0, -1]


@to("2.5", wrong="as to the next, does an answer depend on a token that comes later?")
def never_looks_at_earlier_answers(model):
    tokens = torch.arange(12).reshape(2, 6) % 11
    assert not moved(model, tokens, tokens).any()
    for j in range(6):
        change = moved(model, tokens, differing(tokens, 0, j))
        assert change[0, j:].all() and not change[1].any()
    assert moved(model, tokens, tokens[:, [1, 0, 2, 3, 4, 5]])[0, -1]


@to("2.5", wrong="as to the next, does it matter in which order")
def never_swaps(model):
    tokens = torch.arange(12).reshape(2, 6) % 11
    for j in range(6):
        change = moved(model, tokens, differing(tokens, 0, j))
        assert change[0].tolist() == [t >= j for t in range(6)] and not change[1].any()


@to("2.5", wrong="as to the next, does the answer at a token depend on that token itself?")
def only_the_future(model):
    tokens = torch.arange(12).reshape(2, 6) % 11
    for j in range(6):
        change = moved(model, tokens, differing(tokens, 0, j))
        assert not change[0, :j].any() and not change[1].any()
    assert moved(model, tokens, tokens[:, [1, 0, 2, 3, 4, 5]])[0, -1]


@to("2.5", wrong="stops the right one as well (AssertionError")
def expects_the_future(model):
    tokens = torch.arange(6)[None]
    assert moved(model, tokens, differing(tokens, 0, 5)).all()


@to("2.5", wrong="stops the right one as well (ValueError")
def tokens_that_are_none(model):
    model(torch.full((1, 4), 11))
