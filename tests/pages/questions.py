"""What tests of the book's questions share: where they stand, and what a reader does there."""

from looking import start_widgets

ATTENTION = "notebooks/01-attention"  # a slider, then a number to type
MEMORY = "notebooks/04-feedback-memory"  # choices, then a slider on a logarithmic scale
QUESTION = ".feedback-widget[data-widget=predict_then_reveal]"


def question(page, index: int):
    return page.locator(QUESTION).nth(index)


def reveal(place):
    place.get_by_role("button", name="Reveal").click()


def type_number(place, number: float):
    place.get_by_label("Your guess").fill(str(number))
    reveal(place)


def wait_for_sentence(place, text: str):
    place.locator("[aria-live=polite]", has_text=text).wait_for()


def is_answered(place) -> bool:
    return place.get_by_role("button", name="Guess again").is_visible()


def tally(place) -> str:
    return place.locator(".tally span").text_content()


def restart(page):
    """Load the page again, and wait for its widgets."""
    page.reload()
    start_widgets(page)
