"""The scheduled run: nothing of it unless it is asked for; then shut in, and able to start one task only."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pulumi
import pytest

from stacks import runners, scheduled
from stacks.program import program
from tests.stacks.recording import Recorder, run
from tests.stacks.roles import BACKEND, IMAGE, NAMES, SECRET

REGION = "us-east-1"
README = Path(__file__).parents[2] / "specs" / "scheduled" / "README.md"
ASKED = {
    "steady:schedule": "rate(1 minute)",
    "steady:image": IMAGE,
    "steady:specs": "/specs/llm.yaml /specs/vision.yaml",
    "steady:subnets": "subnet-0a, subnet-0b",
    "steady:backend": BACKEND,
    "steady:backendSecret": SECRET,
}
NEW = {
    "aws:cloudwatch/logGroup:LogGroup",
    "aws:ec2/securityGroup:SecurityGroup",
    "aws:ecs/cluster:Cluster",
    "aws:ecs/taskDefinition:TaskDefinition",
    "aws:scheduler/schedule:Schedule",
    "aws:scheduler/scheduleGroup:ScheduleGroup",
}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    made = tmp_path_factory.mktemp("software") / "bundle.tar"
    made.write_bytes(b"wheels")
    return str(made)


def founded(bundle: str, **config: str) -> tuple[Recorder, dict[str, Any]]:
    asked = {f"steady:{key}": value for key, value in config.items()}
    given = {"aws:region": REGION, "steady:bundle": bundle, **asked}
    return run(program, stack=f"foundation-{REGION}", config=given)


def asked(**changed: str) -> dict[str, str]:
    config = {key.removeprefix("steady:"): value for key, value in ASKED.items()} | changed
    return {key: value for key, value in config.items() if value}


@pytest.fixture(scope="module")
def declared(bundle: str) -> Recorder:
    return founded(bundle, **asked())[0]


@pytest.fixture
def container(declared: Recorder) -> dict[str, Any]:
    (only,) = json.loads(declared.one("aws:ecs/taskDefinition:TaskDefinition")["containerDefinitions"])
    return dict(only)


# ---- off, unless asked for -----------------------------------------------------------------------


def test_without_a_schedule_nothing_of_it_is_declared(bundle: str) -> None:
    bare, _ = founded(bundle)
    assert not [each.kind for each in bare.declared if each.kind in NEW or "reconcile" in each.name]


def test_a_schedule_adds_to_a_foundation_and_changes_nothing_in_it(bundle: str, declared: Recorder) -> None:
    bare, outputs = founded(bundle)
    with_it, same = founded(bundle, **asked())
    assert told(bare) < told(with_it)
    assert outputs == same
    assert {kind for kind, _, _ in told(with_it) - told(bare)} - {kind for kind, _, _ in told(bare)} == NEW


def told(recorder: Recorder) -> set[tuple[str, str, str]]:
    """What was declared; files by their paths."""
    return {
        (each.kind, each.name, json.dumps(each.inputs, default=lambda file: file.path))
        for each in recorder.declared
    }


@pytest.mark.parametrize("missing", ["image", "specs", "subnets", "backend"])
def test_what_is_missing_is_named_with_an_example(bundle: str, missing: str) -> None:
    with pytest.raises(
        pulumi.RunError, match=f"steady:{missing} is '', and .*`pulumi config set steady:{missing} '.+'`"
    ):
        founded(bundle, **asked(**{missing: ""}))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("schedule", "every minute"),
        ("schedule", "rate(0 minutes)"),
        ("image", "registry.example/steadyfleet"),
        ("specs", "specs/llm.yaml"),
        ("subnets", "subnet-0a subnet-0b"),
        ("backend", "file:///state"),
    ],
)
def test_what_is_not_understood_is_refused_before_anything_is_declared(bundle: str, key: str, value: str) -> None:
    with pytest.raises(pulumi.RunError, match=rf"steady:{key} is '{re.escape(value)}', and "):
        founded(bundle, **asked(**{key: value}))


@pytest.mark.parametrize("secret", ["hunter2", SECRET.replace("wandb", "*")])
def test_a_secret_in_place_of_its_arn_is_refused_and_not_repeated(bundle: str, secret: str) -> None:
    with pytest.raises(pulumi.RunError, match="steady:backendSecret is not the full ARN") as refused:
        founded(bundle, **asked(backendSecret=secret))
    assert secret not in str(refused.value)


def test_the_readme_names_the_config_keys_that_the_program_reads() -> None:
    read = set(re.findall(r'config\.get(?:_bool)?\("(\w+)"\)', Path(scheduled.__file__).read_text()))
    named = set(re.findall(r"steady:(\w+)", README.read_text()))
    assert named == read | set(scheduled._FORMS)


# ---- the container -------------------------------------------------------------------------------


def test_the_container_runs_one_tick_over_the_specs(container: dict[str, Any]) -> None:
    assert container["image"] == IMAGE
    assert container["command"] == ["reconcile", "/specs/llm.yaml", "/specs/vision.yaml", "--once", "-o", "json"]


def test_the_container_is_no_root_and_can_write_to_its_scratch_only(container: dict[str, Any]) -> None:
    assert container["user"].split(":")[0] not in ("", "0", "root")
    assert container["readonlyRootFilesystem"] is True
    assert container["linuxParameters"]["capabilities"] == {"drop": ["ALL"]}
    assert [each["containerPath"] for each in container["mountPoints"]] == ["/tmp"]


def test_the_passphrase_is_named_and_never_written_down(declared: Recorder, container: dict[str, Any]) -> None:
    assert container["secrets"] == [{"name": "PULUMI_CONFIG_PASSPHRASE", "valueFrom": SECRET}]
    assert {each["name"] for each in container["environment"]} == {"AWS_REGION", "PULUMI_BACKEND_URL"}


def test_what_it_says_is_kept_for_a_month(declared: Recorder, container: dict[str, Any]) -> None:
    log = declared.one("aws:cloudwatch/logGroup:LogGroup")
    assert (log["name"], log["retentionInDays"]) == (container["logConfiguration"]["options"]["awslogs-group"], 30)


def test_pulumi_cloud_asks_for_a_token_and_needs_no_bucket(bundle: str) -> None:
    cloud, _ = founded(bundle, **asked(backend="https://api.pulumi.com"))
    (only,) = json.loads(cloud.one("aws:ecs/taskDefinition:TaskDefinition")["containerDefinitions"])
    assert [each["name"] for each in only["secrets"]] == ["PULUMI_ACCESS_TOKEN"]
    assert not cloud.all("aws:iam/rolePolicy:RolePolicy", "reconcile-backend")


# ---- the schedule --------------------------------------------------------------------------------


def test_the_schedule_starts_the_task_on_fargate_in_the_subnets(declared: Recorder) -> None:
    schedule = declared.one("aws:scheduler/schedule:Schedule")
    target = schedule["target"]["ecsParameters"]
    assert schedule["scheduleExpression"] == "rate(1 minute)"
    assert target["launchType"] == "FARGATE"
    assert target["networkConfiguration"]["subnets"] == ["subnet-0a", "subnet-0b"]
    assert target["networkConfiguration"]["assignPublicIp"] is False


def test_what_does_not_start_is_tried_again_for_minutes_and_then_kept(declared: Recorder) -> None:
    target = declared.one("aws:scheduler/schedule:Schedule")["target"]
    assert target["deadLetterConfig"]["arn"].endswith(f":{runners.DEAD}")
    assert target["retryPolicy"] == {"maximumEventAgeInSeconds": 300, "maximumRetryAttempts": 3}
    assert declared.one("aws:sqs/queue:Queue", "unstarted")["sqsManagedSseEnabled"] is True


def test_nothing_comes_in_and_only_tls_goes_out(declared: Recorder) -> None:
    group = declared.one("aws:ec2/securityGroup:SecurityGroup")
    assert group["vpcId"] == "vpc-of-subnet-0a"
    assert group["ingress"] == []
    assert [(rule["protocol"], rule["fromPort"], rule["toPort"]) for rule in group["egress"]] == [("tcp", 443, 443)]


# ---- who may do what -----------------------------------------------------------------------------


def rights(declared: Recorder, name: str) -> Any:
    return json.loads(declared.one("aws:iam/rolePolicy:RolePolicy", name)["policy"])


def test_the_task_has_the_controllers_rights_and_those_of_its_backend(declared: Recorder) -> None:
    assert rights(declared, "reconcile-machines") == rights(declared, "controller-machines")
    assert rights(declared, "reconcile-state") == rights(declared, "controller-state")
    assert rights(declared, "reconcile-backend") == runners.backend_policy(NAMES, BACKEND)


def test_the_schedule_hands_out_the_tasks_two_roles_and_no_other(declared: Recorder) -> None:
    task = declared.one("aws:ecs/taskDefinition:TaskDefinition")
    (passing,) = [s for s in rights(declared, "reconcile-schedule")["Statement"] if s["Action"] == ["iam:PassRole"]]
    assert passing["Resource"] == [task["taskRoleArn"], task["executionRoleArn"]]


def test_an_image_from_elsewhere_needs_no_right_of_ecr() -> None:
    said = json.dumps(runners.starter_policy(NAMES, "ghcr.io/example/steadyfleet:1"))
    assert "ecr:" not in said
    assert "secretsmanager:" not in said


@pytest.mark.parametrize("backend", ["s3://*", "s3://company/${aws:username}", "s3://company/a*"])
def test_a_backend_cannot_widen_the_role(backend: str) -> None:
    with pytest.raises(ValueError, match="cannot stand in a policy"):
        runners.backend_policy(NAMES, backend)


def test_a_backend_at_the_root_of_its_bucket_is_bounded_by_its_folder() -> None:
    document = runners.backend_policy(NAMES, "s3://company-pulumi")
    assert document is not None
    assert document["Statement"][0]["Resource"] == ["arn:aws:s3:::company-pulumi/.pulumi/*"]
