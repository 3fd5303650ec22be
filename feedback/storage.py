"""A saved model is a folder: `model.json` names the weights file beside it, in safetensors format.

Saving writes a weights file under a name made from its content and then replaces `model.json` in
one step. Whenever the power goes, `model.json` names a complete weights file: the old or the new.
What a save that was cut off left behind, the next one removes. Nothing is pickled, so loading a
stranger's file runs none of its code.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load as parse_tensors
from safetensors.torch import save as pack_tensors
from torch import Tensor

from feedback.config import Config
from feedback.files import UNFINISHED, read_json, write_atomically

FORMAT = 1
INDEX = "model.json"
WEIGHTS = re.compile(r"weights-[0-9a-f]{16}\.safetensors")  # with the first digits of its SHA-256


def save(folder: str | Path, config: Config, weights: dict[str, Tensor]) -> None:
    """Write a model into `folder`, which is made if need be, replacing the model it held.

    One process may save into a folder at a time; others may load from it meanwhile.

    Raises:
        OSError: the folder cannot be written; the model it held is still there.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    # Clones, because the format refuses tensors that share memory.
    data = pack_tensors({k: v.detach().cpu().contiguous().clone() for k, v in weights.items()})
    digest = hashlib.sha256(data).hexdigest()
    name = f"weights-{digest[:16]}.safetensors"
    index = {"format": FORMAT, "config": asdict(config), "weights": name, "sha256": digest}
    write_atomically(folder / name, data)
    write_atomically(folder / INDEX, (json.dumps(index, indent=2) + "\n").encode())
    for file in folder.iterdir():
        replaced = WEIGHTS.fullmatch(file.name) and file.name != name
        if (replaced or file.name.startswith(UNFINISHED)) and not file.is_dir():
            file.unlink(missing_ok=True)


def load(folder: str | Path) -> tuple[Config, dict[str, Tensor], Path]:
    """Read config and weights (on the CPU) from a folder, and say which file held the weights.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a file is truncated, damaged, not ours, or of a newer format.
        OSError: a file cannot be read.
    """
    try:
        return load_once(Path(folder))
    except FileNotFoundError:  # perhaps a save came between the reading of the two files
        return load_once(Path(folder))


def load_once(folder: Path) -> tuple[Config, dict[str, Tensor], Path]:
    index_file = folder / INDEX
    index = parse_index(index_file)
    try:
        config = Config(**index["config"])
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{index_file}: its config is not one this package knows: {error}"
        ) from error
    weights_file = folder / index["weights"]
    with missing_named(weights_file):
        data = weights_file.read_bytes()
    if hashlib.sha256(data).hexdigest() != index["sha256"]:
        raise ValueError(
            f"{weights_file}: truncated or changed since it was saved (its SHA-256 is not the one "
            f"in {INDEX})"
        )
    try:
        return config, parse_tensors(data), weights_file
    except SafetensorError as error:
        raise ValueError(f"{weights_file}: not a safetensors file: {error}") from error


def parse_index(file: Path) -> dict:
    with missing_named(file):
        index = read_json(file)
    version = index.get("format") if isinstance(index, dict) else None
    if type(version) is not int or version < 1:
        raise ValueError(f"{file}: not written by this package (it has no format number)")
    if version > FORMAT:
        raise ValueError(
            f"{file}: format {version} is newer than format {FORMAT}, the newest this package "
            "reads; update the package"
        )
    config, weights, digest = (index.get(name) for name in ("config", "weights", "sha256"))
    if not isinstance(config, dict) or not isinstance(weights, str) or not isinstance(digest, str):
        raise ValueError(f"{file}: config, weights or sha256 is missing")
    if not WEIGHTS.fullmatch(weights):
        raise ValueError(f"{file}: weights is {weights!r}, which is no name this package gives")
    return index


@contextmanager
def missing_named(file: Path) -> Iterator[None]:
    """Say of a file that is not there what that means for the model."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(
            f"{file}: missing, so {file.parent} holds no complete model"
        ) from None
