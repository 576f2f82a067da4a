"""The simulated cloud behaves as the real ones do, where that matters to who reads and changes it."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest

from lifecycle.adapters.simulated.cloud import Climate, Cloud, Instance, Kind, NoCapacity
from lifecycle.adapters.simulated.provider import OWNER, Call, Moment, Refused, SimulatedProvider, Touched
from lifecycle.adapters.simulated.timeline import Timeline
from lifecycle.adapters.simulated.trainer import Habits, SimulatedTrainer
from lifecycle.model import tags
from lifecycle.model.errors import GuardRefused, Unreadable
from lifecycle.model.fleet import Market
from lifecycle.model.ids import NodeName
from lifecycle.model.records import Placement
from lifecycle.model.states import Cause, InstanceState
from lifecycle.ports.provisioner import Outcome
from lifecycle.ports.trainer import StopRequest
from tests.builders import NODE, an_assignment, but

SPOT = Kind(Market.SPOT, "sim.large", "sim-1a")
DEMAND = Kind(Market.ON_DEMAND, "sim.large", "sim-1a")
SURE = Climate(boot=(30.0, 30.0), ending=(10.0, 10.0))


def a_cloud(climate: Climate = SURE) -> Cloud:
    return Cloud(Timeline(), Random(1), climate)


def made(cloud: Cloud, kind: Kind = SPOT, incarnation: int = 1) -> Instance:
    return cloud.create(tags.identity(OWNER, NodeName.parse(NODE), incarnation), kind)


# ---- time ----------------------------------------------------------------------------------------


def test_events_happen_in_order_and_time_stands_at_each() -> None:
    timeline, seen = Timeline(), list[float]()
    for after in (5.0, 1.0, 3.0):
        timeline.after(after, lambda: seen.append(timeline.monotonic()))
    timeline.run_for(4.0)
    assert (seen, timeline.monotonic(), timeline.next_event()) == ([1.0, 3.0], 4.0, 1.0)


def test_an_event_may_let_time_pass_itself() -> None:
    timeline, seen = Timeline(), list[float]()
    timeline.after(1.0, lambda: timeline.sleep(10.0))
    timeline.after(2.0, lambda: seen.append(timeline.monotonic()))
    timeline.run_for(3.0)
    assert (seen, timeline.monotonic()) == ([2.0], 11.0)


def test_a_jump_of_the_wall_clock_is_no_time() -> None:
    timeline = Timeline()
    before = timeline.now()
    timeline.jump(-3600.0)
    assert (timeline.now() - before, timeline.monotonic()) == (-3600.0, 0.0)


# ---- the cloud -----------------------------------------------------------------------------------


def test_a_machine_boots_and_a_spot_notice_takes_it_at_its_deadline() -> None:
    cloud = a_cloud()
    machine = made(cloud)
    cloud.timeline.run_for(30.0)
    cloud.notice(machine, Cause.SPOT, 120.0)
    cloud.timeline.run_for(119.0)
    assert machine.state is InstanceState.RUNNING
    cloud.timeline.run_for(1.0)
    assert (machine.state, machine.cause) == (InstanceState.TERMINATED, Cause.SPOT)


def test_an_ended_machine_is_ending_first_and_stays_listed_for_an_hour() -> None:
    cloud = a_cloud()
    machine = made(cloud)
    cloud.terminate(machine)
    assert [(each.state, each.ending) for each in cloud.listed(OWNER, "f")] == [(InstanceState.RUNNING, True)]
    cloud.timeline.run_for(10.0)
    assert [each.state for each in cloud.listed(OWNER, "f")] == [InstanceState.TERMINATED]
    cloud.timeline.run_for(3600.0)
    assert cloud.listed(OWNER, "f") == []


def test_a_stopped_machine_keeps_its_id_and_its_start_is_a_launch() -> None:
    cloud = a_cloud()
    machine = made(cloud, DEMAND)
    cloud.timeline.run_for(30.0)
    cloud.stop(machine)
    cloud.timeline.run_for(10.0)
    cloud.start(machine)
    cloud.timeline.run_for(30.0)
    assert (machine.state, machine.launched_at - machine.created_at) == (InstanceState.RUNNING, 40.0)


def test_capacity_is_counted_by_kind() -> None:
    cloud = a_cloud(but(SURE, capacity={SPOT: 1}))
    made(cloud)
    with pytest.raises(NoCapacity):
        made(cloud)
    assert made(cloud, DEMAND).live


def test_a_list_that_lags_shows_each_machine_as_it_was() -> None:
    cloud = a_cloud(but(SURE, lag=30.0))
    machine = made(cloud)
    seen = [len(cloud.listed(OWNER, "f")) for _ in range(20)]
    cloud.timeline.run_for(31.0)
    cloud.take(machine)
    states = {each.state for _ in range(50) for each in cloud.listed(OWNER, "f")}
    assert (set(seen), len(states) > 1) == ({0}, True)


def test_machines_of_others_are_not_listed() -> None:
    cloud = a_cloud()
    cloud.create(tags.identity("another", NodeName.parse(NODE), 1), SPOT)
    cloud.create(tags.identity(OWNER, NodeName.parse("g/t/0"), 1), SPOT)
    assert cloud.listed(OWNER, "f") == []


def test_a_machine_is_listed_again_once_its_tags_are_back() -> None:
    cloud = a_cloud()
    first, second = made(cloud), made(cloud, DEMAND, incarnation=2)
    listed = lambda: [each.id for each in cloud.listed(OWNER, "f")]  # noqa: E731
    before = listed()
    cloud.retag(first, owner="another")
    assert listed() == [second.id]
    cloud.retag(first, owner=OWNER)
    assert listed() == before


# ---- the provider --------------------------------------------------------------------------------


class Passing:
    """A last guard that lets everything pass, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *_: self.asked.append(name)


class Way:
    """One controller's way to a cloud; `faults` says what befalls a call, by verb and moment."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud, self.guard, self.touched = cloud, Passing(), list[Touched]()
        self.faults: dict[tuple[str, Moment], Exception] = {}
        self.provider = SimulatedProvider(
            cloud, self.touched.append, lambda _: self.guard, lambda fleet: cloud.listed(OWNER, fleet), self._probe
        )

    def _probe(self, call: Call, moment: Moment) -> None:
        if (call.verb, moment) in self.faults:
            raise self.faults[call.verb, moment]

    def converge(self, incarnation: int, *, present: bool = True) -> Outcome:
        placement = Placement(node=NODE, market=Market.SPOT, incarnation=incarnation, present=present)
        (found,) = self.provider.converge("f", [placement])
        return found

    @property
    def verbs(self) -> list[str]:
        return [touched.verb for touched in self.touched]


@pytest.fixture
def way() -> Way:
    return Way(a_cloud())


def test_the_same_incarnation_is_made_once(way: Way) -> None:
    assert [way.converge(1).error, way.converge(1).error] == ["", ""]
    assert way.verbs == ["create"]


def test_another_incarnation_is_ended_before_the_new_one_is_made_and_the_guard_is_asked(way: Way) -> None:
    way.converge(1)
    way.converge(2)
    assert way.verbs == ["create", "terminate", "create"]
    assert way.guard.asked == ["before_create", "made", "before_delete", "ended", "before_create", "made"]


def test_a_lost_answer_is_uncertain_and_the_machine_is_taken_up_later(way: Way) -> None:
    way.faults["create", Moment.AFTER] = Unreadable("no answer", fix="wait")
    assert way.converge(1).uncertain
    way.faults.clear()
    assert (way.converge(1).error, way.verbs) == ("", ["create"])


def test_a_refusal_is_certain(way: Way) -> None:
    way.faults["create", Moment.BEFORE] = Refused("RequestLimitExceeded", fix="later")
    found = way.converge(1)
    assert (found.error, found.uncertain, way.verbs) == ("RequestLimitExceeded", False, [])


def test_a_machine_that_the_stack_does_not_know_is_handed_back_to_be_ended(way: Way) -> None:
    stray = made(way.cloud)
    found = way.converge(1, present=False)
    assert found.orphan is not None
    assert found.orphan.id == stray.id


def test_a_stack_under_way_is_locked(way: Way) -> None:
    way.cloud.stack("f").locked = True
    assert (way.converge(1).uncertain, way.verbs) == (True, [])


def test_a_spot_machine_is_not_switched_off(way: Way) -> None:
    way.converge(1)
    (machine,) = way.provider.machines("f")
    with pytest.raises(GuardRefused):
        way.provider.power_off(machine)


def test_a_machine_whose_tags_are_another_owners_is_not_touched(way: Way) -> None:
    way.converge(1)
    (machine,) = way.provider.machines("f")
    way.cloud.retag(way.cloud.instances[machine.id], owner="another")
    with pytest.raises(GuardRefused):
        way.provider.end_stray(machine)


# ---- the trainer ---------------------------------------------------------------------------------


def a_trainer(**habits: Any) -> tuple[Timeline, SimulatedTrainer]:
    timeline = Timeline()
    trainer = SimulatedTrainer(timeline, lambda _: Habits(**{"every": 100.0, "save": 5.0, **habits}))
    trainer.prepare(an_assignment())
    trainer.launch(an_assignment(), None)
    return timeline, trainer


def steps(trainer: SimulatedTrainer) -> list[int]:
    return [checkpoint.step for checkpoint in trainer.checkpoints(an_assignment())]


def asked(mode: str = "save-and-exit") -> StopRequest:
    return StopRequest(request="r", mode=mode, reason="a test", deadline=None)


def test_steps_and_checkpoints_come_with_time() -> None:
    timeline, trainer = a_trainer()
    timeline.run_for(250.0)
    assert (trainer.progress("f.t.main.0"), steps(trainer)) == (250, [100, 200])


def test_asked_to_save_and_exit_it_stands_saves_and_ends() -> None:
    timeline, trainer = a_trainer()
    timeline.run_for(50.0)
    trainer.ask("f.t.main.0", asked())
    timeline.run_for(20.0)
    found = trainer.process(an_assignment())
    assert found is not None
    assert (steps(trainer), found.alive, found.exit_code) == ([50], False, 0)


def test_asked_to_save_it_trains_on() -> None:
    timeline, trainer = a_trainer()
    timeline.run_for(50.0)
    trainer.ask("f.t.main.0", asked("save"))
    timeline.run_for(20.0)
    assert (steps(trainer), trainer.progress("f.t.main.0")) == ([50], 70)


def test_one_that_does_not_obey_trains_on_whatever_it_is_asked() -> None:
    timeline, trainer = a_trainer(obeys=False)
    trainer.ask("f.t.main.0", asked())
    timeline.run_for(150.0)
    assert (trainer.progress("f.t.main.0"), steps(trainer)) == (150, [100])


def test_a_request_taken_back_lets_it_train_on_from_where_it_stood() -> None:
    timeline, trainer = a_trainer(save=60.0)
    timeline.run_for(50.0)
    trainer.ask("f.t.main.0", asked())
    timeline.run_for(10.0)
    trainer.withdraw("f.t.main.0")
    timeline.run_for(10.0)
    assert trainer.progress("f.t.main.0") == 60


@pytest.mark.parametrize(
    ("habits", "code", "step"), [({"crashes_at": 30}, 1, 30), ({"steps": 40}, 0, 40), ({"hangs_at": 20}, None, 20)]
)
def test_it_crashes_finishes_or_hangs(habits: dict[str, int], code: int | None, step: int) -> None:
    timeline, trainer = a_trainer(**habits)
    timeline.run_for(60.0)
    found = trainer.process(an_assignment())
    assert found is not None
    assert (found.exit_code, trainer.progress("f.t.main.0")) == (code, step)
    assert trainer.result("f.t.main.0")[0] is (code == 0)


def test_it_goes_on_from_the_checkpoint_that_it_is_given() -> None:
    timeline, trainer = a_trainer()
    timeline.run_for(120.0)
    second = an_assignment(attempt=2)
    trainer.prepare(second)
    trainer.launch(second, Path("step-000000100"))
    timeline.run_for(7.0)
    assert trainer.progress("f.t.main.0") == 107
