"""The steps in one function: its gradient, and every way in which a pass over it is run."""

import pytest
import torch
from helpers import assert_same, gradients, random_input, random_model, shape_name, weigh

from feedback import Config, LanguageModel
from feedback.fast.blocks import BLOCK
from feedback.fast.sequence import whole_sequence

TINY = dict(B=2, T=4, d_model=4, heads=2, n_layers=2, d_ff=3, max_distance=2)
BLOCKS = [  # one block and a step, exactly two, two and some, beyond the learned distances
    dict(B=2, T=T, d_model=6, heads=3, n_layers=2, d_ff=5, max_distance=9)
    for T in (BLOCK + 1, 2 * BLOCK, 2 * BLOCK + 5)
]


def both(shape, **more):
    return [random_model("feedback-kv", shape, path, **more) for path in ("loop", "sequence")]


def everything(model, x, memory=None):
    """Output, memory and every gradient; the memory has a weight in the loss."""
    torch.manual_seed(0)
    y, after = model(x, memory, return_memory=True)
    kept = {"y": y, "keys": after.keys[0], "values": after.values[0]}
    given = () if memory is None else memory.keys + memory.values
    loss = sum(weigh(tensor) for tensor in kept.values())
    wanted = [x, *given, *model.parameters()]
    found = torch.autograd.grad(loss, wanted, allow_unused=True)
    return kept | {f"d {i}": g for i, g in enumerate(found) if g is not None}


@pytest.mark.parametrize("memory_size", [None, 2])
@pytest.mark.parametrize("past", [0, 3])
@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.slow
def test_the_gradient_is_that_of_finite_differences(memory_size, past, dropout):
    """In x, in keys and values carried over and in every parameter; of all three outputs.

    With everything on, number by number; otherwise in a random direction of all numbers.
    """
    model = random_model("feedback-kv", TINY, memory_size=memory_size, dropout=dropout)
    x, carried = random_input(TINY), torch.randn(2, 2, 2, past, 2, dtype=torch.float64)

    def run(x, carried, *parameters):  # the parameters are those of the model
        torch.manual_seed(0)  # the same masks every time
        return whole_sequence(model, x, *carried)

    inputs = (x, carried.requires_grad_(), *model.parameters())
    everything_on = dropout and past and memory_size is not None
    assert torch.autograd.gradcheck(run, inputs, fast_mode=not everything_on)


@pytest.mark.parametrize("of", ["outputs", "memory", "both"])
def test_a_loss_may_ask_for_outputs_or_memory_alone_and_a_second_time(of):
    shape = BLOCKS[-1]
    x, before = random_input(shape), random_input(dict(shape, T=4), seed=5)
    found = []
    for model in both(shape):
        _, memory = model(before, return_memory=True)
        y, memory = model(x, memory, return_memory=True)
        parts = {"outputs": [y], "memory": [*memory.keys, *memory.values]}
        parts["both"] = parts["outputs"] + parts["memory"]
        loss, wanted = sum(map(weigh, parts[of])), [x, before, *model.parameters()]
        for _ in range(2):
            again = torch.autograd.grad(loss, wanted, retain_graph=True, allow_unused=True)
            found.append({str(i): g for i, g in enumerate(again) if g is not None})
    for other in found[1:]:
        assert_same(other, found[0])


def test_a_memory_changed_by_hand_is_noticed_on_the_way_back():
    model, x = random_model("feedback-kv", TINY), random_input(TINY)
    y, memory = model(x, return_memory=True)
    with torch.no_grad():
        memory.keys[0].zero_()
    with pytest.raises(RuntimeError, match="inplace"):
        weigh(y).backward()


@pytest.mark.parametrize("shape", BLOCKS, ids=shape_name)
@pytest.mark.parametrize("memory_size", [None, 3, BLOCK + 4])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_any_number_of_blocks_equals_the_loop(shape, memory_size, dropout):
    """Also after a carried-over memory, into which gradients flow, and with dropout."""
    loop, whole = both(shape, memory_size=memory_size, dropout=dropout)
    x, before = random_input(shape), random_input(dict(shape, T=11), seed=5)
    assert_same(everything(loop, x), everything(whole, x))
    with torch.no_grad():
        _, memory = loop.eval()(before, return_memory=True)
    loop.train()
    for tensor in memory.keys + memory.values:
        tensor.requires_grad_()
    assert_same(everything(loop, x, memory), everything(whole, x, memory))


def test_the_same_seed_drops_the_same_on_every_path():
    shape, outputs = dict(TINY, T=9), []
    for model in both(shape, dropout=0.5):
        torch.manual_seed(3)
        outputs.append(model(random_input(shape)))
    torch.testing.assert_close(*outputs)


@pytest.mark.parametrize("onednn", [False, True])
def test_float32_agrees_with_the_loop(onednn):
    shape = dict(B=3, T=40, d_model=32, heads=4, n_layers=2, d_ff=64, max_distance=9)
    loop, whole = (model.float() for model in both(shape))
    for model in (loop, whole):
        for name, parameter in model.named_parameters():
            if "norm" not in name:
                parameter.data *= 0.3
    x = random_input(shape).detach().float().requires_grad_()
    with torch.backends.mkldnn.flags(enabled=onednn):
        left, right = everything(loop, x), everything(whole, x)
    for name in left:
        scale = left[name].abs().max().item()
        torch.testing.assert_close(left[name], right[name], rtol=1e-4, atol=1e-5 * scale, msg=name)


def test_bfloat16_is_as_near_to_float32_as_the_loop_is():
    config = Config(model="feedback-kv", n_tokens=11, d_model=32, heads=4, n_layers=2, d_ff=64)
    tokens = torch.randint(0, 11, (2, 20), generator=torch.Generator().manual_seed(0))
    errors = []
    for path in ("loop", "sequence"):
        torch.manual_seed(0)
        model = LanguageModel(config, path)
        exact, rough = gradients_of(model, tokens), gradients_of(model.bfloat16(), tokens)
        assert all(gradient.dtype == torch.bfloat16 for gradient in rough.values())
        both = zip(exact.values(), rough.values(), strict=True)
        distances = torch.stack(
            [(a - b.float()).norm() / a.norm() for a, b in both if a.norm() > 0]
        )
        errors.append(distances.nanmean())
    assert errors[1] < 1.5 * errors[0] < 0.3


def gradients_of(model, tokens):
    model.zero_grad()
    loss = torch.nn.functional.cross_entropy(model(tokens).float().flatten(0, 1), tokens.flatten())
    loss.backward()
    return {name: parameter.grad.clone() for name, parameter in model.named_parameters()}


def test_autocast_leaves_the_steps_alone_on_both_ways():
    model, x = random_model("feedback-kv", TINY).float(), random_input(TINY).detach().float()
    x.requires_grad_()

    def both_ways():
        y = model(x)
        return y, torch.autograd.grad(y.sum(), [x, *model.parameters()])

    plain = both_ways()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = both_ways()
    torch.testing.assert_close(inside, plain)


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("parallel", None),
        *(("feedback", path) for path in ("loop", "stack")),
        *(("feedback-kv", path) for path in ("loop", "sequence")),
    ],
)
def test_every_path_goes_back_inside_autocast(model, path):
    config = Config(model, n_tokens=11, d_model=16, heads=2, n_layers=2, d_ff=32, max_distance=6)
    torch.manual_seed(0)
    model, tokens = LanguageModel(config, path), torch.randint(0, 11, (2, 9))
    exact = gradients_of(model, tokens)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = gradients_of(model, tokens)
    for name, gradient in exact.items():
        error = (rough[name] - gradient).norm()
        assert error <= 0.2 * gradient.norm() + 1e-6, name


@pytest.mark.parametrize("shape", BLOCKS[:1], ids=shape_name)
def test_without_gradients_nothing_is_kept_and_the_numbers_stay(shape):
    _, whole = both(shape)
    x = random_input(shape)
    y, memory = whole(x, return_memory=True)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(kept.append, lambda tensor: tensor):
        with torch.no_grad():
            z, again = whole(x, return_memory=True)
    assert not kept and not z.requires_grad
    assert torch.equal(y, z) and torch.equal(memory.keys[0], again.keys[0])
    whole.requires_grad_(False)
    assert torch.equal(whole(x.detach()), y)


def test_parameters_that_need_no_gradient_get_none_and_the_others_theirs():
    _, whole = both(TINY)
    x = random_input(TINY)
    expected = gradients(whole, x, whole(x))
    for frozen in ("layers.0.feed_forward", "layers.1.attention", "mixture", "keys_values"):
        whole.requires_grad_(True)
        for name, parameter in whole.named_parameters():
            parameter.requires_grad_(frozen not in name)
        weigh(whole(x)).backward()
        for name, parameter in whole.named_parameters():
            if frozen in name:
                assert parameter.grad is None, name
            else:
                torch.testing.assert_close(parameter.grad, expected[name], msg=name)
        whole.zero_grad()


def test_one_graph_may_hold_two_passes_and_be_walked_twice():
    _, whole = both(TINY)
    x = random_input(TINY)
    loss = weigh(whole(x)) + weigh(whole(whole(x)))
    first = torch.autograd.grad(loss, x, retain_graph=True)[0]
    torch.testing.assert_close(torch.autograd.grad(loss, x)[0], first)
    with pytest.raises(RuntimeError, match="second time"):
        torch.autograd.grad(loss, x)


def test_the_gradient_of_a_gradient_is_refused():
    """At once: where it went on, it would count as a constant."""
    _, whole = both(TINY)
    x = random_input(TINY)
    with pytest.raises(RuntimeError, match="path='loop'"):
        torch.autograd.grad(weigh(whole(x)), x, create_graph=True)
