"""Which word of a page leads to which entry of the glossary, on pages of a few words."""

import sys
from pathlib import Path

import pytest
from docutils import nodes
from sphinx import addnodes
from sphinx.errors import ExtensionError

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "book/_ext"))
import glossary  # noqa: E402

TEXT = """\
# Glossary

cache
: In the field: *KV cache*.

keys, queries
: Two roles. [Chapter 1](../notebooks/01-a.ipynb).

layer weights
: Learned. [Chapter 2](../notebooks/02-b.ipynb).

loss
: A number.
"""
ENTRIES = glossary.entries_of(TEXT)
PAGE = "notebooks/02-b"


def page(*paragraphs: str) -> nodes.document:
    """Paragraphs in which *this* is in italics, `this` is code, and [this] is a link."""
    from docutils.utils import new_document

    document = new_document("page")
    kinds = {"*": nodes.emphasis, "`": nodes.literal, "[": nodes.reference}
    for text in paragraphs:
        paragraph = nodes.title() if text.startswith("# ") else nodes.paragraph()
        for part in glossary.re.split(r"(\*[^*]+\*|`[^`]+`|\[[^]]+\])", text):
            kind = kinds.get(part[:1])
            paragraph += kind("", part[1:-1]) if kind else nodes.Text(part)
        document += paragraph
    return document


def linked(*paragraphs: str, of: str = PAGE) -> list[tuple[str, str]]:
    """For each link that is made, its entry and its words."""
    document = page(*paragraphs)
    before = document.astext()
    glossary.link_first_uses(document, ENTRIES, of)
    assert document.astext() == before
    return [(link["reftarget"], link.astext()) for link in document.findall(addnodes.pending_xref)]


def test_an_entry_goes_by_its_names_and_by_what_it_sets_in_italics():
    assert ENTRIES["cache"] == ({"cache", "kv cache"}, set())
    assert ENTRIES["keys, queries"] == ({"key", "query"}, {"notebooks/01-a"})


def test_the_first_use_in_italics_is_linked_and_no_other():
    assert linked("A loss, a *loss*.", "A *loss* and *this*.") == [("loss", "loss")]
    assert linked("A *KV cache*.", "A *cache*.") == [("cache", "KV cache")]


def test_plural_and_singular_are_the_same():
    assert linked("*query*") == linked("*query*", "*keys*") == [("keys, queries", "query")]
    assert linked("*layer weight*") == [("layer weights", "layer weight")]


def test_a_name_with_a_capital_within_a_sentence_is_no_use_of_the_word():
    assert linked("Press *Loss* now.") == []
    assert linked("*Loss* falls.") == [("loss", "Loss")]
    assert linked("It falls. *Loss* is a number.") == [("loss", "Loss")]


def test_headings_links_and_code_are_left_alone():
    assert linked("# On *loss*", "[layer weights] `layer weights`") == []


def test_the_chapter_that_introduces_a_word_links_it_without_italics_too():
    text = ("# Layer weights", "These are layer weights, and layer weights again.")
    assert linked(*text) == [("layer weights", "layer weights")]
    assert linked(*text, of="notebooks/01-a") == []
    assert linked("No layer, weights.", "multilayer weights") == []


def test_two_entries_of_one_word_are_an_error():
    with pytest.raises(ExtensionError, match="loss and cost both go by 'loss'"):
        glossary.entries_of("loss\n: A.\n\ncost\n: Also *loss*.\n")


def test_no_two_entries_of_the_book_go_by_one_word():
    text = (ROOT / f"{glossary.PAGE}.md").read_text("utf-8")
    entries = glossary.entries_of(text)
    assert len(entries) == text.count("\n: ") > 60
    assert len({glossary.id_of(name) for name in entries}) == len(entries)
