"""All steps of the shared model as one function, whose gradient is written by hand.

Autograd sees a single node: `forward.py` runs when it is made, `backward.py` when its gradient is
asked for. Here is what ties them together: which tensors go in, which are saved between the two,
which come out. Built in chapter 7b.

Shapes: B batch, T tokens, d width, H heads, k = d / H, n past keys, N = n + T keys in all.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from feedback.fast.backward import Backward
from feedback.fast.dropout import draw_masks
from feedback.fast.forward import Activations, Forward, PassSettings
from feedback.fast.weights import FoldedWeights, fold


class WholeSequence(torch.autograd.Function):
    """`Forward` and `Backward` as one node of autograd's graph; its gradient has no gradient.

    Takes the settings, past keys and values (2, HB, n, k), x (B, T, d) and the folded weights in a
    row. Gives the outputs (B, T, d) and all keys and values (2, HB, N, k).
    """

    @staticmethod
    def forward(ctx, settings: PassSettings, past: Tensor, x: Tensor, *weights: Tensor):
        run = Forward(settings, x, past, FoldedWeights.from_flat(weights), keep=True)
        y = run.run()
        ctx.settings, ctx.past = settings, past.shape[2]
        ctx.save_for_backward(*run.activations, *weights)
        ctx.set_materialize_grads(False)
        return y, run.activations.kv

    @staticmethod
    def backward(ctx, d_y: Tensor | None, d_kv: Tensor | None):
        if torch.is_grad_enabled():  # what is returned here would count as a constant
            raise RuntimeError(
                "the gradient of a gradient (create_graph=True) is not there on this path: give "
                "the model path='loop', or set it with model.core.path = 'loop'"
            )
        # Asked for once: `torch.utils.checkpoint` gives saved tensors only once.
        activations, weights = by_name(ctx.saved_tensors)
        with torch.autocast(weights.mixture.device.type, enabled=False):
            run = Backward(ctx.settings, ctx.past, activations, weights, d_kv)
            d_past, d_x, d_weights = run.run(d_y)
        return None, d_past, d_x, *d_weights.flat()


def by_name(saved: Sequence[Tensor]) -> tuple[Activations, FoldedWeights]:
    """The saved tensors under their names."""
    n = len(Activations._fields)
    return Activations(*saved[:n]), FoldedWeights.from_flat(saved[n:])


def whole_sequence(
    model: nn.Module, x: Tensor, keys: Tensor, values: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Run a `FeedbackTransformerKV` on x (B, T, d) after a past of keys and values (B, H, n, k).

    Float32, float64 and bfloat16 on any device. Autocast is off inside; second derivatives raise
    RuntimeError (take them on the "loop" path).

    Returns:
        Outputs (B, T, d) before the last norm, and keys and values (B, H, N, k).
    """
    past, (B, T, _) = keys.shape[2], x.shape
    size = model.config.memory_size or past + T
    key_counts = [min(n, size) for n in range(past, past + T)]
    # Results are written into buffers of x's dtype, which the products of autocast have not.
    with torch.autocast(x.device.type, enabled=False):
        weights = fold(model, max(1, key_counts[-1]))
        masks = draw_masks(model.layers, x, key_counts)
        settings = PassSettings(key_counts, model.norm.eps, masks)
        kv = torch.stack([keys, values]).transpose(1, 2).flatten(1, 2)  # (2, HB, n, k)
        inputs = kv, x, *weights.flat()
        if torch.is_grad_enabled() and any(z.requires_grad for z in inputs):
            y, kv = WholeSequence.apply(settings, *inputs)
        else:
            run = Forward(settings, x, kv, weights, keep=False)
            y, kv = run.run(), run.activations.kv
    keys, values = kv.unflatten(1, (-1, B)).transpose(1, 2)  # (B, H, N, k) each
    return y, keys, values
