"""Training on rows of a task until it is solved, and accuracy position by position.

Built in chapter 3. Shapes: B batch, T tokens.
"""

from __future__ import annotations

import time

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from feedback.language_model import LanguageModel
from feedback.tasks import Task
from feedback.training import Settings
from feedback.training.settings import length_after

SOLVED = 0.03  # nats a label: training on rows stops when the loss at full length is below


def train_rows(model: LanguageModel, task: Task, settings: Settings) -> None:
    """Train until the loss is below `SOLVED` at full length, or for `settings.steps` updates.

    Rows are short at first. Every `settings.lengthen_every` updates the mean loss decides how long
    the next ones are; see `feedback.training.settings.length_after`. The learning rate stays as it
    is. Progress is printed.

    Args:
        model: changed in place; with (B, T) tokens as input and (B, T, V) logits as output.
        task: labels every position.
        settings: `warm_up`, `weight_decay` and what is about evaluations and checkpoints is not
            used.

    Raises:
        ValueError: the settings have no `start_length`, or no `lengthen_every`.
    """
    length, every = settings.start_length, settings.lengthen_every
    if length is None or every is None:
        raise ValueError("rows that grow need start_length, lengthen_below and lengthen_every")
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings.learning_rate)
    generator, start = torch.Generator().manual_seed(settings.seed), time.perf_counter()
    losses, means = [], []
    for step in range(1, settings.steps + 1):
        inputs, labels = task.batch(settings.batch_size, length, generator)  # (B, T)
        loss = F.cross_entropy(model(inputs).flatten(0, 1), labels.flatten())
        losses.append(loss.item())
        if step % every == 0:
            means.append(sum(losses[-every:]) / every)
            full = length == settings.sequence_length
            solved = full and max(means[-1], losses[-1]) < SOLVED
            if solved or len(means) % 5 == 0:
                taken = time.perf_counter() - start
                print(f"  step {step}: loss {means[-1]:.3f} on {length} tokens, {taken:.0f} s")
            if solved:
                break  # before the update: the loss is that of the weights that are kept
            length = length_after(length, means[-1], means[0], settings)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), settings.clip)
        optimizer.step()


@torch.no_grad()
def accuracy(model: LanguageModel, task: Task, length: int) -> Tensor:
    """The share of right answers at each position, over 512 held-out rows of T = `length` tokens.

    Returns:
        (T,) float32, between 0 and 1.
    """
    right = [(model(x).argmax(-1) == y).float() for x, y in task.held_out(length)]
    return torch.cat(right).mean(0)
