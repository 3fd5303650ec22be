"""The shell of a page works where the browser keeps nothing: for as long as the page lives."""

from contextlib import contextmanager

import pytest
from cover import ONE_OF_EACH_FORM
from looking import LAPTOP, PHONE, PROJECTOR, start_widgets, widgets_of

PAGE = "notebooks/02-parallel-transformer"

THROW = 'throw new DOMException("It is not allowed.", "{}")'
BOTH = ("localStorage", "sessionStorage")


def each_storage(descriptor: str) -> str:
    return "".join(f"Object.defineProperty(window, '{name}', {descriptor});" for name in BOTH)


def each_method(*names: str) -> str:
    throw = THROW.format("QuotaExceededError")
    return "".join(f"Storage.prototype.{name} = () => {{ {throw} }};" for name in names)


FAKE = """{ value: {
    getItem: () => null, removeItem() {}, clear() {},
    setItem() { throw new DOMException("full", "QuotaExceededError") },
} }"""
BLOCKS = {
    "forbidden": each_storage(f"{{ get() {{ {THROW.format('SecurityError')} }} }}"),
    "full": each_method("setItem"),
    "broken": each_method("getItem", "setItem", "removeItem", "clear", "key"),
    "null": each_storage("{ get: () => null }"),
    "missing": "delete window.localStorage; delete window.sessionStorage;",
    "another-object": each_storage(FAKE),
}


@contextmanager
def page_where(open_page, block: str, name: str, scheme: str = "http", **settings):
    """The page from its first line on in a browser that keeps nothing."""
    with open_page(name, scheme, first=BLOCKS[block], viewport=LAPTOP, **settings) as visit:
        yield visit
        visit.assert_nothing_went_wrong()


def theme_of(page) -> str:
    return page.locator("html").get_attribute("data-theme")


def assert_the_switch_works(page):
    before, switch = theme_of(page), page.locator(".article-header-buttons .theme-switch-button")
    seen = []
    for _ in range(3):
        switch.click()
        seen.append((theme_of(page), page.locator("html").get_attribute("data-mode")))
    assert {mode for _, mode in seen} == {"auto", "light", "dark"}
    assert {theme for theme, _ in seen} == {"light", "dark"}
    assert theme_of(page) == before


def assert_search_works(page):
    text = page.locator("article p").first
    text.click()  # the keys are for the page that was clicked last
    text.page.keyboard.press("Control+k")
    box = page.locator("#pst-search-dialog input[name=q]")
    box.wait_for()
    box.fill("softmax")
    box.press("Enter")
    page.locator("#search-results li a").first.wait_for()


def assert_the_menu_works(page):
    page.locator(".primary-toggle").click()
    page.locator("dialog[open] a", has_text="Glossary").wait_for()


# On a laptop nothing that a chapter prints is too wide. The theme looks again at another width.
PRINT_A_LONG_LINE = """() => {
    document.querySelector(".cell_output pre").append("wide ".repeat(100));
    dispatchEvent(new Event("resize"));
}"""


def assert_wide_code_takes_the_focus(page):
    focusable = """() => [...document.querySelectorAll("pre")]
        .filter((code) => code.scrollWidth > code.clientWidth)
        .map((code) => code.closest("[tabindex='0']") !== null)"""
    page.evaluate(PRINT_A_LONG_LINE)
    page.wait_for_function(f"() => ({focusable})().includes(true)")
    assert all(page.evaluate(focusable))


SERVED = [(block, "http") for block in BLOCKS]


@pytest.fixture(scope="module", params=[*SERVED, ("forbidden", "file")], ids="-".join)
def opened(request, open_page):
    """The page, whose formulas look for what the browser keeps too."""
    block, scheme = request.param
    with page_where(open_page, block, PAGE, scheme, formulas=True) as visit:
        yield visit


@pytest.fixture
def blocked(opened):
    yield opened.page
    opened.assert_nothing_went_wrong()


def test_widgets_start_and_code_takes_the_focus(blocked):
    states = [widget.get_attribute("data-state") for widget in widgets_of(blocked).all()]
    assert set(states) == {"started"}
    assert_wide_code_takes_the_focus(blocked)


def test_the_switch_works(blocked):
    assert_the_switch_works(blocked)


def test_what_is_kept_is_there_as_long_as_the_page(blocked):
    read = blocked.evaluate(
        """() => [localStorage, sessionStorage].map((storage) => {
            storage.setItem("a", 1);
            storage.setItem("b", "two");
            const kept = [storage.getItem("a"), storage.getItem("b"), storage.getItem("c")];
            storage.removeItem("a");
            kept.push(storage.getItem("a"));
            storage.clear();
            return [...kept, storage.getItem("b")];
        })"""
    )
    assert read == [["1", "two", None, None, None]] * 2


def test_the_menu_works_on_a_phone(blocked):
    blocked.set_viewport_size(PHONE)
    assert_the_menu_works(blocked)
    blocked.keyboard.press("Escape")
    blocked.set_viewport_size(LAPTOP)


@pytest.mark.parametrize("opened", SERVED, indirect=True, ids="-".join, scope="module")
def test_the_search_works(opened):
    """It leads to another page. From disk no browser lets the search fetch its excerpts."""
    assert_search_works(opened.page)


@pytest.mark.parametrize("name", [*ONE_OF_EACH_FORM, "book/faq", "search", "genindex"])
def test_no_other_page_reports_an_error(turn_to, name):
    with page_where(turn_to, "forbidden", name):
        pass


def test_a_storage_that_fills_up_later_gives_what_was_kept_last(open_page):
    with open_page(PAGE) as visit:
        visit.page.evaluate("localStorage.setItem('mode', 'light')")
        visit.page.evaluate(f"{BLOCKS['full']} null")
        visit.page.evaluate("localStorage.setItem('mode', 'dark')")
        assert visit.page.evaluate("localStorage.getItem('mode')") == "dark"
        visit.assert_nothing_went_wrong()


def test_a_storage_that_works_is_the_browser_s_own(open_page):
    """Every way to use it leads to what the browser keeps."""
    with open_page(PAGE) as visit:
        page = visit.page
        page.evaluate("localStorage.clear()")
        page.evaluate("localStorage.setItem('one', 'a'); localStorage.two = 'b'")
        page.reload()
        kept = page.evaluate("({ ...localStorage })")
        assert kept == {"one": "a", "two": "b", "mode": "auto", "theme": kept["theme"]}
        names = "Array.from({ length: localStorage.length }, (_, i) => localStorage.key(i))"
        assert sorted(page.evaluate(names)) == sorted(kept)


def test_a_choice_of_colours_is_there_again(open_page):
    with open_page(PAGE, color_scheme="light") as visit:
        page = visit.page
        page.locator(".article-header-buttons .theme-switch-button").click()
        assert theme_of(page) == "dark"
        page.reload()
        assert theme_of(page) == "dark"
        visit.assert_nothing_went_wrong()


@pytest.fixture(scope="module")
def in_the_dark(open_page):
    with open_page(PAGE, color_scheme="dark") as visit:
        yield visit


@pytest.mark.parametrize("kept", ["", "edit", "null", "DARK"])
def test_colours_that_something_else_kept_are_passed_over(in_the_dark, kept):
    """Other pages of the same server may use the same names."""
    page = in_the_dark.page
    for name in ("mode", "theme"):
        page.evaluate("([name, kept]) => localStorage.setItem(name, kept)", [name, kept])
    page.reload()
    assert theme_of(page) == "dark"
    in_the_dark.assert_nothing_went_wrong()


@pytest.fixture
def sandboxed(browser, addresses):
    """The page in a frame that may run scripts and do nothing else, with what goes wrong in it."""
    with browser.new_page(viewport=PROJECTOR) as page:
        errors = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        frame = f"<iframe sandbox=allow-scripts src='{PAGE}.html' width=1300 height=800></iframe>"
        page.route("**/frame.html", lambda route: route.fulfill(body=frame))
        page.goto(f"{addresses['http']}/frame.html")
        yield page.frames[1], errors


def test_in_a_sandboxed_frame_everything_works(sandboxed):
    frame, errors = sandboxed
    start_widgets(frame)
    assert {w.get_attribute("data-state") for w in widgets_of(frame).all()} == {"started"}
    assert_the_switch_works(frame)
    assert_wide_code_takes_the_focus(frame)
    assert_search_works(frame)
    assert errors == []
