"""Answers that are several numbers at once, such as a median and its quartiles."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from torch import Tensor

from feedback.notebook.checks.verdict import Mistake, expect

Numbers = Sequence[float]


def three_numbers(found: object, names: str) -> list[float]:
    """What an answer returned, as floats.

    Args:
        found: a tuple, a list, an array or a tensor.
        names: of the three, such as "a, b and a / b".

    Raises:
        Mistake: it is not three numbers.
    """
    said = f"return three numbers, {names}"
    kind = type(found).__name__
    expect(isinstance(found, (tuple, list, np.ndarray, Tensor)), f"{said}; that is a {kind}")
    numbers = list(found)  # type: ignore[call-overload]
    expect(len(numbers) == 3, f"{said}; those are {len(numbers)}")
    try:
        return [float(x) for x in numbers]
    except (TypeError, ValueError) as error:
        raise Mistake(f"{said}; one of them is no number ({error})") from error


def agree(found: Numbers, wanted: Numbers, tolerance: float = 1e-4) -> bool:
    """Whether numbers are as many as wanted, each within `tolerance` of its size.

    Below a size of 1e-3 the tolerance shrinks no further.
    """
    return len(found) == len(wanted) and all(
        math.isclose(x, y, rel_tol=tolerance, abs_tol=1e-3 * tolerance)
        for x, y in zip(found, wanted, strict=True)
    )


def expect_close(
    found: Numbers,
    wanted: Numbers,
    slips: Mapping[str, Numbers],
    otherwise: str,
    tolerance: float = 1e-4,
) -> None:
    """Raise `Mistake` unless these are the numbers, with the slip that would give what was found.

    Args:
        slips: what likely mistakes give, each under a sentence that names it.
        otherwise: what to say if it is none of them.
        tolerance: how far off a number may be, as a part of itself.
    """
    if agree(found, wanted, tolerance):
        return
    for slip, wrong in slips.items():
        expect(not agree(found, wrong, tolerance), slip)
    expect(False, otherwise)
