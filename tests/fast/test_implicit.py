"""Gradients by passes are those of the loop, and say what they cost."""

import pytest
import torch
from helpers import SHAPES, assert_same, random_input, random_model, shape_name, weigh
from pass_masks import joined

from feedback import pretrained
from feedback.fast.implicit import solve
from feedback.pretrained import trackers
from feedback.tasks import TASKS

SHAPE = dict(B=2, T=9, d_model=6, heads=3, n_layers=2, d_ff=5, max_distance=4)
FEEDBACK = ["feedback", "feedback-kv"]


def everything(y, memory, wanted, of="both") -> dict[str, torch.Tensor]:
    """Outputs, memory, and the gradients of a loss in which both have a weight, or one of them."""
    kept = {"y": y} | {f"kept {i}": z for i, z in enumerate(memory.keys + memory.values)}
    parts = {"both": kept.values(), "outputs": [y], "memory": list(kept.values())[1:]}[of]
    found = torch.autograd.grad(sum(map(weigh, parts)), wanted, allow_unused=True)
    there = ((i, g) for i, g in enumerate(found) if g is not None and g.any())
    return kept | {f"gradient {i}": g for i, g in there}


@pytest.mark.parametrize("kind", FEEDBACK)
@pytest.mark.parametrize("shape", SHAPES, ids=shape_name)
def test_every_gradient_is_that_of_the_loop(kind, shape):
    model, x = random_model(kind, shape, "loop"), random_input(shape)
    wanted = [x, *model.parameters()]
    for of in ("both", "outputs", "memory"):
        expected = everything(*model(x, return_memory=True), wanted, of)
        outputs, memory, work = solve(model, x)
        assert_same(everything(outputs, memory, wanted, of), expected)
        T = shape["T"]
        assert 1 <= work.forward <= T and 1 <= work.backward <= T + 1
        assert work.parallel_steps == (work.forward + work.backward + 3) / 3


@pytest.mark.parametrize("kind", FEEDBACK)
@pytest.mark.parametrize("memory_size", [None, 2])
@pytest.mark.parametrize("past", [0, 4])
def test_also_with_dropout_and_into_a_memory_carried_over(kind, memory_size, past):
    model = random_model(kind, SHAPE, "loop", dropout=0.4, memory_size=memory_size)
    x, before = random_input(SHAPE), random_input(dict(SHAPE, T=max(past, 1)), seed=5)
    wanted, found = [x, before, *model.parameters()], []
    for by_passes in (False, True):
        memory, n = None, 0
        if past:
            torch.manual_seed(1)
            _, memory = model(before, return_memory=True)
            n = len(memory)
        masks = joined(model, x, n, seed=3)
        torch.manual_seed(3)
        if by_passes:
            found.append(everything(*solve(model, x, memory, masks)[:2], wanted))
        else:
            found.append(everything(*model(x, memory, return_memory=True), wanted))
    assert_same(*found)
    assert ("gradient 1" in found[0]) == bool(past)


@pytest.mark.parametrize("name", ["text", "s3"])
def test_trained_models_have_the_gradient_of_the_loop(name):
    if name == "text":
        model = pretrained.load("feedback-kv", "loop").double()
        tokens = torch.randint(0, 65, (2, 32), generator=torch.Generator().manual_seed(0))
    else:
        model, tokens = trackers.load("s3", None, 0).double(), next(TASKS["s3"].held_out(12))[0][:2]
        model.core.path = "loop"
    model.train()  # its dropout is that of training, and off here
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0
    core, wanted = model.core, list(model.parameters())[1:]
    expected = everything(*core(model.embedding(tokens), return_memory=True), wanted)
    outputs, memory, work = solve(core, model.embedding(tokens))
    assert_same(everything(outputs, memory, wanted), expected)
    assert work.backward <= tokens.shape[1] + 1


def test_a_looser_tolerance_takes_fewer_passes_and_is_less_exact():
    shape = dict(SHAPE, T=40)
    model, x = random_model("feedback-kv", shape), random_input(shape)
    wanted, works, errors = [x, *model.parameters()], [], []
    expected = everything(*model(x, return_memory=True), wanted)
    for tolerance in (0.1, 1e-3, 1e-6):
        outputs, memory, work = solve(model, x, tolerance=tolerance)
        found = everything(outputs, memory, wanted)
        works.append((work.forward, work.backward))
        errors.append(max((found[name] - expected[name]).abs().max().item() for name in found))
    assert works == sorted(works) and works[0] < works[-1] < (40, 41)
    assert errors[0] > errors[1] > errors[2] and errors[2] < 1e-3 * errors[0]


def test_a_gradient_can_be_asked_for_again_but_has_none_of_its_own():
    model, x = random_model("feedback-kv", SHAPE), random_input(SHAPE)
    loss = weigh(solve(model, x).outputs)
    first, second = (torch.autograd.grad(loss, x, retain_graph=True)[0] for _ in range(2))
    assert torch.equal(first, second)
    with pytest.raises(RuntimeError, match="path='loop'"):
        torch.autograd.grad(loss, x, create_graph=True)


def test_what_does_not_learn_gets_no_gradient():
    model, x = random_model("feedback-kv", SHAPE), random_input(SHAPE)
    model.layers[0].requires_grad_(False)
    weigh(solve(model, x.detach()).outputs).backward()
    assert all((p.grad is not None) == p.requires_grad for p in model.parameters())
    with torch.no_grad():
        assert not solve(model, x).outputs.requires_grad
    with pytest.raises(TypeError, match="parallel"):
        solve(random_model("parallel", SHAPE), x)
    with pytest.raises(ValueError, match="tolerance is -1"):
        solve(model, x, tolerance=-1)
