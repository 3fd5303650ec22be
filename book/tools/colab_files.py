"""Write notebooks that carry their package: a file uploaded to Colab runs alone.

    python book/tools/colab_files.py                       all chapters, into _build/colab-files
    python book/tools/colab_files.py FOLDER                into another folder

The first cell of each holds the package as an archive, with the recorded results, and with the
trained weights that its chapter opens. It needs no address and no second file; only what Colab
lacks comes by pip. The notebooks in notebooks/ keep their short first cell.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import io
import json
import textwrap
import zipfile
from functools import cache, partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "_build" / "colab-files"
MODELS = "feedback/pretrained"
# The trained models that a chapter opens; the others open none. `make colab` finds one that lacks.
OPENED = {
    "04-feedback-memory": ("feedback-kv",),
    "05-shared-keys-values": ("feedback-kv", "parallel"),
    "08-training": ("feedback-kv",),
    "10-inside-the-memory": (
        "feedback-kv",
        "s3-feedback-kv",
        "tracking/s3-memory-4-seed-*",
        "tracking/s3-memory-all-seed-0",
        "tracking/parity-memory-all-seed-*",  # for an open exercise
    ),
    "11-does-it-help": ("s3-feedback-kv", "s3-parallel"),
    "11b-short-memory": ("s3-feedback-kv", "tracking/*-memory-all-seed-4"),
    "12-in-parallel-after-all": (
        "feedback-kv",
        "tracking/*-memory-all-seed-0",
        "tracking/*-memory-4-seed-0",
    ),
}
MOMENT = (2020, 1, 1, 0, 0, 0)  # of every file in an archive, so that equal files give equal text


def package(root: Path, models: tuple[str, ...]) -> bytes:
    """A zip archive of the package, with the weights of these models and of no others.

    Args:
        models: patterns of folders below feedback/pretrained.

    Raises:
        ValueError: there is no model for a pattern.
    """
    weights = set()
    for pattern in models:
        found = {*root.glob(f"{MODELS}/{pattern}/*.safetensors")}
        if not found:
            raise ValueError(f"no weights lie in {MODELS}/{pattern}")
        weights |= found
    archive = io.BytesIO(without_weights(root))
    with zipfile.ZipFile(archive, "a") as writer:
        for file in sorted(weights):
            writer.writestr(entry(file, root, zipfile.ZIP_STORED), file.read_bytes())
    return archive.getvalue()


@cache  # most of the time goes into making it small
def without_weights(root: Path) -> bytes:
    """A zip archive of the package with no model's weights."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as writer:
        for file in sorted((root / "feedback").rglob("*")):
            is_left_out = "__pycache__" in file.parts or file.suffix == ".safetensors"
            if file.is_file() and not is_left_out:
                writer.writestr(entry(file, root, zipfile.ZIP_LZMA), file.read_bytes())
    return archive.getvalue()


def entry(file: Path, root: Path, compression: int) -> zipfile.ZipInfo:
    """What an archive says of a file."""
    info = zipfile.ZipInfo(file.relative_to(root).as_posix(), MOMENT)
    info.compress_type = compression
    return info


def carrying(notebook: str, cell: str, archive: bytes) -> str:
    """The text of a notebook whose first cell is `cell` with the archive in it."""
    content = json.loads(notebook)
    data = "\n".join(textwrap.wrap(base64.b64encode(archive).decode(), 10_000))
    digest = hashlib.sha256(archive).hexdigest()
    source = cell.replace("SHA256", digest, 1).replace("PACKAGE", data, 1)
    content["cells"][0]["source"] = source.splitlines(keepends=True)
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def write_all(folder: Path, root: Path = ROOT) -> list[Path]:
    """Write the notebook of every chapter; returns the files.

    Raises:
        ValueError: a chapter of `OPENED` is not there, or a model.
    """
    notebooks = sorted((root / "notebooks").glob("*.ipynb"))
    if unknown := {*OPENED} - {notebook.stem for notebook in notebooks}:
        raise ValueError(f"there is no chapter {', '.join(sorted(unknown))}")
    cell = (root / "book" / "carried_cell.py").read_text("utf-8")
    folder.mkdir(parents=True, exist_ok=True)
    files, pack = [], cache(partial(package, root))  # most chapters hold the same
    for notebook in notebooks:
        archive = pack(OPENED.get(notebook.stem, ()))
        files.append(folder / notebook.name)
        text = carrying(notebook.read_text("utf-8"), cell.rstrip("\n"), archive)
        files[-1].write_text(text, "utf-8")
    return files


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER, help="default: %(default)s")
    for file in write_all(parser.parse_args().folder):
        print(f"{file.stat().st_size / 1e6:5.2f} MB  {file}")


if __name__ == "__main__":
    main()
