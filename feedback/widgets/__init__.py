"""Pictures that can be touched: live beside a kernel, and live in the built book without one."""

from .cache_growth import CacheGrowth
from .critical_path import CriticalPath
from .layer_memory_weights import LayerMemoryWeights
from .live_model import LiveModel
from .memory_attention import MemoryAttention
from .predict_then_reveal import PredictThenReveal
from .timing_explorer import TimingExplorer

__all__ = [
    "CacheGrowth",
    "CriticalPath",
    "LayerMemoryWeights",
    "LiveModel",
    "MemoryAttention",
    "PredictThenReveal",
    "TimingExplorer",
]
