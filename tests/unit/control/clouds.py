"""A cloud in memory, and one controller's way to it: the compute and the provisioner of the tests of control."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lifecycle.model.errors import SteadyError, Unreadable
from lifecycle.model.plan import Label
from lifecycle.model.records import Placement
from lifecycle.model.states import InstanceState
from lifecycle.model.world import Machine
from lifecycle.ports.provisioner import Outcome
from tests.builders import a_machine, but
from tests.unit.agent.doubles import HandClock

Before = Callable[[str], None]
"""Called with the name of each change, before it is made."""


class Cloud:
    """The machines there are, whoever controls them."""

    def __init__(self, clock: HandClock) -> None:
        self.clock = clock
        self.listed: dict[str, Machine] = {}
        self.made: list[tuple[str, int]] = []
        self.calls: list[tuple[str, ...]] = []
        self.away = False
        self.failing: dict[str, str] = {}
        self.answers: dict[str, Outcome] = {}
        """What the provisioner answers for a node instead of making anything."""
        self.broken = ""
        """Why the provisioner answers nothing at all."""
        self.differs: tuple[str, ...] = ()
        self.unseen = ""
        """Why nobody can tell what differs."""
        self.labelled: list[Label] = []

    def has(self, *machines: Machine) -> None:
        self.listed |= {machine.id: machine for machine in machines}

    def live(self) -> list[tuple[str, int]]:
        return sorted((machine.node, machine.incarnation) for machine in self.listed.values() if machine.live)

    def turn(self, machine: Machine, state: InstanceState) -> None:
        self.listed[machine.id] = but(machine, state=state, launched_at=self.clock.now())

    def make(self, placement: Placement) -> None:
        found = (placement.node, placement.incarnation)
        if found in self.live():
            return
        self.made.append(found)
        self.has(
            a_machine(
                id=f"{placement.node}#{placement.incarnation}",
                node=placement.node,
                incarnation=placement.incarnation,
                market=placement.market,
                instance_type=placement.instance_type or "local",
                zone=placement.zone or "local",
                launched_at=self.clock.now(),
            )
        )


class Hands:
    """One controller's way to the cloud: `ports.compute.Compute` and `ports.provisioner.Provisioner`."""

    def __init__(self, cloud: Cloud, before: Before, changes: list[str]) -> None:
        self._cloud, self._before, self._changes = cloud, before, changes

    def machines(self, fleet: str) -> Sequence[Machine]:
        if self._cloud.away:
            raise Unreadable("the cloud is away", fix="wait")
        return [machine for machine in self._cloud.listed.values() if machine.node.startswith(f"{fleet}/")]

    def power_off(self, machine: Machine) -> None:
        self._change("power_off", machine.node)
        self._cloud.turn(machine, InstanceState.STOPPED)

    def power_on(self, machine: Machine) -> None:
        self._change("power_on", machine.node)
        self._cloud.turn(machine, InstanceState.RUNNING)

    def end_stray(self, machine: Machine) -> None:
        self._change("end_stray", machine.node)
        self._cloud.turn(machine, InstanceState.TERMINATED)

    def label(self, labels: Sequence[Label]) -> None:
        for label in labels:
            self._change("label", label.machine.node)
            self._cloud.labelled.append(label)

    def differences(self, fleet: str) -> Sequence[str]:
        self._cloud.calls.append((fleet,))
        if self._cloud.unseen:
            raise Unreadable(self._cloud.unseen, fix="wait")
        return self._cloud.differs

    def share(self, fleet: str) -> None:
        self._change("share", fleet)
        self._cloud.differs = ()

    def dismantle(self, fleet: str) -> None:
        self._change("dismantle", fleet)

    def converge(self, fleet: str, placements: Sequence[Placement]) -> Sequence[Outcome]:
        self._cloud.calls.append(tuple(placement.node for placement in placements))
        if self._cloud.broken:
            raise Unreadable(self._cloud.broken, fix="wait")
        return [self._converge(placement) for placement in placements]

    def _converge(self, placement: Placement) -> Outcome:
        if error := self._cloud.failing.get(placement.node):
            return Outcome(node=placement.node, error=error)
        if placement.node in self._cloud.answers:
            return self._cloud.answers[placement.node]
        for machine in list(self._cloud.listed.values()):
            kept = placement.present and machine.incarnation == placement.incarnation
            if machine.node == placement.node and machine.live and not kept:
                self._change("end", placement.node)
                self._cloud.turn(machine, InstanceState.TERMINATED)
        if placement.present:
            self._change("make", placement.node)
            self._cloud.make(placement)
        return Outcome(node=placement.node)

    def _change(self, what: str, node: str) -> None:
        self._before(f"{what} {node}")
        if error := self._cloud.failing.get(node):
            raise SteadyError(error, fix="see to it")
        self._changes.append(f"{what} {node}")
