"""What is recorded of reading prompts by passes, on a model small enough to count by hand."""

import prompts
import pytest
import torch
from helpers import small, some_tokens


def test_prompts_are_windows_from_the_first_token_to_the_last():
    found = prompts.prompts_of(torch.arange(100), 5, 12)
    assert found.shape == (5, 12) and found[0, 0] == 0 and found[-1, -1] == 99
    assert torch.equal(found - found[:, :1], torch.arange(12).expand(5, 12))


def test_every_exact_way_is_and_the_others_come_nearer_with_more_passes():
    model, tokens = small().eval(), some_tokens(B=3, T=9)
    for reader in prompts.EXACT.values():
        assert max(prompts.errors(model, tokens, reader)) < 1e-9
    largest, typical = zip(
        *(prompts.errors(model, tokens, prompts.by_passes(n)) for n in (1, 3, 9)), strict=True
    )
    assert largest[0] > largest[1] > 1e-6 > 1e-9 > largest[2]
    assert all(a <= b for a, b in zip(typical, largest, strict=True))
    with torch.no_grad():
        off = prompts.by_windows(4, 1e9)(model, tokens[:1])[0] - model(tokens[:1])
    found = prompts.errors(model, tokens[:1], prompts.by_windows(4, 1e9))
    assert found == pytest.approx((off.abs().max().item(), off.square().mean().sqrt().item()))


def test_the_same_text_follows_an_exact_reading_and_near_ties_are_apart(monkeypatch):
    model, tokens = small().eval(), some_tokens(B=12, T=9)
    assert prompts.same_text(model, tokens, prompts.by_steps, 5) == (12, 0, 0)
    expected, leads = prompts.greedy(model, *prompts.gathered(model, tokens, prompts.whole), 5)
    assert torch.equal(expected, model.generate(tokens, 5, temperature=0)[:, 9:])
    assert (leads > 0).all()
    crude = prompts.by_passes(3)
    text, _ = prompts.greedy(model, *prompts.gathered(model, tokens, crude), 5)
    first = [
        next((i for i in range(5) if a[i] != b[i]), None)
        for a, b in zip(text, expected, strict=True)
    ]
    changed = [float(leads[row, i]) for row, i in enumerate(first) if i is not None]
    assert 1 <= len(changed) < 12
    for tie in (0.0, 1.001 * min(changed), 1e9):
        monkeypatch.setattr(prompts, "TIE", tie)
        found = prompts.same_text(model, tokens, crude, 5)
        close = sum(lead <= tie for lead in changed)
        assert found == (12 - len(changed), close, len(changed) - close)


def test_the_quickest_is_chosen_among_those_that_are_close_enough():
    rows = [
        {"name": "quick", "largest_error": 0.5, "seconds": [1, 1, 1]},
        {"name": "close", "largest_error": 0.01, "seconds": [3, 9, 2]},
        {"name": "closer", "largest_error": 0.001, "seconds": [4, 4, 1]},
    ]
    assert prompts.quickest(rows, 0.02)["name"] == "close"
    assert prompts.quickest(rows, 0.005)["name"] == "closer"
    assert prompts.quickest(rows, 1e-6) is None
