"""Progress on the screen through labml: a line with the latest values and the time left.

Of labml only the logger is used, which draws a line in a terminal as in a notebook. Its monitor and
its tracker exist once in a process, and the program that calls `train` may be using them. A labml
experiment would also write files, and look for a server.

A run does not end because its output has nowhere to go: what cannot be shown is left out.
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
from typing import TextIO, cast

CAPTURING = "labml.internal.app.logs"  # the module that replaces `write` of the streams
IMPORTING = threading.Lock()


class Progress:
    """The line that shows how far training is, for the steps from `first_step` to `last_step`.

    Args:
        first_step, last_step: of this call of `train`; the time left is estimated from them.
    """

    def __init__(self, first_step: int, last_step: int):
        self.first_step, self.last_step = first_step, last_step
        # Where a line cannot be drawn over, each drawing would leave a copy of it.
        self.can_redraw = is_terminal() or "ipykernel" in sys.modules
        self.begun = self.drawn = time.monotonic()

    def show(self, step: int, values: dict[str, float], keep: bool = False) -> None:
        """Show the step, the values beside it, and the time left.

        The line is drawn at most twice a second, over the one before it. With `keep` it is drawn at
        once and stays, and the next one begins below it.
        """
        now = time.monotonic()
        if not keep and not (self.can_redraw and now - self.drawn > 0.5):
            return
        logger = import_logger()
        left = (now - self.begun) / (step - self.first_step + 1) * (self.last_step - step)
        parts = [(f"{step:8,}:", logger.Text.highlight)]
        for name, value in values.items():
            number = f"{value:,}" if isinstance(value, int) else f"{value:.4f}"
            parts += [(f"  {name}: ", None), (number, logger.Text.value)]
        parts.append((f"  left: {timedelta(seconds=round(left))}", logger.Text.meta2))
        if not self.can_redraw:  # a file or a pipe keeps every character
            parts = [(text, None) for text, _ in parts]
        with ignoring_failures():
            logger.log(parts, is_new_line=keep, is_reset=self.can_redraw)
        self.drawn = now


def print_line(text: str) -> None:
    """Print a line, with escapes for the characters that the screen cannot show."""
    with ignoring_failures():
        try:
            print(text)
        except UnicodeEncodeError:
            print(text.encode("ascii", "backslashreplace").decode())


@contextmanager
def ignoring_failures() -> Iterator[None]:
    """Let printing fail: standard output may be closed, or lack some of a file's methods.

    Raises:
        BrokenPipeError: the reader of a pipe has closed it, and wants no more.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except Exception:
        pass


def is_terminal() -> bool:
    """Whether standard output is a terminal; False also where it cannot be asked."""
    try:
        return sys.stdout.isatty()
    except Exception:  # it is None, closed, or has no method `isatty`
        return False


def labml() -> tuple:
    """Import labml's `monit` and `tracker` such that they work in every notebook.

    Returns:
        The two modules.
    """
    import_logger()
    from labml import monit, tracker
    from labml.internal import lab

    if lab._internal is None:  # at its first use labml looks for its settings beside this file
        tracker.get_global_step()
        lab._internal = None  # so that an experiment of the caller's looks beside the caller's file
    return monit, tracker


def import_logger():
    """Import labml's `logger` such that it works in every notebook, and changes nothing else.

    With the logger comes a module that replaces the method `write` of both standard streams, to
    keep everything that the process prints for a server. It is given substitutes instead.
    """
    # Without the shell's variable `_` labml takes a kernel for PyCharm, and would print widgets.
    os.environ.setdefault("_", sys.executable)
    if "IPython" in sys.modules:
        import IPython.core.display
        from IPython.display import display

        IPython.core.display.display = display  # where labml looks; IPython 9 has moved it
    from labml import logger

    with IMPORTING:  # two threads would put back each other's streams
        if CAPTURING not in sys.modules:
            out, err = (cast(TextIO, Substitute(stream)) for stream in (sys.stdout, sys.stderr))
            with redirect_stdout(out), redirect_stderr(err):
                import_module(CAPTURING)
    return logger


class Substitute:
    """Passes everything on to a stream; its own attributes can be replaced, the stream's stay."""

    def __init__(self, stream: TextIO | None):
        self.stream = io.StringIO() if stream is None else stream

    def write(self, text: str) -> int | None:
        return self.stream.write(text)

    def __getattr__(self, name: str) -> object:
        return getattr(self.stream, name)
