"""EC2's hardware: a real machine process for every machine of ours that moto has, ended when moto says so.

A machine is the local machine process of `lifecycle.adapters.local.machine`, in the environment of a node on AWS.
States take as long as they take: `pending` until the machine has booted, `stopping` and `shutting-down` until no
process of it is left. A machine that ends itself (at its notice's deadline, or by a shutdown from inside) ends in
moto too, with the reason that EC2 gives.

At a terminate the operating system is told to go down, as EC2 tells it, and cut off after `grace` seconds; EC2
promises nobody more than a moment. Machines without our tags have no process: they are somebody else's.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lifecycle.adapters.local.layout import StandingNotice, StateDirectory
from lifecycle.model import tags
from lifecycle.model.states import Cause
from tests.doubles import ec2
from tests.doubles.aws import AwsDouble
from tests.doubles.bus import Bus
from tests.doubles.hardware import Machine
from tests.doubles.kinds.kind import Clients
from tests.doubles.watch import Watch

EVERY = 0.1
STOP_WITHIN = 95.0
"""A little longer than a machine gives its agent."""

ON_THE_WAY = {"running": "pending", "stopped": "stopping", "terminated": "shutting-down"}
CODES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}
REASONS: Mapping[Cause | None, tuple[str, str]] = {
    Cause.SPOT: ("Server.SpotInstanceTermination", "Spot instance termination"),
    Cause.MAINTENANCE: ("Server.ScheduledStop", "Stopped due to a scheduled retirement"),
    Cause.HARDWARE: ("Server.InternalError", "Internal error on launch"),
}
BY_ITSELF = ("Client.InstanceInitiatedShutdown", "Instance initiated shutdown")


class InstanceHost:
    """One for an AWS double, there before any machine is made. `env` is what a node's boot would set.

    What machines have on their disks, and their records, lies below `folder`.
    """

    def __init__(
        self, aws: AwsDouble, clients: Clients, folder: Path, env: Mapping[str, str], *, grace: float = 10.0
    ) -> None:
        self.state = StateDirectory(folder)
        self.state.prepare()
        self._aws, self._grace, self._bus = aws, grace, Bus(clients.events)
        self._env = {**_without_ours(os.environ), **aws.env, **env}
        self._machines: dict[str, Machine] = {}
        self.watch = Watch()
        self._settled: dict[str, str] = {}
        self._busy, self._over = threading.Lock(), threading.Event()
        aws.ec2.after_change = self._depart
        self._thread = threading.Thread(target=self._run, name="instance-host", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends every machine, with all of its processes."""
        self._over.set()
        self._thread.join()
        self._aws.ec2.after_change = None
        for machine in self._machines.values():
            machine.switch_off(for_good=True)
        self.watch.close()

    def machine(self, instance: str) -> Machine:
        """Raises KeyError for a machine that is none of ours."""
        return self._machines[instance]

    # ---- what befalls a machine ------------------------------------------------------------------

    def notice(self, instance: str, lead: float = 120.0, cause: Cause = Cause.SPOT) -> None:
        """As EC2 warns: in the machine's metadata and on the event bus. At the deadline the machine is taken."""
        now = time.time()
        deadline = None if cause is Cause.REBALANCE else now + lead
        self.machine(instance).warn(StandingNotice(id=f"{cause}-{now}", cause=cause, at=now, deadline=deadline))
        self._bus.warned(instance, cause)

    def kill(self, instance: str) -> None:
        """The hardware breaks: processes and disk are gone at once."""
        with self._busy:
            self._end(ec2.instance(instance), self.machine(instance), Cause.HARDWARE)

    # ---- states ----------------------------------------------------------------------------------

    def _depart(self) -> None:
        """Right after a call, under the lock: what moto did at once has only begun."""
        for one in self._hosted():
            if one.state in ON_THE_WAY and one.state != self._settled.get(one.id):
                if one.state == "running":
                    one.launch_time = datetime.now(UTC)
                _put(one, ON_THE_WAY[one.state])
                self._settled.pop(one.id, None)

    def _hosted(self) -> list[Any]:
        """Machines that are, or once were, ours."""
        return [one for one in ec2.instances() if one.id in self._machines or _ours(one)]

    def _run(self) -> None:
        while not self._over.wait(EVERY):
            for one in self._hosted():
                with self._busy:
                    self._advance(one)

    def _advance(self, one: Any) -> None:
        if one.id not in self._machines:
            self.watch.over("STEADY_INSTANCE_ID", one.id)
            self._machines[one.id] = Machine(self.state, one.id, self._env)
        machine = self._machines[one.id]
        if one.state == "pending":
            self._boot(one, machine)
        elif one.state == "running" and machine.switched_on:
            self._tend(one, machine)
        elif one.state in ("stopping", "shutting-down"):
            self._take_down(one, machine)

    def _boot(self, one: Any, machine: Machine) -> None:
        machine.describe(one)
        if not machine.switched_on:
            machine.switch_on()
        elif machine.up:
            self._arrive(one, "pending", "running")
        elif machine.gone:
            self._end(one, machine, machine.cause or Cause.HARDWARE)

    def _tend(self, one: Any, machine: Machine) -> None:
        """A machine that ended itself is over; one whose process died without a word only fails its checks."""
        machine.describe(one)
        if machine.gone and machine.said_goodbye:
            self._end(one, machine, machine.cause)
        elif machine.gone:
            self._aws.ec2.impaired.add(one.id)

    def _take_down(self, one: Any, machine: Machine) -> None:
        before, final = one.state, one.state == "shutting-down"
        machine.shut_down()
        if machine.gone or machine.going_for > (self._grace if final else STOP_WITHIN):
            machine.switch_off(for_good=final)
            self._arrive(one, before, "terminated" if final else "stopped")

    def _arrive(self, one: Any, before: str, after: str) -> None:
        """The state that the machine has reached, unless somebody wanted another in the meantime."""
        with self._aws.ec2.lock:
            if one.state != before:
                return
            _put(one, after)
            self._settled[one.id] = after
        self._bus.changed(one.id, after)

    def _end(self, one: Any, machine: Machine, cause: Cause | None) -> None:
        """The machine ends without anybody in EC2 asking for it."""
        code, words = REASONS.get(cause, BY_ITSELF)
        stays = code == BY_ITSELF[0] and one.lifecycle != "spot" and _stops_at_shutdown(one)
        machine.switch_off(for_good=not stays)
        with self._aws.ec2.lock:
            if one.state in ("shutting-down", "terminated"):
                return
            (one.stop if stays else one.terminate)()
            one.state_reason.code, one.state_reason.message = code, f"{code}: {words}"
            one._reason = f"{code} ({datetime.now(UTC):%Y-%m-%d %H:%M:%S} GMT)"
            self._settled[one.id] = one.state
        self._bus.changed(one.id, one.state)


def _ours(one: Any) -> bool:
    return {*tags.IDENTITY} <= {tag["key"] for tag in one.get_tags()}


def _put(one: Any, state: str) -> None:
    one._state.name, one._state.code = state, CODES[state]


def _stops_at_shutdown(one: Any) -> bool:
    return str(one.instance_initiated_shutdown_behavior) == "stop"


def _without_ours(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if not name.startswith(("STEADY_", "PULUMI_"))}
