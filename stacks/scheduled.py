"""`steady reconcile --once` by EventBridge Scheduler, as a task on Fargate: declared where the config asks for it.

After AWS's guides to Scheduler's ECS targets and to bind mounts on Fargate. To ask: `specs/scheduled/README.md`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_aws import cloudwatch, ec2, ecs, iam, scheduler, sqs

from stacks import operators, runners
from stacks.names import Document, Names
from stacks.policies import SECRET
from stacks.runners import DEAD, LOGS, RUN

USER = "10001:10001"
"""Of the image; nothing in it belongs to this user."""

SCRATCH = "/tmp"  # noqa: S108 - of the container, and its own
"""All that can be written there. The image declares it as a volume, so that it keeps its rights on Fargate."""

CPU, MEMORY = "512", "2048"
"""Half a processor and 2 GiB, for the Pulumi CLI and its AWS provider beside our own process: not yet measured."""

FORTNIGHT, MONTH = 14 * 24 * 3600, 30
MINUTES, TRIES = 5, 3
"""How long, and how often, the start of one run is tried again: later the next one is nearer."""

_FORMS = {
    "schedule": (r"rate\([1-9]\d* (minute|hour|day)s?\)|cron\([^()]+\)", "rate(1 minute)"),
    "image": (r"[^\s@]+(:[\w.-]+|@sha256:[0-9a-f]{64})", "REGISTRY/steadyfleet:TAG"),
    "specs": (r"/\S+( /\S+)*", "/specs/llm.yaml"),
    "subnets": (r"subnet-[0-9a-f]+(, ?subnet-[0-9a-f]+)*", "subnet-0a1b2c3d,subnet-4e5f6a7b"),
    "backend": (r"(s3|https)://\S+", "s3://BUCKET?region=us-east-1"),
}
"""What a scheduled run has to be told: how each looks, and an example."""


@dataclass(frozen=True)
class Run:
    """The scheduled run as the config asks for it."""

    schedule: str
    image: str
    specs: tuple[str, ...]
    subnets: tuple[str, ...]
    backend: str
    secret: str | None
    """The ARN of what the backend asks for: of a bucket the stacks' passphrase, of Pulumi Cloud an access token."""
    public: bool
    """Whether the task gets an address of its own, as subnets without a NAT need it."""


def asked() -> Run | None:
    """None where no schedule is set. Raises pulumi.RunError for what is missing or not understood."""
    config = pulumi.Config("steady")
    if config.get("schedule") is None:
        return None
    said, secret = {key: (config.get(key) or "").strip() for key in _FORMS}, config.get("backendSecret")
    if faults := [*_faults(said), *_secrets_faults(secret)]:
        raise pulumi.RunError("; ".join([*faults, "see specs/scheduled/README.md"]))
    return Run(
        schedule=said["schedule"],
        image=said["image"],
        specs=tuple(said["specs"].split()),
        subnets=tuple(each.strip() for each in said["subnets"].split(",")),
        backend=said["backend"],
        secret=secret,
        public=bool(config.get_bool("publicAddress")),
    )


def _faults(said: Mapping[str, str]) -> Iterator[str]:
    for key, (form, example) in _FORMS.items():
        if not re.fullmatch(form, said[key]):
            yield f"steady:{key} is {said[key]!r}, and looks like `pulumi config set steady:{key} '{example}'`"


def _secrets_faults(secret: str | None) -> Iterator[str]:
    """Without the value: it may be the secret itself."""
    if secret is not None and not SECRET.fullmatch(secret):
        yield "steady:backendSecret is not the full ARN of one secret"


def declare(run: Run, names: pulumi.Output[Names]) -> None:
    """The schedule, and all that a run of it needs. Overlap is harmless: one at a time holds a fleet's lease."""
    cloudwatch.LogGroup("reconcile", name=LOGS, retention_in_days=MONTH)
    cluster = ecs.Cluster("reconcile", name=RUN)
    unstarted = sqs.Queue("unstarted", name=DEAD, message_retention_seconds=FORTNIGHT, sqs_managed_sse_enabled=True)
    controller, starter = _controller(run, names), _starter(run, names)
    task = _task(run, names, controller, starter)
    role, rights = _schedules_role(names, controller, starter)
    scheduler.Schedule(
        "reconcile",
        name="reconcile",
        group_name=scheduler.ScheduleGroup("reconcile", name=RUN).name,
        schedule_expression=run.schedule,
        flexible_time_window={"mode": "OFF"},
        target={
            "arn": cluster.arn,
            "role_arn": role.arn,
            "ecs_parameters": {
                "task_definition_arn": task.arn,
                "launch_type": "FARGATE",
                "network_configuration": _network(run),
            },
            "retry_policy": {"maximum_event_age_in_seconds": MINUTES * 60, "maximum_retry_attempts": TRIES},
            "dead_letter_config": {"arn": unstarted.arn},
        },
        opts=pulumi.ResourceOptions(depends_on=[rights]),
    )


def _controller(run: Run, names: pulumi.Output[Names]) -> iam.Role:
    """The task's own role: the controller's rights, and those in the backend's bucket."""
    role = _role("reconcile", names, runners.task_trust)
    _grant("reconcile-machines", role, names.apply(operators.controller_machines))
    _grant("reconcile-state", role, names.apply(operators.controller_state))
    if run.backend.startswith("s3://"):
        _grant("reconcile-backend", role, names.apply(lambda known: runners.backend_policy(known, run.backend)))
    return role


def _starter(run: Run, names: pulumi.Output[Names]) -> iam.Role:
    role = _role("reconcile-starter", names, runners.task_trust)
    rights = names.apply(lambda known: runners.starter_policy(known, run.image, run.secret))
    _grant("reconcile-starter", role, rights)
    return role


def _schedules_role(names: pulumi.Output[Names], *handed: iam.Role) -> tuple[iam.Role, iam.RolePolicy]:
    role = _role("reconcile-schedule", names, runners.schedule_trust)
    arns = pulumi.Output.all(*(each.arn for each in handed))
    rights = pulumi.Output.all(names, arns).apply(lambda known: runners.schedule_policy(*known))
    return role, _grant("reconcile-schedule", role, rights)


def _task(run: Run, names: pulumi.Output[Names], controller: iam.Role, starter: iam.Role) -> ecs.TaskDefinition:
    return ecs.TaskDefinition(
        "reconcile",
        family=RUN,
        requires_compatibilities=["FARGATE"],
        network_mode="awsvpc",
        cpu=CPU,
        memory=MEMORY,
        runtime_platform={"cpu_architecture": "X86_64", "operating_system_family": "LINUX"},
        task_role_arn=controller.arn,
        execution_role_arn=starter.arn,
        volumes=[{"name": "scratch"}],
        container_definitions=names.apply(lambda known: json.dumps([container(run, known.region)])),
    )


def container(run: Run, region: str) -> dict[str, Any]:
    """The one container, as ECS wants it: no root, no right of the kernel's, its scratch alone to write to."""
    asks_for = "PULUMI_CONFIG_PASSPHRASE" if run.backend.startswith("s3://") else "PULUMI_ACCESS_TOKEN"
    secrets = [{"name": asks_for, "valueFrom": run.secret}] if run.secret else []
    return {
        "name": "reconcile",
        "image": run.image,
        "essential": True,
        "command": ["reconcile", *run.specs, "--once", "-o", "json"],
        "user": USER,
        "readonlyRootFilesystem": True,
        "linuxParameters": {"initProcessEnabled": True, "capabilities": {"drop": ["ALL"]}},
        "mountPoints": [{"sourceVolume": "scratch", "containerPath": SCRATCH, "readOnly": False}],
        "environment": [
            {"name": "AWS_REGION", "value": region},
            {"name": "PULUMI_BACKEND_URL", "value": run.backend},
        ],
        "secrets": secrets,
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {"awslogs-group": LOGS, "awslogs-region": region, "awslogs-stream-prefix": "tick"},
        },
    }


def _network(run: Run) -> dict[str, Any]:
    """A group of its own in the subnets' VPC: nothing comes in, and only TLS goes out."""
    group = ec2.SecurityGroup(
        "reconcile",
        description="Scheduled runs of steady reconcile: nothing comes in",
        vpc_id=ec2.get_subnet_output(id=run.subnets[0]).vpc_id,
        ingress=[],
        egress=[
            {
                "protocol": "tcp",
                "from_port": 443,
                "to_port": 443,
                "cidr_blocks": ["0.0.0.0/0"],
                "description": "AWS and the Pulumi backend",
            }
        ],
    )
    return {"subnets": list(run.subnets), "security_groups": [group.id], "assign_public_ip": run.public}


def _role(name: str, names: pulumi.Output[Names], trust: Callable[[Names], Document]) -> iam.Role:
    return iam.Role(name, assume_role_policy=names.apply(lambda known: json.dumps(trust(known))))


def _grant(name: str, role: iam.Role, rights: pulumi.Output[Any]) -> iam.RolePolicy:
    return iam.RolePolicy(name, role=role.name, policy=rights.apply(json.dumps))
