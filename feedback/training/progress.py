"""Progress on the screen through labml: a line with the latest values and the time left.

Only labml's logger is used, which draws a line in a terminal as in a notebook. Its monitor and
tracker are one for the whole process and may be busy with a loop, sections or an experiment of
whoever calls. An experiment would also write files, and look for a server.

A run does not end because a screen is gone or strange: what cannot be shown is not shown.
"""

from __future__ import annotations

import io
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from datetime import timedelta
from importlib import import_module

CAPTURING, IMPORTING = "labml.internal.app.logs", threading.Lock()


class Progress:
    """Count from step `first` to `last`, and show named values beside the count.

    Args:
        say: False shows nothing, for all processes of a run but one.

    Attributes:
        values: the latest of each name.
    """

    def __init__(self, first: int, last: int, say: bool = True):
        self.steps, self.say = range(first, last + 1), say
        self.values: dict[str, float] = {}
        # The line is drawn anew at will only where that does not leave a copy of it each time.
        self.live = say and (is_terminal() or "ipykernel" in sys.modules)
        self.begun = self.drawn = time.monotonic()

    def __iter__(self) -> Iterator[int]:
        return iter(self.steps)

    def show(self, step: int, keep: bool = False, **values: float | None) -> None:
        """Take values that are not None, and show all: twice a second, or `keep` a line of them."""
        now = time.monotonic()
        self.values |= {name: value for name, value in values.items() if value is not None}
        if not (keep and self.say) and not (self.live and now - self.drawn > 0.5):
            return
        logger = import_logger()
        left = (now - self.begun) / (step - self.steps[0] + 1) * (self.steps[-1] - step)
        parts = [(f"{step:8,}:", logger.Text.highlight)]
        for name, value in self.values.items():
            number = f"{value:,}" if isinstance(value, int) else f"{value:.4f}"
            parts += [(f"  {name}: ", None), (number, logger.Text.value)]
        parts.append((f"  left: {timedelta(seconds=round(left))}", logger.Text.meta2))
        if not self.live:  # a file or a pipe keeps every character
            parts = [(text, None) for text, _ in parts]
        with heard_or_not():
            logger.log(parts, is_new_line=keep, is_reset=self.live)
        self.drawn = now


def say(text: str) -> None:
    """Print a line, with escapes for what the screen cannot show."""
    with heard_or_not():
        try:
            print(text)
        except UnicodeEncodeError:
            print(text.encode("ascii", "backslashreplace").decode())


@contextmanager
def heard_or_not() -> Iterator[None]:
    """Let printing fail: on a stream that is closed, or has less than a file has.

    Raises:
        BrokenPipeError: who read the output has gone, and wants no more of it.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except Exception:
        pass


def is_terminal() -> bool:
    """Whether standard output is a terminal, whatever stands in its place."""
    try:
        return sys.stdout.isatty()
    except Exception:  # there is none, it is closed, or it is nothing but something to write to
        return False


def labml() -> tuple:
    """Import labml's `monit` and `tracker` such that they work in every notebook."""
    import_logger()
    from labml import monit, tracker
    from labml.internal import lab

    if lab._internal is None:  # at its first call labml looks for settings: beside this file
        tracker.get_global_step()
        lab._internal = None  # so that an experiment of whoever calls finds its own
    return monit, tracker


def import_logger():
    """Import labml's `logger` such that it works in every notebook, and nothing else changes.

    With it comes a module that replaces `write` of both standard streams, to keep for a server all
    that the process prints from then on. That module is given others.
    """
    # labml takes a kernel whose shell left no `_` behind for PyCharm, and would print widgets.
    os.environ.setdefault("_", sys.executable)
    if "IPython" in sys.modules:
        import IPython.core.display
        from IPython.display import display

        IPython.core.display.display = display  # where labml looks; IPython 9 has moved it
    from labml import logger

    with IMPORTING:  # two threads would put back each other's streams
        if CAPTURING not in sys.modules:
            with redirect_stdout(Aside(sys.stdout)), redirect_stderr(Aside(sys.stderr)):
                import_module(CAPTURING)
    return logger


class Aside:
    """A stream that passes on whatever it is asked, and can be changed in place of the other."""

    def __init__(self, stream: object):
        self.stream = io.StringIO() if stream is None else stream

    def write(self, text: str) -> int | None:
        return self.stream.write(text)

    def __getattr__(self, name: str) -> object:
        return getattr(self.stream, name)
