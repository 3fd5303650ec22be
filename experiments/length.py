"""How far a model follows a state beyond the trained length, by how far back it may look.

All are trained on rows of at most 32 tokens and asked for 32 times as many. A feedback model that
looks back `memory_size` steps has at its side a parallel model with a window of as many steps, and
parallel models that look at all that came before, of the same depth and of more.
"""

from __future__ import annotations

from dataclasses import replace

from experiment import ANY_LENGTH, BEGIN, Experiment, Variant
from sizes import SIZES

from feedback.training import Settings

TRAINED = 32  # tokens
TIMES = 32  # the trained length, at the end of the longest rows
# Every token that was trained on has a count of its own; beyond, 32 tokens share one.
ENDS = (*range(1, TRAINED + 1), *(TRAINED * n for n in range(2, TIMES + 1)))
GROWING = {"start_length": 2, "lengthen_below": 0.3, "lengthen_every": 10}
FEEDBACK = "feedback-kv, 2 layers"
SIZES_OF_MEMORY = (1, 2, 4, 8, 16, None)  # None: all that came before


def window(size: int | None) -> str:
    """How far back a variant looks, in its name."""
    return "all" if size is None else f"last {size}"


def length(
    task: str, steps: int, windows: tuple = SIZES_OF_MEMORY, kept: bool = False
) -> Experiment:
    """What a short memory does to the length that a model can follow.

    Args:
        windows: those of the parallel model that is as deep as the feedback model.
    """
    whole = {name: (None,) for name in ("parallel, 4 layers", "parallel, 8 layers")}
    parallel, trained = {"parallel, 2 layers": windows} | whole, settings(steps)
    begun = {name: (None,) for name in ("parallel, 2 layers", "parallel, 8 layers")}
    return Experiment(
        question=f"Trained on {TRAINED} tokens, how far does a model follow {task}?",
        variants=(
            *variants(task, {FEEDBACK: SIZES_OF_MEMORY} | parallel, trained, kept),
            *variants(task + BEGIN, begun, trained),
        ),
        search=search({}, GROWING),
        seeds=(0, 1, 2, 3, 4),
        ends=ENDS,
        apart=True,
    )


def trained_otherwise(task: str) -> Experiment:
    """Whether a model that reads all of its memory can be trained to go on beyond 32 tokens.

    A table of eight distances leaves none untrained; rows of any length leave no place in a row
    that is always seen with as many keys.
    """
    whole, any_length = replace(SIZES[FEEDBACK], max_distance=TRAINED), task + ANY_LENGTH
    near = replace(whole, max_distance=8)
    how = {
        "eight distances": (task, near),
        "any length": (any_length, whole),
        "eight distances, any length": (any_length, near),
    }
    return Experiment(
        question=f"Can a model that reads all of its memory follow {task} beyond the trained rows?",
        variants=tuple(
            Variant(name, source, config, settings(800)) for name, (source, config) in how.items()
        ),
        search=search(GROWING),
        seeds=(0, 1, 2, 3, 4),
        ends=ENDS,
        apart=True,
    )


def programs() -> Experiment:
    """The same for programs. Few of their tokens are asked, so all are counted by 32."""
    windows = (1, 4, 16, None)
    return Experiment(
        question=f"Trained on {TRAINED} tokens, how far does a model follow a program?",
        variants=variants(
            "program3",
            {FEEDBACK: windows, "parallel, 2 layers": windows, "parallel, 8 layers": (None,)},
            settings(1500),
        ),
        search=search({}, {"start_length": 16}),
        seeds=(0, 1, 2),
        ends=tuple(TRAINED * n for n in range(1, TIMES + 1)),
        apart=True,
    )


def settings(steps: int) -> Settings:
    """How all are trained; the search changes some of it."""
    return Settings(
        steps=steps,
        batch_size=64,
        sequence_length=TRAINED,
        evaluate_every=steps // 20,
        checkpoint_every=steps // 4,
    )


def search(*lengths: dict) -> tuple[dict, ...]:
    """Three learning rates with each way to choose the length of rows."""
    return tuple({"learning_rate": rate, **way} for rate in (1e-3, 3e-3, 1e-2) for way in lengths)


def variants(
    task: str, windows: dict[str, tuple], settings: Settings, kept: bool = False
) -> tuple[Variant, ...]:
    """A variant for each size of a model and each window."""
    return tuple(
        Variant(
            name=f"{name}, {window(size)}" + (BEGIN if task.endswith(BEGIN) else ""),
            source=task,
            config=replace(SIZES[name], max_distance=TRAINED, memory_size=size),
            settings=settings,
            kept=kept and name == FEEDBACK and size in (4, None),
        )
        for name, sizes in windows.items()
        for size in sizes
    )


LENGTH = {
    "length-s3": length("s3", steps=800, kept=True),
    "length-parity": length("parity", steps=800, kept=True),
    "length-s5": length("s5-swaps", steps=1200, windows=(4, None)),
    "length-whole-s3": trained_otherwise("s3"),
    "length-whole-parity": trained_otherwise("parity"),
    "length-programs": programs(),
}
