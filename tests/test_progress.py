"""Facts about labml in our hands: it writes nothing, calls nobody, and works in every notebook."""

import os
import subprocess
import sys

import nbclient
import nbformat
import pytest

from feedback.progress import Progress

TRAIN = """
from feedback import Config, data, training
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


@pytest.mark.parametrize(
    "first", ["", "import IPython.core.display as d\nvars(d).pop('display', 0)"]
)
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
