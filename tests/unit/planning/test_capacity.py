"""Where the next machine is made: the spec's order, past what was refused, and the fallback in its time."""

from __future__ import annotations

from typing import Any

import pytest

from lifecycle.model.fleet import Market, Pool
from lifecycle.model.money import Choice
from lifecycle.model.records import Shortage
from lifecycle.planning import capacity
from lifecycle.planning.capacity import choose, learned, over, refused
from tests.builders import NOW, a_machine, a_placement, a_shortage, a_spec, an_incarnation, but

SPOT, ON_DEMAND = Market.SPOT, Market.ON_DEMAND
TYPES, ZONES = ["big", "small"], ["a", "b"]


def a_pool(**changes: Any) -> Pool:
    return a_spec(**{"instance_types": TYPES, "zones": ZONES, **changes}).pools["t"]


def falling_back(after: str = "10m") -> Pool:
    return a_pool(fallback={"to": "on_demand", "after": after})


def all_short(ago: float, **changes: Any) -> tuple[Shortage, ...]:
    """Every spot choice was refused lately, and for the first time so long ago."""
    fields = {"since": NOW - ago, "at": NOW - 60, **changes}
    return tuple(a_shortage(kind, zone, **fields) for kind in TYPES for zone in ZONES)


# ---- the order -----------------------------------------------------------------------------------


def test_every_zone_of_the_preferred_type_comes_before_the_next_type() -> None:
    found = [(choice.instance_type, choice.zone) for choice in capacity.choices(a_pool(), SPOT)]
    assert found == [("big", "a"), ("big", "b"), ("small", "a"), ("small", "b")]


def test_without_types_and_zones_the_provider_chooses() -> None:
    assert choose(a_pool(instance_types=[], zones=[]), (), NOW).choice == (SPOT, "", "")


def test_the_first_preference_needs_no_reason() -> None:
    found = choose(a_pool(), (), NOW)
    assert (found.choice, found.why, found.until) == (Choice(SPOT, "big", "a"), "", None)


@pytest.mark.parametrize(
    ("short", "choice"),
    [
        ([("big", "a")], ("big", "b")),
        ([("big", "a"), ("big", "b")], ("small", "a")),
        ([("big", "b")], ("big", "a")),
    ],
)
def test_what_was_refused_is_skipped(short: list[tuple[str, str]], choice: tuple[str, str]) -> None:
    found = choose(a_pool(), [a_shortage(*each) for each in short], NOW)
    assert found.choice[1:] == choice


def test_a_skipped_choice_is_told_with_the_time_since_when() -> None:
    found = choose(a_pool(), [a_shortage("big", "a", ago=120)], NOW)
    assert found.why == "no capacity for spot big in a since 2m"


@pytest.mark.parametrize(("ago", "zone"), [(299, "b"), (300, "a")])
def test_a_refused_choice_is_tried_again_after_five_minutes(ago: float, zone: str) -> None:
    assert choose(a_pool(), [a_shortage("big", "a", ago=ago)], NOW).choice.zone == zone


def test_a_shortage_on_another_market_does_not_count() -> None:
    assert choose(a_pool(), [a_shortage("big", "a", market=ON_DEMAND)], NOW).choice.zone == "a"


# ---- nothing to be had ---------------------------------------------------------------------------


def test_when_all_are_short_the_soonest_is_tried_again_when_its_time_comes() -> None:
    first, *rest = all_short(1000)
    found = choose(a_pool(), (*rest, but(first, at=NOW - 200)), NOW)
    assert (found.choice, found.until) == (Choice(SPOT, "big", "a"), NOW + 100)


def test_of_many_that_are_short_three_are_named() -> None:
    why = choose(a_pool(), all_short(720), NOW).why
    assert why == (
        "none for spot big in a since 12m, spot big in b since 12m, spot small in a since 12m and 1 more"
    )


# ---- the fallback --------------------------------------------------------------------------------


@pytest.mark.parametrize(("ago", "market"), [(599, SPOT), (600, ON_DEMAND)])
def test_the_fallback_comes_once_the_whole_market_was_short_for_its_time(ago: float, market: Market) -> None:
    assert choose(falling_back(), all_short(ago), NOW).choice == Choice(market, "big", "a")


def test_the_fallback_says_why() -> None:
    assert choose(falling_back(), all_short(600), NOW).why == "no spot capacity for 10m: on_demand"


def test_the_market_is_short_since_its_last_choice_is() -> None:
    *earlier, last = all_short(5000)
    found = choose(falling_back(), (*earlier, but(last, since=NOW - 90)), NOW)
    assert (found.choice.market, found.until) == (SPOT, NOW + 240)


def test_a_fallback_that_is_due_before_the_next_try_is_waited_for() -> None:
    found = choose(falling_back("2m"), all_short(60), NOW)
    assert (found.choice.market, found.until) == (SPOT, NOW + 60)


def test_a_choice_of_the_pools_own_market_that_is_due_again_goes_before_the_fallback() -> None:
    *others, last = all_short(5000)
    found = choose(falling_back(), (*others, but(last, at=NOW - 300)), NOW)
    assert found.choice == Choice(SPOT, "small", "b")


def test_the_fallback_skips_what_is_short_there() -> None:
    dear = a_shortage("big", "a", market=ON_DEMAND)
    assert choose(falling_back(), (*all_short(600), dear), NOW).choice == Choice(ON_DEMAND, "big", "b")


def test_when_the_fallback_is_short_too_the_soonest_of_all_is_tried_again() -> None:
    dear = [but(each, market=ON_DEMAND, at=NOW - 30) for each in all_short(600)]
    found = choose(falling_back(), (*all_short(600), *dear), NOW)
    assert (found.choice.market, found.until) == (SPOT, NOW + 240)


def test_without_a_fallback_nobody_pays_for_another_market() -> None:
    assert choose(a_pool(), all_short(1e6), NOW).until is not None


# ---- what a refusal makes known ------------------------------------------------------------------


def test_a_first_refusal_begins_a_shortage() -> None:
    placement = a_placement(instance_type="big", zone="a")
    assert refused(placement, "none left", (), NOW) == a_shortage("big", "a", ago=0)


def test_a_refusal_again_keeps_the_beginning() -> None:
    placement = a_placement(instance_type="big", zone="a")
    found = refused(placement, "still none", [a_shortage("big", "a", ago=900)], NOW)
    assert (found.since, found.at, found.said) == (NOW - 900, NOW, "still none")


def test_the_beginning_of_another_choice_is_not_this_ones() -> None:
    placement = a_placement(instance_type="big", zone="b")
    assert refused(placement, "", [a_shortage("big", "a", ago=900)], NOW).since == NOW


@pytest.mark.parametrize(("launched", "ended"), [(NOW - 61, False), (NOW - 59, True)])
def test_a_shortage_is_over_when_a_machine_was_made_of_it_since(launched: float, ended: bool) -> None:
    machine = a_machine(instance_type="big", zone="a", launched_at=launched)
    assert bool(over([a_shortage("big", "a")], [machine], NOW)) is ended


@pytest.mark.parametrize("changes", [{"instance_type": "small"}, {"zone": "b"}, {"market": ON_DEMAND}])
def test_a_machine_made_of_another_choice_ends_no_shortage(changes: dict[str, Any]) -> None:
    machine = a_machine(**{"instance_type": "big", "zone": "a", "launched_at": NOW, **changes})
    assert over([a_shortage("big", "a")], [machine], NOW) == ()


def test_where_the_provider_chose_any_type_and_zone_ends_the_shortage() -> None:
    assert over([a_shortage()], [a_machine(instance_type="big", zone="b", launched_at=NOW)], NOW)


@pytest.mark.parametrize(("ago", "ended"), [(7200, False), (7201, True)])
def test_a_shortage_that_nobody_met_for_long_is_over(ago: float, ended: bool) -> None:
    assert bool(over([a_shortage(ago=ago)], [], NOW)) is ended


# ---- what an outcome leaves of the claim ---------------------------------------------------------

TRIED = an_incarnation(instance=None, tried_at=NOW - 9)


def after(claim: Any, **outcome: bool) -> Any:
    return learned(claim, **{"failed": False, "no_capacity": False, "uncertain": False, **outcome}, now=NOW)


def test_a_machine_that_was_made_is_no_longer_being_tried() -> None:
    assert after(TRIED) == an_incarnation(instance=None)


def test_a_definite_refusal_leaves_the_claim_to_be_taken_up() -> None:
    found = after(TRIED, failed=True)
    assert (found.tried_at, found.ended_at) == (None, None)


def test_a_want_of_capacity_closes_the_claim() -> None:
    found = after(TRIED, failed=True, no_capacity=True)
    assert (found.tried_at, found.ended_at) == (None, NOW)


def test_a_lost_answer_leaves_the_claim_as_it_is() -> None:
    assert after(TRIED, failed=True, uncertain=True) == TRIED


@pytest.mark.parametrize("outcome", [{}, {"uncertain": True}, {"no_capacity": True}])
def test_of_a_machine_that_exists_a_failed_change_is_noted_to_be_tried_again(outcome: dict[str, bool]) -> None:
    found = after(an_incarnation(), failed=True, **outcome)
    assert (found.tried_at, found.ended_at) == (NOW, None)
