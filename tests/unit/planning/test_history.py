"""History: every attempt with its proof, every checkpoint with what became of it."""

from __future__ import annotations

from lifecycle.model.hours import Hours
from lifecycle.model.money import Meter
from lifecycle.model.past import Past
from lifecycle.model.records import Outcome
from lifecycle.model.states import Cause, RunState
from lifecycle.planning.history import CHECKPOINTS, ProofShown, run_shown, runs_shown, spent
from tests.builders import (
    NODE,
    NOW,
    RUN,
    a_machine,
    a_receipt,
    a_run,
    an_attempt,
    an_ended_attempt,
    an_incarnation,
    nothing_yet,
    training,
)
from tests.gang_builders import NODES, a_gang_attempt, a_gang_run, members

NONE: frozenset[str] = frozenset()


def test_a_run_is_shown_with_what_it_lost_and_what_was_spared() -> None:
    run = a_run(lost={"spot": 30}, lost_exact=False, spared=100, result={"loss": 1}, hyperparameters={"lr": 1})
    found = run_shown(run, (), (), NONE)
    assert (found.run, found.nodes, found.state) == (RUN, (NODE,), "training")
    assert (found.lost_steps, found.lost_steps_exact, found.spared_steps) == ({"spot": 30}, False, 100)
    assert (found.result, found.hyperparameters) == ({"loss": 1}, {"lr": 1})


def test_an_attempt_is_shown_with_its_proof() -> None:
    ended = an_ended_attempt(forced=(90, 100), lost_steps=7, detail="asked")
    (found,) = run_shown(a_run(ended), (ended,), (), NONE).attempts
    assert (found.attempt, found.outcome, found.cause, found.to_step) == (1, "stopped", "operator", 100)
    assert (found.forced, found.lost_steps, found.detail) == ((90, 100), 7, "asked")
    assert found.receipt == ProofShown(step=100, digest="digest-1-100", bytes=1000, at=NOW - 60)


def test_an_attempt_without_a_checkpoint_has_no_proof() -> None:
    (found,) = run_shown(a_run(), (an_attempt(),), (), NONE).attempts
    assert (found.receipt, found.ended, found.outcome) == (None, None, None)


def test_the_newest_attempt_is_shown_as_the_run_has_it() -> None:
    given, second = an_attempt(), an_attempt(number=2)
    run = a_run(an_ended_attempt(number=2, outcome=Outcome.FAILED))
    found = run_shown(run, (given, second), (), NONE).attempts
    assert [each.outcome for each in found] == [None, "failed"]


def test_attempts_stay_in_the_order_they_were_given_out() -> None:
    attempts = tuple(an_attempt(number=number) for number in (1, 2, 3))
    assert [each.attempt for each in run_shown(a_run(None), attempts, (), NONE).attempts] == [1, 2, 3]


def test_checkpoints_are_shown_by_epoch_and_step() -> None:
    receipts = (a_receipt(50, epoch=2), a_receipt(300), a_receipt(100))
    found = run_shown(a_run(), (), receipts, NONE).checkpoints
    assert [(each.epoch, each.step) for each in found] == [(1, 100), (1, 300), (2, 50)]


def test_a_damaged_checkpoint_stays_in_the_history_marked_so() -> None:
    found = run_shown(a_run(), (), (a_receipt(100), a_receipt(90)), frozenset({"digest-1-90"})).checkpoints
    assert [each.sound for each in found] == [False, True]


def test_a_pruned_checkpoint_stays_in_the_history_marked_so() -> None:
    (found,) = run_shown(a_run(), (), (a_receipt(100, pruned=True),), NONE).checkpoints
    assert (found.kept, found.sound, found.bytes) == (False, True, 1000)


def test_a_run_that_never_had_an_attempt_is_shown() -> None:
    run = a_run()
    empty = run_shown(
        type(run)(run=RUN, name="main", pool="t", nodes=(NODE,), state=run.state, since=NOW), (), (), NONE
    )
    assert (empty.attempts, empty.checkpoints) == ((), ())


HOURS = Hours(training=100.0, lost={"spot": 20.0}, began=NOW - 220, until=NOW - 100)


def test_a_run_is_shown_with_where_its_time_went() -> None:
    found = run_shown(a_run(an_ended_attempt(), hours=HOURS), (), (), NONE, now=NOW)
    assert (found.training_seconds, found.lost_seconds, found.wall_seconds) == (100.0, {"spot": 20.0}, 120.0)


def test_what_trains_now_has_trained_until_now() -> None:
    found = run_shown(a_run(hours=HOURS), (), (), NONE, now=NOW)
    assert (found.training_seconds, found.wall_seconds) == (200.0, 220.0)


def test_time_that_is_lost_now_is_booked_when_it_trains_again() -> None:
    interrupted = Hours(training=100.0, began=NOW - 200, until=NOW - 100, losing_to=Cause.SPOT)
    run = a_run(an_ended_attempt(), hours=interrupted, state=RunState.INTERRUPTED)
    found = run_shown(run, (), (), NONE, now=NOW)
    assert (found.training_seconds, found.lost_seconds, found.wall_seconds) == (100.0, {}, 100.0)


def test_a_run_costs_what_the_machines_of_its_attempts_cost() -> None:
    old = an_incarnation(meter=Meter(spent=5.0, booked=True, first=True))
    live = an_incarnation(number=2, meter=Meter(rate=3.0, since=NOW - 3600, first=True))
    other = an_incarnation(number=3, meter=Meter(spent=99.0))
    attempts = (an_ended_attempt(), an_attempt(number=2, incarnation=2), an_attempt(number=3, incarnation=2))
    observed = training(machines=(a_machine(incarnation=2),), incarnations={(NODE, 2): live})
    assert spent(observed, attempts, (old, other), NOW) == (5.0 + 3.0, True)


def test_a_cost_that_is_not_exact_is_shown_so() -> None:
    found = run_shown(a_run(), (), (), NONE, spent=(5.0, False))
    assert (found.cost, found.cost_exact) == (5.0, False)


def test_every_run_is_shown_with_its_own_past() -> None:
    other = "f.t.main.1"
    runs = {RUN: a_run(), other: a_run(an_attempt(run=other), run=other)}
    past = Past(
        attempts={RUN: (an_attempt(),), other: (an_attempt(run=other), an_attempt(run=other, number=2))},
        receipts={other: (a_receipt(run=other),)},
        claims={NODE: (an_incarnation(meter=Meter(spent=5.0, booked=True)),)},
    )
    found = {run.run: run for run in runs_shown(nothing_yet(runs=runs), past, NOW)}
    assert {name: (len(run.attempts), len(run.checkpoints), run.cost) for name, run in found.items()} == {
        RUN: (1, 0, 5.0),
        other: (2, 1, 5.0),
    }


def test_what_trains_trains_until_now() -> None:
    hours = Hours(began=NOW - 60, until=NOW - 60)
    (run,) = runs_shown(nothing_yet(runs={RUN: a_run(hours=hours)}), Past(), NOW)
    assert run.training_seconds == 60.0


def test_of_each_run_the_newest_checkpoints_are_shown() -> None:
    receipts = tuple(a_receipt(step) for step in range(CHECKPOINTS + 1))
    (run,) = runs_shown(nothing_yet(runs={RUN: a_run()}), Past(receipts={RUN: receipts}), NOW)
    assert (len(run.checkpoints), run.checkpoints[0].step) == (CHECKPOINTS, 1)


def test_a_gangs_attempt_shows_how_it_ended_on_each_rank() -> None:
    over = {"outcome": Outcome.INTERRUPTED, "cause": Cause.SPOT}
    attempt = a_gang_attempt(members=members(r2=over), to_step=130, ended_at=NOW)
    (shown,) = run_shown(a_gang_run(attempt), (attempt,), (), NONE, now=NOW).attempts
    assert [(r.node, r.incarnation, r.outcome, r.cause) for r in shown.ranks] == [
        (NODES[0], 1, None, None),
        (NODES[1], 1, None, None),
        (NODES[2], 1, "interrupted", "spot"),
    ]
    assert (shown.ended, shown.to_step) == (None, None)


def test_a_gangs_run_costs_what_the_machines_of_all_its_ranks_cost() -> None:
    claims = [an_incarnation(node=node, meter=Meter(spent=2.0, booked=True, first=True)) for node in NODES]
    assert spent(nothing_yet(), (a_gang_attempt(),), claims, NOW) == (6.0, True)
