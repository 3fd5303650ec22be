"""What goes into the archive for a class. tests/classroom/rehearse.py opens it and uses it."""

import classroom
import pytest

PLACES = (
    "html/index.html",
    "html/notebooks/01.html",
    "slides/index.html",
    "slides/01.pdf",
    "book.pdf",
)


@pytest.fixture
def built(tmp_path):
    for name in PLACES:
        file = tmp_path / "built" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    made = tmp_path / "made" / "student" / "01.ipynb"
    made.parent.mkdir(parents=True)
    made.write_text("{}")
    return tmp_path


def names(folder) -> list[str]:
    return [name for name, _ in classroom.contents(folder / "made", folder / "built")]


def test_the_archive_has_book_slides_handout_and_what_was_made_for_it(built, monkeypatch):
    monkeypatch.delenv("FEEDBACK_DATA", raising=False)
    assert names(built) == [
        "book/index.html",
        "book/notebooks/01.html",
        "slides/01.pdf",
        "slides/index.html",
        "handout.pdf",
        "student/01.ipynb",
    ]


@pytest.mark.parametrize("given", ["data", "data/tinyshakespeare.txt"])
def test_the_corpus_is_in_it_where_it_is_at_hand(built, monkeypatch, given):
    (built / "data").mkdir()
    (built / "data/tinyshakespeare.txt").write_text("text")
    monkeypatch.setenv("FEEDBACK_DATA", str(built / given))
    assert names(built)[-1] == "data/tinyshakespeare.txt"


def test_its_readme_names_every_folder_and_the_corpus_only_where_it_is():
    plain, with_data = classroom.readme(False), classroom.readme(True)
    for name in ("book/", "slides/", "handout.pdf", "student/", "teacher/", "colab/", "wheels/"):
        assert f"\n{name}" in plain
    assert "data/" not in plain and "FEEDBACK_DATA" not in plain
    assert "\ndata/" in with_data and "FEEDBACK_DATA" in with_data
    assert "\n\n\n" not in plain + with_data
