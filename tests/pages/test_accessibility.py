"""No page of the built book breaks a rule of axe-core: WCAG 2.2 A and AA, and best practice."""

from importlib.resources import files

from cover import ONE_OF_EACH_FORM
from looking import LAPTOP, PAGES, PHONE, come_to_rest

AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")
OPENS = [*PAGES, "search", "genindex"]
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

# A chapter has thousands of words of code, and hundreds of formulas, in some twenty colours: one
# word of each colour will do, and one formula of each. The others become plain text.
ONE_OF_EACH_COLOR = """() => {
    const seen = new Set();
    const isNew = (look) => !seen.has(look) && seen.add(look);
    for (const word of document.querySelectorAll(".highlight pre span[class]")) {
        if (!isNew(word.className)) word.replaceWith(...word.childNodes);
    }
    for (const formula of document.querySelectorAll("mjx-container")) {
        const parts = [formula, ...formula.querySelectorAll("*")];
        const colors = new Set(parts.map((part) => getComputedStyle(part).color));
        const news = [...colors].filter((color) => isNew(`formula, ${color}`));
        if (!news.length) formula.replaceWith("formula");
    }
}"""

# What stands in the same kinds of elements, in the same colours and sizes, as something before it,
# on this page or on another, and holds nothing else is as easy to read. Hidden, it keeps its place
# and is not measured again. `known` are the kinds of other pages; those of this page come back.
HIDE_REPEATED = """(known) => {
    const looks = ["color", "fill", "backgroundColor", "backgroundImage", "opacity", "fontSize"];
    looks.push("fontWeight", "textDecorationLine", "textShadow", "visibility");
    const kinds = new Map(known.map((kind, index) => [kind, index]));
    const isRepeated = (part, kindAbove) => {
        const style = getComputedStyle(part);
        const names = [kindAbove, part.tagName, part.getAttribute("class"), part.disabled];
        const key = [...names, ...looks.map((look) => style[look])].join();
        const isKnown = kinds.has(key);
        if (!isKnown) kinds.set(key, kinds.size);
        const below = [...part.children].map((child) => isRepeated(child, kinds.get(key)));
        const repeated = isKnown && below.every(Boolean);
        part.toggleAttribute("data-repeated", repeated);
        return repeated;
    };
    isRepeated(document.body, "");
    for (const part of document.querySelectorAll("[data-repeated]")) {
        part.style.visibility = "hidden";
    }
    return [...kinds.keys()].slice(known.length);
}"""
SHOW_REPEATED = """() => {
    document.querySelectorAll("[data-repeated]").forEach((part) => part.style.visibility = "");
}"""
KNOWN = []  # by the tests of this process; a kind has the colours of its theme

UNFOLD = "() => document.querySelectorAll('details').forEach((part) => (part.open = true))"

# Which rules are broken, and by what; `only` names rules to check, and `but` rules to leave out.
BROKEN_RULES = """async ({ tags, only, but }) => {
    const off = Object.fromEntries(but.map((rule) => [rule, { enabled: false }]));
    const { violations } = await axe.run(document, {
        runOnly: only.length ? only : tags,
        rules: only.length ? {} : { "label-content-name-mismatch": { enabled: true }, ...off },
        reporter: "no-passes", // to describe what is right takes a fifth of the time
        preload: false, // of style sheets, which no rule here asks for
    });
    return violations.map(({ id, nodes }) => [id, ...nodes.slice(0, 3).map((node) => node.html)]);
}"""


# The theme gives the Tab key what is wider than the page: when it is loaded, as it is on a phone,
# and when the window tells of another width. Here one page is looked at in both.
TAB_STOPS = """async () => {
    const wide = (part) => part.scrollWidth > part.clientWidth;
    const parts = [...document.querySelectorAll("pre, .output, .pst-scrollable-table-container")];
    const missing = () => parts.some((part) => wide(part) && part.tabIndex !== 0);
    for (let i = 0; i < 100 && missing(); i++) {
        dispatchEvent(new Event("resize"));
        await new Promise(requestAnimationFrame);
    }
}"""
COLORS = ["color-contrast", "link-in-text-block"]


def broken_rules(page) -> list:
    """Of all rules but those of colours, for those take most of the time."""
    come_to_rest(page)
    page.evaluate(TAB_STOPS)
    return page.evaluate(BROKEN_RULES, {"tags": TAGS, "only": [], "but": COLORS})


def broken_rules_of_scrolling(page) -> list:
    """A phone shows of each page the same as a laptop, but other parts of it scroll."""
    come_to_rest(page)
    page.evaluate(TAB_STOPS)
    only = ["scrollable-region-focusable"]
    return page.evaluate(BROKEN_RULES, {"tags": [], "only": only, "but": []})


def broken_rules_of_colors(page) -> list:
    come_to_rest(page)
    KNOWN.extend(page.evaluate(HIDE_REPEATED, KNOWN))
    found = page.evaluate(BROKEN_RULES, {"tags": [], "only": COLORS, "but": []})
    page.evaluate(SHOW_REPEATED)
    return found


def test_axe_finds_nothing(each_page):
    page = each_page.page
    page.emulate_media(reduced_motion="reduce")
    each_page.begin_again(viewport=PHONE)
    page.evaluate(AXE)
    page.evaluate(ONE_OF_EACH_COLOR)
    page.evaluate(UNFOLD)
    has_new_controls = each_page.name in ONE_OF_EACH_FORM
    found = {"phone": (broken_rules if has_new_controls else broken_rules_of_scrolling)(page)}
    each_page.change_to("light", LAPTOP)
    found |= {"laptop": broken_rules(page), "light": broken_rules_of_colors(page)}
    each_page.change_to("dark")
    found["dark"] = broken_rules_of_colors(page)
    assert found == {"phone": [], "laptop": [], "light": [], "dark": []}
