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


def test_any_utf8_file_is_a_corpus(tmp_path):
    file = tmp_path / "mine.txt"
    file.write_bytes("\ufeffNaïve\n日本".encode())
    assert data.text_file(file) == data.Corpus("Naïve\n日本", str(file))


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "mine.txt is empty"), (b"abc\xff", "mine.txt is not UTF-8 text: byte 3 is 0xff")],
)
def test_a_file_that_is_no_text_is_refused(tmp_path, content, message):
    file = tmp_path / "mine.txt"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        data.text_file(file)
    with pytest.raises(FileNotFoundError, match="no file .*other.txt"):
        data.text_file(tmp_path / "other.txt")


def test_a_text_too_short_for_its_windows_says_how_long_it_must_be():
    with pytest.raises(ValueError, match="has 80 characters.*windows of 8 need at least 81"):
        data.Text(data.Corpus("a" * 80, ""), 8)
    data.Text(data.Corpus("a" * 81, ""), 8)


def test_no_window_to_train_on_shares_a_character_with_what_is_held_out():
    places = "".join(map(chr, range(1000, 2000)))  # every character says where it stands
    text = data.Text(data.Corpus(places, ""), 16)
    generator = torch.Generator().manual_seed(0)
    seen = [torch.cat(text.batch(50, 16, generator)) for _ in range(20)]
    held_out = [torch.cat(pair) for pair in text.held_out(16)]
    assert torch.cat(seen).max() < torch.cat(held_out).min()
    assert torch.cat(held_out).max() == 999 and sum(len(x) for x in held_out) == 2 * 64
    for inputs, targets in text.held_out(16):
        torch.testing.assert_close(inputs + 1, targets)


def test_the_last_window_ends_with_the_text_where_float32_rounds_up():
    text = data.Text(data.Corpus("ab" * 100, ""), 8)
    N = 2**24 + 3 + 9  # the last window starts at an odd number above 2^24
    text.validation = torch.zeros(1, dtype=torch.int64).expand(N)  # a single number in memory
    assert sum(len(inputs) for inputs, _ in text.held_out(8)) == data.HELD_OUT


def test_characters_are_read_back_as_they_were_written(tmp_path):
    characters = data.Characters('"\\\n é日')
    characters.save(tmp_path)
    assert data.Characters.load(tmp_path).characters == characters.characters


@pytest.mark.parametrize("content", [b"", b'"ab', b"[1]", b'""', b"\xff"])
def test_damaged_characters_are_refused(tmp_path, content):
    with pytest.raises(FileNotFoundError, match="characters.json"):
        data.Characters.load(tmp_path)
    (tmp_path / "characters.json").write_bytes(content)
    with pytest.raises(ValueError, match="characters.json"):
        data.Characters.load(tmp_path)
