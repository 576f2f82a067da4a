"""The simulated world: one cloud, one tracker, one store; machines with agents in them, and controllers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import NamedTuple

from lifecycle.adapters.simulated.cloud import Climate, Cloud, Instance
from lifecycle.adapters.simulated.prices import SimulatedPrices
from lifecycle.adapters.simulated.provider import Probe, Touched, nothing
from lifecycle.adapters.simulated.store import MemoryStore
from lifecycle.adapters.simulated.table import MemoryTable, Storage
from lifecycle.adapters.simulated.timeline import Timeline
from lifecycle.adapters.simulated.trainer import Habits
from lifecycle.control.loop import Ticked
from lifecycle.model.codec import convert, encode
from lifecycle.model.fleet import FleetSpec
from lifecycle.model.records import Notice
from lifecycle.model.states import InstanceState
from lifecycle.planning.adoption import Consent
from lifecycle.simulation.host import Host, Site
from lifecycle.simulation.seat import Ground, Seat
from lifecycle.tracker.controller import ControllerTracker

FRESH = 20.0
"""Seconds after which an agent's heartbeat is due before a tick: well before it would count as silent."""

ORDERS = frozenset({"order", "drain"})
"""Kinds of rows that an agent reads."""


class Beginning(NamedTuple):
    """A trainer that was started: which attempt, where, and from which step."""

    at: float
    run: str
    attempt: int
    instance: str
    node: str
    step: int


class Witnessed(NamedTuple):
    """A change asked of the cloud, with what went on in the machine at that very moment."""

    touched: Touched
    run: str | None
    """The run whose trainer was alive there."""
    step: int
    host: Host | None


class Bell:
    """Remembers whether somebody rang; nobody waits."""

    trouble = ""

    def __init__(self) -> None:
        self.rung = False

    def ring(self) -> None:
        self.rung = True

    def wait(self, seconds: float) -> bool:  # noqa: ARG002
        rung, self.rung = self.rung, False
        return rung


class World:
    """Everything, from one seed. `habits` says how the trainer of a run behaves."""

    def __init__(
        self,
        seed: int = 0,
        *,
        climate: Climate | None = None,
        habits: Callable[[str], Habits] = lambda _: Habits(),
        tracker_lag: float = 0.0,
    ) -> None:
        self.chance, self._tracker_lag = Random(seed), tracker_lag  # noqa: S311
        self.timeline = Timeline()
        self.cloud = Cloud(self.timeline, Random(seed + 1), climate)  # noqa: S311
        lag = (lambda: self.chance.uniform(0.0, tracker_lag)) if tracker_lag else (lambda: 0.0)
        self.storage, self.store, self.bell = Storage(self.timeline, lag), MemoryStore(), Bell()
        self.tracker = ControllerTracker(MemoryTable(self.storage))
        self.hosts: dict[str, Host] = {}
        self.touched: list[Witnessed] = []
        self.begun: list[Beginning] = []
        self._of_node: dict[str, set[str]] = defaultdict(set)
        prices = SimulatedPrices(self.cloud.climate.prices, self.timeline, seed)
        self._ground = Ground(self.timeline, self.cloud, self.storage, self.store, self.bell, prices, self._note)
        self._site = Site(
            self.timeline, self.cloud, self.storage, self.store, habits, self.bell, self._note_beginning
        )
        self.cloud.hosts = self
        self.storage.written.append(self._written)

    # ---- who acts --------------------------------------------------------------------------------

    def seat(self, name: str, probe: Probe = nothing) -> Seat:
        """A controller's process on a host of its own."""
        return Seat(self._ground, name, probe)

    def apply(self, spec: FleetSpec, seat: Seat, **how: bool) -> None:
        """What `steady apply` writes."""
        seat.operator.adopt(spec, encode(spec).decode(), Path("/simulated.yaml"), Consent(**how))

    def tick(self, seat: Seat, fleet: str, *, wait: float = 0.0, upkeep: bool = True) -> Ticked:
        """One tick of one controller, with every agent heard that can be. Raises as `Controller.tick` does."""
        self.freshen()
        return seat.controller.tick(fleet, wait=wait, upkeep=upkeep)

    def freshen(self) -> None:
        """The heartbeats that were due, as seen by everybody."""
        for host in list(self.hosts.values()):
            host.freshen(FRESH)
        self.timeline.run_for(self._tracker_lag)

    # ---- what goes on in the machines: adapters.simulated.cloud.Hosts ----------------------------

    def booted(self, instance: Instance) -> None:
        host = self.hosts.get(instance.id)
        if host is None:
            host = self.hosts[instance.id] = Host(self._site, instance)
            self._of_node[host.node].add(instance.id)
        host.boot()

    def shutting_down(self, instance: Instance, deadline: float) -> None:
        if instance.id in self.hosts:
            self.hosts[instance.id].shutting_down(deadline)

    def down(self, instance: Instance) -> None:
        wiped = instance.state is InstanceState.TERMINATED
        host = self.hosts.get(instance.id)
        if host is not None:
            host.down(wiped=wiped)
        if host is not None and wiped:
            del self.hosts[instance.id]
            self._of_node[host.node].discard(instance.id)

    def noticed(self, instance: Instance, notice: Notice) -> None:
        if instance.id in self.hosts:
            self.hosts[instance.id].notice(notice)

    def _written(self, fleet: str, kind: str, name: str) -> None:  # noqa: ARG002
        if kind in ORDERS:
            for instance in self._of_node.get(name, ()):
                self.hosts[instance].told()

    # ---- what is remembered ----------------------------------------------------------------------

    def _note(self, touched: Touched) -> None:
        host = self.hosts.get(touched.instance)
        process = host.trainer.at_work() if host else None
        step = process.step_at(self.timeline.monotonic()) if process else 0
        self.touched.append(Witnessed(touched, process.run if process else None, step, host))

    def _note_beginning(self, host: Host, run: str, attempt: int, step: int) -> None:
        self.begun.append(Beginning(self.timeline.now(), run, attempt, host.instance.id, host.node, step))


def a_fleet(nodes: int, **pool: object) -> FleetSpec:
    """A fleet `f` with one pool `t` of simulated machines."""
    train = {"command": ["train"], **pool.pop("train", {})}  # type: ignore[dict-item]
    body = {"nodes": nodes, "instance_types": ["sim.large"], "zones": ["sim-1a"], **pool, "train": train}
    return convert({"version": 1, "fleet": "f", "provider": "simulated", "pools": {"t": body}}, FleetSpec)
