"""The folder of a training run: what the run is, its log, its models and its checkpoints.

    run.json       the request: model, settings, source of batches; only the same is resumed
    log.jsonl      one line for the start and for each evaluation, without clock times
    times.jsonl    the seconds that training has taken, at each evaluation and each checkpoint
    best, last     models, as `LanguageModel.save` writes them; `last` can be resumed from
    previous       the `last` before it; used if `last` turns out to be damaged
    .lock          empty; locked while a process trains here, and by no one after that

A checkpoint is written under another name and moved into place when it is complete, so that a run
that is killed at any moment leaves `last` or `previous` whole. Files of others do no harm wherever
they lie; those in `last` and `previous` go when these are replaced. What is written is finite.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from feedback.data import CHARACTERS, Characters
from feedback.files import (
    UNFINISHED,
    lock,
    parse_json,
    read_json,
    sync_folder,
    write_atomically,
)
from feedback.language_model import LanguageModel
from feedback.training.checkpoints import (
    holds_model,
    restore_checkpoint,
    save_checkpoint,
    save_model,
)
from feedback.training.state import TrainingState

RUN, LOG, TIMES, LOCK = "run.json", "log.jsonl", "times.jsonl", ".lock"
LAST, PREVIOUS, BEST = "last", "previous", "best"
# What a kill leaves between writing a file of this folder and moving it into place.
CUT_OFF = re.compile(rf"{re.escape(UNFINISHED)}\d+-({RUN}|{LOG}|{TIMES})")
# What systems and programs leave in a folder that a person takes for empty.
LITTER = re.compile(r"[.~$#@].*|.*~|Thumbs\.db|desktop\.ini|Icon\r|lost\+found|__MACOSX", re.I)


class RunFolder:
    """A folder that one process writes into.

    Args:
        path: of the folder; `create` makes it if need be.
        request: what the run is, in values that JSON can hold.
        characters: the vocabulary that is stored beside every model, if there is one.

    Raises:
        ValueError: the folder holds a run with another request, or other files; or the request
            cannot be written as JSON.
    """

    def __init__(self, path: str | Path, request: dict, characters: Characters | None):
        self.path, self.characters = Path(path), characters
        self.request = json.loads(to_json(request))  # as run.json will say it: lists, not tuples
        self.damaged: list[Path] = []  # checkpoints that `resume` could not use
        self.lock: int | None = None
        self.check()

    def check(self) -> None:
        """Refuse a folder that is not this run's, before anything is written."""
        file = self.path / RUN
        if file.exists():
            found = read_json(file)
            if isinstance(found, dict):
                found.setdefault("dtype", "float32")  # what torch has where nobody chose another
            if differing := differences(found, self.request):
                raise ValueError(
                    f"{self.path} holds another run: {differing}. Start it as it was started there "
                    "to go on with it, or name another folder"
                )
        elif self.path.exists() and (
            not self.path.is_dir()
            or any(not LITTER.fullmatch(file.name) for file in self.path.iterdir())
        ):
            raise ValueError(f"{self.path} is not a run's folder, and not empty; name another")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes and threads out, from when the folder is there until the end.

        Raises:
            OSError: another process, or another thread of this one, trains there.
        """
        try:
            self.take_lock()
            yield
        finally:
            if self.lock is not None:
                os.close(self.lock)
                self.lock = None

    def take_lock(self) -> None:
        """Lock the folder, if it is there and not locked yet; see `locked`."""
        if self.lock is None and self.path.is_dir():
            try:
                self.lock = lock(self.path / LOCK)
            except BlockingIOError as error:
                raise OSError(
                    f"{self.path} is in use: another process, or another thread of this one, "
                    "trains there. Wait until it has ended, or name another folder"
                ) from error

    def create(self) -> None:
        """Make the folder if need be, within `locked`, and write the request down.

        Raises:
            OSError: the folder cannot be written, or another process was quicker.
            ValueError: another run has begun there meanwhile.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        self.take_lock()
        self.check()  # another run may have begun before the folder was locked
        for file in self.path.iterdir():
            if CUT_OFF.fullmatch(file.name):
                file.unlink()
        write_atomically(self.path / RUN, (to_json(self.request, indent=1) + "\n").encode())

    def write_log(self, log: list[dict]) -> None:
        """Replace log.jsonl by these lines."""
        write_lines(self.path / LOG, log)

    def write_times(self, times: list[dict]) -> None:
        """Replace times.jsonl by these lines."""
        write_lines(self.path / TIMES, times)

    def read_times(self, step: int) -> list[dict]:
        """The lines of times.jsonl up to a step; none where the file is missing or damaged.

        What was done after that step has to be done again, and its time counts again.
        """
        try:
            lines = (self.path / TIMES).read_text().splitlines()
            times = [parse_json(line, TIMES) for line in lines]
            return [line for line in times if line["step"] <= step]
        except (OSError, ValueError, KeyError, TypeError):
            return []  # a run does not stop for its clock

    def save_best(self, model: LanguageModel) -> None:
        """Replace the best model.

        Raises:
            OSError: it cannot be written; the model there was is still there.
        """
        save_model(self.path / BEST, model, self.characters)

    def best_is_whole(self) -> bool:
        """Whether the best model is there, and its vocabulary if it has one."""
        characters = self.path / BEST / CHARACTERS
        return holds_model(self.path / BEST) and (self.characters is None or characters.exists())

    def save_last(
        self,
        model: LanguageModel,
        optimizer: torch.optim.Optimizer,
        generator: torch.Generator,
        state: TrainingState,
    ) -> None:
        """Write a checkpoint; it becomes `last`, and what was `last` becomes `previous`.

        Raises:
            OSError: it cannot be written; the checkpoints there are as they were.
        """
        new = self.path / f"{UNFINISHED}checkpoint"
        last, previous = self.path / LAST, self.path / PREVIOUS
        shutil.rmtree(new, ignore_errors=True)
        try:
            save_checkpoint(new, model, self.characters, optimizer, generator, state)
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
        sync_folder(self.path)

    def resume(
        self, model: LanguageModel, optimizer: torch.optim.Optimizer, generator: torch.Generator
    ) -> tuple[TrainingState | None, str]:
        """Put model, optimizer and generator where the last whole checkpoint left them.

        Returns:
            How far the run had come, None where there is no checkpoint yet; and a sentence for the
            screen that says where training begins.

        Raises:
            ValueError: there are checkpoints, but none is whole.
        """
        problems = []
        for name in (LAST, PREVIOUS):
            folder = self.path / name
            if not folder.exists():
                continue
            try:
                state = restore_checkpoint(folder, model, optimizer, generator)
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


def differences(found: object, wanted: object, name: str = "") -> str:
    """Name what differs between two values as JSON holds them; empty where nothing does."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        keys = sorted({*found, *wanted})
        parts = (differences(found.get(key), wanted.get(key), key) for key in keys)
        return ", ".join(part for part in parts if part)
    return "" if found == wanted else f"{name} {found!r} there, {wanted!r} here"
