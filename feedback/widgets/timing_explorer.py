"""Times of a sweep on logarithmic axes, with a run of the reader's own over them (chapter 9)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import traitlets

from feedback import timing
from feedback.results import load_result

from .base import Checked, StaticWidget, Widget, as_list, sources

SECONDS, SPEED, RATIO = UNITS = ("seconds", "tokens a second", "ratio to parallel")
SIZES = {  # how a size is said: all that can vary between the cases of a sweep
    "tokens": "{} tokens",
    "layers": "{} layers",
    "batch": "batch {}",
    "width": "width {}",
    "heads": "{} heads",
    "hidden": "hidden {}",
}


class TimingExplorer(Widget):
    """Choose what was timed, over which size and for which models, and compare.

    Arguments:
        found: what `feedback.timing.sweep` returns; the times recorded with the package if None.
        own: another such result, drawn over `found`; it can be set later, and None removes it.

    Attributes:
        what: "training" or "generation", of those that were timed.
        over: the size along the axis: "tokens", "layers", "batch", "width", "heads" or "hidden".
        at: the other sizes, in words: one of `ats`. The first of them if it does not fit `over`.
        unit: "seconds", "tokens a second" or "ratio to parallel", of medians and quartiles. A ratio
            divides by the median of the parallel model in the same run.
        variants: names of the models and paths that are shown.

    All attributes can be set, and follow the page while a kernel runs. A ValueError says what is
    wrong with a value.
    """

    _esm, _css = sources(__file__)

    found = traitlets.Any()
    own = traitlets.Any(None, allow_none=True)

    # What the page draws: made from the two above, in one piece so that it always fits together.
    plots = traitlets.Dict().tag(sync=True)
    what = traitlets.Unicode().tag(sync=True)
    over = traitlets.Unicode().tag(sync=True)
    at = traitlets.Unicode().tag(sync=True)
    unit = traitlets.Unicode(SECONDS).tag(sync=True)
    variants = Checked().tag(sync=True)

    def __init__(self, found: dict | None = None, own: dict | None = None):
        plots = _plots(_runs(found, own), self.own_name)
        first = _start(plots)
        super().__init__(
            found=found,
            own=own,
            plots=plots,
            what=first["what"],
            over=first["over"],
            at=first["at"],
            variants=plots["variants"],
        )

    @property
    def own_name(self) -> str:
        """In the built book it is not the reader who ran it."""
        return "this page's run" if isinstance(self, StaticWidget) else "your run"

    @property
    def ats(self) -> list[str]:
        """What `at` can be: the sizes at which `over` was varied, the best covered first."""
        views = self.plots["views"]
        return [v["at"] for v in views if (v["what"], v["over"]) == (self.what, self.over)]

    @property
    def view(self) -> dict:
        """The plot that is shown: the first that fits best to what was chosen."""

        def fit(view: dict) -> list[bool]:
            return [view[name] == getattr(self, name) for name in ("what", "over", "at")]

        return max(self.plots["views"], key=fit)

    def describe(self) -> str:
        """A few sentences that say what the picture shows, who is quickest, and how time grows."""
        view = self.view
        at = f" ({view['at']})" if view["at"] else ""
        said = [f"{view['what'].capitalize()}, {self.unit} against {view['over']}{at}."]
        for number, run in enumerate(self.plots["runs"]):
            lines = [
                line
                for line in view["lines"]
                if line["run"] == number and line["variant"] in self.variants
            ]
            if lines:
                said.append(_compare(run["name"], lines, view["over"], self.unit))
        return " ".join(said if len(said) > 1 else [*said, "No model is chosen."])

    @traitlets.validate("found", "own")
    def _validate_run(self, proposal):
        if proposal.value is not None:
            _checked(proposal.value, proposal.trait.name)
        return proposal.value

    @traitlets.observe("found", "own")
    def _draw_again(self, change):
        before = self.plots["variants"]
        self.plots = _plots(_runs(self.found, self.own), self.own_name)
        self.variants = [v for v in self.plots["variants"] if v in self.variants or v not in before]
        if _points_of_last_run(self.plots, self.view) == 0:
            view = _start(self.plots)
            self.what, self.over, self.at = view["what"], view["over"], view["at"]

    @traitlets.validate("what", "over", "at")
    def _validate_choice(self, proposal):
        name = proposal.trait.name
        known = dict.fromkeys(view[name] for view in self.plots["views"])
        return _one_of(known, proposal.value, name)

    @traitlets.validate("unit")
    def _validate_unit(self, proposal):
        return _one_of(UNITS, proposal.value, "unit")

    @traitlets.validate("variants")
    def _validate_variants(self, proposal):
        names = as_list("variants", proposal.value)
        return [_one_of(self.plots["variants"], name, "variants") for name in names]


def _one_of(known, value, name: str):
    if value not in known:
        listed = "; ".join(map(repr, known))
        raise ValueError(f"{name} holds {value!r}; choose among {listed}")
    return value


def _runs(found: dict | None, own: dict | None) -> list[dict]:
    found = load_result("timing") if found is None else found
    return [_checked(found, "found")] + ([] if own is None else [_checked(own, "own")])


def _checked(run, name: str) -> dict:
    """A run with its samples gathered: {"machine": ..., "cases": {(what, variant, sizes): [s]}}."""
    expected = "give what feedback.timing.sweep returns, or feedback.results.load_result('timing')"
    if not isinstance(run, dict) or not {"machine", "results"} <= run.keys():
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


def _plots(runs: Sequence[dict], own_name: str) -> dict:
    """All that can be drawn of runs, the recorded one first.

    A *view* is one plot: what was timed, over which size, at which others, and a line for each
    variant and run. Views over the same size stand in the order of how much was measured there.
    """
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
            for sizes in sorted(grouped, key=counts.get, reverse=True):
                at = {size: n for size, n in zip(SIZES, sizes, strict=True) if size in several}
                lines = [
                    _line(number, variant, of_run, dict(zip(SIZES, sizes, strict=True)), over)
                    for number, of_run in enumerate(grouped[sizes])
                    for variant in variants
                    if variant in of_run
                ]
                text = ", ".join(_say(size, n) for size, n in at.items() if size != over)
                views.append({"what": what, "over": over, "at": text, "lines": lines})
    alike = [_say(size, *every[size]) for size in SIZES if size not in several]
    cards = [
        {
            "name": name,
            "machine": ", ".join(f"{key} {value}" for key, value in run["machine"].items()),
        }
        for name, run in zip(("recorded", own_name), runs, strict=False)
    ]
    return {"runs": cards, "variants": variants, "views": views, "alike": ", ".join(alike)}


def _start(plots: dict) -> dict:
    """The view to begin with: where there is most of the last run."""
    return max(plots["views"], key=lambda view: _points_of_last_run(plots, view))


def _points_of_last_run(plots: dict, view: dict) -> int:
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
    points = {unit: [] for unit in UNITS}
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


# ---- words: the same as in timing_explorer.js ----


def _compare(run: str, lines: list[dict], over: str, unit: str) -> str:
    """Who is quickest at the largest size of a run, by how much, and the slopes of the lines."""
    size = max(line[SECONDS]["points"][-1][0] for line in lines)
    last = [(line["variant"], line[SECONDS]["points"][-1]) for line in lines]
    there = sorted(
        ((name, point) for name, point in last if point[0] == size), key=lambda x: x[1][1]
    )
    (quickest, (_, best, _, high)), *others = there
    rivals = [name for name, (_, _, low, _) in others if low <= high]
    if not others:
        verdict = f"{quickest} takes {_two_digits(best)} seconds."
    elif rivals:
        verdict = f"no winner, the quartiles of {_and([quickest, *rivals])} overlap."
    else:
        verdict = f"{quickest} is the quickest."
    parts = [f"{run[0].upper()}{run[1:]}, at {_say(over, size)}: {verdict}"]
    if others:
        medians = {name: point[1] for name, point in there}
        base = "parallel" if "parallel" in medians else quickest
        times = [f"{v} {_two_digits(m / medians[base])}" for v, m in medians.items() if v != base]
        parts.append(f"Times as long as {base}: {'; '.join(times)}.")
    slopes = [
        f"{line['variant']} {_slope(line[unit]['slope'])}"
        for line in lines
        if unit in line and line[unit]["slope"] is not None
    ]
    if slopes:
        parts.append(f"Slopes: {'; '.join(slopes)}.")
    return " ".join(parts)


def _say(size: str, number: int) -> str:
    text = SIZES[size].format(number)
    return text.removesuffix("s") if number == 1 and text[0] == "1" else text


def _and(names: Sequence[str]) -> str:
    return f"{'; '.join(names[:-1])} and {names[-1]}"


def _two_digits(value: float) -> str:
    return f"{value:#.2g}".removesuffix(".") if value < 99.5 else f"{value:.0f}"


def _slope(value: float) -> str:
    # Adding 0 makes a zero of a negative one.
    return f"{round(value, 2) + 0:.2f}".replace("-", "\N{MINUS SIGN}")
