"""A picture of every widget of the built book, light and dark, on a phone and on a projector.

Usage: python tests/pages/screenshots.py [NAME ...]

Of each kind of widget on a page, the first is taken. With names, such as layer_memory_weights, only
those. The pictures lie in _build/screenshots, as NAME-PAGE-light-1440.png.
"""

import sys
from itertools import product
from pathlib import Path

from chromium import ARGUMENTS, find_chromium
from looking import BOOK, PAGES, UNFOLD, kinds_on

FOLDER = BOOK.parent / "screenshots"
MODES = ("light", "dark")
WIDTHS = (375, 1440)


def take(browser, page: str, kinds: list[str], mode: str, width: int, folder: Path) -> list[Path]:
    """Pictures of the first widget of each kind on a page."""
    viewport = {"width": width, "height": 900}
    with browser.new_page(color_scheme=mode, viewport=viewport, reduced_motion="reduce") as tab:
        tab.goto((BOOK / f"{page}.html").as_uri())
        tab.evaluate(UNFOLD)
        paths = []
        for kind in kinds:
            widget = tab.locator(f".feedback-widget[data-widget={kind}]").first
            widget.scroll_into_view_if_needed()
            widget.and_(tab.locator("[data-state]")).wait_for()
            paths.append(folder / f"{kind}-{page.rpartition('/')[2]}-{mode}-{width}.png")
            widget.screenshot(path=paths[-1])
    return paths


def main(names: list[str]) -> int:
    from playwright.sync_api import sync_playwright

    kinds = {page: sorted(set(kinds_on(page))) for page in PAGES}
    known = set().union(*kinds.values())
    if not known:
        return fail("there is no built book with widgets at _build/html: run make book")
    if unknown := set(names) - known:
        return fail(f"the book has no widget {', '.join(unknown)}; it has {', '.join(known)}")
    if find_chromium() is None:
        return fail("no Chromium found; on Debian: apt-get install chromium-headless-shell")

    FOLDER.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        for page, mode, width in product(PAGES, MODES, WIDTHS):
            wanted = [kind for kind in kinds[page] if kind in names or not names]
            if wanted:
                for path in take(browser, page, wanted, mode, width, FOLDER):
                    print(path)
        browser.close()
    return 0


def fail(message: str) -> int:
    print(message, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
