"""The engine of the live model, run by Node, beside PyTorch on the same rounded weights."""

import base64
import json
import shutil
import subprocess

import pytest
import torch
from torch.nn import functional as F

from feedback import Config, LanguageModel
from feedback.widgets import LiveModel, base

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="Node is not there")

ENGINE = (base.HERE / "live_model.engine.js").as_uri()
RUN = f"""
import {{ readFileSync }} from "node:fs";
import {{ createModel, losses }} from {json.dumps(ENGINE)};
const {{ buffer, memory, tokens, ...state }} = JSON.parse(readFileSync(0, "utf-8"));
const bytes = Uint8Array.from(atob(buffer), (character) => character.charCodeAt(0));
const model = createModel({{ ...state, weights: new DataView(bytes.buffer) }});
const step = model.begin(memory);
const plain = (value) => value?.map ? Array.from(value, plain) : value;
const records = tokens.map(step).map((record) => {{
  const lens = [...record.outputs, record.memory].map(model.predict);
  return Object.fromEntries(Object.entries({{ ...record, lens }}).map(
    ([name, value]) => [name, plain(value)],
  ));
}});
console.log(JSON.stringify({{ records, losses: [...losses(model, tokens, memory)] }}));
"""

# Heads, layers, memory vectors that are kept, and more tokens than those; and whether a vector
# keeps the length that the learned mixture would give it.
SHAPES = [(1, 1, 3, 8, False), (2, 3, 5, 12, True), (4, 2, 1, 5, True)]


def run(widget: LiveModel, tokens: list[int]) -> dict:
    given = {
        "config": widget.config,
        "tensors": widget.tensors,
        "buffer": base64.b64encode(widget.buffer).decode(),
        "memory": {
            "mixture": widget.layer_weights,
            "lengthOf": widget.learned if widget.keep_length else None,
        },
        "tokens": tokens,
    }
    command = ["node", "--input-type=module", "--eval", RUN]
    done = subprocess.run(command, input=json.dumps(given), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(("heads", "layers", "kept", "length", "keep_length"), SHAPES)
def test_every_number_of_a_step_is_pytorchs(heads, layers, kept, length, keep_length):
    torch.manual_seed(heads)
    config = Config(
        n_tokens=5,
        d_model=8,
        heads=heads,
        n_layers=layers,
        d_ff=12,
        max_distance=4,
        memory_size=kept,
    )
    model = LanguageModel(config)
    with torch.no_grad():
        for parameter in model.parameters():  # biases, gains and tables start at 0 or 1
            parameter.add_(0.3 * torch.randn_like(parameter))
    mixture = torch.rand(layers + 1).softmax(0).tolist()
    widget = LiveModel(model, "abcde", prompt="a", layer_weights=mixture, keep_length=keep_length)
    tokens = torch.randint(5, (length,))
    twin = widget.language_model()
    trace = twin.trace(tokens[None])
    with torch.no_grad():
        lens = twin.head(twin.core.norm(torch.cat([trace.outputs, trace.memory[None]])))
    found = run(widget, tokens.tolist())
    for t, record in enumerate(found["records"]):
        n = min(t, kept)
        for name, expected in {
            "outputs": trace.outputs[:, 0, t],
            "memory": trace.memory[0, t],
            "attention": trace.attention[:, 0, :, t, t - n : t],
            "logits": trace.logits[0, t],
            "lens": lens[:, 0, t],
        }.items():
            ours = torch.tensor(record[name], dtype=torch.float32).view(expected.shape)
            torch.testing.assert_close(ours, expected, atol=1e-5, rtol=1e-5, msg=f"{name} at {t}")
    expected = F.cross_entropy(trace.logits[0, :-1], tokens[1:], reduction="none")
    torch.testing.assert_close(torch.tensor(found["losses"]), expected, atol=1e-5, rtol=1e-5)
