"""A saved model is the old one or the new one, whatever happens; a bad file says what is wrong."""

import errno
import hashlib
import io
import json
import os
import pickle
import signal
import stat
import time
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace

import pytest
import safetensors.torch
import torch

from feedback import Config, LanguageModel, files, storage

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
        dict(model="parallel", memory_size=3),
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
def test_every_dtype_is_kept(tmp_path, dtype):
    model = model_of(0)
    model.head.to(dtype)
    model.save(tmp_path)
    loaded = LanguageModel.load(tmp_path)
    assert same(loaded, model)
    assert (loaded.embedding.weight.dtype, loaded.head.weight.dtype) == (torch.float32, dtype)


def test_tensors_that_share_memory_or_are_not_contiguous_are_saved(tmp_path):
    model = model_of(0)
    model.head.weight = model.embedding.weight
    attention = model.core.layers[0].attention
    attention.query.weight = torch.nn.Parameter(attention.query.weight.data.T)
    model.save(tmp_path)
    assert same(LanguageModel.load(tmp_path), model)


def test_a_loaded_model_trains_and_takes_the_path_it_is_given(tmp_path):
    model_of(0).save(tmp_path)
    model = LanguageModel.load(tmp_path, path="loop")
    assert model.core.path == "loop"
    assert all(parameter.requires_grad for parameter in model.parameters())
    with pytest.raises(ValueError, match="choose one of"):
        LanguageModel.load(tmp_path, path="fast")


def test_saving_again_leaves_one_model_and_touches_no_other_file(tmp_path):
    mine = {"notes.txt", "weights-epoch3.safetensors"}
    for name in mine:
        (tmp_path / name).write_text("mine")
    for number in range(3):
        model_of(number).save(tmp_path)
    assert same(LanguageModel.load(tmp_path), model_of(2))
    ours = {file.name for file in tmp_path.iterdir()} - mine
    assert len(ours) == 2 and "model.json" in ours


@pytest.fixture
def disk(monkeypatch):
    """What saving asks of the disk, in order; the operation number `fail_at` fails, half done."""
    disk = SimpleNamespace(done=[], fail_at=None)

    def watch(name, operation, half=lambda *arguments: None):
        def watched(*arguments, **options):
            if disk.fail_at == len(disk.done):
                disk.fail_at = None
                half(*arguments)
                raise OSError("no space left on device")
            disk.done.append((name, *arguments))
            return operation(*arguments, **options)

        return watched

    class Stream(io.BufferedWriter):
        def write(self, data):
            whole, half = super().write, lambda data: io.BufferedWriter.write(self, data[:50])
            return watch("write", whole, half)(data)

    def open_stream(path, mode):
        return Stream(io.FileIO(path, mode))

    monkeypatch.setattr(files, "open", watch("open", open_stream), raising=False)
    monkeypatch.setattr(Path, "unlink", watch("unlink", Path.unlink))
    for name in ("fsync", "replace"):
        monkeypatch.setattr(os, name, watch(name, getattr(os, name)))
    return disk


def test_a_name_is_given_only_to_what_is_safely_on_the_disk(tmp_path, disk):
    model_of(1).save(tmp_path)
    old = weights_file(tmp_path)
    disk.done.clear()
    model_of(2).save(tmp_path)
    one_file = ["open", "write", "fsync", "replace", "fsync"]  # the last one is of the folder
    assert [name for name, *_ in disk.done] == one_file * 2 + ["unlink"]
    renamed = [arguments[-1] for name, *arguments in disk.done if name == "replace"]
    assert renamed == [weights_file(tmp_path), tmp_path / "model.json"]
    assert disk.done[-1][1] == old


def test_a_failure_at_any_operation_leaves_the_old_or_the_new_model(tmp_path, disk):
    old, new = model_of(1), model_of(2)
    for operation in range(11):
        folder = tmp_path / str(operation)
        old.save(folder)
        disk.done.clear()
        disk.fail_at = operation
        with pytest.raises(OSError, match="no space left"):
            new.save(folder)
        loaded = LanguageModel.load(folder)
        assert same(loaded, old) or same(loaded, new)
        assert not list(folder.glob(".*"))  # nothing half written is left
        new.save(folder)  # and saving goes on from there
        assert same(LanguageModel.load(folder), new)
        weights_file(folder)


def failing(monkeypatch, name: str, code: str, folders_only: bool = True) -> None:
    """Let `os.fsync` or `os.open` fail, of folders or of all."""
    operation = getattr(os, name)

    def fail(what, *more):
        folder = stat.S_ISDIR((os.fstat if name == "fsync" else os.stat)(what).st_mode)
        if folder or not folders_only:
            raise OSError(getattr(errno, code), os.strerror(getattr(errno, code)))
        return operation(what, *more)

    monkeypatch.setattr(os, name, fail)


NO_SYNC = ["EINVAL", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EACCES", "EPERM", "EBADF", "EISDIR"]


@pytest.mark.parametrize("code", NO_SYNC)
@pytest.mark.parametrize("name", ["fsync", "open"])
def test_a_file_system_that_does_not_sync_folders_keeps_models_all_the_same(
    tmp_path, monkeypatch, name, code
):
    failing(monkeypatch, name, code)
    for number in range(2):
        model_of(number).save(tmp_path / "model")
        assert same(LanguageModel.load(tmp_path / "model"), model_of(number))


@pytest.mark.parametrize("code", ["EINVAL", "ENOTSUP", "ENOSYS"])
def test_a_file_system_that_syncs_nothing_keeps_models_all_the_same(tmp_path, monkeypatch, code):
    failing(monkeypatch, "fsync", code, folders_only=False)
    model_of(0).save(tmp_path / "model")
    assert same(LanguageModel.load(tmp_path / "model"), model_of(0))


@pytest.mark.parametrize("code", ["EIO", "ENOSPC", "EDQUOT"])
@pytest.mark.parametrize("folders_only", [True, False])
def test_a_disk_that_is_full_or_failing_is_no_matter_of_syncing(
    tmp_path, monkeypatch, code, folders_only
):
    model_of(0).save(tmp_path)
    failing(monkeypatch, "fsync", code, folders_only)
    with pytest.raises(OSError, match=os.strerror(getattr(errno, code))):
        model_of(1).save(tmp_path)
    monkeypatch.undo()
    loaded = LanguageModel.load(tmp_path)
    assert same(loaded, model_of(0)) or same(loaded, model_of(1))


def test_a_folder_with_the_name_of_something_unfinished_is_nobodys_business(tmp_path):
    (tmp_path / ".unfinished-checkpoint").mkdir()
    model_of(0).save(tmp_path)
    assert same(LanguageModel.load(tmp_path), model_of(0))
    assert (tmp_path / ".unfinished-checkpoint").exists()


def test_what_a_killed_save_left_is_ignored_and_removed_by_the_next(tmp_path):
    model_of(1).save(tmp_path)
    (tmp_path / ".unfinished-123-model.json").write_bytes(b'{"form')
    assert same(LanguageModel.load(tmp_path), model_of(1))
    model_of(2).save(tmp_path)
    assert not list(tmp_path.glob(".*"))


def test_saved_files_can_be_read_by_whom_the_umask_allows(tmp_path):
    mask = os.umask(0o027)
    try:
        model_of(0).save(tmp_path)
    finally:
        os.umask(mask)
    assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o640}


def save_forever(models, folder, ready):
    ready.set()
    while True:
        for model in models:
            model.save(folder)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_killed_process_leaves_a_readable_model(tmp_path):
    first, second = model_of(1), model_of(2)
    first.save(tmp_path)
    processes = get_context("fork")  # which does not import torch anew
    for kill in range(6):
        ready = processes.Event()
        process = processes.Process(target=save_forever, args=([first, second], tmp_path, ready))
        process.start()
        assert ready.wait(60)
        time.sleep(0.05 + 0.0137 * kill)
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        loaded = LanguageModel.load(tmp_path)
        assert same(loaded, first) or same(loaded, second)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="model.json: missing"):
        LanguageModel.load(tmp_path / "nothing")
    (tmp_path / "a file").write_text("mine")
    with pytest.raises(FileNotFoundError, match="model.json: missing"):
        LanguageModel.load(tmp_path / "a file")
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
        (dict(format=storage.FORMAT + 1), "format 2 is newer than format 1"),
        (dict(format=None), "not written by this package"),
        (dict(format=True), "not written by this package"),
        (dict(format=0), "not written by this package"),
        (dict(config=None), "config, weights or sha256 is missing"),
        (dict(config={"width": 3}), "config is not one this package knows: .*width"),
        (dict(config={"d_model": 7, "heads": 2}), "not divisible"),
        (dict(config={**SIZES, "n_tokens": None}), "not those of its config: n_tokens"),
        (dict(config={**SIZES, "max_distance": 10**13}), "not those of its config: .*attention.r"),
        (dict(weights="../weights-0123456789abcdef.safetensors"), "no name this package gives"),
        (dict(weights=""), "no name this package gives"),
        (dict(sha256="0" * 64), "truncated or changed"),
    ],
)
def test_a_foreign_or_newer_index_is_named(tmp_path, changes, reason):
    model_of(0).save(tmp_path)
    change_index(tmp_path, **changes)
    with pytest.raises(ValueError, match=f"(?s){tmp_path}.*{reason}"):
        LanguageModel.load(tmp_path)


@pytest.mark.parametrize("foreign", [b"[1, 2]", b"\xff\xfe", b'{"hello": 1}', b"[" * 200_000])
def test_a_foreign_json_file_is_named(tmp_path, foreign):
    (tmp_path / "model.json").write_bytes(foreign)
    with pytest.raises(ValueError, match="model.json: (not written|truncated or not JSON)"):
        LanguageModel.load(tmp_path)


def test_weights_of_another_model_are_named(tmp_path):
    model_of(0).save(tmp_path)
    change_index(tmp_path, config={**SIZES, "n_layers": 3})
    with pytest.raises(ValueError, match="weights-.*not those of its config"):
        LanguageModel.load(tmp_path)


def put_weights(folder, data: bytes):
    """Let the index name other data, as somebody who knows the format could."""
    digest = hashlib.sha256(data).hexdigest()
    name = f"weights-{digest[:16]}.safetensors"
    (folder / name).write_bytes(data)
    change_index(folder, weights=name, sha256=digest)


@pytest.mark.parametrize(
    "tensors", [{}, {"head.bias": torch.zeros(7)}, "integers"], ids=["none", "one", "integers"]
)
def test_tensors_that_do_not_make_a_model_are_named(tmp_path, tensors):
    model = model_of(0)
    model.save(tmp_path)
    if tensors == "integers":
        tensors = {name: tensor.int() for name, tensor in model.state_dict().items()}
    put_weights(tmp_path, safetensors.torch.save(tensors))
    with pytest.raises(ValueError, match="(?s)weights-.*not those of its config"):
        LanguageModel.load(tmp_path)


def test_a_pickle_is_not_opened(tmp_path):
    """A weights file that would run code when unpickled is refused, and nothing runs."""

    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    model_of(0).save(tmp_path)
    put_weights(tmp_path, pickle.dumps(Trap()))
    with pytest.raises(ValueError, match="not a safetensors file"):
        LanguageModel.load(tmp_path)
    assert not (tmp_path / "sprung").exists()


def test_a_save_between_the_reading_of_two_files_does_no_harm(tmp_path, monkeypatch):
    model_of(1).save(tmp_path)
    parse = storage.parse_index

    def parse_and_be_overtaken(file):
        index = parse(file)
        monkeypatch.setattr(storage, "parse_index", parse)
        model_of(2).save(tmp_path)
        return index

    monkeypatch.setattr(storage, "parse_index", parse_and_be_overtaken)
    assert same(LanguageModel.load(tmp_path), model_of(2))


def test_a_folder_that_is_a_file_is_refused_and_kept(tmp_path):
    file = tmp_path / "model"
    file.write_text("mine")
    with pytest.raises(FileExistsError):
        model_of(0).save(file)
    assert file.read_text() == "mine"
