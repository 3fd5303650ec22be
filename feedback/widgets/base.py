"""One widget class with two lives: an anywidget beside a kernel, a plain element in the built book.

A page of the built book has no kernel to talk to, and a widget manager would have to be loaded from
elsewhere. There a widget is one `<div>` with its state as JSON, which the page's own
`book/_static/widgets.js` brings to life with the same JavaScript that runs beside a kernel.

The book's build says which of the two it wants with the environment variable FEEDBACK_BOOK_STATIC.

A widget `NAME` is three files: NAME.py with its class, NAME.js, a module whose default export has a
function `render({ model, el })`, and NAME.css. Its parts are modules NAME.PART.js. What all widgets
share stands in modules base.PART.js and in base.css; the colours of symbols and models come from
`feedback/notation.py`. `modules.py` makes one module of what NAME.js imports, for a module that is
handed over as text can import no file.
"""

import base64
import hashlib
import html
import json
import math
import os
from pathlib import Path

import traitlets

from feedback import notation

from . import modules

HERE = Path(__file__).parent


def script(name: str) -> str:
    """The JavaScript module of a widget or of one of its parts, with all it imports, as text."""
    return modules.as_module(HERE / f"{name}.js")


def style(name: str) -> str:
    """The style sheet of a widget, as text: the book's colours, what all share, its own rules, and
    those of the widgets that it opens."""
    colors = f".feedback-view {{\n{notation.css_colors()}\n}}"
    files = [module.path.stem for module in modules.in_order(HERE / f"{name}.js")]
    opened = [file for file in files if "." not in file and file != name]
    rules = [(HERE / f"{part}.css").read_text("utf-8") for part in ("base", *opened, name)]
    return "\n".join([colors, *rules])


def sources(file: str) -> tuple[str, str]:
    """A widget class's `_esm` and `_css`, from the `__file__` of its module."""
    name = Path(file).stem
    return script(name), style(name)


def percent(share: float) -> int:
    """A share from 0 to 1 as a whole number of percents, with halves rounded up as in the page."""
    return math.floor(100 * share + 0.5)


class StaticWidget(traitlets.HasTraits):
    """A widget as HTML, for a page without a kernel.

    It is no ipywidget, because Jupyter would then write a widget's state into the page, and the
    page would load a widget manager from elsewhere to read it.

    A subclass stands in a module that has the widget's name. It tags every attribute that the page
    needs with `sync=True`, and its `describe()` says in words what its picture shows. The page
    holds the state and the name of the JavaScript file, not its text: the build copies the file, so
    that a notebook from the cache never shows an old version of it.

    An attribute of type bytes is a buffer. The build moves it into a file of its own, which the
    page loads when the widget comes near. JavaScript gets it as a DataView, as beside a kernel.
    """

    def _repr_mimebundle_(self, **kwargs) -> dict[str, str]:
        state = {name: getattr(self, name) for name in self.trait_names(sync=True)}
        name = type(self).__module__.rpartition(".")[2]
        html_text = element(name, state, *self.page_text())
        return {"text/plain": self.describe(), "text/html": html_text}

    def page_text(self) -> tuple[str, ...]:
        """What a page shows where no JavaScript runs: a text, and an answer to fold if any."""
        return (self.describe(),)


def element(name: str, state: dict, text: str, answer: str = "") -> str:
    """The HTML of a widget: a `<div>` with its words and its state, for `widgets.js` to find.

    Arguments:
        name: the widget's, as in the name of its JavaScript file.
        state: its attributes by name. Bytes become buffers beside it; the rest is written as JSON.
        text: what a reader sees without JavaScript, and in print.
        answer: a text that the reader has to open, so that nobody meets it before the question.

    Raises:
        TypeError, ValueError: the state holds what JSON lacks, such as an array or nan.
    """
    buffers = {trait: value for trait, value in state.items() if isinstance(value, bytes)}
    rest = {trait: value for trait, value in state.items() if trait not in buffers}
    # "<" is escaped because "</script>" in a label would otherwise end the JSON early.
    state_json = json.dumps(rest, sort_keys=True, allow_nan=False).replace("<", "\\u003c")
    lines = [
        f'<div class="feedback-widget" data-widget="{html.escape(name)}">',
        f"<p>{html.escape(text)}</p>",
        *([f"<details><summary>Answer</summary>{html.escape(answer)}</details>"] if answer else []),
        f'<script type="application/json">{state_json}</script>',
        *(buffer_element(trait, value) for trait, value in sorted(buffers.items())),
        "</div>",
    ]
    return "\n".join(lines)


def buffer_element(trait: str, value: bytes) -> str:
    """The HTML of a buffer, whose content `book/_ext/offline.py` moves into a file of its own."""
    digest = hashlib.sha256(value).hexdigest()[:16]
    content = base64.b64encode(value).decode()
    attributes = f'type="application/base64" data-trait="{html.escape(trait)}" data-hash="{digest}"'
    return f"<script {attributes}>{content}</script>"


if os.environ.get("FEEDBACK_BOOK_STATIC") == "1":
    Widget = StaticWidget
else:
    from anywidget import AnyWidget

    class Widget(AnyWidget):  # type: ignore[no-redef]  # the one or the other
        """A widget beside a kernel. Where only text can be shown, it is what `describe()` says.

        Attributes:
            has_kernel: True, which tells the JavaScript that Python hears what the page sets.
        """

        has_kernel = traitlets.Bool(True, read_only=True).tag(sync=True)

        def __repr__(self) -> str:
            return self.describe()
