"""One symbol, one colour: the table, who reads it, and whether its colours can be told apart."""

import json
import re
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from looking import contrast

import feedback
from feedback import plots
from feedback.attention import Attention
from feedback.notation import BOX, FRAME, NEUTRAL, PAPER, TABLE

ROOT = Path(__file__).resolve().parents[1]
THEMES = ("light", "dark")
SYMBOLS = [one for one in TABLE if one.symbols]
MODELS = [one for one in TABLE if not one.symbols]

# How linear red, green and blue look to an eye without the cones for red, or for green: Machado,
# Oliveira and Fernandes, A Physiologically-based Model for Simulation of Color Vision Deficiency,
# 2009, at severity 1.
EYES = {
    "usual": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
}
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750]]
    + [[0.0193339, 0.1191920, 0.9503041]]
)
WHITE = TO_XYZ.sum(1)


def numbers(color: str) -> list[int]:
    return [int(color[i : i + 2], 16) for i in (1, 3, 5)]


def as_seen(color: str, eye: str) -> np.ndarray:
    """Lightness and the two axes of hue, in CIELAB."""
    part = np.array(numbers(color)) / 255
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    share = TO_XYZ @ np.clip(np.array(EYES[eye]) @ linear, 0, 1) / WHITE
    x, y, z = np.where(share > 0.008856, np.cbrt(share), 7.787 * share + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def distance(color: str, other: str, eye: str) -> float:
    """CIE 1976: from about 2 on, two patches side by side look different."""
    return float(np.linalg.norm(as_seen(color, eye) - as_seen(other, eye)))


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("one", [*TABLE, NEUTRAL], ids=lambda one: one.name)
def test_a_colour_stands_out_from_the_page(one, theme):
    for behind in (PAPER, BOX):
        assert contrast(numbers(getattr(one, theme)), numbers(getattr(behind, theme))) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("eye", EYES)
def test_colours_can_be_told_apart(eye, theme):
    """Symbols meet in an equation, and models in a figure; a symbol and a model seldom meet."""
    for group, least in ((SYMBOLS, 14), (MODELS, 30), (TABLE, 7)):
        for one, other in combinations(group, 2):
            apart = distance(getattr(one, theme), getattr(other, theme), eye)
            assert apart >= (18 if eye == "usual" else least), (one.name, other.name)


@pytest.mark.parametrize("theme", THEMES)
def test_colours_can_be_told_from_the_text(theme):
    text = {"light": "#222832", "dark": "#ced6dd"}[theme]  # of the book's theme
    for one, eye in ((one, eye) for one in TABLE for eye in EYES):
        assert distance(getattr(one, theme), text, eye) >= 12, (one.name, eye)


def test_a_colour_has_one_meaning():
    every = [*TABLE, NEUTRAL, PAPER, BOX, FRAME]
    for what in ("name", *THEMES):
        assert len({getattr(one, what) for one in every}) == len(every), what


# Who reads the table


def test_figures_draw_in_the_colours_of_the_table():
    assert plots.COLORS == {one.name: one.light for one in (*TABLE, NEUTRAL)}


# Colours that stand for no symbol and no model.
ALLOWED = {
    "feedback/notation.py": r".*",
    # A widget's own: text, lines, page, controls, and low and high values.
    "feedback/widgets/base.css": r"--(text|quiet|line|paper|accent|negative|neutral|positive): ",
    "book/_static/book.css": r"background: #fff;",  # behind images made elsewhere
    "book/_ext/drawings.py": r'VARIABLES\["#000000"\]',
}
HEX = re.compile(r"#(?:[0-9a-fA-F]{8}|[0-9a-fA-F]{6}|[0-9a-fA-F]{3})(?![\w-])")
FUNCTION = re.compile(r"\b(?:rgba?|hsla?|oklch|oklab)\(\s*\d")
NAMED = re.compile(
    r"""\b(?:color|colors|c|fc|ec|facecolor|edgecolors?)=\[?["'](?!white|black|none)"""
)
CYCLE = re.compile(r"""["']C\d["']|tab:|["'][bgrcmy][-.:ox]+["']""")


def sources() -> dict[str, str]:
    """Code by its place: of a notebook, of its code cells alone."""
    found = {}
    for pattern in ("feedback/**/*.py", "feedback/**/*.js", "feedback/**/*.css", "book/_*/*"):
        for path in ROOT.glob(pattern):
            if path.suffix in {".py", ".js", ".css"}:
                found[path.relative_to(ROOT).as_posix()] = path.read_text("utf-8")
    for path in ROOT.glob("notebooks/*.ipynb"):
        cells = json.loads(path.read_text("utf-8"))["cells"]
        code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
        found[path.relative_to(ROOT).as_posix()] = "\n".join(code)
    return found


@pytest.mark.parametrize(("place", "source"), sources().items(), ids=sources())
def test_no_colour_comes_from_elsewhere(place, source):
    allowed = re.compile(ALLOWED.get(place, r"(?!)"))
    for line in source.splitlines():
        if allowed.search(line):
            continue
        assert not HEX.search(line) and not FUNCTION.search(line), line
        if not place.endswith((".js", ".css")):
            assert not NAMED.search(line) and not CYCLE.search(line), line


def test_the_picture_of_the_architecture_has_the_colours_of_the_table():
    """Where it is an image it follows the reader's system; in the page it follows the page."""
    text = (ROOT / "feedback/notebook/feedback-memory.svg").read_text("utf-8")
    light, dark = re.search(r"<style>(.*?)@media[^{]*\{(.*?)</style>", text, re.DOTALL).groups()
    colors = {one.name: one for one in (*TABLE, NEUTRAL, PAPER, BOX)}
    for theme, rules in zip(THEMES, (light, dark), strict=True):
        found = re.findall(r"var\(--(\w+),(#\w+)\)", rules)
        assert {"memory", "parallel", "neutral", "paper"} <= {name for name, _ in found}
        for name, color in found:
            if name != "ink":
                assert color == getattr(colors[name], theme), (name, theme)
        assert len(found) == len(HEX.findall(re.sub(r"url\([^)]*\)", "", rules)))


# The page


def tables() -> list[list[list[str]]]:
    """The cells of the page's tables, without heads."""
    page = (ROOT / "book/notation.md").read_text("utf-8")
    blocks = re.findall(r"(?:^\|.*\n)+", page, re.MULTILINE)
    return [
        [[cell.strip() for cell in row.strip("|").split(" | ")] for row in block.splitlines()[2:]]
        for block in blocks
    ]


def test_the_page_says_what_the_table_says():
    symbols, models, _ = tables()
    for row, one in zip(symbols, SYMBOLS, strict=True):
        assert row[0] == ", ".join(f"${symbol}$" for symbol in one.symbols)
        assert row[3] == f"[{one.color}]{{.of-{one.name}}}"
    for row, one in zip(models, MODELS, strict=True):
        assert row[0] == one.name
        assert row[2] == f"[{one.color}]{{.of-{one.name}}}"
        assert hasattr(feedback, row[3].strip("`"))


def test_the_names_in_the_code_are_there():
    symbols, _, others = tables()
    attention = (ROOT / "feedback/attention.py").read_text("utf-8")
    module = Attention(d_model=8, heads=2, reads_itself=False, dropout=0.0, max_distance=3)
    for row in [*symbols, *others]:
        for name in re.findall(r"`([\w.]+)`", row[-2]):
            owner, _, field = name.rpartition(".")
            if owner == "Trace":
                assert field in feedback.Trace.__annotations__
            elif owner == "Attention":
                shape = row[2].replace("S", "3").replace("H", "2").replace("k", "4")
                assert str(tuple(getattr(module, field).shape)) in shape
            else:
                known = attention + "".join(vars(feedback.LanguageModel))
                assert re.search(rf"\b{name}\b", attention) or name in known
