"""Sphinx extension: what the introduction shows beside its text.

```{live-model}```        the live model, folded: its weights are loaded when a reader unfolds it
```{train-here}```        two models that learn parity in the page, with one button
```{recorded-lengths}```  a figure of `feedback/results/length-s3.json`. Its content is the caption,
                          in which {feedback} and {parallel} are numbers of seeds; `:alt:` says
                          the same to who does not see it

What the caption says is checked against the result before it is drawn.
"""

import io

from docutils import nodes
from docutils.parsers.rst import directives
from offline import PACKAGE
from sphinx.util.docutils import SphinxDirective

# isort: split
import drawings

RESULT = "length-s3"
GUESS = 1 / 6  # the share of right answers of who guesses one of six states
# Tokens: up to where the models were trained, where those with the whole memory have lost the
# state, and where the parallel ones have.
TRAINED, LOST, EARLY = 32, 256, 10
# The variants that are shown: label, style, and where the label stands (tokens, share).
SHOWN = {
    "feedback-kv, 2 layers, last 4": ("feedback,\nlast 4 vectors", "-", (235, 0.95)),
    "feedback-kv, 2 layers, all": ("feedback,\nwhole memory", (0, (1.5, 1)), (205, 0.6)),
    "parallel, 2 layers, all": ("parallel", "--", (6.7, 0.6)),
}


def setup(app):
    app.add_directive("live-model", LiveModelDirective)
    app.add_directive("train-here", TrainHere)
    app.add_directive("recorded-lengths", RecordedLengths)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


class LiveModelDirective(SphinxDirective):
    def run(self):
        from feedback.widgets import LiveModel

        for path in (*PACKAGE.glob("widgets/*.py"), *PACKAGE.glob("pretrained/feedback-kv/*")):
            self.env.note_dependency(str(path))
        live = LiveModel()
        size = f"{len(live.buffer) / 1e6:.1f} MB"
        widget = live._repr_mimebundle_()["text/html"]
        summary = f"Let a trained model write, here <small>(loads {size} once)</small>"
        folded = f'<details class="live-front"><summary>{summary}</summary>\n{widget}\n</details>'
        return [nodes.raw("", folded, format="html")]


class TrainHere(SphinxDirective):
    def run(self):
        from feedback.widgets import TrainInThePage

        for path in PACKAGE.glob("widgets/*.py"):
            self.env.note_dependency(str(path))
        widget = TrainInThePage(brief=True)._repr_mimebundle_()["text/html"]
        return [nodes.raw("", widget, format="html")]


class RecordedLengths(SphinxDirective):
    has_content = True
    option_spec = {"alt": directives.unchanged_required}

    def run(self):
        from feedback.results import load_result

        self.env.note_dependency(str(PACKAGE / f"results/{RESULT}.json"))
        self.env.note_dependency(str(PACKAGE / "plots.py"))
        self.env.note_dependency(__file__)
        shares = right_by_seed(load_result(RESULT))
        if wrong := contradiction(shares):
            raise self.error(f"the caption is not what {RESULT}.json says: {wrong}")
        short, _, parallel = (len(shares[name]) for name in SHOWN)
        text = " ".join(self.content).format(feedback=short, parallel=parallel)
        caption, _ = self.state.inline_text(text, self.lineno)
        picture = drawn(shares, self.options.get("alt", ""))
        figure = nodes.figure("", nodes.raw("", picture, format="html"), classes=["recorded"])
        figure += nodes.caption("", "", *caption)
        self.set_source_info(figure)
        return [figure]


def right_by_seed(result: dict) -> dict[str, list[dict[int, float]]]:
    """For each variant shown and each seed, the share of right answers by the token it is for.

    It is that of the span of tokens which ends there.
    """
    from feedback.results import right_by_span

    return {
        variant["name"]: [
            dict(zip(result["ends"], right_by_span(run), strict=True))
            for run in variant["runs"]
            if "diverged" not in run
        ]
        for variant in result["variants"]
        if variant["name"] in SHOWN
    }


def contradiction(shares: dict[str, list[dict[int, float]]]) -> str | None:
    """What in the result is otherwise than the caption says, or None."""
    for name in SHOWN:
        if len(shares.get(name, ())) < 2:
            return f"{name} has no two seeds"
    short, whole, parallel = (shares[name] for name in SHOWN)
    end = max(short[0])
    if min(seed[end] for seed in short) < 0.95:
        return "a seed with a short memory is wrong at the end"
    if min(seed[TRAINED] for seed in whole) < 0.95:
        return "a seed with the whole memory is wrong at the trained length"
    if max(seed[LOST] for seed in whole) > GUESS + 0.1:
        return f"a seed with the whole memory does not guess at {LOST}"
    if max(seed[EARLY] for seed in parallel) > GUESS + 0.1:
        return f"a parallel seed does not guess at {EARLY}"
    return None


def drawn(shares: dict[str, list[dict[int, float]]], alt: str) -> str:
    """The figure as a drawing, whose colours follow the page."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from feedback import plots

    with plt.rc_context():
        plots.use_style()
        plt.rcParams["font.size"] = 10
        fig, ax = plt.subplots(figsize=(5.2, 1.9))
        for name, (label, style, place) in SHOWN.items():
            color = plots.COLORS[name.partition(",")[0]]
            for seed in shares[name]:
                ax.plot([*seed], [*seed.values()], linestyle=style, color=color, lw=1.5)
            ax.annotate(label, place, va="top")
        ax.axvline(TRAINED, lw=1, color="black")
        ax.annotate("trained length ", (TRAINED, 0.95), va="top", ha="right")
        ax.set_xscale("log", base=2)
        ax.set_xticks([2, 8, 32, 128, 512, 1024], ["2", "8", "32", "128", "512", "1,024"])
        ax.set(
            xlabel="shuffles read", ylabel="right answers (share)", ylim=(0, 1.03), xlim=(1.6, 1100)
        )
        text = io.StringIO()
        fig.savefig(text, format="svg", metadata={"Date": None})
        plt.close(fig)
    return drawings.inline(text.getvalue(), alt, "recorded")
