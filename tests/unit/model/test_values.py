"""Small promises of the nouns: specs, records, plans, machines, errors."""

from __future__ import annotations

import pytest

from lifecycle.model import errors
from lifecycle.model.errors import Fault, SpecError
from lifecycle.model.holds import HoldKind
from lifecycle.model.plan import SYMBOLS, Action, Kind, Plan, Reason, Refusal, Waiting
from lifecycle.model.states import InstanceState
from lifecycle.model.world import Observed
from tests.builders import NOW, a_hold, a_machine, a_placement, a_receipt, a_spec, an_attempt, an_ended_attempt


def an_action(kind: Kind = Kind.CREATE, *, lost: int = 0, cost: float | None = 0.0) -> Action:
    reason = Reason(cause="spec", evidence="declared")
    return Action(kind=kind, node="f/t/0", reason=reason, steps=(), lost_steps=lost, cost_per_hour=cost)


def test_a_spec_lists_its_nodes_pool_by_pool_in_natural_order() -> None:
    assert [name.index for name in a_spec(nodes=12).nodes()] == list(range(12))


def test_an_independent_pool_has_a_run_per_node() -> None:
    spec = a_spec(nodes=2)
    assert [spec.run_of(name) for name in spec.nodes()] == ["f.t.main.0", "f.t.main.1"]


def test_a_gang_has_one_run() -> None:
    spec = a_spec(nodes=2, mode="gang")
    assert {spec.run_of(name) for name in spec.nodes()} == {"f.t.main"}


def test_an_attempt_is_open_until_its_outcome_is_known() -> None:
    assert (an_attempt().open, an_ended_attempt().open) == (True, False)


def test_receipts_are_ranked_by_epoch_before_step() -> None:
    assert a_receipt(10, epoch=2).rank > a_receipt(900, epoch=1).rank


@pytest.mark.parametrize(("until", "active"), [(None, True), (NOW + 1, True), (NOW, False), (NOW - 1, False)])
def test_a_hold_lasts_until_its_time(until: float | None, active: bool) -> None:
    assert a_hold(until=until).active(NOW) is active


@pytest.mark.parametrize("state", InstanceState)
def test_a_machine_is_live_in_every_state_but_terminated(state: InstanceState) -> None:
    assert a_machine(state=state).live is (state is not InstanceState.TERMINATED)


def test_the_world_knows_the_nodes_of_placements_and_of_machines() -> None:
    placements = {"f/t/10": a_placement(node="f/t/10")}
    seen = Observed(fleet="f", placements=placements, machines=(a_machine(node="f/t/2"),))
    assert [str(name) for name in seen.nodes()] == ["f/t/2", "f/t/10"]


def test_an_unreadable_provider_leaves_the_nodes_of_the_placements() -> None:
    assert [str(n) for n in Observed(fleet="f", placements={"f/t/0": a_placement()}, machines=None).nodes()] == [
        "f/t/0"
    ]


def test_a_fleet_is_suspended_by_an_active_hold_of_that_kind() -> None:
    hold = a_hold(HoldKind.SUSPEND, node=None)
    assert Observed(fleet="f", holds=(a_hold(HoldKind.STOP), hold)).suspended(NOW) == hold


def test_a_suspension_that_ran_out_suspends_nothing() -> None:
    assert Observed(fleet="f", holds=(a_hold(HoldKind.SUSPEND, node=None, until=NOW),)).suspended(NOW) is None


def test_a_plan_is_settled_when_nothing_is_to_do_or_under_way() -> None:
    assert Plan(fleet="f", generation=1).settled


@pytest.mark.parametrize("left", [{"actions": (an_action(),)}, {"waiting": (Waiting(node="f/t/0", what="it"),)}])
def test_a_plan_with_something_left_is_not_settled(left: dict[str, tuple[object, ...]]) -> None:
    assert not Plan(fleet="f", generation=1, **left).settled  # type: ignore[arg-type]


def test_a_plan_counts_its_actions_by_kind() -> None:
    plan = Plan(fleet="f", generation=1, actions=(an_action(), an_action(), an_action(Kind.STOP)))
    assert (plan.count(Kind.CREATE), plan.count(Kind.STOP), plan.count(Kind.REPLACE)) == (2, 1, 0)


def test_a_plan_adds_up_lost_steps() -> None:
    assert Plan(fleet="f", generation=1, actions=(an_action(lost=3), an_action(lost=4))).lost_steps == 7


def test_a_plan_adds_up_its_cost() -> None:
    assert Plan(fleet="f", generation=1, actions=(an_action(cost=2.5), an_action(cost=-1.0))).cost_per_hour == 1.5


def test_one_unknown_price_makes_the_cost_unknown() -> None:
    assert Plan(fleet="f", generation=1, actions=(an_action(cost=2.5), an_action(cost=None))).cost_per_hour is None


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_of_action_has_a_symbol(kind: Kind) -> None:
    assert SYMBOLS[kind]


def test_a_fault_is_told_with_its_place_and_path() -> None:
    fault = Fault(file="a.yaml", line=7, column=11, path="pools.t.market", message="'spots' is not a market")
    assert str(fault) == "a.yaml:7:11: pools.t.market: 'spots' is not a market"


def test_a_fault_of_a_whole_file_has_no_path() -> None:
    assert str(Fault(file="a.yaml", line=1, column=1, path="", message="is empty")) == "a.yaml:1:1: is empty"


@pytest.mark.parametrize(("count", "words"), [(1, "1 error in the spec"), (2, "2 errors in the spec")])
def test_spec_errors_are_counted(count: int, words: str) -> None:
    fault = Fault(file="a.yaml", line=1, column=1, path="", message="is empty")
    assert str(SpecError((fault,) * count)) == words


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.SteadyError, 1),
        (errors.NotAuthorised, 3),
        (errors.LeaseHeld, 4),
        (errors.LostLease, 4),
        (errors.PartlyDone, 5),
        (errors.GuardRefused, 6),
        (errors.TimedOut, 9),
        (errors.WrongUsage, 64),
        (errors.Unreadable, 1),
        (errors.Conflict, 1),
        (errors.StateUnusable, 1),
    ],
)
def test_every_error_knows_its_exit_code_and_its_fix(kind: type[errors.SteadyError], code: int) -> None:
    error = kind("it broke", fix="mend it")
    assert (error.exit_code, str(error), error.fix) == (code, "it broke", "mend it")


def test_a_plan_that_is_refused_or_of_a_tick_that_failed_has_not_converged() -> None:
    refusal = Refusal(action=Kind.CREATE, node="f/t/0", guard="budget.total", evidence="spent", override="raise it")
    assert Plan(fleet="f", generation=1).converged(())
    assert not Plan(fleet="f", generation=1, refusals=(refusal,)).converged(())
    assert not Plan(fleet="f", generation=1).converged(("no answer",))
