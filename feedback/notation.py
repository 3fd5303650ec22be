"""One symbol, one colour, one name: the table that figures, widgets and equations read.

Every colour stands out from the page, and from its boxes, by a contrast of 4.5 at least, in light
and in dark. The colours of symbols, and those of models, can be told apart by readers who see no
red or no green (`tests/test_notation.py`). The page `book/notation.md` shows the table.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Colored(NamedTuple):
    """What keeps one colour throughout the book.

    name: what it is called in `feedback.plots.COLORS` and, after two hyphens, in CSS.
    symbols: its letters in equations, as TeX; none for a model.
    light, dark: its colour on a light and on a dark page.
    color: what a sentence calls that colour.
    """

    name: str
    symbols: tuple[str, ...]
    light: str
    dark: str
    color: str


# Models: Okabe and Ito's blue, orange and green, darker where the page is light.
TABLE = (
    Colored("queries", ("q_t", "Q"), "#c90a83", "#f961c6", "pink"),
    Colored("keys", ("k_j", "K"), "#2a6f8c", "#49e4fe", "cyan"),
    Colored("values", ("v_j", "V"), "#4d3c00", "#d4da29", "ochre"),
    Colored("memory", ("m_t",), "#d0102f", "#ff6670", "red"),
    Colored("outputs", ("x_t^l",), "#4f7330", "#76b80c", "lime"),
    Colored("parallel", (), "#0072b2", "#56b4e9", "blue"),
    Colored("feedback", (), "#b84b00", "#ff9a4d", "orange"),
    Colored("feedback-kv", (), "#007a5a", "#3ddbb0", "green"),
)
NEUTRAL = Colored("neutral", (), "#555555", "#b3bac4", "grey")  # what has no colour of its own
PAPER = Colored("paper", (), "#ffffff", "#121212", "white")  # the page, in the book's theme
BOX = Colored("box", (), "#f3f4f5", "#29313d", "pale grey")  # of a table, or a box on the page
FRAME = Colored("frame", (), "#cccccc", "#57606a", "pale grey")  # around a legend


def css_colors(colored: Iterable[Colored] = TABLE) -> str:
    """Each name as a CSS variable, for a place where one of --light and --dark is empty."""
    return "\n".join(
        f"  --{one.name}: var(--light, {one.light}) var(--dark, {one.dark});" for one in colored
    )
