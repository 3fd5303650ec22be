"""The models that come with the package: what they are said to be, they are."""

import json
import re

import pytest
import torch

from feedback import data, pretrained
from feedback.__main__ import main
from feedback.command_line import train
from feedback.config import Config
from feedback.pretrained import trackers
from feedback.results import load_result
from feedback.tasks import TASKS
from feedback.training import Settings, evaluate


@pytest.mark.parametrize("name", pretrained.NAMES)
def test_a_stored_model_has_the_loss_that_is_said(name):
    said = pretrained.training(name)
    length = said["run"]["settings"]["sequence_length"]
    if "task" in said["run"]["source"]:
        source = TASKS[said["run"]["source"]["task"]]
    else:
        source = data.Text(data.tiny_shakespeare(), length)
    assert source.describe() == said["run"]["source"]
    loss, accuracy = evaluate(pretrained.load(name), source.held_out(length))
    assert loss == pytest.approx(said["validation_loss"], abs=1e-4)
    assert accuracy == pytest.approx(said["accuracy"], abs=1e-3)
    best = min(line["validation_loss"] for line in said["log"])
    assert loss == pytest.approx(best, abs=5e-3)  # what float16 may cost


@pytest.mark.parametrize("name", pretrained.NAMES)
def test_the_record_says_how_to_train_it_again(name):
    said = pretrained.training(name)
    words = re.fullmatch(r"OMP_NUM_THREADS=1 python -m feedback (.*)", said["command"])[1].split()
    asked = []

    def take(config, settings, source, out, from_parallel):
        asked.append({"settings": vars(settings), "config": vars(config), "out": str(out)})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train.loop, "train", take)
        main(words)
    [asked] = asked
    assert asked["out"] == name
    assert asked["settings"] == vars(Settings(**said["run"]["settings"]))
    trained = vars(Config(**said["run"]["config"]))
    assert {**asked["config"], "n_tokens": trained["n_tokens"]} == trained
    assert said["log"][-1]["step"] == asked["settings"]["steps"]
    assert said["seconds"] > 0 and said["machine"]["torch"]
    if trained["model"] != "parallel":
        for line in said["log"]:
            assert len(line["layer_weights"]) == trained["n_layers"] + 1
            assert sum(line["layer_weights"]) == pytest.approx(1, abs=1e-4)


def test_models_are_small_on_disk_and_float32_in_memory():
    files = [file for file in pretrained.FOLDER.rglob("*") if file.suffix != ".py"]
    assert sum(file.stat().st_size for file in files if file.is_file()) < 10e6
    assert pretrained.training("feedback-kv")["weights"] <= 1.2e6
    for name in pretrained.NAMES:
        model = pretrained.load(name)
        assert {p.dtype for p in model.parameters()} == {torch.float32}
        weights = sum(p.numel() for p in model.parameters())
        assert weights == pretrained.training(name)["weights"]


@pytest.mark.parametrize(
    "one, other, may_differ",
    [
        ("feedback-kv", "parallel", set()),
        ("s3-feedback-kv", "s3-parallel", {"start_length", "lengthen_below", "lengthen_every"}),
    ],
)
def test_a_pair_was_trained_alike(one, other, may_differ):
    one, other = (pretrained.training(name)["run"] for name in (one, other))
    assert one["source"] == other["source"]
    settings = one["settings"].items() ^ other["settings"].items()
    assert {name for name, _ in settings} == may_differ


def test_the_cup_trackers_were_trained_at_full_length():
    for name in ("s3-feedback-kv", "s3-parallel"):
        log = pretrained.training(name)["log"]
        assert sum(line["length"] == 32 for line in log) > len(log) / 2


@pytest.mark.parametrize("task, size", trackers.KEPT)
def test_kept_trackers_are_those_of_the_record(task, size):
    recorded = {v["name"]: v for v in load_result(f"length-{task}")["variants"]}
    runs = recorded[f"feedback-kv, 2 layers, {'all' if size is None else f'last {size}'}"]["runs"]
    assert [run["seed"] for run in runs] == [*trackers.SEEDS]
    for run in runs[:2]:
        model = trackers.load(task, size, run["seed"])
        assert model.config.memory_size == size and model.head.weight.dtype == torch.float32
        assert model.layer_weights().tolist() == pytest.approx(run["layer_weights"], abs=1e-3)
        assert evaluate(model, TASKS[task].held_out(32))[1] == pytest.approx(
            run["accuracy"][-1], abs=0.002
        )


def test_a_tracker_that_was_not_kept_is_refused():
    for task, size, seed in (("s5-swaps", 4, 0), ("s3", 8, 0), ("s3", 4, 5)):
        with pytest.raises(ValueError, match="no model was kept of .*'parity' with None, seeds 0"):
            trackers.load(task, size, seed)


def test_the_command_line_knows_them_by_name(capsys):
    main(["generate", "--prompt", "ROMEO:", "--length", "40", "--seed", "0"])
    first = capsys.readouterr().out
    assert first.startswith("ROMEO:") and len(first) == len("ROMEO:") + 40 + 1
    main(["generate", "--model", "feedback-kv", "--prompt", "ROMEO:", "--seed", "0"])
    assert capsys.readouterr().out.startswith(first[:-1])


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match="no model called 'gpt'.*feedback-kv"):
        pretrained.load("gpt")


def test_records_are_json_that_fits_one_line():
    for name in pretrained.NAMES:
        text = (pretrained.folder(name) / pretrained.TRAINING).read_text()
        assert json.loads(text) == pretrained.training(name) and text.count("\n") == 1
