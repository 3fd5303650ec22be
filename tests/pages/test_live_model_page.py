"""The model that writes in the page: its JavaScript beside PyTorch, and a reader at work."""

import base64
import gzip
import json
from functools import cache

import pytest
import torch
from looking import CHANGE_AT_ONCE, assert_readable, drag

from feedback import Config, LanguageModel
from feedback.widgets import LiveModel, base

PAGE = "book/live-model"
WIDGET = ".feedback-widget[data-widget=live_model]"
OTHER_WEIGHTS = [0.1, 0.2, 0.3, 0.15, 0.25]
HELD = "GREMIO:\nGood morrow."  # its loss is measured anew at every change
LONG_PROMPT = "GREMIO:\nGood morrow, neighbour Baptista.\n\nBAPTISTA:\n" * 4  # more than it keeps


# ---- the engine beside PyTorch ----

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
def shipped() -> LiveModel:
    """The model of the page, which measures its loss on a text shorter than the page's own."""
    return LiveModel(held_text=HELD)


@pytest.fixture(scope="module")
def write(browser, shipped):
    """`write(prompt, length, ...)` runs the engine in an empty page; text and records come back."""
    page = browser.new_page()
    state = {"config": shipped.config, "tensors": shipped.tensors}
    content = base64.b64encode(shipped.buffer).decode()
    page.evaluate(START, [base.script("live_model.engine"), content, state])

    def write(prompt: str, length: int | None = None, mixture=None, seed=0, **settings) -> dict:
        settings = {"temperature": 0.8, **settings, "seed": seed}
        settings["mixture"] = mixture or shipped.learned
        tokens = shipped.encode(prompt).tolist()
        found = page.evaluate(WRITE, [tokens, settings, length or len(prompt)])
        text = "".join(shipped.characters[token] for token in found["tokens"])
        return {"text": text, "records": found["records"]}

    yield write
    page.close()


def twin(shipped: LiveModel, mixture=None):
    """The same model in PyTorch, on the same rounded weights."""
    shipped.layer_weights = mixture or shipped.learned
    return shipped.language_model()


@pytest.mark.parametrize(
    ("prompt", "mixture"),
    [("K", None), ("ROMEO:\n", None), (LONG_PROMPT, None), (LONG_PROMPT[:60], OTHER_WEIGHTS)],
    ids=["one character", "short", "longer than the memory", "other layer weights"],
)
def test_all_that_is_computed_is_what_pytorch_computes(write, shipped, prompt, mixture):
    trace = twin(shipped, mixture).trace(shipped.encode(prompt)[None])
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
def test_the_likeliest_text_is_pytorchs(write, shipped, mixture):
    prompt = "ROMEO:\n"
    tokens = twin(shipped, mixture).generate(shipped.encode(prompt)[None], 160, temperature=0)
    expected = "".join(shipped.characters[token] for token in tokens[0])
    assert write(prompt, len(expected), mixture, temperature=0)["text"] == expected


def numbers(seed: int):
    """The generator mulberry32, in Python."""
    while True:
        seed = (seed + 0x6D2B79F5) % 2**32
        t = (seed ^ (seed >> 15)) * (1 | seed) % 2**32
        t = (t + (t ^ (t >> 7)) * (61 | t)) % 2**32 ^ t
        yield ((t ^ (t >> 14)) % 2**32) / 2**32


def drawn_in_python(
    shipped: LiveModel, prompt: str, length: int, seed=0, temperature=0.8, top_k=None, mixture=None
) -> str:
    """What a writer should write: PyTorch's logits, and the page's way of drawing."""
    model, tokens, random = twin(shipped, mixture), shipped.encode(prompt), numbers(seed)
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
    return "".join(shipped.characters[token] for token in tokens)


@pytest.mark.parametrize(
    "settings",
    [
        {"seed": 0},
        {"seed": 4_000_000_000},
        {"temperature": 1.3, "top_k": 5},
        {"mixture": OTHER_WEIGHTS},
    ],
)
def test_a_seed_gives_the_text_that_it_gives_in_python(write, shipped, settings):
    expected = drawn_in_python(shipped, "ROMEO:\n", 80, **settings)
    names = {"top_k": "topK"}
    asked = {names.get(name, name): value for name, value in settings.items()}
    assert write("ROMEO:\n", 80, **asked)["text"] == expected


# ---- the page ----

HOLD = """([selector, text]) => {
    const state = document.querySelector(`${selector} script[type='application/json']`);
    state.textContent = JSON.stringify({ ...JSON.parse(state.textContent), held_text: text });
}"""


@pytest.fixture(scope="module")
def once(once):
    """A page that tests share, whose widget measures its loss on the short text when it begins."""

    @cache
    def with_short_text(name: str, scheme: str):
        visit = once(name, scheme)
        visit.page.evaluate(HOLD, [WIDGET, HELD])
        return visit

    return with_short_text


@pytest.fixture(scope="module")
def as_built(open_page):
    with open_page(PAGE) as visit:
        yield visit.page.locator(WIDGET)


def test_the_loss_on_the_held_text_of_the_page_is_pythons(as_built):
    come_to_rest(as_built)
    assert shown_losses(as_built) == [nats(LiveModel().loss())] * 2


@pytest.fixture
def widget(begun):
    widget = begun.page.locator(WIDGET)
    come_to_rest(widget)
    return widget


def come_to_rest(widget):
    widget.locator(".live-model[aria-busy=false]").wait_for()


def text_of(widget) -> str:
    """Prompt and continuation; a marked end of line is also shown as a sign."""
    return widget.locator(".text").text_content().replace("↵", "")


def wait_for_length(widget, length: int):
    widget.page.wait_for_function(
        "([widget, length]) => widget.querySelector('.text').textContent.length >= length",
        arg=[widget.element_handle(), length],
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


def write_some(widget, length: int) -> str:
    """Step until there are so many characters, and come to rest."""
    steps = length - len(text_of(widget))
    widget.get_by_role("button", name="Step", exact=True).evaluate(
        "(button, steps) => { for (let i = 0; i < steps; i++) button.click(); }", steps
    )
    wait_for_length(widget, length)
    come_to_rest(widget)
    return text_of(widget)


def shown_weights(widget) -> list[float]:
    return widget.locator("data.weight").evaluate_all("all => all.map((one) => Number(one.value))")


def shown_losses(widget) -> list[float]:
    texts = widget.locator(".bar.loss .percent").all_text_contents()
    return [float(text.removesuffix(" nats")) for text in texts]


def nats(loss: float):
    """A loss as it is shown, with two decimals; near a half of the last one either will do."""
    return pytest.approx(loss, abs=0.006)


def test_a_step_is_one_character(widget, shipped):
    for count in (1, 2, 3):
        press(widget, "Step")
        wait_for_length(widget, len("ROMEO:\n") + count)
        come_to_rest(widget)
        expected = drawn_in_python(shipped, "ROMEO:\n", len("ROMEO:\n") + count)
        assert text_of(widget) == expected
    press(widget, "Start again")
    come_to_rest(widget)
    assert text_of(widget) == "ROMEO:\n"


def test_it_plays_and_pauses_and_what_it_writes_is_what_python_writes(widget, shipped):
    text = play_some(widget, 30)
    assert text == drawn_in_python(shipped, "ROMEO:\n", len(text))


def test_text_weights_and_loss_follow_mouse_and_keys(look, shipped):
    widget = look.locator(WIDGET)
    press(widget, "Start again")
    text = play_some(widget, 12)
    assert text == drawn_in_python(shipped, "ROMEO:\n", len(text))
    drag_weight(widget, 3, to=0.75)
    weights = shown_weights(widget)
    assert weights[3] == pytest.approx(0.75, abs=0.05)
    assert text_of(widget) == drawn_in_python(shipped, "ROMEO:\n", len(text), mixture=weights)
    assert shown_losses(widget)[1] == nats(twin_loss(shipped, weights))
    widget.get_by_label("weight of layer 1").press("End")
    come_to_rest(widget)
    weights = shown_weights(widget)
    assert weights == [0, 1, 0, 0, 0]
    assert text_of(widget) == drawn_in_python(shipped, "ROMEO:\n", len(text), mixture=weights)
    assert shown_losses(widget)[1] == nats(twin_loss(shipped, weights))
    press(widget, "Learned")
    come_to_rest(widget)
    assert text_of(widget) == text
    prompt = widget.get_by_label("Prompt")
    prompt.fill("Act 1")  # the longest message that can appear
    assert_readable(widget)
    for part in widget.locator("button, select, input, .strip, .cells, .text").all():
        box = part.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= look.viewport_size["width"]
        assert box["width"] > 0 and box["height"] > 0
    prompt.fill("ROMEO:\n")


def test_what_is_shown_of_the_last_character_is_what_pytorch_says(widget, shipped):
    text = write_some(widget, 20)
    trace = twin(shipped).trace(shipped.encode(text)[None])
    own = trace.logits[0, -1].sort(descending=True)
    drawn_from = (own.values / 0.8).softmax(-1)
    bars = widget.locator(".bar:not(.loss)")
    for i in range(10):
        character = shipped.characters[own.indices[i]]
        label = {"\n": "↵", " ": "␣"}.get(character, character)
        assert bars.nth(i).locator(".label").text_content() == label
        percent = bars.nth(i).locator(".percent").text_content()
        assert int(percent.split()[0]) == pytest.approx(100 * drawn_from[i].item(), abs=0.51)
    for layer in (4, 1):
        widget.get_by_label("Where the heads look, in").select_option(label=f"layer {layer}")
        come_to_rest(widget)
        rows = widget.locator(".head .most")
        for head in range(4):
            attention = trace.attention[layer - 1, 0, head, -1]
            character = shipped.characters[shipped.encode(text)[int(attention.argmax())]]
            label = {"\n": "↵", " ": "␣"}.get(character, character)
            back = len(text) - 1 - int(attention.argmax())
            most = rows.nth(head).text_content()
            assert most.endswith(f"\xa0% “{label}”, {back} back")
            assert int(most.split()[0]) == pytest.approx(100 * attention.max().item(), abs=0.51)


def test_on_a_slow_phone_the_first_sentence_is_that_of_the_prompt(open_page, shipped):
    """Nothing is said of the characters on the way there, however long they take."""
    note_sentences = """() => new MutationObserver(() => {
        const said = document.querySelector(".live-model .sentence")?.textContent;
        if (said) (window.said ??= new Set()).add(said);
    }).observe(document, { childList: true, subtree: true, characterData: true })"""
    with open_page("book/glossary") as visit:
        visit.page.add_init_script(f"({note_sentences})()")
        # So late that no more than one character is read between two pictures.
        visit.page.add_init_script("performance.now = () => 100 * Date.now()")
        visit.page.goto(visit.page.url.replace("book/glossary", PAGE))
        widget = visit.page.locator(WIDGET)
        widget.scroll_into_view_if_needed()
        widget.locator(".sentence", has_text="ROMEO:↵").wait_for()
        said = visit.page.evaluate("[...said]")
    assert said and all("reads its prompt" in one or "ROMEO:↵" in one for one in said), said


def test_the_sentence_is_pythons(widget, shipped):
    shipped.layer_weights = shipped.learned
    shipped.text = write_some(widget, 15)
    widget.locator("[aria-live=polite]", has_text=shipped.describe()).wait_for()


def test_a_dragged_weight_writes_the_text_again_and_changes_the_loss(widget, shipped):
    text = write_some(widget, 30)
    learned = nats(twin_loss(shipped, shipped.learned))
    assert shown_losses(widget) == [learned, learned]
    layer = widget.get_by_label("weight of layer 3")
    before = shown_weights(widget)
    drag_weight(widget, 3, to=0.75)
    weights = shown_weights(widget)
    assert weights[3] == pytest.approx(0.75, abs=0.05) and float(layer.input_value()) == weights[3]
    assert sum(weights) == pytest.approx(1)
    ratios = [weights[row] / before[row] for row in (0, 1, 2, 4)]
    assert ratios == pytest.approx([ratios[0]] * 4)  # the others keep their proportions
    assert text_of(widget) == drawn_in_python(shipped, "ROMEO:\n", len(text), mixture=weights)
    assert text_of(widget) != text
    assert shown_losses(widget) == [learned, nats(twin_loss(shipped, weights))]
    press(widget, "Learned")
    come_to_rest(widget)
    assert text_of(widget) == text
    assert shown_losses(widget) == [learned, learned]


def drag_weight(widget, layer: int, to: float):
    sliders = widget.locator("input[type=range]").all()
    names = [slider.get_attribute("aria-label") for slider in sliders]
    drag(widget, names.index(f"weight of layer {layer}"), to)
    come_to_rest(widget)


def twin_loss(shipped: LiveModel, weights: list[float]) -> float:
    shipped.layer_weights = weights
    return shipped.loss()


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("Equal", [0.2] * 5),
        ("Last layer", [0, 0, 0, 0, 1]),
        ("Embedding", [1, 0, 0, 0, 0]),
    ],
)
def test_presets(widget, shipped, name, weights):
    press(widget, name)
    come_to_rest(widget)
    assert shown_weights(widget) == pytest.approx(weights)
    assert shown_losses(widget)[1] == nats(twin_loss(shipped, weights))
    pressed = widget.locator("button[aria-pressed=true]").all_text_contents()
    assert pressed == [name]


def test_another_seed_is_another_text_and_the_first_comes_back(widget, shipped):
    text = write_some(widget, 30)
    seed = widget.get_by_label("Seed")
    seed.fill("7")
    come_to_rest(widget)
    assert text_of(widget) == drawn_in_python(shipped, "ROMEO:\n", len(text), seed=7) != text
    seed.fill("0")
    come_to_rest(widget)
    assert text_of(widget) == text


@pytest.mark.parametrize("wrong", ["-5", "12345678901", "1.5", ""])
def test_what_is_no_seed_gives_way_to_the_seed_in_use(widget, wrong):
    seed = widget.get_by_label("Seed")
    seed.fill("7")
    seed.fill(wrong)
    seed.press("Tab")
    come_to_rest(widget)
    assert seed.input_value() == "7"


def test_of_a_long_text_five_hundred_characters_are_written_again(widget, shipped):
    widget.get_by_label("Speed").select_option("as fast as it can")
    play_some(widget, 600)
    widget.get_by_label("Seed").fill("7")
    come_to_rest(widget)
    length = len("ROMEO:\n") + 500
    assert text_of(widget) == drawn_in_python(shipped, "ROMEO:\n", length, seed=7)


def test_temperature_0_and_top_1_take_the_likeliest(widget, shipped):
    length = len(write_some(widget, 30))
    prompt = shipped.encode("ROMEO:\n")
    tokens = twin(shipped).generate(prompt[None], length - len(prompt), temperature=0)
    likeliest = "".join(shipped.characters[token] for token in tokens[0])
    assert text_of(widget) != likeliest
    widget.get_by_label("Top-k").select_option("1")
    come_to_rest(widget)
    assert text_of(widget) == likeliest
    widget.get_by_label("Top-k").select_option(label="all")
    widget.get_by_label("Temperature").press("Home")
    come_to_rest(widget)
    assert text_of(widget) == likeliest


def test_any_earlier_character_can_be_looked_at(widget, shipped):
    text = write_some(widget, 25)
    chosen = widget.get_by_label("Character to look at")
    chosen.press("Home")
    for _ in range(2):
        chosen.press("ArrowRight")
    come_to_rest(widget)
    assert widget.locator("mark").text_content() == "M"
    assert text_of(widget) == text
    shipped.text, shipped.layer_weights = "ROM", shipped.learned
    widget.locator("[aria-live=polite]", has_text=shipped.describe()).wait_for()
    came_next = widget.locator(".bar[data-drawn] .label").text_content()
    assert came_next == "E"


def test_pause_keeps_the_character_that_is_looked_at(widget):
    press(widget, "Play")
    wait_for_length(widget, 15)
    widget.get_by_label("Character to look at").press("Home")
    press(widget, "Pause")
    come_to_rest(widget)
    assert widget.locator("mark").text_content() == "R"


def test_a_prompt_of_the_readers_own(widget, shipped):
    widget.get_by_role("textbox", name="Prompt").fill("To be, or not to be")
    come_to_rest(widget)
    assert text_of(widget) == "To be, or not to be"
    press(widget, "Step")
    wait_for_length(widget, 20)
    assert text_of(widget) == drawn_in_python(shipped, "To be, or not to be", 20)


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ("Act 1", "does not know “1”"),
        ("", "needs at least one character"),
        ("A" * 1001, "may have 1000 characters here, and this one has 1001"),
    ],
)
def test_a_prompt_that_it_cannot_read_is_refused_and_the_text_stays(widget, prompt, message):
    widget.get_by_role("textbox", name="Prompt").fill(prompt)
    assert message in widget.get_by_role("alert").text_content()
    come_to_rest(widget)
    assert text_of(widget) == "ROMEO:\n"
    widget.get_by_role("textbox", name="Prompt").fill("Act")
    come_to_rest(widget)
    assert widget.locator(".refusal").text_content() == ""
    assert text_of(widget) == "Act"


def test_it_is_used_by_keyboard_alone(widget, shipped):
    keyboard = widget.page.keyboard
    widget.get_by_role("textbox", name="Prompt").focus()
    keyboard.press("Tab")  # Step
    keyboard.press("Enter")
    wait_for_length(widget, 8)
    keyboard.press("Tab")  # Play
    keyboard.press("Space")
    wait_for_length(widget, 12)
    keyboard.press("Space")
    come_to_rest(widget)
    text = text_of(widget)
    assert text == drawn_in_python(shipped, "ROMEO:\n", len(text))
    widget.get_by_label("weight of layer 1").focus()
    keyboard.press("End")
    come_to_rest(widget)
    assert shown_weights(widget) == [0, 1, 0, 0, 0]
    assert shown_losses(widget)[1] == nats(twin_loss(shipped, [0, 1, 0, 0, 0]))


# ---- a long text ----

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


def test_its_weights_travel_in_less_than_one_and_a_half_megabytes(book, shipped, as_built):
    digest = as_built.locator("script[data-trait=buffer]").get_attribute("data-hash")
    file = (book / "_static" / "buffers" / f"{digest}.js").read_bytes()
    assert len(gzip.compress(file, 6)) < 1.5e6
    content = json.loads(file.decode().partition(",")[2].rpartition(")")[0])
    assert base64.b64decode(content) == shipped.buffer


def test_without_javascript_a_sentence_stands_in_its_place(open_page):
    python = LiveModel()
    python.text = python.prompt
    with open_page(PAGE, java_script_enabled=False) as visit:
        text = visit.page.locator(f"{WIDGET} p").first
        assert text.is_visible()
        assert text.text_content() == python.describe()
