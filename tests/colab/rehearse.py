"""Rehearse Colab: run each notebook alone, in an environment that holds what Colab holds.

    python3.11 tests/colab/rehearse.py                          every notebook, both ways to begin
    python3.11 tests/colab/rehearse.py notebooks/01-a.ipynb     only this notebook

Notebooks and package are taken from the last commit. Each notebook lies alone in an empty folder,
its set-up cell has to bring the package, and no package that was there before may change. Each
folded solution is handed in, and the exercise's own check has to accept it.

There are two set-up cells. One holds the package (book/tools/colab_files.py): so every notebook is
run. The other fetches it from the book's address, and is the same in all: the first notebook is run
so, and one that has imported another package called feedback.
The environment is built once, under _build/colab; every notebook runs in a copy of it.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import venv
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ROOT / "tests" / "colab" / "requirements.txt"
BUILDS = ROOT / "_build" / "colab"
CELL_LIMIT = 600  # seconds

EXECUTE = """
import sys, nbclient, nbformat
path, limit = sys.argv[1:]
notebook = nbformat.read(path, as_version=4)
try:
    nbclient.NotebookClient(notebook, timeout=int(limit), kernel_name="python3").execute()
except nbclient.exceptions.CellExecutionError as error:
    sys.exit(str(error))
"""


def environment() -> Path:
    """The folder of the environment with the listed packages; built if it is missing."""
    key = f"{PACKAGES.read_text()}{sys.version}{sys.base_prefix}"
    folder = BUILDS / f"env-{hashlib.sha256(key.encode()).hexdigest()[:12]}"
    stamp = folder / "complete"
    if not stamp.exists():
        for old in BUILDS.glob("env-*"):
            shutil.rmtree(old)
        print(f"building {folder.relative_to(ROOT)}", flush=True)
        venv.create(folder, symlinks=True, with_pip=True)
        install = [folder / "bin/python", "-m", "pip", "install", "-qq", "-r", PACKAGES]
        subprocess.run(install, env=clean_variables(), check=True)
        stamp.touch()
    return folder


def copy_of(environment: Path, copy: Path) -> Path:
    """An independent copy of an environment: its commands, too, start its own Python.

    Its files are hard links, for a copy of each would take most of the time. pip puts new files in
    the place of old ones; what is in both it does not touch.
    """
    shutil.copytree(environment, copy, symlinks=True, copy_function=os.link)
    for command in (copy / "bin").iterdir():
        if not command.is_symlink() and (text := command.read_bytes()).startswith(b"#!"):
            mode = command.stat().st_mode
            command.unlink()  # the original keeps its own
            command.write_bytes(text.replace(bytes(environment), bytes(copy), 1))
            command.chmod(mode)
    return copy


def clean_variables(home: Path | None = None, **more: str) -> dict[str, str]:
    """The variables of this process, less what leads to other Pythons, Jupyters and settings.

    pip and git keep their configuration when HOME moves away from it.
    """
    leads_away = re.compile(r"PYTHON(?!UNBUFFERED)|VIRTUAL_ENV|CONDA|JUPYTER|IPYTHON|IPY_|MPL|XDG_")
    variables = {k: v for k, v in os.environ.items() if not leads_away.match(k)}
    if active := os.environ.get("VIRTUAL_ENV"):
        places = os.environ["PATH"].split(os.pathsep)
        variables["PATH"] = os.pathsep.join(p for p in places if not p.startswith(active))
    if home:
        config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
        files = [
            ("PIP_CONFIG_FILE", Path.home() / ".pip/pip.conf"),
            ("PIP_CONFIG_FILE", config / "pip/pip.conf"),
            ("GIT_CONFIG_GLOBAL", Path.home() / ".gitconfig"),
        ]
        found = {name: str(path) for name, path in files if path.exists()}
        variables = {**found, **variables, "HOME": str(home)}
    return variables | more


def git_bytes(*words: str) -> bytes:
    return subprocess.run(["git", "-C", ROOT, *words], check=True, capture_output=True).stdout


def git(*words: str) -> str:
    return git_bytes(*words).decode()


def installed(environment: Path) -> dict[str, int]:
    """Every installed distribution with the time of its installation."""
    records = environment.glob("lib/python*/site-packages/*.dist-info/RECORD")
    return {
        record.parent.name.removesuffix(".dist-info"): record.stat().st_mtime_ns
        for record in records
    }


SOLUTION = re.compile(r"^(?:def|class) ((\w+?)_?[sS]olution)\b", re.MULTILINE)
CHECKED = re.compile(r'checks\.check\("[\d.]+", (\w+)\)$')


def solved(notebook: str) -> str:
    """The notebook of a reader who hands in each folded solution where the exercise asks for it."""
    content = json.loads(notebook)
    cells = []
    for cell in content["cells"]:
        cells.append(cell)
        source = "".join(cell["source"])
        if cell["cell_type"] == "code" and source.startswith("# @title Solution"):
            solution, name = SOLUTION.search(source).groups()
            call = CHECKED.search("".join(cells[-2]["source"]))
            assert call and call[1] == name, f"no exercise for {solution} stands before it"
            text = f"{name} = {solution}\n{call[0]}"
            cells.append(cell | {"id": f"solved-{len(cells)}", "metadata": {}, "source": text})
    return json.dumps(content | {"cells": cells})


def rehearse(
    name: str,
    notebook: str,
    commit: str,
    original: Path,
    prepare: Callable[[Path], None] = lambda packages: None,
) -> bool:
    """Run a notebook's text alone in a copy of the environment; print and return how it went.

    `commit` is where its first cell finds the package; empty if it holds the package. `prepare` is
    handed the copy's folder of packages before the run.
    """
    with (
        tempfile.TemporaryDirectory(prefix="rehearsal-") as folder,
        tempfile.TemporaryDirectory(prefix="copy-", dir=BUILDS) as copies,
    ):
        home, work = Path(folder, "home"), Path(folder, "work")
        home.mkdir()
        work.mkdir()
        (work / name).write_text(notebook)
        env = copy_of(original, Path(copies, "env"))
        prepare(next(env.glob("lib/python*/site-packages")))
        before, start = installed(env), time.monotonic()
        address = f"git+{ROOT.as_uri()}@{commit}" if commit else ""
        variables = clean_variables(home, FEEDBACK_BOOK_SOURCE=address)
        variables["PATH"] = f"{env / 'bin'}{os.pathsep}{variables['PATH']}"
        variables["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"  # or the kernel's debugger warns
        command = [env / "bin/python", "-c", EXECUTE, name, str(CELL_LIMIT)]
        run = subprocess.run(command, cwd=work, env=variables, capture_output=True, text=True)
        seconds, after = time.monotonic() - start, installed(env)
    changed = sorted(package for package in before if after.get(package) != before[package])
    new = sorted(package for package in after if package not in before)
    good = not run.returncode and not changed
    print(
        f"{'ok    ' if good else 'FAILED'} {seconds:4.0f} s  {name}  new: {', '.join(new) or '-'}"
    )
    if changed:
        print(f"changed or gone: {', '.join(changed)}")
    if run.returncode:
        print(run.stdout, run.stderr, sep="\n")
    sys.stdout.flush()
    return good


def colab_files(commit: str, folder: Path) -> list[Path]:
    """Every notebook of the commit with the commit's package in its first cell."""
    tree, files = folder / "tree", folder / "files"
    with tarfile.open(fileobj=io.BytesIO(git_bytes("archive", "--format=tar", commit))) as archive:
        archive.extractall(tree)
    write = [sys.executable, tree / "book/tools/colab_files.py", files]
    subprocess.run(write, check=True, stdout=subprocess.DEVNULL)
    return sorted(files.iterdir())


def put_namesake(packages: Path) -> None:
    """Install another distribution called feedback, with a module that the book's has too."""
    (packages / "feedback").mkdir()
    (packages / "feedback/__init__.py").write_text("NAMESAKE = True\n")
    (packages / "feedback/attention.py").write_text("NAMESAKE = True\n")
    metadata = packages / "feedback-9.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: feedback\nVersion: 9.0\n")
    (metadata / "INSTALLER").write_text("pip\n")
    files = ["feedback/__init__.py", "feedback/attention.py"]
    files += [f"{metadata.name}/{name}" for name in ("METADATA", "INSTALLER", "RECORD")]
    (metadata / "RECORD").write_text("".join(f"{name},,\n" for name in files))


def namesake_notebook(chapter: str) -> str:
    """A notebook that has imported the namesake when it runs the set-up cell of `chapter`."""
    set_up = "".join(json.loads(chapter)["cells"][0]["source"])
    sources = [
        "import feedback.attention\nassert feedback.NAMESAKE",
        set_up,
        "import os, feedback.attention\n"
        "assert not hasattr(feedback, 'NAMESAKE')\n"
        "assert not hasattr(feedback.attention, 'NAMESAKE')\n"
        "assert len(os.listdir()) == 1, 'the set-up cell left files behind'",
        set_up,
    ]
    blank = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    cells = [blank | {"id": f"cell-{i}", "source": text} for i, text in enumerate(sources)]
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all of them")
    chosen = [str(path.resolve().relative_to(ROOT)) for path in parser.parse_args().notebooks]
    commit = git("rev-parse", "HEAD").strip()
    committed = git("ls-tree", "--name-only", commit, "notebooks/").split("\n")
    committed = [path for path in committed if path.endswith(".ipynb")]
    if missing := [path for path in chosen if path not in committed]:
        parser.error(f"not in the last commit: {', '.join(missing)}")
    print(f"rehearsing commit {commit[:12]}")
    if git("status", "--porcelain"):
        print("The working tree differs from it. What is tested is the commit.")
    start, original = time.monotonic(), environment()
    with tempfile.TemporaryDirectory() as folder:
        files = {file.name: file.read_text("utf-8") for file in colab_files(commit, Path(folder))}
    names = [Path(path).name for path in chosen or committed]
    results = [rehearse(name, solved(files[name]), "", original) for name in names]
    if not chosen:
        text = git("show", f"{commit}:{committed[0]}")
        results.append(rehearse("by-address.ipynb", solved(text), commit, original))
        text = namesake_notebook(text)
        results.append(rehearse("name-clash.ipynb", text, commit, original, put_namesake))
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    print(f"in {time.monotonic() - start:.0f} s")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
