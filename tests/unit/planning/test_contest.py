"""The fight detector: put back three times within an hour, then left alone and told; and how that ends."""

from __future__ import annotations

from typing import Any

import pytest

from lifecycle.model.corrections import Correction
from lifecycle.model.fleet import Market
from lifecycle.model.plan import Kind
from lifecycle.model.records import Condition
from lifecycle.model.states import InstanceState, StopReason
from lifecycle.model.world import Observed
from lifecycle.planning.settle import apply_facts, settle
from lifecycle.planning.status import fleet_status
from tests.builders import NODE, NOW, a_machine, a_placement, a_record, a_spec, but, rested, training
from tests.unit.planning.reading import action, planned, refusal, waiting

ON_DEMAND = a_spec(market="on_demand")
SAID = "User initiated (2027-01-15 07:59:00 GMT)"


def put_back(*ago: float, **changes: Any) -> Correction:
    times = tuple(NOW - seconds for seconds in ago)
    fields = {"node": NODE, "field": "power", "times": times, "at": times[-1], "generation": 1, "said": ""}
    return Correction(**{**fields, **changes})


OFTEN = put_back(900, 600, 300)


def off(*corrections: Correction, **changes: Any) -> Observed:
    machine = a_machine(market=Market.ON_DEMAND, state=InstanceState.STOPPED, said=SAID)
    placed = {NODE: a_placement(market=Market.ON_DEMAND)}
    fields = {"machines": (machine,), "placements": placed, "corrections": corrections}
    return rested(ON_DEMAND, **{**fields, **changes})


def conditions(observed: Observed) -> list[Condition]:
    (node,) = fleet_status(observed, planned(observed), NOW).nodes
    return list(node.conditions)


def test_what_is_put_back_is_counted_with_who_changed_it() -> None:
    assert action(off()).correction == put_back(0, said=SAID)


def test_the_last_three_times_are_kept() -> None:
    again = action(off(put_back(600, 300), put_back(600, 300, field="tags"))).correction
    assert again == put_back(600, 300, 0, said=SAID)


def off_since(ago: float, *corrections: Correction) -> Observed:
    """As the provider tells."""
    observed = off(*corrections)
    return but(observed, machines=(but(observed.machines[0], ended_at=NOW - ago),))


def test_what_a_list_still_shows_of_the_time_before_is_waited_for() -> None:
    shown = waiting(off_since(100, put_back(60, off_at=NOW - 100)))
    assert (shown.what, shown.until) == ("the list to show its machine as started", NOW + 240)


def test_what_went_off_again_since_is_put_back_at_once() -> None:
    again = action(off_since(30, put_back(60, off_at=NOW - 100))).correction
    assert again == put_back(60, 0, said=SAID, off_at=NOW - 30)


def test_where_no_time_is_told_it_is_put_back_once_every_list_shows_the_last_time() -> None:
    assert waiting(off(put_back(299))).until == NOW + 1
    assert action(off(put_back(300))).kind is Kind.START


def test_tags_that_a_list_still_shows_as_before_are_not_counted_again() -> None:
    aws, stranger = but(a_spec(), provider="aws"), a_machine(tags={"Name": "mine"})
    observed = training(aws, machines=(stranger,))
    assert planned(but(observed, corrections=(put_back(299, field="tags"),))).actions == ()
    assert action(but(observed, corrections=(put_back(300, field="tags"),))).kind is Kind.UPDATE


def test_what_was_put_back_three_times_is_left_alone() -> None:
    assert planned(off(OFTEN)).actions == ()
    held_back = refusal(off(OFTEN))
    assert (held_back.action, held_back.guard) == (Kind.START, "contested")
    assert (held_back.evidence, held_back.override) == (
        f"power was changed again and again (by: {SAID}); it was put back 3 times within an hour, last 5m ago",
        f"steady start {NODE}",
    )


def test_status_shows_the_fight_once_with_who_the_other_is() -> None:
    drift, fight = conditions(off(OFTEN))
    assert (drift.reason, fight.type) == ("Drift", "Contested")
    assert (fight.status, fight.reason, fight.since) == ("True", "Power", NOW - 300)
    assert SAID in fight.message


def test_where_the_provider_does_not_know_it_is_said_so() -> None:
    silent = off(OFTEN)
    nobody = but(silent, machines=(but(silent.machines[0], said=""),))
    assert "the provider does not say by whom" in refusal(nobody).evidence


@pytest.mark.parametrize(
    "over",
    [put_back(3601, 600, 300), put_back(900, 600, 300, generation=0), put_back(9, 8, 7, node="f/t/1")],
    ids=["an hour has passed", "the spec has changed", "of another node"],
)
def test_a_fight_ends(over: Correction) -> None:
    assert action(off(over)).kind is Kind.START


def test_another_generation_counts_anew() -> None:
    assert action(off(put_back(900, 800, generation=0))).correction == put_back(0, said=SAID)


def test_a_machine_that_we_stopped_ourselves_is_no_fight() -> None:
    ours = {NODE: a_placement(market=Market.ON_DEMAND, powered=False, reason=StopReason.MANUAL)}
    found = planned(off(OFTEN, placements=ours))
    (started,) = found.actions
    assert started.correction is not None
    assert (started.correction.times, found.refusals) == (OFTEN.times, ())


def test_what_a_list_still_shows_after_our_own_start_is_nobodys_doing() -> None:
    ours = {NODE: a_placement(market=Market.ON_DEMAND, powered=False, reason=StopReason.MANUAL)}
    started = action(off(placements=ours)).correction
    assert started is not None
    assert waiting(off(started)).what == "the list to show its machine as started"


def test_contested_tags_do_not_keep_the_node_from_training() -> None:
    aws, stranger = but(a_spec(), provider="aws"), a_machine(tags={"Name": "mine"})
    observed = rested(aws, machines=(stranger,), corrections=(put_back(900, 600, 300, field="tags"),))
    assert action(observed).kind is Kind.RESUME
    assert refusal(observed).action is Kind.UPDATE


def test_a_contested_market_is_not_replaced_for_again() -> None:
    spec = a_spec(drift={"market": "replace"})
    observed = training(spec, machines=(a_machine(market=Market.ON_DEMAND),))
    assert action(observed).kind is Kind.REPLACE
    fought = but(observed, corrections=(put_back(900, 600, 300, field="market"),))
    assert planned(fought).actions == ()
    assert refusal(fought).action is Kind.REPLACE


def test_a_drain_is_no_correction_yet_and_the_new_machine_is() -> None:
    spec = a_spec(drift={"market": "replace"})
    draining = training(spec, machines=(a_machine(market=Market.ON_DEMAND),))
    assert action(draining).correction is None
    emptied = rested(spec, machines=(a_machine(market=Market.ON_DEMAND),))
    assert action(emptied).correction == put_back(0, field="market")


def test_what_only_is_reported_is_no_fight() -> None:
    spec = a_spec(market="on_demand", drift={"power": "report"})
    assert planned(off(OFTEN, record=a_record(spec))).refusals == ()


def test_old_corrections_are_forgotten() -> None:
    old, new = put_back(9000, 3600), put_back(9000, 60, field="tags")
    observed = off(old, new)
    assert settle(observed, NOW).calm == (old,)
    assert apply_facts(observed, settle(observed, NOW)).corrections == (new,)
