"""In forced colours, which a system may show for all else, what colour said is said otherwise."""

import io

import pytest
from live_model_page import hold_short_text
from looking import kinds_on, lightest_page_with
from PIL import Image

PALETTES = ["light", "dark"]
CENTER = "(part) => part.scrollIntoView({ block: 'center', behavior: 'instant' })"


@pytest.fixture
def in_few_colors(once):
    """`in_few_colors(name, palette)` is a page as it begins, in a light or a dark palette."""

    def in_few_colors(name: str, palette: str):
        visit = once(name, "http")
        if "live_model" in kinds_on(name):
            hold_short_text(visit.page)
        visit.page.emulate_media(forced_colors="active", reduced_motion="reduce")
        visit.begin_again(palette)
        return visit.page

    return in_few_colors


def color_near_corner(part, inside: int = 4) -> tuple[int, int, int]:
    """The colour so many pixels inside the upper left corner of an element, where no letter is."""
    return picture(part).getpixel((inside, inside))


def colors_near_corners(parts: list) -> list[tuple[int, int, int]]:
    """The same of elements that are in view together, in one picture."""
    parts[0].evaluate(CENTER)
    shown = picture_of(parts[0].page.screenshot())
    boxes = [part.bounding_box() for part in parts]
    return [shown.getpixel((round(box["x"]) + 4, round(box["y"]) + 4)) for box in boxes]


def picture(part) -> Image.Image:
    part.evaluate(CENTER)
    return picture_of(part.screenshot())


def picture_of(png: bytes) -> Image.Image:
    return Image.open(io.BytesIO(png)).convert("RGB")


def distance(color, other) -> int:
    return sum(abs(a - b) for a, b in zip(color, other, strict=True))


def widget_on(page, kind: str):
    return page.locator(f".feedback-widget[data-widget={kind}]").first


@pytest.mark.parametrize("palette", PALETTES)
@pytest.mark.parametrize("kind", ["live_model", "layer_memory_weights"])
def test_a_pressed_button_is_told_from_the_others(in_few_colors, kind, palette):
    page = in_few_colors(lightest_page_with(kind), palette)
    widget = widget_on(page, kind)
    presets = [button for button in widget.locator("button[aria-pressed]").all()]
    for chosen in presets[:2]:
        chosen.click()
        page.mouse.move(0, 0)
        pressed, *others = sorted(
            presets, key=lambda button: button.get_attribute("aria-pressed") != "true"
        )
        color, *colors = colors_near_corners([pressed, *others])
        assert all(distance(color, other) > 100 for other in colors)


@pytest.mark.parametrize("palette", PALETTES)
def test_the_shades_of_the_held_text_are_there(in_few_colors, palette):
    page = in_few_colors(lightest_page_with("live_model"), palette)
    widget = widget_on(page, "live_model")
    widget.locator(".bar.loss .percent", has_text="nats").first.wait_for()
    letters = widget.locator(".held span").all()
    shares = [
        float(letter.evaluate("(one) => parseFloat(one.style.getPropertyValue('--share'))"))
        for letter in letters[1:]
    ]
    strong = color_near_corner(letters[1 + shares.index(max(shares))], inside=1)
    weak = color_near_corner(letters[1 + shares.index(min(shares))], inside=1)
    assert distance(strong, weak) > 60


@pytest.mark.parametrize("palette", PALETTES)
def test_the_character_that_came_next_is_told_from_the_others(in_few_colors, palette):
    page = in_few_colors(lightest_page_with("live_model"), palette)
    widget = widget_on(page, "live_model")
    widget.get_by_label("Character to look at").press("Home")
    drawn = widget.locator(".bar[data-drawn] .label")
    drawn.wait_for()
    other = widget.locator(".bar:not(.loss, [data-drawn]) .label").last
    assert distance(color_near_corner(drawn), color_near_corner(other)) > 100


@pytest.mark.parametrize("palette", PALETTES)
def test_the_step_that_asks_is_told_from_the_others(in_few_colors, palette):
    page = in_few_colors(lightest_page_with("memory_attention"), palette)
    tokens = widget_on(page, "memory_attention").locator(".token")
    tokens.nth(9).click()
    page.mouse.move(0, 0)
    here, before, after = colors_near_corners([tokens.nth(step) for step in (9, 8, 10)])
    assert distance(here, before) > 100 and distance(here, after) > 100


@pytest.mark.parametrize("palette", PALETTES)
def test_pictures_suit_the_forced_background_whatever_the_page_is_set_to(in_few_colors, palette):
    """A reader's own palette is dark where the page was once set to light, or the reverse."""
    other = {"light": "dark", "dark": "light"}[palette]
    page = in_few_colors(lightest_page_with("critical_path"), palette)
    page.evaluate("(theme) => (document.documentElement.dataset.theme = theme)", other)
    cells = widget_on(page, "critical_path").locator(".cell.token:not(.path) rect")
    paper = sum(picture(cells.last).getpixel((8, 8)))
    page.evaluate("(theme) => (document.documentElement.dataset.theme = theme)", palette)
    assert paper > 600 if palette == "light" else paper < 150
