"""One training run of an experiment: what is asked, how it is carried out, and what is recorded.

Every run has a folder of its own under _build/runs, named after all that decides how it ends. A
run that was stopped goes on from there, and one that two experiments need is trained once.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import torch
from experiment import source, to_choose
from safetensors import SafetensorError, safe_open
from torch import Tensor

from feedback.config import Config
from feedback.files import parse_json
from feedback.language_model import LanguageModel, evaluating
from feedback.machine import describe_machine
from feedback.pretrained import trackers
from feedback.tasks import NO_LABEL
from feedback.training import Settings, evaluate, train
from feedback.training.checkpoints import STATE
from feedback.training.divergence import Diverged
from feedback.training.run_folder import BEST, LAST, LOG, TIMES

RUNS = Path("_build") / "runs"  # relative, so that run.json says nothing of this machine
SEGMENT = 128  # tokens that are asked at once; the memory carries on


@dataclass(frozen=True)
class Run:
    """One call of `feedback.training.train`.

    Attributes:
        source, config, settings: as a variant has them, with rate and seed put in.
        parallel: the run from whose best model this one starts.
    """

    source: str
    config: Config
    settings: Settings
    parallel: Run | None = None

    @property
    def folder(self) -> Path:
        return RUNS / digest(self.described())

    def described(self) -> dict:
        """All that decides how the run ends.

        Fields at their default are left out, so that a further field of `Config` or `Settings`
        leaves what was recorded as it is.
        """
        parts: dict[str, object] = {"source": self.source}
        for name, part in (("config", self.config), ("settings", self.settings)):
            parts[name] = {
                f.name: value for f in fields(part) if (value := getattr(part, f.name)) != f.default
            }
        if self.parallel is not None:
            parts["parallel"] = self.parallel.described()
        return parts


@dataclass(frozen=True)
class Request:
    """A run, and what is asked of the trained model.

    Attributes:
        run: the run.
        search: whether the run is one of a search.
        ends, apart: as `Experiment` has them; to a search the ends say which windows it avoids.
        kept: whether the trained weights come with the package.
    """

    run: Run
    search: bool
    ends: tuple[int, ...] = ()
    apart: bool = False
    kept: bool = False

    @property
    def name(self) -> str:
        """16 hexadecimal digits that stand for all of it; the recorded answer bears them."""
        return digest(self.run.described() | {"asked": self.asked()})

    def asked(self) -> str | list[int]:
        if not self.search:
            return list(self.ends)
        return f"the loss apart from {max(self.ends)} tokens" if self.apart else "the loss"


def digest(parts: dict) -> str:
    """16 hexadecimal digits that stand for what JSON can say."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def carry_out(request: Request) -> dict:
    """Train in this process, if that is not done yet, and answer what is asked."""
    return answer(request) | {"machine": describe_machine()}


def answer(request: Request) -> dict:
    run = request.run
    try:
        train_once(run)
    except Diverged as error:
        found = {"validation_loss": None} if request.search else {"seed": run.settings.seed}
        return found | {"diverged": str(error.args[0])}
    if request.search:
        if not request.apart:
            return {"validation_loss": log(run)[-1]["validation_loss"]}
        length = run.settings.sequence_length
        examples = to_choose(run.source, length, max((length, *request.ends)))
        loss, _ = evaluate(LanguageModel.load(run.folder / LAST), examples)
        return {"validation_loss": loss}
    found = numbers_of(run)
    if request.ends:
        found |= count_answers(run, request.ends)
    if request.kept:
        keep_weights(run)
    return found


def keep_weights(run: Run) -> None:
    """Put the trained weights into the package, in float16."""
    model = LanguageModel.load(run.folder / LAST)
    folder = trackers.folder(run.source, model.config.memory_size, run.settings.seed)
    folder.mkdir(parents=True, exist_ok=True)
    model.half().save(folder)


def train_once(run: Run) -> None:
    """Train a run, and the one that it starts from, unless that is done."""
    if finished(run):
        return
    if run.parallel is not None:
        train_once(run.parallel)
    text = source(run.source, run.settings.sequence_length)
    parallel = None if run.parallel is None else (run.parallel.folder / BEST).as_posix()
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        train(run.config, run.settings, text, run.folder, parallel)


def finished(run: Run) -> bool:
    """Whether the last checkpoint is that of the last step."""
    try:
        with safe_open(run.folder / LAST / STATE, "pt") as file:
            return json.loads(file.metadata()["state"])["step"] == run.settings.steps
    except (OSError, SafetensorError):
        return False


def read_lines(file: Path) -> list[dict]:
    return [parse_json(line, str(file)) for line in file.read_bytes().splitlines()]


def log(run: Run) -> list[dict]:
    return read_lines(run.folder / LOG)


def seconds(run: Run) -> list[float]:
    """Processor seconds of training at each line of the log."""
    times = read_lines(run.folder / TIMES)
    at = {0: 0.0} | {line["step"]: line["processor_seconds"] for line in times}
    return [at[line["step"]] for line in log(run)]


def numbers_of(run: Run) -> dict:
    """What is recorded of a result beside its answers: config and size, its curve, its time."""
    model, lines = LanguageModel.load(run.folder / LAST), log(run)
    found: dict[str, object] = {"seed": run.settings.seed, "config": asdict(model.config)}
    found["weights"] = sum(p.numel() for p in model.parameters())
    for name in ("step", "tokens", "length", "validation_loss", "accuracy"):
        found[name] = [line[name] for line in lines]
    found["processor_seconds"] = seconds(run)
    if run.settings.passes is not None:
        found["residual"] = [line.get("residual") for line in lines]
    for name in ("baseline", "layer_weights"):
        if name in lines[-1]:
            found[name] = lines[-1][name]
    return found


def count_answers(run: Run, ends: tuple[int, ...]) -> dict:
    """How many answers are right in each span of tokens, and of how many; on text also the loss."""
    model, length = LanguageModel.load(run.folder / LAST), ends[-1]
    found = count(model, source(run.source, length).held_out(length), ends)
    if run.source != "text":
        del found["loss"]
    return found


@torch.no_grad()
def count(
    model: LanguageModel, batches: Iterable[tuple[Tensor, Tensor]], ends: tuple[int, ...]
) -> dict:
    """Right answers, all answers, and the loss in nats, summed over each span of tokens.

    Args:
        model: asked in segments, with its memory carried on.
        batches: inputs and labels, (B, T) int64 each, T = ends[-1].
        ends: last tokens of the spans, counted from 1.
    """
    length = ends[-1]
    right = torch.zeros(length, dtype=torch.int64)
    there, loss = torch.zeros_like(right), torch.zeros(length, dtype=torch.double)
    with evaluating(model):
        for inputs, labels in batches:
            logits, memory = [], None
            for segment in inputs.split(SEGMENT, dim=1):
                found, memory = model(segment, memory, return_memory=True)
                logits.append(found)
            answers = torch.cat(logits, dim=1)  # (B, T, V)
            right += (answers.argmax(-1) == labels).sum(0)  # NO_LABEL is no token
            there += (labels != NO_LABEL).sum(0)
            each = torch.nn.functional.cross_entropy(
                answers.transpose(1, 2), labels, ignore_index=NO_LABEL, reduction="none"
            )  # (B, T)
            loss += each.double().sum(0)

    def in_spans(x: Tensor) -> list:
        upto = x.cumsum(0)[torch.tensor(ends) - 1]
        return upto.diff(prepend=upto.new_zeros(1)).tolist()

    return {
        "right": in_spans(right),
        "answers": in_spans(there),
        "loss": [round(x, 2) for x in in_spans(loss)],
    }
