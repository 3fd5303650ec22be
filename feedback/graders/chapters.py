"""The exercises of a chapter that have a check, as its notebook asks them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from feedback.files import read_json

TITLE = re.compile(r"^# (.+)", re.MULTILINE)
HEAD = re.compile(r"\*\*Exercise (?P<number>\d+\.\d+) · (?P<title>.+?)\*\* \((?P<level>\w+)\b")
CALL = re.compile(r'^checks\.check\("(?P<number>\d+\.\d+)", (?P<name>\w+)\)$', re.MULTILINE)
SOLUTION = re.compile(r"# @title Solution \d+\.\d+\n")
POINTS = {"easy": 1, "medium": 2, "hard": 3}
DEFINES = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)


@dataclass(frozen=True)
class HandedIn:
    """What a cell hands in to a check.

    Attributes:
        name: of the function or class.
        source: Python source that makes it, without the call of the check.
    """

    name: str
    source: str


@dataclass(frozen=True)
class Asked:
    """An exercise.

    Attributes:
        number, title: such as "5.1" and "Predict the cache".
        points: by its difficulty.
        text: what is asked, in Markdown.
        given: Python source that stands between the text and the answer; often empty.
        stub: what the reader fills in.
        solution: the book's own answer, under another name.
    """

    number: str
    title: str
    points: int
    text: str
    given: str
    stub: HandedIn
    solution: HandedIn

    @property
    def id(self) -> str:
        """A name for files, such as q5_1."""
        return f"q{self.number.replace('.', '_')}"


@dataclass(frozen=True)
class Chapter:
    """A chapter with its exercises.

    Attributes:
        file: the name of the notebook without its ending.
        title: of the chapter.
        set_up: Python source of the cell that brings the package.
        before: Python source of what the chapter imports and defines outside its exercises.
        exercises: those with a check.
    """

    file: str
    title: str
    set_up: str
    before: str
    exercises: tuple[Asked, ...]


def chapters(folder: Path) -> list[Chapter]:
    """The chapters in a folder of notebooks that have exercises with a check.

    Raises:
        ValueError: the folder holds none, or a notebook checks what it does not ask.
    """
    read = [read_chapter(path) for path in sorted(folder.glob("*.ipynb"))]
    if not (found := [chapter for chapter in read if chapter.exercises]):
        raise ValueError(f"{folder} holds no notebook with a checked exercise")
    return found


def read_chapter(path: Path) -> Chapter:
    """The chapter that a notebook holds.

    Raises:
        ValueError: a check is called where no exercise is asked, or an exercise has no solution.
    """
    cells = [(cell["cell_type"], "".join(cell["source"])) for cell in read_json(path)["cells"]]
    solutions = {
        call["number"]: handed_in(source, call)
        for kind, source in cells
        if kind == "code" and SOLUTION.match(source) and (call := CALL.search(source))
    }
    exercises: list[Asked] = []
    before: list[str] = []
    text, given = "", list[str]()  # since the last head of an exercise
    for kind, source in cells[1:]:
        if kind == "markdown":
            if HEAD.search(source):
                before, text, given = before + given, source, []
            else:
                text += f"\n\n{source}"
        elif SOLUTION.match(source):
            continue
        elif call := CALL.search(source):
            number, stub = call["number"], handed_in(source, call)
            own = read_exercise(path, text, given, stub, number, solutions.get(number))
            exercises.append(own)
            given = []
        else:
            given.append(defined(source))
    return Chapter(
        file=path.stem,
        title=next(match[1] for _, source in cells if (match := TITLE.search(source))),
        set_up=cells[0][1],
        before="\n\n".join(filter(None, before + given)),
        exercises=tuple(exercises),
    )


def handed_in(source: str, call: re.Match[str]) -> HandedIn:
    """What the cell `source` hands in with this call."""
    return HandedIn(call["name"], SOLUTION.sub("", source[: call.start()]).strip() + "\n")


def read_exercise(
    path: Path, text: str, given: list[str], stub: HandedIn, number: str, solution: HandedIn | None
) -> Asked:
    """The exercise that `text` asks, checked under this number.

    Raises:
        ValueError: the text asks another exercise, or there is no solution.
    """
    head = HEAD.search(text)
    if head is None or head["number"] != number:
        raise ValueError(f"{path.name}: exercise {number} is checked, and not asked above")
    if solution is None:
        raise ValueError(f"{path.name}: exercise {number} has no solution")
    return Asked(
        number=number,
        title=head["title"],
        points=POINTS[head["level"]],
        text=text[head.start() :],
        given="\n\n".join(given),
        stub=stub,
        solution=solution,
    )


def defined(source: str) -> str:
    """The imports, functions, classes and literal constants of a cell; nothing is called.

    A cell that shows code of the package is taken whole.
    """
    return source if source.startswith("# feedback/") else "\n".join(definitions(source))


def definitions(source: str) -> Iterator[str]:
    """Those of a cell, each as Python source."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign):
            try:
                ast.literal_eval(node.value)
            except ValueError:
                continue
        elif not isinstance(node, DEFINES):
            continue
        yield ast.unparse(node)
