"""The first screen of the book: what the model is, what came out, and the model itself."""

import re

import pytest
from looking import PAGES
from test_pages import sent_bytes

PAGE = PAGES[0]
LIVE, FIGURE = ".live-front > summary", "figure.recorded"
BOTTOM = "(element) => element.getBoundingClientRect().bottom + scrollY"


@pytest.fixture(scope="module")
def front(open_page):
    with open_page(PAGE) as visit:
        visit.page.locator(".live-front").evaluate("(details) => (details.open = false)")
        yield visit


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize(("width", "screens"), [(1280, 1), (375, 2)])
def test_the_first_screen_shows_the_live_model_and_the_result(front, mode, width, screens):
    """Both at once on a laptop; on a phone the figure comes with one screen of scrolling."""
    front.change_to(mode, {"width": width, "height": 720})
    page, figure = front.page, front.page.locator(FIGURE)
    page.evaluate("scrollTo(0, 0)")
    assert page.locator(LIVE).evaluate(BOTTOM) <= 720
    assert figure.evaluate(BOTTOM) <= 720 * screens
    assert figure.locator("svg").evaluate(
        "(svg) => svg.querySelector('text') && getComputedStyle(svg).color"
    ) == page.locator("article p").first.evaluate("(p) => getComputedStyle(p).color")


def test_the_model_comes_when_a_reader_asks_for_it_and_not_before(open_page, book, addresses):
    with open_page(PAGES[-1], formulas=True, scrolled=True) as visit:
        visit.page.goto(f"{visit.start}/{PAGE}.html")  # as readers do: nothing is unfolded for them
        visit.page.evaluate("scrollTo(0, document.body.scrollHeight)")
        visit.page.wait_for_timeout(300)
        begin = addresses["http"]
        paths = [book / url.removeprefix(begin).lstrip("/") for url in visit.loaded]
        assert not any("buffers" in str(path) for path in paths)
        assert sum(sent_bytes(path) for path in paths if path.is_file()) < 0.8e6
        visit.page.locator(LIVE).click()
        widget = visit.page.locator(".live-front .feedback-widget[data-state=started]")
        widget.wait_for()
        widget.get_by_role("button", name=re.compile("^Step")).click()
        visit.assert_nothing_went_wrong()


def test_two_models_learn_below_the_figure_by_a_single_button(open_page):
    with open_page(PAGE, viewport={"width": 1280, "height": 720}) as visit:
        widget = visit.page.locator(".feedback-widget[data-widget=train_in_the_page]")
        assert widget.locator("button, select, input, textarea").count() == 1
        figure, top = visit.page.locator(FIGURE).evaluate(BOTTOM), widget.bounding_box()["y"]
        assert top + visit.page.evaluate("scrollY") > figure
        widget.get_by_role("button", name="Train").click()
        widget.locator(".sentence", has_text=re.compile(r"After \d+0 updates")).wait_for()
        widget.get_by_role("button", name="Pause").click()
        widget.locator("[aria-busy=false]").wait_for()
        assert widget.locator(".right .line").count() == 2
        visit.assert_nothing_went_wrong()
