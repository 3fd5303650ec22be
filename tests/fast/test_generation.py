"""Steps without gradients: fewer operations and a cache that grows in place change no number."""

import copy
import io
from dataclasses import replace

import pytest
import torch
from helpers import MODELS, small, some_tokens

every_model = pytest.mark.parametrize("model", MODELS)


@every_model
@pytest.mark.parametrize("memory_size", [None, 1, 4])
def test_steps_give_the_logits_of_forward(model, memory_size):
    """Past the learned distances (4), the first buffer (16 slots) and the bound on the memory."""
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
@pytest.mark.parametrize("memory_size", [None, 1, 2])
def test_continuations_of_one_memory_do_not_disturb_each_other(model, memory_size):
    model, tokens = small(model, memory_size=memory_size), some_tokens(T=6)
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
@pytest.mark.parametrize("memory_size", [None, 2])
def test_a_memory_from_steps_serves_forward_and_its_gradients(model, memory_size):
    model, tokens = small(model, memory_size=memory_size), some_tokens(T=6)
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
def test_steps_are_written_into_buffers_that_double(model):
    """Not one new buffer a step: 200 steps need five."""
    model, buffers, held = small(model), set(), []
    with torch.no_grad():
        memory = None
        for t in range(200):
            _, memory = model.step(torch.tensor([t % 11]), memory)
            buffers.add(memory.keys[0].untyped_storage().data_ptr())
            held.append(memory)  # so that no buffer's address is taken by another
            a_step = memory.nbytes / len(memory)
            assert memory.keys[0].untyped_storage().nbytes() <= max(16, 2 * t) * a_step
    assert len(buffers) == 5


@every_model
def test_a_bounded_memory_takes_no_more_room_however_long_the_text(model):
    model, tokens = small(model, memory_size=5), some_tokens(T=150)
    expected = model(tokens)
    with torch.no_grad():
        memory = None
        for t in range(150):
            logits, memory = model.step(tokens[:, t], memory)
            torch.testing.assert_close(logits, expected[:, t])
            a_step = memory.nbytes / len(memory)
            assert len(memory) == min(t + 1, 5)
            assert memory.keys[0].untyped_storage().nbytes() <= 16 * a_step
        text = model.generate(tokens[:, :3], 60, temperature=0)
        assert torch.equal(model(text)[:, 2:-1].argmax(-1), text[:, 3:])


# How people change a memory of six steps and two rows, and the tokens that it holds then.
CHANGED = {
    "cropped": (lambda m: cut(m, lambda x: x[:, :, :4]), lambda x: x[:, :4]),
    "cropped, its method": (lambda m: m.crop(4), lambda x: x[:, :4]),
    "emptied": (lambda m: m.crop(0), lambda x: x[:, :0]),
    "reversed rows": (lambda m: cut(m, lambda x: x.flip(0)), lambda x: x.flip(0)),
    "reordered": (lambda m: cut(m, lambda x: x[[1, 0]]), lambda x: x[[1, 0]]),
    "selected": (lambda m: m.select([1, 0]), lambda x: x[[1, 0]]),
    "selected with a tensor": (lambda m: m.select(torch.tensor([1, 1])), lambda x: x[[1, 1]]),
    "first row twice": (
        lambda m: cut(m, lambda x: x[:1].expand(2, -1, -1, -1)),
        lambda x: x[[0, 0]],
    ),
    "repeated": (
        lambda m: cut(m, lambda x: x[1:].repeat(3, 1, 1, 1)),
        lambda x: x[[1, 1, 1]],
    ),
    "one row": (lambda m: cut(m, lambda x: x[1:]), lambda x: x[1:]),
    "three rows of two": (lambda m: m.select([1, 0, 1]), lambda x: x[[1, 0, 1]]),
    "cloned": (lambda m: cut(m, torch.clone), lambda x: x),
    "detached": (lambda m: m.detach(), lambda x: x),
    "other strides": (
        lambda m: cut(m, lambda x: x.transpose(2, 3).contiguous().transpose(2, 3)),
        lambda x: x,
    ),
    "copied": (copy.deepcopy, lambda x: x),
    "saved": (lambda m: saved(m), lambda x: x),
}


def cut(memory, change):
    return replace(
        memory,
        keys=tuple(change(x) for x in memory.keys),
        values=tuple(change(x) for x in memory.values),
    )


def saved(memory):
    buffer = io.BytesIO()
    torch.save(memory, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=False)


@every_model
@pytest.mark.parametrize("change", CHANGED)
@pytest.mark.parametrize("by_steps", [True, False])
def test_a_changed_memory_is_read_as_it_is(model, change, by_steps):
    """Three steps on from it, beside the tokens that it stands for."""
    model, tokens = small(model), some_tokens(T=6)
    act, same = CHANGED[change]
    with torch.no_grad():
        memory = None
        for t in range(6) if by_steps else ():
            _, memory = model.step(tokens[:, t], memory)
        if not by_steps:
            _, memory = model(tokens, return_memory=True)
        before = [x.clone() for x in memory.keys + memory.values]
        other, held = act(memory), same(tokens)
        for token in (3, 1, 4):
            new = torch.full((len(held), 1), token)
            held = torch.cat([held, new], 1)
            whole = model(new, other)[:, 0]
            found, other = model.step(new[:, 0], other)
            torch.testing.assert_close(found, model(held)[:, -1])
            torch.testing.assert_close(whole, found)
            model.step(tokens[:, 5], memory)  # the one it was made from goes on as well
        assert len(other) == held.shape[1]
        for old, new in zip(before, memory.keys + memory.values, strict=True):
            assert torch.equal(old, new)
        text = model.step(tokens[:, 0], memory)[0]
        torch.testing.assert_close(text, model(torch.cat([tokens, tokens[:, :1]], 1))[:, -1])


MISFITS = {
    "keys only": (lambda m: replace(m, keys=tuple(k[:, :, :4] for k in m.keys)), "shape"),
    "values of fewer rows": (lambda m: replace(m, values=tuple(v[:1] for v in m.values)), "shape"),
    "heads gone": (lambda m: cut(m, lambda x: x[:, :2]), "shape"),
    "merged heads": (lambda m: cut(m, lambda x: x.flatten(2)), "shape"),
    "a set too many": (lambda m: replace(m, keys=m.keys + m.keys[:1]), "the model"),
    "no sets": (lambda m: replace(m, keys=(), values=()), "the model"),
    "another batch": (lambda m: m.select([0, 1, 0]), "batch of 3"),
    "half precision": (lambda m: cut(m, torch.Tensor.half), "float16"),
    "a tensor for a tuple": (lambda m: replace(m, keys=torch.stack(m.keys)), "tuple"),
    "lists of numbers": (lambda m: replace(m, keys=tuple(k.tolist() for k in m.keys)), "tuple"),
}


@every_model
@pytest.mark.parametrize("change", MISFITS)
def test_a_memory_that_does_not_fit_is_refused(model, change):
    model, tokens = small(model), some_tokens(T=6)
    act, reason = MISFITS[change]
    _, memory = model(tokens, return_memory=True)
    with torch.no_grad():
        for run in (lambda m: model.step(tokens[:, 0], m), lambda m: model(tokens, m)):
            with pytest.raises((TypeError, ValueError), match=reason):
                run(act(memory))


@every_model
def test_a_memory_is_cropped_and_selected_within_its_bounds(model):
    tokens = some_tokens(T=6)
    _, memory = small(model)(tokens, return_memory=True)
    assert torch.equal(memory.crop(2).keys[0], memory.keys[0][:, :, :2]) and len(memory) == 6
    for steps, error in ((-1, ValueError), (7, ValueError), (2.0, TypeError), ("2", TypeError)):
        with pytest.raises(error, match="steps"):
            memory.crop(steps)
    for rows, error in (
        ([2], ValueError),
        ([-1], ValueError),
        ([], (TypeError, ValueError)),
        ([[0, 1]], ValueError),
        ([0.0], TypeError),
        (torch.tensor([True, False]), TypeError),
    ):
        with pytest.raises(error, match="rows"):
            memory.select(rows)
    _, full = small(model, memory_size=4)(tokens, return_memory=True)
    with pytest.raises(ValueError, match="Memories never change"):
        full.crop(3)
    assert len(full.crop(4)) == 4
    _, short = small(model, memory_size=9)(tokens, return_memory=True)
    assert len(short.crop(3)) == 3
    bounded = small(model, memory_size=4)
    longer = replace(full, keys=short.keys, values=short.values)  # of which the last four are read
    with torch.no_grad():
        found, after = bounded.step(tokens[:, 0], longer)
    torch.testing.assert_close(found, bounded(tokens[:, :1], longer)[:, 0])
    assert len(after) == 4
    with torch.no_grad():  # cropped and selected, it goes on as the tokens that it holds
        found, after = bounded.step(tokens[:, 0], full.select([1, 0]))
        held = torch.cat([tokens[[1, 0]], tokens[:, :1]], 1)
        torch.testing.assert_close(found, bounded(held)[:, -1])
        assert len(after) == 4
        _, early = bounded(tokens[:, :3], return_memory=True)
        found, after = bounded.step(tokens[:, 0], early.crop(2))
        held = torch.cat([tokens[:, :2], tokens[:, :1]], 1)
        torch.testing.assert_close(found, bounded(held)[:, -1])
        assert len(after) == 3


def test_gradients_flow_through_a_cropped_and_a_selected_memory():
    model, tokens = small(), some_tokens(T=6)
    _, memory = model(tokens[:, :4], return_memory=True)
    loss = model(tokens[:, 4:], memory.crop(3).select([1, 0])).square().mean()
    found = torch.autograd.grad(loss, model.embedding.weight)[0]
    swapped = torch.cat([tokens[[1, 0], :3], tokens[:, 4:]], 1)
    loss = model(swapped)[:, 3:].square().mean()
    torch.testing.assert_close(found, torch.autograd.grad(loss, model.embedding.weight)[0])


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
def test_autocast_leaves_single_steps_alone(model):
    model, tokens = small(model).float(), some_tokens(T=6)
    for prompt in (1, 3):
        with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
            assert model.generate(tokens[:, :prompt], 3).shape == (2, prompt + 3)
    found = []
    for inside in (False, True):
        model = small(model.config.model).float()  # made anew, inside autocast too
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
