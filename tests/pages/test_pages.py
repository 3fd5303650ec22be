"""The built book as its readers meet it: in a browser, served or opened as files, offline."""

import gzip
import json
import re
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest
from looking import (
    LAPTOP,
    PAGES,
    PHONE,
    PROJECTOR,
    color_of,
    contrast,
    drag,
    scrolls_sideways,
    state_of,
    widgets_of,
)

from feedback.widgets import LayerMemoryWeights

FIRST_PAGE = PAGES[0]

WIDGET_PAGE = "notebooks/04-feedback-memory"
WIDGET = ".feedback-widget[data-widget=layer_memory_weights]"
WIDGET_SCRIPT = "_static/widgets/layer_memory_weights.js"


# ---- every page ----


@pytest.fixture(scope="module", params=["http", "file"])
def scheme(request):
    return request.param


@pytest.fixture(scope="module", params=PAGES)
def visit(request, open_page, scheme):
    with open_page(request.param, scheme) as visit:
        yield visit


def test_page_loads_nothing_from_elsewhere(visit):
    assert visit.foreign == []


def test_page_misses_no_file_and_reports_no_error(visit):
    assert visit.missing == []
    assert visit.errors == []


def test_every_formula_is_typeset(visit):
    formulas = visit.page.locator(".math:not(mjx-container *)")
    assert formulas.locator("mjx-container").count() >= formulas.count()
    assert visit.page.locator("mjx-merror").all_text_contents() == []
    # MathJax passes an unknown command on as text.
    unknown = visit.page.locator("mjx-assistive-mml mtext", has_text="\\")
    assert unknown.all_text_contents() == []


def test_no_tex_is_left_in_the_text(visit):
    text = visit.page.evaluate(
        """() => {
            const article = document.querySelector("article").cloneNode(true);
            article.querySelectorAll("pre, code, script, mjx-container").forEach((e) => e.remove());
            return article.textContent;
        }"""
    )
    assert re.findall(r"\$\$|\\\(|\\\[|\\begin", text) == []


def test_every_widget_starts(visit):
    states = [place.get_attribute("data-state") for place in widgets_of(visit.page).all()]
    assert set(states) <= {"started"}


def test_page_fits_a_phone(visit):
    visit.page.set_viewport_size(PHONE)
    assert not scrolls_sideways(visit.page)
    visit.page.set_viewport_size(LAPTOP)


def test_page_is_light(visit, book, addresses, scheme):
    """What a reader waits for, sent as servers send it; a widget's buffers come when it is near."""
    names = [url.removeprefix(addresses[scheme]) for url in visit.loaded]
    files = [name for name in names if not name.startswith(("blob:", "data:", "/_static/buffers/"))]
    sizes = {name: sent_bytes(Path(f"{book}{unquote(name)}")) for name in files}
    heaviest = sorted(sizes.items(), key=lambda item: -item[1])[:10]
    assert sum(sizes.values()) < 1.5e6, heaviest


@cache
def sent_bytes(path: Path) -> int:
    content = path.read_bytes()
    compressed = path.suffix in {".png", ".jpg", ".woff", ".woff2"}
    return len(content if compressed else gzip.compress(content, 6))


def test_the_front_door_leads_to_the_first_page(browser, addresses, scheme):
    with browser.new_page() as page:
        page.goto(f"{addresses[scheme]}/index.html")
        page.wait_for_url(f"**/{FIRST_PAGE}.html", timeout=5000)


# ---- the weights of the layers ----


@pytest.fixture
def widget(open_page):
    with open_page(WIDGET_PAGE, viewport=LAPTOP) as visit:
        yield visit.page.locator(WIDGET).first


def shown_weights(widget) -> list[float]:
    return [
        float(text)
        for text in widget.locator("data.weight").evaluate_all(
            "numbers => numbers.map((number) => number.value)"
        )
    ]


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


def test_dragging_one_weight_scales_the_others(widget):
    before = shown_weights(widget)
    assert before == pytest.approx(state_of(widget)["weights"])
    drag(widget, index=1, to=0.8)
    after = shown_weights(widget)
    assert after[1] == pytest.approx(0.8, abs=0.05)
    # The browser may pass through other positions on the way; proportions survive that.
    assert after == pytest.approx(with_one_weight_set(before, 1, after[1]))
    assert sum(after) == pytest.approx(1)


def test_an_arrow_key_moves_one_weight_by_a_hundredth(widget):
    drag(widget, index=1, to=0.6)
    before = shown_weights(widget)
    widget.locator("input[type=range]").nth(1).press("ArrowRight")
    after = shown_weights(widget)
    assert after == pytest.approx(with_one_weight_set(before, 1, before[1] + 0.01))
    assert sum(after) == pytest.approx(1)


def test_from_all_on_one_layer_the_rest_is_shared_equally(widget):
    slider = widget.locator("input[type=range]").first
    slider.press("End")
    slider.press("ArrowLeft")
    first, *others = shown_weights(widget)
    assert first == pytest.approx(0.99)
    assert others == pytest.approx([0.01 / len(others)] * len(others))


def test_the_button_makes_weights_equal(widget):
    drag(widget, index=0, to=0.9)
    widget.get_by_role("button", name="Equal").click()
    weights = shown_weights(widget)
    assert weights == pytest.approx([1 / len(weights)] * len(weights))


def test_the_memory_shown_is_the_one_that_python_computes(widget):
    outputs = state_of(widget)["outputs"]
    drag(widget, index=2, to=0.7)
    expected = LayerMemoryWeights(outputs, shown_weights(widget)).mixture
    assert shown_memory(widget) == pytest.approx(expected, rel=1e-3)


def test_the_sentence_follows_the_picture(widget):
    state = state_of(widget)
    drag(widget, index=2, to=0.7)
    now = LayerMemoryWeights(state["outputs"], shown_weights(widget), state["labels"])
    widget.locator("[aria-live=polite]", has_text=now.describe()).wait_for(timeout=2000)


@pytest.mark.parametrize("viewport", [PHONE, PROJECTOR], ids=["phone", "projector"])
@pytest.mark.parametrize("mode", ["light", "dark"])
def test_it_can_be_read(open_page, mode, viewport):
    with open_page(WIDGET_PAGE, color_scheme=mode, viewport=viewport) as visit:
        widget = visit.page.locator(WIDGET).first
        assert visit.page.locator("html").get_attribute("data-theme") == mode
        assert not scrolls_sideways(visit.page)
        box = widget.locator(".layer-memory-weights").bounding_box()
        assert box["width"] > 300 and box["x"] + box["width"] <= viewport["width"]
        background = color_of(visit.page.locator("body"), "background-color")
        for part in (".name", ".sentence", ".formula", "button"):
            text = color_of(widget.locator(part).first, "color")
            assert contrast(text, background) >= 4.5, f"{part}: {text} on {background}"


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_low_features_are_blue_and_high_ones_orange(open_page, mode):
    with open_page(WIDGET_PAGE, color_scheme=mode) as visit:
        widget = visit.page.locator(WIDGET).first
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


def test_without_javascript_text_stands_in_its_place(open_page):
    with open_page(WIDGET_PAGE, java_script_enabled=False) as visit:
        text = visit.page.locator(f"{WIDGET} p").first
        assert text.is_visible()
        assert text.text_content().startswith("Memory: ")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("export default { render() { throw new Error('no ink') } };", "no ink"),
        ("this is not JavaScript", "Unexpected identifier"),
    ],
)
def test_a_widget_that_fails_says_so_in_its_place(open_page, source, message):
    script = f"registerFeedbackWidget('layer_memory_weights', {json.dumps(source)});"
    with open_page(WIDGET_PAGE, instead={WIDGET_SCRIPT: script}) as visit:
        error = visit.page.locator(f"{WIDGET} .feedback-widget-error").first
        assert error.is_visible()
        assert message in error.text_content()


def test_a_widget_whose_script_is_missing_says_so_in_its_place(open_page):
    with open_page(WIDGET_PAGE, instead={WIDGET_SCRIPT: ""}) as visit:
        error = visit.page.locator(f"{WIDGET} .feedback-widget-error").first
        assert "did not load" in error.text_content()
