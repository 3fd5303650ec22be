"""What is asked of trained models for chapter 10 is what its record says."""

import look_inside
import look_inside_text
import pytest
import torch
from helpers import small, some_tokens
from torch.nn import functional as F

from feedback import Config, LanguageModel
from feedback.interpret.counts import Count
from feedback.pretrained import trackers
from feedback.results import load_result
from feedback.tasks import TASKS
from feedback.transformer import Trace


@pytest.mark.parametrize("task", ["s3", "parity"])
def test_a_recorded_answer_comes_out_again(task):
    """Numbers may differ in the last digits from those of another processor, and so a few rows."""
    (recorded,) = (
        model
        for model in load_result("inside")["models"]
        if (model["task"], model["memory_size"], model["seed"]) == (task, 4, 1)
    )
    found = look_inside.ask_noise(trackers.load(task, 4, 1), task)
    for size in ("0.1", "0.3"):
        for a, b in zip(found["healing"][size], recorded["noise"]["healing"][size], strict=True):
            assert a == pytest.approx(b, rel=0.1, abs=1e-3)
        held, done = found["right"][size]["always"]
        assert done == recorded["noise"]["right"][size]["always"][1]
        assert abs(held - recorded["noise"]["right"][size]["always"][0]) <= 3


def test_a_probe_on_the_state_itself_reads_it_and_controls_guess():
    """A stand-in whose memory vectors are the state, and whose other vectors say nothing."""

    class Knows:
        config = Config("feedback-kv", 6, d_model=6, heads=1, n_layers=1, d_ff=4)

        def trace(self, tokens):
            states, state = [], torch.zeros(len(tokens), dtype=torch.int64)
            for token in tokens.T:
                state = TASKS["s3"].product[state, token]
                states.append(state)
            memory = F.one_hot(torch.stack(states, 1), 6).float()
            generator = torch.Generator().manual_seed(0)
            noise = torch.randn(2, *memory.shape, generator=generator)
            return Trace(outputs=noise, attention=noise[..., None], memory=memory)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(look_inside.sites, "added_by_attention", lambda model, layer: None)
        patch.setattr(look_inside, "look_at", lambda model, tokens, site: torch.zeros(1))
        patch.setattr(look_inside, "untrained", lambda model: small("feedback-kv", n_tokens=6))
        found = look_inside.ask_probes(Knows(), "s3")
    assert Count(*found["memory"]["now"]).share == 1
    for place, when in (
        ("embedding", "now"),
        ("layer 1", "before"),
        ("memory, shuffled", "now"),
    ):
        assert Count(*found[place][when]).share < 0.3
    assert Count(*found["memory"]["before"]).share < 0.3  # the token would be needed too


def test_a_memory_of_one_layer_is_that_of_a_model_with_such_a_mixture():
    model, tokens = small("feedback-kv"), some_tokens()
    labels = tokens.roll(-1, 1)
    alone = torch.tensor([0.0, 0, 1, 0]).double()
    fixed = LanguageModel(Config("feedback-kv", **inside_sizes(), memory_mixture=(0, 0, 1, 0)))
    weights = {k: v for k, v in model.state_dict().items() if not k.endswith("mixture.w")}
    fixed.double().load_state_dict(weights)
    with torch.no_grad():
        expected = F.cross_entropy(fixed(tokens).flatten(0, 1), labels.flatten()).item()
    found = look_inside_text.with_mixture(model, tokens, labels, alone, None)
    assert found == pytest.approx(expected, abs=1e-4)
    assert found != pytest.approx(look_inside_text.loss(model(tokens), labels), abs=1e-3)


def inside_sizes() -> dict:
    return dict(n_tokens=11, d_model=12, heads=3, n_layers=3, d_ff=8, max_distance=4)


def test_a_mixture_keeps_the_length_that_is_asked():
    outputs = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    weights = torch.tensor([0.0, 1, 0, 0])
    mixed = look_inside_text.mixed_by(weights, torch.tensor(2.5))(outputs)
    torch.testing.assert_close(mixed.norm(dim=-1), torch.full((2, 3), 2.5))
    torch.testing.assert_close(F.normalize(mixed, dim=-1), F.normalize(outputs[:, :, 1], dim=-1))
