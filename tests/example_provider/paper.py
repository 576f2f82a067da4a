"""A provider in a hundred lines: its machines are on paper, a sheet each. To begin from, and for tests.

Nothing runs on them, so nothing trains there; all else is as `lifecycle/contract` wants it.
"""

import contextlib
import os
import time
from collections.abc import Sequence
from typing import Any

import msgspec

from lifecycle.model import tags
from lifecycle.model.codec import decode, encode
from lifecycle.model.errors import GuardRefused, Unreadable
from lifecycle.model.fleet import Market
from lifecycle.model.ids import NodeName
from lifecycle.model.plan import Label
from lifecycle.model.records import Placement
from lifecycle.model.states import Cause, InstanceState
from lifecycle.model.world import Machine
from lifecycle.ports.provider import Ground, Provider
from lifecycle.ports.provisioner import Outcome
from lifecycle.system.files import write_record


class Paper:
    """Compute and provisioner in one. A sheet is named by its node and incarnation: there is one of each."""

    def __init__(self, ground: Ground) -> None:
        self._folder, self._owner = ground.state / "provider", ground.owner

    def machines(self, fleet: str) -> Sequence[Machine]:
        try:
            found = [decode(file.read_bytes(), Machine) for file in sorted(self._folder.glob("[!.]*"))]
        except (OSError, ValueError) as error:
            raise Unreadable(f"a sheet cannot be read: {error}", fix=f"look into {self._folder}") from None
        return [machine for machine in found if tags.owned(machine.tags, self._owner(), fleet)]

    def _now(self, machine: Machine) -> Machine:
        """The machine as it is now, if it is ours. Raises GuardRefused."""
        for found in self.machines(NodeName.parse(machine.node).fleet):
            if found.id == machine.id:
                return found
        raise GuardRefused(f"{machine.id} is not ours", fix="it was left alone")

    def _change(self, machine: Machine, **changes: Any) -> None:
        write_record(self._path(machine.node, machine.incarnation), msgspec.structs.replace(machine, **changes))

    def _path(self, node: str, incarnation: int) -> Any:
        return self._folder / f"{node.replace('/', '.')}.{incarnation}"

    def power_off(self, machine: Machine) -> None:
        if (now := self._now(machine)).market is Market.SPOT:
            raise GuardRefused(f"{machine.node}: a spot machine cannot be stopped", fix="end it")
        if now.state is InstanceState.RUNNING:
            self._change(now, state=InstanceState.STOPPED)

    def power_on(self, machine: Machine) -> None:
        if (now := self._now(machine)).state is InstanceState.STOPPED:
            self._change(now, state=InstanceState.RUNNING, launched_at=time.time())

    def end_stray(self, machine: Machine) -> None:
        if (now := self._now(machine)).live:
            self._change(now, state=InstanceState.TERMINATED, cause=Cause.CONTROLLER, ended_at=time.time())

    def label(self, labels: Sequence[Label]) -> None:
        for label in labels:
            now = self._now(label.machine)
            self._change(now, tags={**now.tags, **label.tags})

    def converge(self, fleet: str, placements: Sequence[Placement]) -> Sequence[Outcome]:
        return [self._converge(placement, self.machines(fleet)) for placement in placements]

    def _converge(self, placement: Placement, machines: Sequence[Machine]) -> Outcome:
        for machine in machines:
            if machine.node == placement.node:
                kept = placement.present and machine.incarnation == placement.incarnation
                self._restore(machine) if kept else self.end_stray(machine)
        if placement.present:
            self._make(placement)
        return Outcome(node=placement.node)

    def _restore(self, machine: Machine) -> None:
        worn = tags.worn(NodeName.parse(machine.node), machine.incarnation)
        self._change(machine, tags={**machine.tags, **worn})

    def _make(self, placement: Placement) -> None:
        """The whole sheet is there at once, or was there before."""
        node, number = NodeName.parse(placement.node), placement.incarnation
        machine = Machine(
            id=f"p-{os.urandom(4).hex()}",
            node=placement.node,
            incarnation=number,
            state=InstanceState.RUNNING,
            market=placement.market,
            launched_at=time.time(),
            instance_type=placement.instance_type,
            zone=placement.zone,
            tags={**tags.of_fleet(self._owner(), node.fleet), **tags.worn(node, number)},
        )
        self._folder.mkdir(exist_ok=True)
        beside = self._folder / f".{machine.id}"
        beside.write_bytes(encode(machine))
        with contextlib.suppress(FileExistsError):
            os.link(beside, self._path(placement.node, number))
        beside.unlink()

    def differences(self, fleet: str) -> Sequence[str]:
        return ()  # machines on paper share nothing

    def share(self, fleet: str) -> None: ...

    def dismantle(self, fleet: str) -> None: ...


def opened(ground: Ground) -> Provider:
    """What is registered as `paper`, in pyproject.toml."""
    paper = Paper(ground)
    return Provider(name="paper", compute=paper, provisioner=paper)
