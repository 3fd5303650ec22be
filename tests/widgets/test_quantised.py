"""A model as int8 rows with scales."""

from dataclasses import replace

import pytest
import torch

from feedback import Config, LanguageModel, data, pretrained
from feedback.training import evaluate
from feedback.widgets import quantised

CONFIG = Config(n_tokens=7, d_model=12, heads=3, n_layers=2, d_ff=20, max_distance=5)


@pytest.fixture
def model() -> LanguageModel:
    torch.manual_seed(0)
    model = LanguageModel(CONFIG)
    with torch.no_grad():
        for parameter in model.parameters():  # biases, gains and tables start at 0 or 1
            parameter.copy_(torch.randn_like(parameter))
    return model


def there_and_back(model: LanguageModel, **changes) -> LanguageModel:
    mixture = model.layer_weights().tolist()
    config = replace(model.config, **{"memory_mixture": mixture, **changes})
    return quantised.unpack(*quantised.pack(model), config)


def test_a_number_moves_by_half_a_step_of_its_row_at_most_and_vectors_stay(model):
    rounded = there_and_back(model).state_dict()
    for name, tensor in model.state_dict().items():
        if name == quantised.MIXTURE:
            assert name not in rounded
        elif tensor.dim() == 1:
            assert torch.equal(rounded[name], tensor)
        else:
            step = tensor.abs().amax(-1, keepdim=True) / 127
            assert ((rounded[name] - tensor).abs() <= 0.501 * step).all(), name
            assert (rounded[name] != tensor).any(), name


def test_a_second_time_nothing_moves(model):
    once = there_and_back(model)
    twice = there_and_back(once)
    for name, tensor in once.state_dict().items():
        torch.testing.assert_close(twice.state_dict()[name], tensor, rtol=1e-6, atol=0)


def test_a_row_of_zeros_stays_one(model):
    with torch.no_grad():
        model.head.weight[3] = 0
    assert (there_and_back(model).head.weight[3] == 0).all()


def test_a_byte_a_number_and_four_a_row_or_a_number_of_a_vector(model):
    buffer, tensors = quantised.pack(model)
    shapes = [shape for _, shape in tensors]
    whole = sum(torch.Size(shape).numel() for shape in shapes if len(shape) > 1)
    floats = sum(torch.Size(s[:-1] if len(s) > 1 else s).numel() for s in shapes)
    assert len(buffer) == whole + 4 * floats


def test_layer_weights_are_chosen_anew(model):
    mixture = (0.5, 0.25, 0.25)
    same = LanguageModel(replace(CONFIG, memory_mixture=mixture))
    weights = there_and_back(model).state_dict()
    same.load_state_dict(weights)
    tokens = torch.randint(7, (2, 9))
    assert torch.equal(there_and_back(model, memory_mixture=mixture)(tokens), same(tokens))


def test_a_model_that_has_gone_wrong_is_refused(model):
    with torch.no_grad():
        model.head.bias[0] = float("nan")
    with pytest.raises(ValueError, match="head.bias holds nan"):
        quantised.pack(model)


def test_rounding_costs_the_shipped_model_less_than_a_hundredth_of_a_nat():
    said = pretrained.training("feedback-kv")
    length = said["run"]["settings"]["sequence_length"]
    text = data.Text(data.tiny_shakespeare(), length)
    assert text.describe() == said["run"]["source"]
    rounded = there_and_back(pretrained.load("feedback-kv"))
    loss, _ = evaluate(rounded, text.held_out(length))
    assert loss == pytest.approx(said["validation_loss"], abs=0.01)
