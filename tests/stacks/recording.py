"""A Pulumi program under the SDK's mocks: every resource it declares, as the provider would be asked for it.

Mocks know no diff, no deletion and no hook: those are for `tests/engine`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import pulumi
from pulumi.runtime import mocks, set_all_config
from pulumi.runtime.settings import _shutdown_callbacks

ACCOUNT = "123456789012"


@dataclass(frozen=True)
class Declared:
    kind: str
    name: str
    inputs: dict[str, Any]


@dataclass
class Recorder(pulumi.runtime.Mocks):
    """Answers every registration, and remembers it."""

    declared: list[Declared] = field(default_factory=list)

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        self.declared.append(Declared(args.typ, args.name, args.inputs))
        physical = args.inputs.get("name") or f"{args.name}-1a2b3c4"
        arn = f"arn:aws:test:us-east-1:{ACCOUNT}:{physical}"
        outputs = {"arn": arn, "name": physical, "url": f"https://sqs.test/{physical}", **args.inputs}
        return physical, outputs

    def call(self, args: pulumi.runtime.MockCallArgs) -> dict[str, Any]:
        if args.token == "aws:ec2/getSubnet:getSubnet":
            return {"id": args.args["id"], "vpcId": f"vpc-of-{args.args['id']}"}
        return {"accountId": ACCOUNT, "id": ACCOUNT, "arn": f"arn:aws:iam::{ACCOUNT}:user/me", "userId": "me"}

    def one(self, kind: str, name: str | None = None) -> dict[str, Any]:
        """The inputs of the only resource of this kind (and name)."""
        (found,) = self.all(kind, name)
        return found.inputs

    def all(self, kind: str, name: str | None = None) -> list[Declared]:
        return [each for each in self.declared if each.kind == kind and name in (None, each.name)]


def run(
    program: Callable[[], Coroutine[Any, Any, dict[str, Any]]], *, stack: str, config: dict[str, str]
) -> tuple[Recorder, dict[str, Any]]:
    """Runs the program to its end; returns what it declared, and its outputs as plain values."""
    recorder = Recorder()

    async def whole() -> dict[str, Any]:
        mocks.set_mocks(recorder, project="steadyfleet", stack=stack, preview=False)
        set_all_config(config)
        outputs = await program()
        return {name: await _plain(value) for name, value in outputs.items()}

    with _loops_closed():
        return recorder, asyncio.run(_settled(whole))


@contextmanager
def _loops_closed() -> Iterator[None]:
    """The SDK makes an event loop in each thread that asks for one, and closes none."""
    made: list[asyncio.AbstractEventLoop] = []

    def tracked() -> asyncio.AbstractEventLoop:
        made.append(asyncio.events.new_event_loop())
        return made[-1]

    with mock.patch.object(asyncio, "new_event_loop", tracked):
        yield
    for loop in made:
        loop.close()


async def _settled(whole: Callable[[], Coroutine[Any, Any, dict[str, Any]]]) -> dict[str, Any]:
    outputs = await whole()
    await _shutdown_callbacks()
    while pending := [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]:
        await asyncio.gather(*pending)
    return outputs


async def _plain(value: Any) -> Any:
    return await value.future() if isinstance(value, pulumi.Output) else value
