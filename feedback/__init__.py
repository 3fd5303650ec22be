"""The Feedback Transformer, built step by step: the package behind the book.

Where to begin: read the models in the order of the chapters. Each file is short, and says at its
top which chapter builds it and what its shapes are.

    config.py          what a model is made of, checked before anything is built; fields.py
                       lets its fields say what they mean
    attention.py       chapter 1: heads, causal mask, relative positions
    transformer.py     chapter 2: layers; the parallel model, all tokens at once
    memory.py          chapter 4: the feedback model, one memory vector a step for every layer
    shared_kv.py       chapter 5: one pair of keys and values for all layers
    cache.py           chapters 5, 6: keys and values kept from step to step
    language_model.py  embedding and head around any of them; single steps, text

What stands around them:

    data.py, tasks.py  text and tasks to train on; corpus.py is where texts come from
    storage.py         a saved model is a folder; files.py writes it in one step
    interop.py         weights of other implementations
    timing.py          chapter 9: honest timing; machine.py says on what, and peak_memory.py
                       how much memory something takes
    intervals.py       chapter 11: how sure a mean or a share is
    plots.py           figures in one style
    __main__.py        the command line, `python -m feedback`

And the rooms, each with a map of its own:

    fast/          the same numbers, sooner (chapter 7): weights, forward, backward, generation
    training/      chapter 8: one update, the loop, a run's folder, going on after a stop
    notebook/      what chapters call beside the model
    widgets/       pictures that can be touched, each in Python, JavaScript and CSS
    pretrained/    trained models, each with the command that trained it
    results/       recorded experiments, with every number
    live/          results that chapters make anew, and how often they come out
    command_line/  a file for each command

What may be changed alone: what is in `fast/`, as long as outputs and gradients stay those of the
path "loop"; what is in `training/`, as long as a run that was stopped ends as one that was not; any
widget. The models import nothing from `training/`, `notebook/` or `widgets/`.
"""

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
