"""One checkpoint: a folder with all that a run needs to go on exactly where it was.

    model.json, weights-*.safetensors, characters.json   the model, as `LanguageModel.save` has it
    training.safetensors   what AdamW remembers of each parameter, the state of the random number
                           generator, and as metadata the `TrainingState`
    SHA256SUMS             the checksums of these files, as `sha256sum` writes them

Nothing is pickled. A checkpoint counts only if every file has its checksum and every number is
finite, so one that was cut off or damaged is noticed before anything of it is used.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as pack_tensors
from torch import Tensor, nn

from feedback.data import CHARACTERS, Characters
from feedback.fast import choice
from feedback.files import parse_json, write_atomically
from feedback.language_model import LanguageModel
from feedback.storage import INDEX, WEIGHTS
from feedback.training.divergence import finite
from feedback.training.state import TrainingState

SUMS, STATE = "SHA256SUMS", "training.safetensors"
OURS = re.compile("|".join((CHARACTERS, INDEX, STATE, WEIGHTS.pattern)))


def save_model(folder: Path, model: LanguageModel, characters: Characters | None) -> None:
    """Write a model, and its vocabulary if there is one, into a folder, which is made if need be.

    Raises:
        OSError: the folder cannot be written; the model it held is still there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if characters is not None:
        characters.save(folder)
    model.save(folder)


def holds_model(folder: Path) -> bool:
    """Whether a folder holds a whole model, and no damaged vocabulary."""
    try:
        LanguageModel.load(folder)
        if (folder / CHARACTERS).exists():
            Characters.load(folder)
    except (OSError, ValueError):
        return False
    return True


def save_checkpoint(
    folder: Path,
    model: LanguageModel,
    characters: Characters | None,
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator,
    state: TrainingState,
) -> None:
    """Write a checkpoint, its checksums last.

    Raises:
        OSError: the folder cannot be written.
    """
    save_model(folder, model, characters)
    tensors = optimizer_tensors(model, optimizer) | {"generator": generator.get_state()}
    state.quicker = dict(choice.WON)
    metadata = {"state": json.dumps(asdict(state), allow_nan=False)}
    write_atomically(folder / STATE, pack_tensors(tensors, metadata))
    ours = sorted(file.name for file in folder.iterdir() if OURS.fullmatch(file.name))
    write_atomically(folder / SUMS, checksums(folder, ours).encode())


def restore_checkpoint(
    folder: Path,
    model: LanguageModel,
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator,
) -> TrainingState:
    """Read a checkpoint whole; then put model, optimizer and generator where they were.

    Raises:
        OSError, ValueError: it is not whole, not of this package, or holds values that are not
            finite; model, optimizer and generator are untouched.
    """
    verify(folder)
    weights = LanguageModel.load(folder).state_dict()
    try:
        with safe_open(folder / STATE, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}
            fields = parse_json(file.metadata()["state"], "its state")
            state = TrainingState(**fields)
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{folder / STATE}: not a checkpoint of this package: {error}") from error
    if not finite([*weights.values(), *tensors.values()]):
        raise ValueError(f"{folder}: holds values that are not finite")
    model.load_state_dict(weights)
    generator.set_state(tensors.pop("generator"))
    restore_optimizer(model, optimizer, tensors)
    choice.WON.update(state.quicker)
    return state


def verify(folder: Path) -> None:
    """Check that the files which SHA256SUMS lists are as they were written.

    Other files do not count: systems, editors and programs that copy folders leave theirs
    everywhere.

    Raises:
        OSError, ValueError: a file is missing or changed, or the list is.
    """
    sums = (folder / SUMS).read_text()
    names = [line.partition("  ")[2] for line in sums.splitlines()]
    if STATE not in names or sums != checksums(folder, names):
        raise ValueError(f"{folder}: a file is missing or changed; see `sha256sum -c {SUMS}`")


def checksums(folder: Path, names: Iterable[str]) -> str:
    """The SHA-256 of files of a folder, a line each, as `sha256sum` writes them."""
    sums = ((hashlib.sha256((folder / name).read_bytes()).hexdigest(), name) for name in names)
    return "".join(f"{digest}  {name}\n" for digest, name in sums)


def optimizer_tensors(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """What the optimizer remembers of each parameter, as `PARAMETER/KEY`, on the CPU."""
    return {
        f"{name}/{key}": value.cpu()
        for name, parameter in model.named_parameters()
        for key, value in optimizer.state[parameter].items()
    }


def restore_optimizer(
    model: nn.Module, optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]
) -> None:
    """Let the optimizer remember what `optimizer_tensors` gave."""
    memories: dict[str, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        parameter, _, key = name.rpartition("/")
        memories.setdefault(parameter, {})[key] = value
    names = {parameter: name for name, parameter in model.named_parameters()}
    order = [names[p] for group in optimizer.param_groups for p in group["params"]]
    remembered = {i: memories[name] for i, name in enumerate(order) if name in memories}
    optimizer.load_state_dict({**optimizer.state_dict(), "state": remembered})
