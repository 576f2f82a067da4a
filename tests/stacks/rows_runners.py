"""The table, part three: the scheduled run's schedule, what starts its container, and the container."""

from __future__ import annotations

from tests.stacks.evaluator import Value
from tests.stacks.roles import EC2, IAM, ME, NAMES, PASSED, SECRET, Row, keys, tagged

HERE = "us-east-1:123456789012"
TASKS = f"arn:aws:ecs:{HERE}:task-definition"
OURS = f"{TASKS}/steadyfleet-reconcile:7"
ON_OURS: dict[str, Value] = {"ecs:cluster": f"arn:aws:ecs:{HERE}:cluster/steadyfleet-reconcile"}
ON_ANOTHER: dict[str, Value] = {"ecs:cluster": f"arn:aws:ecs:{HERE}:cluster/payments"}
TO_TASKS: dict[str, Value] = {"iam:PassedToService": "ecs-tasks.amazonaws.com"}
UNSTARTED = f"arn:aws:sqs:{HERE}:steadyfleet-unstarted"
LOG = f"arn:aws:logs:{HERE}:log-group:/steadyfleet/reconcile:log-stream:tick/reconcile/0a1b"
OUR_IMAGE = f"arn:aws:ecr:{HERE}:repository/steadyfleet"
BUCKET = "arn:aws:s3:::company-pulumi"
STATE = f"{BUCKET}/training/.pulumi/stacks/steadyfleet/llm.json"

SCHEDULE = (
    Row("schedule", True, "ecs:RunTask", OURS, "starts the task", ON_OURS),
    Row("schedule", False, "ecs:RunTask", OURS, "starts it on another cluster", ON_ANOTHER),
    Row("schedule", False, "ecs:RunTask", f"{TASKS}/payments:1", "starts another task", ON_OURS),
    Row("schedule", False, "ecs:RunTask", f"{TASKS}/steadyfleet-reconcile2:1", "of a name alike", ON_OURS),
    Row("schedule", True, "iam:PassRole", PASSED[0], "with the controller's rights", TO_TASKS),
    Row("schedule", True, "iam:PassRole", PASSED[1], "and what starts it", TO_TASKS),
    Row("schedule", False, "iam:PassRole", f"{IAM}:role/admin", "as administrator", TO_TASKS),
    Row("schedule", False, "iam:PassRole", PASSED[0], "to a machine", {"iam:PassedToService": "ec2.amazonaws.com"}),
    Row("schedule", True, "sqs:SendMessage", UNSTARTED, "tells what did not start"),
    Row("schedule", False, "sqs:SendMessage", NAMES.queue_arn, "forges a notice"),
    Row("schedule", False, "ecs:StopTask", f"arn:aws:ecs:{HERE}:task/steadyfleet-reconcile/0a1b", "stops a tick"),
    Row("schedule", False, "ec2:TerminateInstances", ME, "ends a machine itself", tagged()),
)

STARTER = (
    Row("starter", True, "ecr:GetAuthorizationToken", "*", "logs in to fetch"),
    Row("starter", True, "ecr:BatchGetImage", OUR_IMAGE, "fetches the image"),
    Row("starter", False, "ecr:BatchGetImage", f"{OUR_IMAGE}-secret", "fetches another"),
    Row("starter", False, "ecr:PutImage", OUR_IMAGE, "replaces it"),
    Row("starter", True, "logs:CreateLogStream", LOG, "opens the log"),
    Row("starter", True, "logs:PutLogEvents", LOG, "writes it"),
    Row("starter", False, "logs:PutLogEvents", LOG.replace("/steadyfleet/", "/payments/"), "writes another's log"),
    Row("starter", False, "logs:DeleteLogGroup", LOG.partition(":log-stream")[0], "removes it"),
    Row("starter", True, "secretsmanager:GetSecretValue", SECRET, "reads the backend's secret"),
    Row("starter", False, "secretsmanager:GetSecretValue", SECRET.replace("wandb", "payroll"), "reads another"),
    Row("starter", False, "ec2:TerminateInstances", ME, "acts as the controller", tagged()),
)

TASK = (
    Row("scheduled task", True, "ec2:TerminateInstances", ME, "ends a replaced machine", tagged()),
    Row("scheduled task", True, "dynamodb:PutItem", NAMES.table_arn, "writes an order", keys("fleet#demo")),
    Row("scheduled task", True, "s3:PutObject", STATE, "writes its stack"),
    Row("scheduled task", True, "s3:GetObject", STATE, "reads it"),
    Row("scheduled task", True, "s3:DeleteObject", f"{BUCKET}/training/.pulumi/locks/x.json", "lets its lock go"),
    Row("scheduled task", True, "s3:ListBucket", BUCKET, "learns what is not there"),
    Row("scheduled task", False, "s3:ListBucket", "arn:aws:s3:::payroll", "lists another bucket"),
    Row("scheduled task", False, "s3:GetObject", f"{BUCKET}/.pulumi/stacks/web/prod.json", "reads another's stack"),
    Row("scheduled task", False, "s3:DeleteObjectVersion", STATE, "forgets what the stack was"),
    Row("scheduled task", False, "s3:DeleteBucket", BUCKET, "removes the backend"),
    Row("scheduled task", False, "iam:CreateRole", f"{IAM}:role/x", "makes a role"),
    Row("scheduled task", False, "ec2:TerminateInstances", f"{EC2}:instance/i-0ccc", "ends the database"),
    Row("scheduled task", False, "ecs:RunTask", OURS, "starts itself again", ON_OURS),
)

ROWS = (*SCHEDULE, *STARTER, *TASK)
