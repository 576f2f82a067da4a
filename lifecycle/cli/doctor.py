"""`steady doctor`: is everything there that a fleet needs? Changes nothing."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lifecycle.cli.completion import SPEC_FILES
from lifecycle.cli.context import Context, global_options, pass_context

if TYPE_CHECKING:
    from lifecycle.model.diagnosis import Finding


@click.command()
@click.argument("spec", type=click.Path(path_type=Path), required=False, shell_complete=SPEC_FILES)
@global_options
@pass_context
def doctor(context: Context, spec: Path | None) -> int:
    """Look for all that a fleet needs, here and on AWS, and say how to mend it. Changes nothing."""
    from lifecycle.bootstrap.doctor import checks
    from lifecycle.control.examination import examine
    from lifecycle.model.diagnosis import Verdict
    from lifecycle.system.clock import SystemClock

    found: dict[str, Finding] = {}
    for name, finding in examine(checks(context.state, spec), SystemClock()):
        found[name] = finding
        if not context.json:
            _show(context, name, finding)
    counted = Counter(finding.verdict for finding in found.values())
    if context.json:
        body = [{"check": name, **_plain(finding)} for name, finding in found.items()]
        context.document({"checks": body, **{str(verdict): counted[verdict] for verdict in Verdict}})
    else:
        _policies(context, found)
        context.show("Doctor: " + ", ".join(f"{counted[verdict]} {verdict}" for verdict in Verdict) + ".")
    return 1 if counted[Verdict.WRONG] else 0


def _show(context: Context, name: str, finding: Finding) -> None:
    context.show(f"{finding.verdict:<8} {name:<18}  {finding.message}")
    if finding.fix:
        context.show(f"{'':29}fix: {finding.fix}")


def _plain(finding: Finding) -> dict[str, object]:
    said: dict[str, object] = {"verdict": finding.verdict, "message": finding.message, "fix": finding.fix}
    return said if finding.policy is None else {**said, "policy": finding.policy}


def _policies(context: Context, found: dict[str, Finding]) -> None:
    import json

    for name, finding in found.items():
        if finding.policy is not None:
            context.show(f"\n{name}: what is missing, as a policy:\n{json.dumps(finding.policy, indent=2)}\n")
