"""The spot market in your hand: what a market, a broken host or a person in the console would do.

Everything here happens behind the controller's back; it finds out by looking.
"""

from __future__ import annotations

import time

from lifecycle.adapters.local.layout import Power, StandingNotice, StateDirectory, Want
from lifecycle.adapters.local.provider import LocalProvider
from lifecycle.model.errors import SteadyError, WrongUsage
from lifecycle.model.ids import NodeName
from lifecycle.model.states import Cause, InstanceState
from lifecycle.model.world import Machine
from lifecycle.system import processes
from lifecycle.system.files import read_record, write_record


class LocalConsole:
    """`steady local notice|kill|stop NODE`."""

    def __init__(self, state: StateDirectory, provider: LocalProvider, who: str = "") -> None:
        self._state, self._provider, self._who = state, provider, who

    def notice(self, node: NodeName, cause: Cause, lead: float | None) -> StandingNotice:
        """A notice for the node's machine. Rebalance is advice and has no deadline."""
        if cause is Cause.REBALANCE and lead is not None:
            raise WrongUsage("rebalance is advice and has no deadline", fix="leave --lead out")
        machine = self._machine(node)
        now = time.time()
        deadline = None if cause is Cause.REBALANCE else now + (120.0 if lead is None else lead)
        fresh = StandingNotice(id=f"{cause}-{time.time_ns()}", cause=cause, at=now, deadline=deadline)
        path = self._state.machine(machine.id).notices
        write_record(path, (*(read_record(path, tuple[StandingNotice, ...]) or ()), fresh))
        return fresh

    def kill(self, node: NodeName) -> Machine:
        """The host breaks: processes and disk are gone at once."""
        machine = self._machine(node)
        paths = self._state.machine(machine.id)
        write_record(paths.want, Want(power=Power.KILLED, cause=Cause.HARDWARE))
        processes.end_all(lambda: processes.carriers("STEADY_INSTANCE_ID", machine.id))
        return machine

    def stop(self, node: NodeName) -> Machine:
        """A person stops the machine; its operating system goes down in good order."""
        machine = self._machine(node)
        self._provider.power_off(machine, f"`steady local stop` by {self._who}" if self._who else "")
        return machine

    def _machine(self, node: NodeName) -> Machine:
        for machine in self._provider.machines(node.fleet):
            if machine.node == str(node) and machine.state is InstanceState.RUNNING:
                return machine
        raise SteadyError(f"{node} has no running machine", fix=f"steady status {node.fleet}")
