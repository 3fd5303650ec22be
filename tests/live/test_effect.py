"""The effect that the book is about, at its smallest: with feedback two layers track a state."""

import pytest

from feedback.live import PARITY
from feedback.results import load_result


@pytest.mark.slow
def test_two_layers_track_parity_with_feedback():
    _, right = PARITY.first_that_holds()  # a few attempts, each with another seed
    assert right[-1] > PARITY.threshold


def test_without_feedback_no_recorded_model_of_two_layers_did():
    """What a live run without feedback ends with is no matter for a test; see `feedback.live`."""
    for name in ("tracking-parity", "tracking-s3"):
        with_feedback, without = load_result(name)["variants"][:2]
        assert min(run["accuracy"][-1] for run in with_feedback["runs"]) > 0.95
        assert max(run["accuracy"][-1] for run in without["runs"]) < 0.8
