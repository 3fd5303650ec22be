"""Memory vectors put into another run: what Python computes, and the page's numbers beside it."""

import base64
import json
import shutil
import subprocess

import pytest
import torch

from feedback import Config, LanguageModel
from feedback.interpret.changes import only, put
from feedback.interpret.running import look_at, run_with
from feedback.interpret.sites import memory
from feedback.pretrained import trackers
from feedback.widgets import PatchTheMemory, base
from feedback.widgets.patch_the_memory import DONOR, READ, ROW, TOTAL

node = pytest.mark.skipif(shutil.which("node") is None, reason="Node is not there")

SHAPE = dict(n_tokens=6, d_model=8, heads=2, d_ff=12, max_distance=4)
NAMES = ("models", "model", "row", "donor", "put", "count", "part")
RUN = """
import { readFileSync } from "node:fs";
const [whole, numbers, { softmax }] = await Promise.all(
  ["live_model.whole", "patch_the_memory.numbers", "live_model.arithmetic"].map(
    (name) => import(`FOLDER/${name}.js`),
  ),
);
const { weights, states } = JSON.parse(readFileSync(0, "utf-8"));
const bytes = Uint8Array.from(atob(weights), (character) => character.charCodeAt(0));
const { models } = states[0];
const values = whole.unpackWhole(new DataView(bytes.buffer), models);
const readers = models.map(({ sizes }, i) => whole.readerOf(sizes, values[i], numbers.TOTAL));
console.log(JSON.stringify(states.map((state) => {
  const i = models.findIndex(({ name }) => name === state.model);
  const found = numbers.compare(readers[i], state);
  return {
    found: found.found.map(({ logits }) => Array.from(softmax(logits))),
    without: found.without.map(({ logits }) => Array.from(softmax(logits))),
    said: numbers.describe(found, state.put, state.part),
  };
})));
""".replace("FOLDER", base.HERE.as_uri())


def in_the_page(widget: PatchTheMemory, states: list[dict]) -> list[dict]:
    given = {"weights": base64.b64encode(widget.weights).decode(), "states": states}
    command = ["node", "--input-type=module", "--eval", RUN]
    done = subprocess.run(command, input=json.dumps(given), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def model_of(**changes) -> LanguageModel:
    """A model whose numbers need float32, and whose answers differ."""
    torch.manual_seed(3)
    model = LanguageModel(Config("feedback-kv", **SHAPE, **changes))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.5 * torch.randn_like(parameter))
    return model.eval()


@pytest.fixture(scope="module")
def shipped() -> PatchTheMemory:
    return PatchTheMemory()


CASES = [
    dict(put=[]),
    dict(put=[[6, 6]]),
    dict(put=[[6, 6]], part="keys"),
    dict(put=[[4, 5], [6, 6]], part="values"),
    dict(put=[[2, 4]], part="share 0"),
    dict(put=[[1, 1], [5, 6]], part="share 2"),
    dict(put=[[6, 6]], donor=[*ROW[:READ]]),
]


@node
def test_every_probability_and_every_sentence_of_the_page_is_pythons():
    models = {"short": model_of(n_layers=2, memory_size=2), "long": model_of(n_layers=3)}
    models |= {"fixed": model_of(n_layers=2, memory_mixture=[0.0, 0.25, 0.75])}
    models |= {"shipped": trackers.load("s3", 4, 0)}
    widget = PatchTheMemory(models)
    assert [each["isShort"] for each in widget.models] == [False, False, False, True]
    states, expected = [], []
    for name in models:
        for case in CASES:
            widget.set_state(dict(part="all", donor=[*DONOR]) | case | {"model": name})
            states.append({name: getattr(widget, name) for name in NAMES})
            expected.append((*widget.answers(), widget.describe()))
    for page, (found, without, said) in zip(in_the_page(widget, states), expected, strict=True):
        for theirs, ours in ((page["found"], found), (page["without"], without)):
            torch.testing.assert_close(torch.tensor(theirs), ours, atol=1e-4, rtol=0)
        assert page["said"] == said


def test_the_last_vector_takes_the_donors_state_along_and_keys_do_not(shipped):
    """As in chapter 10, for the rows that are shown first and both models."""
    for name in ("memory of four", "whole memory"):
        shipped.set_state({"model": name, "put": [[READ, READ]], "part": "all"})
        assert "6 go on from the donor's state and 0 from the row's own" in shipped.describe()
        shipped.part = "keys"
        assert "0 go on from the donor's state" in shipped.describe()


def test_it_changes_what_run_with_changes(shipped):
    shipped.set_state({"model": "whole memory", "put": [[3, 2]], "part": "all"})
    model = trackers.load("s3", None, 0)
    row, donor = torch.tensor([ROW]), torch.tensor([DONOR])
    site = memory(model)
    moved = look_at(model, row, site)
    moved[:, 1] = look_at(model, donor, site)[:, 2]
    expected = run_with(model, row, {site: only(put(moved), [1])}).logits[0].softmax(-1)
    found, without = shipped.answers()
    torch.testing.assert_close(found, expected)
    assert torch.allclose(found[:2], without[:2], atol=1e-6)
    assert not torch.allclose(found[2:], without[2:], atol=1e-2)
    assert found.shape == (TOTAL, 6)


def test_where_both_rows_stand_in_one_state_it_says_so(shipped):
    shipped.set_state({"donor": [*ROW[:READ]], "put": [[6, 6]], "part": "all"})
    assert "Both rows stand in the same state there" in shipped.describe()
    shipped.donor = DONOR


WRONG = {
    "a short row": (dict(row=[1, 2]), ValueError, "row has length 2; it must have 12"),
    "a token of another task": (dict(donor=[9] * 6), ValueError, "one of donor is 9"),
    "a step that is not there": (dict(put=[[7, 1]]), ValueError, "a step in put is 7"),
    "three steps": (dict(put=[[1, 2, 3]]), ValueError, "a pair in put has length 3"),
    "one place twice": (dict(put=[[1, 2], [3, 2]]), ValueError, "two vectors in one place"),
    "a layer that is not there": (dict(part="share 3"), ValueError, "part is 'share 3'"),
    "no number": (dict(count="two"), TypeError, "count is 'two'"),
    "another name": (dict(model="mine"), ValueError, "model is 'mine'; choose one of"),
    "no models": (dict(models={}), ValueError, "models is empty"),
    "a list": (dict(models=[1]), TypeError, "models is of type list"),
    "a parallel model": (
        dict(models={"a": LanguageModel(Config("parallel", n_layers=1, **SHAPE))}),
        ValueError,
        "the model 'a' is 'parallel'",
    ),
    "another vocabulary": (
        dict(
            models={
                "a": LanguageModel(Config("feedback-kv", n_layers=1, **SHAPE | {"n_tokens": 2}))
            }
        ),
        ValueError,
        "the model 'a' has 2 tokens; three cups have 6",
    ),
    "untrained rows": (dict(trained=0), ValueError, "trained is 0"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_cannot_be_shown_is_refused(what):
    arguments, kind, message = WRONG[what]
    with pytest.raises(kind, match=message):
        PatchTheMemory(**arguments)


def test_a_layer_that_only_another_model_has_is_refused_and_changes_nothing():
    widget = PatchTheMemory({"two": model_of(n_layers=2), "three": model_of(n_layers=3)})
    with pytest.raises(ValueError, match="part is 'share 3', but the model 'two' has 2 layers"):
        widget.part = "share 3"
    assert widget.part == "all"
    widget.set_state({"model": "three", "part": "share 3"})
    assert (widget.model, widget.part) == ("three", "share 3")
