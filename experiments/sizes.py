"""The sizes of the models that are compared on tasks."""

from __future__ import annotations

from feedback.config import Config

# The feedback model, and the parallel model with the same depth, with about as many weights (some
# 100,000) in 4 and in 8 layers, and with the same width in 8 layers.
SIZES = {
    "feedback-kv, 2 layers": Config("feedback-kv", d_model=64, d_ff=256, n_layers=2),
    "parallel, 2 layers": Config("parallel", d_model=64, d_ff=256, n_layers=2),
    "parallel, 4 layers": Config("parallel", d_model=44, d_ff=176, n_layers=4),
    "parallel, 8 layers": Config("parallel", d_model=32, d_ff=128, n_layers=8),
    "parallel, 8 wide layers": Config("parallel", d_model=64, d_ff=256, n_layers=8),
}
