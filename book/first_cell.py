# @title Set up (run me first): installs the book's package where it is missing, changes no other
import os, subprocess, sys, tempfile
try:
    from feedback import begin_chapter
except ImportError:  # no package called feedback, or somebody else's
    assert (source := os.environ.get("FEEDBACK_BOOK_SOURCE") or ""), "Set FEEDBACK_BOOK_SOURCE to the book's folder or its pip address, then run me again"
    pip, found = f'"{sys.executable}" -m pip', tempfile.mkstemp()[1]
    subprocess.run(f'{pip} uninstall -qqy feedback-transformer-book && {pip} list --format=freeze > "{found}"', shell=True)
    subprocess.run(f'{pip} install -q -c "{found}" "{source}"', shell=True, check=True)
    [sys.modules.pop(name) for name in [*sys.modules] if name.split(".")[0] == "feedback"]
    from feedback import begin_chapter
begin_chapter()
