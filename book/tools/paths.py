"""How long a part of a chapter takes, and a reader's path through the book, by minutes.py's rule.

The title cell of a chapter names its short path, in one line of one of these forms:

    *Short path, 50 minutes: sections "One step" (to the end of "Attention") and exercise 2.3.*
    *Short path, 60 minutes: every section but "A proof", and exercises 2.3 and 2.4.*

A name is that of a section, or of a part of one. What stands before the first section is read as
well, and all cells are run, those between the sections too.

In book/intro.md a path is an item of the list below *Your path*, with its minutes behind its name:

    - **A class** (105 minutes). Short paths: [1](../notebooks/01-a.ipynb),
      [2](../notebooks/02-b.ipynb). Whole: [3](../notebooks/03-c.ipynb) (section "One step").

`Whole`, `Short paths` and `Without exercises` say how the chapters behind them are read, unless
parentheses behind a chapter name its sections. The table of chapters there ends with a column of
minutes: those of the whole chapter and, in parentheses, of its short path. `sync.py` writes them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from minutes import STATED, exercises, parts, stated, to_five, whole

SHORT = re.compile(r"^\*Short path\b[^:\n]*: (.+)\*$", re.MULTILINE)
# The name of a section, and of the part of it with whose end the reader stops.
NAMED = re.compile(r'"([^"]+)"(?: \(to the end of "([^"]+)"\))?')

CHAPTER = r"\[[^\]]*\]\(\.\./notebooks/(?P<name>[\w-]+)\.ipynb\)"
ROW = re.compile(rf"^(\| {CHAPTER} \|[^|\n]*\|).*$", re.MULTILINE)
PATH = re.compile(r"^(- \*\*[^*]+\*\*) \([^()]*minutes\)\.((?:.*\n)(?:  .*\n)*)", re.MULTILINE)
STEP = re.compile(
    rf"(?P<how>Whole|Short paths?|Without exercises)\b[^:\[]*:"
    rf"|{CHAPTER}(?: \((?P<what>sections? .*?)\)(?=[,.;]| and ))?",
    re.DOTALL,
)


# Parts of a chapter


def pieces(notebook: dict) -> Iterator[tuple[str, str, dict]]:
    """The cells, those of text cut at their headings, each with its section and the part of it.

    Both names are empty in what stands before the first section, the second before the first part.
    """
    section = part = ""
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        is_text = cell["cell_type"] == "markdown"
        for text in re.split(r"^(?=###? )", source, flags=re.MULTILINE) if is_text else [source]:
            if is_text and (heading := re.match(r"(###?) +(.+?)\s*$", text, re.MULTILINE)):
                is_part = heading[1] == "###"
                section, part = (section, heading[2]) if is_part else (heading[2], "")
            yield section, part, cell | {"source": text}


def selected(notebook: dict, what: str) -> tuple[list[dict], int]:
    """The cells that are read by `what`, as in a short path, and the minutes of its exercises.

    Raises ValueError if it names a section or an exercise that the notebook does not have.
    """
    cut = list(pieces(notebook))
    order: dict[str, list[str]] = {}  # of each section, its parts
    for section, part, _ in cut:
        if part not in order.setdefault(section, [""]):
            order[section].append(part)
    everything, named = what.startswith("every section"), dict(NAMED.findall(what))
    if not named and not everything:
        raise ValueError(f"{what!r} names no section")
    known = {name for section in order for name in (section, *order[section])} - {""}
    for name, end in named.items():
        if name not in known:
            raise ValueError(f'"{name}" is no section of this chapter; it has {listed(known)}')
        if end and end not in order.get(name, []):
            raise ValueError(f'"{end}" is no part of the section "{name}"')
    minutes = {number: int(m) for *_, cell in cut for number, m in exercises(cell)}
    asked = re.findall(r"\b\d+\.\d+\b", NAMED.sub("", what))
    for number in asked:
        if number not in minutes:
            raise ValueError(f"this chapter has no exercise {number}; it has {listed(minutes)}")

    def is_read(section: str, part: str) -> bool:
        end = named.get(section) or order[section][-1]
        within = order[section].index(part) <= order[section].index(end)
        is_named = part in named or (section in named and within)
        return not section or (section != "Exercises" and is_named != everything)

    read = [cell for section, part, cell in cut if is_read(section, part)]
    return read, sum(minutes[number] for number in asked)


def listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def of_selection(notebook: dict, what: str, waiting: float = 0) -> int:
    """Minutes of a part of a notebook, rounded as those of the whole; `waiting` is in seconds."""
    cells, of_exercises = selected(notebook, what)
    found = parts({"cells": cells}, waiting)
    return to_five(sum(found.values()) - found["exercises"]) + of_exercises


def short_path(notebook: dict, waiting: float = 0) -> int | None:
    """Minutes of the short path that a notebook names; None if it names none.

    Raises ValueError as `selected` does, or if the line is of no form that is known.
    """
    texts = ["".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "markdown"]
    found = SHORT.search("\n".join(texts))
    if found is None and any("*Short path" in text for text in texts):
        raise ValueError("short path: the line is not of the form *Short path: sections ...*")
    try:
        return of_selection(notebook, found[1], waiting) if found else None
    except ValueError as error:
        raise ValueError(f"short path: {error}") from None


def with_minutes(text: str, notebook: dict, waiting: float = 0) -> str:
    """A text of a notebook, the minutes of the chapter and of its short path filled in."""
    text = STATED.sub(lambda _: stated(notebook, waiting), text)
    if "*Short path" not in text:
        return text
    minutes = short_path(notebook, waiting)
    return SHORT.sub(lambda found: f"*Short path, {minutes} minutes: {found[1]}*", text)


# The introduction


def with_paths(text: str, root: Path, waiting: dict[str, float]) -> str:
    """The introduction, the minutes of each chapter and of each reader's path filled in.

    `waiting` is what `minutes.read_waiting` gives.

    Raises ValueError if a path names what is not there.
    """
    text = ROW.sub(partial(_row, root=root, waiting=waiting), text)
    return PATH.sub(partial(_path, root=root, waiting=waiting), text)


def _row(found: re.Match, root: Path, waiting: dict[str, float]) -> str:
    name = found["name"]
    notebook, seconds = read_notebook(root, name), waiting.get(name, 0)
    short = short_path(notebook, seconds)
    return f"{found[1]} {sum(whole(notebook, seconds))}{f' ({short})' if short else ''} |"


def _path(found: re.Match, root: Path, waiting: dict[str, float]) -> str:
    total, how = 0, None
    for step in STEP.finditer(found[2]):
        if step["how"]:
            how = step["how"].rstrip("s")
            continue
        name = step["name"]
        notebook, seconds = read_notebook(root, name), waiting.get(name, 0)
        try:
            total += _step(notebook, how, step["what"], seconds)
        except ValueError as error:
            raise ValueError(f"{found[1]}, notebooks/{name}.ipynb: {error}") from None
    return f"{found[1]} ({total} minutes).{found[2]}"


def _step(notebook: dict, how: str | None, what: str | None, seconds: float) -> int:
    if what:
        return of_selection(notebook, what, seconds)
    without, of_exercises = whole(notebook, seconds)
    if how == "Whole":
        return without + of_exercises
    if how == "Without exercise":
        return without
    if how is None:
        raise ValueError("say Whole, Short paths or Without exercises before it, and a colon")
    if (minutes := short_path(notebook, seconds)) is None:
        raise ValueError("this chapter names no short path")
    return minutes


def read_notebook(root: Path, name: str) -> dict:
    path = root / "notebooks" / f"{name}.ipynb"
    if not path.is_file():
        raise ValueError(f"there is no notebooks/{name}.ipynb")
    return json.loads(path.read_text("utf-8"))
