"""What tests of training share: one thread, runs that were not stopped, and a stop."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from training_runs import CONFIG, SETTINGS, interrupt_after, run

from feedback.training import loop


@pytest.fixture(scope="package", autouse=True)
def with_one_thread():
    """Runs are compared bit for bit, which takes the same number of threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="package")
def finished_run(with_one_thread, tmp_path_factory) -> Path:
    """A run of `CONFIG` and `SETTINGS` that was not stopped. A test changes its copy, `out`."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    run(folder)
    return folder


@pytest.fixture
def out(finished_run, tmp_path) -> Path:
    """A copy of the finished run, for a test to damage."""
    return Path(shutil.copytree(finished_run, tmp_path / "run"))


@pytest.fixture
def stop(monkeypatch) -> Callable:
    """`stop(folder, updates, ...)`: a run that is interrupted after so many updates."""

    def stopped(folder: Path, updates: int, settings=SETTINGS, config=CONFIG, **changes) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(loop, "update", interrupt_after(updates, loop.update))
            with pytest.raises(KeyboardInterrupt):
                run(folder, replace(settings, **changes), config)

    return stopped
