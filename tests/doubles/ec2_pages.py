"""EC2 lists in canned pages, for what moto cannot show: thousands of machines, odd ends, torn answers.

The client is boto3's own; only the wire is replaced, so signing, parsing and paging are the real ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qs

import boto3
from botocore.awsrequest import AWSResponse
from botocore.config import Config

from lifecycle.adapters.aws.compute import Ec2Compute
from lifecycle.adapters.aws.session import CONFIG, Session
from lifecycle.model.world import Machine
from tests.doubles.aws import ACCOUNT, REGION

OWNER, FLEET = "o1", "f"
XMLNS = "http://ec2.amazonaws.com/doc/2016-11-15/"


def steady_tags(node: str = "f/t/0", incarnation: str = "1", **changes: str) -> dict[str, str]:
    """The tags of a machine of ours; a change by `owner="o2"`, `fleet="g"`."""
    own = {"owner": OWNER, "fleet": FLEET, "pool": "t", "node": node, "incarnation": incarnation}
    return {f"steady:{key}": value for key, value in {**own, **changes}.items()}


def an_instance(name: str = "i-00000001", state: str = "running", **fields: Any) -> str:
    """One instance as DescribeInstances has it, about 3 KB. `tags`, `more` (XML), `reason` (code), `told`."""
    tags = fields.get("tags", steady_tags())
    items = "".join(f"<item><key>{key}</key><value>{value}</value></item>" for key, value in tags.items())
    reason = fields.get("reason", "")
    code = f"<stateReason><code>{reason}</code><message>{reason}: x</message></stateReason>" if reason else ""
    return (
        f"<item><instanceId>{name}</instanceId><imageId>ami-0abcdef1234567890</imageId>"
        f"<instanceState><code>16</code><name>{state}</name></instanceState>"
        f"<reason>{fields.get('told', '')}</reason>{code}{fields.get('more', '')}"
        f"<instanceType>g5.xlarge</instanceType><launchTime>2026-01-31T12:00:00.000Z</launchTime>"
        f"<placement><availabilityZone>us-east-1b</availabilityZone><tenancy>default</tenancy></placement>"
        f"<tagSet>{items}</tagSet>{_REST}</item>"
    )


_REST = (
    "<privateDnsName>ip-10-0-0-1.ec2.internal</privateDnsName><dnsName/><keyName/><amiLaunchIndex>0</amiLaunchIndex>"
    "<productCodes/><monitoring><state>disabled</state></monitoring><subnetId>subnet-0123456789abcdef0</subnetId>"
    "<vpcId>vpc-0123456789abcdef0</vpcId><privateIpAddress>10.0.0.1</privateIpAddress>"
    "<sourceDestCheck>true</sourceDestCheck><groupSet><item><groupId>sg-0123456789abcdef0</groupId>"
    "<groupName>steady</groupName></item></groupSet><architecture>x86_64</architecture>"
    "<rootDeviceType>ebs</rootDeviceType><rootDeviceName>/dev/xvda</rootDeviceName><blockDeviceMapping><item>"
    "<deviceName>/dev/xvda</deviceName><ebs><volumeId>vol-0123456789abcdef0</volumeId><status>attached</status>"
    "<attachTime>2026-01-31T12:00:01.000Z</attachTime><deleteOnTermination>true</deleteOnTermination></ebs>"
    "</item></blockDeviceMapping><virtualizationType>hvm</virtualizationType>"
    "<clientToken>0b1e2d3c-4f5a-6789-abcd-ef0123456789</clientToken><hypervisor>xen</hypervisor>"
    "<networkInterfaceSet><item><networkInterfaceId>eni-0123456789abcdef0</networkInterfaceId>"
    "<subnetId>subnet-0123456789abcdef0</subnetId><vpcId>vpc-0123456789abcdef0</vpcId><description/>"
    "<ownerId>123456789012</ownerId><status>in-use</status><macAddress>02:00:00:00:00:01</macAddress>"
    "<privateIpAddress>10.0.0.1</privateIpAddress><sourceDestCheck>true</sourceDestCheck><groupSet><item>"
    "<groupId>sg-0123456789abcdef0</groupId><groupName>steady</groupName></item></groupSet><attachment>"
    "<attachmentId>eni-attach-0123456789abcdef0</attachmentId><deviceIndex>0</deviceIndex>"
    "<status>attached</status><attachTime>2026-01-31T12:00:00.000Z</attachTime>"
    "<deleteOnTermination>true</deleteOnTermination><networkCardIndex>0</networkCardIndex></attachment>"
    "<privateIpAddressesSet><item><privateIpAddress>10.0.0.1</privateIpAddress><primary>true</primary></item>"
    "</privateIpAddressesSet><interfaceType>interface</interfaceType></item></networkInterfaceSet>"
    "<iamInstanceProfile><arn>arn:aws:iam::123456789012:instance-profile/steady</arn>"
    "<id>AIPA0123456789ABCDEFG</id></iamInstanceProfile><ebsOptimized>true</ebsOptimized>"
    "<cpuOptions><coreCount>2</coreCount><threadsPerCore>2</threadsPerCore></cpuOptions>"
    "<capacityReservationSpecification><capacityReservationPreference>open</capacityReservationPreference>"
    "</capacityReservationSpecification><hibernationOptions><configured>false</configured></hibernationOptions>"
    "<enclaveOptions><enabled>false</enabled></enclaveOptions><metadataOptions><state>applied</state>"
    "<httpTokens>required</httpTokens><httpPutResponseHopLimit>1</httpPutResponseHopLimit>"
    "<httpEndpoint>enabled</httpEndpoint><instanceMetadataTags>enabled</instanceMetadataTags></metadataOptions>"
)


def a_page(instances: Sequence[str], following: str = "") -> str:
    """One answer of DescribeInstances."""
    token = f"<nextToken>{following}</nextToken>" if following else ""
    reservation = (
        f"<item><reservationId>r-1</reservationId><instancesSet>{''.join(instances)}</instancesSet></item>"
    )
    return (
        f'<DescribeInstancesResponse xmlns="{XMLNS}"><reservationSet>{reservation}</reservationSet>{token}'
        "</DescribeInstancesResponse>"
    )


def statuses(**checks: str) -> str:
    """One answer of DescribeInstanceStatus: `i_00000001="impaired"`."""
    items = "".join(
        f"<item><instanceId>{name.replace('_', '-')}</instanceId><systemStatus><status>{status}</status>"
        "</systemStatus></item>"
        for name, status in checks.items()
    )
    return (
        f'<DescribeInstanceStatusResponse xmlns="{XMLNS}"><instanceStatusSet>{items}</instanceStatusSet>'
        "</DescribeInstanceStatusResponse>"
    )


NO_STATUS = statuses()


@cache
def _boto() -> boto3.Session:
    """One for all: boto3 reads its models once per session."""
    return boto3.Session("testing", "testing", region_name=REGION)


@dataclass
class CannedSession(Session):
    """A session whose EC2 answers `pages`, by their token `p1`, `p2` ..., and `checks`. `asked` keeps the calls."""

    pages: Sequence[str]
    checks: str = NO_STATUS
    asked: list[dict[str, str]] = field(default_factory=list)

    @classmethod
    def listing(cls, *instances: str) -> CannedSession:
        """One page."""
        return cls([a_page(instances)])

    def client(self, service: str, config: Config = CONFIG) -> Any:
        client = _boto().client(service, config=config)  # type: ignore[call-overload]
        client.meta.events.register("before-send.ec2", self._answer)
        return client

    @property
    def account(self) -> str:  # type: ignore[override]
        return ACCOUNT

    def _answer(self, request: Any, **_: Any) -> AWSResponse:
        call = {str(key): str(value[0]) for key, value in parse_qs(request.body).items()}
        self.asked.append(call)
        status, body = self.answer(call)
        return AWSResponse(request.url, status, {"Content-Type": "text/xml"}, _Raw(body.encode()))

    def answer(self, call: dict[str, str]) -> tuple[int, str]:
        """Status and body for one call."""
        if call["Action"] == "DescribeInstanceStatus":
            return 200, self.checks
        if call["Action"] != "DescribeInstances":
            return 200, f"<Done xmlns='{XMLNS}'><return>true</return></Done>"
        return 200, self.pages[int(call.get("NextToken", "p0").removeprefix("p"))]


@dataclass
class _Raw:
    body: bytes

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.body


def listed(*instances: str, checks: str = NO_STATUS) -> list[Machine]:
    """The machines of ours among these instances, as our adapter shows them."""
    return list(Ec2Compute(CannedSession([a_page(instances)], checks), OWNER).machines(FLEET))


def fleet_pages(count: int, size: int = 1000) -> list[str]:
    """`count` running machines of ours in pages of `size`."""
    starts = range(0, count, size)
    return [
        a_page(
            [an_instance(f"i-{n:08x}", tags=_of(n), more=_SPOT) for n in range(start, min(start + size, count))],
            following=f"p{number}" if start + size < count else "",
        )
        for number, start in enumerate(starts, start=1)
    ]


_SPOT = "<instanceLifecycle>spot</instanceLifecycle><spotInstanceRequestId>sir-1</spotInstanceRequestId>"


def _of(index: int) -> Mapping[str, str]:
    return {**steady_tags(f"f/t/{index}"), "Name": "trainer"}
