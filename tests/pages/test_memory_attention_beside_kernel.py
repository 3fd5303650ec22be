"""MemoryAttention beside a kernel: Python's half is real, what carries messages is played here."""

import base64

import pytest
from looking import LAPTOP, PHONE, scrolls_sideways
from memory_attention_page import asks, choose, expected, menu, numbers, says, token, traced

from feedback.widgets import MemoryAttention
from feedback.widgets.base import script, style

PLAY_LAB = """async ({ source, css, state }) => {
    const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    const { default: widget } = await import(url);
    const bytes = (text) => new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt()).buffer);
    const take = ({ weights, ...rest }) => ({ ...rest, weights: bytes(weights) });
    const values = take(state), listeners = new Map(), unsaved = new Set();
    const fire = (name) => (listeners.get(`change:${name}`) ?? []).forEach((listen) => listen());
    const model = {
        get: (name) => values[name],
        set(name, value) {
            if (values[name] === value) return;
            values[name] = value;
            unsaved.add(name);
            fire(name);
        },
        save_changes() {
            unsaved.forEach((name) => window.saved.push([name, values[name]]));
            unsaved.clear();
        },
        on: (event, listen) => listeners.set(event, [...(listeners.get(event) ?? []), listen]),
        off() {},
    };
    window.saved = [];
    window.hear = (state) => {
        const { weights, ...plain } = state;
        const heard = Object.keys(state).filter((name) =>
            name === "weights" || JSON.stringify(plain[name]) !== JSON.stringify(values[name]));
        Object.assign(values, take(state));
        heard.forEach(fire);
    };
    const el = document.createElement("div");
    document.body.replaceChildren(el);
    document.head.append(Object.assign(document.createElement("style"), { textContent: css }));
    widget.render({ model, el });
}"""

CHOSEN = ["text", "step", "layer", "head"]
OFFERED = ["names", "layers", "heads", "texts", "tokens", "weights"]
TRAITS = [*CHOSEN, *OFFERED, "reads_more", "typed", "problem", "has_kernel"]


class Lab:
    """A page with the widget, and its Python half; `carry` brings to Python what the page saved."""

    def __init__(self, page, python: MemoryAttention):
        self.page, self.python = page, python
        name = "memory_attention"
        state = self.state()
        page.evaluate(PLAY_LAB, {"source": script(name), "css": style(name), "state": state})

    def state(self) -> dict:
        state = {name: getattr(self.python, name) for name in TRAITS}
        return {**state, "weights": base64.b64encode(state["weights"]).decode()}

    def carry(self) -> dict:
        saved = dict(self.page.evaluate("window.saved.splice(0)"))
        for name, value in saved.items():
            setattr(self.python, name, value)
        self.page.evaluate("(state) => window.hear(state)", self.state())
        return saved


@pytest.fixture
def lab(browser):
    with browser.new_page(viewport=LAPTOP) as page:
        yield Lab(page, MemoryAttention())


def test_a_typed_text_goes_to_python_and_its_attention_comes_back(lab):
    view = lab.page.locator(".feedback-view.memory-attention")
    text = "A king, a king!"
    view.get_by_label("own text").fill(text)
    view.get_by_role("button", name="Read it").click()
    view.get_by_role("status").get_by_text("Python is reading it").wait_for()
    assert lab.carry() == {"typed": text}
    assert menu(view, "Text").input_value() == text
    assert view.get_by_role("status").text_content() == ""
    says(view, lab.python.sentence)
    choose(view, "Layer", 3)
    view.locator(".column").nth(2).locator(".cell").first.hover()
    assert numbers(view) == expected(traced(text), text, layer=3, step=14, point=2)


def test_a_typed_text_that_cannot_be_read_is_answered(lab):
    view = lab.page.locator(".feedback-view.memory-attention")
    for text in ("caf\N{LATIN SMALL LETTER E WITH ACUTE}", "x" * 300):
        view.get_by_label("own text").fill(text)
        view.get_by_role("button", name="Read it").click()
        lab.carry()
        assert view.get_by_role("status").text_content() == lab.python.problem != ""
    says(view, lab.python.sentence)


@pytest.fixture
def waiting(lab):
    """The status after a text was sent to a Python that has not answered for ten seconds."""
    lab.page.clock.install()
    view = lab.page.locator(".feedback-view.memory-attention")
    view.get_by_label("own text").fill("A king!")
    view.get_by_role("button", name="Read it").click()
    lab.page.clock.run_for(3_000)
    status = view.get_by_role("status")
    assert status.text_content() == "Python is reading it …"
    lab.page.clock.run_for(8_000)
    return status


def test_a_wait_for_python_comes_to_an_end(waiting):
    assert waiting.text_content().startswith("No answer: run the cell again.")


def test_an_answer_that_comes_late_is_shown(lab, waiting):
    assert lab.carry() == {"typed": "A king!"}
    assert waiting.text_content() == ""
    view = lab.page.locator(".feedback-view.memory-attention")
    assert menu(view, "Text").input_value() == "A king!"


def test_a_refusal_that_comes_late_is_shown(lab, waiting):
    lab.python.problem = "It cannot be read."
    lab.page.evaluate("(state) => window.hear(state)", lab.state())
    assert waiting.text_content() == "It cannot be read."
    lab.page.clock.run_for(20_000)
    assert waiting.text_content() == "It cannot be read."


def test_the_wait_goes_on_while_another_text_is_looked_at(lab, waiting):
    view = lab.page.locator(".feedback-view.memory-attention")
    choose(view, "Text", lab.python.texts[1])
    assert waiting.text_content().startswith("No answer")


def test_a_text_that_got_no_answer_can_be_sent_again(lab, waiting):
    lab.page.evaluate("window.saved.length = 0")  # lost on its way
    waiting.page.get_by_role("button", name="Read it").click()
    assert waiting.text_content() == "Python is reading it …"
    assert lab.carry()["typed"] == "A king!"
    assert waiting.text_content() == ""


def test_the_same_refusal_is_said_again(lab):
    view = lab.page.locator(".feedback-view.memory-attention")
    view.get_by_label("own text").fill("x" * 300)
    for _ in range(2):
        choose(view, "Text", lab.python.texts[1])
        choose(view, "Text", lab.python.texts[0])
        assert view.get_by_role("status").text_content() == ""
        view.get_by_role("button", name="Read it").click()
        lab.carry()
        assert view.get_by_role("status").text_content() == lab.python.problem != ""


def test_what_is_chosen_in_the_page_arrives_in_python_and_back(lab):
    view = lab.page.locator(".feedback-view.memory-attention")
    choose(view, "Layer", 4)
    choose(view, "Head", 3)
    token(view, 7).click()
    assert lab.carry() == {"layer": 4, "head": 3, "step": 7}
    says(view, lab.python.sentence)
    lab.python.text, lab.python.layer, lab.python.head = lab.python.texts[1], 1, None
    lab.python.step = 5
    lab.carry()
    assert asks(view).input_value() == "5"
    assert menu(view, "Head").input_value() == ""
    says(view, lab.python.sentence)


def test_ready_weights_have_names_of_their_own_and_no_field_for_text(browser):
    own = MemoryAttention(attention=[[[[1, 0], [0.25, 0.75]]]], labels=["constructor", "be"])
    with browser.new_page(viewport=PHONE) as page:
        view = Lab(page, own).page.locator(".feedback-view.memory-attention")
        assert numbers(view) == [["1 “be”", 75, "", 75]]
        assert view.locator("textarea").count() == 0
        assert not menu(view, "Text").is_visible()
        assert not scrolls_sideways(page)
        says(view, own.sentence)
