"""Projector mode: large, nothing cut, stepped through by keys alone, on until switched off."""

import pytest
from looking import START_AGAIN, come_to_rest, scrolls_sideways, start_widgets
from questions import MEMORY, question
from test_accessibility import AXE, UNFOLD, broken_rules, broken_rules_of_colors
from test_blocked_storage import BLOCKS

ROOM = {"width": 1280, "height": 720}
STATES, TIMES = "notebooks/03-what-parallel-struggles-with", "notebooks/09-timing"
LIVE = "book/live-model"

# What reaches out of the page, though nothing around it scrolls; and what is wider than its own
# box, though the Tab key and the arrows cannot bring the rest into view.
CUT = """() => {
    const parts = [...document.querySelectorAll(
    "article :is(p, li, pre, table, figure, svg, button, mjx-container, .output, .feedback-view)"
    )].filter((one) => one.checkVisibility() && !one.closest(".spoken, mjx-assistive-mml"));
    const scrolls = (one) => /auto|scroll/.test(getComputedStyle(one).overflowX);
    const within = (one) => one !== null && (scrolls(one) || within(one.parentElement));
    const out = (one) => {
        const { left, right } = one.getBoundingClientRect();
        return (left < -1 || right > innerWidth + 1) && !within(one.parentElement);
    };
    const stuck = (one) =>
        one.matches("pre, mjx-container[display], .output") &&
        one.scrollWidth > one.clientWidth + 1 &&
        !(scrolls(one) && one.closest("[tabindex='0']"));
    return parts.filter((one) => out(one) || stuck(one))
        .map((one) => `${one.tagName}: ${one.textContent.trim().slice(0, 60)}`);
}"""
SIZE = """(one) => {
    const range = document.createRange();
    range.selectNodeContents(one);
    return range.getClientRects()[0].height;
}"""
SEEN_HEADING = """() => {
    const heading = document.activeElement;
    return [heading.textContent, heading.getBoundingClientRect().top];
}"""
HEADINGS = "article :is(h1, h2, h3)"


def is_on(page) -> bool:
    return page.locator("html").get_attribute("data-projector") == "on"


def switch(page, on: bool):
    if is_on(page) != on:
        page.keyboard.press("F8")
    assert is_on(page) == on


def test_nothing_is_cut_in_projector_mode(each_page):
    page = each_page.page
    each_page.change_to("light", ROOM)
    switch(page, True)
    come_to_rest(page)
    page.wait_for_function(f"() => !({CUT})().length")  # the Tab key gets what scrolls a bit later
    assert not scrolls_sideways(page)
    switch(page, False)
    each_page.change_to("light")


@pytest.fixture
def chapter(once):
    visit = once(STATES, "http")
    visit.begin_again(viewport=ROOM)
    come_to_rest(visit.page)
    switch(visit.page, True)
    yield visit.page
    switch(visit.page, False)
    visit.assert_nothing_went_wrong()


def test_all_is_larger_as_many_times_as_the_window_is_wider_than_800_pixels(chapter):
    text, code = chapter.locator("article p").nth(3), chapter.locator("article pre .line").first
    widget = chapter.locator(".feedback-view").first
    sizes = [one.evaluate(SIZE) for one in (text, code, widget.locator("button").first)]
    chapter.keyboard.press("F8")
    small = [one.evaluate(SIZE) for one in (text, code, widget.locator("button").first)]
    chapter.keyboard.press("F8")
    for large, before in zip(sizes, small, strict=True):
        assert large / before == pytest.approx(1.6, rel=0.05)
    chapter.set_viewport_size({"width": 1920, "height": 1080})
    assert code.evaluate(SIZE) / small[1] == pytest.approx(2.4, rel=0.05)


def test_nothing_stands_beside_the_text_and_a_line_says_what_keys_do(chapter):
    line = chapter.locator(".projector-keys")
    assert line.is_visible() and "F8" in line.text_content()
    box = line.bounding_box()
    assert box["y"] + box["height"] <= ROOM["height"] and box["height"] < 60
    for side in (".bd-sidebar-primary", ".bd-sidebar-secondary", ".sidebar-toggle"):
        assert not chapter.locator(side).first.is_visible()
    chapter.keyboard.press("F8")
    assert not line.is_visible()
    assert chapter.locator(".bd-sidebar-primary").is_visible()
    chapter.keyboard.press("F8")


def test_two_keys_go_through_all_headings_and_back(chapter):
    titles = chapter.locator(HEADINGS).all_text_contents()
    assert len(titles) > 8
    seen = []
    for _ in titles:
        chapter.keyboard.press("n")
        title, top = chapter.evaluate(SEEN_HEADING)
        seen.append(title)
        assert 0 <= top < ROOM["height"]
    assert seen == [*titles[1:], titles[-1]] or seen == titles  # the first may be at the top
    chapter.keyboard.press("p")
    assert chapter.evaluate(SEEN_HEADING)[0] == titles[-2]


HAS_COME_TO_STAND = """async () => {
    for (let last, same = 0; same < 6; last = scrollY) {
        await new Promise(requestAnimationFrame);
        same = scrollY === last ? same + 1 : 0;
    }
    return scrollY;
}"""


def test_a_remote_control_leads_through_the_page_and_skips_nothing(open_page):
    with open_page("book/faq", viewport=ROOM) as visit:
        page = visit.page
        switch(page, True)
        header = page.locator(".bd-header-article").bounding_box()["height"]
        places = [0]
        while len(places) < 3 or places[-1] != places[-2]:
            page.keyboard.press("PageDown")
            places.append(page.evaluate(HAS_COME_TO_STAND))
        end = page.evaluate("document.documentElement.scrollHeight - innerHeight")
        assert places[-1] == pytest.approx(end, abs=2) and len(places) > 5
        steps = [after - before for before, after in zip(places, places[1:], strict=False)]
        assert max(steps) <= ROOM["height"] - header
        page.keyboard.press("PageUp")
        assert page.evaluate(HAS_COME_TO_STAND) < places[-1]


def test_arrows_set_the_widget_in_view(chapter):
    steps = chapter.locator("[data-widget=critical_path] .player input")
    steps.evaluate("(one) => one.scrollIntoView({ block: 'center', behavior: 'instant' })")
    before = int(steps.input_value())
    sentence = chapter.locator("[data-widget=critical_path] .sentence").inner_text()
    chapter.keyboard.press("ArrowLeft" if before else "ArrowRight")
    assert abs(int(steps.input_value()) - before) == 1
    assert chapter.locator("[data-widget=critical_path] .sentence").inner_text() != sentence
    chapter.keyboard.press("ArrowRight")  # which the slider now takes itself
    chapter.keyboard.press("ArrowRight")
    assert int(steps.input_value()) - before in (1, 3)


def test_arrows_set_a_question_a_list_and_a_model(open_page):
    with open_page(MEMORY, viewport=ROOM) as visit:
        page = visit.page
        switch(page, True)
        page.keyboard.press("n")
        place = question(page, 0)
        place.evaluate("(one) => one.scrollIntoView({ block: 'center', behavior: 'instant' })")
        for index in (0, 1, 2):
            page.keyboard.press("ArrowRight")
            assert place.get_by_role("radio").nth(index).is_checked()
        page.goto(page.url.replace(MEMORY, TIMES))
        start_widgets(page)
        menu = page.locator("[data-widget=timing_explorer] select:visible").first
        menu.evaluate("(one) => one.scrollIntoView({ block: 'center', behavior: 'instant' })")
        before = menu.evaluate("(one) => one.selectedIndex")
        page.keyboard.press("ArrowRight")
        assert menu.evaluate("(one) => one.selectedIndex") == before + 1
        page.goto(page.url.replace(TIMES, LIVE))
        start_widgets(page)
        page.keyboard.press("ArrowLeft")
        assert page.get_by_label("Character to look at").input_value() == "5"  # of seven
        visit.assert_nothing_went_wrong()


def test_who_writes_or_searches_keeps_all_keys(chapter):
    chapter.keyboard.press("n")
    where = chapter.evaluate("scrollY")
    chapter.keyboard.press("Control+k")
    box = chapter.locator("#pst-search-dialog input[name=q]")
    box.wait_for()
    for key in ("n", "p", "ArrowLeft"):
        chapter.keyboard.press(key)
    assert box.input_value() == "np" and chapter.evaluate("scrollY") == where
    chapter.keyboard.press("Escape")
    chapter.keyboard.press("Control+n")  # the browser's
    assert chapter.evaluate("scrollY") == where


def test_no_key_does_anything_where_it_is_off(chapter):
    chapter.keyboard.press("F8")
    chapter.evaluate("scrollTo(0, 0)")
    for key in ("n", "p", "ArrowRight"):
        chapter.keyboard.press(key)
    assert chapter.evaluate("scrollY") == 0
    assert chapter.evaluate("document.activeElement.tagName") == "BODY"
    chapter.keyboard.press("F8")


def test_what_was_read_stays_in_view(chapter):
    part = chapter.locator("article h2").nth(3)
    part.evaluate("(one) => one.scrollIntoView({ block: 'start', behavior: 'instant' })")
    for _ in range(2):
        chapter.keyboard.press("F8")
        assert 0 <= part.bounding_box()["y"] < ROOM["height"] / 2


def test_it_stays_on_over_pages_and_reloading_until_it_is_switched_off(open_page, scheme):
    with open_page("book/faq", scheme, viewport=ROOM) as visit:
        page, button = visit.page, visit.page.locator(".btn-projector")
        assert button.get_attribute("aria-pressed") == "false"
        button.press("Enter")
        assert is_on(page) and button.get_attribute("aria-pressed") == "true"
        page.locator(".right-next").click()
        page.wait_for_url("**/notation.html")
        assert is_on(page) and page.locator(".projector-keys").is_visible()
        page.reload()
        assert is_on(page)
        page.locator(".btn-projector").press("Enter")
        page.reload()
        assert not is_on(page)
        assert page.locator(".btn-projector").get_attribute("aria-pressed") == "false"
        visit.assert_nothing_went_wrong()


def test_it_works_for_as_long_as_the_page_lives_where_the_browser_keeps_nothing(open_page):
    with open_page("book/faq", "file", first=BLOCKS["forbidden"], viewport=ROOM) as visit:
        for on in (True, False, True):
            switch(visit.page, on)
        visit.assert_nothing_went_wrong()


def test_paper_stays_as_it_is(chapter):
    chapter.emulate_media(media="print")
    assert chapter.locator("article").evaluate("(one) => getComputedStyle(one).zoom") == "1"
    assert not chapter.locator(".projector-keys").is_visible()
    chapter.emulate_media(media="screen")


def test_axe_finds_nothing_in_projector_mode(open_page):
    with open_page(MEMORY, formulas=True, viewport=ROOM, reduced_motion="reduce") as visit:
        page = visit.page
        page.evaluate(START_AGAIN)
        start_widgets(page)
        switch(page, True)
        page.evaluate(AXE)
        page.evaluate(UNFOLD)
        found = {"rules": broken_rules(page), "light": broken_rules_of_colors(page)}
        visit.change_to("dark", ROOM)
        found["dark"] = broken_rules_of_colors(page)
        assert found == {"rules": [], "light": [], "dark": []}
