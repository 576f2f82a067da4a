"""Which instruction counts: the strictest of order, drain claim, notices and the machine's own end."""

from __future__ import annotations

from typing import Any

import pytest

from lifecycle.model.demand import AskMode, Demand
from lifecycle.model.fleet import WithoutCheckpoint
from lifecycle.model.records import Desired
from lifecycle.model.states import Cause
from lifecycle.planning.wants import Surroundings, live_claim, may_start, strictest
from tests.builders import NOW, a_claim, a_notice, an_order


def around(**changes: Any) -> Surroundings:
    """Machine m1, incarnation 1, ordered to train."""
    return Surroundings(**{"instance": "m1", "incarnation": 1, "order": an_order(), **changes})


def demanded(surroundings: Surroundings) -> Demand:
    demand = strictest(surroundings, NOW)
    assert demand is not None
    return demand


def saved_order(**changes: Any) -> Any:
    return an_order(**{"number": 2, "desired": Desired.SAVED, "save": "save-2", "reason": "asked", **changes})


def stop_order(**changes: Any) -> Any:
    return an_order(**{"number": 3, "desired": Desired.STOPPED, "reason": "lunch", **changes})


def test_a_training_order_alone_demands_nothing() -> None:
    assert strictest(around(), NOW) is None


def test_no_order_at_all_demands_nothing() -> None:
    assert strictest(around(order=None), NOW) is None


def test_a_stop_order_is_a_save_and_exit() -> None:
    demand = demanded(around(order=stop_order()))
    assert (demand.request, demand.mode, demand.cause) == ("order-3", AskMode.SAVE_AND_EXIT, Cause.OPERATOR)


def test_a_stop_order_has_the_grace_of_the_attempt_and_no_deadline() -> None:
    demand = demanded(around(order=stop_order(), grace=45.0))
    assert (demand.grace, demand.deadline) == (45.0, None)


def test_a_save_order_is_a_save_without_exit() -> None:
    demand = demanded(around(order=saved_order()))
    assert (demand.request, demand.mode) == ("save-2", AskMode.SAVE)


def test_an_answered_save_order_is_not_asked_again() -> None:
    assert strictest(around(order=saved_order(), answered=("save-2",)), NOW) is None


def test_a_save_order_without_an_id_asks_nothing() -> None:
    assert strictest(around(order=saved_order(save=None)), NOW) is None


@pytest.mark.parametrize("order", [saved_order(incarnation=0), stop_order(incarnation=0)], ids=["save", "stop"])
def test_an_order_for_an_older_machine_asks_nothing(order: Any) -> None:
    assert strictest(around(order=order), NOW) is None


def test_a_newer_machine_supersedes_this_one() -> None:
    demand = demanded(around(order=an_order(incarnation=2)))
    assert (demand.request, demand.mode, demand.cause) == ("superseded", AskMode.SAVE_AND_EXIT, Cause.CONTROLLER)


def test_a_claim_demands_what_it_says() -> None:
    demand = demanded(around(drain=a_claim(grace=7.0, policy=WithoutCheckpoint.REFUSE)))
    assert (demand.request, demand.drain, demand.grace, demand.policy) == (
        "m1.manual.1",
        "m1.manual.1",
        7.0,
        WithoutCheckpoint.REFUSE,
    )


def test_a_refused_claim_is_not_asked_again() -> None:
    assert strictest(around(drain=a_claim(), refused=("m1.manual.1",)), NOW) is None


def test_a_claim_on_another_machine_of_the_node_asks_nothing() -> None:
    assert strictest(around(drain=a_claim(instance="m0")), NOW) is None


@pytest.mark.parametrize(("left", "stands"), [(0.001, True), (0.0, False), (-1.0, False)])
def test_a_claim_stands_until_it_expires(left: float, stands: bool) -> None:
    assert (live_claim(around(drain=a_claim(expires_at=NOW + left)), NOW) is not None) is stands


def test_a_notice_needs_nobodys_order() -> None:
    demand = demanded(around(order=None, notices=(a_notice(Cause.SPOT, lead=100.0),)))
    assert (demand.request, demand.mode, demand.deadline) == ("spot-spot-1", AskMode.SAVE_AND_EXIT, NOW + 100)


def test_advice_is_a_save_without_exit() -> None:
    demand = demanded(around(notices=(a_notice(Cause.REBALANCE, lead=None),)))
    assert (demand.request, demand.mode) == ("rebalance-rebalance-1", AskMode.SAVE)


def test_advice_is_followed_once() -> None:
    advice = a_notice(Cause.REBALANCE, lead=None)
    assert strictest(around(notices=(advice,), answered=("rebalance-rebalance-1",)), NOW) is None


def test_the_nearest_deadline_is_the_strictest() -> None:
    notices = (a_notice(Cause.MAINTENANCE, lead=900.0), a_notice(Cause.SPOT, lead=100.0))
    assert demanded(around(notices=notices)).cause is Cause.SPOT


def test_a_deadline_is_stricter_than_a_claim() -> None:
    assert demanded(around(drain=a_claim(), notices=(a_notice(Cause.SPOT),))).cause is Cause.SPOT


def test_a_notice_during_a_drain_still_answers_the_drain() -> None:
    assert demanded(around(drain=a_claim(), notices=(a_notice(Cause.SPOT),))).drain == "m1.manual.1"


def test_a_save_and_exit_is_stricter_than_advice() -> None:
    demand = demanded(around(order=stop_order(), notices=(a_notice(Cause.REBALANCE, lead=None),)))
    assert demand.request == "order-3"


def test_a_claim_is_put_before_a_stop_order_so_that_its_policy_counts() -> None:
    assert demanded(around(order=stop_order(), drain=a_claim())).policy is WithoutCheckpoint.REFUSE


def test_a_shutdown_is_a_notice_of_its_own() -> None:
    demand = demanded(around(shutdown_at=NOW + 85))
    assert (demand.request, demand.cause, demand.deadline) == ("shutdown", Cause.OPERATOR, NOW + 85)


def test_a_machine_whose_process_died_is_left_for_hardware() -> None:
    demand = demanded(around(orphaned=True))
    assert (demand.request, demand.mode, demand.cause) == ("orphaned", AskMode.SAVE_AND_EXIT, Cause.HARDWARE)


def test_a_spot_notice_is_stricter_than_an_orphaned_machine_because_it_has_a_deadline() -> None:
    assert demanded(around(orphaned=True, notices=(a_notice(Cause.SPOT),))).cause is Cause.SPOT


def test_an_order_may_start_when_nothing_is_in_its_way() -> None:
    assert may_start(around(), NOW)


def test_advice_does_not_stand_in_the_way_of_a_start() -> None:
    assert may_start(around(notices=(a_notice(Cause.REBALANCE, lead=None),)), NOW)


def test_a_save_order_does_not_stand_in_the_way_of_a_start() -> None:
    assert may_start(around(order=saved_order()), NOW)


@pytest.mark.parametrize(
    "changes",
    [
        {"notices": (a_notice(Cause.SPOT),)},
        {"drain": a_claim()},
        {"drain": a_claim(), "refused": ("m1.manual.1",)},
        {"shutdown_at": NOW + 85},
        {"orphaned": True},
        {"order": an_order(incarnation=2)},
        {"order": stop_order()},
    ],
    ids=["notice", "claim", "refused claim", "shutdown", "orphaned", "superseded", "stop order"],
)
def test_nothing_starts_on_a_machine_that_is_to_be_left(changes: dict[str, Any]) -> None:
    assert not may_start(around(**changes), NOW)


def test_an_expired_claim_lets_training_start() -> None:
    assert may_start(around(drain=a_claim(expires_at=NOW)), NOW)
