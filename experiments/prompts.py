"""Reading a prompt by passes: how far off, how long it takes, and whether the same text follows.

`make results ONLY=reading` writes it, on a machine left alone. It stands beside the quicker of the
two exact ways: the function over the whole sequence, and single steps. What is read are prompts of
the shipped text model, one at a time; a wide model with random weights is timed only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median
from typing import NamedTuple

import torch
from record import write_result
from torch import Tensor

from feedback import data, pretrained
from feedback.cache import Memory
from feedback.config import Config
from feedback.fast.generation import Decoder
from feedback.fast.reading import read
from feedback.language_model import LanguageModel
from feedback.machine import describe_machine
from feedback.timing import measure

TOKENS, PROMPTS, TIMED, FOLLOWING = 128, 500, 4, 64
WITHIN, TIE = 0.02, 0.04  # of logits: the error that is aimed at; two best ones that lie this close
PASSES = (1, 2, 3, 4, 6, 8, 12, 16, 20, 24, 32)
WINDOWS = (8, 16, 24, 32)
TOLERANCES = (0.1, 0.01, 0.003, 0.001, 1e-4, 1e-5)
WIDE = Config("feedback-kv", 65, d_model=256, d_ff=1024, max_distance=512)
WIDE_TOKENS = 1024
TIMED_WIDE = ("8 passes", "16 passes", "window 16, tolerance 0.01", "window 32, tolerance 0.001")

Reader = Callable[[LanguageModel, Tensor], tuple[Tensor, Memory]]  # of (B, T): (B, T, V), memory


def whole(model: LanguageModel, tokens: Tensor) -> tuple[Tensor, Memory]:
    """By the function over the whole sequence."""
    return model(tokens, return_memory=True)


def by_steps(model: LanguageModel, tokens: Tensor) -> tuple[Tensor, Memory]:
    """By single steps."""
    step, logits, memory = Decoder(model, batch_size=len(tokens)).step, [], None
    for token in tokens.unbind(1):
        found, memory = step(token, memory)
        logits.append(found)
    return torch.stack(logits, dim=1), memory


def by_passes(passes: int) -> Reader:
    """By so many passes over the whole prompt."""
    return lambda model, tokens: model(tokens, return_memory=True, passes=passes)


def by_windows(window: int, tolerance: float) -> Reader:
    """By passes over a window that slides."""
    return lambda model, tokens: read(model, tokens, None, window, tolerance)[:2]


EXACT: dict[str, Reader] = {"whole sequence": whole, "single steps": by_steps}


def readers() -> dict[str, Reader]:
    """All approximate ways, by name."""
    found = {f"{passes} passes": by_passes(passes) for passes in PASSES}
    for window in WINDOWS:
        for tolerance in TOLERANCES:
            found[f"window {window}, tolerance {tolerance:g}"] = by_windows(window, tolerance)
    return found


def prompts_of(text: Tensor, count: int, tokens: int) -> Tensor:
    """Windows of a text, evenly spread: (count, tokens)."""
    starts = torch.linspace(0, len(text) - tokens, count).long()
    return text[starts[:, None] + torch.arange(tokens)]


@torch.no_grad()
def errors(model: LanguageModel, prompts: Tensor, reader: Reader) -> tuple[float, float]:
    """The largest error of a logit, and the root of the mean square, over all tokens."""
    off = torch.cat([reader(model, one)[0] - whole(model, one)[0] for one in prompts.split(1)])
    return off.abs().max().item(), off.square().mean().sqrt().item()


class Same(NamedTuple):
    """After how many prompts the likeliest text is the exact one.

    Attributes:
        same: where all of it is.
        tie: where it differs first at a token whose two best exact logits lie within `TIE`.
        other: where it differs otherwise.
    """

    same: int
    tie: int
    other: int


@torch.no_grad()
def greedy(
    model: LanguageModel, last: Tensor, memory: Memory, length: int
) -> tuple[Tensor, Tensor]:
    """The likeliest token `length` times, and by how much it leads: (B, length) each.

    Args:
        last: (B, V), logits of the last token of the prompt.
    """
    step, tokens, leads = Decoder(model, batch_size=len(last)).step, [], []
    for i in range(length):
        best, ids = last.topk(2)
        tokens.append(ids[:, 0])
        leads.append(best[:, 0] - best[:, 1])
        if i < length - 1:
            last, memory = step(ids[:, 0], memory)
    return torch.stack(tokens, dim=1), torch.stack(leads, dim=1)


@torch.no_grad()
def same_text(model: LanguageModel, prompts: Tensor, reader: Reader, length: int) -> Same:
    """Read each prompt alone, exactly and by a reader, go on greedily from both, and compare."""
    tokens, leads = greedy(model, *gathered(model, prompts, whole), length)
    others, _ = greedy(model, *gathered(model, prompts, reader), length)
    differ = tokens != others
    where = differ.int().argmax(1)[:, None]  # the first place that differs
    changed, close = differ.any(1), leads.gather(1, where)[:, 0] <= TIE
    tie, other = (changed & close).sum().item(), (changed & ~close).sum().item()
    return Same(len(prompts) - int(tie + other), int(tie), int(other))


def gathered(model: LanguageModel, prompts: Tensor, reader: Reader) -> tuple[Tensor, Memory]:
    """Each prompt read alone: the last logits (B, V), and the memories as one batch."""
    found = [reader(model, one) for one in prompts.split(1)]
    memories = [memory for _, memory in found]

    def batch(part: str) -> tuple[Tensor, ...]:
        sets = zip(*(getattr(memory, part) for memory in memories), strict=True)
        return tuple(torch.cat(each) for each in sets)

    memory = Memory(batch("keys"), batch("values"), model.core.config)
    return torch.cat([logits[:, -1] for logits, _ in found]), memory


@torch.no_grad()
def seconds(model: LanguageModel, prompts: Tensor, ways: dict[str, Reader]) -> dict[str, list]:
    """Seconds a prompt of every sample of each way, in turns."""

    def timed(reader: Reader) -> Callable[[], object]:
        return lambda: [reader(model, one) for one in prompts.split(1)]

    runs = {name: timed(reader) for name, reader in ways.items()}
    found = measure(runs, seconds=0.5, min_samples=3, rounds=3)
    return {name: [x / len(prompts) for x in samples] for name, samples in found.items()}


def quickest(rows: Sequence[dict], within: float) -> dict | None:
    """The quickest way whose largest error is at most this; None where none is."""
    close = [row for row in rows if row["largest_error"] <= within]
    return min(close, key=lambda row: median(row["seconds"]), default=None)


def measure_reading() -> None:
    """Measure all ways, and write `reading.json`."""
    torch.set_num_threads(1)
    model = pretrained.load("feedback-kv")
    text = data.Text(data.tiny_shakespeare(), TOKENS)
    prompts = prompts_of(text.validation, PROMPTS, TOKENS)
    some, ways = prompts[:: PROMPTS // 32], readers()
    times = seconds(model, prompts[:: PROMPTS // TIMED], EXACT | ways)
    rows = []
    for name, reader in ways.items():
        largest, typical = errors(model, some, reader)
        rows.append({"name": name, "largest_error": largest, "typical_error": typical})
        rows[-1]["seconds"] = times[name]
        print(f"{name}: error {largest:.5f}, {1000 * median(times[name]):.1f} ms", flush=True)
    exact = {name: times[name] for name in EXACT}
    base = min(map(median, exact.values()))
    found: dict[str, object] = {"exact": exact, "approximate": rows}
    for within in (WITHIN, 1e-4):
        if (best := quickest(rows, within)) is None:
            continue
        ratio = base / median(best["seconds"])
        same = same_text(model, prompts, ways[best["name"]], FOLLOWING)
        found[f"within {within:g}"] = {"name": best["name"], "ratio": ratio} | same._asdict()
        print(f"within {within:g}: {best['name']}, {ratio:.2f} times as quick, {same}", flush=True)
    torch.manual_seed(0)
    wide = LanguageModel(WIDE).eval()
    random = torch.randint(65, (1, WIDE_TOKENS))
    found["random weights"] = seconds(
        wide, random, EXACT | {name: ways[name] for name in TIMED_WIDE}
    )
    write_result(
        "reading",
        "Is a prompt read sooner by passes than step by step, and how far off?",
        machine=describe_machine(),
        tokens=TOKENS,
        following=FOLLOWING,
        prompts=PROMPTS,
        **found,
    )


if __name__ == "__main__":
    measure_reading()
