"""A count of what held, of how many, with its interval. Chapter 10."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from feedback.intervals import wilson


@dataclass(frozen=True)
class Count:
    """How many of `done` tries held.

    The interval takes the tries as independent. Answers at neighbouring steps of one row may not
    be: then it is too narrow.
    """

    held: int
    done: int

    @classmethod
    def of(cls, holds: Tensor) -> Count:
        """Count a tensor of bool, of any shape."""
        return cls(int(holds.sum()), holds.numel())

    @property
    def share(self) -> float:
        """The part that held, 0 to 1."""
        return self.held / self.done

    @property
    def interval(self) -> tuple[float, float]:
        """The ends of the 95 % interval of the share (Wilson)."""
        return wilson(self.held, self.done)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.share:.2f} ({low:.2f}-{high:.2f})"
