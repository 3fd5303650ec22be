"""Chapter 12 draws what is recorded of passes, as far as it is, and says in a line what is not."""

import json
import re
from pathlib import Path

import how_recurrent
import matplotlib
import plans
import pytest
import record as recording
import torch
from helpers import small, some_tokens

import feedback.results
from feedback.files import read_json

matplotlib.use("Agg")
NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks/12-in-parallel-after-all.ipynb"
CELLS = {cell["id"]: "".join(cell["source"]) for cell in read_json(NOTEBOOK)["cells"]}
TOOLS = ("imports-12", "recorded-12", "tools-training-12")
DRAWN = {
    "table-recurrence-12": ("recurrence",),
    "fig-reading-12": ("reading",),
    "table-cost-12": ("passes-cost",),
    "fig-training-12": ("passes-text",),
    "table-wider-12": ("passes-wider",),
    "table-state-12": ("passes-s3", "passes-parity"),
}


@pytest.fixture
def results(tmp_path, monkeypatch):
    """A folder that chapters take for the one of the recorded results."""
    monkeypatch.setattr(feedback.results, "FOLDER", tmp_path)
    monkeypatch.setattr(recording, "RESULTS", tmp_path)
    return tmp_path


@pytest.fixture
def printed(capsys, monkeypatch):
    """A function that runs a cell behind the tools and returns what it prints."""
    monkeypatch.setattr("matplotlib.pyplot.show", lambda: None)

    def run(cell: str) -> str:
        names: dict = {}
        for one in (*TOOLS, cell):
            exec(compile(CELLS[one], one, "exec"), names)
        matplotlib.pyplot.close("all")
        return capsys.readouterr().out

    return run


def found(request, number: int) -> dict:
    """What a run might have found, in the form of `runs.carry_out`."""
    losses = [4.2, 1.6 - 0.01 * number, 1.5 - 0.01 * number]
    answer = {"seed": request.run.settings.seed, "config": {}, "weights": 1, "machine": {}}
    answer |= {"step": [0, 50, 100], "validation_loss": losses, "accuracy": [0.1, 0.4, 0.5]}
    answer["processor_seconds"] = [0.0, 10.0 + number, 20.0 + number]
    if request.run.settings.passes is not None:
        answer["residual"] = [None, 0.05, None]
    if request.ends:
        answer |= {"right": [3] * len(request.ends), "answers": [4] * len(request.ends)}
    return answer


@pytest.mark.parametrize("cell", DRAWN)
def test_what_is_not_recorded_is_named_in_one_line(cell, results, printed):
    lines = printed(cell).splitlines()
    assert lines == [
        f"{name} is not recorded yet: `make results ONLY={name}` makes it." for name in DRAWN[cell]
    ]


@pytest.mark.parametrize("name", ["passes-text", "passes-wider", "passes-s3", "passes-parity"])
@pytest.mark.parametrize("done", ["one", "some", "all"])
def test_runs_are_shown_as_far_as_they_are_recorded(name, done, results, printed):
    record = recording.Record(name, plans.EXPERIMENTS[name])
    due = list(record.missing().values())
    cell = next(cell for cell, names in DRAWN.items() if name in names)
    for number, request in enumerate(due[: {"one": 1, "some": 5, "all": len(due)}[done]]):
        record.known[request.name] = found(request, number)
    if done == "all":  # a run may break off
        last = due[-1]
        record.known[last.name] = {"seed": 2, "diverged": "step 7", "machine": {}}
    record.write()
    said = printed(cell)
    lines = [line.strip() for line in said.splitlines()]
    pending = 0
    for variant in record.experiment.variants:
        runs = [record.known.get(request.name) for request in record.results(variant)]
        shown = [line for line in lines if line.startswith(f"{variant.name}  ")]
        whole = [line for line in shown if "diverged" not in line and "not recorded" not in line]
        assert bool(whole) == any(run and "diverged" not in run for run in runs), variant.name
        pending += not any(runs)
    assert ("not recorded yet" in said) == (pending > 0 or cell == "table-state-12")
    assert all(len(line) < 90 for line in lines if "recorded yet" not in line)


def test_other_measurements_are_shown(results, printed):
    rows = [
        {"name": name, "largest_error": 0.1 / i, "seconds": [0.01 * i, 0.02 * i]}
        for i, name in enumerate(("8 passes", "window 8, tolerance 0.1"), start=1)
    ]
    within = {"name": "8 passes", "ratio": 0.7, "same": 480, "tie": 15, "other": 5}
    reading = {"exact": {"whole sequence": [0.07], "single steps": [0.05]}, "prompts": 500}
    reading |= {"approximate": rows, "within 0.02": within}
    reading["random weights"] = {"whole sequence": [1.2], "single steps": [0.9], "8 passes": [0.6]}
    (results / "reading.json").write_text(json.dumps(reading))
    said = printed("fig-reading-12")
    assert "within 0.02: 8 passes, 0.70 times as quick" in said and "480 of 500" in said
    assert re.search(r"8 passes +1\.50\n", said)
    cost = [
        {"name": name, "width": 64, "layers": 2, "batch": batch, "tokens": 32, "seconds": [time, 9]}
        for batch, times in ((1, (1.0, 5.0, 2.5)), (64, (1.0, 1.9, 2.5)))
        for name, time in zip(("parallel", "exact", "2+2"), times, strict=True)
    ]
    (results / "passes-cost.json").write_text(json.dumps({"results": cost}))
    assert "quicker than 2+2 at: 64, 2, 64, 32\n" in printed("table-cost-12")


def test_how_recurrent_models_are_is_shown(results, printed):
    apart = torch.tensor([True, False])
    asked = how_recurrent.ask(small(), some_tokens(T=8), apart)
    kept = {"source": "s3", "memory_size": None, "seed": 0, **asked, "untrained": asked}
    steps = [{"step": step, "validation_loss": 1.5, "accuracy": 0.5, **asked} for step in (0, 25)]
    trained = [{"name": "text, all", "source": "text", "steps": steps}]
    (results / "recurrence.json").write_text(json.dumps({"kept": [kept], "trained": trained}))
    said = printed("table-recurrence-12")
    assert "text, all" in said and "s3, all" in said
