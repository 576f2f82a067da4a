"""Who may do what for a scheduled run: the schedule, what starts its container, and the container. Pure documents.

After AWS's guides: "confused deputy prevention" of EventBridge Scheduler, which names the schedule's group as the
source; "task execution IAM role" and "task IAM role" of ECS; Pulumi's "state and backends" for a bucket. What the
container may beyond its backend is what every controller may: `operators`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from stacks.names import Conditions, Document, Names, Statement, allow, document, literal

RUN = "steadyfleet-reconcile"
"""The name of all that belongs to the scheduled run: there is one in each foundation."""

DEAD = "steadyfleet-unstarted"
"""The queue of runs that could not be started."""

LOGS = "/steadyfleet/reconcile"

LOGIN = "ecr:GetAuthorizationToken"
"""An action for which ECR knows no resource."""

_ECR = re.compile(r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?/(?P<name>[^:@]+)")


def schedule_trust(names: Names) -> Document:
    """Schedules of our own group only; whoever may make one elsewhere cannot use the role."""
    group = f"arn:{names.partition}:scheduler:{names.region}:{names.account}:schedule-group/{RUN}"
    return _trust(
        "scheduler.amazonaws.com",
        {"StringEquals": {"aws:SourceAccount": names.account, "aws:SourceArn": group}},
    )


def task_trust(names: Names) -> Document:
    """Tasks of ECS in this account and region: its own role and what starts it."""
    return _trust(
        "ecs-tasks.amazonaws.com",
        {
            "StringEquals": {"aws:SourceAccount": names.account},
            "ArnLike": {"aws:SourceArn": _ecs(names, "*")},
        },
    )


def schedule_policy(names: Names, roles: Sequence[str]) -> Document:
    """Starting the one task, on its one cluster, with its two `roles` (ARNs); telling when that failed."""
    return document(
        allow(
            "RunTheTask",
            ["ecs:RunTask"],
            [_ecs(names, f"task-definition/{RUN}:*")],
            {"ArnEquals": {"ecs:cluster": _ecs(names, f"cluster/{RUN}")}},
        ),
        allow(
            "WithItsRoles",
            ["iam:PassRole"],
            list(roles),
            {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
        ),
        allow(
            "TellWhatDidNotStart",
            ["sqs:SendMessage"],
            [f"arn:{names.partition}:sqs:{names.region}:{names.account}:{DEAD}"],
        ),
    )


def starter_policy(names: Names, image: str, secret: str | None = None) -> Document:
    """Fetching the image, where ECR keeps it; opening its log; reading the backend's `secret` (its ARN)."""
    logs = f"arn:{names.partition}:logs:{names.region}:{names.account}:log-group:{LOGS}:log-stream:*"
    statements = [allow("Log", ["logs:CreateLogStream", "logs:PutLogEvents"], [logs]), *_image(names, image)]
    if secret is not None:
        statements.append(allow("BackendsSecret", ["secretsmanager:GetSecretValue"], [secret]))
    return document(*statements)


def backend_policy(names: Names, backend: str) -> Document | None:
    """What the Pulumi CLI does in a bucket that keeps the stacks; None where the backend is no bucket.

    It reads objects that need not be there, which S3 tells only those who may list the bucket: a condition on the
    prefix is no part of such a read, and the answer would be "denied".
    """
    url = urlsplit(backend)
    if url.scheme != "s3":
        return None
    bucket = f"arn:{names.partition}:s3:::{literal(url.netloc)}"
    folder = literal(f"{url.path.strip('/')}/.pulumi".lstrip("/"))
    return document(
        allow("Stacks", ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"], [f"{bucket}/{folder}/*"]),
        allow("List", ["s3:ListBucket"], [bucket]),
    )


def _image(names: Names, image: str) -> list[Statement]:
    found = _ECR.match(image)
    if found is None:
        return []
    place = f"arn:{names.partition}:ecr:{found['region']}:{found['account']}"
    return [
        allow("LogInToEcr", [LOGIN], ["*"]),
        allow(
            "FetchTheImage",
            ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
            [f"{place}:repository/{literal(found['name'])}"],
        ),
    ]


def _trust(service: str, when: Conditions) -> Document:
    return document(
        {
            "Sid": "OnlyForUs",
            "Effect": "Allow",
            "Principal": {"Service": service},
            "Action": "sts:AssumeRole",
            "Condition": {operator: dict(test) for operator, test in when.items()},
        }
    )


def _ecs(names: Names, what: str) -> str:
    return f"arn:{names.partition}:ecs:{names.region}:{names.account}:{what}"
