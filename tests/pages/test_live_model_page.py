"""The model that writes in the page, and a reader at work."""

import base64
import gzip
import json
from functools import cache

import pytest
from live_model_page import (
    come_to_rest,
    drawn_in_python,
    hold_short_text,
    play_some,
    press,
    shipped,
    text_of,
    twin,
    wait_for_length,
)
from looking import assert_readable, drag

from feedback.widgets import LiveModel

PAGE = "book/live-model"
WIDGET = ".feedback-widget[data-widget=live_model]"


@pytest.fixture(scope="module")
def once(once):
    """A page that tests share, whose widget measures its loss on the short text when it begins."""

    @cache
    def with_short_text(name: str, scheme: str):
        visit = once(name, scheme)
        hold_short_text(visit.page)
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


def test_a_step_is_one_character(widget):
    for count in (1, 2, 3):
        press(widget, "Step")
        wait_for_length(widget, len("ROMEO:\n") + count)
        come_to_rest(widget)
        expected = drawn_in_python("ROMEO:\n", len("ROMEO:\n") + count)
        assert text_of(widget) == expected
    press(widget, "Start again")
    come_to_rest(widget)
    assert text_of(widget) == "ROMEO:\n"


def test_it_plays_and_pauses_and_what_it_writes_is_what_python_writes(widget):
    text = play_some(widget, 30)
    assert text == drawn_in_python("ROMEO:\n", len(text))


def test_text_weights_and_loss_follow_mouse_and_keys(look):
    widget = look.locator(WIDGET)
    press(widget, "Start again")
    text = play_some(widget, 12)
    assert text == drawn_in_python("ROMEO:\n", len(text))
    drag_weight(widget, 3, to=0.75)
    weights = shown_weights(widget)
    assert weights[3] == pytest.approx(0.75, abs=0.05)
    assert text_of(widget) == drawn_in_python("ROMEO:\n", len(text), mixture=weights)
    assert shown_losses(widget)[1] == nats(twin_loss(weights))
    widget.get_by_label("weight of layer 1").press("End")
    come_to_rest(widget)
    weights = shown_weights(widget)
    assert weights == [0, 1, 0, 0, 0]
    assert text_of(widget) == drawn_in_python("ROMEO:\n", len(text), mixture=weights)
    assert shown_losses(widget)[1] == nats(twin_loss(weights))
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


def test_what_is_shown_of_the_last_character_is_what_pytorch_says(widget):
    text = write_some(widget, 20)
    trace = twin().trace(shipped().encode(text)[None])
    own = trace.logits[0, -1].sort(descending=True)
    drawn_from = (own.values / 0.8).softmax(-1)
    bars = widget.locator(".bar:not(.loss)")
    for i in range(10):
        character = shipped().characters[own.indices[i]]
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
            character = shipped().characters[shipped().encode(text)[int(attention.argmax())]]
            label = {"\n": "↵", " ": "␣"}.get(character, character)
            back = len(text) - 1 - int(attention.argmax())
            most = rows.nth(head).text_content()
            assert most.endswith(f"\xa0% “{label}”, {back} back")
            assert int(most.split()[0]) == pytest.approx(100 * attention.max().item(), abs=0.51)


def test_on_a_slow_phone_the_first_sentence_is_that_of_the_prompt(open_page):
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


def test_the_sentence_is_pythons(widget):
    shipped().layer_weights, shipped().keep_length = shipped().learned, False
    shipped().text = write_some(widget, 15)
    widget.locator("[aria-live=polite]", has_text=shipped().describe()).wait_for()


def test_a_dragged_weight_writes_the_text_again_and_changes_the_loss(widget):
    text = write_some(widget, 30)
    learned = nats(twin_loss(shipped().learned))
    assert shown_losses(widget) == [learned, learned]
    layer = widget.get_by_label("weight of layer 3")
    before = shown_weights(widget)
    drag_weight(widget, 3, to=0.75)
    weights = shown_weights(widget)
    assert weights[3] == pytest.approx(0.75, abs=0.05) and float(layer.input_value()) == weights[3]
    assert sum(weights) == pytest.approx(1)
    ratios = [weights[row] / before[row] for row in (0, 1, 2, 4)]
    assert ratios == pytest.approx([ratios[0]] * 4)  # the others keep their proportions
    assert text_of(widget) == drawn_in_python("ROMEO:\n", len(text), mixture=weights)
    assert text_of(widget) != text
    assert shown_losses(widget) == [learned, nats(twin_loss(weights))]
    press(widget, "Learned")
    come_to_rest(widget)
    assert text_of(widget) == text
    assert shown_losses(widget) == [learned, learned]


def drag_weight(widget, layer: int, to: float):
    sliders = widget.locator("input[type=range]").all()
    names = [slider.get_attribute("aria-label") for slider in sliders]
    drag(widget, names.index(f"weight of layer {layer}"), to)
    come_to_rest(widget)


def twin_loss(weights: list[float], keep_length=False) -> float:
    shipped().layer_weights, shipped().keep_length = weights, keep_length
    return shipped().loss()


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("Equal", [0.2] * 5),
        ("Last layer", [0, 0, 0, 0, 1]),
        ("Embedding", [1, 0, 0, 0, 0]),
    ],
)
def test_presets(widget, name, weights):
    press(widget, name)
    come_to_rest(widget)
    assert shown_weights(widget) == pytest.approx(weights)
    assert shown_losses(widget)[1] == nats(twin_loss(weights))
    pressed = widget.locator("button[aria-pressed=true]").all_text_contents()
    assert pressed == [name]


def test_a_changed_mixture_can_keep_the_length_of_the_learned_one(widget):
    length = len(write_some(widget, 25))
    press(widget, "Last layer")
    come_to_rest(widget)
    last, lengths = [0, 0, 0, 0, 1], widget.locator(".keep .note")
    assert memory_length(lengths) > 2 * memory_length(lengths, "would make it")
    box = widget.get_by_label("Keep the length")
    box.focus()
    box.press("Space")
    come_to_rest(widget)
    assert shown_weights(widget) == last
    text = text_of(widget)
    assert text == drawn_in_python("ROMEO:\n", length, mixture=last, keep_length=True)
    trace = twin(last, keep_length=True).trace(shipped().encode(text)[None])
    expected = trace.memory[0, -1].norm().item()
    assert memory_length(lengths) == pytest.approx(expected, abs=0.06)
    assert lengths.text_content().endswith(", as the learned weights make it.")
    assert shown_losses(widget) == [
        nats(twin_loss(shipped().learned)),
        nats(twin_loss(last, keep_length=True)),
    ]
    shipped().text = text
    widget.locator("[aria-live=polite]", has_text=shipped().describe()).wait_for()
    box.uncheck()
    come_to_rest(widget)
    assert shown_losses(widget)[1] == nats(twin_loss(last))


def memory_length(said, after: str = "The memory vector is") -> float:
    return float(said.text_content().partition(after)[2].split()[0].rstrip("."))


def shown_lens(widget) -> list[list[str]]:
    rows = widget.locator(".lens tbody tr").all()
    return [row.locator("td").all_text_contents() for row in rows]


@pytest.mark.parametrize("settings", [{}, {"mixture": [0.2] * 5, "keep_length": True}])
def test_the_lens_shows_what_python_makes_of_each_output(widget, settings):
    if settings:
        press(widget, "Equal")
        widget.get_by_label("Keep the length").check()
    text = write_some(widget, 20)
    summary = widget.locator("summary", has_text="What each layer would predict")
    summary.focus()
    summary.press("Enter")
    come_to_rest(widget)
    widget.locator(".lens td", has_text="%").first.wait_for()
    model = twin(**settings)
    trace = model.trace(shipped().encode(text)[None])
    outputs = [*trace.outputs[:, 0, -1], trace.memory[0, -1]]
    names = widget.locator(".lens tbody th").all_text_contents()
    assert names == ["embedding", "layer 1", "layer 2", "layer 3", "layer 4", "memory"]
    for row, output in zip(shown_lens(widget), outputs, strict=True):
        best = model.head(model.core.norm(output)).softmax(-1).topk(3)
        for cell, token, share in zip(row, best.indices, best.values, strict=True):
            character = shipped().characters[token]
            assert cell[0] == {"\n": "↵", " ": "␣"}.get(character, character)
            assert int(cell[1:].split()[0]) == pytest.approx(100 * share.item(), abs=0.51)
    widget.get_by_label("Character to look at").press("ArrowLeft")
    come_to_rest(widget)
    marked = set(widget.locator(".lens [data-drawn] .letter").all_text_contents())
    assert marked <= {text[-1].replace(" ", "␣").replace("\n", "↵")}


def test_folded_the_lens_computes_nothing(widget):
    from playwright.sync_api import expect

    assert widget.locator(".lens td").all_text_contents() == [""] * 18
    write_some(widget, 12)
    assert widget.locator(".lens td").all_text_contents() == [""] * 18
    summary = widget.locator(".lens summary")
    summary.click()
    widget.locator(".lens td", has_text="%").first.wait_for()
    before = widget.locator(".lens").text_content()
    summary.click()
    write_some(widget, 16)
    assert widget.locator(".lens").text_content() == before  # as it was when it was folded
    summary.click()
    expect(widget.locator(".lens")).not_to_have_text(before)


def test_another_seed_is_another_text_and_the_first_comes_back(widget):
    text = write_some(widget, 30)
    seed = widget.get_by_label("Seed")
    seed.fill("7")
    come_to_rest(widget)
    assert text_of(widget) == drawn_in_python("ROMEO:\n", len(text), seed=7) != text
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


def test_of_a_long_text_five_hundred_characters_are_written_again(widget):
    widget.get_by_label("Speed").select_option("as fast as it can")
    play_some(widget, 600)
    widget.get_by_label("Seed").fill("7")
    come_to_rest(widget)
    length = len("ROMEO:\n") + 500
    assert text_of(widget) == drawn_in_python("ROMEO:\n", length, seed=7)


def test_temperature_0_and_top_1_take_the_likeliest(widget):
    length = len(write_some(widget, 30))
    prompt = shipped().encode("ROMEO:\n")
    tokens = twin().generate(prompt[None], length - len(prompt), temperature=0)
    likeliest = "".join(shipped().characters[token] for token in tokens[0])
    assert text_of(widget) != likeliest
    widget.get_by_label("Top-k").select_option("1")
    come_to_rest(widget)
    assert text_of(widget) == likeliest
    widget.get_by_label("Top-k").select_option(label="all")
    widget.get_by_label("Temperature").press("Home")
    come_to_rest(widget)
    assert text_of(widget) == likeliest


def test_any_earlier_character_can_be_looked_at(widget):
    text = write_some(widget, 25)
    chosen = widget.get_by_label("Character to look at")
    chosen.press("Home")
    for _ in range(2):
        chosen.press("ArrowRight")
    come_to_rest(widget)
    assert widget.locator("mark").text_content() == "M"
    assert text_of(widget) == text
    shipped().text, shipped().layer_weights = "ROM", shipped().learned
    shipped().keep_length = False
    widget.locator("[aria-live=polite]", has_text=shipped().describe()).wait_for()
    came_next = widget.locator(".bar[data-drawn] .label").text_content()
    assert came_next == "E"


def test_pause_keeps_the_character_that_is_looked_at(widget):
    press(widget, "Play")
    wait_for_length(widget, 15)
    widget.get_by_label("Character to look at").press("Home")
    press(widget, "Pause")
    come_to_rest(widget)
    assert widget.locator("mark").text_content() == "R"


def test_a_prompt_of_the_readers_own(widget):
    widget.get_by_role("textbox", name="Prompt").fill("To be, or not to be")
    come_to_rest(widget)
    assert text_of(widget) == "To be, or not to be"
    press(widget, "Step")
    wait_for_length(widget, 20)
    assert text_of(widget) == drawn_in_python("To be, or not to be", 20)


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


def test_it_is_used_by_keyboard_alone(widget):
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
    assert text == drawn_in_python("ROMEO:\n", len(text))
    widget.get_by_label("weight of layer 1").focus()
    keyboard.press("End")
    come_to_rest(widget)
    assert shown_weights(widget) == [0, 1, 0, 0, 0]
    assert shown_losses(widget)[1] == nats(twin_loss([0, 1, 0, 0, 0]))


def test_its_weights_travel_in_less_than_one_and_a_half_megabytes(book, as_built):
    digest = as_built.locator("script[data-trait=buffer]").get_attribute("data-hash")
    file = (book / "_static" / "buffers" / f"{digest}.js").read_bytes()
    assert len(gzip.compress(file, 6)) < 1.5e6
    content = json.loads(file.decode().partition(",")[2].rpartition(")")[0])
    assert base64.b64decode(content) == shipped().buffer


def test_without_javascript_a_sentence_stands_in_its_place(open_page):
    python = LiveModel()
    python.text = python.prompt
    with open_page(PAGE, java_script_enabled=False) as visit:
        text = visit.page.locator(f"{WIDGET} p").first
        assert text.is_visible()
        assert text.text_content() == python.describe()
