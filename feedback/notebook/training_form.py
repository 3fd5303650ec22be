"""Choose how a small model is trained, train it, and compare its losses with those of others.

Chapters 2 and 8 hand over the training that they have built. Beside a kernel there is a form, of
ipywidgets. A page of the built book has no kernel, and an ipywidget would write its state into the
page: there the first choices have been trained, and the page says so.
"""

from __future__ import annotations

import base64
import html
import io
import math
import os
import textwrap
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from feedback import plots

TOGETHER = 10  # steps whose losses are averaged to one point of a curve
KEPT = 4  # runs in the figure: as many as there are line styles


@dataclass(frozen=True)
class Trained:
    """One training: what was chosen, the loss of each step, and how long it took."""

    choices: dict
    losses: list[float]
    seconds: float

    def __str__(self) -> str:
        done, steps = len(self.losses), self.choices["steps"]
        last = self.losses[-2 * TOGETHER :]
        cut = f", stopped before step {steps:,}: the time was up" if done < steps else ""
        return (
            f"training loss {sum(last) / len(last):.2f} (mean of the last {len(last)} steps) "
            f"after {done:,} steps in {self.seconds:.0f} s{cut}"
        )


def choose_and_train(
    train: Callable[..., Iterable[float]],
    choices: Mapping[str, Sequence],
    first: Mapping[str, object],
    seconds: float = 45.0,
):
    """A form with a menu for each choice and a button that trains; the last line of a cell.

    Args:
        train: is given the choices as keywords and yields the loss of each step as it is done. A
            ValueError or TypeError that it raises is shown as a message.
        choices: for each keyword what can be chosen. One of them is `steps`.
        first: what is chosen at the beginning, and trained where there is no kernel.
        seconds: after so long a training is stopped.

    Returns:
        The form, for the cell to show, or None in the book's build, where the result of the first
        choices is shown.

    Raises:
        ValueError: `choices` and `first` do not fit together.
    """
    if "steps" not in choices:
        raise ValueError(f"choices are {', '.join(choices)}; one of them must be steps")
    if choices.keys() != first.keys():
        raise ValueError(f"first names {', '.join(first)}; it must name {', '.join(choices)}")
    for name, value in first.items():
        if value not in choices[name]:
            raise ValueError(f"first {name} is {value!r}; it must be one of {list(choices[name])}")
    if os.environ.get("FEEDBACK_BOOK_STATIC") != "1":
        return form(train, choices, first, seconds)
    run = carry_out(train, dict(first), seconds)
    said = (
        f"Result of the choices {in_words(run.choices)}, computed when this page was built: {run}."
    )
    print(textwrap.fill(said, 76))
    print("In Colab or JupyterLab you choose here yourself and train.")
    loss_curves([run])
    plt.show()


def carry_out(
    train: Callable[..., Iterable[float]],
    choices: dict,
    seconds: float,
    tell: Callable[[int, str], object] = lambda done, text: None,
) -> Trained:
    """Train with the choices, for so many seconds at most.

    Args:
        tell: is given the number of steps done and a line of progress, a few times a second.

    Raises:
        ValueError: a loss is not finite, or there is none.
    """
    losses, start, told = [], time.perf_counter(), 0.0
    for loss in train(**choices):
        losses.append(loss)
        done, spent = len(losses), time.perf_counter() - start
        if not math.isfinite(loss):
            raise ValueError(f"the loss of step {done} is {loss}; choose a lower learning rate")
        if spent - told > 0.25 or done == 1:
            told, left = spent, spent / done * (choices["steps"] - done)
            left = min(left, seconds - spent)
            tell(done, f"step {done:,} of {choices['steps']:,}, loss {loss:.2f}, {left:.0f} s left")
        if spent > seconds:
            break
    if not losses:
        raise ValueError("the training took no step")
    return Trained(choices, losses, time.perf_counter() - start)


def in_words(choices: Mapping[str, object]) -> str:
    """Choices as they read in a line."""
    return ", ".join(f"{name} {value}" for name, value in choices.items())


def loss_curves(runs: Sequence[Trained]) -> Figure:
    """The loss curves of up to `KEPT` runs, the last one strongest."""
    fig, ax = plt.subplots()
    for number, (run, style) in enumerate(zip(runs, ("-", "--", ":", "-."), strict=False), 1):
        size = min(TOGETHER, len(run.losses))
        starts = range(0, len(run.losses) - size + 1, size)
        means = [sum(run.losses[i : i + size]) / size for i in starts]
        color = plots.COLORS[run.choices.get("model", "parallel")]
        strength, label = 1 if number == len(runs) else 0.6, in_words(run.choices)
        ends = [i + size for i in starts]
        ax.plot(ends, means, style, color=color, alpha=strength, label=label)
    ax.set(xlabel="step", ylabel="training loss (nats)", ylim=(0, None))
    ax.legend(fontsize=8, loc="lower left")
    return fig


def form(train: Callable, choices: Mapping[str, Sequence], first: Mapping, seconds: float):
    """The widgets: menus, button, progress, what training prints, and the result."""
    import ipywidgets  # here, so that the book's build makes none

    width = {"description_width": "initial"}
    menus = {
        name: ipywidgets.Dropdown(
            options=list(options), value=first[name], description=name, style=width
        )
        for name, options in choices.items()
    }
    for menu in menus.values():
        menu.layout.width = "auto"
    button = ipywidgets.Button(description="Train", button_style="primary")
    bar = ipywidgets.IntProgress(value=0, min=0, max=1)
    bar.layout.display = "none"
    status = ipywidgets.HTML("Choose, then press Train.")
    printed, result = ipywidgets.Output(), ipywidgets.HTML()
    runs: list[Trained] = []

    def tell(done: int, text: str) -> None:
        bar.value, status.value = done, text

    def press(_) -> None:
        chosen = {name: menu.value for name, menu in menus.items()}
        bar.value, bar.max = 0, chosen["steps"]
        enable(False)
        try:
            runs.append(carry_out(train, chosen, seconds, tell))
            del runs[:-KEPT]
            status.value = f"{in_words(chosen)}: {runs[-1]}."
            result.value = picture(loss_curves(runs), status.value)
        except (ValueError, TypeError) as error:
            status.value = f"<b>Not trained:</b> {html.escape(str(error))}"
        except KeyboardInterrupt:
            status.value = "Stopped. Choose, then press Train."
        except Exception as error:
            status.value = f"<b>Not trained:</b> {html.escape(repr(error))}, see below."
            raise  # `printed` shows where
        finally:
            enable(True)

    def enable(on: bool) -> None:
        for control in (button, *menus.values()):
            control.disabled = not on
        bar.layout.display = "none" if on else None

    def listen(event) -> None:
        printed.clear_output()
        with printed:
            press(event)

    button.on_click(listen)
    row = ipywidgets.Box([*menus.values(), button])
    row.layout.flex_flow = "row wrap"
    return ipywidgets.VBox([row, ipywidgets.HBox([bar, status]), printed, result])


def picture(fig: Figure, text: str) -> str:
    """A figure as HTML that needs no file, and closes it: a cell would show it a second time."""
    file = io.BytesIO()
    fig.savefig(file, format="png")
    plt.close(fig)
    content = base64.b64encode(file.getvalue()).decode()
    alt = html.escape(f"Loss against steps. {text}")
    return f'<img style="max-width: 100%" alt="{alt}" src="data:image/png;base64,{content}">'
