"""What a live result is, and the three kinds there are: each kind says what one attempt does.

Shapes: T tokens.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from feedback import data
from feedback.config import Config
from feedback.language_model import LanguageModel
from feedback.live.rows import SOLVED, accuracy, train_rows
from feedback.live.starts import smaller_margin, start_losses
from feedback.tasks import TASKS
from feedback.training import Settings, train


@dataclass(frozen=True)
class LiveResult(ABC):
    """A result that a chapter or a test makes anew.

    Attributes:
        name: unique, what `make shake` calls it.
        where: the chapter or test that makes it, in words.
        page: the page of the book, if a chapter makes it.
        claim: what is found, a sentence.
        config, settings: of the model and its training; an attempt replaces the seed.
        threshold: an attempt holds if the number that it measures is above this.
        attempts: how many are made at most, each with another seed.
        task: what is trained on, a key of `TASKS`, or "text", or "words".
    """

    name: str
    where: str
    page: str | None
    claim: str
    config: Config
    settings: Settings
    threshold: float
    attempts: int = 3
    task: str = "parity"

    @abstractmethod
    def attempt(self, seed: int) -> tuple[Any, float]:
        """Try once.

        Returns:
            What came out, and the number that has to be above `threshold`.
        """

    def first_that_holds(self) -> Any:
        """What came out of the first attempt that holds, with seeds 0, 1, and so on.

        Raises:
            AssertionError: none did.
        """
        for seed in range(self.attempts):
            found, measured = self.attempt(seed)
            if measured > self.threshold:
                return found
            print(f"Attempt {seed + 1} of {self.attempts} ended at {measured:.2f}: another seed.")
        raise AssertionError(f"{self.attempts} attempts, none of which held: {self.claim}")

    def digest(self) -> str:
        """16 hexadecimal digits that stand for all that decides how an attempt ends, but the seed.

        Recorded trials name it. Fields at their default are left out, so that a further field of
        `Config` or `Settings` does not make a trial stale.
        """
        parts = {"how": type(self).__name__, "task": self.task, "least": self.threshold}
        parts |= {"solved": SOLVED}
        for part in (self.config, self.settings):
            parts |= {f.name: v for f in fields(part) if (v := getattr(part, f.name)) != f.default}
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


class Tracking(LiveResult):
    """A model follows a state on rows of a task; measured is the accuracy at the last position."""

    def attempt(self, seed: int) -> tuple[tuple[LanguageModel, Tensor], float]:
        """The model with its accuracy at each position (T,), and the accuracy at the last."""
        model, right = self.track(seed=seed)
        return (model, right), right[-1].item()

    def track(self, seed: int = 0, **changes: Any) -> tuple[LanguageModel, Tensor]:
        """Train a fresh model whose config has these changes.

        Returns:
            The model and its accuracy at each position: (T,).
        """
        task = TASKS[self.task]
        torch.manual_seed(seed)
        model = LanguageModel(replace(self.config, n_tokens=task.n_tokens, **changes))
        train_rows(model, task, replace(self.settings, seed=seed))
        return model, accuracy(model, task, self.settings.sequence_length)


class Starts(LiveResult):
    """A warm start begins lower than plainer rules do; measured is the smaller margin, in nats."""

    def attempt(self, seed: int) -> tuple[dict[str, float], float]:
        """The loss of each start from a parallel model that was trained with the seed."""
        text = data.Text(data.tiny_shakespeare(), self.settings.sequence_length)
        config = replace(self.config, n_tokens=text.n_tokens)
        with tempfile.TemporaryDirectory() as folder:
            parallel = replace(config, model="parallel")
            train(parallel, replace(self.settings, seed=seed), text, Path(folder) / "run")
            losses = start_losses(config, Path(folder) / "run/last", text)
        return losses, smaller_margin(losses)


class WarmStart(LiveResult):
    """A warm start begins near its parallel model and ends below it, on words of a few letters.

    Measured is the smallest of three margins: the share of what the parallel model learned that is
    kept at the start, less 0.7; the nats a character that the parallel model learned, less 0.5; and
    the nats by which the feedback model ends below it.
    """

    def attempt(self, seed: int) -> tuple[tuple[list[dict], list[dict]], float]:
        """The logs of the parallel model and of the feedback model that starts from it."""
        letters = torch.randint(5, (4000,), generator=torch.Generator().manual_seed(0)).tolist()
        words = " ".join("abcde"[i] * (i + 2) for i in letters)
        text = data.Text(data.Corpus(words, "words"), self.settings.sequence_length)
        settings = replace(self.settings, seed=seed)
        parallel = replace(self.config, model="parallel")
        with tempfile.TemporaryDirectory() as folder:
            there, here = Path(folder) / "parallel", Path(folder) / "warm"
            first = train(parallel, settings, text, there)
            second = train(self.config, settings, text, here, parallel=there / "best")
        cold, reached, warm, ended = (
            log[line]["validation_loss"] for log in (first, second) for line in (0, -1)
        )
        learned = cold - reached
        return (first, second), min((cold - warm) / learned - 0.7, learned - 0.5, reached - ended)
