"""The tick and the waiting: interrupted anywhere, overtaken by others, and at rest when all is done."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest

from lifecycle.control.loop import LOCAL, Ticked
from lifecycle.model.errors import LeaseHeld, LostLease, TimedOut
from lifecycle.model.fleet import Market
from lifecycle.model.holds import HoldKind
from lifecycle.model.journal import EntryKind
from lifecycle.model.plan import Plan, Waiting
from lifecycle.model.records import Desired, Outcome
from lifecycle.model.states import InstanceState, RunState, StopReason
from lifecycle.model.world import Observed
from tests.builders import (
    NODE,
    NOW,
    RUN,
    a_claim,
    a_hold,
    a_machine,
    a_placement,
    a_receipt,
    a_record,
    a_run,
    a_shortage,
    a_spec,
    an_end,
    an_ended_attempt,
    an_idle_report,
    an_incarnation,
    but,
    nothing_yet,
    training,
)
from tests.unit.control.doubles import DEAD, Fuse, Killed, Room, when

# ---- what a tick does ----------------------------------------------------------------------------


def test_the_first_tick_makes_a_machine_for_every_declared_node(room: Room) -> None:
    room.apply(a_spec(nodes=3))
    room.controller().tick("f")
    assert room.cloud.live() == [("f/t/0", 1), ("f/t/1", 1), ("f/t/2", 1)]


def test_without_a_record_nothing_is_made_and_nothing_ended(room: Room) -> None:
    room.cloud.has(a_machine())
    ticked = room.controller().tick("f")
    assert (ticked.plan.actions, room.cloud.calls) == ((), [])


def test_an_unreadable_provider_is_waited_for_and_nothing_is_done(room: Room) -> None:
    room.is_as(training(machines=()))
    room.cloud.away = True
    ticked = room.controller().tick("f")
    assert [waiting.what for waiting in ticked.plan.waiting] == ["the provider's answer: the cloud is away"]
    assert (room.cloud.calls, room.seen().runs[RUN].state) == ([], RunState.TRAINING)


def test_looking_writes_nothing(room: Room) -> None:
    room.is_as(training(machines=(), reports={}))
    _, plan = room.controller().look("f")
    assert plan.actions or plan.waiting
    assert room.changes == []


def test_looking_with_another_spec_plans_for_that_one(room: Room) -> None:
    room.is_as(training())
    _, plan = room.controller().look("f", a_spec(nodes=2))
    assert [action.node for action in plan.actions] == ["f/t/1"]


def test_a_tick_leaves_its_record(room: Room) -> None:
    room.apply(a_spec(nodes=2))
    room.cloud.failing["f/t/1"] = "no capacity"
    room.controller().tick("f")
    record = room.seen().last_tick
    assert record is not None
    assert (record.at, record.by, record.generation, record.actions) == (NOW, "controller", 1, 2)
    assert record.errors == ("f/t/1: no capacity",)


def test_the_record_counts_the_machines_that_live(room: Room) -> None:
    room.is_as(training(machines=(a_machine(), a_machine(id="m0", state=InstanceState.TERMINATED))))
    record = room.controller().tick("f").record
    assert (record.nodes_seen, record.actions, record.refused, record.waiting) == (1, 0, 0, 0)


def test_a_settled_world_sees_only_the_lease_and_the_tick_written(room: Room) -> None:
    room.is_as(training())
    room.controller().tick("f")
    room.changes.clear()
    room.controller().tick("f", upkeep=True)
    assert room.changes == ["lease f", "tick f", "lease f"]


def test_a_tick_under_anothers_lease_gives_up_after_its_wait(room: Room) -> None:
    with room.controller()._leases.held("f"), pytest.raises(LeaseHeld, match="controller is acting on this fleet"):
        room.controller().tick("f", wait=1.0)


# ---- killed anywhere -----------------------------------------------------------------------------


def at_rest(**changes: object) -> Observed:
    """Attempt 1 ended, saved at step 100; its agent is idle and ready for the next."""
    fields = {
        "runs": {RUN: a_run(an_ended_attempt(), state=RunState.STOPPED)},
        "reports": {NODE: an_idle_report()},
        "receipts": {RUN: (a_receipt(100),)},
    }
    return training(**{**fields, **changes})


def created() -> Observed:
    return nothing_yet(a_spec(nodes=2))


def started() -> Observed:
    return training(runs={}, orders={}, reports={NODE: an_idle_report()})


def resumed() -> Observed:
    return at_rest()


def replaced() -> Observed:
    return at_rest(holds=(a_hold(HoldKind.REPLACE, instance="m1"),))


def lost() -> Observed:
    return at_rest(machines=(a_machine(state=InstanceState.TERMINATED, ended_at=NOW - 1),))


def stopped_on_spot() -> Observed:
    return at_rest(holds=(a_hold(HoldKind.STOP),))


def on_demand(**changes: object) -> Observed:
    spec = a_spec(market="on_demand")
    fields = {
        "record": nothing_yet(spec).record,
        "machines": (a_machine(market=Market.ON_DEMAND),),
        "placements": {NODE: a_placement(market=Market.ON_DEMAND)},
        "incarnations": {(NODE, 1): an_incarnation(market=Market.ON_DEMAND)},
    }
    return at_rest(**{**fields, **changes})


def stopped_on_demand() -> Observed:
    return on_demand(holds=(a_hold(HoldKind.STOP),))


def started_again() -> Observed:
    off = a_placement(market=Market.ON_DEMAND, powered=False, reason=StopReason.MANUAL)
    machine = a_machine(market=Market.ON_DEMAND, state=InstanceState.STOPPED)
    return on_demand(machines=(machine,), placements={NODE: off})


def surplus() -> Observed:
    return training(
        machines=(a_machine(), a_machine(id="m2", incarnation=2)),
        placements={NODE: a_placement(incarnation=2)},
        incarnations={(NODE, 1): an_incarnation(), (NODE, 2): an_incarnation(number=2, instance="m2")},
    )


def showed_up() -> Observed:
    """The machine of a creation whose answer was lost."""
    return training(incarnations={(NODE, 1): an_incarnation(tried_at=NOW - 60)})


def out_of_capacity() -> Observed:
    """The first choice was refused, its claim closed."""
    closed = an_incarnation(instance=None, instance_type="big", ended_at=NOW - 60)
    return nothing_yet(
        a_spec(instance_types=["big", "small"]),
        placements={NODE: a_placement(instance_type="big")},
        incarnations={(NODE, 1): closed},
        shortages=(a_shortage("big"),),
    )


def destroyed() -> Observed:
    found = at_rest()
    return but(found, record=but(found.record, destroying=True, generation=2))


SCENES = (
    created,
    started,
    resumed,
    replaced,
    lost,
    stopped_on_spot,
    stopped_on_demand,
    started_again,
    surplus,
    showed_up,
    out_of_capacity,
    destroyed,
)
Scene = Callable[[], Observed]


def outcome(room: Room) -> tuple[object, ...]:
    """What counts in the end: the machines, the attempts given out, what the agents are told."""
    seen = room.seen()
    orders = {node: (order.incarnation, order.assignment) for node, order in seen.orders.items()}
    powered = sorted((m.node, m.state) for m in room.cloud.listed.values() if m.live)
    attempts = [(attempt.number, attempt.open) for attempt in room.tracker.past("f").attempts.get(RUN, ())]
    return room.cloud.live(), powered, attempts, orders


def undisturbed(scene: Scene, ticks: int) -> tuple[int, tuple[object, ...]]:
    """How many changes the first tick makes, and what has come about after so many ticks."""
    room, fuse = Room(), Fuse()
    room.is_as(scene())
    room.controller(fuse).tick("f")
    for _ in range(ticks - 1):
        room.controller().tick("f")
    found = outcome(room)
    room.close()
    return fuse.passed, found


def killed(scene: Scene, change: int) -> Room:
    """A room whose controller was killed just before this change of its first tick."""
    room = Room()
    room.is_as(scene())
    with pytest.raises(Killed):
        room.controller(Fuse(change), process=DEAD).tick("f")
    return room


@pytest.mark.parametrize("scene", SCENES)
def test_the_tick_after_a_killed_controller_puts_everything_right(scene: Scene) -> None:
    changes, wanted = undisturbed(scene, ticks=2)
    for change in range(changes):
        room = killed(scene, change)
        for _ in range(2):
            assert room.controller().tick("f").record.errors == (), f"killed before change {change}"
        assert outcome(room) == wanted, f"killed before change {change}"
        room.close()


@pytest.mark.parametrize("scene", SCENES)
def test_a_killed_controller_never_leads_to_two_machines_of_a_node(scene: Scene) -> None:
    changes, _ = undisturbed(scene, ticks=1)
    before = len(scene().machines or ())
    for change in range(changes):
        room = killed(scene, change)
        room.controller().tick("f")
        nodes = [node for node, _ in room.cloud.live()]
        assert len(nodes) == len(set(nodes)) or len(nodes) <= before
        assert len(room.cloud.made) == len(set(room.cloud.made))
        room.close()


@pytest.mark.parametrize("scene", [started, resumed])
def test_an_attempt_is_given_out_once_however_often_controllers_are_killed(scene: Scene) -> None:
    changes, _ = undisturbed(scene, ticks=1)
    room = Room()
    room.is_as(scene())
    for change in range(changes):
        with suppress(Killed):
            room.controller(Fuse(change), process=DEAD).tick("f")
    assert [attempt.open for attempt in room.tracker.past("f").attempts.get(RUN, ())][-1:] == [True]
    assert sum(attempt.open for attempt in room.tracker.past("f").attempts.get(RUN, ())) == 1
    room.close()


def test_a_node_is_made_however_often_controllers_are_killed(room: Room) -> None:
    room.is_as(created())
    changes, (live, *_) = undisturbed(created, ticks=1)
    for change in range(changes):
        with suppress(Killed):
            room.controller(Fuse(change), process=DEAD).tick("f")
    room.controller().tick("f")
    assert [node for node, _ in room.cloud.live()] == [node for node, _ in live]


def test_a_replacement_that_could_not_be_made_is_tried_again(room: Room) -> None:
    room.is_as(replaced())
    room.cloud.failing[NODE] = "no capacity"
    assert room.controller().tick("f").record.errors == (f"{NODE}: no capacity",)
    room.cloud.failing.clear()
    room.controller().tick("f")
    assert room.cloud.live() == [(NODE, 2)]


# ---- two at once ---------------------------------------------------------------------------------


@pytest.mark.parametrize("scene", SCENES)
def test_two_controllers_at_once_do_what_one_would_have_done(scene: Scene) -> None:
    """The second takes over the first one's lease at each of its changes in turn."""
    changes, wanted = undisturbed(scene, ticks=2)
    for change in range(1, changes):
        room = Room()
        room.is_as(scene())
        fuse = Fuse()

        def overtake(name: str, room: Room = room, fuse: Fuse = fuse, change: int = change) -> None:
            if fuse.passed == change:
                fuse.passed += 1
                room.controller().tick("f")
            fuse(name)

        with suppress(LostLease):
            room.controller(overtake, process=DEAD).tick("f")
        room.controller().tick("f")
        assert outcome(room) == wanted, f"overtaken before change {change}"
        room.close()


def test_the_overtaken_one_makes_no_machine(room: Room) -> None:
    room.is_as(created())
    overtake = when("placement", lambda: room.controller().tick("f"))
    with pytest.raises(LostLease):
        room.controller(overtake, process=DEAD).tick("f")
    assert sorted(room.cloud.made) == [("f/t/0", 1), ("f/t/1", 1)]
    assert len(room.cloud.calls) == 1


# ---- destroying ----------------------------------------------------------------------------------


def test_the_record_stays_while_a_machine_is_left(room: Room) -> None:
    room.is_as(destroyed())
    room.cloud.failing[NODE] = "it will not go"
    room.controller().tick("f")
    assert room.seen().record is not None


def test_the_record_stays_while_the_provider_cannot_be_read(room: Room) -> None:
    room.is_as(but(destroyed(), machines=()))
    room.cloud.away = True
    room.controller().tick("f")
    assert room.seen().record is not None


def test_the_record_goes_with_the_last_machine(room: Room) -> None:
    room.is_as(destroyed())
    room.controller().tick("f")
    assert room.seen().record is not None
    room.controller().tick("f")
    assert (room.seen().record, room.cloud.live()) == (None, [])


def test_the_attempts_of_a_destroyed_fleet_stay_as_history(room: Room) -> None:
    room.is_as(destroyed())
    for _ in range(3):
        room.controller().tick("f")
    assert [attempt.number for attempt in room.tracker.past("f").attempts.get(RUN, ())] == [1]


# ---- until ---------------------------------------------------------------------------------------


def never(_: Ticked) -> bool:
    return False


def test_ticks_follow_each_other_until_it_is_done(room: Room) -> None:
    room.apply()
    seen: list[Ticked] = []
    room.controller().until("f", lambda ticked: len(seen) == 3, timeout=60, seen=seen.append)
    assert len(seen) == 3


def test_what_is_still_waited_for_is_told_when_the_time_is_up(room: Room) -> None:
    room.apply()
    with pytest.raises(TimedOut) as late:
        room.controller().until("f", never, timeout=10)
    assert (
        late.value.what == f"f: not there after 10s; waits for {NODE}: its machine to boot and its agent to report"
    )
    assert late.value.exit_code == 9


def test_of_many_that_are_waited_for_three_are_named(room: Room) -> None:
    room.apply(a_spec(nodes=5))
    with pytest.raises(TimedOut, match=r"f/t/0: .*; f/t/1: .*; f/t/2: .* and 2 more$"):
        room.controller().until("f", never, timeout=10)


def test_a_lost_lease_is_tried_again(room: Room) -> None:
    room.is_as(created())
    overtake = when("placement", lambda: room.controller().tick("f"))
    room.controller(overtake, process=DEAD).until("f", lambda ticked: True, timeout=10)
    assert room.cloud.live() == [("f/t/0", 1), ("f/t/1", 1)]


def test_a_lease_lost_again_and_again_ends_with_the_time(room: Room) -> None:
    room.is_as(created())

    def overtake(change: str) -> None:
        if change == "tick f":
            room.clock.pass_by(3)
            with room.controller()._leases.held("f"):
                pass

    with pytest.raises(LostLease):
        room.controller(overtake, process=DEAD).until("f", never, timeout=10)


# ---- pauses --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("world", "pause"),
    [
        (created(), LOCAL.busy),
        (training(machines=(a_machine(launched_at=NOW - 5),), reports={}, orders={}), LOCAL.waiting),
        (training(), LOCAL.settled),
    ],
)
def test_the_pause_is_short_while_something_is_under_way(room: Room, world: Observed, pause: float) -> None:
    room.is_as(world)
    controller = room.controller()
    controller.pause(controller.look("f")[1])
    assert room.bell.waited == [pause]


def test_a_pause_ends_when_something_falls_due(room: Room) -> None:
    due = Waiting(node=NODE, what="its turn", until=NOW + 0.25)
    past = Waiting(node=NODE, what="long ago", until=NOW - 5)
    room.controller().pause(Plan(fleet="f", generation=1, waiting=(due, past)))
    assert room.bell.waited == [0.25]


def test_a_person_may_want_shorter_pauses(room: Room) -> None:
    room.controller().pause(Plan(fleet="f", generation=1), at_most=0.5)
    assert room.bell.waited == [0.5]


# ---- losing nothing ------------------------------------------------------------------------------


def test_a_machine_that_trains_is_drained_before_it_is_replaced(room: Room) -> None:
    room.is_as(training(holds=(a_hold(HoldKind.REPLACE, instance="m1"),)))
    room.controller().tick("f")
    assert (set(room.seen().drains), room.cloud.calls) == ({NODE}, [])


def test_a_stop_that_is_lifted_gives_its_drain_back(room: Room) -> None:
    room.is_as(training(holds=(a_hold(HoldKind.STOP),)))
    room.controller().tick("f")
    room.tracker.lift("f", a_hold(HoldKind.STOP))
    room.controller().tick("f")
    assert room.seen().drains == {}


def test_a_suspended_fleet_is_looked_at_and_left_alone(room: Room) -> None:
    room.is_as(but(created(), holds=(a_hold(HoldKind.SUSPEND, node=None),)))
    record = room.controller().tick("f").record
    assert (record.actions, record.refused, room.cloud.calls) == (0, 2, [])


SUSPENDED = a_hold(HoldKind.SUSPEND, node=None, until=NOW + 60)

RESTLESS = {
    "a node without a machine": lambda: created(),
    "an attempt to give out": lambda: resumed(),
    "a stop": lambda: training(holds=(a_hold(HoldKind.STOP),)),
    "a drain to call off": lambda: training(drains={NODE: a_claim()}),
    "an old checkpoint": lambda: training(a_spec(checkpoint={"max_lost_work": "10s"})),
    "a fleet to destroy": lambda: nothing_yet(record=a_record(destroying=True)),
}


def suspended(room: Room, observed: Observed, until: float) -> None:
    room.is_as(but(observed, holds=(*observed.holds, but(SUSPENDED, until=until))))
    for drain in observed.drains.values():
        room.tracker.claim_drain("f", drain, None)


@pytest.mark.parametrize("world", RESTLESS.values(), ids=RESTLESS.keys())
def test_nothing_is_changed_in_a_suspended_fleet(room: Room, world: Callable[[], Observed]) -> None:
    suspended(room, world(), NOW + 60)
    room.store.holds("runs/f/f.t.main.0/e000000-s000000000050", manifest=False)
    seen = len(room.changes)
    room.controller().tick("f", upkeep=True)
    assert room.changes[seen:] == ["lease f", "tick f", "lease f"]
    assert room.store.swept == []


@pytest.mark.parametrize("world", RESTLESS.values(), ids=RESTLESS.keys())
def test_a_fleet_acts_again_when_its_suspension_runs_out(room: Room, world: Callable[[], Observed]) -> None:
    suspended(room, world(), NOW)
    room.controller().tick("f")
    changed = {change.split()[0] for change in room.changes}
    assert changed & {"make", "order", "drain", "-drain", "dismantle"}


def test_what_is_observed_of_a_suspended_fleet_is_settled_all_the_same(room: Room) -> None:
    over = an_end(outcome=Outcome.COMPLETED, cause=None)
    room.is_as(training(reports={NODE: an_idle_report(ended=over)}, holds=(SUSPENDED,)))
    room.controller().tick("f")
    assert room.seen().runs[RUN].state is RunState.COMPLETED


def test_a_resumed_attempt_is_ordered_of_the_machine_in_place(room: Room) -> None:
    room.is_as(resumed())
    room.controller().tick("f")
    order = room.seen().orders[NODE]
    assert order.assignment is not None
    assert (order.desired, order.incarnation, order.assignment.attempt) == (Desired.TRAINING, 1, 2)


def test_a_ticks_actions_are_in_the_journal(room: Room) -> None:
    room.is_as(created())
    room.controller().tick("f")
    assert [entry.node for entry in room.story(EntryKind.OUTCOME)] == ["f/t/0", "f/t/1"]


def test_an_attempt_ordered_again_goes_on_from_where_it_was_given_out(room: Room) -> None:
    """Its controller died between giving the attempt out and ordering it."""
    room.is_as(resumed())
    with pytest.raises(Killed):
        room.controller(when("order", _die), process=DEAD).tick("f")
    room.controller().tick("f")
    assignment = room.seen().orders[NODE].assignment
    assert assignment is not None
    assert (assignment.attempt, [receipt.step for receipt in assignment.resume]) == (2, [100])


def _die() -> None:
    raise Killed("order")
