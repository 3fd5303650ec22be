"""TimingExplorer in the built book: what is chosen there shows the numbers that Python computes."""

import math
import re

import pytest
from looking import PATIENCE, assert_readable, color_of

from feedback.widgets import TimingExplorer

PAGE = "notebooks/09-timing"
WIDGET = ".feedback-widget[data-widget=timing_explorer]"
MENUS = {"what": "Time of", "over": "against", "at": "at", "unit": "in"}


@pytest.fixture
def recorded(begun):
    """The recorded times, without a run of the page's own."""
    return begun.page.locator(WIDGET).first


@pytest.fixture
def both(begun):
    """The page's own run over the recorded times."""
    return begun.page.locator(WIDGET).nth(1)


def menu(widget, name: str):
    return widget.get_by_role("combobox", name=MENUS[name], exact=True)


def choose(widget, **choices) -> TimingExplorer:
    """Choose in the page, and the same in Python."""
    explorer = TimingExplorer()
    for name, value in choices.items():
        menu(widget, name).select_option(value)
        setattr(explorer, name, value)
    return explorer


def shown_numbers(widget) -> dict[str, list[float]]:
    """For each row of the table its medians and, at the end, its slope."""
    rows = widget.locator("tbody tr").all()
    return {
        row.locator("th").inner_text().split("\n")[0]: [
            float(value)
            for value in row.locator("data").evaluate_all("all => all.map((one) => one.value)")
        ]
        for row in rows
    }


def numbers(explorer: TimingExplorer) -> dict[str, list[float]]:
    lines = [line for line in explorer.view["lines"] if line["variant"] in explorer.variants]
    return {
        line["variant"]: [
            *(middle for _, middle, *_ in line[explorer.unit]["points"]),
            *([] if (slope := line[explorer.unit]["slope"]) is None else [slope]),
        ]
        for line in lines
    }


def wait_for_sentence(widget, text: str):
    from playwright.sync_api import expect

    expect(widget.locator("[aria-live=polite]")).to_have_text(text, timeout=1000 * PATIENCE)


CHOICES = [
    {},
    {"unit": "ratio to parallel"},
    {"what": "generation", "unit": "tokens a second"},
    {"over": "batch", "unit": "ratio to parallel"},
    {"what": "generation", "over": "layers"},
    {"at": "4 layers, batch 1"},
]


def test_the_table_and_the_sentence_are_those_of_python(recorded):
    first = {name: menu(recorded, name).input_value() for name in MENUS}
    for choices in CHOICES:
        explorer = choose(recorded, **{"what": first["what"], "over": first["over"]} | choices)
        if "unit" not in choices:
            menu(recorded, "unit").select_option(first["unit"])
        # A size that does not fit gives way to the best covered one, in both halves.
        assert menu(recorded, "at").input_value() == explorer.view["at"]
        assert shown_numbers(recorded) == numbers(explorer)
        wait_for_sentence(recorded, explorer.describe())


def test_axes_and_models_follow_mouse_and_keys(look):
    widget = look.locator(WIDGET).first
    explorer = choose(widget, over="tokens")
    menu(widget, "over").press("ArrowDown")
    explorer.over = "layers"
    assert shown_numbers(widget) == numbers(explorer)
    parallel = widget.get_by_role("checkbox", name="parallel", exact=True)
    parallel.click()
    explorer.variants = [name for name in explorer.variants if name != "parallel"]
    assert shown_numbers(widget) == numbers(explorer)
    wait_for_sentence(widget, explorer.describe())
    parallel.press("Space")
    explorer.variants = TimingExplorer().variants
    assert shown_numbers(widget) == numbers(explorer)
    wait_for_sentence(widget, explorer.describe())
    for widget in look.locator(WIDGET).all():
        assert_readable(widget)


def test_a_menu_follows_the_arrow_keys(recorded):
    over = menu(recorded, "over")
    over.focus()
    over.press("ArrowDown")
    explorer = TimingExplorer()
    explorer.over = "layers"
    assert over.input_value() == "layers"
    assert over.evaluate("(node) => node === document.activeElement")
    assert shown_numbers(recorded) == numbers(explorer)


def test_a_box_hides_a_model_by_key_and_by_mouse(recorded):
    parallel = recorded.get_by_role("checkbox", name="parallel", exact=True)
    parallel.focus()
    parallel.press("Space")
    explorer = TimingExplorer()
    explorer.variants = [name for name in explorer.variants if name != "parallel"]
    assert shown_numbers(recorded) == numbers(explorer)
    wait_for_sentence(recorded, explorer.describe())
    parallel.click()
    assert shown_numbers(recorded) == numbers(TimingExplorer())


def test_without_a_model_it_says_so(recorded):
    for box in recorded.get_by_role("checkbox").all():
        box.click()
    assert "Nothing to show" in recorded.locator(".plot").text_content()
    wait_for_sentence(
        recorded, "Training, seconds against tokens (4 layers, batch 8). No model is chosen."
    )


def places_of(line) -> list[tuple[float, float]]:
    markers = line.locator(".marker").evaluate_all(
        "all => all.map((one) => one.getAttribute('transform'))"
    )
    return [tuple(map(float, re.findall(r"-?[\d.]+", text))) for text in markers]


def test_points_stand_where_their_logarithms_belong(recorded):
    lines = recorded.locator(".plot .line").all()
    points, places = [], []
    for drawn, line in zip(lines, TimingExplorer().view["lines"], strict=True):
        points += [point[:2] for point in line["seconds"]["points"]]
        places += places_of(drawn)
    (size0, middle0), (x0, y0) = points[0], places[0]
    far = max(range(len(points)), key=lambda i: points[i][1] * points[i][0])
    a = (places[far][0] - x0) / math.log(points[far][0] / size0)
    b = (places[far][1] - y0) / math.log(points[far][1] / middle0)
    assert a > 0 > b
    for (size, middle), (x, y) in zip(points, places, strict=True):
        assert x == pytest.approx(x0 + a * math.log(size / size0), abs=0.5)
        assert y == pytest.approx(y0 + b * math.log(middle / middle0), abs=0.5)


def test_no_model_is_told_apart_by_colour_alone(recorded):
    looks = recorded.locator(".plot .line").evaluate_all(
        """lines => lines.map((line) => [
            line.querySelector(".stroke").getAttribute("stroke-dasharray"),
            line.querySelector(".marker").getAttribute("d"),
        ].join(" "))"""
    )
    assert len(looks) == len(set(looks)) == len(TimingExplorer().variants) > 2


def test_the_own_run_is_filled_and_the_recorded_one_hollow(both):
    rows = {text.replace("\n", " ") for text in both.locator("tbody th").all_inner_texts()}
    assert {"parallel recorded", "parallel this page's run"} <= rows
    back = both.locator(".plot .line.back[data-model=parallel] .marker").first
    front = both.locator(".plot .line:not(.back)[data-model=parallel] .marker").first
    for marker, same in ((back, False), (front, True)):
        assert (color_of(marker, "fill") == color_of(marker, "stroke")) is same
    cards = both.locator(".machine").all_text_contents()
    assert cards[0].startswith("Recorded: processor")
    assert cards[1].startswith("This page's run: processor")


def test_python_and_the_page_say_the_same_of_an_own_run(open_page, both):
    with open_page(PAGE, java_script_enabled=False) as visit:
        said = visit.page.locator(f"{WIDGET} p").nth(1).text_content()
    assert "This page's run, at 128 tokens: " in said
    wait_for_sentence(both, said)
