"""A peak is that of a process of its own, and whatever happens to that process is said."""

import functools
import math
import multiprocessing
import os
import signal
import sys
import threading
import time
from pathlib import Path
from types import ModuleType

import pytest
import torch

from feedback import timing
from feedback.peak_memory import peak_memory


def allocate():
    return lambda: torch.ones(25_000_000)  # 100 MB


def nothing():
    return lambda: None


@pytest.fixture
def copies(monkeypatch):
    """Processes that are copies of this one where the system has them: they need not import torch.

    What `peak_memory` does with a process that fails is the same.
    """
    if sys.platform == "linux":
        fork = multiprocessing.get_context("fork")
        monkeypatch.setattr(multiprocessing, "get_context", lambda _: fork)


@pytest.mark.slow
def test_peak_memory_is_that_of_a_fresh_process():
    here = torch.ones(50_000_000)  # which must not count
    assert 95e6 < peak_memory(allocate) < 150e6
    del here


def test_a_sweep_has_the_peak_of_each_case(copies):
    cases = [timing.Case("training", variant, 1, 2, 1, 8, 2, 8) for variant in timing.VARIANTS]
    found = timing.sweep(cases[:2], seconds=0, min_samples=2, rounds=1, memory=True, say=len)
    assert all(type(result["peak_bytes"]) is int for result in found["results"])


def test_a_function_that_cannot_be_imported_is_named():
    def inner():
        return lambda: None

    for build in (inner, functools.partial(inner), lambda: None, functools.partial(nothing, inner)):
        name = "nothing" if build is not inner and "nothing" in repr(build) else "<locals>"
        with pytest.raises(ValueError, match=f"memory of .*{name}.* cannot import it"):
            peak_memory(build)
    for given in (3, None, "nothing", timing.Case("training", "parallel")):
        with pytest.raises(TypeError, match="it must be a function"):
            peak_memory(given)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "why"),
    [(None, "cannot import it"), ("<stdin>", "`if __name__"), ("script.py", "`if __name__")],
)
def test_a_function_of_an_interpreter_is_named(tmp_path, monkeypatch, file, why):
    """It has no file, one that is none, or one that calls `peak_memory` again when imported.

    All that a fresh process learns of an interpreter is the module `__main__`.
    """
    script = tmp_path / "script.py"
    script.write_text(
        "from functools import partial\nfrom feedback.peak_memory import peak_memory\n"
        "def mine(much): return lambda: None\n\n"
        "peak_memory(partial(mine, bytes(10**6)))\n"
    )
    main = ModuleType("__main__")
    if file is not None:
        main.__file__ = file if file == "<stdin>" else str(script)
    monkeypatch.setitem(sys.modules, "__main__", main)
    with pytest.raises((ValueError, ChildProcessError), match=why) as raised:
        exec(compile(script.read_text(), file or "<string>", "exec"), vars(main))
    assert str(raised.value).startswith("the memory of mine cannot be measured: ")


def is_killed():
    return lambda: os.kill(os.getpid(), signal.SIGKILL)


def leaves_a_child():
    """The child holds everything open that its parent had. The test ends it."""
    if child := os.fork():
        Path(os.environ["CHILD"]).write_text(str(child))
        os._exit(0)
    time.sleep(60)
    os._exit(0)


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


@pytest.mark.parametrize(
    ("build", "why"),
    [
        (is_killed, "died with exit code -9"),
        (raises, "raised Unsendable: much"),
        (exits, "raised SystemExit: enough"),
        (runs_out_of_memory, "raised RuntimeError: .*alloc"),
        (math.pi.is_integer, "raised TypeError: 'bool' object is not callable"),
    ],
)
def test_a_process_that_fails_ends_with_an_error_that_names_the_function(copies, build, why):
    with pytest.raises(ChildProcessError, match=f"memory of .*{build.__name__} .*{why}"):
        peak_memory(build)
    assert not multiprocessing.active_children()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_child_left_behind_is_not_waited_for(copies, tmp_path, monkeypatch):
    monkeypatch.setenv("CHILD", str(tmp_path / "child"))
    try:
        with pytest.raises(ChildProcessError, match="of leaves_a_child .* died with exit code 0"):
            peak_memory(leaves_a_child)
        assert not multiprocessing.active_children()
    finally:  # an error where it has ended: then it was waited for
        os.kill(int((tmp_path / "child").read_text()), signal.SIGKILL)


def test_a_thread_left_behind_does_not_keep_the_process(copies):
    assert peak_memory(leaves_a_thread) >= 0
    assert not multiprocessing.active_children()


def sleeps():
    return lambda: time.sleep(600)


def test_an_interrupt_ends_the_process_too(copies):
    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        with pytest.raises(KeyboardInterrupt):
            peak_memory(sleeps)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert not multiprocessing.active_children()
