"""What a stack's state knows of machines, and how one that it does not know is put into it.

Pulumi's own import reads a machine as its provider sees it, and then wants to replace it for all that the provider
does not read back. What the program would create, under the id that there is, leaves nothing to replace.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from lifecycle.adapters.pulumi.events import INSTANCE, STAKE

Deployment = Mapping[str, Any]

HOOKS = {
    "AfterCreate": ["steady-made"],
    "AfterDelete": ["steady-ended"],
    "BeforeCreate": ["steady-claim"],
    "BeforeDelete": ["steady-drain"],
    "BeforeUpdate": ["steady-in-place"],
    "OnError": ["steady-refused"],
}
"""What the engine keeps of an instance's hooks, by the names of `stacks/hooks.py`: without, nothing guards it."""


def name_of(urn: str) -> str:
    return urn.split("::", 3)[3]


def instances(state: Deployment) -> Mapping[str, str]:
    """The ids of the instances that the stack keeps, by logical name. One whose deletion was done is not kept."""
    kept = (each for each in state.get("resources", ()) if not each.get("pendingReplacement"))
    return {name_of(each["urn"]): each["id"] for each in kept if each["type"] == INSTANCE}


def region(state: Deployment) -> str | None:
    """Where the stack's resources are; None when it has none."""
    providers = (each["inputs"] for each in state.get("resources", ()) if each["type"] == "pulumi:providers:aws")
    return next((str(inputs["region"]) for inputs in providers if inputs.get("region")), None)


def unfinished(state: Deployment) -> set[str]:
    """The names of instances at which an update was cut short."""
    pending = (each["resource"] for each in state.get("pending_operations") or ())
    return {name_of(each["urn"]) for each in pending if each["type"] == INSTANCE}


def taken_up(state: Deployment, resource: Mapping[str, Any], instance: str, incarnation: int) -> dict[str, Any]:
    """The state with the resource that the engine would create, as the one that has this id.

    Guarded, and standing on all that it needs to save: what comes next may be somebody's `destroy`.
    """
    mine = {key: resource[key] for key in ("urn", "custom", "type", "parent", "inputs", "provider")}
    known = {"id": instance, "outputs": resource["inputs"], "replacementTrigger": incarnation}
    entry = {**mine, **known, "dependencies": _shared(state), "resourceHooks": HOOKS}
    rest = [each for each in state.get("resources", ()) if each["urn"] != resource["urn"]]
    return {**state, "resources": [*rest, entry]}


def _shared(state: Deployment) -> list[str]:
    """What every machine stands on."""
    found = (each for each in state.get("resources", ()) if each["type"].startswith("aws:"))
    return [each["urn"] for each in found if each["type"] != INSTANCE and name_of(each["urn"]) != STAKE]


def cleared(state: Deployment, names: Collection[str] | None) -> dict[str, Any]:
    """The state without what was cut short at these instances, or at all but instances: both are read anew."""

    def meant(resource: Mapping[str, Any]) -> bool:
        if names is None:
            return bool(resource["type"] != INSTANCE)
        return resource["type"] == INSTANCE and name_of(resource["urn"]) in names

    pending = [each for each in state.get("pending_operations") or () if not meant(each["resource"])]
    return {**state, "pending_operations": pending}
