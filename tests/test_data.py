"""Facts about characters as tokens, and about batches of a text."""

import numpy as np
import pytest
import torch

from feedback import data


def test_decoding_undoes_encoding():
    characters = data.Characters("hello, world")
    tokens = characters.encode("low roll")
    assert tokens.dtype == torch.int64 and tokens.max() < len(characters)
    assert characters.decode(tokens) == "low roll"


def test_an_unknown_character_is_named():
    with pytest.raises(ValueError, match=r"'é' \(character 3 of the text\)"):
        data.Characters("cafe").encode("café")


def test_characters_are_found_wherever_they_stand_in_a_long_text():
    """Beyond a million characters, of every width that Python and Unicode know."""
    text = "\0a\x7f\x80é\u0fff日\uffff😀\U0010ffff" * 150_000
    characters = data.Characters(text)
    assert characters.characters == sorted(set(text))
    tokens = characters.encode(text)
    places = {character: place for place, character in enumerate(sorted(set(text)))}
    assert tokens.dtype == torch.int64 and tokens.tolist() == [places[c] for c in text]
    assert characters.decode(tokens) == text
    for place in (0, 1_048_575, 1_048_576, 1_200_000, len(text) - 1):
        for unknown in ("b", "\U0010fffe", "\ud800"):
            other = text[:place] + unknown + text[place + 1 :]
            message = rf"\(character {place} of the text\) is not among the 10 characters"
            with pytest.raises(ValueError, match=message):
                characters.encode(other)


@pytest.mark.parametrize("given", [b"ab", ["a", "b"], None, 1, torch.tensor([0])])
def test_what_is_no_text_cannot_be_encoded(given):
    with pytest.raises(TypeError, match=rf"text is {type(given).__name__}; it must be a str"):
        data.Characters("ab").encode(given)


def test_ids_of_every_integer_type_can_be_decoded():
    characters = data.Characters("abc")
    for dtype in (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64):
        assert characters.decode(torch.tensor([2, 0, 1], dtype=dtype)) == "cab"
        assert characters.decode(torch.tensor([], dtype=dtype)) == ""
    assert characters.decode(torch.tensor([[2, 0], [1, 1]]).T[0]) == "cb"


@pytest.mark.parametrize(
    ("tokens", "error", "message"),
    [
        (torch.tensor([[0, 1], [1, 2]]), ValueError, r"shape \(2, 2\); they must be \(T,\)"),
        (torch.tensor([[0]]), ValueError, r"shape \(1, 1\)"),
        (torch.zeros(0, 3, dtype=torch.int64), ValueError, r"shape \(0, 3\)"),
        (torch.tensor(1), ValueError, r"shape \(\)"),
        (torch.tensor([0.0, 1.0]), TypeError, "tokens are torch.float32"),
        (torch.tensor([0.5]).half(), TypeError, "tokens are torch.float16"),
        (torch.tensor([True, False]), TypeError, "tokens are torch.bool"),
        (torch.tensor([1j]), TypeError, "tokens are torch.complex64"),
        (torch.tensor([0, -1]), ValueError, r"lie in -1..0; this vocabulary has 0..2"),
        (torch.tensor([0, 3]), ValueError, r"lie in 0..3; this vocabulary has 0..2"),
        (torch.tensor([2**62]), ValueError, r"this vocabulary has 0..2"),
        ([0, 1], TypeError, "tokens are list; .* shape .T,."),
        (1, TypeError, "tokens are int"),
        ("01", TypeError, "tokens are str"),
        ("", TypeError, "tokens are str"),
        (None, TypeError, "tokens are NoneType"),
        (np.array([0, 1]), TypeError, "tokens are ndarray"),
        (np.array([0.0]), TypeError, "tokens are ndarray"),
    ],
)
def test_ids_that_are_none_are_refused_by_name(tokens, error, message):
    with pytest.raises(error, match=message):
        data.Characters("abc").decode(tokens)


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
