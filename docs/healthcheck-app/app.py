"""The smallest app to watch: it answers every GET with the number of the instance that it is. Python's own library."""

import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ANSWER = f"ok instance {os.environ.get('CF_INSTANCE_INDEX', '0')}\n".encode()
LINGER = 5  # seconds; Diego kills ten seconds after its TERM


class Handler(BaseHTTPRequestHandler):
    """One connection, kept alive."""

    protocol_version = "HTTP/1.1"  # or the routers would open a connection for each request
    wbufsize = -1  # head and body in one write

    def do_GET(self) -> None:
        """Any path."""
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)

    def log_message(self, *_: object) -> None:
        """The routers log already."""


def serve() -> None:
    """Serve until some seconds after a TERM: the routers learn a little later that this instance goes."""
    server = ThreadingHTTPServer(("", int(os.environ.get("PORT", "8080"))), Handler)
    signal.signal(signal.SIGTERM, lambda *_: threading.Timer(LINGER, os._exit, [0]).start())
    print(f"listening on {server.server_address[1]}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    serve()
