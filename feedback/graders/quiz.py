"""jupyterquiz: the questions that chapters ask before they show, with what came out.

A question's answer is computed where the book is built, so it is read from the built pages.
Source: jupyterquiz's schemas of numeric and of multiple-choice questions.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

ASKED = re.compile(
    r'class="feedback-widget" data-widget="predict_then_reveal".*?json">(.*?)</script>', re.DOTALL
)


def export(book: Path, out: Path) -> int:
    """Write a JSON file of questions for each page that asks any; returns how many there are.

    Raises:
        ValueError: there is no built book, or it asks nothing.
    """
    pages = sorted([*book.glob("notebooks/*.html"), *book.glob("book/*.html")])
    asked = {page.stem: questions(page.read_text("utf-8")) for page in pages}
    if not any(asked.values()):
        raise ValueError(f"{book} holds no page that asks a question: build the book, or name it")
    out.mkdir(parents=True, exist_ok=True)
    for name, found in asked.items():
        if found:
            text = json.dumps(found, indent=1, ensure_ascii=False)
            (out / f"{name}.json").write_text(f"{text}\n", "utf-8")
    return sum(map(len, asked.values()))


def questions(page: str) -> list[dict]:
    """The questions on a page."""
    return [question(json.loads(state)) for state in ASKED.findall(page)]


def question(state: dict) -> dict:
    """A question of jupyterquiz's, from what a widget holds."""
    said, truth = state["explanation"], state["truth"]
    if state["choices"] is not None:
        answers = [
            {"answer": choice, "correct": choice == truth, "feedback": said}
            for choice in state["choices"]
        ]
        return {"question": state["question"], "type": "multiple_choice", "answers": answers}
    unit = f" (in {state['unit']})" if state["unit"] else ""
    if state["factor"] is not None:
        low, high = sorted((truth / state["factor"], truth * state["factor"]))
    else:
        low, high = truth - state["tolerance"], truth + state["tolerance"]
    answers = [
        {"type": "range", "range": [low, high], "correct": True, "feedback": said},
        {"type": "default", "feedback": "Not yet: think again, then look into the chapter."},
    ]
    return {"question": state["question"] + unit, "type": "numeric", "answers": answers}
