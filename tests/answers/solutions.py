"""The book's own answers, as the chapters' folded cells have them."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from feedback.graders.chapters import defined

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))
TITLE = re.compile(r"# @title Solution (\d+\.\d+)\n")
HANDED_IN = re.compile(r'checks\.check\("(\d+\.\d+)", (\w+)\)')


@dataclass(frozen=True)
class Solution:
    """The cell that answers an exercise.

    Attributes:
        number: of the exercise.
        name: of the function or class that is handed in.
        before: Python source, what the cells before define and import.
        source: Python source of all that the cell defines.
    """

    number: str
    name: str
    before: str
    source: str

    def answer(self, source: str | None = None) -> Callable:
        """The function or class; with other source than the cell's, what that makes of it."""
        names: dict[str, object] = {"__name__": "__main__"}
        exec(compile(self.before, f"before {self.number}", "exec", dont_inherit=True), names)
        exec(compile(source or self.source, f"solution {self.number}", "exec"), names)
        return names[self.name]  # type: ignore[return-value]


@functools.cache
def solutions() -> dict[str, Solution]:
    """All solutions that a check is called on, by the number of their exercise."""
    found = {}
    for path in NOTEBOOKS:
        before = ["from __future__ import annotations"]
        for cell in json.loads(path.read_text())["cells"][1:]:
            source = "".join(cell["source"])
            if cell["cell_type"] != "code":
                continue
            own = defined(source)
            if (title := TITLE.match(source)) and (call := HANDED_IN.search(source)):
                assert title[1] == call[1], f"{path.name}: solution {title[1]}, check {call[1]}"
                found[title[1]] = Solution(*call.groups(), "\n".join(before), own)
            before.append(own.removeprefix("from __future__ import annotations"))
    return found
