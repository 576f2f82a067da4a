"""Status: worst first, nothing said without evidence, one sentence for the whole fleet."""

from __future__ import annotations

from typing import Any

import pytest

from lifecycle.model.fleet import Market
from lifecycle.model.holds import HoldKind
from lifecycle.model.records import Condition, Outcome, Status
from lifecycle.model.states import Cause, InstanceState, RunState
from lifecycle.model.world import Observed
from lifecycle.planning.progress import followed
from lifecycle.planning.status import CheckpointStatus, FleetStatus, NodeStatus, fleet_status
from tests.builders import (
    NODE,
    NOW,
    RUN,
    a_hold,
    a_machine,
    a_notice,
    a_placement,
    a_receipt,
    a_record,
    a_report,
    a_run,
    a_shortage,
    a_spec,
    a_tick,
    an_attempt,
    an_ended_attempt,
    an_idle_report,
    but,
    nothing_yet,
    rested,
    training,
)
from tests.gang_builders import GANG, NODES, gang_trains
from tests.unit.cli.seeing import a_condition
from tests.unit.planning.reading import planned


def shown(observed: Observed) -> FleetStatus:
    return fleet_status(observed, planned(observed), NOW)


def node(observed: Observed) -> NodeStatus:
    return next(each for each in shown(observed).nodes if each.node == NODE)


def conditions(observed: Observed) -> list[tuple[str, str, str]]:
    return [(each.type, each.status, each.reason) for each in node(observed).conditions]


def beside(state: RunState, **changes: Any) -> Observed:
    """Node 0 trains as declared; node 1 is in place, its run in `state`."""
    other, run = "f/t/1", "f.t.main.1"
    attempt = an_attempt(run=run, node=other)
    observed = training(a_spec(nodes=2))
    both: Observed = but(
        observed,
        machines=(*(observed.machines or ()), a_machine(id="m2", node=other)),
        placements={**observed.placements, other: a_placement(node=other)},
        reports={**observed.reports, other: a_report(node=other, instance="m2", run=run)},
        orders={**observed.orders, other: but(observed.orders[NODE], node=other)},
        runs={**observed.runs, run: a_run(attempt, run=run, nodes=(other,), state=state)},
        **changes,
    )
    return both


def test_a_node_that_trains_is_shown_with_its_machine_its_run_and_its_checkpoint() -> None:
    found = node(training())
    assert (found.state, found.instance, found.incarnation, found.market) == ("running", "m1", 1, "spot")
    assert found.run is not None
    assert (found.run.id, found.run.state, found.run.attempt, found.run.step) == (RUN, "training", 1, 130)
    assert found.checkpoint == CheckpointStatus(step=100, age_seconds=60, verified=True, digest="digest-1-100")


def test_a_node_without_a_machine_is_pending_and_its_run_waits() -> None:
    found = node(nothing_yet())
    assert (found.state, found.instance, found.incarnation, found.checkpoint) == ("pending", None, 0, None)
    assert found.run is not None
    assert (found.run.state, found.run.attempt, found.run.step) == ("waiting", 0, None)


def test_a_held_node_without_a_machine_is_stopped() -> None:
    assert node(nothing_yet(holds=(a_hold(),))).state == InstanceState.STOPPED


def test_a_node_whose_run_is_over_is_terminated() -> None:
    run = a_run(an_ended_attempt(), state=RunState.COMPLETED)
    assert node(rested(machines=(), runs={RUN: run})).state == InstanceState.TERMINATED


def test_a_machine_that_is_ending_is_not_called_running() -> None:
    assert node(training(machines=(a_machine(ending=True),))).state == "ending"


def test_a_run_that_rests_shows_the_step_it_reached() -> None:
    found = node(rested()).run
    assert found is not None
    assert (found.state, found.step) == ("stopped", 100)


def test_the_step_of_an_earlier_attempt_is_not_that_of_the_new_one() -> None:
    starting = a_run(an_attempt(number=2, started_at=None), state=RunState.STARTING)
    found = node(training(runs={RUN: starting})).run
    assert found is not None
    assert found.step is None


def test_lost_steps_of_all_causes_are_summed() -> None:
    found = node(training(runs={RUN: a_run(lost={"spot": 30, "operator": 2})})).run
    assert found is not None
    assert found.lost_steps == 32


def test_the_newest_checkpoint_is_shown_whoever_tells_of_it() -> None:
    found = node(rested(receipts={RUN: (a_receipt(90, epoch=2),)})).checkpoint
    assert found is not None
    assert found.step == 90


def test_a_damaged_checkpoint_is_not_called_verified() -> None:
    found = node(training(rejections=frozenset({"digest-1-100"}))).checkpoint
    assert found is not None
    assert not found.verified


def test_a_checkpoint_of_another_run_is_not_shown() -> None:
    other = a_receipt(run="f.t.other.0")
    assert node(training(reports={NODE: a_report(receipt=other)})).checkpoint is None


def test_a_checkpoint_from_the_future_has_no_age() -> None:
    found = node(training(reports={NODE: a_report(receipt=a_receipt(at=NOW + 9))})).checkpoint
    assert found is not None
    assert found.age_seconds == 0


def test_a_node_as_declared_has_no_conditions() -> None:
    assert conditions(training()) == []


def test_what_the_agent_observed_is_shown() -> None:
    slow = Condition(type="Slow", status=Status.TRUE, reason="Disk", message="the disk is slow", since=NOW)
    assert node(training(reports={NODE: a_report(conditions=(slow,))})).conditions == (slow,)


def test_a_silent_agent_is_unknown_since_it_was_last_heard() -> None:
    observed = training(reports={NODE: a_report(at=NOW - 31)})
    assert ("Healthy", "Unknown", "AgentSilent") in conditions(observed)
    assert node(observed).conditions[-1].since == NOW - 31


def test_one_that_did_not_report_since_its_machine_was_started_again_is_unknown_too() -> None:
    observed = training(machines=(a_machine(launched_at=NOW - 901),), reports={NODE: a_report(at=NOW - 902)})
    assert ("Healthy", "Unknown", "AgentSilent") in conditions(observed)


def test_a_run_that_goes_on_only_when_somebody_says_so_says_what_to_type() -> None:
    broken = an_ended_attempt(outcome=Outcome.INTERRUPTED, cause=Cause.HARDWARE, detail="its machine went")
    spent = a_run(broken, state=RunState.INTERRUPTED, failures={"hardware": 4})
    (held,) = node(rested(runs={RUN: spent}, machines=())).conditions
    assert (held.type, held.reason, held.since) == ("Held", "WaitsForPerson", broken.ended_at)
    assert held.message == (
        "4 failures in a row by hardware, 3 retries allowed: its machine went; "
        "`steady start f/t/0 --resume` tries again"
    )


def test_so_does_one_that_is_resumed_by_hand() -> None:
    taken = an_ended_attempt(outcome=Outcome.INTERRUPTED, cause=Cause.SPOT)
    by_hand = rested(a_spec(train={"resume": "manual"}), runs={RUN: a_run(taken, state=RunState.INTERRUPTED)})
    assert ("Held", "True", "WaitsForPerson") in conditions(by_hand)


def test_a_failed_status_check_is_not_healthy() -> None:
    assert conditions(training(machines=(a_machine(impaired=True),))) == [("Healthy", "False", "StatusCheckFailed")]


@pytest.mark.parametrize(
    ("provider", "said"), [("local", "the machine's process is gone"), ("aws", "its provider's checks of it fail")]
)
def test_a_failed_status_check_is_told_in_the_words_of_its_provider(provider: str, said: str) -> None:
    observed = training(but(a_spec(), provider=provider), machines=(a_machine(impaired=True),))
    assert said in [condition.message for condition in node(observed).conditions]


def test_a_machine_that_is_off_is_not_judged() -> None:
    off = a_machine(state=InstanceState.STOPPED, impaired=True)
    assert "Healthy" not in [kind for kind, _, _ in conditions(training(machines=(off,)))]


def test_a_provider_that_cannot_be_read_leaves_everything_unknown() -> None:
    observed = training(machines=None, unreadable="throttled")
    assert conditions(observed) == [("Healthy", "Unknown", "ProviderUnreadable")]
    assert shown(observed).sentence == "the provider cannot be read (throttled): everything is left alone"


def test_a_drift_is_shown() -> None:
    spec = a_spec(instance_types=["big"], drift={"instance_type": "report"})
    assert conditions(training(spec)) == [("Synced", "False", "Drift")]


def test_a_wait_is_shown() -> None:
    booting = a_machine(launched_at=NOW - 9)
    assert conditions(training(machines=(booting,), reports={})) == [("Synced", "False", "Waiting")]


def test_a_hold_is_shown_with_who_and_why() -> None:
    held = node(training(holds=(a_hold(),))).conditions[-1]
    assert (held.type, held.reason, held.message) == (
        "Held",
        "Stop",
        "stop by somebody since 2027-01-15 07:59 UTC: lunch",
    )


def test_a_refusal_is_shown_with_its_override() -> None:
    suspended = a_hold(HoldKind.SUSPEND, node=None)
    refused = node(nothing_yet(holds=(suspended,))).conditions[0]
    assert (refused.reason, refused.message) == (
        "Refused",
        "create refused: suspended by somebody: lunch; override: steady unsuspend f",
    )


@pytest.mark.parametrize("state", [RunState.FAILED, RunState.CHECKPOINTING, RunState.STARTING])
def test_the_worst_node_comes_first(state: RunState) -> None:
    assert [each.node for each in shown(beside(state)).nodes] == ["f/t/1", NODE]


def test_a_node_with_a_condition_comes_before_one_without() -> None:
    held = a_hold(HoldKind.REPLACE, node="f/t/1", instance="other")
    assert [each.node for each in shown(beside(RunState.TRAINING, holds=(held,))).nodes] == ["f/t/1", NODE]


def test_equally_good_nodes_keep_their_order() -> None:
    assert [each.node for each in shown(nothing_yet(a_spec(nodes=11))).nodes] == [f"f/t/{i}" for i in range(11)]


def test_the_sentence_counts_the_runs_worst_first() -> None:
    assert shown(beside(RunState.FAILED)).sentence == "1 failed, 1 training"


def test_a_node_under_notice_comes_first_and_is_counted_down() -> None:
    observed = beside(RunState.FAILED)
    noticed = a_report(notice=a_notice(lead=8))
    ill = but(observed.reports["f/t/1"], conditions=(a_condition(),))
    status = shown(but(observed, reports={NODE: noticed, "f/t/1": ill}))
    assert status.sentence == "1 under notice, 8s left; 1 failed, 1 training"
    assert [each.node for each in status.nodes] == [NODE, "f/t/1"]


def test_the_end_of_a_run_is_what_its_trainer_says() -> None:
    found = node(training(reports={NODE: a_report(total=200)})).run
    assert found is not None
    assert (found.total, found.steps_per_second, found.seconds_left) == (200, None, None)


def test_a_watched_run_has_a_rate_and_an_end() -> None:
    before = training(reports={NODE: a_report(at=NOW - 11, step=110, total=200)})
    observed = training(reports={NODE: a_report(total=200)})
    paces = followed(followed({}, before, NOW - 10), observed, NOW)
    found = fleet_status(observed, planned(observed), NOW, paces).nodes[0].run
    assert found is not None
    assert (found.steps_per_second, found.seconds_left) == (2.0, 35.0)


def test_what_a_checkpoints_age_is_held_against_is_shown() -> None:
    spec = a_spec(checkpoint={"max_lost_work": "20m"})
    assert (node(training(spec)).max_lost_work_seconds, node(training()).max_lost_work_seconds) == (1200.0, None)


def test_the_sentence_of_no_nodes_says_so() -> None:
    assert shown(nothing_yet(a_spec(nodes=0))).sentence == "no nodes"


def test_the_sentence_begins_with_a_suspension_and_ends_with_what_was_refused() -> None:
    suspended = a_hold(HoldKind.SUSPEND, node=None)
    sentence = shown(nothing_yet(holds=(suspended,))).sentence
    assert sentence == "suspended by somebody (lunch); 1 waiting; 1 refused"


def test_a_machine_without_any_record_is_shown_without_a_run() -> None:
    status = shown(training(record=None, orders={}, runs={}))
    assert (status.sentence, status.provider, len(status.nodes)) == ("1 without a run", "", 1)


def test_a_destroyed_fleet_shows_only_the_machines_that_are_left() -> None:
    leaving = a_record(a_spec(nodes=2), destroying=True)
    assert [each.node for each in shown(training(record=leaving)).nodes] == [NODE]


def test_only_active_holds_are_shown() -> None:
    holds = (a_hold(), a_hold(id="over", until=NOW))
    assert shown(training(holds=holds)).holds == (a_hold(),)


def test_an_idle_agent_shows_the_checkpoint_of_the_last_attempt() -> None:
    found = node(rested(reports={NODE: an_idle_report()})).checkpoint
    assert found is not None
    assert found.step == 100


# The fleet as a whole


def of_the_fleet(observed: Observed) -> list[tuple[str, str, str, str]]:
    return [(each.type, each.status, each.reason, each.message) for each in shown(observed).conditions]


def test_a_fleet_as_declared_has_no_conditions() -> None:
    assert shown(training(last_tick=a_tick())).conditions == ()


def test_what_machines_share_and_is_not_as_declared_is_a_condition_of_the_fleet() -> None:
    assert of_the_fleet(training(shared=("role: x",))) == [("Synced", "False", "SharedDrift", "role: x")]


def test_what_failed_in_the_last_tick_is_a_condition_since_then() -> None:
    observed = training(last_tick=a_tick(errors=("f/t/0: locked",)))
    assert of_the_fleet(observed) == [("Reconciled", "False", "TickErrors", "f/t/0: locked")]
    assert shown(observed).conditions[0].since == NOW - 9


def test_what_was_not_looked_at_is_unknown() -> None:
    observed = training(last_tick=a_tick(notes=("not looked at",)))
    assert of_the_fleet(observed) == [("Reconciled", "Unknown", "NotLookedAt", "not looked at")]


def test_a_provider_that_cannot_be_read_is_a_condition_of_the_fleet_too() -> None:
    seen = a_tick(blind_since=NOW - 300)
    observed = training(machines=None, unreadable="EC2 is away", last_tick=seen)
    assert of_the_fleet(observed) == [("Synced", "Unknown", "ProviderUnreadable", "EC2 is away, for 5m")]
    assert shown(observed).conditions[0].since == NOW - 300


def test_a_node_on_the_fallback_says_so() -> None:
    spec = a_spec(fallback={"to": "on_demand", "after": "10m"})
    placed = {NODE: a_placement(market=Market.ON_DEMAND)}
    found = node(training(spec, machines=(a_machine(market=Market.ON_DEMAND),), placements=placed))
    assert found.conditions[0].message == "market: declared spot, found on_demand (policy: fallback)"


def test_a_node_that_waits_for_capacity_says_what_is_short() -> None:
    found = node(nothing_yet(shortages=(a_shortage(),)))
    assert found.conditions[0].message == "capacity: none for spot since 1m"


def test_a_node_is_shown_with_the_type_and_zone_of_its_machine_or_of_its_placement() -> None:
    there = node(training(machines=(a_machine(instance_type="g6", zone="b"),)))
    assert (there.instance_type, there.zone) == ("g6", "b")
    spec = a_spec(instance_types=["g5"], zones=["a"])
    placed = {NODE: a_placement(instance_type="g5", zone="a")}
    away = node(nothing_yet(spec, placements=placed))
    assert (away.instance_type, away.zone) == ("g5", "a")
    assert (node(nothing_yet()).instance_type, node(nothing_yet()).zone) == (None, None)


def test_a_gangs_run_is_counted_once_and_each_node_shows_its_rank() -> None:
    observed = gang_trains()
    status = fleet_status(observed, planned(observed), NOW)
    assert status.sentence == "1 training"
    ranks = {node.node: (node.run.id, node.run.rank, node.run.ranks) for node in status.nodes if node.run}
    assert ranks == {node: (GANG, rank, 3) for rank, node in enumerate(NODES)}


def test_a_run_of_one_node_has_no_rank() -> None:
    (node,) = fleet_status(training(), planned(training()), NOW).nodes
    assert node.run is not None
    assert (node.run.rank, node.run.ranks) == (None, None)
