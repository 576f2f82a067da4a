"""One project, two kinds of stack: which one this is follows from the stack's name."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pulumi

from lifecycle.bootstrap import stack as composed
from lifecycle.control.register import Application
from lifecycle.model.codec import convert
from lifecycle.model.errors import SpecError, SteadyError
from lifecycle.model.foundation import STACK, Foundation, stack_of
from lifecycle.planning.adoption import Consent
from lifecycle.specfile import SpecFile, load
from lifecycle.specfile.source import recorded
from stacks import bundle, fleet, machines, userdata
from stacks.ground import Ground
from stacks.stake import Stake

ROOT = Path(__file__).parent.parent
"""Where Pulumi.yaml is, whatever folder the program runs in."""

OUTPUTS = "pulumi:pulumi:readStackOutputs"
"""What a StackReference asks the engine for. Asked for directly: a missing stack can be answered with what to do,
and nothing of it is kept in the fleet's state, in which a controller's update registers no reference."""


async def program() -> dict[str, Any]:
    """Declares the resources of the selected stack. Raises pulumi.RunError with what to do."""
    name = pulumi.get_stack()
    if name.startswith(STACK):
        from stacks import foundation

        region = name.removeprefix(STACK)
        foundation.check_region(region)
        return await foundation.declare(region, await _software())
    try:
        return await fleet_of(await _by_hand(name))
    except SpecError as error:
        raise pulumi.RunError("\n".join([error.what, *map(str, error.faults), error.fix, error.more])) from None
    except SteadyError as error:
        raise pulumi.RunError(error.sentence) from None


async def fleet_of(parts: composed.Parts, nodes: frozenset[str] | None = None) -> dict[str, Any]:
    """Declares the fleet, or some of its nodes, with its stake. Returns the stack's outputs."""
    return await fleet.declare(
        parts.spec,
        Ground.of(parts.foundation),
        parts.placements,
        parts.guard,
        user_data=userdata.text(parts.foundation),
        nodes=nodes,
        kept=parts.kept,
        stake=Stake(parts.foundation.table, parts.record, parts.register),
    )


async def _by_hand(name: str) -> composed.Parts:
    """Everything is looked at, and refused if need be, before anything is declared."""
    config = pulumi.Config("steady")
    found = _spec(name, config.get("spec"))
    foundation = await _foundation(str(found.spec.region))
    application = Application(
        spec=found.spec,
        text=found.text,
        source=Path(recorded(found.source, found.spec.provider)),
        consent=Consent(
            take_over=bool(config.get_bool("takeOver")),
            allow_empty=bool(config.get_bool("allowEmpty")),
            rollback=bool(config.get_bool("rollback")),
            accept_unproven=bool(config.get_bool("acceptUnproven")),
        ),
    )
    forms = machines.forms(found.spec, userdata.text(foundation))
    parts = await asyncio.to_thread(composed.by_hand, foundation, application, forms)
    if any(str(node) not in parts.kept for node in found.spec.nodes()):
        await asyncio.to_thread(_look_for, found, foundation)
    return parts


def _look_for(found: SpecFile, foundation: Foundation) -> None:
    """Raises SpecError for what the spec names and AWS does not have: asked only when a machine is to be made."""
    faults = tuple(found.fault(where, what) for where, what in composed.faults(foundation, found.spec))
    if faults:
        raise SpecError(faults, fix=f"correct them; `steady destroy {found.source}` ends the fleet as it is")


def _spec(name: str, path: str | None) -> SpecFile:
    """The spec that this stack is of. Raises SpecError, SteadyError."""
    if path is None:
        raise SteadyError(
            f"stack {name!r} has no spec", fix="`pulumi config set steady:spec specs/FILE.yaml` names one"
        )
    found = load(ROOT / path)
    spec = found.spec
    if spec.provider != "aws":
        raise SteadyError(
            f"{path}: provider {spec.provider!r} needs no stack", fix=f"`steady apply {path}`, or `provider: aws`"
        )
    if spec.fleet != name:
        raise SteadyError(
            f"{path} declares the fleet {spec.fleet!r}, and this stack is {name!r}",
            fix=f"`pulumi stack select {spec.fleet}`, or name another file: `pulumi config set steady:spec ...`",
        )
    _same_region(path, str(spec.region))
    return found


def _same_region(path: str, region: str) -> None:
    configured = pulumi.Config("aws").get("region")
    if configured != region:
        raise SteadyError(
            f"{path} is of {region}, and aws:region is {configured or 'not set'}",
            fix=f"`pulumi config set aws:region {region}`",
        )


async def _foundation(region: str) -> Foundation:
    """What the fleet stands on, as the foundation's stack tells it. Raises SteadyError."""
    stack = f"{pulumi.get_organization()}/{pulumi.get_project()}/{stack_of(region)}"
    try:
        told = await pulumi.runtime.invoke_async(OUTPUTS, {"name": stack})
    except Exception as error:
        missing = "unknown stack" in str(error)
        raise SteadyError(
            f"there is no foundation in {region}" if missing else f"{stack} cannot be read: {error}",
            fix=_lay(region),
            about="foundation",
        ) from None
    try:
        return convert(told["outputs"], Foundation)
    except msgspec.ValidationError as error:
        raise SteadyError(
            f"{stack_of(region)} is not up, or not up to date: {error}", fix=_lay(region), about="foundation"
        ) from None


def _lay(region: str) -> str:
    stack = stack_of(region)
    return (
        f"`pulumi stack select --create {stack}`, `pulumi config set aws:region {region}`, `pulumi up` lay it; "
        "then select this stack again"
    )


async def _software() -> Path:
    """What machines will install: this checkout, or the file that `steady:bundle` names. Raises pulumi.RunError."""
    given = pulumi.Config("steady").get("bundle")
    try:
        found = Path(given) if given else await asyncio.to_thread(bundle.built)
        bundle.digest_of(found)
    except SteadyError as error:
        raise pulumi.RunError(error.sentence) from None
    return found
