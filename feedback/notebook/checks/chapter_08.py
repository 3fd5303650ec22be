"""Checks of chapter 8, training.

Shapes: B batch, T tokens, V tokens of the vocabulary. All is in double precision.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from numbers import Real

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from feedback.cache import Memory
from feedback.config import Config, plain
from feedback.language_model import LanguageModel
from feedback.notebook.checks.catching import expect_catches
from feedback.notebook.checks.comparing import near
from feedback.notebook.checks.verdict import Mistake, exercise, expect, when
from feedback.training.settings import Settings, tokens_to_come

V = 6  # tokens of the vocabulary
RATE = 0.5  # of every optimizer here
BATCHES = [  # (B, T) and the bound: a gradient is longer than 0.05, and shorter than 50
    ((4, V), 0.05),  # as long as the vocabulary, so that no mistake about axes is an error
    ((4, V), 50.0),
    ((2, 9), 0.05),
    ((4, V), 50.0),
]


@exercise("8.3", in_place=True)
def check_update(one_update: Callable) -> None:
    """Batches one after another: the loss, the gradient that the step takes, and the weights."""
    model = small_model()
    optimizer, reads = Watched(model), Reads(model)
    for number, (shape, bound) in enumerate(BATCHES, 1):
        B, T = shape
        tokens = torch.randint(V, (B, T + 1), generator=torch.Generator().manual_seed(number))
        with when(f"batch {number}, clip = {bound}"):
            check_one_update(one_update, optimizer, tokens, bound)
            expect(all(reads.trained), "the model read in evaluation mode, without dropout")
            expect(model.training, "the model is left in evaluation mode")


def check_one_update(
    one_update: Callable, optimizer: Watched, tokens: Tensor, bound: float
) -> None:
    """Was everything right about the update with tokens (B, T + 1)?"""
    model = optimizer.model
    given = [tokens[:, :-1].clone(), tokens[:, 1:].clone()]
    truth = prediction(twin_of(model), tokens[:, :-1], tokens[:, 1:])
    left, before = gradient_of(model), weights_of(model)
    optimizer.begin()
    with in_words():
        found = one_update(model, optimizer, *given, bound)
    kept = given[0].equal(truth.inputs) and given[1].equal(truth.targets)
    expect(kept, "your function changes the batch that it is given")
    moved, after = weights_of(model), gradient_of(model)
    others = {
        "that is the norm of the gradient; give back the loss": truth.gradient.norm().item(),
        "clip bounds the gradient, not the loss": min(bound, truth.loss.item()),
    }
    if not moved.equal(before):
        later = prediction(twin_of(model), truth.inputs, truth.targets).loss.item()
        others["it is that after the step; give back the one before"] = later
    check_loss(found, truth, others)
    steps = len(optimizer.steps)
    expect(steps, "the optimizer that was handed over took no step")
    expect(steps == 1, f"one step for a batch, not {steps}")
    taken = optimizer.steps[0]
    if not taken.any():
        expect(optimizer.computed, "no gradient was computed: backward is missing")
        flat = "the gradient is zero: clip bounds the gradient, not the loss"
        expect(optimizer.computed[-1].any(), flat)
        expect(not after.any(), "the step came before backward, and found no gradient")
        expect(False, "the gradient was cleared between backward and step")
    check_gradient(taken, truth, bound, left, after)
    only = "the weights were changed by more than optimizer.step()"
    expect(same(moved, before - RATE * taken), only)


def small_model() -> LanguageModel:
    """A model whose weights are not small, always the same."""
    torch.manual_seed(0)
    model = LanguageModel(Config(n_tokens=V, d_model=8, heads=2, n_layers=1, d_ff=8)).double()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.5)
    return model


def twin_of(model: LanguageModel) -> LanguageModel:
    """Another model with the same weights."""
    twin = small_model()
    twin.load_state_dict(model.state_dict())
    return twin


def weights_of(model: nn.Module) -> Tensor:
    """All weights as one vector."""
    return nn.utils.parameters_to_vector(model.parameters()).detach()


def gradient_of(model: nn.Module) -> Tensor:
    """What stands in the gradients, as one vector; 0 where there is none."""
    there = [torch.zeros_like(p) if p.grad is None else p.grad for p in model.parameters()]
    return torch.cat([gradient.flatten() for gradient in there]).clone()


class Watched(torch.optim.SGD):
    """Plain gradient descent that notes the gradient of each step."""

    def __init__(self, model: LanguageModel):
        super().__init__(model.parameters(), lr=RATE)
        self.model = model
        self.steps: list[Tensor] = []
        self.computed: list[Tensor] = []
        model.head.weight.register_hook(self.computed.append)

    def begin(self) -> None:
        """Forget what was noted."""
        self.steps.clear()
        self.computed.clear()

    def step(self, closure=None):  # type: ignore[override]
        loss = None if closure is None else closure()
        self.steps.append(gradient_of(self.model))
        super().step()
        return loss


@dataclass(frozen=True)
class Read:
    """What a model read in one forward pass: tokens (B, T), steps in the memory, a graph there."""

    tokens: Tensor
    held: int
    graph: bool


class Reads:
    """Notes what a model reads from here on, and whether it was in training mode."""

    def __init__(self, model: LanguageModel):
        self.passes: list[Read] = []
        self.trained: list[bool] = []
        model.register_forward_pre_hook(self.note, with_kwargs=True)

    def note(self, model: nn.Module, arguments: tuple, named: dict) -> None:
        given = dict(zip(("tokens", "memory"), arguments, strict=False)) | named
        memory = given.get("memory")
        parts = memory.keys + memory.values if isinstance(memory, Memory) else ()
        held = len(memory) if isinstance(memory, Memory) else 0
        graph = any(part.requires_grad for part in parts)
        self.passes.append(Read(given["tokens"].clone(), held, graph))
        self.trained.append(model.training)


@dataclass(frozen=True)
class Prediction:
    """What a model should find in a batch.

    Attributes:
        inputs, targets: (B, T).
        logits: (B, T, V).
        slopes: the gradient of the mean loss, a tensor for each parameter.
        memory: after the last input.
    """

    inputs: Tensor
    targets: Tensor
    logits: Tensor
    slopes: tuple[Tensor, ...]
    memory: Memory

    @property
    def loss(self) -> Tensor:
        return mean_loss(self.logits, self.targets)

    @property
    def gradient(self) -> Tensor:
        """All slopes as one vector."""
        return torch.cat([slope.flatten() for slope in self.slopes])


def prediction(
    model: LanguageModel, inputs: Tensor, targets: Tensor, memory: Memory | None = None
) -> Prediction:
    """What this model finds in a batch, whose memory has no graph."""
    logits, memory = model(inputs, memory, return_memory=True)
    slopes = torch.autograd.grad(mean_loss(logits, targets), [*model.parameters()])
    return Prediction(inputs, targets, logits.detach(), slopes, memory.detach())


def mean_loss(logits: Tensor, targets: Tensor) -> Tensor:
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


def shortened(gradient: Tensor, bound: float) -> Tensor:
    return gradient * min(1.0, bound / gradient.norm().item())


def same(one: Tensor, other: Tensor) -> bool:
    """Whether two vectors are as good as equal."""
    return bool((one - other).norm() <= 1e-4 * other.norm())


@contextlib.contextmanager
def in_words() -> Iterator[None]:
    """Say of torch's errors what is likely to have been the mistake."""
    signs = {
        "does not require grad": "the loss has no graph: no torch.no_grad and no detach before it",
        "no attribute 'backward'": "loss.item() has no graph: go back from the tensor",
        "second time": "backward was called twice after one forward pass",
    }
    try:
        yield
    except (RuntimeError, AttributeError) as error:
        for sign, why in signs.items():
            if sign in str(error):
                raise Mistake(why) from error
        raise


def check_loss(found: object, truth: Prediction, others: dict[str, float]) -> None:
    """Is `found` the mean loss, as a number? `others` are numbers that it might be instead."""
    tensor = "the loss is still a tensor: loss.item() is the number"
    expect(not isinstance(found, Tensor), tensor)
    if not isinstance(found, Real):
        raise Mistake(f"the loss is a {type(found).__name__}, not a number")
    if alike(found, truth.loss):
        return
    for slip, wrong in (slips_of_loss(truth) | others).items():
        expect(not alike(found, wrong), f"the loss: {slip}")
    expect(False, f"the loss is {float(found):.4f}, but it is {truth.loss:.4f} nats")


def alike(one: Real, other: float | Tensor) -> bool:
    return math.isclose(float(one), float(other), rel_tol=1e-4)


def slips_of_loss(truth: Prediction) -> dict[str, float | Tensor]:
    """What comes out with a typical mistake, under its name."""
    inputs, targets, logits, loss = truth.inputs, truth.targets, truth.logits, truth.loss.item()
    B, T = targets.shape
    over = [logits.log_softmax(dim).gather(-1, targets[..., None]).mean() for dim in (0, 1)]
    by_places, in_rows = logits.transpose(0, 1), targets.T.reshape(B, T)
    slips = {
        "a sum over all positions; take the mean": loss * B * T,
        "a sum over each window; take the mean over all positions": loss * T,
        "a sum over the batch; take the mean over all positions": loss * B,
        "it lacks the minus sign": -loss,
        "that is the perplexity; the loss is its logarithm": math.exp(loss),
        "that is in bits; give nats": loss / math.log(2),
        "the softmax goes over the batch, not over the vocabulary": -over[0],
        "the softmax goes over positions, not over the vocabulary": -over[1],
        "cross_entropy takes logits: one softmax too many": mean_loss(logits.softmax(-1), targets),
        "the inputs are not the targets": mean_loss(logits, inputs),
        "the targets are one character later already": mean_loss(logits[:, :-1], targets[:, 1:]),
        "the targets are one character later already; do not roll them": mean_loss(
            logits, targets.roll(-1, 1)
        ),
        "the targets are not in the order of the logits": mean_loss(logits, in_rows),
        "the logits are not in the order of the targets": mean_loss(by_places, targets),
        "the last position is missing": mean_loss(logits[:, :-1], targets[:, :-1]),
        "the first position is missing": mean_loss(logits[:, 1:], targets[:, 1:]),
        "that is the last position alone": mean_loss(logits[:, -1:], targets[:, -1:]),
        "that is the first position alone": mean_loss(logits[:, :1], targets[:, :1]),
        "that is the first window alone": mean_loss(logits[:1], targets[:1]),
    }
    if T == V:
        second = "cross_entropy takes the second axis for the vocabulary; here it is the last"
        slips[second] = F.cross_entropy(logits, targets)
    return slips


def check_gradient(
    taken: Tensor, truth: Prediction, bound: float, left: Tensor, after: Tensor
) -> None:
    """Did a step take the clipped gradient?

    Args:
        taken: what stood in the gradients when the step was taken, as one vector.
        left, after: what stood there before the update, and behind it.
    """
    whole, slopes = truth.gradient, truth.slopes
    norm, wanted = whole.norm().item(), shortened(truth.gradient, bound)
    if same(taken, wanted):
        return
    if left.any():
        stale = "the step took the gradient of the batch before: backward comes first"
        expect(not same(taken, left), stale)
        old = "the gradient of the batch before is still in it: clear it before backward"
        for mixed in (left + whole, shortened(left + whole, bound)):
            expect(not same(taken, mixed), old)
    if same(taken, whole):
        late = "clipped after the step, which is too late"
        expect(not alike(after.norm().item(), bound), late)
        long = f"the step took a gradient of norm {norm:.2f}, and the bound is {bound}"
        expect(False, f"{long}: clip it between backward and step")
    each = [shortened(slope, bound).flatten() for slope in slopes]
    slips = {
        "every number was clipped for itself; shorten the whole vector": whole.clamp(-bound, bound),
        "every parameter was clipped for itself; the norm is that of all": torch.cat(each),
        "a gradient below the bound stays as it is": whole * bound / norm,
        "the bound is the argument clip, not 1": shortened(whole, 1.0),
        "the norm is the root of the sum of squares": whole * min(1.0, bound / norm**2),
        "the L2 norm, not the largest number": whole * min(1.0, bound / float(whole.abs().max())),
        "the L2 norm, not the sum of absolute values": (
            whole * min(1.0, bound / float(whole.abs().sum()))
        ),
        "the step went uphill": -wanted,
    }
    for slip, wrong in slips.items():
        expect(not same(taken, wrong), f"the gradient: {slip}")
    times = (taken @ wanted / (wanted @ wanted)).item()
    if same(taken, times * wanted):
        raise Mistake(f"the right direction, but {times:.3g} times as far as it should be")
    expect(False, "the step took a gradient that is not that of the loss")


@exercise("8.1")
def check_share(share_of_tokens: Callable) -> None:
    """Against the tokens of real schedules; no short length comes last."""
    for n in (3, 2, 1, 5, 0):
        true = share_by_counting(n)
        with when(f"n = {n}"):
            try:
                given = plain(share_of_tokens(n))
            except ZeroDivisionError as error:
                if n:
                    raise
                none = "there is no short length to take the mean of; the share is 1"
                raise Mistake(none) from error
            kind = type(given).__name__
            expect(isinstance(given, Real), f"that is a {kind}, not a number")
            if not math.isclose(given, true, rel_tol=1e-5):  # type: ignore[arg-type]
                explain_share(given, n, true)  # type: ignore[arg-type]


def share_by_counting(n: int, steps: int = 12_000) -> float:
    """The share of the tokens that a run sees, whose lengths double n times."""
    lengths = dict(sequence_length=64, start_length=64 // 2**n)
    return tokens_to_come(Settings(steps=steps, batch_size=1, **lengths)) / (64 * steps)  # type: ignore[arg-type]


def explain_share(given: float, n: int, true: float) -> None:
    """Which slip gives this share instead of the true one?"""
    said = f"{given:.4g}"
    expect(n, f"{said}, but all steps are at full length: the share is 1")
    short = [2.0**-i for i in range(1, n + 1)]
    slips = {
        "that is the first half of the steps alone": 2 * true - 1,
        "the second half of the steps is missing": true - 0.5,
        "that is what is spared; the share seen is the rest": 1 - true,
        "the full length has half of the steps, not as many as each short one": (
            (sum(short) + 1) / (n + 1)
        ),
        "the full length is not one of those in the first half": (
            0.5 + 0.5 * (sum(short) + 1) / (n + 1)
        ),
        "the first half has n lengths, and not the shortest alone": 0.5 + 0.5 * 0.5**n,
        "the n short lengths share the first half; none has all of it": 0.5 + 0.5 * sum(short),
        "the longest of the short lengths is half of the full one": 0.5 + sum(short) / n,
        "there is one short length too many": (0.5 + 0.5 * (sum(short) + 0.5 ** (n + 1)) / (n + 1)),
        "the second half has half of the steps, so it counts half": 1 + 0.5 * sum(short) / n,
        "right for n = 1 alone; each length is half of the one after it, so more are shorter": 0.75,
    }
    for slip, wrong in slips.items():
        expect(not math.isclose(given, wrong, rel_tol=1e-5), f"{said}: {slip}")
    expect(0 <= given <= 1, f"{said}: a share lies between 0 and 1")
    expect(False, f"{said}, but a run sees {true:.4g}")


@exercise("8.2")
def check_fit(fit_map: Callable) -> None:
    """Many columns, and then as many of y as of x."""
    for d, n in ((4, 3), (2, 2)):
        with when(f"x (50, {d}), y (50, {n})"):
            x, y = columns(d), columns(n, seed=1)
            W, b = two_tensors(fit_map(x, y), x, y)
            check_matrix(W, x, y)
            check_vector(b, x, y)


def columns(n: int, seed: int = 0) -> Tensor:
    """Numbers whose columns have means and sizes of their own: (50, n)."""
    own = torch.Generator().manual_seed(seed)
    x = torch.randn(50, n, generator=own, dtype=torch.double)
    return x * (1 + 0.5 * torch.arange(n)) + 2 + torch.arange(n)


def two_tensors(found: object, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """W (n, d) and b (n,), if that is what came back."""
    if not isinstance(found, (tuple, list)) or len(found) != 2:
        raise Mistake("return two tensors, W and b")
    W, b = found
    if not isinstance(W, Tensor) or not isinstance(b, Tensor):
        raise Mistake("W and b have to be tensors")
    expect(W.ndim >= b.ndim, "W and b are in the wrong order")
    X, Y = x - x.mean(0), y - y.mean(0)
    size, n = (y.shape[1], x.shape[1]), y.shape[1]
    said = f"W is {tuple(W.shape)}, not {size}"
    expect(not (size != W.shape and near(W.T, solved(X, Y))), f"{said}: it is transposed")
    expect(not near(W, solved(Y, X)), "W predicts x from y")
    expect(W.shape == size, said)
    expect(b.shape == (n,), f"b is {tuple(b.shape)}, not {(n,)}")
    return W, b


def solved(x: Tensor, y: Tensor) -> Tensor:
    """The map (n, d) without a b that takes x (N, d) closest to y (N, n)."""
    return torch.linalg.lstsq(x, y).solution.T


def check_matrix(W: Tensor, x: Tensor, y: Tensor) -> None:
    """Is W that of the best map, and if not, of which other?"""
    X, Y = x - x.mean(0), y - y.mean(0)
    right = solved(X, Y)
    if near(W, right):
        return
    row_X, row_Y = x - x.mean(1, keepdim=True), y - y.mean(1, keepdim=True)
    slips = {
        "it is transposed": right.T,
        "that is the best map without a b: take the means off first": solved(x, y),
        "the mean of x was not taken off": solved(x, Y),
        "one mean for all columns; each has its own": solved(x - x.mean(), y - y.mean()),
        "the mean of each row was taken off, not that of each column": solved(row_X, row_Y),
        "the product with the inverse of X^T X is missing": (X.T @ Y).T,
        "that is the covariance of x and y": (X.T @ Y).T / len(x),
        "that is the covariance of x and y, over N - 1": (X.T @ Y).T / (len(x) - 1),
        "the sign": -right,
    }
    for slip, wrong in slips.items():
        expect(not near(W, wrong), f"W: {slip}")
    expect(False, "W: a small change of it makes the error smaller: no minimum yet")


def check_vector(b: Tensor, x: Tensor, y: Tensor) -> None:
    """Is b that of the best map, and if not, what was left out?"""
    W = solved(x - x.mean(0), y - y.mean(0))
    mean, mapped = y.mean(0), W @ x.mean(0)
    if near(b, mean - mapped):
        return
    slips = {
        "it is zero": torch.zeros_like(mean),
        "that is the mean of y; W x is not zero on average": mean,
        "W times the mean of x is taken off, not added": mean + mapped,
        "the sign": mapped - mean,
        "the mean of y is missing": -mapped,
        "one number for all; each column of y has its own": (mean - mapped).mean().expand(len(b)),
        "the sum of the errors, not their mean": len(x) * (mean - mapped),
    }
    for slip, wrong in slips.items():
        expect(not near(b, wrong), f"b: {slip}")
    expect(False, "b: the errors do not sum to zero")


TEXTS = [  # tokens, length of a segment, bound
    (27, 6, 0.05),  # two tokens are left over
    (25, 6, 0.05),  # none is left over
    (13, 4, 50.0),
]


@exercise("8.4", in_place=True)
def check_in_order(train_in_order: Callable) -> None:
    """Texts with tokens left over and without, compared with a twin that does it right."""
    for end, length, bound in TEXTS:
        with when(f"{end} tokens in segments of {length}, clip = {bound}"):
            check_one_text(train_in_order, end, length, bound)


def check_one_text(train_in_order: Callable, end: int, length: int, bound: float) -> None:
    """First the numbers; if they are wrong, all that the model read and the optimizer did."""
    model, own = small_model(), torch.Generator().manual_seed(1)
    optimizer, reads = Watched(model), Reads(model)
    tokens = torch.randint(V, (2, end), generator=own)
    given, before = tokens.clone(), gradient_of(model)
    with explained_at_a_seam(reads), in_words():
        found = train_in_order(model, optimizer, given, length, bound)
    expect(given.equal(tokens), "your function changes the tokens that it is given")
    if not isinstance(found, (list, tuple)):
        raise Mistake(f"that is a {type(found).__name__}, not the list of the losses")
    twin = small_model()
    truth = predictions_in_order(twin, tokens, length, bound)
    if not is_right(found, truth, weights_of(model), weights_of(twin)):
        for number, read in enumerate(reads.passes, 1):
            check_pass(number, read, tokens, length, len(truth))
        check_numbers_of(found, reads, optimizer, truth, end)
        for i, one in enumerate(truth):
            check_loss(found[i], one, {})
            taken = optimizer.steps[i]
            expect(taken.any(), "a step was taken without a gradient")
            left = optimizer.steps[i - 1] if i else before
            check_gradient(taken, one, bound, left, gradient_of(model))
        expect(False, "the weights were changed by more than optimizer.step()")
    expect(all(reads.trained), "the model read in evaluation mode, without dropout")
    expect(model.training, "the model is left in evaluation mode")


@contextlib.contextmanager
def explained_at_a_seam(reads: Reads) -> Iterator[None]:
    """Say of an error that it came from going back over a seam, if there was a graph."""
    try:
        yield
    except (RuntimeError, Mistake) as error:
        if any(read.graph for read in reads.passes):
            back = "backward went into the segment before: hand on memory.detach()"
            raise Mistake(back) from error
        raise


def predictions_in_order(
    twin: LanguageModel, tokens: Tensor, length: int, bound: float
) -> list[Prediction]:
    """What a model should find in each segment, of which it learns one after another."""
    memory, found = None, []
    for start in range(0, tokens.shape[1] - length, length):
        segment = tokens[:, start : start + length + 1]
        one = prediction(twin, segment[:, :-1], segment[:, 1:], memory)
        moved = weights_of(twin) - RATE * shortened(one.gradient, bound)
        nn.utils.vector_to_parameters(moved, twin.parameters())
        memory = one.memory
        found.append(one)
    return found


def is_right(found: list | tuple, truth: list[Prediction], weights: Tensor, wanted: Tensor) -> bool:
    """Whether the losses are the true ones, and so are the weights in the end."""
    return (
        len(found) == len(truth)
        and all(isinstance(loss, Real) for loss in found)
        and all(alike(loss, one.loss) for loss, one in zip(found, truth, strict=True))
        and same(weights, wanted)
    )


def check_pass(number: int, read: Read, tokens: Tensor, length: int, segments: int) -> None:
    """Did the model read what it should in this forward pass, the first of which is number 1?"""
    start, n = (number - 1) * length, read.tokens.shape[1]
    if number > segments:
        left = tokens.shape[1] - 1 - segments * length
        over = f"at the end {left} inputs are left, too few for a segment: leave them out"
        expect(n >= length, over)
        expect(False, f"{number} forward passes, but there is room for {segments} segments")
    if n != length:
        hint = ""
        if n == length - 1:
            hint = ": the target of its last one is the first token after the segment"
        if n == length + 1:
            hint = ": the last one is a target only"
        if n >= tokens.shape[1] - 1:
            hint = ": that is the whole row"
        expect(False, f"segment {number} reads {n} tokens, not {length}{hint}")
    if not read.tokens.equal(tokens[:, start : start + length]):
        expect(False, slip_of_reading(number, read.tokens, tokens, length))
    if number == 1:
        expect(read.held == 0, "the first segment begins with an empty memory")
        return
    said = f"segment {number} begins with an empty memory: hand on that of the one before"
    expect(read.held, said)
    attached = "the memory still has the graph of the segment before: hand on memory.detach()"
    expect(not read.graph, attached)
    enough = f"segment {number} was given the memory of {read.held} steps, not of {start}"
    expect(read.held == start, enough)


def slip_of_reading(number: int, seen: Tensor, tokens: Tensor, length: int) -> str:
    """Which tokens were read instead of those of this segment?"""
    start = (number - 1) * length
    if seen.equal(tokens[:, start - length : start]):
        return f"segment {number - 1} is read a second time"
    for stride, why in (
        (1, "segments overlap"),
        (length - 1, "segments overlap by a token"),
        (length + 1, "a token is left out between segments"),
    ):
        if seen.equal(tokens[:, (number - 1) * stride :][:, :length]):
            return f"{why}: the next begins {length} tokens after this one"
    return f"segment {number} reads other tokens than those from {start} on"


def check_numbers_of(
    found: list | tuple, reads: Reads, optimizer: Watched, truth: list[Prediction], end: int
) -> None:
    """As many forward passes, steps and losses as segments?"""
    passes, steps, segments = len(reads.passes), len(optimizer.steps), len(truth)
    expect(passes, "the model was never called")
    room = f"there is room for {segments} segments in {end} tokens"
    expect(passes == segments, f"{room}, and {passes} were read")
    expect(steps == segments, f"one update for each segment: {segments}, not {steps}")
    expect(len(found) == segments, f"{segments} losses, one for each segment, not {len(found)}")


@exercise("8.6", is_test=True)
def check_test_of_an_update(test_update: Callable) -> None:
    """Does the test tell an update from seven that have one fault?"""
    expect_catches(test_update, update_with(), FAULTY)


def update_with(
    parts: str = "clear backward clip step",
    loss_of: Callable[[Tensor, Tensor], Tensor] = mean_loss,
    shorten: Callable = nn.utils.clip_grad_norm_,
    late: bool = False,
) -> Callable:
    """An update, with what is given in place of one of its parts; `late`: it tells a later loss."""

    def update(
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        inputs: Tensor,
        targets: Tensor,
        clip: float,
    ) -> float:
        loss = loss_of(model(inputs), targets)
        does: dict[str, Callable] = {
            "clear": optimizer.zero_grad,
            "backward": loss.backward,
            "clip": lambda: shorten(list(model.parameters()), clip),
            "step": optimizer.step,
        }
        for part in parts.split():
            does[part]()
        return (loss_of(model(inputs), targets) if late else loss).item()

    return update


def shifted_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """The mean loss, with targets that are one token later still."""
    return mean_loss(logits[:, :-1], targets[:, 1:])


def scale(parameters: list[nn.Parameter], bound: float) -> None:
    """Bring the gradient to this norm, whether it is longer or shorter."""
    norm = nn.utils.clip_grad_norm_(parameters, math.inf)
    for parameter in parameters:
        if parameter.grad is not None:
            parameter.grad.mul_(bound / norm)


FAULTY = {
    "are the weights moved by the gradient of this batch at all?": update_with(
        "step clear backward clip"
    ),
    "which token is the target of the first input?": update_with(loss_of=shifted_loss),
    "is the loss that comes back that of the weights before or after the step?": update_with(
        late=True
    ),
    "how far do the weights move when the gradient is longer than the bound?": update_with(
        "clear backward step clip"
    ),
    "how far do the weights move when the gradient is shorter than the bound?": update_with(
        shorten=scale
    ),
    "does a gradient that is shortened keep its direction?": update_with(
        shorten=nn.utils.clip_grad_value_
    ),
    "does the second update take the gradient of its own batch alone?": update_with(
        "backward clip step"
    ),
}
