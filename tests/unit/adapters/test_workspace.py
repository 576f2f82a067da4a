"""The CLI that does not come to an end: it is ended, or given up, with one line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lifecycle.adapters.pulumi import workspace
from lifecycle.adapters.pulumi.workspace import Workspace
from lifecycle.model.errors import Unreadable


@pytest.fixture
def endless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """A CLI that ends only when it is asked to."""
    cli = tmp_path / "pulumi"
    cli.write_text("#!/bin/sh\ntrap 'exit 7' INT\nwhile :; do sleep 0.02; done\n")
    cli.chmod(0o755)
    monkeypatch.setattr(workspace, "pulumi", lambda: str(cli))
    monkeypatch.setattr(workspace, "BEAT_EVERY", 0.02)
    with Workspace("f", "us-east-1") as work:
        yield work


def test_an_update_that_nobody_hears_of_ends_before_others_take_it_for_dead(
    endless: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workspace, "_UNHEARD", 0.5)
    beats: list[int] = []

    def beat(pid: int) -> None:
        beats.append(pid)
        if len(beats) > 3:
            raise Unreadable("DynamoDB does not answer", fix="wait")

    assert endless.run(["up"], beat).code == 7
    assert len(beats) > 4, "one beat that is not heard ends nothing"


def test_a_look_without_an_answer_is_one_line(endless: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endless, "_answer", 0.2)
    with pytest.raises(Unreadable, match="cannot read stack f: no answer in 0s to `pulumi stack export`"):
        endless.export()
