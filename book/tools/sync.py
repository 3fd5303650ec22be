"""Bring everything that is written down twice in line with the place where it is decided.

    what stands where                               is decided in
    the set-up cell of every notebook               book/first_cell.py
    a cell that begins with `# feedback/NAME.py`    that file of the package
    the table of chapters in README.md              _toc.yml and the notebooks' headings
    the book's public address, wherever it stands   the block at the end of _config.yml
    the minutes that a chapter takes                minutes.py, by a rule
    the minutes of short paths and readers' paths   paths.py, by the same rule
    the minutes of the lessons in teaching.md       lessons.py, by the same rule

    python book/tools/sync.py                       write what differs
    python book/tools/sync.py --check               write nothing, say what differs, exit 1
    python book/tools/sync.py --repository URL      set the address first; an empty URL removes it

What a cell that begins with a file's name may hold is said in same_source.py. A cell that shows
a name of the package in another form on purpose carries the tag `differs`. Nothing is written
unless all of it can be.
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import yaml
from lessons import with_lessons
from minutes import read_waiting
from paths import with_minutes, with_paths
from same_source import SAME_SOURCE, public_names, refuse_redefinition, same_source

ROOT = Path(__file__).resolve().parents[2]

SET_UP = re.compile(r"# ?@title Set up\b")

SET_UP_METADATA = {"cellView": "form", "jupyter": {"source_hidden": True}, "tags": ["remove-cell"]}
# Editors add what changes at every save; this is all that a reader or the book needs.
CELL_METADATA = ("tags", "cellView", "jupyter", "slideshow", "mystnb")
NOTEBOOK_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}

COLAB = "https://colab.research.google.com"
CHAPTERS = re.compile(r"(?<=<!-- chapters -->\n).*?(?=<!-- /chapters -->)", re.DOTALL)
BLOCK = re.compile(r"\n# repository, by book/tools/sync\.py\n.*?# /repository\n", re.DOTALL)
ADDRESS_LINES = {
    "_config.yml": (
        'repository: {url: ADDRESS, branch: main, path_to_book: ""}',
        f"launch_buttons: {{colab_url: {COLAB}}}",
    ),
    "CITATION.cff": ("repository-code: ADDRESS",),
    "pyproject.toml": ("[project.urls]", 'Repository = "ADDRESS"'),
}


# Notebooks


def first_cell(root: Path, address: str) -> str:
    """The source of every notebook's set-up cell, with the book's address filled in."""
    source, blank = read(root / "book/first_cell.py").rstrip("\n"), ' or ""'
    if source.count(blank) != 1:
        raise ValueError(f"book/first_cell.py: expected{blank} once, where the address goes")
    return source.replace(blank, f' or "git+{address}"') if address else source


def put_first_cell(cells: list[dict], source: str) -> None:
    """Make the set-up cell the first one, adding it where there is none."""
    is_set_up = [bool(SET_UP.match("".join(cell["source"]))) for cell in cells]
    cell = cells.pop(is_set_up.index(True)) if any(is_set_up) else {"id": "set-up"}
    cell.update(cell_type="code", source=source, metadata=SET_UP_METADATA)
    cells.insert(0, cell)


def synced_notebook(
    text: str, root: Path, address: str, public: dict[str, str], waiting: float = 0
) -> str:
    """The text that a notebook file should have.

    `public` is what `public_names` returns, `waiting` how many seconds the notebook runs.

    Raises ValueError with one line for each cell that cannot be brought in line.
    """
    notebook, problems = json.loads(text), []
    put_first_cell(notebook["cells"], first_cell(root, address))
    for index, cell in enumerate(notebook["cells"]):
        cell["source"] = "".join(cell["source"])
        cell["metadata"] = {k: v for k, v in cell["metadata"].items() if k in CELL_METADATA and v}
        cell.setdefault("id", f"cell-{index}")
        if cell["cell_type"] != "code":
            continue
        cell.update(outputs=[], execution_count=None)
        try:
            if SAME_SOURCE.match(cell["source"]):
                cell["source"] = same_source(cell["source"], root)
            elif "differs" not in cell["metadata"].get("tags", []):
                refuse_redefinition(cell["source"], public)
        except ValueError as error:
            problems.append(f"cell {index} ({cell['id']}): {error}")
    try:
        for cell in notebook["cells"]:
            if cell["cell_type"] == "markdown":
                cell["source"] = with_minutes(cell["source"], notebook, waiting)
    except ValueError as error:
        problems.append(str(error))
    if problems:
        raise ValueError("\n".join(problems))
    notebook.update(metadata=NOTEBOOK_METADATA, nbformat=4, nbformat_minor=5)
    return checked(notebook)


def checked(notebook: dict) -> str:
    """The text of a notebook. Raises ValueError where it is none."""
    import nbformat  # here, for it takes two seconds, and few of those who import this file

    try:
        nbformat.validate(notebook)
    except nbformat.ValidationError as error:
        raise ValueError(str(error)) from error
    return nbformat.writes(nbformat.from_dict(notebook)) + "\n"


# The address, and the table of chapters


def checked_address(url: str) -> str:
    """`url` without a final slash or `.git`. Raises ValueError unless it is empty or GitHub's."""
    url = url.strip().rstrip("/").removesuffix(".git")
    if url and not re.fullmatch(r"https://github\.com/[A-Za-z0-9-]+/(?!\.+$)[A-Za-z0-9_.-]+", url):
        raise ValueError(f"{url!r} is no address of the form https://github.com/OWNER/REPO")
    return url


def with_address(text: str, lines: tuple[str, ...], address: str) -> str:
    """`text` with its block of `lines` on the address at the end; without an address, no block.

    Raises ValueError if a key of the block stands in the rest of `text`.
    """
    text = BLOCK.sub("", text)
    for key in (re.match(r"[a-z_-]+:|\[.+\]", line) for line in lines):
        if key and re.search(rf"^{re.escape(key[0])}", text, re.MULTILINE):
            raise ValueError(f"take out `{key[0]}`: `sync.py --repository URL` writes it")
    if not address:
        return text
    block = ("# repository, by book/tools/sync.py", *lines, "# /repository", "")
    return text + "\n" + "\n".join(block).replace("ADDRESS", address)


def with_chapters(text: str, root: Path, address: str) -> str:
    """The README `text` with its table of chapters, in the book's order.

    Badges lead to Colab if there is an address. Raises ValueError if the markers or a notebook
    are missing.
    """
    if not CHAPTERS.search(text):
        raise ValueError("no lines <!-- chapters --> and <!-- /chapters -->")
    rows = ["| | chapter | |", "|--:|---|---|"] if address else ["| | chapter |", "|--:|---|"]
    badge = "[![Open in Colab](book/_static/colab-badge.svg)]"
    colab = f"{COLAB}/github/{address.removeprefix('https://github.com/')}/blob/main"
    for file in listed_files(yaml.safe_load(read(root / "_toc.yml"))):
        if not file.startswith("notebooks/"):
            continue
        path = f"{file.removesuffix('.ipynb')}.ipynb"
        if not (root / path).is_file():
            raise ValueError(f"_toc.yml lists {path}, which is not there")
        number = re.search(r"0*([0-9]+[a-z]?)-", path)[1]
        row = f"| {number} | [{title(root / path)}]({path}) |"
        rows.append(f"{row} {badge}({colab}/{path}) |" if address else row)
    table = "\n".join([*rows, ""])
    return CHAPTERS.sub(lambda _: table, text)


def listed_files(toc: dict | list) -> Iterator[str]:
    """Every `file:` of a _toc.yml, in reading order."""
    for key, value in toc.items() if isinstance(toc, dict) else enumerate(toc):
        if key == "file":
            yield value
        elif isinstance(value, (dict, list)):
            yield from listed_files(value)


def title(path: Path) -> str:
    """The first heading of a notebook, less a chapter number. Raises ValueError without one."""
    for cell in json.loads(read(path))["cells"]:
        heading = re.search(r"^#+ +(.+?)\s*$", "".join(cell["source"]), re.MULTILINE)
        if cell["cell_type"] == "markdown" and heading:
            return re.sub(r"^(Chapter )?[0-9]+[a-z]? ?[.:·]? +", "", heading[1]).replace("|", r"\|")
    raise ValueError(f"{path.name} has no heading")


# Files


def read(path: Path) -> str:
    return path.read_bytes().decode()


def write(path: Path, text: str) -> None:
    """Replace a file in one step, so that an interruption leaves the old one or the new one."""
    part = path.with_name(path.name + ".part")
    part.write_bytes(text.encode())
    shutil.copymode(path, part)
    os.replace(part, path)


def plan(root: Path, url: str | None = None) -> dict[str, str]:
    """The files that differ from what they should be, each with the text it should have.

    With `url`, as if that were the book's address; an empty one means none. Raises ValueError
    with every problem there is, one a line.
    """
    configured = (yaml.safe_load(read(root / "_config.yml")).get("repository") or {}).get("url")
    address = checked_address((configured or "") if url is None else url)
    notebook = partial(synced_notebook, root=root, address=address, public=public_names(root))
    waiting = read_waiting(root)
    makers = {
        f"notebooks/{path.name}": partial(notebook, waiting=waiting.get(path.stem, 0))
        for path in (root / "notebooks").glob("*.ipynb")
    }
    for name, lines in ADDRESS_LINES.items():
        makers[name] = partial(with_address, lines=lines, address=address)
    makers["README.md"] = partial(with_chapters, root=root, address=address)
    makers["book/intro.md"] = partial(with_paths, root=root, waiting=waiting)
    if (root / "book/teaching.md").is_file():
        makers["book/teaching.md"] = partial(with_lessons, root=root)

    changed, problems = {}, []
    for name, make in sorted(makers.items()):
        try:
            if (wanted := make(text := read(root / name))) != text:
                changed[name] = wanted
        except (ValueError, OSError) as error:
            problems.extend(f"{name}: {line}" for line in str(error).splitlines())
    if problems:
        raise ValueError("\n".join(problems))
    return changed


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """The command line; returns the exit status: 1 for a problem, or for a difference found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    either = parser.add_mutually_exclusive_group()
    either.add_argument("--check", action="store_true", help="write nothing, say what differs")
    either.add_argument("--repository", metavar="URL", help="set the book's address; empty: none")
    options = parser.parse_args(arguments)
    try:
        changed = plan(root, options.repository)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    for name, text in changed.items():
        if options.check:
            old, new = read(root / name).splitlines(), text.splitlines()
            print("\n".join(difflib.unified_diff(old, new, name, "synced", n=1, lineterm="")))
        else:
            write(root / name, text)
            print(f"wrote {name}")
    if options.check and changed:
        print(f"Out of line: {', '.join(changed)}. Run: python book/tools/sync.py")
    return int(options.check and bool(changed))


if __name__ == "__main__":
    sys.exit(main())
