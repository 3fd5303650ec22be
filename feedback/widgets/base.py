"""One widget class with two lives: an anywidget beside a kernel, a plain element in the built book.

A page of the built book has no kernel to talk to, and a widget manager would have to be loaded from
elsewhere. There a widget is one `<div>` with its state as JSON, which the page's own
`book/_static/widgets.js` brings to life with the same JavaScript that runs beside a kernel.

The book's build says which of the two it wants with the environment variable FEEDBACK_BOOK_STATIC.
"""

import html
import json
import os

import traitlets


class StaticWidget(traitlets.HasTraits):
    """A widget as HTML. It must not be an ipywidget: that would write widget state into the page.

    A subclass names its JavaScript in `_esm` (a path), tags what the page needs with `sync=True`,
    and says in `describe()` what its picture shows. The page holds only the name of the JavaScript:
    the build copies the file, so a cached notebook never shows an old version of it.
    """

    def _repr_mimebundle_(self, **kwargs) -> dict[str, str]:
        state = {name: getattr(self, name) for name in self.trait_names(sync=True)}
        text = self.describe()
        return {"text/plain": text, "text/html": _element(self._esm.stem, state, text)}


def _element(name: str, state: dict, text: str) -> str:
    """The `<div>` of a widget; `text` is what a reader without JavaScript, or of a print, sees."""
    # "<" is escaped because "</script>" in a label would otherwise end the JSON early.
    state_json = json.dumps(state, sort_keys=True, allow_nan=False).replace("<", "\\u003c")
    return (
        f'<div class="feedback-widget" data-widget="{html.escape(name)}">\n'
        f"<p>{html.escape(text)}</p>\n"
        f'<script type="application/json">{state_json}</script>\n'
        "</div>"
    )


if os.environ.get("FEEDBACK_BOOK_STATIC") == "1":
    Widget = StaticWidget
else:
    from anywidget import AnyWidget as Widget  # noqa: F401
