"""What is worth waking a person for, and to whom it is told: once per occurrence."""

from __future__ import annotations

from typing import Any

import pytest

from lifecycle.model.holds import HoldKind
from lifecycle.model.money import Ledger
from lifecycle.model.plan import Kind, Plan, Refusal
from lifecycle.model.states import Cause, RunState
from lifecycle.model.tidings import Failing, Message, Tiding, Told
from lifecycle.model.world import Observed
from lifecycle.planning import telling, tidings
from tests.builders import (
    NODE,
    NOW,
    RUN,
    a_hold,
    a_record,
    a_run,
    a_spec,
    a_tick,
    an_ended_attempt,
    but,
    nothing_yet,
    rested,
    training,
)
from tests.unit.planning.reading import planned


def standing(observed: Observed, plan: Plan | None = None) -> tuple[Tiding, ...]:
    return tidings.standing(observed, plan or planned(observed), NOW)


def only(observed: Observed, plan: Plan | None = None) -> Tiding:
    (tiding,) = standing(observed, plan)
    return tiding


def refused(guard: str, node: str = NODE) -> Plan:
    refusal = Refusal(action=Kind.CREATE, node=node, guard=guard, evidence="too much", override="think again")
    return Plan(fleet="f", generation=1, refusals=(refusal,))


# ---- what stands ---------------------------------------------------------------------------------


def test_of_a_fleet_that_trains_nobody_is_told() -> None:
    assert standing(training()) == ()
    assert tidings.converged(training(), planned(training()))


def test_a_stale_checkpoint_is_told_with_its_node() -> None:
    tiding = only(training(runs={RUN: a_run(stale_since=NOW - 120)}))
    assert (tiding.kind, tiding.node, tiding.since) == ("CheckpointStale", NODE, NOW - 120)
    assert "2m beyond max_lost_work" in tiding.sentence


def test_a_second_staleness_is_another_occurrence() -> None:
    keys = {only(training(runs={RUN: a_run(stale_since=NOW - ago)})).key for ago in (120, 60)}
    assert len(keys) == 2


def test_a_run_whose_retries_are_used_up_is_told_with_the_way_back() -> None:
    failed = an_ended_attempt(outcome="failed", cause=Cause.USER_ERROR, detail="exit 1")
    tiding = only(rested(runs={RUN: a_run(failed, state=RunState.FAILED, failures={"user_error": 9})}))
    assert (tiding.kind, tiding.cause) == ("RunFailed", "user_error")
    assert f"`steady start {NODE} --resume`" in tiding.sentence


def test_a_run_that_rests_for_a_person_or_has_completed_is_no_failure() -> None:
    done = rested(runs={RUN: a_run(an_ended_attempt(outcome="completed", cause=None), state=RunState.COMPLETED)})
    assert standing(done) == standing(rested(holds=(a_hold(HoldKind.STOP),))) == ()


@pytest.mark.parametrize(("spent", "kind"), [(7.0, None), (8.0, "BudgetNear"), (10.0, "BudgetExhausted")])
def test_money_is_told_at_80_and_at_100_percent(spent: float, kind: str | None) -> None:
    world = training(a_spec(budget={"total": 10.0}), ledgers={"t": Ledger(pool="t", spent=spent)})
    assert [tiding.kind for tiding in standing(world)] == ([kind] if kind else [])


def test_the_breaker_is_told_once_for_the_whole_fleet() -> None:
    tiding = only(training(), refused("launches per hour"))
    assert (tiding.kind, tiding.node, tiding.patience) == ("BreakerOpen", None, 0)


def test_another_refusal_has_to_stand_for_a_while() -> None:
    tiding = only(training(), refused("budget.per_hour"))
    assert (tiding.kind, tiding.cause, tiding.patience) == ("Refused", "budget.per_hour", 600)


@pytest.mark.parametrize("guard", ["suspended", "contested", "budget.total"])
def test_what_was_meant_or_is_told_otherwise_is_no_refusal_to_wake_for(guard: str) -> None:
    assert standing(training(), refused(guard)) == ()


def test_of_machines_that_cannot_be_read_only_that_is_told() -> None:
    blind = training(machines=None, unreadable="no answer", runs={RUN: a_run(stale_since=NOW - 120)})
    tiding = only(blind)
    assert (tiding.kind, tiding.patience) == ("Unreadable", 300)
    assert not tidings.converged(blind, planned(blind))


def test_of_a_fleet_that_is_being_destroyed_nobody_is_told() -> None:
    world = training(runs={RUN: a_run(stale_since=NOW - 120)})
    assert standing(but(world, record=a_record(destroying=True))) == standing(but(world, record=None)) == ()


def test_a_fleet_with_work_to_do_or_errors_has_not_converged() -> None:
    assert not tidings.converged(nothing_yet(), planned(nothing_yet()))
    assert not tidings.converged(training(last_tick=a_tick(errors=("no",))), planned(training()))


# ---- who is told ---------------------------------------------------------------------------------

A = Tiding(key="a", kind="Contested", fleet="f", sentence="f: a")
PATIENT = Tiding(key="p", kind="Refused", fleet="f", sentence="f: p", patience=600)


def told_of(told: Told, *found: Tiding, now: float = NOW, well: bool = False) -> list[Message]:
    batches = telling.due(told, "hook", found, fleet="f", converged=well, now=now)
    return [message for message, _ in batches]


def after(*found: Tiding, told: Told | None = None, now: float = NOW) -> Told:
    return telling.noted(told or Told(), found, now)


def test_what_stands_is_told_once() -> None:
    told = after(A)
    assert [message.text for message in told_of(told, A)] == ["f: a"]
    assert told_of(telling.delivered(told, "hook", ["a"]), A) == []


def test_each_target_is_told_for_itself() -> None:
    told = telling.delivered(after(A), "another", ["a"])
    assert len(told_of(told, A)) == 1


def test_what_comes_again_is_told_again() -> None:
    told = telling.delivered(after(A), "hook", ["a"])
    again = after(A, told=after(told=told))
    assert len(told_of(again, A)) == 1


def test_what_has_to_stand_is_told_when_it_has() -> None:
    told = after(PATIENT)
    later = after(PATIENT, told=told, now=NOW + 600)
    assert (told_of(told, PATIENT, now=NOW + 599), len(told_of(later, PATIENT, now=NOW + 600))) == ([], 1)


def test_while_somebody_else_tells_a_target_nobody_does() -> None:
    told = telling.claimed(after(A), "hook", NOW)
    assert told_of(told, A, now=NOW + 59) == []
    assert len(told_of(told, A, now=NOW + 60)) == 1


def test_a_target_that_failed_is_left_alone_longer_and_longer() -> None:
    told = after(A)
    waits = []
    for _ in range(6):
        told = telling.failed(told, "hook", NOW)
        waits.append(told.failing["hook"].due - NOW)
    assert waits == [30, 60, 300, 900, 3600, 3600]
    assert told_of(told, A, now=NOW + 3599) == []


def test_a_target_that_takes_a_message_again_has_no_past() -> None:
    told = but(after(A), failing={"hook": Failing(times=4, due=NOW)})
    assert telling.delivered(told, "hook", ["a"]).failing == {}


def test_a_fleet_that_is_well_again_is_told_to_those_who_heard_that_it_was_not() -> None:
    told = after(told=telling.delivered(after(A), "hook", ["a"]))
    (message,) = told_of(told, well=True)
    assert (message.kind, message.text) == ("Converged", "f: is as declared again")
    assert told_of(telling.delivered(told, "hook", [telling.CONVERGED]), well=True) == []


def test_a_fleet_that_was_never_told_of_is_not_well_again() -> None:
    assert told_of(Told(), well=True) == []


def test_many_at_once_are_few_messages_and_all_are_remembered() -> None:
    many = [but(A, key=f"k{n}", sentence=f"f: {n}") for n in range(40)]
    batches = telling.due(after(*many), "hook", many, fleet="f", converged=False, now=NOW)
    assert [message.text for message, _ in batches][-1] == "f: and 36 more, first: f: 4"
    assert (len(batches), sum(len(keys) for _, keys in batches)) == (5, 40)


def test_a_message_names_the_command_that_tells_more() -> None:
    whole, one = told_of(after(A), A), told_of(after(A), but(A, node=NODE))
    assert (whole[0].more, one[0].more) == ("steady status f", f"steady why {NODE}")


def test_more_than_five_hundred_are_one_fault() -> None:
    names: dict[str, Any] = {f"f.t.main.{n}": a_run(run=f"f.t.main.{n}", stale_since=NOW) for n in range(600)}
    assert len(standing(training(runs=names))) == 500
