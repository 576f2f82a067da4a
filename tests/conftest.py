"""Fixtures that several folders share."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest

if TYPE_CHECKING:
    from tests.doubles.aws import AwsDouble


def pytest_configure() -> None:
    """Ctrl-C is ignored by what a shell starts in the background, and by all that this starts in turn."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def one_loader() -> Iterator[None]:
    """botocore reads its models of the services anew for each session: half of the time of a test with some."""
    import botocore.session

    with patch.object(botocore.session, "create_loader", cache(botocore.session.create_loader)):
        yield


@pytest.fixture(scope="session")
def aws_server() -> Iterator[AwsDouble]:
    """One AWS for the whole session: starting it takes most of a second."""
    from tests.doubles.aws import AwsDouble

    double = AwsDouble()
    yield double
    double.close()


@pytest.fixture
def aws(aws_server: AwsDouble, monkeypatch: pytest.MonkeyPatch) -> AwsDouble:
    """An AWS in which nothing is yet, found by every client that a test makes."""
    from moto.moto_api._internal import moto_api_backend

    moto_api_backend.reset()
    aws_server.calls.clear()
    aws_server.faults.clear()
    aws_server.also.clear()
    aws_server.ec2.clear()
    for name, value in aws_server.env.items():
        monkeypatch.setenv(name, value)
    return aws_server
