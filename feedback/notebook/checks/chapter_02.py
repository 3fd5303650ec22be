"""Checks of chapter 2, the parallel transformer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from numbers import Real
from types import SimpleNamespace

import torch
from torch import Tensor, nn

from feedback.attention import Attention
from feedback.config import Config, plain
from feedback.language_model import LanguageModel
from feedback.notebook.checks.catching import expect_catches
from feedback.notebook.checks.comparing import near
from feedback.notebook.checks.verdict import exercise, expect, when


@exercise("2.3")
def check_assemble(assemble: Callable) -> None:
    """What do the parts get, what comes back, and what gradient?"""
    parts, x, keys, values = random_layer()
    found = assemble(parts, x, keys, values)
    kind = type(found).__name__
    expect(isinstance(found, Tensor), f"a {kind} came back: return x_next alone, (B, T, d)")
    shape, own = tuple(x.shape), tuple(found.shape)
    expect(own == shape, f"x has shape {shape}, and so has x_next; yours is {own}")
    check_attention_part(parts, x, keys, values)
    check_feed_forward_part(parts, x)
    check_sum(parts, x, found)
    check_every_gradient(assemble)


class Part:
    """A part of a layer, which keeps what it was handed last and what it gave back."""

    def __init__(self, name: str, run: Callable):
        self.name, self.run = name, run
        self.handed: Tensor | None = None
        self.gave: Tensor | None = None

    def __call__(self, z: Tensor, *rest: Tensor, **named: Tensor) -> Tensor:
        pair = f"{self.name} is handed two things at once: unpack what attention returns"
        expect(not isinstance(z, (tuple, list)), pair)
        expect(isinstance(z, Tensor), f"{self.name} is handed a {type(z).__name__}, not a tensor")
        many = f"{self.name} is handed {tuple(z.shape)}, not (B, T, d)"
        expect(z.dim() != 4, f"{many}: of the two that attention returns, the first was read")
        self.handed, self.gave = z.detach().clone(), self.run(z, *rest, **named)
        return self.gave


def random_layer() -> tuple[SimpleNamespace, Tensor, Tensor, Tensor]:
    """Parts, x (B, T, d), keys and values (B, H, n, k). Dropout doubles and adds a ramp."""
    d, own = 6, torch.Generator().manual_seed(0)
    norm1, norm2, attention = nn.LayerNorm(d), nn.LayerNorm(d), Attention(d, 3, 4, True, 0.0)
    network = nn.Sequential(nn.Linear(d, d), nn.ReLU())
    for part in (norm1, norm2, network, attention):
        for parameter in part.double().parameters():
            nn.init.normal_(parameter, generator=own)
    ramp = torch.linspace(0, 1, d, dtype=torch.double)
    parts = SimpleNamespace(
        norm1=Part("norm1", norm1),
        norm2=Part("norm2", norm2),
        attention=Part("attention", attention),
        feed_forward=Part("feed_forward", network),
        dropout=Part("dropout", lambda added: 2 * added + ramp),
    )
    x = torch.randn(2, 4, 6, generator=own, dtype=torch.double)
    keys, values = torch.randn(2, 2, 3, 5, 2, generator=own, dtype=torch.double)
    return parts, x, keys, values


def name_slip(found: Tensor, wanted: Tensor, slips: list[tuple[Tensor, str]], other: str) -> None:
    """Raise `Mistake` with the sentence of the first slip that gives what was found."""
    if not near(found, wanted, 1e-9):
        expect(False, next((said for slip, said in slips if near(found, slip, 1e-9)), other))


@torch.no_grad()
def check_attention_part(parts: SimpleNamespace, x: Tensor, keys: Tensor, values: Tensor) -> None:
    """Does attention get norm1(x), keys and values?"""
    norm1, norm2, attention = parts.norm1.run, parts.norm2.run, parts.attention
    expect(attention.gave is not None, "attention is never called: no token reads another")
    slips = [
        (x, "attention is handed the stream itself: it reads norm1 of it"),
        (norm2(x), "attention is handed norm2(x): norm2 serves the feed-forward part"),
        (norm1(norm1(x)), "attention is handed x after two norms: one is enough"),
        (norm1(norm2(x)), "attention is handed x after two norms: one is enough"),
    ]
    other = "attention is handed something else than norm1(x): it comes first in a layer"
    name_slip(attention.handed, norm1(x), slips, other)
    read = attention.run(norm1(x), keys, values)[0]
    said = "attention got the right z: look at the order of keys and values"
    expect(near(attention.gave[0], read, 1e-9), said)


@torch.no_grad()
def check_feed_forward_part(parts: SimpleNamespace, x: Tensor) -> None:
    """Does feed_forward get norm2 of the stream after attention?"""
    norm1, norm2, drop = parts.norm1.run, parts.norm2.run, parts.dropout.run
    expect(parts.feed_forward.gave is not None, "feed_forward is never called")
    read = parts.attention.gave[0]
    mid = x + drop(read)
    replaced = "attention's reading replaces the stream: add it to x"
    to_norm = "attention's part is added to norm1(x): add it to x"
    on_stream = "dropout falls on the stream: drop only what is added"
    slips = [
        (mid, "feed_forward is handed the stream itself: it reads norm2 of it"),
        (norm1(mid), "norm1 is used twice: norm2 stands before feed_forward"),
        (norm2(x), "feed_forward does not see what attention has added"),
        (norm2(norm1(x)), "feed_forward reads norm1(x) again: it reads the stream x'"),
        (norm2(read), replaced),
        (norm2(drop(read)), replaced),
        (x + read, "dropout is missing on what attention adds, and so is norm2"),
        (norm2(x + read), "dropout is missing on what attention adds"),
        (norm2(x + drop(drop(read))), "dropout stands twice on what attention adds"),
        (norm2(x - drop(read)), "what attention read is subtracted: add it"),
        (norm2(norm1(x) + drop(read)), to_norm),
        (norm2(norm1(x) + read), to_norm),
        (norm2(drop(x + read)), on_stream),
        (norm2(drop(x) + read), on_stream),
        (norm2(drop(x) + drop(read)), on_stream),
        (drop(norm2(mid)), "dropout falls on what feed_forward reads: drop what it adds"),
    ]
    other = (
        "feed_forward is handed something else than norm2(x'), with x' the stream after attention"
    )
    name_slip(parts.feed_forward.handed, norm2(mid), slips, other)


@torch.no_grad()
def check_sum(parts: SimpleNamespace, x: Tensor, found: Tensor) -> None:
    """Is x_next the stream after attention, plus what feed_forward adds?"""
    norm1, norm2, drop = parts.norm1.run, parts.norm2.run, parts.dropout.run
    read, network = parts.attention.gave[0], parts.feed_forward.gave
    mid = x + drop(read)
    right = mid + drop(network)
    replaced = "feed_forward's answer replaces the stream: add it to x'"
    lost = "what attention added is lost at the end: add to x', not to x"
    to_norm = "the last sum starts from norm2(x'): add to x' itself"
    on_stream = "dropout falls on the stream: drop only what is added"
    twice = "what attention read is added twice: x' has it already"
    normed = "the sum is normalised: a norm makes copies, x_next is none"
    slips = [
        (mid + network, "dropout is missing on what feed_forward adds"),
        (mid + drop(drop(network)), "dropout stands twice on what feed_forward adds"),
        (mid - drop(network), "what feed_forward returns is subtracted: add it"),
        (network, replaced),
        (drop(network), replaced),
        (x + drop(network), lost),
        (x + network, lost),
        (norm1(x) + drop(network), "the last sum starts from norm1(x): add to x' itself"),
        (norm2(mid) + drop(network), to_norm),
        (norm2(mid) + network, to_norm),
        (x + drop(read + network), "one dropout for both: each addition has its own"),
        (drop(mid + network), on_stream),
        (drop(mid) + network, on_stream),
        (drop(mid) + drop(network), on_stream),
        (right + x, "x is added twice: x' has it already"),
        (right + drop(read), twice),
        (right + read, twice),
        (mid, "what feed_forward returns is never added"),
        (norm1(right), normed),
        (norm2(right), normed),
    ]
    other = "both parts got the right inputs; look at how x' and feed_forward's answer are joined"
    name_slip(found, right, slips, other)


def check_every_gradient(assemble: Callable) -> None:
    """Do x, keys, values and all parameters learn what they should?"""
    slopes = []
    for layer in (assemble, pre_norm):
        parts, *given = random_layer()
        for tensor in given:
            tensor.requires_grad_()
        modules = [part.run for part in vars(parts).values() if isinstance(part.run, nn.Module)]
        leaves = [*given, *(p for module in modules for p in module.parameters())]
        x_next = layer(parts, *given)
        lost = "the numbers are right, but no gradient goes back: no detach and no no_grad here"
        expect(x_next.requires_grad, lost)
        found = torch.autograd.grad(x_next.square().sum(), leaves, allow_unused=True)
        pairs = zip(leaves, found, strict=True)
        slopes.append([torch.zeros_like(p) if g is None else g for p, g in pairs])
    agree = all(near(own, wanted, 1e-6) for own, wanted in zip(*slopes, strict=True))
    expect(agree, "the numbers are right, but some gradient is lost: no detach and no no_grad here")


def pre_norm(parts: SimpleNamespace, x: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """The layer whose gradient an answer has to have."""
    x = x + parts.dropout(parts.attention(parts.norm1(x), keys, values)[0])
    return x + parts.dropout(parts.feed_forward(parts.norm2(x)))


PART_OF = {  # the first one that fits
    "embedding.": "embedding",
    "head.": "head",
    "norm": "norms",
    ".feed_forward.": "feed-forward",
    "attention.u": "positions",
    "attention.r": "positions",
    "attention.s": "positions",
    "": "attention",
}
ODD = dict(n_tokens=5, d_model=14, heads=2, n_layers=5, d_ff=11, max_distance=17)
OF_THE_CHAPTER = dict(n_tokens=65, d_model=64, heads=4, n_layers=2, d_ff=256, max_distance=64)
FEW_DISTANCES = dict(n_tokens=7, d_model=12, heads=3, n_layers=5, d_ff=9, max_distance=1)


class Sizes(SimpleNamespace):
    """A config that has sizes and nothing else."""

    def __getattr__(self, name: str) -> None:
        if name.startswith("__"):
            raise AttributeError(name)
        sizes = ", ".join(vars(self))
        expect(False, f"{name} is asked for: these sizes of the config are enough, {sizes}")


@exercise("2.1")
def check_count(count: Callable) -> None:
    """Every entry, for three sets of sizes."""
    for sizes in (ODD, OF_THE_CHAPTER, FEW_DISTANCES):
        parts = parameters_by_part(sizes)
        given = count(Sizes(**sizes))
        asked = f"the entries are {', '.join(parts)}"
        expect(isinstance(given, dict), f"return a dictionary, not a {type(given).__name__}")
        for part in parts:
            expect(part in given, f"there is no entry for {part!r}: {asked}")
        for part in given:
            expect(part in parts, f"{part!r} is not asked for: {asked}")
        for part, tensors in parts.items():
            number = plain(given[part])
            kind = type(number).__name__
            expect(isinstance(number, Real), f"the entry for {part!r} is a {kind}, not a number")
            check_entry(part, number, tensors, sizes)  # type: ignore[arg-type]


def parameters_by_part(sizes: dict[str, int]) -> dict[str, dict[str, Tensor]]:
    """Every part with its tensors, by their names in the model."""
    parts: dict[str, dict[str, Tensor]] = {part: {} for part in PART_OF.values()}
    config = Config(model="parallel", **sizes)  # type: ignore[arg-type]
    for name, tensor in LanguageModel(config).named_parameters():
        part = next(part for sign, part in PART_OF.items() if sign in name)
        parts[part][name] = tensor
    return parts


def numbers_in(tensors: dict[str, Tensor]) -> int:
    return sum(tensor.numel() for tensor in tensors.values())


def check_entry(
    part: str, number: float, tensors: dict[str, Tensor], sizes: dict[str, int]
) -> None:
    """Is one entry right, and if not, which slip gives this number?"""
    true = numbers_in(tensors)
    if number == true:
        return
    off = true - number
    said = f"{part}: {number:,} is {abs(off):,} too {'few' if off > 0 else 'many'} for {sizes}"
    if number == numbers_in(parameters_by_part(OF_THE_CHAPTER)[part]):
        expect(False, "these are the numbers of the chapter's model: read the sizes of `config`")
    slips = [*slips_of_count(part, **sizes), *slips_of_tensors(number, tensors)]
    why = next((why for slip, why in slips if slip == number), "its tensors are ")
    if why == "its tensors are ":
        why += ", ".join(kinds_of(tensors))
    expect(False, f"{said}: {why}")


def slips_of_count(
    part: str, n_tokens: int, d_model: int, heads: int, n_layers: int, d_ff: int, max_distance: int
) -> list[tuple[int, str]]:
    """Numbers that a typical slip gives, and what it is."""
    V, d, H, L, F, S = n_tokens, d_model, heads, n_layers, d_ff, max_distance
    one_layer, no_bias = "count every layer, not one", "the biases are parameters too"
    R, k = S + 1, d // H
    return {
        "embedding": [
            (V, "each token has a vector of d numbers"),
            (V * d + d, "an embedding has no bias"),
            (V * d + S * d, "places have no embedding here; distances count as positions"),
            (V * d + R * d, "places have no embedding here; distances count as positions"),
            (L * V * d, "all layers share one embedding"),
        ],
        "head": [
            (V * d, no_bias),
            (V * d + d, "the bias has a number for each token that can come next, V"),
            (L * (V * d + V), "there is one head, above all layers"),
            (0, "the head has a map of its own, d to V"),
            (V, "the map has d · V numbers beside the bias"),
        ],
        "attention": [
            (4 * d * d + 2 * d, one_layer),
            (L * 4 * d * d, "values and output have a bias each"),
            (4 * d * d, f"values and output have a bias each, and {one_layer}"),
            (L * (4 * d * d + d), "values and output have a bias each"),
            (L * (4 * d * d + 4 * d), "only values and output have a bias"),
            (L * (4 * d * d + 3 * d), "only values and output have a bias"),
            (L * (3 * d * d + 2 * d), "there are four maps; the last one makes the output"),
            (L * (3 * d * d + d), "there are four maps; the last one makes the output"),
            (L * 3 * d * d, "there are four maps; the last one makes the output"),
            (L * (4 * d * k + 2 * k), "all heads together have d · d numbers in each map"),
            (L * (4 * d * k + 2 * d), "all heads together have d · d numbers in each map"),
            (L * H * (4 * d * d + 2 * d), "all heads together have d · d numbers in each map"),
        ],
        "positions": [
            (d + R * d + R * H, one_layer),
            (L * (d + S * d + S * H), "distance 0 has a row too, so r and s have S + 1 rows"),
            (L * (R * d + R * H), "u is not counted, or the row of distance 0 in r"),
            (L * (d + R * d + S * H), "distance 0 has a row in s too"),
            (L * (S * d + S * H), "u is not counted, and distance 0 has a row too"),
            (L * (d + R * H), "r is not counted, a vector for each distance and head"),
            (L * (d + R * d), "s is not counted, a number for each distance and head"),
            (L * (d + R * d + R), "s has a number for each head, not one for all"),
            (L * (d + R * d + R * d), "s has one number for a distance and head, not a vector"),
            (L * (R * d + R * d + R * H), "u has no rows: it is the same for all distances"),
            (L * (k + R * k + R), "every head has its own u, r and s"),
            (L * (k + R * k + R * H), "every head has its own u, r and s"),
            (L * (k + R * d + R * H), "every head has its own u"),
            (L * (d + R * k + R * H), "every head has its own r"),
        ],
        "feed-forward": [
            (2 * d * F + F + d, one_layer),
            (L * 2 * d * F, no_bias),
            (2 * d * F, f"{no_bias}, and {one_layer}"),
            (L * (2 * d * F + F), "the second map has a bias too, of d numbers"),
            (L * (2 * d * F + d), "the first map has a bias too, of F numbers"),
            (L * (2 * d * F + 2 * F), "the second bias has d numbers, as many as come out"),
            (L * (2 * d * F + 2 * d), "the first bias has F numbers, as many as come out"),
            (L * (d * F + F + d), "there are two maps, d to F and F to d"),
            (L * (d * F + F), "there are two maps, d to F and F to d"),
            (L * d * F, "there are two maps, d to F and F to d"),
        ],
        "norms": [
            (4 * d + 2 * d, one_layer),
            (L * 4 * d, "one more LayerNorm stands after the last layer"),
            (L * 6 * d, "the LayerNorm after the last layer is there once, not in every layer"),
            (L * 2 * d + d, "a LayerNorm scales and shifts: two vectors, not one"),
            (L * 2 * d + 2 * d, "every layer has two LayerNorms"),
            (L * 2 * d, "a LayerNorm has two vectors, and one stands after the last layer"),
            (L * 4 * d + d, "the last LayerNorm scales and shifts too"),
            (2 * d, "every layer has LayerNorms too"),
        ],
    }[part]


def kinds_of(tensors: dict[str, Tensor]) -> dict[str, list[Tensor]]:
    """Tensors of one name in all layers together."""
    kinds: dict[str, list[Tensor]] = {}
    for name, tensor in tensors.items():
        words = [word for word in name.split(".") if not word.isdigit()]
        kind = ".".join(words).removeprefix("core.").removeprefix("layers.")
        kinds.setdefault(kind, []).append(tensor)
    return kinds


def slips_of_tensors(number: float, tensors: dict[str, Tensor]) -> list[tuple[int, str]]:
    """Numbers that come out if tensors of one kind are left out, or counted twice."""
    true, slips = numbers_in(tensors), [(0, "it is not counted at all")]
    for kind, same in kinds_of(tensors).items():
        size, shape = sum(tensor.numel() for tensor in same), tuple(same[0].shape)
        slips.append((true - size, f"as many as {kind}, of shape {shape}, has in all"))
        slips.append((true + size, f"as many as {kind}, of shape {shape}, has in all"))
    return slips


@exercise("2.2")
def check_nucleus(nucleus: Callable) -> None:
    """Probabilities in mixed order, sums that reach p and that pass it."""
    four, halves = [0.1, 0.4, 0.2, 0.3], [0.25, 0.5, 0.125, 0.125]
    for row, p, kept in [
        (four, 0.15, [1]),
        (four, 0.5, [1, 3]),
        (four, 0.8, [1, 2, 3]),
        (four, 0.95, [0, 1, 2, 3]),
        ([0.05, 0.15, 0.35, 0.2, 0.25], 0.5, [2, 4]),
        (halves, 0.5, [1]),  # one token reaches p exactly
        (halves, 1.0, [0, 1, 2, 3]),
        ([1.0], 0.5, [0]),
    ]:
        with when(f"nucleus({row}, {p})"):
            given = torch.tensor(row)
            found = nucleus(given.clone(), p)
            kind = type(found).__name__
            expect(isinstance(found, Tensor), f"gave a {kind}: return a tensor (V,)")
            shape = f"has shape {tuple(found.shape)}: a dropped token keeps its place, as a 0"
            expect(found.shape == given.shape, shape)
            expect(found.is_floating_point(), f"gave {found.dtype}: return probabilities")
            wanted = torch.zeros(len(row))
            wanted[kept] = given[kept] / given[kept].sum()
            if not near(found, wanted, 1e-4):
                check_numbers(found.detach().float(), wanted, given)
                check_choice(found.nonzero().flatten().tolist(), kept, row, p)


def check_numbers(found: Tensor, wanted: Tensor, given: Tensor) -> None:
    """Wrong numbers or wrong places, where the right tokens may have been kept."""
    empty = "0 / 0, so nothing was kept: the likeliest token always is, whatever p"
    expect(not found.isnan().any() and found.any(), empty)
    chosen = found.nonzero().flatten().tolist()
    keeps, kept = f"keeps {chosen}", wanted > 0
    softened = near(found, torch.where(kept, given, 0).softmax(0), 1e-4)
    expect(
        not softened, f"{keeps}: softmax gives dropped tokens a share: divide by the sum instead"
    )
    same_numbers = near(found.sort().values, wanted.sort().values, 1e-4)
    expect(not same_numbers, f"{keeps}: the right numbers at wrong places: undo the sorting")
    if kept.equal(found != 0):
        mass = given[kept].sum()
        expect(False, f"{keeps}, which is right: divide them by their sum {mass:.2f}")


def check_choice(chosen: list[int], kept: list[int], row: list[float], p: float) -> None:
    """Why were other tokens kept?"""
    keeps, mass = f"keeps {chosen}", sum(row[token] for token in chosen)
    alone = [[i for i, x in enumerate(row) if x >= p], [i for i, x in enumerate(row) if x > p]]
    expect(chosen not in alone, f"{keeps}, whose own probability reaches {p}: their sum has to")
    dropped = [x for i, x in enumerate(row) if i not in chosen]
    least = min(row[token] for token in chosen)
    expect(least >= max(dropped, default=0), f"{keeps}, and drops a likelier token")
    few = f"{keeps}, which adds up to {mass:.2f}: keep also the token that brings it to {p}"
    expect(mass >= p - 1e-6, few)
    expect(
        len(chosen) <= len(kept), f"{keeps}, and {kept} would do: stop where the sum reaches {p}"
    )
    expect(False, f"{keeps}, not {kept}")


@exercise("2.5", is_test=True)
def check_test_of_a_model(test_model: Callable) -> None:
    """Does the test tell a model from seven that lack one thing which every such model has?"""
    with torch.no_grad():
        expect_catches(test_model, *models())


def models() -> tuple[Callable, dict[str, Callable]]:
    """A model of 11 tokens that has no fault, and others that have one, under hints at it."""
    torch.manual_seed(5)
    config = Config("parallel", n_tokens=11, d_model=16, heads=2, n_layers=2, d_ff=32)
    whole = LanguageModel(config).double().eval()
    for parameter in whole.parameters():
        nn.init.normal_(parameter, std=0.5)  # so that every token counts
    short = LanguageModel(replace(config, memory_size=1)).double().eval()
    short.load_state_dict(whole.state_dict())
    called = iter(range(1, 10**9))

    def of_rows(tokens: Tensor) -> Tensor:
        logits = whole(tokens)
        return logits + 0.1 * logits.mean(0)

    def of_later_tokens(tokens: Tensor) -> Tensor:
        return whole(tokens) + 0.1 * whole(tokens.flip(1)).flip(1)

    def of_sets(tokens: Tensor) -> Tensor:
        """The mean of all embeddings so far, in any order."""
        x = whole.embedding(tokens).cumsum(1)
        places = torch.arange(1, tokens.shape[1] + 1)[:, None]
        return whole.head(x / places)

    def late(tokens: Tensor) -> Tensor:
        return whole(torch.cat([tokens[:, :1], tokens[:, :-1]], dim=1))

    return whole, {
        "does the answer for one row depend on the others in the batch?": of_rows,
        "does an answer depend on a token that comes later?": of_later_tokens,
        "does it matter in which order the tokens came?": of_sets,
        "does the answer at a token depend on that token itself?": late,
        "does the first token count at the last one?": short,
        "is the answer the same when it is asked again?": lambda x: whole(x) + next(called),
        "does any token count but the last one?": lambda x: (
            whole(x.T[:, :, None].flatten(0, 1)).reshape(*x.T.shape, -1).transpose(0, 1)
        ),
    }
