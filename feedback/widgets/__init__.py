"""Pictures that can be touched: live beside a kernel, and live in the built book without one."""

from .layer_memory_weights import LayerMemoryWeights

__all__ = ["LayerMemoryWeights"]
