"""A run of a model in which something is looked at, or is made something else. Chapter 10.

A run goes through `trace`, which calls every part of the model: in the feedback models once a step,
in the parallel one once for all steps. What is changed at a step is what all later steps read.

Shapes: B batch, T steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor

from feedback.interpret.sites import Site
from feedback.language_model import LanguageModel
from feedback.transformer import Trace

# What is computed at these steps, (B, len(steps), ...), becomes another tensor of that shape.
Change = Callable[[Tensor, range], Tensor]


def run_with(model: LanguageModel, tokens: Tensor, changes: Mapping[Site, Change]) -> Trace:
    """Run tokens (B, T) with dropout off, and with these changes; see `Trace`.

    Where nothing is computed nothing is changed: a feedback model has no attention at step 0.
    `Trace.attention` has the weights that were computed, whatever became of what they read.

    Raises:
        TypeError, ValueError: a site of another model, tokens that do not fit, or a change that
            returns something of another shape.
    """
    own = {*model.core.modules()}
    for site in changes:
        if not isinstance(site, Site):
            raise TypeError(f"{site!r:.40} is no site; take one of feedback.interpret.sites")
        if site.module not in own:
            raise ValueError("a site belongs to another model than the one that runs")
    with ExitStack() as stack:
        clock = stack.enter_context(_clock(model))
        for site, change in changes.items():
            stack.enter_context(_hooked(site, change, clock))
        return model.trace(tokens)


def look_at(
    model: LanguageModel,
    tokens: Tensor,
    site: Site,
    changes: Mapping[Site, Change] | None = None,
) -> Tensor:
    """What is computed at a site in a run of tokens (B, T): (B, T, ...), zero where nothing is.

    Args:
        changes: what else is changed in the run; the site is looked at as it then is.

    Raises:
        TypeError, ValueError: as `run_with`.
    """
    found: list[Tensor] = []

    def keep(x: Tensor, steps: range) -> Tensor:
        if not found:
            found.append(x.new_zeros(x.shape[0], tokens.shape[1], *x.shape[2:]))
        found[0][:, steps.start : steps.stop] = x
        return x

    before = dict(changes or {})
    run_with(model, tokens, before | {site: keep})
    if not found:
        raise ValueError("nothing was computed at this site: with feedback, step 0 reads nothing")
    return found[0]


class _Clock:
    """Which steps are being computed."""

    steps = range(0)

    def advance(self, module: Any, given: Any) -> None:
        start = self.steps.stop
        self.steps = range(start, start + given[0].shape[1])


@contextmanager
def _clock(model: LanguageModel) -> Iterator[_Clock]:
    """A clock that goes on whenever the first layer begins."""
    clock = _Clock()
    handle = model.core.layers[0].register_forward_pre_hook(clock.advance)
    try:
        yield clock
    finally:
        handle.remove()


@contextmanager
def _hooked(site: Site, change: Change, clock: _Clock) -> Iterator[None]:
    """Inside, what is computed at a site is changed."""

    def changed(module: Any, given: Any, found: Any = None) -> Any:
        x = site.take(given, found)
        new = change(x, clock.steps)
        if not isinstance(new, Tensor) or new.shape != x.shape:
            shape = tuple(new.shape) if isinstance(new, Tensor) else type(new).__name__
            raise ValueError(f"a change returns {shape}; it must be a tensor of {tuple(x.shape)}")
        return None if new is x else site.put(given, found, new)

    hook = (
        site.module.register_forward_pre_hook
        if site.is_given
        else site.module.register_forward_hook
    )
    handle = hook(changed)
    try:
        yield
    finally:
        handle.remove()
