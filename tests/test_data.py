"""Facts about the text, its characters and its batches."""

import contextlib
import hashlib
import socket
import threading
from collections.abc import Iterable

import numpy as np
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


@contextlib.contextmanager
def server(answer: Iterable[bytes]):
    """Send the pieces to whoever connects, whatever is asked; gives the address."""
    gone = threading.Event()

    def serve(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.recv(65536)
            for piece in answer:
                connection.sendall(piece)
                if gone.wait(0.02 if len(piece) == 1 else 0):
                    return
            if answer is STALLED:
                gone.wait()

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=serve, args=[listener.accept()[0]]).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/input.txt"
        finally:
            gone.set()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


class Endless:
    """A head, and then the same bytes for as long as somebody reads."""

    def __init__(self, head: bytes, piece: bytes):
        self.head, self.piece = head, piece

    def __iter__(self):
        yield self.head
        while True:
            yield self.piece


def reply(status: str, *headers: str, body: bytes = b"") -> list[bytes]:
    return ["\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode("latin-1"), body]


TEXT = b"To be, or not to be"
CHUNKED = "Transfer-Encoding: chunked"
STALLED = reply("200 OK", "Content-Length: 19", body=TEXT[:9])


def moved(address: str) -> list[bytes]:
    return reply("302 Found", f"Location: {address}", "Content-Length: 0")


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(answer, id=name)
        for name, answer in {
            "cut off": reply("200 OK", "Content-Length: 1115394", body=TEXT[:14]),
            "cut off in a chunk": reply("200 OK", CHUNKED, body=b"13\r\n" + TEXT[:9]),
            "cut off between chunks": reply("200 OK", CHUNKED, body=b"5\r\nTo be\r\n"),
            "cut off in its head": [b"HTTP/1.1 200 OK\r\nContent-Le"],
            "stalled": STALLED,
            "stalled in its head": Endless(b"", b""),
            "dripping": Endless(*reply("200 OK", body=b"T")),
            "endless": Endless(*reply("200 OK", body=TEXT)),
            "length too short": reply("200 OK", "Content-Length: 5", body=TEXT),
            "length beyond memory": reply("200 OK", f"Content-Length: {10**15}", body=TEXT[:9]),
            "length beyond integers": reply("200 OK", f"Content-Length: {10**30}", body=TEXT[:9]),
            "length that is none": reply("200 OK", "Content-Length: -1", body=b""),
            "chunk without a length": reply("200 OK", CHUNKED, body=b"many\r\n" + TEXT),
            "portal": reply("200 OK", "Content-Type: text/html", body=b"<html>Log in</html>"),
            "damaged gzip": reply("200 OK", "Content-Encoding: gzip", body=b"\x1f\x8b" + TEXT),
            "not UTF-8": reply("200 OK", body=b"\xff\xfe" + TEXT),
            "part": reply("206 Partial Content", body=TEXT[:9]),
            "nothing": reply("200 OK"),
            "no content": reply("204 No Content"),
            "hanging up": [],
            "not HTTP": [b"SSH-2.0-OpenSSH_9.6\r\n"],
            "noise": [bytes(range(256)) * 400],
            "HTTP of the future": [b"HTTP/7.0 200 OK\r\n\r\n" + TEXT],
            "no status": [b"HTTP/1.1 good OK\r\n\r\n" + TEXT],
            "many headers": reply("200 OK", *["X: y"] * 2000, body=TEXT),
            "log in first": reply("407 Proxy Authentication Required", "Proxy-Authenticate: Basic"),
            "sign in first": reply("401 Unauthorized", "WWW-Authenticate: Digest"),
            "error": reply("500 \x1b[2J" + "much to say " * 1000, body=TEXT),
            "round in circles": moved("/input.txt"),
            "moved to nowhere": moved("http://127.0.0.1:1/"),
            "moved to no port": moved("http://127.0.0.1:99999/"),
            "moved to no number": moved("http://127.0.0.1:port/"),
            "moved to no address": moved("http://[::1/"),
            "moved to no host": moved("http:///"),
            "moved to no name": moved("http://a..b/"),
            "moved to a file": moved("file:///etc/hostname"),
            "moved to nothing": reply("302 Found"),
            "moved with blanks": moved("http://127.0.0.1:1/a b\xe9"),
        }.items()
    ],
)
def test_whatever_a_server_answers_there_is_a_text(elsewhere, monkeypatch, answer):
    monkeypatch.setattr(data, "PATIENCE", 0.2)
    monkeypatch.setenv("no_proxy", "*")
    with server(answer) as address:
        monkeypatch.setattr(data, "URL", address)
        corpus = data.tiny_shakespeare()
    assert corpus.source.startswith("NOT Tiny Shakespeare") and "FEEDBACK_DATA" in corpus.source
    assert len(corpus.source) < 500 and corpus.source.isprintable()
    assert corpus.text == data.python_topics()
    assert not data.cache_folder().exists()


def test_a_download_is_whole_however_it_is_cut_into_pieces(elsewhere, monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    chunks = b"5\r\nTo be\r\ne\r\n, or not to be\r\n0\r\n\r\n"
    for answer in (
        reply("200 OK", CHUNKED, body=chunks),
        reply("200 OK", body=TEXT),
        [*reply("200 OK", "Content-Length: 19"), *(TEXT[i : i + 1] for i in range(19))],
    ):
        with server(answer) as address:
            monkeypatch.setattr(data, "URL", address)
            assert data.tiny_shakespeare() == data.Corpus(
                TEXT.decode(), "Tiny Shakespeare, downloaded"
            )
        (data.cache_folder() / data.NAME).unlink()


def test_a_tilde_in_a_variable_is_the_home_folder(elsewhere, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", "~/kept")
    assert data.tiny_shakespeare().source == "Tiny Shakespeare, downloaded"
    assert (tmp_path / "kept").is_dir() and not (tmp_path / "~").exists()
    for given in ("~/tinyshakespeare.txt", "~"):
        monkeypatch.setenv("FEEDBACK_DATA", given)
        assert data.tiny_shakespeare().source == "Tiny Shakespeare, from FEEDBACK_DATA"
    monkeypatch.setenv("FEEDBACK_DATA", "~nobody-of-this-name")
    with pytest.raises(FileNotFoundError, match="FEEDBACK_DATA is '~nobody-of-this-name'"):
        data.tiny_shakespeare()


def test_without_a_home_folder_nothing_is_kept(elsewhere, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", "~nobody-of-this-name/cache")
    assert data.tiny_shakespeare().source == "Tiny Shakespeare, downloaded"
    assert [file.name for file in tmp_path.iterdir()] == [data.NAME]


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


def test_any_utf8_file_is_a_corpus(tmp_path):
    file = tmp_path / "mine.txt"
    file.write_bytes("\ufeffNaïve\n日本".encode())
    assert data.text_file(file) == data.Corpus("Naïve\n日本", str(file))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "mine.txt is empty"),
        (b"\xef\xbb\xbf", "mine.txt is empty"),
        (b"abc\xff", "mine.txt is not UTF-8 text: byte 3 is 0xff"),
        ("to be".encode("utf-16"), "mine.txt is not UTF-8 text: byte 0 is 0x"),
        ("to be".encode("utf-16-le"), "mine.txt is not UTF-8 text: character 1 is a NUL"),
        ("to be".encode("utf-16-be"), "mine.txt is not UTF-8 text: character 0 is a NUL"),
        ("to be".encode("utf-32-le"), "mine.txt is not UTF-8 text: character 1 is a NUL"),
        ("быть или".encode("utf-16-le"), "mine.txt is not UTF-8 text: character 9 is a NUL"),
        (b"to be" * 9 + b"\0", "mine.txt is not UTF-8 text: character 45 is a NUL"),
    ],
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
