"""The command line: `python -m feedback time --help`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from feedback import timing
from feedback.storage import check_writable, write_atomically


def main(arguments: list[str] | None = None) -> None:
    """Run a command given as words, by default those of the command line."""
    parser = argparse.ArgumentParser(prog="python -m feedback")
    commands = parser.add_subparsers(required=True, metavar="command")
    add_time(commands)
    options = parser.parse_args(arguments)
    try:
        options.run(options)
    except (OSError, ValueError) as error:
        parser.error(str(error))


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
    parser.add_argument("--seconds", default=1.0, type=float, help="of samples a turn")
    parser.add_argument("--memory", action="store_true", help="measure peak memory too")
    parser.add_argument("--out", type=Path, default=Path("timing.json"), help="where samples go")
    parser.set_defaults(run=time)


def positive(word: str) -> int:
    number = int(word)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not a whole number of at least 1")
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
