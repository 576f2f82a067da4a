"""Files that are whole or absent: written beside, synced, then renamed."""

from __future__ import annotations

import os
from io import BufferedReader
from pathlib import Path
from typing import TypeVar

import msgspec

from lifecycle.model.codec import decode, encode

T = TypeVar("T")


def write_whole(path: Path, data: bytes) -> None:
    """Replaces the file at `path` in one step; after a crash it holds the old or the new bytes."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with beside.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    sync_directory(path.parent)


def write_record(path: Path, value: object) -> None:
    write_whole(path, encode(value))


def read_record(path: Path, kind: type[T]) -> T | None:
    """The value in `path`; None when there is no such file or it is not of this kind."""
    try:
        return decode(path.read_bytes(), kind)
    except (FileNotFoundError, NotADirectoryError, msgspec.MsgspecError, ValueError):
        return None


def open_itself(path: Path) -> BufferedReader:
    """The file of this name for reading, never one that a link of this name points to. Raises OSError."""
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb")


def sync_directory(path: Path) -> None:
    """Makes renames in `path` durable."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_file(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
