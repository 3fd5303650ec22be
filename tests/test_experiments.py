"""The runner of the recorded experiments, on one that takes seconds, and what is recorded."""

import json
import os
import statistics
import sys
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import experiment
import plans
import pytest
import record as recording
import run as runner
import torch
from by_passes import PASSES
from runs import Request, Run, carry_out, count

import feedback
from feedback import LanguageModel, data
from feedback.config import Config
from feedback.files import read_json
from feedback.results import right_by_span
from feedback.tasks import NO_LABEL, TASKS
from feedback.training import Settings
from feedback.training.run_folder import RUN
from feedback.training.settings import tokens_to_come

ROOT = Path(__file__).resolve().parent.parent
SMALL = dict(d_model=8, heads=2, n_layers=1, d_ff=8, max_distance=4)
SETTINGS = Settings(steps=4, batch_size=4, sequence_length=4, evaluate_every=2, checkpoint_every=2)
TINY = experiment.Experiment(
    question="Does the runner run?",
    variants=(
        experiment.Variant("first", "parity", Config("parallel", **SMALL), SETTINGS),
        experiment.Variant(
            "second", "parity", Config("feedback-kv", **SMALL), SETTINGS, after="first"
        ),
    ),
    search=({"learning_rate": 1e-3}, {"learning_rate": 1e-2}),
    seeds=(0, 1),
    ends=(1, 2, 4, 8),
    apart=True,
)


@pytest.fixture
def results(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(recording, "RESULTS", tmp_path)
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    if hasattr(os, "fork"):  # a copy of this process need not import torch
        monkeypatch.setattr(runner, "get_context", lambda _: get_context("fork"))
    return tmp_path


@pytest.mark.slow
def test_an_experiment_is_recorded_in_parts_and_repeats(results, monkeypatch, capsys):
    runner.complete(recording.Record("tiny", TINY))
    found = read_json(results / "tiny.json")
    assert found["ends"] == [1, 2, 4, 8]
    for variant in found["variants"]:  # both had the same search, and the best of it was taken
        losses = [tried["validation_loss"] for tried in variant["search"]]
        assert [tried["changes"] for tried in variant["search"]] == list(TINY.search)
        assert variant["chosen"] == TINY.search[losses.index(min(losses))]
        assert variant["config"]["n_tokens"] == 2 and variant["weights"] > 100
        assert [run["seed"] for run in variant["runs"]] == [0, 1]
        for run in variant["runs"]:
            assert run["step"] == [0, 2, 4] and run["answers"] == [512, 512, 1024, 2048]
            assert run["processor_seconds"][0] == 0 < run["processor_seconds"][-1]
            assert all(0 <= share <= 1 for share in right_by_span(run))
            assert "machine" not in run  # it is that of the file
    requests = [read_json(file) for file in results.glob(f"_build/runs/*/{RUN}")]
    assert sum(one["from_parallel"] is not None for one in requests) == 4
    assert len(requests) == 8  # two tries and two seeds for each

    capsys.readouterr()
    lost = found["variants"][1]["runs"].pop()  # as in a part that landed before the run was done
    (results / "tiny.json").write_text(json.dumps(found))
    runner.complete(recording.Record("tiny", TINY))
    assert capsys.readouterr().out.count("validation loss") == 1
    whole = read_json(results / "tiny.json")
    assert whole["variants"][1]["runs"][1] == lost

    monkeypatch.setattr(runner, "get_context", get_context)  # as a command: in a fresh process
    runner.again(recording.Record("tiny", TINY), 1)
    assert "the same numbers" in capsys.readouterr().out
    assert not list(results.glob("again*"))
    whole["variants"][0]["runs"][0]["right"][0] += 1
    (results / "tiny.json").write_text(json.dumps(whole))
    with pytest.raises(ValueError, match="OTHER numbers"):
        runner.again(recording.Record("tiny", TINY), 1)


@pytest.mark.slow
def test_what_two_runs_start_from_is_trained_once_before_both(results, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    record = recording.Record("tiny", TINY)
    for request in record.search(TINY.variants[0]):  # known from elsewhere: no folder is here
        record.add(request, {"validation_loss": 1.0, "machine": {}})
    due = {request.name: request for request in record.search(TINY.variants[1])}
    runner.answer_all(record, due)
    assert due.keys() <= record.known.keys()
    assert len([*results.glob(f"_build/runs/*/{RUN}")]) == 3


def test_a_run_from_another_machine_names_it(results):
    record = recording.Record("tiny", replace(TINY, variants=TINY.variants[:1]))
    for number, request in enumerate(record.missing().values()):
        record.add(request, {"validation_loss": 1.0 - number, "machine": {"threads": number}})
    written = read_json(results / "tiny.json")
    assert written["machine"] == {"threads": 0}
    assert [one.get("machine") for one in written["variants"][0]["search"]] == [
        None,
        {"threads": 1},
    ]
    assert written["variants"][0]["chosen"] == TINY.search[1]
    again = recording.Record("tiny", record.experiment)
    assert again.known == record.known
    assert [*again.missing()] == ["first, seed 0", "first, seed 1"]


def test_a_search_that_grows_keeps_its_results_until_it_is_done(results):
    one = replace(TINY, variants=TINY.variants[:1])
    record = recording.Record("tiny", one)
    for loss, request in zip((1.0, 2.0), record.missing().values(), strict=True):
        record.add(request, {"validation_loss": loss, "machine": {}})
    for request in record.missing().values():
        record.add(request, {"accuracy": [1.0], "config": {}, "weights": 1, "machine": {}})
    wider = replace(one, search=(*one.search, {"learning_rate": 1e-4}, {"learning_rate": 1e-5}))
    record = recording.Record("tiny", wider)
    third, fourth = record.missing().values()
    assert third.search and fourth.search
    record.add(third, {"validation_loss": 1.5, "machine": {}})
    (variant,) = read_json(results / "tiny.json")["variants"]
    assert len(variant["search"]) == 3 and len(variant["runs"]) == 2
    assert variant["chosen"] == one.search[0]
    record = recording.Record("tiny", wider)
    record.add(fourth, {"validation_loss": 0.5, "machine": {}})  # another is better
    assert [*record.missing()] == ["first, seed 0", "first, seed 1"]
    assert read_json(results / "tiny.json")["variants"][0]["runs"] == []


def test_a_search_that_diverged_is_not_chosen(results):
    record = recording.Record("tiny", replace(TINY, variants=TINY.variants[:1]))
    for loss, request in zip((2.0, None), record.missing().values(), strict=True):
        record.add(request, {"validation_loss": loss, "machine": {}})
    assert record.chosen(record.experiment.variants[0]) == TINY.search[0]


def test_an_experiment_without_a_search_asks_for_its_results_at_once(results):
    plan = replace(TINY, search=())
    record = recording.Record("tiny", plan)
    first, second = plan.variants
    assert record.chosen(first) == {} and record.search(second) == []
    assert [*record.missing()] == [f"{v.name}, seed {n}" for v in plan.variants for n in (0, 1)]
    for request in record.missing().values():
        assert not request.search
        record.add(request, {"accuracy": [1.0], "config": {}, "weights": 1, "machine": {}})
    assert not recording.Record("tiny", plan).missing()
    assert [v["chosen"] for v in read_json(results / "tiny.json")["variants"]] == [{}, {}]


def test_of_a_run_by_passes_the_residual_is_recorded(results):
    settings = replace(SETTINGS, passes="1+1", exact_last=0.5)
    config = Config("feedback-kv", **SMALL)
    found = carry_out(Request(Run("parity", config, settings), search=False))
    assert found["step"] == [0, 2, 4] and found["seed"] == 0
    assert found["residual"][0] is found["residual"][2] is None and found["residual"][1] > 0
    exact = carry_out(Request(Run("parity", config, SETTINGS), search=False))
    assert "residual" not in exact


def test_variants_trained_by_passes_differ_from_the_exact_one_in_that_alone():
    by_passes = {"passes": None, "exact_last": None, "largest_residual": None}
    for name, plan in PASSES.items():
        assert len({v.name for v in plan.variants}) == len(plan.variants)
        exact = next(v for v in plan.variants if v.name.startswith("exact"))
        for v in plan.variants:
            if v.settings.passes is not None and v.after is None and "growing w" not in v.name:
                assert replace(v.settings, **by_passes) == exact.settings, (name, v.name)
                assert v.config == replace(exact.config, memory_size=v.config.memory_size)
    tokens = {v.name: tokens_to_come(v.settings) for v in PASSES["passes-text"].variants}
    for name, number in tokens.items():
        whole = number + (tokens["parallel, half the steps"] if " first," in name else 0)
        if name != "parallel, half the steps":
            assert whole == pytest.approx(tokens["exact"], rel=1e-3), name


@pytest.mark.slow
def test_a_result_that_diverges_is_recorded_as_such(results):
    settings = replace(SETTINGS, steps=40, learning_rate=1e30, warm_up=0)
    variant = replace(TINY.variants[0], settings=settings)
    plan = replace(TINY, variants=(variant,), search=({},), seeds=(0,))
    runner.complete(recording.Record("tiny", plan))
    (found,) = read_json(results / "tiny.json")["variants"]
    assert found["search"][0]["validation_loss"] is None
    assert "not finite" in found["runs"][0]["diverged"] or "nan" in found["runs"][0]["diverged"]
    assert not recording.Record("tiny", plan).missing()


def test_what_decides_how_a_run_ends_is_in_its_name_and_nothing_else_is():
    config, settings = Config("feedback-kv", **SMALL), SETTINGS
    run = Run("parity", config, settings)
    others = [
        Run("s3", config, settings),
        Run("parity", replace(config, memory_size=2), settings),
        Run("parity", config, replace(settings, seed=1)),
        Run("parity", config, settings, parallel=run),
    ]
    assert len({one.folder for one in [run, *others]}) == 5
    assert run.folder == Run("parity", replace(config), replace(settings)).folder
    # A further field of Config or Settings, at its default, leaves names as they were recorded.
    assert set(run.described()["settings"]) == {
        "steps",
        "batch_size",
        "sequence_length",
        "evaluate_every",
        "checkpoint_every",
    }


def test_answers_are_counted_over_segments_as_at_once(monkeypatch):
    torch.manual_seed(0)
    model = LanguageModel(Config("parallel", 2, **SMALL, memory_size=3)).eval()
    inputs, labels = TASKS["parity"].batch(6, 20, torch.Generator().manual_seed(0))
    labels[:, 3] = NO_LABEL
    monkeypatch.setattr("runs.SEGMENT", 7)
    found = count(model, [(inputs[:2], labels[:2]), (inputs[2:], labels[2:])], (3, 4, 20))
    with torch.no_grad():
        logits = model(inputs)
    right = logits.argmax(-1) == labels
    losses = torch.nn.functional.cross_entropy(
        logits.transpose(1, 2), labels, ignore_index=NO_LABEL, reduction="none"
    )
    assert found["right"] == [right[:, :3].sum(), 0, right[:, 4:].sum()]
    assert found["answers"] == [18, 0, 96]
    expected = [losses[:, :3].sum().item(), 0.0, losses[:, 4:].sum().item()]
    assert found["loss"] == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("length, asked", [(64, 64), (64, 1024)])
def test_a_search_is_judged_on_text_that_no_result_reads(length, asked, monkeypatch):
    corpus = data.Corpus("".join(chr(97 + i % 26) for i in range(1_100_000)), "letters")
    monkeypatch.setattr(data, "tiny_shakespeare", lambda: corpus)
    text = experiment.source("text", length)
    text.validation = torch.arange(len(text.validation))  # every token says where it stands
    monkeypatch.setattr(experiment, "source", lambda name, length: text)
    ((inputs, labels),) = experiment.to_choose("text", length, asked)
    judged = {*inputs.flatten().tolist(), *labels.flatten().tolist()}
    read = {i for pair in text.held_out(asked) for x in pair for i in x.flatten().tolist()}
    assert len(judged) == 63 * (length + 1) and not judged & read


def test_a_search_is_judged_on_examples_of_a_task_that_no_result_uses():
    judged = {tuple(row) for x, _ in experiment.to_choose("s3", 32, 96) for row in x.tolist()}
    asked = {tuple(row) for x, _ in TASKS["s3"].held_out(32) for row in x.tolist()}
    assert len(judged) == len(asked) == 512 and not judged & asked


def test_rows_of_any_length_are_those_of_the_task():
    varied, generator = experiment.source("s3, any length", 32), torch.Generator().manual_seed(0)
    batches = [varied.batch(2, 5, generator) for _ in range(100)]
    assert {inputs.shape[1] for inputs, _ in batches} == {1, 2, 3, 4, 5}
    for inputs, labels in batches:
        assert torch.equal(labels[:, 0], inputs[:, 0])
    asked, own = next(varied.held_out(32)), next(TASKS["s3"].held_out(32))
    assert all(map(torch.equal, asked, own))
    assert varied.describe() == {"task": "s3, any length"}


def test_rows_with_a_first_token_of_their_own_are_those_of_the_task():
    begun, task = experiment.source("parity, begin", 32), TASKS["parity"]
    inputs, labels = begun.batch(64, 5, torch.Generator().manual_seed(0))
    moves, states = task.batch(64, 4, torch.Generator().manual_seed(0))
    assert begun.words[2] == "begin" and begun.n_tokens == 3
    assert inputs[:, 0].tolist() == [2] * 64 and labels[:, 0].tolist() == [0] * 64
    assert torch.equal(inputs[:, 1:], moves) and torch.equal(labels[:, 1:], states)
    answers = begun.baseline(inputs, labels)
    assert torch.equal(answers[:, 0], labels[:, 0]) and torch.equal(answers[:, 1:], moves)
    asked = [x for x, _ in begun.held_out(32)]
    assert sum(map(len, asked)) == 512 and all(x.shape[1] == 32 for x in asked)


@pytest.mark.parametrize("name", plans.EXPERIMENTS)
def test_what_is_recorded_is_what_its_plan_asks(name):
    record = recording.Record(name, plans.EXPERIMENTS[name])
    planned = {
        request.name
        for variant in record.experiment.variants
        for request in (*record.search(variant), *record.results(variant))
    }
    assert bool(record.known) == record.file.exists() and record.known.keys() <= planned


@pytest.mark.parametrize("landed", range(4))
def test_chapter_11_shows_the_variants_that_are_recorded_with_all_seeds(landed, capsys):
    """An experiment lands in parts, and a variant that is new in its plan has no runs at first."""
    record = recording.Record("training", plans.EXPERIMENTS["training"])
    rows = {v.name: record.row(v, None) for v in record.experiment.variants}
    like = rows["parallel, same tokens"]
    rows["parallel, restarted"] |= {"config": like["config"], "runs": like["runs"][:landed]}
    if not landed:
        del rows["parallel, restarted"]["config"]
    chapter = json.loads((ROOT / "notebooks/11-does-it-help.ipynb").read_text())
    (table,) = (x for cell in chapter["cells"] if "def spent" in (x := "".join(cell["source"])))
    names = {"statistics": statistics, "load_result": lambda _: {"variants": [*rows.values()]}}
    names["shown"] = lambda losses: f"{len(losses)} seeds"
    exec(table, names)
    shown = capsys.readouterr().out
    assert shown.count("3 seeds") == shown.count(" seeds") == 7 + (landed == 3)
    assert ("parallel, restarted" in shown) == (landed == 3)


def test_the_warm_start_has_a_control_that_differs_in_the_model_alone():
    variants = {v.name: v for v in plans.EXPERIMENTS["training"].variants}
    warm = variants["warm start, same tokens"]
    control = replace(warm, name="parallel, restarted", config=plans.PARALLEL)
    assert variants["parallel, restarted"] == control


def test_an_unknown_name_is_refused_before_any_work(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["run.py", "tracking-s4"])
    with pytest.raises(SystemExit):
        runner.main()
    assert "tracking-s4; there are tracking-parity, tracking-s3" in capsys.readouterr().err


def test_another_text_is_refused(monkeypatch):
    corpus = data.Corpus("abc", "NOT Tiny Shakespeare, which could not be downloaded")
    monkeypatch.setattr(data, "tiny_shakespeare", lambda: corpus)
    with pytest.raises(ValueError, match="NOT Tiny Shakespeare"):
        experiment.source("text", 8)


def test_every_recorded_result_names_its_instruction_set_and_threads():
    package = Path(feedback.__file__).parent
    files = [*package.glob("results/*.json"), *package.glob("pretrained/*/training.json")]
    assert len(files) > 10
    for file in files:
        found = json.loads(file.read_text())
        for one in found.get("trials", [found]):
            assert one["machine"]["instructions"] and one["machine"]["threads"], file.name
