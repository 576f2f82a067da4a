"""Counts the provider's warnings to the machines of a run's newest attempt, each once, however long it stands."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from lifecycle.model import tally
from lifecycle.model.records import Attempt, Notice, Run
from lifecycle.model.world import Observed


def counted(observed: Observed, before: Run, run: Run) -> Run:
    """The run with what its attempt's machines were warned of since the last look, when it was not over before."""
    attempt = run.attempt
    fresh = dict(_fresh(observed, attempt)) if attempt and before.attempt and before.attempt.open else {}
    if attempt is None or not fresh:
        return run
    sums = run.tally
    for notice in fresh.values():
        sums = tally.noticed(sums, notice.cause)
    told = msgspec.structs.replace(attempt, noticed=(*attempt.noticed, *fresh))
    return msgspec.structs.replace(run, attempt=told, tally=sums)


def _fresh(observed: Observed, attempt: Attempt) -> Iterator[tuple[str, Notice]]:
    """By a name of its own: two machines may be told under one id."""
    for rank in attempt.ranks:
        claim = observed.incarnations.get((rank.node, rank.incarnation))
        report = observed.report(rank.node, claim.instance if claim else None)
        if report is None or report.notice is None or report.incarnation != rank.incarnation:
            continue
        name = f"{rank.node} {report.notice.id}"
        if name not in attempt.noticed:
            yield name, report.notice
