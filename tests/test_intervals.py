"""The interval of a mean holds what it says."""

import math

import pytest
import torch

from feedback.intervals import T_95, interval, wilson


@pytest.mark.parametrize("n", sorted(T_95))
def test_95_of_100_intervals_hold_the_mean(n):
    generator = torch.Generator().manual_seed(n)
    samples = (3 + 2 * torch.randn(4000, n, generator=generator, dtype=torch.double)).tolist()
    held = sum(low <= 3 <= high for _, low, high in map(interval, samples))
    assert 0.937 < held / 4000 < 0.963  # 0.0034 is the deviation


def test_the_interval_is_around_the_mean():
    middle, low, high = interval([1.0, 2.0, 3.0])
    assert middle == 2 and high - middle == pytest.approx(middle - low)
    assert high == pytest.approx(2 + 4.303 / 3**0.5)


@pytest.mark.parametrize("values", [[], [1.0], [1.0] * 11])
def test_too_few_or_too_many_values_are_refused(values):
    with pytest.raises(ValueError, match=f"there are {len(values)} values"):
        interval(values)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite_are_refused(value):
    with pytest.raises(ValueError, match="all of them must be finite"):
        interval([1.0, value])


def test_the_interval_of_a_share_solves_wilsons_equation():
    """Its ends are the shares p at which the count lies 1.96 standard deviations away."""
    for held, done in ((40, 40), (38, 40), (0, 7), (1, 2), (190, 200)):
        for p in wilson(held, done):
            if p not in (pytest.approx(0), pytest.approx(1)):  # where nothing can vary
                z = abs(held / done - p) / math.sqrt(p * (1 - p) / done)
                assert z == pytest.approx(1.959964, rel=1e-5)
    assert wilson(40, 40)[0] == pytest.approx(0.912, abs=5e-4)
    assert wilson(180, 200)[0] == pytest.approx(0.851, abs=5e-4)


@pytest.mark.parametrize(("held", "done"), [(0, 0), (3, 2), (-1, 4)])
def test_what_is_no_share_has_no_interval(held, done):
    with pytest.raises(ValueError, match="is no share"):
        wilson(held, done)
