"""What `make check` runs: all that needs neither the built book nor a browser, but for a few."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = ROOT / "tests" / "pages"
NEEDED = {"browser", "addresses", "open_page"}  # by the tests of pages


def test_make_check_leaves_out_two_markers_and_builds_no_book():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    (needs, recipe) = re.search(r"^check:(.*?)##.*\n((?:\t.*\n)+)", makefile, re.MULTILINE).groups()
    assert needs.strip() == "$(READY)"
    assert '-m "not book and not slow"' in recipe and "jupyter-book" not in recipe


def test_what_needs_the_book_or_a_browser_is_marked_and_nothing_else_is(request):
    for item in request.session.items:
        stands_there = PAGES in item.path.parents
        assert (item.get_closest_marker("book") is not None) == stands_there, item.nodeid
        if not stands_there:
            assert not NEEDED & {*item.fixturenames}, item.nodeid
