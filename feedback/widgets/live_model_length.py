"""Memory vectors of other layer weights, as long as those of the learned ones.

The outputs of layers differ in length: in the shipped model the last layer's are several times as
long as the embedding. So whoever changes the layer weights also makes the memory vectors longer or
shorter, and keys, values and predictions follow from both. This takes the length out.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional as F

from feedback.memory import MemoryMixture


class MixtureOfLength(MemoryMixture):
    """Fixed weights for the memory vectors, and their length from other weights.

    The outputs of layers differ in length, so other weights also make memory vectors longer or
    shorter. Here each is as long as the vector that `length_of` makes of the same outputs.

    Arguments:
        mixture, length_of: (L+1,) numbers that sum to 1, the embedding first.
    """

    def __init__(self, mixture: Sequence[float], length_of: Sequence[float]):
        super().__init__(len(mixture) - 1, mixture)
        self.length_of = MemoryMixture(len(length_of) - 1, length_of)

    def forward(self, outputs: list[Tensor]) -> Tensor:
        """L+1 outputs of (B, T, d), embedding first -> memory vectors (B, T, d)."""
        m = super().forward(outputs)
        lengths = self.length_of(outputs).norm(dim=-1, keepdim=True)
        return F.normalize(m, dim=-1) * lengths  # a vector of zeros stays one
