"""Sphinx extension: the whole book on one page, for `make pdf`, its links true to their chapters.

Chapters have sections of the same name, such as *Exercises*. Sphinx's own builder `singlehtml`
leaves their ids as they are, and a link would lead to the first chapter that has one. Here every
id gets its chapter's name in front.
"""

import re
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.builders.singlehtml import SingleFileHTMLBuilder

# A link to a place in a page, as Sphinx writes it before the pages become one.
LINK = re.compile(r"#document-(?P<page>[^#]+)#(?P<place>.+)")


def setup(app):
    app.add_builder(OnePage, override=True)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


class OnePage(SingleFileHTMLBuilder):
    def get_outfilename(self, pagename):
        """`book.html` for all pages: Sphinx writes its links as from the uppermost folder."""
        is_book = pagename == self.config.root_doc
        return str(Path(self.outdir, "book.html")) if is_book else super().get_outfilename(pagename)

    def get_target_uri(self, docname, typ=None):
        if docname == self.config.root_doc:
            return "#top"
        return super().get_target_uri(docname, typ)

    def fix_refuris(self, tree):
        for link in tree.findall(nodes.reference):
            if match := LINK.fullmatch(link.get("refuri", "")):
                link["refuri"] = "#" + unique(**match.groupdict())

    def assemble_doctree(self):
        tree = super().assemble_doctree()
        make_unique(tree, self.config.root_doc)
        next(tree.findall(nodes.section))["ids"].append("top")
        return tree

    def assemble_toc_fignumbers(self):
        """The numbers of figures, which Sphinx keeps by page, kind and id."""
        (numbers,) = super().assemble_toc_fignumbers().values()
        for page_and_kind, by_id in numbers.items():
            page = page_and_kind.rpartition("/")[0]
            numbers[page_and_kind] = {unique(page, place): by_id[place] for place in by_id}
        return {self.config.root_doc: numbers}


def unique(page: str, place: str) -> str:
    return f"{page}/{place}"


def make_unique(node: nodes.Element, page: str):
    """Rename ids, and what names them, in all that stands below `node`."""
    for child in node.children:
        if isinstance(child, addnodes.start_of_file):
            make_unique(child, child["docname"])
        elif isinstance(child, nodes.Element):
            for names in ("ids", "backrefs"):
                child[names] = [unique(page, place) for place in child.get(names, [])]
            if "refid" in child:
                child["refid"] = unique(page, child["refid"])
            make_unique(child, page)
