"""A notebook that holds a chapter's exercises and no more."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

from feedback.graders.chapters import Asked, Chapter

Cells = Iterator[dict]


def markdown(name: str, text: str, **metadata: object) -> dict:
    """A cell of text, with an id that stays the same."""
    return {"cell_type": "markdown", "id": name, "metadata": metadata, "source": text}


def code(name: str, source: str, **metadata: object) -> dict:
    """A cell of Python, not run."""
    cell = {"cell_type": "code", "id": name, "metadata": metadata, "source": source.rstrip("\n")}
    return cell | {"execution_count": None, "outputs": []}


def write_notebook(
    file: Path, chapter: Chapter, begin: str, answer: Callable[[Asked], Cells]
) -> None:
    """Write a notebook of the chapter's exercises.

    Args:
        file: is written, with the folders that lead to it.
        begin: Python source that a grader needs at the head; it may be empty.
        answer: the cells in which an exercise is answered and graded.
    """
    cells = [
        markdown("title", f"# Exercises of chapter {chapter.title}"),
        code("set-up", chapter.set_up, cellView="form", jupyter={"source_hidden": True}),
        code("before", f"# @title What the chapter has defined\n{chapter.before}"),
    ]
    if begin:
        cells.append(code("grader", begin))
    for asked in chapter.exercises:
        cells.append(markdown(f"{asked.id}-text", asked.text))
        if asked.given:
            cells.append(code(f"{asked.id}-given", asked.given))
        cells.extend(answer(asked))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4}
    file.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(notebook | {"nbformat_minor": 5}, indent=1, ensure_ascii=False)
    file.write_text(f"{text}\n", "utf-8")
