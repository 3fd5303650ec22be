"""Code in a process of its own, without the seconds that torch and others take to be imported.

One process imports what is asked for, and copies itself for each piece of code. The copies know
nothing of each other.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SERVER = """
import json, os, sys, traceback
{imports}

for line in sys.stdin:
    code, folder, output = json.loads(line)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.chdir(folder)
            file = os.open(output, os.O_WRONLY | os.O_CREAT)
            os.dup2(file, 1), os.dup2(file, 2)
            exec(compile(code, "<test>", "exec"), {{"__name__": "__main__"}})
            status = 0
        except SystemExit as ended:
            status = ended.code
        except BaseException:
            os.write(2, traceback.format_exc().encode())
        finally:
            if sys.stdout is not None and hasattr(sys.stdout, "flush"):
                sys.stdout.flush()
            os._exit(status)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class FreshProcesses:
    """Runs code in copies of a process; where a process cannot copy itself, in others."""

    def __init__(self, server: subprocess.Popen | None, scratch: Path):
        self.server, self.scratch, self.count = server, scratch, 0

    def run(self, code: str, folder: Path) -> tuple[int, str]:
        """The exit status of the code, run in a folder, and what it printed."""
        if self.server is None:
            command = [sys.executable, "-c", code]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
            return done.returncode, done.stdout + done.stderr
        self.count += 1
        output = self.scratch / f"output-{self.count}"
        print(json.dumps([code, str(folder), str(output)]), file=self.server.stdin, flush=True)
        return int(self.server.stdout.readline()), output.read_text()


@contextmanager
def fresh_processes(scratch: Path, imports: str) -> Iterator[FreshProcesses]:
    """`FreshProcesses` that have imported something; output goes through files in this folder."""
    if not hasattr(os, "fork"):  # Windows
        yield FreshProcesses(None, scratch)
        return
    command = [sys.executable, "-c", SERVER.format(imports=imports)]
    pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with subprocess.Popen(command, **pipes) as server:
        yield FreshProcesses(server, scratch)
        server.stdin.close()
