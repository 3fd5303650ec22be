"""`train`: train a model on text or on a task, or go on with a run that was stopped."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable
from dataclasses import Field, fields, replace
from typing import Any

from feedback import data
from feedback.command_line.values import model_folder, or_none, path
from feedback.config import MODELS, Config
from feedback.fields import MEANING
from feedback.tasks import TASKS, Task
from feedback.training import loop
from feedback.training.processes import process_group, rank_and_world_size
from feedback.training.run_folder import BEST, holds_model
from feedback.training.settings import Settings

# What `train` does unless told otherwise: on text, and on a task.
TEXT = Config(d_model=128, d_ff=512, max_distance=128), Settings()
TASK = (
    Config(d_model=64, d_ff=256, n_layers=2, max_distance=32),
    Settings(
        steps=1000,
        batch_size=64,
        sequence_length=32,
        learning_rate=2e-3,
        evaluate_every=20,
        start_length=4,
        lengthen_below=0.3,
    ),
)


def add_train(commands: argparse._SubParsersAction) -> argparse.ArgumentParser:
    """Add the command and its flags."""
    parser = commands.add_parser(
        "train",
        help="train a model on text or on a task",
        description="Train a model on text or on a task. Everything goes into the folder OUT: "
        "OUT/best and OUT/last are models, OUT/log.jsonl is the log. The same command again goes "
        "on where a run was stopped.",
    )
    parser.add_argument("--out", type=path, required=True, metavar="OUT")
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--corpus", type=path, metavar="FILE", help="UTF-8 text (default: Tiny Shakespeare)"
    )
    source.add_argument("--task", choices=TASKS, help="a task instead of text")
    parser.add_argument(
        "--from-parallel",
        type=model_folder,
        metavar="FOLDER",
        help="begin with the weights of this parallel model, or of the best one of this run; the "
        "new model has the same sizes, and any --model",
    )
    parts: Iterable[tuple[str, Any, Any]] = zip(("the model", "training"), TEXT, TASK, strict=True)
    for title, text, task in parts:
        group = parser.add_argument_group(title)
        for field in fields(text):
            if field.name != "n_tokens":  # the vocabulary comes from the text or the task
                add_field(group, field, getattr(text, field.name), getattr(task, field.name))
    return parser


# Of a field's type: a reader of words, and what the help calls them.
NUMBERS: dict[str, tuple[Callable, str]] = {
    "int": (int, "N"),
    "float": (float, "X"),
    "str": (str, "F+G"),
}


def add_field(
    group: argparse._ArgumentGroup, field: Field, on_text: object, on_task: object
) -> None:
    """Add the flag of a field of `Config` or `Settings`; unless it is given, it has no value.

    The last two are what it is by default: on text and on a task.
    """
    default = f"{on_text}" if on_text == on_task else f"{on_text}; of a task: {on_task}"
    meaning = f"{field.metadata[MEANING]} (default: {default})"
    shown: dict[str, Any] = {"help": meaning.replace("None", "none").replace("%", "%%")}
    shown["default"] = argparse.SUPPRESS
    flag = f"--{field.name.replace('_', '-')}"
    if field.name == "model":
        group.add_argument(flag, choices=MODELS, **shown)
    elif field.name == "memory_mixture":
        group.add_argument(flag, nargs="+", metavar="WEIGHT", **shown)
    else:
        number, metavar = NUMBERS[str(field.type).removesuffix(" | None")]
        if str(field.type).endswith(" | None"):
            number, metavar = or_none(number), f"{metavar}|none"
        group.add_argument(flag, type=number, metavar=metavar, **shown)


def train(options: argparse.Namespace) -> None:
    """Train, and say where the best model is."""
    config, settings = asked_for(options)
    source: data.Text | Task
    if options.task:
        source = TASKS[options.task]
    else:
        corpus = data.text_file(options.corpus) if options.corpus else data.tiny_shakespeare()
        source = data.Text(corpus, settings.sequence_length)
    with process_group():
        if rank_and_world_size()[0] == 0 and not options.task:
            print(f"Text: {corpus.source}")
        try:
            loop.train(config, settings, source, options.out, options.from_parallel)
        except KeyboardInterrupt:
            sys.exit("\nStopped. The same command goes on from the last checkpoint.")
        if rank_and_world_size()[0] == 0 and holds_model(options.out / BEST):
            print(f"The best model is in {options.out / BEST}.")


def asked_for(options: argparse.Namespace) -> tuple[Config, Settings]:
    """The defaults of text or task, with what the flags say in their place."""
    asked, defaults = dict(vars(options)), TASK if options.task else TEXT
    if asked.get("memory_mixture") == ["learned"]:
        asked["memory_mixture"] = "learned"
    elif "memory_mixture" in asked:
        asked["memory_mixture"] = [float(word) for word in asked["memory_mixture"]]
    start = defaults[1].start_length
    if asked.get("start_length", start) is None:  # windows do not lengthen
        asked.setdefault("lengthen_below", None)
    elif start is not None:  # a default must not be what makes short windows fail
        asked.setdefault("start_length", min(start, asked.get("sequence_length", start)))

    def filled_in(default: Any) -> Any:
        names = [field.name for field in fields(default) if field.name in asked]
        return replace(default, **{name: asked[name] for name in names})

    return filled_in(defaults[0]), filled_in(defaults[1])
