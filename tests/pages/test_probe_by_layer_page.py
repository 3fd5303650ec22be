"""Probes that a reader fits in the page: what they read, and that controls read nothing."""

import re

from looking import PATIENCE, assert_readable

from feedback.widgets import ProbeByLayer

PAGE = "notebooks/10-inside-the-memory"
WIDGET = ".feedback-widget[data-widget=probe_by_layer]"
SENTENCE = ".sentence > :first-child"
PLACES = ["embedding", "after attention 1", "output of layer 1"]
PLACES += ["after attention 2", "output of layer 2", "memory vector"]


def fitted(widget, target: str = "now") -> dict[str, float]:
    """How often the probe at each place is right when all are fitted; the sentence is Python's."""
    widget.locator("[aria-busy=false]").wait_for(timeout=1000 * PATIENCE)
    said = widget.locator(SENTENCE).text_content()
    shares = {place: float(re.search(rf"{place} (\d\.\d\d)", said)[1]) for place in PLACES}
    python = ProbeByLayer(target=target)
    python.results = {place: [round(100 * share), 100] for place, share in shares.items()}
    assert said == python.describe()
    return shares


def test_nothing_is_fitted_before_a_reader_asks_for_it(look):
    widget = look.locator(WIDGET)
    assert widget.locator(SENTENCE).text_content().startswith("No probe is fitted yet.")
    assert widget.locator(".line:visible").count() == 1  # what is asked for
    assert_readable(widget)


def test_it_is_read_where_chapter_10_says_and_controls_read_nothing(begun):
    """Chapter 10's recorded probes of this model are right from the output of layer 1 on."""
    widget = begun.page.locator(WIDGET)
    button = widget.get_by_role("button", name="Fit the probes")
    button.focus()
    button.press("Enter")
    now = fitted(widget)
    assert now["embedding"] < 0.4 and now["after attention 1"] < 0.5
    assert min(now[place] for place in PLACES[2:]) > 0.9
    assert widget.locator(".line:visible").count() == 7
    assert_readable(widget)
    menu = widget.get_by_role("combobox", name="the probes read")
    menu.select_option("before")  # from now on they are fitted anew by themselves
    before = fitted(widget, "before")
    assert before["embedding"] < 0.4 < 0.9 < before["after attention 1"]
    menu.select_option("shuffled")
    assert max(fitted(widget, "shuffled").values()) < 0.4
