"""The package as it is installed and as it is mapped: nothing missing, nothing that is not said."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import feedback

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "feedback"

# Imports every module of the package that lies in the folder given, and says how many there are.
IMPORT_ALL = """
import importlib, pkgutil, sys
sys.path.insert(0, sys.argv[1])
import feedback
assert feedback.__file__.startswith(sys.argv[1]), feedback.__file__
names = [m.name for m in pkgutil.walk_packages(feedback.__path__, "feedback.")]
for name in names:
    importlib.import_module(name)
print(len(names))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A folder that holds what the built wheel installs, and nothing else."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    source = folder / "source"  # a copy, for building leaves folders in the tree
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if name.startswith("feedback/") or "/" not in name:
            copy = source / name
            if (ROOT / name).exists():
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes((ROOT / name).read_bytes())
    build = ["wheel", "--no-deps", "--no-build-isolation", "-w", str(folder), str(source)]
    subprocess.run([*pip, *build], check=True)
    (wheel,) = folder.glob("*.whl")
    target = ["install", "--no-deps", "--no-index", "--target", str(folder / "installed")]
    subprocess.run([*pip, *target, str(wheel)], check=True)
    return folder / "installed"


@pytest.mark.slow
def test_the_wheel_alone_holds_every_module_and_every_file(installed):
    done = subprocess.run(
        [sys.executable, "-I", "-c", IMPORT_ALL, str(installed)],
        cwd=installed,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    modules = [*PACKAGE.rglob("*.py")]
    assert int(done.stdout) == len(modules) - 1  # all but feedback itself
    here = {file.relative_to(PACKAGE) for file in tracked(PACKAGE)}
    there = {file.relative_to(installed / "feedback") for file in tracked(installed / "feedback")}
    assert there == here


def tracked(folder: Path) -> list[Path]:
    return [x for x in folder.rglob("*") if x.is_file() and "__pycache__" not in x.parts]


ROOMS = sorted(file.parent for file in PACKAGE.glob("*/__init__.py"))
MAPPED = [PACKAGE, *(room for room in ROOMS if len([*room.glob("*.py")]) > 1)]


@pytest.mark.parametrize("folder", MAPPED, ids=lambda folder: folder.name)
def test_a_map_names_every_file_and_no_other(folder):
    described = ast.get_docstring(ast.parse((folder / "__init__.py").read_text("utf-8")))
    named = {*re.findall(r"\w+\.py\b", described)}
    assert named == {file.name for file in folder.glob("*.py")} - {"__init__.py"}


def test_both_maps_name_every_room_and_no_other():
    rooms = {f"{room.name}/" for room in ROOMS}
    assert {*re.findall(r"\w+/", feedback.__doc__)} == rooms
    readme = (ROOT / "README.md").read_text("utf-8")
    (table,) = re.findall(r"^\| folder .*?\n\n", readme, re.MULTILINE | re.DOTALL)
    assert {*re.findall(r"`feedback/(\w+/)`", table)} == rooms


def test_the_public_names_are_there():
    assert all(hasattr(feedback, name) for name in feedback.__all__)
