"""A node's next machine, by what is to be had: a number of its own, waited for, nothing given up for nothing."""

from __future__ import annotations

from typing import Any

from lifecycle.model.fleet import FleetSpec, Market
from lifecycle.model.plan import Converge, Kind
from lifecycle.model.records import Outcome, Shortage
from lifecycle.model.states import Cause, RunState
from lifecycle.model.world import Observed
from tests.builders import (
    NODE,
    NOW,
    RUN,
    a_machine,
    a_placement,
    a_record,
    a_report,
    a_run,
    a_shortage,
    a_spec,
    an_ended_attempt,
    an_incarnation,
    nothing_yet,
    training,
)
from tests.unit.planning.reading import action, planned, step, waiting


def lost(**changes: Any) -> Observed:
    """Its spot machine was taken; its run is known as interrupted."""
    attempt = an_ended_attempt(outcome=Outcome.INTERRUPTED, cause=Cause.SPOT)
    before = an_incarnation(ended_at=NOW - 60, cause=Cause.SPOT)
    fields = {
        "machines": (),
        "runs": {RUN: a_run(attempt, state=RunState.INTERRUPTED)},
        "incarnations": {(NODE, 1): before},
    }
    return training(**{**fields, **changes})


def short(*shortages: Shortage, spec: FleetSpec | None = None, **changes: Any) -> Observed:
    spec = spec or a_spec(instance_types=["big", "small"])
    return nothing_yet(spec, shortages=shortages, **changes)


def test_the_next_choice_is_made_under_the_next_incarnation_with_its_own_claim() -> None:
    closed = an_incarnation(instance=None, instance_type="big", ended_at=NOW - 60)
    stored = a_placement(instance_type="big")
    observed = short(a_shortage("big"), placements={NODE: stored}, incarnations={(NODE, 1): closed})
    converge = step(observed, Converge)
    assert (converge.placement.instance_type, converge.placement.incarnation) == ("small", 2)
    assert (converge.claim.instance_type, converge.claim.number) == ("small", 2)


def test_what_was_skipped_is_in_the_plans_evidence() -> None:
    assert action(short(a_shortage("big"))).reason.evidence == (
        "declared, and no machine fills it; no capacity for spot big since 1m"
    )


def test_without_capacity_the_node_waits_until_the_first_choice_is_tried_again() -> None:
    wait = waiting(short(a_shortage("big"), a_shortage("small", ago=30)))
    assert wait.what == "capacity: none for spot big since 1m, spot small since 30s"
    assert wait.until == NOW + 240


def test_a_new_machine_goes_back_to_the_first_choice() -> None:
    """Its predecessor was made of the second, when the first was short."""
    stored = a_placement(instance_type="small", market=Market.ON_DEMAND)
    spec = a_spec(instance_types=["big", "small"], fallback={"to": "on_demand", "after": "10m"})
    placement = step(lost(record=a_record(spec), placements={NODE: stored}), Converge).placement
    assert (placement.market, placement.instance_type) == (Market.SPOT, "big")


def test_the_fallback_is_placed_and_told() -> None:
    spec = a_spec(fallback={"to": "on_demand", "after": "10m"})
    found = action(short(a_shortage(since=NOW - 700), spec=spec))
    assert found.steps[0].placement.market is Market.ON_DEMAND
    assert "no spot capacity for 11m: on_demand" in found.reason.evidence


def test_a_claim_that_stands_unused_keeps_its_choice() -> None:
    unused = an_incarnation(instance=None, instance_type="small")
    observed = short(placements={NODE: a_placement(instance_type="small")}, incarnations={(NODE, 1): unused})
    converge = step(observed, Converge)
    assert (converge.placement.instance_type, converge.claim) == ("small", None)


def test_a_claim_whose_choice_is_short_gives_way_to_the_next() -> None:
    unused = an_incarnation(instance=None, instance_type="big")
    observed = short(a_shortage("big"), placements={NODE: a_placement()}, incarnations={(NODE, 1): unused})
    assert step(observed, Converge).claim.number == 2


def test_a_claim_that_was_tried_keeps_its_choice_though_that_is_short() -> None:
    tried = an_incarnation(instance=None, instance_type="big", tried_at=NOW - 301)
    observed = short(a_shortage("big"), placements={NODE: a_placement()}, incarnations={(NODE, 1): tried})
    assert (step(observed, Converge).placement.instance_type, step(observed, Converge).claim) == ("big", None)


def test_a_claim_of_what_the_spec_no_longer_allows_gives_way() -> None:
    unused = an_incarnation(instance=None, instance_type="old")
    observed = short(placements={NODE: a_placement()}, incarnations={(NODE, 1): unused})
    assert (step(observed, Converge).claim.number, step(observed, Converge).claim.instance_type) == (2, "big")


def test_a_machine_is_not_given_up_for_a_type_that_is_not_to_be_had() -> None:
    spec = a_spec(instance_types=["big"])
    wait = waiting(training(spec, shortages=(a_shortage("big"),)))
    assert (wait.what, wait.until) == ("replace: capacity: none for spot big since 1m", NOW + 240)


def test_a_lost_machine_is_replaced_though_all_is_short() -> None:
    observed = training(
        machines=(a_machine(impaired=True),), reports={NODE: a_report(at=NOW - 31)}, shortages=(a_shortage(),)
    )
    assert (action(observed).kind, step(observed, Converge).placement.incarnation) == (Kind.REPLACE, 2)


def test_a_machine_of_the_second_choice_is_as_declared() -> None:
    spec = a_spec(instance_types=["big", "local"], zones=["a", "local"])
    assert planned(training(spec, placements={NODE: a_placement(instance_type="local", zone="local")})).settled


def test_a_machine_in_a_zone_no_longer_declared_is_drained_and_replaced() -> None:
    found = action(training(a_spec(zones=["a"])))
    assert (found.kind, found.reason.evidence) == (Kind.REPLACE, "its zone local is not declared")
