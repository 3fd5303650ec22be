"""Reading a prompt by passes gives what reading it step by step gives."""

import pytest
import torch
from helpers import small, some_tokens

from feedback import pretrained
from feedback.fast.reading import finished, read


@pytest.mark.parametrize("kind", ["feedback", "feedback-kv"])
@pytest.mark.parametrize("memory_size", [None, 2, 5])
@pytest.mark.parametrize("window", [1, 4, 16])
def test_without_tolerance_a_prompt_is_read_exactly(kind, memory_size, window):
    model, tokens = small(kind, memory_size=memory_size), some_tokens(T=13)
    logits, memory = model(tokens[:, :4], return_memory=True)
    expected, after = model(tokens[:, 4:], memory, return_memory=True)
    found = read(model, tokens[:, 4:], memory, window, tolerance=0)
    torch.testing.assert_close(found.logits, expected)
    kept = zip(found.memory.keys + found.memory.values, after.keys + after.values, strict=True)
    for left, right in kept:
        torch.testing.assert_close(left, right)
    whole = read(model, tokens[:, :4], window=window, tolerance=0)
    torch.testing.assert_close(whole.logits, logits)
    assert len(whole.memory) == len(memory) and whole.passes <= 4
    token = tokens[:, 0]
    torch.testing.assert_close(model.step(token, found.memory)[0], model.step(token, after)[0])
    assert (found.passes == found.passed == 9) if window == 1 else found.passes <= 9


def test_a_trained_model_reads_within_a_tolerance_in_fewer_passes():
    model = pretrained.load("feedback-kv")
    tokens = torch.randint(0, 65, (1, 96), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        exact = model(tokens)
    found = [read(model, tokens, tolerance=tolerance) for tolerance in (0.3, 0.03, 1e-3, 1e-5)]
    errors = [(one.logits - exact).abs().max().item() for one in found]
    assert sorted(errors, reverse=True) == errors and errors[-1] < 1e-3 < errors[0]
    passes = [one.passes for one in found]
    assert sorted(passes) == passes and passes[0] < 96 / 3 and passes[-1] < 96
    assert all(one.passed <= 32 * one.passes for one in found)


def test_reading_leaves_no_gradient_and_the_model_in_its_mode():
    model = small(dropout=0.5).train()
    found = read(model, some_tokens(), tolerance=0)
    assert model.core.layers[0].training and not found.logits.requires_grad
    torch.testing.assert_close(found.logits, model.eval()(some_tokens()).detach())


def test_a_token_is_read_when_all_before_it_are_in_every_row():
    moved = torch.tensor([[5.0, 0.1, 0.1, 0.1, 0.1], [9.0, 0.0, 0.2, 0.9, 0.0]])
    assert [finished(moved, tolerance) for tolerance in (0, 0.1, 0.2, 1)] == [1, 2, 3, 5]


def test_what_cannot_be_read_is_refused():
    model, tokens = small(), some_tokens()
    with pytest.raises(ValueError, match="window is 0"):
        read(model, tokens, window=0)
    with pytest.raises(ValueError, match="tolerance is -0.1"):
        read(model, tokens, tolerance=-0.1)
    with pytest.raises(TypeError, match="parallel model"):
        read(small("parallel"), tokens)
    with pytest.raises(TypeError, match="int64"):
        read(model, tokens.int())
