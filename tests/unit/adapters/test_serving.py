"""Programs served to the CLI from a process that lives long: what one engine left must not fail the next."""

from __future__ import annotations

import contextvars
import socket
from concurrent.futures import ThreadPoolExecutor

import grpc  # type: ignore[import-untyped]
import pytest
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime import reset_options, settings

from lifecycle.adapters.pulumi import serving  # noqa: F401 - it sets how the SDK makes its channels


def a_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
        return port


def asked(port: int) -> grpc.StatusCode:
    """What a program hears that asks the engine's monitor at this port."""
    reset_options(monitor_address=f"127.0.0.1:{port}")
    with pytest.raises(grpc.RpcError) as heard:
        settings.SETTINGS.monitor.SignalAndWaitForShutdown(Empty(), timeout=30)
    code: grpc.StatusCode = heard.value.code()
    return code


def test_an_engine_at_the_port_of_one_that_is_gone_is_called_at_once() -> None:
    port, lingering, current = a_port(), contextvars.copy_context(), contextvars.copy_context()
    assert lingering.run(asked, port) == grpc.StatusCode.UNAVAILABLE
    server = grpc.server(ThreadPoolExecutor(1))
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    assert current.run(asked, port) == grpc.StatusCode.UNIMPLEMENTED
    server.stop(None).wait()
