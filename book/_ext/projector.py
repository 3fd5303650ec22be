"""Sphinx extension: a button in each page's header that makes everything large for a room.

What it does, and what keys do then, stands in `_static/projector.js`.
"""

BUTTON = {
    "type": "javascript",
    "javascript": "",  # projector.js listens: a server may forbid scripts within a page
    "tooltip": "Projector mode (F8)",
    "icon": "fa-solid fa-chalkboard",
    "label": "projector",
    "classes": "pst-navbar-icon",
}


def setup(app):
    # After the theme has made its buttons.
    app.connect("html-page-context", add_button, priority=610)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def add_button(app, pagename, templatename, context, doctree):
    context.get("header_buttons", []).insert(0, BUTTON)
