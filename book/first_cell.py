# @title Set up (run me first): installs the book's package where it is missing, changes no other
import os, re, subprocess, sys, tempfile
try:
    from feedback import begin_chapter
except ImportError:  # no package called feedback, or somebody else's
    assert (source := os.path.expanduser(os.environ.get("FEEDBACK_BOOK_SOURCE") or "")), "Set FEEDBACK_BOOK_SOURCE to the book's folder or its pip address, then run me again"
    pip, (file, found) = f'"{sys.executable}" -m pip', tempfile.mkstemp()  # found: what pip lists, as far as pip can read it
    os.write(file, b"\n".join(re.findall(rb"(?m)^[A-Za-z\d](?:[\w.-]*[A-Za-z\d])?==(?:\d+!)?\d+(?:\.\d+)*(?:(?:a|b|rc)\d+)?(?:\.post\d+)?(?:\.dev\d+)?(?:\+[a-z\d]+(?:\.[a-z\d]+)*)?(?!\S)", subprocess.run(f"{pip} uninstall -qqy feedback-transformer-book && {pip} --isolated list --format=freeze", shell=True, stdout=subprocess.PIPE).stdout)))
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "-c", found, source])  # the import tells whether it worked
    [sys.modules.pop(name) for name in [*sys.modules] if name.split(".")[0] == "feedback"]
    from feedback import begin_chapter
begin_chapter()
