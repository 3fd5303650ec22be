"""The language model: an embedding, one of the three models, and a head that predicts a token.

Shapes: B batch, T tokens, d width, V tokens in the vocabulary, L layers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from feedback import storage
from feedback.cache import Memory
from feedback.config import Config, is_number, whole_number
from feedback.fast.dropout import dropout_is_off
from feedback.fast.eligibility import can_take_fast_path, is_intercepted
from feedback.fast.generation import Decoder
from feedback.fast.passes import run_passes
from feedback.memory import FeedbackTransformer
from feedback.shared_kv import FeedbackTransformerKV
from feedback.transformer import SequenceModel, Trace, Transformer

NOT_FINITE = "the model's logits are not finite, so no token can be drawn from them"
KINDS: dict[str, Any] = {
    kind.name: kind for kind in (Transformer, FeedbackTransformer, FeedbackTransformerKV)
}


def build(config: Config, path: str | None = None) -> SequenceModel:
    """The model that `config.model` names; `path` is how a feedback model runs (None: its default).

    Raises:
        ValueError: a path for the parallel model, or an unknown one.
    """
    if config.model == "parallel" and path is not None:
        raise ValueError(f"path is {path!r}, but the parallel model has no choice of paths")
    kind = KINDS[config.model]
    return kind(config) if path is None else kind(config, path)


class Uninitialised(TorchFunctionMode):
    """Inside, `torch.nn.init` does nothing: for modules on the meta device, which hold no numbers.

    Without this torch imports its compiler, to see what normal numbers on that device would be, and
    to load a small model takes twice as long.
    """

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if getattr(function, "__module__", None) == "torch.nn.init":
            return kwargs["tensor"]
        return function(*args, **(kwargs or {}))


class LanguageModel(nn.Module):
    """Predict the next token: (B, T) int64 -> logits (B, T, V).

    Args:
        config: shape of the model; `n_tokens` must be given.
        path: execution path of a feedback model, None for its default. It changes how, not what.

    Attributes:
        embedding, core, head: (V, d) table, one of the three models, linear map to V logits.

    Raises:
        TypeError, ValueError: tokens of wrong type, shape or range, or a memory that does not fit.
            On an accelerator `forward` and `step` do not look at the range, for they would have to
            wait: there torch ends the program when a token outside of it is read.
    """

    def __init__(self, config: Config, path: str | None = None):
        super().__init__()
        if config.n_tokens is None:
            raise ValueError("n_tokens is None; a language model needs the size of its vocabulary")
        self.config = config
        self.embedding = nn.Embedding(config.n_tokens, config.d_model)
        self.core = build(config, path)
        self.head = nn.Linear(config.d_model, config.n_tokens)

    def forward(
        self,
        tokens: Tensor,
        memory: Memory | None = None,
        return_memory: bool = False,
        passes: int | None = None,
    ) -> Tensor | tuple[Tensor, Memory]:
        """Logits (B, T, V) of tokens (B, T) that follow `memory`; with `return_memory` also what
        the next segment takes as its `memory`.

        They are exact. With `passes` a feedback model runs by so many passes over all tokens at
        once: then the first `passes` tokens are exact and the others approximate, so that T passes
        are exact again; see `feedback.fast.passes`.
        """
        self.check_tokens(tokens, rank=2)
        x = self.embedding(tokens)
        if passes is None:
            y, memory = self.core(x, memory, return_memory=True)
        else:
            passes = whole_number("passes", passes, 1)
            found = run_passes(self.core, x, free=0, graded=passes, memory=memory)
            y, memory = found.outputs, found.memory
        logits = self.head(y)
        return (logits, memory) if return_memory else logits

    def step(self, token: Tensor, memory: Memory | None = None) -> tuple[Tensor, Memory]:
        """Logits (B, V) after one more token (B,), and the memory with that token in it.

        The memory given stays as it is, so that several continuations can start from it. Under
        `torch.no_grad` a step takes fewer operations, unless the model has hooks or replaced parts.
        """
        self.check_tokens(token, rank=1)
        needs_modules = torch.is_grad_enabled() or not dropout_is_off(self.core.layers)
        if needs_modules or not self.can_take_fast_path():
            return self.plain_step(token, memory)
        return Decoder(self).step(token, memory)

    def can_take_fast_path(self) -> bool:
        """Whether single steps may read the weights, instead of calling every part."""
        beside = (self, LanguageModel), (self.embedding, nn.Embedding), (self.head, nn.Linear)
        return can_take_fast_path(self.core, KINDS[self.core.name], beside)

    def plain_step(self, token: Tensor, memory: Memory | None) -> tuple[Tensor, Memory]:
        """Do what `step` does by calling every part of the model."""
        logits, memory = self(token[:, None], memory, return_memory=True)
        return logits[:, 0], memory

    def quiet_step(self, token: Tensor, memory: Memory | None) -> tuple[Tensor, Memory]:
        """`plain_step` with dropout off."""
        with evaluating(self):
            return self.plain_step(token, memory)

    def generate(
        self,
        prompt: Tensor,
        length: int,
        temperature: float = 1.0,
        top_k: int | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Continue a prompt (B, T0) by `length` sampled tokens: (B, T0 + length), dropout off.

        Args:
            length: how many tokens to sample, >= 0.
            temperature: divides the logits; 0 takes the likeliest token.
            top_k: sample among the k likeliest tokens only, 1 <= top_k <= V.
            generator: source of randomness, on the model's device.

        Raises:
            TypeError, ValueError: an argument of the wrong type or out of range, before any work.
        """
        sampled = self.stream(prompt, length, temperature, top_k, generator)
        return torch.cat([prompt, *(token[:, None] for token in sampled)], dim=1)

    def stream(
        self,
        prompt: Tensor,
        length: int,
        temperature: float = 1.0,
        top_k: int | None = None,
        generator: torch.Generator | None = None,
    ) -> Iterator[Tensor]:
        """Yield the `length` tokens that `generate` appends, (B,) each, as soon as it is drawn.

        Arguments and errors are those of `generate`; the errors come with the call.
        """
        self.check_tokens(prompt, rank=2, wait=True)  # once, before any work
        length = whole_number("length", length, 0)
        if not is_number(temperature):
            raise TypeError(f"temperature is {temperature!r}; it must be a number")
        if not temperature >= 0:
            raise ValueError(f"temperature is {temperature}; it must be at least 0")
        if top_k is not None:
            top_k = whole_number("top_k", top_k, 1, self.config.n_tokens)
        if generator is not None and not isinstance(generator, torch.Generator):
            raise TypeError(f"generator is {generator!r}; it must be a torch.Generator")
        return self.draw(prompt, length, temperature, top_k, generator)

    @torch.no_grad()
    def draw(
        self,
        prompt: Tensor,
        length: int,
        temperature: float,
        top_k: int | None,
        generator: torch.Generator | None,
    ) -> Iterator[Tensor]:
        """Do what `stream` does, with arguments that are known to be good."""
        if length == 0:
            return
        with evaluating(self):
            logits, memory = self(prompt, return_memory=True)
        step = self.quiet_step
        if length > 1 and self.can_take_fast_path():
            step = Decoder(self, batch_size=len(prompt)).step
        logits, all_finite = logits[:, -1], torch.ones((), dtype=torch.bool, device=prompt.device)
        for left in reversed(range(length)):
            token, finite = sample(logits, temperature, top_k, generator)
            all_finite = all_finite & finite
            # On a CPU at every step; an accelerator would have to be waited for, so at the last.
            if (left == 0 or prompt.device.type == "cpu") and not all_finite:
                raise ValueError(NOT_FINITE)
            yield token
            if left:
                logits, memory = step(token, memory)

    def layer_weights(self) -> Tensor:
        """The weights (L+1,) with which outputs enter the memory, embedding first; they sum to 1.

        Raises:
            ValueError: the parallel model has no memory vectors.
        """
        if isinstance(self.core, Transformer):
            raise ValueError("the parallel model has no memory vectors, hence no layer weights")
        return self.core.mixture.weights(self.head.weight).detach()

    @torch.no_grad()
    def trace(self, tokens: Tensor) -> Trace:
        """Run tokens (B, T) with dropout off and keep everything that was computed; see `Trace`."""
        self.check_tokens(tokens, rank=2, wait=True)
        with evaluating(self):
            trace = self.core.trace(self.embedding(tokens))
            return replace(trace, logits=self.head(self.core.norm(trace.outputs[-1])))

    def save(self, folder: str | Path) -> None:
        """Write config and weights into a folder; see `feedback.storage`."""
        storage.save(folder, self.config, self.state_dict())

    @classmethod
    def load(cls, folder: str | Path, path: str | None = None) -> LanguageModel:
        """Read a saved model, in the dtype it was saved in, ready for evaluation.

        Raises:
            OSError, ValueError: what is wrong with which file; see `feedback.storage`.
        """
        config, weights, file = storage.load(folder)
        try:
            # Nothing is allocated before names and shapes are checked.
            with torch.device("meta"), Uninitialised():
                cls(config).load_state_dict(weights, assign=True)
        except (RuntimeError, ValueError) as error:
            raise ValueError(f"{file}: its weights are not those of its config: {error}") from error
        with torch.device("meta"), Uninitialised():
            model = cls(config, path)
        model.load_state_dict(weights, assign=True)
        return model.eval()

    def check_tokens(self, tokens: Tensor, rank: int, wait: bool = False) -> None:
        """Raise TypeError or ValueError unless tokens are int64 ids of this vocabulary.

        Args:
            wait: whether to look at numbers on an accelerator too, which the host has to wait for.
        """
        shape = {1: "(B,)", 2: "(B, T)"}[rank]
        if not isinstance(tokens, Tensor) or tokens.dtype != torch.int64:
            given = tokens.dtype if isinstance(tokens, Tensor) else type(tokens).__name__
            raise TypeError(
                f"tokens are {given}; they must be a torch.int64 tensor of shape {shape}"
            )
        if tokens.dim() != rank:
            raise ValueError(f"tokens have shape {tuple(tokens.shape)}; they must be {shape}")
        if tokens.numel() == 0:
            raise ValueError(f"tokens have shape {tuple(tokens.shape)}: there is no token to read")
        if is_intercepted() or tokens.is_meta or type(tokens) is not Tensor:
            return  # there are no numbers to look at
        if not wait and tokens.device.type != "cpu":
            return
        assert self.config.n_tokens is not None  # a language model has a vocabulary
        low, high, last = tokens.min().item(), tokens.max().item(), self.config.n_tokens - 1
        if low < 0 or high > last:
            raise ValueError(f"token ids lie in {low}..{high}; this vocabulary has 0..{last}")


def sample(
    logits: Tensor, temperature: float, top_k: int | None, generator: torch.Generator | None
) -> tuple[Tensor, Tensor]:
    """Draw one token from each row of logits: (B, V) -> (B,).

    Nothing here waits for an accelerator, so `torch.multinomial`, which looks at the odds, is not
    called: its way of drawing is. Where q is drawn from the exponential distribution, one number
    for each token, the largest odds / q is a token's with just its odds.

    Returns:
        The tokens, and whether the best logit of every row is finite, () bool.
    """
    best, tokens = logits.float().topk(top_k or logits.shape[-1])  # best first, and nan before all
    finite = best[:, 0].isfinite().all()
    if temperature < torch.finfo(best.dtype).tiny:  # 0, or too small to divide by
        return tokens[:, 0], finite
    odds = ((best - best[:, :1]) / temperature).softmax(-1)
    drawn = (odds / torch.empty_like(odds).exponential_(generator=generator)).argmax(-1)
    return tokens.gather(-1, drawn[:, None])[:, 0], finite


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Turn dropout off for a while, then leave every part of the model as it was."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
