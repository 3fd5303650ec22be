"""Build the book, and say in the end what a reader of a long output would have to look for.

    python book/tools/build.py             this book
    python book/tools/build.py FOLDER      the book in another folder

The exit status is that of jupyter-book: 0 only if every cell ran and nothing gave a warning. What
is said of broken chapters comes from book/_ext/execution.py.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def jupyter_book() -> str:
    """The program that was installed beside this Python."""
    return shutil.which("jupyter-book", path=str(Path(sys.executable).parent)) or "jupyter-book"


def last_words(found: dict, index: Path) -> str:
    """What to say after a build in which cells failed; `found` is what broken.json holds."""
    broken, others = found["broken"], found["pages"] - len(found["broken"])
    chapters = "1 chapter was" if len(broken) == 1 else f"{len(broken)} chapters were"
    lines = [f"{chapters} not run to the end.", ""]
    for chapter in broken:
        # The cells of a page of text get other ids each time it is read.
        is_notebook = chapter["file"].endswith(".ipynb")
        named = f" ({chapter['id']})" if chapter["id"] and is_notebook else ""
        first = f": {chapter['line']}" if chapter["line"] else ""
        lines += [
            f"{chapter['title']}, {chapter['file']}",
            f"    cell   {chapter['where']}{named}{first}",
            "    error  " + "\n           ".join(chapter["error"]),
            f"    log    {chapter['log']}",
            "",
        ]
    if found["warnings"]:
        lines += [f"Warnings, which are errors too: {found['warnings']}, see above.", ""]
    pages = "1 other page is" if others == 1 else f"{others} other pages are"
    lines.append(f"{pages} built, and the broken as far as they ran: open {index} in a browser.")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT, help="where the book is")
    folder = parser.parse_args(arguments).folder.resolve()
    index, report = folder / "_build/html/index.html", folder / "_build/broken.json"
    report.unlink(missing_ok=True)  # a build that comes to no end leaves none
    build = [jupyter_book(), "build", ".", "-W", "--keep-going", "-n"]
    try:
        status = subprocess.run(build, cwd=folder).returncode
    except KeyboardInterrupt:
        return 130
    found = json.loads(report.read_text()) if report.is_file() else {"broken": []}
    if found["broken"]:
        print(f"\n{last_words(found, index)}", file=sys.stderr)
    elif status == 0:
        print(f"The book is built: open {index} in a browser.")
    return status or int(bool(found["broken"]))


if __name__ == "__main__":
    sys.exit(main())
