"""The runner of the recorded experiments, on one that takes seconds."""

import json
import sys
from pathlib import Path

import plans
import pytest
import run as runner

import feedback
from feedback.config import Config
from feedback.training import Settings
from feedback.training.run_folder import LAST, RUN

SMALL = dict(d_model=8, heads=2, n_layers=1, d_ff=8, max_distance=4)
SETTINGS = Settings(steps=4, batch_size=4, sequence_length=4, evaluate_every=2, checkpoint_every=2)
TINY = plans.Experiment(
    question="Does the runner run?",
    variants=(
        plans.Variant("first", "parity", Config("parallel", **SMALL), SETTINGS),
        plans.Variant("second", "parity", Config("feedback-kv", **SMALL), SETTINGS, after="first"),
    ),
    search=({"learning_rate": 1e-3}, {"learning_rate": 1e-2}),
    seeds=(0, 1),
    length=8,
)


@pytest.fixture
def results(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runner, "RESULTS", tmp_path)
    return tmp_path


@pytest.mark.slow
def test_an_experiment_is_recorded_and_repeats(results, capsys, monkeypatch):
    runner.keep("tiny", runner.record("tiny", TINY))
    assert "for the first time" in capsys.readouterr().out
    found = json.loads((results / "tiny.json").read_text())
    first, second = found["variants"]
    for variant in (first, second):  # both sides had the same search, and the best of it was taken
        losses = [tried["validation_loss"] for tried in variant["search"]]
        assert [tried["changes"] for tried in variant["search"]] == list(TINY.search)
        assert variant["chosen"] == TINY.search[losses.index(min(losses))]
        assert [run["seed"] for run in variant["runs"]] == [0, 1]
        for run in variant["runs"]:
            assert run["step"] == [0, 2, 4] and len(run["right"]) == 8
            assert run["processor_seconds"][0] == 0 < run["processor_seconds"][-1]
            assert all(0 <= right <= run["examples"] for right in run["right"])
    asked = [json.loads(file.read_text()) for file in results.glob(f"_build/runs/*/{RUN}")]
    assert sum(one["from_parallel"] is not None for one in asked) == 4
    assert len(asked) == 8  # two tries and two seeds for each

    last = next(results.glob(f"_build/runs/*/{LAST}"))  # a run that was stopped is gone on with
    for folder in (last, last.with_name("previous")):
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
    runner.keep("tiny", runner.record("tiny", TINY))
    said = capsys.readouterr().out
    assert said.count("validation loss") == 1 and "the same numbers" in said

    found["variants"][0]["runs"][0]["right"][0] += 1
    (results / "tiny.json").write_text(json.dumps(found))
    runner.keep("tiny", runner.record("tiny", TINY))
    assert "OTHER numbers" in capsys.readouterr().out


def test_an_unknown_name_is_refused_before_any_work(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["run.py", "tracking-s4"])
    with pytest.raises(SystemExit):
        runner.main()
    assert "tracking-s4; there are tracking-parity, tracking-s3" in capsys.readouterr().err


def test_another_text_is_refused(monkeypatch):
    corpus = plans.data.Corpus("abc", "NOT Tiny Shakespeare, which could not be downloaded")
    monkeypatch.setattr(plans.data, "tiny_shakespeare", lambda: corpus)
    with pytest.raises(ValueError, match="NOT Tiny Shakespeare"):
        plans.source("text", 8)


def test_every_recorded_result_names_its_instruction_set_and_threads():
    package = Path(feedback.__file__).parent
    files = [*package.glob("results/*.json"), *package.glob("pretrained/*/training.json")]
    assert len(files) > 10
    for file in files:
        found = json.loads(file.read_text())
        for one in found.get("trials", [found]):
            assert one["machine"]["instructions"] and one["machine"]["threads"], file.name
