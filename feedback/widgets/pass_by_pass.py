"""A recurrence run by passes: which tokens are exact, and which still move (chapter 12)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import torch
import traitlets
from torch import Tensor

from feedback import pretrained
from feedback.data import Characters
from feedback.language_model import LanguageModel
from feedback.tasks import NO_LABEL, TASKS

from . import cup_models
from .base import Widget, sources
from .live_model import SHIPPED, checked_characters
from .pass_by_pass_course import Count, Course, count, course_of
from .traits import Checked, OneOf, Text, Whole, sequence

PASSES = LONGEST = 32  # of shuffles the shipped models were trained on rows of so many
LONGEST_TEXT = 128  # and the shipped model of text on so many characters
TOLERANCES = (0.1, 0.01, 0.001, 0.0001)
CUPS: Any = TASKS["s3"]
TEXTS = (
    # From the part of Tiny Shakespeare that the shipped model was not trained on.
    "SEBASTIAN:\nPlease you, sir,\nDo not omit the heavy offer of it:\n",
    # The beginning of David Copperfield, by Charles Dickens.
    "Whether I shall turn out to be the hero of my own life, or whether",
)
SHUFFLES = (
    "120 021 201 102 210 012 120 102 201 021 210 120 102 012 201 210 "
    "021 102 120 201 012 021 210 102 201 120 021 012 210 201 102 120"
)


class Shuffles(Checked):
    """Shuffles of three cups, as words with spaces between them."""

    @staticmethod
    def check(name: str, value: Any) -> str:
        words = Text.check(name, value).split()
        for word in words:
            OneOf.check(f"one of {name}", word, CUPS.words)
        if not 2 <= len(words) <= LONGEST:
            raise ValueError(f"{name} has {len(words)} words; it must have 2 to {LONGEST}")
        return " ".join(words)


class PassByPass(Widget):
    """Set how many passes are made over a text and over shuffles of three cups.

    In a pass every layer runs over all tokens at once and reads the memory vectors of the pass
    before. After k passes the first k tokens are exact, whatever the model; how soon the others
    come to rest depends on what it has learned. Python makes the passes over the texts, when the
    widget is made, and the page those over the shuffles.

    Arguments:
        texts: a text, or several among which the page offers a choice, of 2 to 128 characters each.
        model: a LanguageModel with feedback for the texts; the shipped one if None.
        characters: what its tokens stand for, a `Characters` or the characters in order of tokens.

    Each attribute from `text` to `memory_size` is also an argument, can be set again, and follows
    the page while a kernel runs. A wrong value raises a TypeError or a ValueError that says what is
    expected, and changes nothing.

    Attributes:
        text: which of the texts is shown, counted from 0.
        shuffles: 2 to 32 shuffles of three cups, as in `feedback.tasks`: "120 021".
        passes: how many there are, 1 to 32.
        tolerance: a memory vector has settled if the last pass moved it by at most this part of its
            length: 0.1, 0.01, 0.001 or 0.0001.
        memory_size: of the model that follows the cups: 4 vectors, or all with None.
        courses: what Python found for each text, "text": of each pass how far each vector "moved",
            the "answers" and the mean loss ("losses"), in nats a character; and the "exact" answers
            with their loss ("exact_loss").
        cups: names and sizes of the two models that follow the cups; `weights`: theirs, as bytes.
    """

    _esm, _css = sources(__file__)

    courses = traitlets.List().tag(sync=True)
    cups = traitlets.List().tag(sync=True)
    weights = traitlets.Bytes().tag(sync=True)

    text = Whole(0, lambda self: len(self.courses) - 1).tag(sync=True)
    shuffles = Shuffles().tag(sync=True)
    passes = Whole(1, PASSES).tag(sync=True)
    tolerance = OneOf(TOLERANCES).tag(sync=True)
    memory_size = OneOf((None, 4)).tag(sync=True)

    def __init__(
        self,
        texts: str | Sequence[str] = TEXTS,
        model: LanguageModel | None = None,
        characters: Characters | Sequence[str] | None = None,
        text: int = 0,
        shuffles: str = SHUFFLES,
        passes: int = 1,
        tolerance: float = 0.01,
        memory_size: int | None = None,
    ):
        if model is None:
            if characters is not None:
                raise ValueError("characters belong to a model of your own: give that too")
            model = pretrained.load(SHIPPED)
            characters = Characters.load(pretrained.folder(SHIPPED))
        known = checked_characters(model, characters, ("feedback", "feedback-kv"))
        texts = _checked_texts(texts, known)
        self._trackers = cup_models.checked(None)
        cups, weights = cup_models.packed(self._trackers)
        super().__init__(
            courses=[_recorded(model, known, each) for each in texts],
            cups=cups,
            weights=weights,
            text=text,
            shuffles=shuffles,
            passes=passes,
            tolerance=tolerance,
            memory_size=memory_size,
        )

    def cups_model(self) -> LanguageModel:
        """The model that follows the cups."""
        models = {model.config.memory_size: model for model in self._trackers.values()}
        return models[self.memory_size]

    def cups_course(self) -> Course:
        """What the passes over the shuffles find, so many as there are."""
        tokens, labels = self.tokens_and_labels()
        return course_of(self.cups_model(), tokens, labels, self.passes)

    def tokens_and_labels(self) -> tuple[Tensor, Tensor]:
        """The shuffles, and what all up to each make together, (T,) int64 both."""
        tokens = [CUPS.words.index(word) for word in self.shuffles.split()]
        labels = accumulate(tokens, lambda state, token: int(CUPS.product[state, token]))
        return torch.tensor(tokens), torch.tensor(list(labels))

    def describe(self) -> str:
        """One sentence on the text and one on the cups, that say what the picture shows."""
        passes, tolerance = self.passes, self.tolerance
        text = self.courses[self.text]
        now = min(passes, len(text["moved"])) - 1
        moved, answers = text["moved"][now], text["answers"][now]
        counted = count(moved, answers, text["exact"], passes, tolerance)
        sentences = [
            f"After {passes} {'pass' if passes == 1 else 'passes'}, text of {len(moved)} tokens: "
            f"{_said(counted)}; loss {text['losses'][now]:.3f} nats a character (exact: "
            f"{text['exact_loss']:.3f})."
        ]
        course, (_, labels) = self.cups_course(), self.tokens_and_labels()
        moved, answers, exact = course.moved[-1], course.answers[-1], course.exact
        counted = count(moved.tolist(), answers.tolist(), exact.tolist(), passes, tolerance)
        right, all_right = [int((each == labels).sum()) for each in (answers, exact)]
        sentences.append(
            f"Cups of {len(labels)} tokens, memory of {self.memory_size or 'all'} vectors: "
            f"{_said(counted)}; {right} right (exact: {all_right})."
        )
        return " ".join(sentences)


def _checked_texts(texts: Any, characters: str) -> list[str]:
    held = sequence("texts", [texts] if isinstance(texts, str) else texts)
    if not held:
        raise ValueError("texts is empty; it must hold at least one text")
    for text in held:
        Text.check("one of texts", text, 2, characters)
        if len(text) > LONGEST_TEXT:
            raise ValueError(
                f"one of texts has {len(text)} characters; it must have at most {LONGEST_TEXT}"
            )
    return held


def _recorded(model: LanguageModel, characters: str, text: str) -> dict[str, Any]:
    """The course of a text in plain values, with two digits of what moved and three of losses."""
    tokens = torch.tensor([characters.index(character) for character in text])
    labels = torch.cat([tokens[1:], torch.tensor([NO_LABEL])])
    course = course_of(model, tokens, labels, PASSES)
    answers = ["".join(characters[t] for t in row) for row in course.answers.tolist()]
    return {
        "text": text,
        "moved": [[float(f"{far:.1e}") for far in row] for row in course.moved.tolist()],
        "answers": answers,
        "losses": [round(loss, 3) for loss in course.losses.tolist()],
        "exact": "".join(characters[t] for t in course.exact.tolist()),
        "exact_loss": round(course.exact_loss, 3),
    }


def _said(counted: Count) -> str:
    return (
        f"{counted.exact} exact for certain, {counted.settled} settled, {counted.moving} still "
        f"moving; {counted.same} answers as in the exact model"
    )
