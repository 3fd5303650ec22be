"""One update of the weights, and what measures its success: loss, accuracy, a baseline's accuracy.

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
    """AdamW whose weight decay is for matrices and tables, not for biases and other vectors."""
    matrices = [p for p in model.parameters() if p.dim() >= 2]
    vectors = [p for p in model.parameters() if p.dim() < 2]
    groups = [{"params": matrices}, {"params": vectors, "weight_decay": 0.0}]
    rate, decay = settings.learning_rate, settings.weight_decay
    return torch.optim.AdamW(groups, rate, weight_decay=decay)


def update(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    inputs: Tensor,
    labels: Tensor,
    clip: float,
) -> Tensor:
    """Change the weights once, to lower the loss of a batch.

    In a group of processes each computes with its share of the rows, and all end with the same
    weights.

    Args:
        model: from tokens (B, T) to logits (B, T, V), in training mode.
        optimizer: of the model's parameters, with the learning rate of this step.
        inputs, labels: (B, T) int64, on the model's device; places whose label is `NO_LABEL` do not
            count.
        clip: the largest L2 norm of the gradient; a longer one is shortened to it.

    Returns:
        The loss of the whole batch before the update, in nats a label: a tensor () on the model's
        device. To look at it is to wait until an accelerator has done all that it was given.
    """
    rank, processes = rank_and_world_size()
    labelled = (labels != NO_LABEL).sum().clamp(min=1)
    inputs, labels = inputs[rank::processes], labels[rank::processes]
    logits = model(inputs)  # (B, T, V)
    loss = F.cross_entropy(
        logits.flatten(0, 1),
        labels.flatten(),
        ignore_index=NO_LABEL,
        reduction="sum",
    )
    # The mean over processes, of gradients too, is then the mean over labels.
    loss = loss * (processes / labelled)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), clip)
    optimizer.step()
    loss = loss.detach()
    if processes > 1:
        distributed.all_reduce(loss, distributed.ReduceOp.SUM)
    return loss / processes


@torch.no_grad()
def evaluate(model: LanguageModel, batches: Iterable[tuple[Tensor, Tensor]]) -> tuple[float, float]:
    """Measure a model on batches that it is not trained on.

    Args:
        model: computes in evaluation mode, without dropout; its mode is put back after that.
        batches: inputs and labels, (B, T) int64 each; places whose label is `NO_LABEL` do not
            count.

    Returns:
        The mean loss in nats a label, and the accuracy: the share of the labels, between 0 and 1,
        that the model finds likeliest.

    Raises:
        ValueError: there is no label in any batch.
    """
    device = model.head.weight.device
    sums = torch.zeros(3, dtype=torch.float64, device=device)
    with evaluating(model):
        for inputs, labels in batches:
            inputs, labels = (x.to(device, non_blocking=True) for x in (inputs, labels))
            logits = model(inputs)  # (B, T, V)
            loss = F.cross_entropy(
                logits.flatten(0, 1), labels.flatten(), ignore_index=NO_LABEL, reduction="sum"
            )
            right = (logits.argmax(-1) == labels).sum()  # no label is the likeliest token
            sums += torch.stack([loss, right, (labels != NO_LABEL).sum()])
    total, right, labelled = sums.tolist()  # waits for an accelerator: once
    if not labelled:
        raise ValueError("there is no label in these batches, hence no mean over labels")
    return total / labelled, right / labelled


def baseline_accuracy(task: Task, batches: Iterable[tuple[Tensor, Tensor]]) -> float:
    """The share of the labels, between 0 and 1, that the task's rule without a state gets right.

    Args:
        batches: inputs and labels, (B, T) int64 each, with at least one label.
    """
    there = right = 0
    for inputs, labels in batches:
        labelled = labels != NO_LABEL
        right += (task.baseline(inputs, labels) == labels)[labelled].sum().item()
        there += labelled.sum().item()
    return right / there
