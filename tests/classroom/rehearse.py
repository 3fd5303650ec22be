"""Use the archive for a class as a class does, with no network: `make classroom-test`.

    .venv/bin/python tests/classroom/rehearse.py

The slides of every chapter are pressed through, the book's pages open, the package is installed
from the archive alone, a student's notebook runs to its first unsolved exercise, and a teacher's to
its end. The environment for that has what the README in the archive asks for, and Jupyter's kernel.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

import nbclient
import nbformat
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "pages"), str(ROOT / "book" / "tools")]
from chromium import ARGUMENTS, find_chromium  # noqa: E402
from classroom import OUT  # noqa: E402

ASKED = ("torch", "numpy", "matplotlib", "safetensors", "PyYAML", "ipywidgets", "ipykernel", "pip")
# A proxy that is not there, for whatever would ask a network in spite of all.
NO_NETWORK = dict.fromkeys(
    ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9"
)
STUDENT, TEACHER = "01-attention.ipynb", "05-shared-keys-values.ipynb"
NOT_BEGUN = re.compile(r"Exercise [\d.]+ is not begun")


def environment(folder: Path) -> Path:
    """The Python of an environment that has what is asked for: links to the packages of this one,
    to those and to what they need, and to no other."""
    venv.create(folder, symlinks=True)
    packages = next(folder.glob("lib/python*/site-packages"))
    for name in needed(ASKED):
        distribution = importlib.metadata.distribution(name)
        for file in distribution.files or ():
            top = file.parts[0]
            place = Path(distribution.locate_file(top))
            if top not in ("..", "__pycache__") and not (packages / top).exists():
                (packages / top).symlink_to(place)
    return folder / "bin" / "python"


def needed(names: tuple[str, ...]) -> set[str]:
    """The distributions of these names, and all that they need here."""
    found, waiting = set(), [*names]
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in found:
            continue
        found.add(name)
        for line in importlib.metadata.requires(name) or ():
            required = Requirement(line)
            if required.marker is None or required.marker.evaluate({"extra": ""}):
                waiting.append(required.name)
    return found


def press_through(folder: Path) -> None:
    """Go through all slides by the arrow key, and open each page of the book."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        wrong: list[str] = []
        page.on("console", lambda said: said.type == "error" and wrong.append(said.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("requestfailed", lambda request: wrong.append(request.url))
        waiting = set()
        page.on("request", lambda request: waiting.add(request))
        for end in ("requestfinished", "requestfailed"):
            page.on(end, lambda request: waiting.discard(request))

        def come_to_rest() -> None:
            """Who leaves a page breaks off what it loads, and that is no fault of the page."""
            page.evaluate("window.MathJax?.startup?.promise.then(() => document.fonts.ready)")
            while waiting:
                page.wait_for_timeout(20)

        for file in sorted((folder / "slides").glob("[0-9]*.html")):
            page.goto(file.as_uri())
            page.locator("html[data-slides=ready]").wait_for()
            slides = page.evaluate("deck.getTotalSlides()")
            for _ in range(slides - 1):
                page.keyboard.press("ArrowRight")
            assert page.evaluate("deck.isLastSlide()"), f"{file.name}: keys do not lead to its end"
            come_to_rest()
            print(f"ok  {file.name}: {slides} slides", flush=True)
        for part in ("book", "notebooks"):
            for file in sorted((folder / "book" / part).glob("*.html")):
                page.goto(file.as_uri())
                come_to_rest()
        assert wrong == [], wrong
        browser.close()


def install(python: Path, wheels: Path) -> None:
    """Install the package as the README says."""
    words = ["pip", "install", "--quiet", "--no-index", "--find-links", wheels]
    command = [python, "-m", *words, "feedback-transformer-book"]
    subprocess.run(command, check=True, env=clean_variables() | {"PIP_CONFIG_FILE": os.devnull})


def run(python: Path, file: Path, stop_at_exercise: bool) -> None:
    """Run a notebook to its end, or to the first cell that says that an exercise is not begun."""
    notebook = nbformat.read(file, as_version=4)
    manager = nbclient.client.KernelManager
    kernel = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    client = nbclient.NotebookClient(
        notebook, timeout=600, kernel_manager_class=of(manager, kernel)
    )
    with client.setup_kernel(env=variables(file), cwd=str(file.parent)):
        for index, cell in enumerate(notebook.cells):
            client.execute_cell(cell, index)
            printed = "".join(one.get("text", "") for one in cell.get("outputs", ()))
            if stop_at_exercise and (found := NOT_BEGUN.search(printed)):
                return print(f"ok  {file.parent.name}/{file.name}: {found[0]}")
    assert not stop_at_exercise, f"{file.name} asks nothing"
    print(f"ok  {file.parent.name}/{file.name}: to its end")


def variables(file: Path) -> dict[str, str]:
    """Those for a notebook of the archive, which may hold the corpus."""
    data = file.parents[1] / "data"
    return clean_variables() | ({"FEEDBACK_DATA": str(data)} if data.is_dir() else {})


def clean_variables() -> dict[str, str]:
    """The variables of this process, less what leads to this checkout or to a network."""
    own = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "FEEDBACK", "PIP_"))}
    return own | NO_NETWORK


def of(manager: type, command: list[str]) -> type:
    """A kernel manager that starts the kernel by this command."""

    class Manager(manager):
        def format_kernel_cmd(self, extra_arguments=None):
            own = {"{connection_file}": self.connection_file}
            return [own.get(word, word) for word in command]

    return Manager


def main() -> int:
    if find_chromium() is None:
        print("no Chromium found; on Debian: apt-get install chromium-headless-shell")
        return 1
    with tempfile.TemporaryDirectory(prefix="classroom-") as place:
        with zipfile.ZipFile(OUT) as archive:
            archive.extractall(place)
        folder = Path(place) / "classroom"
        python = environment(Path(place) / "env")
        install(python, folder / "wheels")
        print("ok  installed from the archive alone")
        run(python, folder / "student" / STUDENT, stop_at_exercise=True)
        run(python, folder / "teacher" / TEACHER, stop_at_exercise=False)
        press_through(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
