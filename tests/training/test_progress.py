"""Facts about labml in our hands: it writes nothing, calls nobody, and works in every notebook."""

import io
import os
import subprocess
import sys
from importlib.metadata import version

import pytest
from fresh_processes import fresh_processes
from training_runs import CONFIG, json_lines

from feedback import LanguageModel, data
from feedback.training import Settings, train
from feedback.training.progress import Progress

TRAIN = """
from feedback import Config, data
from feedback.training import Settings, train
text = data.Text(data.Corpus("to be or not to be " * 20, ""), 8)
config = Config("parallel", d_model=8, heads=2, n_layers=1, d_ff=8)
settings = Settings(steps=4, batch_size=2, sequence_length=8, evaluate_every=2)
train(config, settings, text, "run")
"""


def test_a_kept_line_shows_its_step_and_values(capsys):
    progress = Progress(3, 1006)
    for step in (3, 4, 1006):
        progress.show(step, {"loss": 0.25, "length": 16}, keep=step != 4)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:5] for line in lines] == [
        ["3:", "loss:", "0.2500", "length:", "16"],
        ["1,006:", "loss:", "0.2500", "length:", "16"],
    ]
    assert lines[1].split()[-2:] == ["left:", "0:00:00"]


@pytest.mark.slow
def test_training_writes_into_its_folder_only_and_needs_no_server(tmp_path):
    """Nor do labml's own loops, as chapter 8 has them; an experiment would look where it is run."""
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir(), work.mkdir()
    (work / "mine.py").write_text(TRAIN + CHAPTER)
    variables = os.environ | {"HOME": str(home)}
    variables["labml_app_url"] = "http://127.0.0.1:9/"  # nobody listens there
    done = subprocess.run(
        [sys.executable, "mine.py"],
        cwd=work,
        env=variables,
        timeout=60,
        check=True,
        capture_output=True,
        text=True,
    )
    assert os.listdir(home) == []
    assert sorted(os.listdir(work)) == ["mine.py", "run"]
    trained, looped, after = done.stdout.split("the end\n")
    assert "validation" in trained and "LABML" not in trained
    assert "\x1b" not in trained  # a pipe keeps every character
    assert "looping" in looped and "LABML" not in looped
    assert after.splitlines()[-1] == str(work)


CHAPTER = """
print("the end")
from feedback.training.progress import labml

monit, tracker = labml()
for step in monit.loop(range(1, 4)):
    tracker.save(step, looping=0.5)
print()
print("the end")
from labml import lab
print(lab.get_path())
"""


# What standard output can be


def run(out, **more) -> list[dict]:
    text = data.Text(data.Corpus("to be or not to be " * 20, ""), 8)
    settings = dict(steps=4, batch_size=2, sequence_length=8, evaluate_every=2) | more
    return train(CONFIG, Settings(**settings), text, out)


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


@pytest.mark.parametrize("redraws", [False, True])
@pytest.mark.parametrize("name", STREAMS)
def test_training_ends_well_whatever_standard_output_is(tmp_path, monkeypatch, name, redraws):
    stream = STREAMS[name]()
    if redraws:  # the line is drawn while it runs, as in a terminal
        monkeypatch.setattr("time.monotonic", iter(range(10**6)).__next__)
        if isinstance(stream, io.StringIO) and name != "isatty fails":
            monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys, "stdout", stream)
    log = run(tmp_path / "läuft-😀")
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
        run(tmp_path / "run", evaluate_every=1, checkpoint_every=1)
    monkeypatch.undo()
    log = run(tmp_path / "run", evaluate_every=1, checkpoint_every=1)
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


# Training imports labml when it is first needed.
WITHOUT_LABML = "import feedback.training; assert 'labml' not in sys.modules"


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    with fresh_processes(tmp_path_factory.mktemp("fresh"), WITHOUT_LABML) as processes:
        yield processes


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
def test_a_first_training_leaves_the_streams_as_they_were(tmp_path, fresh, before, redirected):
    """In a process of its own, for it is the first that brings labml in."""
    indented = "".join(f"    {line}\n" for line in TRAIN.splitlines())
    where = f"with contextlib.redirect_stdout(io.StringIO()):\n{indented}" if redirected else TRAIN
    status, printed = fresh.run(AROUND.format(before=before, train=where), tmp_path)
    assert (tmp_path / "done").exists(), printed
    assert status == 0 and [line["step"] for line in json_lines(tmp_path / "run/log.jsonl")]


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
def test_labml_is_left_to_whoever_uses_it(tmp_path, fresh):
    train = TRAIN.replace('"run"', "f\"run{len(__import__('os').listdir())}\"")
    code = OWN.format(train="".join(f"        {line}\n" for line in train.splitlines()))
    status, printed = fresh.run(code, tmp_path)
    assert status == 0, printed
    assert printed.endswith("the end\n") and len(os.listdir(tmp_path)) == 5
    assert printed.count("[DONE]") == 3 and "FAIL" not in printed
    assert "Impossible" not in printed and "inside sections" not in printed


# Notebooks

MOVE = """
import IPython.core.display as module
for name in ("display", "__getattr__"):
    vars(module).pop(name, None)
assert not hasattr(module, "display")
"""


@pytest.mark.parametrize("moved", [False, True], ids=["as it is", "moved"])
@pytest.mark.slow
def test_a_notebook_shows_progress_as_text_whatever_ipython_has_moved(tmp_path, monkeypatch, moved):
    """labml looks for `display` in `IPython.core.display`, which has none from IPython 9 on."""
    if moved and int(version("ipython").partition(".")[0]) >= 9:
        pytest.skip("this IPython has moved it, and so the other case is this one")
    import nbclient  # here, for it takes long, and every worker reads this file
    import nbformat

    monkeypatch.delenv("_", raising=False)  # as where a service started Jupyter
    first = MOVE if moved else ""
    cells = [nbformat.v4.new_code_cell(source) for source in (first, TRAIN)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    resources = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=120, resources=resources).execute()
    shown = [output for output in cells[1].outputs if output.output_type == "display_data"]
    assert "validation" in "".join(output.data["text/html"] for output in shown)
    kinds = {kind for output in shown for kind in output.data}
    assert kinds == {"text/html", "text/plain"}
    assert "LABML" not in str(cells[1].outputs)
