"""What people ask for: written once, with who and why; a refusal changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lifecycle.control.operator import Operator
from lifecycle.model.errors import GuardRefused, SteadyError, WrongUsage
from lifecycle.model.fleet import FleetSpec
from lifecycle.model.holds import Hold, HoldKind
from lifecycle.model.ids import NodeName
from lifecycle.model.journal import EntryKind
from lifecycle.model.records import Desired, Phase, SpecRecord
from lifecycle.model.states import InstanceState, RunState
from lifecycle.model.world import Observed
from lifecycle.planning.adoption import Consent
from tests.builders import (
    NODE,
    NOW,
    RUN,
    a_hold,
    a_machine,
    a_placement,
    a_proof,
    a_report,
    a_run,
    a_spec,
    an_ended_attempt,
    an_idle_report,
    an_incarnation,
    but,
    training,
)
from tests.unit.control.doubles import Room

SOURCE = Path("/specs/f.yaml")
HERE, NOWHERE = NodeName.parse(NODE), NodeName.parse("f/t/7")


def adopt(room: Room, spec: FleetSpec, text: str = "text", source: Path = SOURCE, **flags: bool) -> SpecRecord:
    return room.operator().adopt(spec, text, source, Consent(**flags))


# ---- apply ---------------------------------------------------------------------------------------


def test_the_first_spec_is_generation_one_and_says_who_applied_it(room: Room) -> None:
    record = adopt(room, a_spec())
    assert room.seen().record == record
    assert (record.generation, record.applied_by, record.applied_at, record.source) == (1, "ann", NOW, str(SOURCE))


def test_another_text_is_another_generation(room: Room) -> None:
    adopt(room, a_spec(), "one")
    assert adopt(room, a_spec(nodes=2), "two").generation == 2


def test_a_fleet_on_aws_does_not_move_to_another_region(room: Room) -> None:
    here = but(a_spec(), provider="aws", region="us-east-1")
    adopt(room, here)
    with room.unchanged(), pytest.raises(GuardRefused, match="in us-east-1; a fleet does not move to eu-west-1"):
        adopt(room, but(here, region="eu-west-1"), take_over=True)


def test_the_same_spec_again_writes_nothing(room: Room) -> None:
    adopt(room, a_spec())
    with room.unchanged():
        assert adopt(room, a_spec()).generation == 1


def test_an_apply_is_in_the_journal_with_its_name(room: Room) -> None:
    adopt(room, a_spec())
    (told,) = room.story(EntryKind.COMMAND)
    assert (told.what, told.result, told.evidence) == ("apply", "by ann", f"generation 1 of {SOURCE}")


def test_a_fleet_of_another_file_is_refused_and_nothing_written(room: Room) -> None:
    adopt(room, a_spec())
    with (
        room.unchanged(),
        pytest.raises(GuardRefused, match=r"was applied from /specs/f\.yaml, not from /mine\.yaml"),
    ):
        adopt(room, a_spec(nodes=2), "other", Path("/mine.yaml"))


def test_a_fleet_of_another_file_is_taken_over_when_that_is_said(room: Room) -> None:
    adopt(room, a_spec())
    adopt(room, a_spec(), source=Path("/mine.yaml"), take_over=True)
    record = room.seen().record
    assert record is not None
    assert record.source == "/mine.yaml"


@pytest.mark.parametrize("flags", [{}, {"take_over": True}])
def test_an_emptied_pool_is_refused_and_nothing_written(room: Room, flags: dict[str, bool]) -> None:
    adopt(room, a_spec())
    with room.unchanged(), pytest.raises(GuardRefused, match="this would end every node of t"):
        adopt(room, a_spec(nodes=0), "empty", **flags)


def test_an_emptied_pool_is_accepted_when_that_is_said_and_stored_so(room: Room) -> None:
    adopt(room, a_spec())
    record = adopt(room, a_spec(nodes=0), "empty", allow_empty=True)
    assert (record.allow_empty, record.generation) == (True, 2)


def test_a_check_refuses_what_apply_would_refuse_and_writes_nothing(room: Room) -> None:
    adopt(room, a_spec())
    room.changes.clear()
    with pytest.raises(GuardRefused):
        room.operator().check(a_spec(nodes=0), "text", SOURCE)
    assert room.changes == []


def test_apply_lifts_what_ctrl_c_held_and_nothing_else(room: Room) -> None:
    adopt(room, a_spec())
    room.tracker.hold("f", a_hold(HoldKind.PAUSE, node=None))
    room.tracker.hold("f", a_hold(HoldKind.STOP))
    adopt(room, a_spec())
    assert [hold.kind for hold in room.seen().holds] == [HoldKind.STOP]


def test_a_refused_apply_lifts_nothing(room: Room) -> None:
    adopt(room, a_spec())
    room.tracker.hold("f", a_hold(HoldKind.PAUSE, node=None))
    with pytest.raises(GuardRefused):
        adopt(room, a_spec(nodes=0), "empty")
    assert [hold.kind for hold in room.seen().holds] == [HoldKind.PAUSE]


def test_a_fleet_that_is_being_destroyed_may_be_applied_again(room: Room) -> None:
    adopt(room, a_spec())
    room.operator().destroy("f")
    record = adopt(room, a_spec())
    assert (record.generation, record.destroying) == (3, False)


# ---- destroy -------------------------------------------------------------------------------------


def test_destroy_marks_the_record_under_a_new_generation(room: Room) -> None:
    adopt(room, a_spec())
    record = room.operator().destroy("f")
    assert record is not None
    assert (record.destroying, record.generation) == (True, 2)


def test_destroy_of_nothing_writes_nothing(room: Room) -> None:
    with room.unchanged():
        assert room.operator().destroy("f") is None


def test_destroying_again_changes_nothing(room: Room) -> None:
    adopt(room, a_spec())
    first = room.operator().destroy("f")
    with room.unchanged():
        assert room.operator().destroy("f") == first


def test_destroy_lifts_every_hold_but_a_suspension(room: Room) -> None:
    adopt(room, a_spec())
    for kind in (HoldKind.STOP, HoldKind.REPLACE, HoldKind.SUSPEND):
        room.tracker.hold("f", a_hold(kind))
    room.operator().destroy("f")
    assert [hold.kind for hold in room.seen().holds] == [HoldKind.SUSPEND]


# ---- holds ---------------------------------------------------------------------------------------

Verb = Callable[[Operator], Hold]
HELD: list[tuple[Verb, HoldKind, str | None, float | None]] = [
    (lambda ann: ann.stop(HERE, "lunch", NOW + 60), HoldKind.STOP, NODE, NOW + 60),
    (lambda ann: ann.stop(HERE, "lunch", None), HoldKind.STOP, NODE, None),
    (lambda ann: ann.terminate(HERE, "lunch"), HoldKind.TERMINATE, NODE, None),
    (lambda ann: ann.replace(HERE, "lunch"), HoldKind.REPLACE, NODE, None),
    (lambda ann: ann.suspend("f", "lunch", NOW + 60), HoldKind.SUSPEND, None, NOW + 60),
]


@pytest.mark.parametrize(("ask", "kind", "node", "until"), HELD)
def test_a_hold_says_what_why_by_whom_and_until_when(
    room: Room, ask: Verb, kind: HoldKind, node: str | None, until: float | None
) -> None:
    room.is_as(training())
    hold = ask(room.operator())
    assert room.seen().holds == (hold,)
    assert (hold.kind, hold.node, hold.until) == (kind, node, until)
    assert (hold.reason, hold.by, hold.at) == ("lunch", "ann", NOW)


@pytest.mark.parametrize(("ask", "kind", "node", "until"), HELD)
def test_a_hold_is_in_the_journal(
    room: Room, ask: Verb, kind: HoldKind, node: str | None, until: float | None
) -> None:
    room.is_as(training())
    ask(room.operator())
    (told,) = room.story(EntryKind.COMMAND)
    assert (told.what, told.node, told.result) == (kind, node, "by ann")
    assert told.evidence == ("lunch, until 2027-01-15 08:01 UTC" if until else "lunch")


def test_two_holds_of_a_kind_stand_side_by_side(room: Room) -> None:
    room.is_as(training(a_spec(nodes=2)))
    room.operator().stop(HERE, "one", None)
    room.operator().stop(NodeName.parse("f/t/1"), "two", None)
    assert [hold.reason for hold in room.seen().holds] == ["one", "two"]


def test_ctrl_c_holds_the_whole_fleet(room: Room) -> None:
    room.apply()
    hold = room.operator().pause("f")
    assert (hold.kind, hold.node, room.seen().holds) == (HoldKind.PAUSE, None, (hold,))


def test_a_replacement_names_the_machine_that_is_to_go(room: Room) -> None:
    room.is_as(training(machines=(a_machine(id="m0", state=InstanceState.TERMINATED), a_machine())))
    assert room.operator().replace(HERE, "slow").instance == "m1"


def test_a_node_without_a_machine_cannot_be_replaced_and_nothing_is_written(room: Room) -> None:
    room.is_as(training(machines=(a_machine(state=InstanceState.TERMINATED),)))
    with room.unchanged(), pytest.raises(SteadyError, match="f/t/0 has no machine to replace"):
        room.operator().replace(HERE, "slow")


def test_unsuspending_lifts_every_suspension_and_counts_them(room: Room) -> None:
    room.apply()
    for _ in range(2):
        room.operator().suspend("f", "audit", None)
    room.tracker.hold("f", a_hold(HoldKind.STOP))
    assert room.operator().unsuspend("f") == 2
    assert [hold.kind for hold in room.seen().holds] == [HoldKind.STOP]


# ---- nodes and fleets that are not there ---------------------------------------------------------

STRANGERS: list[Callable[[Operator], object]] = [
    lambda ann: ann.stop(NOWHERE, "x", None),
    lambda ann: ann.terminate(NOWHERE, "x"),
    lambda ann: ann.replace(NOWHERE, "x"),
    lambda ann: ann.start(NOWHERE, resume=True),
    lambda ann: ann.checkpoint(NOWHERE),
]


@pytest.mark.parametrize("ask", STRANGERS)
def test_an_unknown_node_is_refused_with_the_pools_there_are(room: Room, ask: Callable[[Operator], object]) -> None:
    room.apply(a_spec(nodes=3))
    with room.unchanged(), pytest.raises(WrongUsage, match="f/t/7 is not a node") as refused:
        ask(room.operator())
    assert refused.value.fix == "its pools: t (0..2)"


@pytest.mark.parametrize(
    "ask", [*STRANGERS, lambda ann: ann.suspend("f", "x", None), lambda ann: ann.unsuspend("f")]
)
def test_an_unknown_fleet_is_refused_and_nothing_written(room: Room, ask: Callable[[Operator], object]) -> None:
    with room.unchanged(), pytest.raises(SteadyError, match="no fleet 'f' is applied here"):
        ask(room.operator())


# ---- start ---------------------------------------------------------------------------------------


def test_start_lifts_the_nodes_own_holds_only(room: Room) -> None:
    room.is_as(training())
    for kind in (HoldKind.STOP, HoldKind.TERMINATE, HoldKind.REPLACE, HoldKind.SUSPEND):
        room.tracker.hold("f", a_hold(kind))
    room.tracker.hold("f", a_hold(HoldKind.STOP, id="other", node="f/t/1"))
    room.operator().start(HERE, resume=False)
    assert sorted(hold.id for hold in room.seen().holds) == ["other", "suspend-1"]


def test_what_is_lifted_is_in_the_journal(room: Room) -> None:
    room.is_as(training(holds=(a_hold(HoldKind.STOP),)))
    room.operator().start(HERE, resume=False)
    assert ("stop lifted", NODE, "lunch") in [(e.what, e.node, e.evidence) for e in room.story(EntryKind.COMMAND)]


def test_a_start_during_a_scheduled_stop_stands_until_the_schedule_changes(room: Room) -> None:
    room.is_as(training(a_spec(schedule={"stop": "0 7 * * *", "start": "0 9 * * *"})))
    for _ in range(2):
        room.operator().start(HERE, resume=False)
    (hold,) = room.seen().holds
    assert (hold.kind, hold.node, hold.until) == (HoldKind.START, NODE, NOW + 3600)


def test_a_start_while_the_schedule_lets_it_run_needs_no_hold(room: Room) -> None:
    room.is_as(training(a_spec(schedule={"stop": "0 20 * * *", "start": "0 7 * * *"})))
    room.operator().start(HERE, resume=False)
    assert room.seen().holds == ()


def test_start_with_resume_allows_the_next_attempt(room: Room) -> None:
    room.is_as(training(runs={RUN: a_run(an_ended_attempt(), state=RunState.FAILED)}))
    room.operator().start(HERE, resume=True)
    assert room.seen().runs[RUN].allowed == 2


def test_start_without_resume_allows_nothing(room: Room) -> None:
    room.is_as(training(runs={RUN: a_run(an_ended_attempt(), state=RunState.FAILED)}))
    room.operator().start(HERE, resume=False)
    assert room.seen().runs[RUN].allowed == 0


def test_start_with_resume_while_it_trains_allows_nothing(room: Room) -> None:
    room.is_as(training())
    room.operator().start(HERE, resume=True)
    assert room.seen().runs[RUN] == training().runs[RUN]


def test_a_completed_run_is_not_started_again_and_nothing_is_written(room: Room) -> None:
    room.is_as(training(runs={RUN: a_run(an_ended_attempt(), state=RunState.COMPLETED)}))
    room.tracker.hold("f", a_hold(HoldKind.STOP))
    with room.unchanged(), pytest.raises(SteadyError, match=f"{RUN} has completed"):
        room.operator().start(HERE, resume=True)


# ---- checkpoint ----------------------------------------------------------------------------------


def test_a_checkpoint_is_ordered_of_the_same_attempt_under_the_next_number(room: Room) -> None:
    room.is_as(training())
    save = room.operator().checkpoint(HERE)
    order, before = room.seen().orders[NODE], training().orders[NODE]
    assert (order.number, order.desired, order.save) == (2, Desired.SAVED, save)
    assert (order.assignment, order.incarnation) == (before.assignment, before.incarnation)


def test_two_checkpoints_have_two_ids(room: Room) -> None:
    room.is_as(training())
    assert room.operator().checkpoint(HERE) != room.operator().checkpoint(HERE)


@pytest.mark.parametrize("phase", [Phase.IDLE, Phase.RESTORING, Phase.SHIPPING])
def test_a_checkpoint_of_what_does_not_train_is_refused_and_nothing_written(room: Room, phase: Phase) -> None:
    room.is_as(training(reports={NODE: a_report(phase=phase)}))
    with room.unchanged(), pytest.raises(SteadyError, match="f/t/0 is not training"):
        room.operator().checkpoint(HERE)


# ---- allow-loss ----------------------------------------------------------------------------------


def test_a_loss_is_allowed_of_one_live_machine(room: Room) -> None:
    room.is_as(training())
    assert room.operator().allow_loss("f", "m1", "it is stuck").id == "m1"
    (allowed,) = room.seen().allowances.values()
    assert (allowed.instance, allowed.reason, allowed.by) == ("m1", "it is stuck", "ann")


@pytest.mark.parametrize("instance", ["m0", "m9"])
def test_no_loss_is_allowed_of_what_does_not_live(room: Room, instance: str) -> None:
    room.is_as(training(machines=(a_machine(id="m0", state=InstanceState.TERMINATED), a_machine())))
    with room.unchanged(), pytest.raises(SteadyError, match=f"{instance} is no live machine of f"):
        room.operator().allow_loss("f", instance, "x")


# ---- a rehearsal ---------------------------------------------------------------------------------


def test_a_rehearsal_is_a_hold_on_the_machine_that_trains(room: Room) -> None:
    room.is_as(training())
    hold = room.operator().rehearse(HERE, 600)
    assert room.seen().holds == (hold,)
    assert (hold.kind, hold.node, hold.instance, hold.until) == (HoldKind.REHEARSE, NODE, "m1", NOW + 600)


def test_the_attempt_after_a_rehearsal_needs_no_person(room: Room) -> None:
    room.is_as(training(a_spec(train={"resume": "manual"})))
    room.operator().rehearse(HERE, 600)
    assert room.seen().runs[RUN].allowed == 2


@pytest.mark.parametrize(
    ("observed", "why"),
    [
        (training(a_spec(train={"resume": "never"})), "would start from the beginning"),
        (training(holds=(a_hold(HoldKind.SUSPEND, node=None),)), "suspend by somebody"),
        (training(reports={NODE: an_idle_report()}), "does not train undisturbed"),
        (training(holds=(a_hold(HoldKind.STOP),)), "does not train undisturbed"),
    ],
    ids=["it would start over", "suspended", "idle", "held"],
)
def test_what_could_cost_more_than_a_moment_is_not_rehearsed(room: Room, observed: Observed, why: str) -> None:
    room.is_as(observed)
    with room.unchanged(), pytest.raises(SteadyError, match=why):
        room.operator().rehearse(HERE, 600)


def test_a_rehearsal_is_called_off_once(room: Room) -> None:
    room.is_as(training())
    hold = room.operator().rehearse(HERE, 600)
    assert [room.operator().call_off(hold), room.operator().call_off(hold)] == [1, 0]


def test_what_a_copy_proved_is_kept_for_the_fleet(room: Room) -> None:
    room.operator().proved("f", a_proof())
    assert room.seen().proofs == {"f/t": a_proof()}


# ---- strays --------------------------------------------------------------------------------------


def with_strays(room: Room) -> None:
    """The node is at incarnation 3: machine 1 is a stray, 2 trains, 4 has no claim of ours."""
    spec = a_spec(nodes=2)
    room.is_as(
        training(
            spec,
            machines=(
                a_machine(),
                a_machine(id="m2", node="f/t/1"),
                a_machine(id="m4", node="f/u/0"),
            ),
            placements={NODE: a_placement(incarnation=3), "f/t/1": a_placement(node="f/t/1", incarnation=3)},
            incarnations={
                (NODE, 1): an_incarnation(),
                ("f/t/1", 1): an_incarnation(node="f/t/1", instance="m2"),
            },
            reports={NODE: an_idle_report(), "f/t/1": a_report(node="f/t/1", instance="m2")},
        )
    )


def test_a_sweep_ends_only_what_nothing_speaks_for(room: Room) -> None:
    with_strays(room)
    found = room.operator().strays("f")
    ended = room.operator().sweep("f", found)
    assert [machine.id for machine in ended] == ["m1"]
    assert [machine.id for machine in room.cloud.listed.values() if machine.live] == ["m2", "m4"]


def test_nothing_is_swept_while_the_fleet_is_suspended(room: Room) -> None:
    with_strays(room)
    room.tracker.hold("f", a_hold(HoldKind.SUSPEND, node=None))
    with room.unchanged(), pytest.raises(GuardRefused, match="suspend by somebody"):
        room.operator().sweep("f", room.operator().strays("f"))


def test_a_stray_that_is_spared_says_why(room: Room) -> None:
    with_strays(room)
    room.tracker.remove_spec("f", None)
    spared = {stray.machine.id: stray.spared for stray in room.operator().strays("f")}
    assert spared == {
        "m1": "",
        "m2": "its agent still reports a trainer",
        "m4": "no creation claim of ours names it",
    }


def test_a_young_stray_is_left_alone(room: Room) -> None:
    with_strays(room)
    room.cloud.has(a_machine(launched_at=NOW - 10))
    assert room.operator().sweep("f", room.operator().strays("f")) == ()


def test_a_sweep_is_in_the_journal_before_the_machine_goes(room: Room) -> None:
    with_strays(room)
    room.operator().sweep("f", room.operator().strays("f"))
    assert room.changes == [f"command {NODE}", f"end_stray {NODE}"]


def test_a_fleet_with_no_strays_has_nothing_to_sweep(room: Room) -> None:
    room.is_as(training())
    with room.unchanged():
        assert room.operator().sweep("f", room.operator().strays("f")) == ()


def test_strays_of_an_unreadable_provider_are_unknown(room: Room) -> None:
    with_strays(room)
    room.cloud.away = True
    assert room.operator().strays("f") == ()


def test_destroying_a_record_keeps_its_spec(room: Room) -> None:
    standing = room.apply()
    assert room.operator().destroy("f") == but(standing, destroying=True, generation=2)


# ---- going back, and going on -------------------------------------------------------------------


def test_an_earlier_text_is_refused_without_rollback_and_is_a_generation_of_its_own_with_it(room: Room) -> None:
    for text in ("one", "two"):
        adopt(room, a_spec(), text)
    with room.unchanged(), pytest.raises(GuardRefused, match="applied before generation 2") as refused:
        adopt(room, a_spec(), "one")
    assert "--rollback" in refused.value.fix
    assert adopt(room, a_spec(), "one", rollback=True).generation == 3


def test_unsuspend_lets_a_fleet_make_machines_again_across_generations(room: Room) -> None:
    adopt(room, a_spec(), "one")
    room.operator().unsuspend("f")
    assert adopt(room, a_spec(), "two").launches_from == NOW


# ---- gangs ---------------------------------------------------------------------------------------


def test_a_gang_does_not_go_on_with_another_number_of_ranks(room: Room) -> None:
    adopt(room, a_spec(nodes=3, mode="gang"))
    with room.unchanged(), pytest.raises(GuardRefused, match="resize: the gang t would go on") as refused:
        adopt(room, a_spec(nodes=2, mode="gang"), "fewer", take_over=True, allow_empty=True)
    assert "pools.t.train.run" in refused.value.fix


def test_a_gang_of_another_size_is_another_run(room: Room) -> None:
    adopt(room, a_spec(nodes=3, mode="gang"))
    record = adopt(room, a_spec(nodes=2, mode="gang", train={"run": "smaller"}), "fewer")
    assert record.generation == 2
