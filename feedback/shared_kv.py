"""Shared keys and values: computed once a step, cached, and read by every layer.

Built in chapter 5.
"""

from __future__ import annotations

from torch import Tensor

from feedback.attention import KeysValues
from feedback.cache import GrowingList, GrowingStack, Memory
from feedback.config import Config
from feedback.fast.eligibility import can_take_fast_path
from feedback.fast.sequence import whole_sequence
from feedback.memory import FeedbackTransformer


class FeedbackTransformerKV(FeedbackTransformer):
    """The feedback model whose layers share one pair W_k m_j, W_v m_j, neither with a bias.

    The cache of a step is 2 d numbers, however many layers read it. Interface and errors are those
    of `FeedbackTransformer`, with model="feedback-kv" in the config.

    Args:
        config: with model="feedback-kv".
        path: "loop" leaves every operation to autograd, as the unshared model does; "sequence" runs
            all steps in one autograd function, `fast.sequence`. Outputs and gradients are the same.
            Single steps, and `trace`, take the unshared model's way on either path.
    """

    name = "feedback-kv"
    paths = {"loop": GrowingList, "sequence": GrowingStack}

    def __init__(self, config: Config, path: str = "sequence"):
        super().__init__(config, path)

    def forward(
        self, x: Tensor, memory: Memory | None = None, return_memory: bool = False
    ) -> Tensor | tuple[Tensor, Memory]:
        """Map embeddings (B, T, d) to outputs (B, T, d), and with `return_memory` to both."""
        memory = self.start(x, memory, sets=1)
        step_by_step = self.path == "loop" or x.shape[1] == 1
        if step_by_step or not can_take_fast_path(self, FeedbackTransformerKV):
            return super().forward(x, memory, return_memory)
        y, keys, values = whole_sequence(self, x, *memory.keys, *memory.values)
        y = self.norm(y)
        return (y, self.remember([keys], [values])) if return_memory else y

    def projections(self) -> list[KeysValues]:
        """One pair of projections for all layers."""
        return [KeysValues(self.config.d_model, self.config.heads, value_bias=False)]
