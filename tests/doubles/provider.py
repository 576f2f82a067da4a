"""The `aws` provider, without AWS: serves Pulumi's engine over gRPC and keeps the resources in moto.

The engine attaches to it by PULUMI_DEBUG_PROVIDERS and starts no plugin. What it knows is in `kinds`; anything else
it refuses by name. Many engine processes may use one double, one after the other or at once.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import contextmanager
from typing import Any, NoReturn, TypeVar

import grpc
from botocore.exceptions import BotoCoreError, ClientError
from google.protobuf import empty_pb2, struct_pb2
from google.protobuf.json_format import MessageToDict
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from tests.doubles.aws import ACCOUNT
from tests.doubles.kinds import buckets, machines, networks, roles, signals, tables, tasks
from tests.doubles.kinds.kind import DEFAULTS, Clients, Difference, Kind, Seen, Unsupported
from tests.doubles.kinds.properties import Properties, spelled

VERSION = "7.51.1"
"""Of the SDK that programs are written with."""

KINDS: tuple[type[Kind], ...] = (
    buckets.Bucket,
    buckets.BucketLifecycleConfiguration,
    buckets.BucketObjectv2,
    buckets.BucketOwnershipControls,
    buckets.BucketPolicy,
    buckets.BucketPublicAccessBlock,
    buckets.BucketServerSideEncryptionConfiguration,
    buckets.BucketVersioning,
    machines.Instance,
    networks.SecurityGroup,
    roles.InstanceProfile,
    roles.Policy,
    roles.Role,
    roles.RolePolicy,
    roles.RolePolicyAttachment,
    signals.EventRule,
    signals.EventTarget,
    signals.Queue,
    signals.QueuePolicy,
    tables.Table,
    tables.TableItem,
    tasks.Cluster,
    tasks.LogGroup,
    tasks.Schedule,
    tasks.ScheduleGroup,
    tasks.TaskDefinition,
)
T = TypeVar("T")
CALLER = "aws:index/getCallerIdentity:getCallerIdentity"
SUBNET = "aws:ec2/getSubnet:getSubnet"

_GONE = re.compile(
    r"404|NoSuch(Bucket|Entity|Key|LifecycleConfiguration|PublicAccessBlockConfiguration)"
    r"|ServerSideEncryptionConfigurationNotFoundError|OwnershipControlsNotFoundError|NonExistentQueue"
    r"|QueueDoesNotExist|ResourceNotFoundException|Invalid\w+(ID)?\.?NotFound|NotFoundException"
)


class ProviderDouble:
    """One provider on a free local port. `calls` lists what it was asked for, as (op, type, logical name)."""

    def __init__(self, endpoint: str) -> None:
        self._clients = Clients(endpoint)
        self._service = _Service({kind.token: kind(self._clients) for kind in KINDS}, self._clients)
        self._pool = futures.ThreadPoolExecutor(64, thread_name_prefix="provider-double")
        self._server = grpc.server(self._pool)
        provider_pb2_grpc.add_ResourceProviderServicer_to_server(self._service, self._server)
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    @property
    def calls(self) -> list[tuple[str, str, str]]:
        return self._service.calls

    @property
    def env(self) -> dict[str, str]:
        """What the engine needs in its environment to use this provider."""
        return {"PULUMI_DEBUG_PROVIDERS": f"aws:{self.port}", "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true"}

    def interpose(self, asked: Callable[[], None]) -> None:
        """`asked` is called before each thing the double is asked for; when it raises, the thing is not done."""
        self._service.interposed = asked

    def rest(self, within: float = 60.0) -> None:
        """Returns when nothing is being done any more, whoever asked for it."""
        with self._service.idle:
            assert self._service.idle.wait_for(lambda: not self._service.busy, within)

    def close(self) -> None:
        self._server.stop(grace=1).wait()
        self._pool.shutdown()
        self._clients.close()


class _Service(provider_pb2_grpc.ResourceProviderServicer):
    """The protocol. Secrets never arrive and previews never create, because Configure declines both."""

    def __init__(self, kinds: dict[str, Kind], clients: Clients) -> None:
        self._kinds, self._clients = kinds, clients
        self._lock = threading.Lock()
        self.calls: list[tuple[str, str, str]] = []
        self.interposed: Callable[[], None] = _nothing
        self.idle = threading.Condition()
        self.busy = 0

    def Attach(self, request: Any, context: Any) -> empty_pb2.Empty:  # noqa: N802 - the protocol's name
        return empty_pb2.Empty()

    def Handshake(self, request: Any, context: Any) -> NoReturn:  # noqa: N802
        """Refused, so that Configure decides the protocol."""
        _refuse(context, grpc.StatusCode.UNIMPLEMENTED, "the provider's double shakes no hands")

    def GetPluginInfo(self, request: Any, context: Any) -> plugin_pb2.PluginInfo:  # noqa: N802
        return plugin_pb2.PluginInfo(version=VERSION)

    def CheckConfig(self, request: Any, context: Any) -> provider_pb2.CheckResponse:  # noqa: N802
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> provider_pb2.DiffResponse:  # noqa: N802
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    def Configure(self, request: Any, context: Any) -> provider_pb2.ConfigureResponse:  # noqa: N802
        return provider_pb2.ConfigureResponse(acceptSecrets=False, supportsPreview=False)

    def Cancel(self, request: Any, context: Any) -> empty_pb2.Empty:  # noqa: N802
        return empty_pb2.Empty()

    def Check(self, request: Any, context: Any) -> provider_pb2.CheckResponse:  # noqa: N802
        kind, logical = self._asked("", request.urn, context)
        inputs = kind.checked(logical, request.randomSeed, _plain(request.olds), _plain(request.news))
        return provider_pb2.CheckResponse(inputs=_struct(inputs))

    def Diff(self, request: Any, context: Any) -> provider_pb2.DiffResponse:  # noqa: N802
        kind, _ = self._asked("", request.urn, context)
        old = _plain(request.old_inputs) if request.HasField("old_inputs") else _plain(request.olds)
        return _answered(kind.diff(old, _plain(request.news), request.ignoreChanges))

    def Create(self, request: Any, context: Any) -> provider_pb2.CreateResponse:  # noqa: N802
        kind, _ = self._asked("create", request.urn, context)
        inputs = _plain(request.properties)

        def create() -> provider_pb2.CreateResponse:
            known = kind.create(inputs)
            return provider_pb2.CreateResponse(id=known, properties=_state(kind, inputs, kind.read(known, inputs)))

        return self._carried_out(context, f"creating {kind.label}", create)

    def Read(self, request: Any, context: Any) -> provider_pb2.ReadResponse:  # noqa: N802
        kind, _ = self._asked("read", request.urn, context)
        inputs = _plain(request.inputs)

        def read() -> provider_pb2.ReadResponse:
            seen = _found(lambda: kind.read(request.id, inputs))
            if seen is None:
                return provider_pb2.ReadResponse(id="")
            known = kind.settled(inputs, seen.inputs) if inputs else seen.inputs
            state = _state(kind, known, seen)
            return provider_pb2.ReadResponse(id=request.id, properties=state, inputs=_struct(known))

        return self._carried_out(context, f"reading {kind.label} ({request.id})", read)

    def Update(self, request: Any, context: Any) -> provider_pb2.UpdateResponse:  # noqa: N802
        kind, _ = self._asked("update", request.urn, context)
        old, new = _plain(request.old_inputs), _plain(request.news)

        def update() -> provider_pb2.UpdateResponse:
            kind.update(request.id, old, new)
            return provider_pb2.UpdateResponse(properties=_state(kind, new, kind.read(request.id, new)))

        return self._carried_out(context, f"updating {kind.label} ({request.id})", update)

    def Delete(self, request: Any, context: Any) -> empty_pb2.Empty:  # noqa: N802
        kind, _ = self._asked("delete", request.urn, context)
        inputs = {**_plain(request.properties), **_plain(request.old_inputs)}

        def delete() -> empty_pb2.Empty:
            _found(lambda: kind.delete(request.id, inputs))
            return empty_pb2.Empty()

        return self._carried_out(context, f"deleting {kind.label} ({request.id})", delete)

    def Invoke(self, request: Any, context: Any) -> provider_pb2.InvokeResponse:  # noqa: N802
        self._note("invoke", request.tok, "")
        asked = {CALLER: _caller, SUBNET: self._subnet}.get(request.tok)
        if asked is None:
            _refuse(context, grpc.StatusCode.UNIMPLEMENTED, f"the provider's double does not know {request.tok}")
        told = self._carried_out(context, f"reading {request.tok}", lambda: asked(_plain(request.args)))
        return provider_pb2.InvokeResponse(**{"return": _struct(told)})

    def _subnet(self, asked: Properties) -> Properties:
        (found,) = self._clients.ec2.describe_subnets(SubnetIds=[asked["id"]])["Subnets"]
        return {"id": found["SubnetId"], "vpcId": found["VpcId"]}

    def _asked(self, op: str, urn: str, context: Any) -> tuple[Kind, str]:
        token, logical = urn.split("::")[2].rpartition("$")[2], urn.split("::", 3)[3]
        if op:
            self._note(op, token, logical)
        if token not in self._kinds:
            _refuse(context, grpc.StatusCode.UNIMPLEMENTED, f"the provider's double does not know {token}")
        return self._kinds[token], logical

    def _note(self, op: str, token: str, logical: str) -> None:
        with self._lock:
            self.calls.append((op, token, logical))

    @contextmanager
    def _counted(self) -> Iterator[None]:
        with self.idle:
            self.busy += 1
        try:
            yield
        finally:
            with self.idle:
                self.busy -= 1
                self.idle.notify_all()

    def _carried_out(self, context: Any, doing: str, act: Callable[[], T]) -> T:
        """The outcome; what goes wrong is worded as the real provider words it."""
        try:
            with self._counted():
                self.interposed()
                return act()
        except ClientError as error:
            _refuse(context, grpc.StatusCode.UNKNOWN, f"{doing}: {_worded(error)}")
        except Unsupported as error:
            _refuse(context, grpc.StatusCode.UNIMPLEMENTED, f"{doing}: {error}")
        except (BotoCoreError, LookupError, OSError, RuntimeError, TypeError, ValueError) as error:
            _refuse(context, grpc.StatusCode.UNKNOWN, f"{doing}: {type(error).__name__}: {error}")


def _caller(_: Properties) -> Properties:
    return {
        "accountId": ACCOUNT,
        "arn": f"arn:aws:iam::{ACCOUNT}:user/testing",
        "id": ACCOUNT,
        "userId": "AIDATESTING",
    }


def _nothing() -> None:
    """What stands between being asked and doing it, as a rule."""


def _worded(error: ClientError) -> str:
    """As the AWS SDK for Go words it: `operation error EC2: RunInstances, ... api error CODE: MESSAGE`."""
    said, meta = error.response["Error"], error.response["ResponseMetadata"]
    service = _SERVICES.get(error.operation_name, "AWS")
    return (
        f"operation error {service}: {error.operation_name}, https response error "
        f"StatusCode: {meta['HTTPStatusCode']}, RequestID: {meta.get('RequestId', '')}, "
        f"api error {said['Code']}: {said['Message']}"
    )


_SERVICES = {"RunInstances": "EC2", "StopInstances": "EC2", "TerminateInstances": "EC2", "DeleteTable": "DynamoDB"}
"""The service that the errors programs look at come from; boto's errors do not say."""


def _found(act: Callable[[], T]) -> T | None:
    """The outcome, or none when the thing is gone."""
    try:
        return act()
    except ClientError as error:
        if _GONE.search(error.response["Error"]["Code"]):
            return None
        raise


def _refuse(context: Any, code: grpc.StatusCode, message: str) -> NoReturn:
    context.abort(code, message)
    raise AssertionError("abort raises")


def _answered(difference: Difference) -> provider_pb2.DiffResponse:
    some = bool(difference.changes)
    detailed = {}
    for change in difference.changes:
        kind = f"{change.how}_replace" if change in difference.replacing else change.how
        named = getattr(provider_pb2.PropertyDiff, kind.upper())
        detailed[spelled(change.path)] = provider_pb2.PropertyDiff(kind=named, inputDiff=True)
    return provider_pb2.DiffResponse(
        changes=provider_pb2.DiffResponse.DIFF_SOME if some else provider_pb2.DiffResponse.DIFF_NONE,
        diffs=difference.top_level,
        replaces=sorted({str(change.path[0]) for change in difference.replacing}),
        detailedDiff=detailed,
        hasDetailedDiff=True,
    )


def _state(kind: Kind, inputs: Properties, seen: Seen | None) -> struct_pb2.Struct:
    """A resource's outputs: its inputs, what the cloud chose for those left out, and what it computed."""
    mine = {name: value for name, value in inputs.items() if name != DEFAULTS}
    return _struct(mine if seen is None else {**seen.inputs, **seen.outputs, **mine})


def _plain(struct: struct_pb2.Struct) -> Properties:
    """The values as a program wrote them: whole numbers whole, what is null left out."""
    plain = _tidy(MessageToDict(struct))
    return plain if isinstance(plain, dict) else {}


def _tidy(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _tidy(inner) for name, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [_tidy(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _struct(values: Properties) -> struct_pb2.Struct:
    struct = struct_pb2.Struct()
    struct.update(values)
    return struct
