"""The Python half of LayerMemoryWeights: what it accepts, and what it says."""

import json

import anywidget
import numpy as np
import pytest
import torch

from feedback import pretrained
from feedback.widgets import LayerMemoryWeights

OUTPUTS = [[1.0, -2.0], [0.5, 0.0], [4.0, 8.0]]


def test_weights_start_equal_and_rows_are_named():
    widget = LayerMemoryWeights(OUTPUTS)
    assert widget.weights == pytest.approx([1 / 3] * 3)
    assert widget.labels == ["embedding", "layer 1", "layer 2"]


def test_mixture_is_the_weighted_sum_of_the_outputs():
    widget = LayerMemoryWeights(OUTPUTS, weights=[0.5, 0.25, 0.25])
    assert widget.mixture == [0.5 * 1 + 0.25 * 0.5 + 0.25 * 4, 0.5 * -2 + 0.25 * 8]


def test_all_weight_on_one_layer_gives_that_layer():
    assert LayerMemoryWeights(OUTPUTS, weights=[0, 0, 1]).mixture == OUTPUTS[2]


def test_arrays_and_tensors_become_the_same_plain_lists():
    as_list = LayerMemoryWeights(OUTPUTS, weights=[0.5, 0.25, 0.25])
    as_array = LayerMemoryWeights(np.array(OUTPUTS), weights=np.array([0.5, 0.25, 0.25]))
    layers = [torch.tensor(row, requires_grad=True) for row in OUTPUTS]
    as_tensors = LayerMemoryWeights(layers, weights=torch.tensor([0.5, 0.25, 0.25]))
    for widget in (as_array, as_tensors):
        assert json.dumps([widget.outputs, widget.weights]) == json.dumps(
            [as_list.outputs, as_list.weights]
        )


def test_softmax_in_half_precision_counts_as_weights():
    weights = torch.tensor([0.1, 0.2, 0.3]).to(torch.bfloat16).softmax(0)
    assert LayerMemoryWeights(OUTPUTS, weights).weights == weights.tolist()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"outputs": [1.0, 2.0, 3.0]}, r"outputs has shape \(3,\); it must have \(L\+1, d\)"),
        ({"outputs": [[1.0, 2.0]]}, "the embedding and a layer at least"),
        ({"outputs": [[1.0, 2.0], [3.0]]}, "outputs must be numbers in rows of equal length"),
        ({"outputs": "abc"}, "outputs is 'abc'; it must be numbers of shape"),
        ({"outputs": [[1.0], [float("nan")]]}, "outputs holds nan or infinity"),
        ({"weights": [0.5, 0.5]}, "weights has length 2; it must have 3, one for the embedding"),
        ({"weights": [1.5, -0.25, -0.25]}, "one of weights is -0.25; it must be .* at least 0"),
        ({"weights": [0.5, 0.5, 0.5]}, "weights sums to 1.5; it must sum to 1"),
        ({"weights": [0.5, 0.5, float("inf")]}, "one of weights is inf; it must be a finite"),
        ({"labels": ["embedding", "layer 1"]}, "labels has length 2; it must have 3, one for each"),
        ({"history": 7}, "history is 7; it must be a sequence"),
        ({"history": ["log"]}, "history must hold pairs"),
        ({"history": [{"step": 0, "validation_loss": 4.2}]}, "history must hold pairs"),
        ({"history": [(0.5, [1, 0, 0])]}, "history must hold pairs"),
        ({"history": [(0, [1, 0, 0])]}, "history has 1 lines; a replay needs two at least"),
        ({"history": [(0, [1, 0])]}, "the row of history at step 0 has length 2"),
        ({"history": [(0, [1, 0, 0]), (9, [1, 1, 0])]}, "the row of history at step 9 sums to 2"),
        ({"history": [(9, [1, 0, 0]), (9, [0, 1, 0])]}, "steps must rise, but 9 follows 9"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        LayerMemoryWeights(**{"outputs": OUTPUTS, **arguments})


def test_the_weights_given_at_first_stay_the_learned_ones():
    widget = LayerMemoryWeights(OUTPUTS, weights=[0.5, 0.25, 0.25])
    widget.weights = [1, 0, 0]
    assert widget.learned == [0.5, 0.25, 0.25]
    assert LayerMemoryWeights(OUTPUTS).learned is None


def test_a_history_is_a_log_or_pairs_of_step_and_weights():
    steps, rows = torch.tensor([0, 100]), np.array([[1 / 3] * 3, [0.5, 0.25, 0.25]])
    log = [{"step": 0, "layer_weights": [1 / 3] * 3, "validation_loss": 4.2}]
    log += [{"step": 100, "layer_weights": [0.5, 0.25, 0.25], "validation_loss": 1.5}]
    pairs = zip(steps, rows, strict=True)
    kept = [LayerMemoryWeights(OUTPUTS, history=lines).history for lines in (log, pairs)]
    assert kept[0] == kept[1] == [[0, [1 / 3] * 3], [100, [0.5, 0.25, 0.25]]]


def test_the_history_of_a_model_that_comes_with_the_package_is_its_log():
    model = pretrained.load("s3-feedback-kv")
    outputs = model.trace(torch.tensor([[1, 2]])).outputs[:, 0, -1]
    log = pretrained.training("s3-feedback-kv")["log"]
    widget = LayerMemoryWeights(outputs, model.layer_weights(), history=log)
    assert [step for step, _ in widget.history] == [line["step"] for line in log]
    assert widget.history[0][1] == pytest.approx([1 / 3] * 3)


def test_the_text_for_print_says_how_training_moved_the_weights():
    history = [(0, [0.5, 0.5, 0]), (6000, [0.1, 0.2, 0.7])]
    text = LayerMemoryWeights(OUTPUTS, [0.1, 0.2, 0.7], history=history).describe()
    moved = (
        "From step 0 to step 6,000 training moved the weights from 50\N{NO-BREAK SPACE}% embedding"
    )
    assert text.startswith("Memory: 10") and moved in text


def test_a_wrong_value_set_later_changes_nothing():
    widget = LayerMemoryWeights(OUTPUTS, weights=[0.5, 0.25, 0.25])
    with pytest.raises(ValueError, match="sum to 1"):
        widget.weights = [1, 1, 1]
    with pytest.raises(ValueError, match="outputs has 2 rows"):
        widget.outputs = OUTPUTS[:2]
    with pytest.raises(TypeError, match="labels is 'abc'; it must be a sequence"):
        widget.labels = "abc"
    for name in ("outputs", "weights", "labels"):
        with pytest.raises(TypeError, match=name):
            setattr(widget, name, None)
    assert (widget.weights, widget.outputs) == ([0.5, 0.25, 0.25], OUTPUTS)


def test_beside_a_kernel_it_is_an_anywidget_that_syncs_plain_lists():
    widget = LayerMemoryWeights(OUTPUTS, weights=np.array([0.5, 0.25, 0.25]))
    assert isinstance(widget, anywidget.AnyWidget)
    state = widget.get_state(["outputs", "weights", "labels"])
    assert json.loads(json.dumps(state)) == {
        "outputs": OUTPUTS,
        "weights": [0.5, 0.25, 0.25],
        "labels": ["embedding", "layer 1", "layer 2"],
    }
