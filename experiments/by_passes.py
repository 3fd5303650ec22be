"""What training by passes gains, and what it loses: on text, and where a state is tracked.

On text a batch is two long windows, where exact training takes five to six times as long as the
parallel model: there is most to gain. `pass_cost.py` measures where there is less, or nothing.

No search: every variant has the learning rate that serves the exact one, as what differs is how the
gradient is made. Variants stand in the order in which they tell most; seconds of a run are those of
one thread of the machine on which the plan was made.
"""

from __future__ import annotations

from dataclasses import replace

from experiment import Experiment, Variant
from length import FEEDBACK, GROWING, TRAINED, settings, window
from sizes import SIZES

from feedback.config import Config
from feedback.training import Settings
from feedback.training.settings import tokens_to_come

WIDE = Config("feedback-kv", d_model=128, d_ff=512, n_layers=4, max_distance=256)
TEXT = Settings(
    steps=1500,
    batch_size=2,
    sequence_length=256,
    learning_rate=2e-3,
    evaluate_every=100,
    checkpoint_every=500,
)
AFTER = "parallel, half the steps"
HALF = {"steps": TEXT.steps // 2}


def growing() -> dict[str, int]:
    """Windows that grow from 32 tokens, for as many tokens in all as `TEXT` has."""
    lengths = {"start_length": 32}
    share = tokens_to_come(replace(TEXT, **lengths)) / tokens_to_come(TEXT)
    return lengths | {"steps": round(TEXT.steps / share)}


def by_passes(passes: str, end: float | None = None) -> dict:
    """The settings of passes, with an exact end or without."""
    return {"passes": passes, "exact_last": end}


def on_text(
    name: str, changes: dict | None = None, after: str | None = None, model: str = "feedback-kv"
) -> Variant:
    """A variant that reads Tiny Shakespeare."""
    changed = replace(TEXT, **(changes or {}))
    return Variant(name, "text", replace(WIDE, model=model), changed, after)


def text() -> Experiment:
    """Which passes, with which end and which beginning."""
    return Experiment(
        question="How near do passes come to exact training on text, and in what time?",
        variants=(
            on_text("parallel", model="parallel"),  # 100 s
            on_text("exact"),  # 570 s
            on_text("2+2", by_passes("2+2")),  # 240 s
            on_text("1+1", by_passes("1+1")),  # 120 s
            on_text("0+2", by_passes("0+2")),  # 180 s
            on_text("2+2, exact end", by_passes("2+2", 0.1)),  # 275 s
            on_text("1+1, exact end", by_passes("1+1", 0.2)),  # 205 s
            on_text("0+2, exact end", by_passes("0+2", 0.2)),  # 255 s
            on_text(AFTER, HALF, model="parallel"),  # 50 s
            on_text("parallel first, 2+2, exact end", HALF | by_passes("2+2", 0.2), AFTER),  # 150 s
            on_text("parallel first, exact", HALF, AFTER),  # 285 s
            on_text("growing windows, 2+2, exact end", growing() | by_passes("2+2", 0.1)),  # 275 s
            on_text("growing windows, exact", growing()),  # 570 s
            on_text("0 to 4 growing, 2 graded", by_passes("0-4+2")),  # 240 s
            on_text("0 to 4 at random, 2 graded", by_passes("0~4+2")),  # 240 s
            on_text("2+1", by_passes("2+1")),  # 145 s
            on_text("4+2", by_passes("4+2")),  # 300 s
        ),
        search=(),
        seeds=(0, 1, 2),
    )


def wider() -> Experiment:
    """The same with twice the width, once."""
    wide = replace(WIDE, d_model=256, d_ff=1024)
    plan = text()
    names = ("parallel", "exact", "2+2, exact end", "1+1, exact end")
    variants = {v.name: v for v in plan.variants}
    return replace(
        plan,
        question="Do passes come as near to exact training with twice the width?",
        variants=tuple(
            replace(
                variants[name],
                config=replace(wide, model=variants[name].config.model),
                settings=replace(variants[name].settings, steps=800),
            )
            for name in names
        ),
        seeds=(0,),
    )


def state(task: str, chosen: dict) -> Experiment:
    """What passes do where each state follows from the one before; a run takes 50 s.

    Args:
        chosen: what the search of chapter 11's experiment has chosen for the exact models.
    """
    ways = {
        "exact": {},
        "2+2": by_passes("2+2"),
        "2+2, exact end": by_passes("2+2", 0.2),
        "2+2, guarded": by_passes("2+2") | {"largest_residual": 0.2},
    }
    exact = settings(800)
    return Experiment(
        question=f"Can a model be trained by passes to follow {task}?",
        variants=tuple(
            Variant(
                name=f"{way}, {window(size)}",
                source=task,
                config=replace(SIZES[FEEDBACK], max_distance=TRAINED, memory_size=size),
                settings=replace(exact, **chosen, **changes),
            )
            for size in (None, 4)
            for way, changes in ways.items()
        ),
        search=(),
        seeds=(0, 1, 2),
        ends=tuple(range(1, TRAINED + 1)),
    )


PASSES = {
    "passes-text": text(),
    "passes-s3": state("s3", {"learning_rate": 3e-3, **GROWING}),
    "passes-parity": state("parity", {"learning_rate": 1e-3}),
    "passes-wider": wider(),
}
