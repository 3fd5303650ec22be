"""No page of the built book breaks a rule of axe-core: WCAG 2.2 A and AA, and best practice."""

from importlib.resources import files

import pytest
from looking import LAPTOP, PAGES, PHONE, come_to_rest

AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

# A chapter has thousands of coloured words of code, in some twenty colours: one word of each will
# do. The others become plain text of the same width.
ONE_WORD_OF_EACH_COLOR = """() => {
    const seen = new Set();
    for (const word of document.querySelectorAll(".highlight pre span[class]")) {
        if (seen.has(word.className)) word.replaceWith(...word.childNodes);
        seen.add(word.className);
    }
}"""

UNFOLD = "() => document.querySelectorAll('details').forEach((part) => (part.open = true))"

# Which rules are broken, and by what; `only` names rules to check, and `but` rules to leave out.
BROKEN_RULES = """async ({ tags, only, but }) => {
    const off = Object.fromEntries(but.map((rule) => [rule, { enabled: false }]));
    const { violations } = await axe.run(document, {
        runOnly: only.length ? only : tags,
        rules: only.length ? {} : { "label-content-name-mismatch": { enabled: true }, ...off },
        resultTypes: ["violations"],
    });
    return violations.map(({ id, nodes }) => [id, ...nodes.slice(0, 3).map((node) => node.html)]);
}"""


def broken_rules(page, only=(), but=()) -> list:
    come_to_rest(page)
    return page.evaluate(BROKEN_RULES, {"tags": TAGS, "only": list(only), "but": list(but)})


@pytest.mark.parametrize("name", [*PAGES, "search", "genindex"])
def test_axe_finds_nothing(open_page, name):
    with open_page(name, formulas=True, viewport=PHONE, reduced_motion="reduce") as visit:
        page = visit.page
        page.evaluate(AXE)
        page.evaluate(ONE_WORD_OF_EACH_COLOR)
        page.evaluate(UNFOLD)
        found = {"phone": broken_rules(page, but=["color-contrast"])}
        page.set_viewport_size(LAPTOP)
        found["light"] = broken_rules(page)
        page.emulate_media(color_scheme="dark")
        page.locator("html[data-theme=dark]").wait_for()
        found["dark"] = broken_rules(page, only=["color-contrast", "link-in-text-block"])
    assert found == {"phone": [], "light": [], "dark": []}
