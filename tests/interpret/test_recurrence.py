"""Passes until the memory is right, and the growth of a disturbance, against cases done by hand."""

import math

import pytest
import torch
from helpers import small, some_tokens

from feedback import Config, LanguageModel
from feedback.fast.passes import distance
from feedback.interpret import sites
from feedback.interpret.recurrence import growth, lyapunov_exponent, passes_by_step, vectors_by_pass
from feedback.interpret.running import run_with

D = 4


def linear(A: torch.Tensor, memory_size: int | None) -> LanguageModel:
    """A model whose memory is m_t = x_t + A (the mean of the vectors that are read)."""
    sizes = dict(d_model=D, heads=1, n_layers=1, d_ff=1, max_distance=2)
    config = Config("feedback-kv", 5, **sizes, memory_size=memory_size, memory_mixture=(0, 1))
    torch.manual_seed(0)
    model = LanguageModel(config).double().eval()
    (layer,), (pair,) = model.core.layers, model.core.keys_values
    with torch.no_grad():
        layer.attention.query.weight.zero_()  # all scores are equal
        layer.attention.output.weight.copy_(A)
        layer.attention.output.bias.zero_()
        pair.value.weight.copy_(torch.eye(D))
        for parameter in layer.feed_forward.narrow.parameters():
            parameter.zero_()
    return model


def rotation(scale: float) -> torch.Tensor:
    """A turn of all four dimensions, times a scale."""
    c, s = math.cos(0.7), math.sin(0.7)
    turn = torch.tensor([[c, -s], [s, c]], dtype=torch.double)
    return scale * torch.block_diag(turn, turn.T)


def tokens(T: int) -> torch.Tensor:
    return torch.randint(5, (3, T), generator=torch.Generator().manual_seed(1))


def drawn() -> torch.Generator:
    return torch.Generator().manual_seed(2)


@pytest.mark.parametrize("scale", [0.5, 1.0, 1.7])
def test_a_turning_recursion_grows_by_its_scale_at_every_step(scale):
    found = growth(linear(rotation(scale), memory_size=1), tokens(40), 3, drawn())
    expected = math.log(scale) * torch.arange(37, dtype=torch.double)
    torch.testing.assert_close(found, expected.expand(3, 37), rtol=1e-9, atol=1e-9)
    for skip in (0, 1, 20):
        torch.testing.assert_close(lyapunov_exponent(found, skip), expected[1].expand(3))


def test_the_exponent_of_a_linear_recursion_is_that_of_its_largest_eigenvalue():
    A = torch.tensor(
        [[0.9, 3, 0, 0], [0, 0.4, 0, 1], [0, 0, -0.6, 2], [0, 0, 0, 0.1]], dtype=torch.double
    )
    found = growth(linear(A, memory_size=1), tokens(90), 0, drawn())
    assert (lyapunov_exponent(found, 45) - math.log(0.9)).abs().max() < 1e-6
    assert found[:, 1].max() > 0  # at first it may grow all the same


def test_in_a_memory_that_keeps_everything_a_disturbance_fades_like_a_power():
    """m_t = x_t + a (m_1 + .. + m_{t-1}) / (t - 1), so the sum of what moved grows by 1 + a / t."""
    a, T = 0.5, 60
    found = growth(linear(a * torch.eye(D, dtype=torch.double), None), tokens(T), 0, drawn())
    total, expected = 1.0, [0.0]
    for t in range(1, T):
        expected.append(math.log(a / t * total))
        total *= 1 + a / t
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.double).expand(3, T))
    late = lyapunov_exponent(found, T // 2)
    assert (late.abs() < 0.02).all()  # of an exponential of this start nothing would be left


@pytest.mark.parametrize("kind", ["feedback", "feedback-kv"])
@pytest.mark.parametrize("memory_size", [None, 2])
def test_growth_is_the_difference_of_two_runs_that_start_close_together(kind, memory_size):
    model, row = small(kind, memory_size=memory_size), some_tokens(B=2, T=12)
    found = growth(model, row, 4, drawn())
    direction = torch.randn(2, 1, 12, generator=drawn(), dtype=torch.double)
    memory = sites.memory(model)

    def moved(size):
        change = {memory: lambda x, steps: x + size * direction if steps.start == 4 else x}
        return run_with(model, row, change).memory[:, 4:]

    off = (moved(1e-6) - moved(-1e-6)).norm(dim=-1) / 2e-6
    torch.testing.assert_close(found, (off / off[:, :1]).log(), rtol=1e-5, atol=1e-5)


def test_passes_are_counted_against_the_exact_vectors():
    """After i passes m_t has i terms of x_t + A x_{t-1} + A A x_{t-2} + ..., and lacks the rest."""
    A, row, T = rotation(0.5), tokens(24), 24
    model = linear(A, memory_size=1)
    x = model.embedding(row).detach()
    by_pass = []
    for i in range(1, T + 1):
        m = torch.zeros_like(x)
        for k in range(i + 1):
            m[:, k:] += x[:, : T - k] @ torch.linalg.matrix_power(A, k).T
        by_pass.append(m)
    by_pass = torch.stack(by_pass)
    torch.testing.assert_close(vectors_by_pass(model, row), by_pass)
    assert vectors_by_pass(model, row, 2).shape == (2, 3, T, D)
    off = distance(by_pass[-1], by_pass) > 1e-2
    expected = [
        [1 + max([i + 1 for i in range(T) if off[i, b, t]], default=0) for t in range(T)]
        for b in range(3)
    ]
    found = passes_by_step(model, row, 1e-2)
    assert found.tolist() == expected
    assert 3 < found.max() < 12 and passes_by_step(model, row, 1e-6).max() > found.max()


def test_a_state_that_is_handed_on_undiminished_needs_a_pass_a_step():
    found = passes_by_step(linear(rotation(1.0), memory_size=1), tokens(16), 1e-3)
    assert (found <= torch.arange(1, 17)).all() and found[:, -1].min() >= 13


def test_a_memory_of_embeddings_is_right_from_the_first_pass():
    model = small(memory_mixture=(1, 0, 0, 0))
    assert (passes_by_step(model, some_tokens()) == 1).all()


def test_dropout_is_off_and_the_model_stays_as_it_was():
    model, row = small(dropout=0.5).train(), some_tokens()
    found = vectors_by_pass(model, row), growth(model, row, 1, drawn())
    assert model.training
    model.eval()
    again = vectors_by_pass(model, row), growth(model, row, 1, drawn())
    assert all(map(torch.equal, found, again))
    assert next(model.float().parameters()).dtype == torch.float32
    assert growth(model, row, 1, drawn()).dtype == torch.float64
    assert next(model.parameters()).dtype == torch.float32


def test_what_cannot_be_asked_is_refused():
    model, row = small(), some_tokens(T=6)
    with pytest.raises(TypeError, match="parallel model needs but one"):
        passes_by_step(small("parallel"), row)
    with pytest.raises(ValueError, match="parallel model has no memory vectors"):
        growth(small("parallel"), row, 0, drawn())
    with pytest.raises(ValueError, match="at is 5; it must be in 0..4"):
        growth(model, row, 5, drawn())
    with pytest.raises(ValueError, match="passes is 0"):
        vectors_by_pass(model, row, 0)
    with pytest.raises(ValueError, match="tolerance is -1"):
        passes_by_step(model, row, -1)
    with pytest.raises(ValueError, match="skip is 5; it must be in 0..4"):
        lyapunov_exponent(growth(model, row, 0, drawn()), 5)
    with pytest.raises(ValueError, match="disturbance at step 0 is 0"):
        growth(small(memory_mixture=(1, 0, 0, 0)), row, 0, drawn())
