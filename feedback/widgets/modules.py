"""Joins a JavaScript module and all that it imports into one text.

anywidget takes a widget as the text of one module, which can import no file; and a page that was
opened from disk can load no module, only a script. So each file becomes a function that returns
what the file exports, and the functions run in the order in which the files need each other:

    const $modules = {};
    $modules["base.numbers.js"] = (() => {
    const percent = (share) => Math.floor(100 * share + 0.5);
    return { percent };
    })();

What a file does not export stays within its function, so two files may use a name for two things.
The lines of a file stay as they are: an error in the third line after the one that names a file is
an error in the third line of that file.

A worker begins with a file of its own, `new Worker(new URL("./worker.js", import.meta.url))`, and
can load no file either. What it needs is kept as functions, and where the address is asked for,
their text becomes the worker's:

    $files["worker.js"] = (() => {
    onmessage = answer;
    return {  };
    });

Understood are `import { a, b as c } from "./file.js";`, `export` before a const, a function or a
class, `export default` before an expression, and the address of a worker's file as above. Anything
else that a module could say is refused, with file and line: a guess would be wrong in a reader's
browser.
"""

from __future__ import annotations

import functools
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn


def as_module(entry: Path) -> str:
    """One module that exports what `entry` exports.

    Raises:
        ValueError: a file is missing, files import each other in a circle, or a file says what is
            not understood. The message begins with the file and the line.
    """
    *_, last = modules = in_order(entry)
    lines = [joined(modules)]
    if names := ", ".join(name for name in last.exports if name != "default"):
        lines.append(f"export const {{ {names} }} = {last.value};")
    if "default" in last.exports:
        lines.append(f"export default {last.value}.default;")
    return "\n".join([*lines, f"//# sourceURL=feedback/{entry.stem}.joined.js", ""])


def as_function(entry: Path) -> str:
    """A function that runs the modules and returns the default export of `entry`.

    Raises:
        ValueError: as `as_module`, and where `entry` has no default export.
    """
    *_, last = modules = in_order(entry)
    if "default" not in last.exports:
        last.refuse(0, "there is no default export; a widget has one")
    return f'() => {{\n"use strict";\n{joined(modules)}\nreturn {last.value}.default;\n}}'


def joined(modules: list[Module]) -> str:
    """The text of all modules, and of those that their workers need."""
    needs = {name_of(path, root): files for path, root, files in workers_of(modules)}
    kept = {each.path: each for files in needs.values() for each in files}
    here = {module.path for module in modules}
    lines = ["const $modules = {};"]
    if needs:
        names = [f"{name}: [{', '.join(each.name for each in needs[name])}]" for name in needs]
        lines += ["const $files = {};", f"const $needs = {{ {', '.join(names)} }};", ADDRESS]
    for module in [*(kept[path] for path in kept if path not in here), *modules]:
        place = f"$files[{module.name}]" if module.path in kept else module.value
        exports = [DEFAULT if name == "default" else name for name in module.exports]
        lines += [f"{place} = (() => {{", module.code, f"return {{ {', '.join(exports)} }};"]
        lines.append("});" if module.path in kept else "})();")
        if module.path in kept and module.path in here:
            lines.append(f"{module.value} = {place}();")
    return "\n".join(lines)


def workers_of(modules: list[Module]) -> Iterator[tuple[Path, Path, list[Module]]]:
    """The workers that the modules start: file, folder, and the modules that each needs."""
    for module in modules:
        for place, worker in module.workers:
            if not worker.is_file():
                module.refuse(place, f"there is no file {worker}")
            files = in_order(worker, module.root)
            for each in files:
                if each.workers:
                    each.refuse(each.workers[0][0], "a worker cannot start another")
            yield worker, module.root, files


def in_order(entry: Path, root: Path | None = None) -> list[Module]:
    """The modules, each after those that it imports; the entry is the last."""
    done: dict[Path, Module] = {}

    def visit(path: Path, importers: list[Path]):
        module = understood(path, root or entry.resolve().parent, path.read_text("utf-8"))
        for place, imported, names in module.imports:
            if imported in [*importers, path]:
                circle = " -> ".join(each.name for each in [*importers, path, imported])
                module.refuse(place, f"files import each other in a circle: {circle}")
            if not imported.is_file():
                module.refuse(place, f"there is no file {imported}")
            if imported not in done:
                visit(imported, [*importers, path])
            for name in names:
                if name not in done[imported].exports:
                    known = ", ".join(done[imported].exports)
                    module.refuse(place, f"{imported.name} exports no {name}; it exports {known}")
        done[path] = module

    visit(entry.resolve(), [])
    return list(done.values())


# ---- one file ----

DEFAULT = "default: $default"
IMPORT = re.compile(r"""import\s*\{([\w\s,]*)\}\s*from\s*["'](\.\.?/[^"'\n]+)["']\s*;""")
EXPORT = re.compile(
    r"export\s+(?=(?:const\s+|class\s+|(?:async\s+)?function(?:\s+|\s*\*\s*))(\w+))"
)
WORKER = re.compile(r"""new\s+URL\(\s*["'](\.\.?/[^"'\n]+)["']\s*,\s*import\.meta\.url\s*\)""")
# The address of the text that a worker runs, made where it is asked for.
ADDRESS = """\
const $address = (worker) => {
  const run = (name) => `$modules[${JSON.stringify(name)}] = (${$files[name]})();`;
  const text = ['"use strict";', "const $modules = {};", ...$needs[worker].map(run)].join("\\n");
  return URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
};"""
EXPORT_DEFAULT = re.compile(r"export\s+default\b(?!\s+(?:async|class|function)\b)")
UNDERSTOOD = {
    "import": 'import { a, b as c } from "./file.js"; before all else',
    "export": "export before a const, function or class, or export default before an expression",
    "await": "await in the braces of a function, for a module cannot wait",
}


class Module:
    """A file. `code` is its text as the body of a function, line by line.

    `imports` holds of each import its place in the text, the file, and the names it asks for;
    `workers` of each worker its place and its file.
    """

    def __init__(self, path: Path, root: Path, text: str):
        self.path, self.root, self.text = path, root, text
        self.value, self.name = value_of(path, root), name_of(path, root)
        self.imports: list[tuple[int, Path, list[str]]] = []
        self.workers: list[tuple[int, Path]] = []
        self.exports: list[str] = []
        self.code, read, only_imports = "", 0, True
        for word, place, depth in words(self):
            if place < read:
                continue
            if word == "new" and (match := WORKER.match(self.text, place)):
                worker = (self.path.parent / match[1]).resolve()
                self.workers.append((place, worker))
                self.code += self.text[read:place] + f"$address({name_of(worker, self.root)})"
                self.code += "\n" * match[0].count("\n")
                read, only_imports = match.end(), False
                continue
            if word not in UNDERSTOOD or (word == "await" and depth > 0):
                only_imports = False
                continue
            match, said = self.understand(word, place, depth, only_imports)
            only_imports = only_imports and word == "import"
            self.code += self.text[read:place] + said + "\n" * match[0].count("\n")
            read = match.end()
        self.code += self.text[read:].rstrip()

    def understand(self, word: str, place: int, depth: int, only_imports: bool):
        """The statement at a place, and what the joined text says instead."""
        if depth == 0:
            if only_imports and (match := IMPORT.match(self.text, place)):
                names = [name.split() for name in match[1].split(",") if name.strip()]
                path = (self.path.parent / match[2]).resolve()
                self.imports.append((place, path, [name[0] for name in names]))
                bound = ", ".join(": ".join(dict.fromkeys([n[0], n[-1]])) for n in names)
                return match, f"const {{ {bound} }} = {value_of(path, self.root)};"
            if match := EXPORT.match(self.text, place):
                self.exports.append(match[1])
                return match, ""
            if match := EXPORT_DEFAULT.match(self.text, place):
                self.exports.append("default")
                return match, "const $default ="
        self.refuse(place, f"expected {UNDERSTOOD[word]}")

    def refuse(self, place: int, why: str) -> NoReturn:
        line = self.text.count("\n", 0, place) + 1
        raise ValueError(f"{self.path}:{line}: {why}")


# Many widgets share a file: its text is looked through once, and again if it was changed.
understood = functools.cache(Module)


def value_of(path: Path, root: Path) -> str:
    """The object that holds what a file exports, in the joined text."""
    return f"$modules[{name_of(path, root)}]"


def name_of(path: Path, root: Path) -> str:
    return json.dumps(Path(os.path.relpath(path, root)).as_posix())


# ---- words ----

TOKEN = re.compile(
    r"""(?P<space>\s+ | //[^\n]* | /\*.*?\*/)
    | (?P<string>"(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*')
    | (?P<word>[\w$\#]+)
    | (?P<sign>\+\+ | -- | \.\.\. | /(?!\*) | [^"'/])""",
    re.DOTALL | re.VERBOSE,
)
PATTERN = re.compile(r"(?P<pattern>/(?:[^/\\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/\w*)")
TEMPLATE = re.compile(r"(?P<template>(?:[^`\\$]|\\.|\$(?!\{))*(?:`|\$\{))", re.DOTALL)
CLOSING = {"(": ")", "[": "]", "{": "}", "${": "}"}
# Words before a value. Behind any other word, and behind a value, a "/" divides.
BEFORE_VALUE = {"case", "delete", "do", "else", "in", "of", "return", "throw", "typeof", "void"}


def words(module: Module) -> Iterator[tuple[str, int, int]]:
    """The words of the code, where each begins, and how many brackets are open there.

    What stands in strings, comments and regular expressions is left out, and so are names behind
    a dot.
    """
    opened: list[tuple[str, int]] = []  # brackets and templates, with their places
    position, last = 0, ""
    while position < len(module.text):
        start, kind, token = position, *token_at(module, position, opened, last)
        position += len(token)
        if kind == "word" and last != ".":
            yield token, start, len(opened)
        elif kind == "template" and token.endswith("`"):
            opened.pop()
        elif kind == "template":
            opened.append(("${", start))
        elif kind == "sign" and (token in CLOSING or token == "`"):
            opened.append((token, start))
        elif kind == "sign" and token in CLOSING.values():
            if not opened or CLOSING[opened.pop()[0]] != token:
                module.refuse(start, f"{token} closes nothing that is open")
        if kind != "space":
            last = "{" if token.endswith("${") else token
    if opened:
        module.refuse(opened[-1][1], f"{opened[-1][0]} does not end")


def token_at(module: Module, position: int, opened: list, last: str) -> tuple[str, str]:
    """Kind and text of what stands at `position`, behind the token `last`."""
    pattern, text = TOKEN, module.text
    if opened and opened[-1][0] == "`":
        pattern = TEMPLATE
    elif text[position] == "/" and not text.startswith(("//", "/*"), position):
        if last in ("}", "++", "--"):
            module.refuse(position, f"a / behind {last} may divide or not: write it otherwise")
        divides = re.search(r"[\w$\"'`)\]/]$", last) and last not in BEFORE_VALUE
        pattern = TOKEN if divides else PATTERN
    match = pattern.match(text, position)
    if match is None:
        module.refuse(position, f"what begins with {text[position]} does not end")
    return str(match.lastgroup), match[0]
