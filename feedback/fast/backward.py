"""The steps of the shared model backward: from the last to the first.

Each product has its equation above it, in the symbols of chapter 7b. x̄ is the gradient of the loss
with respect to x: a layer's output, and then its input. z stands between its two sub-layers and h
is its hidden vector; q is its query, s and a are scores and attention weights, o is what attention
has read. W_q and W_1 are the folded weights, M with an index is a mask of `LayerMasks`, and ⊙
multiplies number by number. N'_x(g) is the way back through the norm of x: from the gradient g of
its result to that of x.

What no step waits for is gathered in `blocks.py`: gradients of weights, and of keys and values far
back. Built in chapter 7b.

Shapes: B batch, T tokens, t step, d width, L layers, i layer, H heads, k = d / H, F feed-forward
width, n keys read at a step, N keys in all, c step within its block.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from feedback.fast.blocks import BLOCK, Blocks
from feedback.fast.dropout import LayerMasks, apply_mask
from feedback.fast.forward import Activations, PassSettings, of_step
from feedback.fast.linear import LayerMaps, ready
from feedback.fast.weights import FoldedWeights

layer_norm_backward = torch.ops.aten.native_layer_norm_backward
relu_backward = torch.ops.aten.threshold_backward.grad_input
softmax_backward = torch.ops.aten._softmax_backward_data.out


def through_norm(grad: Tensor, x: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    """N'_x(grad): from the gradient of `normalize(x)` to that of x."""
    want = [True, False, False]
    return layer_norm_backward(grad, x, x.shape[-1:], mean, scale, None, None, want)[0]


class BackwardStep(NamedTuple):
    """What undoing one step reads, and where it puts its gradients, cut into layers.

    Attributes:
        states, middles, hiddens, attention: what the step has left behind, as in `Activations`.
        keys, values: those that it has read.
        masks: what each layer's dropout has multiplied.
        mean1, scale1, mean2, scale2: of what the norms LN1 and LN2 have normalised.
        d_results: for each linear map the gradients of what it gave.
        d_scores, d_reads: of the scores, and of what attention has read.
    """

    states: Sequence[Tensor]  # L+1 times (B, d)
    middles: Sequence[Tensor]  # L times (B, d)
    hiddens: Sequence[Tensor]  # L times (B, F)
    attention: Sequence[Tensor]  # L times (HB, 1, n)
    keys: Tensor  # (HB, n, k)
    values: Tensor  # (HB, k, n)
    masks: Sequence[LayerMasks]  # L of them
    mean1: Sequence[Tensor]  # L times (B, 1)
    scale1: Sequence[Tensor]
    mean2: Sequence[Tensor]
    scale2: Sequence[Tensor]
    d_results: LayerMaps  # of L times (B, d) or (B, F)
    d_scores: Tensor  # (L, HB, 1, n)
    d_reads: Tensor  # (L, H, B, k)


class Backward:
    """The steps backward, one after another.

    Args:
        past: how many keys were carried over.
        d_kv: (2, HB, N, k), the gradient of keys and values as outputs; None if there is none.

    Attributes:
        blocks: what the steps gather, and the gradients made of it.
        d_x: (T, B, d), the gradient of the embeddings.
    """

    def __init__(
        self,
        settings: PassSettings,
        past: int,
        activations: Activations,
        weights: FoldedWeights,
        d_kv: Tensor | None,
    ):
        self.settings, self.past, self.activations = settings, past, activations
        self.blocks = Blocks(settings, past, activations, weights, d_kv)
        T, _, B, d = activations.states.shape
        self.d_x = activations.states.new_empty(T, B, d)
        self.keys, values = activations.kv  # (HB, N, k) each
        self.values = values.transpose(1, 2)  # (HB, k, N)
        self.maps = [
            LayerMaps(*(ready(affine.weight.t(), None, B) for affine in layer.maps))
            for layer in weights.layers
        ]
        self.from_keys_values = ready(weights.project_kv.t(), None, B)
        self.distances = [layer.r.transpose(1, 2).contiguous() for layer in weights.layers]
        # Numbers for the host would make it wait for an accelerator: they stay tensors.
        self.shares = weights.mixture.unbind()  # w_l

    def run(self, d_y: Tensor | None) -> tuple[Tensor, Tensor, FoldedWeights]:
        """Undo all steps, given the gradient of the outputs, (B, T, d); None if there is none.

        Returns:
            The gradients of the past's keys and values (2, HB, n, k), of x (B, T, d) and of the
            weights.
        """
        if d_y is None:
            d_y = torch.zeros_like(self.d_x).transpose(0, 1)  # (B, T, d)
        for t in reversed(range(len(self.d_x))):
            self.step(t, d_y[:, t])
        d_past = self.blocks.d_kv[:, :, : self.past]
        return d_past, self.d_x.transpose(0, 1), self.blocks.d_weights()

    def step(self, t: int, d_y: Tensor) -> None:
        """Undo step t, the last that is not yet undone, given the gradient of its output (B, d)."""
        blocks, start = self.blocks, t // BLOCK * BLOCK
        if start != blocks.start:
            blocks.begin(start, t + 1)
        step, n = self.view(t), self.settings.key_counts[t]
        # m̄_t = W_kᵀ k̄_t + W_vᵀ v̄_t
        d_memory = self.from_keys_values(blocks.take_own_kv(t))  # (B, d)
        blocks.d_memory[t - start] = d_memory
        # x̄_t^l += w_l m̄_t
        grad = torch.addcmul(d_y, d_memory, self.shares[-1])  # (B, d)
        for i in reversed(range(len(self.maps))):
            grad = self.undo_feed_forward(i, step, grad)
            if n:
                grad = self.undo_attention(i, step, grad)
            else:
                results = step.d_results
                for unread in (results.query[i], results.output[i], step.d_reads[i]):
                    unread.zero_()
            if i > 0:  # what the embedding gets can wait for the block's end
                grad = torch.addcmul(grad, d_memory, self.shares[i])
        self.d_x[t] = grad
        if n:
            blocks.add_to_near(t, step.d_scores)
        if t == start:
            blocks.add_to_far()
            blocks.add_to_weights()
            self.add_to_embeddings()

    def view(self, t: int) -> BackwardStep:
        """What belongs to step t of all that is kept and of all that the block gathers."""
        blocks, n, end = self.blocks, self.settings.key_counts[t], self.past + t
        c, attention = t - blocks.start, blocks.step_attention[t]
        mean1, scale1 = of_step(c, blocks.norms1.mean, blocks.norms1.scale)
        mean2, scale2 = of_step(c, blocks.norms2.mean, blocks.norms2.scale)
        middles, hiddens = of_step(t, self.activations.middles, self.activations.hiddens)
        return BackwardStep(
            states=self.activations.states[t].unbind(),
            middles=middles,
            hiddens=hiddens,
            attention=attention.unbind(),
            keys=self.keys[:, end - n : end],
            values=self.values[:, :, end - n : end],
            masks=[self.settings.layer_masks(t, i) for i in range(len(self.maps))],
            mean1=mean1,
            scale1=scale1,
            mean2=mean2,
            scale2=scale2,
            d_results=LayerMaps(*of_step(c, *blocks.d_results)),
            d_scores=torch.empty_like(attention),
            d_reads=blocks.d_reads[c],
        )

    def undo_feed_forward(self, i: int, step: BackwardStep, grad: Tensor) -> Tensor:
        """From x̄, the gradient of layer i's output, to z̄: (B, d) -> (B, d)."""
        maps, masks, d_results = self.maps[i], step.masks[i], step.d_results
        hidden, z = step.hiddens[i], step.middles[i]  # (B, F), (B, d)
        # h̄ = W_2ᵀ (M_2 ⊙ x̄) ⊙ M_h ⊙ [h > 0]
        d_added = d_results.narrow[i]  # (B, d)
        apply_mask(grad, masks.feed_forward_output, out=d_added)
        d_hidden = maps.narrow(d_added)  # (B, F)
        if masks.hidden is not None:
            d_hidden *= masks.hidden
        out = d_results.widen[i]  # (B, F)
        d_hidden = relu_backward(d_hidden, hidden, 0, grad_input=out)
        # z̄ = x̄ + N'_z(W_1ᵀ h̄)
        d_normal = maps.widen(d_hidden)  # (B, d)
        return grad + through_norm(d_normal, z, step.mean2[i], step.scale2[i])

    def undo_attention(self, i: int, step: BackwardStep, grad: Tensor) -> Tensor:
        """From z̄ to x̄, the gradient of layer i's input: (B, d) -> (B, d)."""
        maps, masks, d_results = self.maps[i], step.masks[i], step.d_results
        d_read = step.d_reads[i]
        H, B, k = d_read.shape
        # ō = W_oᵀ (M_o ⊙ z̄)
        d_added = d_results.output[i]  # (B, d)
        apply_mask(grad, masks.attention_output, out=d_added)
        d_merged = maps.output(d_added)  # (B, d)
        d_read.copy_(d_merged.view(B, H, k).transpose(0, 1))  # (B, d) -> (H, B, k)
        # ā_j = (ō · v_j) ⊙ M_a
        d_attention = torch.bmm(d_read.view(H * B, 1, k), step.values)  # (HB, 1, n)
        if masks.attention is not None:
            d_attention *= masks.attention
        # s̄_j = a_j (ā_j - Σ_i a_i ā_i)
        attention, d_score = step.attention[i], step.d_scores[i]  # (HB, 1, n) each
        softmax_backward(d_attention, attention, -1, grad.dtype, grad_input=d_score)
        # q̄ = Σ_j s̄_j (k_j + r_j)
        n = d_score.shape[-1]
        distances = self.distances[i][:, -n:]  # (H, n, k), the nearest last
        d_query = torch.bmm(d_score.view(H, B, n), distances)  # (H, B, k)
        d_query = d_query.view(H * B, 1, k)
        d_query.baddbmm_(d_score, step.keys)  # (HB, 1, k)
        d_query = d_query.view(H, B, k).transpose(0, 1)  # (B, H, k)
        d_results.query[i].view(B, H, k).copy_(d_query)
        if i == 0:  # its norm and query can wait for the block's end
            return grad
        # x̄ = z̄ + N'_x(W_qᵀ q̄)
        d_normal, x = maps.query(d_results.query[i]), step.states[i]  # (B, d) each
        return grad + through_norm(d_normal, x, step.mean1[i], step.scale1[i])

    def add_to_embeddings(self) -> None:
        """Add to the block's d_x what comes through the first layer's queries and the memory."""
        blocks = self.blocks
        C, block = blocks.stop - blocks.start, slice(blocks.start, blocks.stop)
        states = self.activations.states[block, 0]  # (C, B, d)
        d_memory = blocks.d_memory[:C]  # (C, B, d)
        # x̄ += N'_x(W_qᵀ q̄)
        d_query = blocks.d_results.query[0, :C].flatten(0, 1)  # (CB, d)
        d_normal = self.maps[0].query(d_query).view(d_memory.shape)  # (C, B, d)
        mean, scale = blocks.norms1.mean[0], blocks.norms1.scale[0]
        self.d_x[block] += through_norm(d_normal, states.contiguous(), mean, scale)
        # x̄_t^0 += w_0 m̄_t
        self.d_x[block].addcmul_(d_memory, self.shares[0])
