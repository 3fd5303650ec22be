"""Format, lint and unit tests of the JavaScript, as part of `make check`.

The unit tests need Node alone. Biome, which formats and lints, comes from the npm registry, in the
version of package-lock.json. What is not there is named in one line and left out.

Usage: python tests/javascript/check.py
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TESTS = sorted(Path(__file__).parent.glob("*.test.js"))
BIOME = ROOT / "node_modules" / "@biomejs" / "biome" / "bin" / "biome"
# npm writes it last, from the lock file.
INSTALLED, LOCK = ROOT / "node_modules" / ".package-lock.json", ROOT / "package-lock.json"
OLDEST = 20  # version of Node
QUIETLY = {"capture_output": True, "text": True}


def main() -> int:
    if (major := node_version()) < OLDEST:
        there = f"Node {major} is" if major else "no Node is"
        print(f"JavaScript was not checked: {there} there, and {OLDEST} is needed")
        return 0
    tests = run("node", "--test", "--test-reporter=dot", *map(str, TESTS)).returncode
    if problem := install():
        print(f"JavaScript was neither formatted nor linted: no Biome from npm, {problem}")
        return tests
    return tests or run("node", str(BIOME), "check", "--error-on-warnings").returncode


def node_version() -> int:
    """The major version of Node; 0 where there is none."""
    if shutil.which("node") is None:
        return 0
    return int(run("node", "--version", **QUIETLY).stdout.strip("v").partition(".")[0])


def install() -> str:
    """Bring node_modules in line with the lock file, and say why that failed, if it did."""
    if INSTALLED.is_file() and INSTALLED.stat().st_mtime >= LOCK.stat().st_mtime:
        return ""
    npm = shutil.which("npm")
    if npm is None:
        return "which is not there"
    # No package may run a script of its own.
    options = ("--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=0")
    done = run(npm, "ci", *options, **QUIETLY)
    return (done.stderr.partition("\n")[0] or "failed") if done.returncode else ""


def run(*command: str, **options) -> subprocess.CompletedProcess:
    return subprocess.run(command, cwd=ROOT, check=False, **options)


if __name__ == "__main__":
    sys.exit(main())
