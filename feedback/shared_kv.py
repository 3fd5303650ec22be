"""Shared keys and values: computed once a step, cached, and read by every layer.

Built in chapter 5.
"""

from __future__ import annotations

from feedback.attention import KeysValues
from feedback.memory import FeedbackTransformer


class FeedbackTransformerKV(FeedbackTransformer):
    """The feedback model whose layers share one pair W_k m_j, W_v m_j, neither with a bias.

    The cache of a step is 2 d numbers, however many layers read it. Interface, paths and errors are
    those of `FeedbackTransformer`, with model="feedback-kv" in the config.
    """

    name = "feedback-kv"

    def projections(self) -> list[KeysValues]:
        """One pair of projections for all layers."""
        return [KeysValues(self.config.d_model, self.config.heads, value_bias=False)]
