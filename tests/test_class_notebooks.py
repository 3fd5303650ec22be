"""Notebooks for a class: no solution in a student's, all there is to know in the teacher's."""

import json
import re
from pathlib import Path

import class_notebooks
import minutes
import pytest

ROOT = Path(__file__).resolve().parents[1]
CHAPTERS = sorted((ROOT / "notebooks").glob("*.ipynb"))
NAMES = [file.stem for file in CHAPTERS]


def texts(notebook: dict) -> list[str]:
    return ["".join(cell["source"]) for cell in notebook["cells"]]


@pytest.mark.parametrize("file", CHAPTERS, ids=NAMES)
def test_a_students_notebook_has_every_check_and_no_solution(file):
    chapter = json.loads(file.read_text("utf-8"))
    answers = class_notebooks.answers_to(chapter)
    found = "\n".join(texts(class_notebooks.student(chapter)))
    assert answers
    for number, name in answers.items():
        assert found.count(f'checks.check("{number}", {name[False]})') == 1
    own = {
        line for text in texts(chapter) if "# @title Solution" in text for line in text.split("\n")
    }
    others = {
        line
        for text in texts(chapter)
        if "# @title Solution" not in text
        for line in text.split("\n")
    }
    given_away = {line for line in own - others if len(line) > 24} & {*found.split("\n")}
    assert given_away == set()
    for word in ("_solution", "Solution", "<details", "What to look for", "folded solution"):
        assert word not in found, word


def test_a_later_cell_goes_on_with_the_students_own_answer():
    file = next(one for one in CHAPTERS if one.stem.startswith("04"))
    chapter = json.loads(file.read_text("utf-8"))
    before, after = "\n".join(texts(chapter)), "\n".join(texts(class_notebooks.student(chapter)))
    assert "y_t, m_t = one_step_solution(model, x_t, memory)" in before
    assert "y_t, m_t = one_step(model, x_t, memory)" in after


def told(file: Path, mistakes=None, questions=()) -> list[str]:
    chapter = json.loads(file.read_text("utf-8"))
    return texts(class_notebooks.teacher(chapter, mistakes or {}, list(questions), 90))


@pytest.mark.parametrize("file", CHAPTERS, ids=NAMES)
def test_the_minutes_in_a_teachers_notebook_add_up_to_the_chapters(file):
    (text,) = [one for one in told(file) if "> | part |" in one]
    rows = re.findall(r"^> \| (.+) \| ([\d.]+) \| (\d*) \|$", text, re.MULTILINE)
    total, asked = re.search(r"together\*\* \| \*\*([\d.]+)\*\* \| \*\*(\d+)\*\*", text).groups()
    assert sum(float(row[1]) for row in rows) == pytest.approx(float(total))
    assert sum(int(row[2] or 0) for row in rows) == int(asked)
    chapter = minutes.parts(json.loads(file.read_text("utf-8")))
    assert int(asked) == round(chapter["exercises"])
    others = sum(chapter.values()) - chapter["exercises"]
    assert float(total) == pytest.approx(others, abs=0.05 * len(rows) + 0.01)
    assert "cells take 90\n> seconds" in text


def test_solutions_are_open_and_what_is_folded_in_the_text_is_shown():
    file = next(one for one in CHAPTERS if one.stem.startswith("05"))
    chapter = json.loads(file.read_text("utf-8"))
    found = class_notebooks.teacher(chapter, {}, [])
    solutions = [cell for cell in found["cells"] if class_notebooks.is_solution(cell)]
    assert len(solutions) == len(class_notebooks.answers_to(chapter))
    assert all(cell["metadata"] == {} for cell in solutions)
    assert "<details" not in "\n".join(texts(found))
    assert any(text.startswith("**What to look for") for text in texts(found))


def test_a_teacher_reads_what_a_mistake_hears_before_the_solution():
    (number, heard), *_ = class_notebooks.mistakes_of(["5.1"]).items()
    assert number == "5.1" and len(heard) == class_notebooks.MOST
    assert len({sentence for _, sentence in heard}) == class_notebooks.MOST
    names = dict(heard)
    assert "only the last 4 steps are kept" in names["memory size forgotten"]
    file = next(one for one in CHAPTERS if one.stem.startswith("05"))
    found = told(file, {"5.1": heard})
    (place,) = [k for k, text in enumerate(found) if "exercise 5.1** (10 minutes)" in text]
    assert 'checks.check("5.1", cache_bytes)' in found[place - 1]
    assert found[place + 1].startswith("# @title Solution 5.1")
    assert all(sentence in found[place] for _, sentence in heard)


def test_questions_stand_at_the_head_with_their_answers():
    asked = [
        {"question": "How many?", "truth": 68.75, "unit": "%", "explanation": "So it is."},
        {"question": "Which?", "truth": "the second", "unit": "", "explanation": "It must."},
    ]
    (text,) = [one for one in told(CHAPTERS[0], questions=asked) if "> | part |" in one]
    assert "> - How many? *Answer: 68.75 %.* So it is.\n" in text
    assert "> - Which? *Answer: the second.* It must.\n" in text
