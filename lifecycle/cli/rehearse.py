"""`steady rehearse`: one save-and-exit, of a live node or of a throw-away copy, proven by what goes on from it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from lifecycle.cli.context import Context, global_options, pass_context
from lifecycle.cli.plans import SPEC, TIMEOUT

if TYPE_CHECKING:
    from lifecycle.bootstrap.controller import Control
    from lifecycle.control.loop import Ticked
    from lifecycle.model.fleet import FleetSpec
    from lifecycle.model.ids import NodeName
    from lifecycle.planning.rehearsing import Verdict
    from lifecycle.specfile import SpecFile


@click.command()
@SPEC
@click.option(
    "--node", metavar="NODE", help="The node to try it on.  [default: the one with the freshest checkpoint]"
)
@TIMEOUT
@global_options
@pass_context
def rehearse(context: Context, spec: Path, node: str | None, timeout: float) -> int:
    """Try one save and stop on a live node, or on a copy, and see that it goes on from there."""
    from msgspec.structs import replace

    from lifecycle.cli.plans import loaded
    from lifecycle.model.ids import NodeName

    found = loaded(context, spec)
    named = NodeName.parse(node) if node else None
    control = context.controls.of_spec(found.spec, fresh=True)
    live = _live(control, found.spec, named)
    if live is not None:
        return _told(context, live, _tried(context, control, live, timeout))
    pool = _pool(found.spec, named)
    _may_copy(found.spec)
    with _copy(context, found, pool, timeout) as (there, copied):
        verdict = _tried(context, there, copied, timeout)
    if verdict.proof is not None:
        control.operator.proved(found.spec.fleet, replace(verdict.proof, pool=f"{found.spec.fleet}/{pool}"))
    return _told(context, copied, verdict)


def _live(control: Control, spec: FleetSpec, named: NodeName | None) -> NodeName | None:
    """The node to try it on, of an applied fleet; None when nothing of it trains."""
    from lifecycle.planning.rehearsing import freshest

    observed, _ = control.controller.look(spec.fleet)
    if observed.record is None:
        return None
    return named or freshest(observed.record.spec, observed, control.clock.now())


def _tried(context: Context, control: Control, node: NodeName, timeout: float) -> Verdict:
    """Asks, ticks until there is a verdict, and leaves no hold behind."""
    from lifecycle.cli.story import Story
    from lifecycle.planning.rehearsing import verdict

    story = Story(context, control)
    hold = control.operator.rehearse(node, timeout)
    try:
        ticked = control.controller.until(
            node.fleet,
            lambda t: verdict(t.observed, hold, t.record.at) is not None,
            timeout=timeout,
            seen=lambda _: story.tell(node.fleet),
            longest_pause=control.pace.waiting,
        )
    finally:
        if control.operator.call_off(hold):
            control.controller.tick(node.fleet)
    said = verdict(ticked.observed, hold, ticked.record.at)
    assert said is not None
    return said


def _told(context: Context, node: NodeName, verdict: Verdict) -> int:
    """The verdict as data, and as the exit code."""
    from lifecycle.model.errors import GuardRefused
    from lifecycle.model.proving import measured

    proof = verdict.proof
    if context.json:
        context.document(
            {
                "node": str(node),
                "proven": verdict.proven,
                "message": verdict.message,
                "seconds": proof.seconds if proof else None,
                "size": proof.size if proof else None,
                "step": proof.step if proof else None,
                "attempt": verdict.attempt,
            }
        )
    elif verdict.proven and proof is not None:
        saved = f"saved step {proof.step} ({proof.size or 0:,} bytes) in {measured(proof)}"
        context.show(f"{node}: proven: {saved}; attempt {verdict.attempt} went on from there")
    if not verdict.proven:
        raise GuardRefused(
            f"{node}: not proven: {verdict.message}",
            fix="the trainer's contract: specs/README.md",
            about="rehearsal",
        )
    return 0


# ---- a copy --------------------------------------------------------------------------------------


def _pool(spec: FleetSpec, named: NodeName | None) -> str:
    """The pool to copy: that of the node, else the spec's only one."""
    from lifecycle.model.errors import WrongUsage

    if named is not None and named.fleet == spec.fleet and named.pool in spec.pools:
        return named.pool
    if named is not None or len(spec.pools) > 1:
        example = f"{spec.fleet}/{min(spec.pools)}/0"
        raise WrongUsage(f"which of its pools: {', '.join(sorted(spec.pools))}?", fix=f"pass --node {example}")
    return next(iter(spec.pools))


def _may_copy(spec: FleetSpec) -> None:
    from lifecycle.model.errors import GuardRefused

    if spec.provider != "local":
        raise GuardRefused(
            f"nothing of {spec.fleet} trains now, and a machine for a try would cost money",
            fix="steady apply SPEC, then rehearse on one of its nodes",
            about="rehearsal",
        )


@contextmanager
def _copy(context: Context, found: SpecFile, pool: str, timeout: float) -> Iterator[tuple[Control, NodeName]]:
    """One node of this pool that trains, under a name and in a state directory of its own; gone afterwards."""
    from lifecycle.bootstrap.controller import local
    from lifecycle.model.ids import NodeName
    from lifecycle.planning.adoption import Consent
    from lifecycle.planning.rehearsing import throwaway

    spec = throwaway(found.spec, pool)
    node = NodeName(spec.fleet, pool, 0)
    with TemporaryDirectory(prefix="steady-rehearsal-", ignore_cleanup_errors=True) as folder:
        control = local(Path(folder))
        context.say(f"{node}: a copy is made to try it on; nothing of {found.spec.fleet} is touched")
        control.operator.adopt(spec, "", found.source.absolute(), Consent())
        try:
            control.controller.until(spec.fleet, lambda t: _begun(t, node), timeout=timeout)
            yield control, node
        finally:
            _ended(control, spec)


def _begun(ticked: Ticked, node: NodeName) -> bool:
    """Whether the copy trains. Raises SteadyError when it never will."""
    from lifecycle.control.loop import desired
    from lifecycle.model.errors import SteadyError
    from lifecycle.planning.ending import ending
    from lifecycle.planning.rehearsing import trains
    from lifecycle.planning.view import views

    spec, observed, now = desired(ticked.observed.record), ticked.observed, ticked.record.at
    if ending(spec, observed, now).over:
        last = next((run.attempt for run in observed.runs.values()), None)
        why = f"{last.outcome}: {last.detail}" if last else "it never started"
        raise SteadyError(
            f"{node}: its trainer was not there to be asked: {why}", fix="steady run SPEC shows its life"
        )
    return any(trains(view) for view in views(spec, observed, now) if view.name == node)


def _ended(control: Control, spec: FleetSpec) -> None:
    """Nothing of a copy has to be saved: its processes and its disk go at once."""
    from lifecycle.model.errors import SteadyError

    assert control.console is not None
    control.operator.destroy(spec.fleet)
    for node in spec.nodes():
        with suppress(SteadyError):  # it has no machine that runs
            control.console.kill(node)
    control.controller.until(spec.fleet, lambda ticked: ticked.observed.record is None, timeout=60.0)
