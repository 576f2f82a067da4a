"""A bad day from a seed: stale lists, lost answers, people, and two controllers that overtake each other."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import msgspec

from lifecycle.adapters.simulated.cloud import Climate, Instance, Kind
from lifecycle.adapters.simulated.provider import TYPE, ZONE, Call, Moment, Refused
from lifecycle.adapters.simulated.trainer import Habits
from lifecycle.model.errors import SteadyError, Unreadable
from lifecycle.model.fleet import Market
from lifecycle.model.ids import NodeName
from lifecycle.model.states import Cause, InstanceState
from lifecycle.model.tags import INCARNATION
from lifecycle.simulation.host import Host
from lifecycle.simulation.seat import Killed, Seat
from lifecycle.simulation.world import a_fleet
from tests.scenarios.stage import FLEET, PAUSE, Stage

LAGS = (0.0, 1.0, 5.0, 30.0, 120.0, 300.0)
"""How far the list of machines may be behind, in seconds."""

LEADS = (0.0, 5.0, 39.0, 120.0)
ROUNDS = 10
DEEPEST = 2
"""Controllers that may be under way at once, one paused for the other."""

WITHIN, QUIET = 6, 4
"""One tick more than after a death: of a claim that somebody left behind a tick learns by its own refusal."""

PATIENT = 12
"""Ticks while the list goes on to be far behind: what it shows as there was ended minutes ago."""


class Day:
    """One seed's story. `run` gives what was wrong with it."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        habits = Habits(every=self.chance.choice([300.0, 900.0]), save=self.chance.choice([2.0, 20.0]))
        self.lags_on = bool(seed // len(LAGS) % 2)
        nodes = self.chance.choice([1, 2, 2, 3])
        self.gang = nodes > 1 and self.chance.random() < 0.25
        self.stage = Stage(
            a_fleet(
                nodes,
                mode="gang" if self.gang else "independent",
                market=self.chance.choice(["spot", "spot", "on_demand"]),
                zones=["sim-1a", "sim-1b"],
            ),
            seed=seed,
            climate=Climate(lag=LAGS[seed % len(LAGS)]),
            habits=lambda _: habits,
            tracker_lag=self.chance.choice([0.0, 0.0, 3.0]),
        )
        self.world, self.told = self.stage.world, list[str]()
        self._under_way, self._seats, self.calm = 0, 0, False
        self.seats = [self._sat(), self._sat()]
        self.happenings: tuple[Callable[[], object], ...] = (
            self._notice,
            self._notice,
            self._take,
            self._freeze,
            self._kill_agent,
            self._cut,
            self._console,
            self._operate,
            self._operate,
            self._edit,
            self._shelve,
            self._shorten,
            self._retag,
        )

    # ---- the day ---------------------------------------------------------------------------------

    def run(self) -> list[str]:
        self._when_allowed(lambda: self.stage.apply(self.seats[0]))
        for _ in range(ROUNDS):
            self._happen()
            for _ in range(self.chance.choice([0, 1, 1, 2])):
                self._tick(self.chance.randrange(2))
            self.world.timeline.run_for(self.chance.choice([1.0, 10.0, 40.0, 90.0, 200.0, 700.0]))
        return self._evening()

    def _happen(self) -> None:
        if self.chance.random() < 0.7:
            happening = self.chance.choice(self.happenings)
            self.told.append(f"{self.world.timeline.monotonic():.0f} {happening.__name__}")
            happening()

    def _evening(self) -> list[str]:
        """The faults end; all has to come out as declared, and to stay so."""
        self.calm = True
        self.world.store.away = False
        self.world.cloud.capacity.clear()
        for host in list(self.world.hosts.values()):
            host.line.away = host.frozen = False
            if host.agent is None:
                host.start_agent()
        cloud = self.world.cloud
        cloud.climate = msgspec.structs.replace(cloud.climate, lag=cloud.climate.lag if self.lags_on else 0.0)
        self.world.timeline.run_for(600.0)
        last = self.world.seat("last")
        if self.world.tracker.spec(FLEET) is None:
            self.stage.apply(last)
        within = PATIENT if cloud.climate.lag > PAUSE else WITHIN
        took = self.stage.settle(last, within=within)
        found = [str(each) for each in self.stage.violations]
        if took > within:
            return [*found, f"I9 not as declared after {within} ticks", self.stage.story()]
        if not self.stage.is_quiet(last, QUIET):
            return [*found, "I9 it does not stay as it is", self.stage.story()]
        return found

    # ---- controllers -----------------------------------------------------------------------------

    def _sat(self) -> Seat:
        self._seats += 1
        name = f"c{self._seats}"
        return self.world.seat(name, lambda call, moment: self._weather(name, call, moment))

    def _tick(self, which: int) -> None:
        seat = self.seats[which]
        self._under_way += 1
        try:
            self.stage.tick(seat)
        except Killed:
            self.seats[which] = self._sat()
        finally:
            self._under_way -= 1

    def _weather(self, name: str, call: Call, moment: Moment) -> None:
        """What befalls a call: nothing mostly."""
        if self.calm or self.chance.random() > (0.06 if call.changes else 0.02):
            return
        befalls = self.chance.random()
        self.told.append(f"{self.world.timeline.monotonic():.0f} {name} {moment} {call}: {befalls:.2f}")
        if befalls < 0.45:
            self._overtaken()
        elif befalls < 0.6 and call.changes:
            raise Killed(str(call))
        elif befalls < 0.75 and call.verb == "create" and moment is Moment.BEFORE:
            raise Refused("RequestLimitExceeded", fix="later")
        else:
            raise Unreadable(f"no answer to {call}", fix="wait")

    def _overtaken(self) -> None:
        """The controller is paused; time passes, and another one may come by."""
        self.world.timeline.run_for(self.chance.choice([1.0, 20.0, 60.0, 130.0, 400.0]))
        if self._under_way < DEEPEST and self.chance.random() < 0.7:
            self._tick(self.chance.randrange(2))
        self.world.freshen()

    def _when_allowed(self, act: Callable[[], object]) -> None:
        """What a person types: refused, unanswered or killed, it may be typed again some day."""
        try:
            act()
        except (SteadyError, Killed) as said:
            self.told.append(f"refused: {said}")

    # ---- what happens ----------------------------------------------------------------------------

    def _some_machine(self) -> Instance | None:
        live = [each for each in self.world.cloud.instances.values() if each.live]
        return self.chance.choice(live) if live else None

    def _some_host(self) -> Host | None:
        hosts = list(self.world.hosts.values())
        return self.chance.choice(hosts) if hosts else None

    def _notice(self) -> None:
        machine = self._some_machine()
        if machine is not None:
            spot = machine.kind.market is Market.SPOT
            cause = self.chance.choice([Cause.SPOT, Cause.REBALANCE]) if spot else Cause.MAINTENANCE
            lead = None if cause is Cause.REBALANCE else self.chance.choice(LEADS)
            self.world.cloud.notice(machine, cause, lead)

    def _take(self) -> None:
        machine = self._some_machine()
        if machine is not None:
            self.world.cloud.take(machine)

    def _freeze(self) -> None:
        """The machine hangs: its trainer and its agent are no more, and its status check fails."""
        host = self._some_host()
        if host is not None:
            host.trainer.power_cut()
            host.kill_agent()
            host.frozen = True
            self.world.cloud.impair(host.instance)

    def _kill_agent(self) -> None:
        host = self._some_host()
        if host is not None and not host.frozen:
            host.kill_agent()
            self.world.timeline.after(self.chance.choice([1.0, 50.0]), host.start_agent)

    def _cut(self) -> None:
        host = self._some_host()
        if host is not None:
            host.line.away = not host.line.away

    def _console(self) -> None:
        """A person stops, ends or starts a machine in the console."""
        machine = self._some_machine()
        if machine is None:
            return
        if self.chance.random() < 0.4:
            self.world.cloud.terminate(machine, Cause.OPERATOR)
        elif machine.state is InstanceState.STOPPED:
            self.world.cloud.start(machine)
        elif machine.kind.market is Market.ON_DEMAND:
            self.world.cloud.stop(machine)

    def _retag(self) -> None:
        """Of a machine that is on record: of another nobody could tell what it was."""
        machine = self._some_machine()
        if machine is None:
            return
        key = (machine.node, int(machine.worn[INCARNATION]))
        claim = self.world.tracker.incarnations(FLEET, [key]).get(key)
        if claim is not None and claim.instance == machine.id:
            self.world.cloud.retag(machine, node=self.chance.choice(["f/t/0", "f/t/1"]))

    def _operate(self) -> None:
        node = NodeName.parse(f"f/t/{self.chance.randrange(3)}")
        operator = self.chance.choice(self.seats).operator
        verb = self.chance.randrange(6)
        until = self.chance.choice([None, self.world.timeline.now() + 500.0])
        acts: tuple[Callable[[], object], ...] = (
            lambda: operator.stop(node, "a test", until),
            lambda: operator.start(node, resume=False),
            lambda: operator.replace(node, "a test"),
            lambda: operator.checkpoint(node),
            lambda: operator.suspend(FLEET, "a test", self.world.timeline.now() + 300.0),
            lambda: operator.start(node, resume=True),
        )
        self._when_allowed(acts[verb])

    def _edit(self) -> None:
        nodes = len(self.stage.spec.nodes()) if self.gang else self.chance.choice([0, 1, 2, 3])
        pool = {
            "mode": "gang" if self.gang else "independent",
            "market": self.chance.choice(["spot", "on_demand"]),
            "drift": {"market": self.chance.choice(["report", "replace"])},
            "train": {"hyperparameters": {"lr": self.chance.choice([0.1, 0.2])}},
            "zones": self.chance.choice([["sim-1a", "sim-1b"], ["sim-1b"]]),
        }
        self._when_allowed(lambda: self.stage.apply(self.seats[0], nodes=nodes, **pool))

    def _shelve(self) -> None:
        self.world.store.away = not self.world.store.away

    def _shorten(self) -> None:
        """One kind of machine becomes short, or is no longer."""
        kind = Kind(self.chance.choice(list(Market)), TYPE, ZONE)
        if kind in self.world.cloud.capacity:
            del self.world.cloud.capacity[kind]
        else:
            self.world.cloud.capacity[kind] = self.chance.choice([0, 1])
