"""Figures and equations of the built book in light and in dark: one colour each, and no white."""

import drawings
import pytest
from looking import BOOK, LAPTOP, PAGES, html_of, parsed

from feedback.notation import BOX, FRAME, NEUTRAL, PAPER, TABLE

MEMORY, NOTATION = "notebooks/04-feedback-memory", "book/notation"
DRAWN = [page for page in PAGES if 'drawing" role="img"' in html_of(page)]
OPENS = DRAWN


def rgb(color: str) -> str:
    return "rgb({}, {}, {})".format(*(int(color[i : i + 2], 16) for i in (1, 3, 5)))


@pytest.fixture(params=["light", "dark"])
def theme(request):
    return request.param


# What the shapes of drawings are painted with, and what their texts are.
PAINTS = """() => {
    const paints = (selector, names) => [...new Set([...document.querySelectorAll(selector)]
        .flatMap((part) => names.map((name) => getComputedStyle(part)[name])))];
    const shapes = "svg.drawing :is(path, rect, circle, line, polygon, use):not(defs *)";
    return [paints(shapes, ["fill", "stroke"]), paints("svg.drawing text", ["fill"])];
}"""


def test_a_drawing_has_no_color_of_the_other_theme(each_page, theme):
    other = {"light": "dark", "dark": "light"}[theme]
    each_page.change_to(theme)
    shapes, texts = each_page.page.evaluate(PAINTS)
    behind = each_page.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert behind == rgb(getattr(PAPER, theme))
    foreign = {rgb(getattr(one, other)) for one in (*TABLE, NEUTRAL, PAPER, BOX, FRAME)}
    assert not foreign & set(shapes)
    assert not (foreign - {rgb(PAPER.light)}) & set(texts)  # white text stands on a cell
    assert "rgb(0, 0, 0)" not in shapes + texts


def test_every_figure_of_a_cell_is_a_drawing(book):
    assert len(DRAWN) > 8
    for name in PAGES:
        assert parsed(BOOK / f"{name}.html").select("div.cell_output img") == []


COLORED = """() => [...document.querySelectorAll("mjx-math [class*=of-], span[class^=of-]")]
    .map((part) => [part.className.match(/of-([a-z-]+)/)[1], getComputedStyle(part).color])"""


@pytest.mark.parametrize(
    ("name", "least"), [(MEMORY, {"memory", "outputs"}), (NOTATION, {one.name for one in TABLE})]
)
def test_symbols_have_their_colors_in_equations_and_in_the_table(open_page, name, least):
    with open_page(name, formulas=True) as visit:
        for theme in ("light", "dark"):
            visit.change_to(theme)
            found = visit.page.evaluate(COLORED)
            colors = {one.name: rgb(getattr(one, theme)) for one in TABLE}
            assert least <= {name for name, _ in found}
            assert {color == colors[name] for name, color in found} == {True}


def test_printing_is_light_though_the_screen_is_dark(open_page):
    with open_page(MEMORY, viewport=LAPTOP, color_scheme="dark") as visit:
        visit.page.evaluate("dispatchEvent(new Event('beforeprint'))")
        memory = visit.page.locator("svg.drawing .memory").first
        assert memory.evaluate("(one) => getComputedStyle(one).stroke") == rgb(
            next(one.light for one in TABLE if one.name == "memory")
        )


def test_the_style_of_the_page_is_that_of_the_table(book):
    text = (book / "_static/notation.css").read_text("utf-8")
    assert text == drawings.STYLE
