"""What the figure of the introduction says is what is recorded."""

import sys
from pathlib import Path

import pytest

from feedback.results import load_result

sys.path.append(str(Path(__file__).resolve().parents[1] / "book/_ext"))
import front_page


@pytest.fixture
def shares():
    return front_page.right_by_seed(load_result(front_page.RESULT))


def test_the_recorded_result_says_what_the_caption_says(shares):
    assert list(shares) == [*front_page.SHOWN]
    assert front_page.contradiction(shares) is None


@pytest.mark.parametrize(
    ("variant", "token", "share", "message"),
    [
        (0, 1024, 0.9, "short memory is wrong at the end"),
        (1, 32, 0.9, "wrong at the trained length"),
        (1, 256, 0.4, "does not guess at 256"),
        (2, 10, 0.4, "parallel seed does not guess"),
    ],
)
def test_one_seed_that_says_otherwise_is_named(shares, variant, token, share, message):
    [*shares.values()][variant][-1][token] = share
    assert message in front_page.contradiction(shares)


def test_a_variant_without_seeds_contradicts(shares):
    shares["parallel, 2 layers, all"] = []
    assert front_page.contradiction(shares) == "parallel, 2 layers, all has no two seeds"


def test_the_figure_takes_its_colours_from_the_page_and_says_what_it_shows(shares):
    svg = front_page.drawn(shares, 'One "line"')
    assert svg.startswith("<svg ") and 'role="img" aria-label="One &quot;line&quot;"' in svg
    assert "currentColor" in svg and "#000000" not in svg
    for model in ("feedback-kv", "parallel"):
        seeds = sum(len(found) for name, found in shares.items() if name.startswith(model))
        assert svg.count(f"stroke: var(--{model})") == seeds
    assert svg == front_page.drawn(shares, 'One "line"')  # the same in each build
