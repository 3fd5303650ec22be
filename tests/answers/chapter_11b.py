"""Answers to the exercises of chapter 11b."""

import copy
from dataclasses import replace

import torch

from answers import to
from feedback.cache import Memory
from feedback.config import Config
from feedback.language_model import LanguageModel


def resized(model, size, **more):
    return LanguageModel(replace(model.config, memory_size=size, **more))


@to("11.3")
def one_by_one(model, size):
    other = resized(model, size)
    with torch.no_grad():
        for mine, given in zip(other.parameters(), model.parameters(), strict=True):
            mine.copy_(given)
    return other.eval()


@to("11.3")
def sharing_its_weights(model, size):
    other = resized(model, size)
    other.load_state_dict(model.state_dict(), assign=True)
    return other


@to("11.3")
def from_the_fields(model, size):
    fields = vars(model.config) | {"memory_size": size}
    other = LanguageModel(Config(**fields))
    other.load_state_dict(copy.deepcopy(dict(model.state_dict())))
    return other.train(model.training)


def with_its_weights(other, model):
    other.load_state_dict(model.state_dict())
    return other


@to("11.3", wrong="load its state_dict into the other model")
def fresh_weights(model, size):
    return resized(model, size)


@to("11.3", wrong="build another one")
def the_same_model(model, size):
    return model


@to("11.3", wrong="must keep its config")
def config_changed_in_place(model, size):
    model.config = replace(model.config, memory_size=size)
    return model


@to("11.3", wrong="the size has to be in the config from the start")
def another_label(model, size):
    other = copy.deepcopy(model)
    other.config = replace(model.config, memory_size=size)
    return other


@to("11.3", wrong="it has memory_size=4, and 3 is asked for")
def one_more(model, size):
    return with_its_weights(resized(model, size + 1), model)


@to("11.3", wrong="it has memory_size=None")
def a_copy(model, size):
    return copy.deepcopy(model)


@to("11.3", wrong="with size 1: it has memory_size=3")
def always_three(model, size):
    return with_its_weights(resized(model, 3), model)


@to("11.3", wrong="weights are not those of the model")
def the_head_alone(model, size):
    other = resized(model, size)
    other.head.load_state_dict(model.head.state_dict())
    return other


@to("11.3", wrong="only the memory's size is to change; so has max_distance")
def fewer_distances(model, size):
    return resized(model, size, max_distance=size)


@to("11.3", wrong="so has dropout")
def with_dropout(model, size):
    return with_its_weights(resized(model, size, dropout=0.1), model)


@to("11.3", wrong="changes its `model`")
def weights_used_up(model, size):
    other = with_its_weights(resized(model, size), model)
    torch.nn.init.zeros_(next(model.parameters()))
    return other


@to("11.3", wrong="returns nothing")
def only_made(model, size):
    with_its_weights(resized(model, size), model)


@to("11.3", wrong="not a OrderedDict")
def the_weights(model, size):
    return model.state_dict()


@to("11.3", wrong="not a Config")
def the_config(model, size):
    return replace(model.config, memory_size=size)


@to("11.8")
def on_copies(memory, last):
    def exchange(x):
        changed = x.clone()
        changed[:, :, -last:] = torch.cat([x[1:], x[:1]])[:, :, -last:]
        return changed

    return memory.changed(exchange)


@to("11.8")
def rows_selected(memory, last):
    rows = len(memory.keys[0])
    other, first = memory.select([*range(1, rows), 0]), len(memory) - last

    def joined(own, new):
        return tuple(
            torch.cat([x[:, :, :first], y[:, :, first:]], 2) for x, y in zip(own, new, strict=True)
        )

    return Memory(
        joined(memory.keys, other.keys), joined(memory.values, other.values), memory.config
    )


@to("11.8")
def by_a_mask(memory, last):
    late = torch.arange(len(memory)) >= len(memory) - last
    return memory.changed(lambda x: torch.where(late[:, None], x.roll(-1, dims=0), x))


@to("11.8")
def row_by_row(memory, last):
    def exchange(x):
        B, _, n, _ = x.shape
        rows = [
            torch.cat([x[b, :, : n - last], x[(b + 1) % B, :, n - last :]], 1) for b in range(B)
        ]
        return torch.stack(rows)

    return memory.changed(exchange)


def tail(x, other, last):
    """x with the last vectors of another tensor."""
    n = x.shape[2]
    return torch.cat([x[:, :, : n - last], other[:, :, n - last :]], 2)


@to("11.8", wrong="not from the one before")
def from_the_row_before(memory, last):
    return memory.changed(lambda x: tail(x, x.roll(1, 0), last))


@to("11.8", wrong="the whole memory of the next row")
def all_of_it(memory, last):
    return memory.changed(lambda x: x.roll(-1, 0))


@to("11.8", wrong="nothing is exchanged")
def unchanged(memory, last):
    return memory


@to("11.8", wrong="the first vectors are exchanged, not the last")
def the_first(memory, last):
    return memory.changed(lambda x: torch.cat([x.roll(-1, 0)[:, :, :last], x[:, :, last:]], 2))


@to("11.8", wrong="the last vectors stay, and the earlier ones")
def the_earlier(memory, last):
    return memory.changed(lambda x: tail(x.roll(-1, 0), x, last))


@to("11.8", wrong="and exchanges all others")
def all_but_as_many(memory, last):
    return memory.changed(lambda x: torch.cat([x[:, :, :last], x.roll(-1, 0)[:, :, last:]], 2))


@to("11.8", wrong="the keys stay as they were")
def values_only(memory, last):
    return Memory(memory.keys, by_a_mask(memory, last).values, memory.config)


@to("11.8", wrong="the values stay as they were")
def keys_only(memory, last):
    return Memory(by_a_mask(memory, last).keys, memory.values, memory.config)


@to("11.8", wrong="that exchanges heads")
def heads(memory, last):
    return memory.changed(lambda x: tail(x, x.roll(-1, 1), last))


@to("11.8", wrong="vectors of the same row")
def along_time(memory, last):
    return memory.changed(lambda x: tail(x, x.roll(-1, 2), last))


@to("11.8", wrong="name the dimension to roll")
def flat(memory, last):
    return memory.changed(lambda x: tail(x, x.roll(-1), last))


@to("11.8", wrong="only the very last vector")
def only_one(memory, last):
    return memory.changed(lambda x: tail(x, x.roll(-1, 0), 1))


@to("11.8", wrong="one vector too many")
def too_many(memory, last):
    return memory.changed(lambda x: tail(x, x.roll(-1, 0), last + 1))


@to("11.8", wrong="one vector too few")
def too_few(memory, last):
    first = len(memory) - last + 1
    return memory.changed(lambda x: torch.cat([x[:, :, :first], x.roll(-1, 0)[:, :, first:]], 2))


@to("11.8", wrong="one vector alone is exchanged")
def one_place(memory, last):
    def exchange(x):
        changed = x.clone()
        changed[:, :, -last] = x.roll(-1, 0)[:, :, -last]
        return changed

    return memory.changed(exchange)


@to("11.8", wrong="the row after the last one is the first")
def not_round(memory, last):
    return memory.changed(lambda x: torch.cat([tail(x, x.roll(-1, 0), last)[:-1], x[-1:]]))


@to("11.8", wrong="not all rows in opposite order")
def turned_round(memory, last):
    return memory.changed(lambda x: tail(x, x.flip(0), last))


@to("11.8", wrong="not the first for all")
def the_first_row(memory, last):
    return memory.changed(lambda x: tail(x, x[:1].expand_as(x), last))


@to("11.8", wrong="read from the old memory")
def one_after_the_other(memory, last):
    def exchange(x):
        x = x.clone()
        for b in range(len(x)):
            x[b, :, -last:] = x[(b + 1) % len(x), :, -last:]
        return x

    return memory.changed(exchange)


@to("11.8", wrong="in another order")
def backwards(memory, last):
    def exchange(x):
        new = x.roll(-1, 0)[:, :, -last:].flip(2)
        return torch.cat([x[:, :, : x.shape[2] - last], new], 2)

    return memory.changed(exchange)


@to("11.8", wrong="the memory that is given has changed")
def in_place(memory, last):
    for x in memory.keys + memory.values:
        x[:, :, -last:] = x.roll(-1, 0)[:, :, -last:]
    return memory


@to("11.8", wrong="keys and values have changed places")
def swapped(memory, last):
    found = by_a_mask(memory, last)
    return Memory(found.values, found.keys, found.config)


@to("11.8", wrong="have shape")
def cropped(memory, last):
    return memory.changed(lambda x: x[:, :, :-last])


@to("11.8", wrong="have shape")
def appended(memory, last):
    return memory.changed(lambda x: torch.cat([x, x.roll(-1, 0)[:, :, -last:]], 2))


@to("11.8", wrong="return a Memory")
def two_tensors(memory, last):
    found = by_a_mask(memory, last)
    return found.keys[0], found.values[0]


@to("11.8", wrong="must keep its config")
def another_config(memory, last):
    found = by_a_mask(memory, last)
    return Memory(found.keys, found.values, replace(memory.config, memory_size=4))


def changed_at(model, tokens, back, step=1):
    other = tokens.clone()
    other[0, -1 - back] = (other[0, -1 - back] + step) % model.config.n_tokens
    return model(other)


def difference(a, b):
    return (a - b).abs().max().item()


@to("11.9")
def from_the_far_end(model, tokens):
    before = model(tokens)[0, -1]
    for back in reversed(range(1, tokens.shape[1])):
        if difference(changed_at(model, tokens, back)[0, -1], before) > 1e-9:
            return back
    return 0


@to("11.9")
def in_one_batch(model, tokens):
    T = tokens.shape[1]
    rows, place = tokens.repeat(T, 1), torch.arange(T)
    rows[place, place] = (rows[place, place] + 3) % model.config.n_tokens
    moved = (model(rows)[:, -1] - model(tokens)[:, -1]).abs().amax(-1) > 1e-9
    return T - 1 - moved.nonzero().min() if moved.any() else 0


@to("11.9")
@torch.no_grad()
def with_two_other_tokens(model, tokens):
    T, distances = tokens.shape[1], [0]
    before = model(tokens)[:, -1]
    for place in range(T - 1):
        for step in (2, 4):
            after = changed_at(model, tokens, T - 1 - place, step)
            if not torch.allclose(after[:, -1], before, rtol=0, atol=1e-9):
                distances.append(T - 1 - place)
    return max(distances)


def measure(
    model,
    tokens,
    moved=lambda after, before: difference(after[0, -1], before[0, -1]) > 1e-9,
    change=changed_at,
):
    """The distances back, from 1 on, at which a change matters."""
    before = model(tokens)
    backs = range(1, tokens.shape[1])
    return [back for back in backs if moved(change(model, tokens, back), before)]


def farthest(model, tokens, **how):
    return max(measure(model, tokens, **how), default=0)


@to("11.9", wrong="compare the last position alone")
def all_positions(model, tokens):
    return farthest(model, tokens, moved=lambda after, before: difference(after, before) > 1e-9)


@to("11.9", wrong="change one token at a time")
def tokens_stay_changed(model, tokens):
    found, other, before = 0, tokens.clone(), model(tokens)
    for back in range(tokens.shape[1]):
        other[0, -1 - back] = (other[0, -1 - back] + 1) % model.config.n_tokens
        if difference(model(other)[0, -1], before[0, -1]) > 1e-9:
            found = back
    return found


@to("11.9", wrong="it is 3: change one token at a time")
def all_but_the_last_stay_changed(model, tokens):
    found, other, before = 0, tokens.clone(), model(tokens)
    for back in range(1, tokens.shape[1]):
        other[0, -1 - back] = (other[0, -1 - back] + 1) % model.config.n_tokens
        if difference(model(other)[0, -1], before[0, -1]) > 1e-9:
            found = back
    return found


@to("11.9", wrong="go on behind a distance that changes nothing")
def stops_at_the_first(model, tokens):
    matter = measure(model, tokens)
    back = 0
    while back + 1 in matter:
        back += 1
    return back


@to("11.9", wrong="putting in 0 changes nothing")
def zero_for_each(model, tokens):
    def change(model, tokens, back):
        other = tokens.clone()
        other[0, -1 - back] = 0
        return model(other)

    return farthest(model, tokens, change=change)


@to("11.9", wrong="small changes count too")
def rounded(model, tokens):
    def moved(after, before):
        return not torch.allclose(after[0, -1], before[0, -1], atol=1e-2)

    return farthest(model, tokens, moved=moved)


@to("11.9", wrong="has a relative tolerance as well")
def close_in_parts(model, tokens):
    def moved(after, before):
        return not torch.allclose(after[0, -1], before[0, -1], atol=1e-9)

    return farthest(model, tokens, moved=moved)


@to("11.9", wrong="distance 3 counts by less than 1e-9")
def exactly_equal(model, tokens):
    return farthest(
        model, tokens, moved=lambda after, before: not after[0, -1].equal(before[0, -1])
    )


@to("11.9", wrong="take the absolute value")
def only_rising(model, tokens):
    return farthest(model, tokens, moved=lambda after, before: (after - before)[0, -1].max() > 1e-9)


@to("11.9", wrong="compare them one by one")
def sum_of_logits(model, tokens):
    return farthest(
        model, tokens, moved=lambda after, before: (after - before)[0, -1].sum().abs() > 1e-9
    )


@to("11.9", wrong="not the place in the row")
def the_place(model, tokens):
    return tokens.shape[1] - 1 - farthest(model, tokens)


@to("11.9", wrong="has distance 0, the one before it 1")
def counted_with_the_last(model, tokens):
    return farthest(model, tokens) + 1


@to("11.9", wrong="the token before the last has distance 1")
def one_too_few(model, tokens):
    return farthest(model, tokens) - 1


@to("11.9", wrong="and not only the likeliest token")
def likeliest_token(model, tokens):
    return farthest(
        model,
        tokens,
        moved=lambda after, before: after[0, -1].argmax() != before[0, -1].argmax(),
    )


@to("11.9", wrong="not the nearest")
def the_nearest(model, tokens):
    return min(measure(model, tokens), default=0)


@to("11.9", wrong="not how many matter")
def how_many(model, tokens):
    return len(measure(model, tokens))


@to("11.9", wrong="whatever the model")
def whole_row(model, tokens):
    return tokens.shape[1] - 1


@to("11.9", wrong="but it is 3")
def by_arithmetic(model, tokens):
    return model.config.n_layers * (model.config.memory_size or tokens.shape[1] - 1)


@to("11.9", wrong="changes its `tokens`")
def in_the_row_itself(model, tokens):
    before, found = model(tokens)[0, -1].clone(), 0
    for back in range(1, tokens.shape[1]):
        tokens[0, -1 - back] += 1
        tokens[0, -1 - back] %= model.config.n_tokens
        if difference(model(tokens)[0, -1], before) > 1e-9:
            found = back
    return found


@to("11.9", wrong="return one number")
def all_distances(model, tokens):
    return measure(model, tokens)


@to("11.9", wrong="returns nothing")
def printed(model, tokens):
    print(farthest(model, tokens))
