"""What tests of MemoryAttention share: the parts of the widget, and what it should show."""

import re
from functools import cache

import pytest

from feedback import data, pretrained

NAMES = ("feedback-kv", "parallel")


@cache
def models() -> list:
    return [pretrained.load(name) for name in NAMES]


@cache
def traced(text: str) -> list:
    """(L, H, T, T) of each shipped model for a text, as PyTorch computes it."""
    tokens = data.Characters.load(pretrained.folder("parallel")).encode(text)[None]
    return [model.trace(tokens).attention[:, 0] for model in models()]


def menu(widget, label: str):
    return widget.get_by_role("combobox", name=label, exact=True)


def choose(widget, label: str, value):
    menu(widget, label).select_option(str(value))


def token(widget, step: int):
    return widget.locator(".token").nth(step)


def asks(widget):
    return widget.get_by_label("step that asks")


def numbers(widget) -> list[list]:
    """The table: for each head and each model where it looks most, and its weight on one step."""
    texts = widget.locator("tbody tr").evaluate_all(
        "rows => rows.map((row) => [...row.querySelectorAll('td')].map((cell) => cell.textContent))"
    )
    return [sum((parts(text) for text in row), []) for row in texts]


def parts(text: str) -> list:
    """What stands before a percentage, and the percentage."""
    place, share = re.fullmatch(r"(.*?) ?([\d.]+)\N{NO-BREAK SPACE}%", text).groups()
    return [place, pytest.approx(float(share), abs=0.06)]


def expected(attentions: list, text: str, layer: int, step: int, point: int) -> list[list]:
    """What the table should say, layers counted from 1."""

    def cells(weights):  # (T,): what one head gives at this step
        best = int(weights.argmax())
        place = {" ": "space", "\n": "new line"}.get(text[best], f"“{text[best]}”")
        return [f"{best} {place}", 100 * weights[best].item(), "", 100 * weights[point].item()]

    rows = [attention[layer - 1, :, step] for attention in attentions]
    return [sum((cells(weights) for weights in head), []) for head in zip(*rows, strict=True)]


def says(widget, sentence: str):
    widget.locator("[aria-live=polite]", has_text=sentence).wait_for()
