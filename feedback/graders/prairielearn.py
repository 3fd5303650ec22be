"""PrairieLearn: a folder with an externally graded question for each exercise.

They run in an image that is made from prairielearn/grader-python with this package installed.
Source: PrairieLearn's Python grader.
"""

from __future__ import annotations

import ast
import json
import uuid
from pathlib import Path

from feedback.graders.chapters import Asked, Chapter

IMAGE = "feedback-transformer/grader-python"
QUESTION = """\
<pl-question-panel>
<markdown>
{text}
</markdown>
<pl-external-grader-variables params-name="names_from_user"></pl-external-grader-variables>
</pl-question-panel>
<pl-file-editor file-name="user_code.py" ace-mode="ace/mode/python"
  source-file-name="initial.py"></pl-file-editor>
<pl-submission-panel>
<pl-external-grader-results></pl-external-grader-results>
<pl-file-preview></pl-file-preview>
</pl-submission-panel>
"""
SERVER = """\
def generate(data):
    data["params"]["names_for_user"] = [
        {{"name": name, "description": "defined in the chapter", "type": "Python"}}
        for name in {given}
    ]
    data["params"]["names_from_user"] = [
        {{"name": "{name}", "description": "your answer", "type": "Python"}}
    ]
"""
TEST = """\
from code_feedback import Feedback
from pl_helpers import name, points
from pl_unit_test import PLTestCase

from feedback.graders.grading import Mistake, grade


class Test(PLTestCase):
    @points({points})
    @name("Exercise {number}")
    def test_exercise(self):
        try:
            grade("{number}", getattr(self.st, "{answer}", None))
        except Mistake as mistake:
            Feedback.add_feedback(str(mistake))
            Feedback.set_score(0)
        else:
            Feedback.set_score(1)
"""
DOCKERFILE = """\
# docker build -t {image} .   with the package's wheel in this folder
FROM prairielearn/grader-python
COPY *.whl /
RUN pip install --no-cache-dir /*.whl
"""


def export(chapters: list[Chapter], out: Path) -> None:
    """Write a question for each exercise, and what makes the image that grades them."""
    for chapter in chapters:
        for asked in chapter.exercises:
            folder = out / "questions" / "feedback-transformer" / asked.id
            for name, text in question(chapter, asked).items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_text(text, "utf-8")
    image = out / "image" / "Dockerfile"
    image.parent.mkdir(parents=True, exist_ok=True)
    image.write_text(DOCKERFILE.format(image=IMAGE), "utf-8")


def question(chapter: Chapter, asked: Asked) -> dict[str, str]:
    """The files of a question, each name with its text."""
    before = "\n\n".join(filter(None, (chapter.before, asked.given)))
    info = {
        "uuid": str(uuid.uuid5(uuid.NAMESPACE_URL, f"feedback-transformer-book/{asked.number}")),
        "title": f"{asked.number} {asked.title}",
        "topic": chapter.title,
        "type": "v3",
        "gradingMethod": "External",
        "externalGradingOptions": {
            "enabled": True,
            "image": IMAGE,
            "entrypoint": "/python_autograder/run.sh",
            "timeout": 120,  # seconds
        },
    }
    answer, solution = asked.stub.name, asked.solution
    return {
        "info.json": json.dumps(info, indent=2) + "\n",
        "question.html": QUESTION.format(text=asked.text),
        "server.py": SERVER.format(given=names(before), name=answer),
        "initial.py": asked.stub.source,
        "tests/setup_code.py": before + "\n",
        "tests/ans.py": f"{solution.source}\n\n{answer} = {solution.name}\n",
        "tests/test.py": TEST.format(points=asked.points, number=asked.number, answer=answer),
    }


def names(source: str) -> list[str]:
    """The names that this Python source defines or imports, in order."""
    found: list[str] = []
    for node in ast.parse(source).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.append(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)) and not is_future(node):
            found += [(one.asname or one.name).partition(".")[0] for one in node.names]
        elif isinstance(node, ast.Assign):
            found += [target.id for target in node.targets if isinstance(target, ast.Name)]
    return [*dict.fromkeys(found)]


def is_future(node: ast.Import | ast.ImportFrom) -> bool:
    """Whether it imports nothing but a rule of the language."""
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"
