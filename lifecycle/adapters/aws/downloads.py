"""Downloads in ranges: fetched in parallel, written where they belong, hashed in order."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import closing, suppress
from functools import partial
from typing import Any, NamedTuple

from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    IncompleteReadError,
    ReadTimeoutError,
    ResponseStreamingError,
)

from lifecycle.adapters.aws.crew import WIDTH, Crew, Stop
from lifecycle.adapters.aws.session import answers, code_of
from lifecycle.adapters.aws.uploads import PART, Place
from lifecycle.ports.checkpoints import Digest, Moved

TRIES = 3
"""The SDK repeats a call, but not the reading of its answer."""

BLOCK = 1024 * 1024
_CUT = (ConnectionClosedError, IncompleteReadError, ReadTimeoutError, ResponseStreamingError)


class Stretch(NamedTuple):
    """Some bytes of an object, and what all of it is."""

    start: int
    data: bytearray
    total: int
    etag: str


def whole(place: Place) -> bytes | None:
    """All of a small object; None when there is none. Raises Unreadable when S3 does not answer."""
    with answers("S3"):
        try:
            return bytes(_read(place, Stop()).data)
        except ClientError as error:
            if not place.lacks(error):
                raise
            return None


def beginning(place: Place) -> Stretch | None:
    """The first bytes of an object; None when there is none. Raises Unreadable when S3 does not answer."""
    with answers("S3"):
        try:
            return _read(place, Stop(), Range=f"bytes=0-{PART - 1}")
        except ClientError as error:
            if code_of(error) == "InvalidRange":
                return _read(place, Stop())  # an empty object has no first byte
            if not place.lacks(error):
                raise
            return None


def download(place: Place, first: Stretch, file: int, moved: Moved) -> Digest:
    """Writes the object that begins with `first` to an open file.

    Raises Unreadable when S3 does not answer or holds another object by now, and whatever `moved` raises.
    """
    hasher = hashlib.sha256()
    for data in _in_order(place, first, file, moved):
        hasher.update(data)
        size = len(data)
        data.clear()
        moved(size)
    return Digest(first.total, hasher.hexdigest())


def _in_order(place: Place, first: Stretch, file: int, moved: Moved) -> Iterator[bytearray]:
    """The bytes of the object, each stretch once it is written; at most `WIDTH` of them are in memory.

    Whoever takes them clears them: the first one is referred to until the end.
    """
    starts = iter(range(len(first.data), first.total, PART))
    waiting, due = {0: _written(file, first)}, 0
    with Crew[Stretch](lambda: moved(0)) as crew:
        while waiting or crew.under_way:
            while (ready := waiting.pop(due, None)) is not None:
                due += len(ready.data) or 1
                yield ready.data
            while crew.under_way + len(waiting) < WIDTH and (start := next(starts, None)) is not None:
                crew.begin(partial(_fetched, place, first, start, file))
            if crew.under_way:
                landed = crew.next()
                waiting[landed.start] = landed


def _fetched(place: Place, first: Stretch, start: int, file: int, stop: Stop) -> Stretch:
    """One stretch, written to the file. Raises Unreadable when the object is another one by now."""
    end = min(start + PART, first.total)
    with answers("S3"):
        found = _read(place, stop, Range=f"bytes={start}-{end - 1}", IfMatch=first.etag)
        if (found.start, len(found.data)) != (start, end - start):
            raise IncompleteReadError(actual_bytes=len(found.data), expected_bytes=end - start)
    return _written(file, found)


def _read(place: Place, stop: Stop, **what: str) -> Stretch:
    """Asks and reads, anew when the answer breaks off. Raises what botocore raises."""
    for _ in range(TRIES - 1):
        with suppress(*_CUT):
            return _read_once(place, stop, **what)
    return _read_once(place, stop, **what)


def _read_once(place: Place, stop: Stop, **what: str) -> Stretch:
    found = place.call("get_object", **what)
    with closing(found["Body"]) as body:  # its own `with` would bypass its checks
        data = _all(body, found["ContentLength"], stop)
    start, total = _extent(found)
    return Stretch(start, data, total, found["ETag"])


def _all(body: Any, size: int, stop: Stop) -> bytearray:
    data = bytearray(size)
    rest = memoryview(data)
    while rest and (count := body.readinto(rest[:BLOCK])):
        rest = rest[count:]
        stop.check()
    body.read()  # at its end the SDK compares length and checksum
    return data


def _extent(found: dict[str, Any]) -> tuple[int, int]:
    """Where an answer begins, and the size of the whole object: from `bytes 0-99/1234`, or all of it."""
    told = found.get("ContentRange")
    if told is None:
        return 0, found["ContentLength"]
    extent, _, total = told.removeprefix("bytes ").partition("/")
    return int(extent.partition("-")[0]), int(total)


def _written(file: int, found: Stretch) -> Stretch:
    rest, offset = memoryview(found.data), found.start
    while rest:
        count = os.pwrite(file, rest, offset)
        rest, offset = rest[count:], offset + count
    return found
