"""`steady` on an AWS fleet: which foundation it finds, and what it says before anything is made."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from lifecycle.adapters.aws.session import Session
from lifecycle.system.files import write_record
from tests.builders import but
from tests.doubles.aws import REGION
from tests.e2e.cloud_stage import CloudStage
from tests.e2e.stage import Stage, wait_until
from tests.e2e.test_bad_input import complaint
from tests.e2e.test_surface import satisfies

NEAR = "us-west-2"


def refused(cloud: CloudStage, code: int = 1, **env: str) -> str:
    """What `apply` says to the spec as it is; nothing was made, and no record stands."""
    done = cloud.steady("apply", str(cloud.spec), "--yes", code=code, **env)
    assert cloud.instances() == []
    assert cloud.site.tracker.spec("f") is None
    return complaint(done) + done.stderr


# ---- which foundation ----------------------------------------------------------------------------


def test_plan_reads_and_makes_nothing(cloud: CloudStage) -> None:
    done = cloud.write(nodes=2).steady("plan", str(cloud.spec))
    assert "+ create  f/t/1  spot m5.large us-east-1a  spec: " in done.stdout
    assert done.stdout.splitlines()[-1].startswith("Plan: 2 to create")
    assert "/h (EC2 spot price, 0s old)" in done.stdout
    assert not cloud.state.exists()
    changing = [call for call in cloud.aws.calls if "Put" in call or "Write" in call or "Update" in call]
    assert changing == []


def test_apply_makes_machines_and_the_fleets_name_is_enough_from_then_on(cloud: CloudStage) -> None:
    cloud.write().applied()
    (instance,) = cloud.instances()
    assert (instance["InstanceType"], instance["Placement"]["AvailabilityZone"]) == ("m5.large", "us-east-1a")
    cloud.founded.unlink()
    assert instance["InstanceId"] in cloud.steady("status", "f", "-o", "json").stdout
    assert "made" not in cloud.steady("why", "f/t/0").stderr
    assert "f: " in cloud.steady("status").stdout


def test_status_shows_of_what_and_where_each_machine_is(cloud: CloudStage) -> None:
    cloud.write().applied()
    done = cloud.steady("status", "f")
    assert re.search(r"NODE +MARKET +TYPE +ZONE +STATE", done.stdout)
    assert re.search(r"f/t/0 +spot +m5.large +us-east-1a +running", done.stdout)
    (node,) = satisfies("status", cloud.steady("status", "f", "-o", "json").stdout)["fleets"][0]["nodes"]
    assert (node["instance_type"], node["zone"]) == ("m5.large", "us-east-1a")
    again = satisfies("plan", cloud.steady("plan", str(cloud.write(nodes=2).spec), "-o", "json").stdout)
    (made,) = (action for action in again["actions"] if action["kind"] == "create")
    assert (made["node"], made["instance_type"], made["zone"]) == ("f/t/1", "m5.large", "us-east-1a")


def test_the_spec_of_record_says_where_the_spec_lies_in_its_repository(cloud: CloudStage) -> None:
    (cloud.folder / ".git").mkdir()
    cloud.write().applied()
    record = cloud.site.tracker.spec("f")
    assert record is not None
    assert record.source == "fleet.yaml"


@pytest.mark.parametrize("how", ["option", "environment"])
def test_from_elsewhere_the_region_names_the_foundation(cloud: CloudStage, how: str) -> None:
    cloud.write().applied()
    cloud.state = cloud.folder / "another"
    given = ("--region", REGION) if how == "option" else ()
    env = {"STEADY_REGION": REGION} if how == "environment" else {}
    assert "f: " in cloud.steady("status", "f", *given, **env).stdout
    assert not cloud.state.exists()


def test_a_fleet_of_this_computer_is_no_fleet_of_aws(cloud: CloudStage, stage: Stage) -> None:
    stage.declare(nodes=0).apply()
    found = cloud.steady("status", "f", STEADY_REGION=REGION).stdout
    assert found.startswith("f: ")
    assert cloud.aws.calls == {}


def test_the_consoles_verbs_refuse_a_fleet_on_aws(cloud: CloudStage) -> None:
    cloud.write().applied()
    for verb in ("notice", "kill", "stop"):
        assert "f is on AWS (us-east-1)" in complaint(cloud.steady("local", verb, "f/t/0", code=64))
    assert len(cloud.instances()) == 1


def test_a_foundation_that_cannot_be_read_hides_no_other_fleet(cloud: CloudStage, stage: Stage) -> None:
    stage.declare(nodes=0).apply()
    cloud.write({"fleet": "g"}).applied()
    with cloud.aws.fault("sts", status=403, code="ExpiredToken"):
        done = cloud.steady("status", code=3)
    assert done.stdout.startswith("f: ")
    assert "error: us-east-1: STS: the AWS credentials have expired" in complaint(done)


def test_a_fleet_does_not_move_to_another_region(cloud: CloudStage) -> None:
    cloud.write().applied()
    cloud.write({"region": NEAR}, zones=[]).steady("validate", str(cloud.spec))
    write_record(cloud.founded, but(cloud.foundation, region=NEAR))
    done = cloud.steady("apply", str(cloud.spec), "--yes", code=6)
    assert f"f is applied in {REGION}; a fleet does not move to {NEAR}" in complaint(done)


def test_a_fleet_does_not_move_from_this_computer(cloud: CloudStage, stage: Stage) -> None:
    stage.declare(nodes=0).apply()
    assert "f is applied in this computer" in refused(cloud.write(), 6)


def test_an_endless_reconcile_serves_one_region(cloud: CloudStage, tmp_path: Path) -> None:
    there = cloud.write({"region": NEAR, "fleet": "g"}, zones=[]).spec.rename(tmp_path / "there.yaml")
    cloud.write()
    done = cloud.steady("reconcile", str(there), str(cloud.spec), "--every", "30s", code=64)
    assert "several providers or regions" in complaint(done)


# ---- what machines share -------------------------------------------------------------------------

OPENED = "security group nodes: ingress"


def opened(cloud: CloudStage) -> CloudStage:
    """The fleet is applied, and somebody changed what its machines share since."""
    cloud.write().applied()
    cloud.shared.write_text(f"{OPENED}\n")
    return cloud


def test_plan_asks_what_machines_share_and_leaves_it(cloud: CloudStage) -> None:
    done = opened(cloud).steady("plan", str(cloud.spec))
    assert f"~ update  f  spec: SharedDrift: {OPENED}" in done.stdout
    assert cloud.shared.exists()


def test_reconcile_reports_what_machines_share_and_leaves_it(cloud: CloudStage) -> None:
    opened(cloud).steady("reconcile", str(cloud.spec), "--once")
    assert f"SharedDrift: {OPENED}" in cloud.steady("status", "f").stdout
    assert cloud.shared.exists()


def test_apply_makes_what_machines_share_as_declared(cloud: CloudStage) -> None:
    done = opened(cloud).steady("apply", str(cloud.spec), "--yes", "--timeout", "0", code=9)
    assert f"~ update  f  spec: SharedDrift: {OPENED}" in done.stderr
    assert not cloud.shared.exists()


def test_run_makes_what_machines_share_as_declared(cloud: CloudStage) -> None:
    opened(cloud).controller()
    wait_until(lambda: not cloud.shared.exists(), "it is made as declared")


# ---- bad input -----------------------------------------------------------------------------------


def test_without_credentials(cloud: CloudStage) -> None:
    empty = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_CONFIG_FILE": "/nowhere"}
    done = cloud.write().steady(
        "apply", str(cloud.spec), "--yes", code=3, **empty, AWS_SHARED_CREDENTIALS_FILE="/nowhere"
    )
    assert "no AWS credentials" in complaint(done)


def test_expired_credentials(cloud: CloudStage) -> None:
    with cloud.aws.fault("sts", status=403, code="ExpiredToken"):
        done = cloud.write().steady("apply", str(cloud.spec), "--yes", code=3)
    assert "the AWS credentials have expired" in complaint(done)


def test_credentials_of_another_account(cloud: CloudStage) -> None:
    write_record(cloud.founded, but(cloud.foundation, account="999999999999"))
    assert "the fleet lives in 999999999999" in refused(cloud.write(), 3)


def test_no_foundation_in_the_region(cloud: CloudStage) -> None:
    assert f"no foundation in {NEAR}" in refused(cloud.write({"region": NEAR}, zones=[]))


def test_a_region_that_is_none(cloud: CloudStage) -> None:
    assert "'moon' is not a region" in complaint(cloud.steady("status", "f", "--region", "moon", code=64))


def test_a_region_that_is_not_the_specs(cloud: CloudStage) -> None:
    done = cloud.write().steady("plan", str(cloud.spec), "--region", NEAR, code=64)
    assert f"f is of {REGION}, not of {NEAR}" in complaint(done)


WRONG = {
    "image": ({"image": "ami-0123456789abcdef0"}, "pools.t.image: 'ami-0123456789abcdef0' is not an image"),
    "zone": ({"zones": ["us-east-1z"]}, "pools.t.zones[0]: 'us-east-1z' is no zone here"),
    "type": ({"instance_types": ["m5.large", "x9.huge"]}, "pools.t.instance_types[1]: 'x9.huge' is not offered"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_aws_does_not_have_is_named_at_its_place(cloud: CloudStage, what: str) -> None:
    pool, said = WRONG[what]
    told = refused(cloud.write(**pool))
    assert f"{cloud.spec}:" in told
    assert said in told


def test_the_image_of_machines_that_stay_may_be_gone(cloud: CloudStage) -> None:
    cloud.write(nodes=2).applied()
    Session(REGION).client("ec2").deregister_image(ImageId=cloud.image)
    cloud.write(nodes=1).applied()
    assert len(cloud.instances()) == 1
    done = cloud.write(nodes=2).steady("apply", str(cloud.spec), "--yes", "--rollback", code=1)
    assert f"pools.t.image: '{cloud.image}' is not an image" in complaint(done) + done.stderr
    assert len(cloud.instances()) == 1


def test_a_zone_of_another_region_is_found_offline(cloud: CloudStage) -> None:
    done = cloud.write(zones=["eu-west-1a"]).steady("apply", str(cloud.spec), "--yes", code=1)
    assert "'eu-west-1a' is not a zone of region us-east-1" in done.stderr
    assert cloud.aws.calls == {}


@pytest.mark.parametrize("kind", ["subnets", "security_groups"])
def test_networks_that_do_not_exist(cloud: CloudStage, kind: str) -> None:
    name = {"subnets": "subnet-0123456789abcdef0", "security_groups": "sg-0123456789abcdef0"}[kind]
    assert f"aws.{kind}[0]: '{name}' does not exist" in refused(cloud.write({"aws": {kind: [name]}}))


def test_a_bucket_of_somebody_else(cloud: CloudStage) -> None:
    with cloud.aws.fault("s3.GET", status=403, code="AccessDenied"):
        assert "bucket checkpoints is not account 123456789012's" in refused(cloud.write())


@pytest.mark.parametrize("gone", ["bucket", "table"])
def test_a_foundation_that_lacks_a_part(cloud: CloudStage, gone: str) -> None:
    write_record(cloud.founded, but(cloud.foundation, **{gone: "nowhere"}))
    done = cloud.write().steady("apply", str(cloud.spec), "--yes", code=1)
    assert f"its {gone} nowhere does not exist" in complaint(done)


def test_a_table_of_other_keys(cloud: CloudStage) -> None:
    keys = {"AttributeName": "id", "KeyType": "HASH"}
    Session(REGION).client("dynamodb").create_table(
        TableName="other",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[keys],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )
    write_record(cloud.founded, but(cloud.foundation, table="other"))
    done = cloud.write().steady("apply", str(cloud.spec), "--yes", code=1)
    assert "table other has other keys" in complaint(done)


def test_a_spec_of_record_of_a_newer_steady(cloud: CloudStage) -> None:
    cloud.write().applied()
    row = cloud.site.table.get("f", "spec", "f")
    assert row is not None
    newer = {**json.loads(row.body), "spec": {**json.loads(row.body)["spec"], "version": 2, "moons": 3}}
    cloud.site.table.put("f", "spec", "f", json.dumps(newer).encode())
    for command in (("status", "f"), ("apply", str(cloud.spec), "--yes"), ("plan", str(cloud.spec))):
        assert "of another version of steady" in complaint(cloud.steady(*command, code=1))
    assert len(cloud.instances()) == 1
