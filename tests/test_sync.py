"""The tool that keeps notebooks in line with the package, on a small book."""

import json
import re
from pathlib import Path

import pytest
import sync

ROOT = Path(__file__).resolve().parents[1]
SET_UP = sync.first_cell(ROOT, address="")

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
            "book/intro.md": "- **A** ( minutes). Whole: [1](../notebooks/01-a.ipynb).\n",
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


def test_a_class_may_be_shown_in_part(book):
    head, filled = "# feedback/attention.py: Head\n", "def read(self, x):\n    return x"
    book.write(code(head + "def read(): ..."))
    assert book.sync("--check") == 1
    assert book.sync() == 0
    assert book.last_source() == head + filled
    own = head + filled.replace("x):\n", 'x):\n    """Read it: (B, T, d) -> same."""\n')
    book.write(code(own))
    assert book.sync() == book.sync("--check") == 0
    assert book.last_source() == own
    package = book.root / "feedback/attention.py"
    package.write_text(PACKAGE.replace("        return x\n", "        return 2 * x\n"))
    assert book.sync("--check") == 1


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("# feedback/attention.py\ndef nowhere(): ...", "does not define nowhere"),
        ("# feedback/attention.py: Head\ndef scores(): ...", "py: Head does not define scores"),
        ("# feedback/attention.py: Tail\ndef read(): ...", "py: Tail does not define read"),
        ("# feedback/attention.py: scores\ndef read(): ...", "scores does not define read"),
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


def test_a_chapter_of_two_files_has_two_rows(book):
    book.write(code("1"))
    second = book.root / "notebooks/01b-c.ipynb"
    second.write_text(book.notebook.read_text().replace("# 1 ", "# 1b ").replace("A | B", "C"))
    toc = "{root: intro, chapters: [{file: notebooks/01-a}, {file: notebooks/01b-c}]}\n"
    (book.root / "_toc.yml").write_text(toc)
    assert book.sync() == 0
    readme = (book.root / "README.md").read_text()
    assert readme.index("| 1 | [A") < readme.index("| 1b | [C](notebooks/01b-c.ipynb) |\n")


SHORT = """\
*Short path: section "One" and exercise 1.1.*

## One

**Exercise 1.1 · A** (easy, 7 minutes)."""


def test_the_minutes_of_short_paths_and_of_readers_paths_are_written(book):
    book.write({"cell_type": "markdown", "metadata": {}, "source": SHORT})
    assert book.sync("--check") == 1
    assert book.sync() == 0
    assert book.last_source() == SHORT.replace("path:", "path, 7 minutes:")
    intro = (book.root / "book/intro.md").read_text()
    assert intro == "- **A** (7 minutes). Whole: [1](../notebooks/01-a.ipynb).\n"
    assert book.sync("--check") == 0


def test_a_short_path_that_names_no_section_is_an_error_and_nothing_is_written(book, capsys):
    wrong = SHORT.replace('"One"', '"Two"')
    book.write({"cell_type": "markdown", "metadata": {}, "source": wrong})
    before = book.files()
    assert book.sync() == book.sync("--check") == 1
    message = 'notebooks/01-a.ipynb: short path: "Two" is no section of this chapter; it has One'
    assert message in capsys.readouterr().err
    assert book.files() == before
