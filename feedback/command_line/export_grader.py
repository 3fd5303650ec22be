"""`export-grader`: write the book's exercises for a grader, or its questions as a quiz."""

from __future__ import annotations

import argparse
from pathlib import Path

from feedback.command_line.values import path
from feedback.graders import nbgrader, otter, prairielearn, quiz
from feedback.graders.chapters import chapters

GRADERS = {"otter": otter, "nbgrader": nbgrader, "prairielearn": prairielearn}
QUIZ = "jupyterquiz"


def add_export_grader(commands: argparse._SubParsersAction) -> argparse.ArgumentParser:
    """Add the command and its flags."""
    parser = commands.add_parser(
        "export-grader",
        help="write the book's exercises for a grader",
        description="Write the book's exercises with their checks for a grader, or the questions "
        "that its chapters ask before they show as a quiz.",
    )
    add = parser.add_argument
    add("grader", choices=[*GRADERS, QUIZ], help=f"{', '.join(GRADERS)} or {QUIZ}")
    add("out", type=path, metavar="OUT", help="the folder to write; it must be new or empty")
    add(
        "--notebooks",
        type=path,
        default="notebooks",
        metavar="FOLDER",
        help="where the chapters are (default: notebooks)",
    )
    add(
        "--book",
        type=path,
        default="_build/html",
        metavar="FOLDER",
        help=f"the built book, which holds the answers of the questions, for {QUIZ} "
        "(default: _build/html)",
    )
    return parser


def export_grader(options: argparse.Namespace) -> None:
    """Write the files, and say where they are."""
    out = Path(options.out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"{out} is there already, and not empty: name a new folder")
    if options.grader == QUIZ:
        questions = quiz.export(Path(options.book), out)
        print(f"{questions} questions lie in {out}")
        return
    found = chapters(Path(options.notebooks))
    GRADERS[options.grader].export(found, out)
    exercises = sum(len(chapter.exercises) for chapter in found)
    print(f"{exercises} exercises of {len(found)} chapters lie in {out}")
