"""Sphinx extension: a long line of code wraps below its own beginning, unless the reader says no.

Each line of code is an element of its own that knows how deep it begins; `_static/book.css` wraps
it. The line breaks stay between these elements, so that what is copied is what was written.

A button in the header of a page with code keeps every line whole (`_static/code-lines.js`). The
menu beside it, which prints the page, gets a second way to print: with its solutions.
"""

import re

from pygments.formatters import HtmlFormatter
from sphinx.highlighting import PygmentsBridge

TAG = re.compile(r"<[^>]*>")
SOLUTION = re.compile(r'<details class="[^"]*\bhide\b')
SPACES = re.compile(r"^((?:<[^>]*>)*)( +)")  # with which a line begins
WRAP = {
    "type": "javascript",
    "javascript": "",  # code-lines.js listens: a server may forbid scripts within a page
    "tooltip": "Wrap long lines of code",
    "icon": "fa-solid fa-arrow-turn-down fa-rotate-90",
    "label": "wrap-lines",
    "classes": "pst-navbar-icon",
}
PRINT_SOLUTIONS = {
    "type": "javascript",
    "javascript": "",
    "tooltip": "Print to PDF, solutions too",
    "icon": "fas fa-file-pdf",
    "text": ".pdf with solutions",
    "label": "print-solutions",
}


def setup(app):
    PygmentsBridge.html_formatter = LineByLine
    # After the theme has made its buttons.
    app.connect("html-page-context", add_buttons, priority=600)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


class LineByLine(HtmlFormatter):
    def wrap(self, source):
        return super().wrap((one, as_element(part) if one else part) for one, part in source)


def as_element(line: str) -> str:
    """One highlighted line, with its line break at the end; it may wrap after a parenthesis too."""
    line = line.removesuffix("\n").replace("(</span>", "(</span><wbr>")
    text = TAG.sub("", line)
    deep = len(text) - len(text.lstrip(" "))
    style = f' style="--deep: {deep}"' if deep else ""
    line = SPACES.sub(r'\1<span class="start">\2</span>', line)
    return f'<span class="line"{style}>{line}</span>\n'


def add_buttons(app, pagename, templatename, context, doctree):
    body, buttons = context.get("body", ""), context.get("header_buttons", [])
    if '<span class="line"' in body:
        buttons.insert(0, WRAP)
    menu = next((button for button in buttons if button["label"] == "download-buttons"), None)
    if menu and SOLUTION.search(body):
        menu["buttons"].append(PRINT_SOLUTIONS)
