"""The widget that trains in the page, and a reader at work; and its engine beside PyTorch."""

import re

import pytest
import torch
from live_model_page import numbers
from looking import assert_readable, beside_kernel, scrolls_sideways

from feedback.data import Characters
from feedback.tasks import TASKS
from feedback.training import Settings
from feedback.training.update import adamw, update
from feedback.widgets import PatchTheMemory, TrainInThePage, base
from feedback.widgets.train_in_the_page import SIZES, TEXT

PAGE = "book/train-in-the-page"
WIDGET = ".feedback-widget[data-widget=train_in_the_page]"
BEFORE = "Nothing has been learned yet."


@pytest.fixture
def widget(begun):
    return begun.page.locator(WIDGET)


def button(widget, name: str):
    return widget.get_by_role("button", name=name, exact=True)


def choose(widget, label: str, value: str):
    menu = widget.locator("label.control", has_text=re.compile(f"^{label}"))
    menu.locator("select").select_option(value)


def wait_for(widget, words: str | re.Pattern):
    widget.locator(".sentence > :first-child", has_text=words).wait_for(timeout=30_000)


def sentence(widget) -> str:
    return widget.locator(".sentence > :first-child").text_content()


def come_to_rest(widget):
    widget.locator(".train-in-the-page[aria-busy=false]").wait_for(timeout=30_000)


def workers(widget) -> str:
    """Whether both models train in workers."""
    return widget.locator(".train-in-the-page").get_attribute("data-workers")


# ---- a reader ----


def test_it_learns_in_workers_wherever_it_is_opened_from(look):
    widget = look.locator(WIDGET)
    assert sentence(widget).startswith(BEFORE)
    assert not scrolls_sideways(look)
    button(widget, "One update").click()
    wait_for(widget, "After 1 update")
    come_to_rest(widget)
    assert workers(widget) == "true"
    # The charts have a line for each model, from one place to all 16 of a row.
    places = [
        len(line.get_attribute("points").split()) for line in widget.locator(".right .line").all()
    ]
    assert places == [16, 16]
    assert_readable(widget)


def test_a_seed_decides_what_is_learned_and_a_setting_begins_again(widget):
    def weights_after_two():
        for updates in (1, 2):
            button(widget, "One update").click()
            wait_for(widget, f"After {updates} update")
        come_to_rest(widget)
        return sentence(widget), widget.locator(".losses .line").first.get_attribute("points")

    first = weights_after_two()
    button(widget, "Begin again").click()
    wait_for(widget, BEFORE)
    assert weights_after_two() == first
    widget.get_by_label("seed").fill("1")
    widget.get_by_label("seed").press("Enter")
    wait_for(widget, BEFORE)
    assert weights_after_two() != first


def test_by_keyboard_alone_it_trains_and_rests(widget):
    train = widget.locator(".controls > button").first
    train.focus()
    train.press("Enter")
    button(widget, "Pause").wait_for()
    wait_for(widget, re.compile(r"After \d+0 updates"))
    train.press("Enter")
    button(widget, "Train").wait_for()
    come_to_rest(widget)
    resting = sentence(widget)
    widget.page.wait_for_timeout(300)
    assert sentence(widget) == resting


def test_longer_rows_than_any_in_training_can_be_asked_for(widget):
    button(widget, "One update").click()
    wait_for(widget, "After 1 update")
    choose(widget, "on rows of", "64")
    button(widget, "Ask").click()
    wait_for(widget, "No model was trained on more than 16 tokens. At place 64 ")
    points = widget.locator(".right .line").first.get_attribute("points")
    assert len(points.split()) == 64


def test_own_text_is_learned_and_one_that_is_too_short_refused(widget):
    choose(widget, "task", "text")
    field = widget.get_by_label("Text to learn")
    field.fill("too short")
    field.press("Tab")
    assert (
        "needs at least 64 characters; this one has 9" in widget.get_by_role("alert").inner_text()
    )
    field.fill("Every good boy does fine. " * 4)
    field.press("Tab")
    assert widget.locator(".refusal").text_content() == ""
    choose(widget, "models", "feedback-kv")
    button(widget, "One update").click()
    wait_for(widget, "After 1 update, in nats a character: the feedback model needs")
    assert widget.locator(".losses .line").count() == 1


def test_layer_weights_are_those_of_the_mixture_that_is_chosen(widget):
    choose(widget, "memory is made of", "last")
    choose(widget, "layers", "3")
    button(widget, "One update").click()
    wait_for(widget, "After 1 update")
    shown = widget.locator(".weights .bar").all_inner_texts()
    assert [re.sub(r"\s+", " ", text) for text in shown] == [
        "embedding 0 %",
        "layer 1 0 %",
        "layer 2 0 %",
        "layer 3 100 %",
    ]


FORBID = "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'"


def test_where_no_worker_may_start_the_page_itself_trains_and_still_listens(browser, addresses):
    with browser.new_page() as page:

        def forbid(route):
            answer = route.fetch()
            headers = {**answer.headers, "content-security-policy": FORBID}
            route.fulfill(response=answer, headers=headers)

        page.route(f"**/{PAGE}.html", forbid)
        page.goto(f"{addresses['plain']}/{PAGE}.html")
        widget = page.locator(WIDGET)
        widget.scroll_into_view_if_needed()
        button(widget, "Train").click()
        wait_for(widget, re.compile(r"After \d+0 updates"))
        button(widget, "Pause").click()
        come_to_rest(widget)
        assert workers(widget) == "false"
        assert int(re.search(r"After (\d+) updates", sentence(widget))[1]) < 3000


# ---- the engine ----

TRAIN = """async ([source, config, settings, plan]) => {
    const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    const { createRun, finish } = await import(url);
    const run = createRun(config, settings);
    const weights = Array.from(run.parameters.values);
    return { weights, losses: plan.map((length) => finish(run.train(1, length))) };
}"""
LENGTHS = [2] * 10 + [4] * 10 + [16] * 10


def rows_of_page(lengths: list[int], seed: int):
    """The batches of a run on S3, from the page's generator: inputs and labels, (B, T) each."""
    random, task = numbers(seed + 1), TASKS["s3"]
    for length in lengths:
        drawn = [[int(6 * next(random)) for _ in range(length)] for _ in range(SIZES["batch"])]
        inputs = torch.tensor(drawn)
        labels, state = torch.empty_like(inputs), torch.zeros(len(inputs), dtype=torch.long)
        for t in range(length):
            labels[:, t] = state = task.product[state, inputs[:, t]]
        yield inputs, labels


@pytest.mark.parametrize("kind", ["parallel", "feedback-kv"])
def test_thirty_updates_in_the_browser_are_pytorchs(browser, kind):
    widget = TrainInThePage(task="s3", seed=4)
    shape = {"d": 32, "heads": 4, "layers": 2, "hidden": 128, "distances": 16}
    memory = 2 if kind == "feedback-kv" else None
    config = {"model": kind, **shape, "memory": memory, "mixture": "learned"}
    settings = {"task": "s3", "seed": 4, "batch": SIZES["batch"], "longest": 16}
    settings |= {"rate": widget.learning_rate, "decay": SIZES["decay"], "clip": SIZES["clip"]}
    with browser.new_page() as page:
        source = base.script("train_in_the_page.run")
        found = page.evaluate(TRAIN, [source, config, settings, LENGTHS])

    widget.trained = {kind: {**config, "tokens": 6}}
    name = "parallel_weights" if kind == "parallel" else "feedback_weights"
    setattr(widget, name, torch.tensor(found["weights"]).numpy().astype("<f4").tobytes())
    model = widget.to_model(kind).train()
    ours = Settings(learning_rate=widget.learning_rate, weight_decay=SIZES["decay"])
    optimizer = adamw(model, ours)
    losses = [
        update(model, optimizer, *batch, SIZES["clip"]).item()
        for batch in rows_of_page(LENGTHS, seed=4)
    ]
    torch.testing.assert_close(found["losses"], losses, atol=1e-3, rtol=0)


# ---- handing on ----

# Beside a kernel the weights of the page arrive in Python: the other widget's numbers can be told.
SAVED = "async () => Array.from(new Float32Array(saved.feedback_weights.buffer))"


@pytest.fixture
def trained(browser):
    """`trained(task, ...)` trains a model in a page of its own and hands it on: the page, and the
    model in PyTorch."""
    with browser.new_page() as page:

        def trained(task: str, **settings):
            python = TrainInThePage(task=task, models="feedback-kv", **settings)
            state = {name: getattr(python, name) for name in python.trait_names(sync=True)}
            state = {name: value for name, value in state.items() if not name.startswith("_")}
            state = {name: value for name, value in state.items() if name not in JUPYTER}
            beside_kernel(page, base.script("train_in_the_page"), state)
            style = base.style("train_in_the_page")
            page.add_style_tag(content=style)
            widget = page.locator("body")
            assert button(widget, "Ask it further").is_disabled()
            button(widget, "One update").click()
            wait_for(widget, "After 1 update")
            page.wait_for_function("window.saved?.feedback_weights")
            button(widget, "Ask it further").click()
            weights = page.evaluate(SAVED)
            python.trained = page.evaluate("saved.trained")
            python.feedback_weights = torch.tensor(weights).numpy().astype("<f4").tobytes()
            return page, python.to_model()

        yield trained


JUPYTER = {"layout", "tabbable", "tooltip", "comm", "keys"}


def rows_drawn():
    """The rows with which moving memory vectors begins after a hand-over."""
    random, cups = numbers(0), TASKS["s3"]

    def state_of(tokens) -> int:
        state = 0
        for token in tokens:
            state = int(cups.product[state, token])
        return state

    while True:
        row, donor = ([int(6 * next(random)) for _ in range(count)] for count in (12, 6))
        if state_of(row[:6]) != state_of(donor):
            return row, donor


def test_a_model_of_cups_is_handed_on_and_answers_as_in_python(trained):
    page, model = trained("s3", seed=2)
    opened = page.locator(".handed .patch-the-memory")
    assert page.locator(".handed-title").evaluate("(title) => title === document.activeElement")
    opened.get_by_role("button", name="m6 of the donor", exact=True).click()
    opened.locator(".line").nth(2).locator("button").last.click()
    row, donor = rows_drawn()
    twin = PatchTheMemory({"trained here": model}, row=row, donor=donor, put=[[6, 6]])
    assert opened.locator(".sentence > :first-child").first.text_content() == twin.describe()
    steps = opened.locator(".line").nth(3).locator(".step .number").all_text_contents()
    shares = (100 * twin.answers()[0].amax(-1)).tolist()
    assert [float(share) for share in steps] == pytest.approx(shares, abs=0.51)
    button(page.locator("body"), "Begin again").click()
    page.locator(".handed > *").first.wait_for(state="detached")


def test_a_model_of_a_text_is_handed_on_and_writes_as_in_python(trained):
    page, model = trained("text", memory_size=None)
    opened = page.locator(".handed .live-model[aria-busy=false]")
    opened.wait_for()
    characters = Characters(TEXT)
    shares = model(characters.encode(TEXT[:8])[None])[0, -1].softmax(-1)
    best = shares.topk(3)
    likeliest = ", ".join(
        f"“{characters.characters[token]}” {base.percent(share)}\xa0%".replace("\n", "↵")
        for share, token in zip(best.values.tolist(), best.indices.tolist(), strict=True)
    )
    said = opened.locator(".sentence > :first-child").text_content()
    assert said == (
        f"After “{TEXT[:8]}”, the likeliest next characters before temperature and top-k: "
        f"{likeliest}."
    )
    weights = opened.locator(".weight").all_text_contents()
    shown = [float(re.search(r"[\d.]+", text)[0]) for text in weights]
    assert shown == pytest.approx(model.layer_weights().tolist(), abs=6e-4)


def test_parity_has_no_other_widget_to_go_to(widget):
    assert not button(widget, "Ask it further").is_visible()
    choose(widget, "task", "s3")
    assert button(widget, "Ask it further").is_disabled()
