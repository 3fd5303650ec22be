"""What is compared with what: the experiments behind the book's figures.

An experiment is a list of variants. Every variant goes through the same search, and the best of it
is trained again with other seeds; only those runs are results. `run.py` carries them out.
"""

from __future__ import annotations

from dataclasses import replace

from by_passes import PASSES
from experiment import Experiment, Variant
from length import LENGTH, window
from sizes import SIZES

from feedback.config import Config
from feedback.training import Settings


def tracking(task: str, steps: int, length: int = 32) -> Experiment:
    """Whether a model can track the state of a task, within and beyond the trained length.

    No distance beyond the trained length has a row of its own, so that none is read untrained.
    """
    settings = Settings(
        steps=steps,
        batch_size=64,
        sequence_length=length,
        evaluate_every=steps // 20,
        checkpoint_every=steps // 4,
    )
    return Experiment(
        question=f"Which model tracks the state of {task}?",
        variants=tuple(
            Variant(name, task, replace(size, max_distance=length), settings)
            for name, size in SIZES.items()
        ),
        search=tuple(
            {"learning_rate": rate, **lengths}
            for rate in (1e-3, 3e-3)
            for lengths in ({}, {"start_length": 4, "lengthen_below": 0.3})
        ),
        seeds=(0, 1, 2, 3, 4),
        ends=tuple(range(1, 3 * length + 1)),
    )


# On text, a step of the feedback model takes as long as 2.9 steps of the parallel one (one thread,
# nothing beside it); windows that grow from 8 tokens cost as much a token as those that do not.
TEXT = Settings(
    steps=600, batch_size=32, sequence_length=64, evaluate_every=30, checkpoint_every=150
)
SMALL = Config("feedback-kv", d_model=64, d_ff=256, n_layers=4, max_distance=64)
PARALLEL = replace(SMALL, model="parallel")


def on_text(name: str, config: Config, after: str | None = None, **settings) -> Variant:
    """A variant that reads Tiny Shakespeare."""
    return Variant(name, "text", config, replace(TEXT, **settings), after)


def mixtures(layers: int) -> dict[str, str | tuple[float, ...]]:
    """The memory mixtures that are compared; a fixed one has the embedding's weight first."""
    return {
        "learned": "learned",
        "uniform": (1 / (layers + 1),) * (layers + 1),
        "last layer only": (0.0,) * layers + (1.0,),
        "embedding only": (1.0,) + (0.0,) * layers,
    }


def ways_to_train() -> Experiment:
    """What short windows first, and a parallel model first, gain on text."""
    return Experiment(
        question="What gains most on text, for the same tokens and for the same time?",
        variants=(
            on_text("fixed length", SMALL),
            on_text("growing windows", SMALL, steps=929, start_length=8),
            on_text("parallel, for the warm start", PARALLEL, steps=300),
            on_text("warm start, same tokens", SMALL, "parallel, for the warm start", steps=300),
            on_text("warm start, same time", SMALL, "parallel, for the warm start", steps=497),
            # Restarted as the warm start with the same tokens is: what differs is feedback.
            on_text("parallel, restarted", PARALLEL, "parallel, for the warm start", steps=300),
            on_text("parallel, same tokens", PARALLEL),
            on_text("parallel, same time", PARALLEL, steps=1740),
        ),
        search=({"learning_rate": 2e-3}, {"learning_rate": 4e-3}),
        seeds=(0, 1, 2),
    )


def mixture_on_text() -> Experiment:
    """What the memory holds, on text."""
    return Experiment(
        question="Does it matter which layers the memory holds, on text?",
        variants=tuple(
            on_text(name, replace(SMALL, memory_mixture=mixture))
            for name, mixture in mixtures(SMALL.n_layers).items()
        ),
        search=({"learning_rate": 2e-3}, {"learning_rate": 4e-3}),
        seeds=(0, 1, 2),
    )


def mixture_on_s3() -> Experiment:
    """What the memory holds, where a state is tracked; settings are those of `tracking-s3`."""
    like = EXPERIMENTS["tracking-s3"]
    first = like.variants[0]
    return replace(
        like,
        question="Does it matter which layers the memory holds, where a state is tracked?",
        variants=tuple(
            replace(first, name=name, config=replace(first.config, memory_mixture=mixture))
            for name, mixture in mixtures(first.config.n_layers).items()
        ),
        search=tuple(changes for changes in like.search if "start_length" in changes),
        seeds=(0, 1, 2),
    )


def length_on_text() -> Experiment:
    """What a short memory costs on text, and what it does beyond the trained length."""
    length = TEXT.sequence_length
    return Experiment(
        question=f"Trained on {length} characters, how well is a text read, by the memory's size?",
        variants=tuple(
            on_text(window(size), replace(SMALL, memory_size=size)) for size in (1, 4, 16, None)
        ),
        search=tuple({"learning_rate": rate} for rate in (2e-3, 4e-3, 8e-3)),
        seeds=(0, 1, 2),
        ends=tuple(length * n for n in range(1, 17)),
        apart=True,
    )


def programs() -> Experiment:
    """The paper's programs with three variables, at a size that trains here."""
    settings = Settings(
        steps=1500, batch_size=64, sequence_length=64, evaluate_every=75, checkpoint_every=375
    )
    names = ("feedback-kv, 2 layers", "parallel, 2 layers", "parallel, 8 layers")
    return Experiment(
        question="Which model tracks the three variables of a program?",
        variants=tuple(
            Variant(name, "program3", replace(SIZES[name], max_distance=64), settings)
            for name in names
        ),
        search=({"learning_rate": 3e-3}, {"learning_rate": 3e-3, "start_length": 16}),
        seeds=(0, 1, 2),
    )


EXPERIMENTS = {
    "tracking-parity": tracking("parity", steps=800),
    "tracking-s3": tracking("s3", steps=1600),
    "tracking-s5": tracking("s5-swaps", steps=1600),
    "training": ways_to_train(),
    "mixture-text": mixture_on_text(),
    "programs": programs(),
}
EXPERIMENTS["mixture-s3"] = mixture_on_s3()
EXPERIMENTS |= LENGTH | {"length-text": length_on_text()} | PASSES
