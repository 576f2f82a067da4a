"""A checkpoint older than `max_lost_work` whose save does not come is said so until a newer one is there."""

from __future__ import annotations

from typing import Any

import pytest

from lifecycle.model.plan import Kind
from lifecycle.model.records import Condition, Desired, Run, RunState
from lifecycle.model.world import Observed
from lifecycle.planning.settle import apply_facts, settle
from lifecycle.planning.staleness import conditions
from tests.builders import (
    NODE,
    NOW,
    RUN,
    a_receipt,
    a_report,
    a_run,
    a_spec,
    an_attempt,
    an_ended_attempt,
    an_idle_report,
    an_order,
    training,
)
from tests.gang_builders import NODES, a_gang_spec, a_whole, at_work, gang_trains
from tests.unit.planning.reading import planned, seen

LIMITED = a_spec(checkpoint={"max_lost_work": "10m"})
OLD = 601.0
ASK = f"age-1-{NOW - OLD:.0f}-1"


def asked(*, later: float = 0.0, answered: bool = False, since: float | None = None, **report: Any) -> Observed:
    """The newest checkpoint was 601 s old, and a save was ordered for that."""
    fields = {"at": NOW + later, "receipt": a_receipt(at=NOW - OLD), "answered": (ASK,) if answered else ()}
    return training(
        LIMITED,
        orders={NODE: an_order(desired=Desired.SAVED, save=ASK)},
        reports={NODE: a_report(**{**fields, **report})},
        runs={RUN: a_run(an_attempt(LIMITED), stale_since=since)},
    )


def settled(observed: Observed, now: float = NOW) -> Run:
    return apply_facts(observed, settle(observed, now)).runs[RUN]


def told(observed: Observed, now: float = NOW) -> list[Condition]:
    """What status says once this observation is settled."""
    return list(conditions(seen(apply_facts(observed, settle(observed, now)), now=now), now))


def test_while_the_save_is_under_way_nothing_is_said() -> None:
    assert settled(asked(later=20), NOW + 20).stale_since is None


def test_a_save_that_was_given_up_makes_it_stale() -> None:
    assert settled(asked(answered=True)).stale_since == NOW


def test_a_save_that_does_not_come_in_another_span_makes_it_stale() -> None:
    assert settled(asked(later=600), NOW + 600).stale_since == NOW + 600


def test_an_ask_for_another_age_says_nothing_of_this_one() -> None:
    newer = asked(later=600, receipt=a_receipt(at=NOW - 1))
    assert settled(newer, NOW + 600).stale_since is None


def test_it_is_told_in_the_journal_once() -> None:
    observed = asked(answered=True)
    facts = settle(observed, NOW)
    assert [(e.what, e.node, e.cause) for e in facts.entries] == [("checkpoint is stale", NODE, "max_lost_work")]
    assert settle(apply_facts(observed, facts), NOW).entries == ()


def test_status_says_how_old_it_is() -> None:
    (found,) = told(asked(answered=True))
    assert (found.type, found.status, found.reason, found.since) == ("CheckpointStale", "True", "NoSaveCame", NOW)
    assert found.message == "its newest checkpoint is 10m old (max_lost_work 10m); the save ordered did not come"


def test_another_attempt_does_not_make_it_young() -> None:
    again = an_attempt(LIMITED, number=2, started_at=NOW - 5)
    observed = asked(since=NOW - 50, attempt=2)
    observed = training(LIMITED, reports=observed.reports, runs={RUN: a_run(again, stale_since=NOW - 50)})
    assert [found.status for found in told(observed)] == ["True"]


def test_a_stop_does_not_either() -> None:
    ended = an_ended_attempt(LIMITED, receipt=a_receipt(at=NOW - OLD))
    run = a_run(ended, state=RunState.STOPPED, stale_since=NOW - 50)
    assert settled(training(LIMITED, reports={NODE: an_idle_report()}, runs={RUN: run})).stale_since == NOW - 50


def test_a_newer_checkpoint_ends_it_and_is_told() -> None:
    observed = asked(since=NOW - 50, receipt=a_receipt(200, at=NOW - 5))
    assert told(observed) == []
    assert [entry.what for entry in settle(observed, NOW).entries] == ["checkpoint is no longer stale"]


@pytest.mark.parametrize(
    "over", [{"state": RunState.COMPLETED}, {"pool": "gone"}], ids=["the run completed", "nobody asks any longer"]
)
def test_what_nobody_waits_for_is_not_stale(over: dict[str, Any]) -> None:
    run = a_run(an_ended_attempt(LIMITED), stale_since=NOW - 50, **over)
    assert settled(training(LIMITED, reports={}, runs={RUN: run})).stale_since is None


def test_of_a_silent_agent_nobody_knows() -> None:
    (found,) = told(asked(answered=True, at=NOW - 120))
    assert (found.status, found.reason, found.since) == ("Unknown", "AgentSilent", NOW - 120)
    assert found.message == "its newest known checkpoint is 10m old, and its agent is silent for 2m"


def test_what_a_silent_agent_does_not_say_is_not_held_against_it() -> None:
    assert settled(asked(answered=True, at=NOW - 120)).stale_since is None


def test_a_silent_agent_with_a_young_checkpoint_is_no_matter_of_age() -> None:
    assert told(asked(at=NOW - 120, receipt=a_receipt(at=NOW - 130))) == []


def test_of_a_gang_one_rank_is_asked() -> None:
    limited = a_gang_spec(checkpoint={"max_lost_work": "10m"})
    old = {node: at_work(rank, receipt=a_whole(at=NOW - 700)) for rank, node in enumerate(NODES)}
    (asked,) = planned(gang_trains(limited, reports=old)).actions
    assert (asked.kind, asked.node) == (Kind.SAVE, NODES[0])
