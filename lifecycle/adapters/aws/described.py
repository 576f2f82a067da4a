"""From an instance as EC2 describes it to a Machine of ours; values in, values out.

A machine that is shutting down is shown as running and `ending`, as the local provider shows it: it fills
its node until EC2 says terminated.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from lifecycle.model import tags
from lifecycle.model.errors import Unreadable, WrongUsage
from lifecycle.model.fleet import Market
from lifecycle.model.ids import NodeName
from lifecycle.model.states import Cause, InstanceState
from lifecycle.model.world import Machine

SHUTTING_DOWN = "shutting-down"

STATES: Mapping[str, InstanceState] = {
    "pending": InstanceState.PENDING,
    "running": InstanceState.RUNNING,
    SHUTTING_DOWN: InstanceState.RUNNING,
    "stopping": InstanceState.STOPPING,
    "stopped": InstanceState.STOPPED,
    "terminated": InstanceState.TERMINATED,
}

CAUSES: Mapping[str, Cause] = {
    "Server.SpotInstanceTermination": Cause.SPOT,
    "Server.SpotInstanceShutdown": Cause.SPOT,
    "Server.ScheduledStop": Cause.MAINTENANCE,
    "Server.InternalError": Cause.HARDWARE,
    "Client.InstanceInitiatedShutdown": Cause.HARDWARE,
    "Client.UserInitiatedShutdown": Cause.OPERATOR,
    "Client.UserInitiatedHibernate": Cause.OPERATOR,
    "User initiated": Cause.OPERATOR,
}
"""By StateReason, or by how StateTransitionReason begins. A machine that shut itself down without its agent's
last word broke down: an agent that is told to stop says so first."""

_WENT_OFF = frozenset({SHUTTING_DOWN, "stopping", "stopped", "terminated"})
_IS_OFF = frozenset({"stopped", "terminated"})
_TIME = re.compile(r"\(([0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}) (?:GMT|UTC)\)")
_NUMBER = re.compile(r"[0-9]{1,9}")


def machine(instance: Mapping[str, Any], owner: str, fleet: str) -> Machine | None:
    """The machine; None when its tags are not, or only partly, ours. Raises Unreadable on an unknown shape."""
    try:
        found = {tag["Key"]: tag["Value"] for tag in instance.get("Tags", ())}
        filled = _filled(found, owner, fleet)
        return _machine(instance, found, *filled) if filled else None
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise Unreadable(
            f"EC2 describes an instance in a way that is not understood: {error!r}", fix="nothing follows from it"
        ) from None


def _filled(found: Mapping[str, str], owner: str, fleet: str) -> tuple[str, int] | None:
    """Node and incarnation by the tags; None when they do not make it ours."""
    if not tags.owned(found, owner, fleet) or not _NUMBER.fullmatch(found[tags.INCARNATION]):
        return None
    try:
        node = NodeName.parse(found[tags.NODE])
    except WrongUsage:
        return None
    return (str(node), int(found[tags.INCARNATION])) if node.fleet == fleet else None


def _machine(instance: Mapping[str, Any], found: Mapping[str, str], node: str, incarnation: int) -> Machine:
    state = instance["State"]["Name"]
    return Machine(
        id=instance["InstanceId"],
        node=node,
        incarnation=incarnation,
        state=STATES[state],
        market=Market.SPOT if instance.get("InstanceLifecycle") == "spot" else Market.ON_DEMAND,
        launched_at=instance["LaunchTime"].timestamp(),
        instance_type=instance["InstanceType"],
        zone=instance.get("Placement", {}).get("AvailabilityZone", ""),
        image=instance.get("ImageId", ""),
        worn=_worn(instance),
        address=instance.get("PrivateIpAddress", ""),
        tags=found,
        cause=_cause(instance) if state in _WENT_OFF else None,
        ending=state == SHUTTING_DOWN,
        ended_at=_ended_at(instance) if state in _IS_OFF else None,
        said=_said(instance) if state in _WENT_OFF else "",
    )


def _worn(instance: Mapping[str, Any]) -> dict[str, str]:
    """The ids of its security groups and the name of its profile; EC2 tells neither of a machine that ended."""
    groups = ", ".join(sorted(group["GroupId"] for group in instance.get("SecurityGroups", ())))
    profile = instance.get("IamInstanceProfile", {}).get("Arn", "").rpartition("/")[2]
    return {name: value for name, value in (("security_group", groups), ("role", profile)) if value}


def _said(instance: Mapping[str, Any]) -> str:
    """EC2's words on why it went off: `User initiated (2026-01-31 12:00:00 GMT)`."""
    return str(instance.get("StateTransitionReason") or instance.get("StateReason", {}).get("Message", ""))


def _cause(instance: Mapping[str, Any]) -> Cause | None:
    code = instance.get("StateReason", {}).get("Code", "")
    told = re.split(r"[:(]", instance.get("StateTransitionReason", ""))[0].strip()
    return CAUSES.get(code) or CAUSES.get(told)


def _ended_at(instance: Mapping[str, Any]) -> float | None:
    """The time in `User initiated (2026-01-31 12:00:00 GMT)`; None where there is none."""
    told = _TIME.search(instance.get("StateTransitionReason", ""))
    try:
        return datetime.fromisoformat(told[1]).replace(tzinfo=UTC).timestamp() if told else None
    except ValueError:
        return None
