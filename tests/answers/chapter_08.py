"""Answers to the exercises of chapter 8."""

import math
import statistics

import numpy
import torch
from torch import nn
from torch.nn import functional as F

from answers import to
from feedback.training.update import update


def mean_loss(logits, targets):
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


def clip_norm(model, clip):
    nn.utils.clip_grad_norm_(model.parameters(), clip)


def learn(model, optimizer, loss, clip, told=None):
    """Parts 3 to 6; give back what is told, or the loss."""
    optimizer.zero_grad()
    loss.backward()
    clip_norm(model, clip)
    optimizer.step()
    return (loss if told is None else told).item()


@to("8.3")
def the_packages(model, optimizer, inputs, targets, clip):
    return update(model, optimizer, inputs, targets, clip).item()


@to("8.3")
def cleared_at_the_end(model, optimizer, inputs, targets, clip):
    loss = F.cross_entropy(model(inputs).transpose(1, 2), targets)
    loss.backward()
    clip_norm(model, clip)
    optimizer.step()
    optimizer.zero_grad()
    return float(loss)


@to("8.3")
def all_by_hand(model, optimizer, inputs, targets, clip):
    loss = -model(inputs).log_softmax(-1).gather(-1, targets[..., None]).mean()
    model.zero_grad(set_to_none=False)
    loss.backward()
    norm = sum((p.grad**2).sum() for p in model.parameters()) ** 0.5
    for p in model.parameters():
        p.grad *= min(1, clip / norm)
    optimizer.step()
    return loss.detach().numpy().item()


@to("8.3")
def gradients_asked_for(model, optimizer, inputs, targets, clip):
    logits = model(inputs)
    losses = F.cross_entropy(logits.reshape(-1, 6), targets.reshape(-1), reduction="sum")
    loss = losses / targets.numel()
    parameters = list(model.parameters())
    for p, slope in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
        p.grad = slope
    nn.utils.clip_grad_norm_(parameters, clip)
    optimizer.step()
    return loss.tolist()


@to("8.3")
def with_a_closure(model, optimizer, inputs, targets, clip):
    def closure():
        optimizer.zero_grad()
        loss = mean_loss(model(inputs), targets)
        loss.backward()
        clip_norm(model, clip)
        return loss

    return optimizer.step(closure).item()


@to("8.3")
def place_by_place(model, optimizer, inputs, targets, clip):
    model.train()
    logits, places = model(inputs), range(inputs.shape[1])
    loss = sum(F.cross_entropy(logits[:, t], targets[:, t]) for t in places) / len(places)
    return learn(model, optimizer, loss, clip)


@to("8.3")
def in_single_precision(model, optimizer, inputs, targets, clip):
    loss = mean_loss(model(inputs).float(), targets)
    return numpy.float32(learn(model, optimizer, loss, clip))


@to("8.3", wrong="the gradient of the batch before is still in it")
def never_cleared(model, optimizer, inputs, targets, clip):
    loss = mean_loss(model(inputs), targets)
    loss.backward()
    clip_norm(model, clip)
    optimizer.step()
    return loss.item()


@to("8.3", wrong="clipped after the step")
def clipped_late(model, optimizer, inputs, targets, clip):
    loss = mean_loss(model(inputs), targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    clip_norm(model, clip)
    return loss.item()


@to("8.3", wrong="and the bound is 0.05: clip it between backward and step")
def never_clipped(model, optimizer, inputs, targets, clip):
    loss = mean_loss(model(inputs), targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


@to("8.3", wrong="clip it between backward and step")
def clipped_early(model, optimizer, inputs, targets, clip):
    loss = mean_loss(model(inputs), targets)
    optimizer.zero_grad()
    clip_norm(model, clip)
    loss.backward()
    optimizer.step()
    return loss.item()


@to("8.3", wrong="the gradient was cleared between backward and step")
def cleared_between(model, optimizer, inputs, targets, clip):
    loss = mean_loss(model(inputs), targets)
    loss.backward()
    clip_norm(model, clip)
    optimizer.zero_grad()
    optimizer.step()
    return loss.item()


@to("8.3", wrong="the step came before backward, and found no gradient")
def step_first(model, optimizer, inputs, targets, clip):
    loss = mean_loss(model(inputs), targets)
    optimizer.zero_grad()
    optimizer.step()
    loss.backward()
    clip_norm(model, clip)
    return loss.item()


@to("8.3", wrong="the step came before backward, and found no gradient")
def step_of_the_batch_before(model, optimizer, inputs, targets, clip):
    loss = mean_loss(model(inputs), targets)
    optimizer.step()
    optimizer.zero_grad()
    loss.backward()
    clip_norm(model, clip)
    return loss.item()


@to("8.3", wrong="backward is missing")
def no_backward(model, optimizer, inputs, targets, clip):
    loss = mean_loss(model(inputs), targets)
    optimizer.zero_grad()
    clip_norm(model, clip)
    optimizer.step()
    return loss.item()


@to("8.3", wrong="took no step")
def no_step(model, optimizer, inputs, targets, clip):
    loss = mean_loss(model(inputs), targets)
    optimizer.zero_grad()
    loss.backward()
    clip_norm(model, clip)
    return loss.item()


@to("8.3", wrong="took no step")
def an_optimizer_of_its_own(model, optimizer, inputs, targets, clip):
    own = torch.optim.SGD(model.parameters(), lr=0.5)
    return learn(model, own, mean_loss(model(inputs), targets), clip)


@to("8.3", wrong="one step for a batch, not 2")
def two_steps(model, optimizer, inputs, targets, clip):
    found = learn(model, optimizer, mean_loss(model(inputs), targets), clip)
    optimizer.step()
    return found


@to("8.3", wrong="one step for a batch, not 4")
def a_step_for_each_window(model, optimizer, inputs, targets, clip):
    loss = mean_loss(model(inputs), targets).item()
    for x, y in zip(inputs.split(1), targets.split(1), strict=True):
        learn(model, optimizer, mean_loss(model(x), y), clip)
    return loss


@to("8.3", wrong="takes the second axis for the vocabulary")
def classes_on_the_second_axis(model, optimizer, inputs, targets, clip):
    return learn(model, optimizer, F.cross_entropy(model(inputs), targets), clip)


@to("8.3", wrong="takes the second axis for the vocabulary")
def viewed(model, optimizer, inputs, targets, clip):
    logits = model(inputs)
    loss = F.cross_entropy(logits.view(len(inputs), -1, inputs.shape[1]), targets)
    return learn(model, optimizer, loss, clip)


@to("8.3", wrong="the softmax goes over positions")
def softmax_over_positions(model, optimizer, inputs, targets, clip):
    loss = -model(inputs).log_softmax(1).gather(-1, targets[..., None]).mean()
    return learn(model, optimizer, loss, clip)


@to("8.3", wrong="the softmax goes over the batch")
def softmax_over_the_batch(model, optimizer, inputs, targets, clip):
    loss = -model(inputs).log_softmax(0).gather(-1, targets[..., None]).mean()
    return learn(model, optimizer, loss, clip)


@to("8.3", wrong="one softmax too many")
def softmax_first(model, optimizer, inputs, targets, clip):
    return learn(model, optimizer, mean_loss(model(inputs).softmax(-1), targets), clip)


@to("8.3", wrong="the targets are not in the order of the logits")
def targets_by_columns(model, optimizer, inputs, targets, clip):
    loss = F.cross_entropy(model(inputs).flatten(0, 1), targets.T.flatten())
    return learn(model, optimizer, loss, clip)


@to("8.3", wrong="the logits are not in the order of the targets")
def logits_by_columns(model, optimizer, inputs, targets, clip):
    logits = model(inputs).transpose(0, 1)
    return learn(model, optimizer, mean_loss(logits, targets), clip)


@to("8.3", wrong="a sum over all positions")
def summed(model, optimizer, inputs, targets, clip):
    logits = model(inputs).flatten(0, 1)
    loss = F.cross_entropy(logits, targets.flatten(), reduction="sum")
    return learn(model, optimizer, loss, clip)


@to("8.3", wrong="a sum over each window")
def summed_over_windows(model, optimizer, inputs, targets, clip):
    loss = mean_loss(model(inputs), targets) * inputs.shape[1]
    return learn(model, optimizer, loss, clip)


@to("8.3", wrong="the inputs are not the targets")
def predicts_its_inputs(model, optimizer, inputs, targets, clip):
    return learn(model, optimizer, mean_loss(model(inputs), inputs), clip)


@to("8.3", wrong="the targets are one character later already")
def shifted_again(model, optimizer, inputs, targets, clip):
    loss = mean_loss(model(inputs)[:, :-1], targets[:, 1:])
    return learn(model, optimizer, loss, clip)


@to("8.3", wrong="the last position is missing")
def shifted_inputs(model, optimizer, inputs, targets, clip):
    loss = mean_loss(model(inputs)[:, :-1], inputs[:, 1:])
    return learn(model, optimizer, loss, clip)


@to("8.3", wrong="that is the last position alone")
def last_position(model, optimizer, inputs, targets, clip):
    loss = F.cross_entropy(model(inputs)[:, -1], targets[:, -1])
    return learn(model, optimizer, loss, clip)


@to("8.3", wrong="that is the first window alone")
def first_window(model, optimizer, inputs, targets, clip):
    loss = F.cross_entropy(model(inputs)[0], targets[0])
    return learn(model, optimizer, loss, clip)


@to("8.3", wrong="lacks the minus sign")
def likelihood(model, optimizer, inputs, targets, clip):
    return learn(model, optimizer, -mean_loss(model(inputs), targets), clip)


@to("8.3", wrong="the step went uphill")
def uphill(model, optimizer, inputs, targets, clip):
    loss = mean_loss(model(inputs), targets)
    return learn(model, optimizer, -loss, clip, told=loss)


@to("8.3", wrong="loss.item() is the number")
def loss_as_a_tensor(model, optimizer, inputs, targets, clip):
    loss = mean_loss(model(inputs), targets)
    learn(model, optimizer, loss, clip)
    return loss.detach()


@to("8.3", wrong="it is that after the step")
def loss_after_the_step(model, optimizer, inputs, targets, clip):
    learn(model, optimizer, mean_loss(model(inputs), targets), clip)
    return mean_loss(model(inputs), targets).item()


@to("8.3", wrong="that is the norm of the gradient")
def tells_the_norm(model, optimizer, inputs, targets, clip):
    optimizer.zero_grad()
    mean_loss(model(inputs), targets).backward()
    norm = nn.utils.clip_grad_norm_(model.parameters(), clip)
    optimizer.step()
    return norm.item()


@to("8.3", wrong="that is the perplexity")
def tells_the_perplexity(model, optimizer, inputs, targets, clip):
    return math.exp(learn(model, optimizer, mean_loss(model(inputs), targets), clip))


@to("8.3", wrong="that is in bits")
def tells_bits(model, optimizer, inputs, targets, clip):
    return learn(model, optimizer, mean_loss(model(inputs), targets), clip) / math.log(2)


@to("8.3", wrong="the loss is a str, not a number")
def tells_text(model, optimizer, inputs, targets, clip):
    return f"{learn(model, optimizer, mean_loss(model(inputs), targets), clip):.3f}"


@to("8.3", wrong="every number was clipped for itself")
def clipped_by_value(model, optimizer, inputs, targets, clip):
    loss = mean_loss(model(inputs), targets)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_value_(model.parameters(), clip)
    optimizer.step()
    return loss.item()


def scaled_by(model, optimizer, inputs, targets, factor):
    """An update whose gradient is multiplied by a function of its parts."""
    loss = mean_loss(model(inputs), targets)
    optimizer.zero_grad()
    loss.backward()
    times = factor(torch.cat([p.grad.flatten() for p in model.parameters()]))
    for p in model.parameters():
        p.grad *= times
    optimizer.step()
    return loss.item()


@to("8.3", wrong="every parameter was clipped for itself")
def clipped_one_by_one(model, optimizer, inputs, targets, clip):
    loss = mean_loss(model(inputs), targets)
    optimizer.zero_grad()
    loss.backward()
    for p in model.parameters():
        nn.utils.clip_grad_norm_(p, clip)
    optimizer.step()
    return loss.item()


@to("8.3", wrong="a gradient below the bound stays as it is")
def always_as_long_as_the_bound(model, optimizer, inputs, targets, clip):
    return scaled_by(model, optimizer, inputs, targets, lambda g: clip / g.norm())


@to("8.3", wrong="the root of the sum of squares")
def norm_without_root(model, optimizer, inputs, targets, clip):
    return scaled_by(model, optimizer, inputs, targets, lambda g: min(1, clip / g.norm() ** 2))


@to("8.3", wrong="not the largest number")
def largest_number(model, optimizer, inputs, targets, clip):
    return scaled_by(model, optimizer, inputs, targets, lambda g: min(1, clip / g.abs().max()))


@to("8.3", wrong="not the sum of absolute values")
def sum_of_absolutes(model, optimizer, inputs, targets, clip):
    return scaled_by(model, optimizer, inputs, targets, lambda g: min(1, clip / g.abs().sum()))


@to("8.3", wrong="the bound is the argument clip, not 1")
def clipped_to_one(model, optimizer, inputs, targets, clip):
    return learn(model, optimizer, mean_loss(model(inputs), targets), 1.0)


@to("8.3", wrong="2 times as far as it should be")
def twice_the_loss(model, optimizer, inputs, targets, clip):
    loss = mean_loss(model(inputs), targets)
    optimizer.zero_grad()
    (2 * loss).backward()
    clip_norm(model, clip)
    optimizer.step()
    return loss.item()


@to("8.3", wrong="clip bounds the gradient, not the loss")
def clipped_loss(model, optimizer, inputs, targets, clip):
    loss = mean_loss(model(inputs), targets).clamp(max=clip)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


@to("8.3", wrong="the gradient is zero: clip bounds the gradient, not the loss")
def clipped_loss_unsaid(model, optimizer, inputs, targets, clip):
    loss = mean_loss(model(inputs), targets)
    optimizer.zero_grad()
    loss.clamp(max=clip).backward()
    optimizer.step()
    return loss.item()


@to("8.3", wrong="in evaluation mode, without dropout")
def without_dropout(model, optimizer, inputs, targets, clip):
    model.eval()
    found = learn(model, optimizer, mean_loss(model(inputs), targets), clip)
    model.train()
    return found


@to("8.3", wrong="left in evaluation mode")
def left_without_dropout(model, optimizer, inputs, targets, clip):
    found = learn(model, optimizer, mean_loss(model(inputs), targets), clip)
    model.eval()
    return found


@to("8.3", wrong="the loss has no graph")
def without_a_graph(model, optimizer, inputs, targets, clip):
    with torch.no_grad():
        loss = mean_loss(model(inputs), targets)
    return learn(model, optimizer, loss, clip)


@to("8.3", wrong="go back from the tensor")
def back_from_a_number(model, optimizer, inputs, targets, clip):
    loss = mean_loss(model(inputs), targets).item()
    optimizer.zero_grad()
    loss.backward()
    return loss


@to("8.3", wrong="backward was called twice")
def backward_twice(model, optimizer, inputs, targets, clip):
    loss = mean_loss(model(inputs), targets)
    loss.backward()
    return learn(model, optimizer, loss, clip)


@to("8.3", wrong="took no step")
def moved_by_hand(model, optimizer, inputs, targets, clip):
    loss = mean_loss(model(inputs), targets)
    optimizer.zero_grad()
    loss.backward()
    clip_norm(model, clip)
    with torch.no_grad():
        for p in model.parameters():
            p -= 0.5 * p.grad
    return loss.item()


@to("8.3", wrong="changed by more than optimizer.step()")
def decayed_as_well(model, optimizer, inputs, targets, clip):
    found = learn(model, optimizer, mean_loss(model(inputs), targets), clip)
    with torch.no_grad():
        for p in model.parameters():
            p *= 0.9
    return found


@to("8.3", wrong="changes the batch that it is given")
def rolls_its_inputs(model, optimizer, inputs, targets, clip):
    found = learn(model, optimizer, mean_loss(model(inputs), targets), clip)
    inputs.copy_(inputs.roll(1, 1))
    return found


@to("8.3", wrong="batch 3, clip = 0.05, `for_one_shape` fails at")
def for_one_shape(model, optimizer, inputs, targets, clip):
    loss = F.cross_entropy(model(inputs).view(24, 6), targets.view(24))
    return learn(model, optimizer, loss, clip)


@to("8.3", wrong="not that of the loss")
def another_gradient(model, optimizer, inputs, targets, clip):
    logits = model(inputs)
    return learn(model, optimizer, logits.mean(), clip, told=mean_loss(logits, targets))


@to("8.3", wrong="returns nothing")
def loss_printed(model, optimizer, inputs, targets, clip):
    print(learn(model, optimizer, mean_loss(model(inputs), targets), clip))


@to("8.1")
def in_closed_form(n):
    return 1.0 if n == 0 else 0.5 + 0.5 * (1 - 0.5**n) / n


@to("8.1")
def by_a_loop(n):
    total, length = 0.0, 1.0
    for _ in range(n):
        length /= 2
        total += length
    return 1 if not n else 0.5 + total / (2 * n)


@to("8.1")
def by_numpy(n):
    if n == 0:
        return numpy.float32(1)
    return 0.5 + 0.5 * numpy.mean(0.5 ** numpy.arange(1, n + 1))


@to("8.1")
def by_statistics(n):
    return 0.5 + 0.5 * statistics.mean([0.5**i for i in range(1, n + 1)] or [1])


@to("8.1")
def by_a_tensor(n):
    return 0.5 + 0.5 * (0.5 ** torch.arange(1, n + 1)).sum() / n if n else torch.tensor(1.0)


def mean_of_short(n):
    return sum(0.5**i for i in range(1, n + 1)) / n if n else 1.0


@to("8.1", wrong="n = 3: 0.2917: that is the first half of the steps alone")
def first_half(n):
    return mean_of_short(n)


@to("8.1", wrong="the second half of the steps is missing")
def half_of_it(n):
    return 0.5 * mean_of_short(n)


@to("8.1", wrong="that is what is spared")
def spared(n):
    return 0.5 - 0.5 * mean_of_short(n)


@to("8.1", wrong="a share lies between 0 and 1")
def percent(n):
    return 50 + 50 * mean_of_short(n)


@to("8.1", wrong="the full length has half of the steps")
def all_lengths_alike(n):
    return sum(0.5**i for i in range(n + 1)) / (n + 1)


@to("8.1", wrong="the full length is not one of those in the first half")
def full_length_in_both_halves(n):
    return 0.5 + 0.5 * sum(0.5**i for i in range(n + 1)) / (n + 1)


@to("8.1", wrong="and not the shortest alone")
def shortest_alone(n):
    return 0.5 + 0.5 * 0.5**n


@to("8.1", wrong="none has all of it")
def not_divided(n):
    return 0.5 + 0.5 * (1 - 0.5**n) if n else 1


@to("8.1", wrong="the longest of the short lengths is half of the full one")
def begins_at_full(n):
    return 0.5 + 0.5 * sum(0.5**i for i in range(n)) / n if n else 1


@to("8.1", wrong="one short length too many")
def one_more(n):
    return 0.5 + 0.5 * mean_of_short(n + 1)


@to("8.1", wrong="so it counts half")
def second_half_whole(n):
    return 1 + 0.5 * mean_of_short(n)


@to("8.1", wrong="each length is half of the one after it")
def evenly_longer(n):
    return 0.5 + 0.5 * sum(i / (n + 1) for i in range(1, n + 1)) / n if n else 1


@to("8.1", wrong="right for n = 1 alone")
def always_three_quarters(n):
    return 0.75


@to("8.1", wrong="n = 0: there is no short length to take the mean of")
def divides_by_zero(n):
    return 0.5 + 0.5 * sum(0.5**i for i in range(1, n + 1)) / n


@to("8.1", wrong="n = 0: 0.5, but all steps are at full length")
def half_at_zero(n):
    return 0.5 + 0.5 * sum(0.5**i for i in range(1, n + 1)) / max(n, 1)


@to("8.1", wrong="n = 5, `by_a_table` fails at")
def by_a_table(n):
    return [1, 0.75, 0.6875, 31 / 48][n]


@to("8.1", wrong="that is a str, not a number")
def share_as_text(n):
    return f"{in_closed_form(n):.3f}"


@to("8.1", wrong="that is a list, not a number")
def lengths_themselves(n):
    return [0.5**i for i in range(1, n + 1)]


@to("8.1", wrong="8000: a share lies between 0 and 1")
def number_of_tokens(n):
    return 8000


@to("8.1", wrong="n = 3: 0.6667, but a run sees 0.6458")
def rounded_lengths(n):
    return 0.5 + 0.5 * sum(math.ceil(10 * 0.5**i) / 10 for i in range(1, n + 1)) / max(n, 1)


@to("8.1", wrong="returns nothing")
def share_printed(n):
    print(in_closed_form(n))


def best(x, y):
    """The right answer."""
    X, Y = x - x.mean(0), y - y.mean(0)
    W = torch.linalg.lstsq(X, Y).solution.T
    return W, y.mean(0) - W @ x.mean(0)


@to("8.2")
def with_a_column_of_ones(x, y):
    ones = torch.ones(len(x), 1, dtype=x.dtype)
    found = torch.linalg.lstsq(torch.cat([x, ones], dim=1), y).solution
    return found[:-1].T, found[-1]


@to("8.2")
def by_pseudoinverse(x, y):
    W = (torch.linalg.pinv(x - x.mean(0)) @ y).T
    return [W, (y - x @ W.T).mean(0)]


@to("8.2")
def by_the_inverse(x, y):
    X = x - x.mean(0)
    W = ((X.T @ X).inverse() @ X.T @ y).T
    return W, y.mean(0) - x.mean(0) @ W.T


@to("8.2")
def by_numpys_least_squares(x, y):
    a = numpy.column_stack([x.numpy(), numpy.ones(len(x))])
    found, *_ = numpy.linalg.lstsq(a, y.numpy(), rcond=None)
    return torch.from_numpy(found[:-1].T), torch.from_numpy(found[-1])


@to("8.2")
def in_float32(x, y):
    x, y = x.float(), y.float()
    W = torch.linalg.lstsq(x - x.mean(0), y - y.mean(0)).solution.T
    return W, y.mean(0) - W @ x.mean(0)


@to("8.2", wrong="changes its `x`")
def fit_in_place(x, y):
    means = x.mean(0), y.mean(0)
    x -= means[0]
    W = torch.linalg.solve(x.T @ x, x.T @ y).T
    return W, means[1] - W @ means[0]


@to("8.2", wrong="W is (4, 3), not (3, 4): it is transposed")
def transposed(x, y):
    W, b = best(x, y)
    return W.T, b


@to("8.2", wrong="x (50, 2), y (50, 2): W: it is transposed")
def turned_by_shape(x, y):
    W, b = best(x, y)
    W = W.T
    return (W if W.shape == (y.shape[1], x.shape[1]) else W.T), b


@to("8.2", wrong="take the means off first")
def through_the_origin(x, y):
    W = torch.linalg.solve(x.T @ x, x.T @ y).T
    return W, torch.zeros(len(W))


@to("8.2", wrong="the mean of x was not taken off")
def x_as_it_is(x, y):
    W = torch.linalg.solve(x.T @ x, x.T @ (y - y.mean(0))).T
    return W, y.mean(0) - W @ x.mean(0)


@to("8.2", wrong="one mean for all columns")
def one_mean(x, y):
    W, _ = through_the_origin(x - x.mean(), y - y.mean())
    return W, y.mean(0) - W @ x.mean(0)


@to("8.2", wrong="the mean of each row was taken off")
def means_of_rows(x, y):
    X, Y = x - x.mean(1, keepdim=True), y - y.mean(1, keepdim=True)
    W = torch.linalg.lstsq(X, Y).solution.T
    return W, y.mean(0) - W @ x.mean(0)


@to("8.2", wrong="the product with the inverse of X^T X is missing")
def product_alone(x, y):
    W = ((x - x.mean(0)).T @ (y - y.mean(0))).T
    return W, y.mean(0) - W @ x.mean(0)


@to("8.2", wrong="that is the covariance of x and y")
def covariance(x, y):
    W = ((x - x.mean(0)).T @ (y - y.mean(0))).T / len(x)
    return W, y.mean(0) - W @ x.mean(0)


@to("8.2", wrong="a small change of it makes the error smaller")
def ridge(x, y):
    X = x - x.mean(0)
    W = torch.linalg.solve(X.T @ X + 10 * torch.eye(len(X.T)), X.T @ y).T
    return W, y.mean(0) - W @ x.mean(0)


@to("8.2", wrong="a small change of it makes the error smaller")
def first_rows_alone(x, y):
    return best(x[:40], y[:40])


@to("8.2", wrong="W predicts x from y")
def x_from_y(x, y):
    return best(y, x)


@to("8.2", wrong="b: it is zero")
def b_of_zeros(x, y):
    return best(x, y)[0], torch.zeros(y.shape[1])


@to("8.2", wrong="b: that is the mean of y")
def b_is_the_mean(x, y):
    return best(x, y)[0], y.mean(0)


@to("8.2", wrong="is taken off, not added")
def b_added(x, y):
    W, _ = best(x, y)
    return W, y.mean(0) + W @ x.mean(0)


@to("8.2", wrong="b: the sign")
def b_turned(x, y):
    W, b = best(x, y)
    return W, -b


@to("8.2", wrong="b: the mean of y is missing")
def b_without_y(x, y):
    W, _ = best(x, y)
    return W, -W @ x.mean(0)


@to("8.2", wrong="b: one number for all")
def b_the_same_for_all(x, y):
    W, b = best(x, y)
    return W, b.mean().expand(len(b))


@to("8.2", wrong="b: the sum of the errors")
def b_summed(x, y):
    W, _ = best(x, y)
    return W, (y - x @ W.T).sum(0)


@to("8.2", wrong="b: the errors do not sum to zero")
def b_by_medians(x, y):
    W, _ = best(x, y)
    return W, (y - x @ W.T).median(0).values


@to("8.2", wrong="b is (1, 3), not (3,)")
def b_as_a_row(x, y):
    W, b = best(x, y)
    return W, b[None]


@to("8.2", wrong="in the wrong order")
def b_first(x, y):
    return best(x, y)[::-1]


@to("8.2", wrong="return two tensors")
def matrix_alone(x, y):
    return best(x, y)[0]


@to("8.2", wrong="have to be tensors")
def numpy_arrays(x, y):
    W, b = best(x, y)
    return W.numpy(), b.numpy()


@to("8.2", wrong="`for_three_columns` fails at")
def for_three_columns(x, y):
    W, b = best(x, y)
    return torch.stack([W[0], W[1], W[2]]), b


@to("8.2", wrong="returns nothing")
def fit_printed(x, y):
    print(best(x, y))


@to("8.4")
def detached_at_the_start(model, optimizer, tokens, length, clip):
    losses, memory, start = [], None, 0
    while start + length < tokens.shape[1]:
        if memory is not None:
            memory = memory.detach()
        logits, memory = model(tokens[:, start : start + length], memory, True)
        targets = tokens[:, start + 1 : start + 1 + length, None]
        loss = -logits.log_softmax(-1).gather(-1, targets).mean()
        losses.append(learn(model, optimizer, loss, clip))
        start += length
    return losses


@to("8.4")
def by_splits(model, optimizer, tokens, length, clip):
    losses, memory = [], None
    pairs = zip(tokens[:, :-1].split(length, 1), tokens[:, 1:].split(length, 1), strict=True)
    for x, y in list(pairs)[: (tokens.shape[1] - 1) // length]:
        logits, memory = model(x, memory=memory, return_memory=True)
        loss = F.cross_entropy(logits.transpose(1, 2), y)
        loss.backward()
        clip_norm(model, clip)
        optimizer.step()
        optimizer.zero_grad()
        memory = memory.detach()
        losses.append(float(loss.detach()))
    return tuple(losses)


@to("8.4")
def step_by_step(model, optimizer, tokens, length, clip):
    losses, memory = [], None
    for start in range(0, tokens.shape[1] - length, length):
        logits = []
        for t in range(start, start + length):
            one, memory = model.step(tokens[:, t], memory)
            logits.append(one)
        loss = mean_loss(torch.stack(logits, 1), tokens[:, start + 1 : start + 1 + length])
        losses.append(learn(model, optimizer, loss, clip))
        memory = memory.detach()
    return losses


@to("8.4")
def tokens_cut_first(model, optimizer, tokens, length, clip):
    segments = (tokens.shape[1] - 1) // length
    x = tokens[:, : segments * length].unflatten(1, (segments, length)).unbind(1)
    y = tokens[:, 1 : segments * length + 1].unflatten(1, (segments, length)).unbind(1)
    losses, memory = [], None
    for inputs, targets in zip(x, y, strict=True):
        logits, memory = model(inputs, memory and memory.detach(), return_memory=True)
        losses.append(numpy.float64(learn(model, optimizer, mean_loss(logits, targets), clip)))
    return losses


def in_order(
    model,
    optimizer,
    tokens,
    length,
    clip,
    starts=lambda end, length: range(0, end - length, length),
    cut=lambda tokens, start, length: (
        tokens[:, start : start + length],
        tokens[:, start + 1 : start + length + 1],
    ),
    read=lambda model, x, memory: model(x, memory, return_memory=True),
    between=lambda memory: memory.detach(),
    loss_of=mean_loss,
    learns=learn,
):
    """The right answer, or one with another part."""
    losses, memory = [], None
    for start in starts(tokens.shape[1], length):
        x, y = cut(tokens, start, length)
        logits, memory = read(model, x, memory)
        memory = between(memory)
        losses.append(learns(model, optimizer, loss_of(logits, y), clip))
    return losses


@to("8.4", wrong="segment 2 begins with an empty memory")
def memory_dropped(*given):
    return in_order(*given, between=lambda memory: None)


@to("8.4", wrong="segment 2 begins with an empty memory")
def memory_not_handed_on(*given):
    return in_order(*given, read=lambda model, x, _: model(x, return_memory=True))


@to("8.4", wrong="backward went into the segment before: hand on memory.detach()")
def memory_with_its_graph(*given):
    return in_order(*given, between=lambda memory: memory)


@to("8.4", wrong="hand on memory.detach()")
def graph_retained(*given):
    def learns(model, optimizer, loss, clip):
        optimizer.zero_grad()
        loss.backward(retain_graph=True)
        clip_norm(model, clip)
        optimizer.step()
        return loss.item()

    return in_order(*given, between=lambda memory: memory, learns=learns)


@to("8.4", wrong="the inputs are not the targets")
def segment_predicts_itself(*given):
    return in_order(*given, cut=lambda tokens, s, n: (tokens[:, s : s + n],) * 2)


@to("8.4", wrong="the target of its last one is the first token after the segment")
def targets_end_with_the_segment(*given):
    def cut(tokens, s, n):
        return tokens[:, s : s + n - 1], tokens[:, s + 1 : s + n]

    return in_order(*given, cut=cut)


@to("8.4", wrong="the last one is a target only")
def reads_the_last_target(*given):
    def cut(tokens, s, n):
        return tokens[:, s : s + n + 1], tokens[:, s + 1 : s + n + 1]

    return in_order(*given, cut=cut, loss_of=lambda logits, y: mean_loss(logits[:, :-1], y))


@to("8.4", wrong="that is the whole row")
def whole_row(model, optimizer, tokens, length, clip):
    return [learn(model, optimizer, mean_loss(model(tokens[:, :-1]), tokens[:, 1:]), clip)]


@to("8.4", wrong="a token is left out between segments")
def one_left_out(*given):
    return in_order(*given, starts=lambda end, n: range(0, end - n, n + 1))


@to("8.4", wrong="segments overlap: the next begins 6 tokens after this one")
def one_token_further(*given):
    return in_order(*given, starts=lambda end, n: range(end - n))


@to("8.4", wrong="segments overlap by a token")
def overlapping(*given):
    return in_order(*given, starts=lambda end, n: range(0, end - n, n - 1))


@to("8.4", wrong="too few for a segment: leave them out")
def short_end(*given):
    def cut(tokens, s, n):
        return tokens[:, :-1][:, s : s + n], tokens[:, s + 1 : s + n + 1]

    return in_order(*given, starts=lambda end, n: range(0, end - 1, n), cut=cut)


@to("8.4", wrong="there is room for 4 segments in 25 tokens, and 3 were read")
def last_segment_lost(*given):
    return in_order(*given, starts=lambda end, n: range(0, end - n - 1, n))


@to("8.4", wrong="segment 1 reads other tokens than those from 0 on")
def backwards(*given):
    return in_order(*given, starts=lambda end, n: reversed(range(0, end - n, n)))


@to("8.4", wrong="segment 1 is read a second time")
def memory_after_the_step(model, optimizer, tokens, length, clip):
    losses, memory = [], None
    for s in range(0, tokens.shape[1] - length, length):
        x = tokens[:, s : s + length]
        loss = mean_loss(model(x, memory), tokens[:, s + 1 : s + length + 1])
        losses.append(learn(model, optimizer, loss, clip))
        _, memory = model(x, memory, return_memory=True)
        memory = memory.detach()
    return losses


@to("8.4", wrong="was given the memory of 6 steps, not of 12")
def memory_cropped(*given):
    return in_order(*given, between=lambda memory: memory.detach().crop(6))


@to("8.4", wrong="the gradient of the batch before is still in it")
def segments_never_cleared(*given):
    def learns(model, optimizer, loss, clip):
        loss.backward()
        clip_norm(model, clip)
        optimizer.step()
        return loss.item()

    return in_order(*given, learns=learns)


@to("8.4", wrong="clip it between backward and step")
def segments_never_clipped(*given):
    def learns(model, optimizer, loss, clip):
        return learn(model, optimizer, loss, math.inf)

    return in_order(*given, learns=learns)


@to("8.4", wrong="the bound is the argument clip, not 1")
def segments_clipped_to_one(*given):
    def learns(model, optimizer, loss, clip):
        return learn(model, optimizer, loss, 1.0)

    return in_order(*given, learns=learns)


@to("8.4", wrong="one update for each segment: 4, not 0")
def only_evaluates(*given):
    return in_order(*given, learns=lambda model, optimizer, loss, clip: loss.item())


@to("8.4", wrong="one update for each segment: 4, not 1")
def one_update_at_the_end(model, optimizer, tokens, length, clip):
    found = []

    def learns(model, optimizer, loss, clip):
        found.append(loss)
        return loss.item()

    losses = in_order(model, optimizer, tokens, length, clip, learns=learns)
    if found:
        learn(model, optimizer, sum(found), clip)
    return losses


@to("8.4", wrong="a step was taken without a gradient")
def no_segment_goes_back(*given):
    def learns(model, optimizer, loss, clip):
        optimizer.step()
        return loss.item()

    return in_order(*given, learns=learns)


@to("8.4", wrong="that is a float, not the list of the losses")
def sum_of_losses(*given):
    return sum(in_order(*given))


@to("8.4", wrong="that is a Tensor, not the list of the losses")
def tensor_of_losses(*given):
    return torch.tensor(in_order(*given))


@to("8.4", wrong="4 losses, one for each segment, not 1")
def last_loss(*given):
    return in_order(*given)[-1:]


@to("8.4", wrong="loss.item() is the number")
def list_of_tensors(*given):
    return [torch.tensor(loss) for loss in in_order(*given)]


@to("8.4", wrong="that is the last position alone")
def last_logits(*given):
    return in_order(*given, loss_of=lambda logits, y: mean_loss(logits[:, -1:], y[:, -1:]))


@to("8.4", wrong="a sum over all positions")
def summed_segments(*given):
    return in_order(*given, loss_of=lambda logits, y: mean_loss(logits, y) * y.numel())


@to("8.4", wrong="the targets are not in the order of the logits")
def segments_by_columns(*given):
    return in_order(*given, loss_of=lambda x, y: F.cross_entropy(x.flatten(0, 1), y.T.flatten()))


@to("8.4", wrong="the loss has no graph")
def segments_without_a_graph(*given):
    with torch.no_grad():
        return in_order(*given)


@to("8.4", wrong="in evaluation mode, without dropout")
def segments_without_dropout(model, *given):
    model.eval()
    losses = in_order(model, *given)
    model.train()
    return losses


@to("8.4", wrong="changes the tokens that it is given")
def tokens_used_up(model, optimizer, tokens, length, clip):
    losses = in_order(model, optimizer, tokens, length, clip)
    tokens.zero_()
    return losses


@to("8.4", wrong="13 tokens in segments of 4, clip = 50.0: segment 1 reads 6 tokens, not 4")
def always_six(model, optimizer, tokens, length, clip):
    return in_order(model, optimizer, tokens, 6, clip)


@to("8.4", wrong="returns nothing")
def losses_printed(*given):
    print(in_order(*given))


def table():
    """A model of pairs: the logits of the next token are a row of a table."""
    torch.manual_seed(3)
    return nn.Embedding(5, 5).double()


@to("8.6")
def one_batch_after_another(update):
    model = table()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    for clip in (0.01, 100.0, 0.02, 50.0):
        inputs, targets = torch.randint(5, (2, 3, 4))
        before = model.weight.detach().clone()
        loss = mean_loss(model(inputs), targets)
        (slope,) = torch.autograd.grad(loss, [model.weight])
        assert math.isclose(update(model, optimizer, inputs, targets, clip), loss.item())
        moved = before - slope * min(1, clip / slope.norm().item())
        assert torch.allclose(model.weight.detach(), moved, atol=1e-6)


@to("8.6")
def against_another_update(update):
    def right(model, optimizer, inputs, targets, clip):
        loss = F.cross_entropy(model(inputs).transpose(1, 2), targets)
        return learn(model, optimizer, loss, clip)

    mine, theirs = table(), table()
    optimizers = [torch.optim.AdamW(m.parameters(), lr=0.1) for m in (mine, theirs)]
    tokens = torch.randint(5, (6, 4, 8), generator=torch.Generator().manual_seed(0))
    for batch, clip in zip(tokens, [0.1, 9.0, 0.03, 9.0, 0.2, 0.01], strict=True):
        x, y = batch[:, :-1], batch[:, 1:]
        wanted = right(mine, optimizers[0], x, y, clip)
        if abs(update(theirs, optimizers[1], x, y, clip) - wanted) > 1e-9:
            return False
        if (mine.weight - theirs.weight).abs().max() > 1e-9:
            return False
    return True


@to("8.6")
def by_what_it_does(update):
    model = table()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    x, y = torch.tensor([[0, 1, 2, 3]]), torch.tensor([[1, 1, 1, 4]])

    def moves(clip):
        before = model.weight.detach().clone()
        chances = before.softmax(-1)
        loss = -chances[x[0], y[0]].log().mean()
        slope = (chances - torch.eye(5)[[1, 1, 1, 4, 0]]) / 4
        slope[4] = 0  # token 4 is not among the inputs
        assert abs(update(model, optimizer, x, y, clip) - loss) < 1e-6
        return before - model.weight.detach(), slope

    for _ in range(2):
        moved, slope = moves(1e9)
        assert torch.allclose(moved, slope)
    moved, slope = moves(0.001)
    assert abs(moved.norm() - 0.001) < 1e-6
    assert torch.allclose(moved / moved.norm(), slope / slope.norm(), atol=1e-5)


@to("8.6", wrong="0 of 7 faults are caught")
def only_that_it_runs(update):
    model = table()
    tokens = torch.zeros(2, 5, dtype=torch.long)
    found = update(model, torch.optim.SGD(model.parameters(), lr=1.0), tokens, tokens, 1.0)
    assert isinstance(found, float)


def compared(update, clips, told=True):
    """Compare an update with the right one on batches with these bounds."""
    model = table()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    draw = torch.Generator().manual_seed(0)
    for clip in clips:
        x, y = torch.randint(5, (2, 3, 4), generator=draw)
        before = model.weight.detach().clone()
        loss = mean_loss(model(x), y)
        (slope,) = torch.autograd.grad(loss, [model.weight])
        found = update(model, optimizer, x, y, clip)
        assert not told or math.isclose(found, loss.item())
        moved, wanted = before - model.weight.detach(), slope * min(1, clip / slope.norm().item())
        assert torch.allclose(moved, wanted, atol=1e-6)


@to("8.6", wrong="as to the next, does the second update take the gradient of its own batch")
def one_update_alone(update):
    compared(update, [0.01])
    compared(update, [100.0])


@to("8.6", wrong="as to the next, how far do the weights move when the gradient is longer")
def never_above_the_bound(update):
    compared(update, [100.0, 100.0])


@to("8.6", wrong="as to the next, how far do the weights move when the gradient is shorter")
def never_below_the_bound(update):
    compared(update, [0.01, 0.01])


@to("8.6", wrong="as to the next, does a gradient that is shortened keep its direction?")
def largest_move_alone(update):
    compared(update, [100.0, 100.0])
    model = table()
    x, y = torch.randint(5, (2, 3, 4), generator=torch.Generator().manual_seed(0))
    before = model.weight.detach().clone()
    update(model, torch.optim.SGD(model.parameters(), lr=1.0), x, y, 0.01)
    assert (before - model.weight).abs().max() < 0.0101


@to("8.6", wrong="as to the next, is the loss that comes back")
def loss_not_looked_at(update):
    compared(update, [0.01, 100.0, 0.01], told=False)


@to("8.6", wrong="as to the next, are the weights moved by the gradient of this batch at all?")
def weights_not_looked_at(update):
    model = table()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    x, y = torch.randint(5, (2, 3, 4), generator=torch.Generator().manual_seed(0))
    for _ in range(2):
        loss = mean_loss(model(x), y).item()
        assert math.isclose(update(model, optimizer, x, y, 1.0), loss)


@to("8.6", wrong="stops the right one as well (AssertionError: the loss fell)")
def expects_a_rise(update):
    model = table()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, y = torch.randint(5, (2, 3, 4), generator=torch.Generator().manual_seed(0))
    first = update(model, optimizer, x, y, 1.0)
    assert update(model, optimizer, x, y, 1.0) > first, "the loss fell"


@to("8.6", wrong="stops the right one as well (it returns False)")
def turned_round(update):
    try:
        compared(update, [0.01, 100.0])
    except AssertionError:
        return True
    return False


@to("8.6", wrong="as to the next, which token is the target of the first input?")
def whether_the_loss_falls(update):
    model = table()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x = torch.zeros(2, 5, dtype=torch.long)  # the targets are all alike
    first = update(model, optimizer, x, x, 1.0)
    assert update(model, optimizer, x, x, 1.0) < first
    assert math.isclose(first, mean_loss(table()(x), x).item())
