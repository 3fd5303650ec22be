"""One update of the weights, and the measures of what was learned: loss, accuracy, baseline.

Built in chapter 8. Shapes: B batch, T tokens, V tokens of the vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional as F

from feedback.language_model import LanguageModel, evaluating
from feedback.tasks import NO_LABEL, Task
from feedback.training.processes import rank_and_world_size
from feedback.training.settings import Settings


def adamw(model: nn.Module, settings: Settings) -> torch.optim.AdamW:
    """AdamW that lets biases, norms and other vectors keep their size."""
    matrices = [p for p in model.parameters() if p.dim() >= 2]
    vectors = [p for p in model.parameters() if p.dim() < 2]
    groups = [{"params": matrices}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, settings.learning_rate, weight_decay=settings.weight_decay)


def update(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    inputs: Tensor,
    labels: Tensor,
    clip: float,
) -> float:
    """Take one step on a batch (B, T) and return its mean loss, in nats a label.

    In a group of processes each takes its share of the rows.
    """
    rank, processes = rank_and_world_size()
    labelled = max(1, (labels != NO_LABEL).sum().item())
    inputs, labels = inputs[rank::processes], labels[rank::processes]
    logits = model(inputs)  # (B, T, V)
    loss = F.cross_entropy(
        logits.flatten(0, 1), labels.flatten(), ignore_index=NO_LABEL, reduction="sum"
    )
    loss = loss * (processes / labelled)  # the mean over processes, of gradients too, is the mean
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), clip)
    optimizer.step()
    loss = loss.detach()
    if processes > 1:
        distributed.all_reduce(loss, distributed.ReduceOp.SUM)
    return loss.item() / processes


@torch.no_grad()
def evaluate(model: LanguageModel, batches: Iterable[tuple[Tensor, Tensor]]) -> tuple[float, float]:
    """Mean loss in nats a label, and the part of the labels that the model finds likeliest.

    Raises:
        ValueError: there is no label in any batch.
    """
    loss = right = labelled = 0
    with evaluating(model):
        for inputs, labels in batches:
            labels = labels.to(model.head.weight.device)
            logits = model(inputs.to(labels.device))
            there = labels != NO_LABEL
            loss += F.cross_entropy(logits[there], labels[there], reduction="sum").item()
            right += (logits.argmax(-1) == labels)[there].sum().item()
            labelled += there.sum().item()
    if not labelled:
        raise ValueError("there is no label in these batches, hence no mean over labels")
    return loss / labelled, right / labelled


def baseline(task: Task, batches: Iterable[tuple[Tensor, Tensor]]) -> float:
    """The part of the labels that the task's rule without a state gets right."""
    there = right = 0
    for inputs, labels in batches:
        labelled = labels != NO_LABEL
        right += (task.baseline(inputs, labels) == labels)[labelled].sum().item()
        there += labelled.sum().item()
    return right / there
