"""An S3 that takes uploads and keeps nothing: `python -m tests.bench.sink`, until its standard input ends.

The bench compares clients. moto would be most of what it measures, and joins the parts of 1 GiB for longer than a
client waits for an answer.
"""

from __future__ import annotations

import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PIECE = 1024**2
BEGUN = b"<InitiateMultipartUploadResult><UploadId>u-1</UploadId></InitiateMultipartUploadResult>"
NONE_YET = b"<ListMultipartUploadsResult></ListMultipartUploadsResult>"
WHOLE = b'<CompleteMultipartUploadResult><ETag>"e"</ETag></CompleteMultipartUploadResult>'
CALLER = b"<R><GetCallerIdentityResult><Account>123456789012</Account></GetCallerIdentityResult></R>"
"""STS's answer: sessions ask whose credentials they have."""


class Sink(BaseHTTPRequestHandler):
    """What uploads ask for; anything else is refused."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(NONE_YET if "uploads" in self.path else b"")

    def do_PUT(self) -> None:
        self._swallow()
        self._answer(b"")

    def do_POST(self) -> None:
        self._swallow()
        begins = BEGUN if "uploads" in self.path else CALLER
        self._answer(WHOLE if "uploadId=" in self.path else begins)

    def log_message(self, *_: object) -> None:
        """Says nothing."""

    def _swallow(self) -> None:
        left = int(self.headers.get("Content-Length") or 0)
        if self.headers.get("Expect") == "100-continue":
            self.send_response_only(100)
            self.end_headers()
        while left:
            left -= len(self.rfile.read(min(left, PIECE)))

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("ETag", '"e"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    sys.stdin.read()
    server.shutdown()
    server.server_close()


if __name__ == "__main__":
    main()
