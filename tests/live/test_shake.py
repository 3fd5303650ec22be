"""`make shake`: it makes the attempts that are missing, and goes on after a stop."""

import pickle
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import shake

from feedback.live import ALL, combinations, read_trials, record

EXPERIMENTS = Path(shake.__file__).parent


def test_a_trial_goes_on_until_forty_attempts_and_a_last_one_that_held():
    trial = {"attempts": [{"held": True}] * 39}
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
        f"import pickle, sys; sys.path.insert(0, {str(EXPERIMENTS)!r})\n"
        "import shake; from feedback.live import ALL\n"
        f"ALL['tiny'] = pickle.load(open({str(tmp_path / 'tiny')!r}, 'rb'))\n"
        "shake.MIN_ATTEMPTS = 2; shake.main()\n"
    )
    ALL["tiny"] = replace(tiny, threshold=-1.0)
    (tmp_path / "tiny").write_bytes(pickle.dumps(ALL["tiny"]))
    monkeypatch.setattr(shake, "MIN_ATTEMPTS", 2)
    monkeypatch.setattr(shake, "THREADS", (2,))
    monkeypatch.setattr(shake, "__file__", str(worker))
    monkeypatch.setattr(sys, "argv", ["shake.py", "tiny"])
    monkeypatch.setattr(shake, "instruction_sets", lambda: ["DEFAULT"])
    shake.main()
    assert [(row["threads"], row["done"]) for row in combinations()] == [(2, 2)]
    assert [trial["machine"]["threads"] for trial in read_trials()] == [2]
    before = record.RECORD.read_bytes()
    shake.main()
    assert record.RECORD.read_bytes() == before
    assert "all 5 attempts fail in at most" in capfd.readouterr().out


def test_an_unknown_name_is_refused_before_any_work(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["shake.py", "s4"])
    with pytest.raises(SystemExit):
        shake.main()
    assert "nothing is called s4; there are parity" in capsys.readouterr().err
