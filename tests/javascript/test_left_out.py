"""Without Node one line says that JavaScript was not checked, and the other checks go on."""

import os
import subprocess
import sys
from pathlib import Path

CHECK = Path(__file__).with_name("check.py")


def test_without_node_one_line_says_so(tmp_path):
    environment = {**os.environ, "PATH": str(tmp_path)}
    done = subprocess.run([sys.executable, CHECK], env=environment, capture_output=True, text=True)
    assert done.returncode == 0
    (line,) = (done.stdout + done.stderr).splitlines()
    assert line == "JavaScript was not checked: no Node is there, and 20 is needed"
