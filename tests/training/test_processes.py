"""Facts about processes: killed ones, ones that the system stops writing, several in a group."""

import os
import signal
import subprocess
import sys
import time

import pytest
from training_runs import WORDS, contents, json_lines, run

from feedback.__main__ import main
from feedback.training import loop

SIZES = ["--d-model", "16", "--d-ff", "16", "--model", "parallel", "--dropout", "0.1"]
STEPS = ["--sequence-length", "8", "--batch-size", "4", "--steps", "100"]
STEPS += ["--evaluate-every", "20", "--checkpoint-every", "7"]
WORDS_OF_COMMAND = ["train", *SIZES, "--n-layers", "1", *STEPS, "--corpus", "mine.txt", "--out"]
COMMAND = [sys.executable, "-m", "feedback", *WORDS_OF_COMMAND]


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.txt").write_text(WORDS)


@pytest.mark.slow
def test_killed_by_the_system_and_started_again_the_same_command_ends_the_same(
    tmp_path, corpus, capsys
):
    """While a process is there, though it does nothing, nobody else trains in its folder."""
    main([*WORDS_OF_COMMAND, "whole"])
    log = tmp_path / "killed/log.jsonl"
    for wait in (0, 0.05):
        before = log.stat().st_mtime_ns if log.exists() else 0
        process = subprocess.Popen([*COMMAND, "killed"], stdout=subprocess.DEVNULL)
        try:
            while not log.exists() or log.stat().st_mtime_ns == before:  # one line further
                assert process.poll() is None
                time.sleep(0.005)
            time.sleep(wait)
            process.send_signal(signal.SIGSTOP)
            _, status = os.waitpid(process.pid, os.WUNTRACED)  # it stops a moment later
            assert os.WIFSTOPPED(status)
            found = contents(tmp_path / "killed")
            with pytest.raises(SystemExit):
                main([*WORDS_OF_COMMAND, "killed"])
            assert "killed is in use: another process" in capsys.readouterr().err
            assert contents(tmp_path / "killed") == found
        finally:
            process.kill()
            assert process.wait() == -signal.SIGKILL
    assert json_lines(log)[-1]["step"] < 100
    main([*WORDS_OF_COMMAND, "killed"])
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


@pytest.mark.slow
def test_the_system_refusing_to_write_ends_the_command_with_an_error(tmp_path, corpus, capsys):
    resource = pytest.importorskip("resource")  # not on Windows
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, before[1]))  # bytes that a file may have
    try:
        with pytest.raises(SystemExit) as stopped:
            main([*WORDS_OF_COMMAND, "run"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert stopped.value.code == 2 and "File too large" in capsys.readouterr().err


# A group of processes

GROUP = ["train", "--d-model", "16", "--n-layers", "2", "--d-ff", "16", "--sequence-length", "32"]
GROUP += ["--batch-size", "6", "--steps", "20", "--evaluate-every", "5", "--start-length", "16"]
GROUP += ["--lengthen-below", "99", "--task", "program3"]


@pytest.mark.slow
def test_two_processes_have_the_loss_curve_of_one(tmp_path, monkeypatch):
    """With dropout off, for every process draws its own; where labels are missing in most places,
    in each share of a batch in others.
    """
    monkeypatch.chdir(tmp_path)
    main([*GROUP, "--out", "one"])
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    command = [*launch, "--standalone", "-m", "feedback", *GROUP, "--out", "two"]
    subprocess.run(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, check=True)
    one, two = (json_lines(tmp_path / name / "log.jsonl") for name in ("one", "two"))
    assert [line["length"] for line in one] == [16, 16, 32, 32, 32]
    for a, b in zip(one, two, strict=True):
        for key in a:
            if a[key] is not None:
                assert a[key] == pytest.approx(b[key], rel=1e-4, abs=1e-5), key
    assert len(contents(tmp_path / "two")) == len(contents(tmp_path / "one"))


def test_a_batch_that_processes_cannot_share_evenly_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "rank_and_world_size", lambda: (0, 3))
    with pytest.raises(ValueError, match="batch_size 2 cannot be shared evenly by 3 processes"):
        run(tmp_path / "run")
    assert not (tmp_path / "run").exists()
