"""Facts about a run's folder: what may lie in it, and who may write into it."""

import errno
import json
import math
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from training_runs import CONFIG, SETTINGS, WORDS, contents, run

from feedback import data
from feedback.training import loop, train

STRAY = [".DS_Store", "._model.json", "Thumbs.db", "desktop.ini", "model.json~", "notes.txt"]
STRAY += [
    "model (conflicted copy).json",
    "weights-0123456789abcdef.safetensors",
    ".ipynb_checkpoints/",
]


def test_a_folder_that_is_not_this_runs_is_refused(out, tmp_path):
    with pytest.raises(ValueError, match="batch_size 2 there, 8 here"):
        run(out, replace(SETTINGS, batch_size=8))
    with pytest.raises(ValueError, match="dropout 0.1 there, 0.0 here"):
        run(out, config=replace(CONFIG, dropout=0.0))
    other = data.Text(data.Corpus(WORDS[::-1], ""), 8)
    with pytest.raises(ValueError, match="text '[0-9a-f]+' there, '[0-9a-f]+' here"):
        train(CONFIG, SETTINGS, other, out)
    (tmp_path / "full").mkdir()
    (tmp_path / "full/thesis.txt").write_text("years of work")
    with pytest.raises(ValueError, match="full is not a run's folder, and not empty"):
        run(tmp_path / "full")
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="file is not a run's folder"):
        run(tmp_path / "file")
    (out / "run.json").write_text("{")
    with pytest.raises(ValueError, match="run.json: truncated"):
        run(out)


def test_a_source_that_describes_itself_by_what_is_no_json_is_refused(tmp_path):
    class Odd(data.Text):
        def describe(self):
            return {"share": math.nan}

    with pytest.raises(ValueError, match="JSON"):
        train(CONFIG, SETTINGS, Odd(data.Corpus(WORDS, ""), 8), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_run_of_one_dtype_is_not_gone_on_with_in_another(tmp_path, stop):
    out = tmp_path / "run"
    stop(out, 3)
    assert json.loads((out / "run.json").read_text())["dtype"] == "float32"
    before = contents(out)
    torch.set_default_dtype(torch.float64)
    try:
        with pytest.raises(ValueError, match="dtype 'float32' there, 'float64' here"):
            run(out)
    finally:
        torch.set_default_dtype(torch.float32)
    assert contents(out) == before
    assert run(out)[-1]["step"] == 6


def test_a_run_whose_file_says_nothing_of_a_dtype_has_float32(tmp_path, stop):
    out = tmp_path / "run"
    stop(out, 3)
    request = json.loads((out / "run.json").read_text())
    del request["dtype"]
    (out / "run.json").write_text(json.dumps(request))
    assert run(out)[-1]["step"] == 6


# Files of others


def leave(folder: Path, names: list[str]) -> None:
    for name in names:
        if name.endswith("/"):
            (folder / name).mkdir()
            (folder / name / "inner.txt").write_text("mine")
        else:
            (folder / name).write_text("mine")


@pytest.mark.parametrize("folders", [["last"], ["last", "previous"], ["best", "."]])
def test_files_of_others_damage_no_checkpoint(tmp_path, finished_run, stop, capsys, folders):
    out = tmp_path / "run"
    stop(out, 5)
    before = contents(out)
    for folder in folders:
        leave(out / folder, STRAY if folder != "best" else STRAY[:-2])
    mine = contents(out).keys() - before.keys()
    run(out)
    assert "going on after step 4, from last" in capsys.readouterr().out
    assert contents(finished_run).items() <= contents(out).items()
    if folders == ["best", "."]:
        assert mine and mine <= contents(out).keys()


def test_what_a_kill_left_half_written_goes_when_the_run_goes_on(tmp_path, finished_run, stop):
    out = tmp_path / "run"
    stop(out, 5)
    leave(out, [".unfinished-123-times.jsonl", ".unfinished-4-log.jsonl", ".unfinished-5-run.json"])
    run(out)
    assert contents(out) == contents(finished_run)


def test_a_run_begins_in_a_folder_that_holds_only_what_systems_leave(tmp_path):
    leave(
        tmp_path, [".DS_Store", "._x", "Thumbs.db", "desktop.ini", ".ipynb_checkpoints/", ".git/"]
    )
    log = run(tmp_path)
    assert log[-1]["step"] == 6 and (tmp_path / ".git/inner.txt").exists()


@pytest.mark.parametrize("name", ["thesis.txt", "best/", "data.csv"])
def test_a_run_does_not_begin_among_other_files(tmp_path, name):
    leave(tmp_path, [name])
    before = contents(tmp_path)
    with pytest.raises(ValueError, match="is not a run's folder, and not empty; name another"):
        run(tmp_path)
    assert contents(tmp_path) == before


# One at a time; another process is in test_processes.py


def test_of_threads_in_one_folder_one_trains(tmp_path, monkeypatch):
    out, update, refused = tmp_path / "run", loop.update, []

    def another():
        try:
            run(out)
        except OSError as error:
            refused.append(str(error))

    thread = threading.Thread(target=another)

    def updating(*given):
        if thread.ident is None:
            thread.start()
            thread.join()
        return update(*given)

    monkeypatch.setattr(loop, "update", updating)
    assert run(out)[-1]["step"] == 6
    assert len(refused) == 1 and "in use" in refused[0]
    assert run(out)[-1]["step"] == 6  # free again


@pytest.mark.parametrize("code", ["ENOLCK", "ENOSYS", "EOPNOTSUPP", "EINVAL", "EBADF"])
def test_where_the_file_system_knows_no_locks_a_run_goes_on(tmp_path, monkeypatch, code):
    fcntl = pytest.importorskip("fcntl")

    def refuse(*given):
        raise OSError(getattr(errno, code), "no locks here")

    monkeypatch.setattr(fcntl, "flock", refuse)
    monkeypatch.setattr(fcntl, "lockf", refuse)
    assert run(tmp_path / "run", replace(SETTINGS, steps=1))[-1]["step"] == 1


def test_a_run_that_failed_or_was_stopped_holds_its_folder_no_longer(tmp_path, monkeypatch, stop):
    out = tmp_path / "run"
    stop(out, 3)
    with monkeypatch.context() as patch:
        patch.setattr(loop, "update", lambda *given: torch.tensor(math.nan))
        with pytest.raises(ValueError, match="the loss of step 3 is nan"):
            run(out)
    assert run(out)[-1]["step"] == 6
