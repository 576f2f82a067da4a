"""A fleet's days, simulated: `python -m lifecycle.simulation SPEC [--hours 72] [--seed 0] [--every 600]`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import msgspec

from lifecycle import specfile
from lifecycle.model.codec import encode
from lifecycle.model.errors import SpecError, SteadyError
from lifecycle.model.fleet import FleetSpec
from lifecycle.simulation.run import HOUR, Pace, Rehearsal, Weather


def main(argv: list[str] | None = None) -> int:
    """Prints the summary of the simulated hours as JSON."""
    parser = argparse.ArgumentParser(prog="python -m lifecycle.simulation", description=__doc__)
    parser.add_argument("spec", type=Path)
    parser.add_argument("--hours", type=float, default=72.0)
    parser.add_argument("--seed", type=int, default=0)
    every = "seconds between two ticks; without it one comes a minute after somebody rang, or after ten"
    parser.add_argument("--every", type=_seconds, help=every)
    parser.add_argument("--spot", type=float, default=0.05, help="share of spot machines taken back each hour")
    asked = parser.parse_args(argv)
    try:
        spec = specfile.load(asked.spec).spec
    except SpecError as faulty:
        print(*faulty.faults, f"fix: {faulty.fix}", sep="\n", file=sys.stderr)
        return faulty.exit_code
    except SteadyError as error:
        print(f"error: {error.what}\nfix: {error.fix}", file=sys.stderr)
        return error.exit_code
    pace = Pace(soonest=asked.every, latest=asked.every) if asked.every else None
    rehearsal = Rehearsal(_simulated(spec), seed=asked.seed, weather=Weather(spot=asked.spot), pace=pace)
    print(encode(rehearsal.run(asked.hours)).decode())
    return 0


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 1.0 <= seconds <= HOUR:
        raise argparse.ArgumentTypeError("between 1 and 3600 seconds")
    return seconds


def _simulated(spec: FleetSpec) -> FleetSpec:
    """The same fleet on simulated machines; what only one provider understands says nothing here."""
    return msgspec.structs.replace(spec, provider="simulated")


if __name__ == "__main__":
    sys.exit(main())
