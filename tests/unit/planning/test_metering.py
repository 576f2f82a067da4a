"""Meters run while machines are on, and are booked once, whatever is missed in between."""

from __future__ import annotations

from typing import Any

import pytest

from lifecycle.model.money import Ledger, Meter
from lifecycle.model.plan import Facts
from lifecycle.model.records import Incarnation
from lifecycle.model.states import InstanceState
from lifecycle.model.world import Machine, Observed
from lifecycle.planning import metering
from lifecycle.planning.settle import settle
from tests.builders import NODE, NOW, a_machine, a_report, an_incarnation, but, prices, training
from tests.unit.planning.reading import seen

RUNNING = Meter(rate=2.0, since=NOW - 3600, first=True)


def after(machine: Machine | None, meter: Meter, dollars: float | None = 2.0, **claim: Any) -> Meter:
    """The meter of incarnation 1, once its machine was seen like this."""
    facts = look(machine, meter, dollars, **claim)
    (found,) = facts.incarnations or (an_incarnation(meter=meter),)
    return found.meter


def look(machine: Machine | None, meter: Meter, dollars: float | None = 2.0, **claim: Any) -> Facts:
    return settle(world(machine, meter, dollars, **claim), NOW)


def world(machine: Machine | None, meter: Meter, dollars: float | None = 2.0, **claim: Any) -> Observed:
    quotes = {} if dollars is None else prices(dollars)
    record = training().record
    assert record is not None
    elsewhere = but(record, spec=but(record.spec, provider="aws"))
    return training(
        record=elsewhere,
        machines=() if machine is None else (machine,),
        incarnations={(NODE, 1): an_incarnation(meter=meter, **claim)},
        prices=quotes,
    )


def ended(ago: float = 600, **changes: Any) -> Machine:
    return a_machine(state=InstanceState.TERMINATED, ended_at=NOW - ago, **changes)


def test_a_machine_that_is_seen_for_the_first_time_is_counted_from_its_start() -> None:
    assert after(a_machine(launched_at=NOW - 60), Meter()) == Meter(rate=2.0, since=NOW - 60, first=True)


def test_a_meter_that_runs_is_left_alone() -> None:
    assert look(a_machine(), RUNNING).incarnations == ()


def test_a_machine_that_boots_is_not_counted_yet() -> None:
    assert after(a_machine(state=InstanceState.PENDING), Meter()) == Meter(rate=2.0, first=True)


def test_what_has_been_spent_grows_with_the_time() -> None:
    observed = world(a_machine(), RUNNING)
    assert metering.spent(observed, an_incarnation(meter=RUNNING), a_machine(), NOW) == (2.0, True)


def test_a_machine_that_was_stopped_is_counted_to_its_stop() -> None:
    off = a_machine(state=InstanceState.STOPPED, ended_at=NOW - 1800)
    assert after(off, RUNNING) == Meter(rate=2.0, spent=1.0, hours=0.5, first=True)


def test_what_costs_nothing_stops_once_too() -> None:
    off = a_machine(state=InstanceState.STOPPED)
    stopped = after(off, but(RUNNING, rate=0.0), dollars=0.0)
    assert after(off, stopped, dollars=0.0) == stopped


def test_the_meter_is_read_with_its_hours_up_to_now() -> None:
    observed = world(a_machine(), RUNNING)
    found = metering.read(observed, an_incarnation(meter=but(RUNNING, hours=2.0)), a_machine(), NOW)
    assert (found.hours, found.spent, found.since) == (3.0, 2.0, None)


def test_a_machine_that_stays_stopped_costs_nothing_more() -> None:
    off = a_machine(state=InstanceState.STOPPED, ended_at=NOW - 1800)
    meter = Meter(rate=2.0, spent=1.0, first=True)
    assert after(off, meter) == meter


def test_a_machine_that_was_started_again_is_counted_again() -> None:
    meter = Meter(rate=2.0, spent=1.0, first=True)
    assert after(a_machine(launched_at=NOW - 60), meter) == but(meter, since=NOW - 60)


def test_a_stop_and_a_start_that_nobody_saw_is_no_exact_sum() -> None:
    found = after(a_machine(launched_at=NOW - 1800), RUNNING)
    assert found == Meter(rate=2.0, since=NOW - 1800, spent=1.0, hours=0.5, exact=False, first=True)


def test_a_machine_that_came_and_went_between_two_looks_is_counted() -> None:
    assert after(ended(1800), Meter()).spent == 1.0


def test_a_price_that_becomes_known_counts_for_all_of_its_time() -> None:
    assert after(a_machine(), but(RUNNING, rate=None)).rate == 2.0
    observed = world(a_machine(), RUNNING)
    assert metering.spent(observed, an_incarnation(meter=RUNNING), a_machine(), NOW)[1]


def test_a_price_that_never_was_known_makes_it_a_lower_bound() -> None:
    found = after(ended(), but(RUNNING, rate=None), dollars=None)
    assert (found.spent, found.exact, found.booked) == (0.0, False, True)


def test_a_price_that_has_moved_counts_from_now_on() -> None:
    assert after(a_machine(), RUNNING, dollars=3.0) == Meter(rate=3.0, since=NOW, spent=2.0, hours=1.0, first=True)


def test_a_price_that_moved_a_little_moves_nothing() -> None:
    assert look(a_machine(), RUNNING, dollars=2.05).incarnations == ()


def test_our_own_clock_that_jumped_spends_nothing() -> None:
    spoke, later = a_report(at=NOW), NOW + 10 * 86400
    observed = but(world(a_machine(), RUNNING), heard={"m1": spoke})
    assert metering.spent(observed, an_incarnation(meter=RUNNING), a_machine(), later) == (4.0, True)


def test_a_price_that_moved_while_our_clock_jumped_spends_nothing_either() -> None:
    observed = but(world(a_machine(), RUNNING, dollars=3.0), heard={"m1": a_report(at=NOW)})
    (claim,) = settle(observed, NOW + 10 * 86400).incarnations
    assert (claim.meter.spent, claim.meter.since) == (4.0, NOW + 3600)


# ---- booking -------------------------------------------------------------------------------------


def test_a_machine_that_ended_is_booked_and_its_claim_says_so() -> None:
    facts = look(ended(1800), RUNNING)
    assert facts.ledgers == (Ledger(pool="t", spent=1.0, entered=("f/t/0#1",)),)
    assert facts.incarnations[0].meter == Meter(rate=2.0, spent=1.0, hours=0.5, booked=True, first=True)


def test_what_is_booked_is_never_booked_again() -> None:
    booked = Meter(rate=2.0, spent=1.0, booked=True, first=True)
    facts = look(ended(1800), booked, ended_at=NOW - 1800, cause="spot")
    assert (facts.ledgers, facts.incarnations) == ((), ())


def test_a_controller_that_died_between_ledger_and_claim_books_nothing_twice() -> None:
    observed = world(ended(1800), RUNNING)
    ledger = settle(observed, NOW).ledgers[0]
    again = settle(but(observed, ledgers={"t": ledger}), NOW)
    assert again.ledgers == ()
    assert again.incarnations[0].meter.booked


def test_another_machine_that_ended_meanwhile_is_added_once() -> None:
    other = ended(1800, id="m2", incarnation=2)
    claims = {(NODE, n): an_incarnation(number=n, instance=f"m{n}", meter=RUNNING) for n in (1, 2)}
    observed = but(world(ended(1800), RUNNING), machines=(ended(1800), other), incarnations=claims)
    half = Ledger(pool="t", spent=1.0, entered=("f/t/0#1",))
    facts = settle(but(observed, ledgers={"t": half}), NOW)
    assert facts.ledgers == (Ledger(pool="t", spent=2.0, entered=("f/t/0#1", "f/t/0#2")),)


def replaced(newer: Incarnation) -> Observed:
    """Incarnation 1 is not listed any more and was never seen to end; 2 fills the node."""
    machine = a_machine(id="m2", incarnation=2, launched_at=NOW - 60)
    claims = {(NODE, 1): an_incarnation(meter=RUNNING), (NODE, 2): newer}
    told = a_report(at=NOW - 1800)
    return but(world(machine, RUNNING), incarnations=claims, heard={"m1": told})


NEWER = an_incarnation(number=2, instance="m2", meter=Meter(rate=2.0, since=NOW - 60))


def test_a_machine_that_nobody_saw_end_is_counted_to_its_last_word() -> None:
    (ledger,) = settle(replaced(NEWER), NOW).ledgers
    assert (ledger.spent, ledger.exact) == (1.0, False)


def test_a_machine_that_is_not_listed_is_not_booked_before_there_is_another() -> None:
    assert settle(but(replaced(but(NEWER, instance=None)), machines=()), NOW).ledgers == ()
    assert look(None, RUNNING).ledgers == ()


def test_the_next_claim_leads_back_to_one_that_is_not_booked() -> None:
    open_ended = {(NODE, 2): NEWER}
    assert metering.unread(open_ended) == {(NODE, 1)}
    assert metering.unread({(NODE, 1): an_incarnation(), **open_ended}) == set()


def test_a_claim_before_which_all_is_booked_leads_back_no_more() -> None:
    facts = settle(replaced(NEWER), NOW)
    assert [claim.meter.first for claim in facts.incarnations] == [True, True]


def test_a_claim_whose_predecessor_still_runs_goes_on_leading_back() -> None:
    both = (a_machine(), a_machine(id="m2", incarnation=2, launched_at=NOW - 60))
    assert settle(but(replaced(NEWER), machines=both), NOW).incarnations == ()


def test_a_list_that_could_not_be_read_changes_no_meter() -> None:
    assert settle(but(world(a_machine(), Meter()), machines=None), NOW) == Facts()


@pytest.mark.parametrize("spent", [0.0, 7.5])
def test_an_account_is_the_ledger_and_what_runs(spent: float) -> None:
    observed = but(world(a_machine(), RUNNING), ledgers={"t": Ledger(pool="t", spent=spent)})
    account = seen(observed).account
    assert account is not None
    assert (account.spent, account.per_hour, account.known_at) == (spent + 2.0, 2.0, NOW)
