"""Many hours in little time: nothing is lost in them, and the same seed tells the same hours."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lifecycle.adapters.simulated.trainer import Habits
from lifecycle.simulation.__main__ import main
from lifecycle.simulation.run import Rehearsal, Weather
from lifecycle.simulation.world import a_fleet
from tests.scenarios.invariants import Checker

STORMY = Weather(spot=0.5, hardware=0.02)


def test_a_stormy_day_of_twenty_nodes_breaks_no_invariant() -> None:
    rehearsal = Rehearsal(a_fleet(20), seed=3, weather=STORMY)
    checker = Checker(rehearsal.world)
    rehearsal._looks = lambda _, ticked: bool(checker.check(ticked))
    came = rehearsal.run(6.0)
    assert checker.found == []
    assert came.interruptions > 20
    assert came.attempts > 40
    assert came.trained > 0.9


def test_the_same_seed_tells_the_same_hours_and_another_one_others() -> None:
    def told(seed: int) -> object:
        return Rehearsal(a_fleet(5), seed=seed, weather=STORMY).run(4.0)

    assert told(1) == told(1) != told(2)


def test_what_a_notice_saves_is_not_lost_and_what_breaks_is_booked_to_the_hardware() -> None:
    came = Rehearsal(a_fleet(10), seed=5, weather=Weather(spot=0.3, hardware=0.1)).run(8.0)
    assert set(came.lost) == {"hardware"}


def test_runs_that_complete_leave_no_machine() -> None:
    rehearsal = Rehearsal(a_fleet(3), weather=Weather(spot=0.0, hardware=0.0, habits=Habits(steps=3000)))
    rehearsal.run(2.0)
    assert [each.id for each in rehearsal.world.cloud.instances.values() if each.live] == []


@pytest.mark.soak
def test_a_thousand_nodes_for_three_days_break_nothing_and_leave_no_backlog() -> None:
    rehearsal = Rehearsal(a_fleet(1000), seed=1)
    checker, ticks = Checker(rehearsal.world), [0]

    def looks(_: object, ticked: object) -> None:
        ticks[0] += 1
        if ticks[0] % 50 == 0:
            checker.check(ticked)  # type: ignore[arg-type]

    rehearsal._looks = looks  # type: ignore[assignment]
    came = rehearsal.run(72.0)
    assert checker.found == []
    assert came.trained > 0.97
    assert len(rehearsal.world.timeline._events) < 20 * came.nodes


def test_a_spec_is_rehearsed_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = tmp_path / "f.yaml"
    spec.write_text("version: 1\nfleet: f\nprovider: local\npools: {t: {train: {command: [train]}}}\n")
    assert main([str(spec), "--hours", "1"]) == 0
    assert json.loads(capsys.readouterr().out)["nodes"] == 1


def test_a_tick_comes_every_so_many_seconds_whoever_rings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = tmp_path / "f.yaml"
    spec.write_text("version: 1\nfleet: f\nprovider: local\npools: {t: {nodes: 3, train: {command: [train]}}}\n")
    assert main([str(spec), "--hours", "2", "--every", "900"]) == 0
    assert json.loads(capsys.readouterr().out)["ticks"] == 8


@pytest.mark.parametrize("every", ["0", "-1", "nan", "soon", "7200"])
def test_a_pace_that_is_none_is_refused(every: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["f.yaml", "--every", every])
    assert "--every" in capsys.readouterr().err


def test_a_faulty_spec_is_refused_with_its_places(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = tmp_path / "f.yaml"
    spec.write_text("version: 1\nfleet: f\nprovider: local\npools: {t: {nodes: -1, train: {command: [train]}}}\n")
    assert main([str(spec)]) == 1
    assert "f.yaml:4:" in capsys.readouterr().err
