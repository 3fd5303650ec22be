"""Passes over the whole segment: which steps are exact after how many, and what else is."""

import pytest
import torch
from helpers import (
    SHAPES,
    assert_same,
    gradients,
    random_input,
    random_model,
    shape_name,
    small,
    some_tokens,
)
from pass_masks import joined
from torch import nn

from feedback import pretrained
from feedback.fast import passes
from feedback.pretrained import trackers
from feedback.tasks import TASKS

SHAPE = dict(B=2, T=9, d_model=6, heads=3, n_layers=2, d_ff=5, max_distance=4)
FEEDBACK = ["feedback", "feedback-kv"]


@pytest.mark.parametrize("kind", FEEDBACK)
@pytest.mark.parametrize("memory_size", [None, 1, 3])
@pytest.mark.parametrize("past", [0, 5])
def test_after_i_passes_i_steps_are_exact_and_later_ones_are_not(kind, memory_size, past):
    model = random_model(kind, SHAPE, "loop", memory_size=memory_size)
    x, memory = random_input(SHAPE).detach(), None
    with torch.no_grad():
        if past:
            _, memory = model(random_input(dict(SHAPE, T=past), seed=5), return_memory=True)
        y, after = model(x, memory, return_memory=True)
        for i in range(1, SHAPE["T"] + 1):
            found = passes.run_passes(model, x, i, 0, memory)
            assert found.passes == found.exact == i
            torch.testing.assert_close(found.outputs[:, :i], y[:, :i], rtol=1e-9, atol=1e-10)
            if i < 4:
                assert (found.outputs[:, i:] - y[:, i:]).abs().max() > 1e-5 < found.moved.max()
    kept = zip(after.keys + after.values, found.memory.keys + found.memory.values, strict=True)
    for left, right in kept:
        torch.testing.assert_close(right, left, rtol=1e-9, atol=1e-10)
    model(x, found.memory)  # a memory like any other


@pytest.mark.parametrize("kind", FEEDBACK)
@pytest.mark.parametrize("shape", SHAPES, ids=shape_name)
def test_as_many_graded_passes_as_steps_have_the_gradient_of_the_loop(kind, shape):
    model, x = random_model(kind, shape, "loop"), random_input(shape)
    y = model(x)
    found = passes.run_passes(model, x, 0, shape["T"]).outputs
    assert_same({"y": found, **gradients(model, x, found)}, {"y": y, **gradients(model, x, y)})


@pytest.mark.parametrize("kind", FEEDBACK)
@pytest.mark.parametrize("past", [0, 4])
@pytest.mark.parametrize("memory_size", [None, 2])
def test_given_the_masks_of_the_loop_passes_drop_what_it_drops(kind, past, memory_size):
    model = random_model(kind, SHAPE, "loop", dropout=0.4, memory_size=memory_size)
    x, memory = random_input(SHAPE), None
    if past:
        with torch.no_grad():
            _, memory = model(random_input(dict(SHAPE, T=past), seed=5), return_memory=True)
    torch.manual_seed(3)
    y = model(x, memory)
    masks = joined(model, x, len(memory) if past else 0, seed=3)
    found = passes.run_passes(model, x, 0, SHAPE["T"], memory, masks).outputs
    assert_same({"y": found, **gradients(model, x, found)}, {"y": y, **gradients(model, x, y)})


def test_masks_of_a_segment_are_drawn_once_and_drop_the_share_asked_for():
    model = random_model("feedback-kv", dict(SHAPE, T=40), dropout=0.25)
    x = random_input(dict(SHAPE, T=40, B=8)).detach()
    segment = passes.begin(model, x)
    drawn = torch.cat([m.flatten() for masks in segment.masks for m in masks])
    assert drawn.unique().tolist() == pytest.approx([0, 4 / 3])
    assert (drawn == 0).double().mean().item() == pytest.approx(0.25, abs=0.01)
    found = passes.converge(model, x, 1e-9, masks=segment.masks)
    assert (
        found.moved.max() <= 1e-9 and found.passes < 40
    )  # where masks changed, nothing would rest
    model.eval()
    assert not any(m is not None for masks in passes.begin(model, x).masks for m in masks)


def trained(name: str) -> tuple[nn.Module, torch.Tensor]:
    """The core of a trained model in float64, and embeddings that it was made for."""
    if name == "text":
        model = pretrained.load("feedback-kv")
        tokens = torch.randint(0, 65, (2, 24), generator=torch.Generator().manual_seed(0))
    else:
        model = trackers.load("s3", name, seed=0)
        tokens, _ = next(TASKS["s3"].held_out(24))
        tokens = tokens[:2]
    model = model.double()
    return model.core, model.embedding(tokens).detach()


@pytest.mark.parametrize("name", ["text", None, 4], ids=["text", "s3", "s3 memory 4"])
def test_trained_models_are_exact_step_by_step_too(name):
    model, x = trained(name)
    with torch.no_grad():
        y = model(x)
        for i in (1, 2, 5, 12, 23, 24):
            found = passes.run_passes(model, x, i, 0)
            torch.testing.assert_close(found.outputs[:, :i], y[:, :i], rtol=1e-9, atol=1e-10)
            assert found.exact == i


def test_convergence_stops_where_nothing_moves_and_never_later_than_the_last_step():
    model = random_model("feedback-kv", dict(SHAPE, T=30))
    x = random_input(dict(SHAPE, T=30)).detach()
    y = model(x).detach()
    loose, tight = (passes.converge(model, x, tolerance) for tolerance in (1e-2, 1e-6))
    assert 1 < loose.passes < tight.passes < 30
    assert loose.moved.max() <= 1e-2 and tight.moved.max() <= 1e-6
    assert (tight.outputs - y).abs().max() < 1e-4 < (loose.outputs - y).abs().max()
    assert passes.converge(model, x, 0, most=3).passes == 3
    whole = passes.converge(model, x, 0)
    assert whole.exact == 30 and (whole.outputs - y).abs().max() < 1e-9
    assert not whole.outputs.requires_grad
    again = passes.run_passes(model, x, whole.passes, 0)
    assert torch.equal(again.outputs, whole.outputs)


def test_free_passes_are_given_and_graded_ones_are_not():
    """The gradient is that of a pass that reads numbers: those the free passes have left."""
    model, x = random_model("feedback-kv", SHAPE), random_input(SHAPE)
    segment = passes.begin(model, x)
    given = x
    with torch.no_grad():
        for _ in range(2):
            given = passes.one_pass(segment, given).vectors
    y = model.norm(passes.one_pass(segment, given).states)
    found = passes.run_passes(model, x, 2, 1)
    left, right = ({"y": z, **gradients(model, x, z)} for z in (found.outputs, y))
    assert_same(left, right)
    none = passes.run_passes(model, x, 2, 0)
    assert not none.outputs.requires_grad and not none.memory.keys[0].requires_grad
    moved = (found.vectors - given).norm(dim=-1) / found.vectors.norm(dim=-1)
    torch.testing.assert_close(found.moved, moved)


def test_gradients_flow_into_a_memory_that_is_carried_over():
    model, x = random_model("feedback", SHAPE, "loop"), random_input(SHAPE)
    before, found = random_input(dict(SHAPE, T=4), seed=5), []
    for by_passes in (False, True):
        _, memory = model(before, return_memory=True)
        run = passes.run_passes(model, x, 0, SHAPE["T"], memory) if by_passes else None
        y = model(x, memory) if run is None else run.outputs
        found.append(gradients(model, before, y) | {"y": y})
    assert_same(*found)


@pytest.mark.parametrize("kind", FEEDBACK)
def test_a_language_model_runs_by_passes(kind):
    model, tokens = small(kind), some_tokens(T=9)
    exact, memory = model(tokens, return_memory=True)
    some = model(tokens, passes=3)
    torch.testing.assert_close(some[:, :3], exact[:, :3])
    assert (some - exact)[:, 3:].abs().max() > 1e-6
    logits, after = model(tokens, memory, return_memory=True, passes=9)
    torch.testing.assert_close(logits, model(tokens, memory))
    assert len(after) == 18
    logits.sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_what_cannot_be_run_by_passes_is_refused():
    model, tokens = small(), some_tokens()
    with pytest.raises(TypeError, match="parallel model needs but one"):
        small("parallel")(tokens, passes=2)
    for wrong, error in ((0, ValueError), (2.0, TypeError), (True, TypeError)):
        with pytest.raises(error, match="passes is"):
            model(tokens, passes=wrong)
    x = model.embedding(tokens).detach()
    with pytest.raises(ValueError, match="at least one pass"):
        passes.run_passes(model.core, x, 0, 0)
    with pytest.raises(ValueError, match="tolerance is -1"):
        passes.converge(model.core, x, -1)
    with pytest.raises(TypeError, match="tolerance is None"):
        passes.converge(model.core, x, None)
    with pytest.raises(ValueError, match="most is 0"):
        passes.converge(model.core, x, most=0)
    with pytest.raises(ValueError, match="embeddings have shape"):
        passes.converge(model.core, x[0])


@pytest.mark.parametrize("kind", FEEDBACK)
def test_what_passes_would_leave_out_is_refused_and_weights_are_read_as_they_are(kind):
    model, tokens = small(kind), some_tokens()
    hook = model.core.layers[0].register_forward_hook(lambda *given: None)
    with pytest.raises(ValueError, match="layers.0 has hooks, which passes would leave out"):
        model(tokens, passes=2)
    hook.remove()
    with torch.no_grad():
        model.core.layers[1].feed_forward.widen.weight *= 1.1
    torch.testing.assert_close(model(tokens, passes=9), model(tokens))
    model.core.layers[1].feed_forward = nn.Sequential(model.core.layers[1].feed_forward)
    with pytest.raises(ValueError, match="feed_forward is replaced by a Sequential"):
        model(tokens, passes=2)
