"""Which of two ways to the same numbers is quicker here: measured once, in a few milliseconds.

What suits a product depends on the processor, its instructions and the sizes: on one machine
oneDNN is twice as quick as the other library that torch carries, on the next it is slower. So where
it matters the two race each other when they are first needed, and a process remembers who won.
Their results differ in rounding alone. `WON` holds what was decided; a checkpoint keeps it, so that
a training run that goes on in another process multiplies as before.

Weights of fewer than `LARGE` numbers take part in no race: there is little to gain, and a training
run that hangs on no clock can be made again digit by digit. Nor does anything race under
`torch.use_deterministic_algorithms(True)`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

LARGE = 2**16  # numbers of a weight
RACE = 5e-4  # seconds that a race may take, or four calls of each
WON: dict[str, bool] = {}  # for the name of each race that was run, whether the rival won


def may_race(numbers: int) -> bool:
    """Whether ways race for a weight of so many numbers."""
    return numbers >= LARGE and not torch.are_deterministic_algorithms_enabled()


def decide(name: str, race: Callable[[], bool]) -> bool:
    """Whether the rival has won the race of this name, which is run if it has not been."""
    if name not in WON:
        WON[name] = race()
    return WON[name]


@contextmanager
def deciding_anew() -> Iterator[None]:
    """Races are run anew inside; afterwards holds again what was decided before."""
    before = dict(WON)
    WON.clear()
    try:
        yield
    finally:
        WON.clear()
        WON.update(before)


def is_quicker(rival: Callable[[], object], usual: Callable[[], object]) -> bool:
    """Whether the rival takes at most nine tenths of the usual way's time.

    They take turns. A first call and a disturbance only ever make a call longer, so the shortest
    of each is compared.
    """
    best = {rival: float("inf"), usual: float("inf")}
    begin = time.perf_counter()
    for turn in range(50):
        if turn > 3 and time.perf_counter() - begin > RACE:
            break
        for way in best:
            start = time.perf_counter()
            way()
            best[way] = min(best[way], time.perf_counter() - start)
    return best[rival] < 0.9 * best[usual]
