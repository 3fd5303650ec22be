"""Answers to the exercises of chapter 10."""

import torch
from torch.nn import functional as F

from answers import to
from feedback.cache import Memory
from feedback.interpret import sites
from feedback.interpret.changes import only, put, put_mean, zero
from feedback.interpret.probes import fit_probe, shuffled
from feedback.interpret.running import look_at, run_with

# 10.1


def share(x, y, fit, test, truth=None):
    probe = fit_probe(x[fit], y[fit])
    return probe.accuracy(x[test], (y if truth is None else truth)[test]).share


def halves(x):
    return slice(len(x) // 2), slice(len(x) // 2, None)


@to("10.1")
def by_chunks(x, labels, control):
    (a, b), found = x.chunk(2), []
    for y in (labels, control):
        first, last = y.chunk(2)
        found.append(fit_probe(a, first).accuracy(b, last).share)
    return found


@to("10.1")
def flattened(x, labels, control):
    half = len(x) // 2
    found = []
    for y in (labels, control):
        probe = fit_probe(x[:half].flatten(0, 1), y[:half].flatten())
        answers = probe(x[half:].flatten(0, 1)).argmax(-1)
        found.append((answers == y[half:].flatten()).double().mean().item())
    return tuple(found)


@to("10.1")
def as_a_tensor(x, labels, control):
    first, last = halves(x)
    return torch.tensor([share(x, labels, first, last), share(x, control, first, last)]).double()


@to("10.1", wrong="tested on the rows that it was fitted to")
def tested_where_fitted(x, labels, control):
    first, _ = halves(x)
    return [share(x, y, first, first) for y in (labels, control)]


@to("10.1", wrong="tested on all rows")
def tested_on_all(x, labels, control):
    first, _ = halves(x)
    return [share(x, y, first, slice(None)) for y in (labels, control)]


@to("10.1", wrong="fitted to all rows, among them")
def fitted_to_all(x, labels, control):
    _, last = halves(x)
    return [share(x, y, slice(None), last) for y in (labels, control)]


@to("10.1", wrong="fitted to all rows and tested on all")
def no_test_at_all(x, labels, control):
    return [share(x, y, slice(None), slice(None)) for y in (labels, control)]


@to("10.1", wrong="not the reverse")
def halves_exchanged(x, labels, control):
    first, last = halves(x)
    return [share(x, y, last, first) for y in (labels, control)]


@to("10.1", wrong="by turns")
def every_second_row(x, labels, control):
    return [share(x, y, slice(0, None, 2), slice(1, None, 2)) for y in (labels, control)]


@to("10.1", wrong="changed places")
def control_first(x, labels, control):
    first, last = halves(x)
    return [share(x, y, first, last) for y in (control, labels)]


@to("10.1", wrong="a probe of its own")
def one_probe(x, labels, control):
    first, last = halves(x)
    return [share(x, labels, first, last, truth) for truth in (labels, control)]


@to("10.1", wrong="test it on the control")
def control_against_labels(x, labels, control):
    first, last = halves(x)
    return [share(x, y, first, last, labels) for y in (labels, control)]


@to("10.1", wrong="halve the rows, not the steps")
def along_time(x, labels, control):
    half, found = x.shape[1] // 2, []
    for y in (labels, control):
        probe = fit_probe(x[:, :half], y[:, :half])
        found.append(probe.accuracy(x[:, half:], y[:, half:]).share)
    return found


@to("10.1", wrong="how often the probe is wrong")
def errors(x, labels, control):
    return [1 - found for found in by_chunks(x, labels, control)]


@to("10.1", wrong="return two numbers")
def labels_alone(x, labels, control):
    first, last = halves(x)
    return share(x, labels, first, last)


@to("10.1", wrong="return two numbers")
def counts(x, labels, control):
    first, last = halves(x)
    return [fit_probe(x[first], y[first]).accuracy(x[last], y[last]) for y in (labels, control)]


@to("10.1", wrong="the share for the control is")
def another_control(x, labels, control):
    other = shuffled(labels, torch.Generator().manual_seed(9))
    first, last = halves(x)
    return [share(x, labels, first, last), share(x, other, first, last)]


# 10.2


@to("10.2")
def by_a_site(model, tokens, donor, layer):
    site, step = sites.shares(model), tokens.shape[1] - 2
    shares = look_at(model, donor, site)
    return run_with(model, tokens, {site: only(put(shares), [step], layer)}).logits[:, -1]


@to("10.2")
def by_the_memory_vector(model, tokens, donor, layer):
    own, other = model.trace(tokens), model.trace(donor)
    w = model.layer_weights()[layer]
    moved = own.memory + w * (other.outputs[layer] - own.outputs[layer])
    changes = {sites.memory(model): only(put(moved), {tokens.shape[1] - 2})}
    return run_with(model, tokens, changes).logits[:, -1]


@to("10.2")
def without_the_room(model, tokens, donor, layer):
    """Read the row, make the last memory vector anew, and read one token more."""
    before, other = model.trace(tokens[:, :-1]), model.trace(donor[:, :-1])
    outputs = before.outputs[:, :, -1].clone()
    outputs[layer] = other.outputs[layer, :, -1]
    m = torch.einsum("l,lbd->bd", model.layer_weights(), outputs)
    key, value = model.core.keys_values[0](m[:, None])
    _, memory = model(tokens[:, :-1], return_memory=True)
    keys = torch.cat([memory.keys[0][:, :, :-1], key], 2)
    values = torch.cat([memory.values[0][:, :, :-1], value], 2)
    return model.step(tokens[:, -1], Memory((keys,), (values,), memory.config))[0]


@to("10.2")
def by_a_change_of_its_own(model, tokens, donor, layer):
    shares, step = look_at(model, donor, sites.shares(model)), tokens.shape[1] - 2

    def change(x, steps):
        x = x.clone()
        if step in steps:
            x[:, step - steps.start, layer] = shares[:, step, layer]
        return x

    return run_with(model, tokens, {sites.shares(model): change}).logits[:, -1]


def patched(model, tokens, donor, steps, part):
    site = sites.shares(model)
    changes = {site: only(put(look_at(model, donor, site)), steps, part)}
    return run_with(model, tokens, changes).logits


@to("10.2", wrong="nothing is patched")
def at_the_last_token(model, tokens, donor, layer):
    return patched(model, tokens, donor, [tokens.shape[1] - 1], layer)[:, -1]


@to("10.2", wrong="the last memory vector alone")
def at_all_steps(model, tokens, donor, layer):
    return patched(model, tokens, donor, None, layer)[:, -1]


@to("10.2", wrong="the vector before the last")
def one_step_early(model, tokens, donor, layer):
    return patched(model, tokens, donor, [tokens.shape[1] - 3], layer)[:, -1]


@to("10.2", wrong="whole memory vector")
def the_whole_vector(model, tokens, donor, layer):
    site, step = sites.memory(model), tokens.shape[1] - 2
    values = look_at(model, donor, site)
    return run_with(model, tokens, {site: only(put(values), [step])}).logits[:, -1]


@to("10.2", wrong="0 is the embedding")
def counted_from_one(model, tokens, donor, layer):
    part = max(layer - 1, 0) if layer else model.config.n_layers
    return patched(model, tokens, donor, [tokens.shape[1] - 2], part)[:, -1]


@to("10.2", wrong="exchanged")
def the_other_way_round(model, tokens, donor, layer):
    return by_a_site(model, donor, tokens, layer)


@to("10.2", wrong="answers to the donor")
def the_donor(model, tokens, donor, layer):
    return model.trace(donor).logits[:, -1]


@to("10.2", wrong="times its layer weight")
def not_weighted(model, tokens, donor, layer):
    own, other = model.trace(tokens), model.trace(donor)
    moved = own.memory + other.outputs[layer] - own.outputs[layer]
    changes = {sites.memory(model): only(put(moved), {tokens.shape[1] - 2})}
    return run_with(model, tokens, changes).logits[:, -1]


@to("10.2", wrong="all shares but the one")
def the_others(model, tokens, donor, layer):
    parts = [one for one in range(model.config.n_layers + 1) if one != layer]
    return patched(model, tokens, donor, [tokens.shape[1] - 2], parts)[:, -1]


@to("10.2", wrong="the last token alone, (B, V)")
def of_every_token(model, tokens, donor, layer):
    return patched(model, tokens, donor, [tokens.shape[1] - 2], layer)


@to("10.2", wrong="return logits themselves")
def answers(model, tokens, donor, layer):
    return by_a_site(model, tokens, donor, layer).softmax(-1).long()


# 10.3


@to("10.3")
def by_coordinates(own, donor, basis, r):
    some = basis[:, :r]
    return own - own @ some @ some.T + donor @ some @ some.T


@to("10.3")
def one_direction_at_a_time(own, donor, basis, r):
    found = own.clone()
    for direction in basis.T[:r]:
        found += ((donor - own) @ direction)[:, None] * direction
    return found


@to("10.3")
def in_the_basis(own, donor, basis, r):
    whole, _ = torch.linalg.qr(basis, mode="complete")
    whole[:, : basis.shape[1]] = basis
    mine, other = own @ whole, donor @ whole
    return torch.cat([other[:, :r], mine[:, r:]], 1) @ whole.T


@to("10.3")
def by_einsum(own, donor, basis, r):
    some = basis[:, :r]
    return own + torch.einsum("nd,dr,er->ne", donor - own, some, some)


def within(basis, r, x):
    return x @ basis[:, :r] @ basis[:, :r].T


@to("10.3", wrong="nothing is put in")
def unchanged(own, donor, basis, r):
    return own


@to("10.3", wrong="the donor, in all directions")
def all_of_it(own, donor, basis, r):
    return donor


@to("10.3", wrong="the donor's not put in")
def taken_out(own, donor, basis, r):
    return own - within(basis, r, own)


@to("10.3", wrong="the own part left in")
def added(own, donor, basis, r):
    return own + within(basis, r, donor)


@to("10.3", wrong="own and donor are exchanged")
def the_rest(own, donor, basis, r):
    return donor + within(basis, r, own - donor)


@to("10.3", wrong="the donor's part alone")
def projected(own, donor, basis, r):
    return within(basis, r, donor)


@to("10.3", wrong="the difference alone")
def difference_alone(own, donor, basis, r):
    return within(basis, r, donor - own)


@to("10.3", wrong="the wrong sign")
def backwards(own, donor, basis, r):
    return own + within(basis, r, own - donor)


@to("10.3", wrong="not the last")
def the_last(own, donor, basis, r):
    return own + within(basis[:, basis.shape[1] - r :], r, donor - own)


@to("10.3", wrong="not all")
def all_directions(own, donor, basis, r):
    return own + within(basis, basis.shape[1], donor - own)


@to("10.3", wrong="one direction too many")
def too_many(own, donor, basis, r):
    return own + within(basis, r + 1, donor - own) if r else own


@to("10.3", wrong="the r-th direction alone")
def the_rth(own, donor, basis, r):
    return own + within(basis[:, max(r - 1, 0) : r], 1, donor - own)


@to("10.3", wrong="the first r numbers")
def the_first_numbers(own, donor, basis, r):
    return torch.cat([donor[:, :r], own[:, r:]], 1)


@to("10.3", wrong="return vectors")
def coordinates(own, donor, basis, r):
    return donor @ basis[:, :r]


# 10.4


def loss(logits, labels):
    return F.cross_entropy(logits[:, -1], labels[:, -1])


def without(model, tokens, layer, head, change=put_mean):
    site = sites.heads(model, layer + 1)
    put_in = change(look_at(model, tokens, site))
    return run_with(model, tokens, {site: only(put_in, part=head)}).logits


def table(model, f):
    L, H = model.config.n_layers, model.config.heads
    return torch.tensor([[f(layer, head) for head in range(H)] for layer in range(L)])


@to("10.4")
def in_a_table(model, tokens, labels):
    base = loss(model.trace(tokens).logits, labels)
    return table(model, lambda at, h: loss(without(model, tokens, at, h), labels) - base)


@to("10.4")
def by_a_change_of_means(model, tokens, labels):
    base = loss(model(tokens), labels).item()
    found = []
    for layer in range(1, model.config.n_layers + 1):
        for head in range(model.config.heads):
            site = sites.heads(model, layer)
            means = look_at(model, tokens, site).mean(0, keepdim=True)

            def change(x, steps, head=head, means=means):
                x = x.clone()
                x[:, :, head] = means[:, steps.start : steps.stop, head]
                return x

            found.append(loss(run_with(model, tokens, {site: change}).logits, labels) - base)
    return torch.stack(found).view(model.config.n_layers, -1)


@to("10.4")
def from_probabilities(model, tokens, labels):
    rows = torch.arange(len(tokens))

    def last(logits):
        return -logits[:, -1].softmax(-1)[rows, labels[:, -1]].log().mean()

    base = last(model.trace(tokens).logits)
    return table(model, lambda at, h: last(without(model, tokens, at, h)) - base)


@to("10.4", wrong="subtract the loss")
def not_subtracted(model, tokens, labels):
    return table(model, lambda at, h: loss(without(model, tokens, at, h), labels))


@to("10.4", wrong="less that of the whole")
def gains(model, tokens, labels):
    return -in_a_table(model, tokens, labels)


@to("10.4", wrong="not zero")
def by_zero(model, tokens, labels):
    base = loss(model.trace(tokens).logits, labels)

    def of(at, h):
        return loss(without(model, tokens, at, h, change=lambda x: zero), labels) - base

    return table(model, of)


@to("10.4", wrong="at each step apart")
def one_mean_for_all(model, tokens, labels):
    base = loss(model.trace(tokens).logits, labels)

    def change(x):
        return put(x.mean((0, 1), keepdim=True).expand(1, *x.shape[1:]))

    return table(model, lambda at, h: loss(without(model, tokens, at, h, change), labels) - base)


@to("10.4", wrong="one at a time")
def a_whole_layer(model, tokens, labels):
    base, every = loss(model.trace(tokens).logits, labels), range(model.config.heads)
    return table(model, lambda at, h: loss(without(model, tokens, at, every), labels) - base)


@to("10.4", wrong="the loss of the last token alone")
def over_all_tokens(model, tokens, labels):
    def of(logits):
        return F.cross_entropy(logits.flatten(0, 1), labels.flatten())

    base = of(model.trace(tokens).logits)
    return table(model, lambda at, h: of(without(model, tokens, at, h)) - base)


@to("10.4", wrong="at every step")
def the_last_step(model, tokens, labels):
    base, last = loss(model.trace(tokens).logits, labels), [tokens.shape[1] - 1]

    def of(layer, head):
        site = sites.heads(model, layer + 1)
        change = only(put_mean(look_at(model, tokens, site)), last, head)
        return loss(run_with(model, tokens, {site: change}).logits, labels) - base

    return table(model, of)


@to("10.4", wrong="share of wrong answers")
def wrong_answers(model, tokens, labels):
    def of(logits):
        return (logits[:, -1].argmax(-1) != labels[:, -1]).double().mean()

    base = of(model.trace(tokens).logits)
    return table(model, lambda at, h: of(without(model, tokens, at, h)) - base)


@to("10.4", wrong="return costs (L, H)")
def heads_first(model, tokens, labels):
    return in_a_table(model, tokens, labels).T


@to("10.4", wrong="not a list")
def a_list(model, tokens, labels):
    return in_a_table(model, tokens, labels).tolist()


@to("10.4", wrong="not a float")
def the_whole_loss(model, tokens, labels):
    return loss(model.trace(tokens).logits, labels).item()
