"""Recorded results: what the experiments found, with command, machine, versions and every number.

`make results` makes the files anew, and `make shake` makes live.json. Chapters and widgets read
them through `load_result`.
"""

from __future__ import annotations

from pathlib import Path

from feedback.files import read_json

FOLDER = Path(__file__).parent


def load_result(name: str) -> dict:
    """A recorded result by its name, the content of `feedback/results/{name}.json`.

    Raises:
        FileNotFoundError: there is none of that name.
    """
    return read_json(FOLDER / f"{name}.json")
