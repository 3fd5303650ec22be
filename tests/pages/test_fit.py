"""Nothing is cut and nothing makes a page scroll sideways: on small screens, enlarged, on paper."""

import json

import pytest
from looking import LAPTOP, PHONE, ROOT, come_to_rest, scrolls_sideways
from wide_cells import WIDTHS, scrolling_code

PAGE = "notebooks/07-whole-sequence"
LARGE_TEXT = "document.documentElement.style.fontSize = '24px'"
PAPER = {"width": 680, "height": 1000}  # A4 without its margins of 15 mm, at 96 px an inch

# What juts out of the page or of its own box, though it may not scroll on paper.
CUT = """() => {
    const out = (one) => one.getBoundingClientRect().right > innerWidth + 1;
    const cut = (one) => one.scrollWidth > one.clientWidth + 1;
    const named = (one) => `${one.tagName}.${one.className}: ${one.textContent.slice(0, 60)}`;
    const boxes = "pre, table, img, svg, mjx-container, .output, .feedback-view";
    const shown = [...document.querySelectorAll("article :is(" + boxes + ")")].filter((one) =>
        one.checkVisibility(),
    );
    return [
        ...shown.filter(out),
        ...shown.filter((one) => one.matches("pre, .output") && cut(one)),
    ].map(named);
}"""
WIDE_FORMULAS = """() => [...document.querySelectorAll("article mjx-container[display]")]
    .filter((one) => one.scrollWidth > one.clientWidth)
    .map((one) => one.textContent.slice(0, 60))"""
# Widgets that reach out of the page, or that the page cuts.
JUTTING_WIDGETS = """() => [...document.querySelectorAll(".feedback-widget")].filter((widget) => {
    const { left, right } = widget.querySelector(".feedback-view").getBoundingClientRect();
    return left < 0 || right > innerWidth;
}).map((widget) => widget.dataset.widget)"""
# What the bar above each folded cell says.
BARS = """() => [...document.querySelectorAll("article details.hide > summary")].map((bar) =>
    [...bar.children].filter((one) => one.checkVisibility()).map((one) => one.classList[0]),
)"""
# Of lines that wrap: how far their other rows stand to the right of where they begin.
HANGING = """() => [...document.querySelectorAll("article .cell_input .line")].flatMap((line) => {
    const range = document.createRange();
    range.selectNodeContents(line);
    range.setStart(...firstLetter(line));
    const rows = new Map();
    for (const { left, bottom, width } of range.getClientRects()) {
        const row = Math.round(bottom / 4);
        if (width > 0) rows.set(row, Math.min(left, rows.get(row) ?? Infinity));
    }
    const [first, ...others] = rows.values();
    return others.map((left) => left - first);

    function firstLetter(line) {
        const texts = document.createTreeWalker(line, NodeFilter.SHOW_TEXT);
        while (texts.nextNode()) {
            const at = texts.currentNode.data.search(/\\S/);
            if (at >= 0) return [texts.currentNode, at];
        }
        return [line, 0];
    }
})"""


@pytest.fixture(scope="module")
def visit(each_page):
    each_page.change_to("dark")
    yield each_page
    each_page.page.evaluate("dispatchEvent(new Event('afterprint'))")


def test_no_formula_scrolls_sideways_on_a_laptop(visit):
    assert visit.page.evaluate(WIDE_FORMULAS) == []


def test_no_page_no_code_and_no_widget_is_too_wide_whatever_the_width_and_the_text(visit):
    wide = []
    for large in (False, True):
        if large:
            visit.page.evaluate(LARGE_TEXT)
        for width in WIDTHS:
            visit.page.set_viewport_size({"width": width, "height": 800})
            if scrolls_sideways(visit.page):
                wide.append(("the page", width, large))
            juts = [*scrolling_code(visit.page), *visit.page.evaluate(JUTTING_WIDGETS)]
            wide += [(one, width, large) for one in juts]
    visit.page.evaluate("document.documentElement.style.fontSize = ''")
    assert wide == []


def test_nothing_is_cut_on_paper_and_all_is_light(visit):
    visit.page.set_viewport_size(PAPER)
    visit.page.emulate_media(media="print")
    visit.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    come_to_rest(visit.page)
    assert visit.page.evaluate(CUT) == []
    assert visit.page.locator("html").get_attribute("data-theme") == "light"
    assert not visit.page.locator(".bd-header, .bd-header-article, .copybtn").first.is_visible()


@pytest.fixture
def chapter(once):
    visit = once(PAGE, "http")
    visit.begin_again()
    yield visit.page
    visit.assert_nothing_went_wrong()


def test_a_line_that_wraps_goes_on_deeper_than_it_begins(chapter):
    chapter.set_viewport_size(PHONE)
    hanging = chapter.evaluate(HANGING)
    assert len(hanging) > 100
    assert min(hanging) > 5


def test_what_is_copied_is_what_was_written_though_it_wraps(chapter):
    chapter.set_viewport_size(PHONE)
    notebook = json.loads((ROOT / f"{PAGE}.ipynb").read_text("utf-8"))
    written = {"".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"}
    copied = chapter.evaluate(
        """() => [...document.querySelectorAll(".cell_input pre")].map((pre) => {
            const solution = pre.closest("details");
            if (solution) solution.open = true;
            getSelection().selectAllChildren(pre);
            const copied = [pre.innerText, getSelection().toString()]; // by its button, by hand
            if (solution) solution.open = false;
            return copied;
        })"""
    )
    assert len(copied) > 20
    for of_button, by_hand in copied:
        assert of_button.rstrip("\n") in written
        assert by_hand.rstrip("\n") in written


def test_a_reader_who_wants_whole_lines_keeps_them_on_the_next_page_but_not_on_paper(open_page):
    with open_page(PAGE, viewport=PHONE) as visit:
        page, button = visit.page, visit.page.locator(".btn-wrap-lines")
        assert button.get_attribute("aria-pressed") == "true"
        button.click()
        assert button.get_attribute("aria-pressed") == "false"
        assert len(scrolling_code(page)) > 20
        assert not scrolls_sideways(page)
        page.reload()
        assert len(scrolling_code(page)) > 20
        page.emulate_media(media="print")
        page.set_viewport_size(PAPER)
        assert scrolling_code(page) == []
        page.emulate_media(media="screen")
        button.click()
        assert scrolling_code(page) == []


def test_the_bar_above_a_folded_cell_says_one_thing(chapter):
    bars = chapter.evaluate(BARS)
    assert bars == [["collapsed"]] * len(bars) != []
    chapter.locator("article details.hide > summary").first.click()
    assert chapter.evaluate(BARS)[0] == ["expanded"]
    chapter.locator("article details.hide > summary").first.click()


def test_a_folded_solution_is_printed_if_the_reader_says_so(chapter):
    chapter.evaluate(
        """() => {
            const solutions = [...document.querySelectorAll("article details.hide")];
            window.openSolutions = () => solutions.map((one) => one.open);
            window.print = () => (window.printed = openSolutions());
        }"""
    )
    solutions = chapter.locator("article details.hide")
    chapter.emulate_media(media="print")
    assert not any(one.is_visible() for one in solutions.all())
    chapter.emulate_media(media="screen")
    before = chapter.evaluate("openSolutions()")
    assert before and not any(before)
    chapter.locator(".btn-print-solutions").evaluate("(button) => button.click()")
    assert all(chapter.evaluate("window.printed"))
    chapter.emulate_media(media="print")
    assert all(one.locator("pre").first.is_visible() for one in solutions.all())
    chapter.evaluate("dispatchEvent(new Event('afterprint'))")
    assert chapter.evaluate("openSolutions()") == before


def test_a_widget_that_was_not_near_yet_is_printed_as_a_picture(open_page):
    with open_page("notebooks/09-timing", scrolled=True, viewport=LAPTOP) as visit:
        far = visit.page.locator(".feedback-widget:not([data-state])")
        visit.page.reload()
        assert far.count() > 0
        visit.page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert far.count() == 0
