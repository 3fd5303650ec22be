"""How much memory something takes: the peak of a process that does nothing else."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch

from feedback.files import write_atomically


def peak_memory(build: Callable[[], Callable[[], object]]) -> int | None:
    """How many bytes it takes at most to build something and to run it three times.

    It is built in a fresh process, and what that process holds before, such as torch, does not
    count. Where there is an accelerator, the memory is the accelerator's.

    Args:
        build: `feedback.timing.Case(...).build`, or any function that a fresh process can import.

    Returns:
        Bytes, or None where the system does not say (Windows).

    Raises:
        TypeError: `build` is no function.
        ValueError: a fresh process cannot import it: it stands in a notebook, or in a function.
        ChildProcessError: it raised an error there, or the process died.
    """
    if not callable(build):
        raise TypeError(f"build is {build!r}; it must be a function")
    function = getattr(build, "func", build)  # of a functools.partial
    name = getattr(function, "__qualname__", type(function).__qualname__)
    try:
        pickled = pickle.dumps(build)
    except Exception as error:
        raise ValueError(_not_importable(name, f"{type(error).__name__}: {error}")) from error
    with tempfile.TemporaryDirectory() as folder:
        # Files, for one end of a pipe waits, or breaks, when a process dies at the other.
        question, answer = Path(folder, "build"), Path(folder, "answer")
        question.write_bytes(pickled)
        context = multiprocessing.get_context("spawn")
        process = context.Process(target=_answer, args=(name, question, answer))
        process.start()
        try:
            process.join()
        finally:  # Ctrl+C ends both
            process.kill()
            process.join()
        if not answer.exists():
            raise ChildProcessError(
                f"the memory of {name} cannot be measured: its process died with exit code "
                f"{process.exitcode}. -9 may mean that memory ran out. The process imports the "
                "script that calls peak_memory: write that to a file, and the call under "
                '`if __name__ == "__main__":`'
            )
        peak, what_went_wrong = pickle.loads(answer.read_bytes())
    if what_went_wrong is not None:
        raise what_went_wrong
    return peak


def _answer(name: str, question: Path, answer: Path) -> None:
    """In the fresh process: write down the peak, or what went wrong as an error with one text.

    The error that was raised may be of a class that only that process has.
    """
    peak = build = None
    error: Exception | None = None
    try:
        build = pickle.loads(question.read_bytes())
        peak = _peak(build)
    except BaseException as raised:  # SystemExit, too
        why = f"{type(raised).__name__}: {raised}"
        if build is None:
            error = ValueError(_not_importable(name, why))
        else:
            error = ChildProcessError(
                f"the memory of {name} cannot be measured: in its process it raised {why}"
            )
    write_atomically(answer, pickle.dumps((peak, error)))
    os._exit(0)  # a thread that `build` left behind must not keep the process


def _not_importable(name: str, why: str) -> str:
    return (
        f"the memory of {name} cannot be measured: a fresh process cannot import it ({why}). Write "
        "it at the top level of a file, and import it from there"
    )


def _peak(build: Callable[[], Callable[[], object]]) -> int | None:
    if torch.cuda.is_available():
        run = build()
        for _ in range(3):
            run()
        return torch.cuda.max_memory_allocated()
    before, run = _high_water(), build()
    for _ in range(3):
        run()
    after = _high_water()
    return None if before is None or after is None else after - before


def _high_water() -> int | None:
    """The most bytes that this process has held. On Linux, rusage begins with the parent's."""
    status = Path("/proc/self/status")
    if status.exists():
        (peak,) = (x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
        return 1024 * int(peak.split()[1])
    try:
        import resource
    except ImportError:
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # macOS: bytes
