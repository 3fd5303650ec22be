"""What the book's figures show."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import torch

from feedback import plots


def test_a_map_leaves_forbidden_cells_blank_and_counts_steps_in_whole_numbers():
    weights = torch.full((12, 12), 0.01).tril().requires_grad_()
    _, ax = plt.subplots(figsize=(3, 2))
    plots.attention_map(weights, ax=ax)
    drawn = np.ma.filled(ax.images[0].get_array(), np.nan)
    assert np.array_equal(np.isnan(drawn), np.triu(np.ones((12, 12)), 1) == 1)
    ticks = [*ax.get_xticks(), *ax.get_yticks()]
    assert all(float(tick).is_integer() for tick in ticks)
    plt.close(ax.figure)
