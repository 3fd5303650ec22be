"""JavaScript modules joined into one: that it means the same, and what is refused."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from feedback.widgets import base, modules

FILES = sorted(base.HERE.glob("*.js"))
ENTRIES = [path for path in FILES if "." not in path.stem]

node = pytest.mark.skipif(shutil.which("node") is None, reason="Node is not there")


@pytest.fixture
def write(tmp_path):
    """`write(entry, name=text)` writes entry.js and NAME.js, and returns the path of the first."""

    def write(entry: str, **others: str) -> Path:
        for name, text in {"entry": entry, **others}.items():
            (tmp_path / f"{name}.js").write_text(text, "utf-8")
        return tmp_path / "entry.js"

    return write


def run(code: str, *arguments: str) -> str:
    """What a module prints when Node runs it."""
    command = ["node", "--input-type=module", "--eval", code, "--", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def exports_of(path: Path) -> dict:
    """The exports of the joined module."""
    text = modules.as_module(path)
    joined = path.with_suffix(".mjs")
    joined.write_text(text, "utf-8")
    code = f"console.log(JSON.stringify(await import({json.dumps(joined.as_uri())})))"
    return json.loads(run(code))


# ---- it means the same ----


@node
def test_two_files_may_use_a_name_for_two_things(write):
    entry = write(
        'import { one } from "./a.js";\nimport { two } from "./b.js";\nconst x = 3;\n'
        "export const all = [one(), two(), x];",
        a="const x = 1;\nexport const one = () => x;",
        b="const x = 2;\nexport function two() { return x; }",
    )
    assert exports_of(entry) == {"all": [1, 2, 3]}


def test_a_file_that_was_changed_is_read_again(write):
    before = modules.as_module(write("export const all = 1;"))
    assert modules.as_module(write("export const all = 2;")) != before


@node
def test_an_import_may_go_by_another_name_and_over_several_lines(write):
    entry = write(
        'import {\n  one as first,\n  two,\n} from "./a.js";\nexport const all = [first, two];',
        a="export const one = 1;\nexport const two = 2;",
    )
    assert exports_of(entry) == {"all": [1, 2]}


@node
def test_a_file_runs_once_and_after_those_that_it_imports(write):
    entry = write(
        'import { left } from "./left.js";\nimport { right } from "./right.js";\n'
        "export const all = [left, right];",
        left='import { next } from "./count.js";\nexport const left = next();',
        right='import { next } from "./count.js";\nexport const right = next();',
        count="let count = 0;\nexport const next = () => ++count;",
    )
    assert exports_of(entry) == {"all": [1, 2]}


@node
def test_all_that_can_be_exported(write):
    entry = write(
        "export default [later(), LATER].length;\n"
        "export function later() { return 1; }\n"
        "export function* steps() { yield 2; }\n"
        "export async function soon() { return await 3; }\n"
        "export class Thing { value = 4; }\n"
        "var LATER = 5;\n"
        "export const all = [later(), ...steps(), new Thing().value, soon() instanceof Promise];"
    )
    assert exports_of(entry) == {"default": 2, "all": [1, 2, 4, True]}


NO_STATEMENTS = r"""
// import { a } from "./missing.js";
/* export * from "./missing.js";
import("./missing.js"); */
const text = "import('x')" + 'await \' export { }';
const name = "x";
const long = `
import { a } from "./missing.js"; ${`export ${"await"}`} ${{ a: "}" }.a} \` ${name}`;
const pattern = /[/"'`]import\/("|')/;
const half = (text.length / 2 / 1) / 1;
const both = { ["import"]: 1, ["export"]: 2 };
export const all = [long, pattern.test("'import/'"), half, text.split(/"/).length];
export const names = [both.import, both?.export];
"""


@node
def test_words_in_texts_comments_and_patterns_are_no_statements(write):
    exports = exports_of(write(NO_STATEMENTS))
    direct = write(NO_STATEMENTS).with_suffix(".direct.mjs")
    direct.write_text(NO_STATEMENTS, "utf-8")
    code = f"console.log(JSON.stringify(await import({json.dumps(direct.as_uri())})))"
    assert exports == json.loads(run(code))
    assert len(exports["all"]) == 4 and exports["names"] == [1, 2]


@node
def test_the_line_of_an_error_is_that_of_its_file(write):
    source = (
        'import {\n  a,\n} from "./a.js";\n\nexport const fail = () => {\n  a.b.c();\n};\nfail();'
    )
    entry = write(source, a="export const a = {};\n")
    joined = entry.with_suffix(".mjs")
    joined.write_text(modules.as_module(entry).replace("//# sourceURL", "//"), "utf-8")
    failed = subprocess.run(["node", joined], capture_output=True, text=True)
    line = int(re.search(r"entry\.mjs:(\d+)", failed.stderr)[1])
    lines = joined.read_text("utf-8").splitlines()
    assert lines[line - 1] == "  a.b.c();"
    begins = next(i for i, text in enumerate(lines) if text.startswith('$modules["entry.js"]'))
    assert line - 1 - begins == source.splitlines().index("  a.b.c();") + 1


@node
def test_as_a_function_it_returns_the_default_export_and_is_as_strict_as_a_module(write):
    entry = write(
        'import { a } from "./a.js";\nconst strict = (function () { return !this; })();\n'
        "export default { a, strict };",
        a="export const a = 1;",
    )
    script = f"return ({modules.as_function(entry)})()"  # the body of a function, not a module
    found = run(f"console.log(JSON.stringify(new Function({json.dumps(script)})()))")
    assert json.loads(found) == {"a": 1, "strict": True}


# ---- workers ----

WORKER = 'import {{ one }} from "./shared.js";\nglobalThis.posted = one() + {more};'
STARTS_WORKER = (
    'import { one } from "./shared.js";\n'
    "export const own = one();\n"
    'export const address = new URL("./worker.js",\n  import.meta.url);'
)
SHARED = "let count = 0;\nexport const one = () => ++count;"


@node
def test_the_address_of_a_worker_is_that_of_all_it_needs(write):
    """What stands there runs by itself, with files of its own."""
    entry = write(STARTS_WORKER, shared=SHARED, worker=WORKER.format(more=10))
    joined = entry.with_suffix(".mjs")
    joined.write_text(modules.as_module(entry), "utf-8")
    code = f"""
        let text;
        URL.createObjectURL = (blob) => (text = blob.text(), "an address");
        const {{ own, address }} = await import({json.dumps(joined.as_uri())});
        new Function(await text)();
        console.log(JSON.stringify({{ own, address, posted: globalThis.posted }}));
    """
    assert json.loads(run(code)) == {"own": 1, "address": "an address", "posted": 11}


def test_a_worker_has_its_text_once(write):
    """The page's own files serve: it does not hold them twice."""
    entry = write(STARTS_WORKER, shared=SHARED, worker=WORKER.format(more=10))
    for text in (modules.as_module(entry), modules.as_module(entry.with_name("shared.js"))):
        assert text.count("let count = 0;") == 1


@pytest.mark.parametrize(
    ("worker", "message"),
    [
        (None, r"entry\.js:3: there is no file .*worker\.js"),
        (
            'const a = new URL("./worker.js", import.meta.url);',
            r"worker\.js:1: a worker cannot start another",
        ),
    ],
)
def test_a_worker_that_cannot_be_joined_is_refused(write, worker, message):
    others = {} if worker is None else {"worker": worker}
    entry = write(STARTS_WORKER, shared=SHARED, **others)
    with pytest.raises(ValueError, match=message):
        modules.as_module(entry)


# ---- what is refused, with file and line ----

REFUSED = {
    "a dynamic import": ('const a = 1;\nimport("./a.js");', 2, "expected import"),
    "import.meta": ("const a = import.meta.url;", 1, "expected import"),
    "an address elsewhere": ('new URL("a.js", import.meta.url);', 1, "expected import"),
    "an import of all": ('import * as a from "./a.js";', 1, "expected import"),
    "an import of the default": ('import a from "./a.js";', 1, "expected import"),
    "an import for its effect": ('import "./a.js";', 1, "expected import"),
    "an import of a package": ('\n\nimport { a } from "d3";', 3, "expected import"),
    "an import in a block": ('{\n  import { a } from "./a.js";\n}', 2, "expected import"),
    "an import after the code": (
        'const b = 1;\nimport { a } from "./a.js";',
        2,
        "before all else",
    ),
    "an export of all": ('\nexport * from "./a.js";', 2, "expected export before"),
    "an export of others": ('export { a } from "./a.js";', 1, "expected export before"),
    "a list of exports": ("const a = 1;\nexport { a };", 2, "expected export before"),
    "an export that may change": ("export let a = 1;", 1, "expected export before"),
    "an export of parts": ("export const { a } = { a: 1 };", 1, "expected export before"),
    "a default with a name": ("export default function a() {}", 1, "expected export before"),
    "a wait": ("const a = 1;\nawait a;", 2, "a module cannot wait"),
    "a missing name": (
        'import { a } from "./a.js";\nimport { b } from "./a.js";',
        2,
        "a.js exports no b; it exports a, c",
    ),
    "a missing file": ('import { x } from "./x.js";', 1, "there is no file .*x.js"),
    "a text without an end": ("const a = 1;\nconst b = 'x", 2, "what begins with ' does not end"),
    "a template without an end": ("const a = `\n${1}", 1, "what begins with . does not end|` does"),
    "a bracket without an end": ("const a = [1,\n2;", 1, r"\[ does not end"),
    "a bracket too many": ("const a = 1;\n}", 2, "} closes nothing"),
    "a / that may divide or not": ("{ a: 1 }\n/ 2 / 1", 2, "may divide or not"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_not_understood_is_refused_with_file_and_line(write, what):
    source, line, message = REFUSED[what]
    entry = write(source, a="export const a = 1;\nexport const c = 1;")
    with pytest.raises(ValueError, match=message) as refused:
        modules.as_module(entry)
    assert str(refused.value).startswith(f"{entry.resolve()}:{line}: ")


def test_a_circle_is_refused_where_it_closes(write):
    entry = write(
        'import { a } from "./a.js";',
        a='import { b } from "./b.js";\nexport const a = 1;',
        b='\nimport { a } from "./a.js";\nexport const b = 1;',
    )
    with pytest.raises(ValueError, match=r"b\.js:2: .*: entry\.js -> a\.js -> b\.js -> a\.js"):
        modules.as_module(entry)


def test_what_a_page_calls_needs_a_default_export(write):
    with pytest.raises(ValueError, match="entry.js:1: there is no default export"):
        modules.as_function(write("export const a = 1;"))


# ---- the widgets of this package ----


@node
def test_joined_a_file_exports_what_it_exports_alone(tmp_path):
    """Node, which knows modules, reads each file itself and its joined text."""
    pairs = []
    for path in FILES:
        joined = tmp_path / f"{path.stem}.mjs"
        joined.write_text(modules.as_module(path), "utf-8")
        pairs.append([path.as_uri(), joined.as_uri()])
    code = f"""
        globalThis.document = {{ documentElement: {{ dataset: {{}} }} }};
        globalThis.location = {{ pathname: "/" }};
        const namesIn = async (file) => Object.keys(await import(file));
        const pairs = {json.dumps(pairs)}.map((pair) => Promise.all(pair.map(namesIn)));
        console.log(JSON.stringify(await Promise.all(pairs)));
    """
    for path, (alone, joined) in zip(FILES, json.loads(run(code)), strict=True):
        assert joined == alone and alone, path


def test_every_file_belongs_to_a_widget_that_imports_it():
    joined = [module for entry in ENTRIES for module in modules.in_order(entry)]
    joined += [each for *_, files in modules.workers_of(joined) for each in files]
    assert {module.path for module in joined} == set(FILES)
    assert {path.stem for path in ENTRIES} == {
        path.stem for path in base.HERE.glob("*.css") if path.stem != "base"
    }


def test_no_file_is_longer_than_can_be_read_at_once():
    lengths = {path.name: path.read_text("utf-8").count("\n") for path in FILES}
    assert max(lengths.values()) <= 300, lengths
