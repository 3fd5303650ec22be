"""The Python half of MemoryAttention: its numbers are those of the models' traces."""

import json

import numpy as np
import pytest
import torch

from feedback import Config, LanguageModel, data, pretrained
from feedback.widgets import MemoryAttention
from feedback.widgets.memory_attention_weights import FULL, LONGEST

TEXT = "To be, or not: so be it."
CHARACTERS = data.Characters("abc \n")


def small(model="feedback-kv", n_tokens=5, n_layers=2) -> LanguageModel:
    torch.manual_seed(0)
    config = Config(model, n_tokens=n_tokens, d_model=8, heads=2, n_layers=n_layers, d_ff=8)
    return LanguageModel(config)


def weights_of(tokens: int, heads: int = 2) -> torch.Tensor:
    """(1, H, T, T) strictly causal weights that are not equal."""
    scores = torch.arange(tokens).expand(1, heads, tokens, tokens).clone().float()
    scores[:, 1:] *= -1
    hidden = torch.ones(tokens, tokens, dtype=torch.bool).triu()
    return scores.masked_fill(hidden, float("-inf")).softmax(-1).nan_to_num()


def unpacked(widget: MemoryAttention, place: int) -> np.ndarray:
    """(M, L, H, T, T) of one text, from the bytes as the class says they are laid out."""
    shape = (len(widget.names), widget.layers, widget.heads)
    sizes = [len(tokens) * (len(tokens) + 1) // 2 * np.prod(shape) for tokens in widget.tokens]
    numbers = np.frombuffer(widget.weights, "<u2") / FULL
    assert len(numbers) == sum(sizes)
    start, T = sum(sizes[:place]), len(widget.tokens[place])
    found = np.zeros((*shape, T, T))
    rows, columns = np.tril_indices(T)
    found[..., rows, columns] = numbers[start : start + sizes[place]].reshape(*shape, -1)
    return found


def test_the_bytes_hold_what_both_models_attend_to():
    texts = ["short", TEXT]
    models = [pretrained.load(name) for name in ("feedback-kv", "parallel")]
    characters = data.Characters.load(pretrained.folder("parallel"))
    widget = MemoryAttention(models[0], texts, characters, parallel=models[1])
    for place, text in enumerate(texts):
        tokens = characters.encode(text)[None]
        traced = np.stack([model.trace(tokens).attention[:, 0].numpy() for model in models])
        assert np.abs(unpacked(widget, place) - traced).max() <= 0.51 / FULL
    assert widget.names == ["feedback-kv", "parallel"]
    assert (widget.layers, widget.heads) == (4, 4)


def test_without_arguments_the_models_of_the_package_read():
    widget = MemoryAttention()
    characters = data.Characters.load(pretrained.folder("feedback-kv"))
    tokens = characters.encode(widget.text)[None]
    traced = pretrained.load("parallel").trace(tokens).attention[:, 0].numpy()
    assert np.abs(widget.shown[1] - traced).max() <= 0.51 / FULL


def test_the_sentence_names_the_step_that_one_head_reads_most():
    widget = MemoryAttention(attention=weights_of(4), labels=list("to b"), step=3, head=1)
    share = f"{torch.arange(3.0).softmax(0)[2]:.0%}".replace("%", "\N{NO-BREAK SPACE}%")
    assert (
        widget.sentence
        == f"At step 3 (“b”), layer 1, head 1 looks most at step 2 (space), {share}."
    )
    assert widget.describe() == f"Attention over “t o   b”. {widget.sentence}"


def test_the_sentence_can_be_about_all_heads():
    widget = MemoryAttention(attention=weights_of(4), labels=list("to b"))
    assert widget.sentence == "At step 3 (“b”), layer 1, heads 1 to 2 look most at steps 2, 0."


def test_a_feedback_model_reads_nothing_at_the_first_step():
    widget = MemoryAttention(
        small(), "abc\n", CHARACTERS, parallel=small("parallel"), step=0, head=2
    )
    assert widget.sentence == (
        "At step 0 (“a”), layer 1, head 2 reads nothing, as there is no earlier step (feedback-kv),"
        " and looks most at step 0 (“a”), 100\N{NO-BREAK SPACE}% (parallel)."
    )


def test_what_is_set_is_what_is_described():
    widget = MemoryAttention(small(), ["abc cab", "bb\na"], CHARACTERS)
    widget.text, widget.layer, widget.head = "bb\na", 2, 2
    assert widget.step == 3  # the last one of the shorter text
    widget.step = 2
    assert widget.sentence.startswith("At step 2 (new line), layer 2, head 2 looks most at step ")
    assert json.loads(json.dumps(widget.get_state(["text", "step", "layer", "head"]))) == {
        "text": "bb\na",
        "step": 2,
        "layer": 2,
        "head": 2,
    }


def test_what_a_reader_types_is_read_by_the_models():
    model = small()
    widget = MemoryAttention(model, "abc", CHARACTERS)
    for text in ("ab ab ab", "cc\nc"):  # the second takes the place of the first
        widget.typed = text
        assert (widget.texts, widget.text, widget.step) == (["abc", text], text, len(text) - 1)
        traced = model.trace(CHARACTERS.encode(text)[None]).attention[:, 0].numpy()
        assert np.abs(unpacked(widget, 1)[0] - traced).max() <= 0.51 / FULL
        assert widget.problem == ""


def test_a_typed_text_that_cannot_be_read_is_answered_and_changes_nothing():
    widget = MemoryAttention(small(), "abc", CHARACTERS)
    problems = []
    widget.observe(lambda change: problems.append(change.new), "problem")
    for text in ("abx", "ax" * LONGEST, "bx" * LONGEST):
        widget.typed = text
    assert widget.text == "abc" and widget.texts == ["abc"]
    assert "'x' (character 2 of the text) is not among the 5 characters" in problems[0]
    # The same answer again is heard again.
    assert [bool(problem) for problem in problems] == [True, False, True, False, True]


def test_an_answer_that_is_broken_off_is_said_too(monkeypatch):
    model = small()
    widget = MemoryAttention(model, "abc", CHARACTERS)

    def interrupt(tokens):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(model, "trace", interrupt)
        with pytest.raises(KeyboardInterrupt):
            widget.typed = "ab"
    assert widget.problem and widget.text == "abc"
    widget.typed = "ab"
    assert (widget.text, widget.problem) == ("ab", "")


TWO = torch.eye(2).expand(1, 1, 2, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"texts": ["a", ""]}, "a text has 0 characters; it must have at least 1"),
        ({"texts": "a" * 257}, "a text has 257 characters; it must have 1 to 256"),
        ({"texts": []}, "texts is empty"),
        ({"texts": [1]}, "a text is 1; it must be a text"),
        ({"texts": "xyz"}, "'x' .* is not among the 5 characters"),
        ({"model": 3}, "model is of type int; it must be a feedback"),
        ({"characters": "abc"}, "characters is of type str; it must be a feedback.data"),
        ({"model": small(n_tokens=9)}, "reads 9 tokens, but there are 5 characters"),
        ({"parallel": small()}, "parallel is a feedback-kv model beside a feedback-kv model"),
        ({"parallel": small("parallel", n_layers=1)}, r"\(2, 2\) and \(1, 2\); expected the same"),
        ({"model": None}, "model is None"),
        ({"attention": TWO}, "give either models and texts, or attention and labels"),
        ({"step": 3}, "step is 3; it must be in 0..2"),
        ({"layer": 0}, "layer is 0; it must be in 1..2"),
        ({"head": 3}, "head is 3; it must be in 1..2"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    good = {"model": small(), "texts": "abc", "characters": CHARACTERS}
    with pytest.raises((TypeError, ValueError), match=message):
        MemoryAttention(**{**good, **arguments})


@pytest.mark.parametrize(
    ("attention", "message"),
    [
        (TWO[0], r"attention has shape \(1, 2, 2\); it must have \(L, H, T, T\)"),
        ([[[["a"]]]], "it must be numbers of shape"),
        (-TWO, "attention holds -1; its weights must not be negative"),
        (TWO * float("nan"), "attention holds nan or infinity"),
        (TWO.flip(-1), "gives weight to later steps"),
        (TWO * 0.5, "sum to neither 1 nor 0, such as 0.5"),
        ([[[[1, 0], [0.2, 0.3]]]], "sum to neither 1 nor 0, such as 0.5"),
        ({"a": TWO, "b": TWO[..., :1, :1]}, "differ in shape"),
        ({}, "attention is empty"),
        (torch.eye(257).expand(1, 1, 257, 257), "257 steps; it must have 256 at most"),
    ],
)
def test_wrong_weights_are_named(attention, message):
    with pytest.raises((TypeError, ValueError), match=message):
        MemoryAttention(attention=attention, labels="ab")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (None, "labels has length 0; it must have 2, one for each step"),
        ("abc", "labels has length 3; it must have 2, one for each step"),
        (["a", ""], "labels holds an empty name; expected a token for each step"),
    ],
)
def test_wrong_labels_are_named(labels, message):
    with pytest.raises(ValueError, match=message):
        MemoryAttention(attention=TWO, labels=labels)


def test_a_wrong_value_set_later_changes_nothing():
    widget = MemoryAttention(attention={"first": TWO, "second": TWO.numpy()}, labels="ab")
    wrong = {"text": ["a c"], "step": [2, "x", None, 0.5], "layer": [2, True, None], "head": [2]}
    for name, values in wrong.items():
        for value in values:
            with pytest.raises((TypeError, ValueError), match=f"{name} is"):
                setattr(widget, name, value)
    assert (widget.text, widget.step, widget.layer, widget.head) == ("a b", 1, 1, None)


def test_what_a_page_sends_is_taken_as_a_whole():
    """As a kernel takes a message: validated when all values are set, whatever their order."""
    widget = MemoryAttention(small(), ["abc cab", "bb\na"], CHARACTERS, step=1)
    widget.set_state({"step": 6, "head": 1})
    widget.set_state({"step": 2, "text": "bb\na", "head": None})
    assert (widget.text, widget.step, widget.head) == ("bb\na", 2, None)
    widget.set_state({"typed": "c c"})
    assert (widget.text, widget.step) == ("c c", 2)
    widget.set_state({"typed": "x"})
    assert widget.problem and widget.text == "c c"


@pytest.mark.parametrize("order", [("text", "step"), ("step", "text")])
def test_a_text_that_came_with_a_wrong_step_is_as_if_it_had_never_been_read(order):
    widget = MemoryAttention(small(), "abc", CHARACTERS)
    widget.text = "a\nb"
    before, weights, shown = widget.sentence, widget.weights, widget.shown
    message = {"text": "cab cab", "step": 7}
    with pytest.raises(ValueError, match="step is 7; it must be in 0..6"):
        widget.set_state({name: message[name] for name in order})
    assert (widget.texts, widget.text) == (["abc", "a\nb"], "a\nb")
    assert (widget.sentence, widget.weights) == (before, weights)
    assert np.array_equal(widget.shown, shown)
    widget.set_state({name: {**message, "step": 6}[name] for name in order})
    assert (widget.texts, widget.text, widget.step) == (["abc", "cab cab"], "cab cab", 6)
