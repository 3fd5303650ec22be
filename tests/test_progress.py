"""Facts about labml in our hands: it writes nothing, calls nobody, and works in every notebook."""

import io
import os
import subprocess
import sys

import nbclient
import nbformat
import pytest

from feedback import Config, LanguageModel, data
from feedback.training import loop as training
from feedback.training.progress import Progress

TRAIN = """
from feedback import Config, data
from feedback.training import loop as training
text = data.Text(data.Corpus("to be or not to be " * 20, ""), 8)
config = Config(d_model=8, heads=2, n_layers=1, d_ff=8)
settings = training.Settings(steps=4, batch_size=2, sequence_length=8, evaluate_every=2)
training.train(config, settings, text, "run")
"""


def test_all_steps_are_counted_with_and_without_a_word(capsys):
    for say in (False, True):
        progress = Progress(3, 6, say)
        for step in progress:
            progress.show(step, keep=True, loss=0.25, nothing=None)
        assert list(Progress(3, 6, say)) == [3, 4, 5, 6]
        printed = capsys.readouterr().out
        assert (printed.count("loss:"), "nothing" in printed) == (4 if say else 0, False)


@pytest.mark.slow
def test_training_writes_into_its_folder_only_and_needs_no_server(tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "work").mkdir()
    variables = os.environ | {"HOME": str(tmp_path / "home")}
    variables["labml_app_url"] = "http://127.0.0.1:9/"  # nobody listens there
    done = subprocess.run(
        [sys.executable, "-c", TRAIN],
        cwd=tmp_path / "work",
        env=variables,
        timeout=60,
        check=True,
        capture_output=True,
        text=True,
    )
    assert os.listdir(tmp_path / "home") == []
    assert os.listdir(tmp_path / "work") == ["run"]
    assert "validation" in done.stdout and "LABML" not in done.stdout
    assert "\x1b" not in done.stdout  # a pipe keeps every character


# What standard output can be


def train(out, **more) -> list[dict]:
    text = data.Text(data.Corpus("to be or not to be " * 20, ""), 8)
    config = Config(d_model=8, heads=2, n_layers=1, d_ff=8)
    settings = dict(steps=4, batch_size=2, sequence_length=8, evaluate_every=2) | more
    return training.train(config, training.Settings(**settings), text, out)


class Bare:
    """Nothing but something to write to, as loggers put in the place of standard output."""

    __slots__ = ("written",)

    def __init__(self):
        self.written = []

    def write(self, text):
        self.written.append(text)


class Odd(io.StringIO):
    """A stream of which one thing fails."""

    def __init__(self, name: str, error: Exception):
        super().__init__()
        self.error = error
        setattr(self, name, self.fail)

    def fail(self, *given):
        raise self.error


class NoTerminal(io.StringIO):
    isatty = None


def closed() -> io.StringIO:
    stream = io.StringIO()
    stream.close()
    return stream


def narrow(encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding)


STREAMS = {
    "none": lambda: None,
    "bare": Bare,
    "closed": closed,
    "no isatty": NoTerminal,
    "isatty fails": lambda: Odd("isatty", OSError(5, "Input/output error")),
    "flush fails": lambda: Odd("flush", OSError(5, "Input/output error")),
    "write fails": lambda: Odd("write", OSError(28, "No space left on device")),
    "write raises anything": lambda: Odd("write", RuntimeError("no handler")),
    "no encoding": lambda: Odd("reconfigure", AttributeError()),
    "ascii": lambda: narrow("ascii"),
    "cp1252": lambda: narrow("cp1252"),
}


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("name", STREAMS)
def test_training_ends_well_whatever_standard_output_is(tmp_path, monkeypatch, name, live):
    stream = STREAMS[name]()
    if live:  # the line is drawn while it runs, as in a terminal
        monkeypatch.setattr("time.monotonic", iter(range(10**6)).__next__)
        if isinstance(stream, io.StringIO) and name != "isatty fails":
            monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys, "stdout", stream)
    log = train(tmp_path / "läuft-😀")
    monkeypatch.undo()
    assert log[-1]["step"] == 4
    LanguageModel.load(tmp_path / "läuft-😀/best")
    if name == "bare":
        assert "läuft-😀: beginning" in "".join(stream.written)
        assert "validation: " in "".join(stream.written)
    if name in ("ascii", "cp1252"):
        stream.flush()
        written = stream.buffer.getvalue().decode(stream.encoding)
        assert r"uft-\U0001f600: beginning" in written and "validation: " in written


def test_a_reader_that_goes_away_ends_the_run_and_spares_its_checkpoints(tmp_path, monkeypatch):
    class Pipe(io.StringIO):
        def write(self, text):
            if " 3:" in text:
                raise BrokenPipeError
            return super().write(text)

    monkeypatch.setattr(sys, "stdout", Pipe())
    with pytest.raises(BrokenPipeError):
        train(tmp_path / "run", evaluate_every=1, checkpoint_every=1)
    monkeypatch.undo()
    log = train(tmp_path / "run", evaluate_every=1, checkpoint_every=1)
    assert [line["step"] for line in log] == [0, 1, 2, 3, 4]


# What others find afterwards

AROUND = """
import contextlib, io, os, sys, tracemalloc
{before}
streams = sys.stdout, sys.stderr
writes = [None if stream is None else stream.write for stream in streams]
{train}
assert (sys.stdout, sys.stderr) == streams
assert writes == [None if stream is None else stream.write for stream in streams]
tracemalloc.start()
for number in range(3000):
    print("a line of a hundred letters" + 70 * "." + f"{{number:4d}}")
assert tracemalloc.get_traced_memory()[0] < 100_000  # and not the 300,000 that were printed
open("done", "w").close()
"""
SLOTS = """
class Bare:
    __slots__ = ()
    def write(self, text): pass
sys.stdout = sys.stderr = Bare()
"""


@pytest.mark.parametrize(
    ("before", "redirected"),
    [
        ("", False),
        ("", True),
        ("sys.stdout = sys.stderr = None", False),
        (SLOTS, False),
        ("import labml.monit", False),
    ],
    ids=["as it is", "redirected", "none", "slots", "labml was there"],
)
@pytest.mark.slow
def test_a_first_training_leaves_the_streams_as_they_were(tmp_path, before, redirected):
    """In a process of its own, for it is the first that brings labml in."""
    indented = "".join(f"    {line}\n" for line in TRAIN.splitlines())
    where = f"with contextlib.redirect_stdout(io.StringIO()):\n{indented}" if redirected else TRAIN
    code = AROUND.format(before=before, train=where)
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, timeout=60)
    assert (tmp_path / "done").exists()


OWN = """
from labml import monit, tracker

tracker.set_global_step(70)
tracker.add("mine", 1.0)
with monit.section("outer"):
    with monit.section("inner"):
{train}
    assert tracker.get_global_step() == 70
for step in monit.loop(range(5, 7)):
    tracker.set_global_step(None)
    tracker.add("mine", step)
    with monit.section("within"):
{train}
    assert tracker.get_global_step() == step
    tracker.save()
for _ in monit.iterate("iterate", 2):
{train}
print("the end")
"""


@pytest.mark.slow
def test_labml_is_left_to_whoever_uses_it(tmp_path):
    train = TRAIN.replace('"run"', "f\"run{len(__import__('os').listdir())}\"")
    code = OWN.format(train="".join(f"        {line}\n" for line in train.splitlines()))
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, timeout=60, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("the end\n") and len(os.listdir(tmp_path)) == 5
    assert done.stdout.count("[DONE]") == 3 and "FAIL" not in done.stdout
    assert "Impossible" not in done.stdout and "inside sections" not in done.stdout


@pytest.mark.slow
def test_labml_as_the_chapter_has_it_writes_nothing_and_looks_elsewhere_for_experiments(tmp_path):
    code = """
from feedback.training.progress import labml

monit, tracker = labml()
for step in monit.loop(range(1, 4)):
    tracker.save(step, training=0.5)
print("the end")
from labml import lab
print(lab.get_path())
"""
    (tmp_path / "mine.py").write_text(code)
    command = [sys.executable, "mine.py"]
    done = subprocess.run(command, cwd=tmp_path, timeout=60, capture_output=True, text=True)
    shown, _, after = done.stdout.partition("the end")
    assert "training" in shown and "LABML" not in shown
    assert after.splitlines()[-1] == str(tmp_path)
    assert os.listdir(tmp_path) == ["mine.py"]


@pytest.mark.parametrize(
    "first", ["", "import IPython.core.display as d\nvars(d).pop('display', 0)"]
)
@pytest.mark.slow
def test_a_notebook_shows_progress_as_text_whatever_ipython_has_moved(tmp_path, monkeypatch, first):
    monkeypatch.delenv("_", raising=False)  # as where a service started Jupyter
    cells = [nbformat.v4.new_code_cell(source) for source in (first, TRAIN)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    resources = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=120, resources=resources).execute()
    shown = [output for output in cells[1].outputs if output.output_type == "display_data"]
    assert "validation" in "".join(output.data["text/html"] for output in shown)
    kinds = {kind for output in shown for kind in output.data}
    assert kinds == {"text/html", "text/plain"}
    assert "LABML" not in str(cells[1].outputs)
