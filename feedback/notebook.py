"""What a chapter's first cell calls."""

from __future__ import annotations

import platform

import torch

from feedback import plots


def begin(seed: int = 0) -> None:
    """Set the figure style and the random seed, and say what this runs on."""
    plots.use_style()
    torch.manual_seed(seed)
    print(
        f"Python {platform.python_version()}, torch {torch.__version__}, "
        f"{torch.get_num_threads()} threads, seed {seed}"
    )
