"""Print any text on any console: texts and paths hold characters that it may not know."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO


class ReplacingStream:
    """A stream that prints "?" in place of each character that `stream` refuses."""

    def __init__(self, stream: TextIO):
        self.stream = stream

    def __getattr__(self, name: str) -> object:
        return getattr(self.stream, name)

    def write(self, text: str) -> None:
        try:
            self.stream.write(text)
        except UnicodeEncodeError:
            for character in text:
                try:
                    self.stream.write(character)
                except UnicodeEncodeError:
                    self.stream.write("?")

    def flush(self) -> None:
        if hasattr(self.stream, "flush"):
            self.stream.flush()


@contextlib.contextmanager
def every_character_shown() -> Iterator[None]:
    """While this lasts, a character that the console cannot show is a "?", and no error."""
    with open(os.devnull, "w") as nowhere:  # where there is no stream, as without a console
        streams = (nowhere if x is None else x for x in (sys.stdout, sys.stderr))
        replacing: list[Any] = [ReplacingStream(stream) for stream in streams]
        out, err = replacing
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            yield


def drop_unprinted() -> None:
    """If stdout takes no more, throw away what is left for it, or Python would fail at its end."""
    try:
        print(end="", flush=True)
    except (OSError, ValueError):
        # Not every stream has a file descriptor.
        with contextlib.suppress(OSError, ValueError, AttributeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
