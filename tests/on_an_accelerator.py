"""Facts about an accelerator that a machine without one can check, run by `test_accelerator.py`.

Nothing is on the wrong device, and the host waits nowhere in a step. The accelerator is pretended
(`pretended.py`): its numbers are computed on the CPU, so they are the same up to the order of sums.
"""

import copy
import warnings
from dataclasses import replace

import pretended
import pytest
import torch
from helpers import MODELS, SIZES, some_tokens
from training_runs import CONFIG, SETTINGS, run

from feedback import Config, LanguageModel
from feedback.fast import dropout as masks
from feedback.tasks import NO_LABEL
from feedback.training import Settings, evaluate, looking, loop
from feedback.training.by_passes import Trainee, watch
from feedback.training.divergence import Diverged
from feedback.training.state import TrainingState
from feedback.training.update import adamw, update

PATHS = [("parallel", None), ("feedback", "loop"), ("feedback", "stack")]
PATHS += [("feedback-kv", "loop"), ("feedback-kv", "sequence")]
every_path = pytest.mark.parametrize(("name", "path"), PATHS)


@pytest.fixture
def waits():
    """Where the host has waited for the accelerator since this list was cleared."""
    with pretended.accelerator() as waits, warnings.catch_warnings():
        warnings.simplefilter("error")  # such as that of a slower path
        yield waits


@pytest.fixture
def chosen(waits, monkeypatch):
    """The package chooses the accelerator."""
    for module in (loop, looking):
        monkeypatch.setattr(module, "device", lambda: pretended.DEVICE)
    return waits


def twins(name, path=None, **changes):
    """The same model on the CPU and on the accelerator."""
    torch.manual_seed(0)
    here = LanguageModel(Config(name, **SIZES, **changes), path)
    for weight in here.parameters():  # u, r, s and w start at zero, where mistakes are lost
        torch.nn.init.normal_(weight, std=0.3)
    return here, copy.deepcopy(here).to(pretended.DEVICE)


def step(model, tokens, memory=None):
    """Forward after a memory, cross-entropy and backward."""
    logits, after = model(tokens, memory, return_memory=True)
    torch.nn.functional.cross_entropy(logits.flatten(0, 1), tokens.flatten()).backward()
    return logits, after.detach()


def numbers(tensor):
    """The tensor on the CPU, whichever device it is on, without waiting for it."""
    return getattr(tensor, "held", tensor).detach()


def assert_alike(one, other):
    torch.testing.assert_close(numbers(one), numbers(other), rtol=1e-4, atol=1e-5)


def test_tensors_of_two_devices_do_not_mix(waits):
    here, there = torch.ones(3), torch.ones(3, device=pretended.DEVICE)
    for mixed in (lambda: here + there, lambda: here @ there, lambda: here[there.long()]):
        with pytest.raises(RuntimeError, match="device|CPU"):
            mixed()
    assert not waits
    assert (there * torch.tensor(2.0)).device == there.device  # a single number may come along


@pytest.mark.parametrize(
    "look",
    [
        lambda x: x.sum().item(),
        lambda x: float(x[0]),
        lambda x: bool((x > 0).all()),
        lambda x: x.nonzero(),
        lambda x: x[x > 0],
        lambda x: x.cpu(),
        lambda x: torch.ones(3).to(x.device),
        lambda x: x.copy_(torch.ones(3)),
        lambda x: x.tolist(),
        lambda x: torch.multinomial(x, 1),
    ],
)
def test_whoever_looks_waits(waits, look):
    look(torch.ones(3, device=pretended.DEVICE))
    assert waits


def test_a_copy_that_is_queued_is_not_waited_for(waits):
    assert torch.ones(3).to(pretended.DEVICE, non_blocking=True).device == pretended.DEVICE
    assert not waits


@every_path
@pytest.mark.parametrize("bounded", [False, True])
def test_a_training_step_waits_for_nothing_and_has_the_same_gradients(waits, name, path, bounded):
    changes = dict(memory_size=3) if bounded else {}
    if bounded and name != "parallel":
        changes["memory_mixture"] = (0.1, 0.2, 0.3, 0.4)
    here, there = twins(name, path, **changes)
    tokens = some_tokens(T=5)
    moved, memories = tokens.to(pretended.DEVICE), [None, None]
    waits.clear()
    for part in (slice(4), slice(4, 5)):
        found = [
            step(model, x[:, part], memory)
            for model, x, memory in zip((here, there), (tokens, moved), memories, strict=True)
        ]
        assert_alike(found[0][0], found[1][0])
        memories = [memory for _, memory in found]
    for one, other in zip(here.parameters(), there.parameters(), strict=True):
        assert_alike(one.grad, other.grad)
    assert not waits


@pytest.mark.parametrize("name", ["parallel", "feedback-kv"])
def test_an_update_with_dropout_waits_for_nothing(waits, name):
    _, there = twins(name, dropout=0.3)
    optimizer, tokens = adamw(there, SETTINGS), some_tokens(T=6).to(pretended.DEVICE)
    labels = tokens.masked_fill(tokens == 1, NO_LABEL)
    before = [numbers(weight).clone() for weight in there.parameters()]
    waits.clear()
    loss = update(there, optimizer, tokens, labels, 1.0)
    assert not waits
    assert loss.item() > 0 and waits
    for old, new in zip(before, there.parameters(), strict=True):
        assert not torch.equal(old, numbers(new))


@pytest.mark.parametrize("name", ["feedback", "feedback-kv"])
def test_an_update_by_passes_waits_for_nothing(waits, name):
    _, there = twins(name, dropout=0.3)
    trainee, tokens = Trainee(there), some_tokens(T=6).to(pretended.DEVICE)
    trainee.passes, optimizer = (1, 2), adamw(there, SETTINGS)
    waits.clear()
    update(trainee, optimizer, tokens, tokens, 1.0)
    assert not waits
    state = TrainingState(length=6)
    watch(trainee, state, Settings(passes="1+2"))
    assert waits and state.by_passes == 1 and state.residuals > 0


def test_masks_that_are_drawn_at_once_have_the_shapes_and_shares_of_others():
    torch.manual_seed(0)
    layers = LanguageModel(Config(**SIZES, dropout=0.3)).core.layers
    x, key_counts = torch.ones(50, 5, SIZES["d_model"]), [0, 1, 2, 3, 3]
    one_by_one = masks.draw_masks(layers, x, key_counts)
    at_once = masks.draw_masks(layers, x.to(pretended.DEVICE), key_counts)
    for rows in zip(one_by_one, at_once, strict=True):
        for pair in zip(*rows, strict=True):
            for one, other in zip(*pair, strict=True):
                assert (one is None) == (other is None)
                if one is not None:
                    assert one.shape == other.shape
                    assert set(numbers(other).unique().tolist()) == set(one.unique().tolist())
    dropped = [numbers(mask.hidden) == 0 for row in at_once for mask in row]
    assert abs(torch.stack(dropped).float().mean() - 0.3) < 0.05
    assert not torch.equal(dropped[0], dropped[1])


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("temperature", [0, 0.8])
def test_generation_waits_before_the_first_token_and_with_the_last(waits, name, temperature):
    here, there = twins(name)
    prompt, found = some_tokens(T=3), []
    torch.manual_seed(0)
    expected = here.generate(prompt, 6, temperature)
    torch.manual_seed(0)
    stream = there.stream(prompt.to(pretended.DEVICE), 6, temperature)
    waits.clear()
    for count, token in enumerate(stream, start=1):
        found.append(numbers(token))
        assert len(waits) == (count == 6)
    assert torch.equal(torch.stack(found, 1), expected[:, 3:])


def test_logits_that_are_not_finite_are_refused_in_the_end(waits):
    _, there = twins("feedback-kv")
    numbers(there.head.bias).fill_(torch.nan)
    with pytest.raises(ValueError, match="not finite"):
        there.generate(some_tokens(T=3).to(pretended.DEVICE), 4)


@pytest.mark.parametrize("name", MODELS)
def test_what_looks_at_a_model_finds_it_on_its_device(waits, name):
    here, there = twins(name)
    tokens = some_tokens(T=5)
    moved = tokens.to(pretended.DEVICE)
    assert_alike(here.trace(tokens).attention, there.trace(moved).attention)
    assert evaluate(there, [(tokens, tokens)]) == pytest.approx(evaluate(here, [(tokens, tokens)]))
    _, memory = there.step(moved[:, 0])
    logits, memory = there.step(moved[:, 1], memory.select([1, 0]))
    assert len(memory.crop(1)) == 1 and logits.device == pretended.DEVICE


def test_training_waits_where_it_looks_and_has_the_same_losses(chosen, tmp_path, monkeypatch):
    config = replace(CONFIG, model="feedback-kv", dropout=0.0)
    settings = replace(SETTINGS, steps=12, evaluate_every=6, checkpoint_every=12)
    counts = []

    def counted(*given):
        counts.append(len(chosen))
        return update(*given)

    monkeypatch.setattr(loop, "update", counted)
    there = run(tmp_path / "there", settings, config)
    waited = [later > earlier for earlier, later in zip(counts, counts[1:], strict=False)]
    looked = [looking.looks_after(step, settings) for step in range(1, 12)]
    assert waited == looked == [step in (6, 10) for step in range(1, 12)]
    monkeypatch.undo()
    here = run(tmp_path / "here", settings, config)
    assert [line["step"] for line in there] == [0, 6, 12]
    for name in ("tokens", "validation_loss", "accuracy", "layer_weights"):
        for one, other in zip(here, there, strict=True):
            assert one[name] == pytest.approx(other[name], rel=1e-3)
    assert there[-1]["training_loss"] == pytest.approx(here[-1]["training_loss"], rel=1e-3)


def test_an_update_at_which_nobody_looked_is_named_when_somebody_does(waits):
    _, there = twins("feedback-kv")
    updates, fine = looking.Updates(), torch.ones((), device=pretended.DEVICE)
    waits.clear()
    for step, loss in enumerate((fine, fine * torch.nan, fine), start=1):
        updates.add(step, loss, there)
    assert not waits
    with pytest.raises(Diverged, match="the loss of step 2 is nan"):
        updates.look(there)
    updates.add(4, fine, there)
    assert updates.look(there) == [1.0]
    numbers(there.head.bias)[0] = torch.inf
    updates.add(5, fine, there)
    with pytest.raises(Diverged, match="step 5 left weights"):
        updates.look(there)
