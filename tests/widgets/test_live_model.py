"""The Python half of the model that writes in the page; tests/pages sets the other beside it."""

import math
from dataclasses import replace

import anywidget
import pytest
import torch
from torch.nn import functional as F

from feedback import Config, LanguageModel, data, pretrained
from feedback.widgets import LiveModel
from feedback.widgets.live_model import HELD_TEXT
from feedback.widgets.live_model_length import MixtureOfLength

CONFIG = Config(n_tokens=4, d_model=8, heads=2, n_layers=2, d_ff=16, max_distance=6)


@pytest.fixture
def own() -> LanguageModel:
    torch.manual_seed(0)
    return LanguageModel(CONFIG)


def test_by_default_it_is_the_shipped_model():
    widget, shipped = LiveModel(), pretrained.load("feedback-kv")
    assert widget.learned == pytest.approx(shipped.layer_weights().tolist())
    assert widget.layer_weights == widget.learned
    tokens = widget.encode("ROMEO:\nWhat say you, sir?")[None]
    both = [model(tokens).softmax(-1) for model in (widget.language_model(), shipped)]
    assert (both[0] - both[1]).abs().max() < 0.05


def test_the_held_text_is_one_that_it_was_not_trained_on():
    text = data.Text(data.tiny_shakespeare(), 128)
    assert HELD_TEXT in text.characters.decode(text.validation)
    assert HELD_TEXT not in text.characters.decode(text.train)


def test_its_loss_on_the_held_text_is_pytorchs():
    widget = LiveModel(layer_weights=[0.2] * 5)
    model = widget.language_model()
    assert model.layer_weights().tolist() == pytest.approx([0.2] * 5)
    tokens = widget.encode(HELD_TEXT)
    logits = torch.cat([model(tokens[None, : t + 1])[:, -1] for t in range(5)])
    first_five = F.cross_entropy(logits, tokens[1:6]).item()
    widget.held_text = HELD_TEXT[:6]
    assert widget.loss() == pytest.approx(first_five, abs=1e-5)


def test_memory_vectors_keep_the_length_that_the_learned_weights_give_them():
    widget = LiveModel(layer_weights=[0, 0, 0, 0, 1])
    tokens, learned = widget.encode("ROMEO:\nBut, soft!")[None], torch.tensor(widget.learned)
    change = widget.loss() - LiveModel().loss()
    longer = widget.language_model().trace(tokens).memory.norm(dim=-1)
    widget.keep_length = True
    trace = widget.language_model().trace(tokens)
    usual = torch.einsum("l,lbtd->btd", learned, trace.outputs)
    assert longer.mean() > 2 * usual.norm(dim=-1).mean()
    # Every memory vector points to where the last output does.
    expected = F.normalize(trace.outputs[-1], dim=-1) * usual.norm(dim=-1, keepdim=True)
    torch.testing.assert_close(trace.memory, expected)
    # Most of what the change cost came from the length.
    assert 0 < widget.loss() - LiveModel().loss() < 0.2 * change
    logits = widget.language_model()(widget.encode(HELD_TEXT)[None, :-1])
    loss = F.cross_entropy(logits[0], widget.encode(HELD_TEXT)[1:]).item()
    assert widget.loss() == pytest.approx(loss)
    assert widget.describe().endswith(" The memory keeps its learned length.")


def test_with_the_learned_weights_there_is_no_length_to_keep():
    usual, kept = LiveModel(), LiveModel(keep_length=True)
    assert kept.loss() == pytest.approx(usual.loss(), abs=1e-5)


def test_a_memory_of_zeros_stays_one():
    mixture = MixtureOfLength([1, 0], length_of=[0, 1])
    outputs = [torch.tensor([[[0.0, 0], [3, 4]]]), torch.tensor([[[1.0, 2], [0, 10]]])]
    assert mixture(outputs).tolist() == [[[0, 0], [pytest.approx(6), pytest.approx(8)]]]


def test_it_says_what_comes_next_and_what_the_held_text_costs():
    widget = LiveModel(prompt="First Citizen", held_text="You are all resolved")
    with torch.no_grad():
        logits = widget.language_model()(widget.encode(widget.prompt)[None])[0, -1]
    shares = logits.softmax(-1).tolist()
    best = shares.index(max(shares))
    likeliest = f"“{widget.characters[best]}” {math.floor(100 * shares[best] + 0.5)}\xa0%"
    start, end = widget.describe().split(likeliest)
    assert start == (
        "After “First Citizen”, the likeliest next characters before temperature and top-k: "
    )
    assert end.endswith(f" Loss on the held text: {widget.loss():.2f} nats a character.")


def test_beyond_the_texts_it_was_trained_on_bounded_memory_is_the_better_one():
    text = data.Text(data.tiny_shakespeare(), 384)
    windows = torch.stack([text.validation[20_000 * i :][:385] for i in range(5)])
    rounded = LiveModel().language_model()
    unbounded = LanguageModel(replace(rounded.config, memory_size=None))
    unbounded.load_state_dict(rounded.state_dict())

    def late_loss(model):
        with torch.no_grad():
            logits = model.eval()(windows[:, :-1])[:, 256:]
        return F.cross_entropy(logits.flatten(0, 1), windows[:, 257:].flatten()).item()

    bounded = late_loss(rounded)
    assert bounded < late_loss(unbounded)
    assert bounded < 1.6  # as good as on short texts


def test_your_own_model_in_one_line(own):
    widget = LiveModel(own, "abcd", prompt="ab")
    assert (widget.held_text, widget.loss(), widget.text) == ("", None, "ab")
    assert widget.language_model().config.memory_size == 6  # its learned distances
    assert "Loss" not in widget.describe()


def test_a_vocabulary_will_do_for_characters(own):
    assert LiveModel(own, data.Characters("dcba"), prompt="a").characters == "abcd"


def test_a_model_with_fixed_layer_weights_and_its_own_memory_size_keeps_both(own):
    fixed = LanguageModel(replace(CONFIG, memory_size=3, memory_mixture=(0.5, 0.25, 0.25)))
    widget = LiveModel(fixed, "abcd", prompt="a")
    assert widget.learned == [0.5, 0.25, 0.25]
    assert widget.language_model().config.memory_size == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"model": None}, "characters belong to a model of your own"),
        (
            {"model": LanguageModel(replace(CONFIG, model="parallel"))},
            "model is a 'parallel' model; it must be",
        ),
        ({"model": torch.nn.Linear(2, 2)}, "model is of type Linear; it must be a feedback"),
        ({"characters": None}, "give what the tokens of your model stand for"),
        ({"characters": "abc"}, "characters has length 3; it must have 4, one for each token"),
        ({"characters": "abca"}, "characters holds one of them twice"),
        ({"characters": ["ab", "c", "d", "e"]}, "single characters"),
        ({"prompt": ""}, "prompt has 0 characters; it must have at least 1"),
        ({"prompt": 3}, "prompt is 3; it must be a text"),
        ({"prompt": "abz"}, r"prompt holds 'z' \(character 2\), which is not among the 4"),
        ({"held_text": "a"}, "held_text has 1 characters; it must have at least 2"),
        ({"temperature": -1}, "temperature is -1; it must be a finite number of at least 0"),
        ({"temperature": math.nan}, "temperature is nan"),
        ({"temperature": "hot"}, "temperature is 'hot'; it must be a finite number"),
        ({"top_k": 0}, "top_k is 0; it must be in 1..4"),
        ({"top_k": 5}, "top_k is 5"),
        ({"seed": -1}, "seed is -1; it must be in 0..4294967295"),
        ({"seed": 1.5}, "seed is 1.5"),
        ({"layer_weights": [0.5, 0.5]}, "layer_weights has length 2; it must have 3"),
        ({"layer_weights": [1, 1, 1]}, "layer_weights sums to 3"),
        ({"keep_length": 1}, "keep_length is 1; choose one of True, False"),
    ],
)
def test_wrong_arguments_are_named(own, arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        LiveModel(**{"model": own, "characters": "abcd", "prompt": "a", **arguments})


def test_a_wrong_value_set_later_changes_nothing(own):
    widget = LiveModel(own, "abcd", prompt="a")
    for name, value in {"prompt": "z", "seed": -1, "top_k": 9, "layer_weights": [1, 1, 1]}.items():
        before = getattr(widget, name)
        with pytest.raises(ValueError, match=name):
            setattr(widget, name, value)
        assert getattr(widget, name) == before
    for name, value in {"prompt": None, "text": "€", "seed": None, "temperature": None}.items():
        with pytest.raises((TypeError, ValueError), match=name):
            setattr(widget, name, value)
    widget.layer_weights, learned = None, widget.learned
    assert (widget.prompt, widget.text, widget.layer_weights) == ("a", "a", learned)


def test_layer_weights_may_come_as_a_tensor(own):
    widget = LiveModel(
        own, "abcd", prompt="a", layer_weights=torch.tensor([1.0, 2.0, 3.0]).softmax(0)
    )
    assert widget.layer_weights == pytest.approx([0.0900, 0.2447, 0.6652], abs=1e-4)


def test_a_new_prompt_begins_a_new_text(own):
    widget = LiveModel(own, "abcd", prompt="a")
    widget.text = "abcabc"  # as the page sets it
    assert widget.describe().startswith("After “abcabc”")
    widget.prompt = "d"
    assert widget.text == "d"


def test_beside_a_kernel_the_weights_are_one_binary_buffer(own):
    widget = LiveModel(own, "abcd", prompt="a")
    assert isinstance(widget, anywidget.AnyWidget)
    assert widget.get_state(["buffer"])["buffer"] == widget.buffer
    assert isinstance(widget.buffer, bytes)
