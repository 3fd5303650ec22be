"""Facts about the text, its characters and its batches."""

import hashlib

import pytest
import torch

from feedback import data


@pytest.fixture
def elsewhere(monkeypatch, tmp_path):
    """No FEEDBACK_DATA, an empty cache, and a stand-in for the corpus with its own checksum."""
    content = b"To be, or not to be"
    monkeypatch.delenv("FEEDBACK_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(data, "SHA256", hashlib.sha256(content).hexdigest())
    file = tmp_path / "tinyshakespeare.txt"
    file.write_bytes(content)
    monkeypatch.setattr(data, "URL", file.as_uri())
    return file


@pytest.mark.parametrize("as_folder", [False, True])
def test_feedback_data_names_the_file_or_its_folder(elsewhere, monkeypatch, as_folder):
    monkeypatch.setattr(data, "URL", "file:///nowhere")
    monkeypatch.setenv("FEEDBACK_DATA", str(elsewhere.parent if as_folder else elsewhere))
    corpus = data.tiny_shakespeare()
    assert corpus.text == "To be, or not to be" and "FEEDBACK_DATA" in corpus.source


def test_a_wrong_feedback_data_is_an_error_not_a_fallback(elsewhere, monkeypatch):
    monkeypatch.setenv("FEEDBACK_DATA", str(elsewhere.with_name("missing.txt")))
    with pytest.raises(FileNotFoundError, match="missing.txt"):
        data.tiny_shakespeare()
    elsewhere.write_text("To be, or so")
    monkeypatch.setenv("FEEDBACK_DATA", str(elsewhere))
    with pytest.raises(ValueError, match="tinyshakespeare.txt is not Tiny Shakespeare"):
        data.tiny_shakespeare()


def test_a_download_is_kept_and_a_damaged_cache_is_fetched_again(elsewhere, monkeypatch):
    assert data.tiny_shakespeare().source == "Tiny Shakespeare, downloaded"
    assert data.tiny_shakespeare().source == "Tiny Shakespeare, from the cache"
    (data.cache_folder() / data.NAME).write_text("cut sho")
    assert data.tiny_shakespeare().source == "Tiny Shakespeare, downloaded"


def test_without_any_copy_pythons_own_text_is_used_and_named(elsewhere, monkeypatch):
    elsewhere.write_text("a captive portal")  # the download succeeds, its checksum does not
    corpus = data.tiny_shakespeare()
    assert corpus.source.startswith("NOT Tiny Shakespeare") and "FEEDBACK_DATA" in corpus.source
    assert len(corpus.text) > 100_000
    elsewhere.unlink()
    assert data.tiny_shakespeare().text == corpus.text
    assert not data.cache_folder().exists()


def test_a_cache_that_cannot_be_written_costs_nothing(elsewhere, monkeypatch):
    (elsewhere.parent / "cache").write_text("a file where a folder should be")
    assert data.tiny_shakespeare().source == "Tiny Shakespeare, downloaded"


def test_decoding_undoes_encoding():
    characters = data.Characters("hello, world")
    tokens = characters.encode("low roll")
    assert tokens.dtype == torch.int64 and tokens.max() < len(characters)
    assert characters.decode(tokens) == "low roll"


def test_an_unknown_character_is_named():
    with pytest.raises(ValueError, match=r"'é' \(character 3 of the text\)"):
        data.Characters("cafe").encode("café")


def test_the_two_parts_of_a_split_are_the_whole():
    train, validation = data.split(torch.arange(101))
    assert len(train) == 90 and torch.equal(torch.cat([train, validation]), torch.arange(101))


def test_targets_are_the_inputs_one_token_later():
    x, y = data.random_batch(torch.arange(50), 8, 10, torch.Generator().manual_seed(0))
    assert x.shape == y.shape == (8, 10)
    assert torch.equal(y, x + 1)
    again, _ = data.random_batch(torch.arange(50), 8, 10, torch.Generator().manual_seed(0))
    assert torch.equal(again, x)
    starts = {data.random_batch(torch.arange(4), 1, 2)[0][0, 0].item() for _ in range(60)}
    assert starts == {0, 1}  # every window that has a target, and no other


def test_too_few_tokens_are_refused_with_the_number_needed():
    with pytest.raises(ValueError, match="need at least 11"):
        data.random_batch(torch.arange(10), 2, 10)
