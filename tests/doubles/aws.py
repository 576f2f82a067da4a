"""AWS on 127.0.0.1: moto's server, with the rules of EC2 that moto lacks (`ec2`), and faults on demand.

A `Fault` meets the next calls of an operation: a throttle, a server error, a slow answer, or an answer that is
lost after the call was carried out. DynamoDB takes one call at a time: moto's transactions roll back by
putting back a copy of the whole table, with whatever others wrote in the meantime.
"""

from __future__ import annotations

import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.doubles.ec2 import ACCOUNT as ACCOUNT
from tests.doubles.ec2 import REGION as REGION
from tests.doubles.ec2 import Ec2, Parameters, changes

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
}

Start = Callable[..., Any]
Answer = Callable[[Parameters], tuple[str, str]]
"""What an operation that moto lacks says to these parameters: content type and body."""


@dataclass
class Fault:
    """What happens to the next `times` calls whose operation matches `operation` (a regular expression)."""

    operation: str
    times: int = 1_000_000
    status: int = 503
    code: str = "SlowDown"
    delay: float = 0.0
    lose_answer: bool = False
    """Carry the call out, then cut the connection."""
    refuse: bool = True
    """Answer with `status` and `code` instead of carrying it out."""
    met: int = field(default=0, init=False)


class AwsDouble:
    """One running server. `calls` counts operations as `service.Operation`; `also` answers what moto lacks."""

    def __init__(self) -> None:
        self._app = DomainDispatcherApplication(create_backend_app)
        self._lock = threading.Lock()
        self._dynamodb = threading.Lock()
        self.ec2 = Ec2()
        self.faults: list[Fault] = []
        self.calls: Counter[str] = Counter()
        self.also: dict[str, Answer] = {}
        self._server = make_server("127.0.0.1", 0, self._serve, threaded=True, request_handler=_Quiet)
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, name="aws-double", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def env(self) -> dict[str, str]:
        """What a process needs in its environment to find this AWS and no other."""
        return {**CREDENTIALS, "AWS_ENDPOINT_URL": self.endpoint}

    @property
    def mutations(self) -> Counter[str]:
        """The calls that asked EC2 or IAM for a change, refused ones too."""
        asked = {name: times for name, times in self.calls.items() if name.startswith(("ec2.", "iam."))}
        return Counter({name: times for name, times in asked.items() if changes(name)})

    @contextmanager
    def fault(self, operation: str, **how: Any) -> Iterator[Fault]:
        """A fault that stands while the block runs."""
        standing = Fault(operation, **how)
        self.faults.append(standing)
        try:
            yield standing
        finally:
            self.faults.remove(standing)

    def _serve(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        operation, body = _operation(environ)
        with self._lock:
            self.calls[operation] += 1
            fault = self._due(operation)
        if fault is not None and fault.delay:
            time.sleep(fault.delay)
        if fault is not None and fault.refuse and not fault.lose_answer:
            return _answer(start, environ, fault.status, fault.code, "injected")
        refused = self.ec2.refusal(operation, body)
        if refused is not None:
            return _answer(start, environ, *refused)
        if operation in self.also:
            return _given(start, *self.also[operation](body))
        with self._one_at_a_time(operation):
            told = start if fault is None or not fault.lose_answer else _nobody
            answered = self._answered(environ, operation, body, told)
            if self.ec2.after_change is not None and operation.startswith("ec2.") and changes(operation):
                self.ec2.after_change()
        if fault is not None and fault.lose_answer:
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            return []
        return answered

    def _one_at_a_time(self, operation: str) -> AbstractContextManager[Any]:
        if operation.startswith("dynamodb."):
            return self._dynamodb
        return self.ec2.lock if operation.startswith("ec2.") and self.ec2.after_change else nullcontext()

    def _answered(self, environ: dict[str, Any], operation: str, body: Parameters, start: Start) -> list[bytes]:
        """moto's answer, with what EC2 would say otherwise."""
        if not self.ec2.retells(operation, body):
            return list(self._app(environ, start))
        told: list[Any] = []
        answer = self.ec2.retold(operation, b"".join(self._app(environ, lambda *how: told.extend(how))))
        headers = [header for header in told[1] if header[0].lower() != "content-length"]
        start(told[0], [*headers, ("Content-Length", str(len(answer)))])
        return [answer]

    def _due(self, operation: str) -> Fault | None:
        for fault in self.faults:
            if fault.met < fault.times and re.search(fault.operation, operation):
                fault.met += 1
                return fault
        return None


class _Quiet(WSGIRequestHandler):
    """Thousands of lines about calls would bury what a failing test has to say."""

    def log_request(self, *_: Any) -> None:
        """Nothing is said."""


def _nobody(*_: Any, **__: Any) -> Callable[[bytes], None]:
    return lambda _: None


def _operation(environ: dict[str, Any]) -> tuple[str, dict[str, list[str]]]:
    """`ec2.RunInstances`, `dynamodb.PutItem`, `s3.PUT`; for query protocols with the call's parameters."""
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    if target:
        service, _, name = target.rpartition(".")
        return f"{service.split('_')[0].lower().removeprefix('amazon')}.{name}", {}
    service = _service(environ.get("HTTP_AUTHORIZATION", ""))
    if service in ("ec2", "sts", "iam"):
        body = _parameters(environ)
        return f"{service}.{body.get('Action', ['?'])[0]}", body
    return f"{service}.{environ['REQUEST_METHOD']}", {}


def _service(authorization: str) -> str:
    scope = re.search(r"Credential=[^/]+/[0-9]+/[^/]+/([^/]+)/", authorization)
    return scope[1] if scope else "?"


def _parameters(environ: dict[str, Any]) -> dict[str, list[str]]:
    """The form in the body, which is put back for moto."""
    import io

    raw = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(raw)
    return parse_qs(raw.decode())


def _given(start: Start, kind: str, body: str) -> list[bytes]:
    data = body.encode()
    start("200 OK", [("Content-Type", kind), ("Content-Length", str(len(data)))])
    return [data]


def _answer(start: Start, environ: dict[str, Any], status: int, code: str, message: str) -> list[bytes]:
    """An error as the service at hand would word it: JSON or XML."""
    if environ.get("HTTP_X_AMZ_TARGET"):
        body = f'{{"__type": "com.amazonaws#{code}", "message": "{message}"}}'
        kind = "application/x-amz-json-1.0"
    else:
        error = f"<Code>{code}</Code><Message>{message}</Message>"
        s3 = _service(environ.get("HTTP_AUTHORIZATION", "")) == "s3"
        body = f"<Error>{error}</Error>" if s3 else f"<Response><Errors><Error>{error}</Error></Errors></Response>"
        kind = "text/xml"
    data = body.encode()
    start(f"{status} Injected", [("Content-Type", kind), ("Content-Length", str(len(data)))])
    return [data]
