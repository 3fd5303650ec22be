"""What all tests share: their order, their threads, and a disk for which none waits."""

import os

import pytest

pytest.register_assert_rewrite("helpers", "looking")  # their assertions say what was found

# Before torch is imported, and for the processes that tests start: their small products gain
# nothing from threads, which on a busy machine wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Files that take long: first those of `make test`, then those of `make check`. One that began late
# would go on alone when all others are done.
LONG = (
    "build",
    "lab",
    "questions",
    "kept_answers",
    "blocked_storage",
    "live_model_page",
    "checks",
    "changed_models",
    "repository",
    "ladder",
    "sequence",
)


@pytest.hookimpl(tryfirst=True)  # before xdist asks for groups
def pytest_collection_modifyitems(config, items):
    """Begin with the files that take long. What is in no group is one with the rest of its file."""
    place = {f"test_{name}.py": index for index, name in enumerate(LONG)}
    items.sort(key=lambda item: place.get(item.path.name, len(LONG)))
    for item in items if config.pluginmanager.hasplugin("xdist") else ():
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))


@pytest.fixture(scope="session", autouse=True)
def without_waiting_for_the_disk():
    """No test cuts the power, and those that write checkpoints would wait long until a disk has
    what they wrote. To sync a file that is not open is an error still."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", os.fstat)
        yield


@pytest.fixture
def one_thread():
    """Small products gain nothing from threads, and a busy machine makes them wait."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
