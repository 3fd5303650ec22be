"""Without Node one line says that JavaScript was not checked; on GitHub that is an error."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECK = Path(__file__).with_name("check.py")


@pytest.mark.parametrize(("ci", "status"), [("", 0), ("true", 1)])
def test_without_node_one_line_says_so(ci, status, tmp_path):
    environment = {**os.environ, "PATH": str(tmp_path), "CI": ci}
    done = subprocess.run([sys.executable, CHECK], env=environment, capture_output=True, text=True)
    assert done.returncode == status
    (line,) = (done.stdout + done.stderr).splitlines()
    assert line == "JavaScript was not checked: no Node is there, and 20 is needed"
