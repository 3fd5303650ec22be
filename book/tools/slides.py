"""Slides of every chapter, from the built book: `make slides`.

    python book/tools/slides.py              into _build/slides: open index.html
    python book/tools/slides.py --print      as PDF too, alone and with what is said (by Chromium)
    python book/tools/slides.py FOLDER       of the book in another folder

What is on a slide is said in deck.py. The slides need nothing but their folder: no server and no
network. reveal.js, which shows them, comes from the npm registry once, checked by its hash; npm is
needed for that, and nothing else of Node.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterable
from html import escape
from pathlib import Path
from string import Template
from tempfile import TemporaryDirectory

from build import ROOT
from deck import Slide, slides_of
from minutes import read_waiting, to_five

sys.path.append(str(ROOT / "tests" / "pages"))
from chromium import ARGUMENTS, find_chromium  # noqa: E402

HERE = ROOT / "book" / "slides"  # what all slides share
REVEAL = "reveal.js@6.0.2"
SHA512 = "JYIg5D9aoxoaLeb84O+OvAwsKWdIavVgEDScxtYEXFCT6t6TQrhNtSgogcjdCpdLsWglhJn3zyE3fUOwiH5KEg=="
# Of reveal.js, what a slide loads: its place in the archive, and its name here.
PARTS = {
    "package/dist/reveal.css": "reveal.css",
    "package/dist/reveal.js": "reveal.js",
    "package/dist/plugin/notes.js": "notes.js",
    "package/LICENSE": "LICENSE",
}
# What reveal.js says of its own controls, it says of the widgets' too, which have the same name.
OWN_CONTROLS = re.compile(r"\.reveal \.controls\b")
# Of the built book, what its pages load and slides do too.
STYLES = ("pygments.css", "notation.css", "equations.css")
SCRIPTS = ("storage.js", "widgets.js")
WIDGET = re.compile(r'class="feedback-widget" data-widget="(\w+)"')
BUFFER = re.compile(r'data-hash="(\w+)"')


def write_slides(folder: Path, names: Iterable[str] | None = None) -> list[Path]:
    """Write the slides of the book in a folder; returns their files.

    Args:
        folder: holds `_build/html`; `_build/slides` is written.
        names: of the chapters; None: all.

    Raises:
        ValueError: the book is not built, or reveal.js cannot be had.
    """
    book, out = folder / "_build/html", folder / "_build/slides"
    pages = sorted((book / "notebooks").glob("*.html"))
    if not pages:
        raise ValueError(f"{book} holds no chapter: build the book first, by make book")
    for old in out.glob("*.*"):  # of a chapter that is gone, or printed from another build
        if old.is_file():
            old.unlink()
    fetch_reveal(out / "_static/reveal")
    copy_shared(book / "_static", out / "_static")
    waiting, decks = read_waiting(), {}
    for page in pages:
        if names is None or page.stem in names:
            text = page.read_text("utf-8")
            decks[page.stem] = slides_of(text, waiting.get(page.stem, 0))
            written = page_of(decks[page.stem])
            for buffer in BUFFER.findall(written):
                copy(book / f"_static/buffers/{buffer}.js", out / f"_static/buffers/{buffer}.js")
            (out / f"{page.stem}.html").write_text(written, "utf-8")
    (out / "index.html").write_text(index_of(decks), "utf-8")
    return [out / f"{name}.html" for name in decks]


def fetch_reveal(place: Path) -> None:
    """Have reveal.js in a folder.

    Raises:
        ValueError: npm is not there, cannot get it, or gets something else.
    """
    stamp = place / "version"
    if stamp.is_file() and stamp.read_text() == REVEAL:
        return
    if (npm := shutil.which("npm")) is None:
        raise ValueError(f"npm is needed to get {REVEAL}; it comes with Node")
    with TemporaryDirectory() as folder:
        get = [npm, "pack", "--silent", "--ignore-scripts", REVEAL, "--pack-destination", folder]
        done = subprocess.run(get, capture_output=True, text=True)
        archives = [*Path(folder).glob("*.tgz")]
        if done.returncode or not archives:
            raise ValueError(f"npm did not get {REVEAL}: {done.stderr.strip()[:300]}")
        found = base64.b64encode(hashlib.sha512(archives[0].read_bytes()).digest()).decode()
        if found != SHA512:
            raise ValueError(f"{REVEAL} has the hash {found}, and not the one in slides.py")
        place.mkdir(parents=True, exist_ok=True)
        with tarfile.open(archives[0]) as archive:
            for member, name in PARTS.items():
                text = archive.extractfile(member).read().decode()
                (place / name).write_text(OWN_CONTROLS.sub(".reveal>.controls", text), "utf-8")
    stamp.write_text(REVEAL)


def copy_shared(book: Path, out: Path) -> None:
    """Copy what all slides load, from the built book's `_static` and from book/slides."""
    for name in ("mathjax", "widgets"):
        shutil.copytree(book / name, out / name, dirs_exist_ok=True)
    for name in (*STYLES, *SCRIPTS):
        copy(book / name, out / name)
    for name in ("slides.css", "slides.js"):
        copy(HERE / name, out / name)


def copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def page_of(deck: list[Slide]) -> str:
    """The HTML page that shows the slides of a chapter."""
    slides = "".join(slide.html() for slide in deck)
    kinds = sorted({*WIDGET.findall(slides)})
    styles = ["reveal/reveal.css", *STYLES, *(f"widgets/{kind}.css" for kind in kinds)]
    scripts = ["mathjax/tex-chtml.js", "reveal/reveal.js", "reveal/notes.js"]
    scripts += ["widgets.js", *(f"widgets/{kind}.js" for kind in kinds)] if kinds else []
    first = [f'<script src="_static/{name}"></script>' for name in ("storage.js", "slides.js")]
    then = [f'<script defer src="_static/{name}"></script>' for name in scripts]
    return Template((HERE / "page.html").read_text("utf-8")).substitute(
        title=escape(title_of(deck)),
        styles="\n".join(
            f'<link rel="stylesheet" href="_static/{name}">' for name in (*styles, "slides.css")
        ),
        scripts="\n".join([*first, *then]),
        slides=slides,
    )


def title_of(deck: list[Slide]) -> str:
    return re.sub(r"<[^>]*>", "", deck[0].title)


def index_of(decks: dict[str, list[Slide]]) -> str:
    """A page that leads to the slides of each chapter, with their number and minutes."""
    rows = []
    for name, deck in decks.items():
        minutes = to_five(sum(slide.without_exercises() for slide in deck))
        asked = round(sum(slide.minutes["exercises"] for slide in deck))
        rows.append(
            f'<tr><td><a href="{name}.html">{escape(title_of(deck))}</a></td>'
            f"<td>{len(deck)}</td><td>{minutes}</td><td>{asked}</td></tr>\n"
        )
    return Template((HERE / "index.html").read_text("utf-8")).substitute(rows="".join(rows))


# On paper

DRAW_ALL = """async () => {
    const isDrawn = () => document.querySelector(".pdf-page .slide")
        && !document.querySelector(".feedback-widget:not([data-state])");
    dispatchEvent(new Event("beforeprint"));
    while (!isDrawn()) await new Promise((done) => setTimeout(done, 50));
    window.fitAll();
}"""


def print_slides(pages: list[Path], browser) -> list[Path]:
    """Print slides as PDF, alone and with their notes; returns the files.

    Args:
        browser: a Chromium of playwright's.
    """
    files, screen = [], {"width": 1280, "height": 720}
    with browser.new_page(viewport=screen, color_scheme="light") as tab:
        tab.set_default_timeout(300_000)
        for page in pages:
            for ending, query in ((".pdf", "?print-pdf"), ("-notes.pdf", "?print-pdf&said")):
                tab.goto(page.as_uri() + query)
                tab.locator("html[data-slides=ready]").wait_for()
                tab.evaluate(DRAW_ALL)
                files.append(page.with_name(page.stem + ending))
                tab.pdf(path=files[-1], prefer_css_page_size=True, print_background=True)
    return files


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT, help="where the book is")
    parser.add_argument("--print", action="store_true", help="print them as PDF too")
    given = parser.parse_args(arguments)
    if given.print and find_chromium() is None:
        print("no Chromium found; on Debian: apt-get install chromium-headless-shell")
        return 1
    try:
        pages = write_slides(given.folder.resolve())
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    if given.print:
        from playwright.sync_api import sync_playwright

        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
            print_slides(pages, browser)
            browser.close()
    print(f"Slides of {len(pages)} chapters: open {pages[0].with_name('index.html')} in a browser.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
