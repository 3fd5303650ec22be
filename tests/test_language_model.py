"""Facts about the whole model: tokens in, logits and text out."""

import pickle
import weakref

import numpy as np
import pytest
import torch
from helpers import MODELS, SIZES, small, some_tokens

from feedback import Config, LanguageModel
from feedback.fast.generation import Decoder

every_model = pytest.mark.parametrize("model", MODELS)


@every_model
def test_step_by_step_gives_the_logits_of_forward(model):
    model, tokens = small(model), some_tokens()
    expected, memory = model(tokens), None
    for t in range(tokens.shape[1]):
        logits, memory = model.step(tokens[:, t], memory)
        torch.testing.assert_close(logits, expected[:, t])
        assert len(memory) == t + 1


@every_model
def test_a_second_segment_carries_on(model):
    model, tokens = small(model), some_tokens()
    first, memory = model(tokens[:, :4], return_memory=True)
    second = model(tokens[:, 4:], memory.detach())
    torch.testing.assert_close(torch.cat([first, second], 1), model(tokens))


def test_the_cache_of_a_step_is_two_vectors_however_many_layers():
    tokens, bytes_a_number = some_tokens(B=1, T=5), 8
    for model, vectors in [("feedback-kv", 2), ("feedback", 2 * 3), ("parallel", 2 * 3)]:
        _, memory = small(model)(tokens, return_memory=True)
        assert memory.nbytes == 5 * vectors * SIZES["d_model"] * bytes_a_number
        assert repr(memory) == f"Memory(5 steps, {memory.nbytes:,} bytes, {model!r})"


@every_model
@pytest.mark.parametrize("temperature", [0, 1.0])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_nothing_is_drawn_from_logits_that_are_not_finite(model, temperature, value):
    model = small(model)
    model.head.bias.data[3 if value > 0 else slice(None)] = value
    if value != value:
        model.core.layers[1].feed_forward.narrow.bias.data[0] = value
    with pytest.raises(ValueError, match="not finite"):
        model.generate(some_tokens(), 2, temperature)


@every_model
def test_generation_samples_what_forward_predicts(model):
    """Greedy text is the argmax of the whole prefix, run again for every token."""
    model, tokens = small(model), some_tokens(T=3)
    text = model.generate(tokens, 6, temperature=0)
    assert torch.equal(text[:, :3], tokens)
    for t in range(3, 9):
        assert torch.equal(model(text[:, :t])[:, -1].argmax(-1), text[:, t])
    assert torch.equal(model.generate(tokens, 6, top_k=1), text)
    for temperature in (1e-37, 1e-300):  # too small to divide float32 logits by, or nearly
        assert torch.equal(model.generate(tokens, 6, temperature=temperature), text)


@every_model
def test_generation_reads_every_token_once(model, monkeypatch):
    """The cache is used: no prefix is run again."""
    model, read = small(model), []
    for kind, name in ((LanguageModel, "forward"), (Decoder, "step")):
        monkeypatch.setattr(kind, name, noting(read, getattr(kind, name)))
    model.generate(some_tokens(B=2, T=3), 5)
    assert read == [(2, 3)] + [(2,)] * 4


def noting(shapes, method):
    """The method, which notes the shape of the tokens that it is given."""
    return lambda self, tokens, *more, **named: (
        shapes.append(tokens.shape),
        method(self, tokens, *more, **named),
    )[1]


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.0])
@pytest.mark.parametrize("top_k", [None, 11])
def test_sampled_frequencies_follow_the_softmax(temperature, top_k):
    model, prompt = small(), some_tokens(B=1, T=2)
    odds = (model(prompt)[0, -1] / temperature).softmax(-1)
    seeded = torch.Generator().manual_seed(0)
    draws = model.generate(prompt.expand(20_000, 2), 1, temperature, top_k, seeded)[:, -1]
    found = torch.bincount(draws, minlength=11) / len(draws)
    assert (found - odds).abs().max() < 0.02


def test_top_k_keeps_exactly_k_tokens():
    model, prompt = small(), some_tokens(B=1, T=2)
    best = set(model(prompt)[0, -1].topk(3).indices.tolist())
    draws = model.generate(prompt.expand(2_000, 2), 1, top_k=3)[:, -1]
    assert set(draws.tolist()) == best


def test_a_seeded_generator_repeats_the_text_and_dropout_rests():
    model, tokens = small(dropout=0.5), some_tokens()
    texts = [
        model.generate(tokens, 8, generator=torch.Generator().manual_seed(3)) for _ in range(2)
    ]
    assert torch.equal(*texts)
    assert not texts[0].requires_grad
    assert model.generate(tokens, 0).equal(tokens)


def test_every_part_is_left_in_the_mode_it_was_in():
    model, tokens = small(), some_tokens()
    model.train()
    model.core.layers[1].eval()
    modes = [module.training for module in model.modules()]
    model.generate(tokens, 2)
    model.trace(tokens)
    assert [module.training for module in model.modules()] == modes
    model.eval().generate(tokens, 2)
    assert not any(module.training for module in model.modules())


@every_model
def test_a_trace_is_taken_without_dropout_and_without_gradients(model):
    dropping, plain, tokens = small(model, dropout=0.5), small(model), some_tokens()
    trace = dropping.trace(tokens)
    torch.testing.assert_close(trace.logits, plain(tokens))
    assert not trace.outputs.requires_grad and not trace.logits.requires_grad


@every_model
def test_a_trace_holds_what_forward_computes(model):
    model, tokens = small(model), some_tokens()
    B, T, L, d, H = 2, 9, 3, 12, 3
    trace = model.trace(tokens)
    torch.testing.assert_close(trace.logits, model(tokens))
    assert trace.outputs.shape == (L + 1, B, T, d)
    assert trace.attention.shape == (L, B, H, T, T)
    assert torch.equal(trace.outputs[0], model.embedding(tokens))
    rows = trace.attention.sum(-1)
    reads_itself = model.config.model == "parallel"
    torch.testing.assert_close(rows[..., 1:], torch.ones_like(rows[..., 1:]))
    assert (
        (rows[..., 0] == (1 if reads_itself else 0))
        .logical_or((rows[..., 0] - 1).abs() < 1e-9)
        .all()
    )
    assert trace.attention.triu(1 if reads_itself else 0).abs().max() == 0
    if reads_itself:
        assert trace.memory is None
    else:
        mixed = (model.layer_weights()[:, None, None, None] * trace.outputs).sum(0)
        torch.testing.assert_close(trace.memory, mixed)


@every_model
def test_traced_attention_rebuilds_the_layers_outputs(model):
    """They are the weights that were used: with the values, they give each layer again."""
    model, tokens = small(model), some_tokens()
    trace = model.trace(tokens)
    for number, layer in enumerate(model.core.layers):
        x = trace.outputs[number]
        if model.config.model == "parallel":
            _, values = layer.keys_values(layer.norm1(x))
        else:
            sets = model.core.keys_values
            _, values = sets[number % len(sets)](trace.memory)
        read = (trace.attention[number] @ values).transpose(1, 2).flatten(-2)
        read = layer.attention.output(read)
        if model.config.model != "parallel":
            read[:, 0] = 0  # nothing to read at the first step: the sub-layer is skipped
        x = x + read
        x = x + layer.feed_forward(layer.norm2(x))
        torch.testing.assert_close(x, trace.outputs[number + 1])


@every_model
def test_a_trace_of_bounded_memory_reads_nothing_older(model):
    trace = small(model, memory_size=2).trace(some_tokens())
    assert trace.attention.tril(-3).abs().max() == 0
    assert trace.attention[..., 5, 3:5].min() > 0
    read = trace.attention[..., 5, 3 : 5 + (model == "parallel")]  # it reads itself as well
    torch.testing.assert_close(read.sum(-1), torch.ones(3, 2, 3).double())
    torch.testing.assert_close(trace.logits, small(model, memory_size=2)(some_tokens()))


@every_model
def test_a_pass_leaves_nothing_behind_on_the_model(model):
    """Attention, outputs and buffers belong to one pass: the model is the same bytes after it."""
    model, tokens = small(model), some_tokens()
    before = pickle.dumps(model)
    model(tokens, return_memory=True)
    model.trace(tokens)
    model.generate(tokens, 2)
    assert pickle.dumps(model) == before


@every_model
def test_no_attention_outlives_its_layer_unless_a_trace_is_taken(model):
    model = small(model, path=None if model == "parallel" else "loop", n_layers=6)
    alive = []

    def watch(module, inputs, outputs):
        alive.append(weakref.ref(outputs[1]))

    for layer in model.core.layers:
        layer.attention.register_forward_hook(watch)
    with torch.no_grad():
        model(some_tokens())
    assert len(alive) >= 6 and not any(weights() is not None for weights in alive)
    if model.config.model == "parallel":  # whose maps are (B, H, T, T): never all at once
        most = 0

        def count(module, inputs, outputs):
            nonlocal most
            most = max(most, sum(weights() is not None for weights in alive))

        for layer in model.core.layers:
            layer.attention.register_forward_hook(count)
        with torch.no_grad():
            model(some_tokens())
        assert most <= 2


def test_layer_weights_start_equal_and_follow_the_mixture():
    model = LanguageModel(Config(**SIZES))
    torch.testing.assert_close(model.layer_weights(), torch.full((4,), 0.25))
    assert not model.layer_weights().requires_grad
    fixed = LanguageModel(Config(**SIZES, memory_mixture=[0, 0, 0, 1]))
    assert fixed.layer_weights().tolist() == [0, 0, 0, 1]
    with pytest.raises(ValueError, match="no layer weights"):
        LanguageModel(Config(model="parallel", **SIZES)).layer_weights()


@pytest.mark.parametrize(
    ("tokens", "error", "reason"),
    [
        ([[1, 2]], TypeError, "torch.int64"),
        (torch.tensor([[1.0, 2.0]]), TypeError, "torch.int64"),
        (torch.tensor([[1, 2]], dtype=torch.int32), TypeError, "torch.int64"),
        (torch.tensor([1, 2]), ValueError, r"must be \(B, T\)"),
        (torch.tensor([[[1]]]), ValueError, r"must be \(B, T\)"),
        (torch.tensor([[1, 11]]), ValueError, r"lie in 1..11; this vocabulary has 0..10"),
        (torch.tensor([[-1, 3]]), ValueError, r"lie in -1..3"),
        (torch.empty(1, 0, dtype=torch.int64), ValueError, "no token"),
    ],
)
def test_bad_tokens_are_refused(tokens, error, reason):
    model = small()
    for call in (model, model.trace, lambda tokens: model.generate(tokens, 2)):
        with pytest.raises(error, match=reason):
            call(tokens)


def test_step_takes_one_token_a_sequence():
    with pytest.raises(ValueError, match=r"must be \(B,\)"):
        small().step(some_tokens())


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (dict(length=-1), "length is -1"),
        (dict(length=2.5), "length is 2.5"),
        (dict(temperature=-1.0), "temperature is -1.0"),
        (dict(temperature=float("nan")), "temperature is nan"),
        (dict(top_k=0), r"must be in 1..11"),
        (dict(top_k=12), r"must be in 1..11"),
        (dict(top_k=2.0), "top_k is 2.0; it must be a whole number"),
        (dict(top_k=True), "top_k is True; it must be a whole number"),
        (dict(length=True), "length is True; it must be a whole number"),
        (dict(temperature="warm"), "must be a number"),
        (dict(temperature=True), "must be a number"),
        (dict(generator=3), "generator is 3; it must be a torch.Generator"),
    ],
)
def test_bad_generation_options_are_refused(options, reason, monkeypatch):
    model = small()
    monkeypatch.setattr(model, "forward", lambda *_, **__: pytest.fail("it read the prompt"))
    for write in (model.generate, model.stream):  # neither waits for the first token
        with pytest.raises((TypeError, ValueError), match=reason):
            write(some_tokens(), **{"length": 3, **options})


def test_numpys_integers_are_whole_numbers_too():
    model, tokens = small(), some_tokens(T=3)
    text = model.generate(tokens, np.int64(4), np.float32(1), top_k=np.int32(1))
    assert torch.equal(text, model.generate(tokens, 4, top_k=1))


def test_a_memory_that_does_not_fit_is_refused():
    model, tokens = small(), some_tokens()
    _, memory = model(tokens, return_memory=True)
    with pytest.raises(ValueError, match="batch of 2, the input has 3"):
        model(some_tokens(B=3), memory)
    for other in [
        dict(model="feedback"),
        dict(n_tokens=12),
        dict(d_model=6),
        dict(heads=2),
        dict(n_layers=2),
        dict(d_ff=16),
        dict(dropout=0.1),
        dict(max_distance=5),
        dict(memory_size=4),
        dict(memory_mixture=[0, 0, 0, 1]),
    ]:
        (name,) = other
        with pytest.raises(ValueError, match=f"another config: {name} .* against"):
            small(**other).step(tokens[:, 0], memory)
    with pytest.raises(ValueError, match="start again without it"):
        small().float()(tokens, memory)
    with pytest.raises(TypeError, match="must be a feedback Memory"):
        model(tokens, memory.keys)


def test_the_models_refuse_embeddings_of_the_wrong_shape():
    core = small().core
    for x in (torch.randn(2, 12), torch.randn(2, 3, 5), torch.randn(2, 0, 12)):
        x = x.double()
        with pytest.raises(ValueError, match="embeddings have shape"):
            core(x)
    for x in (torch.ones(2, 3, 12, dtype=torch.int64), torch.randn(2, 3, 12), [[[1.0]]]):
        with pytest.raises(TypeError, match="embeddings are"):
            core(x)


@every_model
def test_the_model_runs_where_and_in_what_its_weights_are(model):
    """No device or dtype is named in the code: half precision and any accelerator present work."""
    devices = ["cpu"]
    devices += ["cuda"] if torch.cuda.is_available() else []
    devices += ["mps"] if torch.backends.mps.is_available() else []
    expected = small(model).float()(some_tokens())
    for device in devices:
        moved = small(model).float().to(device)
        logits = moved(some_tokens().to(device))
        torch.testing.assert_close(logits.cpu(), expected, rtol=1e-3, atol=1e-3)
        assert moved.generate(some_tokens().to(device), 3).device.type == device
    rough = small(model).bfloat16()(some_tokens())
    assert rough.dtype == torch.bfloat16
    torch.testing.assert_close(rough.float(), expected, rtol=0.2, atol=0.5)


@pytest.mark.slow
def test_training_lowers_the_loss():
    torch.manual_seed(0)
    for name in MODELS:
        model = LanguageModel(Config(model=name, **SIZES))
        optimizer = torch.optim.Adam(model.parameters(), 0.02)
        tokens = torch.arange(12).remainder(5).expand(4, 12)
        losses = []
        for _ in range(30):
            loss = torch.nn.functional.cross_entropy(
                model(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten()
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        assert losses[-1] < 0.1 < losses[0]
