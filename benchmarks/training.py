"""How soon two models learn in the page: `make bench-training`.

Trains as the widget TrainInThePage does, with its settings, both models at once in two workers of
Node, and prints for each task and seed

    seconds     until the feedback model is right in at least 99 % of 512 held-out rows at each
                place (aim: parity 20, three cups 60, in 19 of 20 seeds); for the text until its
                loss is half a nat below that of who knows only how often each character comes
                (aim: 60)
    processor   seconds of processor that both models took together by then; with two cores left to
                it, training cannot take longer than that
    updates     made by then
    parallel    how often the parallel model is then right at the last place

Leave the machine alone meanwhile, and let it have two cores.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

from feedback.machine import describe_machine
from feedback.widgets import TrainInThePage

LIMITS = {"parity": 20, "s3": 60, "text": 60}  # seconds
TRAITS = "sizes text models layers memory_size mixture learning_rate".split()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--tasks", nargs="+", choices=LIMITS, default=list(LIMITS))
    options = parser.parse_args()
    if shutil.which("node") is None:
        sys.exit("Node is not there, which this benchmark runs: it is the page's own engine")
    widget = TrainInThePage()
    given = {
        "traits": {name: getattr(widget, name) for name in TRAITS},
        "seeds": options.seeds,
        "limits": {task: LIMITS[task] for task in options.tasks},
    }
    print(", ".join(f"{name}: {value}" for name, value in describe_machine().items()))
    names = ("seed", "seconds", "processor", "updates", "parallel")
    print(f"{'task':8s}", *(f"{name:>9s}" for name in names))
    command = ["node", Path(__file__).with_suffix(".js")]
    taken: dict[str, list[float]] = {task: [] for task in options.tasks}
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True) as node:
        assert node.stdin is not None and node.stdout is not None
        node.stdin.write(json.dumps(given))
        node.stdin.close()
        for line in node.stdout:
            run = json.loads(line)
            seconds = run["seconds"] if succeeded(run) else float("inf")
            taken[run["task"]].append(seconds)
            right = run["right"]["parallel"][-1]
            print(
                f"{run['task']:8s} {run['seed']:9d} {seconds:9.1f} {run['processor']:9.1f} "
                f"{run['updates']:9d} {right:9.0%}"
            )
    for task, seconds in taken.items():
        good = sum(each <= LIMITS[task] for each in seconds)
        print(
            f"{task}: {good} of {len(seconds)} within {LIMITS[task]} s; "
            f"median {statistics.median(seconds):.1f} s, longest {max(seconds):.1f} s"
        )


def succeeded(run: dict) -> bool:
    if run["task"] == "text":
        return run["loss"] < run["frequencies"] - 0.5
    return "feedback-kv" in run["solved"]


if __name__ == "__main__":
    main()
