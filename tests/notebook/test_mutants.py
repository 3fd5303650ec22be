"""The tool that changes solutions, and what it found about the exercises' checks."""

import ast

import mutants
import pytest
from answers.solutions import solutions
from mutate import mutants as changes

from feedback.files import read_json
from feedback.intervals import wilson
from feedback.results import load_result

EQUIVALENT = read_json(mutants.ANSWERS_FOLDER / "equivalent.json")

SOURCE = """
def mixed(outputs, weights):
    total = 0
    for i in range(len(outputs)):
        total += weights[i] * outputs[i]
    return total.sum(-1, keepdim=True)
"""


def test_a_mutant_differs_in_one_place_and_none_comes_twice():
    found = [one.source for one in changes(SOURCE)]
    whole = ast.unparse(ast.parse(SOURCE))
    assert len(set(found)) == len(found) and whole not in found
    for source in found:
        pairs = zip(source.split("\n"), whole.split("\n"), strict=True)
        assert sum(one != other for one, other in pairs) == 1


@pytest.mark.parametrize(
    "change",
    [
        "total = 0 → total = 1",
        "for i in range(len(outputs)): → for i in range(1, len(outputs)):",
        "for i in range(len(outputs)): → for i in range(len(weights)):",
        "total += weights[i] * outputs[i] → total -= weights[i] * outputs[i]",
        "total += weights[i] * outputs[i] → total += weights[i] / outputs[i]",
        "total += weights[i] * outputs[i] → total += weights[i]",
        "total += weights[i] * outputs[i] → pass",
        "return total.sum(-1, keepdim=True) → return total.mean(-1, keepdim=True)",
        "return total.sum(-1, keepdim=True) → return total.sum(-2, keepdim=True)",
        "return total.sum(-1, keepdim=True) → return total.sum(-1)",
        "return total.sum(-1, keepdim=True) → return total",
    ],
)
def test_slips_of_a_reader_are_among_the_changes(change):
    assert change in [one.change for one in changes(SOURCE)]


def test_an_answer_that_does_not_end_is_refused(monkeypatch):
    solutions()["1.1"].answer()  # with what it imports
    monkeypatch.setattr(mutants, "SECONDS", 0.2)
    endless = "def window_mask_solution(queries, keys, size):\n    while True: pass"
    assert "TimeoutError" in mutants.refused("1.1", endless)


@pytest.mark.parametrize("number", mutants.CHANGED)
def test_changes_that_change_nothing_are_changes_and_have_a_reason(number):
    made = {one.change for one in mutants.all_changed(number)}
    assert EQUIVALENT.get(number, {}).keys() <= made
    assert all(len(reason.split()) > 2 for reason in EQUIVALENT.get(number, {}).values())


@pytest.mark.parametrize("number", mutants.CHANGED)
def test_a_check_does_with_a_few_changes_what_is_recorded(number):
    (recorded,) = (one for one in load_result("checks")["checks"] if one["exercise"] == number)
    assert recorded["basis"] == mutants.basis(number), "`make mutants` was not run since"
    wrong = mutants.changed(number)
    few = wrong[:: max(1, len(wrong) // 3)]
    assert {*mutants.accepted(number, few)} <= {*recorded["accepted"]}


def test_wrong_answers_are_refused_and_right_ones_are_not():
    tried = load_result("checks")["checks"]
    assert [one["exercise"] for one in tried] == [*mutants.CHANGED]
    wrong = sum(one["mutants"] for one in tried)
    caught = wrong - sum(len(one["accepted"]) for one in tried)
    assert caught >= 0.95 * wrong and wilson(caught, wrong)[0] > 0.9
    assert not any(one["refused"] for one in tried)
