"""The checker sees: a world is broken by hand in each way that an invariant forbids, and it says so."""

from __future__ import annotations

import pytest

from lifecycle.adapters.simulated.cloud import Instance
from lifecycle.adapters.simulated.cloud import Kind as MachineKind
from lifecycle.adapters.simulated.provider import TYPE, ZONE, Touched
from lifecycle.adapters.simulated.trainer import SimulatedTrainer
from lifecycle.model import tags
from lifecycle.model.fleet import Market
from lifecycle.model.plan import Action, Converge, Kind, Reason
from lifecycle.model.records import Outcome
from lifecycle.model.states import Cause, InstanceState, RunState
from lifecycle.simulation.world import Beginning, a_fleet
from tests.builders import but
from tests.scenarios.invariants import desired
from tests.scenarios.stage import FLEET, NODE, Stage

RUN = "f.t.main.0"


@pytest.fixture
def stage() -> Stage:
    """A fleet of one node that trains, with two checkpoints; nothing is wrong."""
    found = Stage(a_fleet(1))
    found.train()
    found.world.timeline.run_for(700.0)
    found.tick(found.seat("looks"))
    assert found.violations == []
    return found


def seen(stage: Stage) -> set[str]:
    """The invariants that the checker finds violated, after one more tick."""
    stage.tick(stage.seat("looks on"))
    return {violation.invariant for violation in stage.violations}


def copy_of(stage: Stage, **worn: str) -> Instance:
    """A machine that wears the tags of the one in place, or others."""
    found = stage.machine().worn | {f"steady:{key}": value for key, value in worn.items()}
    return stage.world.cloud.create(found, MachineKind(Market.SPOT, TYPE, ZONE))


def touch(stage: Stage, verb: str, instance: Instance | None = None, **worn: str) -> None:
    """A change asked of the cloud, as the provider notes it."""
    machine = instance or stage.machine()
    told = dict(machine.tags) | {f"steady:{key}": value for key, value in worn.items()}
    stage.world._note(Touched(stage.world.timeline.now(), verb, machine.id, told))


def test_i1_a_machine_that_nobody_claimed(stage: Stage) -> None:
    touch(stage, "create", incarnation="7")
    assert seen(stage) == {"I1"}


def test_i1_a_machine_made_without_one_of_its_tags(stage: Stage) -> None:
    machine = stage.machine()
    bare = {key: value for key, value in machine.tags.items() if key != tags.POOL}
    stage.world._note(Touched(stage.world.timeline.now(), "create", machine.id, bare))
    assert seen(stage) == {"I1"}


def test_i1_a_machine_of_ours_that_none_of_us_made(stage: Stage) -> None:
    copy_of(stage, node="f/t/9")
    stage.checker.check(None)
    assert {violation.invariant for violation in stage.violations} == {"I1"}


def test_i2_a_machine_made_beside_the_one_that_is_kept(stage: Stage) -> None:
    touch(stage, "create", copy_of(stage))
    assert "I2" in seen(stage)


def test_i2_a_second_machine_that_is_never_ended(stage: Stage) -> None:
    made = copy_of(stage)
    stage.checker.copies.add(made.id)
    stage.checker.found.clear()
    stage.world.timeline.run_for(1000.0)
    ticked = stage.tick(stage.seat("looks on"))
    assert ticked is not None
    idle = but(ticked, plan=but(ticked.plan, actions=(), waiting=(), refusals=()))
    for _ in range(4):
        stage.world.cloud.instances[made.id] = made
        made.state, made.ending = InstanceState.RUNNING, False
        stage.checker.check(idle)
    assert "I2" in {violation.invariant for violation in stage.violations}


@pytest.mark.parametrize("worn", [{"owner": "another"}, {"fleet": "g"}])
def test_i3_a_call_for_a_machine_that_is_not_ours(stage: Stage, worn: dict[str, str]) -> None:
    touch(stage, "stop", **worn)
    assert "I3" in seen(stage)


def test_i4_a_latest_that_went_back(stage: Stage) -> None:
    newest = stage.world.tracker.receipts(FLEET, RUN, 1)[0]
    stage.world.tracker.mark_pruned(FLEET, newest, None)
    stage.world.storage.shelves[FLEET, "receipt"].drop(f"{RUN}/000001/{newest.step:012d}/{newest.digest[:16]}")
    assert "I4" in seen(stage)


def test_i4_a_history_that_was_rewritten(stage: Stage) -> None:
    run = stage.world.tracker.observe(FLEET).runs[RUN]
    for step in (600, 0):
        ended = but(run.attempt, outcome=Outcome.STOPPED, to_step=step)
        stage.world.tracker.put_run(FLEET, but(run, attempt=ended), None)
        stage.checker.check(None)
    assert "I4" in seen(stage)


def test_i4_a_trainer_that_started_over_although_there_was_a_checkpoint(stage: Stage) -> None:
    receipts = stage.world.tracker.receipts(FLEET, RUN, 9)
    attempt = stage.world.tracker.past(FLEET).attempts.get(RUN, ())[-1]
    another = but(attempt, number=2, earlier=tuple(receipt.digest for receipt in receipts))
    stage.world.tracker.give_out(FLEET, another, None)
    stage.world.begun.append(Beginning(stage.world.timeline.now(), RUN, 2, stage.machine().id, NODE, 0))
    assert seen(stage) == {"I4"}


def test_i5_a_checkpoint_that_is_gone_from_the_store(stage: Stage) -> None:
    newest = stage.world.tracker.receipts(FLEET, RUN, 1)[0]
    stage.world.store.remove([f"{newest.prefix}/files/data"])
    assert "I5" in seen(stage)


@pytest.mark.parametrize("verb", ["stop", "terminate"])
def test_i6_a_trainer_at_work_that_was_ended(stage: Stage, verb: str) -> None:
    touch(stage, verb)
    assert seen(stage) == {"I6"}


def test_i6_a_save_that_was_never_stored(stage: Stage) -> None:
    host = stage.world.hosts[stage.machine().id]
    process = host.trainer.processes[RUN]
    host.trainer.disk.put(process.directory, "step-000009000", 9000)
    process.ended, process.exit_code = stage.world.timeline.monotonic(), 0
    touch(stage, "terminate")
    stage.checker.check(None)
    assert {violation.invariant for violation in stage.violations} == {"I6"}


def test_i7_one_request_that_was_answered_twice(stage: Stage) -> None:
    stage.world.hosts[stage.machine().id].trainer.answers += [(RUN, 1, "drain-1")] * 2
    assert seen(stage) == {"I7"}


def test_i8_an_attempt_that_was_started_on_two_machines(stage: Stage) -> None:
    first = stage.world.begun[-1]
    stage.world.begun.append(first._replace(instance="i-another"))
    assert seen(stage) == {"I8"}


def test_i8_an_attempt_that_nobody_gave_out(stage: Stage) -> None:
    stage.world.begun.append(stage.world.begun[-1]._replace(attempt=5))
    assert seen(stage) == {"I8"}


def test_i9_a_fleet_that_is_not_as_declared(stage: Stage) -> None:
    stage.world.cloud.take(stage.machine())
    assert desired(stage.world) == [f"{NODE}: 0 machines, 0 trainers"]
    assert not stage.is_quiet(stage.seat("looks on"), 3)


def test_i9_a_machine_of_a_node_that_is_not_declared(stage: Stage) -> None:
    found = copy_of(stage, node="f/t/9")
    assert desired(stage.world) == [f"{found.id} belongs to no declared node"]


def test_i10_a_node_said_to_train_where_nothing_does(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SimulatedTrainer, "at_work", lambda _: None)
    for _ in range(4):
        stage.tick(stage.seat("looks on"))
        stage.world.timeline.run_for(60.0)
    assert "I10" in {violation.invariant for violation in stage.violations}


def test_i10_a_node_said_to_be_gone_whose_machine_runs(stage: Stage) -> None:
    assert stage.last is not None
    completed = but(stage.last.observed.runs[RUN], state=RunState.COMPLETED)
    gone = but(stage.last.observed, machines=(), reports={}, heard={}, runs={RUN: completed})
    for _ in range(3):
        stage.checker.check(but(stage.last, observed=gone))
        stage.world.timeline.run_for(100.0)
    assert "I10" in {violation.invariant for violation in stage.violations}


def an_action(node: str, stage: Stage) -> Action:
    placement = stage.world.tracker.observe(FLEET).placements[NODE]
    step = Converge(placement=but(placement, node=node, incarnation=9))
    return Action(kind=Kind.REPLACE, node=node, reason=Reason(cause=Cause.DRIFT, evidence="x"), steps=(step,))


def test_i11_two_voluntary_repairs_in_one_tick(stage: Stage) -> None:
    assert stage.last is not None
    plan = but(stage.last.plan, actions=(an_action(NODE, stage), an_action("f/t/1", stage)))
    stage.checker.check(but(stage.last, plan=plan))
    assert {violation.invariant for violation in stage.violations} == {"I11"}


def test_i11_a_tick_that_could_not_see_and_acted(stage: Stage) -> None:
    assert stage.last is not None
    plan = but(stage.last.plan, actions=(but(an_action(NODE, stage), reason=Reason(cause="spec", evidence="x")),))
    stage.checker.check(but(stage.last, plan=plan, observed=but(stage.last.observed, machines=None)))
    assert "I11" in {violation.invariant for violation in stage.violations}


@pytest.mark.parametrize(("failures", "wrong"), [(3, ["f/t/0: 0 machines, 0 trainers"]), (4, [])])
def test_i9_a_node_without_a_retry_left_waits_for_a_person(stage: Stage, failures: int, wrong: list[str]) -> None:
    run = stage.world.tracker.observe(FLEET).runs[RUN]
    broken = but(run.attempt, outcome=Outcome.INTERRUPTED, cause=Cause.HARDWARE)
    stage.world.tracker.put_run(FLEET, but(run, attempt=broken, failures={"hardware": failures}), None)
    stage.world.cloud.take(stage.machine())
    stage.world.timeline.run_for(60.0)
    assert desired(stage.world) == wrong
