"""The JavaScript that computes the live model, beside PyTorch on the same rounded weights."""

import base64

import pytest
import torch
from live_model_page import OTHER_WEIGHTS, drawn_in_python, shipped, twin

from feedback.widgets import base

LONG_PROMPT = "GREMIO:\nGood morrow, neighbour Baptista.\n\nBAPTISTA:\n" * 4  # more than it keeps

START = """async ([source, content, state]) => {
    const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    const module = await import(url);
    const bytes = Uint8Array.from(atob(content), (character) => character.charCodeAt(0));
    // As a message from a kernel brings it: inside a larger buffer, at any place.
    const odd = new Uint8Array(bytes.length + 3);
    odd.set(bytes, 3);
    const model = module.createModel({ ...state, weights: new DataView(odd.buffer, 3) });
    window.live = { ...module, model };
}"""

WRITE = """([prompt, settings, length]) => {
    const writer = live.createWriter(live.model, prompt, settings);
    while (writer.tokens.length < length) writer.next();
    const plain = (value) => {
        if (value?.map) return Array.from(value, plain);
        if (!(value instanceof Object)) return value;
        return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, plain(one)]));
    };
    return { tokens: writer.tokens, records: plain(writer.records) };
}"""


@pytest.fixture(scope="module")
def write(browser):
    """`write(prompt, length, ...)` runs the engine in an empty page; text and records come back."""
    page = browser.new_page()
    state = {"config": shipped().config, "tensors": shipped().tensors}
    content = base64.b64encode(shipped().buffer).decode()
    page.evaluate(START, [base.script("live_model.engine"), content, state])

    def write(prompt: str, length: int | None = None, mixture=None, seed=0, **settings) -> dict:
        settings = {"temperature": 0.8, **settings, "seed": seed}
        settings["mixture"] = mixture or shipped().learned
        tokens = shipped().encode(prompt).tolist()
        found = page.evaluate(WRITE, [tokens, settings, length or len(prompt)])
        text = "".join(shipped().characters[token] for token in found["tokens"])
        return {"text": text, "records": found["records"]}

    yield write
    page.close()


@pytest.mark.parametrize(
    ("prompt", "mixture"),
    [("K", None), ("ROMEO:\n", None), (LONG_PROMPT, None), (LONG_PROMPT[:60], OTHER_WEIGHTS)],
    ids=["one character", "short", "longer than the memory", "other layer weights"],
)
def test_all_that_is_computed_is_what_pytorch_computes(write, prompt, mixture):
    trace = twin(mixture).trace(shipped().encode(prompt)[None])
    records = write(prompt, mixture=mixture, kept=12)["records"]
    for t, record in zip(range(len(prompt))[-12:], records, strict=True):
        n = min(t, 128)
        for name, ours in {
            "outputs": trace.outputs[:, 0, t],
            "memory": trace.memory[0, t],
            "attention": trace.attention[:, 0, :, t, t - n : t],
            "logits": trace.logits[0, t],
        }.items():
            theirs = torch.tensor(record[name], dtype=torch.float32).view(ours.shape)
            torch.testing.assert_close(theirs, ours, atol=1e-3, rtol=0, msg=f"{name} at step {t}")


@pytest.mark.parametrize("mixture", [None, OTHER_WEIGHTS], ids=["learned", "other weights"])
def test_the_likeliest_text_is_pytorchs(write, mixture):
    prompt = "ROMEO:\n"
    tokens = twin(mixture).generate(shipped().encode(prompt)[None], 160, temperature=0)
    expected = "".join(shipped().characters[token] for token in tokens[0])
    assert write(prompt, len(expected), mixture, temperature=0)["text"] == expected


@pytest.mark.parametrize(
    "settings",
    [
        {"seed": 0},
        {"seed": 4_000_000_000},
        {"temperature": 1.3, "top_k": 5},
        {"mixture": OTHER_WEIGHTS},
    ],
)
def test_a_seed_gives_the_text_that_it_gives_in_python(write, settings):
    expected = drawn_in_python("ROMEO:\n", 80, **settings)
    names = {"top_k": "topK"}
    asked = {names.get(name, name): value for name, value in settings.items()}
    assert write("ROMEO:\n", 80, **asked)["text"] == expected
