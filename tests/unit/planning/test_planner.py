"""The whole plan: one opinion per node, safety first, nothing on a world that was not read in full."""

from __future__ import annotations

from typing import Any

from lifecycle.model.holds import HoldKind
from lifecycle.model.plan import Kind, Plan
from lifecycle.model.records import Outcome
from lifecycle.model.states import Cause, RunState
from lifecycle.model.world import Observed
from lifecycle.planning import planner
from tests.builders import (
    NODE,
    NOW,
    RUN,
    a_hold,
    a_machine,
    a_placement,
    a_record,
    a_report,
    a_run,
    a_spec,
    an_attempt,
    an_ended_attempt,
    an_incarnation,
    an_order,
    but,
    nothing_yet,
    rested,
    training,
)
from tests.unit.planning.reading import action, planned, waiting


def many(count: int, **pool: Any) -> Observed:
    """`count` nodes that train, under a spec of as many."""
    names = [f"f/t/{index}" for index in range(count)]
    runs = [f"f.t.main.{index}" for index in range(count)]
    return training(
        record=a_record(a_spec(nodes=count, **pool)),
        machines=tuple(a_machine(id=f"m-{name}", node=name) for name in names),
        placements={name: a_placement(node=name) for name in names},
        incarnations={(name, 1): an_incarnation(node=name, instance=f"m-{name}") for name in names},
        orders={name: an_order(node=name) for name in names},
        reports={
            name: a_report(node=name, instance=f"m-{name}", run=run) for name, run in zip(names, runs, strict=True)
        },
        runs={
            run: a_run(an_attempt(run=run, node=name), run=run, nodes=(name,))
            for name, run in zip(names, runs, strict=True)
        },
    )


def test_machines_that_could_not_be_read_are_left_alone() -> None:
    observed = nothing_yet(machines=None, unreadable="throttled", holds=(a_hold(HoldKind.TERMINATE),))
    plan = planned(observed)
    assert (plan.actions, plan.refusals, plan.drift) == ((), (), ())
    assert waiting(observed).what == "the provider's answer: throttled"


def test_a_plan_of_a_world_not_read_is_not_settled() -> None:
    assert not planned(nothing_yet(machines=None)).settled


def test_a_fleet_as_declared_is_settled() -> None:
    assert but(planned(many(3)), saves=()) == Plan(fleet="f", generation=1, at=NOW)


def test_the_plan_names_the_generation_it_was_made_for() -> None:
    assert planned(training(record=a_record(generation=7))).generation == 7


def test_without_a_record_the_generation_is_none() -> None:
    assert planned(training(record=None)).generation == 0


def test_stopping_comes_before_creating() -> None:
    observed = training(record=a_record(a_spec(nodes=2)), holds=(a_hold(),))
    assert [found.kind for found in planned(observed).actions] == [Kind.STOP, Kind.CREATE]


def test_actions_of_one_kind_go_by_node_in_natural_order() -> None:
    nodes = [found.node for found in planned(nothing_yet(a_spec(nodes=12))).actions]
    assert nodes == [f"f/t/{index}" for index in range(12)]


def test_drift_is_repaired_a_few_nodes_at_a_time() -> None:
    plan = planned(many(3, instance_types=["big"]))
    assert ([found.node for found in plan.actions], len(plan.waiting)) == (["f/t/0"], 2)


def test_drift_is_shown_for_all_nodes_at_once() -> None:
    assert len(planned(many(3, instance_types=["big"])).drift) == 3


def test_a_destroyed_fleet_is_drained_all_at_once() -> None:
    observed = many(5)
    plan = planner.plan(None, observed, NOW)
    assert [found.kind for found in plan.actions] == [Kind.DESTROY] * 5


def test_machines_lost_to_hardware_are_replaced_all_at_once() -> None:
    observed = many(5)
    reports = {node: a_report(node=node, instance=f"m-{node}", at=NOW - 2000) for node in observed.reports}
    plan = planned(training(**{**fields(observed), "reports": reports}))
    assert [found.kind for found in plan.actions] == [Kind.REPLACE] * 5


def fields(observed: Observed) -> dict[str, Any]:
    return {name: getattr(observed, name) for name in observed.__struct_fields__}


def test_a_suspended_fleet_is_seen_and_not_touched() -> None:
    suspended = a_hold(HoldKind.SUSPEND, node=None)
    plan = planned(training(a_spec(instance_types=["big"]), holds=(suspended,)))
    assert (plan.actions, [r.guard for r in plan.refusals], len(plan.drift)) == ((), ["suspended"], 1)


def test_a_suspension_that_is_over_holds_nothing() -> None:
    assert action(nothing_yet(holds=(a_hold(HoldKind.SUSPEND, node=None, until=NOW),))).kind is Kind.CREATE


def test_a_stricter_hold_outweighs_a_replacement() -> None:
    holds = (a_hold(HoldKind.REPLACE, instance="m1"), a_hold(HoldKind.TERMINATE))
    assert action(training(holds=holds)).kind is Kind.DESTROY


def test_receipts_are_read_for_runs_that_rest() -> None:
    assert planner.needs_receipts(a_spec(), rested()) == (RUN,)


def test_receipts_are_not_read_for_runs_that_train_or_never_did_or_are_not_declared() -> None:
    none = [
        planner.needs_receipts(a_spec(), training()),
        planner.needs_receipts(a_spec(), nothing_yet()),
        planner.needs_receipts(a_spec(nodes=0), rested()),
        planner.needs_receipts(None, rested()),
    ]
    assert none == [(), (), (), ()]


def test_a_failed_run_lets_its_machine_go() -> None:
    attempt = an_ended_attempt(outcome=Outcome.FAILED, cause=Cause.USER_ERROR)
    run = a_run(attempt, state=RunState.FAILED, failures={"user_error": 2})
    found = action(rested(runs={RUN: run}))
    assert (found.kind, found.node) == (Kind.DESTROY, NODE)
