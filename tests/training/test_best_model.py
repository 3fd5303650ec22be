"""Facts about the best model of a run, where it was lost or damaged."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from training_runs import SETTINGS, contents, json_lines, run

from feedback.training import loop

HOW = ["folder", "cut", "model.json", "weights", "characters.json"]


def spoil(best: Path, how: str) -> None:
    if how == "folder":
        shutil.rmtree(best)
    elif how == "cut":
        weights = next(best.glob("weights-*"))
        weights.write_bytes(weights.read_bytes()[:-9])
    else:
        next(best.glob(f"{how}*")).unlink()


@pytest.fixture
def losing_later(monkeypatch) -> None:
    """The model of step 2 is the best one, whatever it computes."""
    losses = iter([3.0, 1.0, 2.0, 2.5])
    monkeypatch.setattr(loop, "evaluate", lambda *given: (next(losses), 0.5))


@pytest.mark.parametrize("how", HOW)
def test_a_best_model_that_was_lost_is_written_again_where_it_is_the_last(tmp_path, capsys, how):
    out = tmp_path / "run"
    settings = replace(SETTINGS, learning_rate=1e-3, evaluate_every=6)
    log = run(out, settings)
    assert log[-1]["validation_loss"] < log[0]["validation_loss"]
    before = contents(out)
    spoil(out / "best", how)
    capsys.readouterr()
    assert run(out, settings) == log
    assert contents(out) == before
    assert "best" in capsys.readouterr().out


@pytest.mark.parametrize("how", HOW)
def test_a_best_model_that_is_lost_for_good_is_said_to_be(tmp_path, losing_later, capsys, how):
    out = tmp_path / "run"
    log = run(out)
    spoil(out / "best", how)
    capsys.readouterr()
    assert run(out) == log == json_lines(out / "log.jsonl")
    assert "best is missing or damaged: it was the model of step 2" in capsys.readouterr().out


def test_a_best_model_lost_while_a_run_goes_on_is_looked_after_at_its_end(
    tmp_path, monkeypatch, losing_later, capsys
):
    out, update, steps = tmp_path / "run", loop.update, iter(range(1, 9))

    def losing(*given):
        if next(steps) == 5:
            shutil.rmtree(out / "best")
        return update(*given)

    monkeypatch.setattr(loop, "update", losing)
    run(out)
    assert "best is missing or damaged: it was the model of step 2" in capsys.readouterr().out
