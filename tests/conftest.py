"""Let the tests import their own helpers, from whichever folder of tests they stand in."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
