"""The command line: `python -m feedback train|generate|time|export-grader --help`."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Sequence

from feedback.command_line.console import drop_unprinted, every_character_shown
from feedback.command_line.export_grader import add_export_grader, export_grader
from feedback.command_line.generate import add_generate, generate
from feedback.command_line.time import add_time, time
from feedback.command_line.train import add_train, train


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands; what it returns says which one to `run`, with which flags."""
    parser = argparse.ArgumentParser(prog="python -m feedback")
    commands = parser.add_subparsers(required=True, metavar="command")
    for add, run in (
        (add_train, train),
        (add_generate, generate),
        (add_time, time),
        (add_export_grader, export_grader),
    ):
        command = add(commands)
        command.set_defaults(command=command, run=run)
    return parser


def main(arguments: list[str] | None = None) -> None:
    """Run a command given as words, by default those of the command line."""
    parser = build_parser()
    with every_character_shown():
        try:
            try:
                options, unknown = parser.parse_known_args(arguments)
                if unknown:
                    refuse(options.command, unknown)
                options.run(options)
            finally:
                print(end="", flush=True)  # what cannot be printed is an error here, not at exit
        except (OSError, ValueError) as error:
            drop_unprinted()
            if isinstance(error, BrokenPipeError):  # who read the output has gone
                sys.exit(1)
            parser.error(str(error))


def refuse(command: argparse.ArgumentParser, words: Sequence[str]) -> None:
    """End with the usage of the command, which lists its flags, and with the nearest of them."""
    flags = command._option_string_actions
    near = difflib.get_close_matches(words[0], flags, n=1, cutoff=0.7)
    question = f"; did you mean {near[0]}?" if near else ""
    command.error(
        f"unrecognized arguments: {' '.join(words)}{question} `{command.prog} --help` says what "
        "each flag means"
    )


if __name__ == "__main__":
    main()
