"""Questions in the built book: guessed with mouse and keyboard, remembered, counted, forgotten."""

import json
import math
import re
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from looking import LAPTOP, assert_readable, drag, start_widgets, state_of

from feedback.widgets import PredictThenReveal

ATTENTION = "notebooks/01-attention"  # a slider, then a number to type
MEMORY = "notebooks/04-feedback-memory"  # choices, then a slider on a logarithmic scale
QUESTION = ".feedback-widget[data-widget=predict_then_reveal]"

BLOCK_STORAGE = """Object.defineProperty(window, "localStorage", {
    get() { throw new DOMException("The operation is insecure.", "SecurityError") },
})"""


@pytest.fixture
def attention(once):
    visit = once(ATTENTION, "http")
    visit.begin_again()
    return visit.page


@pytest.fixture
def memory(once):
    visit = once(MEMORY, "http")
    visit.begin_again()
    return visit.page


@pytest.fixture
def another_tab(attention):
    """The same page in a tab that shares what the browser keeps."""
    with attention.context.new_page() as tab:
        tab.goto(attention.url)
        yield tab


@pytest.fixture
def another_reader(open_page):
    """The same page in a browser that keeps what it keeps apart."""
    with open_page(ATTENTION, viewport=LAPTOP) as visit:
        yield visit.page


def question(page, index: int):
    return page.locator(QUESTION).nth(index)


def reveal(place):
    place.get_by_role("button", name="Reveal").click()


def type_number(place, number: float):
    place.get_by_label("Your guess").fill(str(number))
    reveal(place)


def wait_for_sentence(place, text: str):
    place.locator("[aria-live=polite]", has_text=text).wait_for(timeout=3000)


def is_answered(place) -> bool:
    return place.get_by_role("button", name="Guess again").is_visible()


def tally(place) -> str:
    return place.locator(".tally span").text_content()


def restart(page):
    """Load the page again, and wait for its widgets."""
    page.reload()
    start_widgets(page)


def python_of(place) -> PredictThenReveal:
    state = state_of(place)
    return PredictThenReveal(**{k: v for k, v in state.items() if k not in ("guess", "revealed")})


def test_the_truth_is_nowhere_to_be_seen_before_a_guess(attention, memory):
    for page in (attention, memory):
        for place in page.locator(QUESTION).all():
            state = state_of(place)
            reveal(place)  # without a guess
            wait_for_sentence(place, " first.")
            assert state["question"] in place.inner_text()
            assert state["explanation"] not in place.inner_text()
            assert place.locator(".truth, .right").count() == 0
            assert not is_answered(place)


def test_a_typed_guess_is_compared_with_what_python_computed(attention):
    place = question(attention, 1)
    assert state_of(place)["truth"] == 3
    place.get_by_label("Your guess").fill("5")
    place.get_by_label("Your guess").press("Enter")
    wait_for_sentence(place, "Computed: 3. Your guess is 2 too high.")
    assert place.locator(".guess .number").text_content() == "5"
    shown = place.locator(".truth .number").text_content()
    assert f"(Answer: {shown}. " in python_of(place).describe()
    assert state_of(place)["explanation"] in place.inner_text()
    assert place.get_by_label("Your guess").count() == 0, "a guess cannot change behind the answer"


def test_a_right_guess_is_called_right(attention):
    place = question(attention, 1)
    type_number(place, 3)
    wait_for_sentence(place, "Right: 3.")


def test_a_slider_counts_as_a_guess_once_it_was_moved(attention):
    place = question(attention, 0)
    slider, truth = place.get_by_role("slider"), state_of(place)["truth"]
    reveal(place)
    wait_for_sentence(place, "Move the slider first.")
    for _ in range(5):
        slider.press("ArrowRight")
    assert slider.get_attribute("aria-valuetext") == "0.55"
    reveal(place)
    assert place.locator(".guess .number").text_content() == "0.55"
    wait_for_sentence(place, f"Your guess is {0.55 - truth:.3g} too high.")
    place.get_by_role("button", name="Guess again").click()
    drag(place, 0, to=truth)
    reveal(place)
    assert float(place.locator(".guess .number").text_content()) == pytest.approx(truth, abs=0.03)
    wait_for_sentence(place, "guess is" if not is_exact(place) else "Right")


def is_exact(place) -> bool:
    numbers = place.locator(".guess .number"), place.locator(".truth .number")
    return len({number.text_content() for number in numbers}) == 1


def test_a_logarithmic_slider_says_by_which_factor_a_guess_is_off(memory):
    place = question(memory, 1)
    state = state_of(place)
    place.get_by_role("slider").press("End")
    reveal(place)
    assert (
        place.locator(".guess .number").text_content() == f"{state['high']}\N{NO-BREAK SPACE}times"
    )
    ratio = state["high"] / state["truth"]
    within = "Within" if ratio <= state["factor"] else "Not within"
    times = f"{ratio:.0f}" if ratio >= 100 else f"{ratio:.3g}"
    wait_for_sentence(
        place, f"{within} a factor of 2: your guess is too large by a factor of {times}."
    )
    guess, truth = (
        place.locator(f".{kind} .bar span").bounding_box()["width"] for kind in ("guess", "truth")
    )
    share = math.log(state["truth"] / state["low"]) / math.log(state["high"] / state["low"])
    assert truth / guess == pytest.approx(share, abs=0.02)


def test_a_choice_is_marked_and_so_is_the_answer(memory):
    place = question(memory, 0)
    state = state_of(place)
    wrong = next(choice for choice in state["choices"] if choice != state["truth"])
    place.get_by_role("radio", name=wrong).press("Space")
    reveal(place)
    wait_for_sentence(place, f"No: the answer is \N{LEFT DOUBLE QUOTATION MARK}{state['truth']}")
    assert place.locator("li", has_text="your guess").inner_text().startswith(wrong)
    assert place.locator("li", has_text="the answer").inner_text().startswith(state["truth"])
    place.get_by_role("button", name="Guess again").click()
    place.get_by_role("radio", name=state["truth"]).check()
    reveal(place)
    wait_for_sentence(place, "Right.")


def test_the_focus_follows_the_reader(attention):
    place = question(attention, 1)
    type_number(place, 4)
    focused = "document.activeElement.textContent"
    assert attention.evaluate(focused) == "Guess again"
    attention.keyboard.press("Enter")
    assert attention.evaluate("document.activeElement.type") == "number"


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


@pytest.mark.parametrize("guess", ["1e308", "-1e16", "1e-300"])
def test_a_number_too_long_for_the_page_is_refused(attention, guess):
    place = question(attention, 1)
    type_number(place, guess)
    wait_for_sentence(place, "Type ")
    assert not is_answered(place)


def test_where_the_browser_keeps_nothing_questions_work_all_the_same(another_reader):
    page = another_reader
    page.add_init_script(BLOCK_STORAGE)
    restart(page)
    type_number(question(page, 1), 4)
    assert is_answered(question(page, 1))
    assert tally(question(page, 0)) == "1 of 2 questions answered in this chapter"
    restart(page)
    assert not is_answered(question(page, 1))


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
    restart(attention)
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
    handler = partial(SimpleHTTPRequestHandler, directory=tmp_path)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        served = f"http://127.0.0.1:{server.server_port}"
        start = {"http": served, "file": tmp_path.as_uri()}[scheme]
        yield [f"{start}/{name}/{ATTENTION}.html" for name in ("one", "other")]
        server.shutdown()


def test_two_copies_keep_their_answers_apart(browser, two_copies):
    with browser.new_context(viewport=LAPTOP) as context:
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


@pytest.fixture(scope="module", params=[ATTENTION, MEMORY])
def name_of_page(request) -> str:
    return request.param


def guess_too_high(place, python: PredictThenReveal):
    """With the mouse; where there are choices, a wrong one."""
    if python.choices:
        wrong = next(choice for choice in python.choices if choice != python.truth)
        place.get_by_role("radio", name=wrong).click()
    elif python.high is None:
        place.get_by_label("Your guess").fill(str(python.truth + 2))
    else:
        drag(place, 0, to=0.9)
    reveal(place)


def guess_with_keys(place, python: PredictThenReveal):
    """The right answer, or with a slider the highest number, from where the focus is."""
    press = place.page.keyboard.press
    if python.choices:
        press("Space")
        for _ in range(python.choices.index(python.truth)):
            press("ArrowDown")
    elif python.high is None:
        place.page.keyboard.type(str(python.truth))
    else:
        press("End")
    press("Tab")
    press("Enter")


def assert_answered(place, python: PredictThenReveal, right: bool):
    answer = python.describe().partition("(Answer: ")[2].partition(". ")[0]
    if python.choices:
        verdict = "Right." if right else f"No: the answer is \N{LEFT DOUBLE QUOTATION MARK}{answer}"
    else:
        assert place.locator(".truth .number").text_content() == answer
        verdict = f"Right: {answer}." if right else f"Computed: {answer}."
    wait_for_sentence(place, verdict)
    if not (right or python.choices):
        wait_for_sentence(place, "too large by a factor of" if python.factor else "too high.")
    assert python.explanation in place.inner_text()


def test_a_guess_is_made_with_the_mouse_and_with_keys(look):
    for place in look.locator(QUESTION).all():
        python, again = python_of(place), place.get_by_role("button", name="Guess again")
        guess_too_high(place, python)
        assert_answered(place, python, right=False)
        again.press("Enter")
        guess_with_keys(place, python)
        assert_answered(place, python, right=python.high is None)
        assert_readable(place)
        tally_box, box = (
            place.locator(part).bounding_box() for part in (".tally", ".predict-then-reveal")
        )
        assert tally_box["y"] + tally_box["height"] <= box["y"] + box["height"]
        assert place.locator(".tally span").bounding_box()["height"] >= 12
        again.click()


def test_on_paper_an_open_question_has_its_answer(attention):
    attention.emulate_media(media="print")
    place = question(attention, 1)
    text = place.locator(".printed")
    assert text.is_visible() and python_of(place).describe().endswith(text.text_content())
    assert not place.get_by_role("button", name="Reveal").is_visible()


def test_without_javascript_question_and_answer_can_be_read(open_page):
    with open_page(ATTENTION, java_script_enabled=False) as visit:
        place = question(visit.page, 1)
        assert place.locator("p").text_content().startswith("Question: ")
        place.locator("summary").click()
        assert "\n3. " in place.inner_text()


def test_on_paper_the_answer_is_there_without_javascript_too(open_page):
    with open_page(ATTENTION, java_script_enabled=False) as visit:
        visit.page.emulate_media(media="print")
        assert "\n3. " in question(visit.page, 1).inner_text()


def test_a_question_that_cannot_start_is_told_with_its_answer(open_page):
    script = "_static/widgets/predict_then_reveal.js"
    with open_page(ATTENTION, instead={script: ""}) as visit:
        place = question(visit.page, 1)
        assert "did not load" in place.locator(".feedback-widget-error").text_content()
        place.locator("summary").click()
        assert "\n3. " in place.inner_text()
