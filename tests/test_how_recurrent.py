"""What the experiment on recurrence asks, of small models and of a short training."""

import how_recurrent
import torch
from helpers import small, some_tokens

from feedback import Config
from feedback.fast.passes import distance
from feedback.training import Settings


def test_vectors_that_are_exchanged_are_those_of_the_next_row_and_move_what_follows():
    model, tokens = small(), some_tokens(B=3, T=12)
    plain = model.trace(tokens).memory
    off = how_recurrent.exchanged(model, tokens, 5)
    assert off.shape == (3, 7)
    torch.testing.assert_close(off[:, 0], distance(plain, plain.roll(-1, 0))[:, 5])
    assert (off > 0).all()
    same = tokens[:1].expand(3, -1)
    assert not how_recurrent.exchanged(model, same, 5).any()


def test_a_model_without_a_recursion_is_asked_for_what_it_has():
    tokens = some_tokens(B=3, T=8)
    found = how_recurrent.ask(small(memory_mixture=(1, 0, 0, 0)), tokens, torch.ones(3) > 0)
    assert found["passes"] == [1] * 8 and found["most"] == 1
    assert found["growth"] is found["exponents"] is None
    found = how_recurrent.ask(small(), tokens, torch.tensor([True, False, True]))
    assert len(found["growth"]) == len(found["exchanged"]) == 6 and len(found["exponents"]) == 3


def test_a_model_is_asked_while_it_is_trained_as_planned(monkeypatch):
    monkeypatch.setattr(how_recurrent, "ASKED", (0, 1, 3))
    config = Config("feedback-kv", d_model=12, heads=2, n_layers=1, d_ff=8, max_distance=8)
    settings = Settings(steps=3, batch_size=4, sequence_length=8, start_length=2, evaluate_every=3)
    found = how_recurrent.train_and_ask(how_recurrent.Trained("s3", config, settings))
    assert [one["step"] for one in found] == [0, 1, 3]
    losses = [one["validation_loss"] for one in found]
    assert len({*losses}) == 3 and all(1 < loss < 4 for loss in losses)
    assert all(len(one["passes"]) == 8 for one in found)
    again = how_recurrent.train_and_ask(how_recurrent.Trained("s3", config, settings))
    assert [one["validation_loss"] for one in again] == losses


def test_rows_in_one_state_are_not_told_apart():
    labels = torch.tensor([[0, 1], [0, 1], [0, 2], [3, 1]])
    assert how_recurrent.apart(labels, 1).tolist() == [False, True, True, False]
