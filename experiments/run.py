"""Carry out experiments and record them: `make results`, or `make results ONLY=tracking-s3`.

What a result file holds already is not made again; each further run is recorded as it ends, so that
a command that was stopped goes on, and an experiment lands in parts. What is no list of training
runs is made anew, and only when it is named. `--again N` makes N recorded runs of an experiment
anew and says whether the numbers are the same.

A run uses one thread, and as many runs go on at once as there are cores: on small models two
threads are hardly quicker than one, and so numbers do not depend on how many runs there are.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed, wait
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import torch
from how_recurrent import ask_recurrence
from look_inside import ask_inside
from memory_cost import measure_cost
from pass_cost import measure_passes
from plans import EXPERIMENTS
from pretrain import FLAGS, pretrain
from prompts import measure_reading
from record import RESULTS, Record
from runs import Request, carry_out, train_once
from why import ask_why

from feedback.files import read_json, write_atomically

ROOT = Path(__file__).resolve().parent.parent
TIMINGS = {
    "timing": (
        "-m feedback time --what training reading generation --batch-size 8 1 32 "
        "--sequence-length 64 32 128 256 --seconds 0.2"
    ),
    "comparison": "benchmarks/compare.py",
}
OTHERS = {"length-why": ask_why, "length-cost": measure_cost}
OTHERS |= {"reading": measure_reading, "passes-cost": measure_passes, "inside": ask_inside}
OTHERS["recurrence"] = ask_recurrence
OTHERS |= {name: partial(pretrain, name) for name in FLAGS}
NAMES = (*EXPERIMENTS, *OTHERS, *TIMINGS)


@contextlib.contextmanager
def processes() -> Iterator[ProcessPoolExecutor]:
    """As many as there are cores, with one thread each, started when first needed; a stop leaves no
    run waiting."""
    alone = {"initializer": torch.set_num_threads, "initargs": (1,)}
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn"), **alone) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def answer_all(record: Record, due: dict[str, Request]) -> None:
    """Carry out what is due, record each answer as it comes, and say so."""
    with processes() as pool:
        # What several start from comes first: two processes cannot train in one folder.
        starts = {request.run.parallel for request in due.values()} - {None}
        wait([pool.submit(train_once, run) for run in starts])
        waiting = {pool.submit(carry_out, request): name for name, request in due.items()}
        for number, done in enumerate(as_completed(waiting), start=1):
            name, found = waiting[done], done.result()
            record.add(due[name], found)
            print(f"{number:3d} of {len(due)}  {name}: {summary(found)}", flush=True)


def summary(found: dict) -> str:
    """What was found, in a few words."""
    if "diverged" in found:
        return f"diverged: {found['diverged']}"
    if "accuracy" not in found:
        return f"loss {found['validation_loss']:.3f}"
    return (
        f"validation loss {found['validation_loss'][-1]:.3f}, accuracy "
        f"{found['accuracy'][-1]:.3f}, {found['processor_seconds'][-1]:.0f} s"
    )


def complete(record: Record) -> None:
    """Carry out all that is missing: searches, then what rests on what they choose."""
    while due := record.missing():
        answer_all(record, due)
    record.write()


def again(record: Record, count: int) -> None:
    """Carry out recorded runs anew, in empty folders, and compare: the first one of each variant.

    Raises:
        ValueError: numbers differ.
    """
    recorded = [
        request
        for variant in record.experiment.variants
        for request in record.results(variant)[:1]
        if request.name in record.known
    ]
    here = Path.cwd()
    for request in recorded[:count]:
        request = replace(request, kept=False)
        with tempfile.TemporaryDirectory() as folder, processes() as pool:
            os.chdir(folder)  # where no run is finished
            try:
                found = pool.submit(carry_out, request).result()
            finally:
                os.chdir(here)
        name = f"{record.name}, {request.run.config.model}, seed {request.run.settings.seed}"
        if numbers(found) != numbers(record.known[request.name]):
            raise ValueError(f"{name}: OTHER numbers than recorded, on {found['machine']}")
        print(f"{name}: the same numbers as recorded", flush=True)


def numbers(found: dict) -> dict:
    """All that has to be the same when a run is carried out again on the same machine."""
    found = json.loads(json.dumps(found))
    return {k: v for k, v in found.items() if k not in ("machine", "processor_seconds")}


def measure(name: str) -> None:
    """Record timings; they need the machine for themselves."""
    file, command = RESULTS / f"{name}.json", [*TIMINGS[name].split(), "--out"]
    subprocess.run([sys.executable, *command, file], check=True)
    found = {"command": " ".join(["python", *command, f"{name}.json"])}
    write_atomically(file, json.dumps(found | read_json(file), indent=1).encode())


def make(name: str, count: int) -> None:
    """Carry out and record what `NAMES` calls so, or make `count` of its runs again."""
    if name in EXPERIMENTS:
        print(f"{name}: {EXPERIMENTS[name].question}", flush=True)
        record = Record(name, EXPERIMENTS[name])
        if count:
            again(record, count)
        else:
            complete(record)
    elif name in OTHERS:
        OTHERS[name]()
    else:
        measure(name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("only", nargs="*", metavar="NAME", help=f"among: {', '.join(NAMES)}")
    parser.add_argument(
        "--again",
        type=int,
        default=0,
        metavar="N",
        help="make N recorded runs of each experiment anew, and compare their numbers",
    )
    options = parser.parse_args()
    if unknown := sorted({*options.only} - {*NAMES}):
        parser.error(f"nothing is called {', '.join(unknown)}; there are {', '.join(NAMES)}")
    os.chdir(ROOT)
    try:
        for name in options.only or EXPERIMENTS:
            make(name, options.again)
    except (OSError, ValueError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
