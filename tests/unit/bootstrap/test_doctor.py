"""`steady doctor` against AWS: what it finds, what it reads, and that it reads only."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from lifecycle.adapters.aws.session import Session
from lifecycle.adapters.pulumi import cli, outputs
from lifecycle.bootstrap import doctor
from lifecycle.control.examination import examine
from lifecycle.model.diagnosis import Finding, Verdict
from lifecycle.model.errors import NotAuthorised, SteadyError
from lifecycle.model.foundation import Foundation
from lifecycle.system.clock import SystemClock
from stacks.ground import Ground
from stacks.operators import controller_machines, controller_state, deployer_policy
from tests.builders import but
from tests.doubles import ground
from tests.doubles.account import limited, simulated
from tests.doubles.aws import REGION, AwsDouble
from tests.stacks.roles import EVERYTHING

STANDARD = "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances"
READS = re.compile(
    r"(ec2\.Describe|iam\.(Get|Simulate)|sts\.GetCallerIdentity|dynamodb.*\.DescribeTable|s3\.GET|servicequotas.*\.List)"
)


@dataclass
class Office:
    """A spec for an account in which all is well, and the doctor looking at it."""

    aws: AwsDouble
    folder: Path
    foundation: Foundation
    pool: dict[str, Any]

    def finds(self, **changes: Any) -> Mapping[str, Finding]:
        spec = {
            "version": 1,
            "fleet": "f",
            "provider": "aws",
            "region": REGION,
            "pools": {"t": {**self.pool, **changes}},
        }
        path = self.folder / "f.yaml"
        path.write_text(yaml.safe_dump(spec))
        self.aws.calls.clear()
        return dict(examine(doctor.checks(self.folder / "state", path), SystemClock()))


@pytest.fixture
def office(aws: AwsDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    founded = but(ground.laid(), queue=ground.QUEUE)
    simulated(aws, EVERYTHING)
    limited(aws, {STANDARD: 32})
    monkeypatch.setattr(cli, "pulumi", lambda: "/bin/pulumi")
    monkeypatch.setattr(cli, "version", lambda: "3.259.0")
    monkeypatch.setattr(cli, "backend", lambda within: "s3://state")
    pool = {
        "market": "on_demand",
        "instance_types": ["m5.large"],
        "zones": ["us-east-1a"],
        "image": ground.image(),
        "train": {"command": ["python", "train.py"], "workdir": "/opt/train"},
    }
    opened = Office(aws, tmp_path, founded, pool)
    monkeypatch.setattr(outputs, "foundation", lambda region, within: opened.foundation)
    return opened


def raising(error: SteadyError) -> Callable[..., Any]:
    def refuse(*_: Any, **__: Any) -> Any:
        raise error

    return refuse


def not_ok(found: Mapping[str, Finding]) -> dict[str, str]:
    return {name: str(each.verdict) for name, each in found.items() if each.verdict is not Verdict.OK}


def test_where_all_is_well_every_check_says_so_and_only_reads_are_made(office: Office) -> None:
    assert not_ok(office.finds()) == {}
    assert [call for call in office.aws.calls if not READS.match(call)] == []
    assert not (office.folder / "state").exists()


def test_it_reads_all_that_it_tells_of(office: Office) -> None:
    office.finds()
    assert {call.split(".")[1] for call in office.aws.calls} == {
        "DescribeAvailabilityZones",
        "DescribeImages",
        "DescribeInstanceTypeOfferings",
        "DescribeInstanceTypes",
        "DescribeTable",
        "GET",
        "GetCallerIdentity",
        "ListServiceQuotas",
        "SimulatePrincipalPolicy",
    }


@pytest.mark.parametrize(
    ("change", "check", "said"),
    [
        ({"image": "ami-0123456789abcdef0"}, "image", "pools.t.image: 'ami-0123456789abcdef0' is not an image"),
        ({"zones": ["us-east-1q"]}, "zones", "'us-east-1q' is no zone here"),
        ({"instance_types": ["m9.large"]}, "instance types", "'m9.large' is not offered in us-east-1a"),
        ({"instance_types": ["m6g.large"]}, "architecture", "is x86_64, and m6g.large runs arm64"),
        ({"nodes": 17}, "quotas", "32 vCPUs, wanted 34"),
    ],
)
def test_what_the_spec_names_and_the_account_lacks_is_wrong(
    office: Office, change: dict[str, Any], check: str, said: str
) -> None:
    found = office.finds(**change)[check]
    assert (found.verdict, said in found.message, bool(found.fix)) == ("wrong", True, True), found


@pytest.mark.parametrize(
    ("operation", "check"),
    [
        ("ec2.DescribeImages", "image"),
        ("ec2.DescribeInstanceTypeOfferings", "instance types"),
        ("servicequotas", "quotas"),
        ("iam.Simulate", "rights"),
        ("dynamodb", "bucket and table"),
    ],
)
def test_what_may_not_be_read_is_unknown_and_hides_nothing_else(office: Office, operation: str, check: str) -> None:
    with office.aws.fault(operation, status=403, code="AccessDenied"):
        found = not_ok(office.finds())
    assert found.pop(check) == "unknown"
    assert {*found} <= {"architecture"}  # of the same call as the image


def test_without_credentials_that_alone_is_wrong_and_the_rest_unknown(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nowhere")
    found = office.finds()
    assert [name for name, verdict in not_ok(found).items() if verdict == "wrong"] == ["credentials"]
    assert found["image"].message == "not looked at: it needs credentials"


def test_credentials_of_another_account_are_wrong_and_nothing_of_the_foundation_is_touched(office: Office) -> None:
    office.foundation = but(office.foundation, account="999999999999")
    assert not_ok(office.finds()) == {
        "account and region": "wrong",
        "bucket and table": "unknown",
        "rights": "unknown",
    }


def test_a_clock_that_aws_does_not_share_is_wrong(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Session, "told_at", lambda _: SystemClock().now() - 120)
    found = office.finds()["clock against AWS"]
    assert (found.verdict, "120s ahead" in found.message) == ("wrong", True)


def test_awss_clock_is_read_though_it_refuses_us(office: Office) -> None:
    with office.aws.fault("sts", status=403, code="SignatureDoesNotMatch"):
        found = office.finds()
    assert (found["credentials"].verdict, found["clock against AWS"].verdict) == ("wrong", "ok")


def test_pulumi_that_is_not_logged_in_is_wrong_with_its_fix(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "backend", raising(NotAuthorised("Pulumi is not logged in", fix="`pulumi login`")))
    found = office.finds()
    assert (found["pulumi login"].verdict, found["pulumi login"].fix) == ("wrong", "`pulumi login`")
    assert (found["foundation"].verdict, found["credentials"].verdict) == ("unknown", "ok")


def test_a_region_without_a_foundation_is_wrong(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        outputs, "foundation", raising(SteadyError("no foundation in us-east-1", fix="`pulumi up`"))
    )
    assert office.finds()["foundation"].message == "no foundation in us-east-1"


# ---- rights --------------------------------------------------------------------------------------


def granted(office: Office, *documents: Callable[..., dict[str, Any]]) -> list[dict[str, Any]]:
    names = Ground.of(office.foundation).names
    return [document(names) for document in documents]


def test_whoever_has_the_deployers_documents_lacks_nothing(office: Office) -> None:
    simulated(office.aws, *granted(office, controller_machines, controller_state, deployer_policy))
    assert not_ok(office.finds()) == {}


def test_what_is_missing_comes_as_a_policy_with_which_nothing_is(office: Office) -> None:
    held = granted(office, controller_machines, controller_state)
    simulated(office.aws, *held)
    found = office.finds()["rights"]
    assert found.verdict is Verdict.WRONG
    assert found.policy is not None
    assert "RunInstances" not in str(found.policy)
    simulated(office.aws, *held, found.policy)
    assert office.finds()["rights"].verdict is Verdict.OK


def test_the_controllers_role_needs_no_more_than_the_controllers_rights(office: Office) -> None:
    simulated(office.aws, *granted(office, controller_machines, controller_state))
    office.foundation = but(office.foundation, controller_role="arn:aws:sts::123456789012:user/moto")
    assert office.finds()["rights"].verdict is Verdict.OK
