"""Notebooks for a class: the students' without solutions, the teacher's with all there is to know.

Both are made of the chapters in notebooks/, so there is nothing beside them to keep up to date. The
students' keep every check. Where a later cell goes on with the book's answer to an exercise, it
goes on with the student's there. The teacher's have their solutions open, the minutes of each part,
what to ask, and what the checks say to common mistakes: those of tests/answers.
"""

from __future__ import annotations

import importlib
import json
import re
import sys
from pathlib import Path

from minutes import exercises, parts
from paths import pieces

ROOT = Path(__file__).resolve().parents[2]
SOLUTION = re.compile(r"# @title Solution (\d+\.\d+)\n")
CALL = re.compile(r'^checks\.check\("(\d+\.\d+)", (\w+)\)$', re.MULTILINE)
DETAILS = re.compile(r"<details>\s*<summary>(.*?)</summary>(.*?)</details>\s*", re.DOTALL)
# A sentence that leads to a solution.
OF_SOLUTION = re.compile(r"[^.\n(]*\bfolded (?:cell after it|solution)\b[^.\n]*\. ?")
MOST = 6  # mistakes that are told of an exercise
TELLS = """\
> **For the teacher.** This is the chapter with its solutions open. Its cells take {waiting:.0f}
> seconds in all: run them before the class, and the outputs are there to be shown.
>
> | part | minutes | exercises |
> |---|--:|--:|
{rows}
> | **together** | **{minutes:.1f}** | **{asked}** |
"""
MISTAKES = """\
> **For the teacher, exercise {number}** ({minutes} minutes). What the check says to answers with a
> mistake:
>
{lines}
"""
ASK = """\
>
> **What to ask.** The chapter asks before it shows. Let everybody write a guess down first.
>
{lines}
"""


def student(notebook: dict) -> dict:
    """The notebook without solutions: neither their cells nor what is folded in the text."""
    own = {of[True]: of[False] for of in answers_to(notebook).values()}
    cells = []
    for cell in notebook["cells"]:
        source = text_of(cell)
        if is_solution(cell):
            continue
        if cell["cell_type"] == "markdown":
            source = OF_SOLUTION.sub("", DETAILS.sub("", source)).strip()
            if not source:
                continue
        else:
            for solution, name in own.items():
                source = re.sub(rf"\b{solution}\b", name, source)
        cells.append(cell | {"source": lines_of(source)})
    return notebook | {"cells": cells}


def teacher(
    notebook: dict,
    mistakes: dict[str, list[tuple[str, str]]],
    questions: list[dict],
    waiting: float = 0,
) -> dict:
    """The notebook with what a teacher wants to know.

    Args:
        mistakes: by the number of an exercise, what answers do wrong, and what each hears.
        questions: that the chapter asks, as their widgets in the built book have them.
        waiting: seconds that its cells run.
    """
    minutes = {number: m for cell in notebook["cells"] for number, m in exercises(cell)}
    cells, is_titled = [], False
    for cell in notebook["cells"]:
        source = text_of(cell)
        if is_solution(cell):
            cell = cell | {"metadata": {}}
        elif cell["cell_type"] == "markdown":
            cell = cell | {"source": lines_of(DETAILS.sub(unfolded, source))}
        cells.append(cell)
        call = CALL.search(source)
        if cell["cell_type"] == "markdown" and not is_titled:
            is_titled = True
            told = table(notebook, waiting) + asked_of(questions)
            cells.append(note("for-the-teacher", told))
        elif call and not is_solution(cell) and (heard := mistakes.get(call[1])):
            lines = "\n".join(f"> - *{wrong}*: {sentence}" for wrong, sentence in heard[:MOST])
            text = MISTAKES.format(number=call[1], minutes=minutes[call[1]], lines=lines)
            cells.append(note(f"mistakes-{call[1].replace('.', '-')}", text))
    return notebook | {"cells": cells}


def text_of(cell: dict) -> str:
    return "".join(cell["source"])


def lines_of(source: str) -> list[str]:
    return source.splitlines(keepends=True)


def is_solution(cell: dict) -> bool:
    return cell["cell_type"] == "code" and SOLUTION.match(text_of(cell)) is not None


def answers_to(notebook: dict) -> dict[str, dict[bool, str]]:
    """By the number of each exercise with a check, the name of the solution (True) and of the
    answer that the reader writes (False)."""
    found: dict[str, dict[bool, str]] = {}
    for cell in notebook["cells"]:
        if call := CALL.search(text_of(cell)):
            found.setdefault(call[1], {})[is_solution(cell)] = call[2]
    return found


def unfolded(details: re.Match) -> str:
    return f"**{details[1]}**\n{details[2]}"


def note(name: str, text: str) -> dict:
    return {"cell_type": "markdown", "id": name, "metadata": {}, "source": lines_of(text)}


def table(notebook: dict, waiting: float) -> str:
    """The minutes of each section; those of all of them add up to the last line."""
    sections: dict[str, list[dict]] = {}
    for section, _, cell in pieces(notebook):
        sections.setdefault(section or "Beginning", []).append(cell)
    rows, total, asked = [], 0.0, 0
    for section, cells in sections.items():
        found = parts({"cells": cells})
        minutes = round(sum(found.values()) - found["exercises"], 1)
        total, asked = total + minutes, asked + round(found["exercises"])
        rows.append(f"> | {section} | {minutes:.1f} | {round(found['exercises']) or ''} |")
    return TELLS.format(waiting=waiting, rows="\n".join(rows), minutes=total, asked=asked)


def asked_of(questions: list[dict]) -> str:
    """The questions of a chapter with their answers."""
    lines = []
    for asked in questions:
        truth = asked["truth"]
        answer = truth if isinstance(truth, str) else f"{truth:.4g} {asked['unit'] or ''}".strip()
        lines.append(f"> - {asked['question']} *Answer: {answer}.* {asked['explanation']}")
    return ASK.format(lines="\n".join(lines)) if lines else ""


def mistakes_of(numbers: list[str]) -> dict[str, list[tuple[str, str]]]:
    """By the number of an exercise: what wrong answers do, and the sentence that each hears.

    Each sentence is told once. The answers are handed in to the checks, which takes a while.
    """
    sys.path[:0] = [one for one in (str(ROOT / "tests"), str(ROOT)) if one not in sys.path]
    from answers import ANSWERS

    from feedback.notebook.checks.verdict import Mistake, verdict

    for file in sorted((ROOT / "tests" / "answers").glob("chapter_*.py")):
        importlib.import_module(f"answers.{file.stem}")
    found: dict[str, dict[str, str]] = {number: {} for number in numbers}
    for given in ANSWERS:
        heard = found.get(given.exercise)
        if heard is None or given.wrong is None or len(heard) == MOST:
            continue
        try:
            verdict(given.exercise, given.answer)
        except Mistake as mistake:
            name = given.answer.__name__.replace("_", " ")
            heard.setdefault(" ".join(str(mistake).split()), name)
    return {
        number: [(name, sentence) for sentence, name in heard.items()]
        for number, heard in found.items()
    }


def read(path: Path) -> dict:
    return json.loads(path.read_text("utf-8"))


def write(path: Path, notebook: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", "utf-8")
