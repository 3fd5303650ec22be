"""Folded weights compute what the layer does, and travel in a row without loss."""

import torch
from helpers import random_model, weigh

from feedback.fast.weights import FoldedWeights, fold

SHAPE = dict(B=2, T=4, d_model=12, heads=3, n_layers=2, d_ff=20, max_distance=5)


def test_folding_norms_root_and_u_into_the_weights_changes_no_score():
    """Gain, bias, u and sqrt(k), and more keys than there are learned distances."""
    model = random_model("feedback-kv", SHAPE)
    x = torch.randn(2, 1, 12, dtype=torch.float64)
    keys = torch.randn(2, 3, 8, 4, dtype=torch.float64)  # (B, H, n, k)
    normal = torch.nn.functional.layer_norm(x, (12,))
    for layer, folded in zip(model.layers, fold(model, 8).layers, strict=True):
        z = layer.norm1(x)
        expected = layer.attention.scores(layer.attention.query(z).view(2, 3, 1, 4), keys)
        q = torch.nn.functional.linear(normal, *folded.maps.query).view(2, 3, 1, 4)
        torch.testing.assert_close(q @ keys.mT + q @ folded.r + folded.s, expected)
        widened = torch.nn.functional.linear(normal, *folded.maps.widen)
        torch.testing.assert_close(widened, layer.feed_forward.widen(layer.norm2(x)))


def test_weights_in_a_row_come_back_under_their_names():
    folded = fold(random_model("feedback-kv", SHAPE), 3)
    again = FoldedWeights.from_flat(folded.flat())
    assert len(folded.flat()) == len({id(tensor) for tensor in folded.flat()})
    for ours, theirs in zip(folded.layers, again.layers, strict=True):
        assert ours.r is theirs.r and ours.s is theirs.s
        for left, right in zip(ours.maps, theirs.maps, strict=True):
            assert left.weight is right.weight and left.bias is right.bias
    assert folded.mixture is again.mixture and folded.project_kv is again.project_kv


def test_gradients_flow_through_the_fold_into_every_parameter_of_the_layers():
    model = random_model("feedback-kv", SHAPE)
    sum(weigh(tensor) for tensor in fold(model, 8).flat()).backward()
    for name, parameter in model.named_parameters():
        assert name.startswith("norm.") or parameter.grad.abs().max() > 0, name
