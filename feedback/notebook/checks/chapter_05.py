"""Checks of chapter 5, shared keys and values."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from numbers import Real
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn

from feedback.cache import Memory
from feedback.config import Config
from feedback.language_model import LanguageModel
from feedback.notebook.checks.comparing import Slips, likely, near
from feedback.notebook.checks.verdict import exercise, expect, when
from feedback.shared_kv import FeedbackTransformerKV

SIZES: dict[str, Any] = dict(d_model=24, heads=6, n_layers=5, d_ff=13, n_tokens=9)
CASES: list[tuple[dict[str, Any], int, int]] = [  # a config's fields, tokens and batch
    (dict(model="parallel"), 7, 3),
    (dict(model="feedback"), 7, 3),
    (dict(model="feedback-kv"), 7, 3),
    (dict(model="parallel", memory_size=4), 7, 3),
    (dict(model="feedback", memory_size=4), 7, 3),
    (dict(model="feedback-kv", memory_size=11), 7, 3),
    (dict(model="feedback-kv", d_model=10, heads=2, n_layers=3, memory_size=3), 4, 5),
    (dict(model="parallel", d_model=8, heads=1, n_layers=1), 1, 2),
]


@exercise("5.1")
def check_cache(cache_bytes: Callable) -> None:
    """How many bytes, against the memory that a model really leaves?"""
    for i, (fields, tokens, batch) in enumerate(CASES):
        config = Config(**SIZES | fields)
        given = torch.zeros(batch, tokens, dtype=torch.long)
        _, memory = LanguageModel(config)(given, return_memory=True)
        found, true = cache_bytes(config, tokens, batch), memory.nbytes
        if isinstance(found, Tensor) and found.numel() == 1:
            found = found.item()
        expect(isinstance(found, Real), f"return a number, not a {type(found).__name__}")
        if found == true:
            continue
        named = ", ".join(f"{name}={value!r}" for name, value in fields.items())
        own = "the sizes differ from those before: take all of them from config, tokens and batch"
        slips = slips_of_cache(config, tokens, batch)
        by_value = (slip for slip, wrong in slips if math.isclose(found, wrong))
        hint = next(by_value, own if i > 5 else f"that memory takes {true}")
        sizes = f"Config({named}), {tokens} tokens, batch {batch}"
        expect(False, f"{found} bytes for {sizes}: {hint}")


def slips_of_cache(config: Config, tokens: int, batch: int) -> Iterator[tuple[str, float]]:
    """Likely mistakes, and how many bytes each would give."""
    d, L, H = config.d_model, config.n_layers, config.heads
    size, shared = config.memory_size, config.model == "feedback-kv"
    steps, pairs = min(tokens, size or tokens), 1 if shared else L
    one = 4 * batch * pairs * 2 * d  # bytes of a step
    true = one * steps
    if size is not None and size < tokens:
        yield f"memory_size is {size}, so only the last {size} steps are kept", one * tokens
        yield f"the last {size} steps are kept, and the newest is one of them", one * (size - 1)
        yield f"the last {size} steps are kept, not one more", one * (size + 1)
    if size is not None and size > tokens:
        yield f"memory_size is {size}, but only {tokens} steps were taken", one * size
    if shared:
        yield "in this model one pair serves all layers", true * L
    else:
        yield f"in this model each of the {L} layers has a pair of its own", true / L
    yield f"the last of the {tokens} tokens leaves a key and a value too", one * (steps - 1)
    yield f"{tokens} tokens leave as many keys, not one more", one * (steps + 1)
    yield f"there are {L} layers, and the embedding has no keys", true / pairs * (L + 1)
    yield "that is how many numbers there are; each has 4 bytes", true / 4
    yield "a step leaves a key and a value", true / 2
    yield "a step leaves a key and a value, and nothing else", true * 3 / 2
    yield "a number of float32 has 4 bytes", true * 2
    yield "a byte has 8 bits, and bytes are asked for", true * 8
    yield "bytes are asked for, not larger units", true / 1024
    yield "every sequence of the batch has keys and values of its own", true / batch
    yield f"k is the width of one head; there are {H} of them", true / H
    yield "d is already the width of all heads together", true * H
    yield f"a key has d = {d} numbers, not d_ff", true / d * config.d_ff


def random_language_model(model: str) -> LanguageModel:
    """A language model of eleven tokens in double precision, whose tokens differ clearly."""
    config = Config(model=model, n_tokens=11, d_model=12, heads=3, n_layers=2, d_ff=24)
    made, own = LanguageModel(config).double(), torch.Generator().manual_seed(3)
    for name, parameter in made.named_parameters():
        if name.endswith("bias"):  # or the head's would choose the token, whatever was read
            nn.init.zeros_(parameter)
        elif parameter.dim() > 1:
            nn.init.normal_(parameter, std=0.7, generator=own)
    return made


@contextmanager
def noted(model: LanguageModel) -> Iterator[list[tuple[Tensor, int]]]:
    """Inside, note of each call which tokens (B, n) it reads, and how many steps its memory holds.

    A step calls the model, and what writes a text on its own is not at hand.
    """
    calls: list[tuple[Tensor, int]] = []

    def note(_, arguments: tuple, named: dict) -> None:
        given = dict(zip(("tokens", "memory"), arguments, strict=False)) | named
        memory = given.get("memory")
        calls.append((given["tokens"].clone(), 0 if memory is None else len(memory)))

    def step(token: Tensor, memory: Memory | None = None) -> tuple[Tensor, Memory]:
        model.check_tokens(token, rank=1)
        return model.plain_step(token, memory)

    def forbidden(*_, **__) -> None:
        expect(False, "write the loop yourself, without generate or stream")

    hook = model.register_forward_pre_hook(note, with_kwargs=True)
    try:
        with patch.multiple(model, step=step, generate=forbidden, stream=forbidden):
            yield calls
    finally:
        hook.remove()


@exercise("5.2")
def check_score(score: Callable) -> None:
    own = torch.Generator().manual_seed(5)
    for kind in ("feedback-kv", "parallel"):
        model = random_language_model(kind)
        for m, n in ((6, 3), (4, 1), (1, 5)):
            prompt, continuation = torch.randint(11, (m + n,), generator=own).split([m, n])
            with when(f"a prompt of {m} and a continuation of {n} tokens"):
                check_one_score(score, model, prompt, continuation)


def check_one_score(
    score: Callable, model: LanguageModel, prompt: Tensor, continuation: Tensor
) -> None:
    """The log-probability of a continuation (n,) after a prompt (m,), and how it is found."""
    text, m, n = torch.cat([prompt, continuation]), len(prompt), len(continuation)
    with noted(model) as calls:
        found = score(model, prompt, continuation)
    if isinstance(found, Tensor) and found.numel() == 1:
        found = found.item()
    hint = "return one number, the sum over the continuation"
    expect(isinstance(found, Real), f"that is a {type(found).__name__}: {hint}")
    expect(calls, "the model that is handed in was not asked: use no other one")
    found = torch.tensor(float(found))
    with torch.no_grad():
        logs = model(text[None]).log_softmax(-1)[0, m - 1 : -1]  # (n, V)
        true = logs.gather(-1, continuation[:, None]).sum()
        if not near(found, true):
            hint = likely(found, slips_of_score(model, prompt, continuation), "")
            own = f"{found:.4f}, but the logarithms of the {n} probabilities sum to {true:.4f}"
            expect(False, hint or own)
    with when("the number is right, the way is not"):
        expect(calls[0][1] == 0, "the first call already has a memory")
        lengths = [read.shape[1] for read, _ in calls]
        by_steps = lengths[0] == 1 or all(length == 1 for length in lengths[1:])
        again = "what was read is read again: let `step` go on from the memory"
        expect(sum(lengths) <= m + n, again)
        at_once = "let `step` read the continuation, one token at a time"
        expect(by_steps and lengths.count(1) >= n - 1 and lengths[0] <= m, at_once)


@torch.no_grad()
def slips_of_score(model: LanguageModel, prompt: Tensor, continuation: Tensor) -> Slips:
    """Likely mistakes, and the score that each would give."""
    text, m, picked = torch.cat([prompt, continuation]), len(prompt), continuation[:, None]
    whole = model(text[None])[0]  # (m+n, V)
    logs = whole.log_softmax(-1)  # (m+n, V)
    each = logs[m - 1 : -1].gather(-1, picked)[:, 0]  # (n,)
    true, first = each.sum(), logs[0, continuation[0]]
    _, memory = model(prompt[None], return_memory=True)

    def from_one(memory: Memory | None) -> Tensor:
        """Every step but the first begins with the same memory."""
        total = each[0]
        for token, following in zip(continuation, continuation[1:], strict=False):
            logits, _ = model.step(token[None], memory)  # (1, V)
            total = total + logits.log_softmax(-1)[0, following]
        return total

    return {
        "0 comes of a softmax over the batch; take it over the tokens, the last axis": 0 * true,
        "that is the mean; the log-probability of all tokens is the sum": true / len(each),
        "that is in bits, by the logarithm to base 2; take the natural one": true / math.log(2),
        "that is by the logarithm to base 10; take the natural one": true / math.log(10),
        "the sign: log-probabilities are never positive": -true,
        "the mean with its sign turned is a loss; the sum of logarithms is asked for": -each.mean(),
        "that is the probability; take its logarithm": true.exp(),
        "that adds probabilities; add their logarithms": each.exp().sum(),
        "that multiplies the logarithms; add them": each.prod(),
        "those are logits; take their log_softmax first": (
            whole[m - 1 : -1].gather(-1, picked).sum()
        ),
        "the prompt's own tokens are scored too": logs[:-1].gather(-1, text[1:, None]).sum(),
        "the first token is not scored; the prompt's last logits predict it": true - each[0],
        "the last token is not scored": true - each[-1],
        "only the first token is scored": each[0],
        "only the last token is scored": each[-1],
        "a token is scored by the logits after it; those before it predict it": (
            logs[m:].gather(-1, picked).sum()
        ),
        "the prompt's first logits predict its second token; take the last": true - each[0] + first,
        "those are the likeliest tokens; score those of the continuation": (
            logs[m - 1 : -1].amax(-1).sum()
        ),
        "a step without a memory knows nothing of the text before": from_one(None),
        "every step starts at the prompt; hand on the memory of each step": from_one(memory),
        "every token is scored by the prompt's last logits": (logs[m - 1, continuation].sum()),
        "exchange prompt and continuation": (
            model(torch.cat([continuation, prompt])[None])
            .log_softmax(-1)[0, len(continuation) - 1 : -1]
            .gather(-1, prompt[:, None])
            .sum()
        ),
    }


@exercise("5.3")
def check_shared_step(shared_step: Callable) -> None:
    sizes = (12, 3, 2, 5), (8, 2, 3, 3)
    for d, heads, layers, steps in sizes:
        model, own = random_shared_model(d, heads, layers), torch.Generator().manual_seed(1)
        x = torch.randn(2, steps, d, dtype=torch.double, generator=own)  # (B, T, d)
        with torch.no_grad():
            trace = model.trace(x)
        assert trace.memory is not None  # as in every feedback model
        keys = values = x.new_zeros(2, heads, 0, d // heads)  # (B, H, 0, k)
        for t in range(steps):
            given = x[:, t : t + 1].clone(), keys, values
            with when(f"d = {d}, {layers} layers, n = {t}"):
                with patch.object(model, "forward", refuse_whole):
                    found = shared_step(model, *given)
                with torch.no_grad():
                    outputs = trace.outputs[:, :, t : t + 1]  # (L+1, B, 1, d)
                    y, *pair = three_tensors(found)
                    check_output(model, y, outputs, keys, values)
                    check_pair(model, pair, outputs, y, keys, values)
            keys, values = (one.detach() for one in pair)


def random_shared_model(d: int, heads: int, layers: int) -> FeedbackTransformerKV:
    """A model with random weights, in double precision."""
    config = Config(model="feedback-kv", d_model=d, heads=heads, n_layers=layers, d_ff=24)
    model, own = FeedbackTransformerKV(config).double(), torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.5, generator=own)
    return model


def refuse_whole(*_, **__) -> None:
    expect(False, "the model itself is called: write its step from its layers")


def three_tensors(found: object) -> list[Tensor]:
    """What a step has to return."""
    three = "return y, keys and values"
    expect(isinstance(found, (tuple, list)) and len(found) == 3, three)
    assert isinstance(found, (tuple, list))
    for name, one in zip(("y", "keys", "values"), found, strict=True):
        is_tensor = isinstance(one, Tensor)
        expect(is_tensor, f"{name} is a {type(one).__name__}, not a tensor: {three}")
    return list(found)


def through(model: FeedbackTransformerKV, x: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """The output of x (B, 1, d) when all layers read these, (B, H, n, k)."""
    for layer in model.layers:
        x, _ = layer(x, keys, values)
    return model.norm(x)


def check_output(
    model: FeedbackTransformerKV, y: Tensor, outputs: Tensor, keys: Tensor, values: Tensor
) -> None:
    """Is y (B, 1, d) what the layers make of the embedding and of the past?"""
    wanted, x = model.norm(outputs[-1]), outputs[0]
    shapes = f"y has shape {tuple(y.shape)}, not (B, 1, d) = {tuple(wanted.shape)}"
    expect(y.shape == wanted.shape, f"{shapes}; the order is y, keys, values")
    if near(y, wanted):
        return
    last, (key, value) = model.layers[-1], model.keys_values[0](x)  # (B, H, 1, k) each
    nothing = keys[:, :, :0]
    if keys.shape[2] == 1:  # of a single key all is read, whatever the key
        expect(not near(y, through(model, x, keys, keys)), "the layers read keys as values")
    slips = {
        "y is the last layer's output before the norm": outputs[-1],
        "y is the embedding: the layers make y of it": x,
        "y is the embedding, normed: the layers make y of it": model.norm(x),
        "y is the memory vector": model.mixture(list(outputs)),
        "y is normed twice": model.norm(wanted),
        "the layers read values as keys": through(model, x, values, keys),
        "the layers read keys as values too": through(model, x, keys, keys),
        "the layers read values as keys too": through(model, x, values, values),
        "the layers read nothing of the past": through(model, x, nothing, nothing),
        "the step reads its own key; it may read earlier ones only": through(
            model, x, torch.cat([keys, key], 2), torch.cat([values, value], 2)
        ),
        "the layers read the last step only": through(model, x, keys[:, :, -1:], values[:, :, -1:]),
        "the layers do not read the last step": through(
            model, x, keys[:, :, :-1], values[:, :, :-1]
        ),
        "the layers do not read the first step": through(
            model, x, keys[:, :, 1:], values[:, :, 1:]
        ),
        "the last layer is left out": model.norm(outputs[-2]),
        "every layer gets the embedding; each takes what the layer below gave": model.norm(
            last(x, keys, values)[0]
        ),
        "a layer's output holds its input already; add nothing to it": model.norm(outputs.sum(0)),
    }
    past = "y is right without a past, and wrong with one: what do the layers read?"
    once = "y is wrong: each layer takes what the layer below gave"
    expect(False, likely(y, slips, past if keys.shape[2] else once))


def check_pair(
    model: FeedbackTransformerKV,
    pair: list[Tensor],
    outputs: Tensor,
    y: Tensor,
    keys: Tensor,
    values: Tensor,
) -> None:
    """Do keys and values have those of this step's memory vector behind them?"""
    project, n = model.keys_values[0], keys.shape[2]
    wanted = project(model.mixture(list(outputs)))  # two of (B, H, 1, k)
    for i, (name, new, old) in enumerate(
        zip(("keys", "values"), pair, (keys, values), strict=True)
    ):
        shape = (*old.shape[:2], n + 1, old.shape[3])
        only = n > 0 and new.shape[2:3] == (1,)
        hint = f": the {name} of earlier steps belong before it" if only else ""
        shapes = f"the {name} have shape {tuple(new.shape)}, not {shape}{hint}"
        expect(new.shape == shape, shapes)
        mine, front = new[:, :, n:], n > 0 and near(new[:, :, :1], wanted[i])
        expect(not near(mine, wanted[1 - i]), "keys and values are exchanged")
        expect(not front, f"the new {name} stand in front; they belong behind the others")
        expect(near(new[:, :, :n], old), f"the {name} of earlier steps have changed")
        if not near(mine, wanted[i]):
            vectors = slips_of_vector(model, outputs, y)
            slips = {slip: project(vector)[i] for slip, vector in vectors.items()}
            expect(False, likely(mine, slips, f"the {name} of this step are not W m"))


def slips_of_vector(model: FeedbackTransformerKV, outputs: Tensor, y: Tensor) -> Slips:
    """Likely mistakes, and the memory vector (B, 1, d) that each would give."""

    def mixed(weights: Tensor, outputs: Tensor) -> Tensor:
        return torch.einsum("l,lbtd->btd", weights, outputs)

    w = model.mixture.w
    assert w is not None  # it is learned
    a, m = w.softmax(0), model.mixture(list(outputs))
    return {
        "the memory vector is the last layer's output alone": outputs[-1],
        "the memory vector is made from y, after the norm": y,
        "the memory vector is the embedding alone": outputs[0],
        "the memory vector is the plain mean; it should be model.mixture's": outputs.mean(0),
        "the memory vector is the plain sum; it should be model.mixture's": outputs.sum(0),
        "w weights the outputs without a softmax": mixed(w, outputs),
        "the embedding is missing in the memory vector": mixed(a[1:], outputs[1:]),
        "the last layer's output is missing in the memory vector": mixed(a[:-1], outputs[:-1]),
        "each weight meets the output after its own": mixed(a[:-1], outputs[1:]),
        "the outputs stand in reverse order; the embedding comes first": mixed(a, outputs.flip(0)),
        "the last of the outputs is y, after the norm; the mixture takes it before": mixed(
            a, torch.cat([outputs[:-1], y[None]])
        ),
        "the first of the outputs is the embedding": mixed(
            a, torch.cat([outputs[1:2], outputs[1:]])
        ),
        "the memory vector was normed; only y is": model.norm(m),
    }


@exercise("5.4")
def check_write(write: Callable) -> None:
    own = torch.Generator().manual_seed(2)
    for kind, length in (("feedback-kv", 6), ("parallel", 4), ("feedback-kv", 1), ("parallel", 0)):
        model = random_language_model(kind)
        prompt = telling_prompt(model, own)
        with when(f"a prompt (2, 5) and length {length}"):
            with noted(model) as calls:
                text = write(model, prompt.clone(), length)
            check_text(model, text, prompt, length)
            if length:
                check_calls(calls, text)
                check_greedy(model, text)


def telling_prompt(model: LanguageModel, own: torch.Generator) -> Tensor:
    """Two prompts of five tokens: after the last, each likes what it likes after no other.

    The two do not like the same.
    """
    with torch.no_grad():
        while True:
            prompt = torch.randint(11, (2, 5), generator=own)  # (B, T0)
            likes = model(prompt).argmax(-1)  # (B, T0)
            if (likes[:, :-1] != likes[:, -1:]).all() and likes[0, -1] != likes[1, -1]:
                return prompt


def check_text(model: LanguageModel, text: object, prompt: Tensor, length: int) -> None:
    """Is it a text of the wanted shape, which begins with the prompt?"""
    what = "return one tensor, the prompt and what follows it"
    expect(isinstance(text, Tensor), f"that is a {type(text).__name__}: {what}")
    assert isinstance(text, Tensor)
    shape, wanted = tuple(text.shape), (2, 5 + length)
    missing = "the prompt is missing before the new tokens"
    expect(length == 0 or shape != (2, length), missing)
    shapes = f"the text has shape {shape}, not (B, T0 + length) = {wanted}"
    more = "; with length 0 nothing is written" if length == 0 else ""
    expect(shape == wanted, shapes + more)
    whole = not text.is_floating_point()
    expect(whole, f"tokens are whole numbers; these are {text.dtype}")
    expect(torch.equal(text[:, :5], prompt), "the text does not begin with the prompt")


def check_calls(calls: list[tuple[Tensor, int]], text: Tensor) -> None:
    """Was the prompt read in one call, and then every new token once?"""
    expect(calls, "the model that is handed in was not asked")
    whole_prompt = calls[0][1] == 0 and torch.equal(calls[0][0], text[:, :5])
    expect(whole_prompt, "read the whole prompt in the first call")
    length = text.shape[1] - 5
    for i, (read, held) in enumerate(calls[1:]):
        n = read.shape[1]
        expect(n == 1, f"call {i + 2} reads {n} tokens; let it read the new one alone")
        expect(held > 0, "a step was taken without a memory")
        expect(held >= 5 + i, "a step was given an older memory than the last one")
    expect(len(calls) <= length + 1, f"{len(calls)} calls for {length} new tokens")
    seen = torch.cat([read for read, _ in calls], dim=1)  # (B, n)
    twice = "the model read something else than stands in the text, or a token twice"
    expect(torch.equal(seen, text[:, : seen.shape[1]]), twice)


def check_greedy(model: LanguageModel, text: Tensor) -> None:
    """Is every new token the likeliest after those before it?"""
    with torch.no_grad():
        logits = model(text)  # (B, T, V)
    wanted, new = logits[:, 4:-1], text[:, 5:]  # (B, length, V), (B, length)
    chosen = wanted.gather(-1, new[..., None])[..., 0]  # (B, length)
    right = wanted.amax(-1) - chosen < 1e-6
    least = chosen - wanted.amin(-1) < 1e-6
    expect(not least.all(), "those are the least likely tokens")
    row = "the second prompt gets the tokens of the first"
    expect(not (right[0].all() and not right[1].all() and new[0].equal(new[1])), row)
    first = "the first new token is not the one that the prompt's last logits like best"
    expect(right[:, 0].all(), first)
    expect(right.all(), "a later token is not the likeliest after those before it")
