"""Parts of a page of the built book, as slides need them: blocks, sentences, and lines of code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import copy
from textwrap import wrap

from bs4 import NavigableString, Tag

LINE, LETTERS = 36, 84  # of text on a slide: how many pixels high a line is, how long
# Of code: how many pixels high a line is, how many a slide holds, and how many if made smaller.
CODE, MANY, MOST = 25.5, 20, 25
WIDE = 100  # letters of a line
END = re.compile(r"(?<=[.!?:])[”\"’)]*\s+(?=[A-Z“\"‘(]|$)")
IMPORT = re.compile(r"(?:from|import)\b")


def made_plain(article: Tag) -> None:
    """Take away what leads elsewhere in the book."""
    for link in article.select("a.headerlink"):
        link.decompose()
    for link in article.select("a"):
        link.unwrap()
    article.smooth()  # text that was divided by links is one again


def blocks(parent: Tag) -> Iterator[Tag]:
    """Headings, paragraphs, cells and so on, those of sections in sections too."""
    for child in parent.find_all(True, recursive=False):
        if child.name == "section":
            yield from blocks(child)
        else:
            yield child


def new(name: str, *classes: str) -> Tag:
    return Tag(name=name, attrs={"class": " ".join(classes)} if classes else {})


def sentences(text: Tag) -> list[Tag]:
    """The sentences of a paragraph, each a paragraph; what stands in parentheses is not cut."""
    found, depth = [new("p")], 0
    for child in [*text.contents]:
        if not isinstance(child, NavigableString):
            found[-1].append(copy(child))
            continue
        string, begin = str(child), 0
        for match in END.finditer(string):
            at_end = match.end() == len(string)
            inside = depth + string.count("(", 0, match.end()) - string.count(")", 0, match.end())
            if inside <= 0 and not (at_end and child.next_sibling is None):
                found[-1].append(string[begin : match.end()])
                found.append(new("p"))
                begin = match.end()
        found[-1].append(string[begin:])
        depth = max(0, depth + string.count("(") - string.count(")"))
    return [one for one in found if one.get_text().strip()]


def in_short(block: Tag) -> Tag:
    """A list with the first sentence of each of its paragraphs."""
    short = copy(block)
    for text in short.find_all("p"):
        text.replace_with(sentences(text)[0])
    return short


def joined(parts: list[Tag]) -> Tag | None:
    """One paragraph of these; None of none."""
    whole = new("p")
    for part in parts:
        whole.extend(copy(node) for node in part.contents)
    return whole if parts else None


def height_of(text: Tag) -> float:
    """How high text is, about."""
    items = text.find_all("li") or [text]
    return sum(12 + LINE * (1 + len(item.get_text()) // LETTERS) for item in items)


# Code


def lines_of(pre: Tag) -> list[Tag | str]:
    """The lines of code, or of what was printed, without blank ones at the end."""
    lines: list = pre.find_all("span", class_="line") or pre.get_text().split("\n")
    while lines and not text_of(lines[-1]).strip():
        lines.pop()
    return lines


def text_of(line: Tag | str) -> str:
    return line if isinstance(line, str) else line.get_text()


def is_imports(source: str) -> bool:
    """Whether it does little else than import."""
    begin = [line for line in source.splitlines() if re.match(r"[\w@]", line)]
    return sum(not IMPORT.match(line) for line in begin) <= len(begin) / 10


def written(lines: list) -> int:
    """How many of the lines are not blank."""
    return sum(bool(text_of(line).strip()) for line in lines)


def in_parts(pre: Tag) -> Iterator[list]:
    """The lines of code in parts that fit a slide, cut between functions, else at a blank line."""
    lines = lines_of(pre)
    while len(lines) > MOST:
        blank = [k for k in range(2, MANY) if not text_of(lines[k]).strip()]
        outer = [k for k in blank if not text_of(lines[k + 1]).startswith((" ", ")", "\n"))]
        place = max(outer or blank, default=MANY)
        yield lines[:place]
        lines = lines[place:]
        while lines and not text_of(lines[0]).strip():
            lines.pop(0)
    if lines:
        yield lines


def shortened(lines: list) -> list:
    """What was printed, so that it fits a slide: not too wide, nor too long."""
    lines = [
        part
        for line in lines
        for part in ([line] if len(text_of(line)) <= WIDE else wrap(text_of(line), WIDE))
    ]
    if len(lines) <= MOST:
        return lines
    return [*lines[: MOST - 1], f"... and {len(lines) - MOST + 1} lines more"]


def height_of_code(lines: list) -> float:
    return 16 + CODE * len(lines)


def as_block(lines: list, kind: str) -> Tag:
    pre = new("pre")
    for line in lines:
        pre.append(copy(line) if isinstance(line, Tag) else line)
        pre.append("\n")
    for place in pre.find_all("wbr"):  # where a line of the book may wrap
        place.decompose()
    block = new("div", "highlight", kind)
    block.append(pre)
    return block


# Notes


def plain_formulas(note: Tag) -> Tag:
    """Notes are read in a window without MathJax: a formula stands there as it was typed."""
    for formula in note.select(".math"):
        tex = re.sub(r"\\class\{[\w-]+\}", "", formula.get_text())
        tex = re.sub(r"\{\{(\w+)\}\}", r"\1", tex)
        code = new("code")
        code.string = tex.strip().removeprefix(r"\(").removesuffix(r"\)")
        formula.replace_with(code)
    return note
