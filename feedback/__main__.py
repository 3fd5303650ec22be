"""The command line: `python -m feedback train|generate|time --help`."""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import Field, fields, replace
from pathlib import Path
from typing import TextIO

import torch

from feedback import data, pretrained, timing
from feedback.config import MODELS, Config, whole_number
from feedback.files import check_writable, write_atomically
from feedback.language_model import LanguageModel
from feedback.machine import device
from feedback.storage import INDEX
from feedback.tasks import TASKS
from feedback.training import loop
from feedback.training.processes import process_group, rank_and_world_size
from feedback.training.run_folder import BEST, holds_model
from feedback.training.settings import MOST_SEED, Settings

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

READERS = [
    name for name in pretrained.NAMES if (pretrained.folder(name) / data.CHARACTERS).exists()
]


def main(arguments: list[str] | None = None) -> None:
    """Run a command given as words, by default those of the command line."""
    parser = argparse.ArgumentParser(prog="python -m feedback")
    commands = parser.add_subparsers(required=True, metavar="command")
    for add in (add_train, add_generate, add_time):
        add(commands)
    with every_character_shown():
        try:
            try:
                options = parser.parse_args(arguments)
                options.run(options)
            finally:
                print(end="", flush=True)  # what cannot be printed is an error here, not at exit
        except (OSError, ValueError) as error:
            drop_unprinted()
            if isinstance(error, BrokenPipeError):  # who read the output has gone
                sys.exit(1)
            parser.error(str(error))


class Shown:
    """A stream that prints "?" in place of each character that `stream` refuses."""

    def __init__(self, stream: TextIO):
        self.stream = stream

    def __getattr__(self, name: str) -> object:
        return getattr(self.stream, name)

    def write(self, text: str) -> None:
        try:
            self.stream.write(text)
        except UnicodeEncodeError:
            for character in text:
                try:
                    self.stream.write(character)
                except UnicodeEncodeError:
                    self.stream.write("?")

    def flush(self) -> None:
        if hasattr(self.stream, "flush"):
            self.stream.flush()


@contextlib.contextmanager
def every_character_shown() -> Iterator[None]:
    """Let no character that a console cannot show end a command: texts and paths hold any."""
    with open(os.devnull, "w") as nowhere:  # where there is no stream, as without a console
        streams = (nowhere if x is None else x for x in (sys.stdout, sys.stderr))
        out, err = (Shown(stream) for stream in streams)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            yield


def drop_unprinted() -> None:
    """If stdout takes no more, send what waits for it nowhere, or the exit would fail on it."""
    try:
        print(end="", flush=True)
    except (OSError, ValueError):
        # Not every stream has a file descriptor.
        with contextlib.suppress(OSError, ValueError, AttributeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def path(word: str) -> Path:
    """The path a word stands for, `~` included: shells leave it as it is in `--out=~/run`."""
    expanded = os.path.expanduser(word)
    if not word:
        raise argparse.ArgumentTypeError("the path is empty; name a file or a folder")
    if expanded.startswith("~"):
        raise argparse.ArgumentTypeError(
            f"there is no home folder that {word} could begin with; write ./{word} for what has "
            "that name here"
        )
    return Path(expanded)


def model_folder(word: str) -> Path:
    """The folder of a model; that of a run stands for its best model."""
    folder = path(word)
    best = folder / BEST
    return best if (best / INDEX).exists() and not (folder / INDEX).exists() else folder


def reader(word: str) -> Path:
    """The folder of a model that reads characters, whether it came with the package or not."""
    if word in READERS:
        return pretrained.folder(word)
    if word in pretrained.NAMES:
        raise argparse.ArgumentTypeError(
            f"{word} was trained on a task and reads no characters, so it cannot write text; "
            f"choose {' or '.join(READERS)}, or a folder"
        )
    return model_folder(word)


def add_train(commands: argparse._SubParsersAction) -> None:
    """`train`: train a model on text or on a task, or go on with a run that was stopped."""
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
        help="begin with the weights of this parallel model, or of the best one of this run",
    )
    for (kind, title), text, task in zip(
        ((Config, "the model"), (Settings, "training")), TEXT, TASK, strict=True
    ):
        group = parser.add_argument_group(title)
        for field in fields(kind):
            if field.name != "n_tokens":  # the vocabulary comes from the text or the task
                add_field(group, kind, field, getattr(text, field.name), getattr(task, field.name))
    parser.set_defaults(run=train)


def add_field(
    group: argparse._ArgumentGroup, kind: type, field: Field, text: object, task: object
) -> None:
    """Add the flag of a field of `Config` or `Settings`; unless it is given, it has no value.

    Its help is what the docstring of its class says. `text` and `task` are its two defaults.
    """
    flag, meaning = f"--{field.name.replace('_', '-')}", rf"^ +{field.name}: (.*(?:\n {{12}}.*)*)"
    meaning = " ".join(re.search(meaning, kind.__doc__, re.MULTILINE)[1].split())
    default = f"{text}" if text == task else f"{text}; of a task: {task}"
    default = default.replace("None", "none")
    shown = dict(help=f"{meaning} (default: {default})".replace("%", "%%"))
    shown["default"] = argparse.SUPPRESS
    may_be_none = "None" in field.type
    if field.name == "model":
        group.add_argument(flag, choices=MODELS, **shown)
    elif field.name == "memory_mixture":
        group.add_argument(flag, nargs="+", metavar="WEIGHT", **shown)
    elif "int" in field.type:
        read, metavar = (or_none(int), "N|none") if may_be_none else (int, "N")
        group.add_argument(flag, type=read, metavar=metavar, **shown)
    else:
        read, metavar = (or_none(float), "X|none") if may_be_none else (float, "X")
        group.add_argument(flag, type=read, metavar=metavar, **shown)


def or_none(kind: type) -> Callable[[str], object]:
    """A reader of words for a field that may be None, which the word `none` stands for."""

    def read(word: str) -> object:
        return None if word == "none" else kind(word)

    read.__name__ = f"{kind.__name__} or none"  # argparse names it where it refuses a word
    return read


def train(options: argparse.Namespace) -> None:
    """Fill in the defaults, then train."""
    given, defaults = dict(vars(options)), TASK if options.task else TEXT
    if given.get("memory_mixture") == ["learned"]:
        given["memory_mixture"] = "learned"
    elif "memory_mixture" in given:
        given["memory_mixture"] = [float(word) for word in given["memory_mixture"]]
    start = defaults[1].start_length
    if given.get("start_length", start) is None:  # windows do not lengthen
        given.setdefault("lengthen_below", None)
    elif start is not None:  # a default must not be what makes short windows fail
        given.setdefault("start_length", min(start, given.get("sequence_length", start)))
    config, settings = (
        replace(default, **{f.name: given[f.name] for f in fields(default) if f.name in given})
        for default in defaults
    )
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


def add_generate(commands: argparse._SubParsersAction) -> None:
    """`generate`: let a model write."""
    parser = commands.add_parser(
        "generate",
        help="let a trained model write",
        description="Let a model write; each character is printed as soon as it is drawn.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        "--model",
        type=reader,
        default="feedback-kv",
        metavar="MODEL",
        help="a folder such as OUT/best, OUT for the same, or a model that comes with the package: "
        f"{' or '.join(READERS)}",
    )
    parser.add_argument("--prompt", default="\n", metavar="TEXT", help="what comes before")
    parser.add_argument("--length", type=int, default=500, metavar="N", help="characters")
    parser.add_argument("--temperature", type=float, default=0.8, metavar="X")
    parser.add_argument("--top-k", type=int, metavar="K", help="draw among the K likeliest only")
    parser.add_argument("--seed", type=int, metavar="N", help="for the same text each time")
    parser.set_defaults(run=generate)


def generate(options: argparse.Namespace) -> None:
    """Write until the end, or until somebody has read enough."""
    try:
        write(options)
    except KeyboardInterrupt:
        sys.exit("\nStopped.")


def write(options: argparse.Namespace) -> None:
    """Print the prompt, and each character after it as it comes."""
    if options.seed is not None:
        whole_number("seed", options.seed, 0, MOST_SEED)
    model = LanguageModel.load(options.model).float().to(device())
    characters = data.Characters.load(options.model)
    if len(characters) != model.config.n_tokens:
        raise ValueError(
            f"{options.model / data.CHARACTERS}: holds {len(characters)} characters, but the model "
            f"beside it has {model.config.n_tokens} tokens; they are not of the same training"
        )
    if not options.prompt:
        raise ValueError("the prompt is empty; a model needs at least one character to go on from")
    prompt = characters.encode(options.prompt)[None].to(device())
    generator = torch.Generator(device())
    if options.seed is None:
        generator.seed()
    else:
        generator.manual_seed(options.seed)
    tokens = model.stream(prompt, options.length, options.temperature, options.top_k, generator)
    print(options.prompt, end="", flush=True)
    for token in tokens:
        print(characters.decode(token), end="", flush=True)
    print()


def add_time(commands: argparse._SubParsersAction) -> None:
    """`time`: measure training steps and generation, print a table and write every sample."""
    parser = commands.add_parser(
        "time",
        help="time training steps and generation on this machine",
        description=timing.__doc__.partition("\n\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    several = dict(nargs="+", type=positive, metavar="N")
    parser.add_argument("--what", nargs="+", default=["training", "generation"], metavar="WHAT")
    parser.add_argument(
        "--variants",
        nargs="+",
        default=list(timing.VARIANTS),
        metavar="NAME",
        help=f"among: {'; '.join(timing.VARIANTS)}",
    )
    parser.add_argument("--tokens", default=[32, 64, 128, 256], **several)
    parser.add_argument("--layers", default=[2, 4, 8], **several)
    parser.add_argument("--batch", default=[1, 8, 32], **several)
    parser.add_argument(
        "--base", default=[16, 128, 4], nargs=3, type=positive, metavar=("B", "T", "L")
    )
    parser.add_argument("--width", default=256, type=positive)
    parser.add_argument("--heads", default=4, type=positive)
    parser.add_argument("--hidden", default=1024, type=positive)
    parser.add_argument("--seconds", default=1.0, type=duration, help="of samples a turn")
    parser.add_argument("--memory", action="store_true", help="measure peak memory too")
    parser.add_argument("--out", type=path, default="timing.json", help="where samples go")
    parser.set_defaults(run=time)


def positive(word: str) -> int:
    number = int(word)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not a whole number of at least 1")
    return number


def duration(word: str) -> float:
    number = float(word)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{number} is not a number above 0 and finite")
    return number


def time(options: argparse.Namespace) -> None:
    """Vary tokens, layers and batch one at a time around a base."""
    B, T, L = options.base
    sizes = [(B, t, L) for t in options.tokens] + [(B, T, n) for n in options.layers]
    sizes += [(b, T, L) for b in options.batch] + [(B, T, L)]
    check_writable(options.out)
    cases = [
        timing.Case(what, variant, *size, options.width, options.heads, options.hidden)
        for what in options.what
        for size in dict.fromkeys(sizes)
        for variant in options.variants
        if what == "training" or "," not in variant  # paths are ways to train
    ]
    if not cases:
        raise ValueError(
            f"--what {' '.join(options.what)} leaves nothing to time: paths differ in training "
            f"only, and --variants names nothing else: {'; '.join(options.variants)}"
        )

    def keep(measured: dict) -> None:
        write_atomically(options.out, json.dumps(measured, indent=1).encode())

    measured = timing.sweep(cases, seconds=options.seconds, memory=options.memory, keep=keep)
    for what in options.what:
        for over in ("tokens", "layers", "batch"):
            for variant, power in timing.exponents(measured["results"], what, over).items():
                print(f"{what}, {variant}: time grows as {over} to the power {power:.2f}")
    print(f"Every sample is in {options.out}.")


if __name__ == "__main__":
    main()
