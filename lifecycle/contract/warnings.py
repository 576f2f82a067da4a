"""Warnings: a notice reaches the machine's own metadata, and its end has the cause that was announced."""

from __future__ import annotations

from typing import Any

import pytest

from lifecycle.contract.premises import NODE, Premises, able
from lifecycle.model import tags
from lifecycle.model.errors import SteadyError
from lifecycle.model.fleet import Market
from lifecycle.model.ids import NodeName
from lifecycle.model.states import Cause

HERE = NodeName.parse(NODE)


class WarningContract:
    """Metadata and console, where the provider has them."""

    def test_a_machine_is_told_its_id_and_its_tags(self, premises: Premises) -> None:
        machine = premises.made()
        told = able(premises.metadata(machine), "show metadata").identity()
        assert (told.instance, told.tags[tags.NODE], told.tags[tags.INCARNATION]) == (machine.id, NODE, "1")

    def test_no_notice_stands_on_a_quiet_machine(self, premises: Premises) -> None:
        assert list(able(premises.metadata(premises.made()), "show metadata").notices()) == []

    @pytest.mark.parametrize("cause", [Cause.SPOT, Cause.MAINTENANCE])
    def test_a_notice_reaches_the_machine_with_its_deadline(self, premises: Premises, cause: Cause) -> None:
        console, machine = _console(premises), premises.made()
        metadata = able(premises.metadata(machine), "show metadata")
        given = console.notice(HERE, cause, 600.0)
        first, again = metadata.notices(), metadata.notices()
        assert [(each.cause, each.deadline) for each in first] == [(cause, pytest.approx(given.deadline, abs=1))]
        assert [each.id for each in first] == [each.id for each in again]

    def test_advice_reaches_the_machine_and_takes_nothing(self, premises: Premises) -> None:
        console, machine = _console(premises), premises.made()
        metadata = able(premises.metadata(machine), "show metadata")
        assert console.notice(HERE, Cause.REBALANCE, None).deadline is None
        assert [(each.cause, each.deadline) for each in metadata.notices()] == [(Cause.REBALANCE, None)]
        assert [each.id for each in premises.live()] == [machine.id]

    def test_a_machine_is_taken_at_its_deadline_for_the_cause_announced(self, premises: Premises) -> None:
        console, machine = _console(premises), premises.made()
        console.notice(HERE, Cause.SPOT, 0.2)
        ended = premises.gone(machine)
        assert ended is None or ended.cause is Cause.SPOT

    @pytest.mark.parametrize("market", list(Market))
    def test_a_broken_machine_is_gone_for_good(self, premises: Premises, market: Market) -> None:
        console, machine = _console(premises), premises.made(market=market)
        console.kill(HERE)
        ended = premises.gone(machine)
        assert ended is None or (ended.state, ended.cause) == ("terminated", Cause.HARDWARE)

    def test_a_person_stops_an_on_demand_machine(self, premises: Premises) -> None:
        console, machine = _console(premises), premises.made(market=Market.ON_DEMAND)
        console.stop(HERE)
        assert premises.seen(lambda each: each.state == "stopped", "it is stopped").id == machine.id

    @pytest.mark.parametrize("verb", ["kill", "stop"])
    def test_without_a_machine_there_is_nothing_to_disturb(self, premises: Premises, verb: str) -> None:
        with pytest.raises(SteadyError) as told:
            getattr(_console(premises), verb)(HERE)
        assert told.value.fix


def _console(premises: Premises) -> Any:
    return able(premises.provider.console, "give a notice")
