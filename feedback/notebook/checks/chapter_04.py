"""Checks of chapter 4, feedback memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Real

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from feedback.config import Config
from feedback.language_model import LanguageModel
from feedback.memory import FeedbackTransformer
from feedback.notebook.checks.catching import expect_catches
from feedback.notebook.checks.comparing import near
from feedback.notebook.checks.verdict import exercise, expect, when

Slips = Sequence[tuple[str, Tensor]]  # sentences, and what an answer with such a mistake gives

KEYS_VALUES, OUTPUTS, VECTOR = "parallel keys and values", "all outputs", "memory vector"


def feedback_model(d: int, L: int, **more) -> FeedbackTransformer:
    """A model with random weights, of a size at which every part of it has an effect."""
    model = FeedbackTransformer(Config(model="feedback", d_model=d, n_layers=L, d_ff=24, **more))
    own = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3, generator=own)
    return model


@exercise("4.3")
def check_one_step(one_step: Callable) -> None:
    own = torch.Generator().manual_seed(1)
    models = feedback_model(12, L=3, heads=3), feedback_model(8, L=2, heads=2)
    for model, steps in zip(models, ((3, 1, 4), (2,)), strict=True):
        d, L = model.config.d_model, model.config.n_layers
        x = torch.randn(2, 5, d, generator=own)  # (B, T, d)
        for t in steps:
            with when(f"step {t} of a model with {L} layers"):
                check_step(one_step, model, x, t)
    with when("step 0, where memory is an empty list"):
        check_step(one_step, models[0], torch.randn(2, 5, 12, generator=own), 0)


def check_step(one_step: Callable, model: FeedbackTransformer, x: Tensor, t: int) -> None:
    """Step t of x (B, T, d), against the package's own."""
    with torch.no_grad():
        trace = model.trace(x)
    assert trace.memory is not None  # as in every feedback model
    x_t, top, m_t = (y[:, t : t + 1] for y in (x, trace.outputs[-1], trace.memory))
    x_t = x_t.clone().requires_grad_()  # (B, 1, d)
    memory = [m.clone().requires_grad_() for m in trace.memory[:, :t].split(1, dim=1)][:t]
    found = one_step(model, x_t, list(memory))
    what = "return two tensors: the top layer's output, then m_t"
    expect(isinstance(found, (tuple, list)) and len(found) == 2, what)
    for symbol, tensor in zip(("x_t^L", "m_t"), found, strict=True):
        expect(torch.is_tensor(tensor), f"{symbol} is a {type(tensor).__name__}; {what}")
        shape = tuple(tensor.shape)
        expect(shape == x_t.shape, f"{symbol} is {shape}, not (B, 1, d) = {tuple(x_t.shape)}")

    past = torch.cat(memory, 1) if memory else x_t[:, :0]  # (B, t, d)
    right = run_layers(model, x_t, lambda below: past)
    slips = slips_of_output(model, x_t, past) if t else []
    empty = "with an empty memory, leave out attention and nothing else"
    last = "its layers do something else" if t else empty
    expect(near(found[0], top), f"x_t^L is not right: {named(found[0], slips, last)}")
    slips = slips_of_memory(model, right)
    last = "it is no sum of all outputs, with the weights of model.mixture"
    expect(near(found[1], m_t), f"m_t is not right: {named(found[1], slips, last)}")
    wanted = [right[-1], model.mixture(right)]
    check_gradients(
        found, wanted, {"x_t": [x_t], "memory": memory, "model": list(model.parameters())}
    )


def check_gradients(found: Sequence[Tensor], wanted: Sequence[Tensor], of: dict) -> None:
    """Whether gradients go the way that they should, where the numbers are right."""
    for symbol, one, other in zip(("x_t^L", "m_t"), found, wanted, strict=True):
        for name, tensors in of.items():
            right = all(map(near, gradients(one, tensors), gradients(other, tensors)))
            gone = f"{symbol} is right, but the gradient of `{name}` is not: "
            expect(right, gone + "no .detach(), .data or no_grad on the way")


def gradients(y: Tensor, of: list[Tensor]) -> list[Tensor]:
    """Of a weighted sum of y, zero where there is none."""
    if not y.requires_grad or not of:
        return [torch.zeros_like(tensor) for tensor in of]
    total = (y * torch.linspace(-1, 1, y.numel()).reshape(y.shape)).sum()
    return list(
        torch.autograd.grad(total, of, retain_graph=True, allow_unused=True, materialize_grads=True)
    )


def named(found: Tensor, slips: Slips, last: str) -> str:
    """The sentence of the first slip that gives what was found, or else the last one."""
    return next((sentence for sentence, wrong in slips if near(found, wrong)), last)


def run_layers(
    model: FeedbackTransformer,
    x: Tensor,
    read: Callable[[Tensor], Tensor],
    projections: Sequence | None = None,
    from_embedding: bool = False,
) -> list[Tensor]:
    """The layers of one step, or with a slip in them: all L+1 outputs, (B, 1, d) each.

    `read` makes of the layer below (B, 1, d) what a layer reads, (B, n, d).
    """
    outputs = [x]
    for layer, project in zip(model.layers, projections or model.keys_values, strict=True):
        below = x if from_embedding else outputs[-1]
        outputs.append(layer(below, *project(read(outputs[-1])))[0])
    return outputs


def slips_of_output(model: FeedbackTransformer, x: Tensor, past: Tensor) -> Slips:
    L, width = len(model.layers), past.shape[2:]
    first, backwards = [model.keys_values[0]] * L, list(model.keys_values)[::-1]
    right = run_layers(model, x, lambda below: past)

    def top(past: Tensor, **slip) -> Tensor:
        return run_layers(model, x, lambda below: past, **slip)[-1]

    def top_with(read: Callable[[Tensor], Tensor]) -> Tensor:
        return run_layers(model, x, read)[-1]

    return [
        ("x_t is among the keys; they come from memory", top(torch.cat([past, x], 1))),
        ("x_t alone is read; keys come from memory", top(x)),
        (
            "the layer below is among the keys; they come from memory",
            top_with(lambda below: torch.cat([past, below], 1)),
        ),
        ("the layer below alone is read; keys come from memory", top_with(lambda below: below)),
        ("each layer has its own keys and values", top(past, projections=first)),
        ("the first layer has the first projection", top(past, projections=backwards)),
        ("a layer goes on from the one below", top(past, from_embedding=True)),
        ("only the last memory vector is read; read all", top(past[:, -1:])),
        ("only the first memory vector is read; read all", top(past[:, :1])),
        ("the last memory vector is not read; read all", top(past[:, :-1])),
        ("the first memory vector is not read; read all", top(past[:, 1:])),
        ("the mean of the memory is read; each vector has a key", top(past.mean(1, True))),
        ("the sum of the memory is read; each vector has a key", top(past.sum(1, True))),
        ("no memory vector is read", top(past[:, :0])),
        ("the oldest memory vector comes first", top(past.flip(1))),
        ("a vector of zeros stands before the memory", top(F.pad(past, (0, 0, 1, 0)))),
        ("project m_j as it is, not normalised", top(F.layer_norm(past, width))),
        ("project m_j as it is, not normalised", top(model.norm(past))),
        ("the last norm comes once, after all steps", model.norm(right[-1])),
        ("this is the layer below the top", right[-2]),
        ("this is x_t itself", x),
        ("this is m_t; the top layer's output comes first", model.mixture(right)),
    ]


def slips_of_memory(model: FeedbackTransformer, outputs: list[Tensor]) -> Slips:
    w, m = model.mixture.w, model.mixture(outputs)
    assert w is not None  # these models learn it
    weights = w.softmax(0)

    def mix(weights: Tensor, outputs: list[Tensor]) -> Tensor:
        return sum(weight * output for weight, output in zip(weights, outputs, strict=True))

    return [
        ("all weights are equal; take softmax(w)", sum(outputs) / len(outputs)),
        ("all weights are 1; take softmax(w)", sum(outputs)),
        ("the weights are w; take softmax(w)", mix(w, outputs)),
        ("the embedding is layer 0 of the sum", mix(w[1:].softmax(0), outputs[1:])),
        ("the embedding is layer 0 of the sum", mix(weights[1:], outputs[1:])),
        (
            "the embedding is in it twice, the top layer not",
            mix(weights, outputs[:1] + outputs[:-1]),
        ),
        ("the top layer is missing in the sum", mix(weights[:-1], outputs[:-1])),
        ("the top layer is missing in the sum", mix(w[:-1].softmax(0), outputs[:-1])),
        ("the embedding comes first", mix(weights, outputs[::-1])),
        ("this is the top layer's output; m_t sums all", outputs[-1]),
        ("this is the embedding; m_t sums all", outputs[0]),
        ("take the sum as it is, not normalised", F.layer_norm(m, m.shape[2:])),
        ("take the sum as it is, not normalised", model.norm(m)),
    ]


@exercise("4.1")
def check_numbers(kept: Callable) -> None:
    for d, L in [(64, 5), (12, 6)]:
        with when(f"d = {d}, L = {L}"):
            found = kept(d, L)
            expect(isinstance(found, dict), f"return a dictionary, not a {type(found).__name__}")
            entries = f"the entries are {', '.join(map(repr, found))}"
            right = numbers_kept(d, L)
            expect(found.keys() == right.keys(), f"{entries}, not {', '.join(map(repr, right))}")
            for name, number in right.items():
                given = found[name]
                single = isinstance(given, (Real, Tensor)) or hasattr(given, "item")
                expect(single, f'"{name}": {given!r:.40} is no number')
                said = f'"{name}": not {given}; {slip_of_kept(name, given, d, L)}'
                expect(given == number, said)


def numbers_kept(d: int, L: int) -> dict[str, int]:
    """How many numbers a step leaves behind, that of a parallel model as the package keeps it."""
    model = LanguageModel(Config(model="parallel", d_model=d, n_layers=L, d_ff=d))
    _, memory = model(torch.zeros(1, 3, dtype=torch.long), return_memory=True)
    in_numbers = memory.nbytes // 4 // 3  # four bytes a number, three steps
    return {KEYS_VALUES: in_numbers, OUTPUTS: (L + 1) * d, VECTOR: d}


def slip_of_kept(name: str, given: int, d: int, L: int) -> str:
    """What somebody is likely to have counted."""
    slips = {
        (KEYS_VALUES, d * L): "a key and a value are two vectors",
        (KEYS_VALUES, 2 * d): "each of the L layers keeps its own",
        (KEYS_VALUES, d): "a key and a value are two vectors, and each of the L layers has its own",
        (KEYS_VALUES, 2 * L): "that is how many vectors; each has d numbers",
        (KEYS_VALUES, 3 * d * L): "queries are not kept: no later step asks for them",
        (KEYS_VALUES, 2 * d * (L + 1)): "the embedding has no keys of its own",
        (OUTPUTS, L * d): "the embedding is one of the outputs",
        (OUTPUTS, L + 1): "that is how many vectors; each has d numbers",
        (OUTPUTS, 2 * d * (L + 1)): "an output is one vector",
        (OUTPUTS, 2 * d * L): "outputs, not keys and values; and the embedding is one",
        (OUTPUTS, L + d): "L + 1 vectors, so brackets: (L + 1) * d",
        (OUTPUTS, L * d + 1): "L + 1 vectors, so brackets: (L + 1) * d",
        (OUTPUTS, (d + 1) * L): "d and L are exchanged",
        (VECTOR, 2 * d): "that is its key and value; m is one vector",
        (VECTOR, 2 * d * L): "m itself, not its keys and values",
        (VECTOR, L * d): "one vector, however many layers",
        (VECTOR, (L + 1) * d): "it is the sum of these vectors, as wide as one",
        (VECTOR, L + 1): "these are the weights of the sum, the same at every step",
        (VECTOR, L): "its width is d",
        (VECTOR, 1): "it is one vector, and has d numbers",
    }
    bytes_of = {KEYS_VALUES: 8 * d * L, OUTPUTS: 4 * (L + 1) * d, VECTOR: 4 * d}
    if given == bytes_of[name]:
        return "count numbers, not bytes"
    return slips.get((name, given), "count the numbers of one step")


MADE_OF = ((4, 1), (2, 5), (3, 3))  # of a `Probe`: an output, and the input that it is made of


class Probe(nn.Module):
    """Three outputs are made of one input each, the others of none: (1, 6, 5) -> (1, 6, 5).

    Attributes:
        read: (5,), how much of each feature of the input is read.
        write: (5,), how much of what was read each feature of the output gets; None for its cosine
            and its sine, so that the sum of the squares never changes.
    """

    def __init__(self, read: Sequence[float], write: Sequence[float] | None):
        super().__init__()
        self.read, self.write = read, write

    def forward(self, x: Tensor) -> Tensor:
        links = x.new_zeros(6, 6)
        for t, j in MADE_OF:
            links[t, j] = 1
        s = (links @ (x @ x.new_tensor(self.read)).unsqueeze(-1)).squeeze(-1)  # (1, T)
        if self.write is None:
            made = links.sum(1)  # (T,), 1 where there is an input
            return F.pad(torch.stack([s.cos() * made, s.sin() * made], -1), (0, 3))
        return s.unsqueeze(-1) * x.new_tensor(self.write)


ALL, DIFFERENCE = (1, 1, 1, 1, 1), (1, -1, 0, 0, 0)
ONE = [[float(n == feature) for n in range(5)] for feature in range(5)]
SUM, SQUARES = (
    f"its features change, the sum of their {what} does not, as behind a LayerNorm"
    for what in ("values", "squares")
)
PROBES = [  # a probe, t and j; whether output t depends on input j, and what to look at
    (Probe(ALL, ALL), 3, 3, True, "this output is made of this input"),
    (Probe(ALL, ALL), 4, 1, True, "this output is made of this input"),
    (Probe(ALL, ALL), 0, 0, False, "this model makes output 0 of nothing"),
    (Probe(ALL, ALL), 0, 3, False, "look at output t alone, not at all"),
    (Probe(ALL, ALL), 3, 0, False, "look at input j alone, not at all"),
    (Probe(ALL, ALL), 2, 5, True, "this model reads ahead; ask its gradient"),
    *(
        (Probe(one, ALL), 3, 3, True, f"only feature {n} of the input matters; look at all")
        for n, one in enumerate(ONE)
    ),
    (
        Probe((0, 0, -1, 0, 0), ALL),
        3,
        3,
        True,
        "it falls where the input rises: a gradient below 0",
    ),
    (Probe([0.001] * 5, ALL), 3, 3, True, "it depends on it, if only a little: compare with 0"),
    (Probe(DIFFERENCE, ALL), 3, 3, True, "two features of the input matter, with opposite signs"),
    (Probe(ALL, (1, 1, -2, 0, 0)), 3, 3, True, SUM),
    (Probe(ALL, None), 3, 3, True, SQUARES),
    *(
        (Probe(ALL, one), 3, 3, True, f"only its feature {n} changes; look at all")
        for n, one in enumerate(ONE)
    ),
]


@exercise("4.2")
def check_depends(depends_on: Callable) -> None:
    own = torch.Generator().manual_seed(2)
    x = torch.randperm(30, generator=own).reshape(1, 6, 5) / 4  # no sum of them is rounded
    told = [ask(depends_on, PROBES[0][0], x, t, j) for t, j in ((4, 1), (1, 4), (0, 3))]
    expect(told != [False, True, True], "True and False are exchanged")
    expect(told != [False, True, False], "t and j are exchanged")
    for model, t, j, truth, why in PROBES:
        check_answer(depends_on, model, x, t, j, truth, why)

    sizes = {"d": 12, "L": 2, "heads": 3}
    whole, short = feedback_model(**sizes), feedback_model(**sizes, memory_size=1)
    bits = feedback_model(**sizes, memory_size=1, memory_mixture=[1, 0, 0])
    x = torch.randn(1, 8, 12, generator=own)
    for model, t, j, truth, why in [
        (whole, 6, 0, True, "with a full memory step 6 reads step 0 directly"),
        (whole, 3, 6, False, "nothing depends on the future"),
        (short, 6, 6, True, "every output depends on its own token"),
        (short, 6, 0, True, "m_5 was made by reading m_4, and so on"),
        (bits, 6, 5, True, "step 6 reads m_5, the embedding of token 5"),
        (bits, 6, 0, False, "m_5 is the embedding of token 5, nothing else"),
    ]:
        check_answer(depends_on, model, x, t, j, truth, why)

    x = torch.randn(1, 6, 5, generator=own)
    first, second = (depends_on(PROBES[0][0], x, t, 3) for t in (3, 4))  # of the same tensor
    piled = "asked once more with the same x it answers otherwise: gradients pile up in x.grad"
    expect(bool(first) and not bool(second), piled)


def check_answer(
    depends_on: Callable, model: nn.Module, x: Tensor, t: int, j: int, truth: bool, why: str
) -> None:
    found = ask(depends_on, model, x, t, j)
    expect(found is truth, f"output {t} on input {j} is {truth}: {why}")


def ask(depends_on: Callable, model: nn.Module, x: Tensor, t: int, j: int) -> bool:
    """The answer, as a bool of Python, to a copy of x."""
    found = depends_on(model, x.clone(), t, j)
    dtype = getattr(found, "dtype", type(found))
    expect(str(dtype) in ("<class 'bool'>", "torch.bool", "bool"), "return True or False")
    one = getattr(found, "shape", ()) in ((), (1,))
    expect(one, "return one True or False, not one for each number")
    return bool(found)


@exercise("4.5", is_test=True)
def check_test_of_the_step(test_step: Callable) -> None:
    """Does the test tell a step from nine that have one fault each?"""
    with torch.no_grad():
        expect_catches(test_step, step_with(), faulty_steps())


def step_with(
    past: Callable = lambda x, memory: torch.cat(memory, 1) if memory else x[:, :0],
    projections: Callable = lambda model: model.keys_values,
    output: Callable = lambda model, x: x,
    mixture: Callable = lambda model, outputs: model.mixture(outputs),
    after: Callable = lambda memory, m: None,
) -> Callable:
    """A step of the model, with what is given in place of one of its parts."""

    def one_step(model: FeedbackTransformer, x_t: Tensor, memory: list) -> tuple[Tensor, Tensor]:
        read = past(x_t, memory)
        outputs = run_layers(model, x_t, lambda below: read, projections(model))
        m = mixture(model, outputs)
        after(memory, m)
        return output(model, outputs[-1]), m

    return one_step


def faulty_steps() -> dict[str, Callable]:
    """Steps with one fault each, under hints at it."""

    def with_own(x: Tensor, memory: list) -> Tensor:
        return torch.cat([*memory, x], 1)

    def with_nothing(x: Tensor, memory: list) -> Tensor:
        return torch.cat(memory or [torch.zeros_like(x)], 1)

    return {
        "which token may a step not read from memory?": step_with(past=with_own),
        "what is read at the very first step?": step_with(past=with_nothing),
        "how many of the memory vectors are read?": step_with(
            past=lambda x, memory: memory[-1] if memory else x[:, :0]
        ),
        "has each layer projections of its own?": step_with(
            projections=lambda model: [model.keys_values[0]] * len(model.layers)
        ),
        "is the output that of the top layer, before the last norm?": step_with(
            output=lambda model, x: model.norm(x)
        ),
        "which outputs go into the memory vector, with the embedding as layer 0?": step_with(
            mixture=lambda model, outputs: outputs[-1]
        ),
        "is the memory vector the sum as it is, without a norm?": step_with(
            mixture=lambda model, outputs: model.norm(model.mixture(outputs))
        ),
        "new weights of the mixture are all equal; what if they are not?": step_with(
            mixture=lambda model, outputs: torch.stack(outputs).mean(0)
        ),
        "is the list that was handed in still the same?": step_with(
            after=lambda memory, m: memory.append(m)
        ),
    }
