"""One widget class with two lives: what stands in the page of a book, where there is no kernel."""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from feedback.widgets import base
from feedback.widgets.base import element

ROOT = Path(__file__).resolve().parents[2]
HOSTILE_LABEL = "</script><b>bold</b> & <!-- "


@pytest.fixture(scope="module")
def static_output() -> dict:
    """What a widget puts into a page of the book: its output with FEEDBACK_BOOK_STATIC=1."""
    code = f"""
import json, ipywidgets
from feedback.widgets import LayerMemoryWeights
widget = LayerMemoryWeights([[1, 2], [3, 4]], [0.2, 0.8], ["embedding", {HOSTILE_LABEL!r}])
assert not isinstance(widget, ipywidgets.Widget), "would write widget state into the notebook"
print(json.dumps(widget._repr_mimebundle_(include=None, exclude=None)))
"""
    environment = {**os.environ, "FEEDBACK_BOOK_STATIC": "1"}
    command = [sys.executable, "-c", code]
    output = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True)
    return json.loads(output.stdout)


@pytest.mark.slow
def test_in_the_book_the_page_holds_the_state(static_output):
    place = BeautifulSoup(static_output["text/html"], "html.parser").find(class_="feedback-widget")
    assert place["data-widget"] == "layer_memory_weights"
    assert json.loads(place.script.string) == {
        "outputs": [[1, 2], [3, 4]],
        "weights": [0.2, 0.8],
        "labels": ["embedding", HOSTILE_LABEL],
        "history": None,
        "learned": [0.2, 0.8],
    }


@pytest.mark.slow
def test_in_the_book_a_label_cannot_end_the_script_or_add_markup(static_output):
    page = static_output["text/html"]
    assert page.count("</script") == 1
    assert "<b>" not in page and "<!--" not in page


@pytest.mark.slow
def test_in_the_book_the_text_says_what_the_picture_shows(static_output):
    sentence = f"Memory: 20\N{NO-BREAK SPACE}% embedding, 80\N{NO-BREAK SPACE}% {HOSTILE_LABEL}."
    assert static_output["text/plain"] == sentence
    place = BeautifulSoup(static_output["text/html"], "html.parser")
    assert place.p.text == sentence


def test_a_buffer_stands_beside_the_state_and_comes_back_whole():
    page = BeautifulSoup(element("name", {"a": bytes(range(256)), "b": 1}, "text"), "html.parser")
    state, buffer = page.find_all("script")
    assert json.loads(state.string) == {"b": 1}
    assert base64.b64decode(buffer.string) == bytes(range(256))
    assert buffer["data-trait"] == "a"


@pytest.mark.slow
def test_in_the_book_the_output_holds_no_code_that_a_cache_could_keep(static_output):
    assert "function" not in static_output["text/html"]


def test_a_widget_has_the_looks_of_those_that_it_opens():
    rules = base.style("train_in_the_page")
    for name in ("train-in-the-page", "live-model", "patch-the-memory"):
        assert f".feedback-view.{name} " in rules
    assert ".feedback-view.train-in-the-page" not in base.style("patch_the_memory")
