"""One widget class with two lives: an anywidget beside a kernel, a plain element in the built book.

A page of the built book has no kernel to talk to, and a widget manager would have to be loaded from
elsewhere. There a widget is one `<div>` with its state as JSON, which the page's own
`book/_static/widgets.js` brings to life with the same JavaScript that runs beside a kernel.

The book's build says which of the two it wants with the environment variable FEEDBACK_BOOK_STATIC.

A widget `NAME` is three files: NAME.py with its class, NAME.js, whose default export has a function
`render({ model, el })`, and NAME.css. What all widgets share stands in base.js and base.css, which
are put before them: a module that is handed over as text can import no file. So are the parts of a
long script, NAME.PART.js.
"""

import base64
import hashlib
import html
import json
import math
import os
from pathlib import Path

import traitlets

HERE = Path(__file__).parent


def script(name: str) -> str:
    """The JavaScript module of a widget, as text."""
    parts = [HERE / "base.js", *sorted(HERE.glob(f"{name}.*.js")), HERE / f"{name}.js"]
    return "\n".join(part.read_text("utf-8") for part in parts)


def style(name: str) -> str:
    """The style sheet of a widget, as text."""
    return "\n".join((HERE / f"{part}.css").read_text("utf-8") for part in ("base", name))


def sources(file: str) -> tuple[str, str]:
    """A widget class's `_esm` and `_css`, from the `__file__` of its module."""
    name = Path(file).stem
    return script(name), style(name)


def percent(share: float) -> int:
    """A share in whole percents, rounded as the JavaScript does it."""
    return math.floor(100 * share + 0.5)


class StaticWidget(traitlets.HasTraits):
    """A widget as HTML. It must not be an ipywidget: that would write widget state into the page.

    A subclass stands in a module of the widget's name, tags what the page needs with `sync=True`,
    and says in `describe()` what its picture shows. The page holds only the name of the JavaScript:
    the build copies the file, so a cached notebook never shows an old version of it.

    A value of type bytes is a buffer: the build moves it into a file of its own, which the page
    loads when the widget comes near. JavaScript sees a DataView in either life.
    """

    def _repr_mimebundle_(self, **kwargs) -> dict[str, str]:
        state = {name: getattr(self, name) for name in self.trait_names(sync=True)}
        name = type(self).__module__.rpartition(".")[2]
        html_text = element(name, state, *self.page_text())
        return {"text/plain": self.describe(), "text/html": html_text}

    def page_text(self) -> tuple[str, ...]:
        """What `element` is given to show: the sentence, and an answer to fold if there is one."""
        return (self.describe(),)


def element(name: str, state: dict, text: str, answer: str = "") -> str:
    """The `<div>` of a widget; `text` is what a reader without JavaScript, or of a print, sees.

    An answer is folded: no reader meets it first, whatever the browser knows and the page loads.
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
    """A buffer as the notebook's output holds it; `book/_ext/offline.py` takes out its content."""
    digest = hashlib.sha256(value).hexdigest()[:16]
    content = base64.b64encode(value).decode()
    attributes = f'type="application/base64" data-trait="{html.escape(trait)}" data-hash="{digest}"'
    return f"<script {attributes}>{content}</script>"


if os.environ.get("FEEDBACK_BOOK_STATIC") == "1":
    Widget = StaticWidget
else:
    from anywidget import AnyWidget

    class Widget(AnyWidget):
        """An anywidget that a viewer of plain text sees as the sentence of `describe()`.

        Attributes:
            has_kernel: tells the JavaScript that what it sets is heard.
        """

        has_kernel = traitlets.Bool(True, read_only=True).tag(sync=True)

        def __repr__(self) -> str:
            return self.describe()
