"""A file that is no JSON, or cannot be written, is named before anything is made of it."""

import os

import pytest

from feedback import files, results


@pytest.mark.parametrize(
    "content",
    [b"", b'{"a": 1', b"\xff\xfe", b"[" * 200_000, b"[NaN]", b'{"a": -Infinity}', b"1 2"],
    ids=lambda content: repr(content[:10]),
)
def test_what_is_not_json_is_named(tmp_path, content):
    file = tmp_path / "x.json"
    with pytest.raises(FileNotFoundError, match="x.json"):
        files.read_json(file)
    file.write_bytes(content)
    with pytest.raises(ValueError, match="x.json: truncated or not JSON: "):
        files.read_json(file)
    with pytest.raises(ValueError, match="line 3: truncated or not JSON: "):
        files.parse_json(content, "line 3")


def test_json_is_read_in_every_encoding_it_may_have(tmp_path):
    file = tmp_path / "x.json"
    for encoding in ("utf-8", "utf-16", "utf-32"):
        file.write_bytes('["\u65e5", 1.5, null]'.encode(encoding))
        assert files.read_json(file) == ["\u65e5", 1.5, None]


def test_recorded_results_are_json_for_every_program():
    names = [file.stem for file in results.FOLDER.glob("*.json")]
    assert len(names) > 5 and all(isinstance(results.load_result(name), dict) for name in names)
    with pytest.raises(FileNotFoundError, match="nothing.json"):
        results.load_result("nothing")


def test_a_folder_without_permission_is_refused_before_the_work(tmp_path, monkeypatch):
    files.check_writable(tmp_path / "x.json")
    monkeypatch.setattr(os, "access", lambda folder, mode: folder != tmp_path)  # root may anything
    with pytest.raises(ValueError, match="may not be written; name a file in another folder"):
        files.check_writable(tmp_path / "x.json")
