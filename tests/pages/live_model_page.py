"""What tests of the live model share: its Python half, and what a reader does with the widget."""

import base64
from functools import cache

import torch
from looking import CHANGE_AT_ONCE, PATIENCE

from feedback import Config, LanguageModel
from feedback.widgets import LiveModel, base

OTHER_WEIGHTS = [0.1, 0.2, 0.3, 0.15, 0.25]
HELD = "GREMIO:\nGood morrow."  # its loss is measured anew at every change


HOLD = """(text) => {
    const widget = document.querySelector(".feedback-widget[data-widget=live_model]");
    const state = widget.querySelector("script[type='application/json']");
    state.textContent = JSON.stringify({ ...JSON.parse(state.textContent), held_text: text });
}"""


def hold_short_text(page):
    """Have the widget of a page measure its loss on the short text, from when it starts again."""
    page.evaluate(HOLD, HELD)


@cache
def shipped() -> LiveModel:
    """The model of the page, which measures its loss on a text shorter than the page's own."""
    return LiveModel(held_text=HELD)


def twin(mixture=None, keep_length=False):
    """The same model in PyTorch, on the same rounded weights."""
    shipped().layer_weights = mixture or shipped().learned
    shipped().keep_length = keep_length
    return shipped().language_model()


# The widget in a page of its own: `values` are its traits, and `fromPython(name, value)` sets one.
DRAW = """async ([source, css, buffer, state]) => {
    const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    const { default: widget } = await import(url);
    const bytes = Uint8Array.from(atob(buffer), (character) => character.charCodeAt(0));
    const values = { ...state, buffer: new DataView(bytes.buffer) };
    const listeners = {};
    const of = (event) => (listeners[event] ??= new Set());
    const model = {
        get: (name) => values[name],
        set(name, value) {
            if (values[name] === value) return;
            values[name] = value;
            of(`change:${name}`).forEach((listen) => listen());
        },
        on: (event, listen) => of(event).add(listen),
        off: (event, listen) => of(event).delete(listen),
        save_changes() {},
    };
    window.values = values;
    window.fromPython = model.set;
    const el = document.createElement("div");
    document.head.append(Object.assign(document.createElement("style"), { textContent: css }));
    document.body.append(el);
    widget.render({ model, el });
}"""


def draw_small_model(page, characters: str):
    """Draw the widget as beside a kernel, with a model of four characters that writes very fast."""
    config = Config("feedback-kv", 4, d_model=8, heads=2, n_layers=1, d_ff=8, memory_size=4)
    torch.manual_seed(0)
    python = LiveModel(LanguageModel(config), characters, prompt="ab", held_text="ab")
    names = ("tensors", "config", "characters", "learned", "prompt", "held_text", "temperature")
    names = (*names, "top_k", "seed", "layer_weights", "keep_length")
    state = {name: getattr(python, name) for name in names}
    page.evaluate(CHANGE_AT_ONCE)
    source, css = base.script("live_model"), base.style("live_model")
    page.evaluate(DRAW, [source, css, base64.b64encode(python.buffer).decode(), state])
    come_to_rest(page.locator("body"))


def numbers(seed: int):
    """The generator mulberry32, in Python."""
    while True:
        seed = (seed + 0x6D2B79F5) % 2**32
        t = (seed ^ (seed >> 15)) * (1 | seed) % 2**32
        t = (t + (t ^ (t >> 7)) * (61 | t)) % 2**32 ^ t
        yield ((t ^ (t >> 14)) % 2**32) / 2**32


def drawn_in_python(
    prompt: str,
    length: int,
    seed=0,
    temperature=0.8,
    top_k=None,
    mixture=None,
    keep_length=False,
) -> str:
    """What a writer should write: PyTorch's logits, and the page's way of drawing."""
    model, tokens = twin(mixture, keep_length), shipped().encode(prompt)
    random, step = numbers(seed), model.plain_step if keep_length else model.step
    with torch.no_grad():
        logits, memory = model(tokens[None], return_memory=True)
        logits = logits[:, -1]
        tokens = tokens.tolist()
        while len(tokens) < length:
            best, order = logits[0].sort(descending=True)
            shares = (best[:top_k].double() / temperature).softmax(-1)
            place = int((shares.cumsum(-1) <= next(random)).sum())
            tokens.append(int(order[place]))
            logits, memory = step(torch.tensor(tokens[-1:]), memory)
    return "".join(shipped().characters[token] for token in tokens)


def come_to_rest(widget):
    widget.locator(".live-model[aria-busy=false]").wait_for()


def text_of(widget) -> str:
    """Prompt and continuation; a marked end of line is also shown as a sign."""
    return widget.locator(".text").text_content().replace("↵", "")


def wait_for_length(widget, length: int):
    widget.page.wait_for_function(
        "([widget, length]) => widget.querySelector('.text').textContent.length >= length",
        arg=[widget.element_handle(), length],
        timeout=1000 * PATIENCE,
    )


def press(widget, name: str):
    widget.get_by_role("button", name=name, exact=True).click()


def play_some(widget, length: int) -> str:
    """Play until there are so many characters, then come to rest."""
    press(widget, "Play")
    wait_for_length(widget, length)
    press(widget, "Pause")
    come_to_rest(widget)
    return text_of(widget)
