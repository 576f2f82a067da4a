"""Two markets, one lifecycle: whichever way we stop a trainer, on spot or not, it saves first and loses no step."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from lifecycle.adapters.simulated.cloud import Climate
from lifecycle.adapters.simulated.timeline import BEGIN
from lifecycle.model.ids import NodeName
from lifecycle.model.states import Cause
from lifecycle.simulation.seat import Seat
from lifecycle.simulation.world import a_fleet
from tests.scenarios.stage import NODE, Stage

FIRST = NodeName.parse(NODE)
STOP = datetime.fromtimestamp(BEGIN + 3600, UTC)
SCHEDULE = {"stop": f"{STOP:%M %H} * * *", "start": f"{STOP:%M} {(STOP.hour + 12) % 24} * * *"}

Way = Callable[[Stage, Seat], object]


def _edit(stage: Stage, seat: Seat) -> None:
    market = str(stage.spec.pools["t"].market)
    stage.apply(seat, nodes=1, market=market, train={"hyperparameters": {"lr": 1}})


WAYS: dict[str, tuple[Way, Cause]] = {
    "stop": (lambda _, seat: seat.operator.stop(FIRST, "lunch", None), Cause.OPERATOR),
    "terminate": (lambda _, seat: seat.operator.terminate(FIRST, "enough"), Cause.OPERATOR),
    "replace": (lambda _, seat: seat.operator.replace(FIRST, "a test"), Cause.OPERATOR),
    "scale in": (lambda stage, seat: stage.apply(seat, nodes=0), Cause.OPERATOR),
    "destroy": (lambda _, seat: seat.operator.destroy("f"), Cause.OPERATOR),
    "schedule": (lambda stage, _: stage.world.timeline.run_for(3700.0), Cause.SCHEDULE),
    "budget": (lambda stage, _: stage.world.timeline.run_for(3000.0), Cause.BUDGET),
    "edit": (_edit, Cause.DRIFT),
}
OF_THE_SPEC = {"schedule": {"schedule": SCHEDULE}, "budget": {"budget": {"total": 2.0}}}


@pytest.mark.parametrize("market", ["spot", "on_demand"])
@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_stop_saves_first_on_both_markets(way: str, market: str) -> None:
    act, cause = WAYS[way]
    price = 12.0 if market == "spot" else 4.0
    fleet = a_fleet(1, market=market, **OF_THE_SPEC.get(way, {}))
    stage = Stage(fleet, climate=Climate(prices={"sim.large": price}))
    stage.train()
    act(stage, stage.seat())
    stage.settle(stage.seat())
    (first, *_) = stage.world.tracker.past("f").attempts["f.t.main.0"]
    assert first.receipt is not None
    assert (first.cause, first.receipt.step, stage.violations) == (cause, first.to_step, [])
