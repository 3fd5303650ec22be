"""Facts about settings, and about the learning rate and the length that follow from them."""

import json
import math
import re

import numpy as np
import pytest
import torch

from feedback.training import Settings
from feedback.training.settings import learning_rate, length_at, tokens_to_come


@pytest.mark.parametrize(
    ("field", "message"),
    [
        (dict(steps=0), "steps is 0; it must be at least 1"),
        (dict(batch_size=2.5), "batch_size is 2.5; it must be a whole number"),
        (dict(sequence_length=1), "sequence_length is 1; it must be at least 2"),
        (dict(learning_rate=0), "learning_rate is 0; it must be above 0"),
        (dict(clip=math.nan), "clip is nan; it must be above 0"),
        (dict(start_length=200), "start_length 200 is above sequence_length 128"),
        (dict(lengthen_below=1.0), "lengthen_below needs a start_length"),
        (dict(start_length=2, lengthen_every=5), "lengthen_every needs a lengthen_below"),
        (
            dict(start_length=2, lengthen_below=1.0, lengthen_every=0),
            "lengthen_every is 0; it must be at least 1",
        ),
        (dict(passes="2"), "passes is '2'; it must be F+G"),
        (dict(passes="2+0"), "passes is '2+0'; it must be F+G"),
        (dict(passes="6-2+2"), "passes is '6-2+2'; it must be F+G"),
        (dict(passes=2), "passes is 2; it must be text"),
        (dict(exact_last=0.2), "exact_last and largest_residual say when passes end"),
        (dict(largest_residual=0.2), "exact_last and largest_residual say when passes end"),
        (dict(passes="2+2", exact_last=1.5), "exact_last is 1.5; it is a share, at most 1"),
        (dict(passes="2+2", exact_last=0), "exact_last is 0; it must be above 0"),
        (dict(seed=-1), "seed is -1; it must be in 0..18446744073709551615"),
        (dict(seed=2**64), "seed is 18446744073709551616; it must be in 0..18446744073709551615"),
        (dict(weight_decay=-1), "weight_decay is -1; it must be at least 0 and finite"),
        (dict(learning_rate=math.inf), "learning_rate is inf; it must be above 0 and finite"),
        (dict(checkpoint_every=True), "checkpoint_every is True; it must be a whole number"),
    ],
)
def test_settings_that_make_no_sense_are_refused(field, message):
    with pytest.raises((TypeError, ValueError), match=re.escape(message)):
        Settings(**field)


@pytest.mark.parametrize("name", ["learning_rate", "clip", "weight_decay", "lengthen_below"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 10**400])
def test_settings_are_finite(name, value):
    with pytest.raises(ValueError, match=f"{name} is .*finite"):
        Settings(**{"start_length": 2, name: value})


def test_settings_are_plain_numbers_however_they_were_written():
    written = Settings(steps=np.int64(7), seed=np.uint64(2**64 - 1), clip=np.float32(0.5))
    assert written == Settings(steps=7, seed=2**64 - 1, clip=0.5)
    assert json.loads(json.dumps(vars(written))) == vars(written)
    torch.Generator().manual_seed(written.seed)


def test_the_learning_rate_rises_then_falls_to_a_tenth():
    settings = Settings(steps=1000, warm_up=100, learning_rate=2.0)
    rates = [learning_rate(step, settings) for step in range(1, 1001)]
    assert 0 < rates[0] < 0.03 and max(rates) == pytest.approx(2, rel=0.02)
    assert 95 <= rates.index(max(rates)) + 1 <= 105
    assert rates[-1] == pytest.approx(0.2)
    assert all(a >= b for a, b in zip(rates[105:], rates[106:], strict=False))


def test_lengths_double_over_the_first_half_of_the_steps_and_their_tokens_are_known():
    settings = Settings(steps=120, batch_size=2, sequence_length=50, start_length=8)
    lengths = [length_at(step, settings) for step in range(1, 121)]
    assert lengths == [8] * 20 + [16] * 20 + [32] * 20 + [50] * 60
    assert tokens_to_come(settings) == 2 * sum(lengths)
    assert length_at(1, Settings()) == length_at(1500, Settings()) == 128
