"""Carrying out a plan: journalled before and after, claimed before made, stopped at once when overtaken."""

from __future__ import annotations

import pytest

from lifecycle.model.errors import LostLease
from lifecycle.model.fleet import Market
from lifecycle.model.holds import HoldKind
from lifecycle.model.journal import Entry, EntryKind
from lifecycle.model.plan import (
    Action,
    Claim,
    Converge,
    EndStray,
    Facts,
    GiveOut,
    Instruct,
    Kind,
    Place,
    PowerOff,
    PowerOn,
    Release,
)
from lifecycle.model.records import Outcome
from lifecycle.model.states import InstanceState
from tests.builders import (
    NODE,
    NOW,
    RUN,
    a_claim,
    a_hold,
    a_machine,
    a_placement,
    a_proof,
    a_receipt,
    a_record,
    a_run,
    an_attempt,
    an_ended_attempt,
    an_incarnation,
    an_order,
    but,
)
from tests.gang_builders import GANG, NODES, a_gang_attempt, a_gang_run, an_order_of
from tests.unit.control.doubles import OVERTAKEN, Room, a_plan, an_action, when

OTHER = "f/t/1"
INTENT, OUTCOME = EntryKind.INTENT, EntryKind.OUTCOME


@pytest.fixture(autouse=True)
def applied(room: Room) -> None:
    """Generation 1 is the spec of record."""
    room.apply()


def making(node: str = NODE, incarnation: int = 1) -> Action:
    claim = an_incarnation(node=node, number=incarnation, instance=None)
    return an_action(
        Converge(placement=a_placement(node=node, incarnation=incarnation), claim=claim),
        node=node,
        kind=Kind.CREATE,
    )


def starting(attempt_number: int = 1, incarnation: int = 1) -> Action:
    attempt = an_attempt(number=attempt_number, incarnation=incarnation, started_at=None, from_step=None)
    return an_action(GiveOut(run=a_run(attempt), attempt=attempt, order=an_order(incarnation=incarnation)))


# ---- the journal ---------------------------------------------------------------------------------


def test_an_intent_is_journalled_before_the_action_and_its_outcome_after(room: Room) -> None:
    room.executor().execute(a_plan(an_action(PowerOff(machine=a_machine(market=Market.ON_DEMAND)))))
    assert room.changes == [f"intent {NODE}", f"power_off {NODE}", f"outcome {NODE}"]


def test_a_failed_action_has_an_outcome_that_says_why(room: Room) -> None:
    room.cloud.failing[NODE] = "no such machine"
    room.executor().execute(a_plan(an_action(PowerOn(machine=a_machine()))))
    assert [entry.result for entry in room.story(OUTCOME)] == ["failed: no such machine"]


def test_a_done_action_says_so(room: Room) -> None:
    room.executor().execute(a_plan(an_action(Place(placement=a_placement()))))
    assert [entry.result for entry in room.story(OUTCOME)] == ["done"]


def test_an_intent_and_its_outcome_share_an_op_that_no_other_action_has(room: Room) -> None:
    room.executor().execute(a_plan(an_action(Release(node=NODE)), making(), making(OTHER)))
    intents, outcomes = room.story(INTENT), room.story(OUTCOME)
    assert [entry.op for entry in intents] == [entry.op for entry in outcomes]
    assert len({entry.op for entry in intents}) == 3


def test_two_ticks_never_share_an_op(room: Room) -> None:
    for _ in range(2):
        with room.controller()._leases.held("f") as guard:
            room.executor(guard).execute(a_plan(an_action(Release(node=NODE))))
    assert len({entry.op for entry in room.story(INTENT)}) == 2


def test_an_intent_names_the_steps_the_cause_and_the_evidence(room: Room) -> None:
    room.executor().execute(a_plan(making(incarnation=4)))
    (told,) = room.story(INTENT)
    assert (told.what, told.cause, told.evidence) == ("create: make incarnation 4", "spec", "it is declared")


def test_a_machine_that_is_to_go_is_told_as_such(room: Room) -> None:
    ended = an_action(Converge(placement=a_placement(present=False)), kind=Kind.DESTROY)
    room.executor().execute(a_plan(ended))
    assert room.story(INTENT)[0].what == "destroy: end the machine"


# ---- making machines -----------------------------------------------------------------------------


def test_creation_claim_and_placement_are_written_before_the_machine_is_made(room: Room) -> None:
    room.executor().execute(a_plan(making()))
    written = {f"incarnation {NODE}#000001", f"placement {NODE}"}
    assert room.changes[0] == f"intent {NODE}"
    assert set(room.changes[1:3]) == written
    assert room.changes[3:] == [f"make {NODE}", f"outcome {NODE}"]


def test_all_nodes_are_converged_in_one_call(room: Room) -> None:
    room.executor().execute(a_plan(making(), making(OTHER)))
    assert room.cloud.calls == [(NODE, OTHER)]


def test_every_claim_and_placement_is_written_before_the_first_machine_is_made(room: Room) -> None:
    room.executor().execute(a_plan(making(), making(OTHER)))
    written = [room.changes.index(f"{kind}{node}") for node in (NODE, OTHER) for kind in ("placement ", "intent ")]
    assert max(written) < room.changes.index(f"make {NODE}")


def test_orders_and_drains_are_written_before_machines_change(room: Room) -> None:
    room.executor().execute(a_plan(making(OTHER), an_action(Claim(claim=a_claim()))))
    assert room.changes.index(f"drain {NODE}") < room.changes.index(f"make {OTHER}")


def test_without_machines_to_change_the_provisioner_is_left_alone(room: Room) -> None:
    room.executor().execute(a_plan(an_action(Place(placement=a_placement()))))
    assert not [change for change in room.changes if change.startswith(("power", "end"))]


def test_an_incarnation_that_was_claimed_before_is_not_made(room: Room) -> None:
    room.tracker.claim_incarnation("f", an_incarnation(), None)
    room.executor().execute(a_plan(making()))
    assert room.cloud.made == []


def test_an_incarnation_that_was_claimed_before_is_reported(room: Room) -> None:
    room.tracker.claim_incarnation("f", an_incarnation(), None)
    (error,) = room.executor().execute(a_plan(making()))
    assert error == f"{NODE}: incarnation 1 was claimed before"
    assert room.story(OUTCOME)[0].result.startswith("failed: ")


def test_a_standing_claim_keeps_no_other_node_from_being_made(room: Room) -> None:
    room.tracker.claim_incarnation("f", an_incarnation(), None)
    room.executor().execute(a_plan(making(), making(OTHER)))
    assert room.cloud.made == [(OTHER, 1)]


def test_what_the_provisioner_could_not_make_is_reported_and_journalled(room: Room) -> None:
    room.cloud.failing[NODE] = "no capacity"
    errors = room.executor().execute(a_plan(making(), making(OTHER)))
    assert errors == (f"{NODE}: no capacity",)
    assert [entry.result for entry in room.story(OUTCOME)] == ["failed: no capacity", "done"]


# ---- a spec that changed -------------------------------------------------------------------------


def test_a_spec_applied_during_the_tick_stops_it_before_a_machine_changes(room: Room) -> None:
    before = when("placement", lambda: room.apply(generation=2))
    with pytest.raises(LostLease, match="the spec changed during the tick"):
        room.executor(before=before).execute(a_plan(making()))
    assert not [change for change in room.changes if change.startswith(("power", "end"))]


def test_a_record_removed_during_the_tick_stops_it_before_a_machine_changes(room: Room) -> None:
    before = when("placement", lambda: room.tracker.remove_spec("f", None))
    with pytest.raises(LostLease):
        room.executor(before=before).execute(a_plan(making()))
    assert not [change for change in room.changes if change.startswith(("power", "end"))]


# ---- overtaken -----------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [an_action(Place(placement=a_placement())), starting(), making()])
def test_an_overtaken_controller_does_nothing_more(room: Room, first: Action) -> None:
    with pytest.raises(LostLease):
        room.executor(OVERTAKEN).execute(a_plan(first, making(OTHER)))
    assert not [change for change in room.changes if change.startswith(("power", "end"))]
    assert [entry.node for entry in room.story(INTENT, OUTCOME)] == [NODE]


def test_an_overtaken_controller_writes_no_facts(room: Room) -> None:
    with pytest.raises(LostLease):
        room.executor(OVERTAKEN).record(Facts(runs=(a_run(),)))
    assert room.seen().runs == {}


# ---- one failure is one failure ------------------------------------------------------------------


def test_a_failing_action_does_not_stop_the_others(room: Room) -> None:
    room.cloud.failing[NODE] = "broken"
    after = an_action(Place(placement=a_placement(node=OTHER)), node=OTHER)
    errors = room.executor().execute(a_plan(an_action(PowerOff(machine=a_machine())), after))
    assert errors == (f"{NODE}: broken",)
    assert set(room.seen().placements) == {OTHER}


def test_the_steps_after_a_failed_one_are_left_undone(room: Room) -> None:
    room.cloud.failing[NODE] = "broken"
    room.executor().execute(a_plan(an_action(PowerOff(machine=a_machine()), Place(placement=a_placement()))))
    assert room.seen().placements == {}


def test_somebody_elses_drain_is_reported_and_left_standing(room: Room) -> None:
    room.tracker.claim_drain("f", a_claim(drain="theirs", by="pulumi up"), None)
    errors = room.executor().execute(a_plan(an_action(Claim(claim=a_claim()))))
    assert errors == (f"{NODE}: {NODE} is being drained by pulumi up",)
    assert room.seen().drains[NODE].drain == "theirs"


# ---- giving out attempts -------------------------------------------------------------------------


def test_an_attempt_is_given_out_before_its_run_is_written_and_ordered_last(room: Room) -> None:
    room.executor().execute(a_plan(starting()))
    assert room.changes[1:-1] == [f"attempt {RUN}/000001", f"run {RUN}", f"order {NODE}"]


def test_an_attempt_that_was_given_out_before_is_taken_up_again(room: Room) -> None:
    earlier = an_attempt(given_at=NOW - 99, started_at=None, from_step=None)
    room.tracker.give_out("f", earlier, None)
    room.executor().execute(a_plan(starting()))
    assert room.seen().runs[RUN].attempt == earlier
    assert room.seen().orders[NODE].assignment is not None


def test_an_attempt_that_stands_for_an_earlier_machine_is_not_ordered(room: Room) -> None:
    room.tracker.give_out("f", an_attempt(incarnation=1), None)
    room.executor().execute(a_plan(starting(incarnation=2)))
    assert room.seen().orders == {}


def test_an_ended_attempt_is_not_ordered_again(room: Room) -> None:
    room.tracker.give_out("f", an_ended_attempt(), None)
    room.executor().execute(a_plan(starting()))
    assert room.seen().orders == {}


def test_every_rank_of_a_gang_gets_its_order_after_the_epoch(room: Room) -> None:
    attempt = a_gang_attempt(started_at=None, from_step=None)
    first, *others = (an_order_of(rank) for rank in range(3))
    step = GiveOut(run=a_gang_run(attempt), attempt=attempt, order=first, others=tuple(others))
    room.executor().execute(a_plan(an_action(step)))
    assert room.changes[1:-1] == [f"attempt {GANG}/000001", f"run {GANG}", *(f"order {node}" for node in NODES)]


def test_an_attempt_that_stands_for_other_machines_of_a_gang_orders_nobody(room: Room) -> None:
    given = a_gang_attempt(started_at=None, from_step=None)
    earlier = but(given, members=(*given.members[:2], but(given.members[2], incarnation=7)))
    room.tracker.give_out("f", earlier, None)
    step = GiveOut(run=a_gang_run(given), attempt=given, order=an_order_of(0), others=(an_order_of(1),))
    room.executor().execute(a_plan(an_action(step)))
    assert room.seen().orders == {}
    assert room.seen().runs[GANG].attempt == earlier


# ---- the other steps -----------------------------------------------------------------------------


def test_a_drain_is_claimed_and_given_back(room: Room) -> None:
    room.executor().execute(a_plan(an_action(Claim(claim=a_claim()))))
    assert room.seen().drains == {NODE: a_claim()}
    room.executor().execute(a_plan(an_action(Release(node=NODE))))
    assert room.seen().drains == {}


def test_an_order_is_written(room: Room) -> None:
    room.executor().execute(a_plan(an_action(Instruct(order=an_order(number=9)))))
    assert room.seen().orders[NODE].number == 9


def test_a_stray_is_ended(room: Room) -> None:
    room.cloud.has(a_machine())
    room.executor().execute(a_plan(an_action(EndStray(machine=a_machine()), kind=Kind.DESTROY)))
    assert room.cloud.listed["m1"].state is InstanceState.TERMINATED


# ---- what was settled ----------------------------------------------------------------------------


def test_settled_runs_attempts_claims_and_rejections_are_written(room: Room) -> None:
    ended = an_ended_attempt(outcome=Outcome.STOPPED)
    claim = an_incarnation(ended_at=NOW)
    room.executor().record(Facts(runs=(a_run(ended),), incarnations=(claim,), rejections=(a_receipt(50),)))
    assert room.seen().runs[RUN].attempt == ended
    assert room.tracker.attempt("f", RUN, 1) == ended
    assert room.tracker.incarnations("f", [(NODE, 1)]) == {(NODE, 1): claim}
    assert room.seen().rejections == {a_receipt(50).digest}


def test_what_a_stop_proved_is_kept_by_pool(room: Room) -> None:
    room.executor().record(Facts(proofs=(a_proof(),)))
    assert room.seen().proofs == {"f/t": a_proof()}


def test_spent_drains_holds_and_allowances_are_removed(room: Room) -> None:
    room.tracker.claim_drain("f", a_claim(), None)
    room.tracker.hold("f", a_hold(HoldKind.REPLACE))
    room.executor().record(Facts(released=(NODE,), spent=(a_hold(HoldKind.REPLACE),), spent_allowances=("m1",)))
    assert (room.seen().drains, room.seen().holds) == ({}, ())
    assert "-allowance m1" in room.changes


def test_what_was_observed_is_told_in_the_journal(room: Room) -> None:
    told = Entry(at=NOW, kind=EntryKind.OBSERVED, what="trainer started", node=NODE)
    room.executor().record(Facts(entries=(told,)))
    assert room.story(EntryKind.OBSERVED) == [told]


def test_the_record_that_was_planned_for_is_the_one_that_counts(room: Room) -> None:
    room.tracker.set_spec(a_record(generation=5), None)
    room.executor().execute(a_plan(making(), generation=5))
    assert room.cloud.made == [(NODE, 1)]


@pytest.mark.parametrize("step", [PowerOn, PowerOff, EndStray])
def test_an_overtaken_controller_switches_and_ends_nothing(room: Room, step: type) -> None:
    with pytest.raises(LostLease):
        room.executor(OVERTAKEN).execute(a_plan(an_action(step(machine=a_machine()))))
    assert not [change for change in room.changes if change.startswith(("power", "end"))]


def test_a_machine_that_could_not_be_switched_on_still_counts_as_off(room: Room) -> None:
    room.cloud.failing[NODE] = "broken"
    room.executor().execute(a_plan(an_action(PowerOn(machine=a_machine()), Place(placement=a_placement()))))
    assert room.seen().placements == {}
