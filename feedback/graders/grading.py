"""What a grader's thin files call."""

from __future__ import annotations

from typing import Any

from feedback.notebook.checks.verdict import Mistake, verdict

__all__ = ["Mistake", "grade"]


def grade(number: str, answer: Any) -> None:
    """Return if an answer to an exercise is correct.

    Args:
        number: of the exercise, such as "1.3".
        answer: a student's function or class; None where there is none.

    Raises:
        Mistake: the answer is wrong or not begun; one sentence says so.
        ValueError: no exercise with a check has this number.
    """
    if not (said := verdict(number, answer)).endswith("correct."):
        raise Mistake(said)
