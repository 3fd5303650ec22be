"""For exercises in which a way back is written by hand: gradients, under the names of the inputs.

An answer gets the gradient of an output and the inputs, and returns the gradients of the inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from unittest.mock import patch

import torch
from torch import Tensor

from feedback.notebook.checks.comparing import Slips, likely, near
from feedback.notebook.checks.verdict import expect


@contextmanager
def without_autograd(instead: str = "write the way back yourself") -> Iterator[None]:
    """Inside, autograd may not be asked; a sentence says what to do instead."""

    def forbidden(*_, **__) -> None:
        expect(False, f"{instead}, without autograd")

    with (
        torch.no_grad(),
        patch("torch.autograd.grad", forbidden),
        patch("torch.autograd.backward", forbidden),
    ):
        yield


def expect_gradients(
    found: object,
    given: Mapping[str, Tensor],
    output: Callable[..., Tensor],
    grad: Tensor,
    slips: Mapping[str, Slips],
    order: Sequence[str],
) -> None:
    """Raise `Mistake` unless these are the gradients of all that is given.

    Args:
        found: what the answer returned.
        given: the inputs of `output`, under their names and in the order of the answer.
        output: the way there, which autograd can differentiate.
        grad: the gradient of the output.
        slips: for each input likely mistakes, and what gradient they give.
        order: in which order the inputs are looked at: a mistake often shows in several.
    """
    several = f"return {len(given)} gradients, in the order {', '.join(given)}"
    expect(isinstance(found, (tuple, list)) and len(found) == len(given), several)
    assert isinstance(found, (tuple, list))
    mine = dict(zip(given, found, strict=True))
    moving = {name: x.clone().requires_grad_() for name, x in given.items()}
    gradients = torch.autograd.grad(output(**moving), [*moving.values()], grad)
    true = dict(zip(given, gradients, strict=True))
    for name in order:
        one, wanted = mine[name], true[name]
        kind = f"{name}: its gradient is of type {type(one).__name__}, not a tensor"
        expect(isinstance(one, Tensor), kind)
        if near(one, wanted):
            continue
        for other in true:
            twin = near(true[other], wanted)
            expect(twin or not near(one, true[other]), f"{name}: that is the gradient of {other}")
        if one.shape != wanted.shape:
            turned = one.dim() == 2 and one.T.shape == wanted.shape
            hint = ": transposed" if turned else ""
            expect(False, f"{name}: {tuple(one.shape)}, not {tuple(wanted.shape)}{hint}")
        last = "the gradient is not autograd's: go through its equation term by term"
        expect(False, f"{name}: {likely(one, slips[name], last)}")
