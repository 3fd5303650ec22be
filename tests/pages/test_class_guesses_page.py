"""A class: guesses leave one browser as a line, and stand side by side in another."""

import json
import re

import pytest
from looking import LAPTOP, assert_readable, beside_kernel, start_widgets
from questions import ATTENTION, MEMORY, question, reveal, type_number

from feedback.widgets import PredictThenReveal, base, class_guesses

PAGE = "book/class-guesses"
NAMES = "() => window.feedbackBookQuestions"


def copied(place) -> str:
    place.get_by_role("button", name="Copy my guesses").click()
    field = place.get_by_label("Code of these answers")
    place.get_by_role("status").get_by_text("no name").wait_for()
    return field.input_value()


@pytest.fixture(scope="module")
def reader(open_page):
    """Two codes of a reader: after one answer, and after another one in another chapter."""
    with open_page(ATTENTION, viewport=LAPTOP) as visit:
        page = visit.page
        place = question(page, 1)
        assert not place.get_by_role("button", name="Copy my guesses").is_visible()
        type_number(place, 5)
        first = copied(place)
        page.goto(page.url.replace(ATTENTION, MEMORY))
        start_widgets(page)
        question(page, 0).get_by_role("radio").nth(1).check()
        reveal(question(page, 0))
        second = copied(question(page, 0))
        forget = question(page, 0).get_by_role("button", name="Forget all answers")
        forget.click()
        assert not question(page, 0).get_by_label("Code of these answers").is_visible()
        visit.assert_nothing_went_wrong()
        yield first, second


@pytest.fixture
def teacher(begun):
    return begun.page


def paste(page, *lines: str):
    page.get_by_label("Codes of the class").fill("\n".join(lines))


def said(page) -> str:
    return page.locator(".class-guesses .sentence [aria-hidden]").text_content()


def test_a_line_holds_what_was_answered_and_nothing_else(reader):
    first, second = reader
    assert re.fullmatch(r"guess1;[0-9a-z]{5}=5;[0-9a-z]{3}", first)
    answers = second.split(";")[1:-1]
    assert first.split(";")[1] in answers and len(answers) == 2
    assert sum(answer.endswith("=c2") for answer in answers) == 1


def test_guesses_stand_beside_what_was_computed(teacher, reader):
    paste(teacher, *reader, "Bo 10:31: " + reader[0])
    assert re.match(r"3 codes, with answers to 2 of the \d+ questions\.", said(teacher))
    number, choice = teacher.locator(".class-guesses .answered").all()
    assert number.locator(".dot").count() == 3 and number.locator(".mark").count() == 1
    assert "3 guesses, from 5 to 5; median 5. Computed: 3. 0 came close." in number.inner_text()
    assert choice.locator(".number").all_text_contents()[:2] == ["0", "1"]
    links = teacher.locator(".class-guesses .page a")
    assert links.all_text_contents() == ["Chapter 1", "Chapter 4"]
    assert links.first.evaluate("(link) => link.href").endswith(f"/{ATTENTION}.html")
    assert_readable(teacher.locator(".feedback-widget"))
    teacher.get_by_label("Show what was computed").uncheck()
    assert not number.locator(".mark").is_visible() and "Computed" not in number.inner_text()


def test_bad_lines_are_named_and_nothing_is_lost(teacher, reader):
    text = "\n".join([reader[0][:-2], "", "hello", reader[1]])
    paste(teacher, text)
    faults = teacher.locator(".faults li").all_text_contents()
    assert faults == [
        "Line 1: its code is not whole, or was changed.",
        "Line 3: there is no code in it.",
    ]
    assert said(teacher).startswith("1 code, with answers to 2 ")
    teacher.reload()
    start_widgets(teacher)
    assert teacher.get_by_label("Codes of the class").input_value() == text
    assert teacher.locator(".faults li").count() == 2
    teacher.get_by_role("button", name="Clear").click()
    assert said(teacher) == "No codes yet." and teacher.locator(".answered").count() == 0


def test_all_questions_of_the_book_go_by_names_of_their_own(teacher):
    pages = teacher.evaluate(NAMES)
    asked = [json.dumps(state["question"]) for states in pages.values() for state in states]
    assert len(asked) > 15
    source = base.script("class_guesses").partition("export default")[0]
    ids = teacher.evaluate(
        f"""() => {{
            {source}
            const {{ idOf }} = $modules["predict_then_reveal.code.js"];
            const {{ askedIn }} = $modules["predict_then_reveal.numbers.js"];
            const states = Object.values(feedbackBookQuestions).flat();
            return states.map((state) => idOf(askedIn((name) => state[name])));
        }}"""
    )
    assert len(set(ids)) == len(ids) == len(asked)


def test_fifty_codes_are_drawn_on_a_phone_and_on_a_projector_from_disk_and_served(look, reader):
    paste(look, *[reader[1]] * 50)
    assert said(look).startswith("50 codes")
    assert look.locator(".dot").count() == 50
    assert_readable(look.locator(".feedback-widget"))


def test_it_says_so_where_the_browser_does_not_copy(open_page):
    forbid = "Object.defineProperty(navigator, 'clipboard', { value: undefined })"
    with open_page(ATTENTION, first=forbid, viewport=LAPTOP) as visit:
        place = question(visit.page, 1)
        type_number(place, 4)
        assert copied(place).startswith("guess1;")
        assert "by hand" in place.get_by_role("status").text_content()


def test_in_a_notebook_questions_of_ones_own_count(teacher, reader):
    own = PredictThenReveal("Which?", "left", "So it is.", choices=["left", "right"])
    asked = {name: getattr(own, name) for name in class_guesses.FIELDS}
    state = {"questions": [asked], "codes": reader[0]}
    beside_kernel(teacher, base.script("class_guesses"), state)
    drawn = teacher.locator(".class-guesses").last
    drawn.get_by_text("1 of its 1 answers fit no question of this book").wait_for()
