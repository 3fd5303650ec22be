"""A saved model is the old one or the new one, whatever happens; a bad file says what is wrong."""

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from feedback import Config, LanguageModel, storage

SIZES = dict(n_tokens=7, d_model=8, heads=2, n_layers=2, d_ff=8, max_distance=4)


def model_of(number, **more):
    torch.manual_seed(number)
    return LanguageModel(Config(**{**SIZES, **more}))


def same(left, right):
    return left.config == right.config and all(
        torch.equal(a, b)
        for a, b in zip(left.state_dict().values(), right.state_dict().values(), strict=True)
    )


def weights_file(folder) -> Path:
    (file,) = folder.glob("weights-*.safetensors")
    return file


@pytest.mark.parametrize(
    "more",
    [
        dict(model="parallel"),
        dict(model="feedback"),
        dict(memory_size=3),
        dict(memory_mixture=[0.25, 0.25, 0.5]),
        dict(dropout=0.1),
    ],
)
def test_loading_gives_back_what_was_saved(tmp_path, more):
    model = model_of(0, **more)
    model.save(tmp_path / "deep" / "folder")
    loaded = LanguageModel.load(tmp_path / "deep" / "folder")
    assert same(loaded, model) and not loaded.training


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_the_dtype_is_kept(tmp_path, dtype):
    model = model_of(0).to(dtype)
    model.save(tmp_path)
    assert same(LanguageModel.load(tmp_path), model)


def test_saving_again_leaves_one_model_and_touches_no_other_file(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    for number in range(3):
        model_of(number).save(tmp_path)
    assert same(LanguageModel.load(tmp_path), model_of(2))
    weights_file(tmp_path)
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("operation", ["mkstemp", "fdopen", "fsync", "replace", "open", "unlink"])
def test_a_failure_at_any_operation_leaves_the_old_or_the_new_model(
    tmp_path, monkeypatch, operation
):
    """Fail at the first, second, ... use of every system call that saving makes."""
    old, new = model_of(1), model_of(2)
    place = {"mkstemp": storage.tempfile, "unlink": Path}.get(operation, os)
    original = getattr(place, operation)
    failures = 0
    for fatal_use in range(10):
        folder = tmp_path / str(fatal_use)
        old.save(folder)
        uses = 0

        def failing(*args, _fatal_use=fatal_use, **kwargs):
            nonlocal uses
            uses += 1
            if uses == _fatal_use + 1:
                raise OSError("no space left on device")
            return original(*args, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr(place, operation, failing)
            try:
                new.save(folder)
            except OSError:
                failures += 1
        loaded = LanguageModel.load(folder)
        assert same(loaded, old) or same(loaded, new)
        new.save(folder)  # and saving goes on from there
        assert same(LanguageModel.load(folder), new)
        if uses <= fatal_use:
            break
    assert failures > 0


SAVE_FOREVER = """
import sys, torch
sys.path.insert(0, sys.argv[2])
from test_storage import model_of
models = [model_of(1), model_of(2)]
print("ready", flush=True)
while True:
    for model in models:
        model.save(sys.argv[1])
"""


def test_a_killed_process_leaves_a_readable_model(tmp_path):
    first, second = model_of(1), model_of(2)
    first.save(tmp_path)
    for kill in range(6):
        process = subprocess.Popen(
            [sys.executable, "-c", SAVE_FOREVER, str(tmp_path), str(Path(__file__).parent)],
            stdout=subprocess.PIPE,
        )
        process.stdout.readline()
        time.sleep(0.05 + 0.0137 * kill)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        loaded = LanguageModel.load(tmp_path)
        assert same(loaded, first) or same(loaded, second)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="model.json: missing"):
        LanguageModel.load(tmp_path / "nothing")
    model_of(0).save(tmp_path)
    file = weights_file(tmp_path)
    file.unlink()
    with pytest.raises(FileNotFoundError, match=f"{file.name}: missing"):
        LanguageModel.load(tmp_path)


def test_truncated_files_are_named(tmp_path):
    model_of(0).save(tmp_path)
    for file in (weights_file(tmp_path), tmp_path / "model.json"):
        whole = file.read_bytes()
        for size in (0, 1, len(whole) // 2, len(whole) - 2):
            file.write_bytes(whole[:size])
            with pytest.raises(ValueError, match=f"{file.name}: (truncated|not written)"):
                LanguageModel.load(tmp_path)
        file.write_bytes(whole)
    LanguageModel.load(tmp_path)


def change_index(folder, **changes):
    file = folder / "model.json"
    index = json.loads(file.read_text())
    file.write_text(json.dumps({**index, **changes}))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (dict(format=99), "format 99 is newer than format 1"),
        (dict(format=None), "not written by this package"),
        (dict(config=None), "config, weights or sha256 is missing"),
        (dict(config={"width": 3}), "config is not one this package knows: .*width"),
        (dict(config={"d_model": 7, "heads": 2}), "not divisible"),
        (dict(weights="../elsewhere.safetensors"), "in the same folder"),
        (dict(sha256="0" * 64), "truncated or changed"),
    ],
)
def test_a_foreign_or_newer_index_is_named(tmp_path, changes, reason):
    model_of(0).save(tmp_path)
    change_index(tmp_path, **changes)
    with pytest.raises(ValueError, match=f"{tmp_path}.*{reason}"):
        LanguageModel.load(tmp_path)


@pytest.mark.parametrize("foreign", [b"[1, 2]", b"\xff\xfe", b'{"hello": 1}'])
def test_a_foreign_json_file_is_named(tmp_path, foreign):
    (tmp_path / "model.json").write_bytes(foreign)
    with pytest.raises(ValueError, match="model.json: (not written|truncated or not JSON)"):
        LanguageModel.load(tmp_path)


def test_weights_of_another_model_are_named(tmp_path):
    model_of(0).save(tmp_path)
    change_index(tmp_path, config={**SIZES, "n_layers": 3})
    with pytest.raises(ValueError, match="weights-.*not those of its config"):
        LanguageModel.load(tmp_path)


def test_a_pickle_is_not_opened(tmp_path):
    """A weights file that would run code when unpickled is refused, and nothing runs."""
    import hashlib

    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    model_of(0).save(tmp_path)
    file = weights_file(tmp_path)
    file.write_bytes(pickle.dumps(Trap()))
    change_index(tmp_path, sha256=hashlib.sha256(file.read_bytes()).hexdigest())
    with pytest.raises(ValueError, match="not a safetensors file"):
        LanguageModel.load(tmp_path)
    assert not (tmp_path / "sprung").exists()


def test_a_folder_that_is_a_file_is_refused_and_kept(tmp_path):
    file = tmp_path / "model"
    file.write_text("mine")
    with pytest.raises(FileExistsError):
        model_of(0).save(file)
    assert file.read_text() == "mine"
