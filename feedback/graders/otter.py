"""otter-grader: a notebook of exercises, and beside it a folder with a test file an exercise.

The tests are files and no metadata, so that they are found on Colab too.
Source: otter-grader's exception-based test files.
"""

from __future__ import annotations

from pathlib import Path

from feedback.graders.chapters import Asked, Chapter
from feedback.graders.notebooks import Cells, code, write_notebook

BEGIN = """\
# %pip install -q otter-grader  (without the first mark, where it is missing)
import otter

grader = otter.Notebook(tests_dir="tests")
"""
TEST = """\
from otter.test_files import test_case

OK_FORMAT = False
name = "{id}"


@test_case(points={points}, name="Exercise {number}")
def test_exercise({name}):
    from feedback.graders.grading import grade

    grade("{number}", {name})
"""


def export(chapters: list[Chapter], out: Path) -> None:
    """Write a folder for each chapter."""
    for chapter in chapters:
        folder = out / chapter.file
        write_notebook(folder / f"{chapter.file}.ipynb", chapter, BEGIN, answer)
        (folder / "tests").mkdir(exist_ok=True)
        for asked in chapter.exercises:
            (folder / "tests" / f"{asked.id}.py").write_text(test(asked), "utf-8")


def answer(asked: Asked) -> Cells:
    """The cells in which an exercise is answered and checked."""
    yield code(asked.id, asked.stub.source)
    yield code(f"{asked.id}-check", f'grader.check("{asked.id}")')


def test(asked: Asked) -> str:
    """The test file of an exercise."""
    return TEST.format(id=asked.id, points=asked.points, number=asked.number, name=asked.stub.name)
