"""The set-up cell: what it does without pip and network. tests/colab rehearses the rest."""

import os
import re
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
import sync
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
SET_UP = sync.first_cell(ROOT, address="")


def run_set_up(folder: Path, package: str | None) -> subprocess.CompletedProcess:
    """Run the cell twice in an interpreter that sees the standard library and `package` only."""
    if package is not None:
        (folder / "feedback").mkdir()
        (folder / "feedback/__init__.py").write_text(package)
    cell = f"import sys; sys.path.insert(0, {str(folder)!r})\n{SET_UP}\n{SET_UP}"
    command = [sys.executable, "-I", "-S", "-c", cell]
    needed = {name: os.environ[name] for name in ["SYSTEMROOT"] if name in os.environ}  # by Windows
    return subprocess.run(command, capture_output=True, text=True, env=needed, cwd=folder)


def test_set_up_leaves_the_right_package_alone(tmp_path):
    run = run_set_up(tmp_path, "def begin_chapter(): print('begun')")
    assert (run.stdout, run.stderr) == ("begun\nbegun\n", "")


@pytest.mark.parametrize("package", [None, "'Another package of that name.'"])
def test_set_up_says_what_to_do_without_an_address(tmp_path, package):
    error = run_set_up(tmp_path, package).stderr
    assert re.search(r"^AssertionError: Set FEEDBACK_BOOK_SOURCE .*\n\Z", error, re.MULTILINE)


LISTED = """\
plain==1.0
Two.Words_and-more==2!1.0.post1
ahead==2.0rc1.dev3
torch==2.1.0+cu118
labelled==1.0+ubuntu.1
WARNING: Ignoring invalid distribution ~orch
-lxc==1.0
-e git+https://example.org/e.git#egg=edited
edited @ file:///home/reader/edited
# a remark==1.0
../local==1.0
~orch==2.0
ends-==1.0
naïve==1.0
two words==1.0
extra[all]==1.0
legacy==1.0-custom
built==1.1build1
revised==1.0.dev-r33
unknown==unknown
without==
raw===2004d
told==1.0 /usr/lib/python3/dist-packages

last==3
"""
READABLE = {
    *("plain==1.0", "Two.Words_and-more==2!1.0.post1", "ahead==2.0rc1.dev3", "torch==2.1.0+cu118"),
    *("labelled==1.0+ubuntu.1", "told==1.0", "last==3"),
}
PIP = """\
import os, pathlib, sys
if "list" in sys.argv:
    sys.stdout.buffer.write({listed!r})
print("WARNING: there is a newer==9.0 pip", file=sys.stderr)
if "install" in sys.argv:
    kept = pathlib.Path(sys.argv[sys.argv.index("-c") + 1]).read_text()
    pathlib.Path("kept").write_text(kept)
    pathlib.Path("source").write_text(sys.argv[-1])
    package = pathlib.Path({packages!r}, "feedback")
    package.mkdir()
    (package / "__init__.py").write_text("def begin_chapter(): print('begun')")
"""


def environment(folder: Path, with_pip: bool) -> tuple[Path, Path]:
    """An interpreter with packages of its own, from which pip may remove any, and their folder."""
    venv.create(folder, with_pip=with_pip, symlinks=True)
    return folder / "bin/python", next(folder.glob("lib/python*/site-packages"))


@pytest.mark.skipif(os.name == "nt", reason="an environment looks otherwise here")
def test_set_up_holds_pip_to_the_lines_that_pip_can_read(tmp_path):
    """A stand-in for pip lists what environments hold."""
    python, packages = environment(tmp_path / "env", with_pip=False)
    (packages / "pip").mkdir()
    (packages / "pip/__init__.py").touch()
    stand_in = PIP.format(listed=LISTED.encode(), packages=str(packages))
    (packages / "pip/__main__.py").write_text(stand_in)
    variables = {"HOME": "/home/reader", "FEEDBACK_BOOK_SOURCE": "~/a book's $folder"}
    command = [python, "-I", "-c", SET_UP]
    run = subprocess.run(command, capture_output=True, text=True, env=variables, cwd=tmp_path)
    assert (run.returncode, run.stdout) == (0, "begun\n"), run.stderr
    kept = (tmp_path / "kept").read_text().splitlines()
    assert len(kept) == len(READABLE) and {str(Requirement(line)) for line in kept} == READABLE
    assert (tmp_path / "source").read_text() == "/home/reader/a book's $folder"


@pytest.mark.slow
def test_set_up_installs_beside_packages_that_pip_cannot_read(tmp_path):
    """With pip itself."""
    python, packages = environment(tmp_path / "env", with_pip=True)
    held = {"-lxc": "1.0", "built": "1.1build1", "local": "2.1+cu118", "old": "1.0.dev-r33"}
    for name, version in held.items():
        folder = packages / f"{name.strip('-')}-{version}.dist-info"
        folder.mkdir()
        text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        (folder / "METADATA").write_text(text)
    wheel = tmp_path / "feedback_transformer_book-1.0-py3-none-any.whl"
    metadata = "feedback_transformer_book-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("feedback/__init__.py", "def begin_chapter(): print('begun')")
        archive.writestr(f"{metadata}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(
            f"{metadata}/METADATA",
            "Metadata-Version: 2.1\nName: feedback-transformer-book\nVersion: 1.0\n"
            "Requires-Dist: local\n",
        )
        archive.writestr(f"{metadata}/RECORD", "")
    variables = {"FEEDBACK_BOOK_SOURCE": str(wheel), "PIP_NO_INDEX": "1", "PIP_VERBOSE": "1"}
    command = [python, "-I", "-c", SET_UP]
    run = subprocess.run(command, capture_output=True, text=True, env=variables, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    assert run.stdout.endswith("begun\n")
