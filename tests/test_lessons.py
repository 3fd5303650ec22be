"""The lessons of the teaching guide: as long as what they hold, and no longer than they may be."""

import json
from pathlib import Path

import lessons
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
GUIDE = ROOT / "book/teaching.md"
COURSES = list(lessons.courses(GUIDE.read_text("utf-8")))


def cell(source: str) -> dict:
    return {"cell_type": "markdown", "source": source, "metadata": {}}


NOTEBOOK = {
    "cells": [
        cell("# 1 · A\n\n" + "word " * 1300),
        cell("## One\n\n" + "word " * 200 + "\n\n### Its part\n\n" + "word " * 130),
        cell("**Exercise 1.1 · A** (easy, 7 minutes). In the text."),
        cell("## Two\n\n" + "word " * 260),
        cell("## Exercises\n\n" + "word " * 1300),
        cell("**Exercise 1.2 · B** (hard, open, 11 minutes). At the end."),
    ]
}


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ('section "One"', 3),  # 331 words, and the name of the section; no exercise
        ('section "One" and exercise 1.1, which stands in it', 3 + 7),
        ('sections "Its part" and "Two"', 4),
        ('every section but "One", with exercise 1.2', 3 + 11),
        ("exercises 1.1 and 1.2", 18),
    ],
)
def test_a_part_takes_what_its_sections_and_exercises_take(what, expected):
    assert lessons.of_part(NOTEBOOK, what) == expected


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ('section "Three"', '"Three" is no section'),
        ("exercise 1.3", "no exercise 1.3"),
        ("the beginning", "names neither a section nor an exercise"),
    ],
)
def test_what_is_not_there_is_an_error(what, message):
    with pytest.raises(ValueError, match=message):
        lessons.of_part(NOTEBOOK, what)


TEXT = """\
# Teaching

## Two lessons of 20 minutes

### First (1 minutes)

| minutes | what |
|--:|---|
| 5 | Welcome |
| 99 | [1](../notebooks/01-a.ipynb), section "One". More of it |

### Second ( minutes)

| minutes | what |
|--:|---|
|  | [1](../notebooks/01-a.ipynb), exercises 1.1 and 1.2 |

## Common mistakes

| where | what |
|---|---|
| 1.1 | none |
"""


def test_rows_and_lessons_get_their_minutes_and_all_else_stays(tmp_path):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks/01-a.ipynb").write_text(json.dumps(NOTEBOOK))
    filled = lessons.with_lessons(TEXT, tmp_path)
    assert "### First (8 minutes)" in filled and "### Second (18 minutes)" in filled
    assert "| 5 | Welcome |" in filled and '| 3 | [1](../notebooks/01-a.ipynb), section "' in filled
    assert filled.partition("## Common")[2] == TEXT.partition("## Common")[2]
    assert lessons.with_lessons(filled, tmp_path) == filled
    expected = [("Two lessons of 20 minutes", 20, {"First": 8, "Second": 18})]
    assert [*lessons.courses(filled)] == expected


def test_a_row_that_names_what_is_not_there_says_where(tmp_path):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks/01-a.ipynb").write_text(json.dumps(NOTEBOOK))
    with pytest.raises(ValueError, match=r'01-a.ipynb: "Three" is no section'):
        lessons.with_lessons(TEXT.replace('"One"', '"Three"'), tmp_path)


def test_the_guide_states_the_minutes_of_this_book():
    text = GUIDE.read_text("utf-8")
    assert lessons.with_lessons(text, ROOT) == text


def test_there_are_a_course_of_six_lessons_one_of_three_and_a_day():
    held = {(len(found), budget) for _, budget, found in COURSES}
    assert held == {(6, 50), (3, 50), (4, 90)}


@pytest.mark.parametrize(("name", "budget", "found"), COURSES, ids=[name for name, *_ in COURSES])
def test_every_lesson_fits_its_time_and_fills_most_of_it(name, budget, found):
    for lesson, minutes in found.items():
        assert 0.8 * budget <= minutes <= budget, (lesson, minutes)


def test_what_the_guide_asks_has_an_answer():
    text = GUIDE.read_text("utf-8")
    for heading in ("## Discussion", "## An exam"):
        asked, folded = text.split(heading)[1].split("\n## ")[0].split("<details>")
        questions = [line for line in asked.splitlines() if line[:1].isdigit()]
        answers = [line for line in folded.splitlines() if line[:1].isdigit()]
        assert len(questions) == len(answers) >= 7


def test_the_guide_sends_nobody_to_a_question_that_is_not_there():
    text = GUIDE.read_text("utf-8")
    listed = yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))["chapters"]
    assert {"file": "book/teaching"} in listed and {"file": "book/class-guesses"} in listed
    asked = text.split("## Discussion")[1].split("<details>")[0]
    assert max(int(line.split(".")[0]) for line in asked.splitlines() if line[:1].isdigit()) == 10
