"""Try the exported exercises with the graders themselves: full marks, or none.

    .venv/bin/python tests/graders/rehearse.py              every chapter
    .venv/bin/python tests/graders/rehearse.py 01 11b       these chapters

Each exercise is answered by the book's solution, by five of the wrong answers in tests/answers, and
by nothing. otter-grader checks one answer after the other; nbgrader grades whole notebooks: one has
all solutions, each other a wrong answer to every exercise. Both graders are installed under
_build/graders, beside the packages of the book. PrairieLearn is in no package registry: what it is
given is run by tests/test_graders.py with stand-ins.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

from feedback.graders.chapters import Asked, Chapter, chapters

ROOT = Path(__file__).resolve().parents[2]
BUILDS = ROOT / "_build" / "graders"
WRONG = 5

ASK_OTTER = """
import contextlib, io, json, sys
import otter
from answers.solutions import solutions
from graders.rehearse import wrong_answers

folder, chapter, *asked = sys.argv[1:]
grader = otter.Notebook(nb_path=f"{folder}/{chapter}.ipynb", tests_dir=f"{folder}/tests")
for number, id, name in zip(asked[::3], asked[1::3], asked[2::3]):
    right = solutions()[number].answer()
    for answer in (right, *wrong_answers(chapter, number), None):
        with contextlib.redirect_stdout(io.StringIO()):
            found = grader.check(id, global_env={name: answer})
        print(json.dumps([answer is right, found.grade]))
"""
READ_SCORES = """
import json, sys
from nbgrader.api import Gradebook

with Gradebook("sqlite:///gradebook.db") as book:
    for student in sys.argv[2:]:
        found = book.find_submission(sys.argv[1], student)
        print(json.dumps([found.score, found.max_score]))
"""


def environment() -> Path:
    """The Python of an environment with the graders, which finds the book's packages behind its
    own."""
    folder = BUILDS / "env"
    python, stamp = folder / "bin" / "python", folder / "complete"
    if not stamp.exists():
        venv.create(folder, with_pip=True, symlinks=True, clear=True)
        packages = next(folder.glob("lib/python*/site-packages"))
        (packages / "book.pth").write_text(sysconfig.get_path("purelib") + "\n")
        requirements = Path(__file__).with_name("requirements.txt")
        subprocess.run([python, "-m", "pip", "install", "-q", "-r", requirements], check=True)
        stamp.touch()
    return python


def run(python: Path, *words: str | Path, cwd: Path = ROOT) -> list:
    """What a command prints, read as JSON line by line."""
    places = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
    variables = os.environ | {"PYTHONPATH": places, "PATH": path, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([python, *words], cwd=cwd, env=variables, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, words[:3]))}\n{done.stderr[-3000:]}")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]


def wrong_answers(chapter: str, number: str) -> list:
    """Five wrong answers to an exercise: functions or classes."""
    from answers import ANSWERS

    importlib.import_module(f"answers.chapter_{chapter.split('-')[0]}")
    found = [one.answer for one in ANSWERS if one.exercise == number and one.wrong is not None]
    assert len(found) >= WRONG, f"exercise {number} has {len(found)} wrong answers"
    return found[:WRONG]


def by_otter(python: Path, course: Path, chapter: Chapter) -> tuple[list[float], list[float]]:
    """The shares that otter gives to right answers, and to wrong ones."""
    asked = [part for one in chapter.exercises for part in (one.number, one.id, one.stub.name)]
    ask = ("-c", ASK_OTTER, course / chapter.file, chapter.file, *asked)
    found = run(python, *ask, cwd=course)  # otter leaves a log where it runs
    return [x for right, x in found if right], [x for right, x in found if not right]


def by_nbgrader(python: Path, course: Path, chapter: Chapter) -> tuple[list[float], list[float]]:
    """The shares that nbgrader gives to a notebook of right answers, and to those of wrong ones."""
    nbgrader = ("-m", "nbgrader")
    run(python, *nbgrader, "generate_assignment", chapter.file, "--create", "--force", cwd=course)
    name = f"{chapter.file}.ipynb"
    released = (course / "release" / chapter.file / name).read_text("utf-8")
    given_away = [one.solution.name for one in chapter.exercises if shows(released, one)]
    assert not given_away, f"the students' notebook defines {', '.join(given_away)}"
    students = [f"student{k}" for k in range(1 + WRONG)]
    for k, student in enumerate(students):
        folder = course / "submitted" / student / chapter.file
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(filled_in(json.loads(released), chapter, k), "utf-8")
    run(python, *nbgrader, "autograde", chapter.file, "--force", cwd=course)
    scores = run(python, "-c", READ_SCORES, chapter.file, *students, cwd=course)
    shares = [score / most for score, most in scores]
    return shares[:1], shares[1:]


def shows(notebook: str, asked: Asked) -> bool:
    """Whether the text of a notebook defines the solution of an exercise."""
    return re.search(rf"(def|class) {asked.solution.name}\b", notebook) is not None


def filled_in(notebook: dict, chapter: Chapter, k: int) -> str:
    """A student's notebook: all solutions for k = 0, else the k-th wrong answer everywhere."""
    asked = {one.id: one for one in chapter.exercises}
    for cell in notebook["cells"]:
        if one := asked.get(cell["metadata"].get("nbgrader", {}).get("grade_id")):
            name, own = one.stub.name, one.solution
            answer = f"{own.source}\n{name} = {own.name}\n"
            if k:
                chosen = f"wrong_answers({chapter.file!r}, {one.number!r})[{k - 1}]"
                answer = f"from graders.rehearse import wrong_answers\n{name} = {chosen}\n"
            cell["source"] = "".join(cell["source"]) + "\n\n" + answer
    return json.dumps(notebook)


GRADERS = {"otter": by_otter, "nbgrader": by_nbgrader}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("chapters", nargs="*", metavar="CHAPTER", help="01, 01b, ...: default all")
    chosen, python, bad = parser.parse_args().chapters, environment(), 0
    found = chapters(ROOT / "notebooks")
    if unknown := {*chosen} - {chapter.file.split("-")[0] for chapter in found}:
        parser.error(f"no chapter {', '.join(sorted(unknown))} has exercises with a check")
    for grader, ask in GRADERS.items():
        course = BUILDS / grader
        shutil.rmtree(course, ignore_errors=True)
        run(python, "-m", "feedback", "export-grader", grader, course)
        for chapter in found:
            if chosen and chapter.file.split("-")[0] not in chosen:
                continue
            right, wrong = ask(python, course, chapter)
            full, none = sum(x == 1 for x in right), sum(x == 0 for x in wrong)
            bad += full < len(right) or none < len(wrong)
            print(
                f"{grader:9s} {chapter.file:32s} right: {full} of {len(right)} have full marks, "
                f"wrong: {none} of {len(wrong)} have none",
                flush=True,
            )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
