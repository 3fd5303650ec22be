"""The checks of the exercises: one call below each function that the reader writes.

    checks.check("1.3", attention)

prints that the answer is correct, or raises `Mistake`, of which a notebook shows one sentence.

verdict.py     what every check has for nothing: answers that are not begun, that fail, that
               return nothing, or that change what they are given
catching.py    for exercises in which the answer is a test of something else
by_hand.py     for exercises in which a way back is written by hand
comparing.py   whether numbers are the wanted ones, and which mistake gives those that are not
several.py     answers that are several numbers at once
chapter_N.py   the checks of chapter N, each under the number of its exercise
"""

import importlib
import pkgutil

from feedback.notebook.checks.verdict import Answer, Mistake, verdict

__all__ = ["Mistake", "check"]

for module in pkgutil.iter_modules(__path__):
    if module.name.startswith("chapter_"):  # its checks register themselves
        importlib.import_module(f"{__name__}.{module.name}")


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
