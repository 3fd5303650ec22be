"""Texts: Tiny Shakespeare, from wherever it can be had, or any file of your own."""

from __future__ import annotations

import contextlib
import hashlib
import os
import textwrap
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from feedback.files import write_atomically

URL = "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
SIZE = 1_115_394  # bytes
NAME = "tinyshakespeare.txt"
TIMEOUT = 20.0  # seconds that a server may be silent; a download may take six times as long


@dataclass(frozen=True)
class Corpus:
    """A text, and one sentence that says where it comes from."""

    text: str
    source: str


def tiny_shakespeare() -> Corpus:
    """Tiny Shakespeare from `FEEDBACK_DATA`, the cache or the network, else a text of Python's own.

    `FEEDBACK_DATA` names the file, or a folder that holds it as tinyshakespeare.txt. Every copy is
    checked against the known SHA-256. A download is kept in the user's cache folder. Print
    `source`: it says which text this is.

    Raises:
        FileNotFoundError, ValueError: `FEEDBACK_DATA` is set, but the file is missing or differs.
    """
    if named := os.environ.get("FEEDBACK_DATA"):
        return Corpus(copy_named(named), "Tiny Shakespeare, from FEEDBACK_DATA")
    try:
        return Corpus(checked(cache_file()), "Tiny Shakespeare, from the cache")
    except (OSError, ValueError, RuntimeError):
        pass  # not there yet, or damaged, or there is no home folder: fetch it
    try:
        text = download()
    except Exception as error:  # a proxy may send anything: even a port above 65535 is an error
        return Corpus(
            python_topics(),
            f"NOT Tiny Shakespeare, which could not be downloaded ({in_one_line(error)}), but the "
            "help topics that every Python carries. Set FEEDBACK_DATA to a copy of the file to use "
            "it",
        )
    # A cache that cannot be written costs a second download, nothing else.
    with contextlib.suppress(OSError, RuntimeError):
        cache_file().parent.mkdir(parents=True, exist_ok=True)
        write_atomically(cache_file(), text.encode())
    return Corpus(text, "Tiny Shakespeare, downloaded")


def text_file(file: str | Path) -> Corpus:
    """Any text of your own, in UTF-8.

    Raises:
        FileNotFoundError, OSError: there is no such file, or it cannot be read.
        ValueError: it is empty, not UTF-8, or holds a NUL, which no text does.
    """
    file = Path(file)
    if not file.is_file():
        raise FileNotFoundError(f"there is no file {file}")
    try:
        text = file.read_bytes().decode("utf-8-sig")  # some editors begin a file with a mark
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{file} is not UTF-8 text: byte {error.start} is {error.object[error.start]:#04x}. "
            "Save it as UTF-8 first"
        ) from error
    if not text:
        raise ValueError(f"{file} is empty")
    if (position := text.find("\0")) >= 0:
        raise ValueError(
            f"{file} is not UTF-8 text: character {position} is a NUL, as in UTF-16 or UTF-32. "
            "Save it as UTF-8 first"
        )
    return Corpus(text, str(file))


def copy_named(name: str) -> str:
    """The text of the file that `FEEDBACK_DATA` names, or of the one in the folder it names."""
    file = Path(os.path.expanduser(name))
    file = file / NAME if file.is_dir() else file
    if not file.is_file():
        raise FileNotFoundError(f"FEEDBACK_DATA is {name!r}, but there is no file {file}")
    return checked(file)


def cache_file() -> Path:
    """Where a download is kept. Raises RuntimeError if that is in a home folder nobody knows."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    return base.expanduser() / "feedback-transformer-book" / NAME


def download() -> str:
    """The text from the network. Raises whatever urllib does, and ValueError for another text.

    It ends, however slowly and for however long a server sends.
    """
    data, deadline = b"", time.monotonic() + 6 * TIMEOUT
    with urllib.request.urlopen(URL, timeout=TIMEOUT) as answer:
        while len(data) <= SIZE and (piece := answer.read1(SIZE)):
            data += piece
            if time.monotonic() > deadline:
                raise TimeoutError(f"{URL} sent {len(data):,} bytes in {6 * TIMEOUT:.0f} seconds")
    return decoded(data, URL)


def checked(file: Path) -> str:
    """The text of a file. Raises OSError, and ValueError for another text."""
    return decoded(file.read_bytes(), str(file))


def decoded(data: bytes, origin: str) -> str:
    """Tiny Shakespeare from its bytes. Raises ValueError if they are not exactly those."""
    if (found := hashlib.sha256(data).hexdigest()) != SHA256:
        raise ValueError(f"{origin} is not Tiny Shakespeare: its SHA-256 is {found}, not {SHA256}")
    return data.decode()


def in_one_line(error: Exception) -> str:
    """What an error says, shortened, and safe to print: some of it may be a server's words."""
    printable = "".join(x if x.isprintable() else " " for x in str(error))
    return textwrap.shorten(printable, 200) or type(error).__name__


def python_topics() -> str:
    """The texts behind Python's `help()`: about half a million characters of English and code."""
    from pydoc_data.topics import topics  # a module of half a megabyte, which hardly anyone needs

    return "\n\n".join(topics[name] for name in sorted(topics))
