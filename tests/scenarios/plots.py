"""The scenarios in which a controller is killed at every call: how each begins, and what happens then.

A plot's `before` brings the stage to its beginning, undisturbed; its `act` is what happens then, the controller's
or an operator's part of it included. An act that was cut short is done again: people type it again.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from lifecycle.adapters.simulated.cloud import Climate, Kind
from lifecycle.adapters.simulated.timeline import BEGIN
from lifecycle.adapters.simulated.trainer import Habits
from lifecycle.model.fleet import Market
from lifecycle.model.ids import NodeName
from lifecycle.model.states import Cause
from lifecycle.simulation.seat import Seat
from lifecycle.simulation.world import a_fleet
from tests.scenarios.stage import NODE, Stage

FIRST = NodeName.parse(NODE)


class Plot(NamedTuple):
    """One scenario."""

    name: str
    act: Callable[[Stage, Seat], object]
    before: Callable[[Stage], object] = Stage.train
    make: Callable[[], Stage] = Stage


def _nothing_yet(_: Stage) -> None:
    """The act is the beginning."""


def _create(stage: Stage, seat: Seat) -> None:
    stage.apply(seat)


def _interrupt(stage: Stage, _: Seat) -> None:
    stage.world.cloud.notice(stage.machine(), Cause.SPOT, 120.0)
    stage.world.timeline.run_for(30.0)


def _lose(stage: Stage, _: Seat) -> None:
    stage.world.cloud.take(stage.machine())
    stage.world.timeline.run_for(70.0)


def _replace(stage: Stage, seat: Seat) -> None:
    if not any(hold.node == NODE for hold in stage.world.tracker.observe("f").holds) and _first(stage):
        seat.operator.replace(FIRST, "a test")


def _first(stage: Stage) -> bool:
    """Whether the machine to be replaced is still the first one."""
    return bool(stage.world.cloud.of_node(NODE)) and stage.machine().id.endswith("-1")


def _scale_in(stage: Stage, seat: Seat) -> None:
    stage.apply(seat, nodes=1)


def _scale_out(stage: Stage, seat: Seat) -> None:
    stage.apply(seat, nodes=3)


def _destroy(_: Stage, seat: Seat) -> None:
    seat.operator.destroy("f")


def _stop(_: Stage, seat: Seat) -> None:
    seat.operator.stop(FIRST, "lunch", None)


def _stopped(stage: Stage) -> None:
    seat = stage.seat("before")
    stage.train(seat)
    seat.operator.stop(FIRST, "lunch", None)
    stage.settle(seat)


def _start(_: Stage, seat: Seat) -> None:
    seat.operator.start(FIRST, resume=False)


def _hold_expires(stage: Stage) -> None:
    seat = stage.seat("before")
    stage.train(seat)
    seat.operator.stop(FIRST, "lunch", stage.world.timeline.now() + 1800.0)
    stage.settle(seat)


def _time_passes(stage: Stage, _: Seat) -> None:
    stage.world.timeline.run_for(2000.0)


def _market(stage: Stage, seat: Seat) -> None:
    stage.apply(seat, nodes=1, market="on_demand", drift={"market": "replace"})


def _lose_the_answer(stage: Stage, _: Seat) -> None:
    """A machine that was made, and that neither the stack nor the claim knows of."""
    stage.world.cloud.take(stage.machine())
    stage.world.timeline.run_for(70.0)
    stage.lose_answer("create")


def _storm(stage: Stage, _: Seat) -> None:
    for node in ("f/t/0", "f/t/1", "f/t/2"):
        stage.world.cloud.notice(stage.machine(node), Cause.SPOT, 120.0)
    stage.world.timeline.run_for(30.0)


def _shortage() -> Stage:
    short = Kind(Market.SPOT, "sim.large", "sim-1a")
    return Stage(a_fleet(2, zones=["sim-1a", "sim-1b"]), climate=Climate(capacity={short: 1}))


def _spent() -> Stage:
    """Its money lasts for the better part of an hour."""
    return Stage(a_fleet(1, budget={"total": 2.0}), climate=Climate(prices={"sim.large": 12.0}))


def _scheduled() -> Stage:
    """Two hours after the world began it is to stop for the night."""
    stop, start = (datetime.fromtimestamp(BEGIN + 3600 * hours, UTC) for hours in (2, 14))
    return Stage(a_fleet(1, schedule={"stop": f"{stop:%M %H} * * *", "start": f"{start:%M %H} * * *"}))


def _evening(stage: Stage, _: Seat) -> None:
    stage.world.timeline.run_for(BEGIN + 2 * 3600 + 60 - stage.world.timeline.now())


def _morning(stage: Stage, _: Seat) -> None:
    stage.world.timeline.run_for(BEGIN + 14 * 3600 + 60 - stage.world.timeline.now())


def _night(stage: Stage) -> None:
    seat = stage.seat("before")
    stage.train(seat)
    _evening(stage, seat)
    stage.settle(seat)


def _edit(stage: Stage, seat: Seat) -> None:
    stage.apply(seat, train={"hyperparameters": {"lr": 0.2}})


def _one(**pool: Any) -> Callable[[], Stage]:
    return lambda: Stage(a_fleet(1, **pool))


def _gang() -> Stage:
    return Stage(a_fleet(2, mode="gang"))


PLOTS = (
    Plot("create", _create, before=_nothing_yet),
    Plot("create where one zone is short", _create, before=_nothing_yet, make=_shortage),
    Plot("interrupt", _interrupt, make=_one()),
    Plot("lose a machine", _lose, make=_one()),
    Plot("replace", _replace),
    Plot("replace on demand", _replace, make=_one(market="on_demand")),
    Plot("scale in", _scale_in),
    Plot("scale out", _scale_out),
    Plot("destroy", _destroy),
    Plot("stop on spot", _stop, make=_one()),
    Plot("stop on demand", _stop, make=_one(market="on_demand")),
    Plot("start again", _start, before=_stopped, make=_one(market="on_demand")),
    Plot("hold expiry", _time_passes, before=_hold_expires, make=_one()),
    Plot("budget stop", _time_passes, make=_spent),
    Plot("schedule stops", _evening, make=_scheduled),
    Plot("schedule starts", _morning, before=_night, make=_scheduled),
    Plot("market change", _market, make=_one()),
    Plot("lost answer", _lose_the_answer, make=_one()),
    Plot("storm", _storm, make=lambda: Stage(a_fleet(3))),
    Plot("gang notice", _interrupt, make=_gang),
    Plot("gang rank lost", _lose, make=_gang),
    Plot("completion", _time_passes, make=lambda: Stage(a_fleet(1), habits=lambda _: Habits(steps=1500))),
    Plot("edit of the train section", _edit, make=_one()),
)
