"""The live model writes a long text: a step takes no longer, and the text stays whole."""

import base64

import pytest
import torch
from live_model_page import come_to_rest, play_some, press
from looking import CHANGE_AT_ONCE

from feedback import Config, LanguageModel
from feedback.widgets import LiveModel, base

# The widget beside no kernel, in a page of its own; `tell` says how many characters there are.
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
    const el = document.createElement("div");
    document.head.append(Object.assign(document.createElement("style"), { textContent: css }));
    document.body.append(el);
    widget.render({ model, el });
}"""

# From here on, counts how many elements of arrays are copied and how much text is written.
COUNT = """() => {
    window.touched = { elements: 0, characters: 0 };
    for (const name of ["slice", "map", "join", "forEach", "filter"]) {
        const method = Array.prototype[name];
        Array.prototype[name] = function (...given) {
            const result = method.apply(this, given);
            touched.elements += name === "slice" ? result.length : this.length;
            return result;
        };
    }
    new MutationObserver((changes) => {
        for (const { addedNodes, target, type } of changes) {
            const nodes = type === "characterData" ? [target] : addedNodes;
            for (const node of nodes) touched.characters += node.textContent.length;
        }
    }).observe(document.querySelector(".text"), {
        subtree: true, childList: true, characterData: true,
    });
}"""
# The longest run of text that a browser lays out in one piece.
LONGEST_PIECE = """(text) => Math.max(...[text, ...text.querySelectorAll("div")].map((block) =>
    [...block.childNodes].filter((node) => node.nodeName !== "DIV")
        .reduce((sum, node) => sum + node.textContent.length, 0)))"""


@pytest.fixture(params=["\n ab", "_ ab"], ids=["lines", "one line"])
def quick(request, browser):
    """The widget with a model that writes very fast, with ends of lines or without."""
    config = Config("feedback-kv", 4, d_model=8, heads=2, n_layers=1, d_ff=8, memory_size=4)
    torch.manual_seed(0)
    python = LiveModel(LanguageModel(config), request.param, prompt="ab", held_text="ab")
    names = ("tensors", "config", "characters", "learned", "prompt", "held_text", "temperature")
    state = {name: getattr(python, name) for name in (*names, "top_k", "seed", "layer_weights")}
    buffer = base64.b64encode(python.buffer).decode()
    with browser.new_page() as page:
        page.evaluate(CHANGE_AT_ONCE)
        source, css = base.script("live_model"), base.style("live_model")
        page.evaluate(DRAW, [source, css, buffer, state])
        come_to_rest(page.locator("body"))
        page.get_by_label("Speed").select_option("as fast as it can")
        yield page.locator("body")


def test_a_step_of_a_long_text_touches_no_more_than_one_of_a_short(quick):
    quick.page.evaluate(COUNT)
    touched = []
    for length in (5_000, 40_000):
        play_some(quick, length)
        quick.page.evaluate("touched.elements = touched.characters = 0")
        press(quick, "Step")
        come_to_rest(quick)
        touched.append(quick.page.evaluate("touched"))
        assert quick.locator(".text").evaluate(LONGEST_PIECE) < 6_000
    for kind, most in {"elements": 20_000, "characters": 6_000}.items():
        assert max(count[kind] for count in touched) < most, touched


def test_a_long_text_stays_whole_and_can_be_copied(quick):
    text = play_some(quick, 12_000)
    assert quick.page.evaluate("values.text") == text
    box = quick.locator(".text")
    copied = box.evaluate(
        """(box) => {
            getSelection().selectAllChildren(box);
            const event = new ClipboardEvent("copy", {
                bubbles: true, cancelable: true, clipboardData: new DataTransfer(),
            });
            box.dispatchEvent(event);
            const own = event.clipboardData.getData("text/plain");
            return event.defaultPrevented ? own : String(getSelection());
        }"""
    )
    assert copied.replace("↵", "") == text
    box.evaluate("(box) => box.scrollTo(0, 0)")
    first = box.locator("b").first
    assert first.text_content() == "ab"
    top, height = first.bounding_box()["y"] - box.bounding_box()["y"], box.bounding_box()["height"]
    assert 0 <= top < height
