"""However people change a model, it computes what calling its parts does.

The judge is a copy of the changed model on the plain path: "loop", and whole sequences instead of
single steps.
"""

import copy
import io
import warnings
from functools import partial

import pytest
import torch
from helpers import MODELS, small, some_tokens
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune

from feedback import FeedbackTransformerKV
from feedback.attention import Attention
from feedback.transformer import FeedForward

every_model = pytest.mark.parametrize("model", MODELS)


def widen(model):
    return model.core.layers[1].feed_forward.widen


def each(model, kind=nn.Linear):
    return [module for module in model.core.modules() if isinstance(module, kind)]


class LowRank(nn.Linear):
    """A linear map and a small change beside it."""

    def forward(self, x):
        return super().forward(x) + 0.3 * x.sum(-1, keepdim=True)


class Doubled(nn.Module):
    def forward(self, w):
        return 2 * w


class Tagged(torch.Tensor):
    """A tensor whose products are doubled."""

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        if function is not nn.functional.linear:
            return super().__torch_function__(function, types, args, kwargs or {})
        with torch._C.DisableTorchFunctionSubclass():
            return 2 * function(*args, **(kwargs or {}))


def replaced(model, change):
    feed_forward = model.core.layers[1].feed_forward
    feed_forward.widen = change(feed_forward.widen)


def low_rank(linear):
    other = LowRank(linear.in_features, linear.out_features)
    other.load_state_dict(linear.state_dict())
    return other


def without_bias(linear):
    return nn.Linear(linear.in_features, linear.out_features, bias=False)


def with_query_bias(model):
    d = model.config.d_model
    model.core.layers[0].attention.query = nn.Linear(d, d)


def old_weight_norm(model):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nn.utils.weight_norm(widen(model))


def pruned(model):
    for linear in each(model):
        prune.random_unstructured(linear, "weight", 0.5)


def narrower(model):
    for layer in model.core.layers:
        layer.feed_forward.widen = nn.Linear(model.config.d_model, 5)
        layer.feed_forward.narrow = nn.Linear(5, model.config.d_model)


def own_forward(model):
    widen(model).forward = lambda x: nn.functional.linear(x, widen(model).weight).sin()


def tagged(model):
    widen(model).weight = nn.Parameter(widen(model).weight.detach().as_subclass(Tagged))


def tagged_head(model):
    model.head.weight = nn.Parameter(model.head.weight.detach().as_subclass(Tagged))


def more_eps(model):
    model.core.layers[0].norm1.eps = 0.5


def without_gain(model):
    model.core.layers[0].norm2 = nn.LayerNorm(model.config.d_model, elementwise_affine=False)


def last_layers_swapped(model):
    layers = list(model.core.layers)
    model.core.layers = nn.ModuleList([layers[1], layers[0], *layers[2:]])


def tied(model):
    model.head.weight = model.embedding.weight


def in_embedding(model):
    model.embedding.register_forward_hook(lambda module, given, y: y + 1)


def renormalised(model):
    model.embedding = nn.Embedding(*model.embedding.weight.shape, max_norm=0.1)


# What people do to a model, and whether the fast way has to be left for it.
CHANGES = {
    "hook": lambda m: widen(m).register_forward_hook(lambda module, given, y: 0.5 * y),
    "pre-hook": lambda m: widen(m).register_forward_pre_hook(lambda module, given: (-given[0],)),
    "hook on a layer's norm": lambda m: m.core.layers[0].norm1.register_forward_hook(
        lambda module, given, y: y + 1
    ),
    "hook on the last norm": lambda m: m.core.norm.register_forward_hook(
        lambda module, given, y: y + 1
    ),
    "hook on the head": lambda m: m.head.register_forward_hook(lambda module, given, y: 3 * y),
    "hook on the embedding": in_embedding,
    "hook on attention": lambda m: m.core.layers[0].attention.register_forward_hook(
        lambda module, given, y: (2 * y[0], y[1])
    ),
    "pruning": pruned,
    "pruning made permanent": lambda m: (
        pruned(m),
        [prune.remove(linear, "weight") for linear in each(m)],
    ),
    "weight_norm, old": old_weight_norm,
    "weight_norm": lambda m: parametrizations.weight_norm(widen(m)),
    "spectral_norm": lambda m: parametrizations.spectral_norm(m.eval() and widen(m)),
    "parametrization": lambda m: parametrize.register_parametrization(
        widen(m), "weight", Doubled()
    ),
    "low rank": lambda m: replaced(m, low_rank),
    "two maps": lambda m: replaced(
        m, lambda z: nn.Sequential(z, nn.Linear(z.out_features, z.out_features))
    ),
    "no bias": lambda m: replaced(m, without_bias),
    "a bias more": with_query_bias,
    "another forward": own_forward,
    "another activation beside": lambda m: setattr(m.core.layers[0], "dropout", nn.Tanh()),
    "narrower": narrower,
    "a weight of its own type": tagged,
    "a head of its own type": tagged_head,
    "eps": more_eps,
    "norm without gain": without_gain,
    "layers swapped": last_layers_swapped,
    "tied weights": tied,
    "renormalised embedding": renormalised,
}


def changed(model, change, path=None, **settings):
    model = small(model, **settings)
    if path is not None and model.config.model != "parallel":
        model.core.path = path
    torch.manual_seed(3)
    CHANGES[change](model)
    return model.double().eval()


@pytest.mark.filterwarnings("ignore:.*every submodule is called")
@pytest.mark.parametrize("change", CHANGES)
@every_model
def test_a_changed_model_computes_what_its_parts_do(model, change):
    """Outputs and gradients of a whole, single steps and the text that is written."""
    tokens = some_tokens(T=9)
    plain, fast = (changed(model, change, path) for path in ("loop", None))
    expected, found = plain(tokens), fast(tokens)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    for logits in (expected, found, fast(tokens), plain(tokens)):
        logits.square().mean().backward()  # twice, as training does
    named = dict(plain.named_parameters())
    for name, parameter in fast.named_parameters():
        torch.testing.assert_close(parameter.grad, named[name].grad, rtol=1e-3, atol=1e-5, msg=name)
    with torch.no_grad():
        memory = None
        for t in range(9):
            logits, memory = fast.step(tokens[:, t], memory)
            torch.testing.assert_close(logits, expected[:, t], rtol=1e-4, atol=1e-5)
    assert_likeliest(plain, fast.generate(tokens, 5, temperature=0), start=9)


def assert_likeliest(model, text, start):
    """From `start` on each token is the likeliest, or by rounding as likely as that one."""
    for t in range(start, text.shape[1]):
        logits = model(text[:, :t])[:, -1]
        chosen = logits.gather(1, text[:, t : t + 1])[:, 0]
        torch.testing.assert_close(chosen, logits.max(1).values, rtol=1e-4, atol=1e-4)


def test_a_warning_says_once_which_part_is_called_and_goes_when_it_is_plain():
    model, tokens = small(), some_tokens()
    hook = CHANGES["hook"](model)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("default")
        for _ in range(3):
            model(tokens)
    assert len(told) == 1 and "layers.1.feed_forward.widen has hooks" in str(told[0].message)
    hook.remove()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model(tokens)
        with torch.no_grad():
            model.step(tokens[:, 0])


@pytest.mark.filterwarnings("ignore:.*every submodule is called")
@pytest.mark.parametrize("method", ["advance", "latest"])
def test_a_subclass_with_steps_of_its_own_takes_them(method):
    class Own(FeedbackTransformerKV):
        def advance(self, x, past):
            return super().advance(-x if method == "advance" else x, past)

        def latest(self, x):
            return x[:, :, -1:] if method == "latest" else super().latest(x)

    model, tokens = small(), some_tokens()
    model.core.__class__ = Own
    expected = small(path="loop")
    expected.core.__class__ = Own
    torch.testing.assert_close(model(tokens), expected(tokens))
    assert not torch.allclose(model(tokens), small()(tokens))


@pytest.mark.filterwarnings("ignore:.*every submodule is called")
@pytest.mark.parametrize("kind", [nn.Embedding, nn.Linear, nn.LayerNorm, FeedForward])
@every_model
def test_a_class_with_another_way_forward_takes_it(model, kind, monkeypatch):
    before, tokens = small(model)(some_tokens()), some_tokens()
    forward = kind.forward
    monkeypatch.setattr(kind, "forward", lambda self, x: forward(self, x) * 0.5)
    expected = small(model, None if model == "parallel" else "loop")(tokens)
    one = small(model)
    torch.testing.assert_close(one(tokens), expected)
    assert not torch.allclose(expected, before)
    with torch.no_grad():
        memory = one.step(tokens[:, 0])[1]
        torch.testing.assert_close(one.step(tokens[:, 1], memory)[0], expected[:, 1])


@pytest.mark.filterwarnings("ignore:.*every submodule is called")
@pytest.mark.parametrize("memory_size", [None, 3])
@every_model
def test_another_attention_is_taken_with_a_bound_too(model, memory_size, monkeypatch):
    def half(self, z, keys, values):
        read, weights = forward(self, z, keys, values)
        return read * 0.5, weights

    one, tokens, forward = small(model, memory_size=memory_size), some_tokens(), Attention.forward
    before = one(tokens)
    monkeypatch.setattr(Attention, "forward", half)
    expected, memory = one(tokens), None
    assert not torch.allclose(expected, before)
    with torch.no_grad():
        for t in range(tokens.shape[1]):
            logits, memory = one.step(tokens[:, t], memory)
            torch.testing.assert_close(logits, expected[:, t])


def by_fused(kind, model, tokens):
    model.float()
    optimizer = kind(model.parameters(), lr=0.1, fused=True)
    model(tokens).square().mean().backward()
    optimizer.step()


def by_numpy(model, tokens):
    widen(model).weight.detach().numpy()[:] *= -1


def by_data(model, tokens):
    for parameter in model.parameters():
        parameter.data.mul_(-1)


def by_vector(model, tokens):
    vector = nn.utils.parameters_to_vector(model.parameters())
    nn.utils.vector_to_parameters(-vector, model.parameters())


def by_new_weight(model, tokens):
    model.core.layers[0].attention.output.weight = nn.Parameter(
        -model.core.layers[0].attention.output.weight.detach()
    )


def by_swap(model, tokens):
    other = small(model.config.model)
    torch.utils.swap_tensors(widen(model).weight, nn.Parameter(-widen(other).weight.detach()))


def by_averaging(model, tokens):
    nn.Module.load_state_dict(
        model, {name: -w for name, w in model.state_dict().items()}, assign=True
    )


def by_mixture(model, tokens):
    if model.config.model != "parallel":
        model.core.mixture.w.data[0] += 3
    model.head.bias.data += 1


WEIGHT_CHANGES = {
    **{
        f"fused {kind.__name__}": partial(by_fused, kind)
        for kind in (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW, torch.optim.Adagrad)
    },
    **{
        change.__name__[3:]: change
        for change in (
            by_numpy,
            by_data,
            by_vector,
            by_new_weight,
            by_swap,
            by_averaging,
            by_mixture,
        )
    },
    "inference mode": torch.inference_mode()(by_data),
}


@pytest.mark.parametrize("change", WEIGHT_CHANGES)
@every_model
def test_single_steps_and_texts_see_every_change_of_the_weights(model, change):
    model, tokens = small(model), some_tokens()

    def second_step():
        with torch.no_grad():
            memory = model.step(tokens[:, 0])[1]
            return model.step(tokens[:, 1], memory)[0]

    before = second_step()
    model.generate(tokens[:, :2], 3)
    WEIGHT_CHANGES[change](model, tokens)
    found = second_step()
    torch.testing.assert_close(found, model(tokens[:, :2])[:, 1], rtol=1e-4, atol=1e-5)
    assert not torch.allclose(found.double(), before.double(), atol=1e-2)
    assert_likeliest(model, model.generate(tokens[:, :2], 4, temperature=0), start=2)


@every_model
def test_a_memory_goes_on_after_a_change_of_the_weights(model):
    """Keys and values of old steps stay what they were; what is made of them uses the weights."""
    model, tokens = small(model), some_tokens()
    with torch.no_grad():
        memory = model.step(tokens[:, 0])[1]
        by_data(model, tokens)
        found = model.step(tokens[:, 1], memory)[0]
        expected = model(tokens[:, 1:2], memory)[:, 0]
    torch.testing.assert_close(found, expected)


@every_model
def test_a_copied_and_a_pickled_model_are_models(model):
    model, tokens = small(model), some_tokens()
    expected = model(tokens)
    with torch.no_grad():
        model.step(tokens[:, 0])
    buffer = io.BytesIO()
    torch.save(model, buffer)
    buffer.seek(0)
    for other in (copy.deepcopy(model), torch.load(buffer, weights_only=False)):
        torch.testing.assert_close(other(tokens), expected)
        by_data(other, tokens)
        with torch.no_grad():
            torch.testing.assert_close(other.step(tokens[:, 0])[0], other(tokens[:, :1])[:, 0])
