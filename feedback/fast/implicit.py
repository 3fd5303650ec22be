"""Exact gradients by passes: forward until nothing moves, then back until nothing moves.

Memory vectors at rest satisfy M = G(M), where a pass is G and reads M for its outputs y too. So the
gradient m̄ of the loss with respect to M satisfies an equation of its own, in which a bar means
gradient and Jᵀ is the way back through one pass:

    m̄ = m̄_direct + (∂y/∂M)ᵀ ȳ + Jᵀ m̄

It is solved as the other is: by going back through one and the same pass again and again, until m̄
rests. A pass carries what it knows one step forward at least, and a way back one step backward, so
that both rest after T at the latest. Only then are the gradients of the weights made, once. No
activations are kept but those of one pass. Chapter 12.

Shapes: B batch, T steps, d width, H heads, n steps carried over, k = d / H.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from feedback.cache import Memory
from feedback.fast.dropout import LayerMasks
from feedback.fast.passes import (
    Pass,
    Segment,
    begin,
    checked_tolerance,
    one_pass,
    remember,
    settle,
)


@dataclass
class Work:
    """How much was done; one forward pass is the forward half of a parallel model of this size.

    Attributes:
        forward: passes until the memory vectors rested.
        backward: ways back until their gradient rested, as of the last time one was asked for; 0
            before that.
    """

    forward: int
    backward: int = 0

    @property
    def parallel_steps(self) -> float:
        """The cost in training steps of a parallel model, each of which is worth three passes.

        One more pass keeps its activations, and the gradients of the weights take two.
        """
        return (self.forward + self.backward + 3) / 3


class Solution(NamedTuple):
    """What `solve` gives.

    Attributes:
        outputs: (B, T, d), as the model itself gives them, with its gradient.
        memory: what the next segment starts from, with its gradient.
        work: how many passes it took; complete after the way back.
    """

    outputs: Tensor
    memory: Memory
    work: Work


class FixedPoint(torch.autograd.Function):
    """The memory vectors at rest and the states that go with them, as one node of autograd's graph.

    Takes what is solved, the embeddings (B, T, d), keys and values that were carried over, (B, H,
    n, k) each, and all parameters that learn. Gives states and memory vectors, (B, T, d) each.
    """

    @staticmethod
    def forward(ctx, solving: Solving, *inputs: Tensor):
        found = solving.rest(inputs)
        ctx.solving, ctx.found = solving, found
        return found.states.detach(), found.vectors.detach()

    @staticmethod
    def backward(ctx, d_states: Tensor, d_vectors: Tensor):
        if torch.is_grad_enabled():  # what is returned here would count as a constant
            raise RuntimeError(
                "the gradient of a gradient (create_graph=True) is not there by passes: run the "
                "model itself, with path='loop'"
            )
        return None, *ctx.solving.back(ctx.found, d_states, d_vectors)


class Solving:
    """One segment under way, forward and back.

    Attributes:
        given: the memory vectors that the last pass reads, cut from what they came from.
        inputs: what gradients are wanted for, in the order of `FixedPoint`.
    """

    def __init__(self, segment: Segment, tolerance: float):
        self.segment, self.tolerance, self.work = segment, tolerance, Work(0)
        self.parameters = [p for p in segment.model.parameters() if p.requires_grad]

    def rest(self, inputs: Sequence[Tensor]) -> Pass:
        """Pass until nothing moves, and once more with a graph of its own."""
        most = inputs[0].shape[1]
        last, _, self.work.forward = settle(self.segment, self.tolerance, most)
        self.given = last.vectors.requires_grad_()
        sets = len(self.segment.memory.keys)
        cut = [z.detach().requires_grad_(z.requires_grad) for z in inputs[: 1 + 2 * sets]]
        x, keys, values = cut[0], tuple(cut[1 : 1 + sets]), tuple(cut[1 + sets :])
        self.inputs = [*cut, *self.parameters]
        memory = Memory(keys, values, self.segment.memory.config)
        with torch.enable_grad():
            return one_pass(self.segment._replace(x=x, memory=memory), self.given)

    def back(self, found: Pass, d_states: Tensor, d_vectors: Tensor) -> list[Tensor | None]:
        """The gradients of the inputs, from those of states and memory vectors."""
        direct = d_vectors + self.to_given(found.states, d_states)
        gradient, self.work.backward = direct, 1
        for _ in range(direct.shape[1]):
            new = direct + self.to_given(found.vectors, gradient)
            moved = (new - gradient).norm(dim=-1).max() / new.norm(dim=-1).max()
            gradient, self.work.backward = new, self.work.backward + 1
            if not moved > self.tolerance:  # also where all of it is 0
                break
        wanted = [z for z in self.inputs if z.requires_grad]
        grads = iter(
            torch.autograd.grad(
                [found.states, found.vectors],
                wanted,
                [d_states, gradient],
                retain_graph=True,
                allow_unused=True,
            )
        )
        return [next(grads) if z.requires_grad else None for z in self.inputs]

    def to_given(self, result: Tensor, gradient: Tensor) -> Tensor:
        """From the gradient of a result of the last pass to that of the vectors it has read."""
        (found,) = torch.autograd.grad(
            result, self.given, gradient, retain_graph=True, allow_unused=True
        )
        return torch.zeros_like(self.given) if found is None else found


def solve(
    model: nn.Module,
    x: Tensor,
    memory: Memory | None = None,
    masks: Sequence[LayerMasks] | None = None,
    tolerance: float | None = None,
) -> Solution:
    """Outputs (B, T, d) and memory by passes, with the gradients that the model itself has.

    It is the reference for training by fewer passes, whose gradients are not these.

    Args:
        model, x, memory, masks: as `passes.begin` takes them.
        tolerance: how far the last pass may still have moved a memory vector, relative to its
            length, and the last way back its gradient; None: 64 units in the last place.

    Raises:
        TypeError, ValueError: as `passes.begin`, or tolerance is out of range.
        RuntimeError: on the way back, where a gradient of a gradient is asked for.
    """
    segment = begin(model, x, memory, masks)
    if tolerance is None:
        tolerance = 64 * torch.finfo(x.dtype).eps
    solving = Solving(segment, checked_tolerance(tolerance))
    past = segment.memory.keys + segment.memory.values
    states, vectors = FixedPoint.apply(solving, x, *past, *solving.parameters)
    return Solution(model.norm(states), remember(segment, vectors), solving.work)
