"""Why a model that reads its whole memory loses the state beyond the trained length.

The models that `length-s3` and `length-parity` kept are asked again, with one thing changed each
time and no training. `make results ONLY=length-why` writes what comes out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from length import TRAINED
from record import write_result
from runs import count
from torch import Tensor

from feedback.cache import Memory
from feedback.language_model import LanguageModel
from feedback.machine import describe_machine
from feedback.pretrained import trackers
from feedback.tasks import TASKS

ASKED = 8 * TRAINED  # tokens
ENDS = tuple(range(TRAINED, ASKED + 1, TRAINED))
STEP = 24  # after so many tokens vectors of the memory are exchanged
EXCHANGED = (1, 2, 4, 8)  # of the last vectors


def looking_back(model: LanguageModel, size: int) -> LanguageModel:
    """The same weights, reading the last `size` memory vectors only."""
    cut = LanguageModel(replace(model.config, memory_size=size))
    cut.load_state_dict(model.state_dict())
    return cut


def trained_distances_only(model: LanguageModel) -> LanguageModel:
    """Far vectors share the farthest distance that was trained, and not one that is still zero.

    Rows of T tokens have T - 1 distances.
    """
    near = LanguageModel(replace(model.config, max_distance=TRAINED - 1))
    weights = model.state_dict()
    for name in weights:
        if name.endswith(("attention.r", "attention.s")):
            weights[name] = weights[name][1:]  # the farthest comes first
    near.load_state_dict(weights)
    return near


def as_trained(model: LanguageModel) -> LanguageModel:
    return model


CHANGES: dict[str, Callable[[LanguageModel], LanguageModel]] = {
    "as trained": as_trained,
    "trained distances only": trained_distances_only,
    f"last {TRAINED - 1}": lambda model: looking_back(model, TRAINED - 1),
    "last 16": lambda model: looking_back(model, 16),
    "last 8": lambda model: looking_back(model, 8),
    "last 4": lambda model: looking_back(model, 4),
    "last 2": lambda model: looking_back(model, 2),
    "last 1": lambda model: looking_back(model, 1),
}


@torch.no_grad()
def follows_the_donor(model: LanguageModel, task: str, last: int) -> dict[str, int]:
    """Exchange the last vectors of the memory with those of another row: whose state is it then?

    Each row reads `STEP` tokens, gets the last vectors from the row after it in the batch, and
    reads one more token. Rows in the same state as their donor are left out.

    Returns:
        How many answers continue the donor's state, how many the row's own, of how many.
    """
    found = {"donor": 0, "own": 0, "pairs": 0}
    for inputs, labels in TASKS[task].held_out(STEP + 1):
        _, memory = model(inputs[:, :STEP], return_memory=True)
        answers = model.step(inputs[:, STEP], exchanged(memory, last))[0].argmax(-1)  # (B,)
        state = labels[:, STEP - 1]
        donor = TASKS[task].product[state.roll(-1), inputs[:, STEP]]  # the donor's state, one on
        own, differ = labels[:, STEP], state != state.roll(-1)
        found["donor"] += (answers == donor)[differ].sum().item()
        found["own"] += (answers == own)[differ].sum().item()
        found["pairs"] += differ.sum().item()
    return found


def exchanged(memory: Memory, last: int) -> Memory:
    """The memory with the last vectors' keys and values taken from the next row of the batch."""

    def exchange(x: Tensor) -> Tensor:  # (B, H, n, k)
        first = x.shape[2] - last
        return torch.cat([x[:, :, :first], x.roll(-1, dims=0)[:, :, first:]], dim=2)

    return memory.changed(exchange)


def ask_why() -> None:
    """Ask all kept models, and write `length-why.json`."""
    rows = []
    for task, size in trackers.KEPT:
        for seed in trackers.SEEDS:
            model = trackers.load(task, size, seed)
            row = {"task": task, "memory_size": size, "seed": seed, "changes": {}}
            for name, change in CHANGES.items() if size is None else [("as trained", as_trained)]:
                found = count(change(model), TASKS[task].held_out(ASKED), ENDS)
                row["changes"][name] = {k: found[k] for k in ("right", "answers")}
            row["exchanged"] = {
                last: follows_the_donor(model, task, last)
                for last in EXCHANGED
                if size is None or last <= size
            }
            rows.append(row)
            print(f"{task}, memory {size or 'all'}, seed {seed}", flush=True)
    write_result(
        "length-why",
        "Why is the state lost beyond the trained length?",
        machine=describe_machine(),
        ends=ENDS,
        exchanged_after=STEP,
        models=rows,
    )
