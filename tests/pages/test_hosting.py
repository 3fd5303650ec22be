"""The built folder can be put on any host as it is: what is in it asks nothing of a server."""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from looking import LAPTOP, PAGES, parsed

PICTURES = {".svg", ".png", ".jpg"}
# What Windows keeps for itself, whatever stands behind the dot.
RESERVED = re.compile(r"(?i)(con|prn|aux|nul|(com|lpt)\d)(\..*)?")


@pytest.fixture(scope="module")
def files(book) -> list[Path]:
    return [path.relative_to(book) for path in sorted(book.rglob("*")) if not path.is_dir()]


def test_github_is_told_to_leave_no_folder_out(book):
    assert (book / ".nojekyll").is_file()


def test_no_two_names_differ_by_case_alone(files):
    folders = {parent for path in files for parent in path.parents}
    names = sorted([*map(str, files), *map(str, folders)])
    assert len({name.casefold() for name in names}) == len(names)


def test_every_name_can_be_kept_by_every_file_system(files):
    for path in files:
        assert len(str(path)) < 150, path  # Windows counts the folders before it too, up to 260
        for part in path.parts:
            assert re.fullmatch(r"\.?[A-Za-z0-9_-]+([.][A-Za-z0-9_-]+)*", part), path
            assert not RESERVED.fullmatch(part), path


def test_every_file_is_one_and_of_a_size_that_hosts_take(book, files):
    for path in files:
        assert not (book / path).is_symlink(), path
        assert (book / path).stat().st_size < 25e6, path


def test_it_works_in_any_folder_of_a_server(book):
    """No address begins at the server's root, and none leads out of the book."""
    for page in pages_of(book):
        for element in parsed(page).select("[href], [src], [action], meta[content*='url=']"):
            for url in (element.get(name) for name in ("href", "src", "action", "content")):
                path = urlsplit((url or "").rpartition("url=")[2])
                if path.scheme or path.netloc or not path.path:
                    continue
                assert not path.path.startswith("/"), (page, url)
                target = (page.parent / unquote(path.path)).resolve()
                assert target.is_relative_to(book), (page, url)


def test_what_a_server_may_call_anything_is_saved(book):
    """A link to what is neither page nor picture saves it, whatever type the server gives."""
    saved = 0
    for page in pages_of(book):
        for link in parsed(page).select("a[href]"):
            url = urlsplit(link["href"])
            suffix = Path(url.path).suffix
            if url.scheme or url.netloc or suffix in {"", ".html", *PICTURES}:
                continue
            saved += 1
            assert link.has_attr("download") and not link.has_attr("target"), (page, link)
    assert saved > 0


def pages_of(book) -> list[Path]:
    return [path for path in book.rglob("*.html") if "_static" not in path.parts]


NOTEBOOKS = [page for page in PAGES if page.startswith("notebooks/")]


def offered(page):
    page.get_by_role("button", name="Download this page").click()
    return page.locator("a.btn-download-source-button")


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "text/html", ""])
def test_a_notebook_is_saved_whatever_the_server_calls_it(turn_to, book, content_type):
    name = NOTEBOOKS[0]
    source = book / f"_sources/{name}.ipynb"
    with turn_to(name) as visit:
        page = visit.page
        page.route(
            "**/_sources/**",
            lambda route: route.fulfill(body=source.read_bytes(), content_type=content_type),
        )
        with page.expect_download() as download:
            offered(page).click()
        page.unroute_all()
        assert download.value.suggested_filename == source.name
        assert Path(download.value.path()).read_bytes() == source.read_bytes()
        assert page.url.endswith(f"{name}.html")
        assert not page.get_by_text("Save link as").is_visible()


@pytest.mark.parametrize("name", ["book/intro", NOTEBOOKS[0]])
def test_from_disk_the_menu_says_how_to_save(open_page, name):
    with open_page(name, scheme="file", viewport=LAPTOP) as visit:
        link = offered(visit.page)
        assert visit.page.get_by_text("Save link as").is_visible()
        with visit.page.expect_popup() as shown:  # the reader does not lose the page
            link.click()
        assert "/_sources/" in shown.value.url


def test_from_disk_the_search_finds_pages_without_an_error(open_page):
    with open_page("search", scheme="file", viewport=LAPTOP) as visit:
        visit.page.goto(f"{visit.page.url}?q=softmax")
        visit.page.locator("#search-results li a").first.wait_for()
        visit.page.wait_for_timeout(500)  # for what it might fetch
        visit.assert_nothing_went_wrong()
