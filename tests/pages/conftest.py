"""The built book, served on this machine and opened in a Chromium that reaches nothing else."""

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from pathlib import Path

import pytest
from chromium import ARGUMENTS, find_chromium
from looking import BOOK, LAPTOP, PHONE, PROJECTOR, come_to_rest


def pytest_collection_modifyitems(items):
    """Skip what needs a browser where there is none, and say what to install."""
    if find_chromium() is None:
        skip = pytest.mark.skip("no Chromium found; on Debian: apt-get install chromium")
        for item in items:
            if "browser" in item.fixturenames:
                item.add_marker(skip)


@pytest.fixture(scope="session")
def book() -> Path:
    if not (BOOK / "index.html").is_file():
        pytest.fail("there is no built book at _build/html: run make book", pytrace=False)
    return BOOK


class SilentHandler(SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="session")
def addresses(book) -> dict[str, str]:
    """Where the book begins when it is served, and when its files are opened by double-click."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SilentHandler, directory=book))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield {"http": f"http://127.0.0.1:{server.server_port}", "file": book.as_uri()}
    server.shutdown()


@pytest.fixture(scope="session")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        yield chromium
        chromium.close()


@dataclass
class Visit:
    """An open page, what it loaded, what it asked for elsewhere, its errors and missing files."""

    page: object
    loaded: set[str] = field(default_factory=set)
    foreign: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


ALL_WIDGETS_ARE_DONE = """() =>
    [...document.querySelectorAll(".feedback-widget")].every((place) => place.dataset.state)"""


@pytest.fixture(scope="session")
def open_page(browser, addresses):
    """`with open_page(name) as visit:` opens a page and waits until math and widgets are drawn."""

    def is_local(url: str) -> bool:
        return url.startswith((*addresses.values(), "blob:", "data:"))

    @contextmanager
    def open_page(name: str, scheme: str = "http", instead: dict | None = None, **settings):
        """`instead` maps part of a URL to the script to answer; `settings` go to the browser."""
        context = browser.new_context(**settings)
        visit = Visit(context.new_page())

        def answer(route):
            url = route.request.url
            script = next((text for part, text in (instead or {}).items() if part in url), None)
            if not is_local(url):
                visit.foreign.append(url)
                route.abort()
            elif script is not None:
                route.fulfill(body=script, content_type="text/javascript")
            else:
                visit.loaded.add(url.partition("?")[0])
                route.continue_()

        def note_failed_request(request):
            if is_local(request.url):
                visit.missing.append(request.url)

        def note_bad_response(response):
            if response.status >= 400:
                visit.missing.append(response.url)

        def note_console(message):
            if message.type == "error":
                visit.errors.append(message.text)

        page = visit.page
        page.route("**/*", answer)
        page.on("requestfailed", note_failed_request)
        page.on("response", note_bad_response)
        page.on("console", note_console)
        page.on("pageerror", lambda error: visit.errors.append(str(error)))

        with context:
            page.goto(f"{addresses[scheme]}/{name}.html")
            if settings.get("java_script_enabled", True):
                page.evaluate("window.MathJax?.startup.promise.then(() => true)")
                for place in page.locator(".feedback-widget").all():
                    place.scroll_into_view_if_needed()
                page.wait_for_function(ALL_WIDGETS_ARE_DONE)
            yield visit

    return open_page


LOOKS = {
    f"{mode}-{viewport['width']}": (mode, viewport)
    for mode, viewport in product(("light", "dark"), (PHONE, PROJECTOR))
}


@pytest.fixture(scope="module")
def name_of_page(request) -> str:
    """The page that a module of tests is about."""
    return request.module.PAGE


@pytest.fixture(scope="module", params=["http", "file"])
def opened(request, open_page, name_of_page):
    """That page, over http and from disk; the tests of a module share it."""
    with open_page(name_of_page, request.param, viewport=LAPTOP) as visit:
        yield visit


@pytest.fixture(params=LOOKS)
def look(request, opened):
    """The same in light and dark, on a phone and on a projector; no error may come."""
    mode, viewport = LOOKS[request.param]
    opened.page.set_viewport_size(viewport)
    opened.page.emulate_media(color_scheme=mode)
    opened.page.locator(f"html[data-theme={mode}]").wait_for()
    come_to_rest(opened.page)
    yield opened.page
    assert (opened.errors, opened.missing, opened.foreign) == ([], [], [])
