"""MemoryAttention in a browser: the numbers it shows are those of PyTorch's traces."""

import base64
import re
from functools import cache

import pytest
from looking import LAPTOP, PHONE, assert_readable, scrolls_sideways, state_of

from feedback import data, pretrained
from feedback.widgets import MemoryAttention
from feedback.widgets.base import script, style

PAGE = "notebooks/05-shared-keys-values"
WIDGET = ".feedback-widget[data-widget=memory_attention]"
NAMES = ("feedback-kv", "parallel")
WHOLE = "100.0\N{NO-BREAK SPACE}%"


@pytest.fixture(scope="module")
def traced():
    """(L, H, T, T) of each shipped model for a text, as PyTorch computes it."""
    models = [pretrained.load(name) for name in NAMES]
    characters = data.Characters.load(pretrained.folder("parallel"))

    @cache
    def traced(text: str) -> list:
        tokens = characters.encode(text)[None]
        return [model.trace(tokens).attention[:, 0] for model in models]

    return traced


@pytest.fixture
def widget(begun):
    """The widget of the page: it begins with its first text, layer 2 and all heads."""
    return begun.page.locator(WIDGET)


@pytest.fixture(scope="module")
def python(once):
    """The widget of the page as Python has it."""
    widget = once(PAGE, "http").page.locator(WIDGET)
    return MemoryAttention(texts=state_of(widget)["texts"])


def menu(widget, label: str):
    return widget.get_by_role("combobox", name=label, exact=True)


def choose(widget, label: str, value):
    menu(widget, label).select_option(str(value))


def text_of(widget) -> str:
    return menu(widget, "Text").input_value()


def token(widget, step: int):
    return widget.locator(".token").nth(step)


def asks(widget):
    return widget.get_by_label("step that asks")


def numbers(widget) -> list[list]:
    """The table: for each head and each model where it looks most, and its weight on one step."""
    texts = widget.locator("tbody tr").evaluate_all(
        "rows => rows.map((row) => [...row.querySelectorAll('td')].map((cell) => cell.textContent))"
    )
    return [sum((parts(text) for text in row), []) for row in texts]


def parts(text: str) -> list:
    """What stands before a percentage, and the percentage."""
    place, share = re.fullmatch(r"(.*?) ?([\d.]+)\N{NO-BREAK SPACE}%", text).groups()
    return [place, pytest.approx(float(share), abs=0.06)]


def expected(traced: list, text: str, layer: int, step: int, point: int) -> list[list]:
    """What the table should say, layers counted from 1."""

    def cells(weights):  # (T,): what one head gives at this step
        best = int(weights.argmax())
        place = {" ": "space", "\n": "new line"}.get(text[best], f"“{text[best]}”")
        return [f"{best} {place}", 100 * weights[best].item(), "", 100 * weights[point].item()]

    rows = [attention[layer - 1, :, step] for attention in traced]
    return [sum((cells(weights) for weights in head), []) for head in zip(*rows, strict=True)]


def sentence(python: MemoryAttention, text: str, layer: int, step: int, head=None) -> str:
    python.text, python.layer, python.step, python.head = text, layer, step, head
    return python.sentence


def says(widget, sentence: str):
    widget.locator("[aria-live=polite]", has_text=sentence).wait_for(timeout=5000)


def test_it_starts_with_the_last_step(widget, python, traced):
    text, layer = state_of(widget)["texts"][0], 2
    point = int(traced(text)[0][layer - 1, 0, -1].argmax())  # where the first head looks most
    assert numbers(widget) == expected(traced(text), text, layer, len(text) - 1, point)
    says(widget, sentence(python, text, layer, len(text) - 1))


def test_step_and_layer_follow_mouse_and_keys(look, python, traced):
    widget = look.locator(WIDGET)
    text = text_of(widget)
    choose(widget, "Layer", 1)
    menu(widget, "Layer").press("ArrowDown")
    token(widget, 12).click()
    says(widget, sentence(python, text, 2, 12))
    look.keyboard.press("ArrowRight")
    says(widget, sentence(python, text, 2, 13))
    widget.locator(".column").nth(5).locator(".cell").first.hover()
    assert numbers(widget) == expected(traced(text), text, layer=2, step=13, point=5)
    assert_readable(widget)
    box = widget.locator(".memory-attention").bounding_box()
    for column in widget.locator(".column").all()[::5]:  # in a line that fits
        place = column.bounding_box()
        assert place["x"] >= box["x"]
        assert place["x"] + place["width"] <= box["x"] + box["width"] + 1


def test_the_numbers_are_those_of_the_traces(widget, python, traced):
    for text in reversed(state_of(widget)["texts"]):
        choose(widget, "Text", text)
        for layer, step, point in [(1, 20, 3), (4, len(text) - 2, 17)]:
            choose(widget, "Layer", layer)
            token(widget, step).click()
            widget.locator(".column").nth(point).locator(".cell").first.hover()
            assert numbers(widget) == expected(traced(text), text, layer, step, point)
            says(widget, sentence(python, text, layer, step))


def test_every_cell_shows_its_own_weight(widget, traced):
    layer, step = 3, 25
    choose(widget, "Layer", layer)
    token(widget, step).click()
    weights = [attention[layer - 1, :, step] for attention in traced(text_of(widget))]
    columns = widget.locator(".column").evaluate_all(
        """columns => columns.map((column) => [...column.querySelectorAll(".cell")].map(
            (cell) => [cell.dataset.read, parseFloat(cell.style.getPropertyValue("--share"))]))"""
    )
    for j, column in enumerate(columns):
        for row, (read, share) in enumerate(column):
            model, head = divmod(row, len(column) // 2)
            assert share == pytest.approx(100 * weights[model][head, j].item(), abs=1e-3)
            # The feedback model is closed to the step that asks.
            is_read = j < step or (j == step and NAMES[model] == "parallel")
            most = j == int(weights[model][head].argmax())
            assert read == ("most" if most else "yes" if is_read else "no")


def test_one_head_alone_has_one_row_and_a_number_in_the_sentence(widget, python, traced):
    choose(widget, "Head", 2)
    token(widget, 12).click()
    cells = widget.locator(".column").first.locator(".cell")
    assert cells.count() == 2
    cells.first.hover()
    text = text_of(widget)
    (row,) = numbers(widget)
    assert row == expected(traced(text), text, layer=2, step=12, point=0)[1]
    says(widget, sentence(python, text, layer=2, step=12, head=2))


def test_at_the_first_step_the_feedback_model_reads_nothing(widget, python):
    choose(widget, "Head", 1)
    token(widget, 0).click()
    widget.locator(".cell").first.hover()
    cells = widget.locator("tbody td").all_text_contents()
    assert cells == ["nothing", "not read", f"0 “T” {WHOLE}", WHOLE]
    says(widget, sentence(python, text_of(widget), layer=2, step=0, head=1))


def test_keys_alone_are_enough(widget, traced):
    """Tab from control to control, arrow keys for the step that asks and the one that is read."""
    page, text = widget.page, text_of(widget)
    menu(widget, "Layer").focus()
    page.keyboard.press("ArrowDown")  # layer 3
    for _ in range(3):  # the heads, Play, the slider
        page.keyboard.press("Tab")
    page.keyboard.press("Home")
    for _ in range(6):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Tab")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    assert numbers(widget) == expected(traced(text), text, layer=3, step=6, point=1)


def test_after_a_click_arrow_keys_go_on_from_there(widget):
    token(widget, 9).click()
    widget.page.keyboard.press("ArrowRight")
    assert asks(widget).input_value() == "10"
    assert asks(widget).evaluate("(input) => input.ariaValueText") == "step 10, “s”"


def test_play_goes_step_by_step(widget):
    asks(widget).press("Home")
    widget.get_by_role("button", name="Play").click()
    widget.page.wait_for_function(
        "(input) => Number(input.value) >= 2", arg=asks(widget).element_handle(), timeout=10_000
    )
    widget.get_by_role("button", name="Pause").click()
    assert widget.get_by_role("button", name="Play").is_visible()


def test_another_head_is_chosen_while_it_plays(widget):
    asks(widget).press("Home")
    widget.get_by_role("button", name="Play").click()
    choose(widget, "Head", 1)
    step = int(asks(widget).input_value())
    widget.page.wait_for_function(
        "([input, step]) => Number(input.value) > step",
        arg=[asks(widget).element_handle(), step],
        timeout=10_000,
    )
    widget.get_by_role("button", name="Pause").click()


def test_a_shorter_text_is_asked_from_its_own_last_step(widget, python):
    long, short = sorted(python.texts, key=len, reverse=True)[:2]
    choose(widget, "Text", long)
    token(widget, len(long) - 1).click()
    choose(widget, "Text", short)
    says(widget, sentence(python, short, layer=2, step=len(short) - 1))


def test_the_lines_follow_the_width(widget):
    def lines():
        return widget.locator(".line").count()

    before, columns = lines(), widget.locator(".column").count()
    widget.page.set_viewport_size(PHONE)
    widget.page.wait_for_function(
        "([lines, selector]) => document.querySelectorAll(`${selector} .line`).length > lines",
        arg=[before, WIDGET],
    )
    assert widget.locator(".column").count() == columns
    text = "".join(widget.locator(".token").all_text_contents())
    assert text.replace("␣", " ") == state_of(widget)["texts"][0]


def test_without_javascript_the_text_says_what_it_shows(open_page):
    with open_page(PAGE, java_script_enabled=False) as visit:
        text = visit.page.locator(f"{WIDGET} p")
        assert text.is_visible()
        assert re.fullmatch(
            r"Attention over “.+”\. At step \d+ .+, layer 2, heads 1 to 4 look most at steps .+\.",
            text.text_content(),
        )


# ---- beside a kernel: Python's half is real, what carries messages is played here ----

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


def test_a_typed_text_goes_to_python_and_its_attention_comes_back(lab, traced):
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
