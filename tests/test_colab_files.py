"""Notebooks that carry their package: what is in them, and what their first cell does."""

import base64
import io
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import colab_files
import pytest

ROOT = Path(__file__).resolve().parents[1]
CELL = (ROOT / "book" / "carried_cell.py").read_text("utf-8")


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, Path]:
    written = colab_files.write_all(tmp_path_factory.mktemp("colab"))
    return {file.stem: file for file in written}


def cells_of(file: Path) -> list[dict]:
    return json.loads(file.read_text("utf-8"))["cells"]


def archive_in(file: Path) -> zipfile.ZipFile:
    source = "".join(cells_of(file)[0]["source"])
    data = re.search(r'"""\n([\w+/=\n]+)"""', source)[1]
    return zipfile.ZipFile(io.BytesIO(base64.b64decode(data)))


def test_only_the_first_cell_is_another(files):
    assert {*files} == {file.stem for file in (ROOT / "notebooks").glob("*.ipynb")}
    for name, file in files.items():
        first, *others = cells_of(file)
        short, *chapter = cells_of(ROOT / "notebooks" / f"{name}.ipynb")
        assert others == chapter
        assert first["metadata"] == short["metadata"] and first["source"] != short["source"]


def test_a_file_is_small_and_holds_what_its_chapter_opens(files):
    for name, file in files.items():
        models = colab_files.OPENED.get(name, ())
        reads_text = bool({"feedback-kv", "parallel"} & {*models})
        assert file.stat().st_size < (8e6 if reads_text else 2e6)
        held = archive_in(file).namelist()
        assert "feedback/__init__.py" in held and "feedback/results/length-s3.json" in held
        folders = {str(Path(one).parent) for one in held if one.endswith(".safetensors")}
        assert bool(folders) == bool(models)
        for model in models:
            assert any(Path(one).match(f"feedback/pretrained/{model}") for one in folders)


def tiny_cell(tmp_path: Path) -> str:
    """The first cell with a package that says where it was imported from."""
    package = tmp_path / "root" / "feedback"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("def begin_chapter(): print(__file__)\n")
    archive = colab_files.package(tmp_path / "root", ())
    notebook = json.dumps({"cells": [{"source": []}]})
    return "".join(json.loads(colab_files.carrying(notebook, CELL, archive))["cells"][0]["source"])


def run(code: str, folder: Path, **variables: str) -> subprocess.CompletedProcess:
    """In a fresh interpreter that unpacks into `folder`."""
    kept = {name: os.environ[name] for name in ("SYSTEMROOT", "PATH") if name in os.environ}
    variables = kept | {"TMPDIR": str(folder), "TEMP": str(folder)} | variables
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, env=variables, cwd=folder)


def test_the_cell_unpacks_once_for_the_kernel_and_for_what_it_starts(tmp_path):
    other = tmp_path / "other"
    (other / "feedback").mkdir(parents=True)
    (other / "feedback/__init__.py").write_text("SOMEBODY_ELSES = True\n")
    cell, place = tiny_cell(tmp_path), tmp_path / "place"
    place.mkdir()
    starts = "subprocess.run([sys.executable, '-c', 'import feedback; print(feedback.__file__)'])"
    code = f"import feedback\nassert feedback.SOMEBODY_ELSES\n{cell}\n{cell}\n"
    done = run(f"{code}sys.stdout.flush()\n{starts}\n", place, PYTHONPATH=str(other))
    assert done.stderr == ""
    (unpacked,) = place.glob("feedback-*/feedback/__init__.py")
    assert [Path(line) for line in done.stdout.splitlines()] == [unpacked] * 3


def test_a_damaged_file_says_so_and_unpacks_nothing(tmp_path):
    cell, place = tiny_cell(tmp_path), tmp_path / "place"
    place.mkdir()
    done = run(cell.replace("\nUEsD", "\nUEsE", 1), place)
    assert re.search(r"^AssertionError: This notebook was damaged", done.stderr, re.MULTILINE)
    assert [*place.iterdir()] == []


def test_a_model_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="no weights lie in feedback/pretrained/none"):
        colab_files.package(ROOT, ("none",))
