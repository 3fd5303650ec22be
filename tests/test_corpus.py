"""Where the text comes from: whatever the network does, there is one, and it says which."""

import contextlib
import hashlib
import socket
import threading
from collections.abc import Iterable

import pytest

from feedback import corpus


@pytest.fixture
def elsewhere(monkeypatch, tmp_path):
    """No FEEDBACK_DATA, an empty cache, and a stand-in for the corpus with its own checksum."""
    content = b"To be, or not to be"
    monkeypatch.delenv("FEEDBACK_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(corpus, "SHA256", hashlib.sha256(content).hexdigest())
    file = tmp_path / "tinyshakespeare.txt"
    file.write_bytes(content)
    monkeypatch.setattr(corpus, "URL", file.as_uri())
    return file


@pytest.mark.parametrize("as_folder", [False, True])
def test_feedback_data_names_the_file_or_its_folder(elsewhere, monkeypatch, as_folder):
    monkeypatch.setattr(corpus, "URL", "file:///nowhere")
    monkeypatch.setenv("FEEDBACK_DATA", str(elsewhere.parent if as_folder else elsewhere))
    found = corpus.tiny_shakespeare()
    assert found.text == "To be, or not to be" and "FEEDBACK_DATA" in found.source


def test_a_wrong_feedback_data_is_an_error_not_a_fallback(elsewhere, monkeypatch):
    monkeypatch.setenv("FEEDBACK_DATA", str(elsewhere.with_name("missing.txt")))
    with pytest.raises(FileNotFoundError, match="missing.txt"):
        corpus.tiny_shakespeare()
    elsewhere.write_text("To be, or so")
    monkeypatch.setenv("FEEDBACK_DATA", str(elsewhere))
    with pytest.raises(ValueError, match="tinyshakespeare.txt is not Tiny Shakespeare"):
        corpus.tiny_shakespeare()


def test_a_download_is_kept_and_a_damaged_cache_is_fetched_again(elsewhere, monkeypatch):
    assert corpus.tiny_shakespeare().source == "Tiny Shakespeare, downloaded"
    assert corpus.tiny_shakespeare().source == "Tiny Shakespeare, from the cache"
    corpus.cache_file().write_text("cut sho")
    assert corpus.tiny_shakespeare().source == "Tiny Shakespeare, downloaded"


def test_without_any_copy_pythons_own_text_is_used_and_named(elsewhere, monkeypatch):
    elsewhere.write_text("a captive portal")  # the download succeeds, its checksum does not
    found = corpus.tiny_shakespeare()
    assert found.source.startswith("NOT Tiny Shakespeare") and "FEEDBACK_DATA" in found.source
    assert len(found.text) > 100_000
    elsewhere.unlink()
    assert corpus.tiny_shakespeare().text == found.text
    assert not corpus.cache_file().parent.exists()


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
    monkeypatch.setattr(corpus, "TIMEOUT", 0.2)
    monkeypatch.setenv("no_proxy", "*")
    with server(answer) as address:
        monkeypatch.setattr(corpus, "URL", address)
        found = corpus.tiny_shakespeare()
    assert found.source.startswith("NOT Tiny Shakespeare") and "FEEDBACK_DATA" in found.source
    assert len(found.source) < 500 and found.source.isprintable()
    assert found.text == corpus.python_topics()
    assert not corpus.cache_file().parent.exists()


def test_a_download_is_whole_however_it_is_cut_into_pieces(elsewhere, monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    chunks = b"5\r\nTo be\r\ne\r\n, or not to be\r\n0\r\n\r\n"
    for answer in (
        reply("200 OK", CHUNKED, body=chunks),
        reply("200 OK", body=TEXT),
        [*reply("200 OK", "Content-Length: 19"), *(TEXT[i : i + 1] for i in range(19))],
    ):
        with server(answer) as address:
            monkeypatch.setattr(corpus, "URL", address)
            assert corpus.tiny_shakespeare() == corpus.Corpus(
                TEXT.decode(), "Tiny Shakespeare, downloaded"
            )
        corpus.cache_file().unlink()


def test_a_tilde_in_a_variable_is_the_home_folder(elsewhere, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", "~/kept")
    assert corpus.tiny_shakespeare().source == "Tiny Shakespeare, downloaded"
    assert (tmp_path / "kept").is_dir() and not (tmp_path / "~").exists()
    for given in ("~/tinyshakespeare.txt", "~"):
        monkeypatch.setenv("FEEDBACK_DATA", given)
        assert corpus.tiny_shakespeare().source == "Tiny Shakespeare, from FEEDBACK_DATA"
    monkeypatch.setenv("FEEDBACK_DATA", "~nobody-of-this-name")
    with pytest.raises(FileNotFoundError, match="FEEDBACK_DATA is '~nobody-of-this-name'"):
        corpus.tiny_shakespeare()


def test_without_a_home_folder_nothing_is_kept(elsewhere, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", "~nobody-of-this-name/cache")
    assert corpus.tiny_shakespeare().source == "Tiny Shakespeare, downloaded"
    assert [file.name for file in tmp_path.iterdir()] == [corpus.NAME]


def test_a_cache_that_cannot_be_written_costs_nothing(elsewhere, monkeypatch):
    (elsewhere.parent / "cache").write_text("a file where a folder should be")
    assert corpus.tiny_shakespeare().source == "Tiny Shakespeare, downloaded"


def test_any_utf8_file_is_a_corpus(tmp_path):
    file = tmp_path / "mine.txt"
    file.write_bytes("\ufeffNaïve\n日本".encode())
    assert corpus.text_file(file) == corpus.Corpus("Naïve\n日本", str(file))


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
        corpus.text_file(file)
    with pytest.raises(FileNotFoundError, match="no file .*other.txt"):
        corpus.text_file(tmp_path / "other.txt")
