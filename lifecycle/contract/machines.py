"""Machines: made once, seen whole or not at all, switched by the rules of their market, ended for good."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from lifecycle.contract.premises import FLEET, NODE, POOL, Premises, able, fills
from lifecycle.model import tags
from lifecycle.model.errors import GuardRefused, SteadyError, Unreadable
from lifecycle.model.fleet import Market
from lifecycle.model.ids import NodeName
from lifecycle.model.plan import Label
from lifecycle.model.records import Placement
from lifecycle.model.states import Cause, InstanceState
from lifecycle.model.world import Machine
from lifecycle.ports.provider import Provider

OTHER = f"{FLEET}/{POOL}/1"


class MachineContract:
    """Compute and provisioner."""

    @pytest.fixture
    def premises(self) -> Premises:
        raise NotImplementedError("override the fixture `premises`: lifecycle/contract/README.md shows how")

    # ---- making ----------------------------------------------------------------------------------

    def test_a_machine_is_in_the_list_within_the_lag_of_its_making(self, premises: Premises) -> None:
        placement = premises.placed(incarnation=3)
        began = premises.now()
        premises.provider.provisioner.converge(FLEET, [placement])
        while not (found := premises.live()) and premises.now() < began + premises.lag:
            premises.wait()
        assert [(machine.node, machine.incarnation, machine.market) for machine in found] == [(NODE, 3, "spot")]

    def test_it_carries_every_tag_the_first_time_that_it_is_seen(self, premises: Premises) -> None:
        premises.provider.provisioner.converge(FLEET, [premises.placed(incarnation=3)])
        first = premises.seen(lambda _: True, "it is listed")
        wanted = {**tags.of_fleet(premises.owner, FLEET), **tags.worn(NodeName.parse(NODE), 3)}
        assert wanted.items() <= {**first.tags}.items()

    def test_it_is_of_the_type_and_zone_that_were_asked_for(self, premises: Premises) -> None:
        machine = premises.made()
        asked = (premises.instance_type or machine.instance_type, premises.zone or machine.zone)
        assert (machine.instance_type, machine.zone) == asked

    def test_one_that_never_reports_can_be_told_by_the_time_of_its_start(self, premises: Premises) -> None:
        began = premises.now()
        machine = premises.made()
        assert began - 5 <= machine.launched_at <= premises.now() + 5

    def test_every_placement_has_its_outcome_and_none_has_none(self, premises: Premises) -> None:
        placements = [premises.placed(), premises.placed(node=OTHER)]
        outcomes = premises.provider.provisioner.converge(FLEET, placements)
        assert [(outcome.node, outcome.error) for outcome in outcomes] == [(NODE, ""), (OTHER, "")]
        assert list(premises.provider.provisioner.converge(FLEET, [])) == []

    def test_one_incarnation_is_one_machine_however_often_it_is_asked_for(self, premises: Premises) -> None:
        machine = premises.made()
        for provider in (premises.provider, premises.open()):
            assert not provider.provisioner.converge(FLEET, [premises.placed()])[0].error
        assert [each.id for each in premises.live()] == [machine.id]

    def test_two_controllers_at_once_make_one_machine_of_an_incarnation(self, premises: Premises) -> None:
        with ThreadPoolExecutor(2) as both:
            asked = [both.submit(_converged, premises.open(), premises.placed()) for _ in range(2)]
        assert any(each.result() for each in asked)
        premises.up(premises.placed())
        assert len(premises.live()) == 1

    def test_an_incarnation_that_has_ended_is_not_made_again(self, premises: Premises) -> None:
        machine = premises.made()
        premises.provider.provisioner.converge(FLEET, [premises.placed(present=False)])
        premises.gone(machine)
        premises.provider.provisioner.converge(FLEET, [premises.placed()])
        assert premises.live() == []

    def test_the_next_incarnation_ends_the_one_before(self, premises: Premises) -> None:
        first = premises.made()
        second = premises.made(incarnation=2)
        premises.gone(first)
        assert [each.id for each in premises.live()] == [second.id]

    def test_a_change_of_one_node_is_none_of_another(self, premises: Premises) -> None:
        first, other = premises.made(), premises.made(node=OTHER)
        premises.provider.provisioner.converge(FLEET, [premises.placed(present=False)])
        premises.gone(first)
        assert [(each.id, each.state) for each in premises.live()] == [(other.id, InstanceState.RUNNING)]

    def test_without_capacity_nothing_is_made_and_the_outcome_says_so(self, premises: Premises) -> None:
        with able(premises.short(), "lack machines"):
            (outcome,) = premises.provider.provisioner.converge(FLEET, [premises.placed()])
        assert (bool(outcome.error), outcome.no_capacity, outcome.uncertain) == (True, True, False)
        assert premises.live() == []

    def test_a_lost_answer_is_uncertain_and_a_repeat_finds_the_machine(self, premises: Premises) -> None:
        with able(premises.losing(), "lose an answer"):
            (outcome,) = premises.provider.provisioner.converge(FLEET, [premises.placed()])
        assert (bool(outcome.error), outcome.no_capacity, outcome.uncertain) == (True, False, True)
        found = premises.seen(lambda machine: fills(machine, premises.placed()), "the machine of the lost answer")
        assert premises.made().id == found.id
        assert len(premises.live()) == 1

    # ---- seeing ----------------------------------------------------------------------------------

    def test_a_fleet_without_machines_is_an_empty_list(self, premises: Premises) -> None:
        assert premises.listed() == []

    def test_every_controller_sees_the_same(self, premises: Premises) -> None:
        machine = premises.made()
        assert list(premises.open().compute.machines(FLEET)) == [machine]

    def test_another_fleets_machines_are_not_listed_and_not_ended(self, premises: Premises) -> None:
        machine = premises.made()
        assert list(premises.provider.compute.machines("g")) == []
        premises.provider.provisioner.converge("g", [premises.placed(node="g/t/0", present=False)])
        assert [each.id for each in premises.live()] == [machine.id]

    def test_a_strangers_machine_is_not_listed_and_not_ended(self, premises: Premises) -> None:
        _, untouched = premises.stranger()
        machine = premises.made()
        assert [each.id for each in premises.listed()] == [machine.id]
        premises.provider.provisioner.converge(FLEET, [premises.placed(present=False)])
        premises.gone(machine)
        assert untouched()

    @pytest.mark.parametrize("verb", ["power_off", "power_on", "end_stray"])
    def test_a_strangers_machine_is_not_touched_whoever_says_it_is_ours(
        self, premises: Premises, verb: str
    ) -> None:
        forged, untouched = premises.stranger()
        try:
            getattr(premises.provider.compute, verb)(forged)
        except GuardRefused as refused:
            assert (bool(refused.what), bool(refused.fix)) == (True, True)
        assert untouched()

    def test_what_cannot_be_listed_is_unreadable_and_never_an_empty_list(self, premises: Premises) -> None:
        machine = premises.made()
        with premises.blind(), pytest.raises(Unreadable):
            premises.listed()
        assert [each.id for each in premises.live()] == [machine.id]

    def test_what_cannot_be_listed_is_not_made_twice_and_not_ended(self, premises: Premises) -> None:
        machine = premises.made()
        with premises.blind():
            for present in (True, False):
                assert _failed(premises, present=present)
        assert [each.id for each in premises.live()] == [machine.id]

    # ---- switching -------------------------------------------------------------------------------

    def test_a_spot_machine_refuses_to_be_stopped(self, premises: Premises) -> None:
        machine = premises.made()
        with pytest.raises(GuardRefused):
            premises.provider.compute.power_off(machine)
        assert [(each.id, each.state) for each in premises.live()] == [(machine.id, InstanceState.RUNNING)]

    def test_an_on_demand_machine_stops_and_starts_as_the_same_one(self, premises: Premises) -> None:
        machine = premises.made(market=Market.ON_DEMAND)
        stopped = _stopped(premises, machine)
        premises.provider.compute.power_on(stopped)
        again = premises.up(premises.placed())
        assert (again.id, again.market, {**again.tags}) == (machine.id, Market.ON_DEMAND, {**machine.tags})
        assert again.launched_at >= stopped.launched_at

    def test_a_stopped_machine_keeps_its_disk(self, premises: Premises) -> None:
        machine = premises.made(market=Market.ON_DEMAND)
        kept = able(premises.disk(machine), "leave something on a disk")
        _stopped(premises, machine)
        assert kept()

    def test_an_ended_machine_leaves_no_disk(self, premises: Premises) -> None:
        machine = premises.made()
        left = able(premises.disk(machine), "leave something on a disk")
        premises.provider.provisioner.converge(FLEET, [premises.placed(present=False)])
        premises.gone(machine)
        assert not left()

    def test_stopping_what_is_stopped_and_starting_what_runs_do_nothing(self, premises: Premises) -> None:
        machine = premises.made(market=Market.ON_DEMAND)
        premises.provider.compute.power_on(machine)
        assert premises.listed() == [machine]
        stopped = _stopped(premises, machine)
        premises.provider.compute.power_off(stopped)
        assert premises.listed() == [stopped]

    # ---- ending ----------------------------------------------------------------------------------

    def test_ending_is_final_and_a_repeat_does_nothing(self, premises: Premises) -> None:
        machine = premises.made(market=Market.ON_DEMAND)
        for _ in range(2):
            (outcome,) = premises.provider.provisioner.converge(
                FLEET, [premises.placed(market=Market.ON_DEMAND, present=False)]
            )
            assert (outcome.error, outcome.orphan) == ("", None)
        premises.gone(machine)
        try:
            premises.provider.compute.power_on(machine)
        except SteadyError as refused:
            assert refused.fix
        assert premises.live() == []

    def test_a_stopped_machine_can_be_ended(self, premises: Premises) -> None:
        stopped = _stopped(premises, premises.made(market=Market.ON_DEMAND))
        premises.provider.provisioner.converge(FLEET, [premises.placed(market=Market.ON_DEMAND, present=False)])
        premises.gone(stopped)

    def test_a_stray_is_ended_and_a_repeat_does_nothing(self, premises: Premises) -> None:
        machine = premises.made()
        premises.provider.compute.end_stray(machine)
        premises.gone(machine)
        premises.provider.compute.end_stray(machine)
        assert premises.live() == []

    def test_what_we_ended_is_not_blamed_on_the_provider(self, premises: Premises) -> None:
        machine = premises.made()
        premises.provider.compute.end_stray(machine)
        ended = premises.gone(machine)
        if ended is not None:
            assert ended.cause in (None, Cause.OPERATOR, Cause.CONTROLLER)
            assert ended.ended_at is None or ended.ended_at >= machine.launched_at - 5

    # ---- tags and what is shared -----------------------------------------------------------------

    def test_labels_leave_the_tags_that_say_whose_machine_it_is(self, premises: Premises) -> None:
        machine = premises.made()
        premises.provider.compute.label([Label(machine=machine, tags={tags.STATE: "training"})])
        (found,) = premises.live()
        assert {key: found.tags[key] for key in machine.tags} == {**machine.tags}
        assert found.tags.get(tags.STATE) in (None, "training")

    def test_a_changed_tag_is_put_back_and_the_machine_stays(self, premises: Premises) -> None:
        machine = premises.made()
        able(premises.retagged(machine, tags.NAME, "mine"), "change a tag")
        premises.provider.provisioner.converge(FLEET, [premises.placed()])
        assert [(each.id, each.tags[tags.NAME]) for each in premises.live()] == [(machine.id, NODE)]

    def test_what_machines_share_is_declared_without_touching_them(self, premises: Premises) -> None:
        machine = premises.made()
        for _ in range(2):
            premises.provider.provisioner.share(FLEET)
        assert list(premises.provider.provisioner.differences(FLEET)) == []
        assert [(each.id, each.state) for each in premises.live()] == [(machine.id, InstanceState.RUNNING)]

    def test_what_machines_shared_goes_last_and_a_repeat_does_nothing(self, premises: Premises) -> None:
        machine = premises.made()
        premises.provider.provisioner.converge(FLEET, [premises.placed(present=False)])
        premises.gone(machine)
        for _ in range(2):
            premises.provider.provisioner.dismantle(FLEET)
        assert premises.live() == []


def _converged(provider: Provider, placement: Placement) -> bool:
    """Whether it went well; of two at once, one may be turned away."""
    try:
        (outcome,) = provider.provisioner.converge(FLEET, [placement])
    except SteadyError:
        return False
    return not outcome.error


def _stopped(premises: Premises, machine: Machine) -> Machine:
    """The machine, once it has been stopped."""
    premises.provider.compute.power_off(machine)
    return premises.seen(lambda each: each.state == "stopped", "it is stopped")


def _failed(premises: Premises, *, present: bool) -> bool:
    """Whether converging fails, in one of the two ways that it may."""
    try:
        outcomes = premises.provider.provisioner.converge(FLEET, [premises.placed(present=present)])
    except SteadyError:
        return True
    return all(outcome.error for outcome in outcomes)
