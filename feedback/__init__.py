"""The Feedback Transformer, built step by step: the package behind the book.

Where to begin: read the models in the order of the chapters. Each file is short, and says at its
top which chapter builds it and what its shapes are.

    config.py          what a model is made of, checked before anything is built
    attention.py       chapter 1: heads, causal mask, relative positions
    transformer.py     chapter 2: layers; the parallel model, all tokens at once
    memory.py          chapter 4: the feedback model, one memory vector a step for every layer
    shared_kv.py       chapter 5: one pair of keys and values for all layers
    cache.py           chapters 5, 6: keys and values kept from step to step
    language_model.py  embedding and head around any of them; single steps, text

What stands around them:

    corpus.py          texts: Tiny Shakespeare, or any file of yours
    data.py            characters as tokens, batches, what is held out
    tasks.py           chapter 3: tasks whose answer is a state
    storage.py         a saved model is a folder
    interop.py         weights of other implementations
    timing.py          chapter 9: honest timing
    peak_memory.py     the most memory that something takes
    machine.py         the device to compute on, and what a measurement says of its machine
    intervals.py       chapter 11: how sure a mean or a share is
    notation.py        each symbol and model: its colour, in light and in dark
    plots.py           figures in one style
    files.py           files that are whole or as they were
    fields.py          fields of dataclasses that say what they mean
    __main__.py        `python -m feedback`

And the rooms, each with a map of its own:

    fast/          the same numbers, sooner (chapters 7, 12): forward, backward, generation, passes
    training/      chapter 8: one update, the loop, a run's folder, going on after a stop
    interpret/     chapters 10, 12: what a trained model holds and uses, and how recurrent it is
    live/          results that chapters make anew, and how often they come out
    notebook/      what chapters call beside the model
    widgets/       pictures that can be touched, each in Python, JavaScript and CSS
    command_line/  train, generate, time, export-grader
    graders/       the exercises, as graders take them
    pretrained/    trained models, each with the command that trained it
    results/       recorded experiments, with every number

What may be changed alone: what is in `fast/`, as long as outputs and gradients stay those of the
path "loop", and passes say how many steps are exact; what is in `training/`, as long as a run that
was stopped ends as one that was not; any widget. The models import nothing from `training/`,
`notebook/` or `widgets/`.
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
