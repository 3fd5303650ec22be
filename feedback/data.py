"""Text to train on: characters as tokens, a part held out, batches.

The texts themselves come from `feedback.corpus`. Shapes: N tokens of a text, B batch, T tokens of a
window.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from feedback.corpus import Corpus, text_file, tiny_shakespeare
from feedback.files import read_json, write_atomically

__all__ = [
    "Characters",
    "Corpus",
    "Text",
    "random_batch",
    "split",
    "text_file",
    "tiny_shakespeare",
]

CHARACTERS = "characters.json"  # the vocabulary, in the folder of a model that was trained on it
HELD_OUT = 64  # windows on which a model is validated
PIECE = 2**20  # characters of a text that are worked on at once
INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


class Characters:
    """A vocabulary of the characters of a text.

    Attributes:
        characters: in the order of their code points; the index of a character is its token.
    """

    def __init__(self, text: str):
        present: np.ndarray = np.zeros(sys.maxunicode + 1, dtype=bool)
        for codes in code_points(text):
            present[codes] = True
        found = np.flatnonzero(present)
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
        text = read_json(file)
        if not isinstance(text, str) or not text:
            raise ValueError(f"{file}: holds no characters")
        return cls(text)

    def encode(self, text: str) -> Tensor:
        """Characters to tokens, (T,) int64.

        Raises:
            TypeError: `text` is not a str.
            ValueError: it holds a character that the vocabulary lacks.
        """
        if not isinstance(text, str):
            raise TypeError(f"text is {type(text).__name__}; it must be a str")
        tokens: np.ndarray = np.empty(len(text), dtype=np.int64)
        done = 0
        for codes in code_points(text):
            piece = tokens[done : done + len(codes)]
            np.take(self._tokens, codes, out=piece, mode="clip")
            if piece.min() < 0:
                unknown = done + piece.argmin()
                raise ValueError(
                    f"{text[unknown]!r} (character {unknown} of the text) is not among the "
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
            kind = tokens.dtype if isinstance(tokens, Tensor) else type(tokens).__name__
            raise TypeError(f"tokens are {kind}; they must be a tensor of integers, of shape (T,)")
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
        corpus, length: the arguments.
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

    def starts(self, length: int) -> Tensor:
        """Where the held-out windows of T = `length` tokens begin, spread evenly: (64,) int64."""
        last = len(self.validation) - length - 1
        return torch.linspace(0, last, HELD_OUT).long().clamp(max=last)  # float32 may round up

    def held_out(self, length: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Inputs and targets, both (B, T), of windows spread evenly over what is held out."""
        for some in self.starts(length).split(32):
            windows = self.validation[some[:, None] + torch.arange(length + 1)]
            yield windows[:, :-1], windows[:, 1:]
