"""Honest timing: what runs is warmed up, synchronised and takes turns; every sample is kept.

Numbers from here are seconds of one machine at one time: compare ratios, within one run. Built in
chapter 9; `python -m feedback time` is the command line, `make bench` adds other implementations.

Shapes: B batch, T tokens, L layers.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import statistics
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.benchmark import Timer

from feedback.config import Config, whole_number
from feedback.files import write_atomically
from feedback.language_model import LanguageModel
from feedback.machine import describe_machine, device

VARIANTS = {  # name -> (Config.model, path)
    "parallel": ("parallel", None),
    "feedback-kv": ("feedback-kv", "sequence"),
    "feedback-kv, loop": ("feedback-kv", "loop"),
    "feedback": ("feedback", "stack"),
    "feedback, loop": ("feedback", "loop"),
}


@dataclass(frozen=True)
class Case:
    """One thing to time.

    Attributes:
        what: "training" (forward, cross-entropy, backward) or "generation" (of T tokens after one).
        variant: a key of `VARIANTS`.
        batch, tokens, layers: B, T and L.
        width, heads, hidden: d, H and F. The vocabulary has 65 tokens, the input is random.

    Raises:
        TypeError, ValueError: a field has the wrong type or is out of range.
    """

    what: str
    variant: str
    batch: int = 16
    tokens: int = 128
    layers: int = 4
    width: int = 256
    heads: int = 4
    hidden: int = 1024

    def __post_init__(self) -> None:
        if self.what not in ("training", "generation"):
            raise ValueError(f"what is {self.what!r}; choose training or generation")
        if self.variant not in VARIANTS:
            raise ValueError(f"variant is {self.variant!r}; choose one of {', '.join(VARIANTS)}")
        for name in ("batch", "tokens", "layers", "width", "heads", "hidden"):
            object.__setattr__(self, name, whole_number(name, getattr(self, name), 1))

    def build(self) -> Callable[[], object]:
        """A function that does it once, on the accelerator if there is one."""
        name, path = VARIANTS[self.variant]
        config = Config(name, 65, self.width, self.heads, self.layers, self.hidden)
        model = LanguageModel(config, path).to(device())
        run = training_step if self.what == "training" else generation
        return run(model, self.batch, self.tokens)


def training_step(model: nn.Module, B: int, T: int) -> Callable[[], object]:
    """Forward on random tokens (B, T), cross-entropy with others, backward; no optimizer."""
    place = next(model.parameters()).device
    inputs, targets = torch.randint(65, (2, B, T), device=place)

    def run() -> None:
        model.zero_grad()
        logits = model(inputs)
        nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten()).backward()

    return run


def generation(model: LanguageModel, B: int, T: int) -> Callable[[], object]:
    """Generate T tokens after a prompt of one, for B sequences at once."""
    prompt = torch.randint(65, (B, 1), device=next(model.parameters()).device)
    return lambda: model.generate(prompt, T)


def measure(
    runs: dict[str, Callable[[], object]],
    seconds: float = 1.0,
    least: int = 5,
    rounds: int = 2,
    patience: float = 60.0,
) -> dict[str, list[float]]:
    """Time each function, in turns, on the threads that torch uses.

    A turn warms up and then takes samples of one function, one after the other, as in real use:
    memory and caches are its own. Turns go round so that no function has the quiet minute alone.

    Args:
        seconds: how long the samples of a turn should take together.
        least: how many samples a turn has at least,
        patience: but no more than fill this many seconds, or two.

    Returns:
        For each name the seconds of every sample.
    """
    samples: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            timer = Timer("run()", globals={"run": run}, num_threads=torch.get_num_threads())
            once, turn = timer.blocked_autorange(min_run_time=0).median, []  # and a warm-up
            fill = max(seconds, min(least * once, patience))
            while len(turn) < 2 or (len(turn) < least and sum(turn) < patience):
                turn += timer.blocked_autorange(min_run_time=fill).times
            samples[name] += turn
    return samples


def spread(samples: Sequence[float]) -> tuple[float, float, float]:
    """Median, and the quartiles below and above it: half of all samples lie between those."""
    low, middle, high = statistics.quantiles(samples, n=4, method="inclusive")
    return middle, low, high


def exponent(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """The power of size with which time grows: the slope of a line through the logarithms."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def peak_memory(build: Callable[[], Callable[[], object]]) -> int | None:
    """Bytes by which building something and running it three times raises a fresh process's peak.

    On an accelerator, its own memory. None where the system does not say (Windows).

    Args:
        build: `Case(...).build`, or any function that a fresh process can import.

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
        peak, error = pickle.loads(answer.read_bytes())
    if error is not None:
        raise error
    return peak


def _answer(name: str, question: Path, answer: Path) -> None:
    """In the fresh process: write down the peak, or an error that can be, whatever was raised."""
    peak = error = build = None
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
    return None if before is None else _high_water() - before


def _high_water() -> int | None:
    """Bytes of the largest memory this process had. (On Linux rusage begins with the parent's.)"""
    status = Path("/proc/self/status")
    if status.exists():
        (peak,) = (x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
        return 1024 * int(peak.split()[1])
    try:
        import resource
    except ImportError:
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # macOS: bytes


def sweep(
    cases: Sequence[Case],
    seconds: float = 1.0,
    least: int = 3,
    rounds: int = 2,
    memory: bool = False,
    say: Callable[[str], object] = print,
    keep: Callable[[dict], object] | None = None,
) -> dict:
    """Time cases; those that differ in their variant only take turns.

    Args:
        seconds, least, rounds: see `measure`.
        memory: measure peak memory too.
        say: is given each line of a table.
        keep: is given what there is to return so far, after each group of cases.

    Returns:
        What JSON can hold: the machine, how it was measured, and for each case its fields, the
        seconds of every sample and, with `memory`, the peak in bytes.
    """
    groups: dict[tuple, list[Case]] = {}
    for case in cases:
        sizes = tuple(value for name, value in asdict(case).items() if name != "variant")
        groups.setdefault(sizes, []).append(case)
    results = []
    found = {
        "machine": describe_machine(),
        "measured": {"seconds": seconds, "least": least, "rounds": rounds},
        "results": results,
    }
    for group in groups.values():
        first = group[0]
        say(
            f"{first.what}, batch {first.batch}, {first.tokens} tokens, {first.layers} layers, "
            f"width {first.width}"
        )
        samples = measure({case.variant: case.build() for case in group}, seconds, least, rounds)
        for case in group:
            peak = peak_memory(case.build) if memory else None
            results.append(asdict(case) | {"seconds": samples[case.variant], "peak_bytes": peak})
            say("  " + line(results[-1], samples[first.variant]))
        if keep is not None:
            keep(found)
    return found


def line(result: dict, base: Sequence[float]) -> str:
    """One row of a table: name, median, quartiles, tokens a second, ratio to the median of base."""
    middle, low, high = spread(result["seconds"])
    speed = result["batch"] * result["tokens"] / middle
    text = (
        f"{result['variant']:22s} {1000 * middle:9.1f} ms ({1000 * low:.1f} to {1000 * high:.1f}) "
        f"{speed:9.0f} tokens/s {middle / spread(base)[0]:6.2f} x"
    )
    return text if result["peak_bytes"] is None else f"{text} {result['peak_bytes'] / 1e6:7.0f} MB"


def exponents(results: Sequence[dict], what: str, over: str) -> dict[str, float]:
    """For each variant the exponent with which a sweep's time grows with "tokens", "layers"...

    Only results that differ from the sweep's most common sizes in `over` alone are used.
    """
    sizes = [name for name in ("batch", "tokens", "layers", "width") if name != over]
    chosen = [result for result in results if result["what"] == what]
    if not chosen:
        return {}
    common = statistics.mode(tuple(result[name] for name in sizes) for result in chosen)
    found = {}
    for variant in dict.fromkeys(result["variant"] for result in chosen):
        rows = [
            (result[over], spread(result["seconds"])[0])
            for result in chosen
            if result["variant"] == variant and tuple(result[name] for name in sizes) == common
        ]
        if len({size for size, _ in rows}) > 1:
            found[variant] = exponent(*zip(*rows, strict=True))
    return found
