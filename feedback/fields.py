"""Fields of dataclasses that say what they mean, once, for docstrings and for the command line."""

from __future__ import annotations

import dataclasses
import inspect
import textwrap
from typing import Any

MEANING = "meaning"  # the key in a field's metadata


def described(meaning: str, default: Any = dataclasses.MISSING) -> Any:
    """A field of a dataclass, with a phrase that says what it means.

    The phrase is data, not a docstring, because `python -OO` removes docstrings, and the command
    line needs the phrase as the help of a flag.
    """
    return dataclasses.field(default=default, metadata={MEANING: meaning})


def documented(cls: type) -> type:
    """Add what its fields mean to the docstring of a dataclass, so that `help(cls)` shows it."""
    attributes = [
        textwrap.fill(
            f"    {field.name}: {field.metadata[MEANING]}.", 96, subsequent_indent=8 * " "
        )
        for field in dataclasses.fields(cls)
    ]
    cls.__doc__ = "\n".join([inspect.cleandoc(cls.__doc__ or ""), "", "Attributes:", *attributes])
    return cls
