"""A program that this process serves to the CLI: the Automation API's way of running one without a project.

Its `Stack.up` is not used: it runs four more processes per update, and keeps neither the pid that the lock names
nor what the engine said before the CLI was killed.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc  # type: ignore[import-untyped]
from pulumi.automation._server import LanguageServer
from pulumi.runtime._grpc_settings import _GRPC_CHANNEL_OPTIONS
from pulumi.runtime.proto import language_pb2_grpc

from lifecycle.adapters.pulumi.workspace import Program

_MESSAGES = 400 * 1024 * 1024
"""Pulumi's own limit for one gRPC message."""

_PATIENCE = 5.0
"""Seconds for a program to notice that its engine is gone."""

# An engine may get the port of one that is gone: by default gRPC would not call it before the back-off that the
# gone one earned is over, and the program would end with `Resource monitor has terminated`.
_GRPC_CHANNEL_OPTIONS.append(("grpc.use_local_subchannel_pool", 1))


@contextmanager
def served(program: Program) -> Iterator[str]:
    """The address at which the CLI finds the program (`--client`), while the block runs."""
    language = _Language(program)
    pool = ThreadPoolExecutor(4, thread_name_prefix="pulumi-program")
    limits = [("grpc.max_receive_message_length", _MESSAGES), ("grpc.max_send_message_length", _MESSAGES)]
    server = grpc.server(pool, options=limits)
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(language, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(grace=None).wait()
        language.idle.wait(_PATIENCE)
        pool.shutdown(wait=False)


class _Language(LanguageServer):
    """The SDK's server; the event loop it leaves open when the engine gives up on a program is closed here."""

    def __init__(self, program: Program) -> None:
        super().__init__(self._started)  # type: ignore[arg-type]
        self._program = program
        self._loops: list[asyncio.AbstractEventLoop] = []
        self.idle = threading.Event()
        self.idle.set()

    async def _started(self) -> dict[str, Any]:
        self._loops.append(asyncio.get_running_loop())
        return await self._program()

    def Run(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's name
        self.idle.clear()
        try:
            return super().Run(request, context)  # type: ignore[no-untyped-call]
        finally:
            while self._loops:
                closed(self._loops.pop())
            self.idle.set()


def closed(loop: asyncio.AbstractEventLoop) -> None:
    """Ends what is still going on in the loop, whatever it says."""
    if loop.is_closed():
        return
    loop.set_exception_handler(lambda *_: None)
    pending = asyncio.all_tasks(loop)
    for task in pending:
        task.cancel()
    try:
        if pending:
            loop.run_until_complete(asyncio.wait(pending))
    finally:
        loop.close()
