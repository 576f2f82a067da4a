"""What an agent needs to be told, and that one of this computer loads no cloud SDK."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import pytest

from lifecycle.bootstrap import node
from tests.contracts.s3 import BUCKET, MIB, beside_a_bucket, written
from tests.doubles.aws import ACCOUNT, REGION, AwsDouble


def agent(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("STEADY_", "AWS_"))}
    command = [sys.executable, "-m", "lifecycle.bootstrap.node", *words]
    return subprocess.run(command, env={**plain, **env}, capture_output=True, text=True, timeout=60, check=False)


def test_an_agent_that_is_told_nothing_says_what_it_needs() -> None:
    ran = agent()
    assert ran.returncode == 2
    assert "--state is needed (or STEADY_STATE), or on AWS STEADY_TABLE" in ran.stderr


def test_an_incomplete_reach_is_one_line_and_its_fix(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv(node.TABLE, "tracker")
    monkeypatch.delenv("STEADY_REGION", raising=False)
    monkeypatch.setattr(node, "Bell", object)
    monkeypatch.setattr(node, "_who_am_i", lambda *_: node.Identity(node="f/t/0", instance="i-1", incarnation=1))
    assert node.main(["--state", str(tmp_path)]) == 1
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "error: STEADY_REGION is not set"
    assert said[1].startswith("fix: set STEADY_TABLE, STEADY_REGION and STEADY_BUCKET")


def test_on_aws_unfinished_uploads_are_remembered_on_the_machines_own_disk(
    aws: AwsDouble, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    beside_a_bucket(aws)
    for name, value in (("REGION", REGION), ("BUCKET", BUCKET), ("TABLE", "tracker")):
        monkeypatch.setenv(f"STEADY_{name}", value)
    metadata, machine = Mock(account=lambda: ACCOUNT), Mock(disk=tmp_path / "disk")
    machine.disk.mkdir()
    reach, seen = node._on_aws(metadata, Mock(instance="i-1"), machine), list[int]()
    source = written(tmp_path / "source", 17 * MIB)
    reach.store.put_file("runs/f/r/data", source, lambda _: seen.append(len(list(machine.disk.rglob("uploads/*")))))
    assert set(seen) == {1}


def test_an_agent_of_this_computer_loads_no_cloud_sdk() -> None:
    code = "import lifecycle.bootstrap.node, sys; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert not {"boto3", "botocore", "yaml"} & set(ran.stdout.split())
