"""What the browser tests share: how they look at a page, and what they do to it."""

import base64
import json
import re
from functools import cache
from pathlib import Path

from bs4 import BeautifulSoup

ROOT = Path(__file__).resolve().parents[2]
BOOK = ROOT / "_build" / "html"
PAGES = re.findall(r"(?:root|file): *(\S+)", (ROOT / "_toc.yml").read_text("utf-8"))

# Seconds after which something does not come any more. On a machine on which ten others compute, a
# page that is read within a second is read within half a minute.
PATIENCE = 180

PHONE = {"width": 375, "height": 800}
LAPTOP = {"width": 1280, "height": 800}
PROJECTOR = {"width": 1440, "height": 900}


def html_of(page: str) -> str:
    """A page of the built book; nothing where it was not built."""
    path = BOOK / f"{page}.html"
    return path.read_text("utf-8") if path.is_file() else ""


@cache
def parsed(page: Path) -> BeautifulSoup:
    """A page of the built book, read once: to read all of them takes seconds."""
    return BeautifulSoup(page.read_text("utf-8"), "html.parser")


def kinds_on(page: str) -> list[str]:
    """The widgets on a page of the built book, in order, by the names of their modules."""
    return re.findall(r'class="feedback-widget" data-widget="(\w+)"', html_of(page))


def lightest_page_with(kind: str) -> str:
    pages = [page for page in PAGES if kind in kinds_on(page)]
    return min(pages, key=lambda page: len(html_of(page)))


def states_on(page: str) -> list[dict]:
    """What the widgets on a page of the built book show, in order."""
    places = html_of(page).split('class="feedback-widget" data-widget=')[1:]
    return [json.loads(place.partition('json">')[2].partition("</script>")[0]) for place in places]


def widgets_of(page):
    return page.locator(".feedback-widget")


# When the next picture is drawn: a widget follows the width of the page at the end of a picture.
SCROLLS_SIDEWAYS = """async () => {
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    const { scrollWidth, clientWidth } = document.documentElement;
    return scrollWidth > clientWidth;
}"""


def scrolls_sideways(page) -> bool:
    return page.evaluate(SCROLLS_SIDEWAYS)


# The runtime starts a page's widgets when the page is read, each as it comes near. Its own way to
# do so is kept, so that a test may find them as they begin without opening the page anew; and with
# START_ALL_AT_ONCE all of them are near.
KEEP_WHAT_STARTS_WIDGETS = """(() => {
    const listen = document.addEventListener;
    document.addEventListener = function (event, action, ...more) {
        const from = document.currentScript?.src ?? "";
        if (!from.includes("/_static/widgets.js")) return listen.call(this, event, action, ...more);
        window.startWidgetsOfPage = () => (window.nearby ?? ((act) => act()))(action);
        return listen.call(this, event, startWidgetsOfPage, ...more);
    };
})()"""
START_ALL_AT_ONCE = """window.nearby = (act) => {
    const Observer = window.IntersectionObserver;
    if (!Observer) return act();
    window.IntersectionObserver = class extends Observer {
        constructor(action, options) {
            super(action, { ...options, rootMargin: "1000000px" });
        }
    };
    act();
    window.IntersectionObserver = Observer;
}"""

# What is folded shows nothing, and its widgets are never near.
UNFOLD = """() => {
    for (const part of document.querySelectorAll("details:has(.feedback-widget)")) part.open = true;
}"""

# Puts away the widgets, and starts them again: they read what the browser keeps for the page.
START_AGAIN = """() => {
    window.unhurried = false;
    dispatchEvent(new Event("storage"));
    document.activeElement?.blur();
    for (const place of document.querySelectorAll(".feedback-widget")) {
        place.querySelectorAll(":scope > :not(script)").forEach((part) => part.remove());
        delete place.dataset.state;
    }
    window.startWidgetsOfPage?.();
}"""

# The same, with nothing kept.
FORGET = f"() => {{ localStorage.clear(); ({START_AGAIN})(); }}"

ALL_ARE_STARTED = """() => {
    const next = document.querySelector(".feedback-widget:not([data-state])");
    next?.scrollIntoView({ block: "center", behavior: "instant" });
    return next === null;
}"""


# A widget that follows the width of the page draws when it hears of it, in the next picture.
NEXT_PICTURES = """async () => {
    for (let i = 0; i < 2; i++) await new Promise(requestAnimationFrame);
}"""


def start_widgets(page):
    """Scroll to each widget of a page, until all are drawn or have said why they cannot be."""
    page.evaluate(UNFOLD)
    page.wait_for_function(ALL_ARE_STARTED)
    page.evaluate(NEXT_PICTURES)


# Colours and sizes change at once instead of within a third of a second, and a sentence is spoken
# at once instead of when it has rested: at every test. Who works for some milliseconds between two
# pictures finds that they last ten times as long, so that fewer pictures are drawn.
CHANGE_AT_ONCE = """(() => {
    addEventListener("DOMContentLoaded", () => {
        const style = document.createElement("style");
        style.textContent = "*, ::before, ::after { transition: none !important }";
        document.head.append(style);
    });
    const { setTimeout } = window;
    window.setTimeout = (action, delay, ...more) =>
        setTimeout(action, delay <= 600 && !window.unhurried ? 0 : delay, ...more);
    const now = performance.now.bind(performance);
    performance.now = () => {
        const since = window.unhurried ? null : document.timeline.currentTime;
        return since === null ? now() : since + (now() - since) / 10;
    };
})()"""

# A page that got another width or other colours is on its way for a moment.
AT_REST = """async () => {
    scrollTo(0, 0); // nothing lies under the header that stays in view
    const moves = document.getAnimations();
    const ends = moves.filter((each) => each.effect.getTiming().iterations === 1);
    await Promise.allSettled(ends.map((each) => each.finished));
    for (let i = 0; i < 3; i++) await new Promise(requestAnimationFrame);
}"""


def come_to_rest(page):
    page.evaluate(AT_REST)


def state_of(widget) -> dict:
    return json.loads(widget.locator("script[type='application/json']").text_content())


def drag(widget, index: int, to: float):
    """Drag a slider's thumb to a part of its track, as a hand would."""
    slider = widget.locator("input[type=range]").nth(index)
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    low, high = (float(slider.get_attribute(end)) for end in ("min", "max"))
    part = (float(slider.input_value()) - low) / (high - low)
    mouse, middle = widget.page.mouse, box["y"] + box["height"] / 2
    mouse.move(box["x"] + box["width"] * part, middle)
    mouse.down()
    mouse.move(box["x"] + box["width"] * to, middle, steps=5)
    mouse.up()


def color_of(element, css_property: str) -> list[int]:
    style = f"(element) => getComputedStyle(element).getPropertyValue('{css_property}')"
    return [int(number) for number in re.findall(r"\d+", element.evaluate(style))[:3]]


def contrast(color: list[int], other: list[int]) -> float:
    """Contrast ratio as WCAG 2 defines it: from 1 to 21, and 4.5 for text."""

    def luminance(color):
        parts = [part / 255 for part in color]
        red, green, blue = [
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
        ]
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    dark, light = sorted([luminance(color), luminance(other)])
    return (light + 0.05) / (dark + 0.05)


# Text as it is seen: its colour over all that lies behind its middle, from the page upwards. What
# lies over a picture or a gradient is left out.
POOR_CONTRASTS = """(widget) => {
    const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
    const read = (color) => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = color;
        canvas.fillRect(0, 0, 1, 1);
        return canvas.getImageData(0, 0, 1, 1).data;
    };
    const over = (color, opacity, [...below]) => {
        const [alpha, ...top] = [(read(color)[3] / 255) * opacity, ...read(color)];
        return below.map((part, i) => part + alpha * (top[i] - part));
    };
    const luminance = (color) => {
        const [red, green, blue] = color
            .map((part) => part / 255)
            .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const opacityOf = (part) =>
        part ? Number(getComputedStyle(part).opacity) * opacityOf(part.parentElement) : 1;

    const all = document.createElement("style");
    all.textContent = "* { pointer-events: auto !important }"; // else elementsFromPoint skips some
    document.head.append(all);
    const poor = [];
    const texts = document.createTreeWalker(widget, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
        const text = texts.currentNode;
        const part = text.parentElement;
        if (!text.data.trim() || !part.checkVisibility({ visibilityProperty: true })) continue;
        if (part.closest("script, style, option, :disabled, .spoken")) continue;
        part.scrollIntoView({ block: "center", behavior: "instant" });
        const range = document.createRange();
        range.selectNodeContents(text);
        const box = range.getClientRects()[0];
        if (!box) continue;
        const stack = document.elementsFromPoint(box.x + box.width / 2, box.y + box.height / 2);
        const place = stack.find((one) => one.contains(part)); // it, or what it juts out of
        const behind = stack.slice(stack.indexOf(place)).reverse();
        if (behind.some((one) => getComputedStyle(one).backgroundImage !== "none")) continue;
        let color = [255, 255, 255];
        for (const one of behind) {
            const { backgroundColor, fill, fillOpacity } = getComputedStyle(one);
            const shape = one instanceof SVGGeometryElement;
            if (shape && fill !== "none") color = over(fill, fillOpacity * opacityOf(one), color);
            if (!shape) color = over(backgroundColor, opacityOf(one), color);
        }
        const { color: ink, fill } = getComputedStyle(part);
        const seen = over(part instanceof SVGElement ? fill : ink, opacityOf(part), color);
        const [dark, light] = [luminance(color), luminance(seen)].sort((a, b) => a - b);
        const contrast = (light + 0.05) / (dark + 0.05);
        if (contrast < 4.5) poor.push(`${text.data.trim()}: ${contrast.toFixed(2)}`);
    }
    all.remove();
    return poor;
}"""


def poor_contrasts(widget) -> list[str]:
    """The texts of a widget whose contrast is under 4.5, with that contrast."""
    return widget.evaluate(POOR_CONTRASTS)


def assert_readable(widget):
    """It stays within the width of the page, and in light and in dark its texts stand out from what
    is behind them."""
    page = widget.page
    assert not scrolls_sideways(page)
    box = widget.locator(".feedback-view").first.bounding_box()
    assert box["width"] > 300
    assert box["x"] >= 0 and box["x"] + box["width"] <= page.viewport_size["width"]
    for mode in ("light", "dark"):
        page.emulate_media(color_scheme=mode)
        page.locator(f"html[data-theme={mode}]").wait_for()
        assert poor_contrasts(widget) == [], mode


def beside_kernel(page, source: str, state: dict):
    """Draw a widget for a model as a kernel would give it: `fromPython(name, value)` sets a trait,
    `saved` is what the widget sent last."""
    buffers = {name: value for name, value in state.items() if isinstance(value, bytes)}
    encoded = {name: base64.b64encode(value).decode() for name, value in buffers.items()}
    plain = {name: value for name, value in state.items() if name not in buffers}
    page.evaluate(
        """async ([source, state, encoded]) => {
            for (const [name, content] of Object.entries(encoded)) {
                const bytes = Uint8Array.from(atob(content), (one) => one.charCodeAt(0));
                state[name] = new DataView(bytes.buffer);
            }
            const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
            const { default: widget } = await import(url);
            const el = document.createElement("div");
            const listeners = {};
            const of = (event) => (listeners[event] ??= new Set());
            const set = (name, value) => {
                state[name] = value;
                of(`change:${name}`).forEach((listener) => listener());
            };
            const model = {
                get: (name) => (name === "has_kernel" ? true : state[name]),
                set,
                on: (event, listener) => of(event).add(listener),
                off: (event, listener) => of(event).delete(listener),
                save_changes: () => (window.saved = { ...state }),
            };
            window.fromPython = set;
            document.body.append(el);
            widget.render({ model, el });
        }""",
        [source, plain, encoded],
    )


# In place of MathJax, where formulas do not matter.
WITHOUT_FORMULAS = "window.MathJax.startup = { promise: Promise.resolve() }"


def answer_with(script: str):
    return lambda route: route.fulfill(body=script, content_type="text/javascript")
