"""Feedback models that follow a state, of the experiment `length`: their weights in float16.

Five seeds each on two tasks, with a short memory and with all of it, trained on rows of at most 32
tokens with the settings that the search of their experiment chose. Their training and their answers
are recorded in `feedback/results/length-s3.json` and `length-parity.json`.
"""

from __future__ import annotations

from pathlib import Path

from feedback.language_model import LanguageModel

FOLDER = Path(__file__).parent / "tracking"
SEEDS = range(5)
KEPT = tuple((task, size) for task in ("s3", "parity") for size in (4, None))


def folder(task: str, memory_size: int | None, seed: int) -> Path:
    """Where a model lies, whether it is there or not."""
    return FOLDER / f"{task}-memory-{memory_size or 'all'}-seed-{seed}"


def load(task: str, memory_size: int | None, seed: int) -> LanguageModel:
    """A model in float32, ready for evaluation.

    Args:
        task: "s3" or "parity".
        memory_size: with which it was trained, 4 or None.
        seed: 0 to 4.

    Raises:
        ValueError: there is no such model.
    """
    if (task, memory_size) not in KEPT or seed not in SEEDS:
        raise ValueError(
            f"no model was kept of {task!r} with memory_size {memory_size} and seed {seed}; there "
            f"are {', '.join(f'{name!r} with {size}' for name, size in KEPT)}, seeds 0 to 4"
        )
    return LanguageModel.load(folder(task, memory_size, seed)).float()
