"""Let the tests import their own helpers, from whichever folder of tests they stand in."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
pytest.register_assert_rewrite("helpers", "looking")  # their assertions say what was found

# Before torch is imported, and for the processes that tests start: their small products gain
# nothing from threads, which on a busy machine wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Each starts several processes that import torch and train; `make check` leaves them out.
SLOW = {
    "test_killed_by_the_system_and_started_again_the_same_command_ends_the_same",
    "test_two_processes_have_the_loss_curve_of_one",
}


def pytest_collection_modifyitems(items):
    for item in items:
        if item.originalname in SLOW:
            item.add_marker("slow")
