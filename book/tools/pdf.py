"""The whole book as one PDF, from the outputs that `make book` keeps.

    python book/tools/pdf.py                 _build/book.pdf, its solutions left out
    python book/tools/pdf.py --solutions     _build/book-with-solutions.pdf
    python book/tools/pdf.py FOLDER          of the book in another folder

jupyter-book puts all chapters on one page, and Chromium, without a window, prints that page. What
was not executed yet is executed first.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from build import ROOT, jupyter_book

sys.path.append(str(ROOT / "tests" / "pages"))
from chromium import ARGUMENTS, find_chromium  # noqa: E402

PAGE_NUMBER = (
    '<p style="width: 100%; text-align: center; font: 8pt sans-serif">'
    '<span class="pageNumber"></span></p>'
)
DRAW_ALL = """async () => {
    await window.MathJax?.startup.promise;
    await Promise.all([...document.images].map((image) => image.decode().catch(() => {})));
    dispatchEvent(new Event("beforeprint"));
}"""
ALL_ARE_DRAWN = "document.querySelector('.feedback-widget:not([data-state])') === null"
# As print.js does. The live model stays folded: on paper it cannot write.
OPEN_SOLUTIONS = """() => {
    const folded = "article details:not([open], .live-front, .feedback-widget *)";
    document.querySelectorAll(folded).forEach((one) => (one.open = true));
}"""


def print_page(page: Path, pdf: Path, solutions: bool) -> None:
    """Print the page of the book at `page`, when its formulas and widgets are drawn."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        tab = browser.new_page(color_scheme="light")
        tab.set_default_timeout(300_000)
        tab.goto(page.as_uri())
        tab.evaluate(DRAW_ALL)
        tab.wait_for_function(ALL_ARE_DRAWN)
        if solutions:
            tab.evaluate(OPEN_SOLUTIONS)
        tab.pdf(
            path=pdf,
            format="A4",
            print_background=True,
            outline=True,
            tagged=True,
            display_header_footer=True,
            header_template="<span></span>",
            footer_template=PAGE_NUMBER,
        )
        browser.close()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT, help="where the book is")
    parser.add_argument("--solutions", action="store_true", help="print the folded solutions too")
    given = parser.parse_args(arguments)
    folder = given.folder.resolve()
    if find_chromium() is None:
        print("no Chromium found; on Debian: apt-get install chromium-headless-shell")
        return 1
    build = [jupyter_book(), "build", ".", "--builder", "singlehtml", "-W", "--keep-going", "-n"]
    if status := subprocess.run(build, cwd=folder).returncode:
        return status
    name = "book-with-solutions.pdf" if given.solutions else "book.pdf"
    pdf = folder / "_build" / name
    print_page(folder / "_build/singlehtml/book.html", pdf, given.solutions)
    print(f"The book is printed: {pdf}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
