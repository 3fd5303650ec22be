# @title Set up (run me first): unpacks the book's package, which this cell holds
import base64
import hashlib
import io
import os
import subprocess
import sys
import tempfile
import zipfile
from importlib.util import find_spec


def begin(sha256: str, package: str) -> None:
    """Unpack the package for this kernel and for what it starts, unless it has it, and begin."""
    here = f"feedback-{sha256[:12]}-"
    if not any(here in place for place in sys.path):
        data = base64.b64decode(package)
        whole = hashlib.sha256(data).hexdigest() == sha256
        assert whole, "This notebook was damaged on its way: fetch it again"
        folder = tempfile.mkdtemp(prefix=here)
        zipfile.ZipFile(io.BytesIO(data)).extractall(folder)
        sys.path.insert(0, folder)
        places = (folder, os.environ.get("PYTHONPATH"))
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, places))
        for name in [*sys.modules]:
            if name.split(".")[0] == "feedback":  # somebody else's
                del sys.modules[name]
        missing = [name for name in ("anywidget", "labml", "safetensors") if not find_spec(name)]
        if missing:  # pip leaves what is there as it is; the import tells whether it worked
            subprocess.run([sys.executable, "-m", "pip", "install", "-q", *missing])
    from feedback import begin_chapter

    begin_chapter()


begin(
    "SHA256",
    """
PACKAGE""",
)
