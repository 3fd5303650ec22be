r"""Sphinx extension: the symbols of `feedback/notation.py` have their colours in equations.

Notebooks hold plain TeX, which Colab and JupyterLab show. The built page puts each symbol's letter
into a `\class`, MathJax's name for a class of CSS: `\bar k_j` becomes
`\bar {\class{of-keys}{k}}_j`.

A letter is a symbol only where it stands for itself: not in the name of an operator or in words,
not in a subscript or superscript (`W_k` is no key). $k$ alone is a number of features, so a key has
an index; $V$ is a number of tokens, but on a page that has $K$ it is the values; of the vectors $x$
only $x_t^l$, with step and layer, is the output of a layer.
"""

import re

import offline
from docutils import nodes
from sphinx import addnodes

from feedback.notation import TABLE

INDEXED = {"k": "keys", "v": "values"}
ALWAYS = {"q": "queries", "m": "memory", "Q": "queries", "K": "keys"}

# A command whose argument holds words or names; any other command; a script; any other letter.
TOKEN = re.compile(
    r"(?P<words>\\(?:operatorname\*?|text\w*|mathrm|mathbf|begin|end|class|label|tag)\s*\{)"
    r"|\\(?:[A-Za-z]+|.)"
    r"|(?P<script>[_^])"
    r"|(?P<letter>[A-Za-z])",
    re.DOTALL,
)
STYLE = "\n".join(f".of-{one.name} {{\n  color: var(--{one.name});\n}}" for one in TABLE) + "\n"


def setup(app):
    app.connect("builder-inited", color_formulas)
    app.connect("builder-inited", write_style)
    app.add_css_file("equations.css")
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def write_style(app):
    if app.builder.format == "html":
        offline.write(offline.static_folder(app) / "equations.css", STYLE.encode())


def color_formulas(app):
    """Have every formula coloured as it is written: what the search reads stays plain TeX."""
    for renderers in (
        app.registry.html_inline_math_renderers,
        app.registry.html_block_math_renderers,
    ):
        for name, (visit, depart) in renderers.items():
            renderers[name] = coloring(visit), depart


def coloring(visit):
    def visit_colored(writer, node):
        copy = node.deepcopy()
        copy.children = []
        copy += nodes.Text(colored(node.astext(), has_keys(node)))
        visit(writer, copy)

    return visit_colored


def has_keys(node) -> bool:
    """Whether $K$ stands in a formula of the same page, or of the same part of the one page."""
    page = node
    while page.parent is not None and not isinstance(page, addnodes.start_of_file):
        page = page.parent
    if "has_keys" not in page:
        formulas = page.findall(lambda one: isinstance(one, (nodes.math, nodes.math_block)))
        page["has_keys"] = any(re.search(r"(?<![A-Za-z\\])K", one.astext()) for one in formulas)
    return page["has_keys"]


def colored(tex: str, has_keys: bool = False) -> str:
    """A formula with a class around the letter of each symbol."""
    parts, place = [], 0
    while match := TOKEN.search(tex, place):
        parts.append(tex[place : match.start()])
        end = match.end()
        if match["words"]:
            end = end_of_group(tex, end - 1)
        elif match["script"]:
            end = end_of_argument(tex, end)
        name = symbol(tex, match, has_keys) if match["letter"] else None
        text = tex[match.start() : end]
        parts.append(rf"{{\class{{of-{name}}}{{{text}}}}}" if name else text)
        place = end
    return "".join([*parts, tex[place:]])


def symbol(tex: str, match: re.Match, has_keys: bool) -> str | None:
    """Whose letter it is."""
    letter, scripts = match[0], scripts_after(tex, match.end())
    if letter == "V":
        return "values" if has_keys else None
    if letter == "x":
        is_transposed = "\\top" in scripts.get("^", "")
        return "outputs" if len(scripts) == 2 and not is_transposed else None
    return ALWAYS.get(letter) or (INDEXED.get(letter) if scripts else None)


def scripts_after(tex: str, place: int) -> dict[str, str]:
    """What stands below (_) and above (^) the letter that ends at a place."""
    found: dict[str, str] = {}
    while (match := re.compile(r"\s*([_^])").match(tex, place)) and match[1] not in found:
        place = end_of_argument(tex, match.end())
        found[match[1]] = tex[match.end() : place]
    return found


def end_of_argument(tex: str, place: int) -> int:
    """Where the argument ends that begins at a place: a group, a command or one character."""
    place += len(tex[place:]) - len(tex[place:].lstrip())
    if tex[place : place + 1] == "{":
        return end_of_group(tex, place)
    command = re.compile(r"\\(?:[A-Za-z]+|.)").match(tex, place)
    if command is None:
        return place + 1
    following = command.end()  # \text{...} as a script: its group belongs to it
    return end_of_group(tex, following) if tex[following : following + 1] == "{" else following


def end_of_group(tex: str, place: int) -> int:
    """Where the group ends whose brace opens at a place."""
    depth = 0
    for match in re.compile(r"\\.|[{}]", re.DOTALL).finditer(tex, place):
        depth += {"{": 1, "}": -1}.get(match[0], 0)
        if depth == 0:
            return match.end()
    return len(tex)
