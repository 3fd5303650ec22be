"""Train the models that come with the package, and put them into `feedback/pretrained`.

Two of them read Tiny Shakespeare and saw the same tokens; two track three cups. In a pair the
feedback model and the parallel model have the same width, depth, batches, steps and learning rate.

The cup trackers are trained as suits each: the feedback model reads its last four memory vectors
and begins with short rows, without which it does not find the state; the parallel model has full
rows all the time, which it prefers in every search.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

from experiment import source

from feedback.data import Characters
from feedback.files import read_json, write_atomically
from feedback.language_model import LanguageModel
from feedback.machine import describe_machine
from feedback.pretrained import FOLDER, TRAINING
from feedback.training import evaluate
from feedback.training.run_folder import BEST, LOG, RUN, TIMES

TEXT = "--d-model 160 --d-ff 640 --dropout 0.1 --steps 6000"
S3 = "--task s3 --steps 1600 --learning-rate 0.003 --evaluate-every 40"
FLAGS = {
    "feedback-kv": TEXT,
    "parallel": f"--model parallel {TEXT}",
    "s3-feedback-kv": f"--memory-size 4 --start-length 2 --lengthen-every 10 {S3}",
    "s3-parallel": f"--model parallel --start-length none {S3}",
}
RUNS = Path("_build") / "pretrained"


def command(name: str) -> str:
    """What trains a model, one thread at work, into a folder of its name."""
    return f"OMP_NUM_THREADS=1 python -m feedback train --out {name} {FLAGS[name]}"


def pretrain(name: str) -> None:
    """Train a model, if that is not done yet, and pack it."""
    if FLAGS[name].endswith(TEXT):
        source("text", 1)  # which is Tiny Shakespeare, or an error
    RUNS.mkdir(parents=True, exist_ok=True)
    train(name)
    pack(name)


def train(name: str) -> None:
    """Carry out the command of a model, or go on with it."""
    words = shlex.split(command(name))[2:]  # without the variable and `python`
    subprocess.run(
        [sys.executable, *words],
        cwd=RUNS,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        check=True,
    )


def pack(name: str) -> None:
    """Store the best model of a run in float16, and beside it how it was trained."""
    run, folder = RUNS / name, FOLDER / name
    request = read_json(run / RUN)
    log = [json.loads(line) for line in (run / LOG).read_text().splitlines()]
    times = json.loads((run / TIMES).read_text().splitlines()[-1])
    LanguageModel.load(run / BEST).half().save(folder)
    model, length = LanguageModel.load(folder).float(), request["settings"]["sequence_length"]
    if "text" in request["source"]:
        Characters.load(run / BEST).save(folder)
    held_out = source(request["source"].get("task", "text"), length).held_out(length)
    loss, accuracy = evaluate(model, held_out)
    card = {
        "command": command(name),
        "machine": describe_machine() | {"threads": 1},
        "run": request,
        "seconds": times["seconds"],
        "processor_seconds": times["processor_seconds"],
        "weights": sum(p.numel() for p in model.parameters()),
        "step": min(log, key=lambda line: line["validation_loss"])["step"],
        "validation_loss": loss,
        "accuracy": accuracy,
        "log": log,
    }
    write_atomically(folder / TRAINING, (json.dumps(card) + "\n").encode())
    print(
        f"{name}: {card['weights']:,} weights, validation loss {loss:.4f}, accuracy "
        f"{accuracy:.3f}, trained in {times['seconds'] / 60:.0f} minutes"
    )
