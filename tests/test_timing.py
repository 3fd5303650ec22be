"""What timing hands out can be trusted; and how work grows, with a wide margin, never how long."""

import functools
import json
import math
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch

from feedback import Config, LanguageModel, timing
from feedback.__main__ import main

ROOT = str(Path(__file__).parents[1])
SMALL = ["--width", "8", "--heads", "2", "--hidden", "8", "--seconds", "0.001"]


@pytest.mark.slow
def test_a_sweep_writes_every_sample_and_the_machine(tmp_path, capsys):
    out = tmp_path / "timing.json"
    sizes = ["--tokens", "2", "4", "--layers", "1", "2", "--batch", "1", "--base", "2", "2", "1"]
    main(["time", *SMALL, *sizes, "--out", str(out)])
    found, said = json.loads(out.read_text()), capsys.readouterr().out
    for key in ("processor", "instructions", "cores", "threads", "torch", "date"):
        assert found["machine"][key]
    training = [result for result in found["results"] if result["what"] == "training"]
    assert {result["variant"] for result in training} == set(timing.VARIANTS)
    sizes = {(result["batch"], result["tokens"], result["layers"]) for result in training}
    assert sizes == {(2, 2, 1), (2, 4, 1), (2, 2, 2), (1, 2, 1)}
    for result in found["results"]:
        assert len(result["seconds"]) >= 6 and min(result["seconds"]) > 0
        assert result["peak_bytes"] is None  # it was not asked for
        assert result["variant"] in said
    assert "training, feedback-kv: time grows as tokens to the power" in said


@pytest.mark.slow
def test_a_machine_names_the_instructions_that_torch_was_told_to_use():
    capped = {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41"}
    ask = "from feedback.machine import describe_machine; print(describe_machine()['instructions'])"
    command = [sys.executable, "-c", ask]
    said = subprocess.run(command, env=os.environ | capped, capture_output=True, text=True)
    assert said.stdout == "DEFAULT, oneDNN at most SSE41\n"


def test_turns_go_round_and_every_function_is_warm():
    calls = []
    runs = {name: (lambda name=name: calls.append(name)) for name in ("a", "b")}
    samples = timing.measure(runs, seconds=0, least=3, rounds=2)
    order = [name for i, name in enumerate(calls) if i == 0 or calls[i - 1] != name]
    assert order == ["a", "b", "a", "b"]
    assert all(len(times) >= 6 for times in samples.values())
    assert len(calls) > sum(len(times) for times in samples.values())


def test_spread_and_exponent_are_what_they_say():
    assert timing.spread([5.0, 1.0, 2.0, 4.0, 3.0]) == (3.0, 2.0, 4.0)
    sizes = [8, 16, 32, 64]
    assert math.isclose(timing.exponent(sizes, [3e-4 * n**1.7 for n in sizes]), 1.7)


def allocate():
    return lambda: torch.ones(25_000_000)  # 100 MB


def nothing():
    return lambda: None


@pytest.mark.slow
def test_peak_memory_is_that_of_a_fresh_process():
    here = torch.ones(50_000_000)  # which must not count
    assert 95e6 < timing.peak_memory(allocate) < 150e6
    assert timing.peak_memory(nothing) < 20e6
    del here
    case = timing.Case("training", "feedback-kv", 1, 2, 1, 8, 2, 8)
    (result,) = timing.sweep([case], seconds=0, least=2, rounds=1, memory=True)["results"]
    assert result["peak_bytes"] > 0


def test_a_function_that_cannot_be_imported_is_named():
    def inner():
        return lambda: None

    for build in (inner, functools.partial(inner), lambda: None, functools.partial(nothing, inner)):
        name = "nothing" if build is not inner and "nothing" in repr(build) else "<locals>"
        with pytest.raises(ValueError, match=f"memory of .*{name}.* cannot import it"):
            timing.peak_memory(build)
    for given in (3, None, "nothing", timing.Case("training", "parallel")):
        with pytest.raises(TypeError, match="it must be a function"):
            timing.peak_memory(given)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["-c", "-", "script"])
def test_a_function_of_an_interpreter_is_named(tmp_path, how):
    """It has no file, or one that calls `peak_memory` again when it is imported."""
    (tmp_path / "script.py").write_text(
        "from functools import partial\nfrom feedback import timing\n"
        "def mine(much): return lambda: None\n\n"
        "try: timing.peak_memory(partial(mine, bytes(10**6)))\n"
        "except (ValueError, ChildProcessError) as error: print(error)\n\n"
    )
    text = (tmp_path / "script.py").read_text()
    words = {"-c": ["-c", text], "-": ["-"], "script": ["script.py"]}[how]
    command = [sys.executable, *words]
    run = dict(input=text, capture_output=True, text=True, cwd=tmp_path, timeout=300)
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": ROOT}, **run)
    assert done.stdout.count("the memory of mine cannot be measured: ") == 1
    assert ("cannot import it" if how == "-c" else '__name__ == "__main__"') in done.stdout


def ends():
    os._exit(0)


def is_killed():
    return lambda: os.kill(os.getpid(), signal.SIGKILL)


def leaves_a_child():
    """The child holds everything open that its parent had."""
    if os.fork():
        os._exit(3)
    time.sleep(60)


class Unsendable(Exception):
    def __init__(self, first, second):
        super().__init__(first)
        self.sends = lambda: second


def raises():
    raise Unsendable("much" * 10**6, "more")


def exits():
    sys.exit("enough")


def runs_out_of_memory():
    return lambda: torch.ones(2**60)


def leaves_a_thread():
    threading.Thread(target=time.sleep, args=[600]).start()
    return lambda: None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("build", "why"),
    [
        (ends, "died with exit code 0"),
        (is_killed, "died with exit code -9"),
        pytest.param(
            leaves_a_child,
            "died with exit code 3",
            marks=pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here"),
        ),
        (raises, "raised Unsendable: much"),
        (exits, "raised SystemExit: enough"),
        (runs_out_of_memory, "raised RuntimeError: .*alloc"),
        (math.pi.is_integer, "raised TypeError: 'bool' object is not callable"),
    ],
)
def test_a_process_that_fails_ends_with_an_error_that_names_the_function(build, why):
    with pytest.raises(ChildProcessError, match=f"memory of .*{build.__name__} .*{why}"):
        timing.peak_memory(build)
    assert not multiprocessing.active_children()


@pytest.mark.slow
def test_a_thread_left_behind_does_not_keep_the_process():
    assert timing.peak_memory(leaves_a_thread) >= 0
    assert not multiprocessing.active_children()


def sleeps():
    return lambda: time.sleep(600)


@pytest.mark.slow
def test_an_interrupt_ends_the_process_too(monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.alarm(2)
        with pytest.raises(KeyboardInterrupt):
            timing.peak_memory(sleeps)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    assert not multiprocessing.active_children()


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["--variants", "fast"], "choose one of parallel"),
        (["--what", "thinking"], "choose training or generation"),
        (["--tokens", "0"], "at least 1"),
        (["--seconds", "nan"], "nan is not a number above 0 and finite"),
        (["--seconds", "-1"], "-1.0 is not a number above 0 and finite"),
        (["--what", "generation", "--variants", "feedback, loop"], "leaves nothing to time"),
        (["--width", "9"], "not divisible"),
        (["--out", "no/such/folder/x.json"], "make it first"),
        (["--out", "."], "name a file"),
    ],
)
def test_bad_requests_are_refused_before_any_work(words, error, capsys, monkeypatch):
    monkeypatch.setattr(timing, "measure", lambda *_: pytest.fail("it began to measure"))
    with pytest.raises(SystemExit):
        main(["time", *SMALL, *words])
    assert error in capsys.readouterr().err


@pytest.mark.parametrize("size", ["batch", "tokens", "layers", "width", "heads", "hidden"])
def test_a_case_has_sizes(size):
    for value in (0, -1, 2.5, True):
        with pytest.raises((TypeError, ValueError), match=f"{size} is {value}; it must be"):
            timing.Case("training", "parallel", **{size: value})


def test_nothing_grows_where_nothing_was_timed():
    assert timing.exponents([], "generation", "tokens") == {}


def test_an_interrupted_sweep_keeps_what_was_measured(tmp_path, monkeypatch):
    out, measure, sizes = tmp_path / "timing.json", timing.measure, []

    def interrupted(runs, *how):
        sizes.append(len(runs))
        if len(sizes) == 2:
            raise KeyboardInterrupt
        return measure(runs, *how)

    monkeypatch.setattr(timing, "measure", interrupted)
    words = ["--tokens", "2", "4", "--layers", "1", "--batch", "2", "--base", "2", "2", "1"]
    with pytest.raises(KeyboardInterrupt):
        main(["time", *SMALL, *words, "--out", str(out)])
    results = json.loads(out.read_text())["results"]
    assert {result["tokens"] for result in results} == {2}
    assert len(results) == sizes[0]


def growth(run_of, sizes):
    """The exponent of the quickest of several runs: the one that nothing else disturbed."""
    runs = {n: run_of(n) for n in sizes}
    samples = timing.measure(runs, seconds=0.1, least=5)
    return timing.exponent(sizes, [min(samples[n]) for n in sizes])


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
                for _ in range(20):
                    model.step(token, memory)  # the first place behind it is taken: it is copied

        return run

    assert growth(run_of, [16, 64, 256]) < 0.5


def test_training_grows_hardly_faster_than_the_text():
    """The whole-sequence function at a size where work outside attention prevails: near 1."""
    config = Config("feedback-kv", 65, d_model=32, heads=2, n_layers=2, d_ff=64)
    model = LanguageModel(config)
    assert 0.5 < growth(lambda T: timing.training_step(model, 4, T), [16, 32, 64, 128]) < 1.6
