"""Sphinx extension: the tables of the page `book/runs.md`, filled in when the book is built.

```{runs-of-chapters}```    how long each chapter ran, when, and whether to its end
```{runs-machine}```        what this book was built on
```{runs-live}```           how often what chapters train anew came out as they say
```{runs-combinations}```   the same for each number of threads and each instruction set
```{runs-checks}```         what the checks of the exercises accept and refuse
"""

import math
from collections.abc import Sequence
from datetime import datetime, timezone

from docutils import nodes
from execution import runs, stopped
from myst_nb.sphinx_ import NbMetadataCollector
from sphinx.util.docutils import SphinxDirective

from feedback.intervals import wilson
from feedback.machine import describe_machine

HAS_RUNS = "feedback_has_runs"
FIELDS = {
    "processor": "processor",
    "instructions": "instruction set that torch computes with",
    "cores": "cores",
    "threads": "threads that torch uses",
    "accelerator": "accelerator",
    "torch": "torch",
    "python": "Python",
    "system": "system",
}


def setup(app):
    app.add_node(Runs)
    for name in TABLES:
        app.add_directive(name, RunsDirective)
    app.connect("env-updated", pages_with_runs)
    app.connect("doctree-resolved", fill_in)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


class Runs(nodes.General, nodes.Element):
    """Where a table comes to stand once all chapters have run; `what` is the directive's name."""


class RunsDirective(SphinxDirective):
    def run(self):
        NbMetadataCollector.set_doc_data(self.env, self.env.docname, HAS_RUNS, True)
        return [Runs(what=self.name)]


def pages_with_runs(app, env):
    """These pages are written in each build: it may be on another machine."""
    known = NbMetadataCollector.get_doc_data(env)
    return [name for name, data in known.items() if data.get(HAS_RUNS)]


def fill_in(app, doctree, docname):
    for place in list(doctree.findall(Runs)):
        place.replace_self(TABLES[place["what"]](app, docname))


# The tables


def chapters(app, page: str) -> list[nodes.Node]:
    """One row for each page with cells; a star on the day leads to where else it ran."""
    here, known = without_date(describe_machine()), runs(app.env)
    elsewhere, rows = [here], []
    for name, data in known.items():
        machine = (data.get("run") or {}).get("machine")
        day = machine["date"] if machine else day_of(data["mtime"])
        ran_on = machine and without_date(machine)
        if ran_on not in elsewhere:
            elsewhere.append(ran_on)
        stars = "*" * elsewhere.index(ran_on)
        how_far = "to its end" if data["succeeded"] else stop_of(data)
        rows.append([link(app, page, name), f"{data['runtime']:.1f}", day + stars, how_far])
    together = sum(data["runtime"] for data in known.values())
    return [
        nodes.paragraph(text=f"Together they took {duration(together)}."),
        table(["page", "seconds", "run on", "how far"], rows, numbers=[1, 2]),
        *(
            nodes.paragraph(text=f"{'*' * count} {described(machine)}.")
            for count, machine in enumerate(elsewhere)
            if count
        ),
    ]


def built_on(app, page: str) -> list[nodes.Node]:
    machine = describe_machine()
    rows = [[FIELDS[field], str(machine[field])] for field in FIELDS]
    return [table(["what", "this build"], [*rows, ["day", machine["date"]]])]


def live_results(app, page: str) -> list[nodes.Node]:
    """One row for each live result."""
    from feedback import live

    rows = []
    for result in live.summary():
        place = link(app, page, result["page"], result["where"]) if result["page"] else None
        claim = [*(place or [nodes.Text(result["where"])]), nodes.Text(f": {result['claim']}")]
        rows.append(
            [
                claim,
                f"{result['seconds']:.1f}",
                f"{result['held']} of {result['done']}",
                result["worst"],
                # Rounded to the safe side: these are bounds.
                f"{math.floor(1e3 * result['lower_bound']) / 1e3:.3f}",
                str(result["attempts"]),
                f"{math.ceil(1e5 * result['failing']) / 1e5:.5f}",
            ]
        )
    head = ["live result", "seconds", "came out", "worst combination", "p", "k", "all k fail"]
    return [table(head, rows, numbers=[1, 2, 4, 5, 6], classes=["live-results"])]


def combinations(app, page: str) -> list[nodes.Node]:
    """One row for each live result, one column for each number of threads and instruction set."""
    from feedback import live

    counted = {}
    for one in live.combinations():
        tried = (one["threads"], one["instructions"])
        counted.setdefault(one["name"], {})[tried] = f"{one['held']} of {one['done']}"
    columns = list(dict.fromkeys(tried for counts in counted.values() for tried in counts))
    head = [f"{instructions}, {threads_of(threads)}" for threads, instructions in columns]
    titles = {result["name"]: result["where"] for result in live.summary()}
    rows = [
        [f"{titles[name]}: {name}", *(counts.get(tried, "") for tried in columns)]
        for name, counts in counted.items()
    ]
    return [table(["live result", *head], rows, numbers=range(1, len(head) + 1))]


def checks(app, page: str) -> list[nodes.Node]:
    """One row for each exercise with a check, and one for all of them together."""
    from feedback.results import load_result

    tried = load_result("checks")["checks"]
    rows = [
        [
            one["exercise"],
            str(one["mutants"]),
            str(one["mutants"] - len(one["accepted"])),
            str(one["equivalent"]),
            f"{one['right'] - len(one['refused'])} of {one['right']}",
        ]
        for one in tried
    ]
    head = ["exercise", "wrong answers", "refused", "changes of nothing", "right answers accepted"]
    return [table(head, rows, numbers=[1, 2, 3, 4]), together(tried)]


def together(tried: list[dict]) -> nodes.paragraph:
    """What all checks do, with the intervals of both shares."""
    wrong = sum(one["mutants"] for one in tried)
    caught = wrong - sum(len(one["accepted"]) for one in tried)
    right = sum(one["right"] for one in tried)
    refused = sum(len(one["refused"]) for one in tried)
    return nodes.paragraph(
        text=f"Together {caught:,} of {wrong:,} wrong answers are refused "
        f"({share(caught, wrong)}), and {refused} of {right} right ones ({share(refused, right)})."
    )


def share(held: int, done: int) -> str:
    """A share with Wilson's 95 % interval."""
    low, high = wilson(held, done)
    return f"{held / done:.1%}; 95 % interval {low:.1%} to {high:.1%}"


TABLES = {
    "runs-checks": checks,
    "runs-of-chapters": chapters,
    "runs-machine": built_on,
    "runs-live": live_results,
    "runs-combinations": combinations,
}


# How things are written


def stop_of(data: dict) -> str:
    cell = stopped(data)["cell"]
    return "to no cell" if cell is None else f"stopped at [{cell}]"


def described(machine: dict | None) -> str:
    """Another machine than that of this build."""
    if machine is None:
        return "On which machine was not noted"
    return "Elsewhere: " + ", ".join(f"{FIELDS[field]} {machine[field]}" for field in FIELDS)


def without_date(machine: dict) -> dict:
    return {field: machine.get(field) for field in FIELDS}


def day_of(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d")


def duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def threads_of(threads: int) -> str:
    return "1 thread" if threads == 1 else f"{threads} threads"


def link(app, page: str, to: str, text: str | None = None) -> list[nodes.Node]:
    """A link from `page` to the page `to`, by default with its title."""
    target = app.builder.get_relative_uri(page, to)
    text = text or app.env.titles[to].astext()
    return [nodes.reference("", text, refuri=target, internal=True)]


def table(
    head: Sequence[str],
    rows: Sequence[Sequence[str | list[nodes.Node]]],
    numbers: Sequence[int] = (),
    classes: Sequence[str] = (),
) -> nodes.table:
    """A table with `numbers` to the right, each on one line; the theme lets a wide one scroll."""
    group = nodes.tgroup("", cols=len(head))
    group += [nodes.colspec(colwidth=1) for _ in head]
    for part, lines in ((nodes.thead(), [head]), (nodes.tbody(), rows)):
        for line in lines:
            row = nodes.row()
            for column, cell in enumerate(line):
                inside = [nodes.Text(cell)] if isinstance(cell, str) else cell
                side = ["text-right"] if column in numbers else []
                row += nodes.entry("", nodes.paragraph("", "", *inside), classes=side)
            part += row
        group += part
    return nodes.table("", group, classes=["colwidths-auto", *classes])
