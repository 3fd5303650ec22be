"""Progress on the screen through labml: a counting line with the latest values and the time left.

Only labml's monitor and tracker are used, without an experiment. An experiment would write into
the working directory and the home folder, and look for a server.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator


class Progress:
    """Count from step `first` to `last`, and show named values beside the count.

    Args:
        say: False shows nothing, for all processes of a run but one.

    Attributes:
        values: the latest of each name; labml itself would go on showing those of an earlier loop.
    """

    def __init__(self, first: int, last: int, say: bool = True):
        self.steps, self.say = range(first, last + 1), say
        self.values: dict[str, float] = {}
        # The line is drawn anew at will only where that does not leave a copy of it each time.
        self.live = say and (sys.stdout.isatty() or "ipykernel" in sys.modules)
        self.begun = self.drawn = time.monotonic()

    def __iter__(self) -> Iterator[int]:
        if not self.say:
            return iter(self.steps)
        return iter(labml()[0].loop(self.steps, is_track=False, is_print_iteration_time=False))

    def show(self, step: int, keep: bool = False, **values: float | None) -> None:
        """Take values that are not None, and show all: twice a second, or `keep` a line of them."""
        now = time.monotonic()
        self.values |= {name: value for name, value in values.items() if value is not None}
        if not (keep and self.say) and not (self.live and now - self.drawn > 0.5):
            return
        tracker = labml()[1]
        left = (now - self.begun) / (step - self.steps[0] + 1) * (self.steps[-1] - step)
        tracker.save(step, self.values | {"seconds left": round(left)})
        if keep:
            tracker.new_line()
        self.drawn = now


def labml() -> tuple:
    """Import labml's `monit` and `tracker` such that they work in every notebook."""
    # labml takes a kernel whose shell left no `_` behind for PyCharm, and would print widgets.
    os.environ.setdefault("_", sys.executable)
    if "IPython" in sys.modules:
        import IPython.core.display
        from IPython.display import display

        IPython.core.display.display = display  # where labml looks; IPython 9 has moved it
    from labml import monit, tracker

    tracker.get_global_step()  # at its first call labml looks for settings: beside this file
    return monit, tracker
