"""Live results: each has a trial that suffices, and a failed attempt is followed by another."""

import json
import pickle
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import shake
import torch

from feedback import live
from feedback.config import Config
from feedback.tasks import TASKS

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def tiny(monkeypatch, tmp_path) -> live.Tracking:
    """The only live result there is: it takes a moment, and nothing is recorded yet."""
    small = Config("parallel", d_model=8, heads=2, n_layers=1, d_ff=8, max_distance=4)
    settings = replace(live.PARITY.settings, steps=10, batch_size=4, sequence_length=4)
    tiny = replace(live.PARITY, name="tiny", config=small, settings=settings, least=0.5)
    monkeypatch.setattr(live, "ALL", {"tiny": tiny})
    monkeypatch.setattr(live, "RECORD", tmp_path / "live.json")
    return tiny


# What is recorded


@pytest.mark.parametrize("name", live.ALL)
def test_all_attempts_of_a_live_result_fail_in_at_most_one_of_1000_runs(name):
    own = [row for row in live.combinations() if row["name"] == name]
    assert own, f"{name} was not tried as it is asked for: make shake ONLY={name}"
    assert {row["threads"] for row in own} == {1, 2}
    instructions = {row["instructions"] for row in own}
    assert "DEFAULT" in instructions and len(own) == 2 * len(instructions)
    assert min(row["done"] for row in own) >= 40 and sum(row["done"] for row in own) >= 200
    [summed] = [row for row in live.summary() if row["name"] == name]
    assert summed["failing"] <= 0.001


def test_every_attempt_is_recorded_with_its_seed_and_machine():
    for trial in live.trials():
        tried, attempts = live.ALL[trial["name"]], trial["attempts"]
        assert [attempt["seed"] for attempt in attempts] == list(range(len(attempts)))
        assert all(a["held"] == (a["measured"] > tried.least) for a in attempts)
        assert attempts[-1]["held"], "the attempt after a failure is made, and counted"
        assert trial["machine"]["threads"] == trial["threads"]
        assert trial["machine"]["instructions"].startswith(trial["instructions"])


def test_a_trial_of_other_settings_does_not_count(tiny, monkeypatch):
    record = shake.Record()
    trial = record.trial("tiny", 1, "DEFAULT")
    record.add(trial, {"threads": 1}, {"seed": 0, "measured": 0.9, "held": True, "seconds": 1.0})
    assert [row["done"] for row in live.combinations()] == [1]
    faster = replace(tiny, settings=replace(tiny.settings, learning_rate=1.0))
    for other in (faster, replace(tiny, least=0.6), replace(tiny, task="s3")):
        monkeypatch.setattr(live, "ALL", {"tiny": other})
        assert live.combinations() == live.summary() == []
    monkeypatch.setattr(live, "ALL", {"tiny": replace(tiny, attempts=9, claim="Another claim.")})
    assert [row["attempts"] for row in live.summary()] == [9]


def test_the_worst_combination_counts(tiny, monkeypatch):
    record = shake.Record()
    for threads, held in ((1, [True] * 40), (2, [False, True] * 20)):
        trial = record.trial("tiny", threads, "DEFAULT")
        for seed, one in enumerate(held):
            attempt = {"seed": seed, "measured": float(one), "held": one, "seconds": threads}
            record.add(trial, {"threads": threads}, attempt)
    [row] = live.summary()
    assert (row["held"], row["done"], row["worst"]) == (60, 80, "20 of 40 (2 threads, DEFAULT)")
    assert row["failing"] == pytest.approx((1 - row["least"]) ** tiny.attempts)


# Attempts


def test_a_failed_attempt_is_followed_by_another_seed(tiny, monkeypatch, capsys):
    ends = {0: 0.1, 1: 0.5, 2: 0.7}
    monkeypatch.setattr(live.Tracking, "attempt", lambda self, seed: (f"found {seed}", ends[seed]))
    assert tiny.first() == "found 2"
    assert capsys.readouterr().out.count("another seed") == 2
    with pytest.raises(AssertionError, match="2 attempts, none of which held"):
        replace(tiny, attempts=2).first()


def test_training_stops_with_the_weights_whose_loss_was_low(monkeypatch, capsys):
    """A solved model is asked once more, and does not learn what would spoil it."""
    easy = replace(live.PARITY.settings, steps=200, start_length=2, sequence_length=2)
    torch.manual_seed(0)
    model = live.LanguageModel(replace(live.PARITY.config, n_tokens=2, max_distance=2))
    live.train_rows(model, TASKS["parity"], easy)
    assert live.accuracy(model, TASKS["parity"], 2).tolist() == [1, 1]
    step, loss = re.findall(r"step (\d+): loss ([\d.]+) on 2", capsys.readouterr().out)[-1]
    assert int(step) < 200 and float(loss) < live.SOLVED


def test_chapters_name_only_live_results_of_their_page():
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        named = re.findall(r"live\.([A-Z][A-Z_]+)", path.read_text())
        for name in {*named} - {"ALL", "SOLVED"}:
            tried = getattr(live, name)
            assert tried is live.ALL[tried.name]
            assert str(int(path.name[:2])) in re.findall(r"\d+", tried.where), (path.name, name)


# make shake


def test_a_trial_goes_on_until_forty_attempts_and_a_last_one_that_held():
    held = [True] * 39
    trial = {"attempts": [{"held": one} for one in held]}
    assert not shake.finished(trial)
    trial["attempts"].append({"held": False})
    assert not shake.finished(trial)
    trial["attempts"].append({"held": True})
    assert shake.finished(trial)


@pytest.mark.slow
def test_shake_makes_each_attempt_in_a_process_of_its_own_set_and_goes_on(
    tiny, monkeypatch, capfd, tmp_path
):
    worker = tmp_path / "worker.py"  # knows the tiny result, as it stands in for the package's
    worker.write_text(
        f"import pickle, sys; sys.path.insert(0, {str(ROOT / 'experiments')!r})\n"
        "import shake; from feedback import live\n"
        f"live.ALL = {{'tiny': pickle.load(open({str(tmp_path / 'tiny')!r}, 'rb'))}}\n"
        "shake.LEAST = 2; shake.main()\n"
    )
    (tmp_path / "tiny").write_bytes(pickle.dumps(replace(tiny, least=-1.0)))
    monkeypatch.setattr(live, "ALL", {"tiny": replace(tiny, least=-1.0)})
    monkeypatch.setattr(shake, "LEAST", 2)
    monkeypatch.setattr(shake, "__file__", str(worker))
    monkeypatch.setattr(sys, "argv", ["shake.py", "tiny"])
    monkeypatch.setattr(shake, "instruction_sets", lambda: ["DEFAULT"])
    shake.main()
    assert [(row["threads"], row["done"]) for row in live.combinations()] == [(1, 2), (2, 2)]
    before = json.loads(live.RECORD.read_text())
    shake.main()
    assert json.loads(live.RECORD.read_text()) == before
    assert "all 5 attempts fail in at most" in capfd.readouterr().out


def test_an_unknown_name_is_refused_before_any_work(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["shake.py", "s4"])
    with pytest.raises(SystemExit):
        shake.main()
    assert "nothing is called s4; there are parity" in capsys.readouterr().err
