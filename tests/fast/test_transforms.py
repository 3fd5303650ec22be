"""However people run a model through torch, it computes what it does by itself.

Second derivatives, checkpoints, compilers, `torch.func` and what counts operations, on every path.
"""

import copy
import warnings
from functools import partial

import pytest
import torch
from helpers import MODELS, small, some_tokens
from torch import nn

from feedback import LanguageModel

every_model = pytest.mark.parametrize("model", MODELS)


def widen(model):
    return model.core.layers[1].feed_forward.widen


def loss_of(model, tokens):
    return nn.functional.cross_entropy(model(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())


def by_grad_of_grad(model, tokens):
    parameters = list(model.parameters())
    first = torch.autograd.grad(loss_of(model, tokens), parameters, create_graph=True)
    return torch.autograd.grad(sum(g.square().sum() for g in first), model.core.norm.weight)[0]


def by_backward_of_grad(model, tokens):
    first = torch.autograd.grad(loss_of(model, tokens), list(model.parameters()), create_graph=True)
    sum(g.square().sum() for g in first).backward()
    return model.core.norm.weight.grad


def by_backward_of_backward(model, tokens):
    loss_of(model, tokens).backward(create_graph=True)
    first = [p.grad for p in model.parameters()]
    return torch.autograd.grad(sum(g.square().sum() for g in first), model.core.norm.weight)[0]


def by_penalty_on_embeddings(model, tokens):
    x = model.embedding(tokens).detach().requires_grad_()
    (first,) = torch.autograd.grad(model.core(x).square().sum(), x, create_graph=True)
    return torch.autograd.grad(first.square().sum(), widen(model).weight)[0]


def functional_loss(model, tokens):
    """The loss as a function of one weight."""

    def loss(weight):
        core = {"core.layers.1.feed_forward.widen.weight": weight}
        logits = torch.func.functional_call(model, core, (tokens,))
        return logits.square().mean()

    return loss


def by_hessian(model, tokens):
    return torch.func.hessian(functional_loss(model, tokens))(widen(model).weight.detach())


def by_hessian_vector(model, tokens):
    weight = widen(model).weight.detach()
    return torch.func.jvp(
        torch.func.grad(functional_loss(model, tokens)), (weight,), (torch.ones_like(weight),)
    )[1]


def by_autograd_hessian(model, tokens):
    return torch.autograd.functional.hessian(
        functional_loss(model, tokens), widen(model).weight.detach()
    )


SECOND = (
    by_grad_of_grad,
    by_backward_of_grad,
    by_backward_of_backward,
    by_penalty_on_embeddings,
    by_hessian,
    by_hessian_vector,
    by_autograd_hessian,
)


@pytest.mark.filterwarnings("ignore:Using backward")
@pytest.mark.parametrize("way", SECOND)
@pytest.mark.parametrize(("model", "path"), [("feedback", "stack"), ("feedback-kv", "sequence")])
def test_a_second_derivative_is_right_or_refused_by_name(model, path, way):
    tokens = some_tokens(T=4)
    expected = way(small(model, "loop", d_ff=3), tokens)
    try:
        found = way(small(model, path, d_ff=3), tokens)
    except RuntimeError as error:
        assert "path='loop'" in str(error) and model == "feedback-kv"
        assert way not in (by_hessian, by_hessian_vector)
    else:
        torch.testing.assert_close(found, expected)


def first_gradients(model, run):
    model.zero_grad()
    run().square().mean().backward()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("path", ["loop", "sequence"])
def test_recomputed_and_offloaded_activations_give_the_same_gradients(path):
    from torch.utils.checkpoint import checkpoint, create_selective_checkpoint_contexts

    model, tokens = small(path=path), some_tokens()
    expected = first_gradients(model, lambda: model(tokens))
    never = partial(create_selective_checkpoint_contexts, [torch.ops.aten.mm.default])
    ways = {
        "new": lambda: checkpoint(model, tokens, use_reentrant=False),
        "old": lambda: model.head(
            checkpoint(model.core, model.embedding(tokens), use_reentrant=True)
        ),
        "selective": lambda: checkpoint(model, tokens, use_reentrant=False, context_fn=never),
        "in two": lambda: torch.cat(
            [checkpoint(model, half, use_reentrant=False) for half in tokens.split(1)]
        ),
    }
    for name, way in ways.items():
        found = first_gradients(model, way)
        for parameter in expected:
            torch.testing.assert_close(found[parameter], expected[parameter], msg=name)
    with torch.autograd.graph.save_on_cpu():
        found = first_gradients(model, lambda: model(tokens))
    for parameter in expected:
        torch.testing.assert_close(found[parameter], expected[parameter])


@every_model
@pytest.mark.slow
def test_a_compiled_model_computes_the_same(model):
    """By all that `torch.compile` does but for the making of machine code."""
    torch._dynamo.reset()
    model, tokens = small(model, n_layers=2).float(), some_tokens(T=2)
    expected, gradients = model(tokens), first_gradients(model, lambda: model(tokens))
    compiled = torch.compile(model, backend="aot_eager")
    torch.testing.assert_close(compiled(tokens), expected)
    found = first_gradients(model, lambda: compiled(tokens))
    torch.testing.assert_close(found, gradients)


@every_model
@pytest.mark.slow
def test_a_model_is_traced_and_exported(model):
    model, tokens = small(model, n_layers=2).float().eval(), some_tokens(T=3)
    expected = model(tokens)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # sizes become constants
        traced = torch.jit.trace(model, (tokens,))
        exported = torch.export.export(model, (tokens,)).module()
    torch.testing.assert_close(traced(tokens), expected)
    torch.testing.assert_close(exported(tokens), expected)


@every_model
def test_a_model_runs_over_a_batch_by_vmap(model):
    """Over tokens, and over the weights of three models at once."""
    models, tokens = [small(model) for _ in range(3)], some_tokens()
    expected = models[0](tokens)
    found = torch.vmap(lambda row: models[0](row[None])[0])(tokens)
    torch.testing.assert_close(found, expected)
    for scale, one in enumerate(models, 1):
        for parameter in one.parameters():
            parameter.data *= scale / 3
    weights, buffers = torch.func.stack_module_state(models)
    base = copy.deepcopy(models[0])

    def run(weights, buffers):
        return torch.func.functional_call(base, (weights, buffers), (tokens,))

    found = torch.vmap(run)(weights, buffers)
    torch.testing.assert_close(found, torch.stack([one(tokens) for one in models]))


@every_model
def test_gradients_of_each_row_and_along_a_direction(model):
    model, tokens = small(model), some_tokens()
    weights = {name: p.detach() for name, p in model.named_parameters()}

    def loss(weights, row):
        return torch.func.functional_call(model, weights, (row[None],)).square().mean()

    each_row = torch.vmap(torch.func.grad(loss), in_dims=(None, 0))(weights, tokens)
    direction = {name: torch.ones_like(w) for name, w in weights.items()}
    for i, row in enumerate(tokens):
        expected = first_gradients(model, lambda row=row: model(row[None]))
        torch.testing.assert_close({n: g[i] for n, g in each_row.items()}, expected)
        _, along = torch.func.jvp(lambda w, row=row: loss(w, row), (weights,), (direction,))
        torch.testing.assert_close(along, sum(g.sum() for g in expected.values()))


@every_model
def test_shapes_without_numbers(model):
    from torch._subclasses.fake_tensor import FakeTensorMode

    tokens, config = some_tokens(T=3), small(model).config
    with torch.device("meta"):
        without = LanguageModel(config)
    assert without(tokens.to("meta")).shape == (2, 3, 11)
    with FakeTensorMode() as mode:
        fake = LanguageModel(config)
        assert fake(mode.from_tensor(tokens)).shape == (2, 3, 11)
        fake(mode.from_tensor(tokens)).sum().backward()


@every_model
def test_operations_are_counted_as_on_the_plain_way(model):
    from torch.utils.flop_counter import FlopCounterMode

    counts = []
    for path in ("loop", None):
        one = small(model, path if model != "parallel" else None)
        with FlopCounterMode(display=False) as counter:
            one.float()(some_tokens())
        counts.append(counter.get_total_flops())
    assert counts[0] == counts[1] > 0


def test_who_counts_operations_counts_those_of_the_path():
    from torch.utils._python_dispatch import TorchDispatchMode

    class Joined(TorchDispatchMode):
        numbers = 0

        def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
            result = operation(*args, **(kwargs or {}))
            self.numbers += result.numel() if operation is torch.ops.aten.cat.default else 0
            return result

    counts = {}
    for path in ("loop", "stack"):
        model = small("feedback", path)
        with Joined() as joined:
            model(some_tokens())
        counts[path] = joined.numbers
    assert counts["loop"] > 2 * counts["stack"]
