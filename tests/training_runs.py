"""Small runs for the tests of training, and ways to look at what they leave."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from feedback import Config, LanguageModel, data
from feedback.training import Settings, train

WORDS = "the quick brown fox jumps over the lazy dog\n" * 30
# The quickest model to train. What holds for every model is tested with it; dropout is on, because
# its random numbers have to be the same after a stop.
CONFIG = Config("parallel", d_model=8, heads=2, n_layers=1, d_ff=8, max_distance=8, dropout=0.1)
SETTINGS = Settings(
    steps=6, batch_size=2, sequence_length=8, warm_up=1, evaluate_every=2, checkpoint_every=2
)


def text(length: int = 8) -> data.Text:
    return data.Text(data.Corpus(WORDS, "a pangram"), length)


def run(out: Path, settings: Settings = SETTINGS, config: Config = CONFIG, **more) -> list[dict]:
    return train(config, settings, text(settings.sequence_length), out, **more)


def interrupt_after(updates: int, update: Callable) -> Callable:
    """The function, which is interrupted, as by the keyboard, after so many calls."""
    left = iter(range(updates))

    def interrupted(*given):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return update(*given)

    return interrupted


def contents(folder: Path) -> dict[str, str]:
    """Every file of a folder with its SHA-256, but for the one that holds clock times."""
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.name != "times.jsonl"
    }


def json_lines(file: Path) -> list[dict]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def assert_finite(folder: Path) -> None:
    """Every JSON file of a run's folder is JSON, and whatever model it holds computes numbers."""
    for file in files_of_json(folder):
        json.loads(file, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    tokens = torch.tensor([[0, 1, 1, 0, 1]])
    for index in folder.rglob("model.json"):
        model = LanguageModel.load(index.parent)
        assert all(weight.isfinite().all() for weight in model.state_dict().values()), index
        with torch.no_grad():
            assert model(tokens).isfinite().all(), index
    for file in folder.rglob("training.safetensors"):
        assert all(tensor.isfinite().all() for tensor in load_file(file).values()), file


def files_of_json(folder: Path) -> Iterator[str]:
    for file in folder.rglob("*.json"):
        yield file.read_text()
    for file in folder.rglob("*.jsonl"):
        yield from file.read_text().splitlines()
