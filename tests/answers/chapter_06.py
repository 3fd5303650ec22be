"""Answers to the exercises of chapter 6; those to 6.1, 6.2 and 6.3 are autograd functions."""

import torch
from torch import nn

from answers import to
from feedback.cache import Stack

# 6.1


def running_sum(wrong=None):
    """The function whose backward this is, `backward(ctx, grad)`, as an answer to 6.1."""

    def register(backward):
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x.cumsum(-1)

        return put("6.1", wrong, backward.__name__, forward, backward)

    return register


def put(exercise, wrong, name, forward, backward=None, base=torch.autograd.Function):
    methods = {"forward": staticmethod(forward)}
    if backward:
        methods["backward"] = staticmethod(backward)
    to(exercise, wrong)(type(name, (base,), methods))
    return backward or forward


@running_sum()
def without_turning(ctx, grad):
    return grad.sum(-1, keepdim=True) - grad.cumsum(-1) + grad


@running_sum()
def by_a_loop(ctx, grad):
    out = torch.zeros_like(grad)
    for t in range(grad.shape[-1]):
        out[..., t] = grad[..., t:].sum(-1)
    return out


@running_sum()
def by_a_matrix(ctx, grad):
    T = grad.shape[-1]
    return grad @ torch.ones(T, T, dtype=grad.dtype).tril()


@running_sum()
def by_numpy(ctx, grad):
    return (torch.from_numpy(grad.numpy()[..., ::-1].cumsum(-1)[..., ::-1].copy()),)


@running_sum("a function that changes nothing")
def handed_on(ctx, grad):
    return grad


@running_sum("wrong direction")
def forwards(ctx, grad):
    return grad.cumsum(-1)


@running_sum("x_t enters y_t as well")
def without_its_own(ctx, grad):
    return by_a_loop(ctx, grad) - grad


@running_sum("sum along the last dimension")
def over_the_first(ctx, grad):
    return grad.flip(0).cumsum(0).flip(0)


@running_sum("turn them round again")
def not_turned_back(ctx, grad):
    return grad.flip(-1).cumsum(-1)


@running_sum("turn round before the sum")
def turned_afterwards(ctx, grad):
    return grad.cumsum(-1).flip(-1)


@running_sum("later sums, not all of them")
def all_sums(ctx, grad):
    return grad.sum(-1, keepdim=True).expand_as(grad)


@running_sum("each row is a sum of its own")
def all_rows(ctx, grad):
    return grad.sum().expand_as(grad)


@running_sum("yours run on")
def rows_run_on(ctx, grad):
    return grad.flatten().flip(0).cumsum(0).flip(0).view_as(grad)


@running_sum("not their mean")
def means(ctx, grad):
    return by_a_loop(ctx, grad) / torch.arange(grad.shape[-1], 0, -1)


@running_sum("not -1")
def sign(ctx, grad):
    return -by_a_loop(ctx, grad)


@running_sum("the slopes here are 0 and 1")
def times_x(ctx, grad):
    return by_a_loop(ctx, grad) * ctx.saved_tensors[0]


@running_sum("that sums x")
def sums_x(ctx, grad):
    return by_a_loop(ctx, ctx.saved_tensors[0])


@running_sum("returns None, not a gradient")
def none_but_for_vectors(ctx, grad):
    return by_a_loop(ctx, grad) if grad.dim() == 1 else None


@running_sum("one gradient for each argument")
def two_gradients(ctx, grad):
    return by_a_loop(ctx, grad), grad


@running_sum("has the shape of the argument")
def too_short(ctx, grad):
    return grad[..., 1:]


@running_sum("tensors, or None")
def a_number(ctx, grad):
    return 3.0


@running_sum("work on a copy")
def changes_grad(ctx, grad):
    for t in range(grad.shape[-1] - 2, -1, -1):
        grad[..., t] += grad[..., t + 1]
    return grad.clone()


@running_sum("never put on ctx")
def asks_ctx(ctx, grad):
    return grad.flip(ctx.dim).cumsum(ctx.dim).flip(ctx.dim)


@running_sum("with x of shape (3, 2, 5)")
def for_rows_of_four(ctx, grad):
    four = torch.ones(4, 4, dtype=grad.dtype).tril()
    return grad @ four if grad.shape[-1] == 4 else grad


@running_sum("not along dimension 1")
def over_dimension_one(ctx, grad):
    return grad.flip(1).cumsum(1).flip(1)


@running_sum("a view of another tensor")
def seen_in_another_shape(ctx, grad):
    return by_a_loop(ctx, grad.view(-1, grad.shape[-1])).view(grad.shape)


def changed_forward(ctx, x):
    return x.flip(-1).cumsum(-1).flip(-1)


put("6.1", "leave it", "changed_forward", changed_forward, by_a_loop)


# 6.3


def a_stack(wrong=None, backward=None):
    """The function with this forward, `forward(ctx, s, x, b, n, e)`, as an answer to 6.3."""

    def register(inner):
        def forward(ctx, stacked, x, buffer):
            ctx.n = stacked.shape[2]
            return inner(ctx, stacked, x, buffer, ctx.n, ctx.n + x.shape[2])

        put("6.3", wrong, inner.__name__, forward, backward or cut)
        return inner

    return register


def cut(ctx, grad):
    return grad[:, :, : ctx.n], grad[:, :, ctx.n :], None


@a_stack()
def written(ctx, s, x, b, n, e):
    b.data[:, :, n:e] = x
    return b.data[:, :, :e]


@a_stack(backward=lambda ctx, grad: (*grad.tensor_split([ctx.n], 2), None))
def narrow(ctx, s, x, b, n, e):
    b.data.narrow(2, n, x.size(2)).copy_(x)
    return b.data.narrow(2, 0, e)


@a_stack()
def step_by_step(ctx, s, x, b, n, e):
    for i, step in enumerate(x.unbind(2)):
        b.data[:, :, n + i] = step
    return b[:, :, :e]


def by_what_was_saved(ctx, grad):
    (x,) = ctx.saved_tensors
    m = x.shape[2]
    return grad[:, :, :-m].clone(), grad[:, :, -m:].clone(), torch.zeros(2, 2, 6, 3)


@a_stack(backward=by_what_was_saved)
def saving(ctx, s, x, b, n, e):
    ctx.save_for_backward(x)
    return written(ctx, s, x, b, n, e)


@a_stack("over slots that are taken: the next one is slot n")
def at_the_beginning(ctx, s, x, b, n, e):
    b.data[:, :, : x.shape[2]] = x
    return b.data[:, :, :e] if n == 0 else torch.cat([s.clone(), x], 2)


@a_stack("the first m slots are those of x")
def at_the_end(ctx, s, x, b, n, e):
    b.data[:, :, -x.shape[2] :] = x
    return b.data[:, :, :e]


@a_stack("that is a copy")
def joined(ctx, s, x, b, n, e):
    return torch.cat([s, x], 2)


@a_stack("that is a copy")
def cloned(ctx, s, x, b, n, e):
    return written(ctx, s, x, b, n, e).clone()


@a_stack("not the new ones alone")
def new_ones(ctx, s, x, b, n, e):
    return written(ctx, s, x, b, n, e)[:, :, n:]


@a_stack("not (B, H, n + m, k)")
def whole_buffer(ctx, s, x, b, n, e):
    written(ctx, s, x, b, n, e)
    return b.data


@a_stack("through its .data")
def counted(ctx, s, x, b, n, e):
    b[:, :, n:e] = x
    return b[:, :, :e]


@a_stack("autograd is told of a write")
def marked_dirty(ctx, s, x, b, n, e):
    ctx.mark_dirty(b)
    b[:, :, n:e] = x
    return b[:, :, :e]


@a_stack("through its .data")
def detached(ctx, s, x, b, n, e):
    b = b.detach()
    b[:, :, n:e] = x
    return b[:, :, :e]


@a_stack("the copy to be saved")
def past_again(ctx, s, x, b, n, e):
    b.data[:, :, :n] = s
    return written(ctx, s, x, b, n, e)


@a_stack("a slot behind x was written")
def rest_emptied(ctx, s, x, b, n, e):
    b.data[:, :, n:] = 0
    return written(ctx, s, x, b, n, e)


@a_stack("not (B, H, n + m, k)")
def one_step_alone(ctx, s, x, b, n, e):
    b.data[:, :, n] = x[:, :, 0]
    return b.data[:, :, : n + 1]


@a_stack("no tensor")
def nothing_back(ctx, s, x, b, n, e):
    b.data[:, :, n:e] = x


@a_stack("nothing is handed to the past", lambda ctx, grad: (None, grad[:, :, ctx.n :], None))
def forgetful(ctx, s, x, b, n, e):
    return written(ctx, s, x, b, n, e)


@a_stack("nothing is handed to x", lambda ctx, grad: (grad[:, :, : ctx.n], None, None))
def nothing_for_x(ctx, s, x, b, n, e):
    return written(ctx, s, x, b, n, e)


def exchanged(ctx, grad):
    return grad[:, :, ctx.n :], grad[:, :, : ctx.n], None


@a_stack("the two parts are swapped", exchanged)
def swapped(ctx, s, x, b, n, e):
    return written(ctx, s, x, b, n, e)


@a_stack("None for both", lambda ctx, grad: (None, None, None))
def none_at_all(ctx, s, x, b, n, e):
    return written(ctx, s, x, b, n, e)


@a_stack("has the shape of the argument", lambda ctx, grad: (grad, grad, None))
def whole_for_both(ctx, s, x, b, n, e):
    return written(ctx, s, x, b, n, e)


@a_stack("one gradient for each argument", lambda ctx, grad: cut(ctx, grad)[:2])
def two_of_three(ctx, s, x, b, n, e):
    return written(ctx, s, x, b, n, e)


@a_stack("never put on ctx", lambda ctx, grad: (grad[:, :, : ctx.m], grad[:, :, ctx.m :], None))
def nowhere(ctx, s, x, b, n, e):
    return written(ctx, s, x, b, n, e)


@a_stack("change no number", lambda ctx, grad: (2 * grad[:, :, : ctx.n], grad[:, :, ctx.n :], None))
def twice(ctx, s, x, b, n, e):
    return written(ctx, s, x, b, n, e)


@a_stack("it changed grad", lambda ctx, grad: cut(ctx, grad.mul_(2)))
def grad_in_place(ctx, s, x, b, n, e):
    return written(ctx, s, x, b, n, e)


@a_stack("has the shape of the argument", lambda ctx, grad: (*grad.chunk(2, 2), None))
def halves(ctx, s, x, b, n, e):
    return written(ctx, s, x, b, n, e)


last = {}


def by_the_last_call(ctx, grad):
    return grad[:, :, : last["n"]], grad[:, :, last["n"] :], None


@a_stack("has the shape of the argument", by_the_last_call)
def seam_outside(ctx, s, x, b, n, e):
    last["n"] = n
    return written(ctx, s, x, b, n, e)


# 6.2


def lies_on(stacked, shelf):
    memories = [one.untyped_storage().data_ptr() for one in (stacked, shelf.buffer)]
    return memories[0] == memories[1] or stacked.shape[2] == 0


def write_on(shelf, x, n):
    end = n + x.shape[2]
    shelf.buffer.data[:, :, n:end] = x
    shelf.written = end
    return shelf.buffer.data[:, :, :end]


def branching(wrong=None, seam=True):
    """The function with this forward, `forward(stacked, x, shelf, n)`, as an answer to 6.2."""

    def register(inner):
        def forward(ctx, stacked, x, shelf):
            n = stacked.shape[2]
            if seam:
                ctx.seam = n
            return inner(stacked, x, shelf, n)

        put("6.2", wrong, inner.__name__, forward, base=Stack)
        return inner

    return register


@branching()
def early_returns(stacked, x, shelf, n):
    if n and stacked.data_ptr() != shelf.buffer.data_ptr():
        return torch.cat([stacked, x], 2)
    if n != shelf.written:
        return torch.cat([stacked, x], 2)
    if shelf.buffer.shape[2] - n < x.shape[2]:
        return torch.cat([stacked, x], 2)
    return write_on(shelf, x, n)


@branching()
def by_copy(stacked, x, shelf, n):
    m, slots = x.shape[2], shelf.buffer.shape[2]
    if lies_on(stacked, shelf) and shelf.written == n and n + m <= slots:
        shelf.buffer.data[:, :, n : n + m].copy_(x)
        shelf.written += m
        return shelf.buffer.data[:, :, : shelf.written]
    B, H, _, k = x.shape
    out = x.new_empty(B, H, n + m, k)
    out[:, :, :n], out[:, :, n:] = stacked, x
    return out


@branching()
def not_shorter(stacked, x, shelf, n):
    fits = n + x.shape[2] < shelf.buffer.shape[2] + 1
    if fits and lies_on(stacked, shelf) and n >= shelf.written:
        return write_on(shelf, x, n)
    return torch.cat((stacked, x), dim=-2)


@branching("an empty stacked ends at slot 0, and 3 slots are taken")
def empty_always_fits(stacked, x, shelf, n):
    fits = n + x.shape[2] <= shelf.buffer.shape[2]
    if fits and (n == 0 or (lies_on(stacked, shelf) and n == shelf.written)):
        return write_on(shelf, x, n)
    return torch.cat([stacked, x], 2)


@branching("does not lie in its buffer")
def whose_memory(stacked, x, shelf, n):
    if n == shelf.written and n + x.shape[2] <= shelf.buffer.shape[2]:
        return write_on(shelf, x, n)
    return torch.cat([stacked, x], 2)


@branching("slot 2 is taken")
def taken_or_not(stacked, x, shelf, n):
    if lies_on(stacked, shelf) and n + x.shape[2] <= shelf.buffer.shape[2]:
        return write_on(shelf, x, n)
    return torch.cat([stacked, x], 2)


@branching("all 5 slots are taken")
def no_matter_how_long(stacked, x, shelf, n):
    if lies_on(stacked, shelf) and n == shelf.written:
        return write_on(shelf, x, n)
    return torch.cat([stacked, x], 2)


@branching("there is room for 1 step")
def room_for_one(stacked, x, shelf, n):
    slots = shelf.buffer.shape[2]
    if lies_on(stacked, shelf) and n == shelf.written and n + 1 <= slots and (n or x.shape[2] < 5):
        return write_on(shelf, x, n)
    return torch.cat([stacked, x], 2)


@branching("nothing stands in the way")
def always_a_copy(stacked, x, shelf, n):
    return torch.cat([stacked, x], 2)


@branching("nothing stands in the way")
def never_to_the_end(stacked, x, shelf, n):
    fits = n + x.shape[2] < shelf.buffer.shape[2]
    if fits and lies_on(stacked, shelf) and n == shelf.written:
        return write_on(shelf, x, n)
    return torch.cat([stacked, x], 2)


@branching("nothing stands in the way")
def empty_never_lies_there(stacked, x, shelf, n):
    if n and lies_on(stacked, shelf) and n == shelf.written and n + x.shape[2] <= 5:
        return write_on(shelf, x, n)
    return torch.cat([stacked, x], 2)


@branching("slots are taken then, shelf.written says 0")
def not_counted(stacked, x, shelf, n):
    if lies_on(stacked, shelf) and n == shelf.written and n + x.shape[2] <= 5:
        shelf.buffer.data[:, :, n : n + x.shape[2]] = x
        return shelf.buffer.data[:, :, : n + x.shape[2]]
    return torch.cat([stacked, x], 2)


@branching("slots are taken then, shelf.written says 1")
def counted_by_one(stacked, x, shelf, n):
    found = early_returns(stacked, x, shelf, n)
    shelf.written = n + 1
    return found


@branching("a copy takes no slots")
def copies_counted(stacked, x, shelf, n):
    found = early_returns(stacked, x, shelf, n)
    shelf.written = n + x.shape[2]
    return found


@branching("through its .data")
def counted_by_autograd(stacked, x, shelf, n):
    if lies_on(stacked, shelf) and n == shelf.written and n + x.shape[2] <= shelf.buffer.shape[2]:
        shelf.written = n + x.shape[2]
        shelf.buffer[:, :, n : shelf.written] = x
        return shelf.buffer[:, :, : shelf.written]
    return torch.cat([stacked, x], 2)


@branching("never put on ctx", seam=False)
def no_seam(stacked, x, shelf, n):
    return early_returns(stacked, x, shelf, n)


@branching("return stacked, then x")
def x_in_front(stacked, x, shelf, n):
    return torch.cat([x, stacked], 2) if n == 2 and shelf.written > 2 else write_on(shelf, x, n)


@branching("forward returns 3 steps")
def x_alone(stacked, x, shelf, n):
    return write_on(shelf, x, n)[:, :, n:]


@branching("no tensor")
def copies_are_nothing(stacked, x, shelf, n):
    found = early_returns(stacked, x, shelf, n)
    return found if found.data_ptr() == shelf.buffer.data_ptr() else None


@branching("leave the shelf as it is")
def another_buffer(stacked, x, shelf, n):
    found = early_returns(stacked, x, shelf, n)
    if found.data_ptr() != shelf.buffer.data_ptr():
        shelf.buffer = found.clone()
    return found


def seam_of_x(ctx, stacked, x, shelf):
    ctx.seam = x.shape[2]
    return early_returns(stacked, x, shelf, stacked.shape[2])


put("6.2", "has the shape of the argument", "seam_of_x", seam_of_x, base=Stack)


def seam_in_place_only(ctx, stacked, x, shelf):
    n = stacked.shape[2]
    found = early_returns(stacked, x, shelf, n)
    if found.data_ptr() == shelf.buffer.data_ptr():
        ctx.seam = n
    return found


put("6.2", "never put on ctx", "seam_in_place_only", seam_in_place_only, base=Stack)


# 6.4


@to("6.4")
def padded(grads):
    T = len(grads)
    return sum(nn.functional.pad(grad, (0, 0, 0, T - grad.shape[2])) for grad in grads)


@to("6.4")
def down_the_chain(grads):
    below, out = None, []
    for grad in reversed(grads):
        if below is not None:
            grad = grad + below
        out.append(grad[:, :, -1:])
        below = grad[:, :, :-1]
    return torch.cat(out[::-1], 2)


@to("6.4")
def in_single_precision(grads):
    total = torch.zeros(grads[-1].shape)
    for t, grad in enumerate(grads):
        total[:, :, : t + 1] += grad
    return total


@to("6.4")
def step_after_step(grads):
    T = len(grads)
    steps = [torch.stack([grads[i][:, :, t] for i in range(t, T)]).sum(0) for t in range(T)]
    return torch.stack(steps, 2)


@to("6.4", wrong="changes its `grads`")
def into_the_last(grads):
    total = grads[-1]
    for grad in grads[:-1]:
        total[:, :, : grad.shape[2]] += grad
    return total


@to("6.4", wrong="changes its `grads`")
def popped(grads):
    total = grads.pop().clone()
    for grad in grads:
        total[:, :, : grad.shape[2]] += grad
    return total


@to("6.4", wrong="in reverse order")
def reversed_steps(grads):
    return down_the_chain(grads).flip(2)


@to("6.4", wrong="return one tensor")
def as_a_list(grads):
    return list(down_the_chain(grads).split(1, 2))


@to("6.4", wrong="lined up at their ends")
def at_the_ends(grads):
    total = torch.zeros_like(grads[-1])
    for grad in grads:
        total[:, :, -grad.shape[2] :] += grad
    return total


@to("6.4", wrong="the last reading's gradient alone")
def overwritten(grads):
    total = torch.zeros_like(grads[-1])
    for grad in grads:
        total[:, :, : grad.shape[2]] = grad
    return total


@to("6.4", wrong="from every later reading too")
def newest(grads):
    return torch.cat([grad[:, :, -1:] for grad in grads], 2)


@to("6.4", wrong="from its own reading too")
def without_its_own_reading(grads):
    return down_the_chain(grads) - newest(grads)


@to("6.4", wrong="not a mean over the readings")
def mean_of_readings(grads):
    return down_the_chain(grads) / len(grads)


@to("6.4", wrong="the last reading is missing")
def without_the_last(grads):
    return in_single_precision([*grads[:-1], 0 * grads[-1]])


@to("6.4", wrong="the first reading is missing")
def without_the_first(grads):
    return in_single_precision([0 * grads[0], *grads[1:]])


@to("6.4", wrong="sums over the steps of a reading")
def sums(grads):
    return torch.cat([grad.sum(2, keepdim=True) for grad in grads], 2)


@to("6.4", wrong="begins with zeros")
def ones(grads):
    return 1 + down_the_chain(grads)


@to("6.4", wrong="each reading counts once")
def two_times(grads):
    return 2 * down_the_chain(grads)


@to("6.4", wrong="not (B, H, T, k)")
def all_behind_one_another(grads):
    return torch.cat(grads, 2)


@to("6.4", wrong="for T = 1")
def four_steps(grads):
    return down_the_chain(grads) if len(grads) == 4 else down_the_chain(grads).expand(2, 3, 4, 5)
