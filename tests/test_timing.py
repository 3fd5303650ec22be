"""What timing hands out can be trusted; and how work grows, with a wide margin, never how long."""

import json
import math
import time

import pytest
import torch

from feedback import Config, LanguageModel, timing
from feedback.__main__ import main

SMALL = ["--d-model", "8", "--heads", "2", "--d-ff", "8", "--seconds", "0.001"]


@pytest.mark.slow
def test_a_sweep_writes_every_sample_and_the_machine(tmp_path, capsys):
    out = tmp_path / "timing.json"
    sizes = "--sequence-length 2 4 --n-layers 1 --batch-size 2".split()
    main(["time", *SMALL, *sizes, "--out", str(out)])
    found, said = json.loads(out.read_text()), capsys.readouterr().out
    for key in ("processor", "instructions", "cores", "threads", "torch", "date"):
        assert found["machine"][key]
    training = [result for result in found["results"] if result["what"] == "training"]
    assert {result["variant"] for result in training} == set(timing.VARIANTS)
    sizes = {(result["batch"], result["tokens"], result["layers"]) for result in training}
    assert sizes == {(2, 2, 1), (2, 4, 1)}
    for result in found["results"]:
        assert len(result["seconds"]) >= 6 and min(result["seconds"]) > 0
        assert result["peak_bytes"] is None  # it was not asked for
        assert result["variant"] in said
    assert "training, feedback-kv: time grows as tokens to the power" in said


@pytest.mark.parametrize("variant", ["parallel", "feedback-kv", "feedback"])
def test_reading_a_prompt_keeps_its_memory_and_no_gradient(variant):
    case = timing.Case("reading", variant, batch=2, tokens=5, layers=1, width=8, heads=2, hidden=8)
    logits, memory = case.build()()
    assert logits.shape == (2, 5, 65) and len(memory) == 5
    assert not logits.requires_grad and not memory.keys[0].requires_grad
    assert torch.is_grad_enabled()


def test_turns_go_round_and_every_function_is_warm():
    calls = []
    runs = {name: (lambda name=name: calls.append(name)) for name in ("a", "b")}
    samples = timing.measure(runs, seconds=0, min_samples=3, rounds=2)
    order = [name for i, name in enumerate(calls) if i == 0 or calls[i - 1] != name]
    assert order == ["a", "b", "a", "b"]
    assert all(len(times) >= 6 for times in samples.values())
    assert len(calls) > sum(len(times) for times in samples.values())


def test_spread_and_exponent_are_what_they_say():
    assert timing.spread([5.0, 1.0, 2.0, 4.0, 3.0]) == (3.0, 2.0, 4.0)
    sizes = [8, 16, 32, 64]
    assert math.isclose(timing.exponent(sizes, [3e-4 * n**1.7 for n in sizes]), 1.7)


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["--variants", "fast"], "choose one of parallel"),
        (["--what", "thinking"], "choose training, reading or generation"),
        (["--sequence-length", "0"], "at least 1"),
        (["--seconds", "nan"], "nan is not a number above 0 and finite"),
        (["--seconds", "-1"], "-1.0 is not a number above 0 and finite"),
        (["--what", "generation", "--variants", "feedback, loop"], "leaves nothing to time"),
        (["--d-model", "9"], "not divisible"),
        (["--out", "no/such/folder/x.json"], "make it first"),
        (["--out", "."], "name a file"),
    ],
)
def test_bad_requests_are_refused_before_any_work(words, error, capsys, monkeypatch):
    monkeypatch.setattr(timing, "measure", lambda *_: pytest.fail("it began to measure"))
    with pytest.raises(SystemExit):
        main(["time", *SMALL, *words])
    assert error in capsys.readouterr().err


@pytest.mark.parametrize("size", timing.SIZES)
def test_a_case_has_sizes(size):
    for value in (0, -1, 2.5, True):
        with pytest.raises((TypeError, ValueError), match=f"{size} is {value}; it must be"):
            timing.Case("training", "parallel", **{size: value})


def test_nothing_grows_where_nothing_was_timed():
    assert timing.exponents([], "generation", "tokens") == {}


@pytest.mark.slow
def test_an_interrupted_sweep_keeps_what_was_measured(tmp_path, monkeypatch):
    out, measure, sizes = tmp_path / "timing.json", timing.measure, []

    def interrupted(runs, *how):
        sizes.append(len(runs))
        if len(sizes) == 2:
            raise KeyboardInterrupt
        return measure(runs, *how)

    monkeypatch.setattr(timing, "measure", interrupted)
    words = "--sequence-length 2 4 --n-layers 1 --batch-size 2".split()
    with pytest.raises(KeyboardInterrupt):
        main(["time", *SMALL, *words, "--out", str(out)])
    results = json.loads(out.read_text())["results"]
    assert {result["tokens"] for result in results} == {2}
    assert len(results) == sizes[0]


def growth(run_of, sizes):
    """The exponent of processor time, which other programs disturb least, in the quickest runs."""
    runs = {n: run_of(n) for n in sizes}
    seconds = {n: [] for n in sizes}
    for _ in range(8):
        for n, run in runs.items():
            start = time.process_time()
            run()
            seconds[n].append(time.process_time() - start)
    return timing.exponent(sizes, [min(seconds[n]) for n in sizes])


@pytest.mark.parametrize("model", ["parallel", "feedback-kv", "feedback"])
def test_the_time_of_a_step_hardly_depends_on_the_text_before_it(model):
    """Running the prefix again would give an exponent near 1, or 2."""
    config = Config(model, 11, d_model=32, heads=2, n_layers=2, d_ff=64)
    model, token = LanguageModel(config).eval(), torch.tensor([3])

    @torch.no_grad()
    def run_of(n):
        _, memory = model(torch.zeros(1, n, dtype=torch.long), return_memory=True)
        _, memory = model.step(token, memory)

        def run():
            with torch.no_grad():
                for _ in range(10):
                    model.step(token, memory)  # the first place behind it is taken: it is copied

        return run

    assert growth(run_of, [16, 64, 256]) < 0.5


def test_training_grows_hardly_faster_than_the_text():
    """The whole-sequence function at a size where work outside attention prevails: near 1."""
    config = Config("feedback-kv", 65, d_model=32, heads=2, n_layers=2, d_ff=64)
    model = LanguageModel(config)
    assert 0.5 < growth(lambda T: timing.training_step(model, 4, T), [16, 64]) < 1.6
