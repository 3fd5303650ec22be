"""Exercises in which the reader's answer is a test, and has to find what is wrong with others."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from feedback.notebook.checks.verdict import Mistake, expect


def expect_catches(test: Callable, right: object, faulty: Mapping[str, object]) -> None:
    """Raise `Mistake` unless a test lets the right one pass and stops each of the faulty ones.

    A test stops what it is given by any error, as `assert` does, or by returning False.

    Args:
        test: the reader's, a function of one argument.
        right: what has no fault, such as a function or a model.
        faulty: others with one fault each, under a hint at that fault.
    """
    complaint = stopped(test, right)
    expect(complaint is None, f"your test stops the right one as well ({complaint})")
    missed = [hint for hint, one in faulty.items() if stopped(test, one) is None]
    caught = f"{len(faulty) - len(missed)} of {len(faulty)} faults are caught"
    expect(not missed, f"{caught}; as to the next, {missed and missed[0]}")


def stopped(test: Callable, subject: object) -> str | None:
    """How a test stops this, in a few words; None if it lets it pass."""
    try:
        return "it returns False" if test(subject) is False else None
    except Mistake:
        raise
    except Exception as error:
        return f"{type(error).__name__}: {error}".rstrip(": ").partition("\n")[0]
