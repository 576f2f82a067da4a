"""The contract of `lifecycle/contract`, kept by the providers that are built in and by somebody else's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lifecycle.adapters.aws.session import Session
from lifecycle.contract import Premises, ProviderContract
from tests.contracts.providers import OnAws, OnPaper, OnSimulated, OnThisComputer, impatient_session
from tests.doubles.aws import AwsDouble
from tests.unit.adapters.conftest import Premises as Computer


@pytest.fixture(scope="module")
def session() -> Session:
    return impatient_session()


class TestLocal(ProviderContract):
    @pytest.fixture
    def premises(self, tmp_path: Path) -> Iterator[Premises]:
        built = OnThisComputer(Computer(tmp_path / "state"))
        yield built
        built.close()


class TestAws(ProviderContract):
    @pytest.fixture
    def premises(self, aws: AwsDouble, session: Session) -> Premises:
        return OnAws(aws, session)


class TestPaper(ProviderContract):
    @pytest.fixture
    def premises(self, tmp_path: Path) -> Premises:
        return OnPaper(tmp_path / "state")


class TestSimulated(ProviderContract):
    @pytest.fixture
    def premises(self) -> Premises:
        return OnSimulated()
