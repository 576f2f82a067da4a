"""The scheduled tick as a container has it: a bucket as backend, the provider on PATH, nothing kept of a tick."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from lifecycle.adapters.aws.session import Session
from lifecycle.model.foundation import Foundation
from stacks.runners import RUN, backend_policy
from tests.doubles import confined
from tests.doubles.aws import REGION, AwsDouble
from tests.doubles.provider import ProviderDouble
from tests.e2e.stage import wait_until
from tests.engine.engine import Engine
from tests.engine.region import LONG, ROOT, AwsStage, Region, made
from tests.stacks.evaluator import Call, Verdict, decide
from tests.stacks.roles import IMAGE, NAMES
from tests.stacks.test_scheduled import ASKED

pytestmark = [pytest.mark.engine, pytest.mark.slow]

BACKEND = f"s3://company-pulumi/training?region={REGION}&s3ForcePathStyle=true"


def test_the_schedule_comes_with_its_config_and_goes_with_it(founded: Engine) -> None:
    session, before = Session(REGION), founded.resources()
    subnet = session.client("ec2").describe_subnets()["Subnets"][0]["SubnetId"]
    founded.select(founded.stack, {**ASKED, "steady:subnets": subnet})
    made(founded.up())
    schedule = session.client("scheduler").get_schedule(GroupName=RUN, Name="reconcile")
    target = schedule["Target"]["EcsParameters"]
    task = session.client("ecs").describe_task_definition(taskDefinition=target["TaskDefinitionArn"])
    assert target["NetworkConfiguration"]["awsvpcConfiguration"]["Subnets"] == [subnet]
    assert task["taskDefinition"]["containerDefinitions"][0]["image"] == IMAGE
    assert {*made(founded.up(refresh=True)).changes} <= {"same"}
    founded.checked("config", "rm", "steady:schedule", "--stack", founded.stack)
    gone = made(founded.up())
    assert gone.changes["delete"] == len(gone.steps("delete")) > 10
    assert founded.resources().keys() == before.keys()


class InABucket(Region):
    """Its stacks are in a bucket, as they are for a container; and what is done there is noted."""

    def _found(self, bundle: Path) -> Foundation:
        self.clients.s3.create_bucket(Bucket="company-pulumi")
        self.engine.env["PULUMI_BACKEND_URL"] = BACKEND
        return super()._found(bundle)


@pytest.fixture
def bucketed(tmp_path: Path, cli: Path, provider: ProviderDouble, aws: AwsDouble) -> Iterator[InABucket]:
    built = InABucket(tmp_path, cli, provider, aws)
    yield built
    built.close()


@pytest.fixture
def heard(bucketed: InABucket, monkeypatch: pytest.MonkeyPatch) -> list[Call]:
    """What is asked of the bucket from now on, as IAM sees it."""
    calls: list[Call] = []
    app = bucketed.aws._app

    def noting(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        calls.extend(asked(environ) if environ["PATH_INFO"].startswith("/company-pulumi") else ())
        return app(environ, start)

    monkeypatch.setattr(bucketed.aws, "_app", noting)
    return calls


def asked(environ: Mapping[str, Any]) -> Iterator[Call]:
    method, _, key = environ["REQUEST_METHOD"], *environ["PATH_INFO"].lstrip("/").partition("/")[1:]
    bucket = "arn:aws:s3:::company-pulumi"
    if not key:
        assert method == "GET", environ["PATH_INFO"]
        yield Call("s3:ListBucket", bucket)
        return
    actions = {"GET": "GetObject", "HEAD": "GetObject", "PUT": "PutObject", "DELETE": "DeleteObject"}
    yield Call(f"s3:{actions[method]}", f"{bucket}/{key}")
    if source := environ.get("HTTP_X_AMZ_COPY_SOURCE"):
        yield Call("s3:GetObject", f"arn:aws:s3:::{source}")


class Container:
    """Ticks as the image runs them: all that can be written is a folder that is empty at first and thrown away."""

    def __init__(self, region: Region, folder: Path) -> None:
        self.region, self.folder, self.scratch = region, folder, folder
        plugin = folder / "bin" / "pulumi-resource-aws"
        plugin.parent.mkdir(parents=True)
        plugin.write_text(f"#!/bin/sh\necho {region.provider.port}\nexec sleep 300\n")
        plugin.chmod(0o755)

    @property
    def env(self) -> dict[str, str]:
        own = {name: value for name, value in self.region.env.items() if name != "PULUMI_DEBUG_PROVIDERS"}
        return {
            **own,
            "HOME": str(self.scratch),
            "PATH": f"{self.folder / 'bin'}:{own['PATH']}",
            "PULUMI_HOME": str(self.scratch / "pulumi"),
            "PYTHONPATH": str(ROOT),
            "STEADY_STATE": str(self.scratch / "steady"),
            "TMPDIR": str(self.scratch),
        }

    def tick(self, spec: Path) -> dict[str, Any]:
        """What `reconcile --once` says in a folder that is new."""
        self.scratch = Path(tempfile.mkdtemp(dir=self.folder))
        python, within = sys.executable, ["-m", "tests.doubles.confined", str(self.scratch)]
        command = [python, *within, python, "-m", "lifecycle", "reconcile", str(spec), "--once", "-o", "json"]
        done = subprocess.run(
            command, cwd=self.scratch, env=self.env, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return dict(json.loads(done.stdout))

    def kept(self) -> set[str]:
        """The files that the last tick left, but for the Pulumi CLI's own."""
        files = (path.relative_to(self.scratch) for path in self.scratch.rglob("*") if path.is_file())
        return {str(file) for file in files if file.parts[0] != "pulumi"}


@pytest.mark.skipif(not confined.available(), reason="NOT CONFINED: this kernel has no Landlock")
def test_a_machine_is_replaced_by_ticks_that_keep_nothing(
    bucketed: InABucket, heard: list[Call], tmp_path: Path
) -> None:
    stage, container = AwsStage(bucketed, "f"), Container(bucketed, tmp_path / "container")
    made(stage.declare(train=LONG).pulumi_up())
    (before,) = stage.instances()
    bucketed.console.terminate(before)
    wait_until(lambda: bucketed.console.state(before) == "terminated", "EC2 has ended it")
    heard.clear()
    wait_until(lambda: container.tick(stage.spec) and stage.live(), "it is replaced")
    assert stage.instances() != [before]
    assert container.kept() == {"steady/.gitignore", "steady/fleets/f.json", f"steady/foundations/{REGION}.json"}
    rights = backend_policy(NAMES, BACKEND)
    assert rights is not None
    assert {call.action for call in heard} >= {"s3:ListBucket", "s3:PutObject", "s3:DeleteObject"}
    assert [call for call in heard if decide(call, [rights]) is not Verdict.ALLOWED] == []
    stage.close()
