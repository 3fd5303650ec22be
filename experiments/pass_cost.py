"""What a step of training costs exactly, by passes, and in the parallel model.

`make results ONLY=passes-cost` writes the seconds, on a machine left alone. Where a batch is large,
the exact function over the whole sequence is the quicker one.
"""

from __future__ import annotations

import torch
from record import write_result

from feedback.config import Config
from feedback.language_model import LanguageModel
from feedback.machine import describe_machine
from feedback.timing import measure, training_step
from feedback.training.by_passes import Trainee

SHAPES = (  # width, layers, batch, tokens
    (128, 4, 1, 256),
    (128, 4, 2, 256),
    (128, 4, 2, 512),
    (128, 4, 4, 256),
    (128, 4, 16, 128),
    (128, 4, 32, 64),
    (256, 4, 2, 256),
    (256, 4, 8, 256),
    (64, 2, 64, 32),
)
PASSES = ((1, 1), (0, 2), (2, 1), (2, 2), (4, 2))  # free and graded


def models(width: int, layers: int, tokens: int) -> dict[str, torch.nn.Module]:
    """What is trained, by name: from tokens (B, T) to logits."""

    def model(kind: str) -> LanguageModel:
        return LanguageModel(Config(kind, 65, width, 4, layers, 4 * width, max_distance=tokens))

    found: dict[str, torch.nn.Module] = {"parallel": model("parallel")}
    found["exact"] = exact = model("feedback-kv")
    for free, graded in PASSES:
        found[f"{free}+{graded}"] = trainee = Trainee(exact)
        trainee.passes = free, graded
    return found


def measure_passes() -> None:
    """Time a step of each way at each shape, in turns, and write `passes-cost.json`."""
    torch.set_num_threads(1)
    results = []
    for width, layers, batch, tokens in SHAPES:
        ways = models(width, layers, tokens)
        runs = {name: training_step(way, batch, tokens) for name, way in ways.items()}
        shape = {"width": width, "layers": layers, "batch": batch, "tokens": tokens}
        samples = measure(runs, seconds=1.0, min_samples=5, rounds=3)
        base = min(samples["parallel"])
        for name, seconds in samples.items():
            results.append({"name": name, **shape, "seconds": seconds})
        line = ", ".join(f"{name} {min(x) / base:.1f}" for name, x in samples.items())
        print(f"{shape}: {base:.3f} s; {line}", flush=True)
    write_result(
        "passes-cost",
        "What does a step of training cost by passes, over that of a parallel model?",
        machine=describe_machine(),
        results=results,
    )
