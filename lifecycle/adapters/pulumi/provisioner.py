"""Machines on AWS: one update of the fleet's stack for all nodes that change, and nothing else touched."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from lifecycle.adapters.pulumi import locks, state
from lifecycle.adapters.pulumi.events import INSTANCE, STAKE, Ran
from lifecycle.adapters.pulumi.outcomes import outcome
from lifecycle.adapters.pulumi.said import explained
from lifecycle.adapters.pulumi.workspace import Program, Workspace
from lifecycle.model.errors import GuardRefused, StackLocked, SteadyError
from lifecycle.model.ids import urn_name
from lifecycle.model.records import Placement
from lifecycle.model.world import Machine
from lifecycle.ports.clock import Clock
from lifecycle.ports.provisioner import Outcome
from lifecycle.system.processes import Identity, identify

_NO_MACHINE = [f"--exclude=**{INSTANCE}::**", "--refresh"]
_UNSHARED = "not specified in --target list"
"""How the engine says that a node needs something which is not there yet."""

_AT_ONCE = "--parallel=32"
"""Machines begun at a time: what was not begun when one is refused has to wait for the next update."""


class PulumiProvisioner:
    """Implements `ports.provisioner`. `machines` lists the fleet's machines by tag; `tell` gets the engine's steps.

    `staked` says whether some backend keeps a stack of the fleet, as far as the fleet's stake in the tracker tells.

    `program` gives the stack's program for (fleet, nodes to register).
    """

    def __init__(
        self,
        *,
        program: Callable[[str, frozenset[str]], Program],
        machines: Callable[[str], Sequence[Machine]],
        staked: Callable[[str], bool],
        updates: locks.Updates,
        tell: Callable[[str, str | None, str], None],
        region: str,
        clock: Clock,
    ) -> None:
        self._program, self._machines, self._staked = program, machines, staked
        self._updates = updates
        self._tell, self._region, self._clock = tell, region, clock
        self._host = socket.gethostname()

    # ---- the port --------------------------------------------------------------------------------

    def converge(self, fleet: str, placements: Sequence[Placement]) -> Sequence[Outcome]:
        """One update. A machine that its node lacks in the state is taken up, or handed back to be ended."""
        with Workspace(fleet, self._region) as work:
            try:
                return self._converge(work, placements)
            except StackLocked as held:
                return [Outcome(node=each.node, error=held.what, uncertain=each.present) for each in placements]

    def differences(self, fleet: str) -> Sequence[str]:
        with Workspace(fleet, self._region) as work:
            if _here(work) is None:
                return (f"stack {fleet} is not there yet",)
            return self._checked(work, self._preview(work, frozenset(), _NO_MACHINE)).differences()

    def share(self, fleet: str) -> None:
        with Workspace(fleet, self._region) as work:
            self._share(work, self._standing(work))

    def dismantle(self, fleet: str) -> None:
        with Workspace(fleet, self._region) as work:
            standing = _here(work)
            if standing is None:
                self._must_not_be_elsewhere(fleet)
                return
            left = sorted(state.instances(standing).values())
            if left:
                raise GuardRefused(
                    f"{fleet}: the stack still keeps {', '.join(left)}",
                    fix=f"`steady destroy {fleet}` ends them first",
                )
            if standing.get("resources"):
                words = ["destroy", "--yes", "--skip-preview", "--run-program"]
                self._checked(work, self._run(work, words, frozenset()))
            self._checked(work, self._run(work, ["stack", "rm", "--yes"]))

    # ---- converging ------------------------------------------------------------------------------

    def _converge(self, work: Workspace, placements: Sequence[Placement]) -> Sequence[Outcome]:
        standing = self._standing(work)
        kept = state.instances(standing)
        strays = self._strays(work.stack, kept)
        orphans = [each for each in placements if not each.present and each.node in strays]
        ours = [each for each in placements if each not in orphans]
        self._mend(work, ours, strays, {urn_name(each.node) for each in ours} & state.unfinished(standing))
        ran = self._focused(work, ours)
        given = [Outcome(node=each.node, orphan=strays[each.node]) for each in orphans]
        return [*given, *(outcome(each, ran) for each in ours)]

    def _standing(self, work: Workspace) -> state.Deployment:
        """The stack's state; a stack that is not there yet is made, with all that machines share."""
        standing = _here(work)
        if standing is not None:
            return standing
        self._must_not_be_elsewhere(work.stack)
        self._checked(work, self._run(work, ["stack", "init", "--no-select"]))
        self._share(work, {})
        return {}

    def _must_not_be_elsewhere(self, fleet: str) -> None:
        """A stack that is not here was never made, or is gone; of one in another backend something is left."""
        live = any(machine.live for machine in self._machines(fleet))
        if not live and not self._staked(fleet):
            return
        left = "machines" if live else "its stake in the tracker"
        raise GuardRefused(
            f"{fleet} has {left}, and no stack in this Pulumi backend: nothing was made or ended",
            fix=f"`pulumi login` to the one it was made in; if that is lost, `pulumi stack init {fleet}`",
            about="stack",
        )

    def _strays(self, fleet: str, kept: Mapping[str, str]) -> Mapping[str, Machine]:
        """Live machines that the state does not know, by node; of nodes whose own lives none is looked at."""
        live = [each for each in self._machines(fleet) if each.live and not each.ending]
        ids = {each.id for each in live}
        return {each.node: each for each in live if kept.get(urn_name(each.node)) not in ids}

    def _focused(self, work: Workspace, placements: Sequence[Placement]) -> Ran:
        """Only these nodes are read, made, changed or ended; what they need is registered, and stays as it is."""
        if not placements:
            return Ran(0, "")
        present = frozenset(each.node for each in placements if each.present)
        targets = [f"--target=**{INSTANCE}::{urn_name(each.node)}" for each in placements]
        words = ["up", "--yes", "--skip-preview", "--refresh", _AT_ONCE, f"--target=**::{STAKE}", *targets]
        ran = self._run(work, words, present)
        if _UNSHARED in ran.error:
            self._share(work, work.export() or {})
            ran = self._run(work, words, present)
        return ran

    def _mend(
        self, work: Workspace, placements: Iterable[Placement], strays: Mapping[str, Machine], cut: set[str]
    ) -> None:
        """Machines of these very incarnations are taken up, and what was cut short at a node is forgotten."""
        found = [each for each in placements if each.present and _fits(strays.get(each.node), each)]
        if not found and not cut:
            return
        wanted = self._wanted(work, [each.node for each in found])
        mended = state.cleared(work.export() or {}, cut)
        for each in found:
            if resource := wanted.get(each.node):
                mended = state.taken_up(mended, resource, strays[each.node].id, each.incarnation)
        self._import(work, mended)

    def _wanted(self, work: Workspace, nodes: Sequence[str]) -> Mapping[str, Mapping[str, Any] | None]:
        """The resources that an update would create for these nodes, where it would."""
        if not nodes:
            return {}
        targets = [f"--target=**{INSTANCE}::{urn_name(node)}" for node in nodes]
        preview = self._checked(work, self._preview(work, frozenset(nodes), targets))
        return {node: preview.wanted(urn_name(node)) for node in nodes}

    def _share(self, work: Workspace, standing: state.Deployment) -> None:
        if standing.get("pending_operations"):
            self._import(work, state.cleared(standing, None))
        self._checked(work, self._run(work, ["up", "--yes", "--skip-preview", *_NO_MACHINE], frozenset()))

    def _import(self, work: Workspace, deployment: state.Deployment) -> None:
        file = work.folder / "state.json"
        file.write_text(json.dumps({"version": 3, "deployment": deployment}))
        self._checked(work, self._run(work, ["stack", "import", f"--file={file}"]))

    # ---- running the CLI -------------------------------------------------------------------------

    def _preview(self, work: Workspace, nodes: frozenset[str], flags: Sequence[str]) -> Ran:
        return work.run(["preview", *flags], lambda _: None, self._program(work.stack, nodes))

    def _run(self, work: Workspace, words: list[str], nodes: frozenset[str] | None = None) -> Ran:
        """One command that changes something. Raises StackLocked; a lock that we left behind is broken once."""
        ran = self._journalled(work, words, nodes)
        if not locks.locked(ran.said):
            return ran
        standing = self._updates.standing(work.stack)
        if not locks.stale(ran.said, standing, self._host, self._clock.now()):
            raise locks.refusal(work.stack, ran.said)
        self._tell(work.stack, None, "the lock of an update of ours that was cut short is broken")
        work.tell("cancel", "--yes")
        for each in standing:
            self._updates.end(work.stack, each.host, each.process)
        ran = self._journalled(work, words, nodes)
        if locks.locked(ran.said):
            raise locks.refusal(work.stack, ran.said)
        return ran

    def _journalled(self, work: Workspace, words: list[str], nodes: frozenset[str] | None) -> Ran:
        """Written down before it can lock anything, and again while it lasts."""
        begun: list[Identity] = []

        def beat(pid: int) -> None:
            process = identify(pid)
            if process is not None:
                self._updates.beat(work.stack, self._host, process, self._clock.now())
                begun[:] = [process]

        program = None if nodes is None else self._program(work.stack, nodes)
        ran = work.run(words, beat, program)
        with suppress(
            SteadyError
        ):  # the update is over, whoever hears of it; a row left behind is of a dead process
            if begun and not ran.cut:  # what was cut may have left its lock
                self._updates.end(work.stack, self._host, begun[0])
            for name, what in ran.done():
                self._tell(work.stack, name.replace(".", "/") or None, what)
        return ran

    def _checked(self, work: Workspace, ran: Ran) -> Ran:
        if ran.code and ran.events:
            raise SteadyError(
                f"{work.stack}: the update of the stack failed: {ran.error}",
                fix=f"`pulumi preview --stack {work.stack}` shows what it is about; the next tick tries again",
            )
        if ran.code:
            raise explained(work.stack, ran.error)
        return ran


def at_home(fleet: str, region: str) -> None:
    """Raises GuardRefused when the fleet's stack has resources in another region: there is one of this name."""
    with Workspace(fleet, region) as work:
        _here(work)


def _here(work: Workspace) -> state.Deployment | None:
    """The stack's state, which is of this region; None when there is no such stack."""
    standing = work.export()
    there = state.region(standing or {})
    if there in (None, work.region):
        return standing
    raise GuardRefused(
        f"{work.stack} is there already, in {there}; a fleet does not move to {work.region}",
        fix=f"give this fleet another name, or `steady destroy` it with its spec for {there} first",
        about="wrong region",
    )


def _fits(machine: Machine | None, placement: Placement) -> bool:
    return machine is not None and machine.incarnation == placement.incarnation
