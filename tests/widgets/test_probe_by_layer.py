"""Probes that are fitted in the page, beside those that PyTorch fits, and the Python half."""

import json
import shutil
import subprocess

import pytest
import torch

from feedback.interpret import sites
from feedback.interpret.probes import fit_probe
from feedback.interpret.running import look_at
from feedback.pretrained import trackers
from feedback.widgets import ProbeByLayer, base
from feedback.widgets.patch_the_memory import ROW

node = pytest.mark.skipif(shutil.which("node") is None, reason="Node is not there")

FIT = """
import { readFileSync } from "node:fs";
const { fitProbe } = await import("FOLDER/probe_by_layer.fit.js");
const { vectors, labels, others } = JSON.parse(readFileSync(0, "utf-8"));
const d = vectors[0].length;
const work = fitProbe(Float32Array.from(vectors.flat()), labels, d, 6);
let step = work.next();
while (!step.done) step = work.next();
console.log(JSON.stringify(others.map((x) => step.value.read(x))));
""".replace("FOLDER", base.HERE.as_uri())
PLACES = """
import { readFileSync } from "node:fs";
const { readerOf } = await import("FOLDER/live_model.whole.js");
const { placesOf } = await import("FOLDER/probe_by_layer.data.js");
const { sizes, values, row } = JSON.parse(readFileSync(0, "utf-8"));
const records = row.map(readerOf(sizes, Float32Array.from(values), 32).begin());
console.log(JSON.stringify(placesOf(sizes.layers).map(({ name, of }) =>
  [name, records.map((record) => Array.from(of(record)))])));
""".replace("FOLDER", base.HERE.as_uri())


def run(script: str, given: dict):
    command = ["node", "--input-type=module", "--eval", script]
    done = subprocess.run(command, input=json.dumps(given), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@node
def test_a_probe_of_the_page_reads_what_pytorchs_reads():
    """Vectors of six classes that overlap, so that neither is always right. The page stops after
    200 rounds, close to the minimum that PyTorch finds."""
    generator = torch.Generator().manual_seed(5)
    labels = torch.randint(6, (600,), generator=generator)
    centers = 1.2 * torch.randn(6, 12, generator=generator)
    x = 3 + centers[labels] + torch.randn(600, 12, generator=generator)
    probe = fit_probe(x[:400], labels[:400])
    given = {"vectors": x[:400].tolist(), "labels": labels[:400].tolist()}
    found = run(FIT, given | {"others": x[400:].tolist()})
    best = probe(x[400:]).softmax(-1).topk(2)
    shares, states = best.values[:, 0], best.indices[:, 0]
    assert 0.5 < (states == labels[400:]).double().mean() < 0.98
    assert [one["share"] for one in found] == pytest.approx(shares.tolist(), abs=0.015)
    clear = (best.values[:, 0] - best.values[:, 1] > 0.03).tolist()  # no near tie
    agree = [one["state"] == state for one, state in zip(found, states.tolist(), strict=True)]
    assert sum(clear) > 170
    assert all(same for same, told in zip(agree, clear, strict=True) if told)


@node
def test_the_vectors_that_are_probed_are_those_of_python():
    model = trackers.load("s3", 4, 0)
    given = {
        "sizes": ProbeByLayer().models[0]["sizes"],
        "values": torch.cat([each.flatten() for each in model.state_dict().values()]).tolist(),
        "row": ROW,
    }
    row = torch.tensor([ROW])
    trace = model.trace(row)
    expected = {"embedding": trace.outputs[0, 0], "memory vector": trace.memory[0]}
    for layer in (1, 2):
        added = look_at(model, row, sites.added_by_attention(model, layer))[0]
        expected[f"after attention {layer}"] = trace.outputs[layer - 1, 0] + added
        expected[f"output of layer {layer}"] = trace.outputs[layer, 0]
    found = dict(run(PLACES, given))
    assert found.keys() == expected.keys()
    for name, vectors in found.items():
        ours = expected[name]
        torch.testing.assert_close(torch.tensor(vectors), ours, atol=1e-4, rtol=1e-4, msg=name)


def test_it_says_how_often_each_probe_was_right():
    widget = ProbeByLayer(model="untrained", target="before")
    assert widget.describe() == "No probe is fitted yet. Press Fit the probes."
    widget.results = {"embedding": [33, 192], "memory vector": [192, 192]}
    assert widget.describe() == (
        "Read by a probe, the state before, model untrained: embedding 0.17, memory vector 1.00. "
        "A guess gets 0.17."
    )
    widget.target = "shuffled"
    assert widget.results == {}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(model="mine"), "model is 'mine'; choose one of"),
        (dict(target="next"), "target is 'next'; choose one of"),
        (dict(row=[0]), "row has length 1; it must have 12"),
    ],
)
def test_what_cannot_be_probed_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        ProbeByLayer(**arguments)
