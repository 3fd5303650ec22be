"""Facts about a whole run: what it computes, and what it leaves to its caller."""

from dataclasses import replace

import pytest
import torch
from training_runs import CONFIG, SETTINGS, WORDS, contents, json_lines, run, text

from feedback import LanguageModel, data
from feedback.tasks import TASKS
from feedback.training import evaluate, loop, train


def test_a_run_leaves_models_and_a_log(tmp_path):
    out, config = tmp_path / "run", replace(CONFIG, model="feedback-kv", n_layers=2)
    log = run(out, replace(SETTINGS, steps=30, evaluate_every=10), config)
    assert json_lines(out / "log.jsonl") == log
    assert [line["step"] for line in log] == [0, 10, 20, 30]
    assert log[-1]["tokens"] == 30 * 2 * 8
    assert all(len(line["layer_weights"]) == 3 for line in log)
    for name in ("best", "last", "previous"):
        LanguageModel.load(out / name)
        assert data.Characters.load(out / name).characters == sorted(set(WORDS))
    held_out = list(text().held_out(8))
    losses = [line["validation_loss"] for line in log]
    for name, loss in (("best", min(losses)), ("last", losses[-1])):
        model = LanguageModel.load(out / name)
        assert evaluate(model, held_out)[0] == pytest.approx(loss, rel=1e-5)


def test_a_run_learns(tmp_path):
    """The pangram is one of a few letters after each letter; a guess has 3.3 nats."""
    log = run(tmp_path / "run", replace(SETTINGS, steps=60, evaluate_every=60, learning_rate=0.05))
    assert log[0]["validation_loss"] > 3 and log[-1]["validation_loss"] < 2
    assert log[-1]["training_loss"] < log[0]["validation_loss"]


def test_the_training_loss_in_the_log_is_the_mean_since_the_line_before(tmp_path, monkeypatch):
    losses = iter([1.0, 2.0, 3.0, 4.0, 5.0, 7.0])
    monkeypatch.setattr(loop, "update", lambda *given: torch.tensor(next(losses)))
    log = run(tmp_path / "run")
    assert [line["training_loss"] for line in log] == [None, 1.5, 3.5, 6.0]


def test_a_task_is_trained_and_its_baseline_stands_beside_every_result(tmp_path):
    settings = replace(SETTINGS, steps=2, sequence_length=40)
    log = train(CONFIG, settings, TASKS["program3"], tmp_path)
    assert len(log) == 2 and all(0.1 < line["baseline"] < 0.5 for line in log)
    assert LanguageModel.load(tmp_path / "best").config.n_tokens == len(TASKS["program3"].words)


def test_windows_in_which_nothing_is_asked_are_refused_before_any_work(tmp_path):
    with pytest.raises(ValueError, match="sequence_length 3 is too short for this task"):
        train(CONFIG, replace(SETTINGS, sequence_length=3), TASKS["program3"], tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_training_leaves_the_random_numbers_of_others_alone(tmp_path):
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    run(tmp_path / "run")
    assert torch.equal(torch.rand(4), expected)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_training_needs_no_gradients_to_be_on_outside(tmp_path, finished_run, mode):
    with mode():
        run(tmp_path / "run")
        assert not torch.is_grad_enabled()
    assert contents(tmp_path / "run") == contents(finished_run)
