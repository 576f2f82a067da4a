"""The provider under test in a world of its own, and what a test has to be able to do to that world."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cached_property
from typing import Any

import pytest

from lifecycle.model.fleet import Market
from lifecycle.model.records import Placement
from lifecycle.model.world import Machine
from lifecycle.ports.notices import Metadata
from lifecycle.ports.provider import Provider

FLEET, POOL = "f", "t"
NODE = f"{FLEET}/{POOL}/0"


class Premises(ABC):
    """Made anew for each test, without machines; the fixture that makes it ends whatever is left.

    What a provider cannot do stays as it is here: its tests are skipped, and say so.
    """

    owner: str
    """The id that our machines' owner tag has to carry."""
    instance_type, zone = "", ""
    """What placements ask for."""
    lag = 0.0
    """Seconds after which a machine just made is in every list."""
    patience = 60.0
    """Seconds within which a machine boots, stops or ends."""

    @abstractmethod
    def open(self) -> Provider:
        """The provider as one controller has it; every call is another controller's."""

    @abstractmethod
    def stranger(self) -> tuple[Machine, Callable[[], bool]]:
        """Makes a machine of another owner's, otherwise like node 0's of ours: as a forger would describe it, and
        whether it is still untouched."""

    @abstractmethod
    def blind(self) -> AbstractContextManager[Any]:
        """While it lasts, the provider's machines cannot be listed."""

    def losing(self) -> AbstractContextManager[Any] | None:
        """While it lasts, machines are made and the answer is lost."""
        return None

    def short(self) -> AbstractContextManager[Any] | None:
        """While it lasts, there is no capacity for any machine."""
        return None

    def retagged(self, machine: Machine, key: str, value: str) -> bool:
        """A person changes a tag of the machine; False where nobody can."""
        return False

    def disk(self, machine: Machine) -> Callable[[], bool] | None:
        """Leaves something on the machine's disk; whether it is still there."""
        return None

    def metadata(self, machine: Machine) -> Metadata | None:
        """What the machine's agent asks who it is."""
        return None

    def now(self) -> float:
        """The time of this world, in seconds."""
        return time.time()

    def wait(self) -> None:
        """Lets a moment of this world pass."""
        time.sleep(0.02)

    # ---- what tests are written in ---------------------------------------------------------------

    @cached_property
    def provider(self) -> Provider:
        return self.open()

    def placed(self, **changes: Any) -> Placement:
        """Of node 0, its first incarnation, on spot, but for the changes."""
        given = {"node": NODE, "market": Market.SPOT, "instance_type": self.instance_type, "zone": self.zone}
        return Placement(**{**given, **changes})

    def listed(self) -> list[Machine]:
        return list(self.provider.compute.machines(FLEET))

    def live(self) -> list[Machine]:
        return [machine for machine in self.listed() if machine.live and not machine.ending]

    def seen(self, wanted: Callable[[Machine], bool], what: str) -> Machine:
        """The first machine like this in the list, once there is one."""
        found: Machine = self.until(lambda: next(filter(wanted, self.listed()), None), what)
        return found

    def until(self, condition: Callable[[], Any], what: str) -> Any:
        """The condition's first true value."""
        deadline = self.now() + self.patience
        while not (found := condition()):
            assert self.now() < deadline, f"not within {self.patience:.0f} s: {what}"
            self.wait()
        return found

    def made(self, **changes: Any) -> Machine:
        """The running machine of this placement."""
        placement = self.placed(**changes)
        (outcome,) = self.provider.provisioner.converge(FLEET, [placement])
        assert outcome.error == ""
        return self.up(placement)

    def up(self, placement: Placement) -> Machine:
        return self.seen(lambda each: fills(each, placement) and each.state == "running", "it runs")

    def gone(self, machine: Machine) -> Machine | None:
        """The machine once it has ended, as it is listed then; None where it is not any more."""

        def ended() -> bool:
            return all(not each.live for each in self.listed() if each.id == machine.id)

        self.until(ended, f"{machine.id} ends")
        return next((each for each in self.listed() if each.id == machine.id), None)


def fills(machine: Machine, placement: Placement) -> bool:
    return (machine.node, machine.incarnation) == (placement.node, placement.incarnation)


def able(found: Any, what: str) -> Any:
    """What the premises have; skips the test where they have it not."""
    if not found:
        pytest.skip(f"this provider's premises do not {what}")
    return found
