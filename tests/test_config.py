"""A config that cannot be built is refused, with a reason, before anything is built."""

import json
from dataclasses import asdict

import numpy as np
import pytest
import torch

from feedback import Config, FeedbackTransformer, FeedbackTransformerKV, LanguageModel, Transformer
from feedback.cache import GrowingList, GrowingStack
from feedback.language_model import build

REFUSED = [
    (dict(model="recurrent"), ValueError, "choose one of parallel, feedback, feedback-kv"),
    (dict(d_model=10, heads=4), ValueError, "not divisible by heads 4"),
    (dict(d_model=-8), ValueError, "d_model is -8"),
    (dict(heads=0), ValueError, "heads is 0"),
    (dict(n_layers=0), ValueError, "n_layers is 0"),
    (dict(d_ff=-1), ValueError, "d_ff is -1"),
    (dict(n_tokens=0), ValueError, "n_tokens is 0"),
    (dict(max_distance=0), ValueError, "max_distance is 0"),
    (dict(memory_size=0), ValueError, "memory_size is 0"),
    (dict(d_model=8.0), TypeError, "whole number"),
    (dict(n_layers=True), TypeError, "whole number"),
    (dict(dropout=1.0), ValueError, "0 <= dropout < 1"),
    (dict(dropout=-0.1), ValueError, "0 <= dropout < 1"),
    (dict(dropout="a lot"), TypeError, "must be a number"),
    (dict(memory_mixture="mean"), ValueError, "'learned' or 5 weights"),
    (dict(memory_mixture=[0.5, 0.5]), ValueError, "need 5"),
    (dict(memory_mixture=[1.5, -0.5, 0, 0, 0]), ValueError, ">= 0 and sum to 1"),
    (dict(memory_mixture=[0.2, 0.2, 0.2, 0.2, 0.1]), ValueError, "sum to 1"),
    (dict(memory_mixture=[float("nan"), 0, 0, 0, 1]), ValueError, "sum to 1"),
    (dict(memory_mixture=["a", "b", "c", "d", "e"]), TypeError, "must be a number"),
    (dict(model="parallel", memory_size=0), ValueError, "memory_size is 0"),
    (dict(model="parallel", memory_size=2.0), TypeError, "whole number"),
    (dict(model="parallel", memory_mixture=[0.2] * 5), ValueError, "feedback model"),
]


@pytest.mark.parametrize(("fields", "error", "reason"), REFUSED, ids=lambda value: str(value)[:40])
def test_refused_with_a_reason(fields, error, reason):
    with pytest.raises(error, match=reason):
        Config(**fields)


def test_equal_configs_are_equal_however_their_numbers_were_written():
    plain = Config(d_model=256, dropout=0, memory_mixture=(0.5, 0.5, 0, 0, 0))
    halves = [0.5, 0.5, 0, 0, 0]
    for mixture in (halves, np.array(halves), np.float32(halves), torch.tensor(halves)):
        written = Config(d_model=np.int64(256), dropout=0.0, memory_mixture=mixture)
        assert written == plain and hash(written) == hash(plain)
        assert json.loads(json.dumps(asdict(written))) == json.loads(json.dumps(asdict(plain)))


def test_the_layer_weights_of_a_model_are_a_mixture():
    model = LanguageModel(Config(d_model=8, heads=2, n_layers=2, d_ff=8, n_tokens=5))
    config = Config(n_layers=2, memory_mixture=model.layer_weights())
    assert config.memory_mixture == tuple(model.layer_weights().tolist())
    with pytest.raises(ValueError, match="'learned' or 3 weights"):
        Config(n_layers=2, memory_mixture=torch.tensor(1.0))


def test_a_model_class_wants_its_own_kind_of_config():
    with pytest.raises(ValueError, match="model='parallel'"):
        Transformer(Config(model="feedback"))


def test_paths_are_checked():
    with pytest.raises(ValueError, match="choose one of loop, stack"):
        FeedbackTransformer(Config(model="feedback"), path="fast")
    with pytest.raises(ValueError, match="path is 'stack'; choose one of loop, sequence"):
        FeedbackTransformerKV(Config(model="feedback-kv"), path="stack")
    with pytest.raises(ValueError, match="no choice of paths"):
        build(Config(model="parallel"), path="loop")
    for path, container in [
        ("loop", GrowingList),
        ("stack", GrowingStack),
        (None, GrowingStack),
    ]:
        model = build(Config(model="feedback", d_model=8, heads=2), path)
        keys, values = model.gather(torch.randn(1, 2, 8), None)[0]
        assert type(keys) is type(values) is container


def test_a_language_model_needs_a_vocabulary():
    with pytest.raises(ValueError, match="vocabulary"):
        LanguageModel(Config(n_tokens=None))
