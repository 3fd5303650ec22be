"""Sphinx extension: the first use of a glossary word on a page leads to its entry.

`book/glossary.md` is a list of definitions, and nothing is marked in a chapter: a notebook reads
the same without the book. An entry goes by its name, by each of several that stand with commas
between them, and by what its definition sets in italics. Plural and singular are the same.

On each page, the first use in italics of any of these becomes a link. In the chapter that an
entry's definition links to, a word that is never in italics is linked where it first stands.
"""

import re
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.errors import ExtensionError

PAGE = "book/glossary"
ENTRY = re.compile(r"^(\S.*)\n: (.+)$", re.MULTILINE)
ITALICS = re.compile(r"(?<!\*)\*([^*]+)\*(?!\*)")
CHAPTER = re.compile(r"\]\(\.\./(notebooks/[\w-]+)\.ipynb\)")
# Where no link is put into the text.
NO_TEXT = (
    nodes.title,
    nodes.reference,
    nodes.literal,
    nodes.literal_block,
    nodes.math,
    nodes.math_block,
    nodes.raw,
    nodes.comment,
    addnodes.pending_xref,
)


def setup(app):
    app.connect("doctree-read", mark)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def mark(app, doctree):
    glossary = Path(app.srcdir, f"{PAGE}.md")
    if not glossary.is_file():
        return
    app.env.note_dependency(str(glossary))
    entries = entries_of(glossary.read_text("utf-8"))
    if app.env.docname == PAGE:
        name_entries(app.env, doctree, entries)
    else:
        link_first_uses(doctree, entries, app.env.docname)


def entries_of(text: str) -> dict[str, tuple[set[str], set[str]]]:
    """For each entry of a glossary, the words it goes by, and the chapters its definition names.

    Raises:
        ExtensionError: two entries go by the same word.
    """
    entries, owner = {}, {}
    for name, definition in ENTRY.findall(text):
        words = {plain(word) for word in (*name.split(", "), *ITALICS.findall(definition))}
        for word in words:
            if owner.setdefault(word, name) != name:
                raise ExtensionError(f"glossary: {owner[word]} and {name} both go by {word!r}")
        entries[name] = words, set(CHAPTER.findall(definition))
    return entries


def plain(word: str) -> str:
    """A word or several, in small letters, as if there were only one of each thing."""
    word = straight(word).lower()
    return re.sub(r"(?<=[a-rt-z])s\b", "", re.sub(r"ies\b", "y", word))


def straight(text: str) -> str:
    """A text as it was typed, in one line: Sphinx makes its quotation marks round."""
    return " ".join(text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").split())


def id_of(name: str) -> str:
    return f"term-{nodes.make_id(name)}"


def name_entries(env, doctree, entries):
    """Give each entry of the glossary's page an id that links can lead to."""
    terms = {straight(term.astext()): term for term in doctree.findall(nodes.term)}
    if missing := set(entries) ^ set(terms):
        raise ExtensionError(f"glossary: no entry, or not read as one: {', '.join(missing)}")
    for name, term in terms.items():
        term["ids"].append(id_of(name))
        env.get_domain("std").note_object("term", name, id_of(name), location=term)


def link_first_uses(doctree, entries, page: str):
    owner = {word: name for name, (words, _) in entries.items() for word in words}
    linked = set()
    for italics in list(doctree.findall(nodes.emphasis)):
        name = owner.get(plain(italics.astext()))
        if name and name not in linked and is_text(italics) and not is_name(italics, name):
            linked.add(name)
            italics.replace_self(link(name, page, italics.deepcopy()))
    for name, (words, chapters) in entries.items():
        if name not in linked and page in chapters:
            link_in_text(doctree, name, words, page)


def link_in_text(doctree, name: str, words: set[str], page: str):
    """Link the first of `words` that stands in running text."""
    for text in doctree.findall(nodes.Text):
        if not is_text(text):
            continue
        for found in re.finditer(r"\w[\w-]*(?: \w[\w-]*)*", text):
            for start, end in spans(found[0], words):
                start, end = found.start() + start, found.start() + end
                word = link(name, page, nodes.inline(text=text[start:end]))
                around = (nodes.Text(text[:start]), word, nodes.Text(text[end:]))
                text.parent.replace(text, [part for part in around if part.astext()])
                return


def spans(text: str, words: set[str]):
    """Where one of `words` stands in a row of words without a mark between them."""
    places = [found.span() for found in re.finditer(r"\S+", text)]
    for length in sorted({len(word.split()) for word in words}, reverse=True):
        for first in range(len(places) - length + 1):
            start, end = places[first][0], places[first + length - 1][1]
            if plain(text[start:end]) in words:
                yield start, end


def is_name(italics: nodes.emphasis, entry: str) -> bool:
    """Whether it has a capital letter that neither the entry nor the sentence gives it: a button's
    name, such as *Step*."""
    word, around = italics.astext(), italics.parent.astext()
    before = around[: around.find(word)].rstrip()
    begins = not before or before[-1] in ".:?!"
    return word.istitle() and entry[0].islower() and not begins


def is_text(node) -> bool:
    """Whether a link may stand here."""
    while node := node.parent:
        if isinstance(node, NO_TEXT):
            return False
    return True


def link(name: str, page: str, word: nodes.Element) -> addnodes.pending_xref:
    return addnodes.pending_xref(
        "",
        word,
        refdomain="std",
        reftype="term",
        reftarget=name,
        refexplicit=True,
        refwarn=True,
        refdoc=page,
        classes=["glossary-word"],
    )
