"""Whatever the world of a gang looks like: it starts whole or not at all, and nobody is ended over unsaved work."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from lifecycle.model.holds import HoldKind
from lifecycle.model.plan import Claim, Converge, EndStray, GiveOut, Instruct, Plan, PowerOff
from lifecycle.model.records import Desired, Outcome, Phase, Report
from lifecycle.model.states import Cause, InstanceState, RunState
from lifecycle.model.world import Observed
from lifecycle.planning.planner import plan
from lifecycle.planning.settle import apply_facts, settle
from lifecycle.planning.status import fleet_status
from lifecycle.planning.view import SILENT_AFTER
from tests.builders import NOW, a_claim, a_hold, a_notice, a_record, an_answer, but
from tests.gang_builders import (
    GANG,
    NODES,
    a_gang_spec,
    a_machine_of,
    a_whole,
    an_order_of,
    at_rest,
    at_work,
    ended,
    gang_rests,
    gang_trains,
)

SETTINGS = settings(max_examples=250, deadline=None, derandomize=True)
AGES = st.sampled_from([1.0, 1.0, 1.0, 100.0, 5000.0])
NOTICES = st.sampled_from([None, None, None, a_notice(), a_notice(Cause.REBALANCE, lead=None)])
PHASES = st.sampled_from([Phase.RESTORING, Phase.TRAINING, Phase.SAVING, Phase.SHIPPING])
OUTCOMES = st.sampled_from([Outcome.COMPLETED, Outcome.STOPPED, Outcome.INTERRUPTED, Outcome.FAILED])
POWER = st.sampled_from([*[InstanceState.RUNNING] * 4, InstanceState.STOPPED, InstanceState.TERMINATED])


@st.composite
def reports(draw: st.DrawFn, rank: int, kinds: tuple[str, ...]) -> Report | None:
    if "calm" in kinds and draw(st.integers(0, 5)):
        return at_rest(rank)
    known: dict[str, Any] = {"at": NOW - draw(AGES), "notice": draw(NOTICES)}
    kind = draw(st.sampled_from(kinds))
    if kind == "nothing":
        return None
    if kind == "work":
        return at_work(rank, phase=draw(PHASES), **known)
    if kind in ("rest", "calm"):
        return at_rest(rank, ready=draw(st.booleans()), **known)
    told = ended(rank, draw(OUTCOMES), cause=draw(st.sampled_from(Cause)), at=NOW - draw(AGES))
    answer = an_answer(drain=f"m{rank}.replacement.replace-1") if draw(st.booleans()) else None
    return but(told, drained=answer, **known)


@st.composite
def worlds(draw: st.DrawFn) -> Observed:
    trains = draw(st.booleans())
    observed = gang_trains() if trains else gang_rests()
    kinds = ("work", "work", "rest", "ended", "nothing") if trains else ("calm", "rest", "ended")
    ranks = range(len(NODES))
    machines = [
        a_machine_of(rank, state=draw(POWER), ended_at=NOW - 2) for rank in ranks if draw(st.integers(0, 5))
    ]
    told = {NODES[rank]: report for rank in ranks if (report := draw(reports(rank, kinds))) is not None}
    orders = {NODES[rank]: draw(st.sampled_from(list(Desired))) for rank in ranks if draw(st.integers(0, 3))}
    drained = draw(st.sets(st.sampled_from(ranks), max_size=2))
    by = draw(st.sampled_from(["controller", "pulumi up"]))
    held = draw(st.sampled_from([None, *((kind, rank) for kind in HoldKind for rank in ranks)]))
    holds = (a_hold(held[0], node=NODES[held[1]], instance=f"m{held[1]}"),) if held else ()
    return but(
        observed,
        record=a_record(a_gang_spec(), destroying=draw(st.booleans())),
        machines=tuple(machines),
        reports=told,
        heard={report.instance: report for report in told.values()},
        orders={node: an_order_of(NODES.index(node), desired=desired) for node, desired in orders.items()},
        drains={NODES[r]: a_claim(node=NODES[r], instance=f"m{r}", drain=f"m{r}.d", by=by) for r in drained},
        holds=holds,
        receipts={GANG: draw(st.sampled_from([(), (a_whole(),), (a_whole(150), a_whole())]))},
    )


def decided(observed: Observed) -> tuple[Observed, Plan]:
    spec = observed.record.spec if observed.record and not observed.record.destroying else None
    known = apply_facts(observed, settle(observed, NOW))
    return known, plan(spec, known, NOW)


def steps(found: Plan, kind: type[Any]) -> list[tuple[str, Any]]:
    return [(each.node, step) for each in found.actions for step in each.steps if isinstance(step, kind)]


@SETTINGS
@given(worlds())
def test_whatever_the_world_a_gang_is_one(observed: Observed) -> None:
    known, found = decided(observed)
    fleet_status(known, found, NOW)
    starts_whole_or_not_at_all(known, found)
    ends_no_rank_at_work(known, found)
    stops_ranks_only_for_a_fallen_peer(known, found)
    drains_only_what_is_to_go(known, found)
    is_over_when_every_rank_is(known)


def starts_whole_or_not_at_all(known: Observed, found: Plan) -> None:
    for _, given_out in steps(found, GiveOut):
        orders = [given_out.order, *given_out.others]
        assert [order.node for order in orders] == list(NODES)
        assert len({(o.assignment.attempt, o.assignment.resume, o.assignment.port) for o in orders}) == 1
        for node in NODES:
            report = known.reports[node]
            assert (report.phase, report.ready, NOW - report.at <= SILENT_AFTER) == (Phase.IDLE, True, True)
            assert report.notice is None or report.notice.deadline is None
            assert any(m.node == node and m.state is InstanceState.RUNNING for m in known.machines or ())


def ends_no_rank_at_work(known: Observed, found: Plan) -> None:
    for node, _ in [*steps(found, Converge), *steps(found, EndStray), *steps(found, PowerOff)]:
        report = known.reports.get(node)
        live = any(m.node == node and m.state is InstanceState.RUNNING for m in known.machines or ())
        if live and report is not None and NOW - report.at <= SILENT_AFTER:
            assert report.phase is Phase.IDLE


def stops_ranks_only_for_a_fallen_peer(known: Observed, found: Plan) -> None:
    attempt = known.runs[GANG].attempt
    assert attempt is not None
    stopped = [node for node, step in steps(found, Instruct) if step.order.desired is Desired.STOPPED]
    for node in stopped:
        assert any(m.outcome not in (None, Outcome.COMPLETED) for m in attempt.members)
        assert all(m.outcome is None for m in attempt.members if m.node == node)


def drains_only_what_is_to_go(known: Observed, found: Plan) -> None:
    leaving = known.record is not None and known.record.destroying
    asked = {hold.node for hold in known.holds}
    assert all(leaving or node in asked for node, _ in steps(found, Claim))


def is_over_when_every_rank_is(known: Observed) -> None:
    run = known.runs[GANG]
    assert run.attempt is not None
    ends = [member.outcome for member in run.attempt.members]
    assert run.attempt.open == (None in ends)
    assert (run.state is RunState.COMPLETED) == (set(ends) == {Outcome.COMPLETED})
    again = settle(known, NOW)
    assert again.runs == ()
