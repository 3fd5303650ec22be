"""What is recorded of live results: each has a trial that suffices."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import shake

from feedback import live
from feedback.live import ALL, combinations, read_trials, summary

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", ALL)
def test_all_attempts_of_a_live_result_fail_in_at_most_one_of_1000_runs(name):
    own = [row for row in combinations() if row["name"] == name]
    assert own, f"{name} was not tried with its settings of today: make shake ONLY={name}"
    assert {row["threads"] for row in own} == {1, 2}
    instructions = {row["instructions"] for row in own}
    assert "DEFAULT" in instructions and len(own) == 2 * len(instructions)
    assert min(row["done"] for row in own) >= 40 and sum(row["done"] for row in own) >= 200
    [summed] = [row for row in summary() if row["name"] == name]
    assert summed["failing"] <= 0.001


def test_every_attempt_is_recorded_with_its_seed_and_machine():
    for trial in read_trials():
        result, attempts = ALL[trial["name"]], trial["attempts"]
        assert [attempt["seed"] for attempt in attempts] == list(range(len(attempts)))
        assert all(a["held"] == (a["measured"] > result.threshold) for a in attempts)
        assert attempts[-1]["held"], "the attempt after a failure is made, and counted"
        assert trial["machine"]["threads"] == trial["threads"]
        assert trial["machine"]["instructions"].startswith(trial["instructions"])


def test_a_trial_of_other_settings_does_not_count(tiny):
    record = shake.Record()
    trial = record.trial("tiny", 1, "DEFAULT")
    record.add(trial, {"threads": 1}, {"seed": 0, "measured": 0.9, "held": True, "seconds": 1.0})
    assert [row["done"] for row in combinations()] == [1]
    faster = replace(tiny, settings=replace(tiny.settings, learning_rate=1.0))
    for other in (faster, replace(tiny, threshold=0.6), replace(tiny, task="s3")):
        ALL["tiny"] = other
        assert combinations() == summary() == []
    ALL["tiny"] = replace(tiny, attempts=9, claim="Another claim.")
    assert [row["attempts"] for row in summary()] == [9]


def test_the_worst_combination_counts(tiny):
    record = shake.Record()
    for threads, held in ((1, [True] * 40), (2, [False, True] * 20)):
        trial = record.trial("tiny", threads, "DEFAULT")
        for seed, one in enumerate(held):
            attempt = {"seed": seed, "measured": float(one), "held": one, "seconds": threads}
            record.add(trial, {"threads": threads}, attempt)
    [row] = summary()
    assert (row["held"], row["done"], row["worst"]) == (60, 80, "20 of 40 (2 threads, DEFAULT)")
    assert row["failing"] == pytest.approx((1 - row["lower_bound"]) ** tiny.attempts)


def test_chapters_name_only_live_results_of_their_page():
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        named = re.findall(r"live\.([A-Z][A-Z_]+)", path.read_text())
        for name in {*named} - {"ALL", "SOLVED"}:
            result = getattr(live, name)
            assert result is ALL[result.name]
            assert str(int(path.name[:2])) in re.findall(r"\d+", result.where), (path.name, name)
