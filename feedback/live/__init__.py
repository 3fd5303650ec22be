"""Live results: what chapters and tests train anew, and claim to find again on any machine.

A seed fixes a training run on one processor, with one torch and one number of threads. Elsewhere
sums are rounded otherwise, and after some hundred updates it is another run. So a live result is a
random variable, and an attempt that fails is followed by one with another seed, a few at most.
`make shake` counts over seeds, threads and instruction sets how many attempts hold, and keeps them
in `feedback/results/live.json`. `attempts` is chosen so that all fail in at most one run of 1,000.

    settings.py   begin here: the table of all live results, `PARITY` to `WARM_START`, and `ALL`
    attempts.py   `LiveResult`, and the three kinds of attempts
    rows.py       train on rows of a task, and accuracy position by position (chapter 3)
    starts.py     the loss of a fresh, an averaged and a fitted start (chapter 8)
    record.py     what was counted: trials, their combinations, a summary

Whoever changes a model, a setting or a threshold makes the recorded trials of that result stale:
`make shake ONLY=NAME` counts them anew.
"""

from feedback.live.attempts import LiveResult, Tracking
from feedback.live.record import combinations, read_trials, summary, write_trials
from feedback.live.rows import SOLVED, accuracy, train_rows
from feedback.live.settings import (
    ALL,
    CUPS,
    LEARNED_MIXTURE,
    PARITY,
    STARTS,
    TOP_LAYER,
    WARM_START,
)
from feedback.live.starts import averaged, smaller_margin, start_losses

__all__ = [
    "ALL",
    "CUPS",
    "LEARNED_MIXTURE",
    "PARITY",
    "SOLVED",
    "STARTS",
    "TOP_LAYER",
    "WARM_START",
    "LiveResult",
    "Tracking",
    "accuracy",
    "averaged",
    "combinations",
    "read_trials",
    "smaller_margin",
    "start_losses",
    "summary",
    "train_rows",
    "write_trials",
]
