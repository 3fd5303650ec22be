"""All steps of the shared-KV model in one autograd function, forward and backward by hand.

Steps wait for one another, so the loop over them stays. Everything that can leave the loop has left
it: autograd's bookkeeping, the gradients of the weights (one matrix product for a block of steps
instead of one a step) and the gradients of far keys and values (likewise). Built in chapter 7.

Shapes: B batch, T tokens, t step, d width, L layers, H heads, k = d / H, F feed-forward width,
n keys read at a step, N keys in all, C steps of a block, c step within it. Heads stand before the
batch in what belongs to attention, so that one product serves a head's whole batch.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from feedback.prepared import LayerWeights, layer_weights, product

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


class Plan(NamedTuple):
    """What a pass over a sequence does besides its tensors.

    Attributes:
        counts: for each step how many keys it reads.
        eps: what the norms add to a variance.
        masks: for each step a list of `Masks`, one a layer; None without dropout.
    """

    counts: list[int]
    eps: float
    masks: list[list[Masks]] | None


class Kept(NamedTuple):
    """What a forward pass leaves behind for its backward pass.

    Attributes:
        states: (T, L+1, B, d), the embedding and every layer's output.
        queries: (T, L, H, B, k).
        reads: (T, L, B, d), what attention read, before W_o.
        middles: (T, L, B, d), between the two sub-layers.
        hiddens: (T, L, B, F), after relu and dropout.
        rows: a tuple of T tensors (L, HB, 1, n), the attention weights before dropout.
    """

    states: Tensor
    queries: Tensor
    reads: Tensor
    middles: Tensor
    hiddens: Tensor
    rows: tuple[Tensor, ...]


def normalize(x: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    """LayerNorm without gain and bias: the result, the mean and 1 / the standard deviation."""
    return torch.native_layer_norm(x, x.shape[-1:], None, None, eps)


def residual(multiply, x: Tensor, bias: Tensor, state: Tensor, mask: Tensor | None) -> Tensor:
    """state + dropout(W x + bias)."""
    if mask is None:
        return multiply(x, bias, plus=state)
    return torch.addcmul(state, multiply(x, bias), mask)


def forward_steps(
    plan: Plan,
    keep: bool,
    x: Tensor,
    keys: Tensor,
    values: Tensor,
    mixture: Tensor,
    project: Tensor,
    layers: list[LayerWeights],
) -> tuple[Tensor, Tensor, Tensor, Kept]:
    """Run all steps on x (B, T, d) after a past of keys and values (B, H, n, k).

    Args:
        keep: whether a backward pass will follow; otherwise one step's room serves all steps.
        mixture: (L+1,), the weights with which outputs enter the memory.
        project: (2 d, d), W_k above W_v.

    Returns:
        Outputs (B, T, d) before the last norm, keys and values (B, H, N, k), and what was kept.
    """
    (B, T, d), (_, H, past, k) = x.shape, keys.shape
    L, HB, F, slots = len(layers), H * B, len(layers[0].widen), T if keep else 1
    products = [[product(w) for w in (z.query, z.output, z.widen, z.narrow)] for z in layers]
    to_keys_values = product(project)

    both = x.new_empty(2, HB, past + T, k)
    both.view(2, H, B, -1, k)[:, :, :, :past] = torch.stack([keys, values]).transpose(1, 2)
    K, V = both
    y = x.new_empty(T, B, d)
    sizes = [L * HB * n for n in plan.counts]
    rows = x.new_empty(sum(sizes) if keep else max(sizes))
    kept = Kept(
        states=x.new_empty(slots, L + 1, B, d),
        queries=x.new_zeros(slots, L, H, B, k),
        reads=x.new_zeros(slots, L, B, d),
        middles=x.new_empty(slots, L, B, d),
        hiddens=x.new_empty(slots, L, B, F),
        rows=rows.split(sizes) if keep else tuple(rows[:size] for size in sizes),
    )
    kept = kept._replace(rows=tuple(row.view(L, HB, 1, -1 if len(row) else 0) for row in kept.rows))

    for t, n in enumerate(plan.counts):
        slot, end = t if keep else 0, past + t
        states, queries, reads, middles, hiddens = (part[slot].unbind() for part in kept[:5])
        state = states[0].copy_(x[:, t])
        K_t, V_t = K[:, end - n : end].transpose(1, 2), V[:, end - n : end]
        for i, (w, (to_query, to_output, to_hidden, to_state)) in enumerate(
            zip(layers, products, strict=True)
        ):
            mask = plan.masks[t][i] if plan.masks else Masks(None, None, None, None)
            middle = middles[i]
            if n:
                query = to_query(normalize(state, plan.eps)[0], w.query_bias)
                query = queries[i].copy_(query.view(B, H, k).transpose(0, 1))
                scores = torch.baddbmm(w.s[:, :, -n:], query, w.r[:, :, -n:]).view(HB, 1, n)
                scores.baddbmm_(query.view(HB, 1, k), K_t)
                row = torch.softmax(scores, -1, out=kept.rows[t][i])
                row = row if mask.attention is None else row * mask.attention
                read = torch.bmm(row, V_t).view(H, B, k).transpose(0, 1)
                reads[i].view(B, H, k).copy_(read)
                middle.copy_(residual(to_output, reads[i], w.output_bias, state, mask.read))
            else:
                middle.copy_(state)
            hidden = to_hidden(normalize(middle, plan.eps)[0], w.widen_bias, relu=True)
            hidden = masked(hidden, mask.hidden, out=hiddens[i])
            state = states[i + 1].copy_(
                residual(to_state, hidden, w.narrow_bias, middle, mask.added)
            )
        y[t] = state
        memory = (mixture @ kept.states[slot].view(L + 1, -1)).view(B, d)
        new = to_keys_values(memory).view(B, 2, H, k).permute(1, 2, 0, 3)
        both.view(2, H, B, -1, k)[:, :, :, end] = new
    K, V = both.view(2, H, B, -1, k).transpose(1, 2)
    return y.transpose(0, 1).contiguous(), K, V, kept


def masked(x: Tensor, mask: Tensor | None, out: Tensor) -> Tensor:
    """Write dropout(x) to `out`."""
    return out.copy_(x) if mask is None else torch.mul(x, mask, out=out)


class Backward:
    """The backward pass: steps from the last to the first, a block of them at a time.

    The gradient of a step's key and value has two parts. What later blocks contribute has been
    added to `d_keys` and `d_values` when those blocks ended, by one product for each; what later
    steps of the same block contribute is in `near`, to which every step adds.

    Attributes:
        d_scores, rows: (C, L, HB, N), of this block and zero where a step reads nothing.
        d_reads: (C, L, H, B, k), gradients of what attention read.
        d_queries, d_outputs, d_narrow: (C, L, B, d), of W_q's result, W_o's and W_2's.
        d_widen: (C, L, B, F), of W_1's result.
        d_memory: (C, B, d). d_projected: (C, B, 2, H, k), of key and value.
        near: (2, HB, C, k), gradients of the block's own keys and values.
    """

    def __init__(self, plan: Plan, keys, values, mixture, project, layers, kept: Kept, needed):
        self.plan, self.mixture, self.kept = plan, mixture, kept
        T, _, B, d = kept.states.shape
        _, L, H, _, k = kept.queries.shape
        N, F, C, new = keys.shape[2], kept.hiddens.shape[-1], min(BLOCK, T), keys.new_empty
        self.B, self.L, self.H, self.k = B, L, H, k
        self.T, self.C, self.past = T, C, N - T
        self.products = [
            [product(w.t()) for w in (z.query, z.output, z.widen, z.narrow)] for z in layers
        ]
        self.from_keys_values = product(project.t())
        self.far_first = [w.r.transpose(1, 2).contiguous() for w in layers]  # (H, n, k)
        self.keys = keys.transpose(0, 1).view(H * B, N, k)
        self.values = values.transpose(0, 1).view(H * B, N, k).transpose(1, 2)
        self.d_scores, self.rows = keys.new_zeros(2, C, L, H * B, N)
        self.d_reads = new(C, L, H, B, k)
        self.d_queries, self.d_outputs, self.d_narrow = new(3, C, L, B, d)
        self.d_widen = new(C, L, B, F)
        self.d_memory, self.d_projected = new(C, B, d), new(C, B, 2, H, k)
        self.near = new(2, H * B, C, k)
        self.grads = [
            LayerWeights(
                *(torch.zeros_like(w) if n else None for w, n in zip(z, needs, strict=True))
            )
            for z, needs in zip(layers, needed, strict=True)
        ]
        n = layers[0].s.shape[-1]
        self.d_r, self.d_s = keys.new_zeros(L * H, k, n), keys.new_zeros(L, H, n)
        self.d_mixture, self.d_project = torch.zeros_like(mixture), torch.zeros_like(project)
        self.weights = mixture.tolist()

    def run(self, d_y: Tensor, d_keys: Tensor, d_values: Tensor) -> Tensor:
        """From the gradients of the three outputs to that of x, (B, T, d); the rest is in self."""
        H, B, k = self.H, self.B, self.k
        both = torch.stack([d_keys, d_values]).transpose(1, 2).reshape(2, H * B, -1, k)
        self.d_keys, self.d_values = self.d_both = both
        d_y, d_x = d_y.transpose(0, 1).contiguous(), torch.empty_like(d_y)
        for stop in range(self.T, 0, -BLOCK):
            start = max(0, stop - BLOCK)
            self.begin(start, stop)
            for t in reversed(range(start, stop)):
                d_x[:, t] = self.step(t, t - start, d_y[t])
            self.add_to_far(start, stop)
            self.add_to_weights(start, stop)
        return d_x

    def begin(self, start: int, stop: int) -> None:
        """Normalise the block's inputs again, and clear what its steps add to."""
        own = slice(self.past + start, self.past + start + self.C)
        self.d_scores[..., own] = 0
        self.rows[..., own] = 0
        self.near.zero_()
        self.own, eps = own, self.plan.eps
        self.norms1 = normalize(self.kept.states[start:stop, :-1], eps)
        self.norms2 = normalize(self.kept.middles[start:stop], eps)

    def step(self, t: int, c: int, grad: Tensor) -> Tensor:
        """One step: from the gradient of its output to that of its embedding, both (B, d)."""
        B, H, k, HB, L, n = self.B, self.H, self.k, self.H * self.B, self.L, self.plan.counts[t]
        end = self.past + t
        keys, values = self.keys[:, end - n : end], self.values[:, :, end - n : end]
        rows, d_scores = self.kept.rows[t], torch.empty_like(self.kept.rows[t])
        whole = (self.d_both[:, :, end] + self.near[:, :, c]).view(2, H, B, k)
        self.d_projected[c].copy_(whole.permute(2, 0, 1, 3))
        d_memory = self.from_keys_values(self.d_projected[c].view(B, -1))
        self.d_memory[c] = d_memory
        grad = torch.add(grad, d_memory, alpha=self.weights[L])
        for i in reversed(range(L)):
            from_query, from_output, from_hidden, from_state = self.products[i]
            mask = self.plan.masks[t][i] if self.plan.masks else Masks(None, None, None, None)
            d_hidden = from_state(masked(grad, mask.added, out=self.d_narrow[c, i]))
            if mask.hidden is not None:
                d_hidden *= mask.hidden
            hidden = self.kept.hiddens[t, i]
            d_hidden = relu_backward(d_hidden, hidden, 0, grad_input=self.d_widen[c, i])
            grad = grad + self.through_norm(
                from_hidden(d_hidden), self.kept.middles[t, i], self.norms2, c, i
            )
            if n:
                d_read = from_output(masked(grad, mask.read, out=self.d_outputs[c, i]))
                d_read = self.d_reads[c, i].copy_(d_read.view(B, H, k).transpose(0, 1))
                d_row = torch.bmm(d_read.view(HB, 1, k), values)
                if mask.attention is not None:
                    d_row *= mask.attention
                d_score = softmax_backward(d_row, rows[i], -1, d_row.dtype, grad_input=d_scores[i])
                d_query = torch.bmm(d_score.view(H, B, n), self.far_first[i][:, -n:])
                d_query = d_query.view(HB, 1, k).baddbmm_(d_score, keys)
                d_query = d_query.view(H, B, k).transpose(0, 1)
                self.d_queries[c, i].view(B, H, k).copy_(d_query)
                grad = grad + self.through_norm(
                    from_query(self.d_queries[c, i]), self.kept.states[t, i], self.norms1, c, i
                )
            else:
                self.d_queries[c, i] = self.d_outputs[c, i] = self.d_reads[c, i] = 0
            grad = torch.add(grad, d_memory, alpha=self.weights[i])
        if n:
            self.add_to_near(t, c, d_scores)
        return grad

    def through_norm(self, grad: Tensor, x: Tensor, norms: tuple, c: int, i: int) -> Tensor:
        _, mean, scale = norms
        shape, want = x.shape[-1:], [True, False, False]
        return layer_norm_backward(grad, x, shape, mean[c, i], scale[c, i], None, None, want)[0]

    def add_to_near(self, t: int, c: int, d_scores: Tensor) -> None:
        """Add what step t gives to distances, and to keys and values of its own block."""
        L, H, B, k, n, end = self.L, self.H, self.B, self.k, self.plan.counts[t], self.past + t
        queries, d_reads = self.kept.queries[t], self.d_reads[c]
        rows = self.kept.rows[t]
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

    def add_to_far(self, start: int, stop: int) -> None:
        """Add what the block gives to keys and values before it: one product for each."""
        rows, HB = (stop - start) * self.L, self.H * self.B
        # As far back as the block's first step reads: where a later one does not, its row is zero.
        far = slice(self.past + start - self.plan.counts[start], self.past + start)
        if far.start == far.stop:
            return
        for d_past, weights, given in (
            (self.d_keys, self.d_scores, self.kept.queries[start:stop]),
            (self.d_values, self.rows, self.d_reads[: stop - start]),
        ):
            weights = weights[: stop - start].view(rows, HB, -1)[:, :, far].permute(1, 2, 0)
            d_past[:, far] += torch.bmm(weights, given.view(rows, HB, -1).transpose(0, 1))

    def add_to_weights(self, start: int, stop: int) -> None:
        """Add what the block gives to the weights: one product for each."""
        C, kept = stop - start, self.kept
        pairs = (  # gradient of a linear map's result, and its input
            (self.d_queries, self.norms1[0]),
            (self.d_outputs, kept.reads[start:stop]),
            (self.d_widen, self.norms2[0]),
            (self.d_narrow, kept.hiddens[start:stop]),
        )
        for i, grads in enumerate(self.grads):
            of_maps = (grads[0:2], grads[4:6], grads[6:8], grads[8:10])
            for (weight, bias), (given, x) in zip(of_maps, pairs, strict=True):
                given, x = given[:C, i].flatten(0, 1), x[:, i].flatten(0, 1)
                if weight is not None:
                    weight.addmm_(given.t(), x)
                if bias is not None:
                    bias += given.sum(0)
        states, d_memory = kept.states[start:stop], self.d_memory[:C]
        memory = torch.einsum("l,clbd->cbd", self.mixture, states).flatten(0, 1)
        self.d_project.addmm_(self.d_projected[:C].view(len(memory), -1).t(), memory)
        self.d_mixture += torch.einsum("clbd,cbd->l", states, d_memory)

    def given(self) -> list[Tensor | None]:
        """The gradients of keys, values, mixture, project and every layer's weights."""
        L, H, k = self.L, self.H, self.k
        past = self.d_both.view(2, H, self.B, -1, k)[:, :, :, : self.past].transpose(1, 2)
        d_r, d_s = self.d_r.view(L, H, k, -1), self.d_s[:, :, None]
        layers = [
            grads._replace(r=r, s=s) for grads, r, s in zip(self.grads, d_r, d_s, strict=True)
        ]
        return [*past, self.d_mixture, self.d_project, *(grad for z in layers for grad in z)]


class WholeSequence(torch.autograd.Function):
    """`forward_steps` with a backward pass of its own; the gradient of a gradient is an error."""

    @staticmethod
    def forward(ctx, plan, x, keys, values, mixture, project, *weights):
        y, keys, values, kept = forward_steps(
            plan, True, x, keys, values, mixture, project, by_layer(weights)
        )
        ctx.plan, ctx.n_weights, parts = plan, len(weights), len(kept) - 1
        ctx.save_for_backward(keys, values, mixture, project, *weights, *kept[:parts], *kept.rows)
        return y, keys, values

    @staticmethod
    @once_differentiable
    def backward(ctx, d_y, d_keys, d_values):
        *fixed, weights = *ctx.saved_tensors[:4], ctx.saved_tensors[4 : 4 + ctx.n_weights]
        parts = ctx.saved_tensors[4 + ctx.n_weights :]
        kept = Kept(*parts[:5], parts[5:])
        needed = by_layer(ctx.needs_input_grad[6:])
        backward = Backward(ctx.plan, *fixed, by_layer(weights), kept, needed)
        d_x = backward.run(d_y, d_keys, d_values)
        return None, d_x, *backward.given()


def by_layer(weights: tuple) -> list[LayerWeights]:
    """Cut a long tuple into one `LayerWeights` a layer."""
    n = len(LayerWeights._fields)
    return [LayerWeights(*weights[i : i + n]) for i in range(0, len(weights), n)]


def draw_masks(layers: nn.ModuleList, x: Tensor, counts: list[int]) -> list[list[Masks]] | None:
    """Draw the dropout masks of all steps of x (B, T, d) from the layers; None without dropout.

    They are drawn in the order in which a loop over steps and layers draws them: from the same seed
    every path gets the same masks.
    """
    if all(rests(drop) for layer in layers for drop in dropouts(layer)):
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


def rests(dropout: nn.Module) -> bool:
    return isinstance(dropout, nn.Dropout) and (dropout.p == 0 or not dropout.training)


def whole_sequence(
    model: nn.Module, x: Tensor, keys: Tensor, values: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Run a `FeedbackTransformerKV` on x (B, T, d) after a past of keys and values (B, H, n, k).

    Float32, float64 and bfloat16 on any device. Autocast is off inside; second derivatives raise
    RuntimeError (take them on the "loop" path).

    Returns:
        Outputs (B, T, d) before the last norm, and keys and values with T steps more.
    """
    past, T = keys.shape[2], x.shape[1]
    size = model.config.memory_size or past + T
    counts = [min(n, size) for n in range(past, past + T)]
    with torch.autocast(x.device.type, enabled=False):
        shared = model.keys_values[0]
        inputs = x, keys, values, model.mixture.weights(x)
        inputs += (torch.cat([shared.key.weight, shared.value.weight]),)
        layers = [layer_weights(layer, max(1, counts[-1])) for layer in model.layers]
        weights = [tensor for layer in layers for tensor in layer]
        plan = Plan(counts, model.norm.eps, draw_masks(model.layers, x, counts))
        if torch.is_grad_enabled() and any(z.requires_grad for z in (*inputs, *weights)):
            return WholeSequence.apply(plan, *inputs, *weights)
        return forward_steps(plan, False, *inputs, layers)[:3]
