"""Try the exercises' checks on hundreds of wrong answers: `make mutants`, or `ONLY="1.3 5.4"`.

Each folded solution of the book is changed in one place, in every way that `mutate.py` knows, and
the check of its exercise has to refuse it. A change that leaves the answer right is no mistake:
those are listed, each with its reason, in `tests/answers/equivalent.json`. The right answers of
`tests/answers` must all be accepted.

What came out is written to `feedback/results/checks.json`, with a digest of all that it rests on,
so that only what has changed since is tried again.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import hashlib
import importlib
import inspect
import io
import os
import signal
import warnings
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import torch
from answers import ANSWERS
from answers.solutions import solutions
from mutate import Mutant, mutants
from record import RESULTS, write_result

from feedback.files import read_json
from feedback.machine import describe_machine
from feedback.notebook import checks
from feedback.notebook.checks import Mistake
from feedback.notebook.checks.verdict import EXERCISES, verdict

CHECKS = Path(checks.__file__).parent
ANSWERS_FOLDER = Path(__file__).resolve().parent.parent / "tests" / "answers"
for file in sorted(ANSWERS_FOLDER.glob("chapter_*.py")):
    importlib.import_module(f"answers.{file.stem}")
# A changed test that still catches every fault is as good as the one before.
CHANGED = [number for number, asked in EXERCISES.items() if not asked.is_test]
SECONDS = 10  # of the processor; an answer that takes longer does not end


def basis(number: str) -> str:
    """16 hexadecimal digits that stand for an exercise's check, solution and answers."""
    check = inspect.getsourcefile(EXERCISES[number].check)
    own = {inspect.getsourcefile(one.answer) for one in ANSWERS if one.exercise == number}
    shared = [file for file in CHECKS.glob("*.py") if not file.name.startswith("chapter_")]
    files = [check, *shared, Path(__file__).with_name("mutate.py"), *own]
    texts = [Path(file).read_text() for file in sorted(map(str, files))]
    texts += [solutions()[number].source, str(equivalent(number))]
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


def equivalent(number: str) -> dict[str, str]:
    """Changes of a solution that leave it right, each with the reason."""
    return read_json(ANSWERS_FOLDER / "equivalent.json").get(number, {})


def too_long(*_) -> None:
    raise TimeoutError(f"{SECONDS} s")


def refused(number: str, source: str | None = None, answer=None) -> str | None:
    """What the check says to a changed solution, or to an answer; None if it is accepted."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGPROF, too_long)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            said = verdict(number, answer or solutions()[number].answer(source))
        return None if said.endswith("correct.") else said
    except Mistake as mistake:
        return str(mistake)
    except Exception as error:  # the changed source cannot even be defined
        return f"{type(error).__name__}: {error}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


@functools.cache
def all_changed(number: str) -> list[Mutant]:
    """The mutants of an exercise's solution; to write each as source takes a while."""
    return list(mutants(solutions()[number].source))


def changed(number: str) -> list[Mutant]:
    """The mutants of an exercise's solution that are wrong."""
    harmless = equivalent(number)
    return [one for one in all_changed(number) if one.change not in harmless]


def accepted(number: str, wrong: Iterable[Mutant]) -> list[str]:
    """Of these mutants, the changes that a check does not refuse."""
    return [one.change for one in wrong if refused(number, one.source) is None]


def try_check(number: str) -> dict:
    """What the check of an exercise accepts and refuses."""
    wrong = changed(number)
    right = [one.answer for one in ANSWERS if one.exercise == number and one.wrong is None]
    right.append(solutions()[number].answer())
    return {
        "exercise": number,
        "basis": basis(number),
        "right": len(right),
        "refused": [f.__name__ for f in right if refused(number, answer=f) is not None],
        "mutants": len(wrong),
        "equivalent": len(equivalent(number)),
        "accepted": accepted(number, wrong),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("only", nargs="*", metavar="EXERCISE", help=f"of {', '.join(CHANGED)}")
    asked = parser.parse_args().only
    if unknown := sorted({*asked} - {*CHANGED}):
        parser.error(f"no exercise {', '.join(unknown)}; there are {', '.join(CHANGED)}")
    file = RESULTS / "checks.json"
    known = {one["exercise"]: one for one in read_json(file)["checks"]} if file.exists() else {}
    known = {n: one for n, one in known.items() if n in CHANGED and one["basis"] == basis(n)}
    due = [number for number in CHANGED if number in asked or number not in known]
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        for found in pool.map(try_check, due):
            known[found["exercise"]] = found
            print(said(found), flush=True)
            write_result(
                "checks",
                "Do the checks of the exercises refuse wrong answers, and accept right ones?",
                command="make mutants",
                machine=describe_machine(),
                checks=[known[number] for number in CHANGED if number in known],
            )


def said(found: dict) -> str:
    """A line on what a check accepts and refuses, and a line for each mutant that it accepts."""
    caught = found["mutants"] - len(found["accepted"])
    lines = [
        f"{found['exercise']:5s} caught {caught} of {found['mutants']}, "
        f"and {found['equivalent']} that change nothing; right answers refused: "
        f"{len(found['refused'])} of {found['right']} {' '.join(found['refused'])}"
    ]
    return "\n".join([*lines, *(f"      accepted: {change}" for change in found["accepted"])])


if __name__ == "__main__":
    main()
