"""The live model writes a long text: a step takes no longer, and the text stays whole."""

import pytest
from live_model_page import come_to_rest, draw_small_model, play_some, press

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
    with browser.new_page() as page:
        draw_small_model(page, request.param)
        page.get_by_label("Speed").select_option("as fast as it can")
        yield page.locator("body")


def test_a_step_of_a_long_text_touches_no_more_than_one_of_a_short(quick):
    quick.page.evaluate(COUNT)
    touched = []
    for length in (5_000, 25_000):
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
