"""Sphinx extension: a list of the book's questions, for the tally that stands below each of them.

A page holds its own questions alone. An answer that the reader's browser keeps from another page
counts only if the book still asks for it: `_static/questions.js` has what each page asks.
The page that shows the guesses of a class reads the list too.
"""

import json
import re
from pathlib import Path

NAME = "questions.js"
QUESTION_ON_PAGE = re.compile(
    r'<div class="feedback-widget" data-widget="predict_then_reveal">.*?'
    r'<script type="application/json">(.*?)</script>',
    re.DOTALL,
)
CLASS_ON_PAGE = '<div class="feedback-widget" data-widget="class_guesses">'  # shows all guesses


def setup(app):
    app.connect("builder-inited", remove_list)
    app.connect("html-page-context", load_list)
    app.connect("build-finished", write_list)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def remove_list(app):
    """Or pages would load this build's list under the checksum of the last one's."""
    path_of_list(app).unlink(missing_ok=True)


def load_list(app, pagename, templatename, context, doctree):
    body = context.get("body", "")
    if QUESTION_ON_PAGE.search(body) or CLASS_ON_PAGE in body:
        app.add_js_file(NAME, loading_method="defer")


def write_list(app, exception):
    """From all pages, also those that an earlier build has written."""
    if app.builder.format != "html" or exception:
        return
    asked = {}
    for name in sorted(app.env.found_docs):
        page = Path(app.builder.get_outfilename(name))
        text = page.read_text("utf-8") if page.is_file() else ""
        if states := QUESTION_ON_PAGE.findall(text):
            asked[name] = [json.loads(state) for state in states]
    script = f"window.feedbackBookQuestions = {json.dumps(asked)};"
    path_of_list(app).write_text(script, "utf-8")


def path_of_list(app) -> Path:
    return Path(app.outdir, "_static", NAME)
