"""Honest timing: what runs is warmed up, synchronised and takes turns; every sample is kept.

Numbers from here are seconds of one machine at one time: compare ratios, within one run. Built in
chapter 9; `python -m feedback time` is the command line, `make bench` adds other implementations.

Shapes: B batch, T tokens, L layers.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial

import numpy as np
import torch
from torch import nn
from torch.utils.benchmark import Timer

from feedback.config import Config, whole_number
from feedback.fields import described, documented
from feedback.language_model import LanguageModel
from feedback.machine import describe_machine, device
from feedback.peak_memory import peak_memory

VARIANTS = {  # name -> (Config.model, path)
    "parallel": ("parallel", None),
    "feedback-kv": ("feedback-kv", "sequence"),
    "feedback-kv, loop": ("feedback-kv", "loop"),
    "feedback": ("feedback", "stack"),
    "feedback, loop": ("feedback", "loop"),
}


WHAT = ("training", "reading", "generation")
SIZES = ("batch", "tokens", "layers", "width", "heads", "hidden")  # of a case


@documented
@dataclass(frozen=True)
class Case:
    """One thing to time. The vocabulary has 65 tokens, the input is random.

    Raises:
        TypeError, ValueError: a field has the wrong type or is out of range.
    """

    what: str = described(
        '"training" (forward, cross-entropy, backward), "reading" (of a prompt of T tokens, no '
        'gradients) or "generation" (of T tokens after one)'
    )
    variant: str = described("a key of `VARIANTS`")
    batch: int = described("sequences at once, B", default=16)
    tokens: int = described("tokens of a sequence, T", default=128)
    layers: int = described("number of layers L", default=4)
    width: int = described("width d of every vector between layers", default=256)
    heads: int = described("attention heads H", default=4)
    hidden: int = described("hidden width F of the feed-forward sub-layer", default=1024)

    def __post_init__(self) -> None:
        if self.what not in WHAT:
            raise ValueError(f"what is {self.what!r}; choose training, reading or generation")
        if self.variant not in VARIANTS:
            raise ValueError(f"variant is {self.variant!r}; choose one of {', '.join(VARIANTS)}")
        for name in SIZES:
            object.__setattr__(self, name, whole_number(name, getattr(self, name), 1))

    def build(self) -> Callable[[], object]:
        """A function that does it once, on the accelerator if there is one."""
        name, path = VARIANTS[self.variant]
        config = Config(name, 65, self.width, self.heads, self.layers, self.hidden)
        model = LanguageModel(config, path).to(device())
        runs = {"training": training_step, "reading": reading, "generation": generation}
        return runs[self.what](model, self.batch, self.tokens)


def training_step(model: nn.Module, B: int, T: int) -> Callable[[], object]:
    """Forward on random tokens (B, T), cross-entropy with others, backward; no optimizer."""
    inputs, targets = torch.randint(65, (2, B, T), device=next(model.parameters()).device)

    def run() -> None:
        model.zero_grad()
        logits = model(inputs)
        nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten()).backward()

    return run


def reading(model: LanguageModel, B: int, T: int) -> Callable[[], object]:
    """Read a prompt of T tokens, for B sequences at once, and keep its memory; no gradients."""
    prompt = torch.randint(65, (B, T), device=next(model.parameters()).device)
    return torch.no_grad()(partial(model.eval(), prompt, return_memory=True))


def generation(model: LanguageModel, B: int, T: int) -> Callable[[], object]:
    """Generate T tokens after a prompt of one, for B sequences at once."""
    prompt = torch.randint(65, (B, 1), device=next(model.parameters()).device)
    return lambda: model.generate(prompt, T)


def measure(
    runs: dict[str, Callable[[], object]],
    seconds: float = 1.0,
    min_samples: int = 5,
    rounds: int = 2,
    max_seconds: float = 60.0,
) -> dict[str, list[float]]:
    """Time each function, in turns, on the threads that torch uses.

    In its turn a function is warmed up and then sampled several times in a row, as in real use:
    memory and caches are its own. Each function has a turn in each round, so that a quiet minute of
    the machine does not go to one of them alone.

    Args:
        runs: the functions, by name.
        seconds: how long the samples of a turn should take together.
        min_samples: how many samples a turn takes even if they need longer than `seconds`.
        rounds: how many turns each function has.
        max_seconds: a turn ends after this time, though not before it has two samples.

    Returns:
        For each name the seconds of every sample.
    """
    samples: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            timer = Timer("run()", globals={"run": run}, num_threads=torch.get_num_threads())
            once = timer.blocked_autorange(min_run_time=0).median  # this is the warm-up, too
            wanted = max(seconds, min(min_samples * once, max_seconds))
            turn: list[float] = []
            while len(turn) < 2 or (len(turn) < min_samples and sum(turn) < max_seconds):
                turn += timer.blocked_autorange(min_run_time=wanted).times
            samples[name] += turn
    return samples


def spread(samples: Sequence[float]) -> tuple[float, float, float]:
    """Median, and the quartiles below and above it: half of all samples lie between those."""
    low, middle, high = statistics.quantiles(samples, n=4, method="inclusive")
    return middle, low, high


def ratio_by_turn(a: Sequence[Sequence[float]], b: Sequence[Sequence[float]]) -> list[float]:
    """For each turn the median of its samples of a over that of b, as far as both have turns."""
    return [statistics.median(x) / statistics.median(y) for x, y in zip(a, b, strict=False)]


def exponent(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """The power of size with which time grows: the slope of a line through the logarithms."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def sweep(
    cases: Sequence[Case],
    seconds: float = 1.0,
    min_samples: int = 3,
    rounds: int = 2,
    memory: bool = False,
    say: Callable[[str], object] = print,
    keep: Callable[[dict], object] | None = None,
) -> dict:
    """Time cases; those that differ in their variant only take turns.

    Args:
        seconds, min_samples, rounds: see `measure`.
        memory: whether to measure peak memory too.
        say: called with each line of a table.
        keep: called after each group of cases, with what there is to return so far.

    Returns:
        What JSON can hold: the machine, how it was measured, and for each case its fields, the
        seconds of every sample and, with `memory`, the peak in bytes.
    """
    groups: dict[tuple, list[Case]] = {}
    for case in cases:
        sizes = tuple(value for name, value in asdict(case).items() if name != "variant")
        groups.setdefault(sizes, []).append(case)
    results: list[dict] = []
    found = {
        "machine": describe_machine(),
        "measured": {"seconds": seconds, "min_samples": min_samples, "rounds": rounds},
        "results": results,
    }
    for group in groups.values():
        first = group[0]
        say(
            f"{first.what}, batch {first.batch}, {first.tokens} tokens, {first.layers} layers, "
            f"width {first.width}"
        )
        samples = measure(
            {case.variant: case.build() for case in group}, seconds, min_samples, rounds
        )
        for case in group:
            peak = peak_memory(case.build) if memory else None
            results.append(asdict(case) | {"seconds": samples[case.variant], "peak_bytes": peak})
            say("  " + line(results[-1], samples[first.variant]))
        if keep is not None:
            keep(found)
    return found


def line(result: dict, base: Sequence[float]) -> str:
    """A row of a table: name, median and quartiles, tokens a second, median over that of `base`."""
    middle, low, high = spread(result["seconds"])
    speed = result["batch"] * result["tokens"] / middle
    text = (
        f"{result['variant']:22s} {1000 * middle:9.1f} ms ({1000 * low:.1f} to {1000 * high:.1f}) "
        f"{speed:9.0f} tokens/s {middle / spread(base)[0]:6.2f} x"
    )
    return text if result["peak_bytes"] is None else f"{text} {result['peak_bytes'] / 1e6:7.0f} MB"


def exponents(results: Sequence[dict], what: str, over: str) -> dict[str, float]:
    """For each variant the exponent with which its time grows with one size, a name in `SIZES`.

    The other sizes are those that most results share; results of other sizes are left out. So is a
    variant that was timed at one size only.

    Args:
        results: of `sweep`.
        what: "training", "reading" or "generation".
        over: the size that varies.
    """
    sizes = [name for name in SIZES if name != over]
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
