"""Sphinx extension: drawings stand in the page itself, and their colours follow its theme.

A figure that a cell draws is an SVG file on white, which every notebook shows as it is. The built
page takes the drawing in, without its white background and with the book's colours as CSS
variables: light and dark are two looks of one drawing. Its text stays text, and a screen reader
says its `alt`. What follows the theme, and what does not, is said in `drawings.py`.
"""

from pathlib import Path

import offline  # lets `feedback` be the package of this checkout
from docutils import nodes
from sphinx.util import logging

# isort: split
import drawings

LOGGER = logging.getLogger(__name__)


def setup(app):
    app.add_node(nodes.image, override=True, html=(visit_image, depart_image))
    app.add_css_file("notation.css")
    app.connect("builder-inited", write_style)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def write_style(app):
    if app.builder.format == "html":
        offline.write(offline.static_folder(app) / "notation.css", drawings.STYLE.encode())


def visit_image(writer, node):
    path = Path(writer.builder.srcdir, node["uri"])
    if path.suffix != ".svg" or not path.is_file():
        return type(writer).visit_image(writer, node)
    # Drawings of a page differ in their ids, whatever page comes before in the book on one page.
    writer.drawings = getattr(writer, "drawings", 0) + 1
    text = path.read_text("utf-8")
    if drawings.OWN_FONT.search(text):
        LOGGER.warning("A sign of this figure is in no font of a reader.", location=node)
    prefix = f"drawing-{writer.drawings}"
    writer.body.append(drawings.inline(text, node.get("alt", ""), prefix, node.get("classes", [])))
    raise nodes.SkipNode


def depart_image(writer, node):
    type(writer).depart_image(writer, node)
