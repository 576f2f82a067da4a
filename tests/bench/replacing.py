"""Stacks of hundreds of machines on the real engine: one replaced, and nothing to do."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import patch

from moto.moto_api._internal import moto_api_backend

from lifecycle.adapters.aws import described
from lifecycle.adapters.aws.compute import Ec2Compute
from lifecycle.adapters.local.table import SqliteTable
from lifecycle.model.foundation import Foundation
from lifecycle.model.tags import NODE
from lifecycle.model.world import Machine
from stacks import userdata
from tests.bench.seed import REPLACED, seed
from tests.doubles.aws import ACCOUNT, REGION, AwsDouble
from tests.doubles.provider import ProviderDouble
from tests.engine.cli import find
from tests.engine.engine import Engine
from tests.engine.yard import NAMES, Yard, a_yard

T = TypeVar("T")
FEW, MANY = 10, 500
ROUNDS = 3
FOUNDATION = Foundation(
    owner=NAMES.owner,
    account=ACCOUNT,
    region=REGION,
    bucket=NAMES.bucket,
    table=NAMES.table,
    queue=NAMES.queue,
    queue_url="",
    boundary=NAMES.boundary_arn,
)
"""Of whose machines the user data is: the state holds it twice for each."""


class Nearby(Ec2Compute):
    """Lists the machines of two nodes: listing all has a figure of its own, and here it would be the double's."""

    def machines(self, fleet: str) -> Sequence[Machine]:
        mine = [{"Name": f"tag:{NODE}", "Values": ["f/t/0", REPLACED]}]
        pages = self._ec2.get_paginator("describe_instances").paginate(Filters=mine)
        found = (one for page in pages for r in page["Reservations"] for one in r["Instances"])
        return [known for one in found if (known := described.machine(one, self._owner, fleet)) is not None]


class PerThread:
    """SQLite for hooks, which run in threads; moto's DynamoDB would be measured, not the engine."""

    def __init__(self, path: Path) -> None:
        self._path, self._mine = path, threading.local()

    def __getattr__(self, name: str) -> Any:
        if not hasattr(self._mine, "table"):
            self._mine.table = SqliteTable(self._path)
        return getattr(self._mine.table, name)


def bench(folder: Path) -> Iterator[tuple[str, str, float, float, str]]:
    cli = find()
    if cli is None:
        print("no Pulumi CLI: nothing of stacks is measured (`make engine`)", file=sys.stderr)
        return
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    few = _measured(folder / "few", cli, FEW, _replacing)
    many, idle, terse = _measured(
        folder / "many", cli, MANY, lambda yard: (_replacing(yard), _idle(yard), _idle(yard, diary=False))
    )
    note = f"best of {ROUNDS}; {few:.2g} s at {FEW}, {many:.2g} s at {MANY}"
    yield f"replace 1 of {MANY} nodes, beside 1 of {FEW}", "x", many / few, 1.3, note
    yield (
        f"`pulumi up` with nothing to do, {MANY} nodes",
        "s",
        idle,
        8.0,
        f"best of {ROUNDS}; {terse:.2g} s without the CLI's own log",
    )


def _measured(folder: Path, cli: Path, nodes: int, measure: Callable[[Yard], T]) -> T:
    with ExitStack() as stack:
        moto_api_backend.reset()
        aws = stack.enter_context(closing(AwsDouble()))
        stack.enter_context(patch.dict(os.environ, aws.env))
        provider = stack.enter_context(closing(ProviderDouble(aws.endpoint)))
        engine = stack.enter_context(closing(Engine(folder, cli, provider, aws, diary=True)))
        path = f"{cli.parent}:{engine.env['PATH']}"
        stack.enter_context(patch.dict(os.environ, {**engine.env, "PATH": path}))
        yard = a_yard(engine, aws, lambda: PerThread(folder / "tracker.db"), Nearby, nodes=nodes)
        yard.user_data = userdata.text(FOUNDATION)
        seed(yard)
        return measure(yard)


def _replacing(yard: Yard) -> float:
    """Seconds from the call of the provisioner to its answer; the best, because neighbours only slow."""
    rounds = range(2, 2 + ROUNDS)
    return min(_seconds(lambda n=number: yard.made(1, incarnation=n)) for number in rounds)


def _idle(yard: Yard, *, diary: bool = True) -> float:
    """What a person types, without the engine's events, which tests read. The best, as above."""
    yard.engine.select("f")
    if not diary:
        yard.engine.no_diary()
    words = ("up", "--yes", "--skip-preview", "--stack=f", yard.engine.client)
    return min(_seconds(lambda: yard.engine.checked(*words)) for _ in range(ROUNDS))


def _seconds(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began
