"""Many hours of a fleet in little time: what its days would look like, from a seed.

The controller ticks as `reconcile` does from cron: soon after somebody rang, and now and then in any case.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from random import Random

import msgspec

from lifecycle.adapters.simulated.cloud import Climate
from lifecycle.adapters.simulated.trainer import Habits
from lifecycle.control.loop import Ticked
from lifecycle.model.errors import SteadyError
from lifecycle.model.fleet import FleetSpec, Market
from lifecycle.model.states import Cause
from lifecycle.simulation.world import World

HOUR = 3600.0
NOTICE = 120.0


class Weather(msgspec.Struct, frozen=True, kw_only=True):
    """How often machines go, per machine and hour; and how the cloud and the trainers behave."""

    spot: float = 0.05
    hardware: float = 0.0005
    climate: Climate = Climate()
    habits: Habits = Habits(every=7200.0)


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds between two ticks: at least, and at most when nobody rings."""

    soonest: float = 60.0
    latest: float = 600.0


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it. Steps are those of all runs together."""

    hours: float
    nodes: int
    ticks: int
    attempts: int
    interruptions: int
    steps: int
    lost: dict[str, int]
    trained: float
    """Of the time that the nodes could have trained, the share in which they did."""
    errors: int


class Rehearsal:
    """One fleet in its weather. `looks` is called after every tick."""

    def __init__(
        self,
        spec: FleetSpec,
        *,
        seed: int = 0,
        weather: Weather | None = None,
        pace: Pace | None = None,
        looks: Callable[[World, Ticked], None] = lambda *_: None,
    ) -> None:
        self.spec, self.weather, self._pace = spec, weather or Weather(), pace or Pace()
        self.world = World(seed, climate=self.weather.climate, habits=lambda _: self.weather.habits)
        self._chance, self._looks = Random(seed + 2), looks  # noqa: S311
        self._ticks = self._interruptions = self._errors = 0
        self._trained = 0.0

    def run(self, hours: float) -> Summary:
        """Applies the spec and lets so many hours pass."""
        world = self.world
        seat = world.seat("controller")
        world.apply(self.spec, seat)
        end = world.timeline.monotonic() + hours * HOUR
        self._arrange(Market.SPOT, self.weather.spot)
        self._arrange(None, self.weather.hardware)
        while world.timeline.monotonic() < end:
            began = world.timeline.monotonic()
            try:
                self._looks(world, world.tick(seat, self.spec.fleet))
            except SteadyError:
                self._errors += 1
            self._ticks += 1
            self._wait(end)
            at_work = sum(host.trainer.at_work() is not None for host in world.hosts.values())
            self._trained += at_work * (world.timeline.monotonic() - began)
        return self._summary(hours)

    def _wait(self, end: float) -> None:
        """Until somebody rings, but no sooner than the pace allows."""
        timeline, pace = self.world.timeline, self._pace
        latest = min(timeline.monotonic() + pace.latest, end)
        self.world.bell.rung = False
        timeline.run_for(min(pace.soonest, latest - timeline.monotonic()))
        while not self.world.bell.rung and timeline.monotonic() < latest:
            soon = timeline.next_event()
            timeline.run_for(min(math.inf if soon is None else soon, latest - timeline.monotonic()))

    def _arrange(self, market: Market | None, rate: float) -> None:
        """The next machine that goes: by a notice of the spot market, or without one."""
        nodes = len(self.spec.nodes())
        if rate <= 0 or nodes == 0:
            return

        def goes() -> None:
            live = [m for m in self.world.cloud.instances.values() if m.live and market in (None, m.kind.market)]
            if live:
                self._interruptions += 1
                machine = self._chance.choice(live)
                if market is None:
                    self.world.cloud.take(machine)
                else:
                    self.world.cloud.notice(machine, Cause.SPOT, NOTICE)
            self._arrange(market, rate)

        self.world.timeline.after(self._chance.expovariate(rate * nodes / HOUR), goes)

    def _summary(self, hours: float) -> Summary:
        observed = self.world.tracker.observe(self.spec.fleet)
        lost: Counter[str] = Counter()
        for run in observed.runs.values():
            lost.update(run.lost)
        nodes = len(self.spec.nodes())
        return Summary(
            hours=hours,
            nodes=nodes,
            ticks=self._ticks,
            attempts=sum(run.attempt.number for run in observed.runs.values() if run.attempt),
            interruptions=self._interruptions,
            steps=sum(report.step or 0 for report in observed.reports.values()),
            lost=dict(lost),
            trained=round(self._trained / (nodes * hours * HOUR), 4) if nodes else 0.0,
            errors=self._errors,
        )
