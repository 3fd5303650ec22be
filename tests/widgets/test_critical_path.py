"""The numbers of CriticalPath are those of real models, as autograd's graph has them."""

import json
import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from feedback import Config, FeedbackTransformer, Transformer
from feedback.widgets import CriticalPath
from feedback.widgets.critical_path import (
    MODELS,
    depth,
    done_at,
    longest_path,
    sequential_steps,
)

LAYERS, TOKENS = 3, 5
CLASSES = {"parallel": Transformer, "feedback": FeedbackTransformer}


def layers_in_graph(model: str, start: int, end: int) -> int:
    """The most layers on any path of autograd's graph, from an embedding to an output.

    Every layer has one feed-forward network, and every network one ReLU: count those.
    """
    torch.manual_seed(0)
    config = Config(model=model, d_model=8, heads=1, d_ff=8, n_layers=LAYERS)
    core, memory = CLASSES[model](config), None
    x = [torch.randn(1, 1, 8, requires_grad=True) for _ in range(end + 1)]
    for x_t in x:  # token by token, so that each cell has nodes of its own
        y, memory = core(x_t, memory, return_memory=True)
    counted = {}

    def count(node) -> float:
        if getattr(node, "variable", None) is x[start]:
            return 0
        if node not in counted:
            before = [count(f) for f, _ in node.next_functions if f is not None]
            counted[node] = max(before, default=-math.inf) + node.name().startswith("Relu")
        return counted[node]

    return count(y.sum().grad_fn)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("start", "end"), [(0, TOKENS - 1), (1, 3), (2, 2), (4, 4)])
def test_no_path_of_the_real_model_passes_more_layers(model, start, end):
    assert len(longest_path(model, start, end, LAYERS)) == layers_in_graph(model, start, end)


@pytest.mark.parametrize("model", MODELS)
def test_an_output_is_as_deep_as_the_longest_path_from_any_token(model):
    for end in range(TOKENS):
        paths = [layers_in_graph(model, start, end) for start in range(end + 1)]
        assert depth(model, end, LAYERS) == max(paths)


def cells_read(model: str, token: int, layer: int) -> list[tuple[int, int]]:
    """The cells that a cell reads directly, by the equations of the two models."""
    if model == "parallel":
        return [(j, layer - 1) for j in range(token + 1)]
    memories = [(j, below) for j in range(token) for below in range(LAYERS + 1)]
    return [(token, layer - 1), *memories]


@pytest.mark.parametrize("model", MODELS)
def test_a_cell_is_filled_one_step_after_the_last_cell_it_reads(model):
    for token in range(TOKENS):
        for layer in range(1, LAYERS + 1):
            read = cells_read(model, token, layer)
            last = max(done_at(model, *cell, LAYERS) if cell[1] > 0 else 0 for cell in read)
            assert done_at(model, token, layer, LAYERS) == last + 1


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("start", "end"), [(0, 4), (1, 2), (3, 3)])
def test_each_cell_of_a_path_is_read_by_the_next(model, start, end):
    path = [(start, 0), *longest_path(model, start, end, LAYERS)]
    assert path[-1] == (end, LAYERS)
    for cell, following in pairwise(path):
        assert cell in cells_read(model, *following)


def test_steps_are_layers_against_tokens_times_layers():
    assert sequential_steps("parallel", 8, 4) == 4
    assert sequential_steps("feedback", 8, 4) == 32


def test_at_first_the_parallel_model_has_finished_and_the_path_spans_the_text():
    widget = CriticalPath(tokens=8, layers=4)
    assert (widget.start, widget.end, widget.time) == (0, 7, 4)
    assert CriticalPath().describe() == widget.describe()


def test_the_words_give_the_numbers():
    assert CriticalPath(tokens=6, layers=2, start=1, end=4, time=7).describe() == (
        "Steps done: parallel 2 of 2, feedback 7 of 12. "
        "Layers on the longest path to output 4: parallel 2, feedback 10; "
        "from token 1: parallel 2, feedback 8."
    )


def test_the_state_is_plain_numbers():
    widget = CriticalPath(tokens=np.int64(6), layers=torch.tensor(2))
    names = ["tokens", "layers", "start", "end", "time"]
    assert json.loads(json.dumps(widget.get_state(names))) == {
        "tokens": 6,
        "layers": 2,
        "start": 0,
        "end": 5,
        "time": 2,
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tokens": 0}, "tokens is 0; it must be in 1..32"),
        ({"tokens": 2.5}, "tokens is 2.5; it must be a whole number in 1..32"),
        ({"tokens": True}, "tokens is True; it must be a whole number"),
        ({"layers": 13}, "layers is 13; it must be in 1..12"),
        ({"end": 8}, "end is 8; it must be in 0..7"),
        ({"start": 5, "end": 4}, "start is 5; it must be in 0..4"),
        ({"time": 33}, "time is 33; it must be in 0..32"),
        ({"time": -1}, "time is -1"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        CriticalPath(**arguments)


def test_a_wrong_value_set_later_changes_nothing():
    widget = CriticalPath(tokens=8, layers=4, start=2, end=5)
    for name, value in [("start", 6), ("end", 1), ("tokens", 5), ("layers", 0), ("time", 40)]:
        before = getattr(widget, name)
        with pytest.raises(ValueError, match="it must be in "):
            setattr(widget, name, value)
        assert getattr(widget, name) == before
    with pytest.raises(TypeError, match="start is None"):
        widget.start = None
    widget.end = widget.time = None  # as at first
    assert (widget.end, widget.time) == (7, 4)


def test_both_ends_set_in_the_page_arrive_together():
    widget = CriticalPath(tokens=8, layers=4, start=2, end=5)
    widget.set_state({"start": 7, "end": 7})  # as the front end sends them
    assert (widget.start, widget.end) == (7, 7)


@pytest.mark.parametrize(
    "message", [{"start": 7, "end": 99}, {"start": 7, "end": "x"}, {"layers": 2, "time": 20}]
)
def test_a_message_of_the_page_with_a_wrong_value_changes_nothing(message):
    widget = CriticalPath(tokens=8, layers=4, start=2, end=5, time=6)
    before = widget.describe()
    with pytest.raises((TypeError, ValueError), match="end is|time is"):
        widget.set_state(message)
    assert widget.describe() == before


@pytest.mark.parametrize(
    "call", [lambda: done_at("lstm", 0, 1, 2), lambda: longest_path("", 0, 1, 2)]
)
def test_another_model_is_named(call):
    with pytest.raises(ValueError, match="choose one of parallel, feedback"):
        call()
