"""Hooks, step by step: which run when, one at a time, and what their failure holds back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lifecycle.model.codec import convert
from lifecycle.model.fleet import Hooks, OnCompletion
from lifecycle.model.hooks import HookOutcome
from lifecycle.model.journal import Entry
from lifecycle.model.records import DrainOutcome, Outcome, Phase
from lifecycle.model.states import Cause
from lifecycle.planning.hooks import RESERVE, START_WITHIN
from tests.builders import NOW, a_notice, a_receipt, an_assignment
from tests.unit.agent.doubles import Killed, Switch
from tests.unit.agent.stage import NodeStage


@pytest.fixture
def stage(tmp_path: Path) -> NodeStage:
    return NodeStage(tmp_path)


def hooks(*, on_failure: str = "block", timeout: str = "60s", **points: int) -> Hooks:
    """So many hooks at these points."""
    one = {"run": ["./hook", "a b"], "timeout": timeout, "on_failure": on_failure}
    return convert({point: [one] * count for point, count in points.items()}, Hooks)


def drained(stage: NodeStage, step: int = 130, **claim: Any) -> None:
    """Its drain is claimed, and the trainer saves and leaves."""
    stage.claim(**claim)
    stage.step()
    stage.saves_and_leaves(step)


def ended_hook(stage: NodeStage, code: int | None = 0, *, said: str = "") -> None:
    stage.programs.ends(code, said=said)
    stage.step(2)


def at_rest(stage: NodeStage, **points: int) -> None:
    """Its attempt has ended by itself."""
    stage.begins(hooks=hooks(**points))
    stage.trainer.finishes(None)
    stage.trainer.exits(0)
    stage.step(2)


def outcomes(stage: NodeStage) -> list[tuple[str, HookOutcome]]:
    return [(done.name, done.outcome) for done in stage.report.hooks]


def told(stage: NodeStage) -> Entry:
    """The journal's newest line about a hook."""
    return next(entry for entry in reversed(stage.controller.entries("f")) if entry.what.startswith("hook"))


# ---- before a stop, before an end -------------------------------------------------------------------


def test_a_hook_before_a_stop_runs_once_the_save_has_shipped(stage: NodeStage) -> None:
    stage.begins(hooks=hooks(pre_stop=1))
    stage.claim()
    stage.step()
    stage.trainer.saves(130)
    stage.trainer.exits(0)
    stage.step(2)
    assert stage.programs.starts == []
    stage.courier.delivers()
    stage.step()
    assert (stage.programs.names, stage.receipts) == (["pre_stop[0]"], [130])


def test_the_drain_is_answered_when_its_hooks_are_over(stage: NodeStage) -> None:
    stage.begins(hooks=hooks(pre_stop=1))
    drained(stage)
    assert (stage.report.phase, stage.report.hook, stage.report.drained) == (Phase.HOOKS, "pre_stop[0]", None)
    ended_hook(stage)
    answer = stage.report.drained
    assert answer is not None
    assert (answer.outcome, answer.step, stage.report.phase) == (DrainOutcome.SAVED, 130, Phase.IDLE)


def test_the_end_of_the_attempt_is_told_before_its_hooks_are_over(stage: NodeStage) -> None:
    stage.begins(hooks=hooks(pre_stop=1))
    drained(stage)
    assert (stage.ended.outcome, stage.ended.step, stage.report.ready) == (Outcome.STOPPED, 130, False)


def test_before_an_end_both_kinds_run_in_their_order(stage: NodeStage) -> None:
    stage.begins(hooks=hooks(pre_stop=2, pre_terminate=1))
    drained(stage, ends=True)
    for _ in range(3):
        ended_hook(stage)
    assert stage.programs.names == ["pre_stop[0]", "pre_stop[1]", "pre_terminate[0]"]
    assert stage.report.drained is not None


def test_before_a_mere_stop_nothing_runs_that_is_for_an_end(stage: NodeStage) -> None:
    stage.begins(hooks=hooks(pre_terminate=1, on_interruption=1))
    drained(stage)
    assert (stage.programs.starts, stage.report.drained is not None) == ([], True)


def test_a_hook_knows_why_and_what_was_saved(stage: NodeStage) -> None:
    stage.begins(hooks=hooks(pre_stop=1))
    drained(stage, cause=Cause.DRIFT)
    facts = stage.programs.starts[0].facts
    op_id = stage.programs.starts[0].call.op_id
    assert facts == {
        "STEADY_HOOK": "pre_stop",
        "STEADY_OP_ID": op_id,
        "STEADY_CAUSE": "drift",
        "STEADY_CHECKPOINT": "130",
    }


def test_a_machine_where_nothing_trains_runs_its_hooks_too(stage: NodeStage) -> None:
    at_rest(stage, pre_terminate=1)
    stage.claim(ends=True)
    stage.step()
    assert (stage.programs.names, stage.report.phase, stage.report.drained) == (
        ["pre_terminate[0]"],
        Phase.HOOKS,
        None,
    )
    ended_hook(stage)
    assert stage.report.drained is not None
    assert stage.report.drained.outcome is DrainOutcome.EMPTY


def test_a_machine_that_never_had_an_attempt_has_no_hooks(stage: NodeStage) -> None:
    stage.claim(ends=True)
    stage.step()
    assert (stage.programs.starts, stage.report.drained is not None) == ([], True)


def test_an_attempt_that_ends_by_itself_runs_none(stage: NodeStage) -> None:
    stage.begins(hooks=hooks(pre_stop=1, pre_terminate=1, on_interruption=1))
    stage.trainer.exits(1)
    stage.step(4)
    assert stage.programs.starts == []


def test_nothing_starts_while_a_hook_runs(stage: NodeStage) -> None:
    stage.begins(hooks=hooks(pre_stop=1))
    drained(stage)
    stage.controller.release_drain("f", "f/t/0", None)
    stage.order(an_assignment(attempt=2))
    stage.step(3)
    assert stage.trainer.prepared == [1]
    ended_hook(stage)
    assert stage.trainer.prepared == [1, 2]


def test_hooks_that_changed_meanwhile_are_the_ones_that_run(stage: NodeStage) -> None:
    stage.begins(hooks=hooks(pre_stop=1))
    stage.order(an_assignment(hooks=hooks(pre_stop=2)))
    drained(stage)
    ended_hook(stage)
    assert stage.programs.names == ["pre_stop[0]", "pre_stop[1]"]


def test_a_drain_that_is_called_off_does_not_call_off_its_hook(stage: NodeStage) -> None:
    at_rest(stage, pre_terminate=1)
    stage.claim(ends=True)
    stage.step()
    stage.controller.release_drain("f", "f/t/0", None)
    stage.order(an_assignment(attempt=2))
    stage.step(2)
    assert (stage.trainer.prepared, stage.report.phase) == ([1], Phase.HOOKS)
    ended_hook(stage)
    assert stage.trainer.prepared == [1, 2]


def test_a_successor_knows_of_a_hook_whose_drain_was_called_off(stage: NodeStage) -> None:
    at_rest(stage, pre_terminate=1)
    stage.claim(ends=True)
    stage.programs.deadly_starts = True
    with pytest.raises(Killed):
        stage.step()
    stage.controller.release_drain("f", "f/t/0", None)
    stage.order(an_assignment(attempt=2))
    stage.restart()
    stage.step(2)
    assert stage.trainer.prepared == [1]


def test_what_a_trainer_refused_is_answered_anew_once_it_has_ended(stage: NodeStage) -> None:
    stage.begins(hooks=hooks(pre_stop=1))
    stage.claim()
    stage.step()
    stage.step(2, after=90)
    assert stage.report.drained is not None
    assert (stage.report.drained.outcome, stage.report.drained.hook) == (DrainOutcome.REFUSED, "")
    stage.trainer.finishes(None)
    stage.trainer.exits(0)
    stage.step(3)
    ended_hook(stage)
    assert stage.report.drained.outcome is DrainOutcome.EMPTY


# ---- failure ----------------------------------------------------------------------------------------


def test_a_failed_hook_refuses_the_drain(stage: NodeStage) -> None:
    stage.begins(hooks=hooks(pre_stop=2))
    drained(stage)
    ended_hook(stage, 3, said="first\ndisk is busy\n")
    answer = stage.report.drained
    assert answer is not None
    assert (answer.outcome, answer.hook, answer.step) == (DrainOutcome.REFUSED, "pre_stop", 130)
    assert answer.detail == "pre_stop[0] ./hook 'a b': exit code 3; last line: disk is busy"
    assert stage.programs.names == ["pre_stop[0]"]


def test_after_a_refusal_the_next_attempt_starts_as_soon_as_the_claim_is_given_back(stage: NodeStage) -> None:
    test_a_failed_hook_refuses_the_drain(stage)
    stage.order(an_assignment(attempt=2))
    stage.step(2)
    assert stage.trainer.prepared == [1]
    stage.controller.release_drain("f", "f/t/0", None)
    stage.step()
    assert stage.trainer.prepared == [1, 2]


def test_a_refused_drain_is_not_obeyed_by_the_next_attempt(stage: NodeStage) -> None:
    test_after_a_refusal_the_next_attempt_starts_as_soon_as_the_claim_is_given_back(stage)
    stage.courier.delivers()
    stage.step(2)
    stage.claim()
    stage.step(2)
    assert stage.trainer.asked is None


def test_a_hook_that_may_fail_holds_nothing_back(stage: NodeStage) -> None:
    stage.begins(hooks=hooks(pre_stop=2, on_failure="continue"))
    drained(stage)
    ended_hook(stage, 1)
    ended_hook(stage, 0)
    assert outcomes(stage) == [("pre_stop[0]", HookOutcome.FAILED), ("pre_stop[1]", HookOutcome.DONE)]
    assert stage.report.drained is not None
    assert stage.report.drained.outcome is DrainOutcome.SAVED


def test_a_failure_is_a_condition_until_that_hook_succeeds(stage: NodeStage) -> None:
    test_a_hook_that_may_fail_holds_nothing_back(stage)
    found = stage.condition("HooksDone")
    assert found is not None
    assert found.message.startswith("pre_stop[0] failed: ./hook 'a b': exit code 1")


def test_a_drain_that_may_not_be_blocked_is_not(stage: NodeStage) -> None:
    stage.begins(hooks=hooks(pre_stop=2))
    drained(stage, blocking=False)
    ended_hook(stage, 1)
    ended_hook(stage, 1)
    assert stage.programs.names == ["pre_stop[0]", "pre_stop[1]"]
    assert stage.report.drained is not None
    assert stage.report.drained.outcome is DrainOutcome.SAVED


def test_an_idle_machine_is_refused_by_its_hook_too(stage: NodeStage) -> None:
    at_rest(stage, pre_terminate=1)
    stage.claim(ends=True)
    stage.step()
    ended_hook(stage, 1)
    stage.step(3)
    assert stage.report.drained is not None
    assert (stage.report.drained.outcome, stage.report.drained.hook) == (DrainOutcome.REFUSED, "pre_terminate")
    assert len(stage.programs.starts) == 1


def test_what_cannot_be_started_has_failed(stage: NodeStage) -> None:
    stage.begins(hooks=hooks(pre_stop=1))
    stage.programs.fault = OSError(28, "No space left on device", "/logs")
    drained(stage)
    stage.step(2, after=START_WITHIN)
    assert stage.report.drained is not None
    assert stage.report.drained.detail == "pre_stop[0] ./hook 'a b': /logs: No space left on device"


def test_what_cannot_be_started_for_a_moment_is_started_later(stage: NodeStage) -> None:
    stage.begins(hooks=hooks(pre_stop=1))
    stage.programs.fault = OSError(0, "no answer in 20s", "systemd-run")
    drained(stage)
    stage.programs.fault = None
    stage.step()
    assert (stage.programs.names, stage.report.hooks) == (["pre_stop[0]"], ())


def test_a_hook_out_of_time_is_ended_with_all_it_left(stage: NodeStage) -> None:
    stage.begins(hooks=hooks(pre_stop=1, timeout="60s"))
    drained(stage)
    stage.step(after=59)
    assert stage.programs.terminations == []
    stage.step(after=1)
    stage.step(after=4)
    assert (len(stage.programs.terminations), stage.programs.kills) == (1, [])
    stage.step(2, after=1)
    assert len(stage.programs.kills) == 2
    assert outcomes(stage) == [("pre_stop[0]", HookOutcome.TIMED_OUT)]


def test_a_hook_that_nobody_starts_is_given_up(stage: NodeStage) -> None:
    stage.begins(hooks=hooks(pre_stop=1, on_failure="continue"))
    stage.programs.obeys = False
    drained(stage)
    stage.step(2, after=START_WITHIN)
    assert outcomes(stage) == [("pre_stop[0]", HookOutcome.NOT_RUN)]
    assert stage.report.drained is not None


# ---- interruptions -----------------------------------------------------------------------------------


def interrupted(stage: NodeStage, lead: float, **changes: Any) -> None:
    stage.notices.standing = (a_notice(lead=lead, **changes),)
    stage.step()
    stage.saves_and_leaves(130)


def test_a_notice_runs_its_hook_after_the_save_with_the_deadline(stage: NodeStage) -> None:
    stage.begins(hooks=hooks(on_interruption=1))
    interrupted(stage, 100.0)
    facts = stage.programs.starts[0].facts
    assert (facts["STEADY_CAUSE"], facts["STEADY_DEADLINE"]) == ("spot", str(int(NOW + 100)))
    assert (stage.ended.outcome, stage.receipts) == (Outcome.INTERRUPTED, [130])


def test_its_timeout_is_cut_to_the_deadline(stage: NodeStage) -> None:
    stage.begins(hooks=hooks(on_interruption=1, timeout="10m"))
    interrupted(stage, 100.0)
    stage.step(after=100 - RESERVE - 0.1)
    assert stage.programs.terminations == []
    stage.step(after=0.2)
    assert len(stage.programs.terminations) == 1


def test_without_time_left_it_is_not_run_and_that_is_written_down(stage: NodeStage) -> None:
    stage.begins(hooks=hooks(on_interruption=1))
    interrupted(stage, 0.5)
    stage.step(2)
    entry = told(stage)
    assert (stage.programs.starts, entry.result) == ([], HookOutcome.NOT_RUN)
    assert entry.evidence == "./hook 'a b': no time left before the deadline"


def test_a_notice_during_a_hook_cuts_its_time_and_lets_nothing_block(stage: NodeStage) -> None:
    stage.begins(hooks=hooks(pre_stop=1))
    drained(stage)
    stage.notices.standing = (a_notice(lead=10.0),)
    stage.step(after=9.5)
    assert len(stage.programs.terminations) == 1
    ended_hook(stage, -15)
    assert stage.report.drained is not None
    assert stage.report.drained.outcome is DrainOutcome.SAVED


def test_advice_runs_no_hook(stage: NodeStage) -> None:
    stage.begins(hooks=hooks(on_interruption=1, pre_stop=1))
    stage.notices.standing = (a_notice(Cause.REBALANCE, lead=None),)
    stage.step()
    stage.trainer.saves(130)
    stage.ships()
    assert stage.programs.starts == []


def test_a_shutdown_is_an_interruption_and_is_waited_out(stage: NodeStage) -> None:
    stage.begins(hooks=hooks(on_interruption=1))
    stage.agent.shut_down(stage.clock.now() + 85)
    stage.step()
    stage.saves_and_leaves(130)
    assert (stage.programs.names, stage.agent.leaving) == (["on_interruption[0]"], False)
    ended_hook(stage)
    assert stage.agent.leaving


def test_a_machine_without_its_process_runs_none(stage: NodeStage) -> None:
    stage.begins(hooks=hooks(pre_stop=1))
    stage.orphaned = True
    drained(stage)
    stage.step(2)
    assert (stage.programs.starts, stage.agent.leaving) == ([], True)
    assert stage.report.drained is not None
    assert stage.report.drained.outcome is DrainOutcome.SAVED


def test_a_hook_of_a_notice_blocks_nothing_even_when_the_notice_is_taken_back(stage: NodeStage) -> None:
    stage.begins(hooks=hooks(on_interruption=1, pre_stop=1))
    stage.claim()
    interrupted(stage, 100.0)
    stage.notices.standing = ()
    ended_hook(stage, 1)
    ended_hook(stage, 0)
    assert stage.programs.names == ["on_interruption[0]", "pre_stop[0]"]
    assert stage.report.drained is not None
    assert stage.report.drained.outcome is DrainOutcome.SAVED


# ---- before the first attempt ------------------------------------------------------------------------


def test_before_the_first_attempt_its_hook_is_over(stage: NodeStage) -> None:
    stage.order(an_assignment(hooks=hooks(post_start=1), resume=(a_receipt(100),)))
    stage.step(2)
    assert (stage.programs.names, stage.trainer.prepared, stage.report.phase) == (
        ["post_start[0]"],
        [],
        Phase.HOOKS,
    )
    assert stage.programs.starts[0].facts["STEADY_CHECKPOINT"] == "100"
    ended_hook(stage)
    assert stage.trainer.prepared == [1]


def test_in_the_same_boot_it_runs_once(stage: NodeStage) -> None:
    test_before_the_first_attempt_its_hook_is_over(stage)
    stage.courier.delivers()
    stage.step(2)
    stage.trainer.exits(1)
    stage.step(3)
    stage.order(an_assignment(attempt=2, hooks=hooks(post_start=1)))
    stage.step(2)
    assert (len(stage.programs.starts), stage.trainer.prepared) == (1, [1, 2])


def test_in_another_boot_it_runs_again(stage: NodeStage) -> None:
    stage.order(an_assignment(hooks=hooks(post_start=1)))
    stage.step()
    ended_hook(stage, 1)
    stage.boot = "boot-2"
    stage.restart()
    stage.step(2)
    assert (len(stage.programs.starts), stage.report.hooks) == (2, ())


def test_a_drain_meanwhile_waits_for_it(stage: NodeStage) -> None:
    stage.order(an_assignment(hooks=hooks(post_start=1)))
    stage.step()
    stage.claim(ends=True)
    stage.step(2)
    assert stage.report.drained is None
    ended_hook(stage)
    assert (stage.report.drained is not None, stage.trainer.prepared) == (True, [])


def test_a_failed_one_lets_nothing_start(stage: NodeStage) -> None:
    stage.order(an_assignment(hooks=hooks(post_start=1)))
    stage.step()
    ended_hook(stage, 1)
    stage.step(5)
    assert (stage.trainer.prepared, len(stage.programs.starts), stage.report.phase) == ([], 1, Phase.IDLE)
    assert [done.blocks for done in stage.report.hooks] == [True]


def test_a_failed_one_that_may_fail_lets_it_start(stage: NodeStage) -> None:
    stage.order(an_assignment(hooks=hooks(post_start=1, on_failure="continue")))
    stage.step()
    ended_hook(stage, 1)
    assert stage.trainer.prepared == [1]


# ---- the journal -------------------------------------------------------------------------------------


def test_what_a_hook_printed_is_in_the_journal(stage: NodeStage) -> None:
    stage.begins(hooks=hooks(pre_stop=1))
    drained(stage)
    ended_hook(stage, said="a\nb\n")
    entry = told(stage)
    assert (entry.what, entry.result, entry.output) == ("hook pre_stop[0]", HookOutcome.DONE, "a\nb\n")
    assert entry.op == stage.programs.starts[0].call.op_id


def test_a_tracker_that_was_away_learns_of_it_later(stage: NodeStage) -> None:
    stage.begins(hooks=hooks(pre_stop=1))
    drained(stage)
    stage.table.away = True
    ended_hook(stage, said="kept")
    stage.step(3)
    stage.table.away = False
    stage.step(2)
    lines = [entry.output for entry in stage.controller.entries("f") if entry.what == "hook pre_stop[0]"]
    assert lines == ["kept"]


# ---- a successor -------------------------------------------------------------------------------------


def test_a_successor_waits_for_the_hook_that_runs(stage: NodeStage) -> None:
    stage.begins(hooks=hooks(pre_stop=1))
    drained(stage)
    stage.restart()
    stage.step(3)
    assert (len(stage.programs.starts), stage.report.phase) == (1, Phase.HOOKS)
    ended_hook(stage)
    assert stage.report.drained is not None
    assert stage.report.drained.outcome is DrainOutcome.SAVED


def test_a_successor_takes_how_it_ended(stage: NodeStage) -> None:
    stage.begins(hooks=hooks(pre_stop=1))
    drained(stage)
    stage.programs.ends(3)
    stage.restart()
    stage.step(2)
    assert (len(stage.programs.starts), outcomes(stage)) == (1, [("pre_stop[0]", HookOutcome.FAILED)])


def test_an_agent_killed_as_it_starts_a_hook_starts_it_once(stage: NodeStage) -> None:
    stage.begins(hooks=hooks(pre_stop=1))
    stage.programs.deadly_starts = True
    with pytest.raises(Killed):
        drained(stage)
    stage.programs.deadly_starts = False
    stage.restart()
    stage.step(3)
    assert len(stage.programs.starts) == 1


def test_an_agent_killed_right_after_a_failure_refuses_all_the_same(stage: NodeStage) -> None:
    stage.begins(hooks=hooks(pre_stop=1))
    drained(stage)
    memory = (stage.disk / "agent.json").read_bytes()
    ended_hook(stage, 1)
    (stage.disk / "agent.json").write_bytes(memory)
    stage.restart()
    stage.step(2)
    assert stage.report.drained is not None
    assert (stage.report.drained.outcome, len(stage.programs.starts)) == (DrainOutcome.REFUSED, 1)


def test_a_hook_that_nobody_saw_end_runs_again_under_the_same_id(stage: NodeStage) -> None:
    stage.begins(hooks=hooks(pre_stop=1))
    drained(stage)
    stage.programs.ends(None)
    stage.restart()
    stage.step(2)
    first, second = stage.programs.starts
    assert (first.call.op_id, first.tried, second.tried) == (second.call.op_id, 1, 2)
    ended_hook(stage)
    assert outcomes(stage) == [("pre_stop[0]", HookOutcome.DONE)]


def test_two_drains_are_two_events(stage: NodeStage) -> None:
    stage.begins(hooks=hooks(pre_stop=1, on_failure="continue"))
    drained(stage)
    ended_hook(stage)
    stage.claim(drain="m1.manual.2")
    stage.step()
    first, second = stage.programs.starts
    assert first.call.op_id != second.call.op_id


def test_a_machine_that_powers_itself_off_runs_its_hooks_first(stage: NodeStage) -> None:
    stage.power = Switch()
    stage.restart()
    stage.begins(hooks=hooks(pre_terminate=1), on_completion=OnCompletion.TERMINATE)
    stage.trainer.finishes(None)
    stage.trainer.exits(0)
    stage.step(3)
    stage.step(2, after=1000)
    assert (stage.programs.names, stage.power.offs) == (["pre_terminate[0]"], 0)
    ended_hook(stage, 1)
    assert stage.power.offs > 0
