"""The weights of the layers: set by hand or with a preset, and how training moved them."""

import re

import pytest
from looking import assert_readable, drag, state_of

from feedback.widgets import LayerMemoryWeights
from feedback.widgets.base import script

PAGE = "notebooks/04-feedback-memory"
WIDGET = ".feedback-widget[data-widget=layer_memory_weights]"
WIDGET_SCRIPT = "_static/widgets/layer_memory_weights.js"
PRESETS = ["Learned", "Equal", "Last layer only", "Embedding only"]


@pytest.fixture
def page(begun):
    return begun.page


@pytest.fixture
def widget(page):
    """The first one of the page, with equal weights."""
    widget = page.locator(WIDGET).first
    widget.get_by_role("button", name="Equal").click()
    return widget


@pytest.fixture
def replay(page):
    """The one that replays a training, with what was learned."""
    replay = page.locator(WIDGET).nth(1)
    replay.get_by_role("button", name="Learned").click()
    return replay


def shown_weights(widget) -> list[float]:
    read = "numbers => numbers.map((number) => Number(number.value))"
    return widget.locator("data.weight").evaluate_all(read)


def shown_memory(widget) -> list[float]:
    """The memory vector as the tooltips of its cells give it, to four digits."""
    cells = widget.locator(".memory .strip span")
    titles = cells.evaluate_all("cells => cells.map((cell) => cell.title)")
    return [float(title.rpartition(": ")[2].replace("\N{MINUS SIGN}", "-")) for title in titles]


def with_one_weight_set(weights: list[float], index: int, value: float) -> list[float]:
    """What should happen to the other weights: they keep their proportions."""
    others = sum(weights) - weights[index]
    scaled = [weight * (1 - value) / others for weight in weights]
    return [*scaled[:index], value, *scaled[index + 1 :]]


def assert_shows_its_mixture(widget):
    """The memory vector and the sentence are Python's, for the weights that are shown."""
    state = state_of(widget)
    now = LayerMemoryWeights(state["outputs"], shown_weights(widget), state["labels"])
    assert shown_memory(widget) == pytest.approx(now.mixture, rel=1e-3)
    widget.locator("[aria-live=polite]", has_text=now.describe()).wait_for()


def pressed(widget) -> list[str]:
    return widget.locator("button[aria-pressed=true]").all_text_contents()


def step_of(widget) -> str:
    return widget.locator(".step").text_content()


def player(widget):
    return widget.get_by_role("slider", name="step of training")


# ---- set by hand ----


def test_a_weight_follows_mouse_and_keys_and_scales_the_others(look):
    widget = look.locator(WIDGET).first
    widget.get_by_role("button", name="Equal").click()
    before = shown_weights(widget)
    assert before == pytest.approx([1 / len(before)] * len(before))
    drag(widget, index=1, to=0.8)
    dragged = shown_weights(widget)
    assert dragged[1] == pytest.approx(0.8, abs=0.05)
    # The browser may pass through other positions on the way; proportions survive that.
    assert dragged == pytest.approx(with_one_weight_set(before, 1, dragged[1]))
    widget.locator("input[type=range]").nth(1).press("ArrowRight")
    stepped = shown_weights(widget)
    assert stepped == pytest.approx(with_one_weight_set(dragged, 1, dragged[1] + 0.01))
    assert sum(stepped) == pytest.approx(1)
    assert_shows_its_mixture(widget)
    assert_readable(widget)


def test_it_begins_with_the_weights_of_python(page):
    first, replay = (page.locator(WIDGET).nth(i) for i in (0, 1))
    assert shown_weights(first) == pytest.approx(state_of(first)["weights"])
    assert_shows_its_mixture(first)
    assert shown_weights(replay) == pytest.approx(state_of(replay)["learned"])
    assert pressed(replay) == ["Learned"]


def test_from_all_on_one_layer_the_rest_is_shared_equally(widget):
    slider = widget.locator("input[type=range]").first
    slider.press("End")
    slider.press("ArrowLeft")
    first, *others = shown_weights(widget)
    assert first == pytest.approx(0.99)
    assert others == pytest.approx([0.01 / len(others)] * len(others))


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_low_features_are_blue_and_high_ones_orange(widget, mode):
    widget.page.emulate_media(color_scheme=mode)
    widget.page.locator(f"html[data-theme={mode}]").wait_for()
    values = sum(state_of(widget)["outputs"], [])
    cells = widget.locator(".line:not(.memory) .strip span")
    lowest, highest = cells.nth(values.index(min(values))), cells.nth(values.index(max(values)))
    assert lowest.bounding_box()["height"] > 10
    assert blue_to_yellow(lowest) < blue_to_yellow(highest) - 0.05


def blue_to_yellow(element) -> float:
    """The last of the three numbers of a colour in oklab, in which the style sheet mixes."""
    color = element.evaluate("(element) => getComputedStyle(element).backgroundColor")
    lightness, red, yellow = re.fullmatch(r"oklab\((\S+) (\S+) (\S+)\)", color).groups()
    return float(yellow)


# ---- presets and replay ----


def test_training_is_replayed_with_mouse_and_keys(look):
    replay = look.locator(WIDGET).nth(1)
    history = state_of(replay)["history"]
    for key, (step, weights) in (("End", history[-1]), ("Home", history[0])):
        player(replay).press(key)
        assert shown_weights(replay) == pytest.approx(weights)
        assert step_of(replay) == f"step {step:,}"
    drag(replay, replay.locator("input[type=range]").count() - 1, to=0.5)
    shown = step_of(replay)
    weights = next(weights for step, weights in history if f"step {step:,}" == shown)
    assert shown not in (f"step {history[0][0]:,}", f"step {history[-1][0]:,}")
    assert shown_weights(replay) == pytest.approx(weights)
    assert_readable(replay)
    boxes = [label.bounding_box() for label in replay.locator(".label").all()]
    boxes.sort(key=lambda box: box["y"])
    for above, below in zip(boxes, boxes[1:], strict=False):
        assert above["y"] + 12 <= below["y"], "labels overlap"
    assert all(box["x"] + box["width"] <= look.viewport_size["width"] for box in boxes)


def test_each_button_sets_its_weights_and_says_that_they_hold(replay):
    learned = state_of(replay)["learned"]
    L = len(learned)
    expected = [learned, [1 / L] * L, [0] * (L - 1) + [1], [1] + [0] * (L - 1)]
    for name, weights in zip(PRESETS[1:] + PRESETS[:1], expected[1:] + expected[:1], strict=True):
        replay.get_by_role("button", name=name).click()
        assert shown_weights(replay) == pytest.approx(weights)
        assert pressed(replay) == [name]
    drag(replay, 1, to=0.5)
    assert pressed(replay) == []


def test_without_learned_weights_there_is_no_button_for_them(page):
    names = page.evaluate(
        """async (source) => {
            const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
            const { default: widget } = await import(url);
            const state = { outputs: [[1], [2]], labels: ["a", "b"], weights: [0.5, 0.5] };
            const model = { get: (name) => state[name] ?? null, on() {}, off() {} };
            const el = document.createElement("div");
            widget.render({ model, el });
            return [...el.querySelectorAll("button")].map((button) => button.textContent);
        }""",
        script("layer_memory_weights"),
    )
    assert names == PRESETS[1:]


def test_the_player_shows_the_weights_of_each_step(replay):
    history = state_of(replay)["history"]
    for key, (step, weights) in (("Home", history[0]), ("End", history[-1])):
        player(replay).press(key)
        assert shown_weights(replay) == pytest.approx(weights)
        assert step_of(replay) == f"step {step:,}"
        assert player(replay).get_attribute("aria-valuetext") == f"step {step:,}"
    player(replay).press("ArrowLeft")
    assert shown_weights(replay) == pytest.approx(history[-2][1])


def test_the_marker_stands_at_the_step_and_its_dots_at_the_weights(replay):
    circles, line = replay.locator(".chart circle"), replay.locator(".chart .weights")
    for key, end in (("Home", 0), ("End", "path.getTotalLength()")):
        player(replay).press(key)
        for layer in range(circles.count()):
            x, y = line.nth(layer).evaluate(
                f"(path) => {{ const p = path.getPointAtLength({end}); return [p.x, p.y] }}"
            )
            assert float(circles.nth(layer).get_attribute("cx")) == pytest.approx(x, abs=0.1)
            assert float(circles.nth(layer).get_attribute("cy")) == pytest.approx(y, abs=0.1)


# From here on, every step that is shown.
NOTE_STEPS = """(replay) => {
    window.steps = [];
    new MutationObserver(() => {
        const shown = replay.querySelector(".step")?.textContent; // none once it is put away
        if (shown && shown !== steps.at(-1)) steps.push(shown);
    }).observe(replay, { subtree: true, childList: true, characterData: true });
}"""


def test_the_first_play_begins_with_the_first_step(page):
    replay = page.locator(WIDGET).nth(1)
    replay.evaluate(NOTE_STEPS)
    replay.get_by_role("button", name="Play").click()
    page.wait_for_function("window.steps.length > 1")
    first = [f"step {step:,}" for step, _ in state_of(replay)["history"][:2]]
    assert page.evaluate("window.steps.slice(0, 2)") == first


def test_play_runs_through_training_until_the_reader_takes_a_bar(replay):
    player(replay).press("End")
    replay.get_by_role("button", name="Play").click()
    some_way = re.compile("^step ([3-9]00|[1-5],)")
    replay.locator(".step", has_text=some_way).wait_for()
    drag(replay, 0, to=0.9)
    assert replay.get_by_role("button", name="Play").is_visible()
    assert step_of(replay) == "your own weights"
    assert not replay.locator(".chart .now").is_visible()
    before = shown_weights(replay)
    replay.page.wait_for_timeout(300)  # two ticks of the player
    assert shown_weights(replay) == before


def test_the_chart_is_described_in_the_words_of_python(replay):
    state = state_of(replay)
    state["weights"] = state.pop("learned")
    text = LayerMemoryWeights(**state).describe()
    chart = replay.locator(".chart").get_attribute("aria-label")
    assert text.endswith(chart)
    sentence = text.removesuffix(chart).strip()
    replay.locator("[aria-live=polite]", has_text=sentence).wait_for()


def test_lines_can_be_told_apart_without_colour(replay):
    lines = replay.locator(".chart .weights")
    dashes = [line.get_attribute("stroke-dasharray") for line in lines.all()]
    assert len(set(dashes)) == len(dashes) == len(state_of(replay)["labels"])
    assert replay.locator(".chart .label").all_text_contents() == state_of(replay)["labels"]


# ---- where it cannot be drawn ----


def test_without_javascript_text_stands_in_its_place(open_page):
    with open_page(PAGE, java_script_enabled=False) as visit:
        text = visit.page.locator(f"{WIDGET} p").first
        assert text.is_visible()
        assert text.text_content().startswith("Memory: ")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("() => ({ localModel() {}, render() { throw new Error('no ink') } })", "no ink"),
        ("() => { throw new Error('no pen') }", "no pen"),
        ("this is not JavaScript", "the page did not load"),
    ],
)
def test_a_widget_that_fails_says_so_in_its_place(open_page, source, message):
    script = f"registerFeedbackWidget('layer_memory_weights', {source});"
    with open_page(PAGE, instead={WIDGET_SCRIPT: script}) as visit:
        error = visit.page.locator(f"{WIDGET} .feedback-widget-error").first
        assert error.is_visible()
        assert message in error.text_content()


def test_a_widget_whose_script_is_missing_says_so_in_its_place(open_page):
    with open_page(PAGE, instead={WIDGET_SCRIPT: ""}) as visit:
        error = visit.page.locator(f"{WIDGET} .feedback-widget-error").first
        assert "did not load" in error.text_content()
