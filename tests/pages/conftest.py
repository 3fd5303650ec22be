"""The built book, served on this machine and opened in a Chromium that reaches nothing else."""

import json
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest
from chromium import ARGUMENTS, find_chromium
from looking import (
    BOOK,
    CHANGE_AT_ONCE,
    FORGET,
    KEEP_WHAT_STARTS_WIDGETS,
    LAPTOP,
    PAGES,
    PATIENCE,
    PHONE,
    PROJECTOR,
    START_ALL_AT_ONCE,
    WITHOUT_FORMULAS,
    answer_with,
    come_to_rest,
    start_widgets,
)
from questions import ATTENTION
from serving import Plain, Whole, served

# The files whose tests look at each page of the book, in the order in which they share it: the
# first see it as it came, and the last changes what stands there.
OF_EVERY_PAGE = ["pages", "theme_page", "every_widget", "projector", "fit", "accessibility"]


def pytest_generate_tests(metafunc):
    """A module says by `OPENS` on which pages it looks, or looks on all of them."""
    if "each_page" in metafunc.fixturenames:
        metafunc.parametrize("each_page", getattr(metafunc.module, "OPENS", PAGES), indirect=True)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Mark what stands in this folder, and skip what needs a browser where there is none. All that
    look at a page which is opened once come one after another, and are tried by one process; so
    are those that read the pages' files."""
    pages, place = [*PAGES, "search", "genindex"], {}
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("book")
        needs, group = getattr(item, "fixturenames", ()), None
        if "each_page" in needs:
            group = item.callspec.params["each_page"]
            place[item] = (
                pages.index(group),
                OF_EVERY_PAGE.index(item.path.stem.removeprefix("test_")),
            )
        elif "book" in needs and "browser" not in needs:
            group = "files"
        if group and config.pluginmanager.hasplugin("xdist"):
            item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: place.get(item, (len(pages), 0)))
    if find_chromium() is None:
        skip = pytest.mark.skip(
            "no Chromium found; on Debian: apt-get install chromium-headless-shell"
        )
        for item in items:
            if "browser" in item.fixturenames:
                item.add_marker(skip)


@pytest.fixture(scope="session")
def book() -> Path:
    if not (BOOK / "index.html").is_file():
        pytest.fail("there is no built book at _build/html: run make book", pytrace=False)
    return BOOK


@pytest.fixture(scope="session")
def addresses(book) -> dict[str, str]:
    """Where the book begins when it is served, when it is served without formulas, and when its
    files are opened by double-click."""
    with served(book, Whole) as whole, served(book, Plain) as plain:
        yield {"http": whole, "plain": plain, "file": book.as_uri()}


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
    start: str  # the address at which the book begins
    name: str = ""  # of the page, as in _toc.yml
    runs_scripts: bool = True
    loaded: set[str] = field(default_factory=set)
    foreign: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def note(self, is_local):
        """Note from here on what the page does. Nothing is held up: Chromium finds no one else."""

        def note_request(request):
            if is_local(request.url):
                self.loaded.add(request.url.partition("?")[0])
            else:
                self.foreign.append(request.url)

        def note_failed_request(request):
            if is_local(request.url):
                self.missing.append(request.url)

        def note_response(response):
            if response.status >= 400:
                self.missing.append(response.url)

        def note_console(message):
            if message.type == "error":
                self.errors.append(message.text)

        self.page.on("request", note_request)
        self.page.on("requestfailed", note_failed_request)
        self.page.on("response", note_response)
        self.page.on("console", note_console)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    def go_to(self, name: str):
        """Open a page of the book, and wait until it is drawn."""
        self.name = name
        self.page.goto(f"{self.start}/{name}.html")
        if self.runs_scripts:
            self.page.evaluate("window.MathJax?.startup?.promise.then(() => true)")
            start_widgets(self.page)

    def turn_to(self, name: str, viewport: dict, mode: str):
        """Go to another page as if nothing had been open here."""
        for noted in (self.loaded, self.foreign, self.errors, self.missing):
            noted.clear()
        self.page.evaluate(
            "() => { try { localStorage.clear(); sessionStorage.clear() } catch {} }"
        )
        self.page.set_viewport_size(viewport)
        self.page.emulate_media(media="null", color_scheme=mode)
        self.go_to(name)

    def change_to(self, mode: str, viewport: dict = LAPTOP):
        """On a screen of this size, in light or dark."""
        self.page.set_viewport_size(viewport)
        self.page.emulate_media(media="screen", color_scheme=mode)
        self.page.locator(f"html[data-theme={mode}]").wait_for()

    def begin_again(self, mode: str = "light", viewport: dict = LAPTOP):
        """As if it were opened so: its widgets, its size and colours, and no answer kept."""
        self.change_to(mode, viewport)
        self.page.evaluate(FORGET)
        start_widgets(self.page)

    def assert_nothing_went_wrong(self):
        """Since it was opened, or since this was asked last."""
        wrong = {name: [*getattr(self, name)] for name in ("errors", "missing", "foreign")}
        for name in wrong:
            getattr(self, name).clear()
        assert wrong == {"errors": [], "missing": [], "foreign": []}


@pytest.fixture(scope="session")
def open_page(browser, addresses):
    """`with open_page(name) as visit:` opens a page and waits until math and widgets are drawn."""

    def is_local(url: str) -> bool:
        return url.startswith((*addresses.values(), "blob:", "data:"))

    @contextmanager
    def open_page(
        name: str,
        scheme: str = "http",
        instead: dict | None = None,
        first: str = "",
        formulas: bool = False,
        scrolled: bool = False,
        **settings,
    ):
        """`instead` maps part of a URL to the script to answer, `first` is a script that runs
        before all others, `formulas` are typeset if they matter, and where it matters that widgets
        start as they come near the page is `scrolled`; `settings` go to the browser."""
        start = addresses["plain" if scheme == "http" and not formulas else scheme]
        plain = {"/mathjax/": WITHOUT_FORMULAS} if scheme == "file" and not formulas else {}
        with browser.new_context(**settings) as context:
            context.set_default_timeout(1000 * PATIENCE)
            runs_scripts = settings.get("java_script_enabled", True)
            visit = Visit(context.new_page(), start, runs_scripts=runs_scripts)
            visit.note(is_local)
            for part, script in {**plain, **(instead or {})}.items():
                visit.page.route(f"**{part}*", answer_with(script))
            visit.page.add_init_script(first)
            visit.page.add_init_script(KEEP_WHAT_STARTS_WIDGETS)
            visit.page.add_init_script(CHANGE_AT_ONCE)
            if not scrolled:
                visit.page.add_init_script(START_ALL_AT_ONCE)
            visit.go_to(name)
            yield visit

    return open_page


@pytest.fixture(scope="session")
def tab(open_page):
    """A tab that shows one page after another, and keeps their common scripts."""
    with open_page("genindex", formulas=True, scrolled=True, viewport=LAPTOP) as visit:
        yield visit


@pytest.fixture(scope="session")
def tab_from_disk(open_page):
    with open_page("genindex", "file", scrolled=True, viewport=LAPTOP) as visit:
        yield visit


@pytest.fixture(scope="session")
def each_page(request, tab) -> Visit:
    """A page with its formulas, which tests of several modules share: it is opened once."""
    tab.page.emulate_media(reduced_motion="null", forced_colors="null")
    tab.turn_to(request.param, LAPTOP, "light")
    return tab


@pytest.fixture(scope="session")
def each_page_from_disk(each_page, tab_from_disk) -> Visit:
    """The same page, its file opened, without formulas."""
    tab_from_disk.turn_to(each_page.name, LAPTOP, "light")
    return tab_from_disk


@pytest.fixture(scope="module")
def turn_to(open_page):
    """`turn_to(name, ...)` is `open_page`, for tests that look at many pages one after another.

    Of pages that are opened in one way, all come in one tab, which keeps their common scripts: to
    open a tab takes longer than to read a page. It forgets what the page before it kept.
    """
    with ExitStack() as stack:
        tabs = {}

        @contextmanager
        def turn_to(name: str, scheme: str = "http", viewport: dict = LAPTOP, **how):
            way = json.dumps([scheme, how], sort_keys=True)
            if visit := tabs.pop(way, None):  # none while another test has it
                visit.turn_to(name, viewport, how.get("color_scheme", "light"))
            else:
                visit = stack.enter_context(open_page(name, scheme, viewport=viewport, **how))
            yield visit
            tabs[way] = visit  # unless the test failed

        yield turn_to


@pytest.fixture(scope="module")
def once(open_page):
    """`once(name, scheme)` is a page that the tests of a module share: it is opened once."""
    with ExitStack() as stack:
        yield cache(
            lambda name, scheme: stack.enter_context(open_page(name, scheme, viewport=LAPTOP))
        )


# Each way to get a page, each size of a screen and each theme to begin with. What is drawn is
# looked at in the other theme as well, by assert_readable.
LOOKS = {
    "http-light-phone": ("http", "light", PHONE),
    "file-dark-projector": ("file", "dark", PROJECTOR),
}


@pytest.fixture(scope="module")
def name_of_page(request) -> str:
    """The page that a module of tests is about."""
    return request.module.PAGE


@pytest.fixture
def begun(once, name_of_page) -> Visit:
    """That page over http, as it begins, though the tests of a module share it."""
    visit = once(name_of_page, "http")
    visit.begin_again()
    yield visit
    visit.assert_nothing_went_wrong()


@pytest.fixture(params=["http", "file"])
def scheme(request) -> str:
    return request.param


@pytest.fixture(params=LOOKS)
def look(request, once, name_of_page):
    """The same over http on a phone, and from disk on a projector.

    Each starts from a page as it begins, and no error may come in any."""
    scheme, mode, viewport = LOOKS[request.param]
    visit = once(name_of_page, scheme)
    visit.begin_again(mode, viewport)
    come_to_rest(visit.page)
    yield visit.page
    visit.assert_nothing_went_wrong()


@pytest.fixture
def attention(once):
    """The chapter on attention as it begins: none of its questions is answered."""
    visit = once(ATTENTION, "http")
    visit.begin_again()
    return visit.page
