"""Carry out experiments and record them: `make results`, or `make results ONLY=tracking-s3`.

Every training run has a folder of its own under _build/runs, named after all its settings. A
command that was stopped goes on from there; a run that two experiments need is trained once.

A run uses one thread, and as many runs go on at once as there are cores: on small models two
threads are hardly quicker than one, and so numbers do not depend on how many runs there are.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import torch
from plans import EXPERIMENTS, SEARCH_SEED, Experiment, Variant, source
from pretrain import pretrain
from safetensors import SafetensorError, safe_open

from feedback.config import Config
from feedback.files import read_json, write_atomically
from feedback.language_model import LanguageModel, evaluating
from feedback.machine import describe_machine
from feedback.tasks import TASKS
from feedback.training import Settings, train
from feedback.training.checkpoints import STATE
from feedback.training.run_folder import BEST, LAST, LOG, TIMES

ROOT = Path(__file__).resolve().parent.parent
RUNS = Path("_build") / "runs"  # relative, so that run.json says nothing of this machine
RESULTS = ROOT / "feedback" / "results"
TIMINGS = {
    "timing": (
        "-m feedback time --batch-size 8 1 32 --sequence-length 64 32 128 256 --seconds 0.2"
    ),
    "comparison": "benchmarks/compare.py",
}
NAMES = (*EXPERIMENTS, "pretrained", *TIMINGS)


@dataclass(frozen=True)
class Run:
    """One call of `feedback.training.train`.

    Attributes:
        source, config, settings: as a variant has them, with rate and seed put in.
        parallel: folder of the model it starts from.
    """

    source: str
    config: Config
    settings: Settings
    parallel: str | None = None

    @property
    def folder(self) -> Path:
        request = json.dumps(asdict(self), sort_keys=True)
        return RUNS / hashlib.sha256(request.encode()).hexdigest()[:16]


def carry_out(run: Run) -> None:
    """Train in a process of its own, with one thread."""
    torch.set_num_threads(1)
    text = source(run.source, run.settings.sequence_length)
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        train(run.config, run.settings, text, run.folder, run.parallel)


@contextlib.contextmanager
def processes() -> Iterator[ProcessPoolExecutor]:
    """As many as there are cores, started when first needed; a stop leaves no run waiting."""
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def carry_out_all(runs: dict[str, Run], pool: ProcessPoolExecutor) -> None:
    """Train those that are not trained yet, and say each one's name as it is done."""
    due = {run: name for name, run in runs.items() if not finished(run)}
    waiting = {pool.submit(carry_out, run): run for run in due}
    for number, done in enumerate(as_completed(waiting), start=1):
        done.result()
        run = waiting[done]
        last = log(run)[-1]
        print(
            f"{number:3d} of {len(due)}  {due[run]}: validation loss "
            f"{last['validation_loss']:.3f}, accuracy {last['accuracy']:.3f}, "
            f"{seconds(run)[-1]:.0f} s",
            flush=True,
        )


def read_lines(file: Path) -> list[dict]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def log(run: Run) -> list[dict]:
    return read_lines(run.folder / LOG)


def seconds(run: Run) -> list[float]:
    """Processor seconds of training at each line of the log."""
    times = read_lines(run.folder / TIMES)
    at = {0: 0.0} | {line["step"]: line["processor_seconds"] for line in times}
    return [at[line["step"]] for line in log(run)]


def finished(run: Run) -> bool:
    """Whether the last checkpoint is that of the last step."""
    try:
        with safe_open(run.folder / LAST / STATE, "pt") as file:
            return json.loads(file.metadata()["state"])["step"] == run.settings.steps
    except (OSError, SafetensorError):
        return False


def by_stages(experiment: Experiment) -> Iterator[list[Variant]]:
    """Variants that start from nothing, then those that start from one of them."""
    yield [variant for variant in experiment.variants if variant.after is None]
    yield [variant for variant in experiment.variants if variant.after is not None]


def record(name: str, experiment: Experiment) -> dict:
    """Search, train, and collect what is to be recorded."""
    with processes() as pool:
        return search_and_train(name, experiment, pool)


def search_and_train(name: str, experiment: Experiment, pool: ProcessPoolExecutor) -> dict:
    chosen: dict[str, dict] = {}
    rows = []

    def run_of(variant: Variant, changes: dict, seed: int) -> Run:
        settings = replace(variant.settings, **changes, seed=seed)
        parallel = None
        if variant.after is not None:
            before = next(v for v in experiment.variants if v.name == variant.after)
            parallel = (run_of(before, chosen[before.name], seed).folder / BEST).as_posix()
        return Run(variant.source, variant.config, settings, parallel)

    for variants in by_stages(experiment):
        tried = {
            v.name: [run_of(v, changes, SEARCH_SEED) for changes in experiment.search]
            for v in variants
        }
        carry_out_all(
            {
                f"{v.name}, search {number}": run
                for v in variants
                for number, run in enumerate(tried[v.name], start=1)
            },
            pool,
        )
        ends = {name: [log(run)[-1]["validation_loss"] for run in tried[name]] for name in tried}
        chosen |= {
            name: experiment.search[losses.index(min(losses))] for name, losses in ends.items()
        }
        runs = {
            v.name: [run_of(v, chosen[v.name], seed) for seed in experiment.seeds] for v in variants
        }
        carry_out_all(
            {f"{v.name}, seed {run.settings.seed}": run for v in variants for run in runs[v.name]},
            pool,
        )
        for v in variants:
            rows.append(
                {
                    "name": v.name,
                    "source": v.source,
                    "after": v.after,
                    **sizes(runs[v.name][0]),
                    "settings": asdict(v.settings),
                    "search": [
                        {"changes": changes, "validation_loss": loss}
                        for changes, loss in zip(experiment.search, ends[v.name], strict=True)
                    ],
                    "chosen": chosen[v.name],
                    "runs": [result(run, experiment.length) for run in runs[v.name]],
                }
            )
    return {
        "question": experiment.question,
        "command": f"make results ONLY={name}",
        "machine": describe_machine() | {"threads": 1},
        "search_seed": SEARCH_SEED,
        "variants": rows,
    }


def sizes(run: Run) -> dict:
    """The trained model's config, with the vocabulary of what it was trained on, and its size."""
    model = LanguageModel.load(run.folder / LAST)
    return {"config": asdict(model.config), "weights": sum(p.numel() for p in model.parameters())}


def result(run: Run, length: int | None) -> dict:
    """What is recorded of a run: its curve, its time, and how often each position is right."""
    lines = log(run)
    found = {"seed": run.settings.seed}
    for name in ("step", "tokens", "length", "validation_loss", "accuracy"):
        found[name] = [line[name] for line in lines]
    found["processor_seconds"] = seconds(run)
    if "baseline" in lines[-1]:
        found["baseline"] = lines[-1]["baseline"]
    if "layer_weights" in lines[-1]:
        found["layer_weights"] = lines[-1]["layer_weights"]
    if length is not None:
        found["examples"], found["right"] = right_by_position(run, length)
    return found


@torch.no_grad()
def right_by_position(run: Run, length: int) -> tuple[int, list[int]]:
    """How many examples there are, and at each position how many are answered right."""
    model, examples = LanguageModel.load(run.folder / LAST), 0
    right = torch.zeros(length, dtype=torch.int64)
    with evaluating(model):
        for inputs, labels in TASKS[run.source].held_out(length):
            right += (model(inputs).argmax(-1) == labels).sum(0)
            examples += len(inputs)
    return examples, right.tolist()


def numbers(recorded: dict) -> dict:
    """All that has to be the same when an experiment is carried out again on the same machine."""
    variants = [
        {**v, "runs": [{k: x for k, x in r.items() if k != "processor_seconds"} for r in v["runs"]]}
        for v in recorded["variants"]
    ]
    return {**recorded, "variants": variants, "machine": None}


def keep(name: str, found: dict) -> None:
    """Write a result, and say whether it is what was recorded before."""
    file, found = RESULTS / f"{name}.json", json.loads(json.dumps(found))
    if not file.exists():
        print(f"{name}: recorded for the first time")
    elif numbers(read_json(file)) == numbers(found):
        print(f"{name}: the same numbers as recorded before")
    else:
        print(f"{name}: OTHER numbers than recorded before; `git diff` shows which")
    write_atomically(file, (json.dumps(found) + "\n").encode())


def measure(name: str) -> None:
    """Record timings; they need the machine for themselves."""
    file, command = RESULTS / f"{name}.json", [*TIMINGS[name].split(), "--out"]
    subprocess.run([sys.executable, *command, file], check=True)
    found = {"command": " ".join(["python", *command, f"{name}.json"])}
    write_atomically(file, json.dumps(found | read_json(file), indent=1).encode())


def make(name: str) -> None:
    """Carry out and record what `NAMES` calls so."""
    if name in EXPERIMENTS:
        print(f"{name}: {EXPERIMENTS[name].question}", flush=True)
        keep(name, record(name, EXPERIMENTS[name]))
    elif name == "pretrained":
        pretrain()
    else:
        measure(name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("only", nargs="*", metavar="NAME", help=f"among: {', '.join(NAMES)}")
    options = parser.parse_args()
    if unknown := sorted({*options.only} - {*NAMES}):
        parser.error(f"nothing is called {', '.join(unknown)}; there are {', '.join(NAMES)}")
    os.chdir(ROOT)
    try:
        for name in options.only or NAMES:
            make(name)
    except (OSError, ValueError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
