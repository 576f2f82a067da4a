"""The CLI and the foundation, asked for by somebody whose shell is not set up as it should be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pulumi
import pytest

from lifecycle.adapters.pulumi import cli as known
from lifecycle.adapters.pulumi.outputs import foundation
from lifecycle.model.errors import NotAuthorised, SteadyError, Unreadable
from tests.engine.engine import Engine

pytestmark = pytest.mark.engine

TOLD = {
    "owner": "b-1",
    "account": "123456789012",
    "region": "us-east-1",
    "bucket": "b-1",
    "table": "t",
    "queue": "q",
    "queue_url": "https://q",
    "boundary": "arn:b",
    "controller_role": "arn:r",
    "of_a_later_version": 1,
}


@pytest.fixture
def shell(engine: Engine, cli: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """A human's checkout and shell; the same shell's environment is ours."""
    for name, value in engine.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATH", f"{cli.parent}:{engine.env['PATH']}")
    return engine


def founded(engine: Engine, outputs: dict[str, Any]) -> None:
    def program() -> None:
        for name, value in outputs.items():
            pulumi.export(name, value)

    engine.serve(program)
    engine.select("foundation-us-east-1")
    assert engine.up().code == 0


def test_the_foundations_outputs_are_read_without_a_checkout(shell: Engine) -> None:
    founded(shell, TOLD)
    known = foundation("us-east-1")
    assert (known.table, known.queue_url, known.controller_role) == ("t", "https://q", "arn:r")


def test_a_missing_foundation_says_how_to_make_one(shell: Engine) -> None:
    with pytest.raises(SteadyError, match="no foundation in eu-west-1") as refused:
        foundation("eu-west-1")
    assert "`pulumi stack init foundation-eu-west-1`, `pulumi config set aws:region eu-west-1`" in refused.value.fix


def test_a_foundation_of_another_version_is_named(shell: Engine) -> None:
    founded(shell, {"owner": "b-1"})
    with pytest.raises(SteadyError, match=r"of another version: .*account"):
        foundation("us-east-1")


def test_somebody_who_is_not_logged_in_is_told_so(shell: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PULUMI_BACKEND_URL")
    with pytest.raises(NotAuthorised, match="not logged in"):
        foundation("us-east-1")


def test_a_backend_that_cannot_be_reached_is_unknown_not_missing(
    shell: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", "file:///nowhere/at/all")
    with pytest.raises(Unreadable, match="unable to open state directory"):
        foundation("us-east-1")


def test_no_cli_or_an_old_one_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SteadyError, match="no `pulumi` on PATH"):
        known.pulumi()
    old = tmp_path / "pulumi"
    old.write_text("#!/bin/sh\necho v3.200.0\n")
    old.chmod(0o755)
    with pytest.raises(SteadyError, match=r"is 3\.200\.0: too old") as refused:
        known.pulumi()
    assert "3.259.0 or newer" in refused.value.fix
