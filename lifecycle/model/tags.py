"""Tag keys on every machine, and what makes a machine ours.

No slash in a key: EC2 serves only such tags through instance metadata.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from lifecycle.model.ids import NodeName

OWNER = "steady:owner"
FLEET = "steady:fleet"
POOL = "steady:pool"
NODE = "steady:node"
INCARNATION = "steady:incarnation"
NAME = "Name"
"""What people see in the provider's console: the node."""

STATE = "steady:state"
RUN = "steady:run"
FINGERPRINT = "steady:fingerprint"

IDENTITY = (OWNER, FLEET, POOL, NODE, INCARNATION)
"""Set in the call that creates the machine, never changed after."""

LIFECYCLE = (FINGERPRINT, RUN, STATE)
"""The controller's, set on a machine that lives: Pulumi neither writes nor undoes them."""


def of_fleet(owner: str, fleet: str) -> dict[str, str]:
    """The tags of what a whole fleet shares, and of what hangs on its machines."""
    return {OWNER: owner, FLEET: fleet}


def identity(owner: str, node: NodeName, incarnation: int) -> dict[str, str]:
    """The tags that say whose machine it is and which node it fills."""
    return {
        **of_fleet(owner, node.fleet),
        POOL: node.pool,
        NODE: str(node),
        INCARNATION: str(incarnation),
    }


@lru_cache(maxsize=50_000)
def worn(node: NodeName, incarnation: int) -> Mapping[str, str]:
    """The tags of a machine that are the node's own: all that a list by owner and fleet does not vouch for."""
    name = str(node)
    return {NAME: name, POOL: node.pool, NODE: name, INCARNATION: str(incarnation)}


def owned(tags: Mapping[str, str], owner: str, fleet: str) -> bool:
    """Whether a machine with these tags is ours and of this fleet. Anything else is never touched."""
    return tags.get(OWNER) == owner and tags.get(FLEET) == fleet and NODE in tags and INCARNATION in tags
