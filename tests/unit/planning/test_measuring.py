"""What a look measures: from the records alone, and nothing that is not known."""

from __future__ import annotations

from typing import Any

import pytest

from lifecycle.model.holds import HoldKind
from lifecycle.model.hours import Hours
from lifecycle.model.metrics import Measure, Sample
from lifecycle.model.money import Ledger
from lifecycle.model.records import Phase
from lifecycle.model.states import Cause, RunState
from lifecycle.model.tally import Tally
from lifecycle.model.world import Observed
from lifecycle.planning import series
from lifecycle.planning.measuring import samples, unread
from tests.builders import (
    NODE,
    NOW,
    RUN,
    a_hold,
    a_machine,
    a_receipt,
    a_report,
    a_run,
    a_spec,
    a_tick,
    an_attempt,
    an_ended_attempt,
    but,
    nothing_yet,
    prices,
    rested,
    training,
)
from tests.gang_builders import gang_trains
from tests.unit.planning.reading import planned


def measured(observed: Observed) -> dict[tuple[str, ...], float]:
    """The values by name and labels, without the fleet's."""
    return {key(each): each.value for each in samples(observed, planned(observed), NOW)}


def key(sample: Sample) -> tuple[str, ...]:
    assert sample.labels[0] == "f"
    return (sample.family.name, *sample.labels[1:])


def names(observed: Observed) -> set[str]:
    return {name for name, *_ in measured(observed)}


def past(**changes: Any) -> Observed:
    """A run that was interrupted twice, and rests."""
    fields = {
        "hours": Hours(training=300.0, lost={"spot": 60.0, "user_error": 40.0}, began=NOW - 400, until=NOW),
        "lost": {"spot": 12},
        "spared": 30,
        "tally": Tally(ended={"spot": 2}, notices={"spot": 3}, restores=2, restore_seconds=95.0),
    }
    return rested(runs={RUN: a_run(an_ended_attempt(), state=RunState.STOPPED, **{**fields, **changes})})


WORLDS = {
    "nothing": nothing_yet(),
    "training": training(last_tick=a_tick()),
    "gang": gang_trains(),
    "blind": training(machines=None, unreadable="no answer"),
    "past": past(),
    "money": training(
        a_spec(budget={"total": 10.0, "per_hour": 3.0}),
        prices=prices(2.0),
        ledgers={"t": Ledger(pool="t", spent=4)},
    ),
    "held": training(holds=(a_hold(),)),
    "unapplied": Observed(fleet="f"),
}


@pytest.mark.parametrize("world", WORLDS.values(), ids=list(WORLDS))
def test_every_sample_is_of_a_known_family_with_its_labels_and_told_once(world: Observed) -> None:
    found = list(samples(world, planned(world), NOW))
    assert all(each.family in series.FAMILIES for each in found)
    assert all(len(each.labels) == len(each.family.labels) for each in found)
    assert len({key(each) for each in found}) == len(found)


def test_names_are_steadys_and_in_base_units() -> None:
    told = [family.name for family in series.FAMILIES]
    assert len(set(told)) == len(told)
    assert all(name.startswith("steady_") for name in told)
    assert all(f.name.endswith("_total") == (f.measure is Measure.COUNTER) for f in series.FAMILIES)


def test_a_fleet_as_declared_is_converged_and_its_last_tick_is_told_of() -> None:
    found = measured(training(last_tick=a_tick(seconds=0.5)))
    assert (found["steady_converged",], found["steady_last_tick_timestamp_seconds",]) == (1, NOW - 9)
    assert (found["steady_tick_seconds",], found["steady_tick_errors",]) == (0.5, 0)


def test_a_fleet_with_errors_in_its_last_tick_is_not_converged() -> None:
    found = measured(training(last_tick=a_tick(errors=("f/t/0: no",))))
    assert (found["steady_converged",], found["steady_tick_errors",]) == (0, 1)


def test_machines_are_counted_by_pool_market_and_state() -> None:
    found = measured(training(a_spec(nodes=2)))
    assert (found["steady_nodes", "t", "spot", "running"], found["steady_nodes", "t", "spot", "pending"]) == (1, 1)
    assert found["steady_nodes", "t", "spot", "stopping"] == 0
    assert found["steady_nodes_declared", "t"] == 2


def test_states_and_prices_of_machines_that_could_not_be_read_are_absent() -> None:
    told = names(training(machines=None, unreadable="no answer"))
    assert told.isdisjoint({"steady_nodes", "steady_cost_dollars_per_hour", "steady_price_age_seconds"})
    assert {"steady_runs", "steady_lost_seconds_total", "steady_spent_dollars"} <= told


def test_launches_are_told_by_the_numbers_of_incarnations() -> None:
    assert measured(training())["steady_launches_total", "t"] == 1
    assert measured(nothing_yet()).get(("steady_launches_total", "t")) is None


def test_an_incarnation_that_is_placed_and_not_claimed_yet_is_no_launch() -> None:
    ahead = {NODE: but(training().placements[NODE], incarnation=2)}
    assert measured(training(placements=ahead))["steady_launches_total", "t"] == 1


def test_time_and_steps_lost_are_told_by_cause_as_history_has_them() -> None:
    found = measured(past())
    assert (found["steady_lost_seconds_total", "t", "spot"], found["steady_lost_steps_total", "t", "spot"]) == (
        60,
        12,
    )
    assert found["steady_lost_seconds_total", "t", "hardware"] == 0
    assert (found["steady_goodput_ratio", "t"], found["steady_wall_seconds", "t"]) == (0.75, 400)


def test_what_a_run_counted_over_its_life_is_told() -> None:
    found = measured(past())
    assert found["steady_attempts_ended_total", "t", "spot"] == 2
    assert found["steady_notices_total", "t", "spot"] == 3
    assert (found["steady_restores_total", "t"], found["steady_restore_seconds_total", "t"]) == (2, 95)


def test_runs_of_earlier_names_count_on() -> None:
    old = a_run(an_ended_attempt(), run="f.t.old.0", state=RunState.COMPLETED, lost={"spot": 5})
    found = measured(but(past(), runs={**past().runs, old.run: old}))
    assert found["steady_lost_steps_total", "t", "spot"] == 17
    assert found["steady_runs", "t", "completed"] == 1


def test_what_trains_now_trains_until_now() -> None:
    hours = Hours(began=NOW - 100, until=NOW - 100, losing_to=None)
    assert measured(training(runs={RUN: a_run(hours=hours)}))["steady_training_seconds", "t"] == 100


def test_the_ratio_of_no_time_is_absent() -> None:
    assert "steady_goodput_ratio" not in names(nothing_yet())


def test_the_age_of_a_checkpoint_is_told_per_run_and_the_greatest_of_the_pool() -> None:
    found = measured(training(a_spec(checkpoint={"max_lost_work": "20m"})))
    assert found["steady_run_checkpoint_age_seconds", "t", RUN] == found["steady_checkpoint_age_seconds", "t"] == 60
    assert (found["steady_run_step", "t", RUN], found["steady_checkpoint_age_limit_seconds", "t"]) == (130, 1200)


def test_a_checkpoint_from_before_the_attempt_is_as_old_as_the_attempt() -> None:
    report = a_report(receipt=a_receipt(at=NOW - 9000))
    found = measured(training(reports={NODE: report}))
    assert found["steady_checkpoint_age_seconds", "t"] == 3600


@pytest.mark.parametrize("world", [past(), training(runs={RUN: a_run(an_attempt(started_at=None))})])
def test_where_nothing_trains_no_age_and_no_step_are_told(world: Observed) -> None:
    assert names(world).isdisjoint({"steady_checkpoint_age_seconds", "steady_run_step"})


def test_the_step_of_an_attempt_before_is_not_told() -> None:
    report = a_report(attempt=0, phase=Phase.TRAINING)
    assert "steady_run_step" not in names(training(reports={NODE: report}))


def test_what_guards_hold_back_is_told_with_the_guard() -> None:
    found = measured(nothing_yet(holds=(a_hold(HoldKind.SUSPEND, node=None),)))
    assert found["steady_holds", "suspend"] == found["steady_refusals", "suspended", "create"] == 1


def test_conditions_are_counted_by_what_has_them() -> None:
    found = measured(training(machines=(a_machine(impaired=True),)))
    assert found["steady_condition", "Healthy", "False", "StatusCheckFailed"] == 1


def test_money_is_told_and_what_is_not_known_of_it_is_absent() -> None:
    found = measured(WORLDS["money"])
    assert (found["steady_spent_dollars", "t"], found["steady_budget_dollars", "t"]) == (4, 10)
    assert (found["steady_cost_dollars_per_hour", "t"], found["steady_price_age_seconds", "t"]) == (2, 0)
    assert found["steady_budget_dollars_per_hour", "t"] == 3
    assert "steady_cost_dollars_per_hour" not in names(training(but(a_spec(), provider="aws")))


def test_a_fleet_that_is_not_applied_is_neither_converged_nor_anything() -> None:
    assert measured(Observed(fleet="f")) == {("steady_read",): 1}


def test_of_records_that_could_not_be_read_only_that_is_told() -> None:
    assert [(key(each), each.value) for each in unread("f")] == [(("steady_read",), 0)]


def test_every_cause_of_a_loss_is_there_from_the_start() -> None:
    """A counter that appears with its first event hides it: `increase` needs the zero before."""
    found = measured(nothing_yet())
    assert {cause for name, *rest in found if name == "steady_lost_steps_total" for cause in rest[1:]} == set(Cause)
