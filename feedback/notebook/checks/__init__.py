"""The checks of the exercises: one call below each function that the reader writes.

    checks.check("1.3", attention)

prints that the answer is correct, or raises `Mistake`, of which a notebook shows one sentence.

verdict.py     what every check has for nothing: answers that are not begun, that fail, that
               return nothing, or that change what they are given
catching.py    for exercises in which the answer is a test of something else
several.py     answers that are several numbers at once
comparing.py   whether two tensors hold the same numbers
chapter_N.py   the checks of chapter N, each under the number of its exercise
"""

from feedback.notebook.checks import (
    chapter_01,
    chapter_01b,
    chapter_02,
    chapter_09,
    chapter_11,
    chapter_11b,
)
from feedback.notebook.checks.verdict import Answer, Mistake, verdict

__all__ = [
    "Mistake",
    "chapter_01",
    "chapter_01b",
    "chapter_02",
    "chapter_09",
    "chapter_11",
    "chapter_11b",
    "check",
]


def check(number: str, answer: Answer) -> None:
    """Print that an answer to an exercise is correct, or that it is not begun.

    Args:
        number: of the exercise, such as "1.3".
        answer: the reader's function or class. What it is given is copied; what it leaves behind,
            such as random numbers drawn, is undone.

    Raises:
        Mistake: the answer is wrong; one sentence names the likely mistake.
        ValueError: no exercise with a check has this number.
    """
    print(verdict(number, answer))
