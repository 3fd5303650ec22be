"""How long a chapter takes, by a rule: what stands in its second line is computed here.

    reading     130 words of text a minute, a displayed formula half a minute
    code        12 lines of shown code a minute; what is folded is not read
    looking     a minute for each figure, widget and question to guess at
    waiting     as long as the cells ran when that was measured last, in waiting.json
    exercises   the minutes that each says in its heading, its text and its cell among them

    python book/tools/minutes.py             print the table
    python book/tools/minutes.py --measured  first take the waiting from the built book

`sync.py` writes the sums into the notebooks, to the next five minutes. How long a part of a chapter
takes is said in paths.py.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WAITING = "book/tools/waiting.json"  # seconds, by the name of a notebook
WORDS, LINES = 130, 12  # a minute
FOLDED = {"remove-cell", "remove-input", "hide-cell", "hide-input"}
HEADING = re.compile(
    r"\*\*Exercise (\d+\.\d+) · [^*]+\*\* \((?:easy|medium|hard)(?:, open)?, (\d+) minutes\)"
)
LOOKED_AT = re.compile(r"^(?:plt\.show\(|[A-Z]\w+\(|[a-z]\w*$)", re.MULTILINE)
NOT_READ = re.compile(r"\$\$.*?\$\$|<!--.*?-->|<details>.*?</details>|\*\*Exercise .*", re.DOTALL)
ASKED = re.compile(r"\bdef check_|\bchecks\.check\(")  # the cell of an exercise
STATED = re.compile(r"\*About \d+ minutes, \d+ of them for exercises\.")


def parts(notebook: dict, waiting: float = 0) -> dict[str, float]:
    """Minutes of each part of a notebook; `waiting` is in seconds."""
    found = dict.fromkeys(("reading", "code", "looking", "waiting", "exercises"), 0.0)
    found["waiting"] = waiting / 60
    for cell in notebook["cells"]:
        source, tags = "".join(cell["source"]), {*cell["metadata"].get("tags", [])}
        if cell["cell_type"] == "markdown":
            formulas = re.findall(r"\$\$.*?\$\$", source, re.DOTALL)
            found["exercises"] += sum(int(minutes) for _, minutes in exercises(cell))
            text = NOT_READ.sub(" ", source)
            found["reading"] += len(re.findall(r"[^\s|#*$-]+", text)) / WORDS + len(formulas) / 2
        elif "remove-cell" not in tags and not ASKED.search(source):
            if "hide-cell" not in tags:
                found["looking"] += bool(LOOKED_AT.search(source))
            if not tags & FOLDED:
                found["code"] += sum(map(bool, map(str.strip, source.splitlines()))) / LINES
    return found


def stated(notebook: dict, waiting: float = 0) -> str:
    """The words that say how long a notebook takes."""
    others, of_exercises = whole(notebook, waiting)
    return f"*About {others + of_exercises} minutes, {of_exercises} of them for exercises."


def whole(notebook: dict, waiting: float = 0) -> tuple[int, int]:
    """Minutes of a notebook without its exercises, and of these."""
    found = parts(notebook, waiting)
    of_exercises = round(found["exercises"])
    return to_five(sum(found.values()) - of_exercises), of_exercises


def to_five(minutes: float) -> int:
    return 5 * round(minutes / 5)


def exercises(cell: dict) -> list[tuple[str, str]]:
    """Number and minutes of each exercise that a cell sets."""
    return HEADING.findall("".join(cell["source"])) if cell["cell_type"] == "markdown" else []


def read_waiting(root: Path = ROOT) -> dict[str, float]:
    file = root / WAITING
    return json.loads(file.read_text()) if file.exists() else {}


def measured() -> dict[str, int]:
    """Seconds that each notebook ran when the book was built last."""
    from jupyter_cache import get_cache  # what builds the book is not needed for the rest

    folders = sorted((ROOT / "_build").glob(".jupyter_cache-*"), key=lambda x: x.stat().st_mtime)
    seconds = {}
    for record in get_cache(folders[-1]).list_cache_records() if folders else []:
        if record.uri.endswith(".ipynb"):
            seconds[Path(record.uri).stem] = round(record.data["execution_seconds"])
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--measured", action="store_true", help="take the waiting from the book")
    options = parser.parse_args()
    if options.measured:
        (ROOT / WAITING).write_text(json.dumps(measured(), indent=1, sort_keys=True) + "\n")
    from paths import short_path  # which needs this file

    waiting = read_waiting()
    for file in sorted((ROOT / "notebooks").glob("*.ipynb")):
        notebook, seconds = json.loads(file.read_text("utf-8")), waiting.get(file.stem, 0)
        columns = "".join(f"  {k} {v:5.1f}" for k, v in parts(notebook, seconds).items())
        path = short_path(notebook, seconds)
        short = f" Short path: {path}." if path else ""
        print(f"{file.stem:34s}{columns}  {stated(notebook, seconds)[1:]}{short}")


if __name__ == "__main__":
    main()
