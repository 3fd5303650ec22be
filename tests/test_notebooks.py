"""The book's own notebooks as they are stored, and the tools that keep them so."""

import json
import re
import subprocess
import sys
from pathlib import Path

import rehearse
import sync

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SET_UP = sync.first_cell(ROOT, address="")


def cells(path: Path) -> list[dict]:
    return json.loads(path.read_text())["cells"]


def test_notebooks_are_stored_without_outputs():
    for path in NOTEBOOKS:
        for cell in cells(path):
            assert not cell.get("outputs") and not cell.get("execution_count"), path.name


def test_every_notebook_begins_with_the_same_short_set_up():
    first = [cells(path)[0] for path in NOTEBOOKS]
    assert len({"".join(cell["source"]) for cell in first}) == 1
    assert len(first[0]["source"]) <= 12
    assert all(cell["metadata"] == sync.SET_UP_METADATA for cell in first)


def test_everything_written_down_twice_agrees():
    assert sync.main(["--check"]) == 0


def test_all_cells_but_the_set_up_are_formatted(tmp_path):
    for path in NOTEBOOKS:
        notebook = json.loads(path.read_text())
        notebook["cells"][0]["source"] = []
        (tmp_path / path.name).write_text(json.dumps(notebook))
    command = ["-m", "ruff", "format", "--diff", "--config", ROOT / "pyproject.toml", tmp_path]
    ruff = subprocess.run([sys.executable, *command], capture_output=True, text=True)
    assert ruff.returncode == 0, ruff.stdout + ruff.stderr


def test_every_exercise_but_an_open_one_has_a_solution_that_can_be_handed_in():
    for path in NOTEBOOKS:
        text = "\n".join("".join(cell["source"]) for cell in cells(path))
        headings = re.findall(r"\*\*Exercise .+?\*\* \((.+?)\)", text)
        assert len(headings) == text.count("**Exercise "), f"{path.name}: how hard, how long?"
        asked = sum("open" not in heading for heading in headings)
        handed_in = json.loads(rehearse.solved(path.read_text()))["cells"]
        assert len(handed_in) - len(cells(path)) == asked > 0, path.name
