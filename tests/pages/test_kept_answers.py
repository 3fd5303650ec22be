"""Answers that the browser keeps: there again, counted, forgotten, apart from what others keep."""

import json
import re

import pytest
from looking import LAPTOP, START_AGAIN, WITHOUT_FORMULAS, answer_with, start_widgets, state_of
from questions import (
    ATTENTION,
    MEMORY,
    is_answered,
    question,
    restart,
    reveal,
    tally,
    type_number,
)
from serving import served

BLOCK_STORAGE = """Object.defineProperty(window, "localStorage", {
    get() { throw new DOMException("The operation is insecure.", "SecurityError") },
})"""


@pytest.fixture
def another_tab(attention):
    """The same page in a tab that shares what the browser keeps."""
    with attention.context.new_page() as tab:
        tab.goto(attention.url)
        yield tab


@pytest.fixture
def another_reader(turn_to):
    """The same page in a browser that keeps what it keeps apart."""
    with turn_to(ATTENTION) as visit:
        yield visit.page
        visit.page.unroute_all()


def test_a_guess_is_there_again_when_the_reader_comes_back(another_reader):
    page = another_reader
    type_number(question(page, 1), 4)
    assert tally(question(page, 0)) == "1 of 2 questions answered in this chapter"
    restart(page)
    assert is_answered(question(page, 1)) and not is_answered(question(page, 0))
    assert question(page, 1).locator(".guess .number").text_content() == "4"
    question(page, 1).get_by_role("button", name="Guess again").click()
    restart(page)
    assert not is_answered(question(page, 1))


def test_the_whole_book_is_counted_and_can_be_forgotten(another_reader):
    page = another_reader
    type_number(question(page, 1), 4)
    page.goto(page.url.replace(ATTENTION, MEMORY))
    start_widgets(page)
    first, other = question(page, 0), question(page, 1)
    other.get_by_role("slider").press("End")
    reveal(other)
    expected = "1 of 2 questions answered in this chapter, 2 in the whole book"
    assert tally(first) == tally(other) == expected
    first.get_by_role("button", name="Forget all answers").click()
    assert not is_answered(other)
    assert tally(other) == "0 of 2 questions answered in this chapter"
    assert not first.get_by_role("button", name="Forget all answers").is_visible()


def test_two_tabs_leave_each_other_alone(attention, another_tab):
    for page in (attention, another_tab):
        page.evaluate("addEventListener('storage', () => (window.told = (window.told ?? 0) + 1))")
    place = question(another_tab, 1)
    place.scroll_into_view_if_needed()
    type_number(question(attention, 1), 3)
    type_number(place, 4)
    another_tab.wait_for_timeout(500)  # enough for thousands of events, if one led to the next
    for page, guess in ((attention, "3"), (another_tab, "4")):
        assert page.evaluate("window.told ?? 0") < 10
        assert question(page, 1).locator(".guess .number").text_content() == guess


def test_forgetting_leaves_the_focus_in_the_question(attention):
    place = question(attention, 1)
    type_number(place, 4)
    place.get_by_role("button", name="Forget all answers").press("Enter")
    assert attention.evaluate("document.activeElement.type") == "number"
    assert not is_answered(place)


def test_where_the_browser_keeps_nothing_questions_work_all_the_same(open_page):
    with open_page(ATTENTION, first=BLOCK_STORAGE, viewport=LAPTOP) as visit:
        type_number(question(visit.page, 1), 4)
        assert is_answered(question(visit.page, 1))
        assert tally(question(visit.page, 0)) == "1 of 2 questions answered in this chapter"
        restart(visit.page)
        assert not is_answered(question(visit.page, 1))


# What a browser may hold where this book keeps its guesses; GUESS stands for the one that it kept.
ODD = [
    "not JSON",
    "null",
    "4",
    '"a text"',
    "[]",
    "[4, [null], {}]",
    '{"__proto__": 4, "constructor": 4, "toString": null}',
    *(f"{{GUESS: {value}}}" for value in ["null", '"4"', "[4]", "{}", "true", "1e400", "-1e30"]),
]


@pytest.mark.parametrize("kept", ODD)
def test_what_cannot_be_a_guess_is_passed_over(attention, kept):
    place = question(attention, 1)
    type_number(place, 4)
    change_kept(attention, kept)
    attention.evaluate(START_AGAIN)
    start_widgets(attention)
    assert not is_answered(place)
    assert tally(place) == "0 of 2 questions answered in this chapter"
    type_number(place, 4)
    assert is_answered(place)
    assert tally(place) == "1 of 2 questions answered in this chapter"


def change_kept(page, text: str):
    """Put another text where the page keeps its guesses; in it, GUESS is what was asked."""
    page.evaluate(
        """(text) => {
            for (const name of Object.keys(localStorage).filter((name) => /guess/.test(name))) {
                const asked = Object.keys(JSON.parse(localStorage[name])).at(-1);
                localStorage[name] = text.replace("GUESS", () => JSON.stringify(asked));
            }
        }""",
        text,
    )


def edit(page, part: str, change: dict):
    """Have the page's server give another edition of a question, that with `part` in its text."""

    def answer(route):
        response = route.fetch()
        text = response.text()
        for state in re.findall(r'<script type="application/json">(.*?)</script>', text):
            if part in state:
                other = json.dumps(json.loads(state) | change).replace("<", "\\u003c")
                text = text.replace(state, other)
        route.fulfill(response=response, body=text)

    page.route(page.url, answer)
    page.reload()
    start_widgets(page)


def test_an_answer_lapses_when_the_question_asks_something_else(another_reader):
    page = another_reader
    type_number(question(page, 1), 4)
    asked = state_of(question(page, 1))["question"]
    for change in ({"question": "How many others?"}, {"unit": "bytes"}):
        edit(page, asked, change)
        assert not is_answered(question(page, 1))
        assert tally(question(page, 0)) == tally(question(page, 1))
        assert tally(question(page, 1)) == "0 of 2 questions answered in this chapter"
        page.unroute(page.url)
    edit(page, asked, {"explanation": "Counted again."})
    assert is_answered(question(page, 1))


def test_a_choice_that_is_gone_is_no_answer(another_reader):
    page = another_reader
    page.goto(page.url.replace(ATTENTION, MEMORY))
    start_widgets(page)
    state = state_of(question(page, 0))
    wrong = next(choice for choice in state["choices"] if choice != state["truth"])
    question(page, 0).get_by_role("radio", name=wrong).check()
    reveal(question(page, 0))
    edit(page, state["question"], {"choices": [state["truth"], "another"]})
    assert not is_answered(question(page, 0))
    assert tally(question(page, 1)) == "0 of 2 questions answered in this chapter"


def test_what_the_book_asks_no_more_is_not_counted(another_reader):
    """Answers in a chapter that is gone, or kept by a book that was at this address before."""
    page = another_reader
    type_number(question(page, 1), 4)
    page.evaluate(
        """() => {
            localStorage["feedback-book-guesses"] = '{"Who?": "I", "When?": 4}';
            for (const name of Object.keys(localStorage).filter((name) => /guess/.test(name))) {
                const kept = JSON.parse(localStorage[name]);
                for (const asked of Object.keys(kept)) kept[asked.replace("a", "e")] = 4;
                localStorage[name] = JSON.stringify({ ...kept, "Who?": 4 });
            }
        }"""
    )
    page.goto(page.url.replace(ATTENTION, MEMORY))
    start_widgets(page)
    expected = "0 of 2 questions answered in this chapter, 1 in the whole book"
    assert tally(question(page, 0)) == expected


@pytest.fixture
def two_copies(browser, book, tmp_path, scheme):
    """Where two copies of the book begin, on one server and in two folders of one disk."""
    for name in ("one", "other"):
        (tmp_path / name).symlink_to(book)
    with served(tmp_path) as address:
        start = {"http": address, "file": tmp_path.as_uri()}[scheme]
        yield [f"{start}/{name}/{ATTENTION}.html" for name in ("one", "other")]


def test_two_copies_keep_their_answers_apart(browser, two_copies):
    with browser.new_context(viewport=LAPTOP) as context:
        context.route("**/mathjax/*", answer_with(WITHOUT_FORMULAS))
        pages = [context.new_page() for _ in two_copies]
        for page, address in zip(pages, two_copies, strict=True):
            page.goto(address)
            start_widgets(page)
        one, other = (question(page, 1) for page in pages)
        type_number(one, 4)
        restart(pages[1])
        assert not is_answered(other)
        assert tally(other) == "0 of 2 questions answered in this chapter"
        type_number(other, 5)
        other.get_by_role("button", name="Forget all answers").click()
        restart(pages[0])
        assert is_answered(one)
        assert one.locator(".guess .number").text_content() == "4"


def test_answers_survive_a_full_storage(another_reader):
    page = another_reader
    page.evaluate(
        """() => {
            for (let size = 2 ** 23; size >= 1; size /= 2) {
                try {
                    localStorage[`filler ${size}`] = "x".repeat(size);
                } catch {} // until nothing has room
            }
        }"""
    )
    type_number(question(page, 1), 4)
    assert is_answered(question(page, 1))
    assert tally(question(page, 0)) == "1 of 2 questions answered in this chapter"
