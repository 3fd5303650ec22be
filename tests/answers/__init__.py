"""Answers to the exercises: each file has those of one chapter.

Answers stand under the number of their exercise, `@to("1.3")`. One without `wrong` is right; a
wrong one says which words of the check's sentence name its mistake. The book's own solution is not
here: it stands in the chapter, and is checked as well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Given:
    """An answer that somebody might give.

    Attributes:
        exercise: the number.
        answer: a function or a class.
        wrong: words of the sentence that the check must say; None: the answer is right.
    """

    exercise: str
    answer: Callable
    wrong: str | None

    @property
    def id(self) -> str:
        return f"{self.exercise} {self.answer.__name__}"


ANSWERS: list[Given] = []


def to(exercise: str, wrong: str | None = None) -> Callable:
    """Put the answer below on the list, as one to this exercise."""

    def put(answer: Callable) -> Callable:
        ANSWERS.append(Given(exercise, answer, wrong))
        return answer

    return put
