"""What in_image.py runs in a container: one notebook, as it lies alone in an empty folder.

    python3 inside.py NOTEBOOK

Exit status 1 if a cell fails, or if a package that was there before is another version or gone.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path
from tempfile import TemporaryDirectory

from rehearse import CELL_LIMIT, EXECUTE


def installed() -> dict[str, str]:
    """Every installed distribution with its version."""
    return {found.metadata["Name"]: found.version for found in distributions()}


def main() -> int:
    notebook, before = Path(sys.argv[1]), installed()
    with TemporaryDirectory() as folder:
        shutil.copy(notebook, folder)
        run = [sys.executable, "-c", EXECUTE, notebook.name, str(CELL_LIMIT)]
        status = subprocess.run(run, cwd=folder).returncode
    after = installed()
    changed = sorted(name for name, version in before.items() if after.get(name) != version)
    new = sorted(after.keys() - before)
    print(f"Python {sys.version.split()[0]}, new: {', '.join(new) or '-'}")
    if changed:
        print(f"changed or gone: {', '.join(changed)}")
    return int(bool(status or changed))


if __name__ == "__main__":
    sys.exit(main())
