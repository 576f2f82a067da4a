"""The table, part two: the controller, and who deploys a fleet's stack."""

from __future__ import annotations

from tests.stacks.evaluator import Value
from tests.stacks.roles import EC2, IAM, ME, NAMES, Row, keys, requested, tagged

RUNS = f"{NAMES.bucket_arn}/runs"
OBJECT = f"{RUNS}/demo/r/e000001-s000000000120-ab12/model.bin"
MANIFEST = f"{RUNS}/demo/r/e000001-s000000000120-ab12/manifest.json"
IMAGE, NEW = "arn:aws:ec2:us-east-1::image/ami-0abc", f"{EC2}:instance/*"
VOLUME, GROUP = f"{EC2}:volume/*", f"{EC2}:security-group/sg-0abc"
ROLE, PROFILE = f"{IAM}:role/steadyfleet/nodes/demo", f"{IAM}:instance-profile/steadyfleet/nodes/demo"
ADMIN, BOUNDARY = f"{IAM}:role/admin", f"{IAM}:policy/steadyfleet-boundary"
TO_EC2 = {"iam:PassedToService": "ec2.amazonaws.com"}
SAFE = {"ec2:MetadataHttpTokens": "required", "ec2:InstanceProfile": PROFILE}
CREATING = "RunInstances"
BOTH = ["Name", "steady:owner"]


def launch(**changed: str) -> dict[str, Value]:
    return {**requested(**changed), **SAFE}


def retag(*names: str, **changed: str) -> dict[str, Value]:
    return {**tagged(**changed), "aws:TagKeys": [f"steady:{name}" for name in names]}


LAUNCHES = (
    Row("controller", True, "ec2:RunInstances", NEW, "launches a tagged machine with IMDSv2", launch()),
    Row("controller", True, "ec2:RunInstances", VOLUME, "with its tagged disk", requested()),
    Row("controller", True, "ec2:RunInstances", IMAGE, "from an image"),
    Row("controller", True, "ec2:RunInstances", f"{EC2}:subnet/subnet-0a", "into a subnet"),
    Row("controller", True, "ec2:RunInstances", GROUP, "into a security group"),
    Row("controller", True, "ec2:RunInstances", f"{EC2}:network-interface/*", "with an interface"),
    Row("controller", True, "ec2:RunInstances", f"{EC2}:spot-instances-request/*", "as spot"),
    Row("controller", False, "ec2:RunInstances", NEW, "a machine nobody will find", SAFE),
    Row("controller", False, "ec2:RunInstances", NEW, "a machine of no fleet", launch(fleet="")),
    Row(
        "controller", False, "ec2:RunInstances", NEW, "a machine in another owner's name", launch(owner="sf-other")
    ),
    Row(
        "controller",
        False,
        "ec2:RunInstances",
        NEW,
        "a machine with IMDSv1",
        launch() | {"ec2:MetadataHttpTokens": "optional"},
    ),
    Row("controller", False, "ec2:RunInstances", NEW, "a machine that says nothing of IMDS", requested()),
    Row(
        "controller",
        False,
        "ec2:RunInstances",
        NEW,
        "a machine with the administrator's profile",
        launch() | {"ec2:InstanceProfile": f"{IAM}:instance-profile/admin"},
    ),
    Row("controller", False, "ec2:RunInstances", VOLUME, "a disk nobody will find"),
    Row("controller", False, "ec2:RunInstances", f"{EC2}:key-pair/laptop", "a machine open to somebody's key"),
    Row("controller", False, "ec2:RunInstances", NEW.replace("us-east-1", "eu-west-1"), "elsewhere", launch()),
    Row("controller", True, "iam:PassRole", ROLE, "hands a node its role", TO_EC2),
    Row("controller", False, "iam:PassRole", ADMIN, "hands out the administrator's role", TO_EC2),
    Row("controller", False, "iam:PassRole", ROLE, "hands it to a function", {"iam:PassedToService": "lambda"}),
    Row("controller", False, "iam:PassRole", ROLE, "hands it to nobody in particular"),
)

TAGS = (
    Row("controller", True, "ec2:CreateTags", NEW, "tags in creation", requested(ec2__CreateAction=CREATING)),
    Row("controller", True, "ec2:CreateTags", VOLUME, "and its disk", requested(ec2__CreateAction=CREATING)),
    Row("controller", False, "ec2:CreateTags", ME, "adopts a foreign machine", requested()),
    Row(
        "controller",
        False,
        "ec2:CreateTags",
        NEW,
        "creates by another call",
        requested(ec2__CreateAction="CreateFleet"),
    ),
    Row("controller", True, "ec2:CreateTags", ME, "writes the state", retag("state", "run", "fingerprint")),
    Row("controller", False, "ec2:CreateTags", ME, "gives a machine away", retag("owner")),
    Row("controller", False, "ec2:CreateTags", ME, "moves it to another fleet", retag("state", "fleet")),
    Row("controller", True, "ec2:CreateTags", ME, "puts a node's tags back", retag("pool", "node", "incarnation")),
    Row("controller", True, "ec2:CreateTags", ME, "and its name", {**tagged(), "aws:TagKeys": ["Name"]}),
    Row("controller", False, "ec2:CreateTags", ME, "of a foreign machine", retag("node", owner="sf-other")),
    Row("controller", False, "ec2:CreateTags", ME, "with its owner among them", retag("node", "owner")),
    Row("controller", True, "ec2:DeleteTags", ME, "takes a stray tag off", {**tagged(), "aws:TagKeys": ["mine"]}),
    Row("controller", False, "ec2:DeleteTags", ME, "takes one of ours with it", {**tagged(), "aws:TagKeys": BOTH}),
    Row("controller", False, "ec2:CreateTags", ME, "tags a foreign machine", retag("state", owner="sf-other")),
    Row("controller", False, "ec2:CreateTags", ME, "tags an untagged one", retag("state", owner="", fleet="")),
    Row("controller", False, "ec2:CreateTags", ME, "tags without a key in the call", tagged()),
    Row("controller", False, "ec2:DeleteTags", ME, "hides a machine", retag("state")),
)

MACHINES = (
    Row("controller", True, "ec2:StopInstances", ME, "stops an idle machine", tagged()),
    Row("controller", True, "ec2:StartInstances", ME, "starts it again", tagged()),
    Row("controller", True, "ec2:TerminateInstances", ME, "ends a replaced one", tagged()),
    Row("controller", False, "ec2:TerminateInstances", ME, "ends the company's database"),
    Row("controller", False, "ec2:TerminateInstances", ME, "ends another owner's", tagged(owner="sf-other")),
    Row("controller", False, "ec2:StopInstances", ME, "stops what is of no fleet", tagged(fleet="")),
    Row("controller", False, "ec2:StartInstances", ME, "starts a foreign one", tagged(owner="sf-other")),
    Row("controller", True, "ec2:DescribeInstances", "*", "observes"),
    Row("controller", True, "ec2:DescribeInstanceStatus", "*", "asks its second witness"),
    Row("controller", False, "ec2:DescribeInstances", "*", "elsewhere", {"aws:RequestedRegion": "eu-west-1"}),
    Row("controller", False, "ec2:ModifyInstanceAttribute", ME, "puts its own user data in", tagged()),
    Row("controller", False, "ec2:ModifyInstanceMetadataOptions", ME, "opens IMDSv1 again", tagged()),
    Row("controller", False, "ec2:GetPasswordData", ME, "takes a password", tagged()),
    Row("controller", False, "iam:CreateRole", ROLE, "makes roles", {"iam:PermissionsBoundary": BOUNDARY}),
    Row("controller", False, "iam:PutRolePolicy", ROLE, "widens one", {"iam:PermissionsBoundary": BOUNDARY}),
    Row("controller", False, "iam:CreateAccessKey", f"{IAM}:user/eve", "leaves a key behind"),
    Row("controller", True, "iam:GetRole", ROLE, "refreshes what a node depends on"),
    Row("controller", True, "iam:GetRolePolicy", ROLE, "compares what machines share"),
    Row("controller", False, "iam:GetRolePolicy", ADMIN, "reads the administrator's"),
)

STATE = (
    Row("controller", True, "dynamodb:PutItem", NAMES.table_arn, "writes an order", keys("fleet#demo")),
    Row("controller", True, "dynamodb:Query", NAMES.index_arn, "reads all reports", keys("fleet#demo")),
    Row("controller", True, "dynamodb:DeleteItem", NAMES.table_arn, "lets its lease go", keys("fleet#demo")),
    Row("controller", False, "dynamodb:DeleteTable", NAMES.table_arn, "removes the tracker"),
    Row("controller", False, "dynamodb:PutItem", f"{NAMES.table_arn}2", "writes another table"),
    Row("controller", True, "dynamodb:Query", NAMES.node_index_arn, "tells why of one node"),
    Row("controller", True, "s3:GetObject", MANIFEST, "reads a manifest"),
    Row("controller", False, "s3:GetObject", OBJECT, "reads weights"),
    Row("controller", False, "s3:PutObject", OBJECT, "forges weights"),
    Row("controller", False, "s3:PutObject", MANIFEST, "forges a manifest", {"s3:if-none-match": "*"}),
    Row("controller", True, "s3:DeleteObject", OBJECT, "prunes"),
    Row("controller", False, "s3:DeleteObjectVersion", OBJECT, "prunes past recovery"),
    Row("controller", False, "s3:DeleteObject", f"{NAMES.bucket_arn}/bundles/9f/x.zip", "removes software"),
    Row("controller", True, "s3:ListBucket", NAMES.bucket_arn, "looks for torn ones", {"s3:prefix": "runs/demo/"}),
    Row("controller", False, "s3:ListBucket", NAMES.bucket_arn, "lists everything"),
    Row("controller", True, "s3:ListBucketMultipartUploads", NAMES.bucket_arn, "finds abandoned uploads"),
    Row("controller", True, "s3:AbortMultipartUpload", OBJECT, "and gives them up"),
    Row("controller", False, "s3:DeleteBucket", NAMES.bucket_arn, "removes the bucket"),
    Row("controller", True, "sqs:ReceiveMessage", NAMES.queue_arn, "hears a notice"),
    Row("controller", True, "sqs:DeleteMessage", NAMES.queue_arn, "has heard it"),
    Row("controller", True, "sqs:SendMessage", NAMES.queue_arn, "wakes another controller"),
    Row("controller", False, "sqs:PurgeQueue", NAMES.queue_arn, "silences all notices"),
)

BOUND = {"iam:PermissionsBoundary": BOUNDARY}
LOOSE = {"iam:PermissionsBoundary": f"{IAM}:policy/admin"}
GROUP_TAGS = requested(ec2__CreateAction="CreateSecurityGroup")
ANY = "deployer with everything"

DEPLOYER = (
    Row("deployer", True, "iam:CreateRole", ROLE, "makes a fleet's role", BOUND),
    Row("deployer", False, "iam:CreateRole", ROLE, "makes one without a boundary"),
    Row("deployer", False, "iam:CreateRole", ROLE, "makes one with a boundary of its own", LOOSE),
    Row("deployer", False, "iam:CreateRole", ADMIN, "makes one elsewhere", BOUND),
    Row("deployer", False, "iam:CreateRole", f"{IAM}:role/steadyfleet/x", "makes one beside the nodes'", BOUND),
    Row("deployer", True, "iam:PutRolePolicy", ROLE, "writes its policy", BOUND),
    Row("deployer", False, "iam:PutRolePolicy", ROLE, "on a role that lost its boundary"),
    Row("deployer", False, "iam:PutRolePolicy", f"{IAM}:role/steadyfleet-controller", "widens the controller"),
    Row("deployer", True, "iam:AttachRolePolicy", ROLE, "adds a policy that the spec names", BOUND),
    Row("deployer", False, "iam:UpdateAssumeRolePolicy", ROLE, "lets itself take a node's role"),
    Row("deployer", True, "iam:DeleteRole", ROLE, "removes a fleet"),
    Row("deployer", True, "iam:CreateInstanceProfile", PROFILE, "makes its profile"),
    Row("deployer", True, "iam:AddRoleToInstanceProfile", PROFILE, "puts the role in"),
    Row("deployer", False, "iam:AddRoleToInstanceProfile", f"{IAM}:instance-profile/x", "into another's profile"),
    Row("deployer", False, "iam:DeleteRolePermissionsBoundary", ROLE, "takes the boundary off", BOUND),
    Row("deployer", False, "iam:PutRolePermissionsBoundary", ROLE, "changes it for a wider one", LOOSE),
    Row(ANY, False, "iam:DeleteRolePermissionsBoundary", ROLE, "a generous policy lifts no boundary", BOUND),
    Row(ANY, False, "iam:PutRolePermissionsBoundary", ROLE, "nor widens it", LOOSE),
    Row(ANY, False, "iam:CreateRole", ADMIN, "nor makes roles without it"),
    Row(ANY, False, "iam:CreatePolicyVersion", BOUNDARY, "nor rewrites the boundary"),
    Row(ANY, False, "iam:SetDefaultPolicyVersion", BOUNDARY, "nor goes back to an older one"),
    Row(ANY, False, "iam:DeletePolicy", BOUNDARY, "nor removes it"),
    Row(ANY, False, "iam:CreateUser", f"{IAM}:user/eve", "nor makes users"),
    Row(ANY, False, "iam:CreateAccessKey", f"{IAM}:user/ann", "nor keys"),
    Row(ANY, False, "iam:CreateLoginProfile", f"{IAM}:user/ann", "nor passwords"),
    Row("deployer", True, "ec2:CreateSecurityGroup", GROUP, "makes a tagged group", requested()),
    Row("deployer", True, "ec2:CreateSecurityGroup", f"{EC2}:vpc/vpc-0a", "in a network"),
    Row("deployer", True, "ec2:CreateTags", GROUP, "tags it in creation", GROUP_TAGS),
    Row("deployer", False, "ec2:CreateSecurityGroup", GROUP, "makes one nobody will find"),
    Row("deployer", True, "ec2:AuthorizeSecurityGroupIngress", GROUP, "lets ranks talk", tagged()),
    Row("deployer", False, "ec2:AuthorizeSecurityGroupIngress", GROUP, "opens a foreign group"),
    Row("deployer", False, "ec2:DeleteSecurityGroup", GROUP, "removes another's", tagged(owner="sf-other")),
    Row("deployer", True, "ec2:CreateTags", ME, "restores a name", {**tagged(), "aws:TagKeys": ["Name"]}),
    Row("deployer", False, "ec2:CreateTags", ME, "gives a machine away", retag("owner")),
    Row("deployer", False, "ec2:DeleteTags", ME, "hides a machine", {**tagged(), "aws:TagKeys": ["steady:owner"]}),
    Row("deployer", False, "ec2:DeleteTags", ME, "hides it among others", {**tagged(), "aws:TagKeys": BOTH}),
    Row("deployer", True, "ec2:ReplaceIamInstanceProfileAssociation", ME, "changes a profile", tagged()),
    Row("deployer", True, "ec2:RunInstances", NEW, "makes machines as the controller does", launch()),
    Row("deployer", True, "dynamodb:PutItem", NAMES.table_arn, "takes a fleet's stake", keys("fleet#demo")),
    Row("deployer", True, "dynamodb:UpdateItem", NAMES.table_arn, "changes it", keys("fleet#demo")),
    Row("deployer", True, "dynamodb:GetItem", NAMES.table_arn, "refreshes it", keys("fleet#demo")),
    Row("deployer", True, "dynamodb:DeleteItem", NAMES.table_arn, "leaves it", keys("fleet#demo")),
    Row(
        "deployer", False, "dynamodb:PutItem", f"{NAMES.table_arn}2", "takes a stake elsewhere", keys("fleet#demo")
    ),
    Row("node", False, "dynamodb:PutItem", NAMES.table_arn, "takes its fleet's stake", keys("fleet#demo")),
    Row("node", False, "dynamodb:DeleteItem", NAMES.table_arn, "leaves it for everybody", keys("fleet#demo")),
    Row("deployer", False, "ec2:DeleteVpc", f"{EC2}:vpc/vpc-0a", "removes the network"),
)

ROWS = (*LAUNCHES, *TAGS, *MACHINES, *STATE, *DEPLOYER)
