"""Checks of chapter 11b, a short memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from feedback.cache import Memory
from feedback.config import Config
from feedback.language_model import LanguageModel
from feedback.notebook.checks.comparing import near
from feedback.notebook.checks.verdict import Mistake, exercise, expect, when


def random_model(config: Config, std: float) -> LanguageModel:
    """A model whose weights are so large that every token counts."""
    own = torch.Generator().manual_seed(0)
    model = LanguageModel(config).eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=std if parameter.dim() > 1 else 0.1, generator=own)
    return model


@exercise("11.3")
def check_looking_back(looking_back: Callable) -> None:
    """Two models and two sizes, read token by token with older vectors thrown away by hand."""
    for heads, layers in ((2, 2), (4, 1)):
        config = Config("feedback-kv", 6, d_model=16, heads=heads, n_layers=layers, d_ff=32)
        model = random_model(config, std=0.3)
        tokens = torch.randint(6, (2, 12), generator=torch.Generator().manual_seed(1))
        weights = {name: value.clone() for name, value in model.state_dict().items()}
        for size in (3, 1):
            with when(f"with size {size}"), torch.no_grad():
                before = model(tokens)
                cut = looking_back(model, size)
                check_cut(cut, model, size)
                check_weights(cut, weights)
                expect(model(tokens).equal(before), "the model that is given answers otherwise now")
                check_reads(cut, model, tokens, size)


def check_cut(cut: object, model: LanguageModel, size: int) -> None:
    """Another model, of the same config but for the size."""
    expect(isinstance(cut, LanguageModel), f"return a model, not a {type(cut).__name__}")
    assert isinstance(cut, LanguageModel)
    whole = "the model that is given must keep its config; build another one"
    expect(model.config.memory_size is None, whole)
    expect(cut is not model, "the same model cannot read all and read little: build another one")
    found = cut.config.memory_size
    expect(found == size, f"it has memory_size={found}, and {size} is asked for")
    wanted = replace(model.config, memory_size=size)
    changed = [name for name, value in vars(wanted).items() if getattr(cut.config, name) != value]
    said = f"only the memory's size is to change; so has {', '.join(changed)}"
    expect(not changed, said)


def check_weights(cut: LanguageModel, weights: Mapping[str, Tensor]) -> None:
    """All weights of the model that was given."""
    own = cut.state_dict()
    other = [name for name, value in weights.items() if not own[name].equal(value)]
    said = f"{len(other)} of {len(weights)} weights are not those of the model that is given"
    some = f"{said}, such as {other and other[0]}"
    expect(len(other) < len(weights) - 1, f"{said}: load its state_dict into the other model")
    expect(not other, some)


def check_reads(cut: LanguageModel, model: LanguageModel, tokens: Tensor, size: int) -> None:
    """Does it read the last vectors, and no older ones?"""
    after, memory = cut.eval()(tokens), None
    for t, token in enumerate(tokens.T):
        logits, memory = model.step(token, memory)
        memory = memory.changed(lambda x: x[:, :, -size:])
        older = f"token {t} reads older vectors: the size has to be in the config from the start"
        expect(near(after[:, t], logits), older)


@exercise("11.8")
def check_exchanged(exchanged: Callable) -> None:
    """Memories of other sizes; one vector to all of them."""
    own = torch.Generator().manual_seed(0)
    config = Config("feedback-kv", 6, d_model=8, heads=2, n_layers=2, d_ff=16)
    for batch, n, last in ((4, 8, 3), (4, 5, 2), (3, 7, 4), (4, 5, 1), (3, 6, 6)):
        keys, values = torch.randn(2, batch, 2, n, 4, generator=own)  # (B, H, n, k) each
        with when(f"the last {last} of {n} vectors, in {batch} rows"):
            given = Memory((keys.clone(),), (values.clone(),), config)
            found = exchanged(given, last)
            kept = given.keys[0].equal(keys) and given.values[0].equal(values)
            expect(kept, "the memory that is given has changed: make new tensors")
            kind = type(found).__name__
            expect(
                isinstance(found, Memory), f"return a Memory, as memory.changed does; not {kind}"
            )
            expect(found.config == config, "the memory must keep its config")
            expect(len(found.keys) == len(found.values) == 1, "the memory has one pair of tensors")
            check_tensors({"keys": keys, "values": values}, found, last)


def check_tensors(given: Mapping[str, Tensor], memory: Memory, last: int) -> None:
    """Are keys and values the right ones, and if not, which slip gives them?"""
    found = {"keys": memory.keys[0], "values": memory.values[0]}
    for name, x in given.items():
        new, twin = found[name], "values" if name == "keys" else "keys"
        expect(isinstance(new, Tensor), f"the {name} are a {type(new).__name__}, not a tensor")
        shape = f"the {name} have shape {tuple(new.shape)}, not {tuple(x.shape)}"
        expect(new.shape == x.shape, shape)
        if near(new, with_tail(x, x.roll(-1, 0), last)):
            continue
        alone = near(new, x) and not near(found[twin], given[twin])
        expect(not alone, f"the {name} stay as they were: exchange both")
        other = given[twin]
        places = near(new, with_tail(other, other.roll(-1, 0), last))
        expect(not places, "keys and values have changed places")
        for slip, wrong in slips_of_exchange(x, last).items():
            expect(not near(new, wrong), slip)
        front = near(new[:, :, :-last], x[:, :, :-last])
        expect(front, f"vectors before the last {last} have changed")
        wanted = x.roll(-1, 0)[:, :, -last:]
        mixed = near(new[:, :, -last:].sort(2).values, wanted.sort(2).values)
        expect(not mixed, "the right vectors, in another order")
        expect(False, f"the last {last} {name} are not those of the next row")


def with_tail(x: Tensor, other: Tensor, last: int) -> Tensor:
    """x (B, H, n, k), whose last vectors are those of another tensor of its shape."""
    late = torch.arange(x.shape[2])[:, None] >= x.shape[2] - last  # (n, 1)
    return other.where(late, x)


def slips_of_exchange(x: Tensor, last: int) -> dict[str, Tensor]:
    """Likely mistakes with keys or values (B, H, n, k), each with what it would give."""
    rows, n = len(x), x.shape[2]
    place = torch.arange(n)[:, None]  # (n, 1)
    following, earlier = x.roll(-1, 0), x.roll(1, 0)
    no_wrap = following.clone()
    no_wrap[rows - 1] = x[rows - 1]
    return {
        "nothing is exchanged": x,
        "that is the whole memory of the next row; only its last vectors move": following,
        "take them from the next row, not from the one before": with_tail(x, earlier, last),
        "the first vectors are exchanged, not the last": following.where(place < last, x),
        "the last vectors stay, and the earlier ones are exchanged": with_tail(following, x, last),
        "that leaves `last` vectors as they are, and exchanges all others": following.where(
            place >= last, x
        ),
        "one vector alone is exchanged": following.where(place == n - last, x),
        "only the very last vector is exchanged": with_tail(x, following, 1),
        "one vector too many is exchanged": with_tail(x, following, last + 1),
        "one vector too few is exchanged": with_tail(x, following, last - 1),
        "rows of the batch are dimension 0; that exchanges heads": with_tail(
            x, x.roll(-1, 1), last
        ),
        "rows of the batch are dimension 0; that exchanges vectors of the same row": with_tail(
            x, x.roll(-1, 2), last
        ),
        "rows of the batch are dimension 0; that exchanges features": with_tail(
            x, x.roll(-1, 3), last
        ),
        "name the dimension to roll: without it all numbers move by one": with_tail(
            x, x.roll(-1), last
        ),
        "the row after the last one is the first; it is left out": with_tail(x, no_wrap, last),
        "the next row of each, and not all rows in opposite order": with_tail(x, x.flip(0), last),
        "the next row of each, and not the first for all": with_tail(x, x[:1], last),
        "the next row but one": with_tail(x, x.roll(-2, 0), last),
        "the vectors are taken from the start of the next row, not from its end": torch.cat(
            [x[:, :, : n - last], following[:, :, :last]], 2
        ),
        "a row later in the batch gets what is exchanged already: read from the old memory": (
            passed_on(x, last)
        ),
    }


def passed_on(x: Tensor, last: int) -> Tensor:
    """Row by row in place: the last row gets what the first one has by then."""
    changed = x.clone()
    for row in range(len(x)):
        changed[row, :, -last:] = changed[(row + 1) % len(x), :, -last:].clone()
    return changed


TOKENS = 7  # of a made-up model


class LooksAt(nn.Module):
    """Logits (B, T, V) that depend on the tokens at some distances back, and on no others.

    Args:
        strengths: by how much a token counts, for each distance.
        falling: a larger token makes one logit smaller, and changes no other.
        last_only: the logits of all positions but the last are always the same.
    """

    def __init__(
        self, strengths: Mapping[int, float], falling: bool = False, last_only: bool = False
    ):
        super().__init__()
        self.strengths, self.falling, self.last_only = strengths, falling, last_only
        self.config = Config("parallel", TOKENS, d_model=8, heads=2, n_layers=1, d_ff=8)

    def forward(self, tokens: Tensor) -> Tensor:
        seen = F.one_hot(tokens, TOKENS).double()  # (B, T, V)
        if self.falling:
            seen = -F.pad(tokens[..., None].double(), (0, TOKENS - 1))
        logits = torch.ones_like(seen)
        for distance, strength in self.strengths.items():
            logits[:, distance:] += strength * seen[:, : seen.shape[1] - distance]
        if self.last_only:
            logits[:, :-1] = 1
        return logits


FADING = {0: 1.0, 1: 0.5, 2: 1e-3, 3: 1.5e-9}
ROWS = [  # of tokens 0 to 5, which every model below knows
    [[1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5, 0]],
    [[5, 4, 3, 2, 1, 0, 5, 4, 3, 2, 1, 0]],
    [[3, 1, 4, 1, 5, 2, 0, 5, 3, 5, 0, 2]],
    [[5, 0, 4, 4, 1, 2, 3, 0, 2]],
]


def small_model(name: str, layers: int, size: int | None) -> LanguageModel:
    """A small model in double precision, as the exercise says that all are."""
    config = Config(name, 6, d_model=16, heads=2, n_layers=layers, d_ff=32, memory_size=size)
    return random_model(config, std=0.4).double()


@exercise("11.9")
def check_sees_back(sees_back: Callable) -> None:
    """Made-up models first, of which the distances are known; then models of the package."""
    near_by = dict.fromkeys(range(4), 0.5)
    models: dict[str, nn.Module] = {
        "a model that looks at distances 0 to 3": LooksAt(near_by, last_only=True),
        "a model that looks at distances 0 to 3 from each position": LooksAt(near_by),
        "a model that looks at distances 1, 4 and 6, and at no others": LooksAt(
            dict.fromkeys((1, 4, 6), 0.5)
        ),
        "a model that looks at distances 0 to 3, the farther the less": LooksAt(FADING),
        "a model in which distance 3 counts by less than 1e-9": LooksAt(FADING | {3: 5e-10}),
        "a model in which a larger token makes a logit smaller": LooksAt(near_by, falling=True),
        "a model that looks at the last token alone": LooksAt({0: 1.0}),
        "a model that looks at the last two tokens": LooksAt({0: 1.0, 1: 0.5}),
        "two parallel layers with memory_size=3": small_model("parallel", 2, 3),
        "a parallel layer that reads all tokens": small_model("parallel", 1, None),
        "a feedback model with memory_size=1": small_model("feedback-kv", 2, 1),
    }
    cases = [
        (name, torch.tensor(row))
        for name, model in models.items()
        for row in (ROWS if isinstance(model, LooksAt) else ROWS[2:])
    ]
    answers = []
    for name, tokens in cases:
        with when(f"{name}, {tokens.shape[1]} tokens"), torch.no_grad():
            answers.append(one_number(sees_back(models[name], tokens.clone())))
    effects = [Effects(models[name], tokens) for name, tokens in cases]
    true = [one.farthest(1) for one in effects]
    if answers == true:
        return
    at = next(i for i, answer in enumerate(answers) if answer != true[i])
    name, tokens = cases[at]
    said = f"{name}, {tokens.shape[1]} tokens: {answers[at]:g}, but it is {true[at]}"
    for slip, wrong in slips_of_distances(effects, true).items():
        expect(answers != wrong, f"{said}: {slip}")
    expect(False, said)


def one_number(found: object) -> float:
    try:
        return float(found)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise Mistake(f"return one number, not {found!r:.40}") from error


class Effects:
    """What a row's logits become when one token is another one.

    Attributes:
        last: (T, V, V) the logits of the last position, by distance back and by the other token.
        any: (T,) by distance back, whether the logits of any position change with the next token.
        together: (T,) the same for the last position, if all tokens from distance 1 on change.
        whole: (V,) the logits of the last position as they are.
        row: (T,) the tokens, by distance back.
    """

    @torch.no_grad()
    def __init__(self, model: nn.Module, tokens: Tensor):
        T, V = tokens.shape[1], model.config.n_tokens
        one_other = tokens.repeat(T * V, 1).reshape(T, V, T)
        for back in range(T):
            one_other[back, :, T - 1 - back] = torch.arange(V)
        logits = model(one_other.flatten(0, 1)).unflatten(0, (T, V))  # (T, V, T, V)
        before = model(tokens)[0]  # (T, V)
        self.last, self.whole = logits[:, :, -1], before[-1]
        self.row = tokens[0].flip(0)
        following = (self.row + 1) % V
        moved = logits[torch.arange(T), following] - before  # (T, T, V)
        self.any = moved.abs().amax((1, 2)) > 1e-9
        all_up_to = tokens.repeat(T, 1)
        for back in range(T):
            all_up_to[back, T - 1 - back : -1] = (tokens[0, T - 1 - back : -1] + 1) % V
        self.together = (model(all_up_to)[:, -1] - self.whole).abs().amax(1) > 1e-9

    def moved(self, step: int) -> Tensor:
        """How the last logits change, by distance back, where a token goes up: (T, V)."""
        other = (self.row + step) % self.last.shape[1]
        return self.last[torch.arange(len(other)), other] - self.whole

    def farthest(self, step: int, tolerance: float = 1e-9) -> int:
        return largest(self.moved(step).abs().amax(1) > tolerance)


def largest(matters: Tensor) -> int:
    """The largest distance, from 1 on, that matters (T,); 0 if none does."""
    return max((back for back in range(1, len(matters)) if matters[back]), default=0)


def slips_of_distances(effects: list[Effects], true: list[int]) -> dict[str, list[float]]:
    """Likely mistakes, each with what it would return for all cases."""
    each = [slips_of_distance(*one) for one in zip(effects, true, strict=True)]
    return {slip: [one[slip] for one in each] for slip in each[0]}


def slips_of_distance(effects: Effects, true: int) -> dict[str, float]:
    """Likely mistakes, each with what it would return."""
    moved, T = effects.moved(1), len(effects.row)
    matters = moved.abs().amax(1) > 1e-9
    backs = [back for back in range(1, T) if matters[back]]
    likeliest = effects.whole.argmax()
    beyond_a_part = moved.abs() > 1e-9 + 1e-5 * effects.whole.abs()
    other_word = (moved + effects.whole).argmax(1) != likeliest
    slips: dict[str, float] = {
        "compare the last position alone; others change too": largest(effects.any),
        "change one token at a time": largest(effects.together),
        "go on behind a distance that changes nothing": next(
            (back - 1 for back in range(1, T) if not matters[back]), T - 1
        ),
        "a difference counts only above 1e-9": effects.farthest(1, 1e-12),
        "small changes count too, down to 1e-9: torch.allclose has a relative tolerance as well": (
            largest(beyond_a_part.any(1))
        ),
        "small changes count too, down to 1e-9": effects.farthest(1, 2e-9),
        "small changes count too, down to 1e-9: that takes 1e-6": effects.farthest(1, 1e-6),
        "small changes count too, down to 1e-9: that takes 1e-2": effects.farthest(1, 1e-2),
        "a logit that falls counts too: take the absolute value": largest(moved.amax(1) > 1e-9),
        "a logit that rises counts too: take the absolute value": largest(moved.amin(1) < -1e-9),
        "some logits are enough; they need not all change": largest(moved.abs().amin(1) > 1e-9),
        "logits may change and their sum stay: compare them one by one": largest(
            moved.sum(1).abs() > 1e-9
        ),
        "compare the logits, and not only the likeliest token": largest(other_word),
        "a distance back, and not the place in the row": T - 1 - true,
        "the last token has distance 0, the one before it 1": true + 1,
        "the token before the last has distance 1": true - 1,
        "a distance, and not how many matter": len(backs),
        "a distance, and not how many tokens matter with the last": len(backs) + 1,
        "the largest distance, and not the nearest": min(backs, default=0),
        "that is the largest distance in the row, whatever the model: change one token at a time": (
            T - 1
        ),
        "that is the number of tokens in the row": T,
    }
    for other in range(6):
        changes = (effects.last[:, other] - effects.whole).abs().amax(1) > 1e-9
        slip = f"where token {other} stands, putting in {other} changes nothing"
        slips[slip] = largest(changes)
    return slips
