"""The Feedback Transformer, built step by step: the package behind the book."""

from feedback import interop
from feedback.cache import Memory
from feedback.config import Config
from feedback.language_model import LanguageModel
from feedback.memory import FeedbackTransformer
from feedback.notebook.chapter import begin_chapter
from feedback.shared_kv import FeedbackTransformerKV
from feedback.transformer import Trace, Transformer

__all__ = [
    "Config",
    "FeedbackTransformer",
    "FeedbackTransformerKV",
    "LanguageModel",
    "Memory",
    "Trace",
    "Transformer",
    "begin_chapter",
    "interop",
]
