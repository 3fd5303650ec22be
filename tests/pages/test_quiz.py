"""The questions of the built book as a quiz."""

import json

from looking import BOOK, ROOT

from feedback.__main__ import main


def asked_in_the_book() -> int:
    files = [*(ROOT / "notebooks").glob("*.ipynb"), *(ROOT / "book").glob("*.md")]
    return sum(file.read_text("utf-8").count("PredictThenReveal(") for file in files)


def test_every_question_of_the_book_is_exported(book, tmp_path):
    main(["export-grader", "jupyterquiz", str(tmp_path / "quiz"), "--book", str(BOOK)])
    asked = [json.loads(file.read_text("utf-8")) for file in (tmp_path / "quiz").glob("*.json")]
    assert sum(map(len, asked)) == asked_in_the_book()
