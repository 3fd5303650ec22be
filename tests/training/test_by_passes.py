"""Facts about training by passes: how many at which step, and when it is exact again."""

import json
from dataclasses import fields, replace

import pytest
import torch
from helpers import randomize
from training_runs import CONFIG, SETTINGS, contents, interrupt_after, json_lines, run, text

from feedback import LanguageModel
from feedback.fast.passes import run_passes
from feedback.training import Settings, by_passes, evaluate, loop
from feedback.training.by_passes import Plan, Trainee, last_by_passes
from feedback.training.state import TrainingState

FEEDBACK = replace(CONFIG, model="feedback-kv")


@pytest.fixture
def taken(monkeypatch) -> list:
    """Passes of every update, (free, graded), in the order in which they were taken."""
    found = []

    def noting(core, x, free, graded):
        found.append((free, graded))
        return run_passes(core, x, free, graded)

    monkeypatch.setattr(by_passes, "run_passes", noting)
    return found


def test_the_words_of_a_plan_say_how_many_passes_a_step_takes():
    generator = torch.Generator().manual_seed(0)
    before = generator.get_state()
    assert Plan.parse("2+3") == Plan(2, 2, False, 3)
    assert [Plan.parse("2+3").free(done, generator) for done in (0, 0.5, 1)] == [2, 2, 2]
    growing = [Plan.parse("1-4+2").free(step / 8, generator) for step in range(9)]
    assert growing == [1, 1, 2, 2, 3, 3, 4, 4, 4]
    assert torch.equal(generator.get_state(), before)
    drawn = [Plan.parse("1~3+2").free(0, generator) for _ in range(300)]
    assert {*drawn} == {1, 2, 3} and all(80 < drawn.count(n) < 120 for n in (1, 2, 3))


def test_the_last_share_of_the_steps_is_exact(tmp_path, taken):
    settings = replace(SETTINGS, passes="1-2+2", exact_last=1 / 3)
    assert last_by_passes(settings) == 4
    log = run(tmp_path / "run", settings, FEEDBACK)
    assert taken == [(1, 2), (1, 2), (2, 2), (2, 2)]
    assert [("residual" in line) for line in log] == [False, True, True, False]
    assert all(line["residual"] > 0 for line in log[1:3])
    model = LanguageModel.load(tmp_path / "run/last")
    exact, _ = evaluate(model, text().held_out(8))  # whatever it was trained by
    assert log[-1]["validation_loss"] == pytest.approx(exact, rel=1e-4)
    assert last_by_passes(replace(settings, exact_last=None)) == 6
    assert last_by_passes(SETTINGS) == 0


def test_as_many_passes_as_tokens_train_as_exact_steps_do(tmp_path, taken):
    config = replace(FEEDBACK, dropout=0.0)
    exact = run(tmp_path / "exact", SETTINGS, config)
    found = run(tmp_path / "passes", replace(SETTINGS, passes="0+8"), config)
    few = run(tmp_path / "few", replace(SETTINGS, passes="0+1"), config)
    assert taken == [(0, 8)] * 6 + [(0, 1)] * 6
    for name in ("training_loss", "validation_loss"):
        left, right, other = (log[-1][name] for log in (exact, found, few))
        assert left == pytest.approx(right, rel=1e-5) and abs(left - other) > 1e-4
    assert found[-1]["layer_weights"] == pytest.approx(exact[-1]["layer_weights"], abs=1e-5)
    assert few[-1]["layer_weights"] == [0.5, 0.5]  # no gradient comes to them


@pytest.mark.parametrize("largest", [None, 1e-9], ids=["no guard", "guard"])
def test_a_run_by_passes_goes_on_as_if_it_had_not_been_stopped(
    tmp_path, monkeypatch, taken, largest
):
    """With random passes, dropout, and a guard that ends passes between two checkpoints."""
    monkeypatch.setattr(by_passes, "WATCHED", 3)
    plan = dict(passes="0~3+1", exact_last=0.2, largest_residual=largest)
    settings = replace(SETTINGS, steps=8, **plan)
    run(tmp_path / "whole", settings, FEEDBACK)
    whole, update = [*taken], loop.update
    assert len(whole) == (6 if largest is None else 3) and len({*whole}) > 1
    for updates in (2, 5):
        out = tmp_path / f"stopped-{updates}"
        monkeypatch.setattr(loop, "update", interrupt_after(updates, update))
        with pytest.raises(KeyboardInterrupt):
            run(out, settings, FEEDBACK)
        monkeypatch.setattr(loop, "update", update)
        run(out, settings, FEEDBACK)
        assert contents(out) == contents(tmp_path / "whole"), updates


def test_the_guard_looks_at_the_mean_of_its_steps(monkeypatch):
    monkeypatch.setattr(by_passes, "WATCHED", 4)
    trainee, state = Trainee(torch.nn.Identity()), TrainingState(length=8)
    settings = Settings(passes="2+2", largest_residual=0.5)
    for residuals, exact in (([0.9, 0.1, 0.1, 0.8], False), ([0.9, 0.9, 0.9, 0.1], True)):
        for number, residual in enumerate(residuals, start=1):
            trainee.residuals = [torch.tensor(residual)]
            by_passes.watch(trainee, state, settings)
            assert state.back_to_exact == (exact and number == 4)
    state.step = 5
    by_passes.choose_passes(trainee, state, settings, torch.Generator())
    assert trainee.passes is None


def test_the_residual_is_the_mean_way_of_the_last_pass():
    model = randomize(LanguageModel(replace(FEEDBACK, n_tokens=11, dropout=0.0)))
    tokens = torch.randint(0, 11, (3, 8), generator=torch.Generator().manual_seed(0))
    trainee = Trainee(model)
    assert torch.equal(trainee(tokens), model(tokens)) and trainee.residuals == []
    trainee.passes = 2, 1
    found = run_passes(model.core, model.embedding(tokens), 2, 1)
    torch.testing.assert_close(trainee(tokens), model.head(found.outputs))
    (residual,) = trainee.residuals
    assert residual == found.moved.mean() > 0 and not residual.requires_grad


def test_residuals_may_be_counted_some_steps_later(monkeypatch):
    """As on an accelerator: the sums are those of one step after another."""
    monkeypatch.setattr(by_passes, "WATCHED", 4)
    settings, states = Settings(passes="2+2", largest_residual=0.5), []
    for at_once in (1, 3):
        trainee, state = Trainee(torch.nn.Identity()), TrainingState(length=8)
        for number, residual in enumerate((0.9, 0.9, 0.9, 0.1, 0.3, 0.2), start=1):
            trainee.residuals.append(torch.tensor(residual))
            if number % at_once == 0:
                by_passes.watch(trainee, state, settings)
        states.append(state)
    assert states[0] == states[1] and states[0].back_to_exact
    assert (states[0].by_passes, states[0].watched) == (6, 2)


def test_a_parallel_model_is_refused_before_any_work(tmp_path):
    with pytest.raises(ValueError, match="parallel model takes one pass as it is"):
        run(tmp_path / "run", replace(SETTINGS, passes="2+2"))
    assert not (tmp_path / "run").exists()


def test_a_run_of_a_version_without_passes_goes_on(tmp_path, stop):
    stop(tmp_path / "run", 4)
    run(tmp_path / "whole")
    file = tmp_path / "run/run.json"
    request = json.loads(file.read_text())
    for name in ("passes", "exact_last", "largest_residual"):
        assert request["settings"].pop(name) is None
    file.write_text(json.dumps(request))
    run(tmp_path / "run")
    assert contents(tmp_path / "run") == contents(tmp_path / "whole")
    assert all("residual" not in line for line in json_lines(tmp_path / "run/log.jsonl"))
    needed = {f.name for f in fields(TrainingState) if f.default is f.default_factory}
    assert needed == {"length"}  # what an older checkpoint lacks has a value
