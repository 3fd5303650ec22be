"""The page that leads from the paper to code and tests: each name on it is there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "book" / "paper-map.md"
NAMED = re.compile(r"`([\w/]+\.py): (\w+)`")
LINK = re.compile(r"\]\((\.\./[^)]+)\)")


def rows() -> list[list[str]]:
    """The cells of all tables, without heads."""
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return [row for row in cells if row[0] != "in the paper"]


def defined(file: str) -> set[str]:
    tree = ast.parse((ROOT / file).read_text())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0][:40])
def test_a_row_leads_to_a_chapter_to_code_and_to_a_test(row):
    assert len(row) == 5 and all(row), row
    _, chapter, code, test, _ = row
    (notebook,) = LINK.findall(chapter)
    assert (PAGE.parent / notebook).exists(), notebook
    for cell, folders in ((code, ("feedback/", "experiments/")), (test, ("tests/",))):
        ((file, name),) = NAMED.findall(cell)
        assert file.startswith(folders) and name in defined(file), f"{file}: {name}"
    assert NAMED.search(test)[2].startswith("test_")


def test_every_link_of_the_page_leads_somewhere():
    for link in LINK.findall(PAGE.read_text()):
        assert (PAGE.parent / link).exists(), link


def test_the_paper_is_covered():
    assert len(rows()) >= 20
