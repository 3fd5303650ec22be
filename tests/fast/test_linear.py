"""Linear maps for many calls are linear maps, in either layout."""

import pytest
import torch

from feedback.fast.linear import has_onednn, plain, prepacked


@pytest.mark.parametrize("onednn", [False, True])
@pytest.mark.parametrize("make", [plain, prepacked])
@pytest.mark.parametrize("with_bias", [False, True])
def test_a_map_multiplies_adds_and_cuts_off(make, onednn, with_bias):
    generator = torch.Generator().manual_seed(0)
    x, weight, bias, plus = (
        torch.randn(size, generator=generator) for size in [(5, 7), (6, 7), (6,), (5, 6)]
    )
    bias = bias if with_bias else None
    before = plus.clone()
    with torch.backends.mkldnn.flags(enabled=onednn):
        linear = make(weight, bias)
    expected = torch.nn.functional.linear(x, weight, bias)
    torch.testing.assert_close(linear(x), expected)
    torch.testing.assert_close(linear(x, plus=plus), expected + plus)
    torch.testing.assert_close(linear(x, relu=True), expected.relu())
    assert torch.equal(plus, before)


def test_a_plain_map_sees_a_weight_change_and_a_prepacked_one_does_not():
    x, weight = torch.eye(2), torch.ones(2, 2)
    reads, copied = plain(weight), prepacked(weight)
    weight.mul_(3)
    assert reads(x).tolist() == [[3, 3], [3, 3]]
    if has_onednn():
        assert copied(x).tolist() == [[1, 1], [1, 1]]
