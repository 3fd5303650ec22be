"""Checks of chapter 7b, the way back."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from feedback.notebook.checks.by_hand import expect_gradients, without_autograd
from feedback.notebook.checks.comparing import Slips, likely, near
from feedback.notebook.checks.verdict import exercise, expect, when


@exercise("7.2")
def check_norm(norm_backward: Callable) -> None:
    own = torch.Generator().manual_seed(0)
    for shape, eps in (((2, 3, 6), 0.1), ((2, 3, 6), 1e-5), ((4, 5), 0.5), ((7,), 0.2)):
        x, grad = torch.randn(2, *shape, dtype=torch.double, generator=own)
        x = 3 * x + 1
        with when(f"x of shape {shape}, eps = {eps}"):
            with without_autograd():
                found = norm_backward(grad.clone(), x.clone(), eps)
            expect(isinstance(found, Tensor), f"that is a {type(found).__name__}, not a tensor")
            expect(found.shape == shape, f"shape {tuple(found.shape)}, not {shape}")
            moving = x.clone().requires_grad_()
            normed = functional.layer_norm(moving, shape[-1:], eps=eps)
            (true,) = torch.autograd.grad(normed, moving, grad)
            if not near(found, true):
                named = likely(found, slips_of_norm(grad, x, eps), "")
                constant = "adding a constant to x changes nothing, so a gradient of x sums to 0"
                zero = near(found.sum(-1), torch.zeros(shape[:-1]))
                bend = "it sums to 0, as it should; how does the deviation move when one x_i moves?"
                expect(False, named or (bend if zero else constant))


def average(z: Tensor) -> Tensor:
    """The mean over the last dimension, which stays: (..., d) -> (..., 1)."""
    return z.mean(-1, keepdim=True)


def slips_of_norm(grad: Tensor, x: Tensor, eps: float) -> Slips:
    """Likely mistakes, each with what it would give, (..., d)."""
    centred, d = x - average(x), x.shape[-1]
    variance = average(centred**2)
    scale = (variance + eps).rsqrt()  # (..., 1)
    z = centred * scale
    constant, stretch = average(grad), average(grad * z) * z

    def with_scale(scale: Tensor, z: Tensor | None = None) -> Tensor:
        """Right, but for another scale."""
        z = centred * scale if z is None else z
        return (grad - average(grad) - average(grad * z) * z) * scale

    without_d = (centred.square().sum(-1, keepdim=True) / (d - 1) + eps).rsqrt()
    summed = (centred.square().sum(-1, keepdim=True) + eps).rsqrt()
    flat = (grad - grad.mean() - (grad * z).mean() * z) * scale
    along = "average over the last axis, not over axis"
    others = {
        f"{along} {i}": (grad - grad.mean(i, True) - (grad * z).mean(i, True) * z) * scale
        for i in range(x.dim() - 1)
    }
    return {
        "the sign": (constant + stretch - grad) * scale,
        "that is the norm itself, the way there": z,
        "that is the gradient you were given": grad,
        "mean and deviation depend on x as well": grad * scale,
        "divide by the deviation: stretching x makes its gradient smaller": (
            grad - constant - stretch
        ),
        "you took care of the mean; the deviation depends on x as well": (grad - constant) * scale,
        "you took care of the deviation; the mean depends on x as well": (grad - stretch) * scale,
        "both parts are averages over the d numbers; those are sums": (
            (grad - d * constant - d * stretch) * scale
        ),
        "the first part is an average over the d numbers, not a sum": (
            (grad - d * constant - stretch) * scale
        ),
        "the second part has an average over the d numbers, not a sum": (
            (grad - constant - d * stretch) * scale
        ),
        "eps is part of the deviation, the eps that is handed in": with_scale(variance.rsqrt()),
        "eps is part of the deviation, in the normalised vector too": with_scale(
            scale, centred * variance.rsqrt()
        ),
        "eps is added to the variance": with_scale((variance - eps).rsqrt()),
        "eps stands under the root, with the variance": with_scale(1 / (variance.sqrt() + eps)),
        "the variance is divided by d, not by d - 1": with_scale(without_d),
        "the variance is divided by d; that is the sum of squares": with_scale(summed),
        "the variance is made from x without its mean": with_scale((average(x**2) + eps).rsqrt()),
        "both parts are subtracted": (grad + constant + stretch) * scale,
        "the first part is subtracted": (grad + constant - stretch) * scale,
        "the second part is subtracted": (grad - constant + stretch) * scale,
        "divide by the deviation, not by the variance": (grad - constant - stretch) * scale**2,
        "divide by the deviation, once": (grad - constant - stretch) * scale**3,
        "divide by the deviation; that multiplies with it": (grad - constant - stretch) / scale,
        "all three parts are divided by the deviation; the first alone is": (
            grad * scale - constant - stretch
        ),
        "average over the last axis alone: every vector has its own norm": flat,
        "the second part goes along the normalised vector: multiply with it again": (
            (grad - constant - average(grad * z)) * scale
        ),
        "the second part averages over the d numbers, before it goes along the vector": (
            (grad - constant - grad * z * z) * scale
        ),
        "the second part asks how much of grad goes along the vector: grad is missing": (
            (grad - constant - average(z) * z) * scale
        ),
        "the second part goes along the normalised vector, not along x": (
            (grad - constant - average(grad * z) * x) * scale
        ),
        "the second part is made with the normalised vector, not with x": (
            (grad - constant - average(grad * x) * x) * scale
        ),
        "the normalised vector in the second part is the centred x times the scale": (
            (grad - constant - average(grad * centred) * centred) * scale
        ),
        "the normalised vector is x without its mean": with_scale(scale, x * scale),
    } | others


@exercise("7.5")
def check_gated(gated_backward: Callable) -> None:
    own = torch.Generator().manual_seed(0)
    for B, d, width in ((4, 3, 5), (1, 4, 6), (3, 7, 2)):
        shapes = dict(z=(B, d), W_1=(d, width), W_3=(d, width), W_2=(width, d))
        given = {
            name: torch.randn(shape, dtype=torch.double, generator=own)
            for name, shape in shapes.items()
        }
        grad = torch.randn(B, d, dtype=torch.double, generator=own)
        with when(f"B = {B}, d = {d}, F = {width}"):
            with without_autograd():
                found = gated_backward(grad, *(x.clone() for x in given.values()))
            slips, order = slips_of_gated(grad, **given), ("W_2", "W_1", "W_3", "z")
            expect_gradients(found, given, gated, grad, slips, order)


def gated(z: Tensor, W_1: Tensor, W_3: Tensor, W_2: Tensor) -> Tensor:
    """The gated feed-forward network with its residual, (B, d) -> (B, d)."""
    return z + ((z @ W_1).relu() * (z @ W_3)) @ W_2


def slips_of_gated(
    grad: Tensor, z: Tensor, W_1: Tensor, W_3: Tensor, W_2: Tensor
) -> dict[str, Slips]:
    """For each gradient: likely mistakes, each with what it would give."""
    inner, gate = z @ W_1, z @ W_3  # (B, F) each
    opened, positive, B = inner.relu(), inner > 0, len(z)
    d_hidden = grad @ W_2.T  # of the product
    d_inner, d_gate = d_hidden * gate * positive, d_hidden * opened
    through_1, through_3 = d_inner @ W_1.T, d_gate @ W_3.T
    return {
        "W_2": {
            "the hidden vector is the product; the gate is missing": opened.T @ grad,
            "the hidden vector is the product; relu(z W_1) is missing": gate.T @ grad,
            "the hidden vector is the product, not the sum": (opened + gate).T @ grad,
            "the hidden vector is the product, not a quotient": (opened / gate).T @ grad,
            "the relu is missing in the hidden vector": (inner * gate).T @ grad,
            "the gate has no relu of its own": (opened * gate.relu()).T @ grad,
            "the relu stands before the product": (inner * gate).relu().T @ grad,
            "a gate multiplies with relu(z W_1), not with 0 and 1": (positive * gate).T @ grad,
            "the relu belongs to z W_1: exchange W_1 and W_3": (inner * gate.relu()).T @ grad,
            "a sum over the batch, not its mean": (opened * gate).T @ grad / B,
            "the sign": -((opened * gate).T @ grad),
            "it gets a gradient too": torch.zeros_like(W_2),
        },
        "W_1": {
            "one factor's gradient is multiplied by the other: the gate is missing": (
                z.T @ (d_hidden * positive)
            ),
            "one factor's gradient is multiplied by the other; yours is added": (
                z.T @ ((d_hidden + gate) * positive)
            ),
            "one factor's gradient is multiplied by the other; yours is divided": (
                z.T @ (d_hidden / gate * positive)
            ),
            "the gradient that comes through W_2 is missing": z.T @ (gate * positive),
            "the relu lets nothing back where its input was negative": z.T @ (d_hidden * gate),
            "the relu lets the gradient through where its input was positive": (
                z.T @ (d_hidden * gate * (inner <= 0))
            ),
            "the relu lets back 0 or all of it, not as much as came out": (
                z.T @ (d_hidden * gate * opened)
            ),
            "the relu looks at z W_1, not at the gradient": z.T @ (d_hidden * gate).relu(),
            "the relu looks at z W_1, not at the gate": z.T @ (d_hidden * gate * (gate > 0)),
            "the relu looks at z W_1, not at its product with the gate": (
                z.T @ (d_hidden * gate * (opened * gate > 0))
            ),
            "a sum over the batch, not its mean": z.T @ d_inner / B,
            "the sign": -(z.T @ d_inner),
            "it gets a gradient too": torch.zeros_like(W_1),
        },
        "W_3": {
            "one factor's gradient is multiplied by the other: relu(z W_1) is missing": (
                z.T @ d_hidden
            ),
            "one factor's gradient is multiplied by the other; yours is added": (
                z.T @ (d_hidden + opened)
            ),
            "the gradient that comes through W_2 is missing": z.T @ opened,
            "the other factor is relu(z W_1), not the gate itself": z.T @ (d_hidden * gate),
            "the other factor is relu(z W_1), not z W_1": z.T @ (d_hidden * inner),
            "the other factor is relu(z W_1), not where it is positive": (
                z.T @ (d_hidden * positive)
            ),
            "the gate has no relu of its own": z.T @ (d_gate * (gate > 0)),
            "a sum over the batch, not its mean": z.T @ d_gate / B,
            "the sign": -(z.T @ d_gate),
            "it gets a gradient too": torch.zeros_like(W_3),
        },
        "z": {
            "the residual stream is missing": through_1 + through_3,
            "the gate's way to z is missing": grad + through_1,
            "the way through W_1 is missing": grad + through_3,
            "that is the gradient you were given": grad,
            "the residual stream comes in once, not twice": 2 * grad + through_1 + through_3,
            "three ways lead back to z: they are added": grad + through_1 - through_3,
            "three ways lead back to z, and all are added": grad - through_1 + through_3,
            "the residual stream is added": through_1 + through_3 - grad,
            "three ways lead back to z, and none is subtracted": grad - through_1 - through_3,
            "exchange W_1 and W_3 on the ways back to z": (grad + d_gate @ W_1.T + d_inner @ W_3.T),
            "the sign": -(grad + through_1 + through_3),
            "it gets a gradient too": torch.zeros_like(z),
        },
    }


@exercise("7.6")
def check_differences(finite_differences: Callable) -> None:
    x = torch.tensor([[0.5, -1.0, 2.0], [1.5, 0.75, -0.375]], dtype=torch.double)
    for given, eps in ((x, 2**-8), (x.flatten()[1:], 2**-7), (x[:1, None], 2**-9)):
        with when(f"x of shape {tuple(given.shape)}, eps = {eps}"):
            moves: list[Tensor] = []
            with without_autograd("find the slopes by calling f"):
                bent = bend(given.clone(), moves)
                found = finite_differences(bent, given.clone(), eps)
            check_moves(moves, eps)
            check_slopes(found, given, eps)


def bend(x: Tensor, moves: list[Tensor]) -> Callable:
    """A function of a tensor like x, which notes how far from x it is called."""

    def f(y: Tensor) -> Tensor:
        like = isinstance(y, Tensor) and y.shape == x.shape
        expect(like, "f is called on something else than a tensor of the shape of x")
        moves.append(y.detach() - x)
        return (y**3).sum() + (y.sum() ** 2 - (y**2).sum()) / 2

    return f


def slopes(x: Tensor) -> Tensor:
    """The gradient of what `bend` gives."""
    return 3 * x**2 + x.sum() - x


def check_moves(moves: list[Tensor], eps: float) -> None:
    """Does every call move one number, by eps up or down?"""
    expect(moves, "f is never called: its calls are all there is to go by")
    for i, move in enumerate(moves):
        moved = move[move != 0]
        if len(moved) > 1:
            all_at_once = len(moved) == move.numel() and i < 3
            one = "all numbers moved together; move one at a time"
            back = "two numbers are moved: is one put back before the next one moves?"
            expect(False, one if all_at_once else back)
        for by in moved.tolist():
            twice = abs(by) == 2 * eps
            hint = "; is it put back after going up?" if twice else ""
            expect(abs(by) == eps, f"a number is moved by {by:g}, not by eps{hint}")
    ups, downs = (any((sign * move > 0).any() for move in moves) for sign in (1, -1))
    expect(ups or downs, "no number is moved")
    expect(downs, "going up alone is off by the bend of f: go down as well")
    expect(ups, "going down alone is off by the bend of f: go up as well")


def check_slopes(found: object, x: Tensor, eps: float) -> None:
    """Are these the slopes of f at x?"""
    expect(isinstance(found, Tensor), f"that is a {type(found).__name__}, not a tensor")
    assert isinstance(found, Tensor)
    expect(found.shape == x.shape, f"shape {tuple(found.shape)}, not {tuple(x.shape)}")
    true = slopes(x)
    slips = {
        "up and down lie 2 eps apart, not eps": 2 * true,
        "that is half of it: up and down lie 2 eps apart, not 4 eps": true / 2,
        "divide by how far up and down lie apart": true * 2 * eps,
        "divide by how far up and down lie apart, which is 2 eps": true * eps,
        "divide by 2 eps: / 2 * eps divides by 2 and multiplies with eps": true * eps * eps,
        "divided by eps once too often": true / eps,
        "up minus down, not the other way round": -true,
        "up minus down, not their sum": sums_of_both(x, eps),
        "going up alone is off by the bend of f: go down as well": true + 3 * x * eps,
        "going down alone is off by the bend of f: go up as well": true - 3 * x * eps,
    }
    if not near(found, true):
        mine, wanted = found.flatten()[0].item(), true.flatten()[0].item()
        own = f"for the first number it is {mine:.4g}, and the slope is {wanted:.4g}"
        only_first = "the first number is right, and others are not"
        expect(False, likely(found, slips, only_first if abs(mine - wanted) < 1e-3 else own))


def sums_of_both(x: Tensor, eps: float) -> Tensor:
    """Up plus down over 2 eps, where up minus down is meant: like x."""
    f = bend(x, [])
    steps = eps * torch.eye(x.numel(), dtype=x.dtype).view(-1, *x.shape)
    return torch.stack([f(x + step) + f(x - step) for step in steps]).view(x.shape) / (2 * eps)
