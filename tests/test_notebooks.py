"""The notebooks as they are stored, and the tool that keeps them in line with the package."""

import json
import os
import re
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
import rehearse
import sync
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SET_UP = sync.first_cell(ROOT, address="")


def cells(path: Path) -> list[dict]:
    return json.loads(path.read_text())["cells"]


# The book's own notebooks


def test_notebooks_are_stored_without_outputs():
    for path in NOTEBOOKS:
        for cell in cells(path):
            assert not cell.get("outputs") and not cell.get("execution_count"), path.name


def test_every_notebook_begins_with_the_same_short_set_up():
    first = [cells(path)[0] for path in NOTEBOOKS]
    assert len({"".join(cell["source"]) for cell in first}) == 1
    assert len(first[0]["source"]) <= 12
    assert all(cell["metadata"] == sync.SET_UP_METADATA for cell in first)


def test_everything_written_down_twice_agrees():
    assert sync.main(["--check"]) == 0


def test_all_cells_but_the_set_up_are_formatted(tmp_path):
    for path in NOTEBOOKS:
        notebook = json.loads(path.read_text())
        notebook["cells"][0]["source"] = []
        (tmp_path / path.name).write_text(json.dumps(notebook))
    command = ["-m", "ruff", "format", "--diff", "--config", ROOT / "pyproject.toml", tmp_path]
    ruff = subprocess.run([sys.executable, *command], capture_output=True, text=True)
    assert ruff.returncode == 0, ruff.stdout + ruff.stderr


def test_every_exercise_has_a_solution_that_can_be_handed_in():
    for path in NOTEBOOKS:
        asked = sum("".join(cell["source"]).count("**Exercise ") for cell in cells(path))
        handed_in = json.loads(rehearse.solved(path.read_text()))["cells"]
        assert len(handed_in) - len(cells(path)) == asked > 0, path.name


# The set-up cell: what it does without pip and network. tests/colab rehearses the rest.


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


# The tool, on a small book

PACKAGE = '''\
"""Attention."""

import math

SCALE = 2.0  # of the scores


# The root keeps the scores from growing with the width.
@torch.jit.ignore
def scores(query, key, scale=SCALE):
    """One score a key.

    More on that.
    """

    # A comment.
    text = """not
    a docstring"""
    return query @ key / math.sqrt(scale)


class Head:
    """One head."""

    size = 3

    def read(self, x):
        """Read `x`."""
        return x


def only_words():
    """Nothing to do."""


def _private():
    pass
'''
STUBS = """\
# feedback/attention.py
def only_words(): ...
class Head: pass
SCALE = ...
def scores(): ..."""
FILLED = '''\
# feedback/attention.py
def only_words():
    ...


class Head:
    size = 3

    def read(self, x):
        return x


SCALE = 2.0  # of the scores


# The root keeps the scores from growing with the width.
@torch.jit.ignore
def scores(query, key, scale=SCALE):
    # A comment.
    text = """not
    a docstring"""
    return query @ key / math.sqrt(scale)'''


def code(source: str, **more) -> dict:
    empty = {"metadata": {}, "outputs": [], "execution_count": None}
    return {"cell_type": "code", **empty, "source": source, **more}


class Book:
    """A book of one notebook in a folder of its own."""

    def __init__(self, root: Path):
        self.root, self.notebook = root, root / "notebooks/01-a.ipynb"
        files = {
            "book/first_cell.py": (ROOT / "book/first_cell.py").read_text(),
            "feedback/attention.py": PACKAGE,
            "feedback/fast/weights.py": "def fold(): ...\n",
            "feedback/widgets/base.py": "def draw(): ...\n",
            "_config.yml": "title: A book\n",
            "_toc.yml": "{format: jb-book, root: intro, chapters: [{file: notebooks/01-a}]}\n",
            "README.md": "<!-- chapters -->\n<!-- /chapters -->\n",
            "CITATION.cff": "title: A book\n",
            "pyproject.toml": "[project]\n",
        }
        for name, text in files.items():
            (root / name).parent.mkdir(exist_ok=True, parents=True)
            (root / name).write_text(text)
        self.notebook.parent.mkdir()

    def write(self, *cells: dict, minor: int = 5, **metadata) -> None:
        title = {"cell_type": "markdown", "metadata": {}, "source": "# 1 · A | B"}
        notebook = {"nbformat": 4, "nbformat_minor": minor, "metadata": metadata}
        self.notebook.write_text(json.dumps(notebook | {"cells": [title, *cells]}))

    def cells(self) -> list[dict]:
        return json.loads(self.notebook.read_text())["cells"]

    def last_source(self) -> str:
        return "".join(self.cells()[-1]["source"])

    def files(self) -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in self.root.rglob("*") if path.is_file()}

    def sync(self, *arguments: str) -> int:
        return sync.main(list(arguments), self.root)


@pytest.fixture
def book(tmp_path) -> Book:
    return Book(tmp_path)


def test_stubs_are_filled_in_from_the_package(book):
    book.write(code(STUBS))
    assert book.sync("--check") == 1
    assert book.sync() == 0
    assert book.last_source() == FILLED
    assert book.sync("--check") == 0
    before = book.files()
    assert book.sync() == 0
    assert book.files() == before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# A comment.", "# Another comment."),
        ("# The root", "# A root"),
        ("x):\n        return x", "y):\n        return y"),
        ("scale=SCALE", "scale=1.0"),
        ("@torch.jit.ignore\n", ""),
        ("not\n", "not\n\n"),
        ("2.0  # of the scores", "2.0"),
        ("size = 3", "size = 3\n    # more"),
    ],
)
def test_a_cell_that_differs_from_the_package_is_reported_and_mended(book, capsys, old, new):
    assert FILLED.count(old) == 1
    book.write(code(FILLED.replace(old, new)))
    assert book.sync("--check") == 1
    assert "notebooks/01-a.ipynb" in capsys.readouterr().out
    assert book.sync() == 0
    assert book.last_source() == FILLED


def test_docstrings_may_differ(book):
    own = FILLED.replace("x):\n", 'x):\n        """Say it\n\n        shorter."""\n')
    own = own.replace("    ...", '    """Nothing."""').replace("Head:\n", 'Head:\n    """A."""\n\n')
    book.write(code(own))
    book.sync()
    package = book.root / "feedback/attention.py"
    package.write_text(PACKAGE.replace("One score a key.", "A score for every key."))
    assert book.sync("--check") == 0
    assert book.last_source() == own


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("# feedback/attention.py\ndef nowhere(): ...", "does not define nowhere"),
        ("# feedback/nowhere.py\ndef scores(): ...", "no feedback/nowhere.py"),
        (FILLED + "\n\nprint(SCALE)", "nothing else"),
        ("# feedback/attention.py\n%time scores()", "not plain Python"),
        ("import math\n\n\nclass Head:\n    pass", "defines Head too"),
        ("%matplotlib inline\n\nasync def scores(): ...", "defines scores too"),
        ("def fold(): ...", "feedback/fast/weights.py defines fold too"),
    ],
)
def test_what_cannot_be_mended_is_named_and_nothing_is_written(book, capsys, source, message):
    book.write(code(STUBS), code(source))
    before = book.files()
    assert book.sync() == book.sync("--check") == 1
    assert re.search(rf"01-a\.ipynb: cell 3 .*{message}", capsys.readouterr().err)
    assert book.files() == before


def test_another_form_on_purpose_is_tagged(book):
    unmarked = code("def _private(): ...\n\n\ndef draw(): ...")  # no chapter builds a widget
    book.write(code("class Head: ...", metadata={"tags": ["differs"]}), unmarked)
    assert book.sync() == book.sync("--check") == 0


def test_only_what_readers_and_the_book_need_is_stored(book):
    kept = {"tags": ["hide-input"], "mystnb": {"figure": {"name": "fig-a"}}}
    outputs = [{"output_type": "stream", "name": "stdout", "text": "1"}]
    cell = code("1", metadata={**kept, "execution": {}, "id": "x"}, outputs=outputs)
    book.write(cell | {"execution_count": 7}, minor=4, colab={"provenance": []})
    book.sync()
    last = book.cells()[-1]
    assert (last["metadata"], last["outputs"], last["execution_count"]) == (kept, [], None)
    stored = json.loads(book.notebook.read_text())
    assert stored["metadata"] == sync.NOTEBOOK_METADATA and stored["nbformat_minor"] == 5
    assert book.sync("--check") == 0


def test_the_set_up_cell_comes_first_and_keeps_its_id(book):
    book.write(code("1"))
    book.sync()
    assert [cell["cell_type"] for cell in book.cells()] == ["code", "markdown", "code"]
    book.write(code("#@title Set up (an older form)", id="own"), code("1"))
    book.sync()
    set_up, title, rest = book.cells()
    assert ("".join(set_up["source"]), set_up["id"]) == (SET_UP, "own")
    assert set_up["metadata"] == sync.SET_UP_METADATA


def test_the_readme_lists_the_chapters_by_their_headings(book):
    book.write(code("1"))
    book.sync()
    assert "| 1 | [A \\| B](notebooks/01-a.ipynb) |\n" in (book.root / "README.md").read_text()
