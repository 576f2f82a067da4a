"""What hooks hold back: a stop or an end until they are over, a start where `post_start` failed."""

from __future__ import annotations

from typing import Any

import msgspec

from lifecycle.model.fleet import FleetSpec, Market
from lifecycle.model.hooks import HookDone, HookOutcome, HookPoint
from lifecycle.model.plan import Claim, Converge, GiveOut, Instruct, Kind, PowerOff, Release
from lifecycle.model.records import DrainClaim, DrainOutcome, HoldKind, Phase
from lifecycle.model.states import Cause, InstanceState, RunState, StopReason
from lifecycle.model.world import Observed
from lifecycle.planning.emptying import CLAIM_SECONDS, First, Passed, Purpose, drain_id, empty
from lifecycle.planning.planner import plan
from lifecycle.planning.view import NodeView, views
from tests.builders import (
    NODE,
    NOW,
    RUN,
    a_claim,
    a_hold,
    a_machine,
    a_notice,
    a_receipt,
    a_report,
    a_run,
    a_spec,
    an_allowance,
    an_answer,
    an_assignment,
    an_attempt,
    an_ended_attempt,
    an_idle_report,
    an_order,
    rested,
    training,
)

ONE = [{"run": ["./hook"], "timeout": "20s"}]
SPEC = a_spec(hooks={"pre_stop": ONE, "pre_terminate": ONE, "post_start": ONE})
ORDER = an_order(assignment=an_assignment(hooks=SPEC.pools["t"].hooks))
HELD = a_hold(HoldKind.TERMINATE)
DRAIN = f"m1.manual.{HELD.id}"
REFUSAL = an_answer(
    drain=DRAIN, outcome=DrainOutcome.REFUSED, hook="pre_stop", detail="pre_stop[0] ./hook: exit code 3"
)


def resting(**changes: Any) -> Observed:
    """Attempt 1 has ended with a checkpoint, and its machine has hooks."""
    return rested(SPEC, **{"orders": {NODE: ORDER}, **changes})


def seen(observed: Observed, spec: FleetSpec = SPEC) -> NodeView:
    return next(iter(views(spec, observed, NOW)))


def purpose(*, ends: bool = True) -> Purpose:
    return Purpose(reason=StopReason.MANUAL, cause=Cause.OPERATOR, key="1", ends=ends)


def claimed(observed: Observed) -> DrainClaim:
    steps = [step for action in plan(SPEC, observed, NOW).actions for step in action.steps]
    return next(step.claim for step in steps if isinstance(step, Claim))


# ---- a machine that is to go ------------------------------------------------------------------------


def test_a_machine_whose_run_has_ended_is_drained_for_its_hooks() -> None:
    verdict = empty(seen(resting()), purpose())
    assert isinstance(verdict, First)
    assert (verdict.what, verdict.until) == ("its drain", NOW + 90 + 2 * 25)


def test_without_hooks_for_this_it_goes_at_once() -> None:
    bare = an_order(assignment=an_assignment(hooks=a_spec(hooks={"pre_terminate": ONE}).pools["t"].hooks))
    assert isinstance(empty(seen(resting(orders={NODE: bare})), purpose(ends=False)), Passed)


def test_a_machine_that_is_off_runs_no_hooks() -> None:
    off = (a_machine(state=InstanceState.STOPPED),)
    assert isinstance(empty(seen(resting(machines=off)), purpose()), Passed)


def test_a_machine_that_its_provider_takes_has_run_its_hooks() -> None:
    noticed = resting(reports={NODE: an_idle_report(notice=a_notice())})
    assert isinstance(empty(seen(noticed), purpose()), Passed)


def test_its_answer_lets_it_go() -> None:
    answer = an_answer(drain="m1.manual.1", outcome=DrainOutcome.EMPTY)
    assert isinstance(empty(seen(resting(reports={NODE: an_idle_report(drained=answer)})), purpose()), Passed)


def test_a_silent_agent_may_have_hooks_to_run_yet() -> None:
    verdict = empty(seen(resting(reports={NODE: an_idle_report(at=NOW - 100)})), purpose())
    assert isinstance(verdict, First)
    assert "unknown, not dead" in verdict.what


def test_a_hook_that_runs_is_waited_for() -> None:
    busy = an_idle_report(phase=Phase.HOOKS, ready=False, hook="pre_stop[0]")
    bare = rested(a_spec(), reports={NODE: busy}, drains={NODE: a_claim()})
    assert isinstance(empty(seen(bare, a_spec()), purpose()), First)


def test_the_claim_says_whether_the_machine_ends() -> None:
    kinds = (HoldKind.TERMINATE, HoldKind.REPLACE)
    holds = [a_hold(kind, instance="m1" if kind is HoldKind.REPLACE else None) for kind in kinds]
    assert [claimed(resting(holds=(hold,))).ends for hold in holds] == [True, True]


KEPT = a_machine(market=Market.ON_DEMAND)


def test_a_mere_stop_does_not_end_it() -> None:
    spec = a_spec(market="on_demand", hooks={"pre_stop": ONE})
    steps = plan(spec, resting(holds=(a_hold(),), machines=(KEPT,)), NOW).actions[0].steps
    assert [step.claim.ends for step in steps if isinstance(step, Claim)] == [False]


def test_a_claim_lasts_as_long_as_its_hooks_may() -> None:
    assert claimed(resting(holds=(HELD,))).expires_at == NOW + 90 + 2 * 25 + CLAIM_SECONDS


def test_after_its_hooks_an_on_demand_machine_is_switched_off() -> None:
    spec = a_spec(market="on_demand", hooks={"pre_stop": ONE})
    answer = an_answer(drain=f"m1.manual.{a_hold().id}", outcome=DrainOutcome.EMPTY)
    held = resting(holds=(a_hold(),), machines=(KEPT,), reports={NODE: an_idle_report(drained=answer)})
    steps = plan(spec, held, NOW).actions[0].steps
    assert [type(step) for step in steps if isinstance(step, PowerOff)] == [PowerOff]


# ---- refused by a hook -------------------------------------------------------------------------------


def refused(**changes: Any) -> Observed:
    """The save came, then a hook refused: the attempt has ended, its claim stands."""
    claim = a_claim(drain=DRAIN, ends=True)
    report = an_idle_report(drained=REFUSAL, receipt=a_receipt(130))
    return resting(**{"holds": (HELD,), "drains": {NODE: claim}, "reports": {NODE: report}, **changes})


def test_a_refusal_names_the_hook_and_its_override() -> None:
    found = plan(SPEC, refused(), NOW).refusals[0]
    assert (found.guard, found.evidence) == ("hook pre_stop", "pre_stop[0] ./hook: exit code 3")
    assert found.override == "steady allow-loss m1 --reason ..."


def test_after_a_refusal_the_claim_goes_and_the_run_goes_on_from_its_save() -> None:
    (action,) = plan(SPEC, refused(), NOW).actions
    assert [type(step) for step in action.steps] == [Release, GiveOut]
    (given,) = [step for step in action.steps if isinstance(step, GiveOut)]
    assert given.order.assignment is not None
    assert [receipt.step for receipt in given.order.assignment.resume] == [100]


def test_while_it_trains_on_the_refusal_stands() -> None:
    again = an_attempt(SPEC, number=2)
    order = msgspec.structs.replace(
        ORDER, number=2, assignment=an_assignment(attempt=2, hooks=SPEC.pools["t"].hooks)
    )
    found = plan(
        SPEC,
        refused(
            drains={},
            runs={RUN: a_run(again)},
            orders={NODE: order},
            reports={NODE: a_report(attempt=2, drained=REFUSAL)},
        ),
        NOW,
    )
    assert (found.actions, [refusal.guard for refusal in found.refusals]) == ((), ["hook pre_stop"])


def test_a_run_that_is_over_does_not_start_again() -> None:
    completed = {RUN: a_run(an_ended_attempt(SPEC), state=RunState.COMPLETED)}
    (action,) = plan(SPEC, refused(runs=completed), NOW).actions
    assert [type(step) for step in action.steps] == [Release]


def test_an_allowed_loss_lets_an_idle_machine_go() -> None:
    found = plan(SPEC, refused(allowances={"m1": an_allowance()}), NOW)
    assert [type(step) for action in found.actions for step in action.steps] == [Converge]


def test_an_allowed_loss_drains_a_training_one_without_blocking() -> None:
    busy = training(
        SPEC,
        orders={NODE: ORDER},
        holds=(HELD,),
        reports={NODE: a_report(drained=REFUSAL)},
        allowances={"m1": an_allowance()},
    )
    claim = claimed(busy)
    assert (claim.blocking, claim.drain) == (False, f"{DRAIN}.loss.unblocked")


def test_a_forced_save_is_no_leave_to_skip_hooks() -> None:
    spec = a_spec(stop={"without_checkpoint": "force"}, hooks={"pre_stop": ONE})
    busy = training(spec, orders={NODE: ORDER})
    assert drain_id(seen(busy, spec), purpose()) == "m1.manual.1.loss"
    allowed = msgspec.structs.replace(busy, allowances={"m1": an_allowance()})
    assert drain_id(seen(allowed, spec), purpose()) == "m1.manual.1.loss.unblocked"


def test_what_a_trainer_refused_is_drained_again_once_it_has_ended() -> None:
    report = an_idle_report(drained=an_answer(outcome=DrainOutcome.REFUSED))
    assert isinstance(empty(seen(resting(reports={NODE: report})), purpose()), First)


# ---- a machine on which nothing may start ------------------------------------------------------------


def barred(**changes: Any) -> Observed:
    """Attempt 1 was given out, and its machine's `post_start` failed."""
    failed = HookDone(
        point=HookPoint.POST_START,
        name="post_start[0]",
        op_id="o1",
        run=RUN,
        outcome=HookOutcome.FAILED,
        at=NOW - 5,
        blocks=True,
        detail="./hook: exit code 1",
    )
    waiting = a_run(an_attempt(SPEC, started_at=None), state=RunState.STARTING)
    reports = {NODE: an_idle_report(hooks=(failed,))}
    return training(SPEC, **{"orders": {NODE: ORDER}, "runs": {RUN: waiting}, "reports": reports, **changes})


def test_where_post_start_failed_nothing_starts() -> None:
    found = plan(SPEC, barred(), NOW)
    assert (found.actions, found.settled) == ((), True)
    (refusal,) = found.refusals
    assert (refusal.guard, refusal.evidence) == ("hook post_start", "post_start[0] failed: ./hook: exit code 1")
    assert refusal.override == f"fix the hook, then `steady replace {NODE}`"


def test_a_barred_machine_is_given_no_other_attempt() -> None:
    ended = {RUN: a_run(an_ended_attempt(SPEC), state=RunState.STOPPED)}
    assert plan(SPEC, barred(runs=ended), NOW).actions == ()


def test_a_barred_machine_can_be_replaced() -> None:
    assert claimed(barred(holds=(a_hold(HoldKind.REPLACE, instance="m1"),))).ends


# ---- while hooks run ---------------------------------------------------------------------------------


def test_a_machine_under_notice_is_not_replaced_while_its_hook_runs() -> None:
    notice = a_notice()
    busy = an_idle_report(phase=Phase.HOOKS, ready=False, hook="on_interruption[0]", notice=notice)
    found = plan(SPEC, resting(reports={NODE: busy}), NOW)
    assert found.actions == ()
    assert [(each.what, each.until) for each in found.waiting] == [("its hook on_interruption[0]", notice.deadline)]


def test_hooks_that_changed_are_told_to_the_agent() -> None:
    old = an_order()
    (action,) = plan(SPEC, training(SPEC, orders={NODE: old}), NOW).actions
    assert action.kind is Kind.UPDATE
    (told,) = [step.order for step in action.steps if isinstance(step, Instruct)]
    assert told.assignment is not None
    assert (told.assignment.hooks, told.number) == (SPEC.pools["t"].hooks, old.number + 1)


def test_hooks_that_did_not_change_are_not() -> None:
    assert plan(SPEC, training(SPEC, orders={NODE: ORDER}), NOW).actions == ()
