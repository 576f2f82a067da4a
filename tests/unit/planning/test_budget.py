"""Budgets: what is refused because of money, what is stopped for it, and that nothing else is."""

from __future__ import annotations

from typing import Any

import pytest

from lifecycle.model.fleet import Market
from lifecycle.model.money import Ledger, Meter
from lifecycle.model.plan import Claim, Converge, Kind, PowerOff
from lifecycle.model.records import Status
from lifecycle.model.states import Cause, InstanceState, RunState, StopReason
from lifecycle.model.world import Observed
from lifecycle.planning.explain import summary
from lifecycle.planning.status import fleet_status
from tests.builders import (
    NODE,
    NOW,
    RUN,
    a_claim,
    a_machine,
    a_notice,
    a_placement,
    a_record,
    a_report,
    a_run,
    a_spec,
    an_ended_attempt,
    an_idle_report,
    an_incarnation,
    but,
    nothing_yet,
    prices,
    rested,
    training,
)
from tests.unit.planning.reading import action, planned, refusal, seen, step, steps

# ---- per hour ------------------------------------------------------------------------------------


def limited(dollars: float, nodes: int = 1, **changes: Any) -> Observed:
    spec = a_spec(nodes=nodes, budget={"per_hour": dollars})
    return nothing_yet(spec, **{"prices": prices(1.0), **changes})


def test_a_pool_within_its_budget_is_made() -> None:
    assert planned(limited(2.0, nodes=2)).count(Kind.CREATE) == 2


def test_of_the_nodes_of_a_pool_so_many_are_made_as_it_can_pay() -> None:
    plan = planned(limited(2.0, nodes=3))
    assert (plan.count(Kind.CREATE), len(plan.refusals)) == (2, 1)
    assert summary(plan).startswith("Plan: 2 to create")


def test_the_refusal_says_what_it_costs_and_how_to_go_on() -> None:
    found = refusal(limited(0.5))
    assert (found.action, found.node, found.guard) == (Kind.CREATE, NODE, "budget.per_hour")
    assert found.evidence == "pool t costs $0.00/h now, this $1.00/h more: that passes $0.5/h"
    assert found.override == "raise pools.t.budget.per_hour in the spec, and apply it"


def test_a_price_that_is_not_known_is_refused_under_a_budget_per_hour() -> None:
    elsewhere = but(a_spec(budget={"per_hour": 9.0}), provider="aws")
    found = refusal(nothing_yet(record=a_record(elsewhere)))
    assert found.evidence == "pool t costs $0.00/h now, this $?/h more: a price is not known"
    assert found.override.startswith("leave out pools.t.budget.per_hour")


def test_a_price_that_is_not_known_stops_nothing_else() -> None:
    elsewhere = but(a_spec(budget={"total": 9.0}), provider="aws")
    assert action(nothing_yet(record=a_record(elsewhere))).kind is Kind.CREATE


def test_machines_that_run_count() -> None:
    spec = a_spec(nodes=2, budget={"per_hour": 1.5})
    assert refusal(training(spec, prices=prices(1.0))).node == "f/t/1"


def test_a_machine_that_is_made_and_not_listed_yet_counts() -> None:
    made = {("f/t/1", 1): an_incarnation(node="f/t/1", instance="m2", claimed_at=NOW - 5)}
    placed = {"f/t/1": a_placement(node="f/t/1")}
    observed = limited(1.5, nodes=2, incarnations=made, placements=placed)
    assert refusal(observed).node == NODE


def test_a_machine_that_is_off_does_not_count() -> None:
    off = a_machine(id="m9", node="f/u/0", state=InstanceState.STOPPED)
    assert planned(limited(1.5, machines=(off,))).count(Kind.CREATE) == 1


def test_a_budget_that_was_lowered_ends_nothing_that_runs() -> None:
    assert planned(training(a_spec(budget={"per_hour": 0.1}), prices=prices(1.0))).settled


def test_one_machine_for_another_of_the_same_price_needs_no_more_money() -> None:
    notice = a_report(notice=a_notice())
    observed = rested(a_spec(budget={"per_hour": 1.0}), prices=prices(1.0), reports={NODE: notice})
    idle = an_idle_report(notice=a_notice())
    assert planned(but(observed, reports={NODE: idle})).count(Kind.REPLACE) == 1


def test_a_dearer_machine_is_refused_before_its_predecessor_is_emptied() -> None:
    spec = a_spec(budget={"per_hour": 1.0}, market="on_demand", drift={"market": "replace"})
    dear = {**prices(1.0), **prices(3.0, market=Market.ON_DEMAND)}
    found = planned(training(spec, prices=dear))
    assert [each.guard for each in found.refusals] == ["budget.per_hour"]
    assert found.actions == ()


def test_a_machine_that_is_switched_on_again_costs_money() -> None:
    spec = a_spec(market="on_demand", budget={"per_hour": 0.5})
    off = a_machine(state=InstanceState.STOPPED, market=Market.ON_DEMAND)
    observed = rested(spec, machines=(off,), prices=prices(1.0, market=Market.ON_DEMAND))
    placed = {NODE: a_placement(market=Market.ON_DEMAND)}
    assert refusal(but(observed, placements=placed)).action is Kind.START


# ---- total ---------------------------------------------------------------------------------------


def paying(total: float, spent: float, market: str = "spot", **changes: Any) -> Observed:
    """A pool that trains, has spent so much, and costs nothing more."""
    kind = Market(market)
    spec = a_spec(budget={"total": total}, market=market)
    fields = {
        "machines": (a_machine(market=kind),),
        "placements": {NODE: a_placement(market=kind)},
        "ledgers": {"t": Ledger(pool="t", spent=spent)},
    }
    return training(spec, **{**fields, **changes})


def test_a_pool_with_money_left_trains_on() -> None:
    assert planned(paying(10.0, 9.99)).settled


@pytest.mark.parametrize("spent", [10.0, 11.0])
def test_a_pool_whose_money_is_spent_is_saved_first(spent: float) -> None:
    found = action(paying(10.0, spent))
    assert (found.kind, found.reason.cause) == (Kind.STOP, Cause.BUDGET)
    assert found.reason.evidence == f"pool t: ${spent:.2f} of $10 are spent"
    claim = step(paying(10.0, spent), Claim).claim
    assert (claim.purpose, claim.cause) == (StopReason.BUDGET, Cause.BUDGET)


def spent_and_saved(market: str) -> Observed:
    """Its trainer has ended for the sake of the budget, with a checkpoint."""
    attempt = an_ended_attempt(a_spec(market=market), cause=Cause.BUDGET)
    return paying(
        10.0,
        10.0,
        market,
        runs={RUN: a_run(attempt, state=RunState.STOPPED)},
        reports={NODE: an_idle_report()},
        drains={NODE: a_claim(drain="m1.budget.1-1", purpose=StopReason.BUDGET)},
    )


def test_on_spot_it_is_ended_then_and_is_to_come_back() -> None:
    placement = step(spent_and_saved("spot"), Converge).placement
    assert (placement.present, placement.reason) == (False, StopReason.BUDGET)
    assert action(spent_and_saved("spot")).kind is Kind.STOP


def test_on_demand_it_is_stopped_and_keeps_its_disk() -> None:
    assert steps(spent_and_saved("on_demand")) == ["Place", "PowerOff"]
    assert step(spent_and_saved("on_demand"), PowerOff).machine.id == "m1"


def without_a_machine(total: float, spent: float) -> Observed:
    placed = a_placement(present=False, reason=StopReason.BUDGET)
    record = paying(total, 0.0).record
    gone = {(NODE, 1): an_incarnation(ended_at=NOW - 9, meter=Meter(booked=True, first=True))}
    away = but(spent_and_saved("spot"), machines=(), drains={}, incarnations=gone)
    return but(away, placements={NODE: placed}, record=record)


def test_nothing_starts_without_money_and_the_refusal_says_how_to_go_on() -> None:
    found = refusal(without_a_machine(10.0, 10.0))
    assert (found.guard, found.evidence) == ("budget.total", "$10.00 of $10 are spent")
    assert found.override == "raise pools.t.budget.total in the spec, and apply it"
    assert planned(without_a_machine(10.0, 10.0)).settled


def test_a_raised_budget_brings_the_machine_back() -> None:
    assert planned(without_a_machine(20.0, 10.0)).count(Kind.CREATE) == 1


def test_a_raised_budget_calls_the_drain_off() -> None:
    claim = a_claim(drain="m1.budget.1-1", purpose=StopReason.BUDGET)
    assert steps(paying(20.0, 10.0, drains={NODE: claim})) == ["Release"]


@pytest.mark.parametrize("then", ["terminate", "keep"])
def test_without_money_nothing_is_refused_that_nobody_wants(then: str) -> None:
    done = a_run(an_ended_attempt(outcome="completed"), state=RunState.COMPLETED)
    spec = a_spec(budget={"total": 10.0}, train={"on_completion": then})
    assert planned(but(without_a_machine(10.0, 10.0), record=a_record(spec), runs={RUN: done})).refusals == ()


def test_what_runs_counts_before_it_is_booked() -> None:
    runs = {(NODE, 1): an_incarnation(meter=Meter(rate=5.0, since=NOW - 3600, first=True))}
    observed = paying(10.0, 5.0, incarnations=runs)
    assert seen(observed).account.exhausted  # type: ignore[union-attr]
    assert not seen(but(observed, ledgers={})).account.exhausted  # type: ignore[union-attr]


def test_the_money_of_one_pool_is_not_that_of_another() -> None:
    assert planned(paying(10.0, 0.0, ledgers={"u": Ledger(pool="u", spent=99.0)})).settled


# ---- told ----------------------------------------------------------------------------------------


def conditions(observed: Observed) -> list[tuple[str, Status, str]]:
    status = fleet_status(observed, planned(observed), NOW)
    return [(found.reason, found.status, found.message) for found in status.conditions]


def test_from_four_fifths_on_a_condition_warns() -> None:
    assert conditions(paying(10.0, 7.9)) == []
    assert conditions(paying(10.0, 8.0)) == [("BudgetNear", Status.TRUE, "pool t: $8.00 of $10 are spent")]


def test_money_that_is_spent_is_a_condition() -> None:
    (found,) = conditions(paying(10.0, 10.0))
    assert found[:2] == ("BudgetExhausted", Status.FALSE)


def test_a_sum_that_is_not_exact_is_told_so() -> None:
    (found,) = conditions(paying(10.0, 0.0, ledgers={"t": Ledger(pool="t", spent=8.0, exact=False)}))
    assert found[2] == "pool t: ~$8.00 of $10 are spent"


def test_the_status_tells_what_a_pool_has_cost_and_costs_and_how_old_its_prices_are() -> None:
    observed = paying(10.0, 2.5, prices=prices(1.5, at=NOW - 90))
    (cost,) = fleet_status(observed, planned(observed), NOW).costs
    assert (cost.pool, cost.spent, cost.exact, cost.total) == ("t", 2.5, True, 10.0)
    assert (cost.per_hour, cost.price_age_seconds) == (1.5, 90.0)


def test_a_node_without_money_is_shown_as_stopped() -> None:
    observed = without_a_machine(10.0, 10.0)
    (node,) = fleet_status(observed, planned(observed), NOW).nodes
    assert node.state == "stopped"
    assert node.conditions[0].reason == "Refused"


def test_what_it_cost_is_told_after_the_fleet_was_destroyed() -> None:
    gone = Observed(fleet="f", ledgers={"t": Ledger(pool="t", spent=3.0)})
    (cost,) = fleet_status(gone, planned(gone), NOW).costs
    assert (cost.spent, cost.total) == (3.0, None)
