"""The engine that trains in the page, run by Node, beside PyTorch on the same weights."""

import base64
import json
import shutil
import subprocess

import pytest
import torch
from torch.nn import functional as F

from feedback import Config, LanguageModel
from feedback.training import Settings
from feedback.training.update import adamw, update
from feedback.widgets import base

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="Node is not there")

ENGINE = "train_in_the_page"
RUN = """
import { readFileSync } from "node:fs";
const [{ createParameters }, { createLanguageModel }, { createAdamW }] = await Promise.all(
  ["parameters", "language", "adamw"].map((part) => import(`ENGINE.${part}.js`)),
);
const { config, weights, batches, settings, room } = JSON.parse(readFileSync(0, "utf-8"));
const parameters = createParameters(config);
const bytes = Uint8Array.from(atob(weights), (character) => character.charCodeAt(0));
parameters.values.set(new Float32Array(bytes.buffer));
const model = createLanguageModel(config, parameters, ...room);
const optimizer = createAdamW(parameters, settings);
const run = (work) => { for (const _ of work); };
const found = { losses: [] };
for (const batch of batches) {
  run(model.forward(batch));
  found.losses.push(model.judge(batch));
  found.logits ??= Array.from(model.logits.subarray(0, batch.inputs.length * config.tokens));
  run(model.back(batch));
  found.gradients ??= Object.fromEntries(
    [...parameters.named.values()].map(({ name, gradient }) => [name, Array.from(gradient)]),
  );
  optimizer.update();
}
console.log(JSON.stringify(found));
""".replace("ENGINE", (base.HERE / ENGINE).as_uri())
SETTINGS = Settings(learning_rate=5e-3, weight_decay=0.1, clip=1.0)

SHAPES = {
    "parallel": dict(model="parallel"),
    "parallel with a window": dict(model="parallel", memory_size=3),
    "parallel, far": dict(model="parallel", max_distance=4),
    "feedback": dict(),
    "feedback, far": dict(max_distance=3),
    "feedback with a short memory": dict(memory_size=2),
    "feedback with one memory vector": dict(memory_size=1, heads=1),
    "feedback with a fixed mixture": dict(memory_mixture=(0.5, 0.0, 0.5)),
    "feedback from the last layer": dict(memory_mixture=(0.0, 0.0, 1.0), memory_size=4),
}


def model_of(changes: dict) -> LanguageModel:
    torch.manual_seed(0)
    sizes = dict(n_tokens=5, d_model=12, heads=3, n_layers=2, d_ff=18, max_distance=16)
    model = LanguageModel(Config(**(sizes | changes)))
    with torch.no_grad():
        for parameter in model.parameters():  # biases, gains and tables start at 0 or 1
            parameter.add_(0.2 * torch.randn_like(parameter))
    return model


def engine_config(config: Config) -> dict:
    return {
        "model": config.model,
        "tokens": config.n_tokens,
        "d": config.d_model,
        "heads": config.heads,
        "layers": config.n_layers,
        "hidden": config.d_ff,
        "distances": config.max_distance,
        "memory": config.memory_size,
        "mixture": config.memory_mixture,
    }


def in_node(model: LanguageModel, batches: list, settings: Settings) -> dict:
    """Losses of the batches, and logits and gradients of the first."""
    weights = torch.cat([value.flatten() for value in model.state_dict().values()])
    given = {
        "config": engine_config(model.config),
        "weights": base64.b64encode(weights.numpy().tobytes()).decode(),
        "room": [max(len(x) for x, _ in batches), max(x.shape[1] for x, _ in batches)],
        "settings": {
            "rate": settings.learning_rate,
            "decay": settings.weight_decay,
            "clip": settings.clip,
        },
        "batches": [
            {
                "inputs": inputs.T.flatten().tolist(),
                "labels": labels.T.flatten().tolist(),
                "size": len(inputs),
                "length": inputs.shape[1],
            }
            for inputs, labels in batches
        ],
    }
    command = ["node", "--input-type=module", "--eval", RUN]
    done = subprocess.run(command, input=json.dumps(given), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def batches_of(count: int, sizes: list[tuple[int, int]]) -> list:
    generator = torch.Generator().manual_seed(1)
    shapes = [sizes[i % len(sizes)] for i in range(count)]
    return [torch.randint(5, (2, *shape), generator=generator).unbind() for shape in shapes]


@pytest.mark.parametrize("name", SHAPES)
def test_gradients_and_ten_updates_are_pytorchs(name):
    model = model_of(SHAPES[name])
    batches = batches_of(10, [(5, 9), (3, 4), (5, 9)])
    found = in_node(model, batches, SETTINGS)

    inputs, labels = batches[0]
    logits = model(inputs)
    ours = torch.tensor(found["logits"]).view(9, 5, 5).transpose(0, 1)
    torch.testing.assert_close(ours, logits.detach(), atol=1e-5, rtol=1e-5)
    F.cross_entropy(logits.flatten(0, 1), labels.flatten()).backward()
    expected = {name: parameter.grad for name, parameter in model.named_parameters()}
    assert list(found["gradients"]) == list(expected)  # the order in which weights are handed over
    for name, gradient in expected.items():
        ours = torch.tensor(found["gradients"][name]).view(gradient.shape)
        allowed = 1e-5 * gradient.abs().max()
        assert (ours - gradient).abs().max() <= allowed, name

    optimizer = adamw(model, SETTINGS)
    losses = [update(model, optimizer, *batch, SETTINGS.clip).item() for batch in batches]
    torch.testing.assert_close(found["losses"], losses, atol=1e-4, rtol=0)
