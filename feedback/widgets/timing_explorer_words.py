"""What `TimingExplorer` says of its times: the same words as in the page."""

from __future__ import annotations

from collections.abc import Sequence

SECONDS, SPEED, RATIO = UNITS = ("seconds", "tokens a second", "ratio to parallel")
SIZES = {  # how a size is said: all that can vary between the cases of a sweep
    "tokens": "{} tokens",
    "layers": "{} layers",
    "batch": "batch {}",
    "width": "width {}",
    "heads": "{} heads",
    "hidden": "hidden {}",
}


def compare(run: str, lines: list[dict], over: str, unit: str) -> str:
    """Who is quickest at the largest size of a run, by how much, and the slopes of the lines."""
    size = max(line[SECONDS]["points"][-1][0] for line in lines)
    last = [(line["variant"], line[SECONDS]["points"][-1]) for line in lines]
    there = sorted(
        ((name, point) for name, point in last if point[0] == size), key=lambda x: x[1][1]
    )
    (quickest, (_, best, _, high)), *others = there
    rivals = [name for name, (_, _, low, _) in others if low <= high]
    if not others:
        verdict = f"{quickest} takes {_two_digits(best)} seconds."
    elif rivals:
        verdict = f"no winner, the quartiles of {_and([quickest, *rivals])} overlap."
    else:
        verdict = f"{quickest} is the quickest."
    parts = [f"{run[0].upper()}{run[1:]}, at {say(over, size)}: {verdict}"]
    if others:
        medians = {name: point[1] for name, point in there}
        base = "parallel" if "parallel" in medians else quickest
        times = [f"{v} {_two_digits(m / medians[base])}" for v, m in medians.items() if v != base]
        parts.append(f"Times as long as {base}: {'; '.join(times)}.")
    slopes = [
        f"{line['variant']} {_slope(line[unit]['slope'])}"
        for line in lines
        if unit in line and line[unit]["slope"] is not None
    ]
    if slopes:
        parts.append(f"Slopes: {'; '.join(slopes)}.")
    return " ".join(parts)


def say(size: str, number: int) -> str:
    """A size with its name: "1 layer", "64 tokens", "batch 8"."""
    text = SIZES[size].format(number)
    return text.removesuffix("s") if number == 1 and text[0] == "1" else text


def _and(names: Sequence[str]) -> str:
    return f"{'; '.join(names[:-1])} and {names[-1]}"


def _two_digits(value: float) -> str:
    return f"{value:#.2g}".removesuffix(".") if value < 99.5 else f"{value:.0f}"


def _slope(value: float) -> str:
    # Adding 0 makes a zero of a negative one.
    return f"{round(value, 2) + 0:.2f}".replace("-", "\N{MINUS SIGN}")
