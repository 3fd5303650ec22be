"""nbgrader: a course folder whose source notebooks hold the book's solutions between its marks.

`nbgrader generate_assignment NAME` makes the students' notebooks of them.
Source: nbgrader's metadata of cells, schema 3.
"""

from __future__ import annotations

from pathlib import Path

from feedback.graders.chapters import Asked, Chapter
from feedback.graders.notebooks import Cells, code, write_notebook

CONFIG = """\
c = get_config()
c.CourseDirectory.course_id = "feedback-transformer"
# Beneath a stub of the book's nothing has to be said in place of the solution.
c.ClearSolutions.code_stub = {"python": ""}
"""
SOLUTION = """\
{stub}

### BEGIN SOLUTION
{solution}

{name} = {own}
### END SOLUTION
"""
TEST = """\
from feedback.graders.grading import grade

grade("{number}", {name})
"""


def export(chapters: list[Chapter], out: Path) -> None:
    """Write a course folder with an assignment for each chapter."""
    for chapter in chapters:
        folder = out / "source" / chapter.file
        write_notebook(folder / f"{chapter.file}.ipynb", chapter, "", answer)
    (out / "nbgrader_config.py").write_text(CONFIG, "utf-8")


def answer(asked: Asked) -> Cells:
    """The cell that students fill in, and the one that grades it."""
    solved = SOLUTION.format(
        stub=asked.stub.source,
        solution=asked.solution.source,
        name=asked.stub.name,
        own=asked.solution.name,
    )
    graded = TEST.format(number=asked.number, name=asked.stub.name)
    yield code(asked.id, solved, nbgrader=metadata(asked.id, solution=True))
    test = metadata(f"test_{asked.id}", grade=True, locked=True) | {"points": asked.points}
    yield code(f"{asked.id}-test", graded, nbgrader=test)


def metadata(grade_id: str, **is_so: bool) -> dict:
    """What nbgrader reads of a cell."""
    kinds = {"grade": False, "solution": False, "locked": False, "task": False}
    return {"schema_version": 3, "grade_id": grade_id} | kinds | is_so
