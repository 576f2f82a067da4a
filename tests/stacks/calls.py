"""What our adapters ask of AWS, as IAM sees it: calls are listened to and become actions on resources."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from lifecycle.adapters.aws.session import Session
from stacks.names import Names
from tests.stacks.evaluator import Call, Value

Parameters = Mapping[str, Any]


class Asked(NamedTuple):
    """One call as it was made."""

    service: str
    operation: str
    parameters: Parameters


def listening(session: Session, heard: list[Asked]) -> Session:
    """The session, whose clients' calls are noted from now on."""
    client = session._client

    def made(service: str, *how: Any) -> Any:
        found = client(service, *how)
        found.meta.events.register(
            "provide-client-params",
            lambda params, model, **_: heard.append(Asked(service, model.name, dict(params))),
        )
        return found

    session._client = made  # type: ignore[method-assign]
    return session


def as_iam_sees(asked: Asked, names: Names, owner: str) -> Iterator[Call]:
    """The actions that the call needs, each on its resource. Raises KeyError for an operation nobody wrote down."""
    yield from _BY_SERVICE[asked.service](asked.operation, asked.parameters, names, owner)


def _sts(operation: str, *_: Any) -> Iterator[Call]:
    """GetCallerIdentity needs no right."""
    assert operation == "GetCallerIdentity"
    yield from ()


# ---- DynamoDB ------------------------------------------------------------------------------------


def _dynamodb(operation: str, asked: Parameters, names: Names, _: str) -> Iterator[Call]:
    if operation == "TransactWriteItems":
        for item in asked["TransactItems"]:
            ((verb, part),) = item.items()
            yield _row(_VERBS[verb], part, names)
    elif operation == "BatchGetItem":
        (part,) = asked["RequestItems"].values()
        keys = [key["pk"]["S"] for key in part["Keys"]]
        yield Call("dynamodb:BatchGetItem", names.table_arn, {"dynamodb:LeadingKeys": keys})
    elif operation == "Query":
        leading = [asked["ExpressionAttributeValues"][":partition"]["S"]]
        index = asked.get("IndexName")
        where = f"{names.table_arn}/index/{index}" if index else names.table_arn
        yield Call("dynamodb:Query", where, {"dynamodb:LeadingKeys": leading})
    elif operation == "DescribeTable":
        yield Call("dynamodb:DescribeTable", names.table_arn)
    else:
        yield _row(_SINGLE[operation], asked, names)


_VERBS = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}
_SINGLE = {name: name for name in ("GetItem", "PutItem", "UpdateItem", "DeleteItem")}


def _row(action: str, part: Parameters, names: Names) -> Call:
    key = part.get("Key") or part["Item"]
    return Call(f"dynamodb:{action}", names.table_arn, {"dynamodb:LeadingKeys": [key["pk"]["S"]]})


# ---- S3 ------------------------------------------------------------------------------------------

_ON_OBJECTS = {
    "AbortMultipartUpload": ("AbortMultipartUpload", {}),
    "CompleteMultipartUpload": ("PutObject", {"s3:ObjectCreationOperation": "true"}),
    "CreateMultipartUpload": ("PutObject", {"s3:ObjectCreationOperation": "false"}),
    "GetObject": ("GetObject", {}),
    "HeadObject": ("GetObject", {}),
    "ListParts": ("ListMultipartUploadParts", {}),
    "PutObject": ("PutObject", {"s3:ObjectCreationOperation": "true"}),
    "UploadPart": ("PutObject", {"s3:ObjectCreationOperation": "false"}),
}


def _s3(operation: str, asked: Parameters, names: Names, _: str) -> Iterator[Call]:
    if operation == "ListObjectsV2":
        yield Call("s3:ListBucket", names.bucket_arn, {"s3:prefix": asked.get("Prefix", "")})
    elif operation == "ListMultipartUploads":
        yield Call("s3:ListBucketMultipartUploads", names.bucket_arn)
    elif operation == "DeleteObjects":
        for each in asked["Delete"]["Objects"]:
            yield Call("s3:DeleteObject", names.objects(each["Key"]))
    else:
        action, context = _ON_OBJECTS[operation]
        once = {"s3:if-none-match": asked["IfNoneMatch"]} if "IfNoneMatch" in asked else {}
        yield Call(f"s3:{action}", names.objects(asked["Key"]), {**context, **once})


# ---- EC2, SQS ------------------------------------------------------------------------------------


def _ec2(operation: str, asked: Parameters, names: Names, owner: str) -> Iterator[Call]:
    """What is done to an instance is done to one that carries our tags: the adapter has proven it."""
    if operation.startswith("Describe"):
        yield Call(f"ec2:{operation}", "*")
        return
    tags: dict[str, Value] = {"aws:ResourceTag/steady:owner": owner, "aws:ResourceTag/steady:fleet": "f"}
    if operation == "CreateTags":
        tags["aws:TagKeys"] = [tag["Key"] for tag in asked["Tags"]]
    for instance in asked.get("InstanceIds") or asked["Resources"]:
        yield Call(f"ec2:{operation}", f"{names.ec2('instance').removesuffix('*')}{instance}", tags)


def _sqs(operation: str, _: Parameters, names: Names, __: str) -> Iterator[Call]:
    yield Call(f"sqs:{operation.removesuffix('Batch')}", names.queue_arn)


_BY_SERVICE: dict[str, Callable[[str, Parameters, Names, str], Iterator[Call]]] = {
    "dynamodb": _dynamodb,
    "ec2": _ec2,
    "s3": _s3,
    "sqs": _sqs,
    "sts": _sts,
}
