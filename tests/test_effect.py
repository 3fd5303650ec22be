"""The effect that the book is about, at its smallest: with feedback two layers track a state."""

import pytest

from feedback.config import Config
from feedback.tasks import TASKS
from feedback.training import Settings, train

SETTINGS = Settings(
    steps=200,
    batch_size=32,
    sequence_length=16,
    learning_rate=3e-3,
    warm_up=50,
    start_length=4,
    lengthen_below=0.3,
    evaluate_every=10,
    checkpoint_every=200,
)


@pytest.mark.parametrize(("model", "low", "high"), [("feedback-kv", 0.97, 1), ("parallel", 0, 0.8)])
def test_two_layers_track_parity_with_feedback_and_not_without(model, low, high, tmp_path, capsys):
    sizes = dict(d_model=32, heads=4, n_layers=2, d_ff=128, max_distance=16)
    log = train(Config(model, **sizes), SETTINGS, TASKS["parity"], tmp_path / "run")
    assert low <= log[-1]["accuracy"] <= high
