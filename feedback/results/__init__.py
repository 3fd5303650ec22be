"""Recorded results: what the experiments found, with command, machine, versions and every number.

`make results` makes what is missing in the files, and `make shake` makes live.json. Chapters and
widgets read them through `load_result`.

An experiment's file lists its variants. Each has the `search` that it went through, the changes of
its settings that were `chosen`, and one entry in `runs` for each seed:

    request            the hash of what was asked, which `make results` asks again
    step, tokens, length, validation_loss, accuracy, processor_seconds   a number an evaluation
    right, answers     how many answers were right, and of how many, in each span of tokens; the
                       spans' last tokens are the experiment's `ends`

accelerator.json, if it is there, has another form, and a reader:

    accelerator.py     what `make bench-accelerator` found on a GPU

A run that broke off because its numbers were no longer finite has `diverged`, which says where,
and none of the above but the request. `machine` is that of every run that does not name its own.
"""

from __future__ import annotations

import math
from pathlib import Path

from feedback.files import read_json

FOLDER = Path(__file__).parent


def load_result(name: str) -> dict:
    """A recorded result by its name, the content of `feedback/results/{name}.json`.

    Raises:
        FileNotFoundError: there is none of that name.
    """
    return read_json(FOLDER / f"{name}.json")


def right_by_span(run: dict) -> list[float]:
    """The share of right answers in each span of tokens; nan in a span that asked nothing."""
    pairs = zip(run["right"], run["answers"], strict=True)
    return [right / answers if answers else math.nan for right, answers in pairs]
