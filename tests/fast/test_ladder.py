"""The ladder: every rung computes what the rung below does, forward and backward, in float64."""

import copy
from dataclasses import replace

import pytest
import reference
import torch
from helpers import (
    MODELS,
    SHAPES,
    assert_same,
    assert_same_model,
    gradients,
    random_input,
    random_model,
    randomize,
    shape_name,
    weigh,
)

from feedback import Config, FeedbackTransformer, FeedbackTransformerKV
from feedback.language_model import build

FEEDBACK = ["feedback", "feedback-kv"]
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=shape_name)
every_model = pytest.mark.parametrize("model", MODELS)
both_feedback = pytest.mark.parametrize("model", FEEDBACK)
PATHS = [
    (kind.name, path)
    for kind in (FeedbackTransformer, FeedbackTransformerKV)
    for path in kind.paths
]
feedback_paths = pytest.mark.parametrize(("model", "path"), PATHS)
every_path = pytest.mark.parametrize(
    ("model", "path"), [("parallel", None), *PATHS], ids=lambda value: value or ""
)
LONG = SHAPES[0]
REFERENCE = {
    "parallel": reference.parallel,
    "feedback": reference.feedback,
    "feedback-kv": reference.feedback,
}


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
    other[:, t] = torch.randn(x[:, t].shape, generator=torch.Generator().manual_seed(9)).double()
    return other


@every_shape
def test_parallel_equals_plain_reference(shape):
    model, x = random_model("parallel", shape), random_input(shape)
    y, z = model(x), reference.parallel(model, x)
    assert_same({"y": y, **gradients(model, x, y)}, {"y": z, **gradients(model, x, z)})


@every_shape
@feedback_paths
def test_feedback_equals_plain_reference(shape, model, path):
    model, x = random_model(model, shape, path), random_input(shape)
    y, z = model(x), reference.feedback(model, x)
    assert_same({"y": y, **gradients(model, x, y)}, {"y": z, **gradients(model, x, z)})


@every_shape
@feedback_paths
def test_every_path_equals_the_loop(shape, model, path):
    loop, other = random_model(model, shape, "loop"), random_model(model, shape, path)
    assert_same_model(loop, other, random_input(shape))


@every_shape
@every_model
@pytest.mark.filterwarnings("ignore:.*every submodule is called")
def test_dropout_stands_in_its_four_places(shape, model):
    """With the same explicit masks, every path equals the reference that applies them by hand."""
    x, masks = random_input(shape), reference.Masks()
    for path in [path for name, path in PATHS if name == model] or [None]:
        ours = random_model(model, shape, path, dropout=0.3)
        expected = REFERENCE[model](ours, x, masks)
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
@pytest.mark.parametrize("shared_path", ["loop", "sequence"])
@pytest.mark.parametrize("path", ["loop", "stack"])
def test_tied_projections_make_the_unshared_model_the_shared_one(shape, path, shared_path):
    shared, x = random_model("feedback-kv", shape, shared_path), random_input(shape)
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
@every_path
def test_step_by_step_with_a_cache_equals_all_at_once(shape, model, path):
    """For the parallel model: causal attention over all tokens equals attention with a cache."""
    model, x = random_model(model, shape, path), random_input(shape)
    y, z = model(x), segments(model, x, 1)
    assert_same({"y": y, **gradients(model, x, y)}, {"y": z, **gradients(model, x, z)})


@every_shape
@every_path
def test_segments_equal_one_long_sequence(shape, model, path):
    model, x = random_model(model, shape, path), random_input(shape)
    y, T = model(x), shape["T"]
    expected = {"y": y, **gradients(model, x, y)}
    for cut in {1, T // 2, T - 1} - {0}:
        z = segments(model, x, [cut, T - cut][: 1 + (T > cut)])
        assert_same({"y": z, **gradients(model, x, z)}, expected)


@every_path
def test_many_segments_equal_one_long_sequence(model, path):
    model, x = random_model(model, LONG, path), random_input(LONG)
    y, z = model(x), segments(model, x, [2, 3, 2])
    assert_same({"y": y, **gradients(model, x, y)}, {"y": z, **gradients(model, x, z)})


@every_shape
@every_path
def test_no_gradient_crosses_a_detached_memory(shape, model, path):
    T = shape["T"]
    if T == 1:
        shape, T = dict(shape, T=3), 3
    cut = T // 2
    model, x = random_model(model, shape, path), random_input(shape)
    attached, detached = (
        segments(model, x, [cut, T - cut], detach)[:, cut:] for detach in (False, True)
    )
    torch.testing.assert_close(attached, detached)
    reaching, stopped = (gradients(model, x, y)["x"].abs() for y in (attached, detached))
    assert reaching[:, :cut].max() > 0
    assert stopped[:, :cut].max() == 0 and stopped[:, cut:].max() > 0


@every_shape
@every_path
def test_bounded_memory_sees_the_last_n_steps(shape, model, path):
    x, T = random_input(shape), shape["T"]
    for n in {1, T // 2, T - 1, T, T + 1} - {0}:
        bounded = random_model(model, shape, path, memory_size=n)
        y, z = bounded(x), REFERENCE[model](bounded, x, memory_size=n)
        expected = {"y": z, **gradients(bounded, x, z)}
        assert_same({"y": y, **gradients(bounded, x, y)}, expected)
        if n >= T:
            torch.testing.assert_close(y, random_model(model, shape, path)(x))
        pieces = segments(bounded, x, [T // 2, T - T // 2] if T > 1 else [1])
        assert_same({"y": pieces, **gradients(bounded, x, pieces)}, expected)


@pytest.mark.parametrize("cuts", [1, 2, 3, [1, 6], [6, 1], [4, 3], [2, 1, 4]], ids=str)
@every_model
def test_a_bound_does_not_depend_on_where_segments_begin(model, cuts):
    """Pasts shorter and longer than the bound, before segments shorter and longer than it."""
    x = random_input(LONG)
    for n in (1, 2, 3, 5):
        bounded = random_model(model, LONG, memory_size=n)
        y, z = segments(bounded, x, cuts), REFERENCE[model](bounded, x, memory_size=n)
        expected = {"y": z, **gradients(bounded, x, z)}
        assert_same({"y": y, **gradients(bounded, x, y)}, expected)


@every_path
def test_a_bounded_memory_keeps_n_steps_and_no_more(model, path):
    x = random_input(LONG)
    for n in (1, 3, 7, 8):
        _, memory = random_model(model, LONG, path, memory_size=n)(x, return_memory=True)
        assert len(memory) == min(n, LONG["T"])
        for part in memory.keys + memory.values:  # and does not hold on to a longer buffer
            assert part.untyped_storage().nbytes() == part.numel() * part.element_size()


def test_dropout_stands_at_its_places_in_a_bounded_parallel_model():
    x, masks = random_input(LONG), reference.Masks()
    ours = random_model("parallel", LONG, dropout=0.3, memory_size=2)
    expected = reference.parallel(ours, x, masks, memory_size=2)
    before = gradients(ours, x, expected)
    y = masks.install(ours)(x)
    assert_same({"y": y, **gradients(ours, x, y)}, {"y": expected, **before})


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("cuts", [12, 5, 1])
def test_layers_of_a_bounded_parallel_model_reach_n_tokens_each_and_no_farther(layers, n, cuts):
    shape = dict(LONG, T=12, n_layers=layers)
    model, x = random_model("parallel", shape, memory_size=n), random_input(shape)
    y = segments(model, x, cuts)
    for t in range(12):
        (found,) = torch.autograd.grad(weigh(y[:, t]), x, retain_graph=True)
        reached = [t - j for j in range(12) if found[:, j].abs().max() > 0]
        assert reached == list(range(min(t, layers * n), -1, -1))


def test_a_bound_changes_no_weight_at_the_start():
    config = Config("parallel", None, d_model=8, heads=2, n_layers=2, d_ff=8)
    plain, bounded = (
        torch.manual_seed(0) and build(replace(config, memory_size=n)) for n in (None, 3)
    )
    ours, theirs = bounded.state_dict(), plain.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


@every_path
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


@every_shape
@every_path
def test_two_forwards_before_one_backward(shape, model, path):
    model = random_model(model, shape, path)
    x, other = random_input(shape, seed=1), random_input(dict(shape, T=4), seed=7)
    apart = [gradients(model, each, model(each)) for each in (x, other)]
    loss = weigh(model(x)) + weigh(model(other))  # both before the one backward
    parameters = dict(model.named_parameters())
    together = torch.autograd.grad(loss, [x, other, *parameters.values()], allow_unused=True)
    expected = [apart[0]["x"], apart[1]["x"]]
    expected += [apart[0][name] + apart[1][name] for name in parameters]
    for found, wanted in zip(together, expected, strict=True):
        torch.testing.assert_close(torch.zeros_like(wanted) if found is None else found, wanted)


@every_shape
@every_path
def test_two_continuations_of_one_memory_do_not_disturb_each_other(shape, model, path):
    model, T = random_model(model, shape, path), shape["T"]
    x, one, two = (random_input(shape, seed=seed) for seed in (1, 2, 3))
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
    torch.testing.assert_close(y, segments(model, torch.cat([x, one], 1), [T, T])[:, T:])


@every_shape
@every_path
def test_a_token_changes_no_output_before_it(shape, model, path):
    model, x = random_model(model, shape, path), random_input(shape).detach()
    y = model(x)
    for t in range(shape["T"]):
        z = model(changed(x, t))
        assert torch.equal(z[:, :t], y[:, :t])
        assert not torch.allclose(z[:, t], y[:, t])


@every_path
def test_every_learned_distance_has_a_row_of_its_own(model, path):
    """Distances 1 to S, and 0 for the parallel model: each row of r and s gets its own gradient."""
    shape = dict(LONG, T=7, max_distance=4)
    model, x = random_model(model, shape, path), random_input(shape)
    found = gradients(model, x, model(x))
    for name in ("r", "s"):
        rows = found[f"layers.0.attention.{name}"].flatten(1)
        assert len(rows) == 4 + (path is None)
        assert (rows.abs().sum(1) > 0).all()
        assert torch.unique(rows, dim=0).shape == rows.shape


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
