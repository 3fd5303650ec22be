"""What `make bench-accelerator` found on a GPU, if anybody has run it: accelerator.json.

The record says command, machine and versions, and for each of its stages the rows that were
measured and those that were left out, with the reason. `benchmarks/accelerator.py` writes it.
Chapter 9 prints and draws it.
"""

from __future__ import annotations

import statistics

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from feedback.files import read_json
from feedback.plots import COLORS
from feedback.results import FOLDER
from feedback.timing import spread

RECORD = FOLDER / "accelerator.json"


def read() -> dict | None:
    """The record; None where nothing was measured."""
    return read_json(RECORD) if RECORD.exists() else None


def over_parallel(record: dict, stage: str) -> list[dict]:
    """How many times as long as the parallel model's each time is, under the same conditions.

    Args:
        record: what `read` gives.
        stage: "training" or "generation".

    Returns:
        A row for each time but those of the parallel model: what was measured, and `ratio`, of the
        medians, with the `low` and `high` that the quartiles of both allow.
    """
    rows = record["stages"].get(stage, {}).get("rows", [])
    parallel = {_conditions(row): row["seconds"] for row in rows if row["variant"] == "parallel"}
    found = []
    for row in rows:
        if row["variant"] == "parallel" or _conditions(row) not in parallel:
            continue
        middle, low, high = spread(row["seconds"])
        base, base_low, base_high = spread(parallel[_conditions(row)])
        bounds = {"ratio": middle / base, "low": low / base_high, "high": high / base_low}
        found.append({name: x for name, x in row.items() if name != "seconds"} | bounds)
    return found


def _conditions(row: dict) -> tuple:
    """All that a row says of what was measured, but for the model."""
    return tuple((name, x) for name, x in row.items() if name not in ("variant", "seconds"))


def in_words(record: dict) -> list[str]:
    """The record in words: machine, equality with the CPU, ratios, what was left out."""
    machine, stages = record["machine"], record["stages"]
    found = [f"{machine['accelerator']}, torch {machine['torch']}, {machine['date']}"]
    equal = stages.get("equality", {}).get("rows", [])
    if equal:
        worst = max(max(row["output"], row["gradient"]) for row in equal)
        found.append(f"largest difference from the CPU, in {len(equal)} runs: {worst:.1e}")
    for stage in ("training", "generation"):
        for row in over_parallel(record, stage):
            what = ", ".join(str(x) for name, x in row.items() if name in _names(row))
            found.append(
                f"{stage}, {what}: {row['ratio']:.2f} ({row['low']:.2f} to {row['high']:.2f})"
            )
    chapters = stages.get("notebooks", {}).get("rows", [])
    if chapters:
        seconds = statistics.median(row["seconds"] for row in chapters)
        found.append(f"{len(chapters)} chapters ran to their end, the median in {seconds:.0f} s")
    for stage, content in stages.items():
        for row in content["left_out"]:
            *what, why = row.values()
            found.append(f"left out of {stage}: {', '.join(map(str, what))}: {why[:80]}")
    return found


def _names(row: dict) -> list[str]:
    """The names of what a row of `over_parallel` says beside its numbers."""
    return [name for name in row if name not in ("ratio", "low", "high")]


def picture(record: dict) -> Figure:
    """Bars: the ratio to the parallel model of every run in float32, as it is and as a graph."""
    fig, axes = plt.subplots(1, 2, figsize=(8, 3.6), sharey=True)
    for ax, stage in zip(axes, ("training", "generation"), strict=True):
        rows = [
            row
            for row in over_parallel(record, stage)
            if row.get("numbers", "float32") == "float32"
        ]
        for place, row in enumerate(rows):
            error = [[row["ratio"] - row["low"]], [row["high"] - row["ratio"]]]
            color = COLORS[row["variant"].partition(",")[0]]
            hatch = "//" if row["how"] == "graph" else None
            ax.bar(place, row["ratio"], yerr=error, color=color, hatch=hatch)
        names = [
            f"{row['variant']}\n{row['batch']} × {row['tokens']}, {row['how']}" for row in rows
        ]
        ax.set_xticks(range(len(rows)), names, rotation=90, fontsize=7)
        ax.axhline(1, color=COLORS["parallel"])
        ax.set(title=stage, ylabel="seconds over the parallel model's" if ax is axes[0] else "")
    return fig
