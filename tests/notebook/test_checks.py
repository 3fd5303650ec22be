"""The exercises' checks, tried on answers that are right and on answers that are wrong."""

import importlib
import re
from pathlib import Path

import pytest
import torch
from answers import ANSWERS, solutions

from feedback.notebook.checks import Mistake, check
from feedback.notebook.checks.catching import expect_catches
from feedback.notebook.checks.verdict import EXERCISES, verdict

for file in sorted((Path(__file__).resolve().parents[1] / "answers").glob("chapter_*.py")):
    importlib.import_module(f"answers.{file.stem}")
SOLUTIONS = solutions.solutions()


@pytest.mark.parametrize("number", EXERCISES)
def test_the_books_own_answer_is_correct(number):
    assert verdict(number, SOLUTIONS[number].answer()) == f"Exercise {number}: correct."


@pytest.mark.parametrize("given", ANSWERS, ids=lambda given: given.id)
def test_a_right_answer_is_correct_and_a_wrong_one_hears_what_is_wrong(given):
    if given.wrong is None:
        assert verdict(given.exercise, given.answer).endswith("correct.")
    else:
        with pytest.raises(Mistake, match=re.escape(given.wrong)) as mistake:
            verdict(given.exercise, given.answer)
        assert "\n" not in str(mistake.value)


@pytest.mark.parametrize("number", EXERCISES)
def test_each_check_is_tried_on_three_right_answers_and_on_six_mistakes(number):
    own = [given for given in ANSWERS if given.exercise == number]
    assert sum(given.wrong is None for given in own) >= 3
    assert len({given.wrong for given in own} - {None}) >= 6


def test_every_check_stands_under_its_exercise_and_under_its_solution():
    calls = {}
    for path in solutions.NOTEBOOKS:
        for number, _ in solutions.HANDED_IN.findall(path.read_text().replace('\\"', '"')):
            calls[number] = calls.get(number, 0) + 1
    assert calls == dict.fromkeys(EXERCISES, 2)


# What every check has for nothing, on exercise 1.1


def wanted(queries, keys, size):
    ages = torch.arange(keys - queries, keys)[:, None] - torch.arange(keys)
    return (ages >= 0) & (ages < size)


def test_a_function_without_a_body_is_not_begun(capsys):
    def stub(queries, keys, size):
        """Your code goes here."""

    def passed(queries, keys, size):
        pass

    for answer in (stub, passed):
        check("1.1", answer)
        assert capsys.readouterr().out.startswith("Exercise 1.1 is not begun. Fill in `")


def test_what_returns_nothing_has_begun():
    def printed(queries, keys, size):
        wanted(queries, keys, size)

    with pytest.raises(Mistake, match="`printed` returns nothing"):
        check("1.1", printed)


def test_what_returns_a_constant_has_begun():
    def constant(queries, keys, size):
        return True

    with pytest.raises(Mistake, match="returns a bool"):
        check("1.1", constant)


def test_an_error_is_one_sentence_with_its_line():
    def fails(queries, keys, size):
        return wanted(queries, keys, size)[queries + 1]

    with pytest.raises(
        Mistake, match=r"`fails` fails at `return wanted\(.*\(IndexError: "
    ) as found:
        check("1.1", fails)
    assert found.value._render_traceback_() == [f"Not yet: {found.value}"]


def test_an_answer_that_ends_the_program_does_not_end_the_check():
    def ends(queries, keys, size):
        raise SystemExit(3)

    with pytest.raises(Mistake, match="SystemExit: 3"):
        check("1.1", ends)


def test_what_is_not_a_function_and_what_is_no_exercise_is_refused():
    with pytest.raises(Mistake, match="hand in the function itself; 7 is"):
        check("1.1", 7)
    with pytest.raises(ValueError, match="no exercise 1.99 is checked; there are 1.1, "):
        check("1.99", wanted)


def test_random_numbers_go_on_as_if_nothing_had_been_drawn():
    def draws(queries, keys, size):
        torch.rand(7)
        return wanted(queries, keys, size)

    before = torch.get_rng_state()
    check("1.1", draws)
    assert torch.equal(before, torch.get_rng_state())


# Answers that are tests


def right(x):
    return x.softmax(-1)


FAULTY = {
    "what are the sums of its rows?": torch.exp,
    "what are the sums of its columns?": lambda x: x.softmax(-2),
}


def test_a_test_that_catches_every_fault_is_right_in_either_form():
    def asserts(softmax):
        assert torch.allclose(softmax(torch.rand(2, 3)).sum(-1), torch.ones(2))

    expect_catches(asserts, right, FAULTY)
    x = torch.rand(2, 3)
    expect_catches(lambda softmax: bool(softmax(x).sum(-1).allclose(torch.ones(2))), right, FAULTY)


def test_a_test_hears_how_many_it_caught_and_a_hint_at_one_that_it_did_not():
    def weak(softmax):
        assert softmax(torch.rand(2, 3)).max() <= 1

    sentence = "1 of 2 faults are caught; as to the next, what are the sums of its columns?"
    with pytest.raises(Mistake, match=re.escape(sentence)):
        expect_catches(weak, right, FAULTY)


@pytest.mark.parametrize("how", [lambda x: False, lambda x: 1 / 0])
def test_a_test_that_stops_everything_is_told_so(how):
    with pytest.raises(Mistake, match=r"stops the right one as well \((it returns False|ZeroDiv)"):
        expect_catches(how, right, FAULTY)
