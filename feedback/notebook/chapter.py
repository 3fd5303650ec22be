"""What a chapter's first cell calls."""

from __future__ import annotations

import platform

import torch


def begin_chapter(seed: int = 0) -> None:
    """Set the figure style and the random seed, and say what this runs on."""
    from feedback import plots  # here, so that `import feedback` alone does not load matplotlib

    plots.use_style()
    torch.manual_seed(seed)
    print(
        f"Python {platform.python_version()}, torch {torch.__version__}, "
        f"{torch.get_num_threads()} threads, seed {seed}"
    )
