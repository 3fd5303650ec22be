"""The plots of `TimingExplorer`, made from what `feedback.timing.sweep` returns.

A *case* is what was timed: (what, variant, sizes), as in ("training", "parallel", (64, 4, 8, ...)),
with the sizes in the order of SIZES. A *view* is one plot: what was timed, over which size, at
which others, and a line for each variant and run.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from feedback import timing
from feedback.results import load_result

from .timing_explorer_words import RATIO, SECONDS, SIZES, SPEED, UNITS, say


def gathered(name: str, run: object) -> dict:
    """A sweep with the samples of each case together: {"machine": ..., "cases": {case: [s]}}.

    Raises:
        TypeError, ValueError: it is not what a sweep returns.
    """
    expected = "give what feedback.timing.sweep returns, or feedback.results.load_result('timing')"
    if not isinstance(run, dict):
        raise TypeError(f"{name} is of type {type(run).__name__}; {expected}")
    if not {"machine", "results"} <= run.keys():
        raise ValueError(f"{name} holds no 'machine' and 'results'; {expected}")
    if not run["results"]:
        raise ValueError(f"{name} holds no results; {expected}")
    cases: dict[tuple, list[float]] = {}
    for number, result in enumerate(run["results"]):
        if missing := [key for key in ("what", "variant", "seconds", *SIZES) if key not in result]:
            raise ValueError(f"{name}: result {number} has no {missing[0]!r}; {expected}")
        seconds, sizes = list(result["seconds"]), tuple(result[size] for size in SIZES)
        if len(seconds) < 2 or not all(_is_above_0(s) for s in seconds):
            raise ValueError(
                f"{name}: result {number} has the seconds {seconds}; it needs two samples or more, "
                "all above 0"
            )
        if not all(map(_is_above_0, sizes)):
            raise ValueError(f"{name}: result {number} has a size that is not above 0: {result}")
        key = result["what"], result["variant"], sizes
        cases.setdefault(key, []).extend(seconds)
    return {"machine": run["machine"], "cases": cases}


def _is_above_0(value) -> bool:
    return isinstance(value, (int, float)) and 0 < value < math.inf


def draw(found: dict | None, own: dict | None, own_name: str) -> dict:
    """All that can be drawn of the recorded run and of another, which is called `own_name`.

    Views over the same size stand in the order of how much was measured there.

    Raises:
        TypeError, ValueError: one of them is not what a sweep returns.
    """
    runs = [gathered("found", load_result("timing") if found is None else found)]
    runs += [] if own is None else [gathered("own", own)]
    keys = [key for run in runs for key in run["cases"]]
    every = {size: {sizes[i] for *_, sizes in keys} for i, size in enumerate(SIZES)}
    several = [size for size in SIZES if len(every[size]) > 1]
    order = [*timing.VARIANTS, *(variant for _, variant, _ in keys)]
    variants = sorted({variant for _, variant, _ in keys}, key=order.index)
    views = []
    for what in dict.fromkeys(what for what, *_ in keys):
        for over in several or ["tokens"]:
            grouped = _grouped(runs, what, over)
            # A run of the reader's counts first: it should be seen.
            counts = {
                sizes: [sum(map(len, lines.values())) for lines in of_runs][::-1]
                for sizes, of_runs in grouped.items()
            }
            for sizes in sorted(grouped, key=lambda sizes: counts[sizes], reverse=True):
                at = {size: n for size, n in zip(SIZES, sizes, strict=True) if size in several}
                lines = [
                    _line(number, variant, of_run, dict(zip(SIZES, sizes, strict=True)), over)
                    for number, of_run in enumerate(grouped[sizes])
                    for variant in variants
                    if variant in of_run
                ]
                text = ", ".join(say(size, n) for size, n in at.items() if size != over)
                views.append({"what": what, "over": over, "at": text, "lines": lines})
    alike = [say(size, *every[size]) for size in SIZES if size not in several]
    cards = [
        {
            "name": name,
            "machine": ", ".join(f"{key} {value}" for key, value in run["machine"].items()),
        }
        for name, run in zip(("recorded", own_name), runs, strict=False)
    ]
    return {"runs": cards, "variants": variants, "views": views, "alike": ", ".join(alike)}


def start(plots: dict) -> dict:
    """The view to begin with: where there is most of the last run."""
    return max(plots["views"], key=lambda view: points_of_last_run(plots, view))


def points_of_last_run(plots: dict, view: dict) -> int:
    """How much a view shows of the last run, which is the one of the reader if there is one."""
    last = len(plots["runs"]) - 1
    return sum(len(line[SECONDS]["points"]) for line in view["lines"] if line["run"] == last)


def _grouped(runs: Sequence[dict], what: str, over: str) -> dict[tuple, list[dict]]:
    """For sizes that differ in more than `over`: of each run {variant: {size: samples}}."""
    place = list(SIZES).index(over)
    grouped: dict[tuple, list[dict]] = {}
    for number, run in enumerate(runs):
        for (timed, variant, sizes), seconds in run["cases"].items():
            if timed == what:
                others = (*sizes[:place], None, *sizes[place + 1 :])
                of_runs = grouped.setdefault(others, [{} for _ in runs])
                of_runs[number].setdefault(variant, {})[sizes[place]] = seconds
    return grouped


def _line(number: int, variant: str, run: dict, sizes: dict, over: str) -> dict:
    """A line for each unit: its points [size, median, quartile, quartile], and the fitted slope."""
    parallel = run.get("parallel", {})
    points: dict[str, list[list[float]]] = {unit: [] for unit in UNITS}
    for size, seconds in sorted(run[variant].items()):
        middle, low, high = timing.spread(seconds)
        at = sizes | {over: size}
        tokens = at["batch"] * at["tokens"]
        points[SECONDS].append([size, middle, low, high])
        points[SPEED].append([size, tokens / middle, tokens / high, tokens / low])
        if size in parallel:
            base = timing.spread(parallel[size])[0]
            points[RATIO].append([size, middle / base, low / base, high / base])
    return {"variant": variant, "run": number} | {
        unit: {"points": of_unit, **_fit(of_unit)} for unit, of_unit in points.items() if of_unit
    }


def _fit(points: list[list[float]]) -> dict:
    """The slope between the logarithms, and the ends [y, y] of the fitted line."""
    if len(points) < 2:
        return {"slope": None, "ends": None}
    sizes, middles = [p[0] for p in points], [p[1] for p in points]
    slope = timing.exponent(sizes, middles)
    # A line of least squares goes through the means.
    x, y = (sum(map(math.log, values)) / len(values) for values in (sizes, middles))
    ends = [math.exp(y + slope * (math.log(size) - x)) for size in (sizes[0], sizes[-1])]
    return {"slope": slope, "ends": ends}
