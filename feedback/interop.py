"""Weights of other implementations, turned into ours."""

from __future__ import annotations

import torch
from torch import nn

from feedback.attention import Attention, KeysValues
from feedback.config import Config
from feedback.memory import FeedbackTransformer
from feedback.shared_kv import FeedbackTransformerKV
from feedback.transformer import Layer


def from_labml(module: nn.Module) -> FeedbackTransformer:
    """Copy a `labml_nn` feedback transformer: same outputs, same gradients.

    Theirs takes (T, B, d), ours (B, T, d). Theirs learns 4,096 distances, which `max_distance`
    becomes, and the nearest is its last row, as in ours. The shared version has no value bias.
    Dropout rates are taken over place by place, and `config.dropout` is that of the residuals.
    Device, dtype and training mode are kept.

    Args:
        module: `labml_nn.transformers.feedback.FeedbackTransformer` or `FeedbackTransformerKV`.

    Returns:
        A `FeedbackTransformer` or `FeedbackTransformerKV` that shares no storage with `module`.

    Raises:
        TypeError: `module` is neither of the two.
        ValueError: its layers are built in a way that has no counterpart here, or the norms of a
            shared model differ in eps.
    """
    name = type(module).__name__
    kinds = {cls.__name__: cls for cls in (FeedbackTransformer, FeedbackTransformerKV)}
    if name not in kinds or not type(module).__module__.startswith("labml_nn."):
        raise TypeError(f"from_labml takes labml_nn's {' or '.join(kinds)}, not {type(module)}")
    shared = kinds[name] is FeedbackTransformerKV
    first = module.layers[0]
    for layer in module.layers:
        check_layer(layer, shared, first.feed_forward)
    if shared:
        check_norms(module)
    config = Config(
        model=kinds[name].name,
        n_tokens=None,
        d_model=first.size,
        heads=first.attn.heads,
        n_layers=len(module.layers),
        d_ff=first.feed_forward.layer1.out_features,
        dropout=first.dropout.p,
        max_distance=len(first.attn.key_pos_bias),
    )
    ours = kinds[name](config).to(module.weights)
    copy(ours.norm, module.norm)
    ours.mixture.w.data.copy_(module.weights)
    for layer, theirs in zip(ours.layers, module.layers, strict=True):
        copy_layer(layer, theirs)
    owners = [module] if shared else [theirs.attn for theirs in module.layers]
    for keys_values, owner in zip(ours.keys_values, owners, strict=True):
        copy_keys_values(keys_values, owner)
    return ours.train(module.training)


def check_layer(layer: nn.Module, shared: bool, first: nn.Module) -> None:
    feed_forward = layer.feed_forward
    if type(feed_forward) is not type(first) or not hasattr(feed_forward, "is_gated"):
        raise ValueError(f"the feed-forward is a {type(feed_forward)}, not labml_nn's FeedForward")
    if feed_forward.is_gated:
        raise ValueError("the feed-forward is gated; here it is W_2 relu(W_1 z + b_1) + b_2")
    if not isinstance(feed_forward.activation, nn.ReLU):
        raise ValueError(f"the feed-forward uses {feed_forward.activation}; here it is a ReLU")
    if feed_forward.layer1.bias is None or feed_forward.layer2.bias is None:
        raise ValueError("the feed-forward lacks a bias; here both of its maps have one")
    if feed_forward.layer1.weight.shape != first.layer1.weight.shape:
        raise ValueError("the layers' feed-forwards differ in width; here all have the same")
    if shared != (layer.attn.key is None):
        raise ValueError(
            "the attention has key projections of its own beside the shared ones; build it with "
            "is_kv_precomputed=True"
            if shared
            else "the attention expects precomputed keys, which the unshared model does not give it"
        )


def check_norms(module: nn.Module) -> None:
    """Refuse norms that differ in eps: `fast.forward` has one for all of them."""
    norms = [norm for layer in module.layers for norm in (layer.norm_self_attn, layer.norm_ff)]
    found = sorted({norm.eps for norm in (*norms, module.norm)})
    if len(found) > 1:
        raise ValueError(
            f"the norms differ in eps: {', '.join(map(str, found))}; in a shared model here all "
            "have the same"
        )


@torch.no_grad()
def copy(ours: nn.Module, theirs: nn.Module) -> None:
    """Copy parameters between two Linears or two LayerNorms."""
    ours.load_state_dict(theirs.state_dict())
    if isinstance(ours, nn.LayerNorm):
        ours.eps = theirs.eps


@torch.no_grad()
def copy_layer(ours: Layer, theirs: nn.Module) -> None:
    copy(ours.norm1, theirs.norm_self_attn)
    copy(ours.norm2, theirs.norm_ff)
    copy(ours.feed_forward.widen, theirs.feed_forward.layer1)
    copy(ours.feed_forward.narrow, theirs.feed_forward.layer2)
    copy_attention(ours.attention, theirs.attn)
    ours.dropout.p = theirs.dropout.p
    ours.feed_forward.dropout.p = theirs.feed_forward.dropout.p
    ours.attention.dropout.p = theirs.attn.dropout.p


@torch.no_grad()
def copy_attention(ours: Attention, theirs: nn.Module) -> None:
    copy(ours.query, theirs.query.linear)
    copy(ours.output, theirs.output)
    for parameter, value in (
        (ours.u, theirs.query_pos_bias),
        (ours.r, theirs.key_pos_embeddings),
        (ours.s, theirs.key_pos_bias),
    ):
        parameter.copy_(value)


@torch.no_grad()
def copy_keys_values(ours: KeysValues, theirs: nn.Module) -> None:
    copy(ours.key, theirs.key.linear)
    copy(ours.value, theirs.value.linear)
