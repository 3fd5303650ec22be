"""The built book holds together: every link inside it leads somewhere. Needs no browser."""

from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from looking import parsed

# What a browser fetches by itself; an <a href> is fetched only when a reader follows it.
LOADED = "script[src], img[src], iframe[src], source[src], video[src], audio[src], link[href]"


@pytest.fixture(scope="module")
def pages(book) -> list[Path]:
    """All pages but the theme's templates, which jupyter-book leaves in `_static`."""
    return [path for path in book.rglob("*.html") if "_static" not in path.parts]


@cache
def anchors(page: Path) -> set[str]:
    return {element["id"] for element in parsed(page).select("[id]")}


def address(element) -> str:
    return element.get("href") or element.get("src") or ""


def is_external(url: str) -> bool:
    parts = urlsplit(url)
    return bool(parts.scheme or parts.netloc)


def problem(page: Path, url: str) -> str | None:
    """Why a link inside the book leads nowhere, or None."""
    parts = urlsplit(url)
    target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    if not target.is_file():
        return "no such file"
    anchor = unquote(parts.fragment)
    if anchor and target.suffix == ".html" and anchor not in anchors(target):
        return "no such anchor"
    return None


def test_every_link_inside_the_book_leads_somewhere(book, pages):
    broken = []
    for page in pages:
        for element in parsed(page).select("[href], [src]"):
            url = address(element)
            if not is_external(url) and (reason := problem(page, url)):
                broken.append(f"{page.relative_to(book)}: {url} ({reason})")
    assert broken == []


def test_no_page_names_a_file_elsewhere_to_load(book, pages):
    foreign = [
        f"{page.relative_to(book)}: {address(element)}"
        for page in pages
        for element in parsed(page).select(LOADED)
        if is_external(address(element))
    ]
    assert foreign == []


def test_only_pages_with_a_widget_load_the_widget_runtime(pages):
    for page in pages:
        has_widget = bool(parsed(page).select(".feedback-widget"))
        loads_runtime = bool(parsed(page).select("script[src*='_static/widgets.js']"))
        assert loads_runtime == has_widget, page
