"""The Python half of the widget of passes: what they find, and what is said of it."""

import json
from functools import cache

import pytest
import torch
from helpers import small, some_tokens
from torch.nn import functional as F

from feedback import Config, LanguageModel, data
from feedback.fast.passes import run_passes
from feedback.tasks import NO_LABEL, TASKS
from feedback.widgets import PassByPass
from feedback.widgets.pass_by_pass import SHUFFLES, TEXTS
from feedback.widgets.pass_by_pass_course import Count, count, course_of

CONFIG = Config(n_tokens=4, d_model=8, heads=2, n_layers=2, d_ff=16, max_distance=6, dropout=0.5)
LETTERS = "abcd"


@cache
def shipped() -> PassByPass:
    """As a chapter shows it."""
    return PassByPass()


@pytest.fixture
def own() -> LanguageModel:
    torch.manual_seed(0)
    return LanguageModel(CONFIG)


def small_one(**changes) -> PassByPass:
    torch.manual_seed(0)
    return PassByPass("abba", LanguageModel(CONFIG), LETTERS, shuffles="102 120 021", **changes)


@pytest.mark.parametrize("kind", ["feedback", "feedback-kv"])
def test_a_course_is_what_so_many_passes_of_the_model_give(kind):
    model, tokens = small(kind), some_tokens(1, 9)[0]
    labels = torch.cat([tokens[1:], torch.tensor([NO_LABEL])])
    course = course_of(model, tokens, labels, 20)
    assert course.moved.shape == course.answers.shape == (9, 9)  # then nothing changes
    for passes in (1, 4, 9):
        found = run_passes(model.core, model.embedding(tokens[None]), free=passes, graded=0)
        torch.testing.assert_close(course.moved[passes - 1], found.moved[0])
        logits = model(tokens[None], passes=passes)[0]
        assert course.answers[passes - 1].equal(logits.argmax(-1))
        expected = F.cross_entropy(logits[:-1], tokens[1:]).item()
        assert course.losses[passes - 1].item() == pytest.approx(expected)
    assert course.exact.equal(model(tokens[None])[0].argmax(-1))
    assert course.exact_loss == pytest.approx(course.losses[-1].item())


def test_the_first_are_exact_and_of_the_others_those_settled_that_hardly_moved():
    moved = [0.5, 0.01, 0.2, 0.001, 0.009]
    assert count(moved, "abcde", "abXdX", 1, 0.01) == Count(1, 3, 1, same=3)
    assert count(moved, "abcde", "abcde", 3, 0.001) == Count(3, 1, 1, same=5)
    assert count(moved, "abcde", "abcde", 30, 0.001) == Count(5, 0, 0, same=5)


def test_dropout_is_off_and_the_model_stays_as_it_was(own):
    own.train()
    assert small_one().courses == PassByPass("abba", own, LETTERS).courses
    assert own.training


def test_its_text_settles_soon_and_the_state_of_the_cups_one_step_a_pass():
    widget = shipped()
    widget.passes = 16
    text = widget.courses[0]
    states = count(text["moved"][15], text["answers"][15], text["exact"], 16, 0.01)
    assert states.exact == 16 and states.moving < 6 < 36 < states.settled
    for widget.memory_size in (None, 4):
        course, (_, places) = widget.cups_course(), widget.tokens_and_labels()
        assert course.answers[-1, :16].equal(places[:16])
        assert (course.moved[-1, 16:] > 0.01).sum() > 12
        assert (course.answers[-1] == places).sum() < 28
        assert course.exact.equal(places)


def test_where_the_cups_are_is_what_the_task_says():
    tokens, places = shipped().tokens_and_labels()
    assert [TASKS["s3"].words[token] for token in tokens] == SHUFFLES.split()
    state = torch.tensor([0, 1, 2])  # where each cup stands
    for token, place in zip(tokens, places, strict=True):
        move = torch.tensor([int(digit) for digit in TASKS["s3"].words[token]])
        state = move[state]
        assert TASKS["s3"].words[place] == "".join(map(str, state.tolist()))


def test_the_first_text_is_one_that_the_model_was_not_trained_on():
    text = data.Text(data.tiny_shakespeare(), 128)
    assert TEXTS[0] in text.characters.decode(text.validation)
    assert TEXTS[0] not in text.characters.decode(text.train)


def test_the_words_give_the_numbers():
    widget = small_one(passes=2)
    text, cups = widget.courses[0], widget.cups_course()
    settled = sum(far <= 0.01 for far in text["moved"][1][2:])
    same = sum(a == b for a, b in zip(text["answers"][1], text["exact"], strict=True))
    still = int(cups.moved[1, 2] > 0.01)
    alike = int((cups.answers[1] == cups.exact).sum())
    right = int((cups.answers[1] == widget.tokens_and_labels()[1]).sum())
    assert widget.describe() == (
        f"After 2 passes, text of 4 tokens: 2 exact for certain, {settled} settled, "
        f"{2 - settled} still moving; {same} answers as in the exact model; loss "
        f"{text['losses'][1]:.3f} nats a character (exact: {text['exact_loss']:.3f}). "
        f"Cups of 3 tokens, memory of all vectors: 2 exact for certain, {1 - still} settled, "
        f"{still} still moving; {alike} answers as in the exact model; {right} right (exact: 3)."
    )
    widget.passes, widget.memory_size = 1, 4
    assert widget.describe().startswith("After 1 pass, text")
    assert "Cups of 3 tokens, memory of 4 vectors: 1 exact" in widget.describe()


def test_its_state_is_plain_and_small():
    widget = shipped()
    names = ("courses", "cups", "text", "shuffles", "passes", "tolerance", "memory_size")
    state = {name: getattr(widget, name) for name in names}
    assert len(json.dumps(state)) < 120_000
    assert len(widget.weights) < 400_000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"texts": ["ab", 3]}, "one of texts is 3; it must be a text"),
        ({"texts": "a"}, "one of texts has 1 characters; it must have at least 2"),
        ({"texts": "abe"}, "one of texts holds 'e'"),
        ({"texts": "ab" * 65}, "one of texts has 130 characters; it must have at most 128"),
        ({"texts": []}, "texts is empty; it must hold at least one text"),
        ({"texts": 3}, "texts is 3; it must be a sequence"),
        ({"text": 1}, "text is 1; it must be in 0..0"),
        ({"shuffles": "120"}, "shuffles has 1 words; it must have 2 to 32"),
        ({"shuffles": "012 " * 33}, "shuffles has 33 words; it must have 2 to 32"),
        ({"shuffles": "012 011"}, "one of shuffles is '011'; choose one of '012', '021'"),
        ({"shuffles": ["012"]}, "shuffles is .*; it must be a text"),
        ({"passes": 0}, "passes is 0; it must be in 1..32"),
        ({"passes": 2.5}, "passes is 2.5; it must be a whole number in 1..32"),
        ({"tolerance": 0.5}, "tolerance is 0.5; choose one of 0.1, 0.01, 0.001, 0.0001"),
        ({"memory_size": 5}, "memory_size is 5; choose one of None, 4"),
        ({"characters": "abc"}, "characters has length 3; it must have 4"),
        ({"model": None}, "characters belong to a model of your own"),
        ({"model": 3}, "model is of type int; it must be a feedback.language_model.LanguageModel"),
    ],
)
def test_wrong_arguments_are_named(own, arguments, message):
    given = {"texts": "abba", "model": own, "characters": LETTERS, **arguments}
    with pytest.raises((TypeError, ValueError), match=message):
        PassByPass(**given)


def test_a_parallel_model_is_refused():
    model = LanguageModel(Config(model="parallel", n_tokens=4, d_model=8, heads=2, n_layers=2))
    with pytest.raises(ValueError, match="model='feedback' or model='feedback-kv'"):
        PassByPass("abba", model, LETTERS)


def test_a_wrong_value_set_later_changes_nothing():
    widget = small_one()
    before = widget.describe()
    for name, value in [("passes", 33), ("tolerance", 0.5), ("shuffles", "1 2"), ("text", -1)]:
        with pytest.raises(ValueError, match=f"{name} "):
            setattr(widget, name, value)
    assert widget.describe() == before
    widget.set_state({"passes": 3, "memory_size": 4})  # as the page sends it
    assert (widget.passes, widget.memory_size) == (3, 4)
