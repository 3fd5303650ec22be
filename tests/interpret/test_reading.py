"""Probes, subspaces, lens and distances, on cases that can be computed by hand."""

import math

import pytest
import torch
from helpers import small, some_tokens

from feedback.interpret.counts import Count
from feedback.interpret.distances import attention_by_distance
from feedback.interpret.lens import lens, lens_loss
from feedback.interpret.probes import fit_probe, shuffled, untrained
from feedback.interpret.subspaces import (
    between_classes,
    class_means,
    complement,
    variance_between,
)
from feedback.intervals import wilson

close = torch.testing.assert_close


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


# Probes


def test_a_probe_of_two_points_has_the_weight_that_the_formula_gives():
    """Points -1 and 1 with classes 0 and 1: one number w decides, and its slope is 0 at the end."""
    x = torch.tensor([[-1.0], [1.0]] * 8)
    probe = fit_probe(x, torch.tensor([0, 1] * 8), penalty=0.05)
    w = (probe.weight[0, 1] - probe.weight[0, 0]).item() / 2  # the classes' weights are -w and w
    close(probe.weight[0], torch.tensor([-w, w], dtype=torch.float64), rtol=0, atol=1e-5)
    a = 1 / x.std().item()  # a point after scaling
    slope = -2 * a / (1 + math.exp(2 * a * w)) + 4 * 0.05 * w  # of log(1 + e^-2aw) + 2 * 0.05 w^2
    assert abs(slope) < 1e-5 and w > 0.5


def test_a_probe_reads_on_held_out_vectors_what_is_there_and_nothing_from_shuffled_labels():
    labels = torch.arange(600) % 3
    x = drawn(600, 8)
    x[:, :3] += 6 * torch.nn.functional.one_hot(labels, 3)
    first, last = slice(0, 300), slice(300, 600)
    found = fit_probe(x[first], labels[first]).accuracy(x[last], labels[last])
    assert found.done == 300 and found.share > 0.98
    mixed = shuffled(labels, torch.Generator().manual_seed(3))
    assert mixed.bincount().tolist() == labels.bincount().tolist() and not mixed.equal(labels)
    low, high = fit_probe(x[first], mixed[first]).accuracy(x[last], mixed[last]).interval
    assert low < 1 / 3 < high


def test_scale_and_shape_of_the_vectors_do_not_matter_to_a_probe():
    labels = (torch.arange(60) % 3).view(20, 3)
    x = drawn(20, 3, 5) + torch.nn.functional.one_hot(labels, 5)
    scale, offset = 10.0 ** torch.arange(-2, 3), torch.arange(5)
    one, other = fit_probe(x, labels), fit_probe(x * scale + offset, labels)
    close(one(x), other(x * scale + offset), rtol=0, atol=1e-4)
    assert one(x).shape == (20, 3, 3)


def test_a_feature_that_never_changes_does_no_harm():
    x = torch.cat([drawn(40, 2), torch.ones(40, 1)], 1)
    assert fit_probe(x, (x[:, 0] > 0).long()).accuracy(x, (x[:, 0] > 0).long()).share > 0.9


def test_what_no_probe_can_be_fitted_to_is_an_error():
    with pytest.raises(ValueError, match="needs two classes"):
        fit_probe(torch.randn(4, 2), torch.ones(4, dtype=torch.int64))
    with pytest.raises(ValueError, match="shapes"):
        fit_probe(torch.randn(4, 2), torch.zeros(3, dtype=torch.int64))


def test_an_untrained_model_has_the_config_and_other_weights_and_draws_nothing():
    model = small()
    state = torch.random.get_rng_state()
    fresh = untrained(model, seed=1)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert fresh.config == model.config
    assert not fresh.embedding.weight.double().equal(model.embedding.weight)
    close(fresh.embedding.weight, untrained(model, seed=1).embedding.weight)


# Counts


def test_a_count_says_its_share_and_its_interval():
    count = Count.of(torch.tensor([[True, False], [True, True]]))
    assert (count.held, count.done, count.share) == (3, 4, 0.75)
    assert count.interval == wilson(3, 4)
    assert str(Count(97, 100)) == "0.97 (0.92-0.99)"


# Subspaces

X = torch.tensor([[2.0, 0, 5], [4, 0, 5], [0, 1, 5], [0, 3, 5]])
LABELS = torch.tensor([0, 0, 1, 1])


def test_means_direction_and_variance_by_hand():
    close(class_means(X, LABELS), torch.tensor([[3.0, 0, 5], [0, 2, 5]]))
    direction = between_classes(X, LABELS)  # along (3, -2, 0)
    close(direction.abs(), torch.tensor([[3.0], [2], [0]]) / math.sqrt(13))
    # About the mean (1.5, 1, 5): squares between classes 4 (2.25 + 1) = 13, within them 4.
    assert variance_between(X, LABELS) == pytest.approx(13 / 17)


def test_the_first_direction_is_the_one_in_which_the_means_differ_most():
    means = torch.tensor([[5.0, 0, 0], [-5, 1, 0], [0, -1, 0]])
    basis = between_classes(means, torch.arange(3))
    assert basis.shape == (3, 2) and basis[0, 0].abs() > 0.99
    close(basis.T @ basis, torch.eye(2))


def test_a_complement_is_all_that_is_orthogonal():
    basis = between_classes(drawn(30, 5), torch.arange(30) % 4)
    whole = torch.cat([basis, complement(basis)], 1)
    assert whole.shape == (5, 5)
    close(whole.T @ whole, torch.eye(5, dtype=torch.float64))


def test_classes_without_vectors_are_an_error():
    with pytest.raises(ValueError, match="class 1 has no vector"):
        class_means(X, LABELS * 2)
    with pytest.raises(ValueError, match="shapes"):
        class_means(X[None], LABELS)


# Lens and distances


def test_the_lens_on_the_last_output_is_the_answer_and_on_another_its_formula():
    model, tokens = small(), some_tokens()
    trace = model.trace(tokens)
    close(lens(model, trace.outputs[-1]), trace.logits)
    x = trace.memory[0, 3]
    norm = (x - x.mean()) / (x.var(unbiased=False) + 1e-5).sqrt()
    norm = norm * model.core.norm.weight + model.core.norm.bias
    logits = norm @ model.head.weight.T + model.head.bias
    close(lens(model, x), logits.detach())
    loss = logits.logsumexp(-1) - logits[4]
    assert lens_loss(model, x[None], torch.tensor([4])) == pytest.approx(loss.item())


def test_attention_by_distance_by_hand():
    rows = [[0, 0, 0, 0], [1, 0, 0, 0], [0.25, 0.75, 0, 0], [0.125, 0.5, 0.375, 0]]
    weights = torch.tensor(rows)[None, None, None]  # (L, B, H, T, T)
    found = attention_by_distance(weights, 2)  # of steps 2 and 3
    close(found, torch.tensor([[[0, (0.75 + 0.375) / 2, (0.25 + 0.5) / 2]]]))
    both = torch.cat([weights, torch.zeros_like(weights)], dim=1)  # a second row of the batch
    close(attention_by_distance(both, 2), found / 2)
    assert attention_by_distance(weights.expand(3, 1, 5, 4, 4), 1).shape == (3, 5, 2)
    with pytest.raises(ValueError, match="farthest"):
        attention_by_distance(weights, 4)
