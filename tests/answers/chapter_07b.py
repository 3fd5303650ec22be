"""Answers to the exercises of chapter 7b."""

import numpy
import torch

from answers import to

# 7.2


def normed(x, eps):
    """The normalised vector and 1 / its deviation."""
    centred = x - x.mean(-1, keepdim=True)
    scale = (centred.square().mean(-1, keepdim=True) + eps).rsqrt()
    return centred * scale, scale


def mean(x):
    return x.mean(-1, keepdim=True)


@to("7.2")
def by_the_jacobian(grad, x, eps):
    z, scale = normed(x, eps)
    d = x.shape[-1]
    project = torch.eye(d) - 1 / d - z[..., :, None] * z[..., None, :] / d
    return (project @ grad[..., None])[..., 0] * scale


@to("7.2")
def with_variance_by_torch(grad, x, eps):
    deviation = (x.var(-1, correction=0, keepdim=True) + eps).sqrt()
    z = (x - mean(x)) / deviation
    d_centred = (grad - z * mean(grad * z)) / deviation
    return d_centred - mean(d_centred)


@to("7.2")
def by_numpy_in_parts(grad, x, eps):
    grad, x = grad.numpy(), x.numpy()
    n, c = x.shape[-1], x - x.mean(-1, keepdims=True)
    variance = (c**2).mean(-1, keepdims=True) + eps
    d_variance = (grad * c).sum(-1, keepdims=True) * -0.5 * variance**-1.5
    d_c = grad * variance**-0.5 + d_variance * 2 * c / n
    return torch.tensor(d_c - d_c.mean(-1, keepdims=True), dtype=torch.float32)


@to("7.2")
def by_the_kernel(grad, x, eps):
    size = x.shape[-1:]
    _, mean, scale = torch.native_layer_norm(x, size, None, None, eps)
    want = [True, False, False]
    kernel = torch.ops.aten.native_layer_norm_backward
    return kernel(grad, x, size, mean, scale, None, None, want)[0]


@to("7.2", wrong="mean and deviation depend on x as well")
def scale_alone(grad, x, eps):
    return grad * normed(x, eps)[1]


@to("7.2", wrong="you took care of the mean")
def mean_alone(grad, x, eps):
    return (grad - mean(grad)) * normed(x, eps)[1]


@to("7.2", wrong="you took care of the deviation")
def deviation_alone(grad, x, eps):
    z, scale = normed(x, eps)
    return (grad - mean(grad * z) * z) * scale


@to("7.2", wrong="stretching x makes its gradient smaller")
def not_divided(grad, x, eps):
    z, _ = normed(x, eps)
    return grad - mean(grad) - mean(grad * z) * z


@to("7.2", wrong="that multiplies with it")
def multiplied(grad, x, eps):
    z, scale = normed(x, eps)
    return (grad - mean(grad) - mean(grad * z) * z) / scale


@to("7.2", wrong="not by the variance")
def by_the_variance(grad, x, eps):
    z, scale = normed(x, eps)
    return (grad - mean(grad) - mean(grad * z) * z) * scale**2


@to("7.2", wrong="those are sums")
def sums(grad, x, eps):
    z, scale = normed(x, eps)
    return (grad - grad.sum(-1, keepdim=True) - (grad * z).sum(-1, keepdim=True) * z) * scale


@to("7.2", wrong="eps is part of the deviation")
def no_eps(grad, x, eps):
    return with_variance_by_torch(grad, x, 0)


@to("7.2", wrong="the eps that is handed in")
def eps_of_its_own(grad, x, eps):
    return with_variance_by_torch(grad, x, 1e-5)


@to("7.2", wrong="eps stands under the root")
def eps_outside(grad, x, eps):
    c = x - mean(x)
    scale = 1 / (mean(c**2).sqrt() + eps)
    return (grad - mean(grad) - mean(grad * c * scale) * c * scale) * scale


@to("7.2", wrong="not by d - 1")
def unbiased(grad, x, eps):
    scale = (x.var(-1, keepdim=True) + eps).rsqrt()
    z = (x - mean(x)) * scale
    return (grad - mean(grad) - mean(grad * z) * z) * scale


@to("7.2", wrong="both parts are subtracted")
def added(grad, x, eps):
    z, scale = normed(x, eps)
    return (grad + mean(grad) + mean(grad * z) * z) * scale


@to("7.2", wrong="over the last axis, not over axis 0")
def over_the_first(grad, x, eps):
    z, scale = normed(x, eps)
    return (grad - grad.mean(0) - (grad * z).mean(0) * z) * scale


@to("7.2", wrong="every vector has its own norm")
def over_all(grad, x, eps):
    z, scale = normed(x, eps)
    return (grad - grad.mean() - (grad * z).mean() * z) * scale


@to("7.2", wrong="goes along the normalised vector, not along x")
def along_x(grad, x, eps):
    z, scale = normed(x, eps)
    return (grad - mean(grad) - mean(grad * z) * x) * scale


@to("7.2", wrong="made with the normalised vector, not with x")
def made_with_x(grad, x, eps):
    _, scale = normed(x, eps)
    return (grad - mean(grad) - mean(grad * x) * x) * scale


@to("7.2", wrong="multiply with it again")
def no_direction(grad, x, eps):
    z, scale = normed(x, eps)
    return (grad - mean(grad) - mean(grad * z)) * scale


@to("7.2", wrong="the way there")
def forward(grad, x, eps):
    return normed(x, eps)[0]


@to("7.2", wrong="the gradient you were given")
def handed_on(grad, x, eps):
    return grad


@to("7.2", wrong="shape (2, 3, 1)")
def summed_up(grad, x, eps):
    return mean(by_the_jacobian(grad, x, eps))


@to("7.2", wrong="without autograd")
def by_autograd(grad, x, eps):
    with torch.enable_grad():
        x.requires_grad_()
        normed(x, eps)[0].backward(grad)
    return x.grad


@to("7.2", wrong="changes its `x`")
def in_place(grad, x, eps):
    x -= mean(x)
    return by_the_jacobian(grad, x, eps)


# 7.5


@to("7.5")
def with_masks(grad, z, W_1, W_3, W_2):
    inner, gate = torch.mm(z, W_1), torch.mm(z, W_3)
    on = (inner > 0).to(inner.dtype)
    hidden = inner * on * gate
    d_hidden = torch.mm(grad, W_2.t())
    d_gate, d_inner = d_hidden * inner * on, d_hidden * gate * on
    d_z = d_inner.mm(W_1.t()) + d_gate.mm(W_3.t()) + grad
    return [d_z, z.t().mm(d_inner), z.t().mm(d_gate), hidden.t().mm(grad)]


@to("7.5")
def with_einsum(grad, z, W_1, W_3, W_2):
    inner = torch.einsum("bd,df->bf", z, W_1).clamp(min=0)
    gate = torch.einsum("bd,df->bf", z, W_3)
    d_hidden = torch.einsum("bd,fd->bf", grad, W_2)
    d_inner = torch.where(inner > 0, d_hidden * gate, 0)
    d_z = torch.einsum("bf,df->bd", d_inner, W_1) + torch.einsum("bf,df->bd", d_hidden * inner, W_3)
    d_W_1 = torch.einsum("bd,bf->df", z, d_inner)
    d_W_3 = torch.einsum("bd,bf->df", z, d_hidden * inner)
    return grad + d_z, d_W_1, d_W_3, torch.einsum("bf,bd->fd", inner * gate, grad)


@to("7.5")
def row_by_row(grad, z, W_1, W_3, W_2):
    grad, z, W_1, W_3, W_2 = (x.float() for x in (grad, z, W_1, W_3, W_2))
    d_z, d_1, d_3, d_2 = grad.clone(), 0 * W_1, 0 * W_3, 0 * W_2
    for b in range(len(z)):
        inner, gate, back = z[b] @ W_1, z[b] @ W_3, W_2 @ grad[b]
        opened = inner.relu()
        d_1 += torch.outer(z[b], back * gate * inner.sign().relu())
        d_3 += torch.outer(z[b], back * opened)
        d_2 += torch.outer(opened * gate, grad[b])
        d_z[b] += W_1 @ (back * gate * inner.sign().relu()) + W_3 @ (back * opened)
    return d_z, d_1, d_3, d_2


def gated(wrong):
    """Right, but for what `change(found, grad, z, W_1, W_3, W_2, inner, gate, d_hidden)` gives."""

    def register(change):
        def gated_backward(grad, z, W_1, W_3, W_2):
            found = with_masks(grad, z, W_1, W_3, W_2)
            given = grad, z, W_1, W_3, W_2, z @ W_1, z @ W_3, grad @ W_2.T
            return change(found, *given)

        gated_backward.__name__ = change.__name__
        to("7.5", wrong=wrong)(gated_backward)
        return change

    return register


@gated("W_2: the hidden vector is the product; the gate is missing")
def no_gate(found, grad, z, W_1, W_3, W_2, inner, gate, d_hidden):
    return *found[:3], inner.relu().T @ grad


@gated("W_2: the relu is missing in the hidden vector")
def no_relu(found, grad, z, W_1, W_3, W_2, inner, gate, d_hidden):
    return *found[:3], (inner * gate).T @ grad


@gated("W_2: a sum over the batch, not its mean")
def mean_over_the_batch(found, grad, z, W_1, W_3, W_2, inner, gate, d_hidden):
    return *found[:3], found[3] / len(z)


@gated("W_2: the relu belongs to z W_1")
def relu_on_the_gate(found, grad, z, W_1, W_3, W_2, inner, gate, d_hidden):
    return with_masks(grad, z, W_3, W_1, W_2)


@gated("W_1: one factor's gradient is multiplied by the other: the gate is missing")
def one_factor(found, grad, z, W_1, W_3, W_2, inner, gate, d_hidden):
    return found[0], z.T @ (d_hidden * (inner > 0)), *found[2:]


@gated("the relu lets nothing back where its input was negative")
def relu_not_undone(found, grad, z, W_1, W_3, W_2, inner, gate, d_hidden):
    d_inner, d_gate = d_hidden * gate, d_hidden * inner.relu()
    d_z = grad + d_inner @ W_1.T + d_gate @ W_3.T
    return d_z, z.T @ d_inner, z.T @ d_gate, found[3]


@gated("the relu looks at z W_1, not at the gradient")
def relu_of_the_gradient(found, grad, z, W_1, W_3, W_2, inner, gate, d_hidden):
    return found[0], z.T @ (d_hidden * gate).relu(), *found[2:]


@gated("the relu looks at z W_1, not at the gate")
def relu_by_the_gate(found, grad, z, W_1, W_3, W_2, inner, gate, d_hidden):
    return found[0], z.T @ (d_hidden * gate * (gate > 0)), *found[2:]


@gated("not at its product with the gate")
def relu_by_the_product(found, grad, z, W_1, W_3, W_2, inner, gate, d_hidden):
    return found[0], z.T @ (d_hidden * gate * (inner.relu() * gate > 0)), *found[2:]


@gated("W_3: the other factor is relu(z W_1), not z W_1")
def other_factor(found, grad, z, W_1, W_3, W_2, inner, gate, d_hidden):
    return *found[:2], z.T @ (d_hidden * inner), found[3]


@gated("W_3: one factor's gradient")
def gate_alone(found, grad, z, W_1, W_3, W_2, inner, gate, d_hidden):
    return *found[:2], z.T @ d_hidden, found[3]


@gated("z: the residual stream is missing")
def no_residual(found, grad, z, W_1, W_3, W_2, inner, gate, d_hidden):
    return found[0] - grad, *found[1:]


@gated("z: the gate's way to z is missing")
def no_way_by_the_gate(found, grad, z, W_1, W_3, W_2, inner, gate, d_hidden):
    return found[0] - (d_hidden * inner.relu()) @ W_3.T, *found[1:]


@gated("z: the way through W_1 is missing")
def no_way_by_the_relu(found, grad, z, W_1, W_3, W_2, inner, gate, d_hidden):
    return grad + (d_hidden * inner.relu()) @ W_3.T, *found[1:]


@gated("W_1: that is the gradient of W_3")
def exchanged(found, grad, z, W_1, W_3, W_2, inner, gate, d_hidden):
    return found[0], found[2], found[1], found[3]


@gated("W_2: (3, 5), not (5, 3): transposed")
def turned(found, grad, z, W_1, W_3, W_2, inner, gate, d_hidden):
    return *found[:3], found[3].T


@gated("return 4 gradients, in the order z, W_1, W_3, W_2")
def weights_alone(found, grad, z, W_1, W_3, W_2, inner, gate, d_hidden):
    return found[1:]


@gated("z: its gradient is of type NoneType")
def nothing_for_z(found, grad, z, W_1, W_3, W_2, inner, gate, d_hidden):
    return None, *found[1:]


@to("7.5", wrong="without autograd")
def gated_by_autograd(grad, z, W_1, W_3, W_2):
    with torch.enable_grad():
        parts = [x.requires_grad_() for x in (z, W_1, W_3, W_2)]
        x = z + ((z @ W_1).relu() * (z @ W_3)) @ W_2
    return torch.autograd.grad(x, parts, grad)


@to("7.5", wrong="changes its `grad`")
def into_grad(grad, z, W_1, W_3, W_2):
    found = with_masks(grad, z, W_1, W_3, W_2)
    grad += found[0]
    return found


# 7.6


def flat(x):
    return x.reshape(-1)


@to("7.6")
def by_unit_vectors(f, x, eps):
    steps = eps * torch.eye(x.numel(), dtype=x.dtype)
    slopes = [(f(x + s.view_as(x)) - f(x - s.view_as(x))) / 2 / eps for s in steps]
    return torch.stack(slopes).view_as(x)


@to("7.6")
def in_place_and_back(f, x, eps):
    slopes = []
    for i in range(x.numel()):
        kept = x.view(-1)[i].item()
        x.view(-1)[i] = kept + eps
        up = f(x).item()
        x.view(-1)[i] = kept - eps
        down = f(x).item()
        x.view(-1)[i] = kept
        slopes.append((up - down) / (2 * eps))
    return torch.tensor(slopes).reshape(x.shape)


@to("7.6")
def by_numpy(f, x, eps):
    found = numpy.zeros(x.shape)
    for place in numpy.ndindex(*x.shape):
        up, down = x.clone(), x.clone()
        up[place] += eps
        down[place] -= eps
        found[place] = 0.5 * (f(up) - f(down)) / eps
    return torch.from_numpy(found)


@to("7.6")
def mean_of_both_sides(f, x, eps):
    here, found = f(x), torch.empty_like(x)
    for i in range(x.numel()):
        moved = x.clone()
        moved.view(-1)[i] += eps
        up = (f(moved) - here) / eps
        moved.view(-1)[i] -= 2 * eps
        found.view(-1)[i] = (up + (here - f(moved)) / eps) / 2
    return found


def differences(wrong):
    """All slopes by unit vectors, each as `slope(f, x, step, eps)` says."""

    def register(slope):
        def finite_differences(f, x, eps):
            steps = eps * torch.eye(x.numel(), dtype=x.dtype).view(-1, *x.shape)
            return torch.stack([slope(f, x, step, eps) for step in steps]).view_as(x)

        finite_differences.__name__ = slope.__name__
        to("7.6", wrong=wrong)(finite_differences)
        return slope

    return register


@differences("up and down lie 2 eps apart")
def by_eps(f, x, step, eps):
    return (f(x + step) - f(x - step)) / eps


@differences("go down as well")
def up_alone(f, x, step, eps):
    return (f(x + step) - f(x)) / eps


@differences("go up as well")
def down_alone(f, x, step, eps):
    return (f(x) - f(x - step)) / eps


@differences("not the other way round")
def down_minus_up(f, x, step, eps):
    return (f(x - step) - f(x + step)) / (2 * eps)


@differences("divide by how far up and down lie apart")
def difference_alone(f, x, step, eps):
    return f(x + step) - f(x - step)


@differences("divides by 2 and multiplies with eps")
def half_times_eps(f, x, step, eps):
    return (f(x + step) - f(x - step)) / 2 * eps


@differences("which is 2 eps")
def divided_by_two(f, x, step, eps):
    return (f(x + step) - f(x - step)) / 2


@differences("once too often")
def divided_twice(f, x, step, eps):
    return (f(x + step) - f(x - step)) / (2 * eps**2)


@differences("that is half of it")
def by_four(f, x, step, eps):
    return (f(x + step) - f(x - step)) / (4 * eps)


@differences("not their sum")
def plus(f, x, step, eps):
    return (f(x + step) + f(x - step)) / (2 * eps)


@differences("not by eps")
def step_of_its_own(f, x, step, eps):
    step = step / eps * 1e-6
    return (f(x + step) - f(x - step)) / 2e-6


@differences("not by eps")
def half_steps(f, x, step, eps):
    return (f(x + step / 2) - f(x - step / 2)) / eps


@differences("move one at a time")
def all_together(f, x, step, eps):
    return (f(x + eps) - f(x - eps)) / (2 * eps)


@to("7.6", wrong="is one put back before the next one moves?")
def not_put_back(f, x, eps):
    found, moved = torch.zeros_like(x), x.clone()
    for i in range(x.numel()):
        moved.view(-1)[i] += eps
        up = f(moved)
        moved.view(-1)[i] -= 2 * eps
        found.view(-1)[i] = (up - f(moved)) / (2 * eps)
    return found


@to("7.6", wrong="no number is moved")
def not_moved(f, x, eps):
    return torch.stack([(f(x) - f(x)) / (2 * eps) for _ in range(x.numel())]).view_as(x)


@to("7.6", wrong="f is called on something else")
def numbers_alone(f, x, eps):
    return torch.stack([(f(one + eps) - f(one - eps)) / (2 * eps) for one in x.flatten()])


@to("7.6", wrong="shape (6,), not (2, 3)")
def in_a_row(f, x, eps):
    return by_unit_vectors(f, x, eps).flatten()


@to("7.6", wrong="not a tensor")
def as_a_list(f, x, eps):
    return by_unit_vectors(f, x, eps).tolist()


@to("7.6", wrong="find the slopes by calling f")
def differentiated(f, x, eps):
    with torch.enable_grad():
        moving = x.clone().requires_grad_()
        return torch.autograd.grad(f(moving), moving)[0]


@to("7.6", wrong="changes its `x`")
def x_moves(f, x, eps):
    found = by_unit_vectors(f, x, eps)
    x += eps
    return found


@to("7.6", wrong="x of shape (5,)")
def matrices_only(f, x, eps):
    found = torch.zeros_like(x)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            step = torch.zeros_like(x)
            step[i, j] = eps
            found[i, j] = (f(x + step) - f(x - step)) / (2 * eps)
    return found
