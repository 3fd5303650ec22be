"""What is quicker here is a matter of the machine; what is computed is not."""

import itertools

import pytest
import torch

from feedback import Config, LanguageModel
from feedback.fast import choice, linear

SIZES = dict(n_tokens=11, d_model=256, heads=4, n_layers=1, d_ff=256, max_distance=4)


@pytest.fixture
def answers(monkeypatch):
    """Say who wins every race, instead of a clock; and how many there were."""
    asked = []

    def give(wins):
        def is_quicker(rival, usual):
            asked.append(rival)
            return wins

        monkeypatch.setattr(linear, "is_quicker", is_quicker)
        forget()
        return asked

    yield give
    forget()


def forget():
    choice.WON.clear()


def numbers(batch):
    """Logits, gradients and a text of a model whose weights are large enough for a race."""
    torch.manual_seed(0)
    model = LanguageModel(Config("feedback-kv", **SIZES))
    tokens = torch.randint(11, (batch, 6), generator=torch.Generator().manual_seed(1))
    logits = model(tokens)
    logits.square().mean().backward()
    found = {name: parameter.grad for name, parameter in model.named_parameters()}
    return found | {"logits": logits, "text": model.generate(tokens, 4, temperature=0).double()}


@pytest.mark.parametrize("batch", [1, 3])
def test_whoever_wins_the_numbers_are_the_same(answers, batch):
    found = []
    for wins in (False, True):
        asked = answers(wins)
        found.append(numbers(batch))
        if linear.has_onednn():
            assert asked, "these weights are large enough for a race"
    torch.testing.assert_close(*found, rtol=1e-4, atol=1e-6)


def test_small_weights_and_deterministic_runs_hang_on_no_clock(answers):
    asked = answers(True)
    linear.ready(torch.ones(64, 256), None, rows=4)(torch.ones(4, 256))
    try:
        torch.use_deterministic_algorithms(True)
        linear.ready(torch.ones(256, 256), None, rows=4)
        linear.add_product(torch.zeros(256, 256), torch.ones(4, 256), torch.ones(4, 256))
    finally:
        torch.use_deterministic_algorithms(False)
    assert not asked


def test_a_race_is_run_once_for_each_shape(answers):
    asked = answers(False)
    for _ in range(2):
        for rows in (1, 4):
            linear.ready(torch.ones(256, 256), None, rows)
    assert len(asked) == (2 if linear.has_onednn() else 0)


def test_a_race_draws_no_random_number_and_leaves_gradients_on():
    forget()
    state = torch.get_rng_state()
    linear.packing_wins(3, 256, 256)
    linear.onednn_wins()
    assert torch.equal(torch.get_rng_state(), state) and torch.is_grad_enabled()


class PretendClock:
    """Its time moves only when a way is called: a first call takes a second more."""

    def __init__(self):
        self.now, self.cold = 0.0, set()

    def perf_counter(self):
        return self.now

    def way(self, seconds):
        turns = itertools.cycle([seconds, 3 * seconds])  # every other call is disturbed

        def run():
            self.now += next(turns) + (1 if run not in self.cold else 0)
            self.cold.add(run)

        return run


@pytest.mark.parametrize(
    ("rival", "usual", "wins"), [(1, 2, True), (2, 1, False), (1, 1, False), (0.95, 1, False)]
)
@pytest.mark.parametrize("unit", [1e-6, 1e-2])
def test_the_clearly_quicker_one_wins(monkeypatch, rival, usual, wins, unit):
    clock = PretendClock()
    monkeypatch.setattr(choice, "time", clock)
    assert choice.is_quicker(clock.way(rival * unit), clock.way(usual * unit)) is wins
    assert clock.now < 2 + 30 * unit + 2 * choice.RACE


@pytest.mark.parametrize("o", [256, 512])
@pytest.mark.parametrize("wins", [False, True])
def test_a_product_is_added_to_a_total(answers, o, wins):
    answers(wins)
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(7, o, generator=generator), torch.randn(7, 256, generator=generator)
    total = torch.ones(o, 256)
    linear.add_product(total, a, b)
    torch.testing.assert_close(total, 1 + a.T @ b)
