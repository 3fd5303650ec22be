"""Count how often live results come out: `make shake`, or `make shake ONLY="parity cups"`.

Every live result of `feedback.live` is tried with seed after seed in each combination of threads
and instruction sets that this processor has. A trial has at least 40 attempts, and another one when
the last has failed, because a chapter relies on the attempt after a failure. Each attempt is
recorded when it is done, so a command that was stopped goes on. Trials under settings that are no
longer asked for are dropped.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from threading import Lock

import torch

from feedback import data, live
from feedback.files import write_atomically
from feedback.machine import describe_machine

THREADS = (1, 2)
LEAST = 40  # attempts in each combination
# What caps torch's own kernels, and with them oneDNN's, from the oldest on.
CAPS = {
    "DEFAULT": {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41"},
    "AVX2": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"},
    "AVX512": {"ATEN_CPU_CAPABILITY": "avx512"},
}


def instruction_sets() -> list[str]:
    """Those of `CAPS` that this processor has; its own, uncapped, where torch has another name."""
    best = torch.backends.cpu.get_cpu_capability()
    return list(CAPS)[: list(CAPS).index(best) + 1] if best in CAPS else [best]


class Record:
    """The trials of `feedback.live`, written after every attempt."""

    def __init__(self) -> None:
        self.trials, self.lock = live.trials(), Lock()

    def trial(self, name: str, threads: int, instructions: str) -> dict:
        """That of a combination; a new one if there is none."""
        asked = {"name": name, "threads": threads, "instructions": instructions}
        with self.lock:
            for trial in self.trials:
                if asked.items() <= trial.items():
                    return trial
            trial = asked | {"settings": live.ALL[name].digest(), "machine": None, "attempts": []}
            self.trials.append(trial)
            return trial

    def add(self, trial: dict, machine: dict, attempt: dict) -> None:
        with self.lock:
            trial["machine"] = machine
            trial["attempts"].append(attempt)
            begun = sorted((trial for trial in self.trials if trial["attempts"]), key=order)
            content = {"command": "make shake", "trials": begun}
            write_atomically(live.RECORD, (json.dumps(content) + "\n").encode())


def order(trial: dict) -> tuple:
    """Results as chapters have them, then threads and instructions."""
    return list(live.ALL).index(trial["name"]), trial["threads"], trial["instructions"]


def finished(trial: dict) -> bool:
    attempts = trial["attempts"]
    return len(attempts) >= LEAST and attempts[-1]["held"]


def carry_on(record: Record, trial: dict) -> None:
    """Make the attempts that a trial lacks, in a process with its threads and instructions."""
    if not finished(trial):
        command = [sys.executable, __file__, "--worker", json.dumps(trial)]
        # Threads that wait for others leave the core to the trial beside this one.
        capped = CAPS.get(trial["instructions"], {}) | {"OMP_WAIT_POLICY": "PASSIVE"}
        capped["OMP_NUM_THREADS"] = str(trial["threads"])
        with subprocess.Popen(
            command, env=os.environ | capped, stdout=subprocess.PIPE, text=True
        ) as process:
            for line in process.stdout:
                record.add(trial, *json.loads(line))
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, command[:2])
    held = [attempt["held"] for attempt in trial["attempts"]]
    print(
        f"{trial['name']:16s} {trial['threads']} threads, {trial['instructions']:8s} "
        f"{sum(held)} of {len(held)}",
        flush=True,
    )


def work(trial: dict) -> None:
    """Write a line of JSON for each attempt: the machine, and how it went."""
    torch.set_num_threads(trial["threads"])
    machine = describe_machine()
    assert machine["instructions"].startswith(trial["instructions"]), machine
    tried = live.ALL[trial["name"]]
    while not finished(trial):
        seed, start = len(trial["attempts"]), time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            _, measured = tried.attempt(seed)
        trial["attempts"].append(
            {
                "seed": seed,
                "measured": round(measured, 4),
                "held": measured > tried.least,
                "seconds": round(time.perf_counter() - start, 2),
            }
        )
        print(json.dumps([machine, trial["attempts"][-1]]), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("only", nargs="*", metavar="NAME", help=f"among: {', '.join(live.ALL)}")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(json.loads(options.worker))
        return
    if unknown := sorted({*options.only} - {*live.ALL}):
        parser.error(f"nothing is called {', '.join(unknown)}; there are {', '.join(live.ALL)}")
    names = options.only or list(live.ALL)
    if any(live.ALL[name].task == "text" for name in names):
        corpus = data.tiny_shakespeare()  # which is that text, or says that it is not
        if corpus.source.startswith("NOT"):
            parser.error(corpus.source)
    record = Record()
    trials = [record.trial(*asked) for asked in product(names, THREADS, instruction_sets())]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for done in [pool.submit(carry_on, record, trial) for trial in trials]:
            done.result()
    for row in live.summary():
        print(
            f"{row['name']:16s} worst {row['worst']}: at least {row['least']:.3f}, so that all "
            f"{row['attempts']} attempts fail in at most {row['failing']:.5f} of runs"
        )


if __name__ == "__main__":
    main()
