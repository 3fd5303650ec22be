"""The layer weights of a trained model: presets, and how training moved them."""

import re

import pytest
from looking import LAPTOP, PHONE, PROJECTOR, color_of, contrast, drag, scrolls_sideways, state_of

from feedback.widgets import LayerMemoryWeights
from feedback.widgets.base import script

PAGE = "notebooks/04-feedback-memory"
WIDGET = ".feedback-widget[data-widget=layer_memory_weights]"
PRESETS = ["Learned", "Equal", "Last layer only", "Embedding only"]


@pytest.fixture
def scheme() -> str:
    """How the book is opened, unless a test says both."""
    return "http"


@pytest.fixture
def replay(open_page, scheme):
    with open_page(PAGE, scheme, viewport=LAPTOP) as visit:
        yield visit.page.locator(WIDGET).nth(1)


def shown_weights(widget) -> list[float]:
    read = "numbers => numbers.map((number) => Number(number.value))"
    return widget.locator("data.weight").evaluate_all(read)


def pressed(widget) -> list[str]:
    return widget.locator("button[aria-pressed=true]").all_text_contents()


def step_of(widget) -> str:
    return widget.locator(".step").text_content()


def player(widget):
    return widget.get_by_role("slider", name="step of training")


def test_it_begins_with_what_was_learned(replay):
    state = state_of(replay)
    assert shown_weights(replay) == pytest.approx(state["learned"])
    assert pressed(replay) == ["Learned"]


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


def test_without_learned_weights_there_is_no_button_for_them(open_page):
    with open_page(PAGE) as visit:
        names = visit.page.evaluate(
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


@pytest.mark.parametrize("scheme", ["http", "file"])
def test_play_runs_through_training_until_the_reader_takes_a_bar(replay):
    player(replay).press("End")
    replay.get_by_role("button", name="Play").click()
    some_way = re.compile("^step ([3-9]00|[1-5],)")
    replay.locator(".step", has_text=some_way).wait_for(timeout=10_000)
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
    assert text.endswith(replay.locator(".chart").get_attribute("aria-label"))
    assert text.startswith(replay.locator(".sentence").text_content())


def test_lines_can_be_told_apart_without_colour(replay):
    lines = replay.locator(".chart .weights")
    dashes = [line.get_attribute("stroke-dasharray") for line in lines.all()]
    assert len(set(dashes)) == len(dashes) == len(state_of(replay)["labels"])
    assert replay.locator(".chart .label").all_text_contents() == state_of(replay)["labels"]


@pytest.mark.parametrize("viewport", [PHONE, PROJECTOR], ids=["phone", "projector"])
@pytest.mark.parametrize("mode", ["light", "dark"])
def test_it_can_be_read(open_page, mode, viewport):
    with open_page(PAGE, color_scheme=mode, viewport=viewport) as visit:
        widget = visit.page.locator(WIDGET).nth(1)
        background = color_of(visit.page.locator("body"), "background-color")
        assert not scrolls_sideways(visit.page)
        labels = sorted(
            (b.bounding_box() for b in widget.locator(".label").all()), key=lambda b: b["y"]
        )
        for above, below in zip(labels, labels[1:], strict=False):
            assert above["y"] + 12 <= below["y"], "labels overlap"
        for box in labels:
            assert box["x"] + box["width"] <= viewport["width"]
        for part in (".step", ".heading", "button", ".presets button"):
            assert contrast(color_of(widget.locator(part).first, "color"), background) >= 4.5, part
        for text in widget.locator(".chart text").all():
            assert contrast(srgb(text, "fill"), background) >= 4.5, text.text_content()


def srgb(element, css_property: str) -> list[int]:
    """A colour that the style sheet mixed, as a canvas paints it."""
    return element.evaluate(
        """(element, name) => {
            const canvas = document.createElement("canvas").getContext("2d");
            canvas.fillStyle = getComputedStyle(element).getPropertyValue(name);
            canvas.fillRect(0, 0, 1, 1);
            return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
        }""",
        css_property,
    )
