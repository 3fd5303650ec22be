"""Say on GitHub that chapters failed in Colab's image: one open issue, and a comment each time.

    python3 tests/colab/report.py       after in_image.py, in a workflow

Needs GitHub's command line `gh` with a token that may write issues.
"""

from __future__ import annotations

import json
import os
import subprocess

from in_image import IMAGE, REPORT

TITLE = "A chapter fails in Colab's image"


def gh(*words: str) -> str:
    return subprocess.run(["gh", *words], check=True, stdout=subprocess.PIPE, text=True).stdout


def body() -> str:
    """What failed, and where the whole log is."""
    server, repository, run = (
        os.environ[f"GITHUB_{name}"] for name in ("SERVER_URL", "REPOSITORY", "RUN_ID")
    )
    log = f"The whole log: {server}/{repository}/actions/runs/{run}"
    missing = "The rehearsal did not come to its end; the log says why.\n"
    found = REPORT.read_text("utf-8") if REPORT.is_file() else missing
    return f"Rehearsed in `{IMAGE}`.\n\n{found}\n{log}\n"


def main() -> None:
    """Comment on the oldest open issue of this title, or open one."""
    listed = gh("issue", "list", "--state", "open", "--limit", "1000", "--json", "number,title")
    numbers = [issue["number"] for issue in json.loads(listed) if issue["title"] == TITLE]
    where = ["comment", str(min(numbers))] if numbers else ["create", "--title", TITLE]
    print(gh("issue", *where, "--body", body()))


if __name__ == "__main__":
    main()
