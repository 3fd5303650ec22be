"""Rehearse in the image of Colab itself: each notebook alone, in a new container.

    python3 tests/colab/in_image.py                          every notebook
    python3 tests/colab/in_image.py notebooks/01-a.ipynb     only this notebook

Needs Docker, some twenty gigabytes of disk, and the network: the newest image is fetched first.
Notebooks and package are taken from the last commit, and each folded solution is handed in, as in
rehearse.py, which needs no Docker and holds what Colab held on one day. What failed is written to
_build/colab-image.md, for report.py.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rehearse import ROOT, git, solved

# Google names it on its page on local runtimes; this is the one of the runtimes without a GPU.
IMAGE = "us-docker.pkg.dev/colab-images/public/cpu-runtime:latest"
REPORT = ROOT / "_build" / "colab-image.md"
SHOWN = 2000  # characters of a failure: an issue takes 65,536
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def rehearse(given: Path, notebook: str) -> tuple[bool, str]:
    """Run a notebook that lies in the folder `given`, beside the package; how it went, its output.

    What a container leaves belongs to root, so it writes nothing outside itself.
    """
    source = "FEEDBACK_BOOK_SOURCE=/given/book.tar.gz"
    run = ["docker", "run", "--rm", "--env", source, "--env", "PYDEVD_DISABLE_FILE_VALIDATION=1"]
    run += ["--volume", f"{given}:/given:ro", "--volume", f"{Path(__file__).parent}:/tools:ro"]
    run += ["--entrypoint", "python3", IMAGE, "/tools/inside.py", f"/given/{notebook}"]
    start = time.monotonic()
    done = subprocess.run(run, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    output = COLOURS.sub("", done.stdout)
    word = "FAILED" if done.returncode else "ok    "
    print(f"{word} {time.monotonic() - start:4.0f} s  {notebook}\n{output}", flush=True)
    return not done.returncode, output


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all of them")
    chosen = [str(path.resolve().relative_to(ROOT)) for path in parser.parse_args().notebooks]
    commit = git("rev-parse", "HEAD").strip()
    listed = git("ls-tree", "--name-only", commit, "notebooks/").splitlines()
    committed = [path for path in listed if path.endswith(".ipynb")]
    if missing := [path for path in chosen if path not in committed]:
        parser.error(f"not in the last commit: {', '.join(missing)}")
    paths = chosen or committed
    REPORT.unlink(missing_ok=True)
    subprocess.run(["docker", "pull", "--quiet", IMAGE], check=True)
    print(f"rehearsing commit {commit[:12]}", flush=True)
    failed = {}
    with tempfile.TemporaryDirectory() as folder:
        given = Path(folder)
        given.chmod(0o755)  # so that a container that runs as another user may read it
        git("archive", "--prefix=book/", f"--output={given / 'book.tar.gz'}", commit)
        for path in paths:
            name = Path(path).name
            (given / name).write_text(solved(git("show", f"{commit}:{path}")), "utf-8")
            good, output = rehearse(given, name)
            if not good:
                failed[path] = output
    if failed:
        parts = [f"`{path}`, at commit {commit[:12]}:\n" for path in failed]
        ends = [f"```text\n{output[-SHOWN:].strip()}\n```\n" for output in failed.values()]
        REPORT.parent.mkdir(exist_ok=True)
        REPORT.write_text("\n".join(map("\n".join, zip(parts, ends, strict=True))), "utf-8")
    print(f"{len(paths) - len(failed)} passed, {len(failed)} failed")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
