"""Which layers wait for which: a parallel and a feedback transformer fill a grid (chapter 3).

The numbers count layers. A cell (token t, layer l) of the grid is one layer run on one token;
tokens count from 0 and layers from 1. Layer 0 is the token's embedding, which waits for nothing.

- Parallel: cell (t, l) reads layer l-1 of the tokens up to t. A layer runs on all tokens at once.
- Feedback: cell (t, l) reads layer l-1 of its own token and the memories of earlier tokens, and a
  memory mixes all layers of its token. So the cells run one by one.
"""

import traitlets

from .base import Checked, Widget, sources, whole_number

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

    Arguments:
        tokens: T, from 1 to 32.
        layers: L, from 1 to 12.
        start: the early token from whose embedding the path goes out, counted from 0.
        end: the late token at whose output it ends, not before `start`; the last if None.
        time: steps done, from 0 to T·L; L if None: then the parallel model has just finished.

    All can be set again, and follow the page while a kernel runs. A ValueError says what is wrong
    with a value.
    """

    _esm, _css = sources(__file__)

    # `Any`, because the check below accepts integers of arrays too; what is kept is an int.
    tokens = Checked().tag(sync=True)
    layers = Checked().tag(sync=True)
    start = Checked().tag(sync=True)
    end = Checked().tag(sync=True)
    time = Checked().tag(sync=True)

    def __init__(
        self,
        tokens: int = 8,
        layers: int = 4,
        start: int = 0,
        end: int | None = None,
        time: int | None = None,
    ):
        state = _checked(tokens=tokens, layers=layers, start=start, end=end, time=time)
        super().__init__(**state)

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

    @traitlets.validate("tokens", "layers", "start", "end", "time")
    def _validate(self, proposal):
        names = ("tokens", "layers", "start", "end", "time")
        state = {name: getattr(self, name) for name in names}
        name = proposal.trait.name
        return _checked(**{**state, name: proposal.value})[name]


def _checked(tokens, layers, start, end, time) -> dict[str, int]:
    tokens = whole_number("tokens", tokens, 1, MOST_TOKENS)
    layers = whole_number("layers", layers, 1, MOST_LAYERS)
    end = whole_number("end", tokens - 1 if end is None else end, 0, tokens - 1)
    return {
        "tokens": tokens,
        "layers": layers,
        "end": end,
        "start": whole_number("start", start, 0, end),
        "time": whole_number("time", layers if time is None else time, 0, tokens * layers),
    }
