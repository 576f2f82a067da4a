"""The providers of the contract suite, each in a world of its own. A new one gets its premises here."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from botocore.config import Config

from lifecycle.adapters.aws.session import Session
from lifecycle.adapters.local.layout import MachineProcess, MachineRecord, StateDirectory
from lifecycle.adapters.metadata import InstanceMetadata
from lifecycle.adapters.simulated.cloud import Instance, Kind
from lifecycle.adapters.simulated.provider import OWNER, TYPE, ZONE, Call, Moment
from lifecycle.bootstrap.aws import Site
from lifecycle.bootstrap.controller import this_computer
from lifecycle.contract import Premises
from lifecycle.model import tags
from lifecycle.model.errors import Unreadable
from lifecycle.model.fleet import Market
from lifecycle.model.foundation import Foundation
from lifecycle.model.ids import NodeName
from lifecycle.model.world import Machine
from lifecycle.ports.provider import Ground, Provider
from lifecycle.simulation.world import World
from lifecycle.system.clock import SystemClock
from lifecycle.system.files import read_record, write_record
from tests.builders import NODE, a_machine, but
from tests.doubles import ground
from tests.doubles.aws import ACCOUNT, REGION, AwsDouble
from tests.doubles.maker import Maker
from tests.unit.adapters.conftest import Premises as Computer

EXAMPLE = Path(__file__).parents[1] / "example_provider"
STRANGER = {**tags.identity("somebody-else", NodeName.parse(NODE), 7), tags.NAME: NODE}


def ground_on(state: Path) -> Ground:
    directory = StateDirectory(state)
    directory.prepare()
    return Ground(state=state, owner=lambda: directory.owner, spec_of=lambda _: None)


class OnThisComputer(Premises):
    """`provider: local`: real processes."""

    def __init__(self, computer: Computer) -> None:
        self._computer, self._clients = computer, list[InstanceMetadata]()
        self._opened: list[Provider] = []
        self.owner = computer.state.owner

    def open(self) -> Provider:
        self._opened.append(this_computer(ground_on(self._computer.state.path)))
        return self._opened[-1]

    def up(self, placement: Any) -> Machine:
        """Booted, too: from then on its metadata service answers."""
        super().up(placement)
        return self._computer.up(placement)

    def stranger(self) -> tuple[Machine, Callable[[], bool]]:
        paths = self._computer.state.machine("l-stranger")
        paths.records.mkdir()
        forged = a_machine(id="l-stranger", incarnation=7, tags=tags.identity(self.owner, NodeName.parse(NODE), 7))
        write_record(paths.record, _recorded(forged))
        return forged, _unchanged(paths.records)

    @contextmanager
    def blind(self) -> Iterator[None]:
        records = self._computer.state.machine("l-broken").records
        records.mkdir()
        (records / "machine.json").write_text("{")
        yield
        (records / "machine.json").unlink()
        records.rmdir()

    def disk(self, machine: Machine) -> Callable[[], bool]:
        left = self._computer.state.machine(machine.id).disk / "left"
        left.touch()
        return left.exists

    def metadata(self, machine: Machine) -> InstanceMetadata:
        process = read_record(self._computer.process_file(machine), MachineProcess)
        assert process is not None
        self._clients.append(InstanceMetadata(SystemClock(), f"http://127.0.0.1:{process.port}/"))
        return self._clients[-1]

    def close(self) -> None:
        """Ends every machine."""
        for client in self._clients:
            client._connection.close()
        self._computer.close()
        for provider in self._opened:
            for child in provider.compute._children:  # type: ignore[attr-defined]
                child.wait(self.patience)


def _recorded(machine: Machine) -> MachineRecord:
    return MachineRecord(
        id=machine.id,
        fleet="f",
        node=machine.node,
        incarnation=machine.incarnation,
        market=machine.market,
        created_at=machine.launched_at,
        tags=STRANGER,
    )


class OnPaper(Premises):
    """The example of a package of somebody else's: `tests/example_provider`."""

    instance_type, zone = "sheet", "drawer"

    def __init__(self, state: Path) -> None:
        self._ground = ground_on(state)
        self._folder = state / "provider"
        self._folder.mkdir()
        self.owner = self._ground.owner()

    def open(self) -> Provider:
        sys.path.insert(0, str(EXAMPLE))
        try:
            from paper import opened  # type: ignore[import-not-found]
        finally:
            sys.path.remove(str(EXAMPLE))
        provider: Provider = opened(self._ground)
        return provider

    def stranger(self) -> tuple[Machine, Callable[[], bool]]:
        machine = a_machine(id="p-stranger", incarnation=7, tags=STRANGER)
        write_record(self._folder / "f.t.0.7", machine)
        forged = but(machine, tags=tags.identity(self.owner, NodeName.parse(NODE), 7))
        return forged, _unchanged(self._folder, "f.t.0.7")

    @contextmanager
    def blind(self) -> Iterator[None]:
        torn = self._folder / "f.t.9.1"
        torn.write_text("{")
        yield
        torn.unlink()

    def retagged(self, machine: Machine, key: str, value: str) -> bool:
        path = self._folder / f"f.t.0.{machine.incarnation}"
        write_record(path, but(machine, tags={**machine.tags, key: value}))
        return True


def _unchanged(folder: Path, only: str = "*") -> Callable[[], bool]:
    def told() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in folder.glob(only)}

    before = told()
    return lambda: told() == before


def impatient_session() -> Session:
    """Of moto, with one client per service that tries once: faults need not be waited for."""
    found = Session(REGION)
    once = Config(retries={"mode": "standard", "total_max_attempts": 1})
    found.client = cache(lambda service: found._client(service, once))  # type: ignore[method-assign]
    return found


IMAGE = "ami-12c6146b"
FOUNDATION = Foundation(
    owner=ground.OWNER,
    account=ACCOUNT,
    region=REGION,
    bucket=ground.BUCKET,
    table=ground.TABLE,
    queue="",
    queue_url="",
    boundary="",
)


class OnAws(Premises):
    """`provider: aws` on moto: its compute, and in Pulumi's place a maker of machines."""

    instance_type, zone = "m5.large", f"{REGION}a"
    owner = ground.OWNER

    def __init__(self, aws: AwsDouble, session: Session) -> None:
        self._aws, self._session, self._ec2 = aws, session, session.client("ec2")

    def open(self) -> Provider:
        site = Site(FOUNDATION)
        site.session = self._session
        return Provider(name="aws", compute=site.compute, provisioner=Maker(site, IMAGE))

    def stranger(self) -> tuple[Machine, Callable[[], bool]]:
        given = [{"Key": key, "Value": value} for key, value in STRANGER.items()]
        made = self._ec2.run_instances(
            ImageId=IMAGE,
            MinCount=1,
            MaxCount=1,
            TagSpecifications=[{"ResourceType": "instance", "Tags": given}],
        )
        name = made["Instances"][0]["InstanceId"]
        mine = tags.identity(self.owner, NodeName.parse(NODE), 7)
        forged = a_machine(id=name, incarnation=7, market="on_demand", tags=mine)
        return forged, lambda: self._described(name) == ("running", STRANGER)

    def _described(self, name: str) -> tuple[str, dict[str, str]]:
        found = self._ec2.describe_instances(InstanceIds=[name])["Reservations"][0]["Instances"][0]
        return found["State"]["Name"], {tag["Key"]: tag["Value"] for tag in found["Tags"]}

    def blind(self) -> AbstractContextManager[Any]:
        return self._aws.fault("ec2.DescribeInstances$")

    def losing(self) -> AbstractContextManager[Any]:
        return self._aws.fault("ec2.RunInstances", lose_answer=True)

    def short(self) -> AbstractContextManager[Any]:
        return self._aws.ec2.no_capacity()

    def retagged(self, machine: Machine, key: str, value: str) -> bool:
        self._ec2.create_tags(Resources=[machine.id], Tags=[{"Key": key, "Value": value}])
        return True


class OnSimulated(Premises):
    """`adapters.simulated`, with the real last guard and a tracker in memory."""

    instance_type, zone = TYPE, ZONE
    owner = OWNER
    patience = 600.0

    def __init__(self) -> None:
        self._world = World()
        self._fault: tuple[str, Moment] | None = None
        self._opened = 0

    def open(self) -> Provider:
        self._opened += 1
        provider = self._world.seat(f"host-{self._opened}", self._probe)._compute
        return Provider(name="simulated", compute=provider, provisioner=provider)

    def _probe(self, call: Call, moment: Moment) -> None:
        if self._fault == (call.verb, moment):
            raise Unreadable(f"{call} has no answer", fix="wait")

    @contextmanager
    def _faulty(self, verb: str, moment: Moment) -> Iterator[None]:
        self._fault = (verb, moment)
        yield
        self._fault = None

    def blind(self) -> AbstractContextManager[Any]:
        return self._faulty("list", Moment.BEFORE)

    def losing(self) -> AbstractContextManager[Any]:
        return self._faulty("create", Moment.AFTER)

    @contextmanager
    def short(self) -> Iterator[None]:
        self._world.cloud.capacity[Kind(Market.SPOT, TYPE, ZONE)] = 0
        yield
        self._world.cloud.capacity.clear()

    def stranger(self) -> tuple[Machine, Callable[[], bool]]:
        made = self._world.cloud.create(STRANGER, Kind(Market.ON_DEMAND, TYPE, ZONE))
        self._world.timeline.run_for(60.0)
        before = _state(made)
        mine = tags.identity(OWNER, NodeName.parse(NODE), 7)
        forged = a_machine(id=made.id, incarnation=7, market=Market.ON_DEMAND, tags=mine)
        return forged, lambda: _state(made) == before

    def retagged(self, machine: Machine, key: str, value: str) -> bool:
        found = self._world.cloud.instances[machine.id]
        found.tags[key] = value
        self._world.cloud._show(found)
        return True

    def now(self) -> float:
        return self._world.timeline.now()

    def wait(self) -> None:
        self._world.timeline.run_for(1.0)


def _state(instance: Instance) -> tuple[object, ...]:
    return instance.state, instance.ending, dict(instance.tags)
