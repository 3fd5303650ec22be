"""What a measurement says of the machine."""

import os
import subprocess
import sys

import pytest


@pytest.mark.slow
def test_a_machine_names_the_instructions_that_torch_was_told_to_use():
    capped = {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41"}
    ask = "from feedback.machine import describe_machine; print(describe_machine()['instructions'])"
    command = [sys.executable, "-c", ask]
    said = subprocess.run(command, env=os.environ | capped, capture_output=True, text=True)
    assert said.stdout == "DEFAULT, oneDNN at most SSE41\n"
