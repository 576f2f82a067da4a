"""An engine per test; without a Pulumi CLI the tests are skipped aloud, or fail where it is required."""

from __future__ import annotations

import itertools
import runpy
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.doubles.aws import REGION, AwsDouble
from tests.doubles.kinds.kind import Clients
from tests.doubles.provider import ProviderDouble
from tests.engine.cli import find
from tests.engine.engine import STACK, Engine
from tests.engine.region import AwsStage, Region
from tests.engine.yard import Yard, a_yard
from tests.tools.built import needed

ROOT = Path(__file__).parents[2]
ORDERS = itertools.count(1)
HOW = "no Pulumi CLI: `python -m tests.engine.cli` builds one (three minutes, needs Go), or put `pulumi` on PATH"


@pytest.fixture(scope="session")
def cli() -> Path:
    return needed(find(), HOW)


@pytest.fixture(scope="session")
def session_clients(aws_server: AwsDouble) -> Iterator[Clients]:
    """One set for all tests without an engine: making them takes a third of a second."""
    made = Clients(aws_server.endpoint)
    yield made
    made.close()


@pytest.fixture
def clients(aws: AwsDouble, session_clients: Clients) -> Clients:
    """Clients of an AWS in which nothing is yet."""
    return session_clients


@pytest.fixture
def provider(aws: AwsDouble) -> Iterator[ProviderDouble]:
    double = ProviderDouble(aws.endpoint)
    yield double
    double.close()
    left = [thread.name for thread in threading.enumerate() if thread.name.startswith("provider-double")]
    assert not left


@pytest.fixture
def engine(tmp_path: Path, cli: Path, provider: ProviderDouble, aws: AwsDouble) -> Iterator[Engine]:
    shut_in = Engine(tmp_path, cli, provider, aws)
    shut_in.select(STACK)
    yield shut_in
    shut_in.close()


def by_hand() -> None:
    """What people's commands run."""
    runpy.run_path(str(ROOT / "stacks" / "__main__.py"), run_name="__main__")


@pytest.fixture
def founded(tmp_path: Path, cli: Path, provider: ProviderDouble, aws: AwsDouble) -> Iterator[Engine]:
    """The project as it is checked out, with the foundation's stack up."""
    project = tmp_path / "checkout"
    project.mkdir()
    shutil.copy(ROOT / "Pulumi.yaml", project)
    (project / "stacks").symlink_to(ROOT / "stacks")
    engine = Engine(tmp_path, cli, provider, aws, project)
    engine.serve(by_hand)
    (tmp_path / "bundle.tar").write_bytes(b"wheels")
    engine.select(f"foundation-{REGION}", {"steady:bundle": str(tmp_path / "bundle.tar")})
    ran = engine.up()
    assert ran.code == 0, ran.output
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def region(aws_server: AwsDouble, cli: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Region]:
    """One foundation for the stories of a module: it takes most of ten seconds."""
    from moto.moto_api._internal import moto_api_backend

    moto_api_backend.reset()
    aws_server.ec2.clear()
    provider = ProviderDouble(aws_server.endpoint)
    with pytest.MonkeyPatch.context() as patched:
        for name, value in aws_server.env.items():
            patched.setenv(name, value)
        built = Region(tmp_path_factory.mktemp("region"), cli, provider, aws_server)
        for name, value in built.env.items():
            patched.setenv(name, value)
        yield built
        built.close()
    provider.close()


@pytest.fixture
def stage(region: Region) -> Iterator[AwsStage]:
    """A fleet of its own for each story."""
    region.aws.faults.clear()
    region.aws.ec2.clear()
    built = AwsStage(region, f"s{next(ORDERS)}")
    yield built
    built.close()


@pytest.fixture
def yard(engine: Engine, aws: AwsDouble, cli: Path, monkeypatch: pytest.MonkeyPatch) -> Yard:
    """A fleet of three whose provisioner finds the CLI as a user's would: by this process's environment."""
    for name, value in engine.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATH", f"{cli.parent}:{engine.env['PATH']}")
    return a_yard(engine, aws)
