"""What `make shake` has counted, and what follows from it."""

from __future__ import annotations

import json
import statistics

from feedback.files import read_json, write_atomically
from feedback.intervals import wilson
from feedback.live.settings import ALL
from feedback.results import FOLDER

RECORD = FOLDER / "live.json"


def read_trials() -> list[dict]:
    """What `make shake` has found: a dict for each live result, number of threads and instructions.

    Beside these three it holds `settings` (the result's digest), the machine, and `attempts`, each
    with its seed, what it measured, whether that held, and seconds. Trials of results that are no
    longer in the table, or have other settings there, are left out.
    """
    recorded = read_json(RECORD)["trials"] if RECORD.exists() else []
    return [
        trial
        for trial in recorded
        if trial["name"] in ALL and trial["settings"] == ALL[trial["name"]].digest()
    ]


def write_trials(trials: list[dict]) -> None:
    """Replace the recorded trials by these, in the order of the table."""
    names = list(ALL)
    content = {
        "command": "make shake",
        "trials": sorted(
            trials, key=lambda x: (names.index(x["name"]), x["threads"], x["instructions"])
        ),
    }
    write_atomically(RECORD, (json.dumps(content) + "\n").encode())


def combinations() -> list[dict]:
    """A row for each trial, and so for each result with each number of threads and instruction set.

    `name`, `threads` and `instructions` say which; `held` of `done` attempts held; `lower_bound` is
    the lower end of Wilson's 95 % interval of the share that holds, `seconds` the median of an
    attempt.
    """
    rows = []
    for trial in read_trials():
        held = [attempt["held"] for attempt in trial["attempts"]]
        row = {name: trial[name] for name in ("name", "threads", "instructions")}
        row |= {
            "held": sum(held),
            "done": len(held),
            "lower_bound": wilson(sum(held), len(held))[0],
        }
        row["seconds"] = statistics.median(a["seconds"] for a in trial["attempts"])
        rows.append(row)
    return rows


def summary() -> list[dict]:
    """A row for each live result that was tried: its worst combination, and what follows from it.

    `lower_bound` is that of the worst combination. `failing` bounds the chance that all `attempts`
    fail: (1 - lower_bound)^attempts. `seconds` is the median of an attempt with the fewest threads.
    """
    rows, counted = [], combinations()
    for result in ALL.values():
        own = [row for row in counted if row["name"] == result.name]
        if not own:
            continue
        worst, fewest = min(own, key=lambda r: r["lower_bound"]), min(r["threads"] for r in own)
        threads = f"{worst['threads']} thread{'s' * (worst['threads'] > 1)}"
        row = {x: getattr(result, x) for x in ("name", "where", "page", "claim", "attempts")}
        row |= {
            "held": sum(row["held"] for row in own),
            "done": sum(row["done"] for row in own),
            "seconds": statistics.median(r["seconds"] for r in own if r["threads"] == fewest),
            "worst": f"{worst['held']} of {worst['done']} ({threads}, {worst['instructions']})",
            "lower_bound": worst["lower_bound"],
            "failing": (1 - worst["lower_bound"]) ** result.attempts,
        }
        rows.append(row)
    return rows
