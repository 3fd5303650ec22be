"""Which layers wait for which: a parallel and a feedback transformer fill a grid (chapter 3).

The numbers count layers. A cell (token t, layer l) of the grid is one layer run on one token;
tokens count from 0 and layers from 1. Layer 0 is the token's embedding, which waits for nothing.

- Parallel: cell (t, l) reads layer l-1 of the tokens up to t. A layer runs on all tokens at once.
- Feedback: cell (t, l) reads layer l-1 of its own token and the memories of earlier tokens, and a
  memory mixes all layers of its token. So the cells run one by one.
"""

from feedback.config import whole_number

from .base import Widget, sources
from .traits import Whole, checked_together

MODELS = ("parallel", "feedback")
MOST_TOKENS, MOST_LAYERS = 32, 12


def sequential_steps(model: str, tokens: int, layers: int) -> int:
    """How many steps, one after the other, fill the whole grid."""
    return done_at(model, tokens - 1, layers, layers)


def done_at(model: str, token: int, layer: int, layers: int) -> int:
    """The step that fills a cell: also the most layers on any one path that ends in it."""
    if model not in MODELS:
        raise ValueError(f"model is {model!r}; choose one of {', '.join(MODELS)}")
    return layer if model == "parallel" else token * layers + layer


def depth(model: str, token: int, layers: int) -> int:
    """The most layers on any one path to a token's output."""
    return done_at(model, token, layers, layers)


def longest_path(model: str, start: int, end: int, layers: int) -> list[tuple[int, int]]:
    """The cells (token, layer) on a longest path from the embedding of `start` to output `end`.

    With feedback it passes every layer of every token between the two. In the parallel model every
    path has as many cells as there are layers; given is the one that moves on in even strides.
    """
    rows = range(1, layers + 1)
    if model == "parallel":
        return [(start + layer * (end - start) // layers, layer) for layer in rows]
    if model == "feedback":
        return [(token, layer) for token in range(start, end + 1) for layer in rows]
    raise ValueError(f"model is {model!r}; choose one of {', '.join(MODELS)}")


class CriticalPath(Widget):
    """Step through time and see which cells are done, and the path between two tokens.

    Every attribute is also an argument, and follows the page while a kernel runs. A wrong value
    raises a TypeError or a ValueError that says what is expected, and changes nothing.

    Attributes:
        tokens: T, the columns of the grid, from 1 to 32.
        layers: L, the rows of the grid, from 1 to 12.
        start: the early token, from whose embedding the path goes out; from 0 to `end`.
        end: the late token, at whose output the path ends, from `start` to T-1; None means T-1.
        time: the number of steps that are done, from 0 to T·L; None means L, after which the
            parallel model has just finished.
    """

    _esm, _css = sources(__file__)

    tokens = Whole(1, MOST_TOKENS).tag(sync=True)
    layers = Whole(1, MOST_LAYERS).tag(sync=True)
    start = Whole(0).tag(sync=True)
    end = Whole(0, none=lambda self: self.tokens - 1).tag(sync=True)
    time = Whole(0, none=lambda self: self.layers).tag(sync=True)

    def __init__(
        self,
        tokens: int = 8,
        layers: int = 4,
        start: int = 0,
        end: int | None = None,
        time: int | None = None,
    ):
        super().__init__(tokens=tokens, layers=layers, start=start, end=end, time=time)

    def describe(self) -> str:
        """What the picture shows, in words."""
        done, deep, long = [], [], []
        for model in MODELS:
            total = sequential_steps(model, self.tokens, self.layers)
            path = longest_path(model, self.start, self.end, self.layers)
            done.append(f"{model} {min(self.time, total)} of {total}")
            deep.append(f"{model} {depth(model, self.end, self.layers)}")
            long.append(f"{model} {len(path)}")
        return (
            f"Steps done: {', '.join(done)}. "
            f"Layers on the longest path to output {self.end}: {', '.join(deep)}; "
            f"from token {self.start}: {', '.join(long)}."
        )

    @checked_together("tokens", "layers", "start", "end", "time")
    def _inside_the_grid(self, tokens, layers, start, end, time):
        whole_number("end", end, 0, tokens - 1)
        whole_number("start", start, 0, end)
        whole_number("time", time, 0, tokens * layers)
