"""User data, run by a real shell below a folder of its own. S3 is moto; `systemctl` and `shutdown` take notes."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from lifecycle.adapters.aws.session import Session
from lifecycle.adapters.local.imds import MetadataServer
from lifecycle.model.foundation import Foundation
from stacks import boot, bundle, userdata
from tests.doubles.aws import ACCOUNT, REGION, AwsDouble
from tests.unit.adapters.metadata_service import RECORD

FOUNDATION = Foundation(
    owner="checkpoints-1",
    account=ACCOUNT,
    region=REGION,
    bucket="checkpoints-1",
    table="tracker-1",
    queue="notices-1",
    queue_url="https://sqs.test/notices-1",
    boundary="arn:aws:iam::123456789012:policy/steadyfleet-boundary",
)
ROLE = {"Code": "Success", "AccessKeyId": "AKIA", "SecretAccessKey": "secret", "Token": "token+/="}


class MachineWithRole(MetadataServer):
    """The metadata service of a machine that has an instance profile."""

    def _documents(self) -> dict[str, str]:
        place = "meta-data/iam/security-credentials"
        return {**super()._documents(), place: "node-1", f"{place}/node-1": json.dumps(ROLE)}


class Machine:
    """A machine about to boot for the first time, below `root`."""

    def __init__(self, root: Path, aws: AwsDouble) -> None:
        self.root, self.programs, self.log = root / "disk", root / "programs", root / "log"
        self._aws, self.metadata = aws, MachineWithRole(lambda: RECORD, list)
        self.programs.mkdir(parents=True)
        self.log.touch()
        for name in ("shutdown", "systemctl"):
            (self.programs / name).write_text(f'#!/bin/sh\necho {name} "$@" >> {self.log}\n')
            (self.programs / name).chmod(0o755)
        (self.programs / "python3").symlink_to(Path(sys.executable).resolve())
        self.s3 = Session(REGION).client("s3")
        self.s3.create_bucket(Bucket=FOUNDATION.bucket)

    def uploaded(self, content: bytes, digest: str | None = None) -> str:
        """Makes this the current bundle; returns its digest."""
        digest = digest or hashlib.sha256(content).hexdigest()
        self.s3.put_object(Bucket=FOUNDATION.bucket, Key=f"bundles/{digest}.tar", Body=content)
        self.s3.put_object(Bucket=FOUNDATION.bucket, Key="bundles/current", Body=digest.encode())
        return digest

    def boots(self, path: str = "/usr/bin:/bin") -> subprocess.CompletedProcess[str]:
        env = {
            "PATH": f"{self.programs}:{path}",
            "STEADY_ROOT": str(self.root),
            "AWS_ENDPOINT_URL": self._aws.endpoint,
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": f"http://127.0.0.1:{self.metadata.port}/",
        }
        script = self.programs / "user-data"
        script.write_text(userdata.text(FOUNDATION))
        return subprocess.run(
            ["/bin/bash", str(script)], env=env, cwd="/", capture_output=True, text=True, timeout=240, check=False
        )

    @property
    def did(self) -> list[str]:
        return self.log.read_text().splitlines()

    @property
    def unit(self) -> Path:
        return self.root / "etc/systemd/system/steady-agent.service"


@pytest.fixture
def machine(tmp_path: Path, aws: AwsDouble) -> Iterator[Machine]:
    made = Machine(tmp_path, aws)
    yield made
    made.metadata._server.shutdown()
    made.metadata._server.server_close()


@pytest.mark.slow
def test_a_first_boot_ends_with_the_agent_installed_and_started(machine: Machine) -> None:
    digest = machine.uploaded(bundle.built().read_bytes())
    ran = machine.boots()
    assert ran.returncode == 0, ran.stderr
    power_off, *started = machine.did
    assert power_off.startswith("shutdown -P +20")
    assert started == ["systemctl daemon-reload", "systemctl enable --now steady-agent.service"]
    agent = machine.root / "opt/steadyfleet" / digest / "bin/steady-agent"
    assert f"ExecStart={agent}\n" in machine.unit.read_text()
    assert "STEADY_TABLE=tracker-1 STEADY_BUCKET=checkpoints-1" in machine.unit.read_text()
    helped = subprocess.run(
        [agent, "--help"], env={"PATH": os.defpath}, cwd="/", capture_output=True, text=True, check=True
    )
    assert "The agent of one node" in helped.stdout
    assert "include-system-site-packages = true" in (agent.parents[1] / "pyvenv.cfg").read_text()
    imports = [str(agent.with_name("python")), "-c", "import boto3, lifecycle; print(lifecycle.__file__)"]
    found = subprocess.run(imports, env={}, cwd="/", capture_output=True, text=True, check=True)
    assert found.stdout.startswith(str(machine.root))


def test_a_wrong_digest_installs_nothing_and_leaves_the_power_off_standing(machine: Machine) -> None:
    machine.uploaded(b"not what was uploaded", digest="0" * 64)
    ran = machine.boots()
    assert ran.returncode == 1
    assert "the bundle has digest" in ran.stderr.splitlines()[-1]
    assert [line.split()[0] for line in machine.did] == ["shutdown"]
    assert not machine.root.exists()


@pytest.mark.parametrize("named", ["", "../../runs/other", "<html>"])
def test_what_is_no_digest_is_not_followed(machine: Machine, named: str) -> None:
    machine.s3.put_object(Bucket=FOUNDATION.bucket, Key="bundles/current", Body=named.encode())
    ran = machine.boots()
    assert ran.returncode == 1
    assert "bundles/current is no digest" in ran.stderr
    assert not machine.root.exists()


def test_a_store_that_is_away_is_asked_again(machine: Machine, aws: AwsDouble) -> None:
    machine.uploaded(b"not a tar")
    with aws.fault(r"s3\.GET", times=1) as fault:
        ran = machine.boots()
    assert fault.met == 1
    assert "waiting for s3://checkpoints-1/bundles/current: HTTP Error 503" in ran.stderr
    assert "no agent on this machine" in ran.stderr.splitlines()[-1]


def a_bundle(tmp_path: Path, installer: str) -> bytes:
    (tmp_path / "install.py").write_text(installer)
    return bundle.packed([tmp_path / "install.py"])


def test_what_is_done_with_a_bundle_is_in_the_bundle(machine: Machine, tmp_path: Path) -> None:
    """So that another way of installing does not replace machines that run."""
    digest = machine.uploaded(a_bundle(tmp_path, "import sys; sys.exit(f'installs {sys.argv[1]}')"))
    assert machine.boots().stderr == f"installs {digest}\n"


def test_an_installer_that_fails_says_so_in_one_line(machine: Machine, tmp_path: Path) -> None:
    machine.uploaded(a_bundle(tmp_path, bundle.INSTALLER.read_text()))
    ran = machine.boots()
    assert ran.returncode == 1
    assert ran.stderr == "steady: no agent on this machine: the bundle holds no pip; it powers off by itself\n"
    assert [line.split()[0] for line in machine.did] == ["shutdown"]


def test_an_image_without_a_python_says_so(machine: Machine) -> None:
    (machine.programs / "python3").unlink()
    ran = machine.boots(path="/nonexistent")
    assert ran.returncode == 1
    assert ran.stderr.splitlines()[-1].startswith("steady: no agent on this machine: its image has no Python")
    assert [line.split()[0] for line in machine.did] == ["shutdown"]


def test_the_signature_is_the_one_that_aws_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    at = datetime(2026, 11, 24, 10, 0, 0, tzinfo=UTC)
    url = "https://checkpoints-1.s3.us-east-1.amazonaws.com/bundles/current"
    ours = boot.signed(url, REGION, ROLE, at)
    theirs = AWSRequest("GET", url, headers={"x-amz-content-sha256": hashlib.sha256().hexdigest()})
    auth: Any = S3SigV4Auth(Credentials("AKIA", "secret", "token+/="), "s3", REGION)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda **_: at)
    auth.add_auth(theirs)
    assert ours["Authorization"] == theirs.headers["Authorization"]


def test_the_text_is_of_the_foundation_only_and_fits() -> None:
    text = userdata.text(FOUNDATION)
    assert text == userdata.text(FOUNDATION)
    assert len(text.encode()) <= userdata.LIMIT // 3, "a stack's state holds it twice for each machine"
    assert "STEADY_REGION=us-east-1 STEADY_TABLE=tracker-1 STEADY_BUCKET=checkpoints-1" in text
