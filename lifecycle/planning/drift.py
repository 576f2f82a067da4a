"""Drift: named differences between what is declared and what is, with the policy for each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lifecycle.model import tags
from lifecycle.model.fleet import DriftPolicy
from lifecycle.model.plan import Drift
from lifecycle.model.states import InstanceState
from lifecycle.planning import attempts
from lifecycle.planning.view import NodeView

FOREIGN = "ForeignProcess"
"""The condition by which agents tell of processes that are not their trainer's."""

FALLBACK = "fallback"
"""The policy shown of a machine that the pool's `fallback` let be bought on another market."""


def compare(view: NodeView) -> Iterator[Drift]:
    """Every difference on one node, worst first."""
    if view.pool is None:
        if view.machine is not None:
            yield _drift(view, "present", "no", f"machine {view.machine.id}", "restore", preexisting=False)
        return
    yield from _power(view)
    yield from kind(view)
    yield from _tags(view)
    yield from _worn(view)
    yield from _foreign(view)
    yield from _train(view)


def _power(view: NodeView) -> Iterator[Drift]:
    machine = view.machine
    if machine is None or view.pool is None:
        return
    if machine.state is InstanceState.STOPPED and view.wanted.powered and view.wanted.present:
        someone = view.stored is None or view.stored.powered
        yield _drift(view, "power", "on", "off", view.pool.drift.power, preexisting=someone)


def kind(view: NodeView) -> Iterator[Drift]:
    """What its machine is made of and is not declared."""
    machine, pool = view.machine, view.pool
    if machine is None or pool is None or not view.wanted.present:
        return
    if machine.market is not view.wanted.market:
        yield _drift(view, "market", view.wanted.market, machine.market, pool.drift.market, preexisting=False)
    elif machine.market is not pool.market:
        yield _drift(view, "market", pool.market, machine.market, FALLBACK, preexisting=True)
    if pool.instance_types and machine.instance_type not in pool.instance_types:
        wanted = ", ".join(pool.instance_types)
        yield _drift(
            view, "instance_type", wanted, machine.instance_type, pool.drift.instance_type, preexisting=False
        )
    if pool.zones and machine.zone not in pool.zones:
        wanted = ", ".join(pool.zones)
        yield _drift(view, "zone", wanted, machine.zone, pool.drift.instance_type, preexisting=False)
    if pool.image and machine.image not in ("", pool.image):
        yield _drift(view, "image", pool.image, machine.image, pool.drift.image, preexisting=False)


def _tags(view: NodeView) -> Iterator[Drift]:
    changed = tags_changed(view)
    if not changed or view.pool is None:
        return
    ours = _our_tags(view)
    desired = ", ".join(f"{name}={ours[name]}" for name in sorted(changed))
    actual = ", ".join(f"{name}={changed[name]}" if changed[name] else f"no {name}" for name in sorted(changed))
    yield _drift(view, "tags", desired, actual, view.pool.drift.tags, preexisting=True)


def tags_changed(view: NodeView) -> dict[str, str]:
    """What the machine's tags say where they should say which node it fills; empty where one is missing."""
    if view.machine is None or view.provider == "local":
        return {}
    found, ours = view.machine.tags, _our_tags(view)
    if ours.items() <= found.items():
        return {}
    return {name: found.get(name, "") for name, value in ours.items() if found.get(name) != value}


def _our_tags(view: NodeView) -> Mapping[str, str]:
    assert view.machine is not None
    return tags.worn(view.name, view.machine.incarnation)


def _worn(view: NodeView) -> Iterator[Drift]:
    """A machine's own security groups and profile: told, and put back by people, who have the right to."""
    machine, claim = view.machine, view.claim
    if machine is None or claim is None or view.pool is None:
        return
    declared = {"security_group": view.groups} if view.groups else {}
    for field, given in {**claim.worn, **declared}.items():
        found = machine.worn.get(field, "none")
        if given != found and machine.state is InstanceState.RUNNING:
            yield _drift(view, field, given, found, DriftPolicy.REPORT, preexisting=True)


def _foreign(view: NodeView) -> Iterator[Drift]:
    for told in view.report.conditions if view.report and view.pool else ():
        if told.type == FOREIGN:
            policy = view.pool.drift.foreign_process if view.pool else DriftPolicy.REPORT
            yield _drift(view, "foreign_process", "none", told.message, policy, preexisting=True)


def _train(view: NodeView) -> Iterator[Drift]:
    attempt = view.attempt
    if attempt is None or not attempt.open or view.pool is None:
        return
    wanted = attempts.fingerprint(view.pool)
    if attempt.fingerprint != wanted:
        yield _drift(view, "train", wanted, attempt.fingerprint, "restore", preexisting=False)


def _drift(view: NodeView, field: str, desired: str, actual: str, policy: str, *, preexisting: bool) -> Drift:
    return Drift(
        node=view.node, field=field, desired=desired, actual=actual, policy=policy, preexisting=preexisting
    )
