"""A chapter as slides, cut from its page of the built book.

The page has all that slides show: outputs, drawings, formulas with their colours, widgets. So it is
cut, and nothing runs or is converted a second time. By this rule:

    heading     a slide with its first sentences
    formula, table, list, code, drawing, widget
                on the slide before if there is room, else on one of its own, below the sentence
                that leads to it; drawings and widgets have a slide of their own
    exercise    a slide with its text and what is to be filled in; its solution is on none
    the rest    all text, what is on slides too, stands in the notes of its slide

Tags of cells decide as in the book: what is folded there is left out here, and `no-slide` leaves
out a cell that the book shows. Of code that draws, the drawing is shown.

The minutes of a slide follow the rule of minutes.py.
"""

from __future__ import annotations

import re
from copy import copy
from dataclasses import dataclass, field

from bs4 import BeautifulSoup, Tag
from minutes import ASKED, LINES, WORDS
from page_parts import (
    as_block,
    blocks,
    height_of,
    height_of_code,
    in_parts,
    in_short,
    is_imports,
    joined,
    lines_of,
    made_plain,
    new,
    plain_formulas,
    sentences,
    shortened,
    written,
)

ROOM = 590  # pixels below the heading of a slide
SHRUNK = 710  # what belongs together may be that high: it is shown a little smaller
LEAD = 45  # words of text below a heading
EXERCISE = re.compile(r"Exercise \d+\.\d+ · ")
MINUTES = re.compile(r", (\d+) minutes\)")
HOLLOW = re.compile(r'<svg id="drawing(\d+)"></svg>')
DRAWING = re.compile(r"<svg\b.*?</svg>", re.DOTALL)
PARTS = ("reading", "code", "looking", "waiting", "exercises")


@dataclass
class Slide:
    """What is shown, and what is said.

    Attributes:
        title: HTML of the heading.
        shown, notes: elements of a page.
        height: pixels that `shown` takes, about.
        full: nothing more goes onto this slide.
        minutes: by `PARTS`.
        drawings: of the whole chapter; what is shown has empty ones in their place.
    """

    title: str
    shown: list[Tag] = field(default_factory=list)
    notes: list[Tag] = field(default_factory=list)
    height: float = 0
    full: bool = False
    minutes: dict[str, float] = field(default_factory=lambda: dict.fromkeys(PARTS, 0.0))
    drawings: list[str] = field(default_factory=list)

    def html(self) -> str:
        parts = "".join(f' data-{name}="{self.minutes[name]:.4f}"' for name in PARTS)
        shown, notes = ("".join(map(str, part)) for part in (self.shown, self.notes))
        shown = HOLLOW.sub(lambda found: self.drawings[int(found[1])], shown)
        said = f'<p class="minutes">{self.in_words()}</p>'
        return (
            f'<section{parts}><div class="slide"><h2>{self.title}</h2>'
            f'<div class="body"><div class="content">{shown}</div></div></div>'
            f'<aside class="notes">{said}{notes}</aside></section>\n'
        )

    def in_words(self) -> str:
        """Its minutes, such as "About 2.5 minutes."."""
        own = round(self.minutes["exercises"])
        also = f" The exercise takes {own}." if own else ""
        return f"About {self.without_exercises():.1f} minutes.{also}"

    def without_exercises(self) -> float:
        return sum(self.minutes.values()) - self.minutes["exercises"]


def slides_of(page: str, waiting: float = 0) -> list[Slide]:
    """The slides of a chapter.

    Args:
        page: its HTML in the built book.
        waiting: seconds that its cells run; whoever shows the slides runs them before.

    Raises:
        ValueError: the page holds no article.
    """
    drawings = DRAWING.findall(page)  # large, and of no interest here: put back in the end
    count = iter(range(len(drawings)))
    page = DRAWING.sub(lambda _: f'<svg id="drawing{next(count)}"></svg>', page)
    found = re.search(r"<article\b.*</article>", page, re.DOTALL)
    if found is None:
        raise ValueError("this page holds no article: it is no page of the built book")
    article = BeautifulSoup(found[0], "html.parser")
    made_plain(article)
    cutter = Cutter()
    for block in blocks(article.article):
        cutter.take(block)
    cutter.let_go()
    slides = [slide for slide in cutter.slides if slide.shown or slide.notes]
    slides[0].minutes["waiting"] = waiting / 60
    for slide in slides:
        slide.drawings = drawings
        slide.notes = [plain_formulas(note) for note in slide.notes]
        if not EXERCISE.match(slide.title):  # whose minutes are for its text too
            words = " ".join(note.get_text(" ") for note in slide.notes)
            slide.minutes["reading"] += len(re.findall(r"[^\s|#*$-]+", words)) / WORDS
    return slides


class Cutter:
    """Takes one block of a chapter after the other, and makes slides of them."""

    def __init__(self) -> None:
        self.slides: list[Slide] = []
        self.title = self.section = ""
        self.is_solved = False  # an exercise amid a section has come to its end
        self.waits: Tag | None = None  # a paragraph that may lead to what comes next

    def take(self, block: Tag) -> None:
        classes = block.get("class", [])
        if block.name == "details" or "tag_hide-cell" in classes:
            self.is_solved = self.is_exercise() and self.section != "Exercises"
            return
        if self.is_solved:
            self.let_go()
            self.is_solved, self.title = False, self.section
            self.begin()
        if re.fullmatch(r"h[1-4]", block.name):
            self.let_go()
            self.title = self.section = block.decode_contents()
            self.begin()
        elif block.name == "p":
            self.take_text(block)
        elif block.name in ("ul", "ol"):
            self.take_list(block)
        elif "cell" in classes:
            self.take_cell(block)
        elif "math" in classes:
            lines = block.get_text().count("\\\\") + 1
            self.show(block, 50 + 44 * lines, reading=1 / 2)
        elif table := block.find("table"):
            self.show(table, 44 * len(table.find_all("tr")), notes=[copy(table)])
        elif block.name == "figure" or block.name == "svg":
            self.show(block, ROOM, looking=1)
        elif block.name not in ("script", "span"):
            self.take_text(block)

    @property
    def last(self) -> Slide:
        return self.slides[-1]

    def begin(self) -> None:
        self.slides.append(Slide(self.title))

    def let_go(self) -> None:
        """The paragraph that waits leads to nothing: it speaks of the slide before it."""
        if self.waits is not None:
            self.last.notes.append(self.waits)
        self.waits = None

    def take_text(self, text: Tag) -> None:
        self.let_go()
        first = text.contents[0] if text.contents else None
        bold = first if isinstance(first, Tag) and first.name == "strong" else None
        is_aside = isinstance(first, Tag) and first.name == "em" and len(text.contents) == 1
        if bold is not None and EXERCISE.match(bold.get_text()):
            self.take_exercise(text, bold)
        elif self.is_exercise():
            self.show_more(text)
        elif is_aside:
            self.last.notes.append(text)
        elif not self.last.shown and text.name == "p":
            self.begin_with(text, LEAD)
        elif bold is not None and len(bold.get_text().split()) < 9:
            is_text = all(one.name in ("p", "ul", "ol") for one in self.last.shown)
            if not is_text or self.last.height + height_of(text) > ROOM:
                self.begin()
            self.begin_with(text, LEAD)
        else:
            self.waits = text

    def begin_with(self, text: Tag, words: int) -> None:
        """Show the first sentences, as many as have no more than these words; at least one."""
        lead = new("p", "lead")
        for sentence in sentences(text):
            so_far = len(lead.get_text().split())
            if so_far > 8 and so_far + len(sentence.get_text().split()) > words:
                break
            lead.extend(copy(node) for node in sentence.contents)
        self.last.shown.append(lead)
        self.last.height += height_of(lead)
        self.last.notes.append(text)

    def take_exercise(self, text: Tag, bold: Tag) -> None:
        self.title = bold.decode_contents()
        self.begin()
        self.last.minutes["exercises"] = float(MINUTES.search(text.get_text())[1])
        self.last.notes.append(copy(text))
        bold.extract()
        self.last.shown.append(text)
        self.last.height += height_of(text)

    def is_exercise(self) -> bool:
        return EXERCISE.match(self.title) is not None

    def show_more(self, text: Tag) -> None:
        """Of an exercise, show what there is room for."""
        height = height_of(text)
        if self.last.height + height <= ROOM:
            self.last.shown.append(copy(text))
            self.last.height += height
        self.last.notes.append(text)

    def take_list(self, block: Tag) -> None:
        words = len(block.get_text().split())
        if self.is_exercise():
            self.let_go()
            self.show_more(block)
        elif self.leads():
            shown = block if words <= 80 else in_short(block)
            self.show(shown, height_of(shown), notes=[copy(block)])
        else:
            self.let_go()
            if not self.last.shown:
                self.last.shown.append(in_short(block))
                self.last.height += height_of(self.last.shown[-1])
            self.last.notes.append(block)

    def leads(self) -> bool:
        """Whether what came last says that something follows."""
        before = self.waits or (self.last.notes[-1] if self.last.notes else None)
        text = before.get_text().strip() if before is not None else ""
        return text.endswith(":") or (before is not None and before.find("strong") is not None)

    def take_cell(self, cell: Tag) -> None:
        tags = {name.removeprefix("tag_") for name in cell["class"]}
        if "no-slide" in tags:
            return
        code = cell.select_one(".cell_input pre")
        source = code.get_text() if code else ""
        pictures = cell.select(".cell_output :is(figure, .feedback-widget, svg:not(figure svg))")
        printed = [
            shortened(lines_of(text))
            for text in cell.select(".cell_output pre")
            if not text.find_parent(class_="feedback-widget")
        ]
        asked = ASKED.search(source) is not None
        is_read = code and "hide-input" not in tags and not is_imports(source)
        for picture in pictures:
            self.show(picture, ROOM, looking=1)
        below = 0 if asked else sum(map(height_of_code, printed))
        if is_read and not pictures:
            *parts, last = in_parts(code)
            for part in (*parts, last):
                minutes = 0 if asked else written(part) / LINES
                together = below if part is last else 0
                block, height = as_block(part, "code"), height_of_code(part)
                self.show(block, height, below=together, code=minutes)
        for lines in () if asked else printed:
            block, height = as_block(lines, "printed"), height_of_code(lines)
            if pictures and len(lines) <= 3:
                self.last.shown.append(block)
            else:
                self.show(block, height)

    def show(
        self, block: Tag, height: float, below: float = 0, notes: list[Tag] = (), **minutes: float
    ) -> None:
        """Put a block onto the last slide, or onto one of its own.

        Args:
            height: of the block, in pixels.
            below: of what will be shown below it, and should not be parted from it.
            notes: what is said of it.
            minutes: that it takes, by `PARTS`.
        """
        parts = sentences(self.waits) if self.waits is not None else []
        says_so = bool(parts) and parts[-1].get_text().strip().endswith(":")
        lead = [copy(parts[-1])] if says_so else []
        height += sum(map(height_of, lead))
        alone = "looking" in minutes  # a drawing or a widget
        has_room = alone or self.last.height + height + below <= SHRUNK
        if self.last.shown and (alone or self.last.full or not has_room):
            if parts and not says_so and not alone:
                lead = [copy(parts[0])]
            spoken = parts[-1:] if says_so else parts
            self.waits = joined(parts[: len(parts) - len(spoken)])
            self.let_go()
            self.slides.append(Slide(self.title))
            self.waits = joined(spoken)
        self.let_go()
        self.last.shown += [*lead, block] if not alone else [block]
        self.last.height += height
        self.last.full |= alone
        self.last.notes.extend(notes)
        for part, more in minutes.items():
            self.last.minutes[part] += more
