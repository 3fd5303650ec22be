"""What a model could keep of the text for generating the next token, in bytes (chapter 5)."""

import math

from .base import Widget, sources
from .traits import OneOf, Whole

MOST = {"tokens": 131_072, "layers": 128, "width": 16_384, "batch": 256}
BYTES_PER_NUMBER = (1, 2, 4, 8)
UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def kept_bytes(
    tokens: int, layers: int, width: int, batch: int = 1, bytes_per_number: int = 4
) -> dict[str, int]:
    """Bytes kept after `tokens` tokens, for each kind of what could be kept.

    - all layer outputs: L+1 vectors of width d per token, the embedding among them.
    - weighted sum: one memory vector per token. Keys and values would be made from it at each step.
    - shared keys and values: one pair per token, as `FeedbackTransformerKV` keeps it.
    - keys and values of every layer: L pairs per token, as the parallel model and the feedback
      model with projections of its own in every layer keep them.
    """
    vectors = {
        "all layer outputs": layers + 1,
        "weighted sum": 1,
        "shared keys and values": 2,
        "keys and values of every layer": 2 * layers,
    }
    vector = batch * tokens * width * bytes_per_number
    return {kind: count * vector for kind, count in vectors.items()}


class CacheGrowth(Widget):
    """Change the size of a model and the length of its text, and compare what it has to keep.

    Every attribute is also an argument, and follows the page while a kernel runs. A wrong value
    raises a TypeError or a ValueError that says what is expected, and changes nothing.

    Attributes:
        tokens: T, the length of the text, from 1 to 131,072.
        layers: L, from 1 to 128.
        width: d, the width of the vectors between layers, from 1 to 16,384.
        batch: B, how many texts are written at once, from 1 to 256.
        bytes_per_number: 8 for float64, 4 for float32, 2 for float16 and bfloat16, 1 for int8.
    """

    _esm, _css = sources(__file__)

    tokens = Whole(1, MOST["tokens"]).tag(sync=True)
    layers = Whole(1, MOST["layers"]).tag(sync=True)
    width = Whole(1, MOST["width"]).tag(sync=True)
    batch = Whole(1, MOST["batch"]).tag(sync=True)
    bytes_per_number = OneOf(BYTES_PER_NUMBER).tag(sync=True)

    def __init__(
        self,
        tokens: int = 256,
        layers: int = 4,
        width: int = 256,
        batch: int = 1,
        bytes_per_number: int = 4,
    ):
        super().__init__(
            tokens=tokens,
            layers=layers,
            width=width,
            batch=batch,
            bytes_per_number=bytes_per_number,
        )

    @property
    def nbytes(self) -> dict[str, int]:
        """Bytes of each kind, as the picture shows them."""
        return kept_bytes(self.tokens, self.layers, self.width, self.batch, self.bytes_per_number)

    def describe(self) -> str:
        """One sentence that says what the picture shows."""
        sizes = ", ".join(f"{name} {getattr(self, name):,}" for name in MOST)
        parts = ", ".join(f"{kind} {readable(size)}" for kind, size in self.nbytes.items())
        times = f"{self.layers} times" if self.layers > 1 else "as much as"
        return (
            f"With {sizes} and numbers of {self.bytes_per_number}\N{NO-BREAK SPACE}B: {parts}, "
            f"{times} the shared ones."
        )


def readable(size: int) -> str:
    """Bytes to three digits, in B, KiB, MiB, ..., each of which is 1,024 of the one before."""
    power = max(0, (size.bit_length() - 1) // 10)
    value = size / 1024**power
    factor = 100 if value < 10 else 10 if value < 100 else 1
    value = math.floor(value * factor + 0.5) / factor  # rounds halves up, as JavaScript does
    return f"{value:,.2f}".rstrip("0").rstrip(".") + "\N{NO-BREAK SPACE}" + UNITS[power]
