"""The time that training takes: batches and updates, without evaluations and checkpoints.

Times differ from run to run, so they have a file of their own, times.jsonl, and the log has none.
"""

from __future__ import annotations

import time


class Clock:
    """Adds up the seconds of the blocks that it is entered for: `with clock: ...`.

    Args:
        lines: those of times.jsonl so far; the clock goes on from the last one.

    Attributes:
        lines: a dict for each `note`: `step`; `seconds`, as a clock on the wall counts them; and
            `processor_seconds`, which all threads of this process were computing.
    """

    def __init__(self, lines: list[dict]):
        self.lines = lines
        last = lines[-1] if lines else {}
        self.seconds = last.get("seconds", 0.0)
        self.processor_seconds = last.get("processor_seconds", 0.0)

    def __enter__(self) -> None:
        self.started = time.perf_counter(), time.process_time()

    def __exit__(self, *error: object) -> None:
        wall, processor = self.started
        self.seconds += time.perf_counter() - wall
        self.processor_seconds += time.process_time() - processor

    def note(self, step: int) -> None:
        """Add a line: how long training has taken up to the end of this step."""
        line = {"step": step, "seconds": round(self.seconds, 3)}
        self.lines.append(line | {"processor_seconds": round(self.processor_seconds, 3)})
