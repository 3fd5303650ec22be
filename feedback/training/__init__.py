"""Training: settings, one update, the loop, the run's folder.

settings.py    `Settings`, and what follows from them: learning rate and length of a step
update.py      one update of the weights; loss, accuracy, and what a rule without a state gets right
loop.py        `train`: from the first batch to the last checkpoint
run_folder.py  what a run leaves behind, and how it goes on after a stop
warm_start.py  begin with the weights of a parallel model
progress.py    the line on the screen, through labml
processes.py   several processes, each with its share of a batch
"""

from feedback.training.loop import train
from feedback.training.settings import Settings
from feedback.training.update import evaluate

__all__ = ["Settings", "evaluate", "train"]
