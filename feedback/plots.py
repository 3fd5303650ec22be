"""matplotlib figures in one style: readable on a projector, in print and to the colour-blind."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from feedback.notation import NEUTRAL, TABLE

# One colour for each symbol and for each model, in every chapter. Figures are drawn on white; the
# built page has these colours follow its theme (`book/_ext/figures.py`).
COLORS = {one.name: one.light for one in (*TABLE, NEUTRAL)}


def use_style() -> None:
    """Set matplotlib's defaults for the book, and have a notebook show drawings, not pixels."""
    draw_as_svg()
    plt.rcParams.update(
        {
            "figure.figsize": (6.4, 3.6),
            "figure.dpi": 120,
            "figure.constrained_layout.use": True,
            "font.size": 11,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "grid.alpha": 0.3,
            "image.cmap": "cividis",
            "lines.linewidth": 2,
            # A drawing whose text is text, and the same file whenever it is drawn again.
            "svg.fonttype": "none",
            "svg.hashsalt": "feedback",
            "font.sans-serif": ["DejaVu Sans", "Verdana", "sans-serif"],
        }
    )


def draw_as_svg() -> None:
    """In a notebook, show figures as SVG; elsewhere, do nothing."""
    try:
        from IPython import get_ipython
        from matplotlib_inline.config import InlineBackend
    except ImportError:
        return
    if (shell := get_ipython()) is not None:
        backend = InlineBackend.instance(parent=shell)
        backend.print_figure_kwargs = {"bbox_inches": "tight", "metadata": {"Date": None}}
        backend.figure_formats = {"svg"}


def attention_map(
    weights: Tensor, labels: Sequence[str] | None = None, title: str = "", ax: Axes | None = None
) -> Axes:
    """Draw attention weights (T, T): row t is the query, column j what it reads.

    A weight of exactly 0 is left blank: a mask forbade it, for a softmax gives all others some.
    """
    ax = ax or plt.subplots(figsize=(4.6, 4))[1]
    weights = weights.detach()
    allowed = weights.masked_fill(weights == 0, torch.nan).numpy(force=True)
    image = ax.imshow(allowed, vmin=0, vmax=max(1e-9, weights.max().item()))
    ax.set(xlabel="step j that is read", ylabel="step t that asks", title=title)
    ax.grid(False)
    if labels is None:  # steps are whole numbers
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    else:
        places = range(len(labels))
        ax.set_xticks(places, labels, rotation=90 if max(map(len, labels)) > 2 else 0)
        ax.set_yticks(places, labels)
    ax.figure.colorbar(image, ax=ax, label="weight", shrink=0.8)
    return ax
