"""A simulated world on stage: one fleet `f`, controllers that come and go, and the checker after every tick."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lifecycle.adapters.simulated.cloud import Climate, Instance
from lifecycle.adapters.simulated.provider import Call, Moment, Probe, nothing
from lifecycle.adapters.simulated.trainer import Habits
from lifecycle.control.loop import Ticked
from lifecycle.model.errors import SteadyError, Unreadable
from lifecycle.model.fleet import FleetSpec
from lifecycle.simulation.seat import Killed, Seat
from lifecycle.simulation.world import World, a_fleet
from tests.scenarios.invariants import Checker, Violation, desired

FLEET = "f"
NODE = "f/t/0"
PAUSE, LONGEST = 60.0, 310.0
"""Seconds between two ticks; more where the plan says that nothing will be to do before."""

GATES = ("its tags to show", "the list to show", "capacity", "a second machine")
"""How a plan begins to say that something is too young, or too lately refused, to be judged."""

TURN = "its turn"
"""The blast limit lets one repair after the other pass."""

HELD = ": held ("
"""A gang waits for a rank that is held, for as long as that is."""

LEASE = 121.0
WITHIN, QUIET = 5, 20
"""Ticks until all is as declared, and ticks after that without one change."""


class Stage:
    """The world, its checker, and what a story does in it."""

    def __init__(
        self,
        spec: FleetSpec | None = None,
        *,
        seed: int = 0,
        climate: Climate | None = None,
        habits: Callable[[str], Habits] = lambda _: Habits(),
        tracker_lag: float = 0.0,
    ) -> None:
        self.world = World(seed, climate=climate, habits=habits, tracker_lag=tracker_lag)
        self.checker = Checker(self.world)
        self.spec = spec or a_fleet(2)
        self.last: Ticked | None = None
        self.lost: list[str] = []

    # ---- who acts --------------------------------------------------------------------------------

    def seat(self, name: str = "first", probe: Probe = nothing) -> Seat:
        return self.world.seat(name, self._losing(probe))

    def apply(self, seat: Seat, **pool: Any) -> None:
        """Applies the stage's spec with these changes of its pool."""
        if pool:
            self.spec = a_fleet(pool.pop("nodes", self.spec.pools["t"].nodes), **pool)
        self.world.apply(self.spec, seat, allow_empty=True)

    def tick(self, seat: Seat) -> Ticked | None:
        """One tick and the look of the checker; None when the tick failed, as ticks may."""
        self.last = None
        try:
            self.last = self.world.tick(seat, FLEET)
        except SteadyError:
            pass
        finally:
            self.checker.check(self.last)
        return self.last

    def pause(self) -> None:
        """Time passes until there may be something to do."""
        if self.last is None or not self.last.plan.waiting or self.last.plan.actions:
            self.world.timeline.run_for(PAUSE)
            return
        now = self.world.timeline.now()
        dues = [each.until - now for each in self.last.plan.waiting if each.until is not None]
        self.world.timeline.run_for(min([LONGEST, *(due + 1.0 for due in dues if due > PAUSE)]) if dues else PAUSE)

    def settle(self, seat: Seat, within: int = 12) -> int:
        """Ticks until all is as declared; returns how many it took, more than `within` when it never was.

        A tick that only waits for an age gate to pass does not count.
        """
        took = 0
        for _ in range(3 * within):
            ticked = self.tick(seat)
            took += not (ticked is not None and self.gated(ticked))
            if ticked is not None and not ticked.plan.actions and self.settled(ticked):
                return took
            if took > within:
                break
            self.pause()
        return within + 1

    def gated(self, ticked: Ticked) -> bool:
        """Whether something of the plan may not be done yet, however often it is looked at."""
        if ticked.plan.labels and not ticked.plan.actions:
            return True  # a list that lags shows the tags of a while ago
        if any(TURN in each.what for each in ticked.plan.waiting):
            return True
        now = self.world.timeline.now()
        dated = [each for each in ticked.plan.waiting if each.until is not None and each.until > now]
        return any(each.what.startswith(GATES) for each in dated)

    def settled(self, ticked: Ticked) -> bool:
        refused = {refusal.node for refusal in ticked.plan.refusals}
        waits = [each for each in ticked.plan.waiting if HELD not in each.what]
        busy = ticked.plan.actions or ticked.plan.labels or waits
        return not busy and not desired(self.world, FLEET, refused)

    def train(self, seat: Seat | None = None) -> None:
        """The fleet is applied and trains; some checkpoints are there."""
        seat = seat or self.seat("before")
        self.apply(seat)
        assert self.settle(seat) <= WITHIN, self.story()
        self.world.timeline.run_for(700.0)

    def is_quiet(self, seat: Seat, ticks: int = QUIET) -> bool:
        """Whether so many ticks change nothing more (I9), once the list shows what is.

        A list that lags shows tags of a while ago: what people read there may be written once more.
        """
        lag = self.world.cloud.climate.lag
        self.world.timeline.run_for(PAUSE + lag)
        began = len(self.world.touched)
        for _ in range(ticks):
            self.last = ticked = self.world.tick(seat, FLEET)
            touches = [each.touched.verb for each in self.world.touched[began:]]
            if ticked.plan.actions or any(not lag or verb != "label" for verb in touches):
                return False
            self.world.timeline.run_for(PAUSE)
        self.checker.check(ticked)
        return True

    # ---- what happens ----------------------------------------------------------------------------

    def lose_answer(self, verb: str) -> None:
        """The cloud's answer to the next call of this kind is lost, whoever makes it."""
        self.lost.append(verb)

    def _losing(self, probe: Probe) -> Probe:
        def asked(call: Call, moment: Moment) -> None:
            probe(call, moment)
            if moment is Moment.AFTER and call.verb in self.lost:
                self.lost.remove(call.verb)
                raise Unreadable(f"no answer to {call}", fix="wait")

        return asked

    def machine(self, node: str = NODE) -> Instance:
        return self.world.cloud.of_node(node)[0]

    def story(self) -> str:
        """What is wrong, in a failed test's words."""
        plan = self.last.plan if self.last else None
        said = [] if plan is None else [*plan.actions, *plan.waiting, *plan.refusals]
        return "\n".join([*map(str, self.checker.found), *desired(self.world), *map(str, said)])

    def mark(self) -> Mark:
        world = self.world
        return (
            world.timeline.monotonic(),
            world.storage.writes,
            len(world.touched),
            len(world.store.objects),
        )

    @property
    def violations(self) -> list[Violation]:
        return self.checker.found


Mark = tuple[float, int, int, int]
"""A state of the world, as far as a restarted controller could tell."""


class KilledAt:
    """A probe that counts calls which may change something, and kills the controller at one of them."""

    def __init__(self, stage: Stage, number: int = -1, moment: Moment = Moment.BEFORE) -> None:
        self._stage, self._number, self._moment = stage, number, moment
        self.calls: list[Call] = []
        self.marks: dict[tuple[int, Moment], Mark] = {}

    def __call__(self, call: Call, moment: Moment) -> None:
        if not call.changes:
            return
        if moment is Moment.BEFORE:
            self.calls.append(call)
        number = len(self.calls) - 1
        self.marks[number, moment] = self._stage.mark()
        if (number, moment) == (self._number, self._moment):
            self._number = -1
            raise Killed(str(call))
