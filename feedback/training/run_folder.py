"""The folder of a training run: what it was asked to do, its log, and checkpoints to resume from.

    run.json       what was asked; a run goes on only if it is asked the same again
    log.jsonl      one line an evaluation, without clock times
    times.jsonl    the seconds that training has taken, at each evaluation and each checkpoint
    best, last     models, as `LanguageModel.save` writes them; `last` can be resumed from
    previous       the `last` before; used if `last` turns out to be damaged
    .lock          empty; locked while a process trains here, and by no one after that

A checkpoint is written under another name and moved into place when it is complete, so that a run
that is killed at any moment leaves `last` or `previous` whole. Files of others do no harm wherever
they lie; those in `last` and `previous` go when these are replaced. What is written is finite.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as pack_tensors
from torch import Tensor, nn

from feedback.data import CHARACTERS, Characters
from feedback.files import UNFINISHED, lock, sync_folder, write_atomically
from feedback.language_model import LanguageModel
from feedback.storage import INDEX, WEIGHTS

RUN, LOG, TIMES, LOCK = "run.json", "log.jsonl", "times.jsonl", ".lock"
SUMS, STATE = "SHA256SUMS", "training.safetensors"
LAST, PREVIOUS, BEST = "last", "previous", "best"
OURS = re.compile("|".join((CHARACTERS, INDEX, STATE, WEIGHTS.pattern)))  # of a checkpoint
# What systems and programs leave in a folder that a person takes for empty.
LITTER = re.compile(r"[.~$#@].*|.*~|Thumbs\.db|desktop\.ini|Icon\r|lost\+found|__MACOSX", re.I)


@dataclass
class RunState:
    """How far a run has come: all that it knows beside weights, optimizer and generator.

    Attributes:
        step, tokens: done and seen so far.
        length: of the windows of the next step.
        losses, counted: sum and number of training losses since the last evaluation.
        recent: sum of the training losses since the last look at them, where there are looks.
        untrained: mean of the training losses up to the first look.
        best: the lowest validation loss so far.
        log: one dict an evaluation.
    """

    length: int
    step: int = 0
    tokens: int = 0
    losses: float = 0.0
    counted: int = 0
    recent: float = 0.0
    untrained: float | None = None
    best: float | None = None
    log: list[dict] = field(default_factory=list)


class RunFolder:
    """A folder that one process writes into.

    Args:
        folder: made if need be.
        asked: what was asked, of values that JSON can hold.
        characters: the vocabulary that goes into every model's folder, if there is one.

    Raises:
        ValueError: the folder holds a run that was asked something else, or other files.
        OSError: it cannot be written.
    """

    def __init__(self, folder: str | Path, asked: dict, characters: Characters | None):
        self.folder, self.characters = Path(folder), characters
        self.asked = json.loads(to_json(asked))  # as run.json will say it: lists, not tuples
        self.damaged: list[Path] = []  # checkpoints that `resume` could not use
        self.lock: int | None = None
        self.check()

    def check(self) -> None:
        """Refuse a folder that is not this run's, before anything is written."""
        file = self.folder / RUN
        if file.exists():
            try:
                found = json.loads(file.read_bytes())
            except ValueError as error:
                raise ValueError(f"{file}: truncated or not JSON: {error}") from error
            if isinstance(found, dict):
                found.setdefault("dtype", "float32")  # what torch has where nobody chose another
            if differing := differences(found, self.asked):
                raise ValueError(
                    f"{self.folder} holds a run that was asked something else: {differing}. Ask "
                    "the same again to go on with it, or name another folder"
                )
        elif self.folder.exists() and (
            not self.folder.is_dir()
            or any(not LITTER.fullmatch(file.name) for file in self.folder.iterdir())
        ):
            raise ValueError(f"{self.folder} is not a run's folder, and not empty; name another")

    def claim(self) -> None:
        """Keep others out of the folder, if it is there, until `release` or this process's end.

        Raises:
            OSError: another process trains there.
        """
        if self.lock is None and self.folder.is_dir():
            try:
                self.lock = lock(self.folder / LOCK)
            except BlockingIOError as error:
                raise OSError(
                    f"{self.folder} is in use: another process, or another thread of this one, "
                    "trains there. Wait until it has ended, or name another folder"
                ) from error

    def release(self) -> None:
        """Let others in."""
        if self.lock is not None:
            os.close(self.lock)
            self.lock = None

    def begin(self) -> None:
        """Make the folder, and write down what was asked."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.claim()
        self.check()  # another run may have begun before the folder was claimed
        write_atomically(self.folder / RUN, (to_json(self.asked, indent=1) + "\n").encode())

    def write_log(self, log: list[dict]) -> None:
        """Replace log.jsonl by these lines."""
        write_lines(self.folder / LOG, log)

    def write_times(self, times: list[dict]) -> None:
        """Replace times.jsonl by these lines."""
        write_lines(self.folder / TIMES, times)

    def read_times(self, step: int) -> list[dict]:
        """The lines of times.jsonl up to a step; what was done after it has to be done again."""
        try:
            times = [json.loads(x) for x in (self.folder / TIMES).read_text().splitlines()]
            return [line for line in times if line["step"] <= step]
        except (OSError, ValueError, KeyError, TypeError):
            return []  # a run does not stop for its clock

    def save_model(self, folder: Path, model: LanguageModel) -> None:
        """Write a model and its vocabulary."""
        folder.mkdir(parents=True, exist_ok=True)
        if self.characters is not None:
            self.characters.save(folder)
        model.save(folder)

    def save_best(self, model: LanguageModel) -> None:
        """Replace the best model."""
        self.save_model(self.folder / BEST, model)

    def best_is_whole(self) -> bool:
        """Whether the best model is there, and its vocabulary if it has one."""
        characters = self.folder / BEST / CHARACTERS
        return holds_model(self.folder / BEST) and (self.characters is None or characters.exists())

    def save_last(
        self,
        model: LanguageModel,
        optimizer: torch.optim.Optimizer,
        generator: torch.Generator,
        state: RunState,
    ) -> None:
        """Write a checkpoint; it becomes `last`, and what was `last` becomes `previous`.

        Raises:
            OSError: it could not be written; the checkpoints there are as they were.
        """
        new = self.folder / f"{UNFINISHED}checkpoint"
        last, previous = self.folder / LAST, self.folder / PREVIOUS
        shutil.rmtree(new, ignore_errors=True)
        try:
            self.save_model(new, model)
            tensors = optimizer_tensors(model, optimizer) | {"generator": generator.get_state()}
            metadata = {"state": to_json(asdict(state))}
            write_atomically(new / STATE, pack_tensors(tensors, metadata))
            ours = (file.name for file in new.iterdir() if OURS.fullmatch(file.name))
            write_atomically(new / SUMS, checksums(new, sorted(ours)).encode())
        except BaseException:
            shutil.rmtree(new, ignore_errors=True)
            raise
        if last in self.damaged:  # `previous` is all there is: keep it
            shutil.rmtree(last)
            self.damaged.remove(last)
        if last.exists():
            if previous.exists():
                shutil.rmtree(previous)
            last.rename(previous)
        new.rename(last)
        sync_folder(self.folder)

    def resume(
        self, model: LanguageModel, optimizer: torch.optim.Optimizer, generator: torch.Generator
    ) -> tuple[RunState | None, str]:
        """Put model, optimizer and generator where the last whole checkpoint left them.

        Returns:
            How far the run had come, None where there is no checkpoint yet, and a sentence on it.

        Raises:
            ValueError: there are checkpoints, but none is whole.
        """
        problems = []
        for name in (LAST, PREVIOUS):
            folder = self.folder / name
            if not folder.exists():
                continue
            try:
                state = restore(folder, model, optimizer, generator)
            except (OSError, ValueError) as error:
                problems.append(f"{name} cannot be used ({error})")
                self.damaged.append(folder)
                continue
            return state, "; ".join([*problems, f"going on after step {state.step}, from {name}"])
        if problems:
            raise ValueError(
                f"{'; '.join(problems)}. Put back the files as they were, or name another folder "
                "to begin anew"
            )
        return None, "beginning"


def write_lines(file: Path, lines: list[dict]) -> None:
    """Replace a file by JSON lines."""
    write_atomically(file, "".join(to_json(line) + "\n" for line in lines).encode())


def to_json(value: object, indent: int | None = None) -> str:
    """JSON as every program reads it, which has no NaN and no infinity.

    Raises:
        ValueError: there is one in the value.
    """
    return json.dumps(value, indent=indent, allow_nan=False)


def no_json(word: str) -> None:
    """Refuse what Python reads and writes as a number, and nobody else."""
    raise ValueError(f"{word} is not JSON")


def finite(tensors: Iterable[Tensor]) -> bool:
    """Whether no tensor holds a NaN or an infinity."""
    return all(tensor.isfinite().all() for tensor in tensors)


def differences(found: object, asked: object, name: str = "") -> str:
    """Name what differs between two values as JSON holds them; empty where nothing does."""
    if isinstance(found, dict) and isinstance(asked, dict):
        keys = sorted({*found, *asked})
        parts = (differences(found.get(key), asked.get(key), key) for key in keys)
        return ", ".join(part for part in parts if part)
    return "" if found == asked else f"{name} {found!r} there, {asked!r} here"


def holds_model(folder: Path) -> bool:
    """Whether a folder holds a whole model, and no damaged vocabulary."""
    try:
        LanguageModel.load(folder)
        if (folder / CHARACTERS).exists():
            Characters.load(folder)
    except (OSError, ValueError):
        return False
    return True


def checksums(folder: Path, names: Iterable[str]) -> str:
    """The SHA-256 of files of a folder, as `sha256sum` writes them."""
    sums = ((hashlib.sha256((folder / name).read_bytes()).hexdigest(), name) for name in names)
    return "".join(f"{digest}  {name}\n" for digest, name in sums)


def verify(folder: Path) -> None:
    """Raise OSError or ValueError unless the files that SHA256SUMS lists are as they were written.

    Others do not count: systems, editors and programs that copy folders leave theirs everywhere.
    """
    sums = (folder / SUMS).read_text()
    names = [line.partition("  ")[2] for line in sums.splitlines()]
    if STATE not in names or sums != checksums(folder, names):
        raise ValueError(f"{folder}: a file is missing or changed; see `sha256sum -c {SUMS}`")


def optimizer_tensors(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """What the optimizer remembers of each parameter, named after it."""
    return {
        f"{name}/{key}": value.cpu()
        for name, parameter in model.named_parameters()
        for key, value in optimizer.state[parameter].items()
    }


def restore(
    folder: Path,
    model: LanguageModel,
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator,
) -> RunState:
    """Read a checkpoint whole, then put everything back.

    Raises:
        OSError, ValueError: it is not whole.
    """
    verify(folder)
    weights = LanguageModel.load(folder).state_dict()
    try:
        with safe_open(folder / STATE, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}
            state = RunState(**json.loads(file.metadata()["state"], parse_constant=no_json))
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{folder / STATE}: not a checkpoint of this package: {error}") from error
    if not finite([*weights.values(), *tensors.values()]):
        raise ValueError(f"{folder}: holds values that are not finite")
    model.load_state_dict(weights)
    generator.set_state(tensors.pop("generator"))
    memories: dict[str, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        parameter, _, key = name.rpartition("/")
        memories.setdefault(parameter, {})[key] = value
    names = {parameter: name for name, parameter in model.named_parameters()}
    order = [names[p] for group in optimizer.param_groups for p in group["params"]]
    remembered = {i: memories[name] for i, name in enumerate(order) if name in memories}
    optimizer.load_state_dict({**optimizer.state_dict(), "state": remembered})
    return state
