"""Let the tests import their own helpers, from whichever folder of tests they stand in."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
pytest.register_assert_rewrite("helpers", "looking")  # their assertions say what was found
