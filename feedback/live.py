"""Live results: what chapters and tests train anew, and claim to find again on any machine.

A seed fixes a training run on one processor, with one torch and one number of threads. Elsewhere
sums are rounded otherwise, and after some hundred updates it is another run. So a live result is a
random variable, and an attempt that fails is followed by one with another seed, a few at most.
`make shake` counts over seeds, threads and instruction sets how many attempts hold, and keeps them
in `feedback/results/live.json`. `attempts` is chosen so that all fail in at most one run of 1,000.

Built in chapters 3 and 8. Shapes: B batch, T tokens.
"""

from __future__ import annotations

import hashlib
import json
import statistics
import tempfile
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from feedback import data
from feedback.config import Config
from feedback.files import read_json
from feedback.intervals import wilson
from feedback.language_model import LanguageModel
from feedback.results import FOLDER
from feedback.tasks import TASKS, Task
from feedback.training import Settings, evaluate, train
from feedback.training.settings import length_after
from feedback.training.warm_start import from_parallel

SOLVED = 0.03  # nats a label: training on rows stops when the loss at full length is below


def train_rows(model: LanguageModel, task: Task, settings: Settings) -> None:
    """Train until the loss is below `SOLVED` at full length, or for `settings.steps` updates.

    Rows are short at first. Every `lengthen_every` updates the mean loss decides how long the next
    ones are; see `feedback.training.length_after`. The learning rate stays as it is.
    """
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings.learning_rate)
    generator, every = torch.Generator().manual_seed(settings.seed), settings.lengthen_every
    length, losses, looks, start = settings.start_length, [], [], time.perf_counter()
    for step in range(1, settings.steps + 1):
        inputs, labels = task.batch(settings.batch_size, length, generator)  # (B, T)
        loss = F.cross_entropy(model(inputs).flatten(0, 1), labels.flatten())
        losses.append(loss.item())
        if step % every == 0:
            looks.append(sum(losses[-every:]) / every)
            full = length == settings.sequence_length
            solved = full and max(looks[-1], losses[-1]) < SOLVED
            if solved or len(looks) % 5 == 0:
                taken = time.perf_counter() - start
                print(f"  step {step}: loss {looks[-1]:.3f} on {length} tokens, {taken:.0f} s")
            if solved:
                break  # before the update: the loss is that of the weights that are kept
            length = length_after(length, looks[-1], looks[0], settings)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), settings.clip)
        optimizer.step()


@torch.no_grad()
def accuracy(model: LanguageModel, task: Task, length: int) -> Tensor:
    """Share of right answers at each position, over 512 rows that are held out: (T,)"""
    right = [(model(x).argmax(-1) == y).float() for x, y in task.held_out(length)]
    return torch.cat(right).mean(0)


@dataclass(frozen=True)
class Live(ABC):
    """A result that a chapter or a test makes anew.

    Attributes:
        name: unique, what `make shake` calls it.
        where: the chapter or test, in words.
        page: what the book calls the chapter, if it is one.
        claim: what is found, a sentence.
        config, settings: of the model and its training; an attempt replaces the seed.
        least: an attempt holds if what it measures is above this.
        attempts: at most so many, each with another seed.
        task: what is trained on, a key of `TASKS`, or "text", or "words".
    """

    name: str
    where: str
    page: str | None
    claim: str
    config: Config
    settings: Settings
    least: float
    attempts: int = 3
    task: str = "parity"

    @abstractmethod
    def attempt(self, seed: int) -> tuple[Any, float]:
        """Try once: what came out, and the number that has to be above `least`."""

    def first(self) -> Any:
        """What came out of the first attempt that holds.

        Raises:
            AssertionError: none did.
        """
        for seed in range(self.attempts):
            found, measured = self.attempt(seed)
            if measured > self.least:
                return found
            print(f"Attempt {seed + 1} of {self.attempts} ended at {measured:.2f}: another seed.")
        raise AssertionError(f"{self.attempts} attempts, none of which held: {self.claim}")

    def digest(self) -> str:
        """A name for all that decides how an attempt comes out, but the seed.

        Fields at their default are left out, so that a new field does not make a trial stale.
        """
        asked = {"how": type(self).__name__, "task": self.task, "least": self.least}
        asked |= {"solved": SOLVED}
        for part in (self.config, self.settings):
            asked |= {f.name: v for f in fields(part) if (v := getattr(part, f.name)) != f.default}
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]


class Tracking(Live):
    """A model follows a state on rows of a task; measured is the accuracy at the last position."""

    def attempt(self, seed: int) -> tuple[tuple[LanguageModel, Tensor], float]:
        """Model and accuracy (T,), and the last of it."""
        model, right = self.track(seed=seed)
        return (model, right), right[-1].item()

    def track(self, seed: int = 0, **changes: Any) -> tuple[LanguageModel, Tensor]:
        """A fresh model, with these changes of the config, after training; its accuracy (T,)."""
        task = TASKS[self.task]
        torch.manual_seed(seed)
        model = LanguageModel(replace(self.config, n_tokens=task.n_tokens, **changes))
        train_rows(model, task, replace(self.settings, seed=seed))
        return model, accuracy(model, task, self.settings.sequence_length)


def averaged(config: Config, folder: str | Path) -> LanguageModel:
    """A shared feedback model with the weights of a saved parallel one, by the obvious rule.

    All weights of equal name are carried over, and keys and values are the mean of all layers'.
    """
    own, model = LanguageModel.load(folder).state_dict(), LanguageModel(config)
    weights = {name: own[name] for name in model.state_dict() if name in own}
    for name, table in weights.items():
        if name.endswith(("attention.r", "attention.s")):
            weights[name] = table[:-1]  # the last row is for a token that reads itself
    for kind in ("key", "value"):
        pairs = [own[f"core.layers.{n}.keys_values.{kind}.weight"] for n in range(config.n_layers)]
        weights[f"core.keys_values.0.{kind}.weight"] = sum(pairs) / len(pairs)
    model.load_state_dict(weights, strict=False)
    return model


def start_losses(config: Config, folder: str | Path, text: data.Text) -> dict[str, float]:
    """Validation losses before any training: fresh, started from a parallel model, that model."""
    sample, _ = text.batch(16, text.length, torch.Generator().manual_seed(0))
    fitted = LanguageModel(config)
    print(from_parallel(fitted, folder, sample), end="\n\n")
    starts = {
        "fresh weights": LanguageModel(config),
        "averaged": averaged(config, folder),
        "fitted": fitted,
        "parallel model itself": LanguageModel.load(folder),
    }
    held_out = list(text.held_out(text.length))
    return {name: evaluate(model, held_out)[0] for name, model in starts.items()}


class Starts(Live):
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


def smaller_margin(losses: dict[str, float]) -> float:
    """The smaller gain, in nats: of a fitted start over an averaged one, and of that over none."""
    fresh, average, fit = (losses[name] for name in ("fresh weights", "averaged", "fitted"))
    return min(average - fit, fresh - average)


class WarmStart(Live):
    """A warm start begins near its parallel model and ends below it, on words of a few letters.

    Measured is by how much this is clear: the least of the share kept of what the parallel model
    learned, less 0.7; of the nats it learned, less 0.5; and of the nats gained on it in the end.
    """

    def attempt(self, seed: int) -> tuple[tuple[list[dict], list[dict]], float]:
        """The logs of the parallel model and of the feedback model that starts from it."""
        letters = torch.randint(5, (4000,), generator=torch.Generator().manual_seed(0)).tolist()
        words = " ".join("abcde"[i] * (i + 2) for i in letters)
        text = data.Text(data.Corpus(words, "words"), self.settings.sequence_length)
        settings, parallel = (
            replace(self.settings, seed=seed),
            replace(self.config, model="parallel"),
        )
        with tempfile.TemporaryDirectory() as folder:
            there, here = Path(folder) / "parallel", Path(folder) / "warm"
            first = train(parallel, settings, text, there)
            second = train(self.config, settings, text, here, parallel=there / "best")
        cold, reached, warm, ended = (
            log[line]["validation_loss"] for log in (first, second) for line in (0, -1)
        )
        learned = cold - reached
        return (first, second), min((cold - warm) / learned - 0.7, learned - 0.5, reached - ended)


SIZES = dict(d_model=64, heads=4, n_layers=2, d_ff=256)
SMALL = dict(d_model=32, heads=2, n_layers=2, d_ff=64)
PARITY = Tracking(
    name="parity",
    where="chapter 3, and the test of the effect",
    page="notebooks/03-what-parallel-struggles-with",
    claim="Two layers with feedback follow the parity of 16 tokens.",
    config=Config("feedback-kv", max_distance=16, **SIZES),
    settings=Settings(
        steps=300,
        batch_size=64,
        sequence_length=16,
        learning_rate=3e-3,
        start_length=4,
        lengthen_below=0.3,
        lengthen_every=10,
    ),
    least=0.9,
    attempts=5,
)
CUPS = replace(
    PARITY,
    attempts=3,
    name="cups",
    where="chapters 3 and 11",
    claim="Two layers with feedback follow 16 shuffles of three cups.",
    settings=replace(PARITY.settings, steps=500, start_length=2),
    task="s3",
)
LEARNED_MIXTURE = replace(
    PARITY,
    attempts=3,
    name="learned-mixture",
    where="chapter 4",
    page="notebooks/04-feedback-memory",
    claim="Two small layers with feedback follow the parity of 16 bits.",
    config=Config("feedback", max_distance=16, **SMALL),
    settings=PARITY.settings,
)
TOP_LAYER = replace(
    LEARNED_MIXTURE,
    attempts=4,
    name="top-layer",
    claim="They do so with the top layer alone in the memory.",
    config=replace(LEARNED_MIXTURE.config, memory_mixture=(0.0, 0.0, 1.0)),
)
STARTS = Starts(
    name="starts",
    where="chapter 8",
    page="notebooks/08-training",
    claim="A fitted start has a lower loss than averaged keys and values, and those than fresh "
    "weights, by a tenth of a nat each.",
    config=Config("feedback-kv", max_distance=32, **SIZES),
    settings=Settings(
        steps=200,
        batch_size=32,
        sequence_length=32,
        learning_rate=4e-3,
        warm_up=20,
        evaluate_every=50,
        checkpoint_every=100,
    ),
    least=0.1,
    task="text",
)
WARM_START = WarmStart(
    name="warm-start",
    where="the test of the warm start",
    page=None,
    claim="A warm start begins near its parallel model and ends below it.",
    config=Config("feedback-kv", d_model=16, heads=2, n_layers=2, d_ff=32, max_distance=16),
    settings=Settings(steps=100, batch_size=16, sequence_length=16, learning_rate=5e-3, warm_up=10),
    least=0.0,
    task="words",
)
ALL = {live.name: live for live in (PARITY, CUPS, LEARNED_MIXTURE, TOP_LAYER, STARTS, WARM_START)}

RECORD = FOLDER / "live.json"


def trials() -> list[dict]:
    """What `make shake` has found: a dict for each live result, number of threads and instructions.

    Beside these three it holds `settings` (the result's digest), the machine, and `attempts`, each
    with its seed, what it measured, whether that held, and seconds. Trials of results that are
    gone, or were asked otherwise, are left out.
    """
    recorded = read_json(RECORD)["trials"] if RECORD.exists() else []
    return [
        trial
        for trial in recorded
        if trial["name"] in ALL and trial["settings"] == ALL[trial["name"]].digest()
    ]


def combinations() -> list[dict]:
    """For each trial its name, threads and instructions, how many attempts held, and of how many.

    `least` is the lower end of Wilson's 95 % interval of the share that holds, `seconds` the median
    of an attempt.
    """
    rows = []
    for trial in trials():
        held = [attempt["held"] for attempt in trial["attempts"]]
        rows.append({name: trial[name] for name in ("name", "threads", "instructions")})
        rows[-1] |= {"held": sum(held), "done": len(held), "least": wilson(sum(held), len(held))[0]}
        rows[-1]["seconds"] = statistics.median(a["seconds"] for a in trial["attempts"])
    return rows


def summary() -> list[dict]:
    """A row for each live result that was tried: its worst combination, and what follows from it.

    `failing` bounds the chance that all `attempts` fail: (1 - least)^attempts. `seconds` is the
    median of an attempt with the fewest threads.
    """
    rows, shown = [], ("name", "where", "page", "claim", "attempts")
    for live in ALL.values():
        own = [row for row in combinations() if row["name"] == live.name]
        if not own:
            continue
        worst, fewest = min(own, key=lambda r: r["least"]), min(r["threads"] for r in own)
        threads = f"{worst['threads']} thread{'s' * (worst['threads'] > 1)}"
        rows.append({name: getattr(live, name) for name in shown})
        rows[-1] |= {
            "held": sum(row["held"] for row in own),
            "done": sum(row["done"] for row in own),
            "seconds": statistics.median(r["seconds"] for r in own if r["threads"] == fewest),
            "worst": f"{worst['held']} of {worst['done']} ({threads}, {worst['instructions']})",
            "least": worst["least"],
            "failing": (1 - worst["least"]) ** live.attempts,
        }
    return rows
