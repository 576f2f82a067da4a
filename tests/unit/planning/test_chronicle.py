"""The page's value: its sums are those of status and history, and what is worst comes first."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from lifecycle.model.hours import Hours
from lifecycle.model.journal import Entry, EntryKind
from lifecycle.model.money import Ledger, Meter
from lifecycle.model.past import Past
from lifecycle.model.plan import Plan
from lifecycle.model.records import Condition, Outcome, Status
from lifecycle.model.states import Cause, RunState
from lifecycle.model.world import Observed
from lifecycle.planning.chronicle import GONE, Chronicle, chronicle
from lifecycle.planning.history import runs_shown
from tests.builders import (
    NODE,
    NOW,
    RUN,
    a_machine,
    a_placement,
    a_receipt,
    a_report,
    a_run,
    a_spec,
    an_attempt,
    an_ended_attempt,
    an_incarnation,
    but,
    nothing_yet,
    training,
)
from tests.report_example import example


def of(observed: Observed, *, entries: Any = (), cut: bool = False, **past: Any) -> Chronicle:
    plan = Plan(fleet="f", generation=1)
    return chronicle(observed, plan, Past(**past), entries, {}, NOW, cut=cut)


def an_entry(what: str, **changes: Any) -> Entry:
    return Entry(**{"at": NOW - 9, "kind": EntryKind.OBSERVED, "what": what, **changes})


# ---- sums ----------------------------------------------------------------------------------------


def test_work_of_all_runs_is_added_up_by_cause() -> None:
    hours = Hours(training=60.0, lost={"spot": 20.0}, began=NOW - 80, until=NOW, losing_to=Cause.SPOT)
    one = a_run(lost={"spot": 3}, spared=5, hours=hours)
    other = a_run(an_attempt(run="f.t.main.1"), run="f.t.main.1", lost={"spot": 4, "hardware": 1}, lost_exact=False)
    work = of(nothing_yet(runs={RUN: one, "f.t.main.1": other})).work
    assert (work.lost_steps, work.lost_exact, work.spared_steps) == ({"spot": 7, "hardware": 1}, False, 5)
    assert (work.lost_seconds, work.goodput) == ({"spot": 20.0}, 0.75)


def test_goodput_is_unknown_before_anything_began() -> None:
    assert of(nothing_yet()).work.goodput is None


def test_interruptions_are_the_ends_that_were_no_completion() -> None:
    ends = [(Outcome.STOPPED, Cause.SPOT), (Outcome.FAILED, None), (Outcome.COMPLETED, None), (Outcome.VOID, None)]
    attempts = tuple(
        an_ended_attempt(number=number, outcome=outcome, cause=cause)
        for number, (outcome, cause) in enumerate(ends, start=1)
    )
    found = of(nothing_yet(runs={RUN: a_run(an_attempt(number=5))}), attempts={RUN: attempts})
    assert found.work.interruptions == {"spot": 1, "unknown": 1}


def test_cost_is_what_status_says_of_all_pools() -> None:
    ledgers = {"t": Ledger(pool="t", spent=3.0), "old": Ledger(pool="old", spent=4.0, exact=False)}
    found = of(nothing_yet(ledgers=ledgers))
    assert (found.spent.dollars, found.spent.exact) == (7.0, False)


def test_a_rate_that_one_pool_does_not_know_is_unknown() -> None:
    assert of(training(a_spec(instance_types=["g5"]), record=None)).spent.per_hour is None


def test_the_example_adds_up_with_its_own_history() -> None:
    found, steps = example(), Counter[str]()
    for run in found.runs:
        steps.update(run.lost_steps)
    attempts = [attempt for run in found.runs for attempt in run.attempts]
    assert found.work.lost_steps == dict(steps)
    assert sum(found.work.lost_steps.values()) == sum(attempt.lost_steps for attempt in attempts) > 0
    assert sum(found.work.interruptions.values()) == sum(attempt.ended is not None for attempt in attempts) > 0


def test_the_example_costs_by_market_what_it_costs_by_pool_and_by_run() -> None:
    found = example()
    markets = sum(market.spent for market in found.markets)
    assert markets == pytest.approx(found.spent.dollars, abs=0.01)
    assert sum(run.cost for run in found.runs) == pytest.approx(markets, abs=0.05)
    assert found.spent.dollars > 100


def test_the_runs_are_those_of_history() -> None:
    observed, past = training(), Past(attempts={RUN: (an_attempt(),)}, receipts={RUN: (a_receipt(),)})
    assert chronicle(observed, Plan(fleet="f", generation=1), past, (), {}, NOW, cut=False).runs == tuple(
        runs_shown(observed, past, NOW)
    )


# ---- nodes ---------------------------------------------------------------------------------------


def fleet_of(*ends: str) -> Observed:
    """A node for each state of a run."""
    nodes = [f"f/t/{index}" for index in range(len(ends))]
    runs = {
        f"f.t.main.{i}": a_run(
            an_attempt(run=f"f.t.main.{i}", node=node), run=f"f.t.main.{i}", nodes=(node,), state=state
        )
        for i, (node, state) in enumerate(zip(nodes, ends, strict=True))
    }
    placements = {node: a_placement(node=node) for node in nodes}
    return nothing_yet(a_spec(nodes=len(nodes)), runs=runs, placements=placements)


def with_a_loss(observed: Observed, index: int) -> Observed:
    """The node has 9 steps to do again."""
    run = f"f.t.main.{index}"
    again = an_attempt(run=run, node=f"f/t/{index}", lost_steps=9)
    return but(observed, runs={**observed.runs, run: but(observed.runs[run], attempt=again)})


def in_order(observed: Observed) -> list[str]:
    """All nodes, the worst first; of each run the attempt that it has is all of its past."""
    attempts = {name: (run.attempt,) for name, run in observed.runs.items()}
    return [node.node for node in of(observed, attempts=attempts).nodes]


def test_a_node_that_lost_work_comes_before_one_that_did_not() -> None:
    observed = with_a_loss(fleet_of(RunState.TRAINING, RunState.TRAINING), 1)
    assert in_order(observed) == ["f/t/1", "f/t/0"]


def test_what_does_not_train_comes_before_what_lost_work() -> None:
    observed = with_a_loss(fleet_of(RunState.TRAINING, RunState.FAILED), 0)
    assert in_order(observed) == ["f/t/1", "f/t/0"]


def test_a_node_with_a_condition_comes_before_all() -> None:
    unwell = Condition(type="DiskWritable", status=Status.FALSE, reason="Full", message="", since=NOW)
    told = [a_report(node=f"f/t/{i}", instance=f"m{i}", conditions=(unwell,) * (i == 2)) for i in range(3)]
    observed = but(
        with_a_loss(fleet_of(RunState.TRAINING, RunState.TRAINING, RunState.TRAINING), 1),
        machines=tuple(a_machine(id=f"m{i}", node=f"f/t/{i}") for i in range(3)),
        reports={report.node: report for report in told},
        heard={report.instance: report for report in told},
    )
    assert in_order(observed) == ["f/t/2", "f/t/1", "f/t/0"]


def test_a_node_of_the_past_is_shown_as_gone() -> None:
    (shown,) = of(nothing_yet(record=None), claims={NODE: (an_incarnation(ended_at=NOW),)}).nodes
    assert (shown.state, shown.now, shown.market) == (GONE, None, "spot")


# ---- time ----------------------------------------------------------------------------------------


def test_the_time_shown_is_from_the_first_claim_to_now() -> None:
    found = of(training(incarnations={(NODE, 1): an_incarnation(claimed_at=NOW - 7200)}))
    assert (found.begin, found.end) == (NOW - 7200, NOW)


def test_of_a_fleet_that_was_destroyed_it_ends_with_its_last_machine() -> None:
    claims = {NODE: (an_incarnation(claimed_at=NOW - 7200, ended_at=NOW - 3600, meter=Meter()),)}
    found = of(nothing_yet(record=None), claims=claims)
    assert (found.begin, found.end) == (NOW - 7200, NOW - 3600)


# ---- journal -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "entry",
    [
        an_entry("stop", kind=EntryKind.COMMAND),
        an_entry("drain refused"),
        an_entry("replace: drain", kind=EntryKind.OUTCOME, result="failed: no answer"),
        an_entry("hold stop ran out"),
        an_entry("checkpoint is stale"),
    ],
)
def test_what_people_did_and_what_was_refused_or_failed_is_told(entry: Entry) -> None:
    assert of(nothing_yet(), entries=(entry,)).entries == (entry,)


def test_what_went_as_it_should_is_not() -> None:
    entries = (an_entry("trainer started"), an_entry("create", kind=EntryKind.OUTCOME, result="done"))
    assert of(nothing_yet(), entries=entries).entries == ()


def test_a_journal_that_was_cut_says_from_when_it_is() -> None:
    assert of(nothing_yet(), entries=(an_entry("x"),), cut=True).entries_from == NOW - 9
    assert of(nothing_yet(), entries=(an_entry("x"),)).entries_from is None
