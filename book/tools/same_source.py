"""Cells that show code of the package: what they should say, and cells that only seem to.

A *same-source cell* begins with the name of a file, such as `# feedback/attention.py`, and holds
whole top-level definitions of that file without their docstrings. It lists them by defining them:
`def scores(): ...` is enough, the rest is filled in from the package. It may have docstrings of
its own. `# feedback/attention.py: Attention` holds methods of that class in the same way, which
shows a long class in part.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator
from functools import cache
from pathlib import Path

SAME_SOURCE = re.compile(r"# (feedback/[\w/]+\.py)(?:: (\w+))?\s*(?:\n|$)")
UNSHOWN = ("command_line", "notebook", "widgets")  # rooms that no chapter builds
DEFINES = re.compile(r"^(?:async +)?(?:def|class) +(\w+)", re.MULTILINE)


@cache
def without_docstrings(source: str) -> str:
    """`source` less the docstrings of its functions and classes; a body left empty becomes `...`.

    Raises SyntaxError if `source` is not Python.
    """
    lines: list[str | None] = list(source.split("\n"))
    for node in ast.walk(ast.parse(source)):
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        if not isinstance(node, kinds) or ast.get_docstring(node) is None:
            continue
        docstring, *rest = node.body
        indent, first, end = " " * docstring.col_offset, docstring.lineno - 1, docstring.end_lineno
        if not lines[first].startswith(indent):
            continue  # `def name(): "docstring"` on one line, which the formatter never leaves
        while rest and not lines[end].strip():
            end += 1
        lines[first:end] = [None] * (end - first)
        if not rest:
            lines[first] = f"{indent}..."
    return "\n".join(line for line in lines if line is not None)


def definitions(source: str) -> Iterator[tuple[str | None, str]]:
    """The top-level statements of `source`, each with the comments right above it: (name, text).

    The name is None where a statement defines no single function, class or constant.
    """
    lines = source.split("\n")
    for node in ast.parse(source).body:
        first = min(each.lineno for each in [node, *getattr(node, "decorator_list", [])]) - 1
        end = node.end_lineno
        while first and lines[first - 1].startswith("#"):
            first -= 1
        while end < len(lines) and re.match(r"\s+#", lines[end]):
            end += 1
        targets = getattr(node, "targets", None) or [getattr(node, "target", node)]
        name = getattr(targets[0], "name", None) or getattr(targets[0], "id", None)
        yield name if len(targets) == 1 else None, "\n".join(lines[first:end])


def same_source(cell: str, root: Path) -> str:
    """The text that a same-source cell should have: `cell` itself where only docstrings differ.

    Raises ValueError if the cell holds more than definitions, or one that the package has not.
    """
    path, owner = SAME_SOURCE.match(cell).groups()
    if not (root / path).is_file():
        raise ValueError(f"there is no {path}")
    try:
        names = [name for name, _ in definitions(cell)]
    except SyntaxError as error:
        raise ValueError(f"not plain Python: {error}") from None
    if not names or None in names:
        raise ValueError(f"a cell marked `# {path}` holds definitions and nothing else")
    package = dict(definitions(without_docstrings((root / path).read_text("utf-8"))))
    where = f"{path}: {owner}" if owner else path
    if owner:
        body = package.get(owner, "").partition(":\n")[2]  # the head of a class is one line
        package = dict(definitions(textwrap.dedent(body)))
    if missing := [name for name in names if name not in package]:
        raise ValueError(f"{where} does not define {', '.join(missing)}")
    wanted = f"# {where}\n" + "\n\n\n".join(package[name] for name in names)
    return cell if without_docstrings(cell) == wanted else wanted


def public_names(root: Path) -> dict[str, str]:
    """Which file of the package defines each of its public functions and classes."""
    return {
        name: path.relative_to(root).as_posix()
        for path in sorted((root / "feedback").rglob("*.py"))
        if not {*path.relative_to(root).parts} & {*UNSHOWN}
        for name in DEFINES.findall(path.read_text("utf-8"))
        if not name.startswith("_")
    }


def refuse_redefinition(cell: str, public: dict[str, str]) -> None:
    """Raise ValueError if an unmarked cell defines a public name of the package."""
    for name in DEFINES.findall(cell):
        if path := public.get(name):
            raise ValueError(
                f"{path} defines {name} too: begin the cell with `# {path}`, "
                "or tag it `differs` if it shows another form on purpose"
            )
