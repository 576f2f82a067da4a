"""The example of a report: two days of a small fleet in a stormy market, from a seed.

`make docs` writes the page anew, `python -m tests.report_example` its picture too, which needs a browser.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from lifecycle.adapters.simulated.cloud import Climate
from lifecycle.adapters.simulated.trainer import Habits
from lifecycle.control.retrospect import look_back
from lifecycle.model.codec import convert
from lifecycle.model.fleet import FleetSpec
from lifecycle.model.ids import NodeName
from lifecycle.planning.chronicle import Chronicle
from lifecycle.report.page import page
from lifecycle.simulation.run import Pace, Rehearsal, Weather
from lifecycle.simulation.world import World
from tests.browser import HOW, find, launched

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "specs" / "examples" / "report.html"
PICTURE = PAGE.with_suffix(".png")
WIDE, TALL = 1200, 1215

SPEC = {
    "version": 1,
    "fleet": "llm-7b",
    "provider": "simulated",
    "pools": {
        "trainers": {
            "nodes": 10,
            "market": "spot",
            "instance_types": ["sim.large"],
            "zones": ["sim-1a"],
            "train": {"command": ["train"], "run": "baseline"},
            "checkpoint": {"every": "1h", "max_lost_work": "90m"},
            "budget": {"total": 900},
        },
        "ranks": {
            "nodes": 3,
            "mode": "gang",
            "market": "spot",
            "instance_types": ["sim.large"],
            "zones": ["sim-1a"],
            "train": {"command": ["train"], "run": "finetune"},
            "checkpoint": {"every": "1h", "max_lost_work": "90m"},
        },
        "eval": {
            "market": "on_demand",
            "instance_types": ["sim.small"],
            "zones": ["sim-1a"],
            "train": {"command": ["train"], "run": "eval"},
            "checkpoint": {"every": "1h"},
        },
    },
}
WEATHER = Weather(
    spot=0.06,
    hardware=0.006,
    climate=Climate(prices={"sim.large": 4.1, "sim.small": 0.6}),
    habits=Habits(every=3600.0),
)


def looked_back(rehearsal: Rehearsal) -> Chronicle:
    """What a controller of its world finds to tell."""
    world = rehearsal.world
    seat = world.seat("reader")
    world.freshen()
    found = look_back(rehearsal.spec.fleet, seat.controller, world.tracker, world.timeline)
    assert found is not None
    return found


@cache
def example() -> Chronicle:
    """48 hours with a stop by a person at noon, who let the node go on in the evening."""
    rehearsal = Rehearsal(convert(SPEC, FleetSpec), seed=11, weather=WEATHER, pace=Pace(), looks=_people)
    rehearsal.run(48.0)
    return looked_back(rehearsal)


def _people(world: World, _: object) -> None:
    hours = world.timeline.monotonic() / 3600
    seat, node = world.seat("ann@desk"), NodeName("llm-7b", "trainers", 4)
    held = {hold.node for hold in world.tracker.observe("llm-7b").holds}
    if 12 <= hours < 20 and str(node) not in held:
        seat.operator.stop(node, "profiling on the bench", None)
    if hours >= 20 and str(node) in held:
        seat.operator.start(node, resume=False)


def main() -> None:
    PAGE.write_text(page(example()))


def photograph() -> None:
    """The top of the page, light and dark side by side. Raises SystemExit without a browser."""
    chromium = find()
    if chromium is None:
        raise SystemExit(HOW)
    with launched(chromium) as browser:
        shot = browser.new_page(viewport={"width": WIDE, "height": TALL}, color_scheme="light")
        shot.goto(PAGE.as_uri())
        shot.screenshot(path=PICTURE, clip={"x": 0, "y": 0, "width": WIDE, "height": TALL})


if __name__ == "__main__":
    main()
    photograph()
