"""Prices are asked for now and then, kept with their age when nobody answers; what was spent is booked once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lifecycle.model.fleet import Market
from lifecycle.model.money import Choice, Ledger
from lifecycle.model.states import InstanceState, StopReason
from tests.builders import NODE, NOW, a_machine, a_placement, a_spec, an_idle_report, an_incarnation, but, training
from tests.unit.control.doubles import Fuse, Killed, Room, Tariff

HERE = Choice(Market.SPOT, "local", "local")


@pytest.fixture
def shop() -> Iterator[Room]:
    """A fleet that trains on a machine of two dollars an hour."""
    room = Room()
    room.prices = Tariff(room.clock, local=2.0)
    room.is_as(training())
    yield room
    room.close()


def tariff(room: Room) -> Tariff:
    assert isinstance(room.prices, Tariff)
    return room.prices


def test_a_tick_asks_for_prices_and_remembers_them(shop: Room) -> None:
    shop.controller().tick("f")
    assert tariff(shop).asked == [frozenset({HERE, Choice(Market.SPOT, "", "")})]
    price = shop.seen().prices[HERE].price
    assert price is not None
    assert (price.dollars, price.at, price.source) == (2.0, NOW, "a tariff")


def test_another_controller_does_not_ask_again_so_soon(shop: Room) -> None:
    shop.controller().tick("f")
    shop.clock.pass_by(200)
    shop.controller().tick("f")
    assert len(tariff(shop).asked) == 1


def test_after_five_minutes_they_are_asked_for_again(shop: Room) -> None:
    shop.controller().tick("f")
    shop.clock.pass_by(300)
    tariff(shop).dollars["local"] = 3.0
    assert shop.controller().tick("f").observed.prices[HERE].price.dollars == 3.0  # type: ignore[union-attr]


def test_when_nobody_answers_the_older_price_stands_with_its_age_and_a_note_says_why(shop: Room) -> None:
    controller = shop.controller()
    controller.tick("f")
    shop.clock.pass_by(600)
    tariff(shop).trouble = "spot prices were not looked at: EC2 is away"
    ticked = controller.tick("f")
    price = ticked.observed.prices[HERE].price
    assert price is not None
    assert (price.dollars, price.at) == (2.0, NOW)
    assert ticked.record.notes == ("spot prices were not looked at: EC2 is away",)


def test_a_source_that_does_not_answer_is_not_asked_by_every_tick(shop: Room) -> None:
    tariff(shop).trouble = "away"
    for _ in range(5):
        shop.controller().tick("f")
    assert len(tariff(shop).asked) == 1


def test_a_look_writes_nothing(shop: Room) -> None:
    with shop.unchanged():
        observed, _ = shop.controller().look("f")
    assert observed.prices[HERE].price is not None


def test_without_a_source_nothing_is_remembered(shop: Room) -> None:
    shop.prices = None
    shop.controller().tick("f")
    assert shop.seen().prices == {}


# ---- booking, whenever the controller is killed --------------------------------------------------

ENDED = a_machine(state=InstanceState.TERMINATED, ended_at=NOW - 1800)
CHANGES = 14
"""More than a tick makes that books one machine and makes another."""


@pytest.mark.parametrize("last", range(CHANGES))
def test_a_machine_is_booked_once_whenever_the_controller_is_killed(shop: Room, last: int) -> None:
    running = but(an_incarnation().meter, rate=2.0)
    shop.is_as(training(incarnations={(NODE, 1): an_incarnation(meter=running)}, machines=(ENDED,)))
    try:
        shop.controller(Fuse(last)).tick("f")
    except Killed:
        shop.clock.pass_by(200)
    for _ in range(3):
        shop.controller().tick("f")
    assert shop.seen().ledgers["t"].spent == pytest.approx(1.0)


def test_that_many_changes_are_all_there_are(shop: Room) -> None:
    shop.is_as(training(machines=(ENDED,)))
    fuse = Fuse()
    shop.controller(fuse).tick("f")
    assert fuse.passed <= CHANGES


def test_a_machine_is_booked_that_nobody_lists_any_more(shop: Room) -> None:
    """It ended while no controller was there; its node has had another one since, which leads back to it."""
    newer = a_machine(id="m2", incarnation=2, launched_at=NOW - 60)
    first = an_incarnation(ended_at=NOW - 1800, meter=but(an_incarnation().meter, rate=2.0))
    second = an_incarnation(number=2, instance="m2", meter=but(first.meter, since=NOW - 60, first=False))
    shop.is_as(training(machines=(), placements={NODE: a_placement(incarnation=2)}))
    shop.is_as(training(machines=(newer,), incarnations={(NODE, 1): first, (NODE, 2): second}, placements={}))
    shop.cloud.listed = {"m2": newer}
    shop.controller().tick("f")
    assert shop.seen().ledgers == {"t": Ledger(pool="t", spent=1.0, entered=("f/t/0#1",))}


def test_what_was_spent_outlives_destroy(shop: Room) -> None:
    spent = Ledger(pool="t", spent=7.0)
    shop.tracker.put_ledger("f", spent, None)
    shop.operator().destroy("f")
    shop.hears(an_idle_report())
    shop.cloud.listed = {}
    shop.clock.pass_by(400)
    for _ in range(4):
        shop.controller().tick("f")
    assert (shop.seen().record, shop.seen().ledgers["t"].spent) == (None, pytest.approx(7.0))


# ---- a person's word -----------------------------------------------------------------------------


def test_start_brings_back_what_was_stopped_because_it_was_idle(shop: Room) -> None:
    spec = a_spec(budget={"idle_stop": "10m"})
    idle = a_placement(present=False, reason=StopReason.IDLE, run="main")
    shop.is_as(training(spec, placements={NODE: idle}))
    shop.operator().start(shop.tracker.spec("f").spec.nodes()[0], resume=False)  # type: ignore[union-attr]
    assert shop.seen().placements[NODE] == a_placement()


def test_start_changes_no_placement_of_another_reason(shop: Room) -> None:
    gone = a_placement(present=False, reason=StopReason.COMPLETION, run="main")
    shop.is_as(training(placements={NODE: gone}))
    shop.operator().start(shop.tracker.spec("f").spec.nodes()[0], resume=False)  # type: ignore[union-attr]
    assert shop.seen().placements[NODE] == gone
