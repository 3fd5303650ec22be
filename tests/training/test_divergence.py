"""Facts about runs whose numbers become too large: they end, and nothing of it is saved."""

import hashlib
import math
import pickle
from dataclasses import replace

import pytest
from training_runs import CONFIG, SETTINGS, assert_finite, contents, json_lines, run

from feedback import LanguageModel
from feedback.tasks import TASKS
from feedback.training import checkpoints, loop, train
from feedback.training.divergence import Diverged


def test_a_loss_that_is_not_finite_ends_the_run_and_spares_the_checkpoint(
    tmp_path, finished_run, monkeypatch
):
    out, update, steps = tmp_path / "run", loop.update, iter(range(1, 9))

    def diverging(*given):
        loss = update(*given)
        return loss * math.nan if next(steps) == 5 else loss

    monkeypatch.setattr(loop, "update", diverging)
    with pytest.raises(ValueError, match="the loss of step 5 is nan; try a lower learning rate"):
        run(out)
    monkeypatch.undo()
    assert checkpoints.verify(out / "last") is None
    run(out)
    assert contents(out) == contents(finished_run)


@pytest.mark.parametrize("rate", [1e10, 1e20, 1e30, 1e38, 1e300])
@pytest.mark.parametrize(("evaluate", "checkpoint"), [(1, 1), (9, 1), (1, 9), (2, 3)])
def test_a_run_that_diverges_saves_nothing_that_is_not_finite(tmp_path, rate, evaluate, checkpoint):
    settings = replace(SETTINGS, steps=9, learning_rate=rate, warm_up=0)
    settings = replace(settings, evaluate_every=evaluate, checkpoint_every=checkpoint)
    config = replace(CONFIG, model="feedback-kv")
    try:
        train(config, settings, TASKS["parity"], tmp_path / "run")
    except ValueError as error:
        assert "lower learning rate" in str(error)
    assert_finite(tmp_path / "run")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("what", ["weight", "gradient", "optimizer"])
def test_a_step_that_leaves_what_is_not_finite_is_refused(
    tmp_path, finished_run, monkeypatch, value, what
):
    """Before it is evaluated and saved, though its loss was finite."""
    out, update, steps = tmp_path / "run", loop.update, iter(range(1, 9))

    def spoiling(model, optimizer, *given):
        step = next(steps)
        if step == 4 and what == "gradient":
            handle = model.head.weight.register_hook(lambda gradient: gradient * value)
            loss = update(model, optimizer, *given)
            handle.remove()
            return loss
        loss = update(model, optimizer, *given)
        if step == 4 and what == "weight":
            model.embedding.weight.data[0, 0] = value
        if step == 4 and what == "optimizer":
            optimizer.state[model.head.bias]["exp_avg_sq"][0] = value
        return loss

    monkeypatch.setattr(loop, "update", spoiling)
    with pytest.raises(ValueError, match="step 4.*not finite.*lower learning rate"):
        run(out)
    monkeypatch.undo()
    assert_finite(out)
    assert [line["step"] for line in json_lines(out / "log.jsonl")] == [0, 2]
    run(out)
    assert contents(out) == contents(finished_run)


def test_a_validation_loss_that_is_not_finite_is_refused(tmp_path, monkeypatch):
    evaluate, losses = loop.evaluate, iter([None, None, math.inf])

    def evaluating(*given):
        loss, accuracy = evaluate(*given)
        return next(losses) or loss, accuracy

    monkeypatch.setattr(loop, "evaluate", evaluating)
    with pytest.raises(ValueError, match="validation loss of step 4 is inf"):
        run(tmp_path / "run")
    assert_finite(tmp_path / "run")


def test_a_checkpoint_that_holds_what_is_not_finite_is_not_gone_on_from(out, capsys):
    """Whoever wrote it: its sums are right."""
    log = json_lines(out / "log.jsonl")
    model = LanguageModel.load(out / "last")
    model.head.bias.data[0] = math.nan
    model.save(out / "last")
    files = sorted(file for file in (out / "last").iterdir() if file.name != "SHA256SUMS")
    sums = ((hashlib.sha256(file.read_bytes()).hexdigest(), file.name) for file in files)
    (out / "last/SHA256SUMS").write_text("".join(f"{digest}  {name}\n" for digest, name in sums))
    assert run(out) == log
    printed = capsys.readouterr().out
    assert "not finite" in printed and "going on after step 4, from previous" in printed


def test_a_warm_start_from_weights_that_are_not_finite_is_refused(out, tmp_path):
    model = LanguageModel.load(out / "best")
    model.core.layers[0].attention.query.weight.data[0, 0] = math.nan
    model.save(out / "best")
    config = replace(CONFIG, model="feedback-kv")
    with pytest.raises(ValueError, match="run.best.*not finite"):
        run(tmp_path / "warm", config=config, parallel=out / "best")
    assert not (tmp_path / "warm").exists()


def test_the_error_says_the_same_when_it_comes_from_another_process():
    error = Diverged("the loss of step 3 is nan")
    assert str(pickle.loads(pickle.dumps(error))) == str(error) != ""
    assert str(error).count("lower learning rate") == 1
