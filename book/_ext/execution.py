"""Sphinx extension: when and where each chapter ran, and what is said of one that broke off.

A cell that fails hides neither the book nor its own chapter. The page shows what the cells before
it gave and says where the run stopped; all other pages are built; the build fails, and
`broken.json` beside the pages tells `book/tools/build.py` what to say in the end. Each build runs
a broken chapter again, changed or not.
"""

import json
import re
import time
import traceback
from pathlib import Path

import offline  # noqa: F401  (lets `feedback` be the package of this checkout)
from docutils import nodes
from jupyter_cache import get_cache
from jupyter_cache.executors.utils import ExecutionResult, single_nb_execution
from myst_nb.core import execute
from myst_nb.sphinx_ import NbMetadataCollector
from nbclient.exceptions import CellExecutionError
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

from feedback.machine import describe_machine

LOGGER = logging.getLogger(__name__)
KEY = "feedback_run"  # in a notebook's metadata, and so in the cache beside its outputs
ANCHOR = "stopped-here"
ERROR_LINES, LINE_LENGTH = 3, 160
TERMINAL_COLOR = re.compile(r"\x1b\[[0-9;]*m")


def setup(app):
    execute.cache.single_nb_execution = run_as_far_as_it_goes
    execute.NotebookClientCache = RecordingClient
    app.connect("config-inited", take_over_the_warnings)
    app.connect("env-get-outdated", run_broken_chapters_again)
    app.connect("doctree-read", say_where_it_stopped)
    app.connect("build-finished", report)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


# Running a notebook


def run_as_far_as_it_goes(notebook, **settings) -> ExecutionResult:
    """jupyter-cache's `single_nb_execution`, with a note on the run in the notebook's metadata.

    A kernel that dies or does not start is the notebook's failure, and not the end of the build.
    """
    started, begin = [], time.perf_counter()

    def note(cell, cell_index):
        started.append(cell_index)

    try:
        result = single_nb_execution(notebook, on_cell_execute=note, **settings)
    except Exception as error:
        seconds = time.perf_counter() - begin
        result = ExecutionResult(notebook, settings["cwd"], seconds, error, traceback.format_exc())
    stop = None
    if result.err is not None:
        cell = notebook.cells[started[-1]] if started else {}
        stop = {
            "cell": started[-1] if started else None,
            "id": cell.get("id"),
            "line": first_line(cell.get("source", "")),
            "error": error_lines(result.err),
        }
    notebook.metadata[KEY] = {"machine": describe_machine(), "stopped": stop}
    return result


class RecordingClient(execute.NotebookClientCache):
    """Runs a notebook or takes it from the cache, and says when, where and how far it ran."""

    def start_client(self):
        super().start_client()
        run = self.notebook.metadata.pop(KEY, None)
        if run is None:
            cache = get_cache(self.nb_config.execution_cache_path)
            record = cache.match_cache_notebook(self.notebook)
            run = cache.get_cache_bundle(record.pk).nb.metadata.get(KEY)
        self.exec_metadata["run"] = json.loads(json.dumps(run))
        if not self.exec_metadata["succeeded"]:
            stop = stopped(self.exec_metadata)
            LOGGER.info("Stopped at %s: %s", where(self.path.stem, stop), stop["error"][0])


def first_line(source: str) -> str:
    return next((line.strip() for line in source.splitlines() if line.strip()), "")[:LINE_LENGTH]


def error_lines(error: Exception) -> list[str]:
    """What went wrong, in as few lines as say it."""
    if isinstance(error, CellExecutionError):
        text = f"{error.ename}: {error.evalue}"
    else:
        text = f"{type(error).__name__}: {error}".partition("\n")[0]
    lines = [line.rstrip() for line in TERMINAL_COLOR.sub("", text).splitlines() if line.strip()]
    if len(lines) > ERROR_LINES:
        lines[ERROR_LINES - 1 :] = [lines[ERROR_LINES - 1] + " ..."]
    return [line if len(line) <= LINE_LENGTH else line[:LINE_LENGTH] + " ..." for line in lines]


# What is known of the runs


def runs(env: BuildEnvironment) -> dict[str, dict]:
    """For each page that has cells, in reading order: what myst-nb knows of its run.

    That is `runtime` (seconds), `mtime` (seconds since 1970) and `succeeded`; under `run` stands
    what is added here, `machine` (of `describe_machine`) and `stopped`. It is
    None for what a cache holds that was made without this extension.
    """
    known = NbMetadataCollector.get_doc_data(env)
    return {
        name: known[name]["exec_data"]
        for name in env.collect_relations()
        if known.get(name, {}).get("exec_data")
    }


def broken(env: BuildEnvironment) -> dict[str, dict]:
    return {name: data for name, data in runs(env).items() if not data["succeeded"]}


def stopped(data: dict) -> dict:
    """Where a broken run stopped: `cell` (from 0), its `id` and first `line`, the `error`."""
    unknown = {"cell": None, "id": None, "line": "", "error": [data["error"]]}
    return (data.get("run") or {}).get("stopped") or unknown


def where(name: str, stop: dict) -> str:
    return f"{name}[{stop['cell']}]" if stop["cell"] is not None else f"{name}, before any cell"


# Building the pages


def take_over_the_warnings(app, config):
    """A broken chapter is told of here, once; so what counts as a warning is something else."""
    config.suppress_warnings = [*config.suppress_warnings, "mystnb.exec"]


def run_broken_chapters_again(app, env, added, changed, removed):
    """Sphinx would not read an unchanged page again, and the next build would succeed."""
    return list(broken(env))


def log_file(app, docname: str) -> Path:
    """Where myst-nb writes a whole traceback."""
    return Path(app.outdir, "reports", f"{docname}.err.log")


def say_where_it_stopped(app, doctree):
    docname = app.env.docname
    data = NbMetadataCollector.get_doc_data(app.env).get(docname, {}).get("exec_data")
    if data is None or data["succeeded"]:
        log_file(app, docname).unlink(missing_ok=True)
        return
    stop = stopped(data)
    name = where(docname.rpartition("/")[2], stop)
    box = admonition("This page was not run to its end")
    cell = None
    for node in doctree.findall(nodes.container):
        if node.get("nb_element") == "cell_code" and node.get("cell_index") == stop["cell"]:
            cell = node
    if cell is None:
        place = nodes.literal(text=name)
    else:
        cell["ids"].append(ANCHOR)
        here = admonition("The run stopped here")
        here += nodes.paragraph(text=stop["error"][0])
        cell.parent.insert(cell.parent.index(cell) + 1, here)
        place = nodes.reference("", "", nodes.literal(text=name), refid=ANCHOR, internal=True)
    text = nodes.paragraph("", "When the book was built, the run stopped at ", place)
    if stop["line"]:
        text += [nodes.Text(", the cell that begins with "), nodes.literal(text=stop["line"])]
    text += nodes.Text(". What all later cells should give is missing.")
    error = "\n".join(stop["error"])
    box += [text, nodes.literal_block(error, error, language="text")]
    title = next(doctree.findall(nodes.title), None)
    if title is None:
        doctree.insert(0, box)
    else:
        title.parent.insert(title.parent.index(title) + 1, box)


def admonition(title: str) -> nodes.admonition:
    return nodes.admonition("", nodes.title(text=title), classes=["danger", "broken-run"])


# After the build


def report(app, exception):
    if exception is not None:
        return
    chapters = [
        {
            "title": app.env.titles[name].astext(),
            "file": str(app.env.doc2path(name, base=False)),
            "where": where(name.rpartition("/")[2], stopped(data)),
            "log": str(log_file(app, name)),
            **stopped(data),
        }
        for name, data in broken(app.env).items()
    ]
    if chapters:
        app.statuscode = 1
    found = {"broken": chapters, "pages": len(app.env.all_docs), "warnings": app._warncount}
    Path(app.outdir).with_name("broken.json").write_text(json.dumps(found, indent=1))
    if app.keep_going and app._warncount:
        # As Sphinx does after other failures: what is not read again gives no warning again, and
        # the next build would succeed.
        Path(app.doctreedir, "environment.pickle").unlink(missing_ok=True)
