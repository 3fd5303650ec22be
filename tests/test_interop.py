"""Ours equals labml's, and refuses what has no counterpart here."""

import labml_nn.transformers.feedback as labml
import pytest
import torch
from helpers import randomize
from labml_nn.transformers.feed_forward import FeedForward
from torch import nn

from feedback import Config, FeedbackTransformer, FeedbackTransformerKV, LanguageModel, interop

SHAPES = [  # d, H, L, F, T, B
    (8, 2, 2, 12, 6, 3),
    (6, 3, 1, 5, 1, 1),
    (10, 1, 3, 7, 9, 2),
]


def labml_model(
    shared, d=8, heads=2, n_layers=2, d_ff=12, dropout=0.0, precomputed=None, **forward
):
    layer = labml.FeedbackTransformerLayer(
        d_model=d,
        attn=labml.FeedbackAttention(
            heads, d, dropout, is_kv_precomputed=shared if precomputed is None else precomputed
        ),
        feed_forward=FeedForward(d, d_ff, dropout, **forward),
        dropout_prob=dropout,
    )
    if shared:
        return labml.FeedbackTransformerKV(layer, n_layers, d, heads)
    return labml.FeedbackTransformer(layer, n_layers)


def run(module, x, time_first):
    """Output and gradient with respect to x, both (B, T, d), of a fixed random weighting."""
    x = x.clone().requires_grad_()
    y = module(x.transpose(0, 1)).transpose(0, 1) if time_first else module(x)
    weighting = torch.randn(
        y.shape, generator=torch.Generator().manual_seed(4), dtype=torch.float64
    )
    (gradient,) = torch.autograd.grad((y * weighting.to(y)).sum(), x)
    return y, gradient


@pytest.mark.parametrize("shared", [False, True], ids=["unshared", "shared"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
def test_outputs_and_input_gradients_are_labmls(shared, shape, dtype, tolerance):
    d, heads, n_layers, d_ff, T, B = shape
    theirs = randomize(labml_model(shared, d, heads, n_layers, d_ff)).to(dtype)
    ours = interop.from_labml(theirs)
    assert type(ours) is (FeedbackTransformerKV if shared else FeedbackTransformer)
    assert ours.config.max_distance == 4096
    x = torch.randn(B, T, d, generator=torch.Generator().manual_seed(1), dtype=dtype)
    for left, right in zip(run(theirs, x, True), run(ours, x, False), strict=True):
        torch.testing.assert_close(left, right, rtol=tolerance, atol=tolerance)


def test_float64_follows_once_labmls_buffers_are_freed():
    theirs = randomize(labml_model(shared=True)).float()
    x = torch.randn(1, 5, 8)
    run(theirs, x, True)  # fills the buffers that belong to their module
    theirs.free()
    theirs.double()
    ours = interop.from_labml(theirs)
    for left, right in zip(
        run(theirs, x.double(), True), run(ours, x.double(), False), strict=True
    ):
        torch.testing.assert_close(left, right, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("shared", [False, True])
def test_the_copy_stands_on_its_own(shared):
    theirs = labml_model(shared).eval()
    ours = interop.from_labml(theirs)
    assert not ours.training
    x = torch.randn(2, 4, 8)
    before = ours(x)
    for parameter in theirs.parameters():
        parameter.data.zero_()
    assert torch.equal(ours(x), before)


def test_rates_and_epsilons_are_taken_over_one_by_one():
    theirs = labml_model(shared=False)
    rates = dict(dropout=0.1, attention=0.2, hidden=0.3)
    for layer in theirs.layers:
        layer.dropout.p, layer.attn.dropout.p, layer.feed_forward.dropout.p = rates.values()
    theirs.layers[1].norm_ff.eps = theirs.norm.eps = 1e-2
    ours = interop.from_labml(theirs)
    assert ours.config.dropout == 0.1
    for layer in ours.layers:
        found = layer.dropout.p, layer.attention.dropout.p, layer.feed_forward.dropout.p
        assert found == tuple(rates.values())
    x = torch.randn(2, 4, 8)
    left, right = theirs.eval()(x.transpose(0, 1)).transpose(0, 1), ours.eval()(x)
    torch.testing.assert_close(left, right, rtol=1e-5, atol=1e-5)


def test_a_shared_model_has_one_epsilon():
    theirs = labml_model(shared=True)
    theirs.layers[1].norm_ff.eps = 1e-2
    with pytest.raises(ValueError, match="norms differ in eps: 1e-05, 0.01; .* the same"):
        interop.from_labml(theirs)
    for layer in theirs.layers:
        layer.norm_self_attn.eps = layer.norm_ff.eps = 1e-2
    theirs.norm.eps = 1e-2
    x = torch.randn(2, 4, 8)
    left, right = theirs(x.transpose(0, 1)).transpose(0, 1), interop.from_labml(theirs)(x)
    torch.testing.assert_close(left, right, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shared", [False, True], ids=["unshared", "shared"])
def test_a_copy_serves_in_a_language_model_step_by_step(shared):
    """It has a config of its own, dropout rates place by place, and norms of different eps."""
    theirs = randomize(labml_model(shared))
    if not shared:
        theirs.layers[1].norm_ff.eps = theirs.norm.eps = 1e-2
    core = interop.from_labml(theirs)
    config = Config(core.name, 11, d_model=8, heads=2, n_layers=2, d_ff=12)
    model = LanguageModel(config).double()
    model.core = core
    tokens = torch.randint(0, 11, (2, 5), generator=torch.Generator().manual_seed(0))
    expected, memory = model(tokens), None
    with torch.no_grad():
        for t in range(5):
            logits, memory = model.step(tokens[:, t], memory)
            torch.testing.assert_close(logits, expected[:, t])
        assert model.generate(tokens, 4).shape == (2, 9)
        core.layers[1].feed_forward.dropout.p = 0.5  # config.dropout is 0
        first = model.step(tokens[:, 0])[0]
        assert not torch.equal(model.step(tokens[:, 0])[0], first)
        core.eval()
        assert torch.equal(model.step(tokens[:, 0])[0], model.step(tokens[:, 0])[0])


def test_every_layer_is_checked():
    theirs = labml_model(shared=False)
    theirs.layers[1].feed_forward = FeedForward(8, 12, is_gated=True)
    with pytest.raises(ValueError, match="gated"):
        interop.from_labml(theirs)
    theirs.layers[1].feed_forward = FeedForward(8, 16)
    with pytest.raises(ValueError, match="differ in width"):
        interop.from_labml(theirs)
    theirs.layers[1].feed_forward = nn.Linear(8, 8)
    with pytest.raises(ValueError, match="not labml_nn's FeedForward"):
        interop.from_labml(theirs)


@pytest.mark.parametrize(
    ("forward", "reason"),
    [
        (dict(is_gated=True), "gated"),
        (dict(activation=nn.GELU()), "GELU"),
        (dict(bias1=False), "lacks a bias"),
        (dict(bias2=False), "lacks a bias"),
    ],
)
def test_a_feed_forward_without_counterpart_is_refused(forward, reason):
    with pytest.raises(ValueError, match=reason):
        interop.from_labml(labml_model(shared=False, **forward))


def test_attention_with_a_second_set_of_keys_is_refused():
    with pytest.raises(ValueError, match="is_kv_precomputed=True"):
        interop.from_labml(labml_model(shared=True, precomputed=False))
    with pytest.raises(ValueError, match="precomputed"):
        interop.from_labml(labml_model(shared=False, precomputed=True))


def test_another_module_is_refused():
    with pytest.raises(TypeError, match="labml_nn"):
        interop.from_labml(nn.Linear(2, 2))
