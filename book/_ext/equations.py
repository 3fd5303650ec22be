r"""Sphinx extension: the symbols of `feedback/notation.py` have their colours in equations.

Notebooks hold plain TeX, which Colab and JupyterLab show. The built page puts each symbol's letter
into a `\class`, MathJax's name for a class of CSS: `\bar k_j` becomes
`\bar {\class{of-keys}{k}}_j`. What is a symbol is said in `symbols.py`.
"""

import re

import offline
from docutils import nodes
from sphinx import addnodes

# isort: split
import symbols

from feedback.notation import TABLE

STYLE = "\n".join(f".of-{one.name} {{\n  color: var(--{one.name});\n}}" for one in TABLE) + "\n"


def setup(app):
    app.connect("builder-inited", color_formulas)
    app.connect("builder-inited", write_style)
    app.add_css_file("equations.css")
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def write_style(app):
    if app.builder.format == "html":
        offline.write(offline.static_folder(app) / "equations.css", STYLE.encode())


def color_formulas(app):
    """Have every formula coloured as it is written: what the search reads stays plain TeX."""
    for renderers in (
        app.registry.html_inline_math_renderers,
        app.registry.html_block_math_renderers,
    ):
        for name, (visit, depart) in renderers.items():
            renderers[name] = coloring(visit), depart


def coloring(visit):
    def visit_colored(writer, node):
        copy = node.deepcopy()
        copy.children = []
        copy += nodes.Text(symbols.colored(node.astext(), has_keys(node)))
        visit(writer, copy)

    return visit_colored


def has_keys(node) -> bool:
    """Whether $K$ stands in a formula of the same page, or of the same part of the one page."""
    page = node
    while page.parent is not None and not isinstance(page, addnodes.start_of_file):
        page = page.parent
    if "has_keys" not in page:
        formulas = page.findall(lambda one: isinstance(one, (nodes.math, nodes.math_block)))
        page["has_keys"] = any(re.search(r"(?<![A-Za-z\\])K", one.astext()) for one in formulas)
    return page["has_keys"]
