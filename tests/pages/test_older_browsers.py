"""Where a browser lacks what widgets need, each says so, and its sentence and question stay."""

import json
import re

import pytest
from cover import ONE_OF_EACH_FORM
from looking import (
    LAPTOP,
    PAGES,
    ROOT,
    answer_with,
    html_of,
    kinds_on,
    lightest_page_with,
    parsed,
    state_of,
    widgets_of,
)

WIDGET_PAGES = [page for page in PAGES if kinds_on(page)]
QUESTION = ".feedback-widget[data-widget=predict_then_reveal]"
QUESTION_PAGES = [page for page in PAGES if "predict_then_reveal" in kinds_on(page)]
LIGHT_PAGE = lightest_page_with("predict_then_reveal")

LACKS = {
    "every-test-of-css": "CSS.supports = () => false;",
    "tests-of-css": "delete window.CSS;",
    "color-mix": """(() => {
        const supports = CSS.supports;
        CSS.supports = (...asked) =>
            !asked.join().includes("color-mix") && supports.apply(CSS, asked);
    })();""",
    "names-for-screen-readers": "delete Element.prototype.ariaLabel;",
    "ResizeObserver": "delete window.ResizeObserver;",
    "IntersectionObserver": "delete window.IntersectionObserver;",
    "at": "delete Array.prototype.at;",
}


@pytest.mark.parametrize("feature", LACKS)
def test_each_feature_that_is_missing_is_said(open_page, feature):
    with open_page(LIGHT_PAGE, first=LACKS[feature], viewport=LAPTOP) as visit:
        for widget in widgets_of(visit.page).all():
            assert_it_names_the_browsers(widget)


@pytest.mark.parametrize("name", ONE_OF_EACH_FORM)
def test_in_a_browser_that_is_too_old_every_widget_says_which_can_show_it(turn_to, name):
    with turn_to(name, first=LACKS["every-test-of-css"], viewport=LAPTOP) as visit:
        sentences = visit.page.evaluate(FIRST_SENTENCES, html_of(name))
        widgets = widgets_of(visit.page).all()
        assert len(widgets) == len(sentences) > 0
        for widget, sentence in zip(widgets, sentences, strict=True):
            assert_it_names_the_browsers(widget)
            assert widget.get_by_text(sentence, exact=True).is_visible()


# Of each widget of a page as it was written, before any started.
FIRST_SENTENCES = """(html) => {
    const page = new DOMParser().parseFromString(html, "text/html");
    const widgets = [...page.querySelectorAll(".feedback-widget")];
    return widgets.map((widget) => widget.querySelector("p").textContent);
}"""


def assert_it_names_the_browsers(widget):
    assert widget.get_attribute("data-state") == "failed"
    error = widget.locator(".feedback-widget-error")
    assert error.is_visible() and error.count() == 1
    for browser in ("Chrome", "Edge", "Firefox", "Safari"):
        assert re.search(rf"\b{browser}\b.* \d+", error.text_content())
    assert widget.locator(".feedback-view").count() == 0


def test_the_readme_names_the_same_browsers(open_page):
    with open_page(WIDGET_PAGES[0], first=LACKS["at"]) as visit:
        said = widgets_of(visit.page).first.text_content()
        readme = re.sub(r"\s+", " ", (ROOT / "README.md").read_text("utf-8"))
        browsers = re.search(r"Chrome and Edge from version .* Safari from [\d.]+\d", said)[0]
        assert browsers in readme


# ---- what style sheets need ----

# What is newer than the browsers that are named: nested rules, and these.
NEWER = ("light-dark(", "(scripting", "in oklab to", "@scope", "@starting-style", "&")


NESTED = """(text) => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(text);
    const inner = (rule) => [...(rule.cssRules ?? [])];
    const all = (rules) => rules.flatMap((rule) => [rule, ...all(inner(rule))]);
    return all([...sheet.cssRules])
        .filter((rule) => rule instanceof CSSStyleRule && inner(rule).length > 0)
        .map((rule) => rule.selectorText);
}"""


def test_style_sheets_of_widgets_need_nothing_newer(shared, book):
    sheets = sorted(book.glob("_static/widgets/*.css"))
    assert {sheet.stem for sheet in sheets} == {kind for page in PAGES for kind in kinds_on(page)}
    for sheet in sheets:
        text = re.sub(r"(?s)/\*.*?\*/", "", sheet.read_text("utf-8"))
        assert shared.evaluate(NESTED, text) == [], sheet
        assert [part for part in NEWER if part in text] == [], sheet


@pytest.fixture
def shared(once):
    visit = once(WIDGET_PAGES[0], "http")
    visit.begin_again()
    return visit.page


SAID = {
    "the book, light": "document.documentElement.dataset.theme = 'light'",
    "the book, dark": "document.documentElement.dataset.theme = 'dark'",
    "JupyterLab, light": "document.body.dataset.jpThemeLight = 'true'",
    "JupyterLab, dark": "document.body.dataset.jpThemeLight = 'false'",
    "Colab, light": "document.documentElement.setAttribute('theme', 'light')",
    "Colab, dark": "document.documentElement.setAttribute('theme', 'dark')",
    "nobody": "",
}
UNSAID = """
delete document.documentElement.dataset.theme;
delete document.body.dataset.jpThemeLight;
document.documentElement.removeAttribute("theme");
"""


@pytest.mark.parametrize("system", ["light", "dark"])
def test_colours_follow_the_page_and_else_the_system(shared, system):
    shared.emulate_media(color_scheme=system)
    shared.locator(f"html[data-theme={system}]").wait_for()
    for where, said in SAID.items():
        shared.evaluate(f"() => {{ {UNSAID} {said} }}")
        expected = system if where == "nobody" else where.rpartition(" ")[2]
        assert is_dark(shared) == (expected == "dark"), where
    shared.evaluate(f"() => {{ {UNSAID} document.documentElement.dataset.theme = '{system}' }}")


@pytest.mark.parametrize("system", ["light", "dark"])
def test_in_high_contrast_colours_follow_the_system(shared, system):
    shared.emulate_media(color_scheme=system, forced_colors="active")
    for said in SAID.values():
        shared.evaluate(f"() => {{ {UNSAID} {said} }}")
        assert is_dark(shared) == (system == "dark"), said
    shared.emulate_media(forced_colors="none")
    shared.evaluate(f"() => {{ {UNSAID} document.documentElement.dataset.theme = '{system}' }}")


def is_dark(page) -> bool:
    """Whether text, paper and controls are in the colours for dark, all of them."""
    seen = page.locator(".feedback-view").first.evaluate(
        """(view) => {
            const probe = view.appendChild(document.createElement("i"));
            probe.style.forcedColorAdjust = "none";
            const sum = (color) => {
                probe.style.color = `var(${color})`;
                return getComputedStyle(probe).color.match(/[0-9]+/g).reduce((a, b) => a + +b, 0);
            };
            const dark = [sum("--text") > 384, sum("--paper") < 384];
            probe.remove();
            const scheme = getComputedStyle(view).colorScheme; // in high contrast it is both
            return scheme === "light dark" ? dark : [...dark, scheme === "dark"];
        }"""
    )
    assert len(set(seen)) == 1, seen
    return seen[0]


# ---- what goes wrong is said, and the text stays ----


@pytest.mark.parametrize("name", WIDGET_PAGES[:2])
def test_a_style_sheet_that_is_lost_is_said_in_place_of_its_widget(open_page, name):
    kind = kinds_on(name)[0]
    with open_page(name, instead={f"/_static/widgets/{kind}.css": ""}) as visit:
        for widget in widgets_of(visit.page).all():
            is_lost = widget.get_attribute("data-widget") == kind
            assert widget.get_attribute("data-state") == ("failed" if is_lost else "started")
            if is_lost:
                assert f"{kind}.css" in widget.locator(".feedback-widget-error").text_content()
                assert widget.locator("p:not(.feedback-widget-error)").first.is_visible()


FAILS = """registerFeedbackWidget("NAME", () => {
    const fail = (el) => {
        const message = document.createElement("p");
        message.className = "feedback-widget-error";
        el.replaceChildren(message);
    };
    return { localModel: () => ({}), render({ el }) { el.append("drawn"); WHEN } };
});"""


@pytest.mark.parametrize("when", ["fail(el);", "setTimeout(() => fail(el), 300);"])
def test_a_widget_that_fails_gives_its_text_back(open_page, when):
    name = WIDGET_PAGES[0]
    kind = kinds_on(name)[0]
    script = FAILS.replace("NAME", kind).replace("WHEN", when)
    with open_page(name, instead={f"/_static/widgets/{kind}.js": script}) as visit:
        failed = visit.page.locator(f".feedback-widget[data-widget={kind}][data-state=failed]")
        failed.first.wait_for()
        text = failed.first.locator("p:not(.feedback-widget-error)").first
        assert text.is_visible() and text.text_content().strip()


# ---- a question never shows its answer first ----

INSTEAD = {
    "no-style-sheet": {".css": ""},
    "no-runtime": {"/_static/widgets.js": ""},
    "a-runtime-that-cannot-be-read": {"/_static/widgets.js": "const = ;"},
    "no-widget": {"/_static/widgets/predict_then_reveal.js": ""},
    "a-widget-that-cannot-be-read": {"/_static/widgets/predict_then_reveal.js": "const = ;"},
    "no-style-sheet-of-questions": {"/_static/widgets/predict_then_reveal.css": ""},
}


def assert_the_answer_comes_last(place):
    """The question can be read, and its answer only once it was asked for."""
    state = state_of(place)
    assert state["question"] in place.inner_text()
    assert state["explanation"] not in place.inner_text()
    assert "Answer: " not in place.inner_text()
    place.locator("summary", has_text="Answer").click()
    assert state["explanation"] in place.inner_text()


@pytest.mark.parametrize("name", [page for page in ONE_OF_EACH_FORM if page in QUESTION_PAGES])
def test_without_javascript_the_answer_is_folded(turn_to, name):
    with turn_to(name, java_script_enabled=False) as visit:
        places = visit.page.locator(QUESTION).all()
        assert places
        for place in places:
            assert_the_answer_comes_last(place)


def test_in_the_text_of_every_page_the_answer_is_folded(book):
    for page in QUESTION_PAGES:
        for place in parsed(book / f"{page}.html").select(QUESTION):
            said, answer, script = place.find_all(recursive=False)
            state = json.loads(script.string)
            assert state["question"] in said.get_text(), page
            assert state["explanation"] not in said.get_text(), page
            assert answer.name == "details" and not answer.has_attr("open"), page
            assert state["explanation"] in answer.get_text(), page


@pytest.mark.parametrize("lost", INSTEAD)
def test_whatever_is_lost_the_answer_is_folded(browser, addresses, lost):
    with browser.new_page() as page:
        for part, script in INSTEAD[lost].items():
            page.route(f"**{part}*", answer_with(script))
        page.goto(f"{addresses['plain']}/{LIGHT_PAGE}.html")
        for place in page.locator(QUESTION).all():
            place.scroll_into_view_if_needed()
            page.wait_for_timeout(300)
            assert_the_answer_comes_last(place)


def test_in_a_browser_that_is_too_old_the_answer_is_folded(open_page):
    with open_page(LIGHT_PAGE, first=LACKS["every-test-of-css"]) as visit:
        for place in visit.page.locator(QUESTION).all():
            assert_the_answer_comes_last(place)


def test_a_question_that_was_drawn_needs_no_style_sheet_to_hide_its_answer(open_page):
    with open_page(LIGHT_PAGE) as visit:
        visit.page.evaluate(
            "document.querySelectorAll('link[rel=stylesheet], style').forEach((e) => e.remove())"
        )
        for place in visit.page.locator(QUESTION).all():
            assert place.get_by_role("button", name="Reveal").is_visible()
            assert state_of(place)["explanation"] not in place.inner_text()
