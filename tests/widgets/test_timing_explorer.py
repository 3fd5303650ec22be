"""The Python half of TimingExplorer: its numbers are those of feedback.timing, its words honest."""

import itertools
import json
import re
import statistics

import anywidget
import pytest

from feedback import timing
from feedback.results import load_result
from feedback.widgets import TimingExplorer

RECORDED = load_result("timing")


def result(variant="parallel", seconds=(1.0, 1.0, 1.0), what="training", **sizes):
    """A result as a sweep returns it."""
    every = {"batch": 8, "tokens": 64, "layers": 4, "width": 256, "heads": 4, "hidden": 1024}
    return {"what": what, "variant": variant, **every, **sizes, "seconds": [*seconds]}


def run(*results, processor="a test"):
    return {"machine": {"processor": processor, "cores": 2}, "results": [*results]}


def around(seconds):
    """Three samples with this median, and quartiles a hundredth to its sides."""
    return [0.98 * seconds, seconds, 1.02 * seconds]


# ---- numbers ----


@pytest.mark.parametrize("what", ["training", "generation"])
@pytest.mark.parametrize("over", ["tokens", "layers", "batch"])
def test_slopes_are_the_exponents_of_timing(what, over):
    explorer = TimingExplorer()
    explorer.what, explorer.over = what, over
    explorer.at = explorer.ats[0]
    slopes = {line["variant"]: line["seconds"]["slope"] for line in explorer.view["lines"]}
    assert slopes == pytest.approx(timing.exponents(RECORDED["results"], what, over))


def test_points_are_medians_and_quartiles_of_the_samples():
    for view in TimingExplorer().plots["views"]:
        for line in view["lines"]:
            for size, *spread in line["seconds"]["points"]:
                samples = [
                    r["seconds"]
                    for r in RECORDED["results"]
                    if (r["what"], r["variant"], r[view["over"]])
                    == (view["what"], line["variant"], size)
                ]
                assert tuple(spread) in [timing.spread(seconds) for seconds in samples]


def test_all_that_was_measured_can_be_reached():
    explorer, reached = TimingExplorer(), set()
    for what, over in itertools.product(timing.WHAT, ("tokens", "layers", "batch")):
        explorer.what, explorer.over = what, over
        for at in explorer.ats:
            explorer.at = at
            for line in explorer.view["lines"]:
                reached |= {tuple(spread) for _, *spread in line["seconds"]["points"]}
    assert reached == {timing.spread(result["seconds"]) for result in RECORDED["results"]}


def test_speed_and_ratio_follow_from_the_medians():
    explorer = TimingExplorer(
        run(
            result("parallel", around(2.0), tokens=32),
            result("feedback", around(6.0), tokens=32),
            result("parallel", around(4.0), tokens=64),
            result("feedback", around(20.0), tokens=64),
        )
    )
    parallel, feedback = explorer.view["lines"]
    assert feedback["ratio to parallel"]["points"] == [
        [32, 3.0, pytest.approx(2.97), pytest.approx(3.03)],
        [64, 5.0, pytest.approx(4.95), pytest.approx(5.05)],
    ]
    speed = parallel["tokens a second"]["points"]
    assert speed[0][:2] == [32, 8 * 32 / 2.0] and speed[1][:2] == [64, 8 * 64 / 4.0]
    assert all(low < middle < high for _, middle, low, high in speed)


def test_a_fitted_line_through_a_power_goes_through_its_points():
    sizes = (16, 32, 64, 128)
    law = [3e-4 * n**1.7 for n in sizes]
    explorer = TimingExplorer(
        run(*(result(seconds=[s] * 2, tokens=n) for n, s in zip(sizes, law, strict=True)))
    )
    line = explorer.view["lines"][0]["seconds"]
    assert line["slope"] == pytest.approx(1.7)
    assert line["ends"] == pytest.approx([law[0], law[-1]])


def test_samples_of_one_case_are_put_together():
    twice = run(result(seconds=[1.0, 2.0]), result(seconds=[3.0, 4.0]))
    ((_, middle, *_),) = TimingExplorer(twice).view["lines"][0]["seconds"]["points"]
    assert middle == 2.5


# ---- words ----


def test_the_sentence_says_where_the_parallel_model_wins():
    said = TimingExplorer().describe()
    largest = {
        r["variant"]: statistics.median(r["seconds"])
        for r in RECORDED["results"]
        if (r["what"], r["tokens"]) == ("training", 256)
    }
    ratio = largest["feedback-kv"] / largest["parallel"]
    assert ratio > 1
    assert "Recorded, at 256 tokens: parallel is the quickest." in said
    assert re.search(rf"Times as long as parallel: .*feedback-kv {ratio:.1f};", said)
    slopes = timing.exponents(RECORDED["results"], "training", "tokens")
    assert (
        f"Slopes: parallel {slopes['parallel']:.2f}; feedback-kv {slopes['feedback-kv']:.2f};"
        in (said)
    )


def test_no_winner_is_named_where_quartiles_overlap():
    close = run(result("parallel", [1.0, 1.1, 1.2]), result("feedback", [1.1, 1.2, 1.3]))
    said = TimingExplorer(close).describe()
    assert "quickest" not in said
    assert "at 64 tokens: no winner, the quartiles of parallel and feedback overlap." in said


def test_what_is_not_shown_is_not_compared():
    times = {"parallel": 1.0, "feedback-kv": 2.0, "feedback": 5.0}
    explorer = TimingExplorer(run(*(result(name, around(s)) for name, s in times.items())))
    explorer.variants = ["feedback-kv", "feedback"]
    assert "parallel" not in explorer.describe()
    assert "Times as long as feedback-kv: feedback 2.5." in explorer.describe()
    explorer.variants = ["feedback"]
    assert "feedback takes 5.0 seconds." in explorer.describe()
    explorer.variants = []
    assert explorer.describe().endswith("No model is chosen.")


# ---- a run of the reader's ----


def test_an_own_run_lies_over_the_recorded_one():
    own = run(
        *(result("parallel", around(n / 64), tokens=n) for n in (32, 64)),
        *(result("feedback-kv", around(n / 32), tokens=n) for n in (32, 64)),
        processor="mine",
    )
    explorer = TimingExplorer()
    explorer.own = own
    assert [r["name"] for r in explorer.plots["runs"]] == ["recorded", "your run"]
    assert "mine" in explorer.plots["runs"][1]["machine"]
    assert "Your run, at 64 tokens: parallel is the quickest." in explorer.describe()
    assert "feedback-kv 2.0. Slopes: parallel 1.00; feedback-kv 1.00." in explorer.describe()
    assert explorer.describe() == TimingExplorer(own=own).describe()
    explorer.own = None
    assert explorer.describe() == TimingExplorer().describe()


def test_a_run_at_other_sizes_is_where_the_picture_goes():
    own = run(*(result(what="generation", batch=1, tokens=n) for n in (16, 32)))
    explorer = TimingExplorer()
    explorer.own = own
    assert (explorer.what, explorer.over, explorer.at) == (
        "generation",
        "tokens",
        "4 layers, batch 1",
    )
    deeper = run(*(result(layers=n, width=32) for n in (1, 2)))
    explorer.own = deeper
    assert (explorer.what, explorer.over) == ("training", "layers")
    assert explorer.at == "64 tokens, batch 8, width 32"


def test_what_was_hidden_stays_hidden_when_a_run_comes():
    explorer = TimingExplorer(run(result("parallel"), result("feedback")))
    explorer.variants = ["parallel"]
    explorer.own = run(result("feedback"), result("feedback, loop"))
    assert explorer.variants == ["parallel", "feedback, loop"]


# ---- values that are refused ----


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ([1, 2], "found is of type list; give what"),
        (load_result("comparison"), "found holds no 'machine' and 'results'"),
        (run(), "found holds no results"),
        (run({"what": "training"}), "result 0 has no 'variant'"),
        (run(result(), result(seconds=[1.0])), "result 1 has the seconds .* two samples or more"),
        (run(result(seconds=[1.0, -1.0])), "all above 0"),
        (run(result(seconds=[1.0, float("nan")])), "all above 0"),
        (run(result(tokens=0)), "a size that is not above 0"),
    ],
)
def test_what_is_no_sweep_is_refused(found, message):
    with pytest.raises((TypeError, ValueError), match=message):
        TimingExplorer(found)
    with pytest.raises((TypeError, ValueError), match=message.replace("found", "own")):
        TimingExplorer(own=found)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("what", "thinking", "what is 'thinking'; choose one of 'training'"),
        ("over", "width", "choose one of 'tokens', 'layers', 'batch'"),
        ("unit", "minutes", "choose one of 'seconds', 'tokens a second', 'ratio to parallel'"),
        (
            "variants",
            ["fast"],
            "one of variants is 'fast'; choose one of 'parallel', 'feedback-kv'",
        ),
        ("variants", "parallel", "variants is 'parallel'; it must be a sequence"),
        ("variants", None, "variants is None; it must be a sequence"),
        ("own", {"machine": {}}, "own holds no 'machine' and 'results'"),
    ],
)
def test_a_wrong_value_set_later_changes_nothing(name, value, message):
    explorer = TimingExplorer()
    before = explorer.describe()
    with pytest.raises((TypeError, ValueError), match=message):
        setattr(explorer, name, value)
    assert explorer.describe() == before


# ---- beside a kernel ----


def test_it_is_an_anywidget_whose_state_is_plain_json():
    explorer = TimingExplorer()
    assert isinstance(explorer, anywidget.AnyWidget)
    names = ["plots", "what", "over", "at", "unit", "variants"]
    state = json.loads(json.dumps(explorer.get_state(names), allow_nan=False))
    assert state["what"] == "training" and state["variants"] == explorer.variants


def test_what_the_page_sets_arrives():
    explorer = TimingExplorer()
    explorer.set_state({"what": "generation", "over": "batch", "at": "64 tokens, 4 layers"})
    assert explorer.describe().startswith("Generation, seconds against batch (64 tokens, 4 layers)")
