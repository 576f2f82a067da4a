"""Files that are whole or absent, and reading what somebody else may have spoilt."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from lifecycle.system.files import read_record, sync_directory, sync_file, write_record, write_whole


class Note(msgspec.Struct, frozen=True):
    text: str
    number: int = 0


def test_a_written_file_holds_its_bytes_and_nothing_lies_beside_it(tmp_path: Path) -> None:
    write_whole(tmp_path / "file", b"bytes")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"file": b"bytes"}


def test_writing_again_replaces_the_file(tmp_path: Path) -> None:
    write_whole(tmp_path / "file", b"a much longer text than the next")
    write_whole(tmp_path / "file", b"short")
    assert (tmp_path / "file").read_bytes() == b"short"


def test_a_reader_of_the_old_file_keeps_the_old_bytes(tmp_path: Path) -> None:
    write_whole(tmp_path / "file", b"old")
    with (tmp_path / "file").open("rb") as reader:
        write_whole(tmp_path / "file", b"new")
        assert reader.read() == b"old"


WRITE_FOR_EVER = """
import sys
from pathlib import Path
from lifecycle.system.files import write_whole
for number in range(10**9):
    write_whole(Path(sys.argv[1]), str(number % 10).encode() * 100_000)
    print(number, flush=True)
"""


def test_a_writer_killed_at_any_moment_leaves_a_whole_file(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITE_FOR_EVER, str(tmp_path / "file")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as victim:
        seen = []
        for _ in range(20):
            victim.stdout.readline()
            seen.append((tmp_path / "file").read_bytes())
        victim.send_signal(signal.SIGKILL)
    seen.append((tmp_path / "file").read_bytes())
    assert [(len(each), len(set(each))) for each in seen] == [(100_000, 1)] * 21


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    write_whole(tmp_path / "file", b"old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            write_whole(tmp_path / "file", b"new and longer")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (tmp_path / "file").read_bytes() == b"old"


def test_a_record_is_read_back(tmp_path: Path) -> None:
    write_record(tmp_path / "note", Note("hello", 3))
    assert read_record(tmp_path / "note", Note) == Note("hello", 3)


def test_a_missing_record_is_none(tmp_path: Path) -> None:
    assert read_record(tmp_path / "note", Note) is None


def test_a_record_below_a_file_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert read_record(tmp_path / "file" / "note", Note) is None


JUNK = {
    "empty": b"",
    "half a record": b'{"text":"hel',
    "not JSON": b"hello",
    "not text": b"\xff\xfe\x00",
    "another kind": b'{"number":3}',
    "a wrong type": b'{"text":3}',
    "a list": b"[]",
    "null": b"null",
    "something after it": b'{"text":"a"}{"text":"b"}',
    "very deep": b"[" * 100_000,
}


@pytest.mark.parametrize("junk", JUNK)
def test_junk_is_read_as_none(tmp_path: Path, junk: str) -> None:
    (tmp_path / "note").write_bytes(JUNK[junk])
    assert read_record(tmp_path / "note", Note) is None


def test_a_record_of_a_newer_version_is_understood(tmp_path: Path) -> None:
    (tmp_path / "note").write_bytes(b'{"text":"hello","colour":"blue"}')
    assert read_record(tmp_path / "note", Note) == Note("hello")


def test_what_is_synced_may_be_a_file_or_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    sync_file(tmp_path / "file")
    sync_directory(tmp_path)
    with pytest.raises(NotADirectoryError):
        sync_directory(tmp_path / "file")
