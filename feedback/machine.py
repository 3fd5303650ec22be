"""The machine this runs on: the device to compute on, and a description for measurements."""

from __future__ import annotations

import os
import platform
from datetime import datetime, timezone
from pathlib import Path

import torch


def device() -> torch.device:
    """The accelerator, where there is one that this torch can use; else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def instructions() -> str:
    """The instruction set that torch computes with, and the cap on oneDNN's where one is set.

    Another set rounds otherwise, so that the same seed is another training run.
    """
    used, cap = torch.backends.cpu.get_cpu_capability(), os.environ.get("ONEDNN_MAX_CPU_ISA")
    return used if cap is None else f"{used}, oneDNN at most {cap}"


def processor() -> str:
    """The name of the processor, as exactly as the system says it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text("utf-8", "replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def describe_machine() -> dict[str, str | int]:
    """What numbers were measured on: the machine, the versions, and the day in UTC."""
    return {
        "processor": processor(),
        "instructions": instructions(),
        "cores": cores(),
        "accelerator": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "system": platform.system(),
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
    }
