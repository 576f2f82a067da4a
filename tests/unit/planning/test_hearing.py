"""Unknown is never dead: who is heard when clocks jump, and what a second look proves."""

from __future__ import annotations

from typing import Any

import pytest

from lifecycle.model.holds import HoldKind
from lifecycle.model.journal import Quiet
from lifecycle.model.plan import Claim, Kind, Plan
from lifecycle.model.states import InstanceState
from lifecycle.model.world import Observed
from lifecycle.planning import planner
from lifecycle.planning.hearing import AT_MOST, looked
from lifecycle.planning.settle import settle
from lifecycle.planning.status import fleet_status
from tests.builders import (
    NODE,
    NOW,
    RUN,
    a_hold,
    a_machine,
    a_placement,
    a_report,
    a_run,
    a_spec,
    an_end,
    an_ended_attempt,
    an_idle_report,
    an_incarnation,
    but,
    rested,
    training,
)

HOUR = 3600.0
OLD = a_report(at=NOW - HOUR)


def heard(report: Any = OLD, **changes: Any) -> Observed:
    return training(**{"reports": {NODE: report}, "heard": {"m1": report}, **changes})


def quiet(since: float, sequence: int = 7, **changes: Any) -> dict[str, Quiet]:
    return {"m1": Quiet(instance="m1", sequence=sequence, since=since, **changes)}


def look(observed: Observed, before: dict[str, Quiet] | None = None, now: float = NOW) -> dict[str, Quiet]:
    return looked(observed, before or {}, now)


def planned(observed: Observed, before: dict[str, Quiet] | None = None, now: float = NOW) -> Plan:
    seen = but(observed, quiet=look(observed, before, now))
    return planner.plan(a_spec(), seen, now)


def health(observed: Observed, before: dict[str, Quiet] | None = None) -> list[tuple[str, str]]:
    seen = but(observed, quiet=look(observed, before))
    (node,) = fleet_status(seen, planner.plan(a_spec(), seen, NOW), NOW).nodes
    return [(told.status, told.reason) for told in node.conditions if told.type == "Healthy"]


# ---- looking ---------------------------------------------------------------------------------------


def test_a_report_of_now_needs_no_second_look() -> None:
    assert look(heard(a_report(at=NOW - 15))) == {}


@pytest.mark.parametrize("at", [NOW - 16, NOW + 16, NOW - HOUR])
def test_a_report_of_another_time_is_looked_at_again(at: float) -> None:
    assert look(heard(a_report(at=at))) == quiet(NOW)


def test_the_same_report_again_is_silence_since_the_first_look() -> None:
    assert look(heard(), quiet(NOW - 60)) == quiet(NOW - 60)


def test_another_report_is_an_agent_that_speaks() -> None:
    assert look(heard(but(OLD, sequence=8)), quiet(NOW - 60)) == quiet(NOW, 8, moved=True)


def test_a_machine_that_never_reported_is_looked_at_too() -> None:
    assert look(training(heard={})) == quiet(NOW, 0)


def test_so_is_one_that_is_not_listed_and_that_nobody_saw_end() -> None:
    assert look(heard(machines=())) == quiet(NOW)
    over = {(NODE, 1): an_incarnation(ended_at=NOW - 9)}
    assert look(heard(machines=(), incarnations=over)) == {}


def test_looks_of_a_clock_that_went_back_count_anew() -> None:
    assert look(heard(), quiet(NOW + HOUR)) == quiet(NOW)


def test_what_is_kept_of_the_looks_is_bounded() -> None:
    many = tuple(a_machine(id=f"m{number}") for number in range(AT_MOST + 1))
    assert len(look(training(machines=many, heard={}, incarnations={}))) == AT_MOST


# ---- what follows ----------------------------------------------------------------------------------


def test_a_silence_that_only_one_look_shows_ends_nothing() -> None:
    """Our clock jumped by an hour, or the controller was away for as long: nobody can tell yet."""
    plan = planned(heard())
    assert (plan.actions, [each.what for each in plan.waiting]) == (
        (),
        ["its agent, silent for 1h: unknown, not dead"],
    )


def test_a_silence_that_a_second_look_shows_is_believed() -> None:
    assert planned(heard(), quiet(NOW - 14)).actions == ()
    assert [each.kind for each in planned(heard(), quiet(NOW - 15)).actions] == [Kind.REPLACE]


def test_a_failed_check_and_one_look_at_a_silent_agent_are_no_two_witnesses() -> None:
    failed = heard(a_report(at=NOW - 60), machines=(a_machine(impaired=True),))
    assert planned(failed).actions == ()
    assert [each.kind for each in planned(failed, quiet(NOW - 45)).actions] == [Kind.REPLACE]


def test_an_agent_whose_clock_is_an_hour_behind_trains_on() -> None:
    for sequence in range(8, 12):
        plan = planned(heard(but(OLD, sequence=sequence)), quiet(NOW - 20, sequence - 1, moved=True))
        assert (plan.actions, plan.waiting) == ((), ())


def test_an_agent_whose_clock_was_behind_when_it_booted_has_reported_all_the_same() -> None:
    booted = a_machine(launched_at=NOW - 1800)
    assert health(heard(but(OLD, sequence=8), machines=(booted,)), quiet(NOW - 20)) == [("Unknown", "ClockOff")]


def test_a_dead_agent_whose_clock_was_ahead_is_silent_in_the_end() -> None:
    ahead = a_report(at=NOW + HOUR)
    assert planned(heard(ahead), quiet(NOW - 20)).actions == ()
    assert [each.kind for each in planned(heard(ahead), quiet(NOW - HOUR)).actions] == [Kind.REPLACE]


def test_a_machine_out_of_the_list_is_not_gone_by_one_look_at_its_agent() -> None:
    away = heard(machines=())
    seen = but(away, quiet=look(away))
    assert settle(seen, NOW).runs == ()
    proven = but(away, quiet=quiet(NOW - 61))
    assert [run.run for run in settle(proven, NOW).runs] == [RUN]


def test_a_node_whose_machine_is_out_of_the_list_is_not_made_anew_by_one_look() -> None:
    silent = an_idle_report(at=NOW - HOUR)
    away = rested(machines=(), reports={NODE: silent}, heard={"m1": silent})
    assert "to be known as gone" in planned(away).waiting[0].what
    assert [each.kind for each in planned(away, quiet(NOW - 15)).actions] == [Kind.CREATE]


def test_a_silence_that_only_one_look_shows_lets_no_machine_go() -> None:
    held = heard(holds=(a_hold(HoldKind.TERMINATE),))
    assert (planned(held).actions, "unknown, not dead" in planned(held).waiting[0].what) == ((), True)
    assert [each.kind for each in planned(held, quiet(NOW - 15)).actions] == [Kind.DESTROY]


def test_a_second_machine_whose_clock_is_behind_is_at_work() -> None:
    two = heard(
        but(OLD, sequence=8),
        machines=(a_machine(), a_machine(id="m2", incarnation=2)),
        placements={NODE: a_placement(incarnation=2)},
        incarnations={(NODE, number): an_incarnation(number=number, instance=f"m{number}") for number in (1, 2)},
        runs={RUN: a_run(an_ended_attempt(incarnation=2))},
    )
    (action,) = planned(two, quiet(NOW - 2)).actions
    assert [type(each) for each in action.steps] == [Claim]


def test_status_tells_silence_and_clocks_with_their_age() -> None:
    assert health(heard()) == [("Unknown", "AgentSilent")]
    assert health(heard(but(OLD, sequence=8)), quiet(NOW - 20)) == [("Unknown", "ClockOff")]
    assert health(heard(a_report())) == []


# ---- a tracker that is behind ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "report",
    [a_report(attempt=2), an_idle_report(ended=an_end(attempt=2))],
    ids=["it has begun one", "it has ended one"],
)
def test_an_attempt_that_was_never_given_out_shows_a_tracker_that_is_behind(report: Any) -> None:
    plan = planned(heard(report))
    (wait,) = plan.waiting
    assert (plan.actions, wait.what) == (
        (),
        f"the tracker to catch up: its agent had attempt 2 of {RUN}, which on record has had 1",
    )
    assert health(heard(report)) == [("Unknown", "TrackerBehind")]


def test_another_runs_attempts_show_nothing() -> None:
    assert "tracker" not in str(planned(heard(a_report(run="f.t.old.0", attempt=9))).waiting)


def test_a_machine_that_is_off_is_heard_of_by_its_provider() -> None:
    assert health(heard(machines=(a_machine(state=InstanceState.STOPPED),))) == []
