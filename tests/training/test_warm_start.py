"""Facts about a warm start: what is carried over is, what is fitted could not fit better."""

from dataclasses import replace

import pytest
import torch
from helpers import randomize

from feedback import Config, LanguageModel, data, live
from feedback.__main__ import main
from feedback.attention import Attention, split_heads
from feedback.training import Settings, loop, train
from feedback.training.run_folder import RUN
from feedback.training.warm_start import fit, from_parallel, shared_directions

CONFIG = Config(
    model="parallel", n_tokens=11, d_model=12, heads=2, n_layers=3, d_ff=8, max_distance=6
)


@pytest.fixture
def parallel(tmp_path):
    model = randomize(LanguageModel(CONFIG))
    model.save(tmp_path / "parallel")
    return model


def tokens() -> torch.Tensor:
    return torch.randint(11, (8, 40), generator=torch.Generator().manual_seed(0))


def test_the_fit_is_the_least_squares_fit():
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.randn(200, n, generator=generator, dtype=torch.double) for n in (5, 3))
    weight, bias = fit(x, y)
    ones = torch.cat([x, x.new_ones(200, 1)], 1)
    expected = torch.linalg.lstsq(ones, y).solution
    torch.testing.assert_close(weight, expected[:5].T, rtol=1e-2, atol=1e-3)  # there is a ridge
    torch.testing.assert_close(bias, expected[5], rtol=1e-2, atol=1e-3)


def test_shared_directions_are_exact_where_the_layers_leave_room_for_that():
    """Two layers whose keys are two views of the same k numbers need no more than k."""
    generator = torch.Generator().manual_seed(0)
    memory = torch.randn(300, 9, generator=generator, dtype=torch.double)
    hidden = memory @ torch.randn(9, 4, generator=generator, dtype=torch.double)
    views = torch.randn(2, 4, 4, generator=generator, dtype=torch.double)
    targets = torch.einsum("lij,nj->lni", views, hidden) + 0.7
    weight, turns, biases = shared_directions(memory, targets)
    assert weight.shape == (4, 9) and turns.shape == (2, 4, 4)
    predicted = torch.einsum("lij,nj->lni", turns, memory @ weight.T) + biases[:, None]
    torch.testing.assert_close(predicted, targets, rtol=1e-2, atol=2e-2)


@pytest.mark.parametrize("kind", ["feedback", "feedback-kv"])
def test_what_has_a_counterpart_is_carried_over_and_the_rest_is_listed(parallel, tmp_path, kind):
    model = LanguageModel(replace(CONFIG, model=kind)).double()
    said = from_parallel(model, tmp_path / "parallel", tokens())
    theirs, ours = parallel.state_dict(), model.state_dict()
    same = {name for name in ours if name in theirs and ours[name].shape == theirs[name].shape}
    turned = (".query.weight", ".u", ".output.weight", ".output.bias")
    for name in same:
        moved = kind == "feedback-kv" and ".attention." in name and name.endswith(turned)
        assert torch.equal(ours[name], theirs[name]) != moved, name
    for layer in range(3):  # their last row is distance 0, which a feedback model does not have
        name = f"core.layers.{layer}.attention.s"
        assert torch.equal(ours[name], theirs[name][:-1])
    assert max(map(len, said.splitlines())) <= 80
    lines = dict(line.split(": ", 1) for line in said.replace("\n    ", " ").splitlines())
    assert lines["new"] == "mixture.w"
    assert "embedding" in lines["carried over"] and "keys_values" in lines["fitted"]
    assert "rows" in lines["dropped"] and "keys_values" in lines["dropped"]
    assert ("turned to the shared keys and values" in lines) == (kind == "feedback-kv")


def test_turned_queries_and_positions_give_the_scores_that_they_gave(tmp_path):
    """With one layer there is room for all its keys, so that the turn is a change of basis."""
    config = replace(CONFIG, n_layers=1)
    source = randomize(LanguageModel(config))
    source.save(tmp_path / "one")
    model = LanguageModel(replace(config, model="feedback-kv")).double()
    from_parallel(model, tmp_path / "one", tokens())

    theirs = Attention(12, 2, 6, reads_itself=False, dropout=0.0).double()
    weights = source.core.layers[0].attention.state_dict()
    weights |= {name: weights[name][:-1] for name in ("r", "s")}
    theirs.load_state_dict(weights)
    ours = model.core.layers[0].attention
    before, after = (x.query.weight.unflatten(0, (2, 6)) for x in (theirs, ours))  # (H, k, d)
    turn = (after @ torch.linalg.pinv(before)).mT  # (H, k, k): a key of theirs = turn @ ours

    z, keys = torch.randn(2, 5, 12).double(), torch.randn(2, 2, 5, 6).double()
    queries = [split_heads(x.query(z), 2) for x in (theirs, ours)]
    expected = theirs.scores(queries[0], keys)
    found = ours.scores(queries[1], keys @ torch.linalg.inv(turn).mT)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)


def test_with_a_memory_that_says_it_all_the_start_is_the_parallel_model(tmp_path):
    """If the memory is the layer's own input and no layer reads its own token, nothing is lost."""
    config = replace(CONFIG, n_layers=1)
    source = randomize(LanguageModel(config))
    with torch.no_grad():  # a token gives itself no weight
        source.core.layers[0].attention.s[-1] = -1e4
    source.save(tmp_path / "one")
    for kind in ("feedback", "feedback-kv"):
        mixture = [1.0, 0.0]  # the memory vector is the embedding
        model = LanguageModel(replace(config, model=kind, memory_mixture=mixture)).double()
        sample = torch.arange(11)[None]  # every vector that can occur: the fit is exact
        from_parallel(model, tmp_path / "one", sample)
        x = tokens()[:, :20]
        left, right = source(x)[:, 1:], model(x)[:, 1:]  # the first token has nothing else to read
        torch.testing.assert_close(left, right, rtol=0.05, atol=0.05)


def test_more_distances_share_the_farthest_and_fewer_drop_it(parallel, tmp_path):
    for distances in (3, 9):
        model = LanguageModel(replace(CONFIG, model="feedback", max_distance=distances)).double()
        from_parallel(model, tmp_path / "parallel", tokens())
        theirs = parallel.core.layers[1].attention.s[:-1]
        ours = model.core.layers[1].attention.s
        assert torch.equal(ours[-3:], theirs[-3:])
        assert torch.equal(ours[0], theirs[-3] if distances == 3 else theirs[0])


@pytest.mark.parametrize("own_size", [None, 1, 5])
def test_a_parallel_model_with_a_window_starts_a_model_with_any(tmp_path, own_size):
    """Distances that it never read begin with the farthest row that it did."""
    source = randomize(LanguageModel(replace(CONFIG, memory_size=3)))
    source.save(tmp_path / "bounded")
    model = LanguageModel(replace(CONFIG, model="feedback-kv", memory_size=own_size)).double()
    from_parallel(model, tmp_path / "bounded", tokens())
    theirs = source.core.layers[1].attention.s[:-1]  # distances 6 to 1
    ours = model.core.layers[1].attention.s
    assert torch.equal(ours[3:], theirs[3:])
    assert torch.equal(ours[:3], theirs[3].expand(3, -1))
    assert model.config.memory_size == own_size


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(n_layers=2), "n_layers is 3 in .* and 2 here"),
        (dict(n_tokens=12), "n_tokens is 11 in .* and 12 here"),
        (dict(heads=3), "heads is 2 in .* and 3 here"),
    ],
)
@pytest.mark.parametrize("kind", ["parallel", "feedback-kv"])
def test_a_model_that_does_not_fit_is_refused_untouched(parallel, tmp_path, kind, change, message):
    model = LanguageModel(replace(CONFIG, model=kind, **change))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(ValueError, match=message):
        from_parallel(model, tmp_path / "parallel", tokens())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("kind", ["parallel", "feedback", "feedback-kv"])
def test_a_model_with_feedback_is_no_start(tmp_path, kind):
    LanguageModel(replace(CONFIG, model="feedback")).save(tmp_path / "feedback")
    model = LanguageModel(replace(CONFIG, model=kind))
    with pytest.raises(ValueError, match="parallel model, but .*feedback holds .*'feedback'"):
        from_parallel(model, tmp_path / "feedback", tokens())


@pytest.mark.parametrize("size", [None, 3])
def test_a_parallel_model_goes_on_from_what_the_saved_one_computes(tmp_path, size):
    """The text is longer than max_distance, so that every row is read."""
    config = replace(CONFIG, memory_size=size)
    source = randomize(LanguageModel(config))
    source.save(tmp_path / "saved")
    model = LanguageModel(config).double()
    said = from_parallel(model, tmp_path / "saved", tokens())
    assert torch.equal(model(tokens()), source(tokens()))
    lines = dict(line.split(": ", 1) for line in said.replace("\n    ", " ").splitlines())
    assert lines.keys() == {"carried over", "new", "dropped"}
    assert lines["new"] == lines["dropped"] == "-"
    for name in ("embedding", "keys_values", "query", "attention.s", "feed_forward", "head"):
        assert name in lines["carried over"]


def test_a_parallel_model_with_more_distances_computes_the_same(parallel, tmp_path):
    """Distances that had no row of their own had the farthest one: each gets a copy."""
    for distances in (9, 50):
        model = LanguageModel(replace(CONFIG, max_distance=distances)).double()
        from_parallel(model, tmp_path / "parallel", tokens())
        torch.testing.assert_close(model(tokens()), parallel(tokens()))


def test_a_parallel_model_with_fewer_distances_computes_the_same_within_them(parallel, tmp_path):
    model = LanguageModel(replace(CONFIG, max_distance=3)).double()
    from_parallel(model, tmp_path / "parallel", tokens())
    near, far = (slice(0, 4), slice(4, None))  # token 3 reads itself and distances 3, 2 and 1
    found, expected = model(tokens()), parallel(tokens())
    torch.testing.assert_close(found[:, near], expected[:, near])
    assert not torch.isclose(found[:, far], expected[:, far]).all()


def test_a_parallel_model_with_a_wider_window_reads_what_it_never_read_as_its_farthest(tmp_path):
    source = randomize(LanguageModel(replace(CONFIG, n_layers=1, memory_size=3)))
    source.save(tmp_path / "bounded")
    wider = LanguageModel(replace(CONFIG, n_layers=1)).double()
    from_parallel(wider, tmp_path / "bounded", tokens())
    theirs, ours = (x.core.layers[0].attention.s for x in (source, wider))  # distances 6 to 0
    assert torch.equal(ours[3:], theirs[3:])
    assert torch.equal(ours[:3], theirs[3].expand(3, -1))


@pytest.mark.slow
def test_a_warm_start_begins_near_the_parallel_model_and_ends_below_it():
    """A live result: words from a few letters, learned by both models."""
    first, second = live.WARM_START.first_that_holds()
    cold, reached = first[0]["validation_loss"], first[-1]["validation_loss"]
    warm, ended = second[0]["validation_loss"], second[-1]["validation_loss"]
    assert reached < cold - 0.5
    assert warm - reached < 0.3 * (cold - reached)
    assert ended < reached


def test_a_model_that_reads_other_characters_is_refused(tmp_path):
    texts = [data.Text(data.Corpus(letters * 40, ""), 8) for letters in ("abc", "abd")]
    config = Config(model="parallel", d_model=4, heads=1, n_layers=1, d_ff=4)
    settings = Settings(steps=1, batch_size=2, sequence_length=8)
    train(config, settings, texts[0], tmp_path / "abc")
    with pytest.raises(ValueError, match="they differ in 'cd'"):
        train(
            replace(config, model="feedback-kv"), settings, texts[1], tmp_path / "abd",
            parallel=tmp_path / "abc/best",
        )  # fmt: skip
    assert not (tmp_path / "abd").exists()


TEXT = data.Text(data.Corpus("to be or not to be\n" * 30, ""), 8)
TINY = Config(model="parallel", d_model=4, heads=1, n_layers=1, d_ff=4)
BRIEF = Settings(steps=4, batch_size=2, sequence_length=8, evaluate_every=2, checkpoint_every=1)


def test_a_restarted_parallel_run_begins_where_the_first_one_ended(tmp_path, capsys):
    first = train(TINY, BRIEF, TEXT, tmp_path / "first")
    capsys.readouterr()
    second = train(TINY, BRIEF, TEXT, tmp_path / "second", parallel=tmp_path / "first/last")
    assert "with the weights of a parallel model\ncarried over: " in capsys.readouterr().out
    assert (
        second[0]["validation_loss"] == first[-1]["validation_loss"] != first[0]["validation_loss"]
    )
    assert second[0]["step"] == second[0]["tokens"] == 0


def test_a_restarted_parallel_run_that_was_stopped_goes_on_as_if_it_had_not(tmp_path, monkeypatch):
    train(TINY, BRIEF, TEXT, tmp_path / "first")
    start = tmp_path / "first/last"
    whole = train(TINY, BRIEF, TEXT, tmp_path / "whole", parallel=start)
    updates, update = [], loop.update

    def stop_at_the_third(*given):
        updates.append(given)
        if len(updates) == 3:
            raise KeyboardInterrupt
        return update(*given)

    monkeypatch.setattr(loop, "update", stop_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        train(TINY, BRIEF, TEXT, tmp_path / "stopped", parallel=start)
    assert train(TINY, BRIEF, TEXT, tmp_path / "stopped", parallel=start) == whole
    ended = (LanguageModel.load(tmp_path / name / "last") for name in ("whole", "stopped"))
    weights = [model.state_dict() for model in ended]
    assert all(torch.equal(x, weights[1][name]) for name, x in weights[0].items())
    with pytest.raises(ValueError, match="from_parallel"):  # a fresh run is another one
        train(TINY, BRIEF, TEXT, tmp_path / "stopped")


def test_a_parallel_run_is_restarted_from_the_command_line(tmp_path, capsys):
    (tmp_path / "mine.txt").write_text(TEXT.corpus.text)
    words = f"train --corpus {tmp_path}/mine.txt --model parallel --d-model 4 --heads 1 --d-ff 4"
    words += " --n-layers 1 --batch-size 2 --sequence-length 8 --steps 1"
    first, second, other = (tmp_path / name for name in ("first", "second", "other"))
    main([*words.split(), "--out", str(first)])
    main([*words.split(), "--out", str(second), "--from-parallel", str(first)])
    assert "with the weights of a parallel model" in capsys.readouterr().out
    assert f'"{first}/best"' in (second / RUN).read_text()
    with pytest.raises(SystemExit):
        main([*words.split(), "--out", str(other), "--from-parallel", str(first), "--d-ff", "8"])
    assert "d_ff is 4 in" in capsys.readouterr().err and not other.exists()
