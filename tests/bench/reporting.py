"""The page of a thousand nodes over 72 hours: reading, writing and opening it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from lifecycle.adapters.local.table import SqliteTable
from lifecycle.model.codec import encode
from lifecycle.model.journal import Entry, EntryKind
from lifecycle.model.past import Past
from lifecycle.model.plan import Plan
from lifecycle.model.records import Attempt, Incarnation, Receipt
from lifecycle.model.states import Cause
from lifecycle.planning.chronicle import Chronicle, chronicle
from lifecycle.report.page import page
from lifecycle.tracker import rows
from lifecycle.tracker.controller import ControllerTracker
from tests.bench.pure import a_big_fleet
from tests.browser import HOW, find, launched
from tests.builders import NOW, a_receipt, an_attempt, an_ended_attempt, an_incarnation, but

NODES, HOURS = 1000, 72
EVERY = 1800.0
ATTEMPTS = 5
"""A node's: every 18 hours it is interrupted, a little more often than 5 % an hour come to."""


def a_long_past(nodes: int, hours: float = HOURS) -> tuple[Past, tuple[Entry, ...]]:
    """Each node with `ATTEMPTS`, a save every half hour, and a notice at each end."""
    begin, length = NOW - hours * 3600, hours * 3600 / ATTEMPTS
    attempts: dict[str, tuple[Attempt, ...]] = {}
    receipts: dict[str, tuple[Receipt, ...]] = {}
    claims: dict[str, tuple[Incarnation, ...]] = {}
    entries: list[Entry] = []
    for index in range(nodes):
        node, run, late = f"f/t/{index}", f"f.t.main.{index}", index * 7.0 % length
        starts = [begin, *(begin + number * length - late for number in range(1, ATTEMPTS))]
        ends = [*(start - 120 for start in starts[1:]), NOW]
        attempts[run] = tuple(
            _attempt(run, node, n, a, b) for n, (a, b) in enumerate(zip(starts, ends, strict=True), 1)
        )
        receipts[run] = tuple(r for attempt in attempts[run] for r in _saves(attempt, ends[attempt.number - 1]))
        claims[node] = tuple(
            an_incarnation(node=node, number=n, claimed_at=a - 60, ended_at=b if b < NOW else None)
            for n, (a, b) in enumerate(zip(starts, ends, strict=True), 1)
        )
        entries += [_noticed(node, end - 90) for end in ends[:-1]]
    return Past(attempts=attempts, receipts=receipts, claims=claims), tuple(sorted(entries, key=lambda e: e.at))


def _attempt(run: str, node: str, number: int, start: float, end: float) -> Attempt:
    given = {"run": run, "node": node, "number": number, "incarnation": number, "from_step": number * 40_000}
    times = {"given_at": start - 30, "started_at": start}
    if end == NOW:
        return an_attempt(**given, **times)
    saved = a_receipt(
        number * 40_000 + 39_000, run=run, epoch=number, node=node, at=end - 20, digest="0123456789abcdef" * 4
    )
    how = {"outcome": "interrupted", "cause": Cause.SPOT, "receipt": saved, "to_step": saved.step, "ended_at": end}
    return an_ended_attempt(**given, **times, **how, lost_steps=number % 3)


def _saves(attempt: Attempt, end: float) -> Iterator[Receipt]:
    assert attempt.started_at is not None
    at, step = attempt.started_at + EVERY, attempt.number * 40_000
    while at < end:
        step += 1000
        yield a_receipt(step, run=attempt.run, epoch=attempt.number, node=attempt.node, at=at)
        at += EVERY


def _noticed(node: str, at: float) -> Entry:
    return Entry(at=at, kind=EntryKind.OBSERVED, what="asked to save-and-exit", node=node, cause="spot")


def a_long_chronicle(nodes: int) -> Chronicle:
    _, observed = a_big_fleet(nodes)
    past, entries = a_long_past(nodes)
    runs = {run: but(found, attempt=past.attempts[run][-1]) for run, found in observed.runs.items()}
    known = {(node, claim.number): claim for node, all_of in past.claims.items() for claim in all_of[-1:]}
    observed = but(observed, runs=runs, incarnations=known)
    return chronicle(observed, Plan(fleet="f", generation=1), past, entries, {}, NOW, cut=False)


def bench(folder: Path) -> Iterator[tuple[str, str, float, float, str]]:
    seconds, receipts = _reading(folder)
    yield f"read the past of {NODES} nodes over {HOURS} h", "s", seconds, 15.0, f"SQLite, {receipts} receipts"
    began = time.perf_counter()
    text = page(a_long_chronicle(NODES))
    yield f"write the page of {NODES} nodes", "s", time.perf_counter() - began, 15.0, f"{len(text) / 1e6:.2f} MB"
    yield "size of that page", "MB", len(text.encode()) / 1e6, 5.0, ""
    written, chromium = folder / "report.html", find()
    written.write_text(text)
    if chromium is None:
        print(HOW)
        return
    yield "open that page", "s", opened(chromium, written), 2.0, "Chromium, to the first frame after load"


def opened(chromium: Path, written: Path) -> float:
    """Seconds from the request to a frame drawn after load, in a browser that runs already; median of 3."""
    times = []
    with launched(chromium) as browser:
        for _ in range(3):
            tab = browser.new_page()
            began = time.perf_counter()
            tab.goto(written.as_uri(), wait_until="load")
            tab.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
            times.append(time.perf_counter() - began)
            tab.close()
    return sorted(times)[1]


def _reading(folder: Path) -> tuple[float, int]:
    past, _ = a_long_past(NODES)
    table = SqliteTable(folder / "tracker.db")
    with table._writing() as connection:
        connection.executemany("INSERT INTO rows VALUES ('f',?,?,1,?)", _rows(past))
    began = time.perf_counter()
    found = ControllerTracker(table).past("f")
    return time.perf_counter() - began, sum(map(len, found.receipts.values()))


def _rows(past: Past) -> Iterator[tuple[str, str, str]]:
    for attempt in (each for all_of in past.attempts.values() for each in all_of):
        yield rows.ATTEMPT, rows.attempt_name(attempt.run, attempt.number), encode(attempt).decode()
    for receipt in (each for all_of in past.receipts.values() for each in all_of):
        name = rows.receipt_name(receipt.run, receipt.epoch, receipt.step, receipt.digest)
        yield rows.RECEIPT, name, encode(receipt).decode()
    for claim in (each for all_of in past.claims.values() for each in all_of):
        yield rows.INCARNATION, rows.incarnation_name(claim.node, claim.number), encode(claim).decode()
