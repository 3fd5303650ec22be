"""A live result that takes a moment."""

from dataclasses import replace

import pytest

from feedback.config import Config
from feedback.live import ALL, PARITY, Tracking, record


@pytest.fixture
def tiny(monkeypatch, tmp_path) -> Tracking:
    """The only live result there is; nothing is recorded yet."""
    small = Config("parallel", d_model=8, heads=2, n_layers=1, d_ff=8, max_distance=4)
    settings = replace(PARITY.settings, steps=10, batch_size=4, sequence_length=4)
    tiny = replace(PARITY, name="tiny", config=small, settings=settings, threshold=0.5)
    monkeypatch.setattr(record, "RECORD", tmp_path / "live.json")
    before = dict(ALL)
    ALL.clear()
    ALL["tiny"] = tiny
    yield tiny
    ALL.clear()
    ALL.update(before)
