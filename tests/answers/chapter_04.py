"""Answers to the exercises of chapter 4."""

import numpy
import torch
from torch.nn import functional

from answers import to
from feedback import Config, FeedbackTransformer


@to("4.3")
def in_plain_loops(model, x_t, memory):
    """Keys and values of each memory vector by itself; the sum written out."""
    outputs = [x_t]
    for number in range(len(model.layers)):
        keys_values = model.keys_values[number]
        pairs = [keys_values(m) for m in memory] or [keys_values(x_t[:, :0])]
        keys, values = (torch.cat(part, dim=2) for part in zip(*pairs, strict=True))
        outputs.append(model.layers[number](outputs[-1], keys, values)[0])
    m_t = sum(w * x for w, x in zip(model.mixture.w.softmax(0), outputs, strict=True))
    return outputs[-1], m_t


@to("4.3")
def with_a_case_for_the_first(model, x_t, memory):
    outputs = [x_t]
    for layer, project in zip(model.layers, model.keys_values, strict=True):
        if memory:
            x_t = layer.forward(x_t, *project(torch.cat(memory, dim=1)))[0]
        else:
            x_t = x_t + layer.feed_forward(layer.norm2(x_t))
        outputs += [x_t]
    return [x_t, model.mixture.forward(outputs)]


@to("4.3")
def with_a_tensor_for_all_outputs(model, x_t, memory):
    B, _, d = x_t.shape
    past = torch.cat([torch.zeros(B, 0, d), *memory], 1)
    outputs = x_t.unsqueeze(0)
    for layer, project in zip(model.layers, model.keys_values, strict=False):
        keys, values = project(past)
        new = layer(x=outputs[-1], keys=keys, values=values)[0]
        outputs = torch.cat([outputs, new.unsqueeze(0)])
    weights = functional.softmax(model.mixture.w, dim=-1)
    return outputs[-1], (weights[:, None, None, None] * outputs).sum(0)


def book(model, x_t, memory, past=None, projections=None, below=None):
    """The book's answer, or with another past, other projections, another input of each layer."""
    if past is None:
        past = torch.cat(memory, 1) if memory else x_t[:, :0]
    outputs = [x_t]
    for layer, project in zip(model.layers, projections or model.keys_values, strict=True):
        outputs.append(layer(outputs[-1] if below is None else below, *project(past))[0])
    return outputs


def step(change):
    """An answer whose past is changed."""

    def answer(model, x_t, memory):
        past = change(torch.cat(memory, 1), x_t) if memory else x_t[:, :0]
        outputs = book(model, x_t, memory, past=past)
        return outputs[-1], model.mixture(outputs)

    return answer


def summed(change):
    """An answer whose sum is another one: of the model's mixture and all outputs."""

    def answer(model, x_t, memory):
        outputs = book(model, x_t, memory)
        return outputs[-1], change(model, outputs)

    return answer


@to("4.3", wrong="x_t is among the keys")
def attends_to_itself(model, x_t, memory):
    return step(lambda past, x: torch.cat([past, x], 1))(model, x_t, memory)


@to("4.3", wrong="x_t alone is read")
def reads_only_itself(model, x_t, memory):
    return step(lambda past, x: x)(model, x_t, memory)


@to("4.3", wrong="the layer below is among the keys")
def attends_to_the_stream(model, x_t, memory):
    outputs = [x_t]
    for layer, project in zip(model.layers, model.keys_values, strict=True):
        x_t = layer(x_t, *project(torch.cat([*memory, x_t], 1)))[0]
        outputs.append(x_t)
    return x_t, model.mixture(outputs)


@to("4.3", wrong="the layer below alone is read")
def reads_the_stream_only(model, x_t, memory):
    outputs = [x_t]
    for layer, project in zip(model.layers, model.keys_values, strict=True):
        x_t = layer(x_t, *project(x_t))[0]
        outputs.append(x_t)
    return x_t, model.mixture(outputs)


@to("4.3", wrong="only the last memory vector is read")
def last_only(model, x_t, memory):
    return step(lambda past, x: past[:, -1:])(model, x_t, memory)


@to("4.3", wrong="the last memory vector is not read")
def all_but_the_last(model, x_t, memory):
    return step(lambda past, x: past[:, :-1])(model, x_t, memory)


@to("4.3", wrong="the first memory vector is not read")
def all_but_the_first(model, x_t, memory):
    return step(lambda past, x: past[:, 1:])(model, x_t, memory)


@to("4.3", wrong="the oldest memory vector comes first")
def newest_first(model, x_t, memory):
    return step(lambda past, x: past.flip(1))(model, x_t, memory)


@to("4.3", wrong="the mean of the memory is read")
def mean_of_memory(model, x_t, memory):
    return step(lambda past, x: past.mean(1, keepdim=True))(model, x_t, memory)


@to("4.3", wrong="the sum of the memory is read")
def sum_of_memory(model, x_t, memory):
    return step(lambda past, x: past.sum(1, keepdim=True))(model, x_t, memory)


@to("4.3", wrong="a vector of zeros stands before the memory")
def begins_with_zeros(model, x_t, memory):
    return step(lambda past, x: torch.cat([torch.zeros_like(x), past], 1))(model, x_t, memory)


@to("4.3", wrong="project m_j as it is, not normalised")
def normalises_memory(model, x_t, memory):
    return step(lambda past, x: functional.layer_norm(past, past.shape[2:]))(model, x_t, memory)


@to("4.3", wrong="no memory vector is read")
def reads_nothing(model, x_t, memory):
    return step(lambda past, x: past[:, :0])(model, x_t, memory)


@to("4.3", wrong="each layer has its own keys and values")
def shares_keys(model, x_t, memory):
    outputs = book(model, x_t, memory, projections=[model.keys_values[0]] * len(model.layers))
    return outputs[-1], model.mixture(outputs)


@to("4.3", wrong="a layer goes on from the one below")
def from_the_embedding(model, x_t, memory):
    outputs = book(model, x_t, memory, below=x_t)
    return outputs[-1], model.mixture(outputs)


@to("4.3", wrong="the last norm comes once")
def normalised(model, x_t, memory):
    outputs = book(model, x_t, memory)
    return model.norm(outputs[-1]), model.mixture(outputs)


@to("4.3", wrong="this is the layer below the top")
def one_layer_short(model, x_t, memory):
    outputs = book(model, x_t, memory)
    return outputs[-2], model.mixture(outputs)


@to("4.3", wrong="this is m_t; the top layer's output comes first")
def in_another_order(model, x_t, memory):
    outputs = book(model, x_t, memory)
    return model.mixture(outputs), outputs[-1]


@to("4.3", wrong="with 2 layers, `three_layers` fails at `x = model.layers[layer](")
def three_layers(model, x_t, memory):
    x, outputs = x_t, [x_t]
    past = torch.cat(memory, 1) if memory else x_t[:, :0]
    for layer in range(3):
        x = model.layers[layer](x, *model.keys_values[layer](past))[0]
        outputs.append(x)
    return x, model.mixture(outputs)


@to("4.3", wrong="all weights are equal")
def average(model, x_t, memory):
    return summed(lambda model, outputs: torch.stack(outputs).mean(0))(model, x_t, memory)


@to("4.3", wrong="all weights are 1")
def plain_sum(model, x_t, memory):
    return summed(lambda model, outputs: sum(outputs))(model, x_t, memory)


@to("4.3", wrong="the weights are w; take softmax(w)")
def without_softmax(model, x_t, memory):
    def mix(model, outputs):
        return sum(w * x for w, x in zip(model.mixture.w, outputs, strict=True))

    return summed(mix)(model, x_t, memory)


@to("4.3", wrong="the embedding is layer 0 of the sum")
def layers_only(model, x_t, memory):
    def mix(model, outputs):
        weights = model.mixture.w[1:].softmax(0)
        return sum(w * x for w, x in zip(weights, outputs[1:], strict=True))

    return summed(mix)(model, x_t, memory)


@to("4.3", wrong="the embedding comes first")
def top_first(model, x_t, memory):
    return summed(lambda model, outputs: model.mixture(outputs[::-1]))(model, x_t, memory)


@to("4.3", wrong="the embedding is in it twice, the top layer not")
def kept_before_the_layer(model, x_t, memory):
    def mix(model, outputs):
        return model.mixture([outputs[0], *outputs[:-1]])

    return summed(mix)(model, x_t, memory)


@to("4.3", wrong="this is the top layer's output; m_t sums all")
def top_twice(model, x_t, memory):
    return summed(lambda model, outputs: outputs[-1])(model, x_t, memory)


@to("4.3", wrong="m_t is not right: take the sum as it is, not normalised")
def normalised_sum(model, x_t, memory):
    return summed(lambda model, outputs: model.norm(model.mixture(outputs)))(model, x_t, memory)


@to("4.3", wrong="fails at `return outputs[-1], model.mixture(outputs[1:])`")
def leaves_the_embedding_out(model, x_t, memory):
    outputs = book(model, x_t, memory)
    return outputs[-1], model.mixture(outputs[1:])


@to(
    "4.3", wrong="step 0, where memory is an empty list, `joins_nothing` fails at `past = torch.cat"
)
def joins_nothing(model, x_t, memory):
    past = torch.cat(memory, 1)
    outputs = book(model, x_t, memory, past=past)
    return outputs[-1], model.mixture(outputs)


@to("4.3", wrong="with an empty memory, leave out attention and nothing else")
def zeros_at_first(model, x_t, memory):
    outputs = book(model, x_t, memory or [torch.zeros_like(x_t)])
    return outputs[-1], model.mixture(outputs)


@to("4.3", wrong="with an empty memory, leave out attention and nothing else")
def nothing_at_first(model, x_t, memory):
    outputs = book(model, x_t, memory) if memory else [x_t] * (len(model.layers) + 1)
    return outputs[-1], model.mixture(outputs)


@to("4.3", wrong="changes its `memory`")
def appends(model, x_t, memory):
    outputs = book(model, x_t, memory)
    memory.append(model.mixture(outputs))
    return outputs[-1], memory[-1]


@to("4.3", wrong="the gradient of `memory` is not")
def detached(model, x_t, memory):
    return with_a_case_for_the_first(model, x_t, [m.detach() for m in memory])


@to("4.3", wrong="the gradient of `x_t` is not")
def without_gradients(model, x_t, memory):
    with torch.no_grad():
        return with_a_case_for_the_first(model, x_t, memory)


@to("4.3", wrong="m_t is right, but the gradient of `model` is not")
def data_of_w(model, x_t, memory):
    def mix(model, outputs):
        weights = model.mixture.w.data.softmax(0)
        return sum(w * x for w, x in zip(weights, outputs, strict=True))

    return summed(mix)(model, x_t, memory)


@to("4.3", wrong="return two tensors")
def memory_only(model, x_t, memory):
    return model.mixture(book(model, x_t, memory))


@to("4.3", wrong="x_t^L is a tuple; return two tensors")
def with_the_weights(model, x_t, memory):
    past = torch.cat(memory, 1) if memory else x_t[:, :0]
    outputs = book(model, x_t, memory)
    return model.layers[-1](outputs[-2], *model.keys_values[-1](past)), model.mixture(outputs)


@to("4.3", wrong="x_t^L is (2, 12), not (B, 1, d) = (2, 1, 12)")
def without_the_step(model, x_t, memory):
    outputs = book(model, x_t, memory)
    return outputs[-1][:, 0], model.mixture(outputs)


@to("4.3", wrong="returns nothing")
def printed(model, x_t, memory):
    print(len(book(model, x_t, memory)))


@to("4.1")
def one_after_the_other(d, L):
    found = {"memory vector": d}
    found["all outputs"] = d + L * d
    found["parallel keys and values"] = sum(d for _ in range(L) for _ in ("key", "value"))
    return found


@to("4.1")
def in_floats(d, L):
    return {"parallel keys and values": 2.0 * d * L, "all outputs": float(d * (L + 1))} | {
        "memory vector": 1.0 * d
    }


@to("4.1")
def measured(d, L):
    """Counted on tensors, in the types that they count with."""
    vector, layers = torch.zeros(d), numpy.zeros((L + 1, d))
    return {
        "parallel keys and values": torch.zeros(L, 2, d).count_nonzero() + 2 * L * d,
        "all outputs": numpy.int64(layers.size),
        "memory vector": vector.numel(),
    }


def counted(keys_values=None, outputs=None, vector=None):
    """An answer with other entries than the right ones."""

    def answer(d, L):
        return {
            "parallel keys and values": keys_values(d, L) if keys_values else 2 * d * L,
            "all outputs": outputs(d, L) if outputs else (L + 1) * d,
            "memory vector": vector(d, L) if vector else d,
        }

    return answer


@to("4.1", wrong='d = 64, L = 5: "memory vector": not 128; that is its key and value')
def keys_of_memory(d, L):
    return counted(vector=lambda d, L: 2 * d)(d, L)


@to("4.1", wrong="m itself, not its keys and values")
def all_keys_of_memory(d, L):
    return counted(vector=lambda d, L: 2 * d * L)(d, L)


@to("4.1", wrong="one vector, however many layers")
def memory_a_layer(d, L):
    return counted(vector=lambda d, L: d * L)(d, L)


@to("4.1", wrong="it is the sum of these vectors")
def memory_of_all(d, L):
    return counted(vector=lambda d, L: d * (L + 1))(d, L)


@to("4.1", wrong="it is one vector, and has d numbers")
def one_memory(d, L):
    return counted(vector=lambda d, L: 1)(d, L)


@to("4.1", wrong="these are the weights of the sum")
def weights(d, L):
    return counted(vector=lambda d, L: L + 1)(d, L)


@to("4.1", wrong="a key and a value are two vectors")
def keys_only(d, L):
    return counted(keys_values=lambda d, L: d * L)(d, L)


@to("4.1", wrong="each of the L layers keeps its own")
def one_layer(d, L):
    return counted(keys_values=lambda d, L: 2 * d)(d, L)


@to("4.1", wrong="the embedding has no keys of its own")
def keys_of_the_embedding(d, L):
    return counted(keys_values=lambda d, L: 2 * d * (L + 1))(d, L)


@to("4.1", wrong="queries are not kept")
def queries_too(d, L):
    return counted(keys_values=lambda d, L: 3 * d * L)(d, L)


@to("4.1", wrong="the embedding is one of the outputs")
def without_embedding(d, L):
    return counted(outputs=lambda d, L: d * L)(d, L)


@to("4.1", wrong="that is how many vectors")
def vectors(d, L):
    return counted(outputs=lambda d, L: L + 1)(d, L)


@to("4.1", wrong="brackets")
def without_brackets(d, L):
    return counted(outputs=lambda d, L: L + 1 * d)(d, L)


@to("4.1", wrong="d and L are exchanged")
def exchanged(L, d):
    return counted()(d, L)


@to("4.1", wrong="count numbers, not bytes")
def in_bytes(d, L):
    return {name: 4 * number for name, number in counted()(d, L).items()}


@to("4.1", wrong="d = 12, L = 6")
def of_the_first_example(d, L):
    return counted()(64, 5)


@to("4.1", wrong="the entries are")
def other_names(d, L):
    return {"parallel": 2 * d * L, "outputs": (L + 1) * d, "memory": d}


@to("4.1", wrong="return a dictionary, not a list")
def a_list(d, L):
    return [2 * d * L, (L + 1) * d, d]


@to("4.1", wrong="is no number")
def formulas(d, L):
    return counted(outputs=lambda d, L: "(L + 1) * d")(d, L)


@to("4.1", wrong="returns nothing")
def shown(d, L):
    print(len(counted()(d, L)))


@to("4.1", wrong="count the numbers of one step")
def squares(d, L):
    return counted(keys_values=lambda d, L: 2 * d * d * L)(d, L)


@to("4.2")
def by_jacobian(model, x, t, j):
    jacobian = torch.autograd.functional.jacobian(lambda x: model(x)[0, t], x)  # (d, 1, T, d)
    return bool(jacobian[:, 0, j].any())


@to("4.2")
def by_trying(model, x, t, j):
    """Another input j, and not the same for each feature: does output t move?"""
    other = x.clone()
    other[:, j] = torch.randn(x.shape[-1])
    with torch.no_grad():
        return not torch.equal(model(x)[:, t], model(other)[:, t])


@to("4.2")
def feature_by_feature(model, x, t, j):
    x = x.clone().requires_grad_(True)
    for feature in model(x)[0, t]:
        if x.grad is not None:
            x.grad.zero_()
        feature.backward(retain_graph=True)
        if x.grad[0, j].abs().max() > 1e-12:
            return True
    return False


@to("4.2")
def by_random_weights(model, x, t, j):
    given = x.detach().clone()
    given.requires_grad = True
    y = model(given)[:, t]
    (y * torch.rand_like(y)).sum().backward()
    return numpy.any(given.grad.numpy()[:, j] != 0)


@to("4.2")
def on_the_given_tensor(model, x, t, j):
    """Gradients with respect to one input alone, and a tensor as the answer."""
    inputs = [part.detach().clone().requires_grad_() for part in x.split(1, dim=1)]
    y = model(torch.cat(inputs, 1))[:, t]
    found = torch.autograd.grad(y @ torch.arange(1.0, 1 + y.shape[-1]), inputs[j])
    return found[0].ne(0).any()


def gradient(model, x, t, j, loss):
    x = x.detach().clone().requires_grad_()
    (found,) = torch.autograd.grad(loss(model(x), t), x)
    return found[0]


@to("4.2", wrong="the sum of their values does not")
def gradient_of_the_sum(model, x, t, j):
    found = gradient(model, x, t, j, lambda y, t: y[0, t].sum())
    return bool(found[j].abs().sum() > 0)


@to("4.2", wrong="the sum of their values does not")
def above_a_threshold(model, x, t, j):
    found = gradient(model, x, t, j, lambda y, t: y[0, t].mean())
    return bool(found[j].abs().max() > 1e-6)


@to("4.2", wrong="the sum of their squares does not")
def gradient_of_the_length(model, x, t, j):
    found = gradient(model, x, t, j, lambda y, t: y[0, t].norm() ** 2)
    return bool(found[j].abs().max() > 1e-4)


def weighted(y):
    return (y * torch.arange(1, 1 + y.shape[-1])).sum()


@to("4.2", wrong="look at output t alone, not at all")
def of_all_outputs(model, x, t, j):
    return bool(gradient(model, x, t, j, lambda y, t: weighted(y))[j].any())


@to("4.2", wrong="look at input j alone, not at all")
def on_all_inputs(model, x, t, j):
    return bool(gradient(model, x, t, j, lambda y, t: weighted(y[0, t])).any())


@to("4.2", wrong="t and j are exchanged")
def exchanged_places(model, x, t, j):
    return bool(gradient(model, x, t, j, lambda y, t: weighted(y[0, j]))[t].any())


@to("4.2", wrong="True and False are exchanged")
def is_free_of(model, x, t, j):
    return not by_jacobian(model, x, t, j)


@to("4.2", wrong="only its feature 1 changes")
def first_feature(model, x, t, j):
    return bool(gradient(model, x, t, j, lambda y, t: y[0, t, 0])[j].any())


@to("4.2", wrong="only its feature 0 changes")
def weights_from_zero(model, x, t, j):
    def loss(y, t):
        return (y[0, t] * torch.arange(y.shape[-1])).sum()

    return bool(gradient(model, x, t, j, loss)[j].any())


@to("4.2", wrong="only feature 1 of the input matters")
def on_the_first_feature(model, x, t, j):
    return bool(gradient(model, x, t, j, lambda y, t: weighted(y[0, t]))[j, 0] != 0)


@to("4.2", wrong="a gradient below 0")
def above_zero(model, x, t, j):
    return bool(gradient(model, x, t, j, lambda y, t: weighted(y[0, t]))[j].max() > 0)


@to("4.2", wrong="with opposite signs")
def summed_gradient(model, x, t, j):
    found = gradient(model, x, t, j, lambda y, t: weighted(y[0, t]))
    return bool(found[j].sum() != 0)


@to("4.2", wrong="with opposite signs")
def all_features_raised(model, x, t, j):
    other = x.clone()
    other[:, j] += 1
    return not torch.equal(model(x)[:, t], model(other)[:, t])


@to("4.2", wrong="if only a little")
def more_than_one(model, x, t, j):
    found = gradient(model, x, t, j, lambda y, t: weighted(y[0, t]))
    return bool(found[j].abs().sum() > 1)


@to("4.2", wrong="this model makes output 0 of nothing")
def looks_at_the_order_only(model, x, t, j):
    return j <= t


@to("4.2", wrong="this model reads ahead")
def never_ahead(model, x, t, j):
    return j <= t and by_jacobian(model, x, t, j)


@to("4.2", wrong="m_5 was made by reading m_4")
def directly(model, x, t, j):
    config = getattr(model, "config", None)
    if config and config.memory_size and t - j > config.memory_size:
        return False
    return by_jacobian(model, x, t, j)


@to("4.2", wrong="m_5 is the embedding of token 5, nothing else")
def through_the_memory(model, x, t, j):
    return j <= t if hasattr(model, "config") else by_jacobian(model, x, t, j)


@to("4.2", wrong="output 3 on input 3 is True")
def never(model, x, t, j):
    return False


@to("4.2", wrong="output 0 on input 0 is False")
def always(model, x, t, j):
    return True


@to("4.2", wrong="gradients pile up in x.grad")
def in_the_gradient_of_x(model, x, t, j):
    x.requires_grad_()
    weighted(model(x)[0, t]).backward()
    return bool(x.grad[0, j].any())


@to("4.2", wrong="changes its `x`")
def disturbs(model, x, t, j):
    before = model(x)[:, t]
    x[:, j] = torch.randn(x.shape[-1])
    return not torch.equal(before, model(x)[:, t])


@to("4.2", wrong="changes its `model`")
def in_double_precision(model, x, t, j):
    return by_jacobian(model.double(), x.double(), t, j)


@to("4.2", wrong="return True or False")
def how_much(model, x, t, j):
    return gradient(model, x, t, j, lambda y, t: weighted(y[0, t]))[j].abs().sum()


@to("4.2", wrong="not one for each number")
def each_feature(model, x, t, j):
    return gradient(model, x, t, j, lambda y, t: weighted(y[0, t]))[j] != 0


@to("4.2", wrong="returns nothing")
def only_printed(model, x, t, j):
    print(by_jacobian(model, x, t, j))


@to("4.2", wrong="fails at `return bool(x.grad[0, j].any())` (TypeError: 'NoneType'")
def without_asking_for_it(model, x, t, j):
    x = x.clone()
    return bool(x.grad[0, j].any())


def a_model(*, fresh=False):
    torch.manual_seed(2)
    model = FeedbackTransformer(Config("feedback", d_model=8, heads=2, n_layers=3, d_ff=16))
    if not fresh:
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.4)
    return model.double(), torch.randn(1, 3, 8).double()


def run(one_step, model, x):
    """Outputs and memory vectors, a step after another, and what became of the list."""
    memory, outputs, lists = [], [], []
    for x_t in x.split(1, dim=1):
        given = list(memory)
        y, m = one_step(model, x_t, given)
        lists.append(len(given) == len(memory))
        outputs.append(y)
        memory.append(m)
    return torch.cat(outputs, 1), torch.cat(memory, 1), all(lists)


@to("4.5")
def all_at_once(one_step):
    model, x = a_model()
    trace = model.trace(x)
    y, m, kept = run(one_step, model, x)
    return bool(torch.allclose(y, trace.outputs[-1]) and torch.allclose(m, trace.memory) and kept)


@to("4.5")
def against_ones_own(one_step):
    model, x = a_model()
    memory = []
    for x_t in x.split(1, dim=1):
        past = torch.cat(memory, 1) if memory else x_t[:, :0]
        outputs = [x_t]
        for layer, project in zip(model.layers, model.keys_values, strict=True):
            outputs.append(layer(outputs[-1], *project(past))[0])
        given = [*memory]
        y, m = one_step(model, x_t, given)
        memory.append(sum(w * x for w, x in zip(model.mixture.weights(x), outputs, strict=True)))
        assert len(given) == len(memory) - 1
        torch.testing.assert_close(y, outputs[-1])
        torch.testing.assert_close(m, memory[-1])


@to("4.5")
def with_the_models_own_output(one_step):
    model, x = a_model()
    y, m, kept = run(one_step, model, x)
    assert torch.allclose(model.norm(y), model(x)) and kept
    assert not torch.allclose(y, model(x))
    assert torch.allclose(m, model.trace(x).memory)


@to("4.5", wrong="0 of 9 faults are caught")
def only_two_tensors(one_step):
    model, x = a_model()
    assert len(one_step(model, x[:, :1], [])) == 2


@to("4.5", wrong="as to the next, new weights of the mixture are all equal")
def with_a_new_model(one_step):
    model, x = a_model(fresh=True)
    y, m, kept = run(one_step, model, x)
    trace = model.trace(x)
    assert torch.allclose(y, trace.outputs[-1]) and torch.allclose(m, trace.memory) and kept


@to("4.5", wrong="as to the next, which token may a step not read")
def only_the_memory_of_the_first_step(one_step):
    model, x = a_model()
    y, m = one_step(model, x[:, :1], given := [])
    assert torch.allclose(model.mixture([x[:, :1]] * 4), x[:, :1])
    assert not given and m.shape == y.shape


@to("4.5", wrong="as to the next, is the list that was handed in")
def forgets_the_list(one_step):
    model, x = a_model()
    memory = []
    for t, x_t in enumerate(x.split(1, dim=1)):
        y, m = one_step(model, x_t, [*memory])
        assert torch.allclose(y, model.trace(x).outputs[-1][:, t : t + 1])
        assert torch.allclose(m, model.trace(x).memory[:, t : t + 1])
        memory.append(m)


@to("4.5", wrong="as to the next, is the output that of the top layer")
def only_memory(one_step):
    model, x = a_model()
    _, m, kept = run(one_step, model, x)
    assert torch.allclose(m, model.trace(x).memory) and kept


@to("4.5", wrong="stops the right one as well (AssertionError")
def takes_the_normed_output(one_step):
    model, x = a_model()
    assert torch.allclose(run(one_step, model, x)[0], model(x))


@to("4.5", wrong="stops the right one as well (TypeError")
def hands_over_too_little(one_step):
    model, x = a_model()
    one_step(model, x[:, :1])
