"""What `make slides` needs, and what it says where that is not there."""

import shutil
import subprocess
from pathlib import Path

import pytest
import slides
from deck import Slide
from page_parts import new


def test_a_book_that_is_not_built_is_asked_for(tmp_path):
    with pytest.raises(ValueError, match="build the book first, by make book"):
        slides.write_slides(tmp_path)
    assert [*tmp_path.iterdir()] == []


def test_npm_is_needed_once_and_named(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(ValueError, match="npm is needed"):
        slides.fetch_reveal(tmp_path / "reveal")
    (tmp_path / "version").write_text(slides.REVEAL)
    slides.fetch_reveal(tmp_path)


def test_an_archive_with_another_hash_is_refused_and_nothing_of_it_is_kept(tmp_path, monkeypatch):
    def pack(command, **_):
        Path(command[-1], "reveal.js.tgz").write_bytes(b"something else")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(shutil, "which", lambda name: name)
    monkeypatch.setattr(subprocess, "run", pack)
    with pytest.raises(ValueError, match="has the hash .*, and not the one in slides.py"):
        slides.fetch_reveal(tmp_path / "reveal")
    assert [*tmp_path.iterdir()] == []


def test_a_page_loads_what_its_widgets_need_and_no_other():
    plain = slides.page_of([Slide("A <em>title</em>")])
    assert "<title>A title</title>" in plain and "widgets" not in plain
    widget = new("div", "feedback-widget")
    widget["data-widget"] = "cache_growth"
    page = slides.page_of([Slide("A title", shown=[widget])])
    for name in ("widgets.js", "widgets/cache_growth.js", "widgets/cache_growth.css"):
        assert page.count(f'"_static/{name}"') == 1
    assert "http:" not in page and "https:" not in page


def test_the_list_of_chapters_adds_up_the_minutes_of_their_slides():
    first, second = Slide("1 · One"), Slide("Exercise 1.1 · A")
    first.minutes["reading"], second.minutes["looking"], second.minutes["exercises"] = 11.2, 3, 25
    assert "<td>2</td><td>15</td><td>25</td>" in slides.index_of({"01-one": [first, second]})
