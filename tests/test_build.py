"""`make book` on a small book: what it says, and what its pages show, when cells fail."""

import json
import os
import re
import subprocess
import sys
from functools import partial
from html import unescape
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from fresh_processes import fresh_processes

ROOT = Path(__file__).resolve().parents[1]
EXTENSIONS = ROOT / "book/_ext"

# What `feedback.live` would say, so that the test knows the numbers.
STUB = """
import sys, types, feedback

keys = "name where page claim attempts seconds held done worst lower_bound failing".split()
parity = ["parity", "chapter 1", "notebooks/01-whole", "It tracks parity.", 3, 8.34, 79, 80]
warm = ["warm", "a test", None, "It begins warm.", 4, 0.5, 80, 80]
live = sys.modules["feedback.live"] = feedback.live = types.ModuleType("feedback.live")
live.summary = lambda: [
    dict(zip(keys, [*parity, "39 of 40 (2 threads, AVX2)", 0.87119, 0.0021371])),
    dict(zip(keys, [*warm, "40 of 40 (1 thread, DEFAULT)", 0.9124, 0.0000589])),
]
live.combinations = lambda: [
    dict(name=name, threads=threads, instructions=set, held=held, done=40, seconds=1.0)
    for name, threads, set, held in [
        ("parity", 1, "DEFAULT", 40), ("parity", 2, "AVX2", 39), ("warm", 1, "DEFAULT", 40)
    ]
]


def setup(app):
    pass
"""


def cell(source: str, **metadata):
    import nbformat  # here, for it takes long, and every worker reads this file

    return nbformat.v4.new_code_cell(source, metadata=metadata)


def write_chapter(path: Path, title: str, *sources: str, **metadata):
    import nbformat

    heading = nbformat.v4.new_markdown_cell(f"# {title}")
    notebook = nbformat.v4.new_notebook(cells=[heading, *map(cell, sources)])
    for index, one in enumerate(notebook.cells):
        one.id = f"cell-{index}"
    notebook.metadata = {"kernelspec": {"display_name": "", "name": "python3"}, **metadata}
    path.write_text(nbformat.writes(notebook))


def write_book(folder: Path):
    config = yaml.safe_load((ROOT / "_config.yml").read_text())
    extensions = config["sphinx"]["local_extensions"]
    extensions.update(dict.fromkeys(extensions, str(EXTENSIONS)), stub=str(folder))
    config["sphinx"]["config"]["html_static_path"] = [str(ROOT / "book/_static")]
    del config["bibtex_bibfiles"]
    (folder / "notebooks").mkdir(parents=True)
    (folder / "_config.yml").write_text(yaml.safe_dump(config))
    (folder / "stub.py").write_text(STUB)
    (folder / "intro.md").write_text("# Intro\n")
    (folder / "runs.md").write_text((ROOT / "book/runs.md").read_text())
    write_chapter(folder / "notebooks/01-whole.ipynb", "1 · Whole", "print('all', 'of it')")
    write_chapter(
        folder / "notebooks/02-wrong.ipynb",
        "2 · Wrong",
        "print('as far', 'as it goes')",
        "\n# A comment\nraise ValueError('one\\ntwo\\n\\nthree\\nfour')",
        "print('not reached')",
    )
    write_chapter(
        folder / "notebooks/03-slow.ipynb",
        "3 · Slow",
        "import time\nprint('it', 'waits', flush=True)\ntime.sleep(60)",
        execution={"timeout": 1},
    )
    write_chapter(
        folder / "notebooks/04-dead.ipynb",
        "4 · Dead",
        "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)",
    )
    names = ["notebooks/01-whole", "notebooks/02-wrong", "notebooks/03-slow", "notebooks/04-dead"]
    toc = {"format": "jb-book", "root": "intro"}
    toc["chapters"] = [{"file": name} for name in [*names, "runs"]]
    (folder / "_toc.yml").write_text(yaml.safe_dump(toc))


# What a build imports; and a build in a process that has done so. It is jupyter-book's own, though
# it is not started as a program.
IMPORTS = "import jupyter_book.cli.main, jupyter_book.sphinx, myst_nb.sphinx_ext, feedback"
BUILD = f"""
import os, sys, types
sys.path.insert(0, {str(ROOT / "book/tools")!r})
import build, jupyter_book.cli.main

def run(command, cwd):
    os.chdir(cwd)
    try:
        jupyter_book.cli.main.main(command[1:])
    except SystemExit as ended:
        sys.stdout.flush()
        return types.SimpleNamespace(returncode=ended.code)

build.subprocess = types.SimpleNamespace(run=run)
os.environ["FEEDBACK_DATA"] = ""
sys.exit(build.main(["."]))
"""


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """`build(folder)`: what `make book` gives there, its exit status and all that it says."""
    with fresh_processes(tmp_path_factory.mktemp("fresh"), IMPORTS) as processes:
        yield partial(processes.run, BUILD)


def text_of(folder: Path, page: str) -> str:
    """The words of a page's article."""
    html = (folder / f"_build/html/{page}.html").read_text()
    article = re.search("<article.*?</article>", html, re.DOTALL)[0]
    return " ".join(unescape(re.sub("<[^>]+>", "", article)).split())


@pytest.fixture(scope="module")
def built(tmp_path_factory, build):
    """A book of which three of four chapters fail, built, and built again as it is."""
    folder = tmp_path_factory.mktemp("book")
    write_book(folder)
    first = build(folder)
    page = folder / "_build/html/notebooks/01-whole.html"
    written = page.stat().st_mtime_ns
    second = build(folder)
    return SimpleNamespace(
        folder=folder, first=first, second=second, kept=page.stat().st_mtime_ns == written
    )


@pytest.mark.slow
def test_the_last_lines_name_chapters_cells_and_errors(built):
    folder = built.folder
    logs = f"{folder}/_build/html/reports/notebooks"
    last = f"""
3 chapters were not run to the end.

2 · Wrong, notebooks/02-wrong.ipynb
    cell   02-wrong[2] (cell-2): # A comment
    error  ValueError: one
           two
           three ...
    log    {logs}/02-wrong.err.log

3 · Slow, notebooks/03-slow.ipynb
    cell   03-slow[1] (cell-1): import time
    error  CellTimeoutError: A cell timed out while it was being executed, after 1 seconds.
    log    {logs}/03-slow.err.log

4 · Dead, notebooks/04-dead.ipynb
    cell   04-dead[1] (cell-1): import os, signal
    error  DeadKernelError: Kernel died
    log    {logs}/04-dead.err.log

3 other pages are built, and the broken as far as they ran: open \
{folder}/_build/html/index.html in a browser.
"""
    for status, said in (built.first, built.second):
        assert status == 1
        assert said.endswith(last)
    assert "four" in Path(logs, "02-wrong.err.log").read_text()


@pytest.mark.slow
def test_a_broken_page_says_where_it_stopped_and_shows_what_ran(built):
    wrong = text_of(built.folder, "notebooks/02-wrong")
    assert (
        "2 · Wrong# This page was not run to its end When the book was built, the run stopped at "
        "02-wrong[2], the cell that begins with # A comment. What all later cells should give "
        "is missing. ValueError: one two three ..."
    ) in wrong
    assert "as far as it goes" in wrong
    assert "The run stopped here ValueError: one print('not reached')" in wrong
    assert "it waits" in text_of(built.folder, "notebooks/03-slow")
    html = (built.folder / "_build/html/notebooks/02-wrong.html").read_text()
    assert html.count('href="#stopped-here"') == html.count('id="stopped-here"') == 1


@pytest.mark.slow
def test_a_whole_page_stays_as_it_was_built(built):
    assert built.kept
    whole = text_of(built.folder, "notebooks/01-whole")
    assert "all of it" in whole and "not run" not in whole


@pytest.mark.slow
def test_the_page_of_runs_says_how_far_each_chapter_ran_and_on_what(built):
    from feedback.machine import describe_machine

    page, machine = text_of(built.folder, "runs"), describe_machine()
    assert re.search(r"1 · Whole \d+\.\d \d{4}-\d\d-\d\d to its end", page)
    assert re.search(r"2 · Wrong \d+\.\d \d{4}-\d\d-\d\d stopped at \[2\]", page)
    assert f"processor {machine['processor']} " in page
    assert f"torch computes with {machine['instructions']} " in page


@pytest.mark.slow
def test_the_page_of_runs_shows_the_live_results_as_bounds(built):
    page = text_of(built.folder, "runs")
    row = "chapter 1: It tracks parity. 8.3 79 of 80 39 of 40 (2 threads, AVX2) 0.871 3 0.00214"
    assert row in page
    assert (
        "a test: It begins warm. 0.5 80 of 80 40 of 40 (1 thread, DEFAULT) 0.912 4 0.00006" in page
    )
    assert "live result DEFAULT, 1 thread AVX2, 2 threads" in page
    assert "chapter 1: parity 40 of 40 39 of 40" in page
    html = (built.folder / "_build/html/runs.html").read_text()
    assert '<a class="reference internal" href="notebooks/01-whole.html">chapter 1</a>' in html


@pytest.mark.slow
def test_a_mended_book_is_built_and_what_ran_elsewhere_is_marked(built, build):
    folder = built.folder
    write_chapter(folder / "notebooks/02-wrong.ipynb", "2 · Mended", "print('mended')")
    for name in ("03-slow", "04-dead"):
        write_chapter(folder / f"notebooks/{name}.ipynb", "Mended", "1")
    # As if the cache came from another machine.
    for executed in folder.glob("_build/.jupyter_cache-*/executed/*/base.ipynb"):
        notebook = json.loads(executed.read_text())
        notebook["metadata"]["feedback_run"]["machine"]["processor"] = "An abacus"
        executed.write_text(json.dumps(notebook))
    chapter = folder / "notebooks/01-whole.ipynb"
    chapter.write_text(chapter.read_text().replace("1 · Whole", "1 · Cached"))
    status, said = build(folder)
    assert status == 0, said
    assert said.endswith(f"The book is built: open {folder}/_build/html/index.html in a browser.\n")
    assert "not run" not in said + text_of(folder, "notebooks/02-wrong")
    assert not list(folder.glob("_build/html/reports/**/*.log"))
    page = text_of(folder, "runs")
    assert re.search(r"1 · Cached \d+\.\d \d{4}-\d\d-\d\d\* to its end", page)
    assert re.search(r"2 · Mended \d+\.\d \d{4}-\d\d-\d\d to its end", page)
    assert "* Elsewhere: processor An abacus, instruction set" in page


@pytest.mark.slow
def test_other_failures_fail_too_and_blame_no_chapter(tmp_path, build):
    """A warning comes when a page is read: an unchanged page must not pass the next time."""
    folder = tmp_path / "book"
    write_book(folder)
    toc = {"format": "jb-book", "root": "intro"}
    (folder / "_toc.yml").write_text(yaml.safe_dump(toc))
    (folder / "intro.md").write_text("# Intro\n\n[nowhere](nowhere.md)\n")
    for status, said in (build(folder), build(folder)):
        assert status == 1
        assert "nowhere" in said and "not run to the end" not in said
    (folder / "_toc.yml").write_text("no book: [")
    command = [sys.executable, ROOT / "book/tools/build.py", folder]  # jupyter-book as a program
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 1 and "_toc.yml" in run.stderr
    assert "not run to the end" not in run.stderr + run.stdout


@pytest.mark.slow
def test_what_shaking_counted_makes_no_chapter_run_again(tmp_path):
    """Every other file of the package that a notebook can read does."""
    script = """if True:
        import sys
        from pathlib import Path
        import offline
        offline.PACKAGE = Path(sys.argv[1])
        offline.SHAKEN = offline.PACKAGE / offline.SHAKEN.relative_to(offline.ROOT / "feedback")
        for name in ("results/live.json", "results/other.json", "live.json", "model.py", "a.css"):
            path = offline.PACKAGE / name
            path.parent.mkdir(parents=True, exist_ok=True)
            before = offline.package_hash()
            path.write_text("1")
            print(name, offline.package_hash() != before)
    """
    command = [sys.executable, "-c", script, tmp_path / "feedback"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(EXTENSIONS), str(ROOT)])}
    run = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert run.stdout.splitlines() == [
        "results/live.json False",
        "results/other.json True",
        "live.json True",
        "model.py True",
        "a.css False",
    ], run.stderr


def test_live_results_are_what_the_page_of_runs_reads():
    from feedback import live

    known = {"name", "where", "page", "claim", "attempts", "seconds"}
    known |= {"held", "done", "worst", "lower_bound", "failing"}
    for result in live.summary():
        assert known <= result.keys()
        assert result["page"] is None or (ROOT / f"{result['page']}.ipynb").is_file()
    named = {result["name"] for result in live.summary()}
    for one in live.combinations():
        assert {"name", "threads", "instructions", "held", "done"} <= one.keys()
        assert one["name"] in named
