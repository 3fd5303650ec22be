"""Where Chromium is on this machine, and how the page tests start it."""

import os
import shutil

# The first is the same browser without windows, and opens a page in half the time.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")

# No name leads anywhere but to this machine, so that a page that asks elsewhere gets no answer.
# A sandbox needs rights that containers often lack; the rest keeps Chromium from calling home.
ARGUMENTS = [
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def find_chromium() -> str | None:
    """The path in FEEDBACK_CHROMIUM, or the first Chromium on PATH, or None."""
    named = os.environ.get("FEEDBACK_CHROMIUM")
    return named or next(filter(None, map(shutil.which, NAMES)), None)
