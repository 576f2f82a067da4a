"""A fleet of thousands, listed: what our mapping adds to boto3's own reading of the same pages."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from lifecycle.adapters.aws.compute import Ec2Compute
from tests.doubles.ec2_pages import FLEET, OWNER, CannedSession, fleet_pages

MACHINES = 5000
ROUNDS = 3


def bench(_: Path) -> Iterator[tuple[str, str, float, float, str]]:
    session = CannedSession(fleet_pages(MACHINES))
    client, compute = session.client("ec2"), Ec2Compute(session, OWNER, checks=False)

    def plain() -> int:
        pages = client.get_paginator("describe_instances").paginate(MaxResults=1000)
        return sum(len(r["Instances"]) for page in pages for r in page["Reservations"])

    def ours() -> int:
        return len(compute.machines(FLEET))

    for work in (plain, ours):
        assert work() == MACHINES  # and warm
    session.asked.clear()
    ours()
    calls = len(session.asked)
    ratios = [_seconds(ours) / _seconds(plain) for _round in range(ROUNDS)]
    note = f"median of {ROUNDS}, canned pages"
    yield f"list {MACHINES} instances, beside boto3's paginator", "x", statistics.median(ratios), 1.1, note
    yield f"calls to list {MACHINES} instances", "calls", float(calls), 5.0, "1,000 a page"


def _seconds(work: Callable[[], int]) -> float:
    """Of this process alone: neighbours on the machine would blur the ratio."""
    began = time.process_time()
    work()
    return time.process_time() - began
