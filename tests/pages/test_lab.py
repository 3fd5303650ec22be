"""The widgets in a running JupyterLab: what is set in the page arrives in Python, and back."""

import ast
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import pytest
from looking import LAPTOP, PATIENCE, ROOT, drag


@dataclass(frozen=True)
class Case:
    """A widget made by `code`; each act in the page leads to a value in Python.

    `acts` pairs what is done to the widget's element with the value that `trait` then has. Set to
    `value` in Python, the widget then holds the text `shown`.
    """

    code: str
    trait: str
    acts: list[tuple[Callable, object]]
    value: object
    shown: str

    @property
    def name(self) -> str:
        return self.code.partition("(")[0]


CASES = [
    Case(
        code="LayerMemoryWeights([[1, -2], [0.5, 0], [4, 8]])",
        trait="weights",
        acts=[
            (lambda widget: drag(widget, index=1, to=1), [0, 1, 0]),
            (lambda widget: slider_of(widget).press("ArrowRight"), [0.01, 0.99, 0]),
        ],
        value=[0.2, 0.3, 0.5],
        shown="Memory: 20\N{NO-BREAK SPACE}% embedding, 30\N{NO-BREAK SPACE}% layer 1",
    ),
    Case(
        code="MemoryAttention(attention=[[[[1, 0], [0.5, 0.5]]]], labels=['a', 'b'])",
        trait="step",
        acts=[
            (lambda widget: slider_of(widget).press("Home"), 0),
            (lambda widget: widget.get_by_text("b", exact=True).first.click(), 1),
        ],
        value=0,
        shown="At step 0",
    ),
    Case(
        code="CriticalPath(tokens=3, layers=2)",
        trait="time",
        acts=[(lambda widget: slider_of(widget).press("End"), 6)],
        value=1,
        shown="Steps done: parallel 1 of 2, feedback 1 of 6.",
    ),
    Case(
        code="CacheGrowth(tokens=256, layers=4, width=256)",
        trait="tokens",
        acts=[(lambda widget: slider_of(widget).press("ArrowRight"), 384)],
        value=512,
        shown="With tokens 512, layers 4",
    ),
    Case(
        code="TimingExplorer()",
        trait="over",
        acts=[(lambda widget: menu_of(widget, "against").select_option("layers"), "layers")],
        value="batch",
        shown="against batch",
    ),
    Case(
        code="LiveModel(held_text='To be')",
        trait="layer_weights",
        acts=[(lambda widget: button_of(widget, "Last layer").click(), [0, 0, 0, 0, 1])],
        value=[0.5, 0.5, 0, 0, 0],
        shown="0.500",
    ),
    Case(
        code="TrainInThePage(layers=1)",
        trait="task",
        acts=[(lambda widget: menu_of(widget, "task").select_option("s3"), "s3")],
        value="text",
        shown="the next character of the text",
    ),
    Case(
        code="PatchTheMemory(put=[[6, 6]])",
        trait="part",
        acts=[(lambda widget: menu_of(widget, "of each").select_option("keys"), "keys")],
        value="values",
        shown="Of the donor's vector m6, its values alone",
    ),
    Case(
        code="ClassGuesses([PredictThenReveal('How many?', truth=3, explanation='Counted.')])",
        trait="codes",
        acts=[(lambda widget: widget.get_by_label("Codes of the class").fill("hello"), "hello")],
        value="guess2;",
        shown="Line 1: it is of another edition of this book.",
    ),
    Case(
        code="ProbeByLayer()",
        trait="target",
        acts=[
            (lambda widget: menu_of(widget, "the probes read").select_option("before"), "before")
        ],
        value="shuffled",
        shown="No probe is fitted yet.",
    ),
    Case(
        code="PassByPass('To be, or not to be')",
        trait="passes",
        acts=[(lambda widget: slider_of(widget).press("End"), 32)],
        value=4,
        shown="After 4 passes, text of 19 tokens: 4 exact for certain",
    ),
    Case(
        code="PredictThenReveal('How many?', truth=3, explanation='Counted.')",
        trait="guess",
        acts=[
            (lambda widget: widget.get_by_role("spinbutton").fill("5"), None),
            (lambda widget: button_of(widget, "Reveal").click(), 5),
        ],
        value=4,
        shown="Your guess is 1 too high.",
    ),
]


# The form of chapters 2 and 8, with a training that needs no time.
FORM = """
from feedback.notebook.training_form import choose_and_train

def train(model, steps):
    if model == "feedback":
        raise ValueError("this model cannot be trained")
    yield from (100 / step for step in range(1, steps + 1))

choices = {"model": ["parallel", "feedback", "feedback-kv"], "steps": [40, 80]}
form = choose_and_train(train, choices, {"model": "parallel", "steps": 40})
form
"""


def slider_of(widget):
    return widget.locator("input[type=range]").first


def menu_of(widget, name: str):
    return widget.get_by_role("combobox", name=name)


def button_of(widget, name: str):
    return widget.get_by_role("button", name=name)


# ---- JupyterLab ----

SETTINGS = {
    # All cells stand in the page, also those that are out of sight.
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}
OPTIONS = [
    "--no-browser",
    "--allow-root",
    "--ip=127.0.0.1",
    "--port=0",
    "--IdentityProvider.token=",
    "--LabApp.expose_app_in_browser=True",
    "--LabApp.extension_manager=readonly",
]
RUN_ALL_CELLS = """async () => {
    await window.jupyterapp.restored;
    await window.jupyterapp.shell.currentWidget.context.sessionContext.ready;
    await window.jupyterapp.commands.execute("notebook:run-all-cells");
}"""


def notebook():
    import nbformat  # here, for it takes long, and every worker reads this file

    cells = ["from feedback.widgets import *\nmade = {}"]
    cells += [f"made[{case.name!r}] = {case.code}\nmade[{case.name!r}]" for case in CASES]
    cells.append(FORM.strip())
    # One widget that cannot be made does not keep the others from being tested.
    tags = {"tags": ["raises-exception"]}
    return nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell, metadata=tags) for cell in cells],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )


@contextmanager
def running_lab(home: Path):
    """JupyterLab with nothing of this user's; gives its address, and where it keeps its files."""
    folders = {"HOME": home, "PYTHONPATH": ROOT} | {
        f"JUPYTER_{name.upper()}_DIR": home / name for name in ("config", "data", "runtime")
    }
    environment = {**os.environ, **{name: str(path) for name, path in folders.items()}}
    environment.pop("FEEDBACK_BOOK_STATIC", None)
    for name, values in SETTINGS.items():
        path = home / "config" / "lab" / "user-settings" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))
    work = home / "work"
    work.mkdir()
    (work / "widgets.ipynb").write_text(json.dumps(notebook()))
    command = [sys.executable, "-m", "jupyterlab", *OPTIONS]
    with open(home / "log", "w") as log:
        server = subprocess.Popen(command, cwd=work, env=environment, stdout=log, stderr=log)
    try:
        files = home / "runtime"
        described = eventually(lambda: description(files))
        assert described, (home / "log").read_text()
        yield described["url"].rstrip("/"), files
    finally:
        server.terminate()
        server.wait(timeout=30)


def description(files: Path) -> dict | None:
    """What a server says of itself, once it has written all of it."""
    for file in files.glob("jpserver-*.json"):
        with suppress(json.JSONDecodeError):
            return json.loads(file.read_text())


def eventually(look: Callable, seconds: float = PATIENCE):
    """What `look` finds, as soon as it finds something."""
    end = time.monotonic() + seconds
    while not (found := look()) and time.monotonic() < end:
        time.sleep(0.05)
    return found


@dataclass
class Lab:
    """A notebook open in JupyterLab, a client of its kernel, and what it asked for elsewhere."""

    page: object
    kernel: object
    foreign: list[str]

    def run(self, code: str, value: str = "None"):
        """Run code in the notebook's kernel; the value of an expression after it."""
        asked = self.kernel.execute(code, user_expressions={"value": value})
        while True:
            reply = self.kernel.get_shell_msg(timeout=PATIENCE)
            if reply["parent_header"].get("msg_id") == asked:
                break
        content = reply["content"]
        assert content["status"] == "ok", content
        result = content["user_expressions"]["value"]
        assert result["status"] == "ok", result
        return ast.literal_eval(result["data"]["text/plain"])


@pytest.fixture(scope="module")
def lab(browser, tmp_path_factory):
    import jupyter_client  # here, for it takes long, and every worker reads this file

    with running_lab(tmp_path_factory.mktemp("lab")) as (address, files):
        foreign = []

        def note_request(request):
            if not request.url.startswith((address, "blob:", "data:")):
                foreign.append(request.url)

        with browser.new_page(viewport=LAPTOP) as page:
            page.set_default_timeout(1000 * PATIENCE)
            page.on("request", note_request)
            page.goto(f"{address}/lab/tree/widgets.ipynb")
            page.wait_for_function("window.jupyterapp?.shell.currentWidget?.context?.isReady")
            page.evaluate(RUN_ALL_CELLS)
            (running,) = json.load(urlopen(f"{address}/api/kernels"))
            kernel = jupyter_client.BlockingKernelClient()
            kernel.load_connection_file(str(files / f"kernel-{running['id']}.json"))
            kernel.start_channels()
            kernel.wait_for_ready(timeout=PATIENCE)
            yield Lab(page, kernel, foreign)
            kernel.stop_channels()


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request):
    return request.param


def cell_with(lab, code: str):
    cells = lab.page.locator(".jp-CodeCell").all()
    (cell,) = [cell for cell in cells if code in cell.text_content()]
    return cell


@pytest.fixture
def widget(lab, case):
    cell = cell_with(lab, f"made['{case.name}'] =")
    shown = cell.locator(".feedback-view, .jp-OutputArea-output pre").first  # or an error's text
    shown.wait_for()
    assert shown.get_attribute("role") == "group", shown.text_content()
    return shown


def test_what_is_set_in_the_page_arrives_in_python(lab, case, widget):
    expression = f"made[{case.name!r}].{case.trait}"
    for act, value in case.acts:
        act(widget)
        eventually(lambda value=value: lab.run("", expression) == pytest.approx(value))
        assert lab.run("", expression) == pytest.approx(value)


def test_what_is_set_in_python_is_shown_in_the_page(lab, case, widget):
    lab.run(f"made[{case.name!r}].{case.trait} = {case.value!r}")
    widget.get_by_text(case.shown).first.wait_for()


def test_what_was_trained_in_the_page_arrives_in_python(lab):
    widget = cell_with(lab, "made['TrainInThePage'] =").locator(".feedback-view")
    button_of(widget, "One update").click()
    made = "made['TrainInThePage']"
    eventually(lambda: lab.run("", f"{made}.parallel_weights is not None"), PATIENCE)
    assert lab.run("", f"{made}.results['updates']") == 1
    for kind in ("parallel", "feedback-kv"):
        found = f"{made}.to_model({kind!r}).config"
        assert lab.run("", f"({found}.model, {found}.n_layers)") == (kind, 1)


def test_what_is_chosen_in_the_form_is_trained_and_shown(lab):
    form = cell_with(lab, "form = choose_and_train").locator(".jp-OutputArea")
    form.get_by_label("model").select_option("feedback-kv")
    form.get_by_label("steps").select_option("80")
    chosen = "[menu.value for menu in form.children[0].children[:2]]"
    eventually(lambda: lab.run("", chosen) == ["feedback-kv", 80])
    assert lab.run("", chosen) == ["feedback-kv", 80]
    button_of(form, "Train").press("Enter")
    mean = sum(100 / step for step in range(61, 81)) / 20
    result = f"model feedback-kv, steps 80: training loss {mean:.2f} (mean of the last 20 steps)"
    form.get_by_text(result).wait_for()
    curves = form.get_by_role("img", name="Loss against steps.")
    assert curves.evaluate("(image) => image.decode().then(() => image.naturalWidth)") > 100


def test_the_form_follows_python_and_says_why_a_choice_cannot_be_trained(lab):
    form = cell_with(lab, "form = choose_and_train").locator(".jp-OutputArea")
    lab.run("form.children[0].children[0].value = 'feedback'")
    eventually(lambda: form.get_by_label("model").input_value() == "feedback")
    assert form.get_by_label("model").input_value() == "feedback"
    button_of(form, "Train").click()
    form.get_by_text("Not trained: this model cannot be trained").wait_for()
    assert button_of(form, "Train").is_enabled()


def test_widgets_in_lab_load_nothing_from_elsewhere(lab):
    assert lab.foreign == []
