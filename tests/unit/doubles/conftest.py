"""Clients for tests of the doubles themselves."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.doubles.aws import AwsDouble
from tests.doubles.console import Console
from tests.doubles.kinds.kind import Clients


@pytest.fixture(scope="module")
def module_clients(aws_server: AwsDouble) -> Iterator[Clients]:
    """One set for a module: making them takes a third of a second."""
    made = Clients(aws_server.endpoint)
    yield made
    made.close()


@pytest.fixture
def console(aws: AwsDouble, module_clients: Clients) -> Console:
    """Somebody in the console of an AWS in which nothing is yet."""
    return Console(module_clients)
