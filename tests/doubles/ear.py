"""A web server on 127.0.0.1 that takes notifications as a chat does, or as one that is unwell."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Ear:
    """Remembers what it was told. `answers` is the status it gives; `silent`: it says nothing for a long while."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.answers, self.silent = 200, False
        self._closing = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    @property
    def url(self) -> str:
        """With a secret in its path, as chats have it."""
        return f"http://127.0.0.1:{self._server.server_port}/hooks/s3cret"

    @property
    def texts(self) -> list[str]:
        return [message["text"] for message in self.heard]

    @property
    def kinds(self) -> list[str]:
        return [message["kind"] for message in self.heard]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        ear = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                ear._take(self)

            do_GET = do_POST  # noqa: N815

            def log_message(self, *_: object) -> None:
                """Nobody reads it."""

        return Handler

    def _take(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        self.paths.append(request.path)
        if self.silent and self._closing.wait(3):
            return
        if self.answers < 300:
            self.heard.append(json.loads(body))
        request.send_response(self.answers)
        if 300 <= self.answers < 400:
            request.send_header("Location", f"{self.url}/elsewhere")
        request.send_header("Content-Length", "0")
        request.end_headers()

    def close(self) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
