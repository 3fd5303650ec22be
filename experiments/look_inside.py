"""What trained models hold inside, and what they use: probes, patches, ablations, noise, length.

The models that come with the package are asked; nothing is trained. `make results ONLY=inside`
writes what comes out, and chapter 10 draws it. A share is two numbers, how many held and of how
many. Text has a file of its own, `look_inside_text.py`.

Shapes: B rows, T steps, d width.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from look_inside_text import ask_text
from record import write_result
from torch import Tensor

from feedback import pretrained
from feedback.interpret import sites
from feedback.interpret.changes import noise, only, put, put_mean, put_within, zero
from feedback.interpret.counts import Count
from feedback.interpret.distances import attention_by_distance
from feedback.interpret.probes import fit_probe, shuffled, untrained
from feedback.interpret.running import Change, look_at, run_with
from feedback.interpret.sites import Site
from feedback.interpret.subspaces import between_classes, complement, variance_between
from feedback.language_model import LanguageModel
from feedback.machine import describe_machine
from feedback.pretrained import trackers
from feedback.tasks import TASKS

TRAINED = 32  # tokens
FIT, TEST = 160, 96  # rows
PROBED = torch.arange(8, TRAINED, 3)  # steps
SWAPPED, FOLLOWED = 24, 12  # tokens before the swap, and after it
NOISES = (0.1, 0.3, 1.0, 3.0)  # in lengths of a vector
DISTURBED, HEALING = 16, 8  # the step at which noise comes once, and the steps after it
LONG = 128  # tokens


def draw(task: str, rows: int, length: int, seed: int) -> tuple[Tensor, Tensor]:
    """Inputs and labels, both (rows, length)."""
    return TASKS[task].batch(rows, length, torch.Generator().manual_seed(seed))


def pair(count: Count) -> tuple[int, int]:
    return count.held, count.done


def places(model: LanguageModel, tokens: Tensor) -> dict[str, Tensor]:
    """The vectors (B, T, d) on their way up in a run of tokens (B, T), each by its name."""
    trace = model.trace(tokens)
    found = {"embedding": trace.outputs[0]}
    for layer in range(1, model.config.n_layers + 1):
        added = look_at(model, tokens, sites.added_by_attention(model, layer))
        found[f"attention {layer}"] = trace.outputs[layer - 1] + added
        found[f"layer {layer}"] = trace.outputs[layer]
    if trace.memory is not None:
        found["memory"] = trace.memory
    return found


def ask_probes(model: LanguageModel, task: str) -> dict:
    """What a probe reads at each place, of the state at that step and of the one before it."""
    tokens, labels = draw(task, FIT + TEST, TRAINED, seed=1)
    now, before = labels[:, PROBED], labels[:, PROBED - 1]
    control = shuffled(now, torch.Generator().manual_seed(2))
    fresh = untrained(model).trace(tokens)
    assert fresh.memory is not None
    asked = {
        place: (x, {"now": now, "before": before}) for place, x in places(model, tokens).items()
    }
    asked["memory, shuffled"] = model.trace(tokens).memory, {"now": control}
    asked["memory, untrained"] = fresh.memory, {"now": now, "before": before}
    found: dict[str, dict] = {}
    for place, (x, wanted) in asked.items():
        x = x[:, PROBED]
        found[place] = {
            name: pair(fit_probe(x[:FIT], y[:FIT]).accuracy(x[FIT:], y[FIT:]))
            for name, y in wanted.items()
        }
    return found


def ask_flips(model: LanguageModel, task: str) -> dict:
    """Put in a part of another row's memory: how many answers go on from that row's state?

    A row's donor is the next one. Rows in the same state as their donor are left out. For each
    part: how many follow the donor at once, and still after `FOLLOWED` steps; of how many.
    """
    tokens, labels = draw(task, 256, SWAPPED + FOLLOWED, seed=3)
    own = labels[:, SWAPPED - 1]
    differ, state, path = own != own.roll(-1), own.roll(-1), []
    for t in range(SWAPPED, SWAPPED + FOLLOWED):
        state = TASKS[task].product[state, tokens[:, t]]
        path.append(state)
    donor_path = torch.stack(path, 1)  # (B, FOLLOWED)
    found = {}
    for name, changes in parts_to_swap(model, task, tokens).items():
        answers = run_with(model, tokens, changes).logits[:, SWAPPED:].argmax(-1)
        follows = (answers == donor_path)[differ]
        stays = (answers == labels[:, SWAPPED:])[differ]
        found[name] = {
            "donor": int(follows[:, 0].sum()),
            "donor at the end": int(follows[:, -1].sum()),
            "own": int(stays[:, 0].sum()),
            "pairs": len(follows),
        }
    return found


def parts_to_swap(model: LanguageModel, task: str, tokens: Tensor) -> dict[str, dict[Site, Change]]:
    """Every part of the memory that is put in from the next row, each as changes of a run."""
    steps = range(SWAPPED)
    memory = sites.memory(model)
    own = look_at(model, tokens, memory)
    donor = own.roll(-1, 0)
    lasts = [n for n in (1, 2, 3, 4, 8, 16) if n <= (model.config.memory_size or SWAPPED)]
    swaps: dict[str, dict[Site, Change]] = {
        f"last {n}": {memory: only(put(donor), steps[-n:])} for n in lasts
    }
    for name in ("keys", "values"):
        site = getattr(sites, name)(model)
        whole = look_at(model, tokens, site).roll(-1, 0)
        swaps[f"{name} only"] = {site: only(put(whole), steps)}
    site = sites.shares(model)
    shares = look_at(model, tokens, site).roll(-1, 0)
    for layer in range(model.config.n_layers + 1):
        swaps[f"share {layer}"] = {site: only(put(shares), steps, part=layer)}
    seen, states = draw(task, FIT, TRAINED, seed=1)
    basis = between_classes(
        look_at(model, seen, memory)[:, PROBED].flatten(0, 1), states[:, PROBED].flatten()
    )
    for r in range(1, basis.shape[1] + 1):
        swaps[f"directions {r}"] = {memory: only(put_within(basis[:, :r], donor), steps)}
    swaps["all but them"] = {memory: only(put_within(complement(basis), donor), steps)}
    return swaps


def ask_ablations(model: LanguageModel, task: str) -> dict:
    """Right answers at the last token, with each part replaced by zero and by its mean."""
    tokens, labels = draw(task, 128, TRAINED, seed=4)

    def right(changes: dict[Site, Change]) -> tuple[int, int]:
        answers = run_with(model, tokens, changes).logits[:, -1].argmax(-1)
        return pair(Count.of(answers == labels[:, -1]))

    found = {"whole": {"as it is": right({})}}
    for layer in range(1, model.config.n_layers + 1):
        for name in ("attention", "feed_forward"):
            site = getattr(sites, f"added_by_{name}")(model, layer)
            mean = put_mean(look_at(model, tokens, site))
            found[f"{name} {layer}"] = {"zero": right({site: zero}), "mean": right({site: mean})}
        site = sites.heads(model, layer)
        mean = put_mean(look_at(model, tokens, site))
        for head in range(model.config.heads):
            changes = {"zero": only(zero, part=head), "mean": only(mean, part=head)}
            found[f"head {layer}.{head}"] = {k: right({site: c}) for k, c in changes.items()}
        reach = model.config.memory_size or TRAINED - 1
        site = sites.by_distance(model, layer, reach)
        mean = put_mean(look_at(model, tokens, site))
        for name, part in (("nearest", range(1)), ("all farther", range(1, reach))):
            changes = {"zero": only(zero, part=part), "mean": only(mean, part=part)}
            row = {k: right({site: c}) for k, c in changes.items()}
            found[f"{name} {layer}"] = row
    return found


def ask_noise(model: LanguageModel, task: str) -> dict:
    """Noise in the memory: how it heals when it comes once, what it costs when it always comes."""
    tokens, labels = draw(task, 128, TRAINED, seed=5)
    site = sites.memory(model)
    clean = look_at(model, tokens, site)
    healing, right = {}, {}
    for size in NOISES:
        once = only(noise(size, torch.Generator().manual_seed(6)), [DISTURBED])
        trace = run_with(model, tokens, {site: once})
        after = slice(DISTURBED, DISTURBED + HEALING + 1)
        off = (trace.memory - clean)[:, after].norm(dim=-1) / clean[:, after].norm(dim=-1)
        healing[str(size)] = [round(x, 4) for x in off.median(0).values.tolist()]
        always = noise(size, torch.Generator().manual_seed(7))
        answers = run_with(model, tokens, {site: always}).logits[:, -1].argmax(-1)
        end = trace.logits[:, -1].argmax(-1)
        right[str(size)] = {
            "once": pair(Count.of(end == labels[:, -1])),
            "always": pair(Count.of(answers == labels[:, -1])),
        }
    return {"healing": healing, "right": right}


def ask_length(model: LanguageModel, task: str) -> dict:
    """Beyond the trained rows: right answers, what is in the last vectors, and who is read."""
    tokens, labels = draw(task, 48, LONG, seed=8)
    trace = model.trace(tokens)
    seen, states = draw(task, FIT, TRAINED, seed=1)
    vectors = look_at(model, seen, sites.memory(model))[:, PROBED]
    probe = fit_probe(vectors, states[:, PROBED])
    ends = range(16, LONG + 1, 16)
    right, read, near = [], [], []
    for end in ends:
        now = slice(end - 8, end)
        answers = trace.logits[:, now].argmax(-1)
        right.append(pair(Count.of(answers == labels[:, now])))
        read.append(pair(probe.accuracy(trace.memory[:, now], labels[:, now])))
        t = end - 1
        weight = trace.attention[..., t, t - 4 : t].sum(-1).mean(1)  # (L, H)
        near.append([[round(x, 4) for x in layer] for layer in weight.tolist()])
    return {"ends": list(ends), "right": right, "probe": read, "weight on the last 4": near}


def ask_tracker(model: LanguageModel, task: str) -> dict:
    """All that is asked of one feedback model that follows a state."""
    tokens, labels = draw(task, 192, TRAINED, seed=9)
    trace = model.trace(tokens)
    vectors, states = trace.memory[:, PROBED].flatten(0, 1), labels[:, PROBED].flatten()
    weights = attention_by_distance(trace.attention, 8)
    return {
        "mixture": [round(x, 4) for x in model.layer_weights().tolist()],
        "between states": round(variance_between(vectors, states), 4),
        "attention": [[[round(x, 4) for x in head] for head in one] for one in weights.tolist()],
        "probes": ask_probes(model, task),
        "flips": ask_flips(model, task),
        "ablations": ask_ablations(model, task),
        "noise": ask_noise(model, task),
        "length": ask_length(model, task),
    }


@torch.no_grad()
def ask_parallel(model: LanguageModel, task: str, longest: int = 12) -> dict:
    """Of a parallel model: right answers, and what a probe reads, at each of the first tokens."""
    tokens, labels = draw(task, 640, longest, seed=1)
    found = places(model, tokens)
    probes = {
        place: [
            pair(fit_probe(x[:384, t], labels[:384, t]).accuracy(x[384:, t], labels[384:, t]))
            for t in range(longest)
        ]
        for place, x in found.items()
    }
    answers = model(tokens).argmax(-1) == labels
    return {
        "right": [pair(Count.of(answers[:, t])) for t in range(longest)],
        "probes": probes,
    }


def models() -> Iterable[tuple[dict, LanguageModel]]:
    """The feedback models that follow a state, each with what it is."""
    for task, size in trackers.KEPT:
        for seed in trackers.SEEDS:
            yield {"task": task, "memory_size": size, "seed": seed}, trackers.load(task, size, seed)


def ask_inside() -> None:
    """Ask all models, and write `inside.json`."""
    rows = []
    for what, model in models():
        rows.append(what | ask_tracker(model, what["task"]))
        print(", ".join(f"{k} {v}" for k, v in what.items()), flush=True)
    write_result(
        "inside",
        "What do trained models hold inside, and what do they use?",
        machine=describe_machine(),
        trained=TRAINED,
        swapped_after=SWAPPED,
        disturbed_at=DISTURBED,
        models=rows,
        parallel=ask_parallel(pretrained.load("s3-parallel"), "s3"),
        text=ask_text(),
    )
