"""Text to train on: Tiny Shakespeare or any file, characters as tokens, a part held out, batches.

Shapes: N tokens of a text, B batch, T tokens of a window.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import textwrap
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from feedback.files import write_atomically

URL = "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
SIZE = 1_115_394  # bytes
NAME = "tinyshakespeare.txt"
PATIENCE = 20.0  # seconds that a server may be silent; a download may take six times as long
CHARACTERS = "characters.json"  # the vocabulary, in the folder of a model that was trained on it
HELD_OUT = 64  # windows on which a model is validated
PIECE = 2**20  # characters of a text that are worked on at once
INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


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
    if given := os.environ.get("FEEDBACK_DATA"):
        file = Path(os.path.expanduser(given))
        file = file / NAME if file.is_dir() else file
        if not file.is_file():
            raise FileNotFoundError(f"FEEDBACK_DATA is {given!r}, but there is no file {file}")
        return Corpus(checked(file.read_bytes(), str(file)), "Tiny Shakespeare, from FEEDBACK_DATA")
    try:
        cached = cache_folder() / NAME
        return Corpus(checked(cached.read_bytes(), str(cached)), "Tiny Shakespeare, from the cache")
    except (OSError, ValueError, RuntimeError):
        pass  # not there yet, or damaged, or there is no home folder: fetch it
    try:
        text = download()
    except Exception as error:  # a proxy may send anything: even a port above 65535 is an error
        reason = "".join(x if x.isprintable() else " " for x in str(error))  # some are a server's
        reason = textwrap.shorten(reason, 200) or type(error).__name__
        return Corpus(
            python_topics(),
            f"NOT Tiny Shakespeare, which could not be downloaded ({reason}), but the help topics "
            "that every Python carries. Set FEEDBACK_DATA to a copy of the file to use it",
        )
    try:
        cached = cache_folder() / NAME
        cached.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(cached, text.encode())
    except (OSError, RuntimeError):
        pass  # a cache that cannot be written costs a second download, nothing else
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
    if (place := text.find("\0")) >= 0:
        raise ValueError(
            f"{file} is not UTF-8 text: character {place} is a NUL, as in UTF-16 or UTF-32. Save "
            "it as UTF-8 first"
        )
    return Corpus(text, str(file))


def cache_folder() -> Path:
    """Where a download is kept. Raises RuntimeError if that is in a home folder nobody knows."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    return base.expanduser() / "feedback-transformer-book"


def download() -> str:
    """The text from the network. Raises whatever urllib does, and ValueError for another text.

    It ends, however slowly and for however long a server sends.
    """
    data, deadline = b"", time.monotonic() + 6 * PATIENCE
    with urllib.request.urlopen(URL, timeout=PATIENCE) as answer:
        while len(data) <= SIZE and (piece := answer.read1(SIZE)):
            data += piece
            if time.monotonic() > deadline:
                raise TimeoutError(f"{URL} sent {len(data):,} bytes in {6 * PATIENCE:.0f} seconds")
    return checked(data, URL)


def checked(data: bytes, origin: str) -> str:
    if (found := hashlib.sha256(data).hexdigest()) != SHA256:
        raise ValueError(f"{origin} is not Tiny Shakespeare: its SHA-256 is {found}, not {SHA256}")
    return data.decode()


def python_topics() -> str:
    """The texts behind Python's `help()`: about half a million characters of English and code."""
    from pydoc_data.topics import topics

    return "\n\n".join(topics[name] for name in sorted(topics))


class Characters:
    """A vocabulary of the characters of a text.

    Attributes:
        characters: sorted; a character's place is its token.
    """

    def __init__(self, text: str):
        there = np.zeros(sys.maxunicode + 1, dtype=bool)
        for codes in code_points(text):
            there[codes] = True
        found = np.flatnonzero(there)
        self.characters = [chr(code) for code in found]
        # The token of each code point up to the highest, and -1 for all others: the last entry.
        self._tokens = np.full(found.max(initial=0) + 2, -1, dtype=np.int64)
        self._tokens[found] = np.arange(len(found))

    def __len__(self) -> int:
        return len(self.characters)

    def save(self, folder: str | Path) -> None:
        """Write characters.json into a folder."""
        text = json.dumps("".join(self.characters), ensure_ascii=False)
        write_atomically(Path(folder) / CHARACTERS, text.encode())

    @classmethod
    def load(cls, folder: str | Path) -> Characters:
        """Read characters.json from a folder.

        Raises:
            FileNotFoundError, ValueError: the file is missing or damaged.
        """
        file = Path(folder) / CHARACTERS
        if not file.is_file():
            raise FileNotFoundError(f"{file}: missing, so the model beside it reads no characters")
        try:
            text = json.loads(file.read_bytes())
        except ValueError as error:
            raise ValueError(f"{file}: truncated or not JSON: {error}") from error
        if not isinstance(text, str) or not text:
            raise ValueError(f"{file}: holds no characters")
        return cls(text)

    def encode(self, text: str) -> Tensor:
        """Characters to tokens, (T,) int64.

        Raises:
            TypeError, ValueError: no text, or a character that the vocabulary lacks.
        """
        if not isinstance(text, str):
            raise TypeError(f"text is {type(text).__name__}; it must be a str")
        tokens, done = np.empty(len(text), dtype=np.int64), 0
        for codes in code_points(text):
            piece = tokens[done : done + len(codes)]
            np.take(self._tokens, codes, out=piece, mode="clip")
            if piece.min() < 0:
                place = done + piece.argmin()
                raise ValueError(
                    f"{text[place]!r} (character {place} of the text) is not among the "
                    f"{len(self)} characters of this vocabulary"
                )
            done += len(codes)
        return torch.as_tensor(tokens)

    def decode(self, tokens: Tensor) -> str:
        """Tokens (T,), of any integer type, to characters.

        Raises:
            TypeError, ValueError: tokens of wrong type, shape or range.
        """
        if not isinstance(tokens, Tensor) or tokens.dtype not in INTEGERS:
            given = tokens.dtype if isinstance(tokens, Tensor) else type(tokens).__name__
            raise TypeError(f"tokens are {given}; they must be a tensor of integers, of shape (T,)")
        if tokens.dim() != 1:
            raise ValueError(
                f"tokens have shape {tuple(tokens.shape)}; they must be (T,): decode one row at a "
                "time"
            )
        ids = tokens.tolist()
        if ids and not 0 <= min(ids) <= max(ids) < len(self):
            raise ValueError(
                f"token ids lie in {min(ids)}..{max(ids)}; this vocabulary has 0..{len(self) - 1}"
            )
        return "".join(self.characters[token] for token in ids)


def code_points(text: str) -> Iterator[np.ndarray]:
    """The code points of a text, in pieces: of a long one all at once would fill the memory."""
    for start in range(0, len(text), PIECE):
        piece = text[start : start + PIECE].encode("utf-32-le", "surrogatepass")
        yield np.frombuffer(piece, "<u4")


def split(tokens: Tensor, train: float = 0.9) -> tuple[Tensor, Tensor]:
    """Cut tokens (N,) once: the first part to train on, the rest to validate on."""
    return tokens.tensor_split([int(len(tokens) * train)])


def random_batch(
    tokens: Tensor, batch_size: int, length: int, generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor]:
    """Inputs and targets, both (B, T): random windows, and the same windows one token later.

    Raises:
        ValueError: fewer than `length + 1` tokens.
    """
    if len(tokens) <= length:
        raise ValueError(
            f"{len(tokens)} tokens are too few: windows of {length} need at least {length + 1}"
        )
    starts = torch.randint(len(tokens) - length, (batch_size,), generator=generator)
    windows = tokens[starts[:, None] + torch.arange(length + 1)]  # (B, T + 1)
    return windows[:, :-1], windows[:, 1:]


class Text:
    """A corpus to train on: windows at random from its first nine tenths, the rest held out.

    The seam is cut once, in the text itself, so that no window reaches over it. The vocabulary is
    that of the whole text.

    Args:
        corpus: the text.
        length: of the longest window, T.

    Attributes:
        corpus, length: what was given.
        characters: the vocabulary.
        train, validation: (N,) int64.
        n_tokens: size V of the vocabulary.

    Raises:
        ValueError: the text is too short for windows of this length.
    """

    def __init__(self, corpus: Corpus, length: int):
        self.corpus, self.length = corpus, length
        self.characters = Characters(corpus.text)
        self.train, self.validation = split(self.characters.encode(corpus.text))
        self.n_tokens = len(self.characters)
        if min(len(self.train), len(self.validation)) <= length:
            raise ValueError(
                f"this text has {len(corpus.text):,} characters, and a tenth of them is held out; "
                f"windows of {length} need at least {10 * length + 1:,}"
            )

    def describe(self) -> dict[str, str]:
        """What tells this text from others."""
        return {"text": hashlib.sha256(self.corpus.text.encode()).hexdigest()}

    def batch(
        self, batch_size: int, length: int, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Inputs and targets to train on, both (B, T)."""
        return random_batch(self.train, batch_size, length, generator)

    def held_out(self, length: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Inputs and targets, both (B, T), of windows spread evenly over what is held out."""
        last = len(self.validation) - length - 1
        starts = torch.linspace(0, last, HELD_OUT).long().clamp(max=last)  # float32 may round up
        for some in starts.split(32):
            windows = self.validation[some[:, None] + torch.arange(length + 1)]
            yield windows[:, :-1], windows[:, 1:]
