"""`generate`: let a model write."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

from feedback import data, pretrained
from feedback.command_line.values import model_folder
from feedback.config import whole_number
from feedback.language_model import LanguageModel
from feedback.machine import device
from feedback.training.settings import MOST_SEED

READERS = [
    name for name in pretrained.NAMES if (pretrained.folder(name) / data.CHARACTERS).exists()
]


def add_generate(commands: argparse._SubParsersAction) -> argparse.ArgumentParser:
    """Add the command and its flags."""
    parser = commands.add_parser(
        "generate",
        help="let a trained model write",
        description="Let a model write; each character is printed as soon as it is drawn.",
    )
    add = parser.add_argument
    add(
        "--model",
        type=reader,
        default="feedback-kv",
        metavar="MODEL",
        help="a folder such as OUT/best, OUT for the same, or a model that comes with the package: "
        f"{' or '.join(READERS)} (default: %(default)s)",
    )
    add("--prompt", default="\n", metavar="TEXT", help="what comes before (default: a new line)")
    add("--length", type=int, default=500, metavar="N", help="characters (default: %(default)s)")
    add(
        "--temperature",
        type=float,
        default=0.8,
        metavar="X",
        help="below 1 what is likely becomes likelier (default: %(default)s)",
    )
    add("--top-k", type=int, metavar="K", help="draw among the K likeliest (default: among all)")
    add("--seed", type=int, metavar="N", help="for the same text each time (default: none)")
    return parser


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
