"""What the words after a flag stand for. Each function is the `type` of an argument."""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from feedback.storage import INDEX
from feedback.training.run_folder import BEST


def path(word: str) -> Path:
    """The path a word stands for, `~` included: shells leave it as it is in `--out=~/run`."""
    expanded = os.path.expanduser(word)
    if not word:
        raise argparse.ArgumentTypeError("the path is empty; name a file or a folder")
    if expanded.startswith("~"):
        raise argparse.ArgumentTypeError(
            f"there is no home folder that {word} could begin with; write ./{word} for what has "
            "that name here"
        )
    return Path(expanded)


def model_folder(word: str) -> Path:
    """The folder of a model; the folder of a run stands for the best model of that run."""
    folder = path(word)
    best = folder / BEST
    return best if (best / INDEX).exists() and not (folder / INDEX).exists() else folder


def positive(word: str) -> int:
    """A whole number of at least 1."""
    number = int(word)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not a whole number of at least 1")
    return number


def duration(word: str) -> float:
    """Seconds: a number above 0, and finite."""
    number = float(word)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{number} is not a number above 0 and finite")
    return number


def or_none(kind: Any) -> Callable[[str], object]:
    """A reader of words for a field that may be None, which the word `none` stands for."""

    def read(word: str) -> object:
        return None if word == "none" else kind(word)

    read.__name__ = f"{kind.__name__} or none"  # argparse names it where it refuses a word
    return read
