"""The Python half of the widget that trains; what it hands to the page, and what comes back."""

import base64
import json
import shutil
import subprocess

import pytest
import torch
from torch.nn import functional as F

from feedback import Config, LanguageModel
from feedback.data import Characters
from feedback.widgets import TrainInThePage, base
from feedback.widgets.train_in_the_page import SIZES, TEXT

node = pytest.mark.skipif(shutil.which("node") is None, reason="Node is not there")

SHAPE = dict(d_model=8, heads=2, n_layers=3, d_ff=12, max_distance=9)
ALONE = (0.0, 0.0, 0.0, 1.0)
MODELS = {
    "parallel": Config("parallel", n_tokens=6, **SHAPE),
    "feedback": Config("feedback-kv", n_tokens=6, memory_size=3, **SHAPE),
    "feedback, the last layer": Config("feedback-kv", n_tokens=6, memory_mixture=ALONE, **SHAPE),
}
# The page: from the traits to a run, some updates, and what comes back.
RUN = """
import { readFileSync } from "node:fs";
const [{ createPlan }, { createRun, finish }, { createBatch }, { createLanguageModel }] =
  await Promise.all(["plan", "run", "tasks", "language"].map((part) => import(`PATH.${part}.js`)));
const { traits, kind, updates } = JSON.parse(readFileSync(0, "utf-8"));
const bytes = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
if (traits.start) traits.start = new DataView(bytes(traits.start).buffer);
const plan = createPlan((name) => traits[name]);
const { config, settings, weights } = plan.begin[kind];
const run = createRun(config, settings, weights);
if (updates) finish(run.train(updates, 5));
const trained = { ...config, tokens: plan.tokens };
const batch = createBatch(4, 7);
run.task.fill(batch, Math.random);
const model = createLanguageModel(trained, run.parameters, 4, 7);
finish(model.forward(batch));
console.log(JSON.stringify({
  trained,
  isGiven: Boolean(weights),
  weights: Buffer.from(run.parameters.values.buffer).toString("base64"),
  inputs: Array.from(batch.inputs),
  logits: Array.from(model.logits),
}));
""".replace("PATH", (base.HERE / "train_in_the_page").as_uri())


def in_the_page(widget: TrainInThePage, kind: str, updates: int) -> dict:
    traits = {name: getattr(widget, name) for name in widget.trait_names(sync=True)}
    traits = {name: value for name, value in traits.items() if not name.startswith("_")}
    for name, value in traits.items():
        if isinstance(value, bytes):
            traits[name] = base64.b64encode(value).decode()
    given = json.dumps({"traits": traits, "kind": kind, "updates": updates}, default=str)
    command = ["node", "--input-type=module", "--eval", RUN]
    done = subprocess.run(command, input=given, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    found["inputs"] = torch.tensor(found["inputs"]).view(7, 4).T
    found["logits"] = torch.tensor(found["logits"]).view(7, 4, -1).transpose(0, 1)
    return found


def hand_back(widget: TrainInThePage, kind: str, found: dict):
    """As a message of the page: what belongs together comes together."""
    name = "parallel_weights" if kind == "parallel" else "feedback_weights"
    weights = memoryview(base64.b64decode(found["weights"]))
    widget.set_state({"trained": {kind: found["trained"]}, name: weights})


@node
@pytest.mark.parametrize("name", MODELS)
def test_a_model_goes_to_the_page_and_comes_back_trained(name):
    torch.manual_seed(0)
    model = LanguageModel(MODELS[name])
    kind = model.config.model
    widget = TrainInThePage(model, task="s3")
    found = in_the_page(widget, kind, updates=0)
    torch.testing.assert_close(found["logits"], model(found["inputs"]), atol=1e-5, rtol=1e-5)
    found = in_the_page(widget, kind, updates=2)
    hand_back(widget, kind, found)
    back = widget.to_model(kind)
    assert back.config == model.config
    assert not torch.equal(back.head.weight, model.head.weight)
    torch.testing.assert_close(found["logits"], back(found["inputs"]), atol=1e-5, rtol=1e-5)


@node
@pytest.mark.parametrize("kind", ["parallel", "feedback-kv"])
def test_fresh_models_of_every_setting_come_back(kind):
    widget = TrainInThePage(task="text", layers=1, memory_size=None, mixture="embedding")
    hand_back(widget, kind, found := in_the_page(widget, kind, updates=1))
    back = widget.to_model(kind)
    assert back.config.n_tokens == len(Characters(TEXT))
    torch.testing.assert_close(found["logits"], back(found["inputs"]), atol=1e-5, rtol=1e-5)


@node
def test_after_another_choice_of_sizes_weights_are_fresh():
    widget = TrainInThePage(LanguageModel(MODELS["feedback"]), task="s3")
    assert in_the_page(widget, "feedback-kv", 0)["isGiven"]
    assert not in_the_page(widget, "parallel", 0)["isGiven"]
    widget.layers = 2
    assert not in_the_page(widget, "feedback-kv", 0)["isGiven"]


def test_nothing_comes_back_before_training():
    with pytest.raises(ValueError, match="no 'parallel' model has come from the page"):
        TrainInThePage().to_model("parallel")


def test_a_sentence_says_what_came_out():
    widget = TrainInThePage()
    assert widget.describe() == (
        "Nothing has been learned yet. Asked for is the parity of the bits so far."
    )
    right = {"parallel": [1.0, 0.75, 0.505], "feedback-kv": [1.0, 1.0, 0.99]}
    widget.results = {"updates": 140, "right": right}
    assert widget.describe() == (
        "After 140 updates: of held-out rows of 16, the parallel model is right in 100\xa0% at the "
        "first place, 51\xa0% at the last, the feedback model is right in 100\xa0% at the first "
        "place, 99\xa0% at the last."
    )
    widget.layers = 3
    assert widget.results == {}


def test_the_text_is_longer_than_a_row_and_known_to_no_one():
    """Who knows how often each character comes has more to learn than the page promises."""
    tokens = Characters(TEXT).encode(TEXT)
    shares = tokens.bincount().double() / len(tokens)
    assert F.cross_entropy(shares.log()[None], shares[None]) > 1
    assert len(TEXT) > 2 * SIZES["text"]["longest"]


WRONG = {
    "another task": (dict(task="s5"), ValueError, "task is 's5'; choose one of 'parity'"),
    "no layers": (dict(layers=0), ValueError, "layers is 0"),
    "half a memory": (dict(memory_size=0.5), TypeError, "memory_size is 0.5"),
    "another mixture": (dict(mixture="equal"), ValueError, "mixture is 'equal'"),
    "another rate": (dict(learning_rate=0.5), ValueError, "learning_rate is 0.5"),
    "a short text": (dict(text="ab"), ValueError, "text has 2 characters; it must have 64"),
    "one character": (dict(text="a" * 99), ValueError, "text holds one character alone"),
    "no model": (dict(model=3), TypeError, "model is of type int"),
    "a model of another task": (
        dict(model=LanguageModel(MODELS["feedback"]), task="parity"),
        ValueError,
        "model has 6 tokens; task='parity' has 2",
    ),
    "a model with a window": (
        dict(model=LanguageModel(Config("parallel", n_tokens=2, memory_size=2, **SHAPE))),
        ValueError,
        "model reads a window",
    ),
    "a model with dropout": (
        dict(model=LanguageModel(Config(n_tokens=2, dropout=0.1, **SHAPE))),
        ValueError,
        "model has dropout 0.1",
    ),
    "a model of the third kind": (
        dict(model=LanguageModel(Config("feedback", n_tokens=2, **SHAPE))),
        ValueError,
        "model is a 'feedback' model",
    ),
    "a mixture that the page does not know": (
        dict(model=LanguageModel(Config(n_tokens=2, memory_mixture=[0.25] * 4, **SHAPE))),
        ValueError,
        "the page knows learned weights",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_cannot_be_trained_is_refused(what):
    arguments, kind, message = WRONG[what]
    with pytest.raises(kind, match=message):
        TrainInThePage(**arguments)


def test_what_is_refused_later_changes_nothing():
    widget = TrainInThePage()
    for name, value in {"layers": 5, "task": "s5", "text": "ab", "seed": -1}.items():
        before = getattr(widget, name)
        with pytest.raises(ValueError, match=name):
            setattr(widget, name, value)
        assert getattr(widget, name) == before
