"""Pictures that can be touched: live beside a kernel, and live in the built book without one.

Beside the Python file that has a widget's class stand files of the same name with what it draws,
in JavaScript, and with its look, in CSS. Begin with the smallest:

    layer_memory_weights.py      the memory vector of a step as a sum of what each layer put out
    predict_then_reveal.py       a guess first, then the answer
    class_guesses.py             the guesses of a class at those questions, side by side
    critical_path.py             which layers wait for which
    cache_growth.py              what has to be kept, in bytes
    memory_attention.py          where each head looks; its weights: memory_attention_weights.py
    timing_explorer.py           times of a sweep; with timing_explorer_plots.py and
                                 timing_explorer_words.py
    live_model.py                a model that writes in the page; as bytes: quantised.py; with a
                                 memory that keeps its length: live_model_length.py
    train_in_the_page.py         two models that learn in the page, side by side
    patch_the_memory.py          memory vectors of one run put into another; its models:
                                 cup_models.py; weights with every digit: whole_weights.py
    probe_by_layer.py            linear probes that are fitted in the page
    pass_by_pass.py              the recurrence by passes, on text and on a state; what they find:
                                 pass_by_pass_course.py

    base.py                      one class with two lives, beside a kernel and in a page
    traits.py                    settings that check themselves
    modules.py                   joins JavaScript modules into the one that is handed over
"""

from .cache_growth import CacheGrowth
from .class_guesses import ClassGuesses
from .critical_path import CriticalPath
from .layer_memory_weights import LayerMemoryWeights
from .live_model import LiveModel
from .memory_attention import MemoryAttention
from .pass_by_pass import PassByPass
from .patch_the_memory import PatchTheMemory
from .predict_then_reveal import PredictThenReveal
from .probe_by_layer import ProbeByLayer
from .timing_explorer import TimingExplorer
from .train_in_the_page import TrainInThePage

__all__ = [
    "CacheGrowth",
    "ClassGuesses",
    "CriticalPath",
    "LayerMemoryWeights",
    "LiveModel",
    "MemoryAttention",
    "PassByPass",
    "PatchTheMemory",
    "PredictThenReveal",
    "ProbeByLayer",
    "TimingExplorer",
    "TrainInThePage",
]
