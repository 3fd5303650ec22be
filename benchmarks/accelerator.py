"""Measure on an accelerator, in stages that are written as they end: `make bench-accelerator`.

    equality      outputs and every gradient, in float64, beside the CPU's: all models, all paths
    training      seconds of a training step at several shapes, as it is and as a CUDA graph
    generation    seconds of generating, at several batches, as it is and as a CUDA graph
    notebooks     every chapter from start to end

A CUDA graph is a recording of all that was asked of the GPU, which is then asked for in one call:
it takes the place of Python, and shows what the GPU itself needs. `--device cpu --quick` runs the
same stages with small models, and without graphs.

Shapes: B batch, T tokens.
"""

from __future__ import annotations

import argparse
import copy
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import nn

from feedback import Config, LanguageModel, machine, timing
from feedback.command_line.values import path
from feedback.files import check_writable, write_atomically
from feedback.results import FOLDER
from feedback.training.by_passes import Trainee

ROOT = Path(__file__).resolve().parent.parent
# What is timed beside each other, among `timing.VARIANTS` and `BY_PASSES`; the last at one shape.
BY_PASSES = {"feedback-kv, passes 2+2": (2, 2)}  # the shared model: free and graded passes
TRAINED = ("parallel", "feedback-kv", *BY_PASSES, "feedback")
GENERATING = ("parallel", "feedback-kv", "feedback")


@dataclass(frozen=True)
class Plan:
    """What is measured, and for how long.

    Attributes:
        sizes: of every model that is timed, fields of `Config`.
        shapes: (B, T) of training steps; the most telling first.
        batches, length: of generation, and its tokens after a prompt of one.
        measured: how, as `timing.measure` takes it.
        limits: seconds after which a stage begins nothing more.
    """

    sizes: dict[str, int]
    shapes: tuple[tuple[int, int], ...]
    batches: tuple[int, ...]
    length: int
    measured: dict[str, float]
    limits: dict[str, int]


FULL = Plan(
    sizes=dict(n_tokens=65, d_model=256, heads=4, n_layers=4, d_ff=1024),
    shapes=((32, 128), (16, 256), (256, 128), (8, 512)),
    batches=(1, 32, 256),
    length=256,
    measured=dict(seconds=0.2, min_samples=3, rounds=2, max_seconds=3.0),
    limits=dict(equality=60, training=170, generation=90, notebooks=200),
)
QUICK = Plan(
    sizes=dict(n_tokens=65, d_model=8, heads=2, n_layers=2, d_ff=8),
    shapes=((2, 4),),
    batches=(2,),
    length=4,
    measured=dict(seconds=0.0, min_samples=2, rounds=2, max_seconds=1.0),
    limits=dict(equality=60, training=60, generation=60, notebooks=600),
)


class Stage:
    """One stage: its rows, which are kept as they come, and its time.

    Attributes:
        rows: what was measured. left_out: what was not, for want of time or because it failed.
    """

    def __init__(self, limit: float, keep: Callable[[], object]):
        self.begun, self.limit, self.keep = time.monotonic(), limit, keep
        self.seconds: float | None = None
        self.rows: list[dict] = []
        self.left_out: list[dict] = []

    def seconds_left(self) -> float:
        return self.begun + self.limit - time.monotonic()

    def add(self, rows: list[dict], measure: Callable[[], list[dict]]) -> None:
        """Add rows that say what is measured, each with what came out; or why nothing did."""
        try:
            if self.seconds_left() <= 0:
                raise TimeoutError("no time was left")
            found = measure()
            self.rows += [row | more for row, more in zip(rows, found, strict=True)]
            self.say(rows, "measured")
        except Exception as error:  # what comes next may still be measured
            self.leave_out(rows, error)
        self.keep()

    def leave_out(self, rows: list[dict], error: Exception) -> None:
        """Note why these rows were not measured."""
        why = f"{type(error).__name__}: {error}"
        self.left_out += [row | {"why": why} for row in rows]
        self.say(rows, why)

    def say(self, rows: list[dict], what: str) -> None:
        for row in rows:
            print(f"  {', '.join(map(str, row.values()))}: {what}", flush=True)

    def end(self) -> None:
        """Stop its time, and write it a last time."""
        self.seconds = time.monotonic() - self.begun
        self.keep()
        print(f"  {self.seconds:.0f} seconds", flush=True)

    def content(self) -> dict:
        """What JSON can hold; its seconds are None while it is not at its end."""
        return {"seconds": self.seconds, "rows": self.rows, "left_out": self.left_out}


# Equality


def equality(stage: Stage, plan: Plan, device: torch.device) -> None:
    """Compare outputs and gradients with the CPU's, in float64: one model, every path."""
    sizes = dict(n_tokens=11, d_model=12, heads=3, n_layers=3, d_ff=8, max_distance=20)
    tokens = torch.randint(11, (2, 37), generator=torch.Generator().manual_seed(0))
    for variant, (name, way) in timing.VARIANTS.items():
        torch.manual_seed(0)
        here = LanguageModel(Config(name, **sizes), way).double()
        for weight in here.parameters():  # some begin at zero, where mistakes are lost
            nn.init.normal_(weight, std=0.3)
        there = copy.deepcopy(here).to(device)
        hows = ("eager", "graph") if device.type == "cuda" else ("eager",)
        for how in hows:
            rows = [{"variant": variant, "how": how}]
            stage.add(rows, partial(compare, here, there, tokens, how))


def gradients(model: nn.Module, tokens: torch.Tensor, how: str = "eager") -> dict:
    """The output, (B, T, V), and the gradient of every weight, by name, on the CPU."""
    tokens, kept = tokens.to(next(model.parameters()).device), {}

    def run() -> None:
        model.zero_grad()
        kept["output"] = model(tokens)
        nn.functional.cross_entropy(kept["output"].flatten(0, 1), tokens.flatten()).backward()

    (captured(run) if how == "graph" else run)()
    kept |= {name: weight.grad for name, weight in model.named_parameters()}
    return {name: x.detach().cpu() for name, x in kept.items()}


def compare(here: nn.Module, there: nn.Module, tokens: torch.Tensor, how: str) -> list[dict]:
    """The largest difference in the output and in a gradient, over the largest number of it."""
    numbers, others = gradients(here, tokens), gradients(there, tokens, how)
    off = {name: (x - others[name]).abs().max() / x.abs().max() for name, x in numbers.items()}
    output = off.pop("output").item()
    worst = max(off, key=off.__getitem__)
    return [{"output": output, "gradient": off[worst].item(), "of": worst, "gradients": len(off)}]


# Seconds


def captured(run: Callable[[], object]) -> Callable[[], object]:
    """A function that asks the GPU for all that `run` asks it for, in one call."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            run()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()
    return graph.replay


def precision(name: str, device: torch.device) -> AbstractContextManager:
    """Numbers of half the size where autocast takes them; weights stay as they are."""
    if name == "autocast":
        return torch.autocast(device.type, torch.bfloat16, cache_enabled=False)
    return nullcontext()


def training_step(plan: Plan, variant: str, numbers: str, device: torch.device, B: int, T: int):
    """A function that takes a training step; numbers are float32, "autocast" or "bfloat16"."""
    name, way = timing.VARIANTS[variant.partition(", passes")[0]]
    torch.manual_seed(0)
    model: nn.Module = LanguageModel(Config(name, **plan.sizes), way).to(device)
    if numbers == "bfloat16":
        model = model.bfloat16()
    if variant in BY_PASSES:
        model = Trainee(model)
        model.passes = BY_PASSES[variant]
    step = timing.training_step(model, B, T)

    def run() -> None:
        with precision(numbers, device):
            step()

    return run


def training(stage: Stage, plan: Plan, device: torch.device) -> None:
    """Seconds of a training step: forward, cross-entropy, backward."""
    for (B, T), numbers in itertools.product(plan.shapes, ("float32", "autocast", "bfloat16")):
        first = (B, T) == plan.shapes[0]
        if numbers != "float32" and not first:
            continue
        variants = TRAINED if first else TRAINED[:-1]
        runs = {v: training_step(plan, v, numbers, device, B, T) for v in variants}
        time_both(stage, plan, device, {"batch": B, "tokens": T, "numbers": numbers}, runs)


def generation(stage: Stage, plan: Plan, device: torch.device) -> None:
    """Seconds of generating one text for each row of a batch, in float32."""
    for B in plan.batches:
        runs = {}
        for variant in GENERATING:
            torch.manual_seed(0)
            model = LanguageModel(Config(timing.VARIANTS[variant][0], **plan.sizes)).to(device)
            runs[variant] = writing(model.eval(), B, plan.length)
        time_both(stage, plan, device, {"batch": B, "tokens": plan.length}, runs)


def writing(model: LanguageModel, B: int, T: int) -> Callable[[], object]:
    """A function that generates T tokens after a prompt of one, without waiting for the last."""
    prompt = torch.zeros(B, 1, dtype=torch.int64, device=model.head.weight.device)

    def run() -> None:
        # One more is asked for: with the last token `draw` looks whether all logits were finite.
        for _ in itertools.islice(model.draw(prompt, T + 1, 1.0, None, None), T):
            pass

    return run


def time_both(stage: Stage, plan: Plan, device: torch.device, what: dict, runs: dict) -> None:
    """A row for each function as it is and, on a GPU, as a graph; those of one kind take turns."""
    kinds: dict[str, Callable] = {"eager": lambda run: run}
    if device.type == "cuda":
        kinds["graph"] = captured
    for how, kind in kinds.items():
        ready = {}
        for variant, run in runs.items():
            try:
                ready[variant] = kind(run)
            except Exception as error:  # what cannot be captured is timed as it is
                stage.leave_out([what | {"variant": variant, "how": how}], error)
        rows = [what | {"variant": variant, "how": how} for variant in ready]
        stage.add(rows, partial(samples, ready, plan))


def samples(runs: dict[str, Callable[[], object]], plan: Plan) -> list[dict]:
    """The seconds of every sample of each function."""
    return [{"seconds": each} for each in timing.measure(runs, **plan.measured).values()]


# Notebooks


def notebooks(stage: Stage, plan: Plan, device: torch.device, files: list[Path]) -> None:
    """Run notebooks, a few at once, each alone in an empty folder."""
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path[1:]])}
    if device.type == "cpu":
        env["CUDA_VISIBLE_DEVICES"] = ""
    at_once = max(1, min(6, machine.cores() // 2))

    def execute(file: Path) -> list[dict]:
        begun, left = time.monotonic(), stage.seconds_left()
        if left <= 0:
            raise TimeoutError("no time was left")
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(file, folder)
            command = [sys.executable, "-m", "jupyter", "execute", file.name]
            done = subprocess.run(
                command,
                cwd=folder,
                env=env,
                capture_output=True,
                text=True,
                timeout=left,
            )
        if done.returncode:
            raise RuntimeError(done.stderr[-2000:])
        return [{"seconds": time.monotonic() - begun}]

    with ThreadPoolExecutor(at_once) as pool:
        running = {pool.submit(execute, file): file.name for file in files}
        for done in as_completed(running):
            stage.add([{"notebook": running[done]}], done.result)


def chapters() -> Iterator[Path]:
    """The longest first, so that none is left alone at the end."""
    files = sorted((ROOT / "notebooks").glob("*.ipynb"))
    return iter(sorted(files, key=lambda file: -file.stat().st_size))


STAGES: dict[str, Callable] = {
    "equality": equality,
    "training": training,
    "generation": generation,
    "notebooks": lambda *given: notebooks(*given, list(chapters())),
}


def measure(
    stages: list[str], plan: Plan, device: torch.device, out: Path, command: str = ""
) -> dict:
    """Carry out stages, and write all that there is so far to `out` after every row."""
    found: dict = {
        "command": command,
        "machine": machine.describe_machine(),
        "device": device.type,
        "cuda": torch.version.cuda,
        "float32 products": torch.get_float32_matmul_precision(),
        "sizes": plan.sizes,
        "measured": plan.measured,
        "stages": {},
    }
    for name in stages:
        print(f"{name}:", flush=True)

        stage = Stage(plan.limits[name], lambda: write_atomically(out, as_json(found)))
        found["stages"][name] = stage
        try:
            STAGES[name](stage, plan, device)
        except Exception as error:  # the next stage may still be carried out
            stage.leave_out([{"stage": name}], error)
        stage.end()
    return json.loads(as_json(found))


def as_json(found: dict) -> bytes:
    """A record as a file holds it."""
    return (json.dumps(found, default=Stage.content) + "\n").encode()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    add = parser.add_argument
    add("--device", type=torch.device, default=machine.device(), help="default: the accelerator")
    add("--quick", action="store_true", help="small models, to see that everything runs")
    add("--stages", nargs="+", choices=STAGES, default=list(STAGES), metavar="STAGE")
    add("--out", type=path, help="default: the recorded result, on a CPU a file in _build")
    options = parser.parse_args()
    recorded = options.device.type != "cpu" and not options.quick
    out = options.out or (FOLDER if recorded else ROOT / "_build") / "accelerator.json"
    try:
        out.parent.mkdir(exist_ok=True)
        check_writable(out)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    command = " ".join(["python", "benchmarks/accelerator.py", *sys.argv[1:]])
    plan = QUICK if options.quick else FULL
    measure(options.stages, plan, options.device, out, command)
    print(f"Every sample is in {out}.")


if __name__ == "__main__":
    main()
