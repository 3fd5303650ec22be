"""What tests of the live model share: its Python half, and what a reader does with the widget."""

from functools import cache

import torch
from looking import PATIENCE

from feedback.widgets import LiveModel

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


def twin(mixture=None):
    """The same model in PyTorch, on the same rounded weights."""
    shipped().layer_weights = mixture or shipped().learned
    return shipped().language_model()


def numbers(seed: int):
    """The generator mulberry32, in Python."""
    while True:
        seed = (seed + 0x6D2B79F5) % 2**32
        t = (seed ^ (seed >> 15)) * (1 | seed) % 2**32
        t = (t + (t ^ (t >> 7)) * (61 | t)) % 2**32 ^ t
        yield ((t ^ (t >> 14)) % 2**32) / 2**32


def drawn_in_python(
    prompt: str, length: int, seed=0, temperature=0.8, top_k=None, mixture=None
) -> str:
    """What a writer should write: PyTorch's logits, and the page's way of drawing."""
    model, tokens, random = twin(mixture), shipped().encode(prompt), numbers(seed)
    with torch.no_grad():
        logits, memory = model(tokens[None], return_memory=True)
        logits = logits[:, -1]
        tokens = tokens.tolist()
        while len(tokens) < length:
            best, order = logits[0].sort(descending=True)
            shares = (best[:top_k].double() / temperature).softmax(-1)
            place = int((shares.cumsum(-1) <= next(random)).sum())
            tokens.append(int(order[place]))
            logits, memory = model.step(torch.tensor(tokens[-1:]), memory)
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
