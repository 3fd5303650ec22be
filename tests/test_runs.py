"""Facts about a run's folder: what may lie in it, who may write into it, what it never holds."""

import errno
import hashlib
import json
import math
import shutil
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from test_training import WORDS, contents, text

from feedback import Config, LanguageModel, data
from feedback.tasks import TASKS
from feedback.training import Settings, train
from feedback.training import loop as training

CONFIG = Config(d_model=8, heads=2, n_layers=1, d_ff=8, max_distance=8)
SETTINGS = Settings(
    steps=6, batch_size=2, sequence_length=8, warm_up=1, evaluate_every=2, checkpoint_every=2
)
pytestmark = pytest.mark.usefixtures("one_thread")


def run(out: Path, settings: Settings = SETTINGS, config: Config = CONFIG, **more) -> list[dict]:
    return train(config, settings, text(), out, **more)


def stopped(out: Path, after: int, monkeypatch, **more) -> None:
    """A run that is interrupted after so many steps."""
    update, steps = training.update, iter(range(after))

    def stopping(*given):
        if next(steps, None) is None:
            raise KeyboardInterrupt
        return update(*given)

    with monkeypatch.context() as patch:
        patch.setattr(training, "update", stopping)
        with pytest.raises(KeyboardInterrupt):
            run(out, **more)


# Files of others

STRAY = [".DS_Store", "._model.json", "Thumbs.db", "desktop.ini", "model.json~", "notes.txt"]
STRAY += [
    "model (conflicted copy).json",
    "weights-0123456789abcdef.safetensors",
    ".ipynb_checkpoints/",
]


def leave(folder: Path, names: list[str]) -> None:
    for name in names:
        if name.endswith("/"):
            (folder / name).mkdir()
            (folder / name / "inner.txt").write_text("mine")
        else:
            (folder / name).write_text("mine")


@pytest.mark.parametrize("places", [["last"], ["last", "previous"], ["best", "."]])
def test_files_of_others_damage_no_checkpoint(tmp_path, monkeypatch, capsys, places):
    out, whole = tmp_path / "run", tmp_path / "whole"
    run(whole)
    stopped(out, 5, monkeypatch)
    for place in places:
        leave(out / place, STRAY if place != "best" else STRAY[:-2])
    before = contents(out)
    run(out)
    assert "going on after step 4, from last" in capsys.readouterr().out
    assert contents(whole).items() <= contents(out).items()
    if places == ["best", "."]:
        mine = {name for name, content in before.items() if content == b"mine"}
        assert mine <= contents(out).keys()


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


def test_nobody_is_told_to_delete_a_run(tmp_path):
    out = tmp_path / "run"
    run(out)
    for name in ("last", "previous"):
        (out / name / "model.json").unlink()
    before = contents(out)
    with pytest.raises(ValueError, match="last cannot be used.*previous cannot be used") as refused:
        run(out)
    assert contents(out) == before
    assert not {"remove", "delete"} & {*str(refused.value).lower().split()}
    assert "another folder" in str(refused.value)


@pytest.mark.parametrize("lines", [0, 1, 2, 3])
def test_a_list_of_sums_that_was_cut_off_stands_for_no_damaged_checkpoint(tmp_path, capsys, lines):
    """Whatever is left of the list, a checkpoint with a changed file is not used."""
    out = tmp_path / "run"
    run(out)
    sums = out / "last/SHA256SUMS"
    sums.write_text("".join(sums.read_text().splitlines(keepends=True)[:lines]))
    state = out / "last/training.safetensors"
    content = bytearray(state.read_bytes())
    content[-1] ^= 1
    state.write_bytes(content)
    capsys.readouterr()
    run(out)
    assert "going on after step 4, from previous" in capsys.readouterr().out


# One at a time


HOLD = """
import sys, time
from feedback import Config
from feedback.training import loop as training
from feedback.tasks import TASKS
update = training.update
def slow(*given):
    print("training", flush=True)
    time.sleep(600)
training.update = slow
config = Config(d_model=8, heads=2, n_layers=1, d_ff=8, max_distance=8)
settings = training.Settings(steps=6, batch_size=2, sequence_length=8)
training.train(config, settings, TASKS["parity"], sys.argv[1])
"""


@pytest.mark.slow
def test_a_folder_is_in_use_while_another_process_trains_there_and_no_longer(tmp_path):
    out, settings = tmp_path / "run", Settings(steps=6, batch_size=2, sequence_length=8)
    process = subprocess.Popen([sys.executable, "-c", HOLD, out], stdout=subprocess.PIPE, text=True)
    try:
        while "training" not in process.stdout.readline().split():
            assert process.poll() is None
        before = contents(out)
        with pytest.raises(OSError, match="run is in use.*another process.*another folder"):
            train(CONFIG, settings, TASKS["parity"], out)
        assert contents(out) == before
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    log = train(CONFIG, settings, TASKS["parity"], out)
    assert log[-1]["step"] == 6


def test_of_threads_in_one_folder_one_trains(tmp_path, monkeypatch):
    out, update, refused = tmp_path / "run", training.update, []

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

    monkeypatch.setattr(training, "update", updating)
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
    assert run(tmp_path / "run")[-1]["step"] == 6


def test_a_run_that_failed_or_was_stopped_holds_its_folder_no_longer(tmp_path, monkeypatch):
    out = tmp_path / "run"
    stopped(out, 3, monkeypatch)
    with monkeypatch.context() as patch:
        patch.setattr(training, "update", lambda *given: math.nan)
        with pytest.raises(ValueError, match="the loss of step 3 is nan"):
            run(out)
    assert run(out)[-1]["step"] == 6


# Values that are not finite


def strict(folder: Path) -> None:
    """Every JSON file of a folder is JSON, which has no NaN."""

    def refuse(word):
        raise AssertionError(f"{word} is not JSON")

    for file in folder.rglob("*.json*"):
        for line in (
            file.read_text().splitlines() if file.suffix == ".jsonl" else [file.read_text()]
        ):
            json.loads(line, parse_constant=refuse)


def sound(folder: Path) -> None:
    """Whatever model a run's folder holds gives finite logits."""
    strict(folder)
    tokens = torch.tensor([[0, 1, 1, 0, 1]])
    for index in folder.rglob("model.json"):
        model = LanguageModel.load(index.parent)
        assert all(weight.isfinite().all() for weight in model.state_dict().values()), index
        with torch.no_grad():
            assert model(tokens).isfinite().all(), index
    for file in folder.rglob("training.safetensors"):
        assert all(tensor.isfinite().all() for tensor in load_file(file).values()), file


@pytest.mark.parametrize("rate", [1e10, 1e20, 1e30, 1e38, 1e300])
@pytest.mark.parametrize(("evaluate", "checkpoint"), [(1, 1), (9, 1), (1, 9), (2, 3)])
def test_a_run_that_diverges_saves_nothing_that_is_not_finite(tmp_path, rate, evaluate, checkpoint):
    settings = replace(SETTINGS, steps=9, learning_rate=rate, warm_up=0)
    settings = replace(settings, evaluate_every=evaluate, checkpoint_every=checkpoint)
    try:
        train(CONFIG, settings, TASKS["parity"], tmp_path / "run")
    except ValueError as error:
        assert "lower learning rate" in str(error)
    sound(tmp_path / "run")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("what", ["weight", "gradient", "optimizer"])
def test_a_step_that_leaves_what_is_not_finite_is_refused(tmp_path, monkeypatch, value, what):
    """Before it is evaluated and saved, though its loss was finite."""
    out, update, steps = tmp_path / "run", training.update, iter(range(1, 9))

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

    whole = tmp_path / "whole"
    run(whole)
    monkeypatch.setattr(training, "update", spoiling)
    with pytest.raises(ValueError, match="step 4.*not finite.*lower learning rate"):
        run(out)
    monkeypatch.undo()
    sound(out)
    assert [json.loads(x)["step"] for x in (out / "log.jsonl").read_text().splitlines()] == [0, 2]
    run(out)
    assert contents(out) == contents(whole)


def test_a_validation_loss_that_is_not_finite_is_refused(tmp_path, monkeypatch):
    evaluate, losses = training.evaluate, iter([None, None, math.inf])

    def evaluating(*given):
        loss, accuracy = evaluate(*given)
        return next(losses) or loss, accuracy

    monkeypatch.setattr(training, "evaluate", evaluating)
    with pytest.raises(ValueError, match="validation loss of step 4 is inf"):
        run(tmp_path / "run")
    sound(tmp_path / "run")


def test_a_checkpoint_that_holds_what_is_not_finite_is_not_gone_on_from(tmp_path, capsys):
    """Whoever wrote it: its sums are right."""
    out = tmp_path / "run"
    log = run(out)
    model = LanguageModel.load(out / "last")
    model.head.bias.data[0] = math.nan
    model.save(out / "last")
    files = sorted(file for file in (out / "last").iterdir() if file.name != "SHA256SUMS")
    sums = ((hashlib.sha256(file.read_bytes()).hexdigest(), file.name) for file in files)
    (out / "last/SHA256SUMS").write_text("".join(f"{digest}  {name}\n" for digest, name in sums))
    capsys.readouterr()
    assert run(out) == log
    printed = capsys.readouterr().out
    assert "not finite" in printed and "going on after step 4, from previous" in printed


def test_a_warm_start_from_weights_that_are_not_finite_is_refused(tmp_path):
    parallel = replace(CONFIG, model="parallel")
    run(tmp_path / "parallel", config=parallel)
    model = LanguageModel.load(tmp_path / "parallel/best")
    model.core.layers[0].attention.query.weight.data[0, 0] = math.nan
    model.save(tmp_path / "parallel/best")
    with pytest.raises(ValueError, match="parallel.best.*not finite"):
        run(tmp_path / "run", parallel=tmp_path / "parallel/best")
    assert not (tmp_path / "run").exists()


def test_a_source_that_describes_itself_by_what_is_no_json_is_refused(tmp_path):
    class Odd(data.Text):
        def describe(self):
            return {"share": math.nan}

    with pytest.raises(ValueError, match="JSON"):
        train(CONFIG, SETTINGS, Odd(data.Corpus(WORDS, ""), 8), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["learning_rate", "clip", "weight_decay", "lengthen_below"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 10**400])
def test_settings_are_finite(name, value):
    with pytest.raises(ValueError, match=f"{name} is .*finite"):
        Settings(**{"start_length": 2, name: value})


# The best model


def spoil(best: Path, how: str) -> None:
    if how == "folder":
        shutil.rmtree(best)
    elif how == "cut":
        weights = next(best.glob("weights-*"))
        weights.write_bytes(weights.read_bytes()[:-9])
    else:
        next(best.glob(f"{how}*")).unlink()


HOW = ["folder", "cut", "model.json", "weights", "characters.json"]


@pytest.mark.parametrize("how", HOW)
def test_a_best_model_that_was_lost_is_written_again_where_it_is_the_last(tmp_path, capsys, how):
    out = tmp_path / "run"
    settings = replace(SETTINGS, learning_rate=1e-3, evaluate_every=6)
    log = run(out, settings)
    assert log[-1]["validation_loss"] < log[0]["validation_loss"]
    before = contents(out)
    spoil(out / "best", how)
    capsys.readouterr()
    assert run(out, settings) == log
    assert contents(out) == before
    assert "best" in capsys.readouterr().out


@pytest.mark.parametrize("how", HOW)
def test_a_best_model_that_is_lost_for_good_is_said_to_be(tmp_path, monkeypatch, capsys, how):
    out, evaluate, losses = tmp_path / "run", training.evaluate, iter([3.0, 1.0, 2.0, 2.5])
    monkeypatch.setattr(training, "evaluate", lambda *given: (next(losses), 0.5))
    log = run(out)
    monkeypatch.setattr(training, "evaluate", evaluate)
    spoil(out / "best", how)
    capsys.readouterr()
    assert run(out) == log
    assert "best is missing or damaged: it was the model of step 2" in capsys.readouterr().out


def test_a_best_model_lost_while_a_run_goes_on_is_looked_after_at_its_end(
    tmp_path, monkeypatch, capsys
):
    out, update, steps = tmp_path / "run", training.update, iter(range(1, 9))
    losses = iter([3.0, 1.0, 2.0, 2.5])
    monkeypatch.setattr(training, "evaluate", lambda *given: (next(losses), 0.5))

    def losing(*given):
        if next(steps) == 5:
            shutil.rmtree(out / "best")
        return update(*given)

    monkeypatch.setattr(training, "update", losing)
    run(out)
    assert "best is missing or damaged: it was the model of step 2" in capsys.readouterr().out


# Where a run is started


def test_a_run_of_one_dtype_is_not_gone_on_with_in_another(tmp_path, monkeypatch):
    out = tmp_path / "run"
    stopped(out, 3, monkeypatch)
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


def test_a_run_whose_file_says_nothing_of_a_dtype_has_float32(tmp_path, monkeypatch):
    out = tmp_path / "run"
    stopped(out, 3, monkeypatch)
    asked = json.loads((out / "run.json").read_text())
    del asked["dtype"]
    (out / "run.json").write_text(json.dumps(asked))
    assert run(out)[-1]["step"] == 6


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_training_needs_no_gradients_to_be_on_outside(tmp_path, mode):
    log = run(tmp_path / "plain")
    with mode():
        assert run(tmp_path / "run") == log
        assert not torch.is_grad_enabled()
    assert contents(tmp_path / "run") == contents(tmp_path / "plain")
