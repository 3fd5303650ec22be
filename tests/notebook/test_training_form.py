"""The form that trains what the reader chooses, and what stands in its place in the built book."""

import base64
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from feedback.notebook.training_form import KEPT, choose_and_train

ROOT = Path(__file__).resolve().parents[2]
CHOICES = {"model": ["parallel", "feedback"], "n_layers": [1, 2], "steps": [5, 40]}
FIRST = {"model": "feedback", "n_layers": 2, "steps": 5}


class Form:
    """The widgets of a form as its user knows them, and what the training was given."""

    def __init__(self, train=None, **more):
        self.given, self.enabled_while_training = [], []
        self.train = train or self.falling
        self.box = choose_and_train(self.train_seen, CHOICES, FIRST, **more)
        row, progress, self.printed, self.result = self.box.children
        *menus, self.button = row.children
        self.menus = {menu.description: menu for menu in menus}
        self.bar, self.status = progress.children

    def train_seen(self, **chosen):
        self.given.append(chosen)
        controls = [self.button, *self.menus.values()]
        self.enabled_while_training.append([c for c in controls if not c.disabled])
        yield from self.train(**chosen)

    @staticmethod
    def falling(model, n_layers, steps):
        """Losses whose last twenty have the mean 2."""
        yield from [4.0] * (steps - 20) + [2.0] * min(20, steps)

    def press(self):
        self.button.click()

    def choose(self, **chosen):
        for name, value in chosen.items():
            self.menus[name].value = value


def test_nothing_is_trained_before_the_button_is_pressed():
    form = Form()
    assert form.given == [] and form.result.value == ""
    assert {name: menu.value for name, menu in form.menus.items()} == FIRST
    assert {name: list(menu.options) for name, menu in form.menus.items()} == CHOICES
    assert form.button.description == "Train" and not form.button.disabled


def test_what_is_chosen_is_trained_and_its_losses_are_shown():
    form = Form()
    form.choose(model="parallel", n_layers=1, steps=40)
    form.press()
    assert form.given == [{"model": "parallel", "n_layers": 1, "steps": 40}]
    assert "model parallel, n_layers 1, steps 40: training loss 2.00" in form.status.value
    assert "after 40 steps" in form.status.value and "stopped" not in form.status.value
    image = re.search(r'alt="(.*?)" src="data:image/png;base64,(.*?)"', form.result.value)
    alt, picture = image.groups()
    assert "training loss 2.00" in alt
    assert base64.b64decode(picture).startswith(b"\x89PNG")


def test_controls_are_disabled_while_training_and_enabled_after_it():
    form = Form()
    form.press()
    assert form.enabled_while_training == [[]]
    assert not any(control.disabled for control in (form.button, *form.menus.values()))
    assert form.bar.layout.display == "none"


def test_progress_counts_the_steps():
    seen = []

    def slow(model, n_layers, steps):
        for step in range(steps):
            assert form.bar.layout.display is None
            seen.append((form.bar.value, form.bar.max, form.status.value))
            time.sleep(0.02)
            yield 3.0 - step / steps

    form = Form(slow)
    form.choose(steps=40)
    form.press()
    assert {maximum for _, maximum, _ in seen} == {40}
    assert [value for value, *_ in seen] == sorted(value for value, *_ in seen)
    texts = {text for _, _, text in seen}
    assert any(re.fullmatch(r"step \d+ of 40, loss \d\.\d\d, \d+ s left", text) for text in texts)


def test_a_later_result_is_drawn_beside_the_earlier_ones(monkeypatch):
    import feedback.notebook.training_form as choose

    drawn, curves = [], choose.loss_curves
    monkeypatch.setattr(choose, "loss_curves", lambda runs: drawn.append([*runs]) or curves(runs))
    form = Form()
    for _ in range(KEPT + 1):
        form.press()
    assert [len(runs) for runs in drawn] == [1, 2, 3, 4, 4]
    ax = curves(drawn[-1]).axes[0]
    assert len({line.get_linestyle() for line in ax.lines}) == KEPT


@pytest.mark.parametrize("error", [ValueError, TypeError])
def test_a_choice_that_does_not_work_is_answered_by_a_message(error):
    def train(model, n_layers, steps):
        raise error("d_model 64 is not divisible by heads 3 <here>")
        yield

    form = Form(train)
    form.press()
    assert "Not trained" in form.status.value
    assert "d_model 64 is not divisible by heads 3 &lt;here&gt;" in form.status.value
    assert not form.button.disabled and form.result.value == ""


def test_a_loss_that_is_not_finite_is_answered_by_a_message():
    form = Form(lambda **_: iter([3.0, float("nan")]))
    form.press()
    assert "the loss of step 2 is nan; choose a lower learning rate" in form.status.value


def test_a_mistake_in_the_training_is_not_hidden():
    form = Form(lambda **_: iter([1 / 0]))
    form.press()
    assert "ZeroDivisionError" in form.status.value and not form.button.disabled


def test_a_training_ends_when_its_time_is_up():
    def endless(model, n_layers, steps):
        while True:
            time.sleep(0.01)
            yield 1.0

    form = Form(endless, seconds=0.1)
    form.choose(steps=40)
    form.press()
    assert "stopped before step 40: the time was up" in form.status.value


@pytest.mark.parametrize(
    ("choices", "first", "message"),
    [
        ({"n_layers": [1]}, {"n_layers": 1}, "one of them must be steps"),
        ({"steps": [1], "d": [2]}, {"steps": 1}, "it must name steps, d"),
        ({"steps": [1, 2]}, {"steps": 3}, r"first steps is 3; it must be one of \[1, 2\]"),
    ],
)
def test_choices_that_do_not_fit_are_refused(choices, first, message):
    with pytest.raises(ValueError, match=message):
        choose_and_train(Form.falling, choices, first)


@pytest.mark.slow
def test_the_built_book_shows_a_labelled_result_and_holds_no_widget():
    code = f"""
import json, sys
import matplotlib
matplotlib.use("Agg")
from matplotlib import pyplot as plt
from feedback.notebook.training_form import choose_and_train

def train(**given):
    print(json.dumps(given))
    yield from [4.0, 3.0, 2.5, 2.0, 1.0]

plt.show = lambda: print("lines drawn:", len(plt.gca().lines))
assert choose_and_train(train, {CHOICES!r}, {FIRST!r}) is None
assert "ipywidgets" not in sys.modules
"""
    environment = {**os.environ, "FEEDBACK_BOOK_STATIC": "1"}
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    given, *result, where, drawn = run.stdout.splitlines()
    assert json.loads(given) == FIRST
    assert " ".join(result).startswith(
        "Result of the choices model feedback, n_layers 2, steps 5, computed when this page was "
        "built: training loss 2.50 (mean of the last 5 steps) after 5 steps"
    )
    assert where == "In Colab or JupyterLab you choose here yourself and train."
    assert drawn == "lines drawn: 1"
