"""Whatever the world looks like: planning never fails, and never ends a trainer that it did not ask to save."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from lifecycle.model.fleet import FleetSpec, Market
from lifecycle.model.holds import HoldKind
from lifecycle.model.plan import Converge, EndStray, Facts, Kind, Plan, PowerOff
from lifecycle.model.records import (
    Desired,
    DrainOutcome,
    Order,
    Outcome,
    Phase,
    Placement,
    Report,
    Run,
    Shortage,
    SpecRecord,
)
from lifecycle.model.states import Cause, InstanceState, RunState, StopReason
from lifecycle.model.world import Machine, Observed
from lifecycle.planning.planner import plan
from lifecycle.planning.settle import apply_facts, settle
from lifecycle.planning.status import fleet_status
from lifecycle.planning.view import SILENT_AFTER
from tests.builders import (
    NODE,
    NOW,
    RUN,
    a_claim,
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
    an_allowance,
    an_answer,
    an_assignment,
    an_attempt,
    an_end,
    an_incarnation,
    an_order,
    but,
)

SETTINGS = settings(max_examples=200, deadline=None, derandomize=True)
AGES = st.sampled_from([1.0, 29.0, 31.0, 100.0, 1000.0, 5000.0])
STEPS = st.sampled_from([None, 0, 100, 130])
DRAINS = st.sampled_from(["m1.manual.1", "m1.scale_in.1", "m1.drift.1", "m1.manual.stop-1", "m1.completion.1.loss"])
INSTANCES = {"m1": 1, "m2": 2}
FINGERPRINTS = st.sampled_from([an_attempt().fingerprint, "of another train section"])


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


@st.composite
def specs(draw: Callable[..., Any]) -> FleetSpec:
    market = draw(st.sampled_from(["spot", "on_demand"]))
    fallback = draw(maybe(st.just({"to": "on_demand", "after": "1m"}))) if market == "spot" else None
    found = a_spec(
        nodes=draw(st.integers(0, 2)),
        market=market,
        fallback=fallback,
        instance_types=draw(st.sampled_from([[], ["local"], ["big"], ["big", "local"]])),
        zones=draw(st.sampled_from([[], [], ["local"], ["a", "local"]])),
        stop={"without_checkpoint": draw(st.sampled_from(["refuse", "force"]))},
        checkpoint=draw(st.sampled_from([{}, {"max_lost_work": "1m"}])),
        drift={"market": draw(st.sampled_from(["report", "replace"]))},
        unreachable_after=draw(st.sampled_from(["never", "30m"])),
        train={
            "resume": draw(st.sampled_from(["auto", "manual", "never"])),
            "on_completion": draw(st.sampled_from(["terminate", "stop", "keep"])),
        },
    )
    return but(found, provider=draw(st.sampled_from(["local", "aws"])))


@st.composite
def machines(draw: Callable[..., Any], name: str) -> Machine:
    return a_machine(
        id=name,
        incarnation=INSTANCES[name],
        state=draw(st.sampled_from([InstanceState.RUNNING, InstanceState.RUNNING, *InstanceState])),
        market=draw(st.sampled_from(Market)),
        launched_at=NOW - draw(st.sampled_from([10.0, 200.0, 7200.0])),
        impaired=draw(st.booleans()),
        ending=draw(st.sampled_from([False, False, False, True])),
        cause=draw(maybe(st.sampled_from(Cause))),
    )


@st.composite
def attempts(draw: Callable[..., Any]) -> Any:
    number = draw(st.sampled_from([1, 2]))
    started = draw(maybe(AGES))
    fields: dict[str, Any] = {
        "number": number,
        "incarnation": draw(st.sampled_from([1, 2])),
        "fingerprint": draw(FINGERPRINTS),
        "started_at": None if started is None else NOW - started,
    }
    if draw(st.booleans()):
        fields |= {
            "outcome": draw(st.sampled_from(Outcome)),
            "cause": draw(maybe(st.sampled_from(Cause))),
            "to_step": draw(STEPS),
            "receipt": draw(maybe(st.just(a_receipt(100)))),
            "ended_at": NOW - draw(AGES),
        }
    return an_attempt(**fields)


@st.composite
def runs(draw: Callable[..., Any]) -> Run:
    return a_run(
        draw(attempts()),
        state=draw(st.sampled_from(RunState)),
        allowed=draw(st.sampled_from([0, 2, 3])),
        failures=draw(st.dictionaries(st.sampled_from(["spot", "hardware", "user_error"]), st.integers(1, 60))),
        mark=draw(maybe(st.just((1, 100)))),
    )


@st.composite
def reports(draw: Callable[..., Any]) -> Report:
    instance = draw(st.sampled_from(["m1", "m2"]))
    drained = an_answer(drain=draw(DRAINS), outcome=draw(st.sampled_from(DrainOutcome)), at=NOW - draw(AGES))
    return a_report(
        instance=instance,
        incarnation=INSTANCES[instance],
        at=NOW - draw(AGES),
        phase=draw(st.sampled_from([Phase.TRAINING, *Phase])),
        ready=draw(st.booleans()),
        attempt=draw(st.sampled_from([1, 2, None])),
        step=draw(STEPS),
        receipt=draw(maybe(st.just(a_receipt(100)))),
        rejected=draw(st.sampled_from([(), (a_receipt(100),)])),
        notice=draw(maybe(st.sampled_from([a_notice(), a_notice(Cause.REBALANCE, lead=None)]))),
        ended=draw(maybe(st.builds(an_end, attempt=st.sampled_from([1, 2]), outcome=st.sampled_from(Outcome)))),
        drained=draw(maybe(st.just(drained))),
    )


@st.composite
def orders(draw: Callable[..., Any]) -> Order:
    assignment = an_assignment(attempt=draw(st.sampled_from([1, 2])))
    return an_order(
        incarnation=draw(st.sampled_from([1, 2])),
        desired=draw(st.sampled_from(Desired)),
        assignment=draw(maybe(st.just(assignment))),
    )


@st.composite
def placements(draw: Callable[..., Any]) -> Placement:
    return a_placement(
        market=draw(st.sampled_from(Market)),
        incarnation=draw(st.integers(1, 3)),
        present=draw(st.booleans()),
        powered=draw(st.booleans()),
        reason=draw(maybe(st.sampled_from(StopReason))),
        run=draw(st.sampled_from([None, "main", "other"])),
    )


@st.composite
def shortages(draw: Callable[..., Any]) -> Shortage:
    return a_shortage(
        draw(st.sampled_from(["", "local", "big"])),
        draw(st.sampled_from(["", "local", "a"])),
        market=draw(st.sampled_from(Market)),
        since=NOW - draw(AGES),
        at=NOW - draw(AGES),
    )


@st.composite
def records(draw: Callable[..., Any]) -> SpecRecord:
    return a_record(draw(specs()), destroying=draw(st.sampled_from([False, False, False, True])))


@st.composite
def worlds(draw: Callable[..., Any], *, readable: bool = True) -> Observed:
    """Anything a tick might read about one node, however inconsistent."""
    found = tuple(draw(machines(name)) for name in ("m1", "m2") if draw(st.booleans()))
    claims = tuple(
        an_incarnation(
            number=number,
            instance=draw(maybe(st.just(f"m{number}"))),
            ended_at=draw(maybe(st.just(NOW))),
            tried_at=draw(maybe(st.sampled_from([NOW - 5, NOW - 60, NOW - 600]))),
        )
        for number in (1, 2, 3)
        if draw(st.booleans())
    )
    holds = tuple(
        a_hold(kind, node=draw(st.sampled_from([NODE, None])), instance="m1", until=draw(maybe(st.just(NOW + 5))))
        for kind in draw(st.lists(st.sampled_from(HoldKind), max_size=2, unique=True))
    )
    claimed = st.builds(
        a_claim,
        drain=DRAINS,
        instance=st.sampled_from(["m1", "m2"]),
        by=st.sampled_from(["controller", "pulumi up"]),
        expires_at=st.sampled_from([NOW - 1, NOW + 60, NOW + 600]),
    )
    return Observed(
        fleet="f",
        record=draw(maybe(records())),
        machines=found if readable else None,
        placements=draw(st.just({}) | st.builds(lambda each: {NODE: each}, placements())),
        incarnations={(claim.node, claim.number): claim for claim in claims},
        drains=draw(st.just({}) | st.builds(lambda each: {NODE: each}, claimed)),
        orders=draw(st.just({}) | st.builds(lambda each: {NODE: each}, orders())),
        reports=draw(st.just({}) | st.builds(lambda each: {NODE: each}, reports())),
        runs=draw(st.just({}) | st.builds(lambda each: {RUN: each}, runs())),
        receipts={RUN: draw(st.sampled_from([(), (a_receipt(100),), (a_receipt(130, epoch=2), a_receipt(100))]))},
        holds=holds,
        allowances=draw(st.sampled_from([{}, {}, {"m1": an_allowance()}])),
        shortages=tuple(draw(st.lists(shortages(), max_size=4))),
        shared=draw(st.sampled_from([(), ("role: x",)])),
    )


def planned(observed: Observed) -> tuple[Observed, Plan]:
    """What a tick does: settle first, then plan from the result."""
    settled = apply_facts(observed, settle(observed, NOW))
    record = settled.record
    spec = record.spec if record is not None and not record.destroying else None
    return settled, plan(spec, settled, NOW)


def ends(found: Plan, machine: Machine) -> bool:
    """Whether the plan takes this machine away."""
    for step in (step for action in found.actions if action.node == machine.node for step in action.steps):
        if isinstance(step, Converge):
            kept = step.placement.present and step.placement.incarnation == machine.incarnation
            if not kept:
                return True
        if isinstance(step, PowerOff | EndStray) and step.machine.id == machine.id:
            return True
    return False


@st.composite
def worlds_at_work(draw: Callable[..., Any]) -> tuple[Observed, Machine]:
    """Any world, but that a live agent says: the open attempt trains on this machine. The list may lack it."""
    world = draw(worlds())
    name = draw(st.sampled_from(["m1", "m2"]))
    launched = NOW - draw(st.sampled_from([40.0, 400.0, 7200.0]))
    at_work = but(draw(machines(name)), state=InstanceState.RUNNING, ending=False, launched_at=launched)
    others = tuple(machine for machine in world.machines if machine.id != name)
    attempt = an_attempt(
        number=draw(st.sampled_from([1, 2])), incarnation=at_work.incarnation, fingerprint=draw(FINGERPRINTS)
    )
    report = but(
        draw(reports()),
        instance=name,
        incarnation=at_work.incarnation,
        at=NOW - draw(st.floats(0, SILENT_AFTER)),
        phase=Phase.TRAINING,
        attempt=attempt.number,
        ended=None,
    )
    listed = draw(st.sampled_from([(*others, at_work), (at_work, *others), (at_work,), ()]))
    run = but(draw(runs()), attempt=attempt, state=RunState.TRAINING)
    return but(world, machines=listed, reports={NODE: report}, runs={RUN: run}), at_work


def covered(observed: Observed, machine: Machine) -> bool:
    """Whether the machine may go all the same: this attempt's drain was answered, or its loss is allowed."""
    report = observed.reports[machine.node]
    drained, started = report.drained, report.started_at or 0
    answered = drained is not None and drained.outcome is not DrainOutcome.REFUSED and drained.at >= started
    return answered or machine.id in observed.allowances


@SETTINGS
@given(worlds())
def test_planning_and_its_status_never_fail(observed: Observed) -> None:
    settled, found = planned(observed)
    assert fleet_status(settled, found, NOW).sentence


@SETTINGS
@given(worlds(readable=False))
def test_machines_that_could_not_be_read_are_never_acted_on(observed: Observed) -> None:
    assert settle(observed, NOW) == Facts()
    assert planned(observed)[1].actions == ()


@SETTINGS
@given(worlds_at_work())
def test_no_trainer_at_work_is_ended_that_was_not_asked_to_save(world: tuple[Observed, Machine]) -> None:
    observed, machine = world
    settled, found = planned(observed)
    assert not ends(found, machine) or covered(settled, machine)


def creations(found: Plan, *kinds: Kind) -> list[Converge]:
    """What the plan makes with actions of these kinds on node 0."""
    steps = [step for a in found.actions if a.kind in kinds and a.node == NODE for step in a.steps]
    return [step for step in steps if isinstance(step, Converge) and step.placement.present]


@SETTINGS
@given(worlds())
def test_no_new_machine_is_made_of_what_was_lately_refused(observed: Observed) -> None:
    settled, found = planned(observed)
    short = {(each.market, each.instance_type, each.zone) for each in settled.shortages if NOW - each.at < 300}
    for made in creations(found, Kind.CREATE):
        placed = made.placement
        assert made.claim is None or (placed.market, placed.instance_type, placed.zone) not in short


@SETTINGS
@given(worlds())
def test_no_machine_is_made_while_it_is_not_known_whether_the_last_one_was(observed: Observed) -> None:
    settled, found = planned(observed)
    last = max(settled.incarnations.values(), key=lambda claim: claim.number, default=None)
    if last is not None and last.tried_at == NOW - 5 and last.instance is None and last.ended_at is None:
        assert creations(found, Kind.CREATE, Kind.REPLACE) == []


@SETTINGS
@given(worlds())
def test_what_was_settled_is_settled(observed: Observed) -> None:
    settled = apply_facts(observed, settle(observed, NOW))
    assert settle(settled, NOW) == Facts()


@SETTINGS
@given(worlds())
def test_a_node_gets_at_most_one_action(observed: Observed) -> None:
    counts = Counter(action.node for action in planned(observed)[1].actions)
    assert all(count == 1 for count in counts.values())
