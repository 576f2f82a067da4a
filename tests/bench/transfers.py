"""Checkpoints to S3: ours beside boto3's default, into the same sink in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import boto3

from lifecycle.adapters.aws.objects import S3Store
from lifecycle.adapters.aws.session import Session
from tests.doubles.aws import CREDENTIALS, REGION

SIZE = 1024**3
ROUNDS = 5


@contextmanager
def _aws() -> Iterator[None]:
    """An S3 on this machine, found by every client that is made meanwhile."""
    command = [sys.executable, "-m", "tests.bench.sink"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        endpoint = server.stdout.readline().strip()
        with patch.dict(os.environ, {**CREDENTIALS, "AWS_ENDPOINT_URL": endpoint}):
            yield
        server.stdin.close()


def _seconds(transfer: Callable[[], Any]) -> float:
    began = time.perf_counter()
    transfer()
    return time.perf_counter() - began


def bench(folder: Path) -> Iterator[tuple[str, str, float, float, str]]:
    source = folder / "checkpoint"
    with source.open("wb") as file:
        for _ in range(SIZE // len(block := os.urandom(1024**2))):
            file.write(block)
    with _aws():
        client = Session(REGION).client("s3")
        default, store = boto3.client("s3", region_name=REGION), S3Store(client, "bench")
        theirs, ours = [], []
        for _round in range(ROUNDS + 1):
            theirs.append(_seconds(lambda: default.upload_file(str(source), "bench", "theirs")))
            ours.append(_seconds(lambda: store.put_file("ours", source, lambda _: None)))
    our, their = min(ours[1:]), min(theirs[1:])
    rates = [SIZE / 1e6 / seconds for seconds in (our, their)]
    note = f"best of {ROUNDS} each, in turn, 1 GiB; {rates[0]:.0f} MB/s beside {rates[1]:.0f}"
    yield "an upload's time, over boto3's upload_file", "x", our / their, 1.0, note
