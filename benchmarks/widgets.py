"""How quick the widgets are in the built pages: `make bench-widgets`.

Opens the pages of _build/html as files in headless Chromium and prints

    first       seconds from the first widget of a page coming into view until it is drawn, on the
                page where that takes longest (aim: 0.2 or less), and the median of all pages

and of the live model on its own page

    ready       the same seconds (aim: 0.2 or less)
    without     characters a second that the model writes without drawing (aim: 1,000 or more)
    later       the same after ten times as many characters (aim: as many)
    at 20       characters a second in Play at "20 a second", the frames a second meanwhile, and
                the longest time between two frames
    fastest     characters a second in Play at "as fast as it can"

Leave the machine alone meanwhile: on a busy one all of it is slower. `cpu` beside a number is what
it would be if this process had a core for itself, from the time its main thread was running.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from feedback.widgets.base import script

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "pages"))
from chromium import ARGUMENTS, find_chromium  # noqa: E402
from looking import BOOK, PAGES, UNFOLD, kinds_on  # noqa: E402

PAGE = BOOK / "book" / "live-model.html"
WIDGET = ".feedback-widget[data-widget=live_model]"
SCREEN = {"width": 1280, "height": 800}

# When the first place came near, and when its widget was there, in milliseconds.
WATCH = """
addEventListener("DOMContentLoaded", () => {
    const place = document.querySelector(".feedback-widget");
    if (!place) return;
    new IntersectionObserver(([{ isIntersecting }]) => {
        if (isIntersecting) window.cameNear ??= performance.now();
    }, { rootMargin: "600px" }).observe(place);
    new MutationObserver(() => {
        if (!place.dataset.state) return;
        requestAnimationFrame(() => setTimeout(() => (window.wasDrawn ??= performance.now())));
    }).observe(place, { attributes: true });
});
"""

# The page's own weights, in an engine that draws nothing.
WRITE = """async ([source, count]) => {
    const place = document.querySelector(".feedback-widget[data-widget=live_model]");
    const state = JSON.parse(place.querySelector("script[type='application/json']").textContent);
    const { hash } = place.querySelector("script[data-hash]").dataset;
    const files = new URL("../_static/", location);
    let content;
    window.registerFeedbackBuffer = (hash, given) => (content = given);
    const script = document.createElement("script");
    script.src = new URL(`buffers/${hash}.js`, files);
    await new Promise((resolve) => (script.onload = resolve, document.head.append(script)));
    const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    const { createModel, createWriter } = await import(url);
    const bytes = Uint8Array.from(atob(content), (character) => character.charCodeAt(0));
    const model = createModel({ ...state, weights: new DataView(bytes.buffer) });
    const settings = { mixture: state.learned, temperature: 0.8, topK: null, seed: 0 };
    const writer = createWriter(model, [0], settings);
    for (let i = 0; i < 200; i++) writer.next(); // until it is compiled, and the memory is full
    const rate = () => {
        const start = performance.now();
        for (let i = 0; i < count; i++) writer.next();
        return count / ((performance.now() - start) / 1000);
    };
    const first = rate();
    for (let i = 0; i < 9 * count; i++) writer.next();
    return [first, rate()];
}"""

FRAMES = """(seconds) => new Promise((resolve) => {
    const text = document.querySelector(".live-model .text");
    const times = [], first = text.textContent.length;
    const frame = (now) => {
        times.push(now);
        const passed = (now - times[0]) / 1000;
        if (passed < seconds) return requestAnimationFrame(frame);
        const gaps = times.slice(1).map((time, i) => time - times[i]);
        resolve({
            characters: (text.textContent.length - first) / passed,
            frames: gaps.length / passed,
            longest: Math.max(...gaps),
        });
    };
    requestAnimationFrame(frame);
})"""


class Clock:
    """Seconds in which a page's main thread was running, by Chromium's own account."""

    def __init__(self, page):
        self.session = page.context.new_cdp_session(page)
        self.session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def __call__(self) -> float:
        metrics = self.session.send("Performance.getMetrics")["metrics"]
        return next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration")


def ready(page, path: Path) -> float:
    """Seconds from the first widget of a page coming into view until it is drawn."""
    page.goto(path.as_uri())
    page.evaluate(UNFOLD)
    page.locator(".feedback-widget").first.scroll_into_view_if_needed()
    page.wait_for_function("window.wasDrawn")
    return page.evaluate("(wasDrawn - cameNear) / 1000")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=5, help="of Play (default: 5)")
    parser.add_argument("--characters", type=int, default=1000, help="without drawing")
    options = parser.parse_args(arguments)
    if not PAGE.is_file():
        parser.error(f"there is no {PAGE}: run make book first")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        page = browser.new_page(viewport=SCREEN)
        page.add_init_script(WATCH)
        print(f"load of this machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        firsts = {name: ready(page, BOOK / f"{name}.html") for name in PAGES if kinds_on(name)}
        slowest, median = max(firsts, key=firsts.get), statistics.median(firsts.values())
        print(f"first    {firsts[slowest]:.2f} s in {slowest}, median of pages {median:.2f} s")

        print(f"ready    {ready(page, PAGE):.2f} s")
        page.locator(f"{WIDGET} .live-model[aria-busy=false]").wait_for()
        clock = Clock(page)
        start = clock()
        rate, later = page.evaluate(WRITE, [script("live_model.engine"), options.characters])
        own = (11 * options.characters + 200) / (clock() - start)
        print(f"without  {rate:.0f} characters a second (cpu: {own:.0f}, loading included)")
        print(f"later    {later:.0f} characters a second")

        for name, speed in (("at 20", "20"), ("fastest", "Infinity")):
            page.get_by_label("Speed").select_option(speed)
            page.get_by_role("button", name="Play").click()
            start = clock()
            found = page.evaluate(FRAMES, options.seconds)
            busy = (clock() - start) / options.seconds
            page.get_by_role("button", name="Pause").click()
            print(
                f"{name:8s} {found['characters']:.0f} characters, {found['frames']:.0f} frames a "
                f"second, longest gap {found['longest']:.0f} ms, main thread running {busy:.0%}"
            )
        browser.close()


if __name__ == "__main__":
    main()
