"""The checks of `steady doctor`: what each reads, and who judges it. Nothing here changes anything.

A check is added by a line in one of the lists: a name, a small function that reads and asks for a judgement, and
the checks without which it has nothing to read.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lifecycle.adapters.local.layout import StateDirectory
from lifecycle.control.examination import Check
from lifecycle.model.diagnosis import Caller, Finding, Shape, ok, refused, wrong
from lifecycle.model.errors import NotAuthorised, SpecError, SteadyError
from lifecycle.model.fleet import FleetSpec
from lifecycle.model.foundation import Foundation
from lifecycle.planning import diagnosis, rights
from lifecycle.specfile import SpecFile, load
from lifecycle.system import host
from lifecycle.system.clock import SystemClock

if TYPE_CHECKING:
    from lifecycle.adapters.aws.session import Session

_ANSWER = 15.0
"""Seconds for an answer of the Pulumi CLI."""


def checks(state: Path, path: Path | None) -> Sequence[Check]:
    """All checks for the spec in this file; without one, those of this computer."""
    found = _loaded(path) if path else None
    spec = found.spec if isinstance(found, SpecFile) else None
    listed = list(_of_this_computer(state, spec))
    if found is not None:
        listed.append(Check("spec", lambda: _spec(found)))
    if isinstance(found, SpecFile) and found.spec.provider == "local":
        listed += _of_trainers(found)
    if spec is not None and spec.provider == "aws":
        listed += _of_aws(OnAws(spec))
    return listed


def _loaded(path: Path) -> SpecFile | SteadyError:
    try:
        return load(path)
    except SteadyError as error:
        return error


def _spec(found: SpecFile | SteadyError) -> Finding:
    if isinstance(found, SpecError):
        more = f"; {len(found.faults)} errors in all" if len(found.faults) > 1 else ""
        return wrong(f"{found.faults[0]}{more}", "`steady validate SPEC` tells all of them")
    if isinstance(found, SteadyError):
        return refused(found)
    return ok(f"fleet {found.spec.fleet}, {len(found.spec.nodes())} nodes, {found.spec.provider}")


# ---- this computer -------------------------------------------------------------------------------


def _of_this_computer(state: Path, spec: FleetSpec | None) -> Iterator[Check]:
    clock, directory = SystemClock(), state.absolute()
    yield Check("python", lambda: diagnosis.python(sys.version_info[:3]))
    yield Check("clock", lambda: diagnosis.clock(clock.now(), clock.monotonic(), clock.monotonic()))
    yield Check("processes", _processes)
    yield Check("loopback", _loopback)
    yield Check("state directory", lambda: _state(directory))
    yield Check("disk", lambda: diagnosis.space(host.free(directory), diagnosis.taken(spec)))


def _processes() -> Finding:
    if not host.signals_are_told():
        return wrong("/proc does not tell which signals a process catches", "run it on Linux, with /proc mounted")
    return ok("/proc tells their signals and environments")


def _loopback() -> Finding:
    try:
        return ok(f"127.0.0.1:{host.loopback()} answers")
    except OSError as error:
        return wrong(f"no port of 127.0.0.1 can be used: {error.strerror}", "let local programs talk on 127.0.0.1")


def _state(directory: Path) -> Finding:
    fresh = StateDirectory(directory).unused
    if not host.writable(directory):
        return wrong(f"{directory} cannot be written", "make it writable, or choose another with --state")
    return ok(f"{directory}{', not made yet' if fresh else ''}")


def _of_trainers(found: SpecFile) -> Iterator[Check]:
    for name, pool in found.spec.pools.items():
        workdir, env = found.source.parent / pool.train.workdir, {**os.environ, **pool.train.env}
        yield Check(f"trainer of {name}", lambda c=pool.train.command, w=workdir, e=env: _trainer(c, w, e))  # type: ignore[misc]


def _trainer(command: Sequence[str], workdir: Path, env: dict[str, str]) -> Finding:
    lacking = host.lacking(command, workdir, env)
    if lacking is not None:
        return wrong(f"there is no {lacking} in {workdir} or on PATH", "put your trainer in `train.command`")
    return ok(" ".join(command))


# ---- AWS -----------------------------------------------------------------------------------------


def _of_aws(aws: OnAws) -> Iterator[Check]:
    yield Check("packages", _packages)
    yield Check("pulumi", _pulumi, ("packages",))
    yield Check("pulumi login", _login, ("pulumi",))
    yield Check("credentials", aws.credentials, ("packages",))
    yield Check("clock against AWS", aws.clock, ("packages",))
    yield Check("foundation", aws.founded, ("pulumi login",))
    yield Check("account and region", aws.home, ("credentials", "foundation"))
    yield Check("bucket and table", aws.ground, ("account and region",))
    yield from (Check(name, look, ("credentials",)) for name, look in aws.looks())
    yield Check("architecture", aws.architectures, ("credentials",))
    yield Check("quotas", aws.quotas, ("credentials",))
    yield Check("rights", aws.rights, ("account and region",))


def _packages() -> Finding:
    lacking = [name for name in ("boto3", "pulumi", "pulumi_aws") if find_spec(name) is None]
    if lacking:
        return wrong(f"not installed: {', '.join(lacking)}", "pip install 'steadyfleet[aws,stacks]'")
    return ok("boto3, pulumi, pulumi_aws")


def _pulumi() -> Finding:
    from lifecycle.adapters.pulumi import cli

    return ok(f"{cli.version()}, {cli.pulumi()}")


def _login() -> Finding:
    from lifecycle.adapters.pulumi import cli

    try:
        return ok(cli.backend(within=_ANSWER))
    except NotAuthorised as error:
        return refused(error)


class OnAws:
    """What is read of AWS for one spec, with the credentials of this shell. Each method answers one check."""

    def __init__(self, spec: FleetSpec) -> None:
        assert spec.region is not None  # a spec without one is not sound
        self._spec, self._region = spec, spec.region

    @cached_property
    def _session(self) -> Session:
        from lifecycle.adapters.aws.session import Session

        return Session(self._region)

    @cached_property
    def _caller(self) -> Caller:
        from lifecycle.adapters.aws import examined

        return examined.caller(self._session)

    @cached_property
    def _foundation(self) -> Foundation:
        from lifecycle.adapters.pulumi import outputs

        return outputs.foundation(self._region, within=_ANSWER)

    @cached_property
    def _shapes(self) -> dict[str, Shape]:
        from lifecycle.adapters.aws import examined

        types = {name for pool in self._spec.pools.values() for name in pool.instance_types}
        return examined.shapes(self._session, sorted(types))

    def credentials(self) -> Finding:
        try:
            return diagnosis.credentials(self._caller, SystemClock().now())
        except NotAuthorised as error:
            return refused(error)

    def clock(self) -> Finding:
        theirs = self._session.told_at()
        return diagnosis.skew(SystemClock().now(), theirs)

    def founded(self) -> Finding:
        return ok(f"{self._foundation.bucket}, {self._foundation.table}")

    def home(self) -> Finding:
        return diagnosis.home(self._caller, self._region, self._foundation)

    def ground(self) -> Finding:
        from lifecycle.adapters.aws import preflight

        preflight.ground(self._session, self._foundation)
        return ok("there, with the keys of this version")

    def looks(self) -> Iterator[tuple[str, Callable[[], Finding]]]:
        """The preflight's, one by one. Named here, so that a list of checks needs no boto3."""
        names = ("subnets and groups", "zones", "image", "instance types")
        yield from ((name, lambda n=name: self._look(n)) for name in names)

    def _look(self, name: str) -> Finding:
        from lifecycle.adapters.aws import preflight

        faults = tuple(preflight.LOOKS[name](self._session.client("ec2"), self._spec))
        if faults:
            told = (f"{'.'.join(map(str, path))}: {what}" for path, what in faults)
            return wrong("; ".join(told), "correct the spec there")
        return ok("as the spec names them")

    def architectures(self) -> Finding:
        from lifecycle.adapters.aws import examined

        images = sorted({pool.image for pool in self._spec.pools.values() if pool.image})
        found = examined.architectures(self._session, images)
        return diagnosis.architectures(self._spec, found, self._shapes)

    def quotas(self) -> Finding:
        from lifecycle.adapters.aws import examined

        return diagnosis.quotas(self._spec, self._shapes, examined.quotas(self._session))

    def rights(self) -> Finding:
        """The controller's for the controller's role; for anybody else what it takes to deploy as well."""
        from lifecycle.adapters.aws import examined

        whom = examined.principal(self._session, self._caller.arn)
        controls = whom == self._foundation.controller_role
        statements = _granted(self._foundation, deployer=not controls)
        denied = set(examined.denied(self._session, whom, rights.trials(statements)))
        return rights.judged(f"{whom}, to {'control' if controls else 'deploy'}", statements, denied)


def _granted(foundation: Foundation, *, deployer: bool) -> Sequence[dict[str, Any]]:
    from stacks import operators
    from stacks.ground import Ground

    names = Ground.of(foundation).names
    documents = [operators.controller_machines(names), operators.controller_state(names)]
    if deployer:
        documents.append(operators.deployer_policy(names))
    return [statement for document in documents for statement in document["Statement"]]
