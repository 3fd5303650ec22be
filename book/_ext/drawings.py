"""A figure as an element of a page, the colours of `feedback/notation.py` in the page's theme.

Black and the book's colours follow the theme. A white *shape* gets the colour of the page; white
*text* stays white, for it stands on a coloured cell. All other colours stay as they are.
"""

import re
from xml.etree import ElementTree

from feedback.notation import BOX, FRAME, NEUTRAL, PAPER, TABLE, css_colors

SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
TEXTS = (f"{{{SVG}}}text", f"{{{SVG}}}tspan")
PIXELS = 120 / 72  # in a point, as with `figure.dpi` in feedback/plots.py
VARIABLES = {one.light: f"var(--{one.name})" for one in (*TABLE, NEUTRAL, FRAME, PAPER)}
VARIABLES["#000000"] = "currentColor"

HEX = re.compile(r"#[0-9a-f]{6}\b", re.IGNORECASE)
REFERENCE = re.compile(r"(?<=url\(#)[^)]+|(?<=^#).+")  # to what has an id in the same drawing

# Letters by their place in a font of matplotlib's own: in another font other letters stand there.
OWN_FONT = re.compile(r"""font[^;"]*\b(cm(?:b|ex|mi|r|ss|sy|tt)10)\b""")

# As in feedback/widgets/base.css, one of --light and --dark is empty.
STYLE = f"""html {{
  --light: initial;
  --dark: ;
{css_colors((*TABLE, NEUTRAL, FRAME, PAPER, BOX))}
  --ink: var(--pst-color-text-base);
}}
html[data-theme="dark"] {{
  --light: ;
  --dark: initial;
}}
@media (forced-colors: active) {{
  html {{
    --paper: Canvas !important;
    --box: Canvas !important;
    --ink: CanvasText !important;
  }}
}}
@media (forced-colors: active) and (prefers-color-scheme: light) {{
  html {{
    --light: initial !important;
    --dark: !important;
  }}
}}
@media (forced-colors: active) and (prefers-color-scheme: dark) {{
  html {{
    --light: !important;
    --dark: initial !important;
  }}
}}
.drawing {{
  max-width: 100%;
  height: auto;
  overflow: visible;
}}
"""


ElementTree.register_namespace("", SVG)
ElementTree.register_namespace("xlink", XLINK)


def inline(text: str, alt: str, prefix: str, classes: list[str] = ()) -> str:
    """An SVG file as an element of a page, its ids under `prefix`."""
    root = ElementTree.fromstring(text)
    if by_matplotlib(root):
        follow_the_theme(root)
    make_unique(root, prefix)
    for title in root.findall(f"{{{SVG}}}title"):
        root.remove(title)  # the words of `alt`, which a mouse would show as a label
    root.attrib.pop("aria-labelledby", None)
    root.set("class", " ".join([*root.get("class", "").split(), *classes, "drawing"]))
    root.attrib |= {"role": "img", "aria-label": alt}
    return ElementTree.tostring(root, encoding="unicode")


def by_matplotlib(root) -> bool:
    return root.find(f".//{{{SVG}}}g[@id='figure_1']") is not None


def follow_the_theme(root):
    """Take away what is for a file of its own, and give black, white and the book's colours."""
    for parent in [*root.iter()]:
        for child in [*parent]:
            is_background = child.tag == f"{{{SVG}}}g" and is_behind(parent, child)
            if child.tag in (f"{{{SVG}}}metadata", f"{{{SVG}}}style") or is_background:
                parent.remove(child)
    for element in root.iter():
        themed = text_color if element.tag in TEXTS else color
        for name in ("style", "fill", "stroke"):
            if name in element.attrib:
                element.set(name, HEX.sub(themed, element.get(name)))
    for name in ("width", "height"):
        root.set(name, f"{float(root.get(name).removesuffix('pt')) * PIXELS:.0f}")
    # What matplotlib says in a style sheet, which in a page would be one for the page; black is
    # what it does not say.
    root.set("style", "fill: currentColor; stroke-linejoin: round; stroke-linecap: butt")


def is_behind(parent, child) -> bool:
    """The background of the figure, or of a panel: the first that either draws."""
    is_frame = re.match(r"(figure|axes)_\d+$", parent.get("id", ""))
    is_patch = child.get("id", "").startswith("patch_") and parent[0] is child
    path = child.find(f"{{{SVG}}}path")
    is_white = path is not None and f"fill: {PAPER.light}" in path.get("style", "")
    return bool(is_frame and is_patch and is_white)


def color(match: re.Match) -> str:
    return VARIABLES.get(match[0].lower(), match[0])


def text_color(match: re.Match) -> str:
    return match[0] if match[0].lower() == PAPER.light else color(match)


def make_unique(root, prefix: str):
    """Put `prefix` before the ids that something refers to, and drop the others."""
    used = set()

    def renamed(value: str) -> str:
        def rename(match):
            used.add(match[0])
            return f"{prefix}-{match[0]}"

        return REFERENCE.sub(rename, value)

    for element in root.iter():
        for name, value in element.attrib.items():
            if name != "id":
                element.set(name, renamed(value))
        if element.tag == f"{{{SVG}}}style":
            element.text = renamed(element.text)
    for element in root.iter():
        if (name := element.attrib.pop("id", None)) in used:
            element.set("id", f"{prefix}-{name}")
