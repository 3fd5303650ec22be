"""Count the code cells of the built book that scroll sideways, and name them.

Usage: python tests/pages/wide_cells.py

A laptop, a page that is enlarged twice, a phone and a small phone are tried. The exit status is 1
if any cell scrolls.
"""

import sys

from chromium import ARGUMENTS, find_chromium
from looking import BOOK, PAGES

WIDTHS = (1280, 640, 375, 320)
# The first line of each cell of code, and of code within the text, that is wider than its box.
SCROLLING_CODE = """() => {
    const code = document.querySelectorAll("article div:not(.output) > div.highlight pre");
    const wide = [...code].filter((one) => one.scrollWidth > one.clientWidth);
    return wide.map((one) => one.innerText.split("\\n")[0]);
}"""


def scrolling_code(page) -> list[str]:
    """What scrolls sideways on an open page, by its first line."""
    return page.evaluate(SCROLLING_CODE)


def main() -> int:
    from playwright.sync_api import sync_playwright

    if find_chromium() is None:
        print("no Chromium found; on Debian: apt-get install chromium-headless-shell")
        return 1
    found = 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        tab = browser.new_page()
        for name in PAGES:
            tab.goto((BOOK / f"{name}.html").as_uri())
            for width in WIDTHS:
                tab.set_viewport_size({"width": width, "height": 800})
                for line in scrolling_code(tab):
                    found += 1
                    print(f"{name}, {width} px: {line}")
        browser.close()
    print(f"{found} cells of code scroll sideways, at {', '.join(map(str, WIDTHS))} px")
    return int(found > 0)


if __name__ == "__main__":
    sys.exit(main())
