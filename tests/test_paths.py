"""How long a part of a chapter takes, on notebooks small enough to count by hand."""

import json
from pathlib import Path

import minutes
import paths
import pytest

ROOT = Path(__file__).resolve().parents[1]
CHAPTERS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def cell(kind: str, source: str, *tags: str) -> dict:
    return {"cell_type": kind, "source": source, "metadata": {"tags": [*tags]}}


def words(n: int) -> str:
    """A text that takes n minutes."""
    return "word " * n * minutes.WORDS + "\n"


# A section takes another number of minutes than each other, so that every sum is of one kind.
NOTEBOOK = {
    "cells": [
        cell("code", "set_up()", "remove-cell"),
        cell("markdown", f"# 1 · A\n\n{words(5)}"),
        cell("markdown", f"## One\n\n{words(10)}### Its part\n\n{words(20)}"),
        cell("code", "a = 1\n" * minutes.LINES * 40),
        cell("markdown", f"### Its other part\n\n{words(80)}"),
        cell("markdown", f"## Two: √k?\n\n{words(160)}"),
        cell("markdown", "**Exercise 1.1 · A** (easy, 7 minutes). In the text."),
        cell("code", "def f():\n    ...\n\n\ndef check_f(f):\n    ...\n"),
        cell("markdown", f"## Exercises\n\n{words(320)}"),
        cell("markdown", "**Exercise 1.2 · B** (hard, open, 11 minutes). At the end."),
        cell("markdown", f"## What you have\n\n{words(640)}"),
    ]
}


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ('section "Two: √k?".', 5 + 160),
        ('section "One".', 5 + 10 + 20 + 40 + 80),
        ('sections "One" and "Two: √k?" and exercise 1.2.', 5 + 10 + 20 + 40 + 80 + 160 + 11),
        ('section "Its part", with exercises 1.1 and 1.2.', 5 + 20 + 40 + 7 + 11),
        ('sections "One" (to the end of "Its part") and "Two: √k?".', 5 + 10 + 20 + 40 + 160),
        ('every section but "Two: √k?", and exercise 1.1.', 5 + 10 + 20 + 40 + 80 + 640 + 7),
        ('every section but "Its part".', 5 + 10 + 80 + 160 + 640),
        ("every section.", 5 + 10 + 20 + 40 + 80 + 160 + 640),
    ],
)
def test_a_selection_takes_what_its_sections_and_exercises_take(what, expected):
    assert paths.of_selection(NOTEBOOK, what) == expected


def test_all_cells_are_run_whatever_is_read():
    assert paths.of_selection(NOTEBOOK, 'section "Two: √k?".', waiting=300) == 5 + 160 + 5


@pytest.mark.parametrize(
    ("what", "message"),
    [
        (
            'sections "One" and "Three".',
            '"Three" is no section of this chapter; it has Exercises, ',
        ),
        ('every section but "one".', '"one" is no section'),
        ('section "Two: √k?" (to the end of "Its part").', '"Its part" is no part of the section'),
        ('section "One" and exercise 1.3.', "no exercise 1.3; it has 1.1, 1.2"),
        ("the beginning.", "names no section"),
    ],
)
def test_a_name_that_the_chapter_lacks_is_an_error_that_says_what_it_has(what, message):
    with pytest.raises(ValueError) as error:
        paths.of_selection(NOTEBOOK, what)
    assert message in str(error.value)


def titled(line: str) -> dict:
    return {"cells": [cell("markdown", f"# 1 · A\n\n{line}\n\nText."), *NOTEBOOK["cells"][2:]]}


def test_the_line_of_a_short_path_gets_its_minutes():
    what = 'every section but "Two: √k?", with exercise 1.1. Run the cells between them.'
    for line in (f"*Short path: {what}*", f"*Short path, 5 minutes: {what}*"):
        notebook = titled(line)
        text = paths.with_minutes(notebook["cells"][0]["source"], notebook)
        assert f"\n*Short path, {paths.short_path(notebook)} minutes: {what}*\n" in text
    assert paths.short_path(NOTEBOOK) is None


@pytest.mark.parametrize("line", ["*Short path: all of it.*", "*Short path* of 5 minutes."])
def test_a_line_that_is_not_understood_is_an_error(line):
    notebook = titled(line)
    with pytest.raises(ValueError, match="short path: "):
        paths.with_minutes(notebook["cells"][0]["source"], notebook)


INTRO = """\
# A book

| chapter | what | minutes |
|---|---|--:|
| [1 · A](../notebooks/01-a.ipynb) | one thing | |
| [2 · B](../notebooks/02-b.ipynb) | another | 7 (8) |

- **One** ( minutes). Whole: [1](../notebooks/01-a.ipynb). Short path: [2](../notebooks/02-b.ipynb).
- **Two** (3 minutes). Without exercises, all of them: [1](../notebooks/01-a.ipynb) and
  [2](../notebooks/02-b.ipynb) (section "One").
"""


@pytest.fixture
def root(tmp_path) -> Path:
    (tmp_path / "notebooks").mkdir()
    second = titled('*Short path: section "Two: √k?" and exercise 1.2.*')
    for name, notebook in (("01-a", NOTEBOOK), ("02-b", second)):
        (tmp_path / f"notebooks/{name}.ipynb").write_text(json.dumps(notebook))
    return tmp_path


def test_the_introduction_gets_the_minutes_of_chapters_and_paths(root):
    first, second = (json.loads(f.read_text()) for f in sorted(root.glob("notebooks/*")))
    short = paths.short_path(second)
    text = paths.with_paths(INTRO, root, {})
    (without, exercises), whole = minutes.whole(first), sum(minutes.whole(first))
    assert exercises == 18 and short < sum(minutes.whole(second))
    assert f"| one thing | {whole} |\n" in text
    assert f"| another | {sum(minutes.whole(second))} ({short}) |\n" in text
    assert f"- **One** ({whole + short} minutes). Whole: [1]" in text
    one = paths.of_selection(second, 'section "One"')
    assert f"- **Two** ({without + one} minutes). Without" in text
    assert paths.with_paths(text, root, {}) == text


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"One"', '"None"', r"\*\*Two\*\*, notebooks/02-b.ipynb: \"None\" is no section"),
        ("Whole: ", "", r"\*\*One\*\*, notebooks/01-a.ipynb: say Whole, "),
        ("Whole: ", "Short paths: ", "01-a.ipynb: this chapter names no short path"),
        ("02-b.ipynb) (", "03-c.ipynb) (", "there is no notebooks/03-c.ipynb"),
    ],
)
def test_a_path_that_names_what_is_not_there_is_an_error(root, old, new, message):
    assert INTRO.count(old) == 1
    with pytest.raises(ValueError, match=message):
        paths.with_paths(INTRO.replace(old, new), root, {})


def test_the_introduction_states_the_minutes_of_this_book():
    text = (ROOT / "book/intro.md").read_text("utf-8")
    assert paths.with_paths(text, ROOT, minutes.read_waiting(ROOT)) == text
    assert len(paths.PATH.findall(text)) == 4
    assert {found["name"] for found in paths.ROW.finditer(text)} == {f.stem for f in CHAPTERS}


@pytest.mark.parametrize("file", CHAPTERS, ids=lambda file: file.stem)
def test_a_short_path_states_its_minutes_in_the_title_cell(file: Path):
    notebook = json.loads(file.read_text("utf-8"))
    short = paths.short_path(notebook, minutes.read_waiting(ROOT)[file.stem])
    if short is not None:
        assert f"\n*Short path, {short} minutes: " in "".join(notebook["cells"][1]["source"])


@pytest.mark.parametrize("file", CHAPTERS, ids=lambda file: file.stem)
def test_every_chapter_names_a_short_path(file: Path):
    assert paths.short_path(json.loads(file.read_text("utf-8"))) is not None
