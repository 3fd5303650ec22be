"""Exercises for graders: what is written, and what the thin files do with an answer."""

import importlib
import json
import re
import sys
import types
from pathlib import Path

import pytest
from answers import ANSWERS
from answers.solutions import solutions

from feedback.__main__ import main
from feedback.graders import prairielearn, quiz
from feedback.graders.chapters import chapters, read_chapter
from feedback.graders.grading import Mistake, grade
from feedback.notebook.checks.verdict import EXERCISES

ROOT = Path(__file__).resolve().parents[1]
CHAPTERS = chapters(ROOT / "notebooks")
ASKED = {asked.number: asked for chapter in CHAPTERS for asked in chapter.exercises}
for file in sorted((ROOT / "tests" / "answers").glob("chapter_*.py")):
    importlib.import_module(f"answers.{file.stem}")
TRIED = ("1.1", "3.3", "4.5", "6.1")  # a function, one with something given, a test, a class


def wrong_answer(number: str):
    return next(x.answer for x in ANSWERS if x.exercise == number and x.wrong is not None)


def test_every_check_is_an_exercise_with_its_text_and_solution():
    assert {*ASKED} == {*EXERCISES}
    for number, asked in ASKED.items():
        assert asked.text.startswith(f"**Exercise {number} · {asked.title}**")
        assert re.search(rf"^(def|class) {asked.stub.name}\b", asked.stub.source, re.MULTILINE)
        assert asked.solution.name == solutions()[number].name
        assert "checks.check(" not in asked.stub.source + asked.solution.source


def test_what_stands_before_an_answer_is_given():
    assert "def in_counts" in ASKED["3.3"].given
    (third,) = (chapter for chapter in CHAPTERS if chapter.file.startswith("03-"))
    assert third.before.count("def in_counts") == 0


@pytest.mark.parametrize("number", TRIED)
def test_a_grade_is_full_or_a_sentence(number):
    grade(number, solutions()[number].answer())
    with pytest.raises(Mistake):
        grade(number, wrong_answer(number))
    with pytest.raises(Mistake, match="hand in the function itself"):
        grade(number, None)


def test_what_is_not_begun_has_no_marks():
    def window_mask(queries, keys, size):
        """Your code goes here."""

    with pytest.raises(Mistake, match="not begun"):
        grade("1.1", window_mask)


@pytest.fixture
def exported(tmp_path):
    """`exported(grader)` writes the files of one, and returns their folder."""

    def export(grader: str) -> Path:
        out = tmp_path / grader
        main(["export-grader", grader, str(out), "--notebooks", str(ROOT / "notebooks")])
        return out

    return export


def stand_in(monkeypatch, module: str, /, **content) -> None:
    monkeypatch.setitem(sys.modules, module, types.SimpleNamespace(**content))


@pytest.mark.parametrize("number", TRIED)
def test_otters_file_hands_the_answer_to_the_check(exported, monkeypatch, number):
    cases = []

    def test_case(points, name):
        return lambda function: cases.append((points, function))

    stand_in(monkeypatch, "otter", test_files=None)
    stand_in(monkeypatch, "otter.test_files", test_case=test_case)
    asked = ASKED[number]
    (file,) = exported("otter").glob(f"*/tests/{asked.id}.py")
    names = {}
    exec(file.read_text("utf-8"), names)
    assert (names["OK_FORMAT"], names["name"]) == (False, asked.id)
    ((points, ask),) = cases
    assert points == asked.points
    ask(**{asked.stub.name: solutions()[number].answer()})
    with pytest.raises(Mistake):
        ask(**{asked.stub.name: wrong_answer(number)})


def test_otters_notebook_asks_each_exercise(exported):
    out = exported("otter")
    for chapter in CHAPTERS:
        text = (out / chapter.file / f"{chapter.file}.ipynb").read_text("utf-8")
        cells = ["".join(cell["source"]) for cell in json.loads(text)["cells"]]
        for asked in chapter.exercises:
            assert cells.index(asked.text) < cells.index(f'grader.check("{asked.id}")')
            assert f"def {asked.solution.name}" not in text


def test_nbgraders_cells_can_be_told_apart(exported):
    out = exported("nbgrader")
    assert "course_id" in (out / "nbgrader_config.py").read_text()
    for chapter in CHAPTERS:
        file = out / "source" / chapter.file / f"{chapter.file}.ipynb"
        cells = json.loads(file.read_text("utf-8"))["cells"]
        marked = [cell for cell in cells if "nbgrader" in cell["metadata"]]
        ids = [cell["metadata"]["nbgrader"]["grade_id"] for cell in marked]
        expected = [name for x in chapter.exercises for name in (x.id, f"test_{x.id}")]
        assert ids == expected
        for answer, test in zip(marked[::2], marked[1::2], strict=True):
            shown = re.sub(r"### BEGIN.*### END SOLUTION", "", answer["source"], flags=re.DOTALL)
            assert "Your code goes here" in shown and "_solution" not in shown
            assert answer["metadata"]["nbgrader"]["solution"]
            is_test = test["metadata"]["nbgrader"]
            assert is_test["grade"] and is_test["locked"] and is_test["points"] in (1, 2, 3)


@pytest.mark.parametrize("number", TRIED)
def test_prairielearns_question_can_be_graded(monkeypatch, number):
    """With stand-ins for what its image holds."""
    said = []
    shown = types.SimpleNamespace(add_feedback=said.append, set_score=said.append)
    stand_in(monkeypatch, "code_feedback", Feedback=shown)
    keep = lambda _: lambda function: function  # noqa: E731
    stand_in(monkeypatch, "pl_helpers", name=keep, points=keep)
    stand_in(monkeypatch, "pl_unit_test", PLTestCase=object)
    asked = ASKED[number]
    (chapter,) = (chapter for chapter in CHAPTERS if asked in chapter.exercises)
    files = prairielearn.question(chapter, asked)

    given: dict = {"__name__": "__main__"}
    exec(files["tests/setup_code.py"], given)
    data = {"params": {}}
    served: dict = {}
    exec(files["server.py"], served)
    served["generate"](data)
    told = {one["name"] for one in data["params"]["names_for_user"]}
    assert told <= {*given} and data["params"]["names_from_user"][0]["name"] == asked.stub.name

    names: dict = {}
    exec(files["tests/test.py"], names)
    case = names["Test"]()
    for source, score in ((files["tests/ans.py"], 1), (files["initial.py"], 0)):
        student = dict(given)
        exec(source, student)
        case.st = types.SimpleNamespace(**{asked.stub.name: student[asked.stub.name]})
        said.clear()
        case.test_exercise()
        assert said[-1] == score and (score or "not begun" in said[0])


def test_a_question_becomes_one_of_a_quiz():
    state = {"question": "How many?", "explanation": "So.", "choices": None, "truth": 8.0}
    state |= {"unit": "bytes", "factor": 2, "tolerance": 0}
    asked = quiz.question(state)
    assert (asked["question"], asked["type"]) == ("How many? (in bytes)", "numeric")
    assert asked["answers"][0]["range"] == [4.0, 16.0] and asked["answers"][0]["correct"]
    state |= {"unit": "", "factor": None, "tolerance": 0.5}
    assert quiz.question(state)["answers"][0]["range"] == [7.5, 8.5]
    asked = quiz.question(state | {"choices": ["more", "less"], "truth": "less"})
    assert [answer["correct"] for answer in asked["answers"]] == [False, True]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["otter", "OUT", "--notebooks", "EMPTY"], "holds no notebook with a checked exercise"),
        (["jupyterquiz", "OUT", "--book", "EMPTY"], "holds no page that asks a question"),
        (["nbgrader", "FULL"], "is there already, and not empty"),
        (["moodle", "OUT"], "invalid choice: 'moodle'"),
    ],
)
def test_a_wrong_command_says_so_and_writes_nothing(tmp_path, capsys, words, said):
    (tmp_path / "EMPTY").mkdir()
    (tmp_path / "FULL").mkdir()
    (tmp_path / "FULL" / "file").touch()
    places = {"OUT", "EMPTY", "FULL"}
    with pytest.raises(SystemExit):
        main(["export-grader", *(str(tmp_path / w) if w in places else w for w in words)])
    assert said in capsys.readouterr().err
    assert not (tmp_path / "OUT").exists()


def test_a_check_without_its_exercise_is_refused(tmp_path):
    def notebook(*cells):
        content = [{"cell_type": kind, "source": source} for kind, source in cells]
        file = tmp_path / "09-a.ipynb"
        file.write_text(json.dumps({"cells": content}), "utf-8")
        return file

    head = ("markdown", "# 9. A\n\n**Exercise 9.1 · B** (easy, 5 minutes)")
    stub = ("code", 'def f():\n    """Your code."""\n\n\nchecks.check("9.1", f)')
    begin = ("code", "begin")
    with pytest.raises(ValueError, match="09-a.ipynb: exercise 9.1 has no solution"):
        read_chapter(notebook(begin, head, stub))
    with pytest.raises(ValueError, match="9.1 is checked, and not asked above"):
        read_chapter(notebook(begin, ("markdown", "# 9. A"), stub))
