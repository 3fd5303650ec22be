"""The bytes of CacheGrowth are those that real models keep."""

import pytest
import torch

from feedback import Config, LanguageModel
from feedback.widgets import CacheGrowth
from feedback.widgets.cache_growth import kept_bytes, readable

EVERY, SHARED = "keys and values of every layer", "shared keys and values"


def language_model(name: str, layers: int, width: int, dtype: torch.dtype) -> LanguageModel:
    sizes = dict(n_tokens=5, heads=2, d_ff=4)
    config = Config(model=name, n_layers=layers, d_model=width, **sizes)
    return LanguageModel(config).to(dtype)


@pytest.mark.parametrize(
    ("name", "kind"), [("parallel", EVERY), ("feedback", EVERY), ("feedback-kv", SHARED)]
)
@pytest.mark.parametrize(
    ("tokens", "layers", "width", "batch", "dtype"),
    [(1, 1, 2, 1, torch.float32), (7, 3, 8, 2, torch.float32), (4, 2, 6, 3, torch.float64)],
)
def test_caches_are_as_large_as_the_memory_of_real_models(
    name, kind, tokens, layers, width, batch, dtype
):
    text = torch.zeros(batch, tokens, dtype=torch.long)
    _, memory = language_model(name, layers, width, dtype)(text, return_memory=True)
    kept = kept_bytes(tokens, layers, width, batch, bytes_per_number=dtype.itemsize)
    assert kept[kind] == memory.nbytes


def test_outputs_and_their_sum_are_as_large_as_in_a_trace():
    model = language_model("feedback-kv", 3, 8, torch.float32)
    trace = model.trace(torch.zeros(2, 7, dtype=torch.long))
    kept = kept_bytes(tokens=7, layers=3, width=8, batch=2)
    assert kept["all layer outputs"] == trace.outputs.nbytes
    assert kept["weighted sum"] == trace.memory.nbytes


def test_what_tells_the_kinds_apart_is_the_number_of_layers():
    once, twice = kept_bytes(64, 6, 32), kept_bytes(64, 12, 32)
    assert twice[EVERY] == 2 * once[EVERY]
    assert twice[SHARED] == once[SHARED]
    assert twice["weighted sum"] == once["weighted sum"]
    assert once[EVERY] == 6 * once[SHARED] == 12 * once["weighted sum"]


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1,023 B"),
        (1024, "1 KiB"),
        (1280 * 1024, "1.25 MiB"),
        (12_800 * 1024, "12.5 MiB"),
        (128 * 1024**2 + 1, "128 MiB"),
        (1024**2 - 1, "1,024 KiB"),
        (1152, "1.13 KiB"),  # 1.125: halves go up
        (3 * 1024**4, "3 TiB"),
        (1024**5, "1 PiB"),
    ],
)
def test_bytes_are_readable(size, text):
    assert readable(size) == text.replace(" ", "\N{NO-BREAK SPACE}")


def test_the_words_give_the_numbers():
    assert CacheGrowth().describe().replace("\N{NO-BREAK SPACE}", " ") == (
        "With tokens 256, layers 4, width 256, batch 1 and numbers of 4 B: all layer outputs "
        "1.25 MiB, weighted sum 256 KiB, shared keys and values 512 KiB, keys and values of every "
        "layer 2 MiB, 4 times the shared ones."
    )
    assert (
        CacheGrowth(layers=1)
        .describe()
        .endswith("512\N{NO-BREAK SPACE}KiB, as much as the shared ones.")
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tokens": 0}, "tokens is 0; it must be in 1..131072"),
        ({"layers": 1.5}, "layers is 1.5; it must be a whole number in 1..128"),
        ({"width": "wide"}, "width is 'wide'; it must be a whole number in 1..16384"),
        ({"width": None}, "width is None; it must be a whole number"),
        ({"batch": 257}, "batch is 257; it must be in 1..256"),
        ({"bytes_per_number": 3}, "bytes_per_number is 3; choose one of 1, 2, 4, 8"),
        ({"bytes_per_number": True}, "bytes_per_number is True; choose one of 1, 2, 4, 8"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        CacheGrowth(**arguments)
    widget = CacheGrowth()
    [(name, value)] = arguments.items()
    with pytest.raises((TypeError, ValueError), match=message):
        setattr(widget, name, value)
    assert widget.nbytes == CacheGrowth().nbytes
