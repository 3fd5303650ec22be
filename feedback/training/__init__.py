"""Training: how a model learns, and how a run survives being stopped.

Read `loop.py` first: the whole of a run is its function `train`, from top to bottom. Each of the
other files is one thing that the loop uses:

    settings.py      `Settings`, and what follows from them at a step: learning rate and length
    by_passes.py     steps that take a few passes instead of every token in turn
    update.py        one update of the weights; evaluation: loss, accuracy, accuracy of a baseline
    state.py         `TrainingState`, what a run knows beside weights, optimizer and generator
    divergence.py    what ends a run whose numbers are no longer finite, before they are saved
    looking.py       when losses are looked at: on an accelerator that is to wait for them
    clock.py         the seconds that training takes, evaluations and checkpoints left out
    run_folder.py    the folder of a run: who may write into it, and what lies there
    checkpoints.py   one checkpoint: written whole, checked, and restored
    warm_start.py    a model that begins with the weights of a trained parallel one
    progress.py      the line on the screen, through labml
    processes.py     a group of processes, each with its share of a batch

The files of a run's folder may be read by others, and folders of earlier versions are resumed from:
their names and contents stay as they are. Everything else may change without anyone noticing.
"""

from feedback.training.loop import train
from feedback.training.settings import Settings
from feedback.training.update import evaluate

__all__ = ["Settings", "evaluate", "train"]
