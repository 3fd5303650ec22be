"""The words of the glossary lead to their entries, in the built book."""

from collections import Counter
from functools import cache

import pytest
from looking import BOOK, PAGES, ROOT, parsed
from test_glossary import glossary

ENTRIES = glossary.entries_of((ROOT / f"{glossary.PAGE}.md").read_text("utf-8"))
CHAPTERS = [page for page in PAGES if page.startswith("notebooks/")]


@cache
def words_of(page: str) -> list:
    return parsed(BOOK / f"{page}.html").select("article a.glossary-word")


def entry_of(link) -> str:
    return link["href"].partition("#")[2]


@pytest.mark.parametrize("page", CHAPTERS)
def test_a_chapter_links_words_of_the_glossary_each_once(book, page):
    found = Counter(map(entry_of, words_of(page)))
    assert found and set(found.values()) == {1}


def test_chapters_have_as_many_links_as_words_that_they_introduce(book):
    counts = {page: len(words_of(page)) for page in CHAPTERS}
    assert sum(counts.values()) >= len(ENTRIES), counts
    assert counts["notebooks/02-parallel-transformer"] >= 15, counts


def test_every_entry_is_linked_from_somewhere(book):
    linked = {entry_of(link) for page in PAGES for link in words_of(page)}
    assert [name for name in ENTRIES if glossary.id_of(name) not in linked] == []


def test_every_link_leads_to_the_entry_of_its_word(book):
    page = parsed(BOOK / f"{glossary.PAGE}.html")
    terms = {term["id"]: glossary.straight(term.get_text()) for term in page.select("dt[id]")}
    names = {glossary.id_of(name): name for name in ENTRIES}
    for chapter in CHAPTERS:
        for link in words_of(chapter):
            name = names[entry_of(link)]
            assert terms[entry_of(link)].rstrip("#") == name
            assert glossary.plain(link.get_text()) in ENTRIES[name][0]
