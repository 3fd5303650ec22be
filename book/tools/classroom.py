"""All that a class needs, in one archive: `make classroom`.

    python book/tools/classroom.py          _build/classroom.zip

The built book, the slides, the handout, notebooks for students and for the teacher, notebooks for
Colab, the corpus if FEEDBACK_DATA leads to it, and the package with what it needs that is pure
Python. Only while it is made a package registry is asked, for those. What is in it then works
without a network: README.txt in the archive says how.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import class_notebooks
import colab_files
import pdf
import slides
from build import ROOT
from minutes import read_waiting

OUT = ROOT / "_build" / "classroom.zip"
# What the package needs beside what a machine for deep learning has: pure Python, so that one file
# of each serves every system. tests/classroom/rehearse.py finds one that lacks.
PURE = ("anywidget", "psygnal", "typing_extensions", "labml", "gitpython", "gitdb", "smmap")
README = """\
The Feedback Transformer: for a class

book/       The book. Open book/index.html by double-click.
slides/     Slides of every chapter: open slides/index.html. Beside each are two PDFs, one of the
            slides alone and one with what to say.
handout.pdf The whole book on paper, its solutions left out.
student/    The chapters as notebooks, without solutions. Every exercise has its check.
            Where a later cell uses the answer to an exercise, it uses the student's.
teacher/    The same with solutions, minutes, questions and common mistakes.
colab/      The students' notebooks with the package inside: upload one to Colab, and it runs.
wheels/     The package, and what it needs that is pure Python.
{data}
To run the notebooks on a machine with torch, numpy, matplotlib, safetensors, PyYAML and ipywidgets,
install the package once, with no network:

    pip install --no-index --find-links wheels feedback-transformer-book
{variable}
Slides, book and notebooks ask nothing of any network.
"""
DATA = "data/       Tiny Shakespeare, the text that some chapters train on.\n"
VARIABLE = """
and let FEEDBACK_DATA lead to the folder data before you start Jupyter.
"""


def write_notebooks(folder: Path, book: Path) -> None:
    """Write student/, teacher/ and colab/.

    Args:
        book: the built book; its pages hold the questions that chapters ask.
    """
    from feedback.graders.quiz import ASKED

    waiting, cell = read_waiting(), (ROOT / "book" / "carried_cell.py").read_text("utf-8")
    for file in sorted((ROOT / "notebooks").glob("*.ipynb")):
        notebook = class_notebooks.read(file)
        numbers = [*class_notebooks.answers_to(notebook)]
        page = book / "notebooks" / f"{file.stem}.html"
        asked = [json.loads(state) for state in ASKED.findall(page.read_text("utf-8"))]
        mistakes = class_notebooks.mistakes_of(numbers)
        theirs = class_notebooks.student(notebook)
        own = class_notebooks.teacher(notebook, mistakes, asked, waiting.get(file.stem, 0))
        class_notebooks.write(folder / "student" / file.name, theirs)
        class_notebooks.write(folder / "teacher" / file.name, own)
        archive = colab_files.package(ROOT, colab_files.OPENED.get(file.stem, ()))
        (folder / "colab").mkdir(exist_ok=True)
        text = colab_files.carrying(json.dumps(theirs), cell.rstrip("\n"), archive)
        (folder / "colab" / file.name).write_text(text, "utf-8")


def write_wheels(folder: Path) -> None:
    """Write the package's wheel, and those of `PURE` in the versions that are installed here.

    Raises:
        subprocess.CalledProcessError: pip cannot make or get one.
    """
    pip = [sys.executable, "-m", "pip", "--quiet"]
    with TemporaryDirectory() as place:  # pip leaves a folder where it builds
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(ROOT / name, place)
        shutil.copytree(ROOT / "feedback", Path(place, "feedback"))
        wheels = ["--no-deps", "--wheel-dir", folder, place]
        subprocess.run([*pip, "wheel", *wheels], check=True)
    pins = [f"{name}=={importlib.metadata.version(name)}" for name in PURE]
    pure = ["--no-deps", "--only-binary", ":all:", "--platform", "any", "--dest", folder]
    subprocess.run([*pip, "download", *pure, *pins], check=True)


def corpus() -> Path | None:
    """The file that FEEDBACK_DATA leads to, if it does."""
    named = Path(os.environ.get("FEEDBACK_DATA") or "nowhere")
    file = named / "tinyshakespeare.txt" if named.is_dir() else named
    return file if file.is_file() else None


def contents(folder: Path, built: Path) -> Iterator[tuple[str, Path]]:
    """What goes into the archive: names there, and files here.

    Args:
        folder: holds what was made for the archive alone.
        built: `_build`, with book, slides and handout.
    """
    for name, place in (("book", built / "html"), ("slides", built / "slides")):
        for file in sorted(place.rglob("*")):
            if file.is_file():
                yield f"{name}/{file.relative_to(place).as_posix()}", file
    yield "handout.pdf", built / "book.pdf"
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            yield file.relative_to(folder).as_posix(), file
    if data := corpus():
        yield "data/tinyshakespeare.txt", data


def readme(has_data: bool) -> str:
    return README.format(data=DATA if has_data else "", variable=VARIABLE if has_data else "")


def write_archive(out: Path, built: Path) -> None:
    """Write the archive, from a `_build` folder that has book, slides and handout."""
    with TemporaryDirectory() as made:
        folder = Path(made)
        write_notebooks(folder, built / "html")
        write_wheels(folder / "wheels")
        (folder / "README.txt").write_text(readme(corpus() is not None), "utf-8")
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, file in contents(folder, built):
                archive.write(file, f"classroom/{name}")


def main(arguments: list[str] | None = None) -> int:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args(arguments)
    for status in (slides.main(["--print"]), pdf.main([])):
        if status:
            return status
    write_archive(OUT, ROOT / "_build")
    print(f"{OUT.stat().st_size / 1e6:.0f} MB  {OUT}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
