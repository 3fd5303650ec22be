"""Attempts: one that fails is followed by another, and training on rows stops in time."""

import re
from dataclasses import replace

import pytest
import torch

from feedback import LanguageModel
from feedback.live import PARITY, SOLVED, Tracking, accuracy, train_rows
from feedback.tasks import TASKS


def test_a_failed_attempt_is_followed_by_another_seed(tiny, monkeypatch, capsys):
    ends = {0: 0.1, 1: 0.5, 2: 0.7}
    monkeypatch.setattr(Tracking, "attempt", lambda self, seed: (f"found {seed}", ends[seed]))
    assert tiny.first_that_holds() == "found 2"
    assert capsys.readouterr().out.count("another seed") == 2
    with pytest.raises(AssertionError, match="2 attempts, none of which held"):
        replace(tiny, attempts=2).first_that_holds()


def test_training_stops_with_the_weights_whose_loss_was_low(capsys):
    """A solved model is asked once more, and does not learn what would spoil it."""
    easy = replace(PARITY.settings, steps=200, start_length=2, sequence_length=2)
    torch.manual_seed(0)
    model = LanguageModel(replace(PARITY.config, n_tokens=2, max_distance=2))
    train_rows(model, TASKS["parity"], easy)
    assert accuracy(model, TASKS["parity"], 2).tolist() == [1, 1]
    step, loss = re.findall(r"step (\d+): loss ([\d.]+) on 2", capsys.readouterr().out)[-1]
    assert int(step) < 200 and float(loss) < SOLVED


def test_rows_that_do_not_grow_are_refused_before_any_work():
    settings = replace(PARITY.settings, start_length=None, lengthen_below=None, lengthen_every=None)
    with pytest.raises(ValueError, match="need start_length, lengthen_below and lengthen_every"):
        train_rows(None, TASKS["parity"], settings)
