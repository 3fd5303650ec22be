"""What is changed in a run is that and no other, against the same computed step by step by hand."""

import warnings

import pytest
import torch
from helpers import MODELS, small, some_tokens

from feedback import Memory
from feedback.attention import split_heads
from feedback.interpret import sites
from feedback.interpret.changes import noise, only, put, put_mean, put_within, zero
from feedback.interpret.running import look_at, run_with

FEEDBACK = ["feedback", "feedback-kv"]
close = torch.testing.assert_close


def all_sites(model) -> dict:
    L = len(model.core.layers)
    shared = model.config.model == "feedback-kv"
    found = {"keys": sites.keys(model, 1 if shared else L), "values": sites.values(model)}
    for name in ("heads", "added_by_attention", "added_by_feed_forward", "output"):
        found[name] = getattr(sites, name)(model, L)
    if model.config.model != "parallel":
        found |= {"memory": sites.memory(model), "shares": sites.shares(model)}
    return found | {"by_distance": sites.by_distance(model, 1, 3)}


def same_run(a, b) -> None:
    close(a.logits, b.logits)
    close(a.outputs, b.outputs)
    close(a.attention, b.attention)
    assert (a.memory is None) == (b.memory is None)
    if a.memory is not None:
        close(a.memory, b.memory)


def other_tokens(B: int = 2, T: int = 9) -> torch.Tensor:
    return torch.randint(0, 11, (B, T), generator=torch.Generator().manual_seed(7))


@pytest.mark.parametrize("name", MODELS)
def test_what_is_looked_at_and_put_back_changes_nothing(name):
    model, tokens = small(name), some_tokens()
    plain = model.trace(tokens)
    for where, site in all_sites(model).items():
        found = look_at(model, tokens, site)
        assert found.shape[:2] == tokens.shape, where
        same_run(run_with(model, tokens, {site: put(found)}), plain)


@pytest.mark.parametrize("name", MODELS)
def test_a_change_at_any_site_is_gone_with_its_run(name):
    model, tokens = small(name), some_tokens()
    plain = model(tokens)
    for where, site in all_sites(model).items():
        changed = run_with(model, tokens, {site: zero}).logits
        assert (changed - plain).abs().max() > 1e-5, where
        with pytest.raises(ZeroDivisionError):
            run_with(model, tokens, {site: lambda x, steps: 1 / 0})
        assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a hook that stays would keep the model off its fast path
        close(model(tokens), plain)


@pytest.mark.parametrize("name", FEEDBACK)
def test_with_all_memory_vectors_of_another_row_a_step_is_that_row_s(name):
    model, tokens = small(name), some_tokens()
    donor = tokens.roll(-1, 0).clone()
    donor[:, 6] = tokens[:, 6]
    memory = model.trace(donor).memory
    found = run_with(model, tokens, {sites.memory(model): only(put(memory), range(6))})
    close(found.logits[:, 6], model(donor)[:, 6])
    close(found.memory[:, :6], memory[:, :6])
    close(found.logits[:, 0], model(tokens)[:, 0])  # before the first vector is read


@pytest.mark.parametrize("which", ["keys", "values"])
def test_keys_or_values_of_one_step_alone(which):
    model, tokens, donor = small(), some_tokens(), other_tokens()
    site = getattr(sites, which)(model)
    new = look_at(model, donor, site)  # (B, T, H, k)
    found = run_with(model, tokens, {site: only(put(new), [3])})
    _, memory = model(tokens[:, :4], return_memory=True)
    pair = {"keys": memory.keys[0].clone(), "values": memory.values[0].clone()}  # (B, H, n, k)
    pair[which][:, :, 3] = new[:, 3]
    logits = model.step(tokens[:, 4], Memory((pair["keys"],), (pair["values"],), memory.config))[0]
    close(found.logits[:, 4], logits)
    close(found.logits[:, :4], model(tokens)[:, :4])
    assert (logits - model(tokens)[:, 4]).abs().max() > 1e-3


@pytest.mark.parametrize("name", FEEDBACK)
def test_a_layer_s_share_moves_the_memory_by_its_weight(name):
    model, tokens, donor = small(name), some_tokens(), other_tokens()
    plain, weights = model.trace(tokens), model.layer_weights()
    others = model.trace(donor).outputs.permute(1, 2, 0, 3)  # (B, T, L+1, d)
    found = run_with(model, tokens, {sites.shares(model): only(put(others), [2], part=1)})
    moved = weights[1] * (others[:, 2, 1] - plain.outputs[1, :, 2])
    close(found.memory[:, 2], plain.memory[:, 2] + moved)
    close(found.outputs[:, :, :3], plain.outputs[:, :, :3])  # nothing above the layer changes


@pytest.mark.parametrize("name", MODELS)
def test_without_attention_and_feed_forward_a_token_is_answered_by_its_embedding(name):
    model, tokens = small(name), some_tokens()
    parts = (sites.added_by_attention, sites.added_by_feed_forward)
    ablated = {part(model, layer): zero for part in parts for layer in (1, 2, 3)}
    found = run_with(model, tokens, ablated)
    close(found.logits, model.head(model.core.norm(model.embedding(tokens))))


@pytest.mark.parametrize("name", MODELS)
def test_one_head_of_one_layer_by_its_formula(name):
    """A layer of one step: x plus the read of the other heads, then the feed-forward."""
    model, tokens = small(name, n_layers=1), some_tokens()
    trace, layer = model.trace(tokens), model.core.layers[0]
    read = look_at(model, tokens, sites.heads(model, 1))  # (B, T, H, k)
    read[:, 5, 2] = 0
    x = trace.outputs[0][:, 5] + layer.attention.output(read[:, 5].flatten(1))
    expected = x + layer.feed_forward(layer.norm2(x))
    found = run_with(model, tokens, {sites.heads(model, 1): only(zero, [5], part=2)})
    close(found.outputs[1][:, 5], expected)
    close(found.outputs[1][:, :5], trace.outputs[1][:, :5])


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("size", [None, 4])
def test_what_is_read_by_distance_is_weight_times_value(name, size):
    model, tokens = small(name, memory_size=size), some_tokens()
    nearest = 0 if name == "parallel" else 1
    trace = model.trace(tokens)
    values = look_at(model, tokens, sites.values(model))  # (B, T, H, k)
    found = look_at(model, tokens, sites.by_distance(model, 1, 12))  # (B, T, D, H, k)
    expected = torch.zeros_like(found)
    for t in range(9):
        for part in range(12):
            if (j := t - nearest - part) >= 0:
                weight = trace.attention[0, :, :, t, j]  # (B, H)
                expected[:, t, part] = weight[..., None] * values[:, j]
    close(found, expected)
    close(found.sum(2), look_at(model, tokens, sites.heads(model, 1)))


@pytest.mark.parametrize("name", MODELS)
def test_a_distance_that_is_left_out_is_subtracted_from_every_head(name):
    model, tokens = small(name, n_layers=1), some_tokens()
    heads = sites.heads(model, 1)
    read = look_at(model, tokens, sites.by_distance(model, 1, 2))
    without = look_at(model, tokens, heads) - read[:, :, 1]
    by_hand = run_with(model, tokens, {heads: only(put(without), [7])})
    found = run_with(model, tokens, {sites.by_distance(model, 1, 2): only(zero, [7], part=1)})
    close(found.outputs[1][:, 7], by_hand.outputs[1][:, 7])
    assert (found.outputs[1] - model.trace(tokens).outputs[1]).abs().max() > 1e-3


def test_keys_of_each_layer_where_each_has_its_own():
    model, tokens = small("parallel"), some_tokens()
    layer = model.core.layers[1]
    z = layer.norm1(model.trace(tokens).outputs[1])
    close(
        look_at(model, tokens, sites.keys(model, 2)),
        split_heads(layer.keys_values.key(z), 3).transpose(1, 2),
    )


def test_keys_and_values_of_each_layer_where_each_makes_them_of_the_memory():
    model, tokens = small("feedback"), some_tokens()
    project, memory = model.core.keys_values[1], model.trace(tokens).memory
    for found, linear in ((sites.keys, project.key), (sites.values, project.value)):
        expected = split_heads(linear(memory), 3).transpose(1, 2)
        close(look_at(model, tokens, found(model, 2)), expected)


def test_a_mean_is_that_of_all_rows_at_the_same_step():
    model, tokens = small(), some_tokens(B=3)
    site = sites.memory(model)
    memory = look_at(model, tokens, site)
    found = run_with(model, tokens, {site: put_mean(memory)}).memory
    close(found, ((memory[0] + memory[1] + memory[2]) / 3).expand(3, -1, -1))


def test_within_a_plane_the_plane_is_the_donor_s_and_the_rest_its_own():
    x = torch.tensor([[[1.0, 2.0, 3.0]]])
    donor = torch.tensor([[[10.0, 20.0, 30.0]]])
    basis = torch.tensor([[0.6, 0.0], [0.8, 0.0], [0.0, 1.0]])  # orthonormal columns
    # Along (.6, .8, 0) x has 2.2 and the donor 22; across it, along (-.8, .6, 0), x has 0.4.
    found = put_within(basis, donor)(x, range(1))
    close(found, torch.tensor([[[0.6 * 22 - 0.8 * 0.4, 0.8 * 22 + 0.6 * 0.4, 30.0]]]))


def test_noise_has_the_length_that_was_asked():
    x = torch.randn(4, 3, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    moved = noise(0.3, torch.Generator().manual_seed(1))(x, range(3)) - x
    close(moved.norm(dim=-1), 0.3 * x.norm(dim=-1))
    assert moved[0, 0].dot(moved[1, 0]).abs() < 0.9 * moved[0, 0].norm() * moved[1, 0].norm()


def test_only_some_steps_and_parts():
    x = torch.ones(1, 3, 4, 2)
    found = only(zero, steps=[11, 12, 99], part=[0, 3])(x, range(10, 13))
    expected = torch.ones(1, 3, 4, 2)
    expected[:, 1:, 0] = expected[:, 1:, 3] = 0
    assert torch.equal(found, expected) and torch.equal(x, torch.ones(1, 3, 4, 2))
    assert only(zero, steps=[4])(x, range(10, 13)) is x


def test_what_cannot_be_asked_is_an_error_before_the_run():
    model, tokens, parallel = small(), some_tokens(), small("parallel")
    for make in (sites.memory, sites.shares):
        with pytest.raises(ValueError, match="no memory vectors"):
            make(parallel)
    with pytest.raises(ValueError, match="share keys and values"):
        sites.keys(model, 2)
    for layer in (0, 4):
        with pytest.raises(ValueError, match="layer"):
            sites.output(model, layer)
    with pytest.raises(TypeError, match="LanguageModel"):
        sites.output(model.core, 1)
    with pytest.raises(ValueError, match="another model"):
        run_with(small(), tokens, {sites.memory(model): zero})
    with pytest.raises(TypeError, match="no site"):
        run_with(model, tokens, {"memory": zero})
    with pytest.raises(ValueError, match="a change returns"):
        run_with(model, tokens, {sites.memory(model): lambda x, steps: x[:1]})
    with pytest.raises(ValueError, match="2 steps to put in"):
        run_with(model, tokens, {sites.memory(model): put(torch.zeros(1, 2, 12).double())})
    with pytest.raises(ValueError, match="nothing was computed"):
        look_at(model, tokens[:, :1], sites.added_by_attention(model, 1))
