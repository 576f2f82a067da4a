"""Which node a machine fills when its tags and our records disagree: the records know."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from lifecycle.model.holds import HoldKind
from lifecycle.model.journal import Quiet
from lifecycle.model.plan import Converge, EndStray
from lifecycle.model.states import InstanceState
from lifecycle.model.world import Machine, Observed
from lifecycle.planning.settle import settle
from lifecycle.planning.witness import believed, recognised
from tests.builders import (
    NODE,
    NOW,
    a_claim,
    a_hold,
    a_machine,
    a_placement,
    a_report,
    a_run,
    a_spec,
    a_tick,
    an_allowance,
    an_attempt,
    an_incarnation,
    an_order,
    but,
    nothing_yet,
)
from tests.unit.planning.reading import planned

NODES = ("f/t/0", "f/t/1", "f/t/2")
CLAIMS = {(node, 1): an_incarnation(node=node, instance=f"m{node[-1]}") for node in NODES}
M0 = a_machine(id="m0", node=NODE)


def at_work() -> Observed:
    """Three nodes that train, each on the machine on record."""
    runs = [f"f.t.main.{node[-1]}" for node in NODES]
    given_out = {run: an_attempt(run=run, node=node) for run, node in zip(runs, NODES, strict=True)}
    return nothing_yet(
        a_spec(nodes=3),
        machines=tuple(a_machine(id=f"m{node[-1]}", node=node) for node in NODES),
        placements={node: a_placement(node=node) for node in NODES},
        incarnations=CLAIMS,
        orders={node: an_order(node=node) for node in NODES},
        reports={n: a_report(node=n, instance=f"m{n[-1]}", run=run) for n, run in zip(NODES, runs, strict=True)},
        runs={run: a_run(attempt, run=run, nodes=(attempt.node,)) for run, attempt in given_out.items()},
    )


def test_a_machine_whose_tags_are_right_is_taken_at_their_word() -> None:
    assert recognised([M0], CLAIMS) == (M0,)


def test_a_machine_renamed_to_another_node_is_known_by_its_record() -> None:
    assert recognised([but(M0, node="f/t/1")], CLAIMS) == (M0,)


def test_a_machine_with_another_incarnation_is_known_by_its_record() -> None:
    assert recognised([but(M0, incarnation=9)], CLAIMS) == (M0,)


def test_the_changed_tags_are_kept_to_be_seen() -> None:
    changed = but(M0, node="f/t/1", tags={"steady:node": "f/t/1"})
    assert recognised([changed], CLAIMS)[0].tags == {"steady:node": "f/t/1"}


def test_a_machine_that_no_claim_names_is_taken_at_its_tags_word() -> None:
    fresh = a_machine(id="m9", node="f/t/1")
    assert recognised([fresh], CLAIMS) == (fresh,)


def test_of_two_claims_that_name_a_machine_the_one_that_its_tags_say_counts() -> None:
    claims = {**CLAIMS, (NODE, 2): an_incarnation(number=2, instance="m0")}
    assert recognised([M0], claims) == (M0,)


def test_a_machine_on_record_as_ended_is_going_however_long_the_list_shows_it() -> None:
    claims = {(NODE, 1): an_incarnation(instance="m0", ended_at=NOW)}
    assert recognised([M0], claims) == (but(M0, ending=True),)


def test_a_machine_copied_with_its_tags_never_replaces_the_one_on_record() -> None:
    """`Launch more like this` in a console copies the tags; the copy is old enough to be judged."""
    observed = at_work()
    for copies in ((a_machine(id="a9", node=NODE),), (a_machine(id="z9", node=NODE),)):
        for machines in ((*copies, *observed.machines), (*observed.machines, *copies)):
            ended = strays(but(observed, machines=machines))
            assert {machine.id for machine in ended} == {copies[0].id}


def strays(observed: Observed) -> list[Machine]:
    steps = [each for found in planned(observed).actions for each in found.steps]
    return [each.machine for each in steps if isinstance(each, EndStray)]


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(st.sampled_from((*NODES, "f/t/7", "f/u/0")), st.integers(1, 4)), min_size=3, max_size=3),
    st.permutations([0, 1, 2]),
)
def test_however_machines_are_retagged_none_is_ended_and_none_is_made(
    told: list[tuple[str, int]], order: list[int]
) -> None:
    observed = at_work()
    found = [
        but(machine, node=node, incarnation=number)
        for machine, (node, number) in zip(observed.machines, told, strict=True)
    ]
    machines = recognised([found[place] for place in order], CLAIMS)
    plan = planned(but(observed, machines=machines), NOW)
    steps = [each for action in plan.actions for each in action.steps]
    assert not [each for each in steps if isinstance(each, Converge | EndStray)]
    assert {(machine.id, machine.node) for machine in machines} == {(f"m{node[-1]}", node) for node in NODES}


# ---- a list that cannot be true ----------------------------------------------------------------------

LATE = NOW - 3600


def doubted(observed: Observed, now: float = NOW) -> tuple[str, str]:
    found = believed(but(observed, heard={r.instance: r for r in observed.reports.values()}), now)
    return ("", "") if found.machines is not None else (found.doubt, found.unreadable)


def silent(*nodes: str) -> Observed:
    """These nodes' agents were last heard an hour ago, and we have looked twice."""
    whole = at_work()
    reports = {node: but(r, at=LATE) if node in nodes else r for node, r in whole.reports.items()}
    looks = {f"m{n[-1]}": Quiet(instance=f"m{n[-1]}", sequence=7, since=NOW - 60) for n in nodes}
    return but(whole, reports=reports, quiet=looks)


def listing(observed: Observed, *ids: str) -> Observed:
    return but(observed, machines=tuple(m for m in observed.machines or () if m.id in ids))


def test_a_list_that_lacks_most_machines_while_their_agents_speak_is_not_believed() -> None:
    said = "the provider lists {} of 3 machines, and {} of the others were heard lately"
    assert doubted(listing(at_work())) == ("ListDoubtful", said.format(0, 3))
    assert doubted(listing(at_work(), "m0")) == ("ListDoubtful", said.format(1, 2))
    assert doubted(listing(silent("f/t/0", "f/t/1"), "m0")) == ("ListDoubtful", said.format(1, 1))


def test_once_the_agents_are_silent_too_it_is_true() -> None:
    assert doubted(listing(silent(*NODES))) == ("", "")


def test_the_first_look_at_silent_agents_is_no_second_witness() -> None:
    once = but(listing(silent(*NODES)), quiet={})
    assert doubted(once)[0] == "ListDoubtful"


def test_a_machine_just_made_may_not_have_spoken_yet() -> None:
    young = {key: but(claim, claimed_at=NOW - 59) for key, claim in CLAIMS.items()}
    assert doubted(but(listing(silent(*NODES)), incarnations=young))[0] == "ListDoubtful"


def test_a_list_that_lacks_half_of_them_is_left_to_the_rules_of_each_node() -> None:
    two = but(at_work(), incarnations={key: CLAIMS[key] for key in list(CLAIMS)[:2]})
    assert doubted(listing(two, "m0")) == ("", "")


def test_machines_that_were_seen_to_end_are_not_missed() -> None:
    ended = {key: but(claim, ended_at=NOW - 9) for key, claim in CLAIMS.items()}
    assert doubted(but(listing(at_work()), incarnations=ended)) == ("", "")
    gone = tuple(but(machine, state=InstanceState.TERMINATED) for machine in at_work().machines or ())
    assert doubted(but(at_work(), machines=gone)) == ("", "")


def test_a_clock_that_went_back_is_told_with_whose_it_was() -> None:
    ahead = but(at_work(), last_tick=a_tick(at=NOW + 3600, by="ann"))
    assert doubted(ahead) == ("ClockWentBack", "the last tick, by ann, was 1h later by its clock than it is now")
    assert doubted(but(ahead, last_tick=a_tick(at=NOW + 30))) == ("", "")


def test_what_a_list_only_lacks_takes_no_hold_drain_or_allowance_away() -> None:
    replace = a_hold(HoldKind.REPLACE, instance="m0")
    fields = {"holds": (replace,), "drains": {NODE: a_claim(instance="m0")}, "allowances": {"m0": an_allowance()}}
    facts = settle(but(listing(at_work(), "m1", "m2"), **fields), NOW)
    assert (facts.spent, facts.released, facts.spent_allowances) == ((), (), ())
    facts = settle(but(listing(silent(NODE), "m1", "m2"), **fields), NOW)
    assert (facts.spent, facts.released, facts.spent_allowances) == ((replace,), (NODE,), ("m0",))
