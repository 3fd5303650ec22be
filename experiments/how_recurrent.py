"""How recurrent models are: passes until their memory is right, and what becomes of a disturbance.

The models that come with the package are asked as they are. Small ones are trained here, with
memories of several sizes and mixtures of several kinds, and asked on the way. `make results
ONLY=recurrence` writes what comes out, in some eight minutes of one thread.

Shapes: B rows, T steps.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

import torch
from experiment import source
from length import FEEDBACK, TRAINED, settings
from record import write_result
from sizes import SIZES
from torch import Tensor

from feedback import pretrained
from feedback.config import Config
from feedback.data import Text
from feedback.fast.passes import distance
from feedback.interpret import sites
from feedback.interpret.changes import only, put
from feedback.interpret.probes import untrained
from feedback.interpret.recurrence import growth, lyapunov_exponent, passes_by_step
from feedback.interpret.running import run_with
from feedback.language_model import LanguageModel
from feedback.machine import describe_machine
from feedback.pretrained import trackers
from feedback.tasks import Task
from feedback.training import Settings, evaluate
from feedback.training.settings import learning_rate, length_at
from feedback.training.update import adamw, update

ROWS, ROWS_OF_TEXT = 16, 4  # the longer ones of the large model
TOLERANCE = 1e-3  # of a memory vector, relative to its length
SKIP = 3  # steps in which a disturbance turns into the direction that grows most
SWAPPED = 4  # vectors that are exchanged for those of another row
ASKED = (0, 25, 50, 100, 200, 400, 600)  # steps of training after which a model is asked
TEXT = Settings(steps=600, batch_size=16, sequence_length=64, evaluate_every=600)


@dataclass(frozen=True)
class Trained:
    """A model that is trained here.

    Attributes:
        source: "text", or the name of a task.
        config, settings: of `feedback.training.train`.
    """

    source: str
    config: Config
    settings: Settings


def on_text(**changes: object) -> Trained:
    config = Config("feedback-kv", d_model=64, d_ff=256, n_layers=2, max_distance=64)
    return Trained("text", replace(config, **changes), TEXT)


def on_task(task: str, rate: float, memory_size: int | None) -> Trained:
    config = replace(SIZES[FEEDBACK], max_distance=TRAINED, memory_size=memory_size)
    return Trained(task, config, replace(settings(600), learning_rate=rate, start_length=2))


TO_TRAIN = {
    "text, all": on_text(),
    "text, last 16": on_text(memory_size=16),
    "text, last 4": on_text(memory_size=4),
    "text, last 1": on_text(memory_size=1),
    "text, top layer only": on_text(memory_mixture=(0, 0, 1)),
    "text, embedding only": on_text(memory_mixture=(1, 0, 0)),
    "s3, all": on_task("s3", 3e-3, None),
    "s3, last 4": on_task("s3", 3e-3, 4),
    "parity, all": on_task("parity", 1e-3, None),
    "parity, last 4": on_task("parity", 1e-3, 4),
}


def rows(source: Text | Task, length: int) -> tuple[Tensor, Tensor]:
    """Held-out tokens and labels, both (ROWS, length)."""
    tokens, labels = next(iter(source.held_out(length)))
    return tokens[:ROWS], labels[:ROWS]


def ask(model: LanguageModel, tokens: Tensor, apart: Tensor) -> dict:
    """What is recorded of a model, in float64.

    Args:
        tokens: (B, T).
        apart: (B,), whether a row and the one after it differ in what is to be handed on.

    Returns:
        `passes`, for each step the median over rows of `passes_by_step`, and `most`, the largest of
        all; `growth` of a disturbance at step T / 4, as a mean over rows, and its `exponents`, one
        a row, both None where memory holds nothing that was computed; and `exchanged`, how far off
        memory vectors are behind others that were exchanged at that step.
    """
    model, at = model.double(), tokens.shape[1] // 4
    needed = passes_by_step(model, tokens, TOLERANCE)
    found = {"passes": needed.median(0).values.tolist(), "most": int(needed.max())}
    found |= {"growth": None, "exponents": None, "at": at}
    if not reads_embeddings_only(model):
        sizes = growth(model, tokens, at, torch.Generator().manual_seed(0))
        found["growth"] = rounded(sizes.mean(0))
        found["exponents"] = rounded(lyapunov_exponent(sizes, SKIP))
    off = exchanged(model, tokens, at)[apart]
    return found | {"exchanged": rounded(off.mean(0))}


def reads_embeddings_only(model: LanguageModel) -> bool:
    return model.layer_weights()[0].item() == 1


def rounded(x: Tensor) -> list[float]:
    return [round(value, 4) for value in x.tolist()]


@torch.no_grad()
def exchanged(model: LanguageModel, tokens: Tensor, at: int) -> Tensor:
    """How far off memory vectors are from step `at` on, when the last ones are the next row's.

    Returns:
        (B, T - at), relative to the length of the vectors.
    """
    plain = model.trace(tokens).memory
    steps = range(max(0, at - SWAPPED + 1), at + 1)
    changes = {sites.memory(model): only(put(plain.roll(-1, 0)), steps)}
    return distance(plain, run_with(model, tokens, changes).memory)[:, at:]


def apart(labels: Tensor, at: int) -> Tensor:
    """Rows (B, T) whose label at a step is not that of the row after it: (B,)."""
    return labels[:, at] != labels.roll(-1, 0)[:, at]


def ask_kept() -> list[dict]:
    """Ask the models that come with the package, each beside itself untrained."""
    found = []
    for task, size in trackers.KEPT:
        tokens, labels = rows(source(task, TRAINED), TRAINED)
        differ = apart(labels, TRAINED // 4)
        for seed in trackers.SEEDS:
            model = trackers.load(task, size, seed)
            found.append({"source": task, "memory_size": size, "seed": seed})
            found[-1] |= ask(model, tokens, differ)
            found[-1]["untrained"] = ask(untrained(model), tokens, differ)
            print(f"{task}, memory {size or 'all'}, seed {seed}: {said(found[-1])}", flush=True)
    tokens = rows(source("text", 128), 128)[0][:ROWS_OF_TEXT]
    model, everyone = pretrained.load("feedback-kv"), torch.ones(ROWS_OF_TEXT, dtype=torch.bool)
    found.append({"source": "text", "memory_size": None, "seed": 0})
    found[-1] |= ask(model, tokens, everyone)
    found[-1]["untrained"] = ask(untrained(model), tokens, everyone)
    print(f"text: {said(found[-1])}", flush=True)
    return found


def said(found: dict) -> str:
    rate = "no recursion" if found["exponents"] is None else f"{mean(found['exponents']):.2f}"
    return f"{found['most']} passes, {rate} a step, {found['exchanged'][-1]:.3f} off at the end"


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def train_and_ask(one: Trained) -> list[dict]:
    """Train a model, and ask it before, on the way, and at the end: an entry each."""
    settings, length = one.settings, one.settings.sequence_length
    batches = source(one.source, length)
    tokens, labels = rows(batches, length)
    is_text = one.source == "text"
    differ = torch.ones(ROWS, dtype=torch.bool) if is_text else apart(labels, length // 4)
    torch.manual_seed(settings.seed)
    model = LanguageModel(replace(one.config, n_tokens=batches.n_tokens))
    optimizer, generator = adamw(model, settings), torch.Generator().manual_seed(settings.seed)
    found = []
    for step in range(settings.steps + 1):
        if step:
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(step, settings)
            batch = batches.batch(settings.batch_size, length_at(step, settings), generator)
            update(model.train(), optimizer, *batch, settings.clip)
        if step in ASKED:
            loss, accuracy = evaluate(model, batches.held_out(length))
            entry = {"step": step, "validation_loss": loss, "accuracy": accuracy}
            found.append(entry | ask(copy.deepcopy(model).eval(), tokens, differ))
            print(f"  {step}: loss {loss:.3f}, {said(found[-1])}", flush=True)
    return found


def ask_recurrence() -> None:
    """Ask all, and write `recurrence.json`."""
    torch.set_num_threads(1)
    kept, trained = ask_kept(), []
    for name, one in TO_TRAIN.items():
        print(name, flush=True)
        trained.append({"name": name, "source": one.source, "steps": train_and_ask(one)})
    write_result(
        "recurrence",
        "How recurrent are models, by what they were trained on and by what they may read?",
        machine=describe_machine(),
        tolerance=TOLERANCE,
        skip=SKIP,
        swapped=SWAPPED,
        kept=kept,
        trained=trained,
    )


if __name__ == "__main__":
    ask_recurrence()
