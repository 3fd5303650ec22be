"""`make pdf` on a small book of two chapters that have a section and a link of the same name."""

import re
import shutil
import subprocess
import sys
from collections import Counter

import pdf as tool
import pytest
import yaml
from bs4 import BeautifulSoup
from looking import ROOT

CHAPTER = """# Chapter {name}

See [its exercise]({name}-exercises) and [the other chapter]({other}.md).

![a drawing](picture.svg)

{formula}

({name}-exercises)=
## Exercises

None.
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("book")
    config = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))
    extensions = config["sphinx"]["local_extensions"]
    extensions.update(dict.fromkeys(extensions, str(ROOT / "book/_ext")))
    config["sphinx"]["config"]["html_static_path"] = [str(ROOT / "book/_static")]
    del config["bibtex_bibfiles"]
    (folder / "_config.yml").write_text(yaml.safe_dump(config))
    chapters = [{"file": "one"}, {"file": "two"}]
    toc = {"format": "jb-book", "root": "intro", "chapters": chapters}
    (folder / "_toc.yml").write_text(yaml.safe_dump(toc))
    (folder / "intro.md").write_text("# Intro\n\nBegin with [one](one.md).\n")
    shutil.copy(ROOT / "feedback/notebook/feedback-memory.svg", folder / "picture.svg")
    for name, other, formula in (("one", "two", "$K$, $V$"), ("two", "one", "$V$")):
        text = CHAPTER.format(name=name, other=other, formula=formula)
        (folder / f"{name}.md").write_text(text)
    command = [sys.executable, ROOT / "book/tools/pdf.py", folder]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    return folder


@pytest.mark.slow
def test_every_link_of_the_one_page_leads_to_one_place_and_to_its_own_chapter(browser, folder):
    page = BeautifulSoup((folder / "_build/singlehtml/book.html").read_text("utf-8"), "html.parser")
    article = page.find("article")
    ids = Counter(part["id"] for part in page.find_all(id=True))
    links = [link["href"] for link in article.find_all("a", href=re.compile("^#"))]
    assert {ids[link.removeprefix("#")] for link in links} == {1}
    of_text = [link["href"] for link in article.select("p a.reference")]
    assert of_text == [
        "#document-one",
        "#one/one-exercises",
        "#document-two",
        "#two/two-exercises",
        "#document-one",
    ]


@pytest.mark.slow
def test_drawings_and_symbols_of_the_one_page_are_those_of_its_chapters(folder):
    page = BeautifulSoup((folder / "_build/singlehtml/book.html").read_text("utf-8"), "html.parser")
    drawings = page.select("svg.drawing[role=img]")
    assert [one["aria-label"] for one in drawings] == ["a drawing"] * 2
    first, second = ({part["id"] for part in one.find_all(id=True)} for one in drawings)
    assert first and len(first) == len(second) and not first & second
    formulas = [one.get_text() for one in page.select("span.math")]
    key, value = (rf"{{\class{{of-{name}}}{{{name[0].upper()}}}}}" for name in ("keys", "values"))
    assert formulas == [rf"\({key}\)", rf"\({value}\)", r"\(V\)"]


@pytest.mark.slow
def test_the_pdf_has_a_sheet_for_each_chapter_links_and_an_outline(browser, folder):
    # Chromium compresses what a page draws, and writes the rest of a PDF in plain letters.
    pdf = (folder / "_build/book.pdf").read_bytes()
    assert len(re.findall(rb"/Type /Page\b", pdf)) >= 3
    assert len(re.findall(rb"/Subtype /Link", pdf)) >= 5
    assert b"/Outlines" in pdf


# A paragraph that `fill` makes as high as it is told, never divided, at the end of a chapter.
FILL = """() => {
    const filling = document.createElement("p");
    filling.style.breakInside = "avoid";
    filling.textContent = "The end.";
    document.querySelector(".toctree-wrapper").before(filling);
    document.querySelectorAll("footer").forEach((footer) => footer.remove());
    window.fill = (height) => (filling.style.height = `${height}px`);
    window.others = document.querySelector(".toctree-wrapper");
}"""


@pytest.mark.slow
def test_a_chapter_that_fills_its_last_sheet_leaves_no_blank_one(browser, folder):
    """There are as many sheets as the chapters have that are printed alone."""

    with browser.new_page() as page:
        page.goto((folder / "_build/singlehtml/book.html").as_uri())
        page.evaluate(FILL)

        def sheets(height: int, others: bool = True) -> int:
            page.evaluate(f"fill({height}); others.style.display = '{'' if others else 'none'}'")
            return len(re.findall(rb"/Type /Page\b", page.pdf(format="A4")))

        fits, too_high = 0, 1100
        while too_high - fits > 4:
            middle = (fits + too_high) // 2
            fits, too_high = (
                (middle, too_high) if sheets(middle, others=False) == 1 else (fits, middle)
            )
        assert fits > 400
        assert {sheets(height) for height in range(fits, fits - 40, -8)} == {1 + 2}


FOLDED = """<div class="cell"><details class="admonition hide above-input">
<summary>
<p class="collapsed admonition-title">Show</p>
<p class="expanded admonition-title">Hide</p>
<p class="printed admonition-title">Solution 1.1</p>
</summary>
<p class="content">Within.</p>
</details></div>
<details class="look"><summary>What to look for</summary><p class="content">Within.</p></details>
<details class="live-front"><summary>Let it write</summary><p class="content">Within.</p></details>
"""


@pytest.mark.slow
def test_what_is_folded_is_left_out_and_what_is_printed_has_its_title(browser, folder):
    with browser.new_page() as page:
        page.goto((folder / "_build/singlehtml/book.html").as_uri())
        page.evaluate(
            "(html) => document.querySelector('article').insertAdjacentHTML('beforeend', html)",
            FOLDED,
        )
        page.emulate_media(media="print")

        def seen() -> list[str]:
            parts = page.locator("article details").locator(
                "summary p, summary:not(:has(p)), .content"
            )
            return [part.text_content() for part in parts.all() if part.is_visible()]

        assert seen() == []
        page.evaluate(tool.OPEN_SOLUTIONS)
        assert seen() == ["Solution 1.1", "Within.", "What to look for", "Within."]
        page.emulate_media(media="screen")
        assert "Solution 1.1" not in seen()


@pytest.mark.parametrize(
    ("code", "prompt", "title"),
    [
        ("# @title Solution 1.1\n\nx = 1", "Show the solution", "Solution 1.1"),
        ("# @title Guess first\nx = 1", "How the answer is computed", "How the answer is computed"),
        ("x = 1", "Show the solution", "Show the solution"),
    ],
)
def test_a_folded_cell_is_titled_by_its_own_bar_or_by_its_first_line(code, prompt, title):
    import folded  # here, for Sphinx takes long, and every worker reads this file
    from docutils import nodes

    node = nodes.container("", nodes.literal_block(text=code), prompt_show=prompt)
    assert folded.printed_title(node, "Show the solution") == title
