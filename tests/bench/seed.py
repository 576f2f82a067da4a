"""A stack of many machines without as many creations: one is made, and the state says the same of the others.

The engine writes the whole state at each step of a creation: making 500 would take many minutes. No figure has the
others read, so AWS does not hold them.
"""

from __future__ import annotations

import copy
import json
from typing import Any

from lifecycle.adapters.pulumi.events import INSTANCE
from lifecycle.model import tags
from lifecycle.model.ids import urn_name
from lifecycle.model.records import Incarnation, Placement
from lifecycle.planning.placement import effective
from tests.engine.yard import Yard

Entry = dict[str, Any]

REPLACED = "f/t/1"
"""Of the others no machine is on record: a list without them would not be believed."""


def seed(yard: Yard) -> None:
    """The whole fleet, in the stack's state and in the tracker."""
    _, *rest = (effective(yard.spec, name, None) for name in yard.spec.nodes())
    yard.made(0)
    state = yard.engine.export()
    resources = state["deployment"]["resources"]
    made = next(each for each in resources if each["type"] == INSTANCE)
    for number, placement in enumerate(rest, 1):
        resources.append(_twin(made, placement, known := f"i-{number:017x}"))
        _written_down(yard, placement, known)
    file = yard.engine.folder / "seed.json"
    file.write_text(json.dumps(state))
    done = yard.engine.run("stack", "import", "--stack", "f", f"--file={file}")
    assert not done.returncode, done.stderr


def _twin(made: Entry, placement: Placement, known: str) -> Entry:
    """What the state would hold of this node's machine, had the engine made it."""
    twin = copy.deepcopy(made) | {
        "id": known,
        "urn": f"{made['urn'].rpartition('::')[0]}::{urn_name(placement.node)}",
    }
    told = {"Name": placement.node, tags.NODE: placement.node}
    for part, name in (("inputs", "tags"), ("outputs", "tags"), ("outputs", "tagsAll")):
        twin[part][name] |= told
    twin["outputs"]["arn"] = made["outputs"]["arn"].replace(made["id"], known)
    return twin


def _written_down(yard: Yard, placement: Placement, known: str) -> None:
    """What the executor and the guard have noted of a machine that was made."""
    claim = Incarnation(
        node=placement.node,
        number=placement.incarnation,
        market=placement.market,
        instance_type=placement.instance_type,
        zone=placement.zone,
        claimed_at=0.0,
        claimed_by="bench",
        instance=known if placement.node == REPLACED else None,
    )
    yard.tracker.place(yard.spec.fleet, placement, None)
    yard.tracker.claim_incarnation(yard.spec.fleet, claim, None)
