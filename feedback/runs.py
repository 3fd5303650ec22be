"""The folder of a training run: what it was asked to do, its log, and checkpoints to resume from.

    run.json       what was asked; a run goes on only if it is asked the same again
    log.jsonl      one line an evaluation, without clock times
    times.jsonl    the seconds that training has taken, at each evaluation and each checkpoint
    best, last     models, as `LanguageModel.save` writes them; `last` can be resumed from
    previous       the `last` before; used if `last` turns out to be damaged

A checkpoint is written under another name and moved into place when it is complete, so that a run
that is killed at any moment leaves `last` or `previous` whole.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as pack_tensors
from torch import Tensor, nn

from feedback.data import Characters
from feedback.language_model import LanguageModel
from feedback.storage import UNFINISHED, sync_folder, write_atomically

RUN, LOG, TIMES = "run.json", "log.jsonl", "times.jsonl"
SUMS, STATE = "SHA256SUMS", "training.safetensors"
LAST, PREVIOUS, BEST = "last", "previous", "best"


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
        self.asked = json.loads(json.dumps(asked))  # as run.json will say it: lists, not tuples
        self.damaged: list[Path] = []  # checkpoints that `resume` could not use
        self.check()

    def check(self) -> None:
        """Refuse a folder that is not this run's, before anything is written."""
        file = self.folder / RUN
        if file.exists():
            try:
                found = json.loads(file.read_bytes())
            except ValueError as error:
                raise ValueError(f"{file}: truncated or not JSON: {error}") from error
            if differing := differences(found, self.asked):
                raise ValueError(
                    f"{self.folder} holds a run that was asked something else: {differing}. Ask "
                    "the same again to go on with it, or name another folder"
                )
        elif self.folder.exists() and (
            not self.folder.is_dir()
            or any(not f.name.startswith(UNFINISHED) for f in self.folder.iterdir())
        ):
            raise ValueError(f"{self.folder} is not a run's folder, and not empty; name another")

    def begin(self) -> None:
        """Make the folder, and write down what was asked."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_atomically(self.folder / RUN, (json.dumps(self.asked, indent=1) + "\n").encode())

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
        except (OSError, ValueError):
            return []  # a run does not stop for its clock
        return [line for line in times if line["step"] <= step]

    def save_model(self, folder: Path, model: LanguageModel) -> None:
        """Write a model and its vocabulary."""
        folder.mkdir(parents=True, exist_ok=True)
        if self.characters is not None:
            self.characters.save(folder)
        model.save(folder)

    def save_best(self, model: LanguageModel) -> None:
        """Replace the best model."""
        self.save_model(self.folder / BEST, model)

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
            metadata = {"state": json.dumps(asdict(state))}
            write_atomically(new / STATE, pack_tensors(tensors, metadata))
            write_atomically(new / SUMS, checksums(new).encode())
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
                f"{'; '.join(problems)}. Remove {self.folder} to begin the run anew, or name "
                "another folder"
            )
        return None, "beginning"


def write_lines(file: Path, lines: list[dict]) -> None:
    """Replace a file by JSON lines."""
    write_atomically(file, "".join(json.dumps(line) + "\n" for line in lines).encode())


def differences(found: object, asked: object, name: str = "") -> str:
    """Name what differs between two values as JSON holds them; empty where nothing does."""
    if isinstance(found, dict) and isinstance(asked, dict):
        keys = sorted({*found, *asked})
        parts = (differences(found.get(key), asked.get(key), key) for key in keys)
        return ", ".join(part for part in parts if part)
    return "" if found == asked else f"{name} {found!r} there, {asked!r} here"


def checksums(folder: Path) -> str:
    """The SHA-256 of every file of a folder but SHA256SUMS, as `sha256sum` writes them."""
    files = sorted(file for file in folder.iterdir() if file.name != SUMS)
    return "".join(f"{hashlib.sha256(f.read_bytes()).hexdigest()}  {f.name}\n" for f in files)


def verify(folder: Path) -> None:
    """Raise OSError or ValueError unless a checkpoint's files are those that were written."""
    if (folder / SUMS).read_text() != checksums(folder):
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
            state = RunState(**json.loads(file.metadata()["state"]))
    except (SafetensorError, KeyError, TypeError) as error:
        raise ValueError(f"{folder / STATE}: not a checkpoint of this package: {error}") from error
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
