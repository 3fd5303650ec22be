"""`time`: measure training steps and generation, print a table and write every sample."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import fields

from feedback import timing
from feedback.command_line.values import duration, path, positive
from feedback.fields import MEANING
from feedback.files import check_writable, write_atomically

# The flag of a size, which has its name in `Config` or `Settings`, and its name in a `Case`, which
# recorded results and the widgets that show them have too.
SIZES = {
    "sequence_length": "tokens",
    "n_layers": "layers",
    "batch_size": "batch",
    "d_model": "width",
    "heads": "heads",
    "d_ff": "hidden",
}
SEVERAL = {  # by default; other sizes have the one that a `Case` has
    "sequence_length": [128, 32, 64, 256],
    "n_layers": [4, 2, 8],
    "batch_size": [16, 1, 8, 32],
}


def add_time(commands: argparse._SubParsersAction) -> argparse.ArgumentParser:
    """Add the command and its flags."""
    parser = commands.add_parser(
        "time",
        help="time training steps and generation on this machine",
        description="Time training steps and generation on this machine. What is timed is warmed "
        "up, synchronised and takes turns; every sample is kept. A size takes several numbers: "
        "the first is held while another size varies.",
    )
    add = parser.add_argument
    add(
        "--what",
        nargs="+",
        default=["training", "generation"],
        metavar="WHAT",
        help="training (one step without an update), reading (of a prompt) or generation, also "
        "several of them (default: training generation)",
    )
    add(
        "--variants",
        nargs="+",
        default=list(timing.VARIANTS),
        metavar="NAME",
        help=f"among: {'; '.join(timing.VARIANTS)} (default: all)",
    )
    of_case = {field.name: field for field in fields(timing.Case)}
    for name, size in SIZES.items():
        default = SEVERAL.get(name, [of_case[size].default])
        add(
            f"--{name.replace('_', '-')}",
            nargs="+",
            type=positive,
            default=default,
            metavar="N",
            help=f"{of_case[size].metadata[MEANING]} (default: {' '.join(map(str, default))})",
        )
    add(
        "--seconds",
        type=duration,
        default=1.0,
        metavar="X",
        help="how long the samples of a turn take together (default: %(default)s)",
    )
    add("--memory", action="store_true", help="measure peak memory too")
    add(
        "--out",
        type=path,
        default="timing.json",
        metavar="FILE",
        help="where every sample is written (default: %(default)s)",
    )
    return parser


def time(options: argparse.Namespace) -> None:
    """Measure, write after each group of cases, and say how time grows."""
    check_writable(options.out)
    # Of cases that are asked for twice, such as the first of all sizes, one is timed.
    cases = list(dict.fromkeys(cases_of(options)))
    if not cases:
        raise ValueError(
            f"--what {' '.join(options.what)} leaves nothing to time: paths differ in training "
            f"only, and --variants names nothing else: {'; '.join(options.variants)}"
        )

    def keep(measured: dict) -> None:
        write_atomically(options.out, json.dumps(measured, indent=1).encode())

    measured = timing.sweep(cases, seconds=options.seconds, memory=options.memory, keep=keep)
    for what in options.what:
        for over in SIZES.values():
            for variant, power in timing.exponents(measured["results"], what, over).items():
                print(f"{what}, {variant}: time grows as {over} to the power {power:.2f}")
    print(f"Every sample is in {options.out}.")


def cases_of(options: argparse.Namespace) -> Iterator[timing.Case]:
    """Vary one size at a time; the others are the first number of each flag."""
    asked = {size: getattr(options, name) for name, size in SIZES.items()}
    first = {size: numbers[0] for size, numbers in asked.items()}
    for what in options.what:
        for size, numbers in asked.items():
            for number in sorted(numbers):
                for variant in options.variants:
                    if what == "training" or "," not in variant:  # paths are ways to train
                        yield timing.Case(what, variant, **first | {size: number})
