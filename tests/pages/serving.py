"""A folder on a server of this machine, for as long as it is needed."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from looking import WITHOUT_FORMULAS


class Whole(SimpleHTTPRequestHandler):
    def do_GET(self):
        if self.path != "/favicon.ico":  # which no page names: a browser asks every server for it
            return super().do_GET()
        self.send_response(204)
        self.end_headers()

    def log_message(self, *arguments):
        pass


class Plain(Whole):
    """Gives pages without formulas. A browser that is told to do so keeps no file for later."""

    def do_GET(self):
        if "/mathjax/" not in self.path:
            return super().do_GET()
        self.send_response(200)
        self.send_header("Content-Type", "text/javascript")
        self.end_headers()
        self.wfile.write(WITHOUT_FORMULAS.encode())


@contextmanager
def served(folder: Path, handler: type = Plain) -> Iterator[str]:
    """The address at which the folder begins."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
