"""Race the package against a yardstick and two other implementations: `make bench`.

The yardstick is what a reader would write with PyTorch's own parts: pre-norm blocks, fused causal
attention, learned absolute positions. All models have width 256, 4 layers, 4 heads, a feed-forward
width of 1024 and 65 tokens; input is random, numbers are float32, there is no dropout.

Shapes: B batch, T tokens, d width, H heads, V tokens in the vocabulary.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from feedback import Config, LanguageModel, timing
from feedback.attention import merge_heads, split_heads
from feedback.command_line.values import path
from feedback.files import check_writable, write_atomically
from feedback.machine import describe_machine, device

V, D, H, L, HIDDEN, LONGEST = 65, 256, 4, 4, 1024, 512
# B, T, and how many times the yardstick's time the shared model may take: on AVX-512, elsewhere.
TRAINING = ((32, 128, 1.5, 2.0), (16, 256, 2.0, 3.0))


class Block(nn.Module):
    """A pre-norm block with `scaled_dot_product_attention`: (B, T, d) -> (B, T, d)."""

    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(D), nn.LayerNorm(D)
        self.query_key_value, self.output = nn.Linear(D, 3 * D), nn.Linear(D, D)
        self.widen, self.narrow = nn.Linear(D, HIDDEN), nn.Linear(HIDDEN, D)

    def forward(self, x: Tensor) -> Tensor:
        parts = self.query_key_value(self.norm1(x)).chunk(3, -1)
        read = F.scaled_dot_product_attention(*(split_heads(z, H) for z in parts), is_causal=True)
        x = x + self.output(merge_heads(read))
        return x + self.narrow(self.widen(self.norm2(x)).relu())


class Yardstick(nn.Module):
    """A plain parallel language model: (B, T) int64 -> logits (B, T, V)."""

    def __init__(self):
        super().__init__()
        self.embedding, self.position = nn.Embedding(V, D), nn.Embedding(LONGEST, D)
        self.blocks = nn.Sequential(*(Block() for _ in range(L)))
        self.norm, self.head = nn.LayerNorm(D), nn.Linear(D, V)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embedding(tokens) + self.position.weight[: tokens.shape[1]]
        return self.head(self.norm(self.blocks(x)))


class Labml(nn.Module):
    """labml_nn's feedback transformer, "shared" or not: (B, T) -> logits (B, T, V)."""

    def __init__(self, shared: bool):
        super().__init__()
        from labml_nn.transformers.feed_forward import FeedForward
        from labml_nn.transformers.feedback import (
            FeedbackAttention,
            FeedbackTransformer,
            FeedbackTransformerKV,
            FeedbackTransformerLayer,
        )

        layer = FeedbackTransformerLayer(
            d_model=D,
            attn=FeedbackAttention(H, D, dropout_prob=0.0, is_kv_precomputed=shared),
            feed_forward=FeedForward(D, HIDDEN, 0.0),
            dropout_prob=0.0,
        )
        self.embedding, self.head = nn.Embedding(V, D), nn.Linear(D, V)
        self.core = (
            FeedbackTransformerKV(layer, L, D, H) if shared else FeedbackTransformer(layer, L)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embedding(tokens.T)  # its axes are (T, B, d)
        return self.head(self.core(x)).transpose(0, 1)

    @torch.no_grad()
    def sample(self, length: int) -> Tensor:
        """Generate as its own experiment does: the whole prefix again for every token."""
        tokens = torch.zeros(1, 1, dtype=torch.long, device=self.head.weight.device)
        for _ in range(length):
            tokens = torch.cat([tokens, self(tokens)[:, -1:].argmax(-1)], 1)
        return tokens


def pytorch_package() -> nn.Module:
    """feedback-transformer-pytorch, one token at a time as the paper has it."""
    from feedback_transformer_pytorch import FeedbackTransformer

    return FeedbackTransformer(
        num_tokens=V, dim=D, depth=L, seq_len=1, mem_len=LONGEST, dim_head=D // H, heads=H
    )


@torch.no_grad()
def sample_pytorch_package(model: nn.Module, B: int, length: int) -> None:
    """Generate with its memory passed back in."""
    place = next(model.parameters()).device
    token, memory = torch.zeros(B, 1, dtype=torch.long, device=place), None
    for _ in range(length):
        logits, memory = model(token, memory, return_memory=True)
        token = logits[:, -1].argmax(-1, keepdim=True)


def train(build, B: int, T: int):
    return timing.training_step(build().to(device()), B, T)


def ours(variant: str, what: str, B: int, T: int):
    return timing.Case(what, variant, B, T).build()


def training_runs(B: int, T: int) -> dict:
    """Functions that build each model's training step."""
    builds = {"yardstick": partial(train, Yardstick, B, T)}
    for variant in ("parallel", "feedback-kv", "feedback"):
        builds[variant] = partial(ours, variant, "training", B, T)
    builds["labml shared"] = partial(train, partial(Labml, True), B, T)
    builds["labml unshared"] = partial(train, partial(Labml, False), B, T)
    builds["feedback-transformer-pytorch"] = partial(train, pytorch_package, B, T)
    return builds


def generation_runs(B: int, T: int) -> dict:
    """Functions that generate T tokens for B sequences."""
    runs = {v: ours(v, "generation", B, T) for v in ("parallel", "feedback-kv", "feedback")}
    model = pytorch_package().eval().to(device())
    runs["feedback-transformer-pytorch"] = partial(sample_pytorch_package, model, B, T)
    return runs


def cache_bytes(variant: str) -> int:
    """Bytes that one token leaves in the cache."""
    model = LanguageModel(Config(variant, V, D, H, L, HIDDEN))
    _, memory = model(torch.zeros(1, 4, dtype=torch.long), return_memory=True)
    return memory.nbytes // len(memory)


class Report:
    """Collects samples, says what was asked and what was found, and writes it to `out`."""

    def __init__(self, out: Path | None, rounds: int):
        self.out, self.results = out, {}
        self.measured = dict(seconds=1.0, min_samples=5, rounds=rounds, max_seconds=12.0)

    def keep(self, peaks: dict | None = None) -> None:
        found = {
            "machine": describe_machine(),
            "measured": self.measured,
            "seconds": self.results,
            "peak_bytes": peaks,
        }
        if self.out:
            write_atomically(self.out, json.dumps(found, indent=1).encode())

    def time(self, name: str, runs: dict, B: int, T: int) -> None:
        """Time functions in turns; of each keep its turns, each a list of seconds."""
        print(f"\n{name}: median (quartiles), tokens a second", flush=True)
        found: dict[str, list[list[float]]] = {which: [] for which in runs}
        for _ in range(self.measured["rounds"]):
            for which, turn in timing.measure(runs, **self.measured | {"rounds": 1}).items():
                found[which].append(turn)
        self.results[name] = found
        self.keep()
        for which, turns in found.items():
            middle, low, high = timing.spread(sum(turns, []))
            print(
                f"  {which:30s} {1000 * middle:9.0f} ms ({1000 * low:.0f} to {1000 * high:.0f})"
                f"{B * T / middle:10.0f} tokens/s",
                flush=True,
            )

    def ratio(self, name: str, above: str, below: str, bound: float, most: bool) -> None:
        """Print the median of the turns' ratios and all of them, beside what is wanted."""
        found = self.results[name]
        ratios = timing.ratio_by_turn(found[above], found[below])
        middle = statistics.median(ratios)
        met = middle <= bound if most else middle >= bound
        print(
            f"  {above} / {below}: {middle:.2f} (turns: {', '.join(f'{r:.2f}' for r in ratios)}), "
            f"wanted {'at most' if most else 'at least'} {bound:g}: {'met' if met else 'MISSED'}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--out", type=path, help="write every sample here, as JSON")
    parser.add_argument("--rounds", type=int, default=2, help="turns that each model takes")
    options = parser.parse_args()
    try:
        if options.out:
            check_writable(options.out)
    except ValueError as error:
        parser.error(str(error))
    report = Report(options.out, options.rounds)
    machine = describe_machine()
    print(", ".join(f"{key} {value}" for key, value in machine.items()))
    for B, T, avx512, others in TRAINING:
        bound = avx512 if machine["instructions"] == "AVX512" else others
        name = f"training, B={B}, T={T}"
        runs = {which: build() for which, build in training_runs(B, T).items()}
        report.time(name, runs, B, T)
        del runs
        report.ratio(name, "feedback-kv", "yardstick", bound, most=True)
        report.ratio(name, "parallel", "yardstick", 1.2, most=True)
        report.ratio(name, "labml shared", "feedback-kv", 2, most=False)
        report.ratio(name, "labml unshared", "feedback", 2, most=False)
    for B in (1, 32):
        name = f"generation of 256 tokens, B={B}"
        report.time(name, generation_runs(B, 256), B, 256)
        report.ratio(name, "feedback-transformer-pytorch", "feedback-kv", 2.5, most=False)
        report.ratio(name, "parallel", "feedback-kv", 1, most=False)
        if B == 1:  # two runs of most of a minute, not warmed up
            model, turns = Labml(True).eval().to(device()), []
            for _ in range(2):
                start = time.perf_counter()
                model.sample(256).cpu()  # waits for an accelerator
                turns.append([time.perf_counter() - start])
            report.results[name]["labml shared, sampling"] = turns
            report.ratio(name, "labml shared, sampling", "feedback-kv", 100, most=False)
    print("\ncache, bytes a token:")
    for variant in ("parallel", "feedback-kv", "feedback"):
        print(f"  {variant:12s} {cache_bytes(variant):6d}")
    print("\npeak memory of a training step over import, B=32, T=128:")
    peaks = {which: timing.peak_memory(build) for which, build in training_runs(32, 128).items()}
    for which, peak in peaks.items():
        if peak is None:
            print(f"  {which:30s} this system does not say")
        else:
            print(f"  {which:30s} {peak / 1e6:7.0f} MB {peak / peaks['yardstick']:6.2f} x")
    report.keep(peaks)
    if options.out:
        print(f"\nEvery sample is in {options.out}.")


if __name__ == "__main__":
    main()
