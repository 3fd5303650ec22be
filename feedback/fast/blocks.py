"""What the steps backward leave for later, gathered a block of steps at a time.

No step waits for the gradient of a weight, nor one block for what it gives to keys and values of
earlier blocks until it has ended. So the steps put aside what these are made of, and the end of a
block turns it into one matrix product for each weight and one each for far keys and values.
`backward.py` has the steps themselves, and says what the symbols in the equations mean. Built in
chapter 7b.

Shapes: B batch, T tokens, t step, d width, L layers, H heads, k = d / H, F feed-forward width,
n keys read at a step, N keys in all, C steps of a block, c step within it.
"""

from __future__ import annotations

import torch
from torch import Tensor

from feedback.fast.forward import Activations, PassSettings, normalize, split_attention
from feedback.fast.linear import LayerMaps, add_product
from feedback.fast.weights import Affine, FoldedLayer, FoldedWeights

# Steps in a block: enough rows for a product to be worth its call, few enough to keep it small.
BLOCK = 32


class Blocks:
    """The gradients of a pass that are added up block by block, and the block under work.

    The gradient of a step's key and value has two parts. What later blocks give to it has been
    added to `d_kv` when they ended, the far part; what later steps of its own block give is in
    `near`, to which every step adds.

    Attributes of the pass:
        d_kv: (2, HB, N, k), gradients of keys and values.
        d_mixture, d_project_kv: as the weights.
        d_layers: for each layer the gradients of its linear maps, None where nobody wants them.
        d_r, d_s: (L H, k, n) and (L, H, n), of what belongs to distances.

    Attributes of the block:
        start, stop: its first step, and the step after its last.
        norms1, norms2: the inputs of the norms, (L, C, B, d), normalised once more.
        d_results: (L, C, B, d), for widen (L, C, B, F): of what each linear map gives.
        d_scores, attention: (C, L, HB, N), gradients of scores, and attention weights after
            dropout; zero where a step reads nothing.
        d_reads: (C, L, H, B, k), of what attention has read.
        d_memory: (C, B, d), of memory vectors. d_own_kv: (C, B, 2, H, k), of their keys and values.
        near: (2, HB, C, k), the part of `d_own_kv` that comes from the block itself.
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
        self.mixture, (T, L, H, B, k) = weights.mixture, activations.queries.shape
        N, d, F = activations.kv.shape[2], H * k, activations.hiddens.shape[-1]
        n, C, self.start = weights.layers[0].r.shape[-1], min(BLOCK, T), T
        new, zeros = activations.kv.new_empty, activations.kv.new_zeros
        self.step_attention = split_attention(activations, settings.key_counts)

        self.d_kv = zeros(2, H * B, N, k)
        if d_kv is not None:
            self.d_kv += d_kv
        self.d_mixture = torch.zeros_like(weights.mixture)
        self.d_project_kv = torch.zeros_like(weights.project_kv)
        self.d_layers = [
            LayerMaps(*(Affine(*map(zeros_if_wanted, affine)) for affine in layer.maps))
            for layer in weights.layers
        ]
        self.d_r, self.d_s = zeros(L * H, k, n), zeros(L, H, n)

        self.d_results = LayerMaps(
            query=new(L, C, B, d),
            output=new(L, C, B, d),
            widen=new(L, C, B, F),
            narrow=new(L, C, B, d),
        )
        self.d_scores, self.attention = zeros(2, C, L, H * B, N)
        self.d_reads = new(C, L, H, B, k)
        self.d_memory, self.d_own_kv = new(C, B, d), new(C, B, 2, H, k)

    def begin(self, start: int, stop: int) -> None:
        """Turn to the block of steps from `start` to `stop`, and clear what its steps add to."""
        self.start, self.stop, eps = start, stop, self.settings.eps
        self.own = slice(self.past + start, self.past + stop)
        self.d_scores[..., self.own] = 0
        self.attention[..., self.own] = 0
        _, HB, _, k = self.d_kv.shape
        self.near = self.d_kv.new_zeros(2, HB, stop - start, k)
        states = self.activations.states[start:stop, :-1].transpose(0, 1)  # (L, C, B, d)
        self.norms1 = normalize(states, eps)
        self.norms2 = normalize(self.activations.middles[:, start:stop], eps)

    def take_own_kv(self, t: int) -> Tensor:
        """The gradient of the key and value of step t, complete once later steps are undone.

        Returns:
            (B, 2 d), the key's before the value's, which is kept in `d_own_kv` too.
        """
        c, (_, B, _, H, k) = t - self.start, self.d_own_kv.shape
        # k̄_t, v̄_t = far + near
        whole = self.d_kv[:, :, self.past + t] + self.near[:, :, c]  # (2, HB, k)
        by_sequence = whole.view(2, H, B, k).permute(2, 0, 1, 3)  # (B, 2, H, k)
        self.d_own_kv[c].copy_(by_sequence)
        return self.d_own_kv[c].view(B, -1)  # (B, 2 d)

    def add_to_near(self, t: int, d_scores: Tensor) -> None:
        """Add what step t gives to distances, and to keys and values of its own block.

        Args:
            d_scores: (L, HB, 1, n), the gradients of its scores.
        """
        _, L, H, B, k = self.activations.queries.shape
        c, n, end = t - self.start, self.settings.key_counts[t], self.past + t
        queries, attention = self.activations.queries[t], self.step_attention[t]
        if self.settings.masks:
            masks = torch.stack([masks.attention for masks in self.settings.masks[t]])
            attention = attention * masks  # (L, HB, 1, n)
        self.d_scores[c, :, :, end - n : end] = d_scores[:, :, 0]  # (L, HB, n)
        self.attention[c, :, :, end - n : end] = attention[:, :, 0]
        by_head = d_scores.view(L * H, B, n)  # (LH, B, n)
        # r̄_δ += s̄_{t-δ} q_t
        by_feature = queries.view(L * H, B, k).transpose(1, 2)  # (LH, k, B)
        self.d_r[:, :, -n:] += torch.bmm(by_feature, by_head)
        # s̄_δ += s̄_{t-δ}
        self.d_s[:, :, -n:] += by_head.sum(1).view(L, H, n)
        # For j in this block: k̄_j += Σ_l s̄_{t,j}^l q_t^l
        # and v̄_j += Σ_l M_a a_{t,j}^l ō_t^l
        near_keys, near_values = self.near
        for near, factors, vectors in (
            (near_keys, self.d_scores, queries),
            (near_values, self.attention, self.d_reads[c]),
        ):
            factors = factors[c, :, :, self.own].permute(1, 2, 0)  # (HB, C, L)
            near.baddbmm_(factors, vectors.view(L, H * B, k).transpose(0, 1))

    def add_to_far(self) -> None:
        """Add what the block gives to keys and values before it: one product for each."""
        _, L, H, B, k = self.activations.queries.shape
        C, first = self.stop - self.start, self.past + self.start
        # As far back as the first step reads: where a later one does not, its row is zero.
        far = slice(first - self.settings.key_counts[self.start], first)
        if far.start == far.stop:
            return
        # For far j: k̄_j += Σ_t Σ_l s̄_{t,j}^l q_t^l
        # and v̄_j += Σ_t Σ_l M_a a_{t,j}^l ō_t^l
        d_keys, d_values = self.d_kv
        queries = self.activations.queries[self.start : self.stop]  # (C, L, H, B, k)
        for d_past, factors, vectors in (
            (d_keys, self.d_scores, queries),
            (d_values, self.attention, self.d_reads[:C]),
        ):
            factors = factors[:C].view(C * L, H * B, -1)[:, :, far]  # (CL, HB, far)
            vectors = vectors.view(C * L, H * B, k)  # (CL, HB, k)
            factors, vectors = factors.permute(1, 2, 0), vectors.transpose(0, 1)
            d_past[:, far] += torch.bmm(factors, vectors)  # (HB, far, k)

    def add_to_weights(self) -> None:
        """Add what the block gives to the weights: one product for each."""
        C, block = self.stop - self.start, slice(self.start, self.stop)
        inputs = LayerMaps(
            query=self.norms1.x,
            output=self.activations.reads[:, block],
            widen=self.norms2.x,
            narrow=self.activations.hiddens[:, block],
        )
        for i, d_maps in enumerate(self.d_layers):
            for d_map, x, d_result in zip(d_maps, inputs, self.d_results, strict=True):
                x = x[i].flatten(0, 1)  # (CB, ...)
                d_result = d_result[i, :C].flatten(0, 1)  # (CB, ...)
                if d_map.weight is not None:
                    # W̄ += Σ_t ḡ_t x_tᵀ
                    add_product(d_map.weight, d_result, x)
                if d_map.bias is not None:
                    d_map.bias.add_(d_result.sum(0))
        states = self.activations.states[block]  # (C, L+1, B, d)
        self.add_to_memory_weights(states, self.d_memory[:C])

    def add_to_memory_weights(self, states: Tensor, d_memory: Tensor) -> None:
        """The same for mixture, W_k and W_v, from states (C, L+1, B, d) and memory's gradients."""
        memory = torch.einsum("l,clbd->cbd", self.mixture, states)
        memory = memory.flatten(0, 1)  # (CB, d)
        d_own_kv = self.d_own_kv[: len(states)].view(len(memory), -1)  # (CB, 2 d)
        # W̄_k += Σ_t k̄_t m_tᵀ   and   W̄_v += Σ_t v̄_t m_tᵀ
        add_product(self.d_project_kv, d_own_kv, memory)
        # w̄_l += Σ_t x_t^l · m̄_t
        self.d_mixture += torch.einsum("clbd,cbd->l", states, d_memory)

    def d_weights(self) -> FoldedWeights:
        """The gradients of all weights, when every block has ended."""
        L, H, _ = self.d_s.shape
        d_r, d_s = self.d_r.unflatten(0, (L, H)), self.d_s[:, :, None]  # (L, H, k, n), (L, H, 1, n)
        layers = [FoldedLayer(*parts) for parts in zip(self.d_layers, d_r, d_s, strict=True)]
        return FoldedWeights(self.d_mixture, self.d_project_kv, layers)


def zeros_if_wanted(weight: Tensor) -> Tensor | None:
    """Zeros to which the gradient of a weight is added; None if nobody wants it."""
    return torch.zeros_like(weight) if weight.requires_grad else None
