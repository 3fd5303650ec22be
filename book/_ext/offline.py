"""Sphinx extension: what a built page needs comes from the book, and from nowhere else.

- Notebook kernels import the package of this checkout and make static widgets.
- Notebooks run again when the package changes, not only when the notebook does.
- MathJax, and the JavaScript of the widgets, are copied into the book.
- What the theme writes is mended where a screen reader would be misled or a page would be heavy.
- sphinx-thebe, which jupyter-book always loads, is left out: its button would load code from a
  third party, and its script fails on every page.
"""

import hashlib
import importlib.metadata
import json
import os
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "feedback"
WIDGETS = PACKAGE / "widgets"
# What `make shake` counted. Only the page of recorded runs reads it, and that is no notebook.
SHAKEN = PACKAGE / "results" / "live.json"

sys.path.insert(0, str(ROOT))

MATHJAX_PACKAGE = "sphinx-mathjax-offline"
# The component for TeX in, HTML out, its fonts, and the TeX extensions it loads when first used.
MATHJAX_PARTS = ("tex-chtml.js", "output/chtml/fonts/woff-v2/", "input/tex/extensions/")

WIDGET_ON_PAGE = re.compile(r'<div class="feedback-widget" data-widget="(\w+)">')
# What a page holds, and what it should hold.
MENDS = {
    # Icons come from the style sheet and its font. This script would draw them once more, and is
    # the heaviest file of a page: 0.54 MB when compressed.
    r'<script [^>]*src="[^"]*/scripts/fontawesome\.js[^"]*"></script>': "",
    # It reads what the reader chose, and ends where the browser keeps nothing: color-mode.js does
    # both. It stands before all that could be loaded to help it.
    r'(?s)<script data-cfasync="false">.*?</script>': "",
    # The book's title stands in no landmark, where a screen reader may miss it.
    r'(<div id="pst-primary-sidebar")': r'\1 role="navigation" aria-label="Book"',
    # A button, and a folded cell, would be named otherwise than what is written on them.
    r'(<button class="btn search-button-field [^>]*) aria-label="Search"': r"\1",
    r'<summary aria-label="Toggle hidden content">': "<summary>",
    # Many a server calls a notebook JSON, or text, and a browser shows that instead of saving it.
    r'(<a href="[^"]*") target="_blank"(\s+class="btn btn-sm btn-download-source-button)': (
        r"\1 download\2"
    ),
    # Docutils gives the entries of a list a role that lists may not hold: say they are items.
    r'role="doc-biblioentry"': 'role="listitem"',
}

BUFFER_ON_PAGE = re.compile(
    r'(<script type="application/base64" data-trait="\w+" data-hash="(\w+)">)([^<]+)(</script>)'
)


def setup(app):
    prepare_kernels()
    leave_out_thebe(app)
    # Before myst-nb and sphinx.ext.mathjax read the configuration.
    app.connect("config-inited", configure, priority=400)
    app.connect("builder-inited", copy_mathjax)
    app.connect("builder-inited", copy_widgets)
    app.connect("html-page-context", load_widgets)
    app.connect("html-page-context", take_out_buffers)
    app.connect("builder-inited", mend_pages)
    # Before the theme adds its buttons.
    app.connect("html-page-context", leave_out_launch_buttons, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def prepare_kernels():
    """Set what this build's widgets read when they are imported, and its kernels inherit."""
    os.environ["FEEDBACK_BOOK_STATIC"] = "1"
    python_path = [str(ROOT), os.environ.get("PYTHONPATH")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, python_path))
    # Without "_" (which a shell sets) labml takes itself to be in PyCharm and prints ipywidgets.
    os.environ.setdefault("_", "python")


def leave_out_thebe(app):
    listeners = [listener for group in app.events.listeners.values() for listener in group]
    for listener in listeners:
        if listener.handler.__module__ == "sphinx_thebe":
            app.disconnect(listener.id)
    styles = app.registry.css_files
    styles[:] = [style for style in styles if style[0] != "sphinx-thebe.css"]


def configure(app, config):
    config.mathjax_path = "mathjax/tex-chtml.js"
    # MathJax's own menu offers speech, whose parts come from a third party. What a screen reader
    # needs, MathML beside each formula, does not depend on the menu.
    config.mathjax3_config = {"options": {"enableMenu": False}}
    # jupyter-cache knows a notebook by its cells alone, so each state of the package has a cache.
    config.nb_execution_cache_path = str(
        Path(app.srcdir, "_build", f".jupyter_cache-{package_hash()}")
    )


def package_hash() -> str:
    """A name for the state of all that a notebook reads from the package, and for its corpus."""
    digest = hashlib.sha256(os.environ.get("FEEDBACK_DATA", "").encode())
    for path in sorted(PACKAGE.rglob("*")):
        # Pages load JavaScript and CSS by name; a notebook's output does not depend on them.
        if path.is_file() and path != SHAKEN and path.suffix not in {".js", ".css", ".pyc"}:
            digest.update(str(path.relative_to(PACKAGE)).encode() + b"\0")
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]


def copy_mathjax(app):
    if app.builder.format != "html":
        return
    for file in importlib.metadata.files(MATHJAX_PACKAGE):
        part = file.as_posix().partition("static/mathjax/")[2]
        if part.startswith(MATHJAX_PARTS):
            write(static_folder(app) / "mathjax" / part, Path(file.locate()).read_bytes())


def copy_widgets(app):
    """Copy each widget, its JavaScript as a function that `_static/widgets.js` can call."""
    from feedback.widgets import base, modules  # once FEEDBACK_BOOK_STATIC is set

    if app.builder.format != "html":
        return
    for entry in WIDGETS.glob("*.js"):
        name, folder = entry.stem, static_folder(app) / "widgets"
        if "." not in name:  # NAME.PART.js is a part of NAME.js
            make = modules.as_function(entry)
            script = f"registerFeedbackWidget({json.dumps(name)}, {make});\n"
            write(folder / f"{name}.js", script.encode())
            # By this widgets.js sees that the style sheet has come.
            loaded = f'.feedback-widget[data-widget="{name}"] {{ --style: loaded; }}\n'
            write(folder / f"{name}.css", (base.style(name) + loaded).encode())


def load_widgets(app, pagename, templatename, context, doctree):
    """Load the widgets that this page holds, and on a page without one, nothing."""
    names = sorted(set(WIDGET_ON_PAGE.findall(context.get("body", ""))))
    if names:
        app.add_js_file("widgets.js", loading_method="defer")
    for name in names:
        app.add_js_file(f"widgets/{name}.js", loading_method="defer")
        app.add_css_file(f"widgets/{name}.css")


def take_out_buffers(app, pagename, templatename, context, doctree):
    """Move the large buffers of a page's widgets into files that load when a widget comes near."""

    def take_out(match):
        start, name, content, end = match.groups()
        script = f"registerFeedbackBuffer({json.dumps(name)}, {json.dumps(content)});"
        write(static_folder(app) / "buffers" / f"{name}.js", script.encode())
        return start + end

    if "body" in context:
        context["body"] = BUFFER_ON_PAGE.sub(take_out, context["body"])


def mend_pages(app):
    """Have every page mended before it is written: the theme's templates have no place for that."""
    if app.builder.format != "html":
        return
    render = app.builder.templates.render
    app.builder.templates.render = lambda *given: mended(render(*given))


def mended(page: str) -> str:
    for pattern, replacement in MENDS.items():
        page = re.sub(pattern, replacement, page)
    return page


def leave_out_launch_buttons(app, pagename, templatename, context, doctree):
    """Colab opens notebooks, not pages of text with cells: no button there leads nowhere."""
    if context.get("page_source_suffix") != ".ipynb":
        app.env.metadata.get(pagename, {}).pop("kernelspec", None)


def static_folder(app) -> Path:
    return Path(app.outdir) / "_static"


def write(path: Path, content: bytes):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
