"""What a machine without an accelerator can say about one, and about measuring on it."""

import json
import subprocess
import sys
from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
import torch

from feedback.results import accelerator

ROOT = Path(__file__).resolve().parent.parent
RECORD = {
    "command": "python benchmarks/accelerator.py",
    "machine": {"accelerator": "Made-up 9", "torch": "2.0", "date": "2026-01-01"},
    "stages": {
        "equality": {
            "rows": [{"variant": "parallel", "how": "eager", "output": 1e-15, "gradient": 3e-12}],
            "left_out": [],
        },
        "training": {
            "rows": [
                dict(batch=2, tokens=4, numbers=numbers, variant=variant, how=how, seconds=seconds)
                for numbers, how, variant, seconds in [
                    ("float32", "eager", "parallel", [1.0, 1.0, 1.0]),
                    ("float32", "eager", "feedback-kv", [8.0, 8.0, 9.0]),
                    ("float32", "graph", "parallel", [0.5, 0.5, 0.5]),
                    ("float32", "graph", "feedback-kv", [2.0, 2.0, 2.0]),
                    ("bfloat16", "eager", "feedback-kv", [5.0, 5.0]),
                ]
            ],
            "left_out": [{"batch": 9, "variant": "feedback", "why": "TimeoutError: no time"}],
        },
        "notebooks": {"rows": [{"notebook": "a.ipynb", "seconds": 30.0}], "left_out": []},
    },
}


@pytest.fixture(scope="module")
def benchmark():
    spec = spec_from_file_location("accelerator_benchmark", ROOT / "benchmarks/accelerator.py")
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_nothing_is_on_the_wrong_device_and_the_host_waits_nowhere():
    """In a process of its own: once it is there, a pretended accelerator is there for all."""
    facts = Path(__file__).with_name("on_an_accelerator.py")
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", str(facts)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_all_stages_but_the_notebooks_measure_on_a_cpu(benchmark, tmp_path):
    """The same code as on an accelerator, with small models; the file is the record."""
    stages, out = ["equality", "training", "generation"], tmp_path / "accelerator.json"
    found = benchmark.measure(stages, benchmark.QUICK, torch.device("cpu"), out)
    assert found == json.loads(out.read_text())
    assert not any(content["left_out"] for content in found["stages"].values())
    for row in found["stages"]["equality"]["rows"]:
        assert max(row["output"], row["gradient"]) < 1e-9 and row["gradients"] > 40
    for stage in stages[1:]:
        rows = found["stages"][stage]["rows"]
        named = {row["variant"].partition(",")[0] for row in rows}
        assert named == {"parallel", "feedback-kv", "feedback"}
        assert all(len(row["seconds"]) >= 4 for row in rows)  # two turns of two
        assert accelerator.over_parallel(found, stage)
    assert len(accelerator.in_words(found)) > 5


def test_a_difference_from_the_cpu_is_found(benchmark):
    from feedback import Config, LanguageModel

    here = LanguageModel(Config("feedback-kv", 11, 12, 3, 2, 8)).double()
    there = LanguageModel(Config("feedback-kv", 11, 12, 3, 2, 8)).double()
    there.load_state_dict(here.state_dict())
    there.head.bias.data[3] += 0.01
    (found,) = benchmark.compare(here, there, torch.randint(11, (2, 5)), "eager")
    assert found["output"] > 1e-4 and found["gradient"] > 1e-4


def test_what_fails_or_has_no_time_is_left_out_and_says_why(benchmark, tmp_path, monkeypatch):
    plan = replace(benchmark.QUICK, limits={"training": 60, "generation": 0})
    monkeypatch.setitem(benchmark.STAGES, "training", lambda *given: 1 / 0)
    stages, out = ["training", "generation"], tmp_path / "accelerator.json"
    found = benchmark.measure(stages, plan, torch.device("cpu"), out)["stages"]
    assert "ZeroDivisionError" in found["training"]["left_out"][0]["why"]
    assert len(found["generation"]["left_out"]) == 3 and not found["generation"]["rows"]
    assert all("no time" in row["why"] for row in found["generation"]["left_out"])


def test_a_notebook_that_fails_is_named_with_its_error(benchmark, tmp_path, monkeypatch):
    """Where it is run is not the question here: a command takes the place of a kernel."""
    monkeypatch.setattr(
        benchmark.subprocess,
        "run",
        lambda command, **more: subprocess.CompletedProcess(
            command, int(command[-1] == "bad.ipynb"), "", "NameError: x"
        ),
    )
    files = [tmp_path / "bad.ipynb", tmp_path / "good.ipynb"]
    for file in files:
        file.write_text("{}")
    stage = benchmark.Stage(60, lambda: None)
    benchmark.notebooks(stage, benchmark.QUICK, torch.device("cpu"), files)
    assert [row["notebook"] for row in stage.rows] == ["good.ipynb"]
    assert [row["notebook"] for row in stage.left_out] == ["bad.ipynb"]
    assert "NameError: x" in stage.left_out[0]["why"]


def test_the_plan_ends_in_ten_minutes_and_knows_every_chapter(benchmark):
    assert sum(benchmark.FULL.limits.values()) < 10 * 60 - 30  # what is begun is finished
    assert benchmark.FULL.limits.keys() == benchmark.STAGES.keys()
    assert set(benchmark.chapters()) == set((ROOT / "notebooks").glob("*.ipynb"))


def test_a_record_is_read_in_ratios_to_the_parallel_model_under_the_same_conditions():
    eager, graph = accelerator.over_parallel(RECORD, "training")
    assert (eager["variant"], eager["how"], eager["ratio"]) == ("feedback-kv", "eager", 8)
    assert (graph["how"], graph["ratio"], graph["low"], graph["high"]) == ("graph", 4, 4, 4)
    assert eager["low"] == 8 and eager["high"] == 8.5
    assert accelerator.over_parallel(RECORD, "generation") == []


def test_a_record_is_told_in_words_and_drawn():
    told = "\n".join(accelerator.in_words(RECORD))
    for part in ("Made-up 9", "3.0e-12", "8.00 (8.00 to 8.50)", "1 chapters", "no time"):
        assert part in told
    fig = accelerator.picture(RECORD)
    assert len(fig.axes[0].patches) == 2 and not fig.axes[1].patches
    plt.close(fig)


def test_chapter_9_reads_what_is_there_and_says_where_nothing_is(tmp_path, monkeypatch):
    monkeypatch.setattr(accelerator, "RECORD", tmp_path / "accelerator.json")
    assert accelerator.read() is None
    (tmp_path / "accelerator.json").write_text(json.dumps(RECORD))
    assert accelerator.read() == RECORD
