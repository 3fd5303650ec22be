"""Times of a sweep on logarithmic axes, with a run of the reader's own over them (chapter 9)."""

from __future__ import annotations

from typing import Any

import traitlets

from .base import StaticWidget, Widget, sources
from .timing_explorer_plots import draw, gathered, points_of_last_run, start
from .timing_explorer_words import SECONDS, UNITS, compare
from .traits import Checked, OneOf, SomeOf


class Sweep(Checked):
    """What `feedback.timing.sweep` returns, as it is."""

    @staticmethod
    def check(name: str, value: Any) -> dict:
        gathered(name, value)
        return value


class TimingExplorer(Widget):
    """Choose what was timed, over which size and for which models, and compare.

    All attributes can be set but `plots`, which follows `found` and `own`, and what is chosen here
    or in the page is chosen in both while a kernel runs. A wrong value raises a TypeError or a
    ValueError that says what is expected, and changes nothing.

    Attributes:
        found: an argument: what `feedback.timing.sweep` returns; None stands for the times that
            were recorded with the package.
        own: an argument: another such result, drawn over `found`; None if there is none.
        plots: all that the page can draw, as `timing_explorer_plots.draw` makes it.
        what: "training", "reading" or "generation", of those that were timed.
        over: the size along the axis: "tokens", "layers", "batch", "width", "heads" or "hidden".
        at: the other sizes, in words: one of `ats`. The first of them if it does not fit `over`.
        unit: "seconds", "tokens a second" or "ratio to parallel", of medians and quartiles. A ratio
            divides by the median of the parallel model in the same run.
        variants: names of the models and paths that are shown.
    """

    _esm, _css = sources(__file__)

    found = Sweep(allow_none=True)
    own = Sweep(allow_none=True)

    # Made from the two above, in one piece so that it always fits together.
    plots = traitlets.Dict().tag(sync=True)
    what = OneOf(lambda self: self._known("what")).tag(sync=True)
    over = OneOf(lambda self: self._known("over")).tag(sync=True)
    at = OneOf(lambda self: self._known("at")).tag(sync=True)
    unit = OneOf(UNITS).tag(sync=True)
    variants = SomeOf(lambda self: self.plots["variants"]).tag(sync=True)

    def __init__(self, found: dict | None = None, own: dict | None = None):
        plots = draw(found, own, self.own_name)
        first = start(plots)
        super().__init__(
            found=found,
            own=own,
            plots=plots,
            what=first["what"],
            over=first["over"],
            at=first["at"],
            unit=SECONDS,
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
                said.append(compare(run["name"], lines, view["over"], self.unit))
        return " ".join(said if len(said) > 1 else [*said, "No model is chosen."])

    @traitlets.observe("found", "own")
    def _draw_again(self, change):
        before = self.plots["variants"]
        self.plots = draw(self.found, self.own, self.own_name)
        self.variants = [v for v in self.plots["variants"] if v in self.variants or v not in before]
        if points_of_last_run(self.plots, self.view) == 0:
            view = start(self.plots)
            self.what, self.over, self.at = view["what"], view["over"], view["at"]

    def _known(self, name: str) -> list[str]:
        """Every value that a view has under this name, each once."""
        return list(dict.fromkeys(view[name] for view in self.plots["views"]))
