"""Every call that our adapters make of AWS is one that the role which makes it may make.

The adapters work on the AWS double, which allows everything; what they asked is then put before the evaluator.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from moto.moto_api._internal import moto_api_backend

from lifecycle.adapters.aws import preflight
from lifecycle.adapters.aws.objects import S3Store
from lifecycle.adapters.aws.session import Session
from lifecycle.adapters.aws.table import DynamoTable
from lifecycle.model import tags
from lifecycle.model.errors import Conflict, Unreadable
from lifecycle.model.fleet import Aws, Market
from lifecycle.model.ids import NodeName
from lifecycle.model.money import Choice
from lifecycle.system.processes import myself
from lifecycle.tracker.node import NodeTracker
from lifecycle.tracker.updates import UpdateLog
from stacks.names import Names
from stacks.operators import controller_machines, controller_state
from stacks.policies import boundary, bucket_policy, node_policy, queue_policy
from tests.builders import a_receipt, a_report, but
from tests.contracts.object_store import Abandoned, give_up, nothing
from tests.contracts.s3 import MIB, written
from tests.doubles import ground
from tests.doubles.aws import ACCOUNT, REGION, AwsDouble
from tests.doubles.troupe import Troupe
from tests.stacks.calls import Asked, as_iam_sees, listening
from tests.stacks.evaluator import Call, Verdict, decide
from tests.stacks.roles import Role

NAMES = Names(
    partition="aws",
    account=ACCOUNT,
    region=REGION,
    bucket=ground.BUCKET,
    table=ground.TABLE,
    queue=ground.QUEUE,
    owner=ground.OWNER,
)
ME = f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/i-0aaaaaaaaaaaaaaaa"
NODE = Role((node_policy(NAMES, "f"),), boundary(NAMES))
CONTROLLER = Role((controller_machines(NAMES), controller_state(NAMES)))
USUAL = {"aws:SecureTransport": "true", "aws:RequestedRegion": REGION}
ON_ME = {"ec2:SourceInstanceARN": ME, "ec2:RoleDelivery": "2.0"}

EC2 = "CreateTags StartInstances StopInstances TerminateInstances DescribeAvailabilityZones DescribeImages"
SEEN = (
    "DescribeInstanceStatus DescribeInstanceTypeOfferings DescribeInstances DescribeSecurityGroups "
    "DescribeSpotPriceHistory DescribeSubnets"
)
CONTROLLERS = {
    "dynamodb": "BatchGetItem DeleteItem DescribeTable GetItem PutItem Query TransactWriteItems UpdateItem",
    "ec2": f"{EC2} {SEEN}",
    "s3": "AbortMultipartUpload DeleteObjects ListMultipartUploads ListObjectsV2",
    "sqs": "DeleteMessageBatch ReceiveMessage SendMessage",
    "sts": "GetCallerIdentity",
}
UPLOADS = "AbortMultipartUpload CompleteMultipartUpload CreateMultipartUpload ListParts UploadPart"
NODES = {
    "dynamodb": "GetItem PutItem UpdateItem",
    "s3": f"GetObject HeadObject PutObject {UPLOADS}",
    "sts": "GetCallerIdentity",
}


@pytest.fixture(scope="module")
def fleet(aws_server: AwsDouble) -> Iterator[Troupe]:
    moto_api_backend.reset()
    with pytest.MonkeyPatch.context() as patched:
        for name, value in aws_server.env.items():
            patched.setenv(name, value)
        yield Troupe().train()


def operations(heard: Sequence[Asked]) -> set[tuple[str, str]]:
    return {(asked.service, asked.operation) for asked in heard}


def listed(wanted: Mapping[str, str]) -> set[tuple[str, str]]:
    return {(service, operation) for service, names in wanted.items() for operation in names.split()}


def refused(heard: Sequence[Asked], role: Role, context: dict[str, str]) -> set[tuple[str, str]]:
    """The actions among what was asked that this role may not do, each with its resource."""
    calls = {repr(call): call for asked in heard for call in as_iam_sees(asked, NAMES, ground.OWNER)}
    wrong = (call for call in calls.values() if _verdict(call, role, context) is not Verdict.ALLOWED)
    return {(call.action, call.resource) for call in wrong}


def _verdict(call: Call, role: Role, context: dict[str, str]) -> Verdict:
    shared = bucket_policy(NAMES) if call.resource.startswith(NAMES.bucket_arn) else None
    shared = queue_policy(NAMES) if call.resource == NAMES.queue_arn else shared
    whole = Call(call.action, call.resource, {**USUAL, **context, **call.context})
    return decide(whole, role.policies, role.boundary, shared)


def left_behind(fleet: Troupe) -> None:
    """What only upkeep and the console leave to do: an upload that nobody finished, a tag that is gone."""
    session = fleet.site.session
    session.client("s3").create_multipart_upload(Bucket=ground.BUCKET, Key="runs/f/r/data")
    session.client("ec2").delete_tags(Resources=[fleet.machine.id], Tags=[{"Key": tags.STATE}])


def test_the_controllers_calls(fleet: Troupe) -> None:
    heard: list[Asked] = []
    other = fleet.again(listening(Session(REGION, ACCOUNT), heard))
    control, site, node = other.control, other.site, NodeName.parse("f/t/0")
    placed = Aws(subnets=("subnet-0aaaaaaaaaaaaaaaa",), security_groups=("sg-0aaaaaaaaaaaaaaaa",))
    preflight.ground(site.session, other.foundation)
    preflight.faults(site.session, but(other.spec(), aws=placed))
    assert len(control.tracker.fleets()) == 1
    assert site.prices.known([Choice(Market.SPOT, "m5.large", "")])
    left_behind(fleet)
    for _ in range(3):
        fleet.save()
        other.tick()
    log, me = UpdateLog(site.table), myself()
    log.beat("f", "laptop", me, 0.0)
    log.end("f", "laptop", me)
    site.wake.ring()
    control.controller.pause(other.tick().plan, 1.5)
    control.operator.suspend("f", "a reason", None)
    control.operator.unsuspend("f")
    control.operator.stop(node, "a reason", None)
    control.operator.start(node, resume=False)
    control.tracker.entries("f", str(node))
    machine = other.machine
    for does in (site.compute.power_off, site.compute.power_on, site.compute.end_stray):
        does(machine)
    assert operations(heard) == listed(CONTROLLERS)
    assert refused(heard, CONTROLLER, {}) == set()


def test_a_nodes_calls(fleet: Troupe, aws_server: AwsDouble, tmp_path: Path) -> None:
    heard: list[Asked] = []
    session = listening(Session(REGION, ACCOUNT), heard)
    tracker = NodeTracker(DynamoTable(session.client("dynamodb"), ground.TABLE, writer=ME), "f/t/0")
    store = S3Store(session.client("s3"), ground.BUCKET, owner=ACCOUNT, begun=tmp_path / "uploads")
    for read in (tracker.order, tracker.drain, lambda: tracker.incarnation(1)):
        read()
    tracker.report(a_report())
    tracker.receive(a_receipt(7))
    tracker.journal(but(fleet.control.tracker.entries("f")[0], node="f/t/0"))
    for size in (10, 40 * MIB):
        store.put_file(f"runs/f/r/{size}", written(tmp_path / "source", size), nothing)
        store.get_file(f"runs/f/r/{size}", tmp_path / "target", nothing)
    with aws_server.fault("s3.PUT", status=500, code="InternalError"), pytest.raises(Unreadable):
        store.put_file("runs/f/r/interrupted", tmp_path / "source", nothing)
    with pytest.raises(Abandoned):
        store.put_file("runs/f/r/interrupted", tmp_path / "source", give_up)
    for _ in range(2):
        with suppress(Conflict):
            store.put_new("runs/f/r/manifest.json", b"{}")
    store.get("runs/f/r/manifest.json")
    assert operations(heard) == listed(NODES)
    assert refused(heard, NODE, ON_ME) == set()


@pytest.mark.usefixtures("fleet")
def test_the_calls_of_a_gangs_node() -> None:
    heard: list[Asked] = []
    session = listening(Session(REGION, ACCOUNT), heard)
    NodeTracker(DynamoTable(session.client("dynamodb"), ground.TABLE, writer=ME), "f/t/0").peers(["f/t/1"])
    S3Store(session.client("s3"), ground.BUCKET, owner=ACCOUNT).keys("runs/f/f.t.main/e000001/parts/")
    gang = Role((node_policy(NAMES, "f", reads_peers=True),), boundary(NAMES))
    assert operations(heard) >= listed({"dynamodb": "Query", "s3": "ListObjectsV2"})
    assert refused(heard, gang, ON_ME) == set()
    assert {action for action, _ in refused(heard, NODE, ON_ME)} == {"dynamodb:Query"}


def test_a_call_that_nobody_may_make_is_found() -> None:
    theirs = Asked("s3", "GetObject", {"Key": "runs/other/r/data"})
    assert refused([theirs], NODE, ON_ME) == {("s3:GetObject", NAMES.objects("runs/other/r/data"))}
