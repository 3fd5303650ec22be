"""Small trained models that come with the package, stored in float16.

Each has a folder of its name: a model as `LanguageModel.save` writes it, the characters it reads if
it reads text, and `training.json`, which says how it was trained:

    command            that trained it, in a fresh folder
    machine            on which it did, and the versions
    run                config, settings (the seed among them) and source, as `train` was asked
    seconds            that training took, evaluations left out; `processor_seconds` likewise
    weights            how many numbers the model has
    step               whose model this is: the one with the lowest validation loss
    validation_loss    of the stored model, in nats a label; `accuracy` likewise
    log                one entry an evaluation; in feedback models it holds the layer weights

`make results ONLY=NAME` trains the model of that name again.

    trackers.py        further models, those that an experiment kept: two tasks, short memory and
                       whole, five seeds each; they lie in tracking/
"""

from __future__ import annotations

from pathlib import Path

from feedback.files import read_json
from feedback.language_model import LanguageModel
from feedback.storage import INDEX

FOLDER = Path(__file__).parent
TRAINING = "training.json"
NAMES = tuple(sorted(file.parent.name for file in FOLDER.glob(f"*/{INDEX}")))


def folder(name: str) -> Path:
    """Where a model lies, for `Characters.load`.

    Raises:
        ValueError: there is no model of this name.
    """
    if name not in NAMES:
        raise ValueError(f"no model called {name!r} comes with the package; choose one of {NAMES}")
    return FOLDER / name


def load(name: str, path: str | None = None) -> LanguageModel:
    """A model in float32, ready for evaluation; `path` is how a feedback model runs.

    Raises:
        ValueError: there is no model of this name.
    """
    return LanguageModel.load(folder(name), path).float()


def training(name: str) -> dict:
    """How a model was trained, as the head of this module lists it.

    Raises:
        ValueError: there is no model of this name.
    """
    return read_json(folder(name) / TRAINING)
