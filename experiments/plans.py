"""What is compared with what: the experiments behind the book's figures.

An experiment is a list of variants. Every variant goes through the same search, and the best of it
is trained again with other seeds; only those runs are results. `run.py` carries them out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from feedback.config import Config
from feedback.training import Settings


@dataclass(frozen=True)
class Variant:
    """One side of a comparison.

    Attributes:
        name: unique within its experiment.
        source: the name of a task, or "text".
        config, settings: of `feedback.training.train`; search and seeds change the settings.
        after: the variant of the same experiment whose trained model this one starts from.
    """

    name: str
    source: str
    config: Config
    settings: Settings
    after: str | None = None


@dataclass(frozen=True)
class Experiment:
    """Variants that are compared.

    Attributes:
        question: what the comparison is to answer.
        search: changes of the settings that every variant tries, with seed `SEARCH_SEED`; the one
            with the lowest validation loss at the end is taken.
        seeds: of the runs that are results.
        length: tokens of the examples on which accuracy is counted by position, None for no count.
    """

    question: str
    variants: tuple[Variant, ...]
    search: tuple[dict, ...]
    seeds: tuple[int, ...]
    length: int | None = None


SEARCH_SEED = 1000

# Five models of about 100,000 weights or more: the feedback model, and the parallel model with the
# same depth, with the same number of weights in 4 and in 8 layers, and with the same width.
SIZES = {
    "feedback-kv, 2 layers": Config("feedback-kv", d_model=64, d_ff=256, n_layers=2),
    "parallel, 2 layers": Config("parallel", d_model=64, d_ff=256, n_layers=2),
    "parallel, 4 layers": Config("parallel", d_model=44, d_ff=176, n_layers=4),
    "parallel, 8 layers": Config("parallel", d_model=32, d_ff=128, n_layers=8),
    "parallel, 8 wide layers": Config("parallel", d_model=64, d_ff=256, n_layers=8),
}


def tracking(task: str, steps: int, length: int = 32, **settings) -> Experiment:
    """Whether a model can track the state of a task, within and beyond the trained length.

    No distance beyond the trained length has a row of its own, so that none is read untrained.
    """
    every = Settings(
        steps=steps,
        batch_size=64,
        sequence_length=length,
        evaluate_every=steps // 20,
        checkpoint_every=steps // 4,
    )
    every = replace(every, **settings)
    return Experiment(
        question=f"Which model tracks the state of {task}?",
        variants=tuple(
            Variant(name, task, replace(size, max_distance=length), every)
            for name, size in SIZES.items()
        ),
        search=tuple(
            {"learning_rate": rate, **lengths}
            for rate in (1e-3, 3e-3)
            for lengths in ({}, {"start_length": 4, "lengthen_below": 0.3})
        ),
        seeds=(0, 1, 2, 3, 4),
        length=3 * length,
    )


EXPERIMENTS = {
    "tracking-parity": tracking("parity", steps=800),
    "tracking-s3": tracking("s3", steps=1600),
}
