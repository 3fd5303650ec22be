"""The passes that the page makes, run by Node, beside PyTorch on the same weights."""

import base64
import json
import shutil
import subprocess

import pytest
import torch

from feedback import Config, LanguageModel
from feedback.fast.passes import begin, one_pass
from feedback.tasks import TASKS
from feedback.widgets import PassByPass, base, whole_weights

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="Node is not there")

RUN = """
import { readFileSync } from "node:fs";
const [{ readerOf, unpackWhole }, { computedCourse, onePass }] = await Promise.all(
  ["live_model.whole", "pass_by_pass.course"].map((part) => import(`FOLDER/${part}.js`)),
);
const { buffer, cups, chosen, tokens, shuffles, passes } = JSON.parse(readFileSync(0, "utf-8"));
const bytes = Uint8Array.from(atob(buffer), (character) => character.charCodeAt(0));
const all = unpackWhole(new DataView(bytes.buffer), cups);
const reader = readerOf(cups[chosen].sizes, all[chosen], passes);
const found = [];
if (tokens) {
  const step = reader.begin();
  let vectors = tokens.map((token) => step(token).outputs[0]);
  for (let i = 0; i < passes; i++) {
    const made = onePass(reader, tokens, vectors);
    vectors = made.map(({ memory }) => memory);
    found.push(made.map(({ memory, logits }) => [Array.from(memory), Array.from(logits)]));
  }
} else {
  const course = computedCourse(reader, shuffles);
  const foundAfter = (n) => [n, course.moved(n), course.answers(n), course.score(n)];
  found.push([passes, 1, 2, 3].map(foundAfter), course.exact, course.exactScore);
}
console.log(JSON.stringify(found));
""".replace("FOLDER", base.HERE.as_uri())


def in_node(**given):
    given["buffer"] = base64.b64encode(given["buffer"]).decode()
    command = ["node", "--input-type=module", "--eval", RUN]
    done = subprocess.run(command, input=json.dumps(given), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


# Heads, layers, memory vectors that are kept, learned distances and tokens.
@pytest.mark.parametrize(
    ("heads", "layers", "kept", "distances", "length"), [(2, 3, 4, 3, 9), (1, 1, None, 9, 9)]
)
def test_every_pass_is_pytorchs(heads, layers, kept, distances, length):
    torch.manual_seed(heads)
    sizes = dict(n_tokens=5, d_model=8, d_ff=12, heads=heads, n_layers=layers)
    model = LanguageModel(Config(**sizes, max_distance=distances, memory_size=kept))
    with torch.no_grad():
        for parameter in model.parameters():  # biases, gains and tables start at 0 or 1
            parameter.add_(0.3 * torch.randn_like(parameter))
    tokens = torch.randint(5, (length,))
    cups = [{"sizes": whole_weights.as_sizes(model.config), "isShort": False}]
    given = {"cups": cups, "buffer": whole_weights.as_bytes(model), "chosen": 0}
    found = in_node(**given, tokens=tokens.tolist(), passes=length)

    with torch.no_grad():
        x = model.embedding(tokens[None])
        segment, vectors = begin(model.core, x), x
        for i in range(length):
            made = one_pass(segment, vectors)
            vectors, logits = made.vectors, model.head(model.core.norm(made.states))
            theirs = [torch.tensor([each[part] for each in found[i]]) for part in (0, 1)]
            torch.testing.assert_close(theirs[0], vectors[0], atol=1e-4, rtol=0)
            torch.testing.assert_close(theirs[1], logits[0], atol=1e-4, rtol=0)
        torch.testing.assert_close(theirs[1], model(tokens[None])[0], atol=1e-4, rtol=0)


@pytest.mark.parametrize("memory_size", [None, 4])
def test_the_course_of_the_cups_is_pythons(memory_size):
    widget = PassByPass("To be", passes=32, memory_size=memory_size)
    after, exact, score = in_node(
        cups=widget.cups,
        buffer=widget.weights,
        chosen=[one["sizes"]["memory"] for one in widget.cups].index(memory_size),
        shuffles=widget.shuffles,
        passes=32,
    )
    course, (_, places) = widget.cups_course(), widget.tokens_and_labels()

    def words(row):
        return [TASKS["s3"].words[token] for token in row]

    for passes, moved, answers, right in after:
        torch.testing.assert_close(
            torch.tensor(moved), course.moved[passes - 1], atol=1e-4, rtol=1e-3
        )
        assert answers == words(course.answers[passes - 1])
        assert right == f"{int((course.answers[passes - 1] == places).sum())} right"
    assert exact == words(course.exact)
    assert score == "32"
