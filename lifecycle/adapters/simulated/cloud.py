"""The truth about the simulated machines: what was made, what became of it, and how late the list shows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple, Protocol

import msgspec

from lifecycle.adapters.simulated.timeline import Timeline
from lifecycle.model import tags
from lifecycle.model.errors import SteadyError
from lifecycle.model.fleet import Market
from lifecycle.model.ids import NodeName, urn_name
from lifecycle.model.records import Notice
from lifecycle.model.states import Cause, InstanceState
from lifecycle.model.world import Machine

FORGET_AFTER = 3600.0
"""Ended machines stay in the list this long, as on EC2."""


class NoCapacity(SteadyError):
    """The provider has no machine of this market, type and zone now."""


class Kind(NamedTuple):
    """What a machine is made of."""

    market: Market
    instance_type: str
    zone: str


class Climate(msgspec.Struct, frozen=True, kw_only=True):
    """How the cloud behaves. Pairs are ranges of seconds, drawn from evenly."""

    boot: tuple[float, float] = (20.0, 60.0)
    ending: tuple[float, float] = (5.0, 40.0)
    """From a call that stops or ends a machine to its being off, or gone."""
    lag: float = 0.0
    """The list may be this much behind, of each machine anew with every look."""
    capacity: Mapping[Kind, int] = {}
    """How many machines of a kind there may be; those not named are without limit."""
    prices: Mapping[str, float] = {}
    """Dollars per hour on demand, by type; of those not named no price is known."""


@dataclass
class Instance:
    """One machine as it is. `worn` are the tags it was made with."""

    id: str
    worn: Mapping[str, str]
    tags: dict[str, str]
    kind: Kind
    created_at: float
    launched_at: float
    state: InstanceState = InstanceState.PENDING
    ending: bool = False
    impaired: bool = False
    ended_at: float | None = None
    cause: Cause | None = None
    boots: int = 0
    shown: list[tuple[float, Machine | None]] = field(default_factory=list)

    @property
    def live(self) -> bool:
        return self.state is not InstanceState.TERMINATED and not self.ending

    @property
    def node(self) -> str:
        """The node that it was made for, whatever its tags say now."""
        return self.worn.get(tags.NODE, "")


class Hosts(Protocol):
    """What goes on inside the machines."""

    def booted(self, instance: Instance) -> None: ...

    def shutting_down(self, instance: Instance, deadline: float) -> None: ...

    def down(self, instance: Instance) -> None:
        """It is off or gone; whatever ran there does no longer."""
        ...

    def noticed(self, instance: Instance, notice: Notice) -> None: ...


@dataclass
class Stack:
    """The provisioner's own state of one fleet: which machine it keeps for each node."""

    kept: dict[str, str] = field(default_factory=dict)
    locked: bool = False


class Cloud:
    """Machines of every owner. All changes of truth go through here."""

    def __init__(self, timeline: Timeline, chance: Random, climate: Climate | None = None) -> None:
        self.timeline, self._chance, self.climate = timeline, chance, climate or Climate()
        self.instances: dict[str, Instance] = {}
        self.stacks: dict[str, Stack] = {}
        self.capacity: dict[Kind, int] = dict(self.climate.capacity)
        self.hosts: Hosts | None = None
        self.made: list[Callable[[Instance], None]] = []
        """Told of each machine that was made."""
        self._numbers: Counter[str] = Counter()
        self._now: dict[str, Machine] = {}
        self._by_fleet: dict[tuple[str, str], dict[str, Machine]] = {}

    def stack(self, fleet: str) -> Stack:
        return self.stacks.setdefault(fleet, Stack())

    # ---- seeing ----------------------------------------------------------------------------------

    def listed(self, owner: str, fleet: str) -> Sequence[Machine]:
        """What the provider's list shows now of a fleet's machines: each as it was some time within the lag."""
        if not self.climate.lag:
            return list(self._ours(owner, fleet).values())
        found = (self._seen(instance, self._drawn_lag()) for instance in self.instances.values())
        return [each for each in found if each is not None and tags.owned(each.tags, owner, fleet)]

    def _ours(self, owner: str, fleet: str) -> dict[str, Machine]:
        """The fleet's machines as they are, sorted out once: one fleet of a thousand is listed for each of them."""
        if (owner, fleet) not in self._by_fleet:
            found = {each.id: each for each in self._now.values() if tags.owned(each.tags, owner, fleet)}
            self._by_fleet[owner, fleet] = found
        return self._by_fleet[owner, fleet]

    def by_id(self, instance: str) -> Machine | None:
        """The machine as it is, by its id."""
        found = self.instances.get(instance)
        return found.shown[-1][1] if found else None

    def of_node(self, node: str) -> list[Instance]:
        """The node's live machines, whoever made them."""
        return [instance for instance in self.instances.values() if instance.live and instance.node == node]

    def _drawn_lag(self) -> float:
        return self._chance.uniform(0.0, self.climate.lag) if self.climate.lag else 0.0

    def _seen(self, instance: Instance, lag: float) -> Machine | None:
        at = self.timeline.monotonic() - lag
        return next((shown for since, shown in reversed(instance.shown) if since <= at), None)

    # ---- changing --------------------------------------------------------------------------------

    def create(self, worn: Mapping[str, str], kind: Kind) -> Instance:
        """Makes a machine with these tags. Raises NoCapacity."""
        if kind in self.capacity and self._in_use(kind) >= self.capacity[kind]:
            raise NoCapacity(f"no {kind.market} {kind.instance_type} in {kind.zone}", fix="try another, or later")
        node = worn.get(tags.NODE, "")
        self._numbers[node] += 1
        now = self.timeline.now()
        made = Instance(f"i-{urn_name(node)}-{self._numbers[node]}", worn, dict(worn), kind, now, now)
        self.instances[made.id] = made
        self._show(made)
        self._boot(made)
        for heard in self.made:
            heard(made)
        return made

    def _in_use(self, kind: Kind) -> int:
        return sum(each.kind == kind and each.live for each in self.instances.values())

    def terminate(self, instance: Instance, cause: Cause | None = None) -> None:
        """Ends a machine as a call or a person does: it shuts down first. A repeat does nothing."""
        if not instance.live:
            return
        off = instance.state is InstanceState.STOPPED
        instance.ending, instance.cause = True, instance.cause or cause or Cause.OPERATOR
        self._show(instance)
        self._go_down(instance, 1.0 if off else self._draw(self.climate.ending), InstanceState.TERMINATED)

    def power_itself_off(self, instance: Instance) -> None:
        """A shutdown from within ends the machine."""
        self.terminate(instance, Cause.HARDWARE)

    def stop(self, instance: Instance) -> None:
        """Powers a machine off; it keeps its disk. A repeat does nothing."""
        if instance.live and instance.state in (InstanceState.RUNNING, InstanceState.PENDING):
            self._turn(instance, InstanceState.STOPPING)
            self._go_down(instance, self._draw(self.climate.ending), InstanceState.STOPPED)

    def start(self, instance: Instance) -> None:
        """Powers a machine on. A repeat does nothing."""
        if instance.live and instance.state is InstanceState.STOPPED:
            instance.launched_at, instance.ended_at = self.timeline.now(), None
            self._turn(instance, InstanceState.PENDING)
            self._boot(instance)

    def notice(self, instance: Instance, cause: Cause, lead: float | None) -> None:
        """The provider is about to take the machine, after `lead` seconds; without, it is advice."""
        if not instance.live or instance.state is not InstanceState.RUNNING:
            return
        now = self.timeline.now()
        told = Notice(
            id=f"{instance.id}-{now:.0f}", cause=cause, seen_at=now, deadline=None if lead is None else now + lead
        )
        if self.hosts is not None:
            self.hosts.noticed(instance, told)
        if lead is not None:
            self.timeline.after(lead, lambda: self.take(instance, cause))

    def take(self, instance: Instance, cause: Cause = Cause.HARDWARE) -> None:
        """The machine is gone at once, and its disk with it."""
        if instance.state is not InstanceState.TERMINATED:
            instance.cause = instance.cause or cause
            self._down(instance, InstanceState.TERMINATED)

    def impair(self, instance: Instance, impaired: bool = True) -> None:
        """A status check of the machine fails, or passes again."""
        instance.impaired = impaired
        self._show(instance)

    def retag(self, instance: Instance, **changed: str) -> None:
        """Sets tags, by the last part of their key (`node="f/t/0"`), or by the whole one."""
        whole = {key for key in changed if ":" in key or key == tags.NAME}
        instance.tags |= {key if key in whole else f"steady:{key}": value for key, value in changed.items()}
        self._show(instance)

    def _boot(self, instance: Instance) -> None:
        instance.boots += 1
        boot = instance.boots

        def up() -> None:
            if instance.live and instance.state is InstanceState.PENDING and instance.boots == boot:
                self._turn(instance, InstanceState.RUNNING)
                if self.hosts is not None:
                    self.hosts.booted(instance)

        self.timeline.after(self._draw(self.climate.boot), up)

    def _go_down(self, instance: Instance, seconds: float, to: InstanceState) -> None:
        if self.hosts is not None:
            self.hosts.shutting_down(instance, self.timeline.now() + seconds)

        def over() -> None:
            final = to is InstanceState.TERMINATED
            if instance.state is not InstanceState.TERMINATED and (final or not instance.ending):
                self._down(instance, to)

        self.timeline.after(seconds, over)

    def _down(self, instance: Instance, to: InstanceState) -> None:
        instance.ended_at = self.timeline.now()
        if to is InstanceState.TERMINATED:
            instance.ending = False
            self.timeline.after(FORGET_AFTER, lambda: self._forget(instance))
        self._turn(instance, to)
        if self.hosts is not None:
            self.hosts.down(instance)

    def _forget(self, instance: Instance) -> None:
        self.instances.pop(instance.id, None)
        self._list(instance.id, None)

    def _turn(self, instance: Instance, state: InstanceState) -> None:
        instance.state = state
        self._show(instance)

    def _show(self, instance: Instance) -> None:
        now = self.timeline.monotonic()
        old = now - self.climate.lag
        kept = list(_since(instance.shown, old)) if self.climate.lag else []
        machine = _machine(instance)
        instance.shown = [*kept, (now, machine)]
        self._list(instance.id, machine)

    def _list(self, instance: str, machine: Machine | None) -> None:
        """What a list without lag shows of the machine from now on; None: nothing."""
        known = instance in self._now
        if machine is not None:
            self._now[instance] = machine
        else:
            self._now.pop(instance, None)
        for (owner, fleet), ours in list(self._by_fleet.items()):
            owned = machine is not None and tags.owned(machine.tags, owner, fleet)
            if machine is not None and owned and (instance in ours or not known):
                ours[instance] = machine
            elif owned or instance in ours:
                del self._by_fleet[owner, fleet]

    def _draw(self, span: tuple[float, float]) -> float:
        return self._chance.uniform(*span)


def _since(shown: Sequence[tuple[float, Machine | None]], old: float) -> Iterator[tuple[float, Machine | None]]:
    """What a list may still show: the last from before `old`, and all since."""
    for place, each in enumerate(shown):
        if place + 1 == len(shown) or shown[place + 1][0] > old:
            yield each


def _machine(instance: Instance) -> Machine | None:
    """As the provider describes it; None for one whose tags name no node."""
    node, number = instance.tags.get(tags.NODE), instance.tags.get(tags.INCARNATION, "")
    try:
        NodeName.parse(node or "")
        incarnation = int(number)
    except (SteadyError, ValueError):
        return None
    return Machine(
        id=instance.id,
        node=node or "",
        incarnation=incarnation,
        state=InstanceState.RUNNING if instance.ending else instance.state,
        market=instance.kind.market,
        launched_at=instance.launched_at,
        instance_type=instance.kind.instance_type,
        zone=instance.kind.zone,
        tags=dict(instance.tags),
        impaired=instance.impaired and not instance.ending,
        cause=instance.cause,
        ending=instance.ending,
        ended_at=instance.ended_at,
    )
