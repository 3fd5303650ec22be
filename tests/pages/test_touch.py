"""What moves a control on purpose, and what scrolls the page and leaves every control as it is."""

import pytest
from cover import ONE_OF_EACH_FORM, one_of_each_form_on
from looking import LAPTOP, PHONE

WEIGHTS = "notebooks/04-feedback-memory"
ATTENTION = "notebooks/05-shared-keys-values"

# All that a reader sees or has set. (What is only spoken comes a little later.)
STATE = """(widget) => JSON.stringify([
    [...widget.querySelectorAll("*")]
        .filter((part) => !part.closest(".spoken") && part.children.length === 0)
        .map((part) => part.textContent),
    [...widget.querySelectorAll("input, select, textarea")].map(
        (field) => [field.value, field.checked, field.ariaValueText]),
    [...widget.querySelectorAll("button")].map((button) => button.ariaPressed),
])"""
# All that can be touched can come to the middle of the screen, where the page scrolls both ways.
ROOM = "article { padding-block: 100vh }"
CENTER = "(part) => part.scrollIntoView({ block: 'center', behavior: 'instant' })"
FIELDS = ["select", "textarea", *(f"input[type={kind}]" for kind in ("number", "range", "radio"))]
PICTURES = [".cell", ".token", ".strip", ".bar", ".text", "svg"]


@pytest.fixture(scope="module")
def on_a_phone(turn_to):
    """`on_a_phone(name)` opens a page on a phone with a touch screen."""
    settings = dict(viewport=PHONE, has_touch=True, is_mobile=True, reduced_motion="reduce")
    return lambda name: turn_to(name, **settings)


class Hand:
    """Real touches: the browser decides what scrolls."""

    def __init__(self, page):
        self.page, self.session = page, page.context.new_cdp_session(page)

    def send(self, kind: str, *points):
        touches = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(points)]
        self.session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})

    def move(self, *paths):
        """Fingers along paths, each a list of points; all paths are of one length."""
        first, *rest = zip(*paths, strict=True)
        self.send("touchStart", *first)
        for points in rest:
            self.send("touchMove", *points)
        self.send("touchEnd")
        self.page.evaluate("new Promise((done) => setTimeout(done, 50))")

    def scroll(self, path):
        """One finger, again if need be: of a page that is busy the browser may drop a touch."""
        top = scrolled(self.page)
        for _ in range(20):
            self.move(path)
            if scrolled(self.page) != top:
                return
        raise AssertionError(f"the page does not scroll under a finger from {path[0]}")


def place(part, at: float = 0.85) -> tuple[float, float]:
    part.evaluate(CENTER)
    box = part.bounding_box()
    return box["x"] + at * box["width"], box["y"] + box["height"] / 2


def line(start: tuple, right: float = 0, down: float = 0, steps: int = 8) -> list[tuple]:
    x, y = start
    return [(x + right * i / steps, y + down * i / steps) for i in range(steps + 1)]


def scrolled(page) -> float:
    return page.evaluate("scrollY")


def one_of_each(widget, selectors: list[str]) -> list:
    """The last part of a widget of each kind that can be seen."""
    found = [widget.locator(f"{selector}:visible") for selector in selectors]
    return [parts.last for parts in found if parts.count()]


@pytest.mark.parametrize("name", ONE_OF_EACH_FORM)
def test_a_finger_that_scrolls_the_page_changes_nothing(on_a_phone, name):
    with on_a_phone(name) as visit:
        page, hand = visit.page, Hand(visit.page)
        page.wait_for_function("!document.querySelector('[aria-busy=true]')")
        page.add_style_tag(content=ROOM)
        for widget in one_of_each_form_on(visit):
            for part in one_of_each(widget, ["button", *FIELDS, *PICTURES]):
                for right, down, steps in [(0, -250, 2), (60, 250, 4)]:  # a flick, a slanting swipe
                    start, before = place(part), widget.evaluate(STATE)
                    hand.scroll(line(start, right, down, steps))
                    assert widget.evaluate(STATE) == before, part


@pytest.fixture(scope="module")
def weights(on_a_phone):
    with on_a_phone(WEIGHTS) as visit:
        widget = visit.page.locator(".feedback-widget[data-widget=layer_memory_weights]").first
        yield widget


def weights_of(widget) -> list[float]:
    return widget.locator("data.weight").evaluate_all("all => all.map((one) => Number(one.value))")


def test_a_tap_and_a_finger_along_a_slider_move_it(weights):
    hand, slider = Hand(weights.page), weights.get_by_role("slider").nth(1)
    hand.move([place(slider, at=0.25)])
    wait_for_weight(weights, 0.25)
    width = slider.bounding_box()["width"]
    hand.move(line(place(slider, at=0.25), right=width / 2))
    wait_for_weight(weights, 0.75)
    assert sum(weights_of(weights)) == pytest.approx(1)
    hand.move(line(place(slider, at=0.75), right=-width / 4, down=15, steps=30))
    wait_for_weight(weights, 0.5)
    before = weights_of(weights)[1]
    slider.press("ArrowRight")
    assert weights_of(weights)[1] == pytest.approx(before + 0.01, abs=0.005)


def wait_for_weight(widget, weight: float):
    """Of the second layer; the browser finds out a little after a touch that it was a tap."""
    widget.page.wait_for_function(
        "([widget, weight]) => Math.abs(widget.querySelectorAll('data.weight')[1].value - weight)"
        " < 0.03",
        arg=[widget.element_handle(), weight],
    )


def test_two_fingers_move_no_slider(weights):
    hand, slider, before = Hand(weights.page), weights.get_by_role("slider").nth(1), weights_of
    before = weights_of(weights)
    x, y = place(slider, at=0.6)
    apart = line((x, y), right=80), line((x - 30, y + 60), right=-80)
    together = line((x, y), down=-200), line((x - 60, y), down=-200)
    for fingers in (apart, together):
        hand.move(*fingers)
        assert weights_of(weights) == before
    # One that comes later is no part of a drag either.
    hand.send("touchStart", (x, y))
    hand.send("touchStart", (x, y), (x - 30, y + 60))
    for step in range(8):
        hand.send("touchMove", (x + 10 * step, y), (x - 30 - 10 * step, y + 60))
    hand.send("touchEnd")
    assert weights_of(weights) == before


def test_a_slider_that_a_finger_scrolled_past_is_no_guess(on_a_phone):
    with on_a_phone("notebooks/01-attention") as visit:
        question = visit.page.locator(".predict-then-reveal", has=visit.page.get_by_role("slider"))
        Hand(visit.page).move(line(place(question.get_by_role("slider")), down=-250))
        question.get_by_role("button", name="Reveal").click()
        question.locator("[aria-live]", has_text="Move the slider first.").wait_for()


@pytest.mark.parametrize("name", ONE_OF_EACH_FORM)
def test_the_wheel_scrolls_the_page_over_every_field(turn_to, name):
    with turn_to(name, viewport=LAPTOP) as visit:
        page = visit.page
        page.wait_for_function("!document.querySelector('[aria-busy=true]')")
        page.add_style_tag(content=ROOM)
        for widget in one_of_each_form_on(visit):
            for field in one_of_each(widget, FIELDS):
                field.evaluate(CENTER)
                field.focus()
                field.hover()
                for distance in (100, -100):
                    before, top = widget.evaluate(STATE), scrolled(page)
                    page.mouse.wheel(0, distance)
                    page.wait_for_function("(top) => scrollY !== top", arg=top)
                    assert widget.evaluate(STATE) == before
                    field.focus()


def test_what_the_mouse_points_at_stays_while_the_wheel_scrolls(open_page):
    with open_page(ATTENTION, viewport=LAPTOP) as visit:
        widget = visit.page.locator(".feedback-widget[data-widget=memory_attention]")
        widget.evaluate(CENTER)
        read = widget.get_by_label("step that is read")
        cells = widget.locator(".line").first.locator(".column").nth(4).locator(".cell")
        cells.first.hover()
        assert read.input_value() == "4"
        cells.last.hover()
        visit.page.mouse.wheel(0, 120)
        visit.page.wait_for_timeout(300)  # long enough for the browser to see what lies below
        visit.page.mouse.wheel(0, -60)
        visit.page.wait_for_timeout(300)
        assert read.input_value() == "4"
