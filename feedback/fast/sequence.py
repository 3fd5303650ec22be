"""The steps of the shared-KV model in one autograd function, forward and backward by hand.

Steps wait for one another, so the loop over them stays. Everything that can leave the loop has left
it: autograd's bookkeeping, the first layer's norm and query, the gradients of the weights (one
matrix product for a block of steps instead of one a step) and the gradients of far keys and values
(likewise). `Steps` is one node of autograd's graph: for all steps, or for one. Built in
chapter 7.

Shapes: B batch, T tokens, t step, d width, L layers, H heads, k = d / H, F feed-forward width,
n keys read at a step, N keys in all, C steps of a block, c step within it. Heads stand before the
batch in what belongs to attention, so that one product serves a head's whole batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from feedback.fast.weights import LayerWeights, layer_weights, product

BLOCK = 32  # steps whose gradients are gathered before they meet the weights and the far past

layer_norm_backward = torch.ops.aten.native_layer_norm_backward
relu_backward = torch.ops.aten.threshold_backward.grad_input
softmax_backward = torch.ops.aten._softmax_backward_data.out


class Masks(NamedTuple):
    """The dropout masks of one layer at one step, already divided by what is kept."""

    attention: Tensor | None  # (HB, 1, n); None where nothing is read
    read: Tensor | None  # (B, d), likewise
    hidden: Tensor  # (B, F)
    added: Tensor  # (B, d)


NO_MASKS = Masks(None, None, None, None)


class Plan(NamedTuple):
    """What a pass over a sequence does besides its tensors.

    Attributes:
        counts: for each step how many keys it reads.
        eps: what the norms add to a variance.
        masks: for each step a list of `Masks`, one a layer; None without dropout.
        under_way: holds the `Backward` of a way back that has begun and not ended.
    """

    counts: list[int]
    eps: float
    masks: list[list[Masks]] | None
    under_way: list[Backward]


class Kept(NamedTuple):
    """What the steps forward leave behind for those backward.

    What weights meet again stands layer by layer: the steps of a block are then rows of one matrix.

    Attributes:
        stacked: (2, HB, N, k), keys and values.
        states: (T, L+1, B, d), the embedding and every layer's output.
        queries: (T, L, H, B, k).
        rows: the attention weights before dropout, for each step (L, HB, 1, n), one behind another.
        reads: (L, T, B, d), what attention read, before W_o.
        middles: (L, T, B, d), between the two sub-layers.
        hiddens: (L, T, B, F), after relu and dropout.
    """

    stacked: Tensor
    states: Tensor
    queries: Tensor
    rows: Tensor
    reads: Tensor
    middles: Tensor
    hiddens: Tensor


def normalize(x: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    """LayerNorm without gain and bias: the result, the mean and 1 / the standard deviation."""
    return torch.native_layer_norm(x, x.shape[-1:], None, None, eps)


def residual(multiply, x: Tensor, bias: Tensor, state: Tensor, mask: Tensor | None) -> Tensor:
    """state + dropout(W x + bias)."""
    if mask is None:
        return multiply(x, bias, plus=state)
    return torch.addcmul(state, multiply(x, bias), mask)


class Forward:
    """The steps forward: room for all that they leave behind, and one step after another.

    Args:
        keep: whether a backward pass will follow; otherwise one step's room serves all steps.
        x: (B, T, d). past: (2, HB, n, k), keys and values carried over.
        mixture: (L+1,), the weights with which outputs enter the memory.
        project: (2 d, d), W_k above W_v.
    """

    @torch.no_grad()
    def __init__(
        self,
        plan: Plan,
        keep: bool,
        x: Tensor,
        past: Tensor,
        mixture: Tensor,
        project: Tensor,
        layers: list[LayerWeights],
    ):
        self.plan, self.x, self.layers = plan, x, layers
        self.mixture, self.project = mixture, project
        (B, T, d), (_, HB, self.past, k) = x.shape, past.shape
        L, H, F, slots = len(layers), HB // B, len(layers[0].widen), T if keep else 1
        sizes = [L * HB * n for n in plan.counts]
        self.kept = Kept(
            stacked=torch.cat([past, x.new_empty(2, HB, T, k)], dim=2),
            states=x.new_empty(slots, L + 1, B, d),
            queries=x.new_zeros(slots, L, H, B, k),
            rows=x.new_empty(sum(sizes) if keep else max(sizes)),
            reads=x.new_zeros(L, slots, B, d),
            middles=x.new_empty(L, slots, B, d),
            hiddens=x.new_empty(L, slots, B, F),
        )
        self.slots = range(T) if keep else [0] * T
        self.rows = split_rows(self.kept, plan) if keep else None
        self.products = [
            [product(w) for w in (z.query, z.output, z.widen, z.narrow)] for z in layers
        ]
        self.to_keys_values = product(project)
        # The first layer's queries need nothing but the embedding: all steps at once.
        z = normalize(x.transpose(0, 1), plan.eps)[0].flatten(0, 1)
        first = self.products[0][0](z, layers[0].query_bias)
        self.first_queries = first.view(T, B, H, k).transpose(1, 2)

    def step(self, t: int) -> Tensor:
        """Take step t and put its key and value behind the others. Returns its output, (B, d)."""
        plan, kept, slot, n = self.plan, self.kept, self.slots[t], self.plan.counts[t]
        _, L, H, B, k = kept.queries.shape
        HB, end = H * B, self.past + t
        states, queries = kept.states[slot].unbind(), kept.queries[slot].unbind()
        reads, middles, hiddens = of_step(slot, *kept[4:])
        rows = kept.rows[: L * HB * n].view(L, HB, 1, n) if self.rows is None else self.rows[t]
        keys, values = kept.stacked[:, :, end - n : end].unbind()
        keys = keys.transpose(1, 2)
        state = states[0].copy_(self.x[:, t])
        for i, (w, (to_query, to_output, to_hidden, to_state)) in enumerate(
            zip(self.layers, self.products, strict=True)
        ):
            mask = plan.masks[t][i] if plan.masks else NO_MASKS
            middle = middles[i]
            if n:
                if i == 0:
                    query = self.first_queries[t]
                else:
                    query = to_query(normalize(state, plan.eps)[0], w.query_bias)
                    query = query.view(B, H, k).transpose(0, 1)
                query = queries[i].copy_(query)
                scores = torch.baddbmm(w.s[:, :, -n:], query, w.r[:, :, -n:]).view(HB, 1, n)
                scores.baddbmm_(query.view(HB, 1, k), keys)
                row = torch.softmax(scores, -1, out=rows[i])
                row = row if mask.attention is None else row * mask.attention
                read = torch.bmm(row, values).view(H, B, k).transpose(0, 1)
                reads[i].view(B, H, k).copy_(read)
                middle.copy_(residual(to_output, reads[i], w.output_bias, state, mask.read))
            else:
                middle.copy_(state)
            hidden = to_hidden(normalize(middle, plan.eps)[0], w.widen_bias, relu=True)
            hidden = masked(hidden, mask.hidden, out=hiddens[i])
            state = states[i + 1].copy_(
                residual(to_state, hidden, w.narrow_bias, middle, mask.added)
            )
        memory = (self.mixture @ kept.states[slot].view(L + 1, -1)).view(B, -1)
        new = self.to_keys_values(memory).view(B, 2, H, k).permute(1, 2, 0, 3)
        kept.stacked.view(2, H, B, -1, k)[:, :, :, end] = new
        return state


def split_rows(kept: Kept, plan: Plan) -> list[Tensor]:
    """The attention weights of each step, (L, HB, 1, n)."""
    _, L, H, B, _ = kept.queries.shape
    parts = kept.rows.split([L * H * B * n for n in plan.counts])
    return [part.view(L, H * B, 1, n) for part, n in zip(parts, plan.counts, strict=True)]


def masked(x: Tensor, mask: Tensor | None, out: Tensor) -> Tensor:
    """Write dropout(x) to `out`."""
    return out.copy_(x) if mask is None else torch.mul(x, mask, out=out)


class Backward:
    """The steps backward: from the last to the first, a block of them at a time.

    The gradient of a step's key and value has two parts. What later blocks contribute has been
    added to `d_stacked` when those blocks ended, by one product for keys and one for values; what
    later steps of the same block contribute is in `near`, to which every step adds.

    Attributes:
        d_stacked: (2, HB, N, k), gradients of keys and values.
        d_x: (T, B, d).
        d_scores, rows: (C, L, HB, N), of this block and zero where a step reads nothing.
        d_reads: (C, L, H, B, k), gradients of what attention read.
        d_queries, d_outputs, d_narrow: (L, C, B, d), of W_q's result, W_o's and W_2's.
        d_widen: (L, C, B, F), of W_1's result.
        d_memory: (C, B, d). d_projected: (C, B, 2, H, k), of key and value.
        near: (2, HB, C, k), gradients of the block's own keys and values.
    """

    def __init__(
        self,
        plan: Plan,
        past: int,
        kept: Kept,
        mixture: Tensor,
        project: Tensor,
        layers: list[LayerWeights],
        d_stacked: Tensor | None,
    ):
        self.plan, self.past, self.kept, self.mixture = plan, past, kept, mixture
        T, _, B, d = kept.states.shape
        _, L, H, _, k = kept.queries.shape
        N, F, C = kept.stacked.shape[2], kept.hiddens.shape[-1], min(BLOCK, T)
        new, zeros = project.new_empty, project.new_zeros
        self.products = [
            [product(w.t()) for w in (z.query, z.output, z.widen, z.narrow)] for z in layers
        ]
        self.from_keys_values = product(project.t())
        self.far_first = [w.r.transpose(1, 2).contiguous() for w in layers]  # (H, n, k)
        self.keys, self.values = kept.stacked[0], kept.stacked[1].transpose(1, 2)
        self.attention = split_rows(kept, plan)
        self.d_stacked = zeros(2, H * B, N, k)
        if d_stacked is not None:
            self.d_stacked += d_stacked
        self.d_x = zeros(T, B, d)
        self.d_scores, self.rows = zeros(2, C, L, H * B, N)
        self.d_reads = new(C, L, H, B, k)
        self.d_queries, self.d_outputs, self.d_narrow = new(3, L, C, B, d)
        self.d_widen = new(L, C, B, F)
        self.d_memory, self.d_projected = new(C, B, d), new(C, B, 2, H, k)
        self.grads = [
            LayerWeights(*(torch.zeros_like(w) if w.requires_grad else None for w in z))
            for z in layers
        ]
        n = layers[0].s.shape[-1]
        self.d_r, self.d_s = zeros(L * H, k, n), zeros(L, H, n)
        self.d_mixture, self.d_project = torch.zeros_like(mixture), torch.zeros_like(project)
        self.weights, self.start = mixture.tolist(), T

    def step(self, t: int, grad: Tensor) -> None:
        """Undo step t, the last that is not yet undone, given the gradient of its output (B, d)."""
        start = t // BLOCK * BLOCK
        if start != self.start:
            self.begin(start, t + 1)
        kept, c, n, end = self.kept, t - start, self.plan.counts[t], self.past + t
        _, L, H, B, k = kept.queries.shape
        HB = H * B
        keys, values = self.keys[:, end - n : end], self.values[:, :, end - n : end]
        rows, d_scores = self.attention[t], torch.empty_like(self.attention[t])
        states = kept.states[t].unbind()
        middles, hiddens = of_step(t, kept.middles, kept.hiddens)
        d_queries, d_outputs, d_narrow, d_widen = of_step(
            c, self.d_queries, self.d_outputs, self.d_narrow, self.d_widen
        )
        mean1, scale1, mean2, scale2 = of_step(c, *self.norms1[1:], *self.norms2[1:])

        whole = (self.d_stacked[:, :, end] + self.near[:, :, c]).view(2, H, B, k)
        self.d_projected[c].copy_(whole.permute(2, 0, 1, 3))
        d_memory = self.from_keys_values(self.d_projected[c].view(B, -1))
        self.d_memory[c] = d_memory
        grad = torch.add(grad, d_memory, alpha=self.weights[L])
        for i in reversed(range(L)):
            from_query, from_output, from_hidden, from_state = self.products[i]
            mask = self.plan.masks[t][i] if self.plan.masks else NO_MASKS
            d_hidden = from_state(masked(grad, mask.added, out=d_narrow[i]))
            if mask.hidden is not None:
                d_hidden *= mask.hidden
            d_hidden = relu_backward(d_hidden, hiddens[i], 0, grad_input=d_widen[i])
            grad = grad + through_norm(from_hidden(d_hidden), middles[i], mean2[i], scale2[i])
            if n:
                d_read = from_output(masked(grad, mask.read, out=d_outputs[i]))
                d_read = self.d_reads[c, i].copy_(d_read.view(B, H, k).transpose(0, 1))
                d_row = torch.bmm(d_read.view(HB, 1, k), values)
                if mask.attention is not None:
                    d_row *= mask.attention
                d_score = softmax_backward(d_row, rows[i], -1, d_row.dtype, grad_input=d_scores[i])
                d_query = torch.bmm(d_score.view(H, B, n), self.far_first[i][:, -n:])
                d_query = d_query.view(HB, 1, k).baddbmm_(d_score, keys)
                d_query = d_query.view(H, B, k).transpose(0, 1)
                d_queries[i].view(B, H, k).copy_(d_query)
                if i > 0:
                    d_normal = from_query(d_queries[i])
                    grad = grad + through_norm(d_normal, states[i], mean1[i], scale1[i])
            else:
                for part in (d_queries[i], d_outputs[i], self.d_reads[c, i]):
                    part.zero_()
            if i > 0:  # the first layer's query, and what comes after, can wait for the block's end
                grad = torch.add(grad, d_memory, alpha=self.weights[i])
        self.d_x[t] = grad
        if n:
            self.add_to_near(t, c, d_scores)
        if c == 0:
            self.add_to_far()
            self.add_to_weights()

    def begin(self, start: int, stop: int) -> None:
        """Normalise the block's inputs again, and clear what its steps add to."""
        self.start, self.stop, eps = start, stop, self.plan.eps
        self.own = slice(self.past + start, self.past + stop)
        self.d_scores[..., self.own] = 0
        self.rows[..., self.own] = 0
        self.near = self.keys.new_zeros(2, len(self.keys), stop - start, self.keys.shape[-1])
        self.norms1 = normalize(self.kept.states[start:stop, :-1].transpose(0, 1), eps)
        self.norms2 = normalize(self.kept.middles[:, start:stop], eps)

    def add_to_near(self, t: int, c: int, d_scores: Tensor) -> None:
        """Add what step t gives to distances, and to keys and values of its own block."""
        _, L, H, B, k = self.kept.queries.shape
        n, end = self.plan.counts[t], self.past + t
        queries, d_reads, rows = self.kept.queries[t], self.d_reads[c], self.attention[t]
        if self.plan.masks:
            rows = rows * torch.stack([mask.attention for mask in self.plan.masks[t]])
        self.d_scores[c, :, :, end - n : end] = d_scores[:, :, 0]
        self.rows[c, :, :, end - n : end] = rows[:, :, 0]
        by_head = d_scores.view(L * H, B, n)
        self.d_r[:, :, -n:] += torch.bmm(queries.view(L * H, B, k).transpose(1, 2), by_head)
        self.d_s[:, :, -n:] += by_head.sum(1).view(L, H, n)
        for near, weights, given in zip(
            self.near, (self.d_scores, self.rows), (queries, d_reads), strict=True
        ):
            weights = weights[c, :, :, self.own].permute(1, 2, 0)  # (HB, C, L)
            near.baddbmm_(weights, given.view(L, H * B, k).transpose(0, 1))

    def add_to_far(self) -> None:
        """Add what the block gives to keys and values before it: one product for each."""
        _, L, H, B, k = self.kept.queries.shape
        C, first = self.stop - self.start, self.past + self.start
        # As far back as the block's first step reads: where a later one does not, its row is zero.
        far = slice(first - self.plan.counts[self.start], first)
        if far.start == far.stop:
            return
        for d_past, weights, given in zip(
            self.d_stacked,
            (self.d_scores, self.rows),
            (self.kept.queries[self.start : self.stop], self.d_reads[:C]),
            strict=True,
        ):
            weights = weights[:C].view(C * L, H * B, -1)[:, :, far].permute(1, 2, 0)
            d_past[:, far] += torch.bmm(weights, given.view(C * L, H * B, k).transpose(0, 1))

    def add_to_weights(self) -> None:
        """Add what the block gives to the weights: one product for each."""
        kept, C, block = self.kept, self.stop - self.start, slice(self.start, self.stop)
        pairs = (  # gradient of a linear map's result, and its input
            (self.d_queries, self.norms1[0]),
            (self.d_outputs, kept.reads[:, block]),
            (self.d_widen, self.norms2[0]),
            (self.d_narrow, kept.hiddens[:, block]),
        )
        for i, grads in enumerate(self.grads):
            of_maps = (grads[0:2], grads[4:6], grads[6:8], grads[8:10])
            for (weight, bias), (given, x) in zip(of_maps, pairs, strict=True):
                given, x = given[i, :C].flatten(0, 1), x[i].flatten(0, 1)
                if weight is not None:
                    weight.addmm_(given.t(), x)
                if bias is not None:
                    bias += given.sum(0)
        states, d_memory = kept.states[block], self.d_memory[:C]
        memory = torch.einsum("l,clbd->cbd", self.mixture, states).flatten(0, 1)
        self.d_project.addmm_(self.d_projected[:C].view(len(memory), -1).t(), memory)
        self.d_mixture += torch.einsum("clbd,cbd->l", states, d_memory)
        d_normal = self.products[0][0](self.d_queries[0, :C].flatten(0, 1)).view(d_memory.shape)
        mean, scale = (part[0] for part in self.norms1[1:])
        self.d_x[block] += through_norm(d_normal, states[:, 0].contiguous(), mean, scale)
        self.d_x[block].add_(d_memory, alpha=self.weights[0])

    def given(self) -> list[Tensor | None]:
        """The gradients of the stacked past, x, mixture, project and every layer's weights."""
        L, H = self.d_s.shape[:2]
        d_r, d_s = self.d_r.unflatten(0, (L, H)), self.d_s[:, :, None]
        layers = [
            grads._replace(r=r, s=s) for grads, r, s in zip(self.grads, d_r, d_s, strict=True)
        ]
        past, d_x = self.d_stacked[:, :, : self.past], self.d_x.transpose(0, 1)
        return [past, d_x, self.d_mixture, self.d_project, *(z for layer in layers for z in layer)]


def of_step(t: int, *rooms: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """From rooms (L, T, ...) what belongs to step t: for each room a tuple of L tensors."""
    return (room[:, t].unbind() for room in rooms)


def through_norm(grad: Tensor, x: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    """From the gradient of `normalize(x)` to that of x."""
    want = [True, False, False]
    return layer_norm_backward(grad, x, x.shape[-1:], mean, scale, None, None, want)[0]


class Steps(torch.autograd.Function):
    """Some steps of a pass: one node of autograd's graph, whose gradient has no gradient.

    They write behind what is stacked, in a buffer that all steps share, as `Stack` does. What is
    there before the first step goes into the first call, and so the gradients of all of it come out
    where the way back ends; until then they are gathered in a `Backward`, which all calls share.
    """

    @staticmethod
    def forward(ctx, run: Forward, stop: int, stacked: Tensor, *before: Tensor):
        ctx.plan, ctx.past, ctx.stop = run.plan, run.past, stop
        ctx.device_type = run.x.device.type
        ctx.start = stacked.shape[2] - run.past
        y = torch.stack([run.step(t) for t in range(ctx.start, stop)], dim=1)
        # Behind autograd's back: what later steps write is no change to what is saved here.
        stacked, *kept = (room.data for room in run.kept)
        stacked = stacked[:, :, : run.past + stop]
        weights = run.mixture, run.project, *(w for layer in run.layers for w in layer)
        ctx.save_for_backward(stacked, *kept, *weights)
        ctx.set_materialize_grads(False)
        return y, stacked

    @staticmethod
    def backward(ctx, d_y, d_stacked):
        if torch.is_grad_enabled():  # what is returned here would count as a constant
            raise RuntimeError(
                "the gradient of a gradient (create_graph=True) is not there on this path: give "
                "the model path='loop', or set it with model.core.path = 'loop'"
            )
        under_way, T = ctx.plan.under_way, len(ctx.plan.counts)
        with torch.autocast(ctx.device_type, enabled=False):
            if ctx.stop == T or d_stacked is None:  # no later step has been undone
                saved = ctx.saved_tensors  # asked for once: `torch.utils.checkpoint` gives once
                kept, (mixture, project), layers = saved[:7], saved[7:9], by_layer(saved[9:])
                under_way[:] = [
                    Backward(ctx.plan, ctx.past, Kept(*kept), mixture, project, layers, d_stacked)
                ]
            (backward,) = under_way
            if d_y is None:
                d_y = torch.zeros_like(backward.d_x[ctx.start : ctx.stop]).transpose(0, 1)
            for t in reversed(range(ctx.start, ctx.stop)):
                backward.step(t, d_y[:, t - ctx.start])
            if ctx.start > 0:  # cut at the seam
                return None, None, backward.d_stacked[:, :, : ctx.past + ctx.start]
            under_way.clear()
            return None, None, *backward.given()


def by_layer(weights: tuple) -> list[LayerWeights]:
    """Cut a long tuple into one `LayerWeights` a layer."""
    n = len(LayerWeights._fields)
    return [LayerWeights(*weights[i : i + n]) for i in range(0, len(weights), n)]


def draw_masks(layers: nn.ModuleList, x: Tensor, counts: list[int]) -> list[list[Masks]] | None:
    """Draw the dropout masks of all steps of x (B, T, d) from the layers; None without dropout.

    They are drawn in the order in which a loop over steps and layers draws them: from the same seed
    every path gets the same masks.
    """
    if all_rest(layers):
        return None

    def ones(*shape: int) -> Tensor:
        return x.new_ones(shape)

    masks, (B, _, d) = [], x.shape
    for n in counts:
        masks.append([])
        for layer in layers:
            attention, hidden, residual = dropouts(layer)
            H, F = layer.attention.heads, layer.feed_forward.widen.out_features
            of_row = of_read = None
            if n:
                of_row = attention(ones(B, H, 1, n)).transpose(0, 1).reshape(H * B, 1, n)
                of_read = residual(ones(B, 1, d))[:, 0]
            of_hidden, of_added = hidden(ones(B, 1, F))[:, 0], residual(ones(B, 1, d))[:, 0]
            masks[-1].append(Masks(of_row, of_read, of_hidden, of_added))
    return masks


def dropouts(layer: nn.Module) -> tuple[nn.Module, nn.Module, nn.Module]:
    return layer.attention.dropout, layer.feed_forward.dropout, layer.dropout


def all_rest(layers: nn.ModuleList) -> bool:
    """Whether no dropout of these layers drops anything."""
    return all(rests(drop) for layer in layers for drop in dropouts(layer))


def rests(dropout: nn.Module) -> bool:
    return isinstance(dropout, nn.Dropout) and (dropout.p == 0 or not dropout.training)


def whole_sequence(
    model: nn.Module, x: Tensor, keys: Tensor, values: Tensor, at_once: int | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Run a `FeedbackTransformerKV` on x (B, T, d) after a past of keys and values (B, H, n, k).

    Float32, float64 and bfloat16 on any device. Autocast is off inside; second derivatives raise
    RuntimeError (take them on the "loop" path).

    Args:
        at_once: how many steps are one node of autograd's graph; all of them unless given.

    Returns:
        Outputs (B, T, d) before the last norm, and keys and values with T steps more.
    """
    past, (B, T, _) = keys.shape[2], x.shape
    size = model.config.memory_size or past + T
    counts = [min(n, size) for n in range(past, past + T)]
    with torch.autocast(x.device.type, enabled=False):
        shared = model.keys_values[0]
        mixture = model.mixture.weights(x)
        project = torch.cat([shared.key.weight, shared.value.weight])
        layers = [layer_weights(layer, max(1, counts[-1])) for layer in model.layers]
        stacked = torch.stack([keys, values]).transpose(1, 2).flatten(1, 2)  # (2, HB, n, k)
        before = x, mixture, project, *(weight for layer in layers for weight in layer)
        keep = torch.is_grad_enabled() and any(z.requires_grad for z in (stacked, *before))
        plan = Plan(counts, model.norm.eps, draw_masks(model.layers, x, counts), [])
        run = Forward(plan, keep, x, stacked, mixture, project, layers)
        if keep:
            y = []
            for start in range(0, T, at_once or T):
                stop = min(T, start + (at_once or T))
                out, stacked = Steps.apply(run, stop, stacked, *before)
                y.append(out)
                before = ()
            y = torch.cat(y, dim=1)
        else:
            y = torch.stack([run.step(t).clone() for t in range(T)], dim=1)
            stacked = run.kept.stacked
    keys, values = stacked.unflatten(1, (-1, B)).transpose(1, 2)
    return y, keys, values
