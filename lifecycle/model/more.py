"""Where `specs/errors.md` tells more of an error: the guards by their names in a plan, the others by their kind.

Each anchor is a heading there; a test holds both together.
"""

from __future__ import annotations

from collections.abc import Mapping

PAGE = "specs/errors.md"

ANCHORS: Mapping[str, str] = {
    # guards
    "another source": "applied-from-another-file",
    "budget.per_hour": "budget-per_hour",
    "budget.total": "budget-total",
    "contested": "contested",
    "elsewhere": "a-fleet-does-not-move",
    "emptied spec": "would-end-every-node-of-a-pool",
    "hook": "a-hook-failed",
    "in place": "a-change-in-place",
    "incarnation": "an-incarnation-is-taken",
    "launches per hour": "launches-per-hour",
    "making": "whether-it-was-made-is-not-known",
    "not ours": "not-our-machine",
    "older spec": "an-older-text",
    "other record": "nothing-is-on-record-of-it",
    "ownership": "ownership",
    "rehearsal": "not-proven",
    "resize": "resize",
    "spot": "a-spot-machine-cannot-be-stopped",
    "stack": "the-fleets-stack-is-not-in-this-backend",
    "stale plan": "a-saved-plan-is-stale",
    "suspended": "suspended",
    "unproven save": "would-move-to-spot-unproven",
    "without_checkpoint: refuse": "without_checkpoint-refuse",
    "wrong region": "a-fleet-does-not-move",
    # kinds of errors
    "bug": "steady-has-a-bug",
    "conflict": "changed-meanwhile",
    "credentials": "credentials",
    "foundation": "the-foundation",
    "lease": "somebody-else-is-acting-on-the-fleet",
    "locked": "the-stack-is-locked",
    "packages": "a-package-is-not-installed",
    "partly": "partly-done",
    "pulumi": "no-pulumi-cli",
    "spec": "errors-in-a-spec",
    "state": "the-state-directory-cannot-be-used",
    "timed out": "timed-out",
    "unreadable": "it-cannot-be-read-now",
}


def anchor(about: str) -> str:
    """The heading's anchor; empty for what has none. `hook pre_stop` is a `hook`."""
    return ANCHORS.get(about) or ANCHORS.get(about.partition(" ")[0], "")
