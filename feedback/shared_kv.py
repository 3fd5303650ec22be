"""Shared keys and values: computed once a step, cached, and read by every layer.

Built in chapter 5.
"""

from __future__ import annotations

from torch import Tensor

from feedback.attention import KeysValues
from feedback.cache import GrowingStack, Memory
from feedback.config import Config
from feedback.fast.eligibility import may_be_fast
from feedback.fast.sequence import whole_sequence
from feedback.memory import FeedbackTransformer


class FeedbackTransformerKV(FeedbackTransformer):
    """The feedback model whose layers share one pair W_k m_j, W_v m_j, neither with a bias.

    The cache of a step is 2 d numbers, however many layers read it. Interface and errors are those
    of `FeedbackTransformer`, with model="feedback-kv" in the config.

    Args:
        config: with model="feedback-kv".
        path: "loop" leaves every operation to autograd, as the unshared model does. The other two
            run the steps of `fast.sequence`, which write one buffer: on "stack" each step is an
            autograd function of its own, on "sequence" one function is all steps. Outputs and
            gradients are the same. Single steps, and `trace`, take the unshared model's way.
    """

    name = "feedback-kv"
    paths = FeedbackTransformer.paths | {"sequence": GrowingStack}

    def __init__(self, config: Config, path: str = "sequence"):
        super().__init__(config, path)

    def forward(
        self, x: Tensor, memory: Memory | None = None, return_memory: bool = False
    ) -> Tensor | tuple[Tensor, Memory]:
        """Map embeddings (B, T, d) to outputs (B, T, d), and with `return_memory` to both."""
        memory = self.start(x, memory, sets=1)
        slow = self.path == "loop" or x.shape[1] == 1
        if slow or not may_be_fast(self, FeedbackTransformerKV):
            return super().forward(x, memory, return_memory)
        at_once = 1 if self.path == "stack" else None
        y, keys, values = whole_sequence(self, x, *memory.keys, *memory.values, at_once)
        y = self.norm(y)
        return (y, self.remember([keys], [values])) if return_memory else y

    def projections(self) -> list[KeysValues]:
        """One pair of projections for all layers."""
        return [KeysValues(self.config.d_model, self.config.heads, value_bias=False)]
