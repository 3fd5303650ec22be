"""Facts about going on: a run that was stopped ends, bit for bit, like one that was not."""

import errno
import json
import math
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from training_runs import CONFIG, SETTINGS, contents, interrupt_after, run

from feedback import LanguageModel, data, files, storage
from feedback.fast import choice
from feedback.training import checkpoints, loop, run_folder


@pytest.mark.parametrize("checkpoint_every", [1, 3])
@pytest.mark.parametrize(
    "lengths", [{}, dict(lengthen_below=3.5), dict(lengthen_below=3.5, lengthen_every=3)]
)
@pytest.mark.slow
def test_stopped_after_any_step_a_run_ends_as_if_it_had_not_been(
    tmp_path, monkeypatch, checkpoint_every, lengths
):
    """Stopped twice: with a checkpoint at each step, every step is gone on from once."""
    settings = replace(SETTINGS, checkpoint_every=checkpoint_every, start_length=2, **lengths)
    run(tmp_path / "whole", settings)
    expected, update = contents(tmp_path / "whole"), loop.update
    for updates in (1, 2, 3, 5):
        out = tmp_path / f"stopped-{updates}"
        for _ in range(2):
            monkeypatch.setattr(loop, "update", interrupt_after(updates, update))
            try:
                run(out, settings)
            except KeyboardInterrupt:
                pass
        monkeypatch.setattr(loop, "update", update)
        run(out, settings)
        assert contents(out) == expected, updates


@pytest.mark.parametrize(
    "changes",
    [
        dict(model="feedback"),
        dict(model="feedback-kv", n_layers=2),
        dict(model="feedback-kv", memory_mixture=(0.5, 0.5)),
    ],
    ids=["feedback", "feedback-kv", "fixed mixture"],
)
def test_every_kind_of_model_goes_on(tmp_path, stop, changes):
    config, settings = replace(CONFIG, **changes), replace(SETTINGS, steps=4)
    run(tmp_path / "whole", settings, config)
    stop(tmp_path / "run", 3, settings, config)
    run(tmp_path / "run", settings, config)
    assert contents(tmp_path / "run") == contents(tmp_path / "whole")


def test_a_run_that_goes_on_multiplies_as_before(tmp_path, stop, monkeypatch):
    """Which library a product takes was measured where the run began, and is not asked again."""
    found, update = [], loop.update

    def racing(*given):
        found.append(choice.decide("a race", lambda: not found))  # the first one is won
        return update(*given)

    monkeypatch.setattr(choice, "WON", {"a race": False})  # before, for another purpose
    monkeypatch.setattr(loop, "update", racing)
    stop(tmp_path / "run", 3)
    run(tmp_path / "run")
    assert found == [True] * len(found) and len(found) > SETTINGS.steps - 1
    assert choice.WON == {"a race": False}


class Killed(BaseException):
    """What a process does after SIGKILL."""


@pytest.mark.slow
def test_killed_at_any_operation_on_a_file_a_run_ends_as_if_it_had_not_been(tmp_path, monkeypatch):
    settings = replace(SETTINGS, steps=3, checkpoint_every=1, evaluate_every=2)
    run(tmp_path / "whole", settings)
    expected = contents(tmp_path / "whole")
    left = [0]

    def killing(operation):
        def wrapped(*given, **more):
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            return operation(*given, **more)

        return wrapped

    for moment in range(0, 1000, 3):
        out = tmp_path / f"killed-{moment}"
        with monkeypatch.context() as patch:
            left[0] = moment
            for name in ("replace", "rename", "fsync", "unlink", "rmdir", "mkdir"):
                patch.setattr(os, name, killing(getattr(os, name)))
            try:
                run(out, settings)
                finished = True
            except Killed:
                finished = False
        if finished:
            break
        run(out, settings)
        assert contents(out) == expected, moment
        shutil.rmtree(out)
    assert finished and moment > 100  # there were that many operations


@pytest.mark.parametrize("damaged", [False, True])
def test_the_clock_goes_on_from_the_checkpoint_and_stops_no_run_where_it_is_damaged(
    tmp_path, monkeypatch, damaged
):
    out, update, calls = tmp_path / "run", loop.update, []

    def slow(*given):
        calls.append(given)
        if len(calls) == 6:  # after the checkpoint of step 4
            raise KeyboardInterrupt
        time.sleep(0.01)
        return update(*given)

    def times() -> dict[int, float]:
        lines = [json.loads(line) for line in (out / "times.jsonl").read_text().splitlines()]
        assert all(0 <= line["processor_seconds"] for line in lines)
        return {line["step"]: line["seconds"] for line in lines}

    monkeypatch.setattr(loop, "update", slow)
    with pytest.raises(KeyboardInterrupt):
        run(out)
    before = times()
    assert sorted(before) == [2, 4] and before[4] >= before[2] + 0.02 >= 0.04
    if damaged:
        (out / "times.jsonl").write_text("not JSON")
        before = {}
    run(out)
    after = times()
    assert after.pop(6) >= before.get(4, 0) + 0.02
    assert after == before


def test_a_checkpoint_names_what_it_holds_as_it_always_did(finished_run):
    """So that a run which an earlier version began can be gone on with."""
    with safe_open(finished_run / "last/training.safetensors", "pt") as file:
        state = json.loads(file.metadata()["state"])
        names = {*file.keys()}
    known = "step tokens length losses counted recent untrained best log"
    later = "quicker residuals by_passes watched_residuals watched back_to_exact"  # have defaults
    assert {*state} == {*known.split(), *later.split()}
    assert {"generator", "head.bias/step", "head.bias/exp_avg", "head.bias/exp_avg_sq"} <= names


# Damaged checkpoints


@pytest.mark.parametrize("damage", ["cut", "flip", "remove"])
@pytest.mark.parametrize("file", ["training.safetensors", "model.json", "weights", "SHA256SUMS"])
def test_a_damaged_last_checkpoint_falls_back_to_the_one_before(
    out, finished_run, capsys, file, damage
):
    victim = next((out / "last").glob(f"{file}*"))
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 1
    victim.write_bytes(content if damage == "flip" else content[:-9])
    if damage == "remove":
        victim.unlink()
    run(out)
    printed = capsys.readouterr().out
    assert "last cannot be used" in printed and "going on after step 4, from previous" in printed
    assert contents(out) == contents(finished_run)


@pytest.mark.parametrize("lines", [0, 1, 2, 3])
def test_a_list_of_sums_that_was_cut_off_stands_for_no_damaged_checkpoint(out, capsys, lines):
    """Whatever is left of the list, a checkpoint with a changed file is not used."""
    sums = out / "last/SHA256SUMS"
    sums.write_text("".join(sums.read_text().splitlines(keepends=True)[:lines]))
    state = out / "last/training.safetensors"
    content = bytearray(state.read_bytes())
    content[-1] ^= 1
    state.write_bytes(content)
    run(out)
    assert "going on after step 4, from previous" in capsys.readouterr().out


def test_a_damaged_last_checkpoint_does_not_push_out_the_whole_one(out, monkeypatch):
    (out / "last/training.safetensors").write_bytes(b"")
    monkeypatch.setattr(loop, "update", lambda *given: torch.tensor(math.nan))
    with pytest.raises(ValueError, match="the loss of step 5 is nan"):
        run(out)
    assert checkpoints.verify(out / "previous") is None


def test_without_any_whole_checkpoint_the_run_says_so_and_touches_nothing(out):
    """And nobody is told to delete a run."""
    for name in ("last", "previous"):
        (out / name / "model.json").unlink()
    before = contents(out)
    with pytest.raises(ValueError, match="last cannot be used.*previous cannot be used") as refused:
        run(out)
    assert contents(out) == before
    assert not {"remove", "delete"} & {*str(refused.value).lower().split()}
    assert "another folder" in str(refused.value)


def test_a_file_that_was_there_while_a_checkpoint_was_written_may_go_again(tmp_path, monkeypatch):
    out, save = tmp_path / "run", LanguageModel.save

    def littering(model, folder):
        save(model, folder)
        (Path(folder) / ".DS_Store").write_text("mine")

    monkeypatch.setattr(LanguageModel, "save", littering)
    log = run(out)
    for file in out.rglob(".DS_Store"):
        file.unlink()
    monkeypatch.undo()
    (out / "previous").rename(tmp_path / "previous")  # so that only `last` is left
    assert run(out) == log


# Finished runs, and full disks


def test_a_finished_run_is_left_as_it_is(out, capsys):
    before = contents(out)
    log = run(out)
    assert [json.loads(x) for x in (out / "log.jsonl").read_text().splitlines()] == log
    assert contents(out) == before
    assert "going on after step 6" in capsys.readouterr().out


def test_a_full_disk_ends_the_run_with_the_checkpoint_before_intact(
    tmp_path, finished_run, monkeypatch
):
    out, write, full = tmp_path / "run", files.write_atomically, [False]

    def writing(file, content):
        if full[0] and "unfinished" in str(file.parent):
            file.write_bytes(content[: len(content) // 2])
            raise OSError(errno.ENOSPC, "No space left on device", str(file))
        full[0] = full[0] or file.name == "SHA256SUMS"
        write(file, content)

    for module in (run_folder, checkpoints, storage, data):
        monkeypatch.setattr(module, "write_atomically", writing)
    with pytest.raises(OSError, match="No space left on device"):
        run(out)
    monkeypatch.undo()
    assert checkpoints.verify(out / "last") is None
    assert not list(out.glob(".unfinished*"))
    run(out)
    assert contents(out) == contents(finished_run)
