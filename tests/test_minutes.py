"""How long a chapter takes: the rule, on notebooks small enough to count by hand."""

import json
from pathlib import Path

import minutes
import pytest

ROOT = Path(__file__).resolve().parents[1]


def cell(kind: str, source: str, *tags: str) -> dict:
    return {"cell_type": kind, "source": source, "metadata": {"tags": [*tags]}}


def of(*cells: dict, waiting: float = 0) -> dict[str, float]:
    return minutes.parts({"cells": [*cells]}, waiting)


def test_words_are_read_and_formulas_looked_into():
    words = cell("markdown", "one two\nthree " * 130 + "\n\n$$\na + b = c\n$$\n")
    assert of(words) == dict(reading=3.5, code=0, looking=0, waiting=0, exercises=0)


def test_a_formula_within_a_line_is_a_word_and_marks_are_none():
    assert of(cell("markdown", "| a | $b_1$ |\n- *c* # --"))["reading"] == pytest.approx(3 / 130)


def test_shown_code_is_read_and_folded_code_is_not():
    code = "a = 1\n\nb = 2\n"
    for tag in ("remove-cell", "remove-input", "hide-cell", "hide-input"):
        assert of(cell("code", code, tag))["code"] == 0
    assert of(cell("code", code * 6, "other"))["code"] == 1


@pytest.mark.parametrize("code", ["plt.show()", "Widget(\n    a,\n)", "widget"])
def test_what_a_cell_shows_is_looked_at_unless_it_is_folded(code):
    assert of(cell("code", code))["looking"] == of(cell("code", code, "hide-input"))["looking"] == 1
    assert of(cell("code", code, "hide-cell"))["looking"] == 0


def test_exercises_say_their_minutes_and_cells_their_seconds():
    text = "**Exercise 3.12 · Some name** (hard, 15 minutes). Do it in 5 minutes."
    more = "**Exercise 3.13 · Another** (medium, open, 20 minutes). Do it."
    check = cell("code", "def f():\n    ...\n\n\ndef check_f(f):\n    ...\n")
    stub = cell("code", "def f():\n    ...\n\n\nchecks.check('3.13', f)\n")
    found = of(cell("markdown", text), cell("markdown", more), check, stub, waiting=90)
    assert found == dict(reading=0, code=0, looking=0, waiting=1.5, exercises=35)


def test_the_sum_goes_to_the_next_five_minutes_beside_the_exercises():
    text = "word " * 130 * 7 + "**Exercise 1.1 · A** (easy, 12 minutes)."
    notebook = {"cells": [cell("markdown", text)]}
    assert minutes.stated(notebook) == "*About 17 minutes, 12 of them for exercises."
    assert minutes.stated(notebook, 60) == "*About 22 minutes, 12 of them for exercises."


CHAPTERS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("file", CHAPTERS, ids=lambda file: file.stem)
def test_a_chapter_states_its_minutes_and_says_what_each_exercise_takes(file: Path):
    notebook = json.loads(file.read_text("utf-8"))
    seconds = minutes.read_waiting(ROOT)[file.stem]
    title = "".join(notebook["cells"][1]["source"])
    assert minutes.stated(notebook, seconds) in title
    text = "\n".join("".join(c["source"]) for c in notebook["cells"])
    assert text.count("**Exercise ") == len(minutes.HEADING.findall(text)) >= 1


@pytest.mark.parametrize("file", CHAPTERS, ids=lambda file: file.stem)
def test_no_chapter_takes_more_than_an_hour_beside_its_exercises(file: Path):
    found = minutes.parts(json.loads(file.read_text("utf-8")))
    assert sum(found.values()) - found["exercises"] <= 62.5
