"""The ladder: every rung computes what the rung below does, forward and backward, in float64."""

import copy
from dataclasses import replace

import pytest
import reference
import torch
from helpers import (
    SHAPES,
    assert_same,
    assert_same_model,
    gradients,
    random_input,
    random_model,
    randomize,
    shape_name,
)

from feedback import FeedbackTransformer

MODELS = ["parallel", "feedback", "feedback-kv"]
FEEDBACK = ["feedback", "feedback-kv"]
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=shape_name)
every_model = pytest.mark.parametrize("model", MODELS)
both_feedback = pytest.mark.parametrize("model", FEEDBACK)
both_paths = pytest.mark.parametrize("path", ["loop", "stack"])
LONG = SHAPES[0]


def segments(model, x, cuts, detach=False):
    """Run x in pieces of the given lengths, the memory passed on."""
    memory, y = None, []
    for piece in x.split(cuts, dim=1):
        out, memory = model(piece, memory, return_memory=True)
        memory = memory.detach() if detach else memory
        y.append(out)
    return torch.cat(y, 1)


def changed(x, t):
    """x with other numbers at token t."""
    other = x.clone()
    other[:, t] = random_input(LONG, seed=9)[:, t].detach()
    return other


@every_shape
def test_parallel_equals_plain_reference(shape):
    model, x = random_model("parallel", shape), random_input(shape)
    y, z = model(x), reference.parallel(model, x)
    assert_same({"y": y, **gradients(model, x, y)}, {"y": z, **gradients(model, x, z)})


@every_shape
@both_feedback
@both_paths
def test_feedback_equals_plain_reference(shape, model, path):
    model, x = random_model(model, shape, path), random_input(shape)
    y, z = model(x), reference.feedback(model, x)
    assert_same({"y": y, **gradients(model, x, y)}, {"y": z, **gradients(model, x, z)})


@every_shape
@both_feedback
def test_loop_equals_stack(shape, model):
    loop, stack = random_model(model, shape, "loop"), random_model(model, shape, "stack")
    assert_same_model(loop, stack, random_input(shape))


@every_shape
@every_model
def test_dropout_stands_in_its_four_places(shape, model):
    """With the same explicit masks, every path equals the reference that applies them by hand."""
    x, masks = random_input(shape), reference.Masks()
    expected_of = reference.parallel if model == "parallel" else reference.feedback
    for path in [None] if model == "parallel" else ["loop", "stack"]:
        ours = random_model(model, shape, path, dropout=0.3)
        expected = expected_of(ours, x, masks)
        before = gradients(ours, x, expected)
        y = masks.install(ours)(x)
        assert_same({"y": y, **gradients(ours, x, y)}, {"y": expected, **before})


@every_model
def test_dropout_uses_the_configured_rate_and_rests_in_evaluation(model):
    x = random_input(LONG)
    dropping, plain = random_model(model, LONG, dropout=0.3), random_model(model, LONG)
    rates = [m.p for m in dropping.modules() if isinstance(m, torch.nn.Dropout)]
    assert rates == [0.3] * 3 * LONG["n_layers"]
    assert not torch.allclose(dropping(x), plain(x))
    assert torch.equal(dropping.eval()(x), plain(x))


@every_shape
@both_paths
def test_tied_projections_make_the_unshared_model_the_shared_one(shape, path):
    shared, x = random_model("feedback-kv", shape, path), random_input(shape)
    unshared = FeedbackTransformer(replace(shared.config, model="feedback"), path).double()
    weights = {k: v for k, v in shared.state_dict().items() if not k.startswith("keys_values")}
    unshared.load_state_dict(weights, strict=False)
    tied = shared.keys_values[0]
    for keys_values in unshared.keys_values:
        keys_values.key.weight = tied.key.weight
        keys_values.value.weight = tied.value.weight
        torch.nn.init.zeros_(keys_values.value.bias)
    y, z = shared(x), unshared(x)
    theirs = gradients(unshared, x, z)
    ours = gradients(shared, x, y)
    biases = [name for name in theirs if name.endswith("value.bias")]
    common = {name: theirs[name] for name in theirs if name not in biases}
    assert_same({"y": y, **ours}, {"y": z, **common})


@every_shape
@every_model
def test_step_by_step_with_a_cache_equals_all_at_once(shape, model):
    """For the parallel model: causal attention over all tokens equals attention with a cache."""
    model, x = random_model(model, shape), random_input(shape)
    y, z = model(x), segments(model, x, 1)
    assert_same({"y": y, **gradients(model, x, y)}, {"y": z, **gradients(model, x, z)})


@every_model
@pytest.mark.parametrize("cuts", [[3, 4], [1, 6], [6, 1], [2, 3, 2]])
def test_segments_equal_one_long_sequence(model, cuts):
    model, x = random_model(model, LONG), random_input(LONG)
    y, z = model(x), segments(model, x, cuts)
    assert_same({"y": y, **gradients(model, x, y)}, {"y": z, **gradients(model, x, z)})


@every_model
def test_no_gradient_crosses_a_detached_memory(model):
    model, x = random_model(model, LONG), random_input(LONG)
    attached, detached = (segments(model, x, [3, 4], detach)[:, 3:] for detach in (False, True))
    torch.testing.assert_close(attached, detached)
    reaching, stopped = (gradients(model, x, y)["x"].abs() for y in (attached, detached))
    assert reaching[:, :3].max() > 0
    assert stopped[:, :3].max() == 0 and stopped[:, 3:].max() > 0


@both_feedback
@both_paths
def test_bounded_memory_sees_the_last_n_vectors(model, path):
    x = random_input(LONG)
    for n in range(1, LONG["T"] + 2):
        bounded = random_model(model, LONG, path, memory_size=n)
        y, z = bounded(x), reference.feedback(bounded, x, memory_size=n)
        assert_same({"y": y, **gradients(bounded, x, y)}, {"y": z, **gradients(bounded, x, z)})
        if n >= LONG["T"]:
            torch.testing.assert_close(y, random_model(model, LONG, path)(x))
        short = segments(bounded, x, [4, 3])
        torch.testing.assert_close(short, y)
        _, memory = bounded(x, return_memory=True)
        assert len(memory) == min(n, LONG["T"])


@both_feedback
@both_paths
def test_vectors_older_than_the_bounded_memory_change_nothing(model, path):
    n, x = 3, random_input(LONG)
    bounded = random_model(model, LONG, path, memory_size=n)
    _, whole = random_model(model, LONG, path)(x, return_memory=True)
    whole = replace(whole, config=bounded.config)

    def replaced(oldest: slice):
        noise = torch.Generator().manual_seed(5)
        keys, values = (
            tuple(part.clone() for part in parts) for parts in (whole.keys, whole.values)
        )
        for part in keys + values:
            part[:, :, oldest] = torch.randn(part[:, :, oldest].shape, generator=noise).double()
        return replace(whole, keys=keys, values=values)

    expected = bounded(x, whole)
    torch.testing.assert_close(bounded(x, replaced(slice(0, -n))), expected, rtol=0, atol=0)
    assert not torch.allclose(bounded(x, replaced(slice(-n, None))), expected)


@both_feedback
def test_older_tokens_still_count_through_the_memory_they_left(model):
    """Each vector carries its own past: the bound is on what is read, not on what is known."""
    x = random_input(LONG).detach()
    bounded = random_model(model, LONG, memory_size=1)
    other = changed(x, 0)
    assert not torch.allclose(bounded(x)[:, -1], bounded(other)[:, -1])


@every_model
def test_two_forwards_before_one_backward(model):
    model = random_model(model, LONG)
    x, other = random_input(LONG, seed=1), random_input(dict(LONG, T=4), seed=7)
    apart_x, apart_other = gradients(model, x, model(x)), gradients(model, other, model(other))
    y, z = model(x), model(other)  # both before any backward
    together_other, together_x = gradients(model, other, z), gradients(model, x, y)
    assert_same(together_x, apart_x)
    assert_same(together_other, apart_other)


@every_model
def test_two_continuations_of_one_memory_do_not_disturb_each_other(model):
    model = random_model(model, LONG)
    x, one, two = (random_input(LONG, seed=seed) for seed in (1, 2, 3))
    _, memory = model(x, return_memory=True)
    before = copy.deepcopy(memory.detach())
    y, z = model(one, memory), model(two, memory)
    for part, old in zip(memory.keys + memory.values, before.keys + before.values, strict=True):
        assert torch.equal(part, old)
    together = gradients(model, x, torch.cat([y, z], 1))
    _, memory = model(x, return_memory=True)
    _, memory_again = model(x, return_memory=True)
    apart = gradients(model, x, torch.cat([model(one, memory), model(two, memory_again)], 1))
    assert_same(together, apart)
    torch.testing.assert_close(y, segments(model, torch.cat([x, one], 1), [LONG["T"]] * 2)[:, 7:])


@every_model
@both_paths
def test_a_token_changes_no_output_before_it(model, path):
    model = random_model(model, LONG, None if model == "parallel" else path)
    x = random_input(LONG).detach()
    y = model(x)
    for t in range(LONG["T"]):
        z = model(changed(x, t))
        assert torch.equal(z[:, :t], y[:, :t])
        assert not torch.allclose(z[:, t], y[:, t])


@every_model
def test_distances_beyond_the_last_learned_one_share_its_row(model):
    """No cap on length: three times max_distance runs, and equals a longer table that repeats."""
    shape = dict(LONG, T=12, max_distance=4)
    short, long = random_model(model, shape), random_model(model, dict(shape, max_distance=12))
    x = random_input(shape)
    own = {name: p for name, p in short.named_parameters() if "attention.r" in name or ".s" in name}
    long.load_state_dict(
        {
            name: torch.cat([p[:1].expand(8, *p.shape[1:]), p]) if name in own else p
            for name, p in short.state_dict().items()
        }
    )
    torch.testing.assert_close(short(x), long(x))


@both_feedback
def test_fixed_mixtures_replace_the_learned_one(model):
    x, mixture = random_input(LONG), (0.1, 0.2, 0.7)
    fixed = random_model(model, LONG, memory_mixture=list(mixture))
    assert not any("mixture" in name for name, _ in fixed.named_parameters())
    learned = randomize(type(fixed)(replace(fixed.config, memory_mixture="learned")))
    learned.load_state_dict(fixed.state_dict(), strict=False)
    learned.mixture.w.data = torch.tensor(mixture, dtype=torch.float64).log()
    torch.testing.assert_close(fixed(x), learned(x))
    torch.testing.assert_close(fixed(x), reference.feedback(fixed, x))
