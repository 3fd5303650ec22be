"""Facts about the tasks: their labels are right, by an account of each that shares no code."""

from itertools import permutations

import pytest
import torch

from feedback.tasks import NO_LABEL, TASKS, Program


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_parity_is_the_number_of_ones_so_far_modulo_two():
    inputs, labels = TASKS["parity"].batch(50, 40, generator())
    assert set(inputs.flatten().tolist()) == {0, 1}
    torch.testing.assert_close(labels, inputs.cumsum(1) % 2)


@pytest.mark.parametrize(("name", "n"), [("s3", 3), ("s5", 5), ("s5-swaps", 5)])
def test_labels_of_permutations_are_products_of_permutation_matrices(name, n):
    task = TASKS[name]
    assert task.words == tuple("".join(map(str, p)) for p in permutations(range(n)))
    matrices = torch.zeros(task.n_tokens, n, n, dtype=torch.int64)
    for token, word in enumerate(task.words):
        for x, digit in enumerate(word):
            matrices[token, int(digit), x] = 1  # x goes to digit
    inputs, labels = task.batch(20, 30, generator())
    product = torch.eye(n, dtype=torch.int64).expand(20, n, n)
    for t in range(30):
        product = matrices[inputs[:, t]] @ product
        torch.testing.assert_close(matrices[labels[:, t]], product)


def test_every_permutation_is_drawn_about_equally_often():
    inputs, labels = TASKS["s5"].batch(1000, 60, generator())
    for tokens in (inputs, labels):
        counts = torch.bincount(tokens.flatten(), minlength=120)
        assert counts.min() > 350 and counts.max() < 650  # 500 on average, 22 the deviation


def test_swaps_are_all_that_is_drawn_and_reach_every_permutation():
    task = TASKS["s5-swaps"]
    inputs, labels = task.batch(1000, 60, generator())
    drawn = [task.words[token] for token in inputs.unique()]
    assert len(drawn) == 11 and drawn[0] == "01234"
    assert all(sum(a != b for a, b in zip(word, "01234", strict=True)) == 2 for word in drawn[1:])
    assert len(labels.unique()) == 120
    assert len(TASKS["s5"].moves) == 120


def interpret(words: list[str]) -> dict[int, str]:
    """What each `print` of a row prints, by the place of its semicolon."""
    values, printed, place = {}, {}, 0
    while place < len(words):
        statement = []
        while words[place] not in (";", "END"):
            statement.append(words[place])
            place += 1
            if place == len(words):
                return printed
        if words[place] == "END":
            assert not statement
            values = {}
        active = True
        if statement and statement[0] == "if":
            left, sign, right = statement[1:4]
            right = values[right] if right in values else int(right)
            active = values[left] < right if sign == "<" else values[left] > right
            assert statement[4] == ":" and statement[5] not in ("if", "print")
            statement = statement[5:]
        if statement and statement[0] == "print":
            printed[place] = str(values[statement[1]])
        elif statement and statement[1] == "=":
            assert statement[0] not in values, "no variable is assigned twice"
            if active:
                values[statement[0]] = int(statement[2])
        elif statement and active:
            values[statement[0]] += {"++": 1, "--": -1}[statement[1]]
            assert 1 <= values[statement[0]] <= 10
        place += 1
    return printed


@pytest.mark.parametrize("name", ["program3", "program5"])
def test_an_interpreter_prints_the_labels_of_a_program(name):
    task = TASKS[name]
    inputs, labels = task.batch(8, 1000, generator())
    for row in range(8):
        words = [task.words[token] for token in inputs[row].tolist()]
        there = (labels[row] != NO_LABEL).nonzero().flatten().tolist()
        assert {t: task.words[labels[row, t]] for t in there} == interpret(words)
        assert words.count("END") >= 1 and len(there) > 30


@pytest.mark.parametrize(("name", "score"), [("program3", 0.417), ("program5", 0.395)])
@pytest.mark.slow
def test_programs_and_their_baseline_are_like_those_of_the_official_generator(name, score):
    import random

    task, source = TASKS[name], random.Random(0)
    programs = [list(task.program(source)) for _ in range(1000)]
    length = sum(len(words) for program in programs for words, _ in program) / 1000
    assert abs(length - 430.5) < 5
    rows = [task.row(sum(len(w) for w, _ in program), random.Random(i)) for i, program in
            enumerate(programs)]  # fmt: skip
    right = labelled = 0
    for tokens, answers in rows:
        inputs, labels = torch.tensor([tokens]), torch.tensor([answers])
        there = labels != NO_LABEL
        right += (task.baseline(inputs, labels) == labels)[there].sum().item()
        labelled += there.sum().item()
    assert abs(right / labelled - score) < 0.015
    assert abs(labelled / 1000 - 25.4) < 1


def test_the_baseline_of_programs_repeats_the_last_printed_value():
    task = TASKS["program3"]
    words = "x = 3 ; print x ; x ++ ; print x ; print x ;".split()
    inputs = torch.tensor([[task.token[word] for word in words]])
    labels = torch.full_like(inputs, NO_LABEL)
    places = [6, 12, 15]
    labels[0, places] = torch.tensor([task.token[value] for value in ("3", "4", "4")])
    answers = task.baseline(inputs, labels)[0, places].tolist()
    assert answers == [NO_LABEL, task.token["3"], task.token["4"]]


@pytest.mark.parametrize("name", TASKS)
def test_a_seed_makes_a_batch_and_what_is_held_out_is_always_the_same(name):
    task = TASKS[name]
    same = [task.batch(4, 20, generator(7)) for _ in range(2)]
    other = task.batch(4, 20, generator(8))
    assert torch.equal(same[0][0], same[1][0]) and torch.equal(same[0][1], same[1][1])
    assert not torch.equal(same[0][0], other[0])
    held_out = [torch.cat([x for x, _ in task.held_out(20)]) for _ in range(2)]
    assert held_out[0].shape == (512, 20) and torch.equal(*held_out)


def test_no_two_rows_of_a_batch_of_programs_are_the_same():
    inputs, _ = Program("program3", 3).batch(64, 60, generator())
    assert len(inputs.unique(dim=0)) == 64
