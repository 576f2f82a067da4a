"""One controller's way to the simulated cloud: seeing, switching, and Pulumi's part of making and ending.

Every call goes by a `probe`, which may take its time, refuse it, lose its answer, or kill who makes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import NamedTuple, Protocol

from lifecycle.adapters.simulated.cloud import Cloud, Instance, Kind, NoCapacity, Stack
from lifecycle.model import tags
from lifecycle.model.errors import GuardRefused, SteadyError
from lifecycle.model.fleet import Market
from lifecycle.model.ids import NodeName
from lifecycle.model.plan import Label
from lifecycle.model.records import Placement
from lifecycle.model.world import Machine
from lifecycle.ports.provisioner import Outcome

OWNER = "simulated"
TYPE, ZONE = "sim.large", "sim-1a"
"""What the provider takes where a placement names neither."""


class Moment(StrEnum):
    """Where a call stands when the probe is asked."""

    BEFORE = "before"
    AFTER = "after"


class Call(NamedTuple):
    """A call of a port: what is asked, of whom. `changes`: it may change something."""

    verb: str
    subject: str
    changes: bool = True

    def __str__(self) -> str:
        return f"{self.verb} {self.subject}"


Probe = Callable[[Call, Moment], None]
"""May let time pass, or raise: `Refused` before, Unreadable before or after (then the answer is lost)."""


class Refused(SteadyError):
    """The provider said no: nothing was made, and it says so."""


class Touched(NamedTuple):
    """A call that reached the provider: what it was asked to change, and the tags of the machine it names."""

    at: float
    verb: str
    instance: str
    tags: Mapping[str, str]


class Guard(Protocol):
    """`lifecycle.control.guard.LastGuard`, as far as the provisioner asks it."""

    def before_create(self, placement: Placement, form: str = "") -> None: ...

    def made(self, node: str, incarnation: int, instance: str) -> None: ...

    def refused(self, node: str, incarnation: int) -> None: ...

    def before_delete(self, node: str, instance: str) -> str: ...

    def ended(self, node: str, incarnation: int) -> None: ...


def nothing(_: Call, __: Moment) -> None:
    """The probe that lets everything pass."""


class SimulatedProvider:
    """Implements `ports.compute.Compute` and `ports.provisioner.Provisioner`, as one controller's process does.

    `noted` is told of every change that is asked of the cloud, at the moment of the call; `seen` lists a fleet's
    machines as its records know them.
    """

    def __init__(
        self,
        cloud: Cloud,
        noted: Callable[[Touched], None],
        guard: Callable[[str], Guard],
        seen: Callable[[str], Sequence[Machine]],
        probe: Probe = nothing,
    ) -> None:
        self._cloud, self._noted, self._guard, self._seen, self._probe = cloud, noted, guard, seen, probe

    # ---- compute ---------------------------------------------------------------------------------

    def machines(self, fleet: str) -> Sequence[Machine]:
        with self._asked(Call("list", fleet, changes=False)):
            return self._cloud.listed(OWNER, fleet)

    def power_off(self, machine: Machine) -> None:
        self._refuse_spot(machine)
        self._touch("stop", self._proven(machine), self._cloud.stop)

    def power_on(self, machine: Machine) -> None:
        self._refuse_spot(machine)
        self._touch("start", self._proven(machine), self._cloud.start)

    def end_stray(self, machine: Machine) -> None:
        self._touch("terminate", self._proven(machine), self._cloud.terminate)

    def label(self, labels: Sequence[Label]) -> None:
        for label in labels:
            instance = self._cloud.instances.get(label.machine.id)
            if instance is not None and instance.live:
                wanted = dict(label.tags)
                self._touch("label", instance, lambda each, wanted=wanted: self._cloud.retag(each, **wanted))  # type: ignore[misc]

    @staticmethod
    def _refuse_spot(machine: Machine) -> None:
        if machine.market is Market.SPOT:
            raise GuardRefused(f"{machine.id} is a spot machine: it can only be ended", fix="`steady stop` ends it")

    def _proven(self, machine: Machine) -> Instance:
        """The machine as it is now. Raises GuardRefused unless its tags still name us and the node."""
        found = self._cloud.instances.get(machine.id)
        if found is None or not tags.owned(found.tags, OWNER, NodeName.parse(machine.node).fleet):
            raise GuardRefused(f"{machine.id} is not our machine of {machine.node}", fix="see who changed its tags")
        return found

    # ---- provisioner -----------------------------------------------------------------------------

    def differences(self, fleet: str) -> Sequence[str]:  # noqa: ARG002
        return ()

    def share(self, fleet: str) -> None:
        """Nothing is shared here."""

    def dismantle(self, fleet: str) -> None:
        with self._asked(Call("dismantle", fleet)):
            self._cloud.stacks.pop(fleet, None)

    def converge(self, fleet: str, placements: Sequence[Placement]) -> Sequence[Outcome]:
        """One update of the fleet's stack: locked while it lasts, or refused because it is."""
        stack = self._cloud.stack(fleet)
        if stack.locked:
            return [Outcome(node=p.node, error="the stack is locked", uncertain=p.present) for p in placements]
        stack.locked = True
        try:
            strays = self._strays(fleet, stack)
            return [self._converge(fleet, stack, placement, strays) for placement in placements]
        finally:
            stack.locked = False

    def _strays(self, fleet: str, stack: Stack) -> Mapping[str, Machine]:
        """Live machines that the state does not know, by node; of nodes whose own lives none is looked at."""
        live = [each for each in self._seen(fleet) if each.live and not each.ending]
        ids = {each.id for each in live}
        return {each.node: each for each in live if stack.kept.get(each.node) not in ids}

    def _converge(self, fleet: str, stack: Stack, placement: Placement, strays: Mapping[str, Machine]) -> Outcome:
        node, stray, guard = placement.node, strays.get(placement.node), self._guard(fleet)
        if not placement.present and stray is not None:
            return Outcome(node=node, orphan=stray)
        try:
            if stray is not None and stray.incarnation == placement.incarnation:
                stack.kept[node] = stray.id
            self._settle(stack, placement, guard)
        except (NoCapacity, Refused) as said:
            guard.refused(node, placement.incarnation)
            return Outcome(node=node, error=said.what, no_capacity=isinstance(said, NoCapacity))
        except SteadyError as failed:
            return Outcome(node=node, error=failed.what, uncertain=placement.present)
        return Outcome(node=node)

    def _settle(self, stack: Stack, placement: Placement, guard: Guard) -> None:
        """Read by its id first; then another incarnation is ended, and the one that is wanted made."""
        node = placement.node
        found = self._cloud.instances.get(stack.kept.get(node, ""))
        if found is None or not found.live:
            stack.kept.pop(node, None)
            found = None
        if found is not None and placement.present and _number(found) == placement.incarnation:
            self._restore_tags(found, placement)
            return
        if found is not None:
            guard.before_delete(node, found.id)
            self._touch("terminate", found, self._cloud.terminate)
            stack.kept.pop(node, None)
            guard.ended(node, _number(found))
        if placement.present:
            stack.kept[node] = self._make(placement, guard)

    def _restore_tags(self, found: Instance, placement: Placement) -> None:
        worn = tags.worn(NodeName.parse(placement.node), placement.incarnation)
        if any(found.tags.get(key) != value for key, value in worn.items()):
            self._touch("tag", found, lambda each: self._cloud.retag(each, **worn))

    def _make(self, placement: Placement, guard: Guard) -> str:
        guard.before_create(placement)
        name = NodeName.parse(placement.node)
        worn = tags.identity(OWNER, name, placement.incarnation) | {tags.NAME: str(name)}
        kind = Kind(placement.market, placement.instance_type or TYPE, placement.zone or ZONE)
        with self._asked(Call("create", f"{placement.node}#{placement.incarnation}")):
            made = self._cloud.create(worn, kind)
            self._noted(Touched(self._cloud.timeline.now(), "create", made.id, dict(made.tags)))
        guard.made(placement.node, placement.incarnation, made.id)
        return made.id

    # ---- calls -----------------------------------------------------------------------------------

    def _touch(self, verb: str, instance: Instance, change: Callable[[Instance], None]) -> None:
        with self._asked(Call(verb, instance.id)):
            self._noted(Touched(self._cloud.timeline.now(), verb, instance.id, dict(instance.tags)))
            change(instance)

    @contextmanager
    def _asked(self, call: Call) -> Iterator[None]:
        self._probe(call, Moment.BEFORE)
        yield
        self._probe(call, Moment.AFTER)


def _number(instance: Instance) -> int:
    return int(instance.worn[tags.INCARNATION])
