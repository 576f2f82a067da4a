"""The table, part one: nodes, their boundary, the bucket and the queue."""

from __future__ import annotations

from tests.stacks.roles import BUNDLE, EC2, IAM, ME, NAMES, OTHER, SECRET, SHORT, Row, keys

RUNS = f"{NAMES.bucket_arn}/runs"
OURS = f"{RUNS}/demo/demo.trainers.main.0/e000001-s000000000120-ab12"
MANIFEST = f"{OURS}/manifest.json"
TABLE, INDEX = NAMES.table_arn, NAMES.index_arn
MINE, THEIRS, FLEET = f"node#{ME}", f"node#{OTHER}", "fleet#demo"
ONCE = {"s3:if-none-match": "*", "s3:ObjectCreationOperation": "true"}
PLAIN = {"s3:ObjectCreationOperation": "true"}
RULE = "arn:aws:events:us-east-1:123456789012:rule/steadyfleet-spot"
EVENTS = "events.amazonaws.com"

CHECKPOINTS = (
    Row("node", True, "s3:PutObject", f"{OURS}/model.bin", "ships a checkpoint's objects", PLAIN),
    Row("node", True, "s3:GetObject", f"{OURS}/model.bin", "restores from one"),
    Row("node", True, "s3:AbortMultipartUpload", f"{OURS}/model.bin", "gives up an upload before a deadline"),
    Row("node", True, "s3:ListMultipartUploadParts", f"{OURS}/model.bin", "goes on with an upload"),
    Row("node", True, "s3:ListBucket", NAMES.bucket_arn, "looks below its prefix", {"s3:prefix": "runs/demo/x/"}),
    Row("node", True, "s3:PutObject", MANIFEST, "finishes a checkpoint, once", ONCE),
    Row("node", False, "s3:PutObject", MANIFEST, "puts a manifest over another", PLAIN),
    Row("node", False, "s3:GetObject", f"{RUNS}/demo2/r/model.bin", "reads a fleet whose name begins alike"),
    Row("node", False, "s3:GetObject", f"{RUNS}/llm/r/model.bin", "steals another fleet's weights"),
    Row("node", False, "s3:PutObject", f"{RUNS}/llm/r/model.bin", "poisons another fleet's weights", PLAIN),
    Row("node", False, "s3:DeleteObject", f"{OURS}/model.bin", "destroys its own checkpoints"),
    Row("node", False, "s3:DeleteObjectVersion", f"{OURS}/model.bin", "destroys what versioning kept"),
    Row("node", False, "s3:PutObjectAcl", f"{OURS}/model.bin", "makes a checkpoint public"),
    Row("node", False, "s3:ListBucket", NAMES.bucket_arn, "lists the whole bucket"),
    Row("node", False, "s3:ListBucket", NAMES.bucket_arn, "lists the root", {"s3:prefix": ""}),
    Row("node", False, "s3:ListBucket", NAMES.bucket_arn, "lists all runs", {"s3:prefix": "runs/"}),
    Row("node", False, "s3:ListBucket", NAMES.bucket_arn, "lists two at once", {"s3:prefix": "runs/demo"}),
    Row("node", False, "s3:ListBucket", NAMES.bucket_arn, "lists another fleet", {"s3:prefix": "runs/llm/"}),
    Row("node", False, "s3:ListBucketMultipartUploads", NAMES.bucket_arn, "sees every fleet's uploads"),
    Row("node", False, "s3:PutBucketPolicy", NAMES.bucket_arn, "opens the bucket"),
    Row("node", True, "s3:GetObject", f"{NAMES.bucket_arn}/{BUNDLE}", "installs its software"),
    Row("node", True, "s3:GetObject", f"{NAMES.bucket_arn}/bundles/current", "learns which software is current"),
    Row("node", False, "s3:PutObject", f"{NAMES.bucket_arn}/bundles/current", "decides what others install", PLAIN),
    Row("node", False, "s3:GetObject", f"{NAMES.bucket_arn}/bundles", "reads beside the bundles"),
    Row("node", False, "s3:ListBucket", NAMES.bucket_arn, "lists all software", {"s3:prefix": "bundles/"}),
    Row("node", False, "s3:PutObject", f"{NAMES.bucket_arn}/{BUNDLE}", "replaces everybody's software", PLAIN),
    Row("node", False, "s3:GetObject", "arn:aws:s3:::payroll/2026.csv", "reads a bucket of the company"),
    Row("node", False, "s3:GetObject", f"{OURS}/model.bin", "reads in the clear", {"aws:SecureTransport": "false"}),
)

ROWS_OF_THE_TRACKER = (
    Row("node", True, "dynamodb:Query", TABLE, "reads its orders", keys(FLEET)),
    Row("node", True, "dynamodb:BatchGetItem", TABLE, "reads orders and reports at once", keys(FLEET, MINE)),
    Row("node", True, "dynamodb:GetItem", TABLE, "reads its last report", keys(MINE)),
    Row("node", True, "dynamodb:PutItem", TABLE, "writes a receipt", keys(MINE)),
    Row("node", True, "dynamodb:UpdateItem", TABLE, "writes its report", keys(MINE)),
    Row("node", True, "dynamodb:ConditionCheckItem", TABLE, "fences a write by its own row", keys(MINE)),
    Row("node", False, "dynamodb:PutItem", TABLE, "gives itself an order", keys(FLEET)),
    Row("node", False, "dynamodb:UpdateItem", TABLE, "reports in another's name", keys(THEIRS)),
    Row("node", False, "dynamodb:PutItem", TABLE, "smuggles another's row into a batch", keys(MINE, THEIRS)),
    Row("node", False, "dynamodb:PutItem", TABLE, "writes without a key in the call"),
    Row("node", False, "dynamodb:GetItem", TABLE, "reads another's rows", keys(THEIRS)),
    Row("node", False, "dynamodb:GetItem", TABLE, "reads a longer name", keys(f"{MINE}b")),
    Row("node", False, "dynamodb:Query", TABLE, "reads another fleet", keys("fleet#llm")),
    Row("node", False, "dynamodb:Query", TABLE, "reads a fleet named alike", keys("fleet#demo2")),
    Row("node", False, "dynamodb:BatchGetItem", TABLE, "adds another fleet to a batch", keys(FLEET, "fleet#llm")),
    Row("node", False, "dynamodb:Query", TABLE, "reads without a key"),
    Row("node", False, "dynamodb:Scan", TABLE, "reads the whole table"),
    Row("node", False, "dynamodb:Scan", TABLE, "scans with a key in the call", keys(FLEET)),
    Row("node", False, "dynamodb:DeleteItem", TABLE, "removes its history", keys(MINE)),
    Row("node", False, "dynamodb:DeleteTable", TABLE, "removes everything"),
    Row("node", False, "dynamodb:PartiQLSelect", TABLE, "goes round by PartiQL", keys(THEIRS)),
    Row("node", False, "dynamodb:Query", INDEX, "reads the index without need", keys(FLEET)),
    Row("gang node", True, "dynamodb:Query", INDEX, "sees a peer's notice", keys(FLEET)),
    Row("gang node", False, "dynamodb:Query", INDEX, "sees another fleet's", keys("fleet#llm")),
    Row("gang node", False, "dynamodb:Query", INDEX, "reads the index without a key"),
    Row("gang node", False, "dynamodb:Scan", INDEX, "reads the whole index", keys(FLEET)),
    Row("gang node", False, "dynamodb:PutItem", TABLE, "writes for a peer", keys(THEIRS)),
)

V1 = {"ec2:RoleDelivery": "1.0"}
OUTSIDE: dict[str, list[str]] = {"ec2:SourceInstanceARN": []}

CREDENTIALS = (
    Row("node", False, "s3:GetObject", f"{OURS}/model.bin", "credentials forged out by IMDSv1", V1),
    Row("node", False, "dynamodb:PutItem", TABLE, "the same, at the tracker", {**keys(MINE), **V1}),
    Row("node", False, "dynamodb:PutItem", TABLE, "claims a machine it is not", {**keys(MINE), **OUTSIDE}),
    Row("node", True, "secretsmanager:GetSecretValue", SECRET, "fetches a secret of its spec"),
    Row("node", False, "secretsmanager:GetSecretValue", f"{SECRET}2", "fetches one not named"),
    Row("node", False, "secretsmanager:PutSecretValue", SECRET, "changes a secret"),
    Row(
        "node",
        True,
        "secretsmanager:GetSecretValue",
        f"{SHORT}-XyZ123",
        "fetches one whose ending its spec left out",
    ),
    Row("node", False, "secretsmanager:GetSecretValue", f"{SHORT}-prod-XyZ123", "fetches one with a longer name"),
    Row("gang node", False, "secretsmanager:GetSecretValue", SECRET, "its spec names none"),
    Row("node", False, "ec2:TerminateInstances", ME, "ends even itself: it powers off instead"),
    Row("node", False, "ec2:CreateTags", ME, "moves itself into another fleet"),
    Row("node", False, "ec2:DescribeInstances", "*", "maps the account"),
    Row("node", False, "ssm:GetParameter", "arn:aws:ssm:us-east-1:123456789012:parameter/db", "reads parameters"),
    Row("node", False, "sqs:SendMessage", NAMES.queue_arn, "forges a notice"),
    Row("node", False, "sqs:ReceiveMessage", NAMES.queue_arn, "swallows notices"),
    Row("node", False, "sts:AssumeRole", f"{IAM}:role/admin", "takes another role"),
    Row("node", False, "iam:PassRole", f"{IAM}:role/steadyfleet/nodes/demo", "hands its role on"),
)

BOUNDED = (
    Row("node with everything", True, "s3:GetObject", f"{OURS}/model.bin", "the boundary is wide enough"),
    Row("node with everything", True, "dynamodb:Query", TABLE, "and for orders", keys(FLEET)),
    Row("node with everything", True, "secretsmanager:GetSecretValue", SECRET, "and for secrets"),
    Row("node with everything", False, "dynamodb:PutItem", TABLE, "still not another's row", keys(THEIRS)),
    Row("node with everything", False, "dynamodb:PutItem", TABLE, "still no orders", keys(FLEET)),
    Row("node with everything", False, "dynamodb:Query", TABLE, "still not another's rows", keys(THEIRS)),
    Row("node with everything", False, "dynamodb:Scan", TABLE, "still no scan"),
    Row("node with everything", False, "s3:DeleteObject", f"{OURS}/model.bin", "still no deletion"),
    Row("node with everything", False, "s3:GetObject", "arn:aws:s3:::payroll/2026.csv", "still no other bucket"),
    Row("node with everything", False, "iam:CreateUser", f"{IAM}:user/eve", "still no identity of its own"),
    Row("node with everything", False, "ec2:RunInstances", f"{EC2}:instance/*", "still no machines"),
    Row("node with everything", False, "sts:AssumeRole", f"{IAM}:role/admin", "still no other role"),
    Row("node with everything", False, "s3:GetObject", f"{OURS}/model.bin", "still no IMDSv1", V1),
    Row("node without its boundary", False, "s3:GetObject", f"{OURS}/model.bin", "IMDSv1 is refused twice", V1),
    Row("node without its boundary", True, "s3:GetObject", f"{OURS}/model.bin", "the role suffices by itself"),
)

OURS_SENDS = {"aws:SourceArn": RULE, "aws:SourceAccount": "123456789012"}
FOREIGN = {"aws:SourceArn": RULE.replace("123456789012", "666666666666"), "aws:SourceAccount": "666666666666"}
STRAY = {"aws:SourceArn": RULE.replace("steadyfleet-", "billing-"), "aws:SourceAccount": "123456789012"}
POSING = {"aws:SourceArn": RULE, "aws:SourceAccount": "666666666666"}
CLEAR = {"aws:SecureTransport": "false"}
PART = {"s3:ObjectCreationOperation": "false"}

RESOURCES = (
    Row("nobody", True, "sqs:SendMessage", NAMES.queue_arn, "our rule reports a notice", OURS_SENDS, EVENTS),
    Row("nobody", False, "sqs:SendMessage", NAMES.queue_arn, "another account's rule", FOREIGN, EVENTS),
    Row("nobody", False, "sqs:SendMessage", NAMES.queue_arn, "another account posing as ours", POSING, EVENTS),
    Row("nobody", False, "sqs:SendMessage", NAMES.queue_arn, "a rule of another tool", STRAY, EVENTS),
    Row("nobody", False, "sqs:SendMessage", NAMES.queue_arn, "a rule that says not whose", {}, EVENTS),
    Row("nobody", False, "sqs:SendMessage", NAMES.queue_arn, "another service", OURS_SENDS, "sns.amazonaws.com"),
    Row("nobody", False, "sqs:ReceiveMessage", NAMES.queue_arn, "events are sent, not read", OURS_SENDS, EVENTS),
    Row("nobody", False, "s3:GetObject", MANIFEST, "the bucket's policy opens nothing"),
    Row("administrator", False, "s3:GetObject", MANIFEST, "TLS binds everybody", CLEAR),
    Row("administrator", False, "sqs:PurgeQueue", NAMES.queue_arn, "at the queue too", CLEAR),
    Row("administrator", False, "s3:PutObject", MANIFEST, "so does writing manifests once", PLAIN),
    Row("administrator", True, "s3:PutObject", MANIFEST, "a part takes no such header", PART),
    Row("administrator", True, "s3:PutObject", f"{OURS}/model.bin", "objects may be sent again", PLAIN),
)

ROWS = (*CHECKPOINTS, *ROWS_OF_THE_TRACKER, *CREDENTIALS, *BOUNDED, *RESOURCES)
