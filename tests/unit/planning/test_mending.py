"""Machines in doubt: looked for by tag, taken up once they show, given their tags back; never ended."""

from __future__ import annotations

from typing import Any

import pytest

from lifecycle.model import tags
from lifecycle.model.fleet import FleetSpec, Market
from lifecycle.model.holds import HoldKind
from lifecycle.model.ids import NodeName
from lifecycle.model.plan import Converge, Kind
from lifecycle.model.records import Incarnation
from lifecycle.model.states import Cause, InstanceState
from lifecycle.model.world import Machine, Observed
from tests.builders import (
    NODE,
    NOW,
    a_hold,
    a_machine,
    a_notice,
    a_placement,
    a_record,
    a_report,
    a_spec,
    an_idle_report,
    an_incarnation,
    but,
    nothing_yet,
    training,
)
from tests.unit.planning.reading import action, planned, step, waiting

NAME = NodeName.parse(NODE)


def on_aws(**pool: Any) -> FleetSpec:
    return but(a_spec(**pool), provider="aws", region="us-east-1")


def tried(ago: float, **changes: Any) -> Incarnation:
    """A creation that began so long ago, and that nobody knows the end of."""
    return an_incarnation(instance=None, tried_at=NOW - ago, **changes)


def unanswered(ago: float, **changes: Any) -> Observed:
    fields = {"placements": {NODE: a_placement()}, "incarnations": {(NODE, 1): tried(ago)}}
    return nothing_yet(**{**fields, **changes})


# ---- made or not? --------------------------------------------------------------------------------


def test_a_creation_without_an_answer_is_looked_for_before_it_is_tried_again() -> None:
    wait = waiting(unanswered(10))
    assert wait.what == "its tags to show: whether incarnation 1 was made is not known"
    assert wait.until == NOW + 290


def test_after_five_minutes_the_same_claim_is_taken_up_again() -> None:
    found = step(unanswered(300), Converge)
    assert (found.placement.incarnation, found.claim) == (1, None)


def test_a_creation_that_is_known_to_have_failed_is_tried_again_at_once() -> None:
    observed = unanswered(0, incarnations={(NODE, 1): an_incarnation(instance=None)})
    assert (action(observed).kind, step(observed, Converge).claim) == (Kind.CREATE, None)


def test_a_replacement_without_an_answer_is_looked_for_while_the_old_machine_is_still_listed() -> None:
    claims = {(NODE, 1): an_incarnation(), (NODE, 2): tried(10, number=2)}
    observed = training(placements={NODE: a_placement(incarnation=2)}, incarnations=claims)
    assert waiting(observed).until == NOW + 290


def test_a_node_that_is_to_go_is_not_done_with_while_its_machine_may_yet_show() -> None:
    assert not planned(unanswered(10, record=a_record(destroying=True))).settled
    assert planned(unanswered(301, record=a_record(destroying=True))).settled


def test_a_machine_that_showed_up_and_is_not_wanted_is_ended() -> None:
    quiet = {"runs": {}, "orders": {}, "reports": {}}
    found = training(holds=(a_hold(HoldKind.TERMINATE),), incarnations={(NODE, 1): tried(10)}, **quiet)
    assert not step(found, Converge).placement.present


# ---- taken up ------------------------------------------------------------------------------------


def shown(ago: float = 60, **changes: Any) -> Observed:
    """The machine of a creation without an answer is there, and trains."""
    fields = {"incarnations": {(NODE, 1): an_incarnation(tried_at=NOW - ago)}}
    return training(**{**fields, **changes})


def test_a_machine_that_showed_up_is_taken_up_as_it_is() -> None:
    found = action(shown())
    assert (found.kind, found.lost_steps, found.steps) == (Kind.ADOPT, 0, (Converge(placement=a_placement()),))
    assert found.reason.evidence == "m1 is there, and its last change had no good answer"


@pytest.mark.parametrize("ago", [0, 29])
def test_a_machine_that_somebody_may_just_be_making_is_waited_for_and_not_taken_up(ago: float) -> None:
    wait = waiting(shown(ago))
    assert (wait.what, wait.until) == ("m1 to be taken up", NOW + 30 - ago)


def test_what_is_due_at_such_a_machine_is_not_held_up() -> None:
    idle = shown(0, reports={NODE: an_idle_report()}, runs={}, orders={})
    assert action(idle).kind is Kind.START


def test_a_machine_that_still_boots_is_taken_up_too() -> None:
    booting = a_machine(launched_at=NOW - 40)
    assert action(shown(machines=(booting,), reports={}, runs={}, orders={})).kind is Kind.ADOPT


@pytest.mark.parametrize("ago", [31, 301])
def test_a_machine_of_another_type_than_its_placement_is_not_taken_up(ago: float) -> None:
    stored = {NODE: a_placement(instance_type="big")}
    spec = a_spec(instance_types=["big", "local"])
    assert planned(shown(ago, record=a_record(spec), placements=stored)).settled


def test_a_machine_under_notice_is_left_to_save() -> None:
    assert "save before" in waiting(shown(reports={NODE: a_report(notice=a_notice())})).what


def test_advice_to_leave_keeps_no_machine_from_being_taken_up() -> None:
    advice = a_notice(Cause.REBALANCE, lead=None)
    assert action(shown(reports={NODE: a_report(notice=advice)})).kind is Kind.ADOPT


def test_all_machines_that_showed_up_are_taken_up_in_one_tick() -> None:
    nodes = [f"f/t/{index}" for index in range(5)]
    observed = nothing_yet(
        a_spec(nodes=5),
        machines=tuple(a_machine(id=f"m{node[-1]}", node=node) for node in nodes),
        placements={node: a_placement(node=node) for node in nodes},
        incarnations={(node, 1): an_incarnation(node=node, tried_at=NOW - 60) for node in nodes},
        reports={node: an_idle_report(node=node, instance=f"m{node[-1]}") for node in nodes},
    )
    assert planned(observed).count(Kind.ADOPT) == 5


# ---- tags ----------------------------------------------------------------------------------------


def tagged(**changes: str | None) -> Machine:
    """Its tags as we set them, but for these; None: removed."""
    worn = {**tags.identity("o1", NAME, 1), **tags.worn(NAME, 1)}
    named = {f"steady:{name}" if name != "Name" else name: value for name, value in changes.items()}
    return a_machine(tags={k: v for k, v in {**worn, **named}.items() if v is not None})


def retagged(machine: Machine, **changes: Any) -> Observed:
    return training(**{"spec": on_aws(), "machines": (machine,), **changes})


def updates(observed: Observed) -> list[tuple[Kind, str]]:
    return [(found.kind, found.reason.evidence) for found in planned(observed).actions]


def test_a_machine_that_wears_its_tags_needs_nothing() -> None:
    assert planned(retagged(tagged(team="ml"))).settled


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"node": "f/t/9"}, "steady:node"),
        ({"pool": None}, "steady:pool"),
        ({"incarnation": "7"}, "steady:incarnation"),
        ({"Name": "mine"}, "Name"),
        ({"Name": None, "pool": "x"}, "Name, steady:pool"),
    ],
)
def test_changed_tags_are_put_back_in_place(changes: dict[str, str | None], told: str) -> None:
    observed = retagged(tagged(**changes))
    assert updates(observed) == [(Kind.UPDATE, f"someone changed its tags: {told}")]
    assert action(observed).steps == (Converge(placement=a_placement()),)


def test_tags_are_only_reported_when_the_policy_says_so() -> None:
    plan = planned(retagged(tagged(Name="mine"), spec=on_aws(drift={"tags": "report"})))
    assert (plan.settled, [drift.field for drift in plan.drift]) == (True, ["tags"])


def test_machines_of_this_computer_have_no_tags_to_lose() -> None:
    assert planned(training(machines=(a_machine(tags={"Name": "mine"}),))).drift == ()


def test_tags_that_could_not_be_put_back_are_tried_again_later_with_the_machine() -> None:
    failed = {(NODE, 1): an_incarnation(tried_at=NOW - 1)}
    assert updates(retagged(tagged(Name="mine"), incarnations=failed)) == []
    later = {(NODE, 1): an_incarnation(tried_at=NOW - 30)}
    assert [kind for kind, _ in updates(retagged(tagged(Name="mine"), incarnations=later))] == [Kind.ADOPT]


@pytest.mark.parametrize("state", [InstanceState.PENDING, InstanceState.STOPPING])
def test_a_machine_that_does_not_run_keeps_its_tags_for_now(state: InstanceState) -> None:
    assert updates(retagged(but(tagged(Name="mine"), state=state))) == []


def test_putting_tags_back_counts_against_no_limit() -> None:
    nodes = [f"f/t/{index}" for index in range(3)]
    observed = nothing_yet(
        on_aws(nodes=3),
        machines=tuple(but(tagged(Name="x"), id=f"m{node[-1]}", node=node) for node in nodes),
        placements={node: a_placement(node=node) for node in nodes},
        reports={node: an_idle_report(node=node, instance=f"m{node[-1]}") for node in nodes},
    )
    assert planned(observed).count(Kind.UPDATE) == 3


def test_a_machine_on_a_market_that_is_only_reported_is_not_touched_for_its_tags() -> None:
    machine = but(tagged(Name="mine"), market=Market.ON_DEMAND)
    assert updates(retagged(machine)) == []
