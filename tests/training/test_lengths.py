"""Facts about the lengths of the windows in a run, by step and by loss."""

from dataclasses import replace

import pytest
import torch
from training_runs import SETTINGS, run

from feedback.training import loop
from feedback.training.settings import tokens_to_come


def test_a_run_sees_the_tokens_that_its_lengths_foretell(tmp_path):
    settings = replace(SETTINGS, steps=8, start_length=2, evaluate_every=1)
    log = run(tmp_path / "run", settings)
    assert [line["length"] for line in log[1:]] == [2, 2, 4, 4, 8, 8, 8, 8]
    assert log[-1]["tokens"] == tokens_to_come(settings) == 2 * 44


def test_lengths_that_follow_the_loss_wait_for_it(tmp_path):
    settings = replace(SETTINGS, start_length=2, evaluate_every=1)
    never = run(tmp_path / "never", replace(settings, lengthen_below=0.01))
    always = run(tmp_path / "always", replace(settings, lengthen_below=99.0))
    assert never[-1]["tokens"] == 2 * 6 * 2
    assert always[-1]["tokens"] == 2 * (2 + 4 + 8 + 8 + 8 + 8)


@pytest.fixture
def lengths_of(tmp_path, monkeypatch):
    """The length of the windows of each step of a run whose updates return these losses."""

    def found(losses: list[float], **changes) -> list[int]:
        lengths, coming = [], iter(losses)

        def update(model, optimizer, inputs, labels, clip):
            lengths.append(inputs.shape[1])
            return torch.tensor(next(coming), dtype=torch.float64)

        monkeypatch.setattr(loop, "update", update)
        settings = dict(steps=len(losses), start_length=2, lengthen_below=1.0, **changes)
        run(tmp_path / "lengths", replace(SETTINGS, **settings))
        return lengths

    return found


def test_the_loss_is_checked_apart_from_evaluations(lengths_of):
    losses = [0.5] * 6
    assert lengths_of(losses, lengthen_every=2, evaluate_every=5) == [2, 2, 4, 4, 8, 8]


def test_a_length_at_which_the_loss_collapses_is_left_again(lengths_of):
    """3 nats at first, learned, 8 tokens are too much, twice; then they are not."""
    losses = [3.0, 0.5, 0.5, 2.9, 0.5, 2.0, 2.9, 3.5, 9.0, 0.5, 0.5, 0.5]
    found = lengths_of(losses, lengthen_every=1, evaluate_every=3)
    assert found == [2, 2, 4, 8, 4, 8, 8, 4, 2, 2, 4, 8]


def test_without_checks_of_their_own_lengths_follow_evaluations_and_never_shrink(lengths_of):
    losses = [3.0, 0.5, 0.5, 0.5, 0.5, 9.0, 9.0, 9.0]
    assert lengths_of(losses, evaluate_every=2) == [2, 2, 2, 2, 4, 4, 4, 4]
