"""The table of all live results: which there are, with which model, training and threshold."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from feedback.config import Config
from feedback.live.attempts import LiveResult, Starts, Tracking, WarmStart
from feedback.training import Settings

SIZES: dict[str, Any] = dict(d_model=64, heads=4, n_layers=2, d_ff=256)
SMALL: dict[str, Any] = dict(d_model=32, heads=2, n_layers=2, d_ff=64)
PARITY = Tracking(
    name="parity",
    where="chapter 3, and the test of the effect",
    page="notebooks/03-what-parallel-struggles-with",
    claim="Two layers with feedback follow the parity of 16 tokens.",
    config=Config("feedback-kv", max_distance=16, **SIZES),
    settings=Settings(
        steps=300,
        batch_size=64,
        sequence_length=16,
        learning_rate=3e-3,
        start_length=4,
        lengthen_below=0.3,
        lengthen_every=10,
    ),
    threshold=0.9,
    attempts=5,
)
CUPS = replace(
    PARITY,
    attempts=3,
    name="cups",
    where="chapters 3 and 11",
    claim="Two layers with feedback follow 16 shuffles of three cups.",
    settings=replace(PARITY.settings, steps=500, start_length=2),
    task="s3",
)
LEARNED_MIXTURE = replace(
    PARITY,
    attempts=3,
    name="learned-mixture",
    where="chapter 4",
    page="notebooks/04-feedback-memory",
    claim="Two small layers with feedback follow the parity of 16 bits.",
    config=Config("feedback", max_distance=16, **SMALL),
    settings=PARITY.settings,
)
TOP_LAYER = replace(
    LEARNED_MIXTURE,
    attempts=4,
    name="top-layer",
    claim="They do so with the top layer alone in the memory.",
    config=replace(LEARNED_MIXTURE.config, memory_mixture=(0.0, 0.0, 1.0)),
)
STARTS = Starts(
    name="starts",
    where="chapter 8",
    page="notebooks/08-training",
    claim="A fitted start has a lower loss than averaged keys and values, and those than fresh "
    "weights, by a tenth of a nat each.",
    config=Config("feedback-kv", max_distance=32, **SIZES),
    settings=Settings(
        steps=200,
        batch_size=32,
        sequence_length=32,
        learning_rate=4e-3,
        warm_up=20,
        evaluate_every=50,
        checkpoint_every=100,
    ),
    threshold=0.1,
    task="text",
)
WARM_START = WarmStart(
    name="warm-start",
    where="the test of the warm start",
    page=None,
    claim="A warm start begins near its parallel model and ends below it.",
    config=Config("feedback-kv", d_model=16, heads=2, n_layers=2, d_ff=32, max_distance=16),
    settings=Settings(steps=100, batch_size=16, sequence_length=16, learning_rate=5e-3, warm_up=10),
    threshold=0.0,
    task="words",
)
ALL: dict[str, LiveResult] = {
    result.name: result for result in (PARITY, CUPS, LEARNED_MIXTURE, TOP_LAYER, STARTS, WARM_START)
}
