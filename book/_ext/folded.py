"""Sphinx extension: what was unfolded says on paper what it is.

The bar above a folded cell says "Show the solution" and "Hide the solution". In print it can be
neither: there stands the bar's own wording where a cell has one, and else the cell's title, which
is its first line, such as `# @title Solution 1.2`.
"""

import re
from html import escape

from docutils import nodes
from myst_nb.sphinx_ import HideCodeCellNode, depart_HideCellInput, visit_HideCellInput

TITLE = re.compile(r"# ?@title (.+)")


def setup(app):
    app.add_node(HideCodeCellNode, override=True, html=(visit, depart_HideCellInput))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def visit(self, node):
    visit_HideCellInput(self, node)
    title = printed_title(node, self.config.nb_code_prompt_show)
    end = self.body.pop()
    self.body += [f'<p class="printed admonition-title">{escape(title)}</p>\n', end]


def printed_title(node: nodes.Element, usual: str) -> str:
    code = next(node.findall(nodes.literal_block), None)
    title = TITLE.match(code.astext()) if code is not None else None
    return title[1] if title and node["prompt_show"] == usual else node["prompt_show"]
