"""Count how often live results come out: `make shake`, or `make shake ONLY="parity cups"`.

Every live result of `feedback.live` is tried with seed after seed in each combination of threads
and instruction sets that this processor has. A trial has at least 40 attempts, and another one when
the last has failed, because a chapter relies on the attempt after a failure. Each attempt is
recorded when it is done, so a command that was stopped goes on. Trials with settings that the
table of live results no longer has are dropped.
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

from feedback import data
from feedback.live import ALL, read_trials, summary, write_trials
from feedback.machine import describe_machine

THREADS = (1, 2)
MIN_ATTEMPTS = 40  # in each combination
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
        self.trials, self.lock = read_trials(), Lock()

    def trial(self, name: str, threads: int, instructions: str) -> dict:
        """The trial of a combination; a new one, without attempts, if there is none."""
        combination = {"name": name, "threads": threads, "instructions": instructions}
        with self.lock:
            for trial in self.trials:
                if combination.items() <= trial.items():
                    return trial
            trial = combination | {"settings": ALL[name].digest(), "machine": None, "attempts": []}
            self.trials.append(trial)
            return trial

    def add(self, trial: dict, machine: dict, attempt: dict) -> None:
        """Add an attempt to a trial, and write all trials that have one."""
        with self.lock:
            trial["machine"] = machine
            trial["attempts"].append(attempt)
            write_trials([trial for trial in self.trials if trial["attempts"]])


def finished(trial: dict) -> bool:
    """Whether a trial has attempts enough, and no failure without an attempt after it."""
    attempts = trial["attempts"]
    return len(attempts) >= MIN_ATTEMPTS and attempts[-1]["held"]


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
    result = ALL[trial["name"]]
    while not finished(trial):
        seed, start = len(trial["attempts"]), time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            _, measured = result.attempt(seed)
        trial["attempts"].append(
            {
                "seed": seed,
                "measured": round(measured, 4),
                "held": measured > result.threshold,
                "seconds": round(time.perf_counter() - start, 2),
            }
        )
        print(json.dumps([machine, trial["attempts"][-1]]), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("only", nargs="*", metavar="NAME", help=f"among: {', '.join(ALL)}")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(json.loads(options.worker))
        return
    if unknown := sorted({*options.only} - {*ALL}):
        parser.error(f"nothing is called {', '.join(unknown)}; there are {', '.join(ALL)}")
    names = options.only or list(ALL)
    if any(ALL[name].task == "text" for name in names):
        corpus = data.tiny_shakespeare()  # which is that text, or says that it is not
        if corpus.source.startswith("NOT"):
            parser.error(corpus.source)
    record = Record()
    trials = [record.trial(*one) for one in product(names, THREADS, instruction_sets())]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for done in [pool.submit(carry_on, record, trial) for trial in trials]:
            done.result()
    for row in summary():
        print(
            f"{row['name']:16s} worst {row['worst']}: at least {row['lower_bound']:.3f}, so that "
            f"all {row['attempts']} attempts fail in at most {row['failing']:.5f} of runs"
        )


if __name__ == "__main__":
    main()
