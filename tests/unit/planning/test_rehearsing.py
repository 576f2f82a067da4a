"""A rehearsal asks one attempt to save and exit, costs nothing more, and judges by what goes on from there."""

from __future__ import annotations

from typing import Any

import pytest

from lifecycle.model.fleet import FleetSpec, WithoutCheckpoint
from lifecycle.model.holds import HoldKind
from lifecycle.model.plan import Claim, GiveOut, Kind, Release
from lifecycle.model.proving import SaveOutcome
from lifecycle.model.records import DrainOutcome, Outcome, Phase, RunState
from lifecycle.model.world import Observed
from lifecycle.planning.rehearsing import QUIET, Verdict, freshest, throwaway, trains, verdict
from lifecycle.planning.settle import apply_facts, settle
from tests.builders import (
    NODE,
    NOW,
    RUN,
    a_claim,
    a_hold,
    a_machine,
    a_notice,
    a_placement,
    a_proof,
    a_receipt,
    a_record,
    a_report,
    a_run,
    a_spec,
    an_answer,
    an_attempt,
    an_end,
    an_ended_attempt,
    an_idle_report,
    an_incarnation,
    but,
    rested,
    training,
)
from tests.unit.planning.reading import planned, seen, step, steps, waiting

HOLD = a_hold(
    HoldKind.REHEARSE, id="rehearse-4", instance="m1", reason="whether its trainer saves", until=NOW + 600
)
DRAIN = "m1.manual.rehearse-4"
ASKED = a_claim(drain=DRAIN)


def rehearsing(spec: FleetSpec | None = None, **changes: Any) -> Observed:
    return training(spec, **{"holds": (HOLD,), **changes})


# ---- what is done --------------------------------------------------------------------------------


def test_the_attempt_is_drained_and_its_machine_stays() -> None:
    assert step(rehearsing(), Claim).claim.drain == DRAIN
    assert planned(rehearsing()).actions[0].kind is Kind.STOP


@pytest.mark.parametrize("spec", [a_spec(), a_spec(stop={"without_checkpoint": "force"})], ids=["refuse", "force"])
def test_nobody_is_forced_for_a_rehearsal(spec: FleetSpec) -> None:
    assert step(rehearsing(spec), Claim).claim.policy is WithoutCheckpoint.REFUSE


def test_while_it_saves_it_is_waited_for() -> None:
    assert "its drain by controller" in waiting(rehearsing(drains={NODE: ASKED})).what


def answered(outcome: DrainOutcome, **report: Any) -> Observed:
    receipt = a_receipt(130, request=DRAIN, at=NOW - 2) if outcome is DrainOutcome.SAVED else None
    answer = an_answer(drain=DRAIN, outcome=outcome, receipt=receipt)
    observed = rehearsing(drains={NODE: ASKED}, reports={NODE: a_report(drained=answer, **report)})
    return apply_facts(observed, settle(observed, NOW))


def test_a_refusal_gives_the_drain_back_and_is_no_refusal_of_the_plan() -> None:
    refused = answered(DrainOutcome.REFUSED)
    assert (steps(refused), planned(refused).refusals) == ([Release.__name__], ())


def test_the_next_attempt_goes_on_at_once() -> None:
    ended = an_ended_attempt(ended_at=NOW - 1, receipt=a_receipt(130))
    observed = rested(None, ended, holds=(HOLD,), drains={NODE: ASKED})
    assert steps(observed) == [Release.__name__, GiveOut.__name__]


def test_the_next_attempt_is_not_asked_again() -> None:
    again = an_attempt(number=2, given_at=NOW)
    observed = rehearsing(runs={RUN: a_run(again)}, reports={NODE: a_report(attempt=2)})
    assert [type(s) for action in planned(observed).actions for s in action.steps if isinstance(s, Claim)] == []


# ---- on which node -------------------------------------------------------------------------------


def pair(**second: Any) -> Observed:
    """Two nodes that train; the second one's checkpoint is younger."""
    spec, node, run = a_spec(nodes=2), "f/t/1", "f.t.main.1"
    report = a_report(node=node, instance="m2", run=run, receipt=a_receipt(90, run=run, at=NOW - 5))
    return training(
        spec,
        machines=(a_machine(), a_machine(id="m2", node=node)),
        placements={NODE: a_placement(), node: a_placement(node=node)},
        incarnations={(NODE, 1): an_incarnation(), (node, 1): an_incarnation(node=node, instance="m2")},
        reports={NODE: a_report(), node: but(report, **second)},
        runs={RUN: a_run(), run: a_run(an_attempt(run=run, node=node), run=run, nodes=(node,))},
    )


@pytest.mark.parametrize(
    ("second", "chosen"),
    [({}, "f/t/1"), ({"phase": Phase.SAVING}, NODE), ({"at": NOW - 60}, NODE)],
    ids=["both train", "the other one saves", "the other one is silent"],
)
def test_the_node_with_the_freshest_checkpoint_is_taken(second: dict[str, Any], chosen: str) -> None:
    observed = pair(**second)
    assert str(freshest(observed.record and observed.record.spec, observed, NOW)) == chosen


def test_where_nothing_trains_there_is_none() -> None:
    assert freshest(a_spec(), rested(), NOW) is None


JUST = an_attempt(started_at=NOW - 3)


@pytest.mark.parametrize(
    ("observed", "able"),
    [
        (training(), True),
        (training(runs={RUN: a_run(JUST)}, reports={NODE: a_report(step=0)}), False),
        (training(runs={RUN: a_run(JUST)}, reports={NODE: a_report(step=1)}), True),
        (training(holds=(a_hold(),)), False),
        (training(drains={NODE: a_claim()}), False),
        (training(reports={NODE: a_report(notice=a_notice())}), False),
        (training(reports={NODE: a_report(step=None)}), True),
    ],
    ids=["trains", "has done no step", "one step", "held", "drained", "noticed", "tells no steps, trains for long"],
)
def test_only_what_trains_undisturbed_is_asked(observed: Observed, able: bool) -> None:
    assert trains(seen(observed)) is able


def test_a_copy_is_one_node_of_another_name_that_nobody_disturbs() -> None:
    spec = a_spec(nodes=7, schedule={"stop": "0 20 * * *", "start": "0 8 * * *"})
    copied = throwaway(but(spec, pools={**spec.pools, "other": spec.pools["t"]}), "t")
    assert (copied.fleet, list(copied.pools), copied.pools["t"].nodes) == ("f-rehearsal", ["t"], 1)
    assert copied.pools["t"].schedule is None


def test_a_gang_is_copied_whole() -> None:
    assert throwaway(a_spec(nodes=3, mode="gang"), "t").pools["t"].nodes == 3


def test_a_long_name_leaves_room() -> None:
    assert throwaway(but(a_spec(), fleet="a" * 29 + "-bcdefghij"), "t").fleet == "a" * 29 + "-rehearsal"


# ---- the verdict ---------------------------------------------------------------------------------

PROOF = a_proof(request=DRAIN)
NEXT = an_attempt(number=2, given_at=NOW - 1, started_at=NOW - 1, from_step=130)


def went_on(**changes: Any) -> Observed:
    """It saved step 130, and attempt 2 has begun from there."""
    fields = {
        "proofs": {"f/t": PROOF},
        "runs": {RUN: a_run(NEXT)},
        "reports": {NODE: a_report(attempt=2, from_step=130, step=131, started_at=NOW - 1)},
    }
    return training(**{**fields, **changes})


def said(observed: Observed, now: float = NOW) -> Verdict | None:
    return verdict(observed, HOLD, now)


def test_it_is_proven_when_the_next_attempt_has_gone_on() -> None:
    assert said(went_on()) == Verdict(proven=True, message="", proof=PROOF, attempt=2)


@pytest.mark.parametrize(
    "changes",
    [
        {"proofs": {}, "holds": (HOLD,)},
        {"runs": {RUN: a_run(an_ended_attempt(), state=RunState.STOPPED)}},
        {"runs": {RUN: a_run(but(NEXT, started_at=None, from_step=None))}},
        {"reports": {NODE: a_report(attempt=2, step=130)}},
    ],
    ids=["not answered", "no next attempt", "not started", "no step done"],
)
def test_until_then_there_is_no_verdict(changes: dict[str, Any]) -> None:
    assert said(went_on(**changes)) is None


def test_of_a_trainer_that_tells_no_steps_some_seconds_of_training_are_enough() -> None:
    assert said(went_on(reports={NODE: a_report(attempt=2, step=130)}), NOW + QUIET) is not None


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (SaveOutcome.REFUSED, "no save came in time; it trains on"),
        (SaveOutcome.FAILED, "it ended without the save it was asked for"),
        (SaveOutcome.NOT_RESUMED, "it saved, but the next attempt did not go on from there"),
    ],
)
def test_what_did_not_work_is_told(outcome: SaveOutcome, words: str) -> None:
    proof = but(PROOF, outcome=outcome)
    assert said(went_on(proofs={"f/t": proof})) == Verdict(proven=False, message=words, proof=proof)


@pytest.mark.parametrize(
    "changes",
    [{"runs": {RUN: a_run(but(NEXT, from_step=100))}}, {"reports": {NODE: a_report(attempt=2, step=7)}}],
    ids=["from an older one", "begins anew all the same"],
)
def test_a_next_attempt_that_goes_on_from_elsewhere_is_no_proof(changes: dict[str, Any]) -> None:
    found = said(went_on(**changes), NOW + QUIET)
    assert found is not None
    assert (found.proven, found.message) == (False, "it saved, but the next attempt did not go on from there")


def test_a_next_attempt_that_dies_is_no_proof() -> None:
    died = but(NEXT, outcome=Outcome.FAILED, detail="exit code 1", ended_at=NOW, to_step=130)
    found = said(went_on(runs={RUN: a_run(died, state=RunState.FAILED)}, reports={NODE: an_idle_report()}))
    assert found is not None
    assert (found.proven, found.message) == (
        False,
        "attempt 2, which was to go on from there, failed: exit code 1",
    )


def test_a_next_attempt_that_completes_at_once_has_gone_on() -> None:
    done = but(NEXT, outcome=Outcome.COMPLETED, ended_at=NOW, to_step=130)
    found = said(went_on(runs={RUN: a_run(done, state=RunState.COMPLETED)}, reports={NODE: an_idle_report()}))
    assert found is not None
    assert found.proven


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (a_run(an_ended_attempt(outcome=Outcome.COMPLETED)), "nothing was measured: attempt 1 is completed"),
        (a_run(), "nothing was measured: it was called off"),
        (a_run(NEXT), "nothing was measured: it stopped with the checkpoint that was there before; try again"),
    ],
    ids=["completed", "called off", "no newer checkpoint"],
)
def test_a_rehearsal_that_was_overtaken_says_so(run: Any, words: str) -> None:
    earlier = a_run(an_attempt(run="f.t.old.0", given_at=NOW - 9000), run="f.t.old.0")
    assert said(training(runs={"f.t.old.0": earlier, RUN: run})) == Verdict(proven=False, message=words)


def test_a_proof_of_another_stop_is_not_this_ones() -> None:
    assert said(went_on(proofs={"f/t": but(PROOF, request="m1.manual.stop-3")}, holds=(HOLD,))) is None


# ---- a save that nobody goes on from -------------------------------------------------------------


def outcome_after(attempt: Any, spec: FleetSpec | None = None, **report: Any) -> SaveOutcome:
    spec = spec or a_spec()
    told = a_report(**{"attempt": attempt.number, "from_step": attempt.from_step, "step": 140, **report})
    proof = a_proof(spec)
    observed = training(
        spec, record=a_record(spec), proofs={"f/t": proof}, runs={RUN: a_run(attempt)}, reports={NODE: told}
    )
    return apply_facts(observed, settle(observed, NOW)).proofs["f/t"].outcome


NEVER = a_spec(train={"resume": "never"})


@pytest.mark.parametrize(
    ("attempt", "spec", "report", "outcome"),
    [
        (NEXT, None, {}, SaveOutcome.SAVED),
        (but(NEXT, from_step=100), None, {}, SaveOutcome.NOT_RESUMED),
        (NEXT, None, {"step": 7}, SaveOutcome.NOT_RESUMED),
        (but(NEXT, from_step=100, number=3), None, {}, SaveOutcome.SAVED),
        (but(NEXT, from_step=100, fingerprint="another"), None, {}, SaveOutcome.SAVED),
        (but(NEXT, from_step=0), NEVER, {}, SaveOutcome.SAVED),
        (but(NEXT, started_at=None, from_step=None), None, {"phase": Phase.RESTORING}, SaveOutcome.SAVED),
    ],
    ids=[
        "goes on",
        "from an older one",
        "begins anew all the same",
        "a later attempt",
        "another train section",
        "resume: never",
        "not started yet",
    ],
)
def test_a_save_counts_when_the_next_attempt_goes_on_from_it(
    attempt: Any, spec: FleetSpec | None, report: dict[str, Any], outcome: SaveOutcome
) -> None:
    assert outcome_after(attempt, spec, **report) is outcome


def test_a_whole_rehearsal_ends_with_a_proof_that_names_it() -> None:
    end = an_end(receipt=a_receipt(130, request=DRAIN, at=NOW - 2), request=DRAIN, asked_at=NOW - 5)
    observed = rehearsing(drains={NODE: ASKED}, reports={NODE: an_idle_report(ended=end)})
    (proof,) = settle(observed, NOW).proofs
    assert (proof.outcome, proof.by, proof.seconds) == (SaveOutcome.SAVED, "rehearsal by somebody", 3.0)
