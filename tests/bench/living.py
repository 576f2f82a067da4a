"""Living nodes: ticks, notices, interruptions, and what an agent costs."""

from __future__ import annotations

import json
import random
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from lifecycle.adapters.local.layout import EndedRecord, StandingNotice
from lifecycle.bootstrap import controller
from lifecycle.model.states import Cause
from lifecycle.system.files import read_record, write_record
from tests.e2e.stage import Stage, wait_until

NOTICES = 60
AGENT_SECONDS = 30.0
LONG = {"hyperparameters": {"steps": 1_000_000, "seed": 7}}


def bench(folder: Path) -> Iterator[tuple[str, str, float, float, str]]:
    yield from _twenty_nodes(_stage(folder, "twenty"))
    yield from _notices(_stage(folder, "notices"))
    yield from _interruptions(_stage(folder, "interruptions"))


def _stage(folder: Path, name: str) -> Stage:
    place = folder / name
    place.mkdir()
    return Stage(place)


def _twenty_nodes(stage: Stage) -> Iterator[tuple[str, str, float, float, str]]:
    try:
        stage.declare(nodes=20, train=LONG, arguments=("--step-time", "0.5", "--save-every", "0")).apply()
        control = controller.local(stage.state)
        control.controller.tick("f")
        seconds = []
        for _ in range(11):
            began = time.perf_counter()
            ticked = control.controller.tick("f")
            seconds.append(time.perf_counter() - began)
            assert ticked.plan.settled
        yield "a tick with nothing to do, 20 live nodes", "s", statistics.median(seconds), 0.3, "median of 11"
    finally:
        stage.close()


def _notices(stage: Stage) -> Iterator[tuple[str, str, float, float, str]]:
    try:
        stage.declare(train=LONG, arguments=("--step-time", "0.05", "--save-every", "0")).apply()
        yield from _agent_cost(stage)
        delays = sorted(_asked_after(stage, number) for number in range(NOTICES))
        note = f"{NOTICES} notices at random moments"
        yield "notice to trainer asked, p50", "s", statistics.median(delays), 0.7, note
        yield "notice to trainer asked, p99", "s", delays[int(len(delays) * 0.99)], 1.3, note
    finally:
        stage.close()


def _asked_after(stage: Stage, number: int) -> float:
    """Seconds from a fresh notice to the request that the trainer sees."""
    instance = next((stage.state / "instances").iterdir()).name
    asked = stage.state / "instances" / instance / "runs" / "f.t.main.0" / "stop.json"
    wait_until(lambda: not asked.exists(), "the last request's end")
    time.sleep(random.uniform(0.0, 1.0))
    now = time.time()
    fresh = StandingNotice(id=f"bench-{number}", cause=Cause.REBALANCE, at=now)
    write_record(stage.state / "machines" / instance / "notices.json", (fresh,))
    began = time.perf_counter()
    while not asked.exists():
        time.sleep(0.002)
    return time.perf_counter() - began


def _agent_cost(stage: Stage) -> Iterator[tuple[str, str, float, float, str]]:
    agent = psutil.Process(stage.agent_pid(stage.instance()))
    before = agent.cpu_times()
    time.sleep(AGENT_SECONDS)
    after = agent.cpu_times()
    used = (after.user - before.user) + (after.system - before.system)
    yield "agent, memory", "MB", agent.memory_info().rss / 1e6, 40, "resident, while training"
    yield "agent, processor", "%", 100 * used / AGENT_SECONDS, 0.5, f"of one core, over {AGENT_SECONDS:.0f} s"


def _interruptions(stage: Stage) -> Iterator[tuple[str, str, float, float, str]]:
    """From a machine's end to the next trainer's first step, less the trainer's own start-up."""
    try:
        stage.declare(train=LONG, arguments=("--step-time", "0.02", "--save-every", "0")).apply()
        controller = stage.controller()
        seconds = [_resumed_after(stage, attempt) for attempt in range(2, 8)]
        controller.kill()
        seen = statistics.median(seconds)
        yield "interruption to training again, less the trainer's start-up", "s", seen, 2.0, "median of 6"
    finally:
        stage.close()


def _resumed_after(stage: Stage, attempt: int) -> float:
    stage.reach(1 + max(stage.steps(), default=0))
    stage.steady("local", "notice", "f/t/0", "--lead", "1s")
    wait_until(lambda: stage.steps(attempt), f"attempt {attempt}")
    ends = [read_record(path, EndedRecord) for path in stage.state.glob("machines/l-*/ended.json")]
    gone = max(end.at for end in ends if end)
    launched = [json.loads(path.read_text()) for path in stage.state.glob("instances/*/attempts/*/*/process.json")]
    return max(record["started_at"] for record in launched) - gone
