"""Facts about training: what a step computes, what a run leaves, and going on after a stop."""

import hashlib
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from feedback import Config, LanguageModel, data, files, storage
from feedback.__main__ import main
from feedback.tasks import NO_LABEL, TASKS
from feedback.training import Settings
from feedback.training import loop as training
from feedback.training import run_folder as runs

CONFIG = Config(d_model=8, heads=2, n_layers=2, d_ff=8, max_distance=8, dropout=0.1)
SETTINGS = Settings(
    steps=6, batch_size=4, sequence_length=8, warm_up=1, evaluate_every=2, checkpoint_every=2
)
WORDS = "the quick brown fox jumps over the lazy dog\n" * 30
pytestmark = pytest.mark.usefixtures("one_thread")


def text(length: int = 8) -> data.Text:
    return data.Text(data.Corpus(WORDS, "a pangram"), length)


def run(out: Path, settings: Settings = SETTINGS, config: Config = CONFIG, **more) -> list[dict]:
    return training.train(config, settings, text(settings.sequence_length), out, **more)


def contents(folder: Path) -> dict[str, str]:
    """Every file of a folder with its SHA-256, but for the one that holds clock times."""
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.name != "times.jsonl"
    }


# Settings and schedules


@pytest.mark.parametrize(
    ("field", "message"),
    [
        (dict(steps=0), "steps is 0; it must be at least 1"),
        (dict(batch_size=2.5), "batch_size is 2.5; it must be a whole number"),
        (dict(sequence_length=1), "sequence_length is 1; it must be at least 2"),
        (dict(learning_rate=0), "learning_rate is 0; it must be above 0"),
        (dict(clip=math.nan), "clip is nan; it must be above 0"),
        (dict(start_length=200), "start_length 200 is above sequence_length 128"),
        (dict(lengthen_below=1.0), "lengthen_below needs a start_length"),
        (dict(start_length=2, lengthen_every=5), "lengthen_every needs a lengthen_below"),
        (
            dict(start_length=2, lengthen_below=1.0, lengthen_every=0),
            "lengthen_every is 0; it must be at least 1",
        ),
        (dict(seed=-1), "seed is -1; it must be in 0..18446744073709551615"),
        (dict(seed=2**64), "seed is 18446744073709551616; it must be in 0..18446744073709551615"),
        (dict(weight_decay=-1), "weight_decay is -1; it must be at least 0 and finite"),
        (dict(learning_rate=math.inf), "learning_rate is inf; it must be above 0 and finite"),
        (dict(checkpoint_every=True), "checkpoint_every is True; it must be a whole number"),
    ],
)
def test_settings_that_make_no_sense_are_refused(field, message):
    with pytest.raises((TypeError, ValueError), match=message.replace("(", r"\(")):
        Settings(**field)


def test_settings_are_plain_numbers_however_they_were_written():
    written = Settings(steps=np.int64(7), seed=np.uint64(2**64 - 1), clip=np.float32(0.5))
    assert written == Settings(steps=7, seed=2**64 - 1, clip=0.5)
    assert json.loads(json.dumps(vars(written))) == vars(written)
    torch.Generator().manual_seed(written.seed)


def test_the_learning_rate_rises_then_falls_to_a_tenth():
    settings = Settings(steps=1000, warm_up=100, learning_rate=2.0)
    rates = [training.learning_rate(step, settings) for step in range(1, 1001)]
    assert 0 < rates[0] < 0.03 and max(rates) == pytest.approx(2, rel=0.02)
    assert 95 <= rates.index(max(rates)) + 1 <= 105
    assert rates[-1] == pytest.approx(0.2)
    assert all(a >= b for a, b in zip(rates[105:], rates[106:], strict=False))


def test_lengths_double_over_the_first_half_of_the_steps_and_their_tokens_are_known():
    settings = Settings(steps=120, batch_size=2, sequence_length=50, start_length=8)
    lengths = [training.length_at(step, settings) for step in range(1, 121)]
    assert lengths == [8] * 20 + [16] * 20 + [32] * 20 + [50] * 60
    assert training.tokens_to_come(settings) == 2 * sum(lengths)
    assert training.length_at(1, Settings()) == training.length_at(1500, Settings()) == 128


def test_a_run_sees_the_tokens_that_its_lengths_foretell(tmp_path):
    settings = replace(SETTINGS, steps=8, start_length=2, evaluate_every=1)
    log = run(tmp_path / "run", settings)
    assert [line["length"] for line in log[1:]] == [2, 2, 4, 4, 8, 8, 8, 8]
    assert log[-1]["tokens"] == training.tokens_to_come(settings) == 4 * 44


def test_lengths_that_follow_the_loss_wait_for_it(tmp_path):
    settings = replace(SETTINGS, start_length=2, evaluate_every=1)
    never = run(tmp_path / "never", replace(settings, lengthen_below=0.01))
    always = run(tmp_path / "always", replace(settings, lengthen_below=99.0))
    assert never[-1]["tokens"] == 4 * 6 * 2
    assert always[-1]["tokens"] == 4 * (2 + 4 + 8 + 8 + 8 + 8)


def lengths_of(tmp_path, monkeypatch, losses: list[float], **changes) -> list[int]:
    """The length of the windows of each step of a run whose updates return these losses."""
    lengths, told = [], iter(losses)

    def update(model, optimizer, inputs, labels, clip):
        lengths.append(inputs.shape[1])
        return next(told)

    monkeypatch.setattr(training, "update", update)
    settings = dict(steps=len(losses), start_length=2, lengthen_below=1.0, **changes)
    run(tmp_path / "lengths", replace(SETTINGS, **settings))
    return lengths


def test_lengths_are_looked_at_apart_from_evaluations(tmp_path, monkeypatch):
    losses = [0.5] * 6
    found = lengths_of(tmp_path, monkeypatch, losses, lengthen_every=2, evaluate_every=5)
    assert found == [2, 2, 4, 4, 8, 8]


def test_a_length_at_which_the_loss_collapses_is_left_again(tmp_path, monkeypatch):
    """3 nats at first, learned, 8 tokens are too much, twice; then they are not."""
    looks = [3.0, 0.5, 0.5, 2.9, 0.5, 2.0, 2.9, 3.5, 9.0, 0.5, 0.5, 0.5]
    found = lengths_of(tmp_path, monkeypatch, looks, lengthen_every=1, evaluate_every=3)
    assert found == [2, 2, 4, 8, 4, 8, 8, 4, 2, 2, 4, 8]


def test_without_a_setting_of_their_own_looks_are_evaluations_and_none_goes_back(
    tmp_path, monkeypatch
):
    losses = [3.0, 0.5, 0.5, 0.5, 0.5, 9.0, 9.0, 9.0]
    found = lengths_of(tmp_path, monkeypatch, losses, evaluate_every=2)
    assert found == [2, 2, 2, 2, 4, 4, 4, 4]


# A step


def test_an_update_follows_the_gradient_of_the_mean_over_labelled_places():
    torch.manual_seed(0)
    config = replace(CONFIG, n_tokens=7, dropout=0.0)
    ours, plain = LanguageModel(config), LanguageModel(config)
    plain.load_state_dict(ours.state_dict())
    inputs, labels = torch.randint(7, (2, 4, 8)).unbind()
    labels[:, ::2] = NO_LABEL
    settings = replace(SETTINGS, learning_rate=0.1)
    loss = training.update(ours, training.adamw(ours, settings), inputs, labels, clip=0.5)

    optimizer = training.adamw(plain, settings)
    mean = torch.stack(
        [
            F.cross_entropy(plain(inputs)[b, t], labels[b, t])
            for b in range(4)
            for t in range(1, 8, 2)
        ]
    ).mean()
    mean.backward()
    torch.nn.utils.clip_grad_norm_(plain.parameters(), 0.5)
    optimizer.step()
    assert loss == pytest.approx(mean.item(), rel=1e-5)
    for mine, theirs in zip(ours.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs)


def test_evaluation_counts_labelled_places_only_and_leaves_the_model_training():
    class Echo(LanguageModel):
        """Finds the token it reads likeliest, with probability 1/2."""

        def forward(self, tokens):
            return F.one_hot(tokens, 3).float() * math.log(2)

    model = Echo(replace(CONFIG, n_tokens=3)).train()
    inputs = torch.tensor([[0, 1, 2, 2]])
    labels = torch.tensor([[0, NO_LABEL, 1, 2]])
    loss, accuracy = training.evaluate(model, [(inputs, labels)])
    assert accuracy == pytest.approx(2 / 3) and model.training
    assert loss == pytest.approx((2 * math.log(2) + math.log(4)) / 3)


def test_evaluation_without_a_label_is_refused():
    model, tokens = LanguageModel(replace(CONFIG, n_tokens=3)), torch.tensor([[0, 1]])
    for batches in ([], [(tokens, torch.full_like(tokens, NO_LABEL))]):
        with pytest.raises(ValueError, match="no label in these batches"):
            training.evaluate(model, batches)


# What a run leaves behind


def test_a_run_leaves_models_and_a_log(tmp_path):
    out = tmp_path / "run"
    log = run(out, replace(SETTINGS, steps=60, evaluate_every=20))
    assert [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()] == log
    assert [line["step"] for line in log] == [0, 20, 40, 60]
    assert log[-1]["tokens"] == 60 * 4 * 8
    assert all(len(line["layer_weights"]) == 3 for line in log)
    for name in ("best", "last", "previous"):
        model = LanguageModel.load(out / name)
        assert data.Characters.load(out / name).characters == sorted(set(WORDS))
    held_out = list(text().held_out(8))
    losses = [line["validation_loss"] for line in log]
    for name, loss in (("best", min(losses)), ("last", losses[-1])):
        model = LanguageModel.load(out / name)
        assert training.evaluate(model, held_out)[0] == pytest.approx(loss, rel=1e-5)


def test_a_task_is_trained_and_its_baseline_stands_beside_every_result(tmp_path):
    log = training.train(CONFIG, replace(SETTINGS, sequence_length=40), TASKS["program3"], tmp_path)
    assert all(0.1 < line["baseline"] < 0.5 for line in log)
    assert LanguageModel.load(tmp_path / "best").config.n_tokens == len(TASKS["program3"].words)


def test_windows_in_which_nothing_is_asked_are_refused_before_any_work(tmp_path):
    with pytest.raises(ValueError, match="sequence_length 3 is too short for this task"):
        training.train(
            CONFIG, replace(SETTINGS, sequence_length=3), TASKS["program3"], tmp_path / "run"
        )
    assert not (tmp_path / "run").exists()


def test_training_leaves_the_random_numbers_of_others_alone(tmp_path):
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    run(tmp_path / "run")
    assert torch.equal(torch.rand(4), expected)


def test_a_loss_that_is_not_finite_ends_the_run_and_spares_the_checkpoint(tmp_path, monkeypatch):
    out, step, steps = tmp_path / "run", training.update, iter(range(1, 9))

    def diverging(*given):
        loss = step(*given)
        return math.nan if next(steps) == 5 else loss

    monkeypatch.setattr(training, "update", diverging)
    with pytest.raises(ValueError, match="the loss of step 5 is nan; try a lower learning rate"):
        run(out)
    monkeypatch.undo()
    assert runs.verify(out / "last") is None
    whole = tmp_path / "whole"
    run(whole), run(out)
    assert contents(out) == contents(whole)


# Going on


@pytest.mark.parametrize("checkpoint_every", [1, 2, 4, 5])
@pytest.mark.parametrize(
    "lengths", [{}, dict(lengthen_below=3.5), dict(lengthen_below=3.5, lengthen_every=3)]
)
def test_stopped_after_any_step_a_run_ends_as_if_it_had_not_been(
    tmp_path, monkeypatch, checkpoint_every, lengths
):
    settings = replace(SETTINGS, checkpoint_every=checkpoint_every, start_length=2, **lengths)
    run(tmp_path / "whole", settings)
    step = training.update
    for last in range(1, settings.steps + 1):
        count = iter(range(1, last + 1))

        def stopping(*given, count=count):
            if next(count, None) is None:
                raise KeyboardInterrupt
            return step(*given)

        monkeypatch.setattr(training, "update", stopping)
        out = tmp_path / f"stopped-{last}"
        for _ in range(2):  # the second time, it goes on for a while and is stopped again
            try:
                run(out, settings)
            except KeyboardInterrupt:
                pass
        monkeypatch.setattr(training, "update", step)
        run(out, settings)
        assert contents(out) == contents(tmp_path / "whole")


class Dead(BaseException):
    """What a process does after SIGKILL."""


@pytest.mark.slow
def test_killed_at_any_operation_on_a_file_a_run_ends_as_if_it_had_not_been(tmp_path, monkeypatch):
    settings = replace(SETTINGS, steps=4, checkpoint_every=1, evaluate_every=2)
    run(tmp_path / "whole", settings)
    expected = contents(tmp_path / "whole")
    left = [0]

    def dying(operation):
        def wrapped(*given, **more):
            left[0] -= 1
            if left[0] < 0:
                raise Dead
            return operation(*given, **more)

        return wrapped

    for moment in range(0, 1000, 3):
        out = tmp_path / f"killed-{moment}"
        with monkeypatch.context() as patch:
            left[0] = moment
            for name in ("replace", "rename", "fsync", "unlink", "rmdir", "mkdir"):
                patch.setattr(os, name, dying(getattr(os, name)))
            try:
                run(out, settings)
                finished = True
            except Dead:
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
    out, settings = tmp_path / "run", replace(SETTINGS, steps=6, checkpoint_every=2)
    update, calls = training.update, []

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

    monkeypatch.setattr(training, "update", slow)
    with pytest.raises(KeyboardInterrupt):
        run(out, settings)
    before = times()
    assert sorted(before) == [2, 4] and before[4] >= before[2] + 0.02 >= 0.04
    if damaged:
        (out / "times.jsonl").write_text("not JSON")
        before = {}
    run(out, settings)
    after = times()
    assert after.pop(6) >= before.get(4, 0) + 0.02
    assert after == before


COMMAND = [sys.executable, "-m", "feedback", "train", "--d-model", "16", "--n-layers", "1"]
COMMAND += ["--d-ff", "16", "--sequence-length", "8", "--batch-size", "4", "--steps", "200"]
COMMAND += ["--evaluate-every", "20", "--checkpoint-every", "7", "--dropout", "0.1"]


@pytest.mark.slow
def test_killed_by_the_system_and_started_again_the_same_command_ends_the_same(tmp_path):
    (tmp_path / "mine.txt").write_text(WORDS)
    command = [*COMMAND, "--corpus", "mine.txt", "--out"]
    variables = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run([*command, "whole"], cwd=tmp_path, env=variables, check=True)
    kills = 0
    while kills < 20:
        log = tmp_path / "killed/log.jsonl"
        before = log.stat().st_mtime_ns if log.exists() else 0
        process = subprocess.Popen([*command, "killed"], cwd=tmp_path, env=variables)
        while process.poll() is None:  # let it come one line of the log further
            if log.exists() and log.stat().st_mtime_ns > before and kills < 3:
                time.sleep(0.05 * kills)
                process.send_signal(signal.SIGKILL)
                process.wait()
            time.sleep(0.005)
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL
        kills += 1
    assert kills == 3
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


@pytest.mark.parametrize("damage", ["cut", "flip", "remove"])
@pytest.mark.parametrize("file", ["training.safetensors", "model.json", "weights", "SHA256SUMS"])
def test_a_damaged_last_checkpoint_falls_back_to_the_one_before(tmp_path, capsys, file, damage):
    out, whole = tmp_path / "run", tmp_path / "whole"
    run(out)
    shutil.copytree(out, whole)
    victim = next((out / "last").glob(f"{file}*"))
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 1
    victim.write_bytes(content if damage == "flip" else content[:-9])
    if damage == "remove":
        victim.unlink()
    capsys.readouterr()
    run(out)
    printed = capsys.readouterr().out
    assert "last cannot be used" in printed and "going on after step 4, from previous" in printed
    assert contents(out) == contents(whole)


def test_a_damaged_last_checkpoint_does_not_push_out_the_whole_one(tmp_path, monkeypatch):
    out = tmp_path / "run"
    run(out)
    (out / "last/training.safetensors").write_bytes(b"")
    monkeypatch.setattr(training, "update", lambda *given: math.nan)
    with pytest.raises(ValueError, match="the loss of step 5 is nan"):
        run(out)
    assert runs.verify(out / "previous") is None


def test_without_any_whole_checkpoint_the_run_says_so_and_touches_nothing(tmp_path):
    out = tmp_path / "run"
    run(out)
    for name in ("last", "previous"):
        (out / name / "model.json").unlink()
    before = contents(out)
    with pytest.raises(ValueError, match="last cannot be used.*previous cannot be used"):
        run(out)
    assert contents(out) == before


def test_a_finished_run_is_left_as_it_is(tmp_path, capsys):
    out = tmp_path / "run"
    log = run(out)
    before = contents(out)
    assert run(out) == log and contents(out) == before
    assert "going on after step 6" in capsys.readouterr().out


def test_a_run_with_a_fixed_mixture_goes_on_too(tmp_path):
    config = replace(CONFIG, memory_mixture=(0.5, 0.25, 0.25))
    log = run(tmp_path / "run", config=config)
    shutil.rmtree(tmp_path / "run/last")
    assert run(tmp_path / "run", config=config) == log


def test_a_folder_that_is_not_this_runs_is_refused(tmp_path):
    run(tmp_path / "run")
    with pytest.raises(ValueError, match="batch_size 4 there, 8 here"):
        run(tmp_path / "run", replace(SETTINGS, batch_size=8))
    with pytest.raises(ValueError, match="dropout 0.1 there, 0.0 here"):
        run(tmp_path / "run", config=replace(CONFIG, dropout=0.0))
    other = data.Text(data.Corpus(WORDS[::-1], ""), 8)
    with pytest.raises(ValueError, match="text '[0-9a-f]+' there, '[0-9a-f]+' here"):
        training.train(CONFIG, SETTINGS, other, tmp_path / "run")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/thesis.txt").write_text("years of work")
    with pytest.raises(ValueError, match="full is not a run's folder, and not empty"):
        run(tmp_path / "full")
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="file is not a run's folder"):
        run(tmp_path / "file")
    (tmp_path / "run/run.json").write_text("{")
    with pytest.raises(ValueError, match="run.json: truncated"):
        run(tmp_path / "run")


def test_a_full_disk_ends_the_run_with_the_checkpoint_before_intact(tmp_path, monkeypatch):
    out, write = tmp_path / "run", files.write_atomically
    full = [False]

    def writing(file, content):
        if full[0] and "unfinished" in str(file.parent):
            file.write_bytes(content[: len(content) // 2])
            raise OSError(28, "No space left on device", str(file))
        full[0] = full[0] or file.name == "SHA256SUMS"
        write(file, content)

    for module in (runs, storage, data):
        monkeypatch.setattr(module, "write_atomically", writing)
    with pytest.raises(OSError, match="No space left on device"):
        run(out)
    monkeypatch.undo()
    assert runs.verify(out / "last") is None
    assert not list(out.glob(".unfinished*"))
    run(tmp_path / "whole"), run(out)
    assert contents(out) == contents(tmp_path / "whole")


@pytest.mark.slow
def test_the_system_refusing_to_write_ends_the_command_with_an_error(tmp_path):
    resource = pytest.importorskip("resource")  # not on Windows
    (tmp_path / "mine.txt").write_text(WORDS)

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))  # bytes a file may have

    done = subprocess.run(
        [*COMMAND, "--corpus", "mine.txt", "--out", "run"],
        cwd=tmp_path,
        preexec_fn=limit,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and "File too large" in done.stderr
    assert "Traceback" not in done.stderr


# More than one process


@pytest.mark.slow
@pytest.mark.parametrize("task", [[], ["--task", "program3"]])
def test_two_processes_have_the_loss_curve_of_one(tmp_path, task):
    """With dropout off: every process draws its own."""
    (tmp_path / "mine.txt").write_text(WORDS)
    command = ["-m", "feedback", "train", "--d-model", "16", "--n-layers", "2", "--d-ff", "16"]
    command += ["--sequence-length", "32", "--batch-size", "6", "--steps", "20"]
    command += ["--evaluate-every", "5", "--start-length", "16", "--lengthen-below", "99"]
    command += task or ["--corpus", "mine.txt"]
    run = dict(cwd=tmp_path, env=os.environ | {"OMP_NUM_THREADS": "1"}, check=True)
    subprocess.run([sys.executable, *command, "--out", "one"], **run)
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    subprocess.run([*launch, "--standalone", *command, "--out", "two"], **run)
    one, two = (
        [json.loads(line) for line in (tmp_path / name / "log.jsonl").read_text().splitlines()]
        for name in ("one", "two")
    )
    assert [line["length"] for line in one] == [16, 16, 32, 32, 32]
    for a, b in zip(one, two, strict=True):
        for key in a:
            if a[key] is not None:
                assert a[key] == pytest.approx(b[key], rel=1e-4, abs=1e-5), key
    assert len(contents(tmp_path / "two")) == len(contents(tmp_path / "one"))


def test_a_batch_that_processes_cannot_share_evenly_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "rank_and_world_size", lambda: (0, 3))
    with pytest.raises(ValueError, match="batch_size 4 cannot be shared evenly by 3 processes"):
        run(tmp_path / "run")
    assert not (tmp_path / "run").exists()


# The commands


def test_the_command_line_trains_and_writes(tmp_path, capsys):
    (tmp_path / "mine.txt").write_text(WORDS)
    out = tmp_path / "run"
    words = ["--corpus", str(tmp_path / "mine.txt"), "--out", str(out), "--steps", "3"]
    words += ["--sequence-length", "8", "--memory-mixture", "0", "0", "1", "--n-layers", "2"]
    main(["train", *words])
    assert f"The best model is in {out / 'best'}" in capsys.readouterr().out
    assert LanguageModel.load(out / "best").config.memory_mixture == (0, 0, 1)
    texts = []
    for _ in range(2):
        main(
            ["generate", "--model", str(out / "best"), *"--prompt the --length 20 --seed 3".split()]
        )
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1] and texts[0].startswith("the") and len(texts[0]) == 24


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--task", "parity", "--corpus", "x"], "not allowed with"),
        (["--corpus", "nowhere.txt"], "there is no file nowhere.txt"),
        (["--heads", "3"], "d_model 128 is not divisible by heads 3"),
        (["--steps", "0"], "steps is 0"),
        (["--seed", str(2**64)], "seed is 18446744073709551616; it must be in 0..1844"),
        (["--d-ff", "none"], "invalid int value: 'none'"),
        (["--memory-size", "all"], "invalid int or none value: 'all'"),
        (["--task", "parity", "--start-length", "64"], "start_length 64 is above sequence_length"),
        (["--memory-mixture", "0.5", "0.4"], "memory_mixture has 2 weights"),
        (["--memory-mixture", "half"], "could not convert string to float: 'half'"),
        (["--from-parallel", "nowhere"], "nowhere.*missing"),
    ],
)
def test_a_wrong_word_is_an_error_before_anything_is_written(tmp_path, capsys, words, message):
    (tmp_path / "mine.txt").write_text(WORDS * 10)
    corpus = [] if {"--corpus", "--task"} & {*words} else ["--corpus", str(tmp_path / "mine.txt")]
    with pytest.raises(SystemExit) as stopped:
        main(["train", "--out", str(tmp_path / "run"), *corpus, *words])
    assert stopped.value.code == 2
    assert re.search(message, capsys.readouterr().err)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", (4, 0.3)),
        ("--start-length none", (None, None)),
        ("--lengthen-below none", (4, None)),
        ("--start-length none --lengthen-below none", (None, None)),
        ("--sequence-length 3", (3, 0.3)),
        ("--start-length 8 --lengthen-below 0.5", (8, 0.5)),
    ],
)
def test_none_stands_for_none_and_a_tasks_own_start_fits_its_windows(
    tmp_path, monkeypatch, words, expected
):
    asked = []
    monkeypatch.setattr(training, "train", lambda *given: asked.append(given))
    words = ["--task", "parity", "--memory-size", "none", *words.split()]
    main(["train", "--out", str(tmp_path / "run"), *words])
    config, settings = asked[0][:2]
    assert (settings.start_length, settings.lengthen_below) == expected
    assert config.memory_size is None


def test_a_stopped_text_ends_without_a_traceback(monkeypatch, capsys):
    def stopped(*given):
        yield torch.tensor([0])
        raise KeyboardInterrupt

    monkeypatch.setattr(LanguageModel, "stream", stopped)
    with pytest.raises(SystemExit, match="Stopped"):
        main(["generate"])
    capsys.readouterr()


@pytest.mark.slow
def test_a_reader_that_goes_away_ends_the_text_quietly():
    words = [sys.executable, "-m", "feedback", "generate", "--length", "3000"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b"" and process.wait() == 1


def test_a_model_of_a_task_says_why_it_writes_no_text(capsys):
    for words, message in [
        (["--model", "s3-parallel"], "s3-parallel was trained on a task and reads no characters"),
        (["--seed", "-1"], "seed is -1; it must be in 0..18446744073709551615"),
    ]:
        with pytest.raises(SystemExit):
            main(["generate", *words])
        assert message in capsys.readouterr().err


def test_generate_says_what_is_wrong(tmp_path, capsys):
    model = LanguageModel(replace(CONFIG, n_tokens=3))
    model.save(tmp_path)
    for words, message in [
        ([], "characters.json: missing"),
        (["--prompt", ""], "the prompt is empty"),
        (["--prompt", "abx"], "'x' .character 2 of the text. is not among the 3 characters"),
        (["--temperature", "-1"], "temperature is -1.0"),
        (["--top-k", "9"], "top_k is 9; it must be in 1..3"),
    ]:
        with pytest.raises(SystemExit):
            main(["generate", "--model", str(tmp_path), "--prompt", "ab", *words])
        assert re.search(message, capsys.readouterr().err), message
        data.Characters("abc").save(tmp_path)
