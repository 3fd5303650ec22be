"""How sure a mean over seeds is, and how sure a share.

Built in chapter 11.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

# Student's t for 95 %, by the number of values; a table, since no library here has the inverse.
T_95 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306, 10: 2.262}


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean of 2 to 10 values, and the two ends of its 95 % interval, in the unit of the values.

    If values came from a normal distribution, such an interval would hold its mean in 95 of 100
    repetitions, whatever its width.

    Raises:
        ValueError: there are fewer than 2 or more than 10 values, or one is not finite.
    """
    if len(values) not in T_95:
        raise ValueError(f"there are {len(values)} values; an interval here needs 2 to 10")
    if not all(map(math.isfinite, values)):
        raise ValueError(f"the values are {list(values)}; all of them must be finite")
    middle = statistics.mean(values)
    half = T_95[len(values)] * statistics.stdev(values) / math.sqrt(len(values))
    return middle, middle - half, middle + half


def wilson(held: int, done: int) -> tuple[float, float]:
    """The two ends of the 95 % interval of a share, where `held` of `done` tries held.

    It stays within 0 and 1 and has a width even where all or none held (Wilson 1927).

    Raises:
        ValueError: nothing was tried, or more held than were tried.
    """
    if not 0 <= held <= done or done == 0:
        raise ValueError(f"{held} of {done} is no share")
    z, share = statistics.NormalDist().inv_cdf(0.975), held / done
    middle = (share + z**2 / (2 * done)) / (1 + z**2 / done)
    half = z * math.sqrt(share * (1 - share) / done + z**2 / (4 * done**2)) / (1 + z**2 / done)
    return middle - half, middle + half
