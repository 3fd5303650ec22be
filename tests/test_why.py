"""What is changed in a trained model to find out why it fails is one thing and nothing else."""

import pytest
import torch
import why

from feedback import LanguageModel
from feedback.config import Config
from feedback.tasks import TASKS

CONFIG = Config("feedback-kv", 6, d_model=16, heads=2, n_layers=2, d_ff=32, max_distance=32)


@pytest.fixture
def model() -> LanguageModel:
    torch.manual_seed(0)
    model = LanguageModel(CONFIG)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(std=0.2)
        for (
            layer
        ) in model.core.layers:  # rows of 32 tokens have 31 distances: the last is untrained
            layer.attention.s.normal_(std=2)
            layer.attention.r[0], layer.attention.s[0] = 0, 0
    return model.eval()


@pytest.fixture
def tokens() -> torch.Tensor:
    return torch.randint(6, (3, 48), generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def test_looking_back_drops_older_vectors_at_every_step(model, tokens):
    memory, expected = None, []
    for token in tokens.T:
        logits, memory = model.step(token, memory)
        memory = memory.changed(lambda x: x[:, :, -5:])
        expected.append(logits)
    torch.testing.assert_close(why.looking_back(model, 5)(tokens), torch.stack(expected, 1))


@torch.no_grad()
def test_trained_distances_change_nothing_within_the_trained_length(model, tokens):
    near, whole = why.trained_distances_only(model)(tokens), model(tokens)
    torch.testing.assert_close(near[:, :32], whole[:, :32])
    assert (near[:, 32:] - whole[:, 32:]).abs().max() > 1e-3
    for layer in model.core.layers:  # had the farthest row been that of distance 31, all would do
        layer.attention.r[0], layer.attention.s[0] = layer.attention.r[1], layer.attention.s[1]
    torch.testing.assert_close(near, model(tokens))


@torch.no_grad()
def test_the_last_vectors_come_from_the_next_row(model, tokens):
    _, memory = model(tokens, return_memory=True)
    mixed = why.exchanged(memory, 2)
    for own, new in zip(memory.keys + memory.values, mixed.keys + mixed.values, strict=True):
        assert torch.equal(new[:, :, :-2], own[:, :, :-2])
        assert torch.equal(new[:, :, -2:], own.roll(-1, 0)[:, :, -2:])


def test_a_memory_that_is_exchanged_whole_makes_the_donor_of_every_row(model):
    """With all vectors from the next row, each answer is that of the next row, read one on."""

    class Knows(torch.nn.Module):
        """Answers with the product of the two tokens before and this one, from its memory alone."""

        def __call__(self, tokens, return_memory):
            state, product = torch.zeros(len(tokens), dtype=torch.int64), TASKS["s3"].product
            for token in tokens.T:
                state = product[state, token]
            return None, replace_state(state)

        def step(self, token, memory):
            state = memory.keys[0][:, 0, -1, 0].long()
            after = TASKS["s3"].product[state, token]
            return torch.nn.functional.one_hot(after, 6).float(), memory

    def replace_state(state):
        kept = state.float()[:, None, None, None].expand(-1, 1, why.STEP, 1)
        return why.Memory((kept,), (kept,), CONFIG)

    found = why.follows_the_donor(Knows(), "s3", 1)
    assert found["donor"] == found["pairs"] > 300 and found["own"] == 0
