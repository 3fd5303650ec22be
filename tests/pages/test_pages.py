"""The built book as its readers meet it: in a browser, served or opened as files, offline."""

import gzip
import re
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest
from looking import LAPTOP, PAGES, PHONE, scrolls_sideways, widgets_of


@pytest.fixture
def visit(each_page, each_page_from_disk, scheme):
    return {"http": each_page, "file": each_page_from_disk}[scheme]


def test_page_loads_nothing_from_elsewhere(visit):
    assert visit.foreign == []


def test_page_misses_no_file_and_reports_no_error(visit):
    assert visit.missing == []
    assert visit.errors == []


def test_every_formula_is_typeset(visit):
    formulas = visit.page.locator(".math:not(mjx-container *)")
    assert formulas.locator("mjx-container").count() >= formulas.count()
    assert visit.page.locator("mjx-merror").all_text_contents() == []
    # MathJax passes an unknown command on as text.
    unknown = visit.page.locator("mjx-assistive-mml mtext", has_text="\\")
    assert unknown.all_text_contents() == []


def test_no_tex_is_left_in_the_text(visit):
    text = visit.page.evaluate(
        """() => {
            const article = document.querySelector("article").cloneNode(true);
            article.querySelectorAll("pre, code, script, mjx-container").forEach((e) => e.remove());
            return article.textContent;
        }"""
    )
    assert re.findall(r"\$\$|\\\(|\\\[|\\begin", text) == []


def test_every_widget_starts(visit):
    states = [place.get_attribute("data-state") for place in widgets_of(visit.page).all()]
    assert set(states) <= {"started"}


def test_page_fits_a_phone(visit):
    visit.page.set_viewport_size(PHONE)
    assert not scrolls_sideways(visit.page)
    visit.page.set_viewport_size(LAPTOP)


def test_page_is_light(visit, book, addresses, scheme):
    """What a reader waits for, sent as servers send it; a widget's buffers come when it is near."""
    names = [url.removeprefix(addresses[scheme]) for url in visit.loaded]
    files = [name for name in names if not name.startswith(("blob:", "data:", "/_static/buffers/"))]
    sizes = {name: sent_bytes(Path(f"{book}{unquote(name)}")) for name in files}
    heaviest = sorted(sizes.items(), key=lambda item: -item[1])[:10]
    assert sum(sizes.values()) < 1.0e6, heaviest


@cache
def sent_bytes(path: Path) -> int:
    content = path.read_bytes()
    compressed = path.suffix in {".png", ".jpg", ".woff", ".woff2"}
    return len(content if compressed else gzip.compress(content, 6))


def test_the_front_door_leads_to_the_first_page(browser, addresses, scheme):
    with browser.new_page() as page:
        page.goto(f"{addresses[scheme]}/index.html")
        page.wait_for_url(f"**/{PAGES[0]}.html")
