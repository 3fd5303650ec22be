"""Figures as they stand in a page, and the letters of formulas: what the book's build makes."""

import re
from xml.etree import ElementTree

import drawings
import matplotlib

matplotlib.use("Agg")

import io

import matplotlib.pyplot as plt
import pytest
import symbols

from feedback import plots
from feedback.notation import TABLE


def draw() -> str:
    """A figure with all that is white, black or of the book's colours, as its file."""
    with plt.rc_context():
        plots.use_style()
        fig, (ax, cells) = plt.subplots(1, 2, figsize=(6, 3))
        for one in TABLE:
            ax.plot([0, 1], [0, 1], color=plots.COLORS[one.name], label=one.name)
        ax.text(0.5, 0.5, "boxed $x_t$", bbox=dict(fc="white"))
        ax.legend(title="a legend")
        cells.imshow([[0, 1], [2, 3]])
        cells.text(0, 0, "on a cell", color="white")
        return file_of(fig)


def file_of(fig) -> str:
    file = io.StringIO()
    fig.savefig(file, format="svg", metadata={"Date": None})
    plt.close(fig)
    return file.getvalue()


@pytest.fixture(scope="module")
def figure():
    return draw()


def test_a_drawing_holds_no_white_but_text_and_no_colour_of_the_light_theme(figure):
    root = ElementTree.fromstring(drawings.inline(figure, "", "a"))
    white = [one for one in root.iter() if "#ffffff" in "".join(one.attrib.values())]
    assert [one.text for one in white] == ["on a cell"]
    painted = "".join("".join(one.attrib.values()) for one in root.iter())
    for one in TABLE:
        assert one.light in figure and one.light not in painted
        assert f"var(--{one.name})" in painted
    assert "#000000" not in painted


def test_the_background_is_gone_and_the_box_of_a_text_stays(figure):
    root = ElementTree.fromstring(drawings.inline(figure, "", "a"))
    papers = [one for one in root.iter() if "fill: var(--paper)" in one.get("style", "")]
    backgrounds = [one for one in papers if "opacity" not in one.get("style")]
    assert figure.count("fill: #ffffff") - len(papers) == 4  # figure, two panels, text on a cell
    assert len(backgrounds) == 1


def test_a_drawing_is_an_image_with_words_whose_text_is_text(figure):
    text = drawings.inline(figure, 'Lines "rise" & fall', "a", ["wide"])
    assert text.startswith("<svg ") and "<metadata" not in text and "<style" not in text
    root = ElementTree.fromstring(text)
    assert root.get("role") == "img" and root.get("aria-label") == 'Lines "rise" & fall'
    assert root.get("class").split() == ["wide", "drawing"]
    words = ["".join(one.itertext()).strip() for one in root.iter(f"{{{drawings.SVG}}}text")]
    assert {"a legend", "queries", "on a cell"} <= set(words)


def test_two_drawings_of_a_page_share_no_id_and_refer_to_their_own(figure):
    ids = []
    for prefix in ("a", "b"):
        text = drawings.inline(figure, "", prefix)
        own = set(re.findall(r' id="([^"]+)"', text))
        referred = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', text))
        assert own == referred and own
        ids.append(own)
    assert not ids[0] & ids[1]


def test_a_figure_is_the_same_file_whenever_it_is_drawn(figure):
    assert draw() == figure


@pytest.mark.parametrize("text, own", [("$x'$", "cmsy10"), ("$x$′ $\\bar k_j^{l-1}$", None)])
def test_a_sign_that_no_reader_has_is_found(text, own):
    with plt.rc_context():
        plots.use_style()
        fig, ax = plt.subplots()
        ax.set_title(text)
        found = drawings.OWN_FONT.search(file_of(fig))
    assert (found and found[1]) == own


def letters(tex: str, has_keys: bool = False) -> list[tuple[str, str]]:
    """Which letters are whose, and that nothing else is changed."""
    colored = symbols.colored(tex, has_keys)
    one = r"\{\\class\{of-(\w+)\}\{(\w)\}\}"
    assert re.sub(one, r"\2", colored) == tex
    return re.findall(one, colored)


@pytest.mark.parametrize(
    "tex, found",
    [
        (r"q_t \cdot k_j", ["queries q", "keys k"]),
        (r"\bar k_j = \sum_{t>j} \bar s_{t,j}\; q_t^l", ["keys k", "queries q"]),
        (r"m_t = \sum_{l=0}^{L} \operatorname{softmax}(w)_l \; x_t^l", ["memory m", "outputs x"]),
        (r"k_j = W_k\, m_j", ["keys k", "memory m"]),
        (r"\frac{q \cdot k_j}{\sqrt{k}} v_j", ["queries q", "keys k", "values v"]),
        (r"x_t^{l-1} + x_t + x + x_t^\top + x^{m_t}", ["outputs x"]),
        (r"\text{keys } k_j,\ \mathrm{q} \operatorname{qm}_k m_j", ["keys k", "memory m"]),
        (r"m \leftarrow \beta_1 m + g, \hat m / (\sqrt{\hat v} + \epsilon)", []),  # AdamW's means
        (r"a_{k_j}^{v_j} \quad W_q^k \quad \begin{matrix} k \end{matrix} \bmod \mu \quad k", []),
        (r"\{q\} \underbrace{v_j}_{\text{v_j}}", ["queries q", "values v"]),
        (r"\ln V", []),
    ],
)
def test_symbols_are_found_and_nothing_else(tex, found):
    assert [" ".join(pair) for pair in letters(tex)] == found


def test_values_have_a_capital_letter_where_keys_have_one():
    assert letters("V") == []
    assert letters("V", has_keys=True) == [("values", "V")]


def test_the_symbols_of_the_table_are_found():
    for one in TABLE:
        for symbol in one.symbols:
            assert letters(symbol, has_keys=True) == [(one.name, symbol[0])]
