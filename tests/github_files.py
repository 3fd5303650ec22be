"""Hold every file that GitHub reads against its schema, and the workflows against zizmor's audits.

    python tests/github_files.py            the files of this tree
    python tests/github_files.py FOLDER     those of another

GitHub says what is wrong with such a file only when it is used, and of a form nothing at all. The
schemas come with check-jsonschema, and zizmor works offline: nothing is asked of the network.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

import check_jsonschema

ROOT = Path(__file__).resolve().parents[1]
SCHEMAS = {  # a file is held against the first that fits
    ".github/workflows/*.y*ml": "vendor.github-workflows",
    ".github/ISSUE_TEMPLATE/config.yml": "vendor.github-issue-config",
    ".github/ISSUE_TEMPLATE/*.y*ml": "vendor.github-issue-forms",
    ".github/dependabot.yml": "vendor.dependabot",
    "CITATION.cff": "vendor.citation-file-format",
}


def program(name: str) -> str:
    """The program that was installed beside this Python."""
    return shutil.which(name, path=str(Path(sys.executable).parent)) or name


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit status: 1 for a file that is not as it should be."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT, help="where the project is")
    folder = parser.parse_args(arguments).folder.resolve()
    zizmor = [program("zizmor"), "--offline", "--quiet", "--strict-collection", ".github"]
    failed, checked = [subprocess.run(zizmor, cwd=folder).returncode], set()
    for pattern, schema in SCHEMAS.items():
        files = sorted({*folder.glob(pattern)} - checked)
        checked.update(files)
        if files:
            check = ["--builtin-schema", schema, "--force-filetype", "yaml"]
            failed.append(status([*check, *map(str, files)]))
    return int(any(failed))


def status(words: list[str]) -> int:
    """What check-jsonschema ends with. It runs here, for it takes a second to begin."""
    try:
        check_jsonschema.main(words)
    except SystemExit as ended:
        return int(ended.code != 0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
