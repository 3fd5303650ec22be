"""Steps without gradients: prepared weights and a cache that grows in place change no number."""

import copy

import pytest
import torch
from test_language_model import MODELS, small, some_tokens

from feedback.prepared import layer_weights
from feedback.stepping import Stepper, stepper

every_model = pytest.mark.parametrize("model", MODELS)


@every_model
@pytest.mark.parametrize("memory_size", [None, 1, 4])
def test_prepared_steps_give_the_logits_of_forward(model, memory_size):
    """Past the learned distances (4), the first room (16 places) and the bound on the memory."""
    memory_size = None if model == "parallel" else memory_size  # it has no memory to bound
    model, tokens = small(model, memory_size=memory_size), some_tokens(T=40)
    expected, whole = model(tokens, return_memory=True)
    for start in (0, 1, 19):
        memory = model(tokens[:, :start], return_memory=True)[1] if start else None
        with torch.no_grad():
            for t in range(start, 40):
                logits, memory = model.step(tokens[:, t], memory)
                torch.testing.assert_close(logits, expected[:, t], rtol=1e-5, atol=1e-5)
                assert len(memory) == min(t + 1, memory_size or t + 1)
        for ours, theirs in zip(
            memory.keys + memory.values, whole.keys + whole.values, strict=True
        ):
            torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


@every_model
def test_continuations_of_one_memory_do_not_disturb_each_other(model):
    model, tokens = small(model), some_tokens(T=6)
    with torch.no_grad():
        _, memory = model.step(tokens[:, 0])
        before = copy.deepcopy(memory.keys + memory.values)
        one, first = model.step(tokens[:, 1], memory)
        two, second = model.step(tokens[:, 2], memory)
        after_one, _ = model.step(tokens[:, 3], first)
        after_two, _ = model.step(tokens[:, 3], second)
        for found, sequence in [
            (one, [0, 1]),
            (two, [0, 2]),
            (after_one, [0, 1, 3]),
            (after_two, [0, 2, 3]),
        ]:
            torch.testing.assert_close(found, model(tokens[:, sequence])[:, -1])
    for old, new in zip(before, memory.keys + memory.values, strict=True):
        assert torch.equal(old, new)


@every_model
def test_a_memory_from_steps_serves_forward_and_its_gradients(model):
    model, tokens = small(model), some_tokens(T=6)
    with torch.no_grad():
        memory = None
        for t in range(3):
            _, memory = model.step(tokens[:, t], memory)
    logits = model(tokens[:, 3:], memory)
    with torch.no_grad():  # a step in between, written behind what backward still needs
        model.step(tokens[:, 3], memory)
    logits.sum().backward()
    torch.testing.assert_close(logits, model(tokens)[:, 3:])


@every_model
def test_places_are_taken_in_rooms_that_double(model, monkeypatch):
    """Not one new buffer a step: 200 steps need five."""
    model, buffers = small(model), set()
    with torch.no_grad():
        memory = None
        for t in range(200):
            _, memory = model.step(torch.tensor([t % 11]), memory)
            buffers.add(memory.place[0])
            a_step = memory.nbytes / len(memory)
            assert memory.keys[0].untyped_storage().nbytes() <= max(16, 2 * t) * a_step
    assert len(buffers) == 5


def test_other_numbers_put_into_a_memory_are_read():
    model, tokens = small(), some_tokens(T=3)
    with torch.no_grad():
        _, memory = model.step(tokens[:, 0])
        other = copy.copy(memory)
        object.__setattr__(other, "keys", tuple(torch.ones_like(x) for x in memory.keys))
        ours, _ = model.step(tokens[:, 1], other)
    theirs, _ = model.step(tokens[:, 1], other)
    torch.testing.assert_close(ours, theirs)


@every_model
def test_changed_weights_are_seen_and_unchanged_ones_prepared_once(model):
    model, token = small(model), torch.tensor([3])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with torch.no_grad():
        model.step(token)
        ready = stepper(model)
        model.step(token)
        assert stepper(model) is ready
    for change in (
        lambda: (model(token[None]).sum().backward(), optimizer.step()),
        lambda: model.load_state_dict(small(model.config.model).state_dict()),
        lambda: model.float(),
    ):
        change()
        with torch.no_grad():
            torch.testing.assert_close(model.step(token)[0], model(token[None])[:, 0])
        assert stepper(model) is not ready


@every_model
def test_inference_mode_steps_and_hands_its_memory_on(model):
    tokens = some_tokens(T=4)
    with torch.inference_mode():
        made_inside = small(model)
        _, inside = made_inside.step(tokens[:, 0])
        _, inside = made_inside.step(tokens[:, 1], inside)
    outside = small(model)
    with torch.no_grad():
        logits, memory = outside.step(tokens[:, 2], inside)
        torch.testing.assert_close(logits, outside(tokens[:, :3])[:, -1])
    with torch.inference_mode():
        logits, _ = outside.step(tokens[:, 3], memory)
        torch.testing.assert_close(logits, outside(tokens)[:, -1])


@every_model
def test_autocast_leaves_prepared_steps_alone(model):
    model, tokens = small(model).float(), some_tokens(T=6)
    for prompt in (1, 3):
        with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
            assert model.generate(tokens[:, :prompt], 3).shape == (2, prompt + 3)
    found = []
    for inside in (False, True):
        model = small(model.config.model).float()  # prepared anew, inside autocast too
        with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=inside):
            memory = None
            for t in range(6):
                logits, memory = model.step(tokens[:, t], memory)
                found.append(logits)
    torch.testing.assert_close(found[6:], found[:6], rtol=0, atol=0)


def test_dropout_falls_on_steps_in_training_only():
    model, token = small(dropout=0.5), torch.tensor([3])
    with torch.no_grad():
        torch.manual_seed(0)
        first = model.step(token)[0]
        assert not torch.equal(model.step(token)[0], first)
        model.eval()
        assert torch.equal(model.step(token)[0], model.step(token)[0])


def test_tables_of_distances_are_extended_by_doubling():
    model = small()
    ready = Stepper(model.requires_grad_(False))
    memory = None
    for t in range(20):
        _, memory = ready.step(torch.tensor([t % 11]), memory)
    assert ready.reach == 32  # 4, 8, 16, 32
    for w, layer in zip(ready.layers, model.core.layers, strict=True):
        for found, expected in zip(w, layer_weights(layer, 32), strict=True):
            assert torch.equal(found, expected)


@every_model
def test_a_stream_keeps_the_weights_with_which_it_began(model):
    model, prompt = small(model), some_tokens(T=2)
    expected = torch.stack(list(model.stream(prompt, 20, temperature=0)))
    stream, found = model.stream(prompt, 20, temperature=0), []
    for token in stream:
        found.append(token)
        if len(found) == 2:  # the prompt is read, and the first step is taken
            with torch.no_grad():
                for parameter in model.parameters():
                    parameter.neg_()
    assert torch.equal(torch.stack(found), expected)
