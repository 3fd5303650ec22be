"""What a step of training costs by how far back the model looks, at equal rows.

`make results ONLY=length-cost` writes the seconds, on a machine left alone. The parallel model
hides what is outside its window and computes it all the same.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from length import FEEDBACK, window
from record import write_result
from sizes import SIZES

from feedback.language_model import LanguageModel
from feedback.machine import describe_machine
from feedback.timing import measure, training_step

BATCH = 64
LENGTHS = (32, 128, 512)  # tokens of a row
WINDOWS = {FEEDBACK: (1, 4, 16, None), "parallel, 2 layers": (4, None)}


def measure_cost() -> None:
    """Time a training step of each model at each length, in turns, and write `length-cost.json`."""
    torch.set_num_threads(1)
    results = []
    for tokens in LENGTHS:
        runs, cases = {}, {}
        for name, sizes in WINDOWS.items():
            for size in sizes:
                config = replace(SIZES[name], max_distance=32, memory_size=size)
                label = f"{name}, {window(size)}"
                runs[label] = training_step(LanguageModel(config), BATCH, tokens)
                cases[label] = {"name": label, "memory_size": size, "model": config.model}
        for label, samples in measure(runs, seconds=2.0, min_samples=5, rounds=3).items():
            sizes_of_case = {"batch": BATCH, "tokens": tokens}
            results.append({**cases[label], **sizes_of_case, "seconds": samples})
            print(f"{tokens:4d} tokens  {label}: {min(samples):.4f} s at best", flush=True)
    write_result(
        "length-cost",
        "What does a step of training cost, by how far back the model looks?",
        machine=describe_machine(),
        results=results,
    )
