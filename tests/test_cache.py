"""The two containers are one thing seen from outside; only one of them copies."""

import pytest
import torch

from feedback.cache import GrowingList, GrowingStack


def steps(count, n=2):
    generator = torch.Generator().manual_seed(0)
    sizes = [n] + [1] * count
    return [
        torch.randn(2, 3, size, 4, generator=generator, dtype=torch.float64).requires_grad_()
        for size in sizes
    ]


def readings(container, parts):
    """Read after every step, as a model does."""
    grown = container(parts[0], len(parts) - 1)
    out = [grown.read()]
    for part in parts[1:]:
        grown.append(part)
        out.append(grown.read())
    return out


@pytest.mark.parametrize("n", [0, 2])
def test_both_containers_read_the_same_and_pass_the_same_gradients(n):
    parts = steps(3, n)
    listed, stacked = readings(GrowingList, parts), readings(GrowingStack, parts)
    for left, right in zip(listed, stacked, strict=True):
        assert torch.equal(left, right)
    weigh = [torch.randn_like(reading) for reading in listed]
    sums = (
        sum((w * reading).sum() for w, reading in zip(weigh, out, strict=True))
        for out in (listed, stacked)
    )
    for left, right in zip(*(torch.autograd.grad(total, parts) for total in sums), strict=True):
        torch.testing.assert_close(left, right)


def test_the_gradient_of_stack_is_that_of_finite_differences():
    start, x = steps(1)
    assert torch.autograd.gradcheck(
        lambda start, x: readings(GrowingStack, [start, x])[-1], (start, x)
    )


def test_readings_of_a_stack_share_one_buffer():
    grown = GrowingStack(steps(0)[0], 2)
    early = grown.read()
    for part in steps(2)[1:]:
        grown.append(part)
    assert grown.read().data_ptr() == early.data_ptr()
    assert grown.read().shape[2] == 4 and early.shape[2] == 2
