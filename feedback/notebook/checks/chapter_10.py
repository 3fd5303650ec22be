"""Checks of chapter 10, inside the memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from feedback.cache import Memory
from feedback.config import Config
from feedback.interpret import sites
from feedback.interpret.changes import only, put, put_mean
from feedback.interpret.probes import fit_probe
from feedback.interpret.running import look_at, run_with
from feedback.language_model import LanguageModel
from feedback.notebook.checks.comparing import near
from feedback.notebook.checks.several import agree
from feedback.notebook.checks.verdict import Mistake, exercise, expect, when

LazySlips = dict[str, Callable[[], Tensor]]  # what likely mistakes give, computed when needed


def random_model(name: str, layers: int, heads: int, size: int | None = None) -> LanguageModel:
    """A small model whose weights are so large that every part counts, in double precision."""
    config = Config(
        name, 6, d_model=4 * heads, heads=heads, n_layers=layers, d_ff=16, memory_size=size
    )
    own = torch.Generator().manual_seed(0)
    model = LanguageModel(config).double().eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.4, generator=own)
    return model


def some_tokens(B: int, T: int, seed: int) -> Tensor:
    return torch.randint(6, (B, T), generator=torch.Generator().manual_seed(seed))


def changed_logits(model: LanguageModel, tokens: Tensor, changes: Mapping) -> Tensor:
    """Logits (B, T, V) of a run with changes."""
    logits = run_with(model, tokens, changes).logits
    assert logits is not None  # a language model has a head
    return logits


def expect_tensor(found: object, wanted: Tensor, name: str) -> Tensor:
    """The answer, if it is a tensor of the wanted shape with fractions in it."""
    expect(isinstance(found, Tensor), f"return {name}, a tensor; not a {type(found).__name__}")
    assert isinstance(found, Tensor)
    shapes = f"return {name}, {tuple(wanted.shape)}; that has shape {tuple(found.shape)}"
    expect(found.shape == wanted.shape, shapes)
    expect(found.is_floating_point(), f"return {name} themselves; those are {found.dtype}")
    return found


def expect_near(found: Tensor, wanted: Tensor, slips: LazySlips, otherwise: str) -> None:
    """Raise `Mistake` unless these are the numbers, with the first slip that would give them."""
    if near(found, wanted, 1e-6):
        return
    for slip, wrong in slips.items():
        expect(not near(found, wrong(), 1e-6), slip)
    expect(False, otherwise)


# 10.1


@exercise("10.1")
def check_read_out(read_out: Callable) -> None:
    """Vectors in which labels can be read in part, and rows have something of their own."""
    for case, (rows, steps) in enumerate([(60, 3), (36, 5), (48, 4)]):
        own = torch.Generator().manual_seed(case)
        labels = torch.randint(3, (rows, steps), generator=own)
        control = labels.flatten()[torch.randperm(rows * steps, generator=own)].view(rows, steps)
        x = torch.randn(rows, steps, 12, generator=own) + torch.randn(rows, 1, 12, generator=own)
        x[..., :3] += 1.5 * F.one_hot(labels, 3)
        with when(f"{rows} rows of {steps} vectors"):
            found = two_numbers(read_out(x.clone(), labels.clone(), control.clone()))
            expect_shares(found, x, labels, control)


def two_numbers(found: object) -> list[float]:
    said = "return two numbers, the share for the labels and that for the control"
    try:
        numbers = [float(one) for one in found]  # type: ignore[attr-defined]
    except (TypeError, ValueError) as error:
        raise Mistake(f"{said}, not {found!r:.40}") from error
    expect(len(numbers) == 2, f"{said}; those are {len(numbers)}")
    return numbers


def expect_shares(found: Sequence[float], x: Tensor, labels: Tensor, control: Tensor) -> None:
    """Are these the two shares, and if not, which slip gives them?"""
    half, steps = len(x) // 2, x.shape[1] // 2
    first, last, every = slice(half), slice(half, None), slice(None)

    def share(y: Tensor, fit: slice, test: slice, truth: Tensor) -> float:
        return fit_probe(x[fit], y[fit]).accuracy(x[test], truth[test]).share

    wanted = [share(y, first, last, y) for y in (labels, control)]
    if agree(found, wanted):
        return
    for slip, fit, test in (
        ("the probe is tested on the rows that it was fitted to", first, first),
        ("the probe is tested on all rows, among them those that it was fitted to", first, every),
        ("the probe is fitted to all rows, among them those that it is tested on", every, last),
        ("the probe is fitted to all rows and tested on all", every, every),
        ("fit to the first half of the rows and test on the other, not the reverse", last, first),
        ("the same, and the halves are exchanged", last, last),
        ("rows are taken by turns; take the first half", slice(0, None, 2), slice(1, None, 2)),
    ):
        expect(not agree(found, [share(y, fit, test, y) for y in (labels, control)]), slip)
    true, chance = wanted
    other = share(labels, first, last, control), share(control, first, last, labels)
    along = [
        fit_probe(x[:, :steps], y[:, :steps]).accuracy(x[:, steps:], y[:, steps:]).share
        for y in (labels, control)
    ]
    for slip, wrong in (
        ("the two numbers have changed places", [chance, true]),
        ("the control needs a probe of its own, fitted to the control labels", [true, other[0]]),
        ("the control's probe is tested on the labels; test it on the control", [true, other[1]]),
        ("both numbers are those of the labels", [true, true]),
        ("both numbers are those of the control", [chance, chance]),
        ("halve the rows, not the steps: steps of one row are alike", along),
        ("that is how often the probe is wrong", [1 - true, 1 - chance]),
        ("return shares, not percent", [100 * true, 100 * chance]),
    ):
        expect(not agree(found, wrong), slip)
    first_wrong = not agree(found[:1], wanted[:1])
    name = "labels" if first_wrong else "control"
    at = found[not first_wrong], wanted[not first_wrong]
    expect(False, f"the share for the {name} is {at[0]:.3f}, and should be {at[1]:.3f}")


# 10.2


@exercise("10.2")
def check_patched_share(patched_share: Callable) -> None:
    """Models of several sizes; the memory is made by hand from the outputs of two runs."""
    for layers, heads, size, T in ((2, 2, None, 6), (3, 1, 4, 7)):
        model = random_model("feedback-kv", layers, heads, size)
        tokens, donor = some_tokens(3, T, seed=1), some_tokens(3, T, seed=2)
        donor[:, -1] = (tokens[:, -1] + 1) % 6
        for layer in range(layers + 1):
            with when(f"{layers} layers, the share of layer {layer}"), torch.no_grad():
                wanted = by_hand(model, tokens, donor, {layer: [T - 2]})
                found = patched_share(model, tokens.clone(), donor.clone(), layer)
                if isinstance(found, Tensor) and found.shape == (*tokens.shape, 6):
                    expect(False, "return the logits of the last token alone, (B, V)")
                found = expect_tensor(found, wanted, "logits")
                slips = slips_of_patch(model, tokens, donor, layer)
                expect_near(found, wanted, slips, "those are other logits")


def by_hand(
    model: LanguageModel, tokens: Tensor, donor: Tensor, patched: dict[int, Sequence[int]]
) -> Tensor:
    """Logits (B, V) of the last token, with shares of memory vectors at some steps patched.

    Steps before the last patched one must be left alone, or all be patched: what a patch changes at
    later steps is not computed here but for the last token.
    """
    own, other = model.trace(tokens), model.trace(donor)
    assert own.memory is not None
    m, weights = own.memory[:, :-1].clone(), model.layer_weights()
    for layer, steps in patched.items():
        for t in steps:
            m[:, t] += weights[layer] * (other.outputs[layer, :, t] - own.outputs[layer, :, t])
    return answer(model, tokens[:, -1], m)


def answer(model: LanguageModel, token: Tensor, m: Tensor) -> Tensor:
    """Logits (B, V) of one token (B,) after the memory vectors m (B, n, d)."""
    size = model.config.memory_size or m.shape[1]
    keys, values = model.core.keys_values[0](m[:, -size:])
    return model.step(token, Memory((keys,), (values,), model.config))[0]


def slips_of_patch(model: LanguageModel, tokens: Tensor, donor: Tensor, layer: int) -> LazySlips:
    """Likely mistakes, each with what it would give."""
    T, layers = tokens.shape[1], range(model.config.n_layers + 1)
    shares, memory = sites.shares(model), sites.memory(model)

    def patched(steps: Sequence[int], part: int | Sequence[int] = layer, out: int = -1) -> Tensor:
        values = look_at(model, donor, sites.shares(model))
        return changed_logits(model, tokens, {shares: only(put(values), steps, part)})[:, out]

    def whole() -> Tensor:
        values = look_at(model, donor, memory)
        return changed_logits(model, tokens, {memory: only(put(values), [T - 2])})[:, -1]

    slips: LazySlips = {
        "nothing is patched: step T - 1 is the last token itself, and T - 2 the one before": (
            lambda: model.trace(tokens).logits[:, -1]
        ),
        "that is what the model answers to the donor": lambda: model.trace(donor).logits[:, -1],
        "patch the last memory vector alone, at step T - 2": lambda: patched(range(T - 1)),
        "that patches the vector before the last": lambda: patched([T - 3]),
        "that patches the first vector": lambda: patched([0]),
        "that is the whole memory vector of the donor: patch one share": whole,
        "that patches all shares but the one that is asked": lambda: patched(
            [T - 2], [one for one in layers if one != layer]
        ),
        "donor and tokens are exchanged": lambda: by_hand(model, donor, tokens, {layer: [T - 2]}),
        "the share is weighted: a layer's output enters the memory times its layer weight": (
            lambda: unweighted(model, tokens, donor, layer)
        ),
        "those are the logits one token too early": lambda: patched([T - 2], out=-2),
    }
    for other in layers:
        if other != layer:
            slip = f"that is the share of layer {other}; 0 is the embedding"
            slips[slip] = lambda other=other: patched([T - 2], other)  # type: ignore[misc]
    return slips


def unweighted(model: LanguageModel, tokens: Tensor, donor: Tensor, layer: int) -> Tensor:
    """Logits (B, V) where the whole output goes into the memory vector, not its share."""
    own, other = model.trace(tokens), model.trace(donor)
    assert own.memory is not None
    m = own.memory[:, :-1].clone()
    m[:, -1] += other.outputs[layer, :, -2] - own.outputs[layer, :, -2]
    return answer(model, tokens[:, -1], m)


# 10.3


@exercise("10.3")
def check_with_part(with_part: Callable) -> None:
    """Random vectors and orthonormal directions, of several sizes."""
    own = torch.Generator().manual_seed(0)
    for N, d, R in ((5, 7, 4), (3, 4, 4), (6, 9, 3)):
        mine, donor = torch.randn(2, N, d, generator=own, dtype=torch.float64)
        basis = torch.linalg.qr(torch.randn(d, R, generator=own, dtype=torch.float64))[0]
        for r in (1, 2, R, 0):
            with when(f"{r} of {R} directions, vectors of {d} numbers"):
                wanted = mine + (donor - mine) @ basis[:, :r] @ basis[:, :r].T
                found = with_part(mine.clone(), donor.clone(), basis.clone(), r)
                found = expect_tensor(found, wanted, "vectors")
                slips = dict(slips_of_part(mine, donor, basis, r))
                expect_near(found, wanted, slips, "those are other vectors")


def slips_of_part(
    mine: Tensor, donor: Tensor, basis: Tensor, r: int
) -> Iterator[tuple[str, Callable[[], Tensor]]]:
    """Likely mistakes, each with what it would give."""

    def within(b: Tensor, x: Tensor) -> Tensor:
        return x @ b @ b.T

    some, difference, R = basis[:, :r], donor - mine, basis.shape[1]
    numbers = mine.clone()
    numbers[:, :r] = donor[:, :r]
    for slip, wrong in {
        "nothing is put in": mine,
        "that is the donor, in all directions": donor,
        "the own part is taken out and the donor's not put in": mine - within(some, mine),
        "the donor's part is added, and the own part left in": mine + within(some, donor),
        "own and donor are exchanged: the rest has to be the own vector's": (
            donor - within(some, difference)
        ),
        "that is the donor's part alone; the rest of the own vector belongs to it": (
            within(some, donor)
        ),
        "that is the difference alone; add it to the own vector": within(some, difference),
        "the difference has the wrong sign": mine - within(some, difference),
        "take the first r directions, not the last": mine + within(basis[:, R - r :], difference),
        "take the first r directions, not all": mine + within(basis, difference),
        "that is one direction too many": mine + within(basis[:, : r + 1], difference),
        "that is one direction too few": mine + within(basis[:, : max(r - 1, 0)], difference),
        "that is the r-th direction alone": mine + within(basis[:, max(r - 1, 0) : r], difference),
        "directions are the columns of the basis; those are the first r numbers of each vector": (
            numbers
        ),
    }.items():
        yield slip, lambda wrong=wrong: wrong  # type: ignore[misc]


# 10.4


@exercise("10.4")
def check_head_costs(head_costs: Callable) -> None:
    """Small models of two kinds, each head's cost computed apart."""
    for name, layers, heads, B, T in (("feedback-kv", 2, 3, 5, 6), ("parallel", 3, 2, 4, 5)):
        model = random_model(name, layers, heads)
        tokens, labels = some_tokens(B, T, seed=3), some_tokens(B, T, seed=4)
        with when(f"a {name} model of {layers} layers with {heads} heads"), torch.no_grad():
            wanted = costs(model, tokens, labels)
            found = head_costs(model, tokens.clone(), labels.clone())
            found = expect_tensor(found, wanted, "costs (L, H)").to(wanted)
            expect_near(found, wanted, slips_of_costs(model, tokens, labels), "others come out")


def last_loss(logits: Tensor, labels: Tensor) -> Tensor:
    return F.cross_entropy(logits[:, -1], labels[:, -1])


def costs(
    model: LanguageModel,
    tokens: Tensor,
    labels: Tensor,
    loss: Callable[[Tensor, Tensor], Tensor] = last_loss,
    mean: Callable[[Tensor], Tensor] = lambda x: x.mean(0, keepdim=True),
    steps: Sequence[int] | None = None,
) -> Tensor:
    """By how much the loss rises without each head, (L, H)."""
    L, H = model.config.n_layers, model.config.heads
    found, whole = torch.zeros(L, H, dtype=torch.float64), model.trace(tokens).logits
    for layer in range(L):
        site = sites.heads(model, layer + 1)
        change = put(mean(look_at(model, tokens, site)))
        for head in range(H):
            without = changed_logits(model, tokens, {site: only(change, steps, part=head)})
            found[layer, head] = loss(without, labels) - loss(whole, labels)
    return found


def slips_of_costs(model: LanguageModel, tokens: Tensor, labels: Tensor) -> LazySlips:
    """Likely mistakes, each with what it would give."""
    base = last_loss(model.trace(tokens).logits, labels)

    def all_tokens(logits: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(logits.flatten(0, 1), y.flatten())

    def wrong_share(logits: Tensor, y: Tensor) -> Tensor:
        return (logits[:, -1].argmax(-1) != y[:, -1]).double().mean()

    def over_all(x: Tensor) -> Tensor:
        return x.mean((0, 1), keepdim=True).expand(1, *x.shape[1:])

    def layers_at_once() -> Tensor:
        rows = []
        for layer in range(1, model.config.n_layers + 1):
            site = sites.heads(model, layer)
            change = put_mean(look_at(model, tokens, site))
            rows.append(last_loss(changed_logits(model, tokens, {site: change}), labels) - base)
        return torch.stack(rows)[:, None].expand(-1, model.config.heads)

    def ask(**how: object) -> Callable[[], Tensor]:
        return lambda: costs(model, tokens, labels, **how)  # type: ignore[arg-type]

    return {
        "subtract the loss of the whole model": lambda: ask()() + base,
        "what a head costs is the loss without it less that of the whole": lambda: -ask()(),
        "heads of a layer are replaced one at a time": layers_at_once,
        "put in the mean over rows, not zero": ask(mean=torch.zeros_like),
        "the mean is over rows, at each step apart": ask(mean=over_all),
        "replace the head at every step, and not at the last alone": ask(
            steps=[tokens.shape[1] - 1]
        ),
        "the loss of the last token alone": ask(loss=all_tokens),
        "the loss, and not the share of wrong answers": ask(loss=wrong_share),
        "layers are in opposite order": lambda: ask()().flip(0),
        "heads are in opposite order": lambda: ask()().flip(1),
    }
