"""The minutes of the lessons in book/teaching.md, from those of the chapters, by minutes.py's rule.

A course is a section whose heading says how long each of its lessons may be, and a lesson a table:

    ## Six lessons of 50 minutes

    ### One head (49 minutes)

    | minutes | what happens |
    |--:|---|
    | 5 | Guess first |
    | 22 | [1](../notebooks/01-a.ipynb), sections "One step" and "Another" |
    | 15 | [1](../notebooks/01-a.ipynb), exercise 1.3 |

A row that begins with a chapter names sections, exercises or both, as a short path does (paths.py),
and has the minutes of just these, rounded up. The minutes of the other rows are written by hand.
`sync.py` writes the first, and the sum behind the name of the lesson.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path

from minutes import exercises, parts
from paths import CHAPTER, NAMED, pieces, read_notebook, selected

COURSE = re.compile(r"^## (?P<name>.*\b(?P<budget>\d+) minutes\b.*)$", re.MULTILINE)
LESSON = re.compile(r"^### (?P<name>[^\n]+?) \([^()\n]*minutes\)$", re.MULTILINE)
ROW = re.compile(r"^\| *(?P<minutes>\d*) *\| (?P<what>.*) \|$", re.MULTILINE)
OF_CHAPTER = re.compile(rf"{CHAPTER}, (?P<what>.*)")


def of_part(notebook: dict, what: str) -> int:
    """Minutes of the sections and exercises that `what` names, rounded up.

    What stands before the first section is not among them.

    Raises ValueError if one of them is not there, or if `what` names none.
    """
    known = {n: int(m) for cell in notebook["cells"] for n, m in exercises(cell)}
    asked = re.findall(r"\b\d+\.\d+\b", NAMED.sub("", what))
    if missing := [number for number in asked if number not in known]:
        raise ValueError(f"this chapter has no exercise {missing[0]}")
    if NAMED.search(what):
        sections = [cell for section, _, cell in pieces(notebook) if section]
        read, _ = selected({"cells": sections}, what)
        found = parts({"cells": read})
        reading = math.ceil(sum(found.values()) - found["exercises"])
    elif asked:
        reading = 0
    else:
        raise ValueError(f"{what!r} names neither a section nor an exercise")
    return reading + sum(known[number] for number in asked)


def with_lessons(text: str, root: Path) -> str:
    """The teaching guide, its minutes filled in.

    Raises ValueError if a row names what is not there.
    """

    def row(found: re.Match) -> str:
        if chapter := OF_CHAPTER.match(found["what"]):
            name = chapter["name"]
            try:
                minutes = of_part(read_notebook(root, name), chapter["what"])
            except ValueError as error:
                raise ValueError(f"notebooks/{name}.ipynb: {error}") from None
            return f"| {minutes} | {found['what']} |"
        return found[0]

    def lesson(cut: str) -> str:
        cut = ROW.sub(row, cut)
        total = sum(int(each["minutes"]) for each in ROW.finditer(cut) if each["minutes"])
        return LESSON.sub(lambda found: f"### {found['name']} ({total} minutes)", cut)

    return "".join(map(lesson, re.split(r"^(?=###? )", text, flags=re.MULTILINE)))


def courses(text: str) -> Iterator[tuple[str, int, dict[str, int]]]:
    """Of each course its name, how long a lesson may be, and the minutes of each lesson."""
    for part in re.split(r"^(?=## )", text, flags=re.MULTILINE):
        if course := COURSE.match(part):
            lessons = {}
            for cut in re.split(r"^(?=### )", part, flags=re.MULTILINE):
                if lesson := LESSON.match(cut):
                    rows = [int(row["minutes"]) for row in ROW.finditer(cut) if row["minutes"]]
                    lessons[lesson["name"]] = sum(rows)
            yield course["name"], int(course["budget"]), lessons
